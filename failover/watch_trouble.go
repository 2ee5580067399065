package failover

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// looksUntilTold is how many looks in a row must fail before it is said: one that fails
// is tried again. A refusal is said at once, it does not go away.
const looksUntilTold = 2

// failures are what could not be read, by what was asked.
type failures map[string]error

// add keeps the gravest: what a person must mend before what mends itself.
func (f failures) add(what string, err error) {
	if old := f[what]; old == nil || errors.Is(err, fault.Denied) && !errors.Is(old, fault.Denied) {
		f[what] = err
	}
}

// askedFor says what is asked, for people.
func askedFor(what string) string {
	switch what {
	case askMetrics:
		return "Azure Monitor's metrics of circuits"
	case askHealth:
		return "the Resource Health of circuits"
	case askPlanned:
		return "planned work that Service Health announces"
	}
	return what
}

// troubled counts a look that failed, or ends the count, and returns what is to be
// journaled of it.
func troubled(doc *record.Watch, what string, err error, now time.Time) (record.Entry, bool) {
	t, failing := doc.Trouble[what]
	fields := map[string]string{"asked": what}
	if err == nil {
		delete(doc.Trouble, what)
		return record.Entry{At: now, Code: CodeWatchBack, Fields: fields,
			Text: askedFor(what) + " can be read again; they could not for " + now.Sub(t.Since).Round(time.Second).String()}, failing && t.Told
	}
	if !failing {
		t.Since = now
	}
	t.Looks++
	t.Why = err.Error()
	tell := !t.Told && (t.Looks >= looksUntilTold || errors.Is(err, fault.Denied))
	t.Told = t.Told || tell
	if doc.Trouble == nil {
		doc.Trouble = map[string]record.Trouble{}
	}
	doc.Trouble[what] = t
	text := []string{askedFor(what) + " cannot be read, so a lost message about them is found later", t.Why}
	if hint := fault.HintOf(err); hint != "" {
		text = append(text, hint)
	}
	return record.Entry{At: now, Code: CodeWatchFailed, Fields: fields, Text: strings.Join(text, "; ")}, tell
}

// tellTrouble remembers what could not be read, and says it once: when it has failed
// for some looks, and when it works again.
func (r *run) tellTrouble(ctx context.Context, look executor.Look, failed failures) error {
	asked := []string{}
	if len(look.Metrics) > 0 {
		asked = append(asked, askMetrics, askHealth)
	}
	if len(look.Planned) > 0 {
		asked = append(asked, askPlanned)
	}
	for range casAttempts {
		doc := record.Watch{Schema: record.Schema}
		etag, err := r.load(ctx, record.WatchKey, &doc)
		if err != nil {
			return err
		}
		before, now := maps.Clone(doc.Trouble), r.Clock.Now().UTC().Round(0)
		var news []record.Entry
		for _, what := range asked {
			if entry, is := troubled(&doc, what, failed[what], now); is {
				news = append(news, entry)
			}
		}
		if maps.Equal(before, doc.Trouble) {
			return nil
		}
		if _, err = r.save(ctx, record.WatchKey, etag, "", &doc, &record.Trail{}); conflict(err) {
			continue
		} else if err != nil {
			return err
		}
		return r.tell(ctx, news, failed)
	}
	return contended(record.WatchKey)
}

// tell journals and logs trouble that began or ended.
func (r *run) tell(ctx context.Context, news []record.Entry, failed failures) error {
	if len(news) == 0 {
		return nil
	}
	for _, n := range news {
		what := n.Fields["asked"]
		if n.Code == CodeWatchFailed {
			r.log.Warn().Str("event", CodeWatchFailed).Str("asked", what).Str("hint", fault.HintOf(failed[what])).Err(failed[what]).Msg("Azure's monitoring cannot be asked; a lost message is found later")
			continue
		}
		r.log.Info().Str("event", CodeWatchBack).Str("asked", what).Msg("Azure's monitoring can be asked again")
	}
	return r.changeEstate(ctx, func(time.Time) bool {
		for _, n := range news {
			r.estate.Add(record.EstateKey, n)
		}
		return true
	})
}
