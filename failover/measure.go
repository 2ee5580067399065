package failover

import (
	"context"
	"maps"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// How measured things age.
const (
	tablesEvery = time.Hour        // Azure computes its own route sets about once an hour
	tablesGood  = 3 * time.Hour    // an older table is nothing
	ratesGood   = 30 * time.Minute // what failed carried before it failed: the highest of this span is the load
	ratesKept   = 12
	mostApart   = time.Hour // two looks at counters that are further apart tell no rate
	leastApart  = 5 * time.Second
	leap        = 4.0 // times the bandwidth: two links may each carry all of it, and in bursts more
)

// measure reads the byte counters of the group's circuits, and begins reads of their
// route tables, when they are due. Only the timer does: no event waits for it, and a failure costs a guard
// its data and no more.
func (w *work) measure(ctx context.Context) error {
	due := w.dueCircuits()
	if len(due) == 0 {
		return nil
	}
	var counters []string
	var questions []executor.Question
	var about []string
	docs, etags := map[string]record.Measured{}, map[string]string{}
	for _, name := range due {
		doc, etag, err := w.loadMeasured(ctx, name)
		if err != nil {
			return err
		}
		docs[name], etags[name] = doc, etag
		if doc.Traffic == nil || !w.now.Before(doc.Traffic.At.Add(w.Timing.Measure)) {
			counters = append(counters, name)
		}
		c, _ := w.estate.Facts.Circuit(name)
		for _, link := range []events.Link{events.Primary, events.Secondary} {
			if t := doc.Tables[string(link)]; !w.now.Before(later(t.At, t.Asked).Add(tablesEvery)) {
				questions, about = append(questions, executor.Question{Kind: executor.AskTable, Target: c.ID, Link: string(link)}), append(about, name)
			}
		}
	}
	read := w.traffic(ctx, counters)
	for _, name := range counters {
		now, known := read[name]
		if !known {
			continue
		}
		doc := docs[name]
		c, _ := w.estate.Facts.Circuit(name)
		doc.Rates = withRate(doc, now, c.Bandwidth)
		doc.Traffic = &now
		docs[name] = doc
	}
	w.askTables(ctx, questions, about, docs)
	for _, name := range due {
		if !slices.Contains(counters, name) && !slices.Contains(about, name) {
			continue
		}
		if err := w.saveMeasured(ctx, etags[name], docs[name]); err != nil && !conflict(err) {
			return err // a conflict: another instance has measured
		}
	}
	return nil
}

// dueCircuits returns the circuits of the group that this instance has not measured a
// moment ago, and makes them due again later.
func (w *work) dueCircuits() []string {
	if w.Timing.Measure <= 0 || !w.tick {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, name := range w.topo.Circuits() {
		if _, known := w.estate.Facts.Circuit(name); known && !w.now.Before(w.measureAt[name]) {
			w.measureAt[name] = w.now.Add(w.Timing.Measure)
			out = append(out, name)
		}
	}
	return out
}

// askTables begins reads of route tables.
func (w *work) askTables(ctx context.Context, questions []executor.Question, about []string, docs map[string]record.Measured) {
	if len(questions) == 0 {
		return
	}
	for i, b := range w.Network.Ask(ctx, questions) {
		doc, q := docs[about[i]], questions[i]
		t := doc.Tables[q.Link]
		t.Asked = w.now
		if b.Answer != nil {
			t = withTable(t, *b.Answer)
		}
		doc.Tables = maps.Clone(doc.Tables)
		if doc.Tables == nil {
			doc.Tables = map[string]record.LinkTable{}
		}
		doc.Tables[q.Link], docs[about[i]] = t, doc
		if b.Err != nil {
			w.log.Warn().Str("event", CodeAsked).Str("group", w.g.Name).Str("circuit", about[i]).Err(b.Err).Msg("a read of the route table could not be begun; it is tried again in an hour")
		}
		if b.Token != "" {
			w.g.Reads = append(w.g.Reads, record.SlowRead{Question: q, Circuit: about[i], Token: b.Token, AskedAt: w.now, NotBefore: w.now.Add(max(b.RetryAfter, time.Second))})
			w.dirty = true
		}
	}
}

// learnTable keeps the answer to a question about a link's route table.
func (w *work) learnTable(ctx context.Context, name string, a executor.Answer) error {
	for range casAttempts {
		doc, etag, err := w.loadMeasured(ctx, name)
		if err != nil {
			return err
		}
		doc.Tables = maps.Clone(doc.Tables)
		if doc.Tables == nil {
			doc.Tables = map[string]record.LinkTable{}
		}
		doc.Tables[a.Question.Link] = withTable(doc.Tables[a.Question.Link], a)
		if err = w.saveMeasured(ctx, etag, doc); !conflict(err) {
			return err
		}
	}
	return contended(record.MeasuredKey(name))
}

// withTable takes in a link's table. One without a prefix of on-premises is that of a
// session which is down, not of a circuit that announces nothing: what was known stays
// until it is too old.
func withTable(t record.LinkTable, a executor.Answer) record.LinkTable {
	if p := executor.OnPremises(a.Routes); len(p) > 0 {
		t.At, t.Prefixes = a.At, p
	}
	return t
}

// withRate adds what a circuit has carried since the look before, in its larger
// direction. Counters that stand still, go back, or leap further than the circuit's
// bandwidth in Mbps allows tell nothing: Azure may have served an old look, or begun to
// count anew.
func withRate(doc record.Measured, now record.TrafficReading, bandwidth int) []record.Rate {
	if doc.Traffic == nil {
		return doc.Rates
	}
	var moved [2]int64 // in, out
	for i := range 2 {
		in, out := now.Bytes.In[i]-doc.Traffic.Bytes.In[i], now.Bytes.Out[i]-doc.Traffic.Bytes.Out[i]
		if in < 0 || out < 0 {
			return doc.Rates
		}
		moved[0], moved[1] = moved[0]+in, moved[1]+out
	}
	span, most := now.At.Sub(doc.Traffic.At), max(moved[0], moved[1])
	if most == 0 || span < leastApart || span > mostApart {
		return doc.Rates
	}
	bits := float64(most) * 8 / span.Seconds()
	if bandwidth > 0 && bits > leap*float64(bandwidth)*1e6 {
		return doc.Rates
	}
	rates := append([]record.Rate{{At: now.At, Bits: int64(bits)}}, doc.Rates...)
	return rates[:min(len(rates), ratesKept)]
}

// measured returns what is known of the group's circuits. What is missing or too old
// is left out: it is unknown, never 0 and never nothing announced.
func (w *work) measured(ctx context.Context) (policy.Facts, error) {
	var out policy.Facts
	if w.Timing.Measure <= 0 {
		return out, nil
	}
	for _, name := range w.topo.Circuits() {
		doc, _, err := w.loadMeasured(ctx, name)
		if err != nil {
			return policy.Facts{}, err
		}
		load, known := int64(0), false
		for _, r := range doc.Rates {
			if w.now.Sub(r.At) <= ratesGood {
				load, known = max(load, r.Bits), true
			}
		}
		if known {
			if out.Load == nil {
				out.Load = map[string]int64{}
			}
			out.Load[name] = load
		}
		first, second := doc.Tables[string(events.Primary)], doc.Tables[string(events.Secondary)]
		if len(first.Prefixes)+len(second.Prefixes) > 0 && w.now.Sub(first.At) <= tablesGood && w.now.Sub(second.At) <= tablesGood {
			if out.Prefixes == nil {
				out.Prefixes = map[string][]string{}
			}
			all := slices.Concat(first.Prefixes, second.Prefixes)
			slices.Sort(all)
			out.Prefixes[name] = slices.Compact(all)
		}
	}
	return out, nil
}

func (w *work) loadMeasured(ctx context.Context, name string) (record.Measured, string, error) {
	doc := record.Measured{Schema: record.Schema, Circuit: name}
	etag, err := w.load(ctx, record.MeasuredKey(name), &doc)
	return doc, etag, err
}

func (w *work) saveMeasured(ctx context.Context, etag string, doc record.Measured) error {
	_, err := w.save(ctx, record.MeasuredKey(doc.Circuit), etag, "", &doc, &record.Trail{})
	return err
}
