package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"erfailover/failover/record"
)

// Limits bound how many messages a channel gets. What goes beyond is counted, and
// told in a summary.
type Limits struct {
	Group   int           // ordinary messages of one group at once; one more after each Refill
	Channel int           // ordinary messages of the channel at once; one more after each Refill
	Urgent  int           // urgent messages at once; one more after each Refill; more come at once as one summary
	Refill  time.Duration //
	Summary time.Duration // ordinary entries that were held are summed up after this
	None    bool          // for machines: one message for each entry
}

// People are limits for a channel that a person reads.
func People() Limits {
	return Limits{Group: 3, Channel: 6, Urgent: 8, Refill: time.Minute, Summary: 2 * time.Minute}
}

// Machines are limits for a channel that a program reads.
func Machines() Limits { return Limits{None: true} }

// step is one message, and how the cursor stands once it is sent.
type step struct {
	message Message
	change
}

// change is what a step does to a cursor.
type change struct {
	marks            map[string]mark // those that differ from the step before
	ordinary, urgent time.Time
}

func (c *cursor) apply(ch change) {
	maps.Copy(c.Marks, ch.marks)
	c.Ordinary, c.Urgent = ch.ordinary, ch.urgent
}

// folder turns entries into steps.
type folder struct {
	voice  Voice
	topics []Topic
	limits Limits
	now    time.Time

	marks            map[string]mark // as after the newest entry
	dirty            map[string]mark // changed since the newest step
	ordinary, urgent time.Time
	steps            []step
	rest             held // urgent entries beyond the allowance
	restKey          string
}

// fold turns the entries of each stream, which come right after the cursor's marks,
// into messages. The tail is the change after the last of them.
//
// Every entry that matters to the channel's topics is in exactly one message, or in
// the count of one summary, or in the counts that the cursor holds for the next.
func fold(v Voice, t Target, c cursor, entries map[string][]record.Entry, now time.Time) ([]step, change) {
	f := &folder{voice: v, topics: t.Topics, limits: t.Limits, now: now, marks: maps.Clone(c.Marks), dirty: map[string]mark{}, ordinary: c.Ordinary, urgent: c.Urgent}
	for _, stream := range slices.Sorted(maps.Keys(entries)) {
		for _, e := range entries[stream] {
			f.entry(stream, e)
		}
	}
	f.urgentSummary()
	f.heldSummary()
	return f.steps, f.change()
}

// entry folds one entry.
func (f *folder) entry(stream string, e record.Entry) {
	m := f.marks[stream]
	if e.Seq <= m.Seq {
		return
	}
	m.Seq = e.Seq
	n, after, ok := meaning(e, m.Memory)
	m.Memory = after
	topic, wanted := n.wanted(f.topics)
	if !ok || !wanted {
		f.set(stream, m)
		return
	}
	msg := f.voice.message(e, n, topic, after)
	switch {
	case f.limits.None:
	case f.rest.Count > 0: // a summary will come: what is told before it must not pass what it counts
		if n.urgent {
			f.overflow(msg)
		} else {
			m.Held = m.Held.add(msg, f.now)
		}
		f.set(stream, m)
		return
	case n.urgent:
		if !take(&f.urgent, f.now, f.limits.Urgent, f.limits.Refill) {
			f.overflow(msg)
			f.set(stream, m)
			return
		}
	default:
		group, channel := m.Ordinary, f.ordinary
		if m.Held.Count > 0 || !take(&group, f.now, f.limits.Group, f.limits.Refill) || !take(&channel, f.now, f.limits.Channel, f.limits.Refill) {
			m.Held = m.Held.add(msg, f.now)
			f.set(stream, m)
			return
		}
		m.Ordinary, f.ordinary = group, channel
	}
	f.set(stream, m)
	f.emit(msg)
}

func (f *folder) set(stream string, m mark) { f.marks[stream], f.dirty[stream] = m, m }

func (f *folder) emit(msg Message) { f.steps = append(f.steps, step{msg, f.change()}) }

// change takes what has changed since the newest step.
func (f *folder) change() change {
	c := change{marks: f.dirty, ordinary: f.ordinary, urgent: f.urgent}
	f.dirty = map[string]mark{}
	return c
}

// overflow counts an urgent message that gets none of its own.
func (f *folder) overflow(m Message) {
	f.rest = f.rest.add(m, f.now)
	if m.Severity != Resolved {
		f.restKey = m.Key
	}
}

// take uses one of burst allowances, of which one comes back after each refill.
// *used is the time at which all of them are back.
func take(used *time.Time, now time.Time, burst int, refill time.Duration) bool {
	next := now
	if used.After(now) {
		next = *used
	}
	next = next.Add(refill)
	if next.Sub(now) > time.Duration(burst)*refill {
		return false
	}
	*used = next
	return true
}

// maxResolves bounds the troubles whose end one summary tells. Those beyond are
// ended by a person.
const maxResolves = 200

// add counts a message.
func (h held) add(m Message, now time.Time) held {
	if h.Count == 0 {
		h.Since = now
	}
	h.Topics, h.Codes = maps.Clone(h.Topics), maps.Clone(h.Codes)
	if h.Topics == nil {
		h.Topics, h.Codes = map[Topic]int{}, map[string]int{}
	}
	h.Count++
	h.Topics[m.Topic]++
	code := m.Code
	if _, known := h.Codes[code]; !known && len(h.Codes) >= 20 {
		code = "other"
	}
	h.Codes[code]++
	if loudness(m.Severity) > loudness(h.Severity) {
		h.Severity = m.Severity
	}
	if m.Severity == Resolved && len(h.Resolves) < maxResolves && !slices.Contains(h.Resolves, m.Key) {
		h.Resolves = append(slices.Clone(h.Resolves), m.Key)
	}
	h.Newest = record.Clean(m.Title+": "+m.Text, maxTitle*2)
	return h
}

func loudness(s Severity) int { return slices.Index([]Severity{Resolved, Info, Warning, Critical}, s) }

// counts writes "12 refusal, 3 operation".
func (h held) counts() string {
	var parts []string
	for _, t := range slices.Sorted(maps.Keys(h.Topics)) {
		parts = append(parts, fmt.Sprintf("%d %s", h.Topics[t], t))
	}
	return strings.Join(parts, ", ")
}

// urgentSummary tells of the urgent entries beyond the allowance, at once.
func (f *folder) urgentSummary() {
	if f.rest.Count == 0 {
		return
	}
	h := f.rest
	m := f.summary(h)
	m.Title = fmt.Sprintf("and %d more urgent entries", h.Count)
	m.Key = f.restKey
	m.Text = words(fmt.Sprintf("%s. The newest: %s", h.counts(), h.Newest))
	f.rest = held{}
	f.emit(m)
}

// heldSummary tells of ordinary entries that were held back for long enough.
func (f *folder) heldSummary() {
	const shown = 10
	var all held
	var lines []string
	due := false
	streams := slices.Sorted(maps.Keys(f.marks))
	for _, s := range streams {
		h := f.marks[s].Held
		if h.Count == 0 {
			continue
		}
		due = due || !f.now.Before(h.Since.Add(f.limits.Summary))
		all = all.join(h)
		if len(lines) < shown {
			lines = append(lines, fmt.Sprintf("%s: %d (%s)", strings.TrimPrefix(s, "group."), h.Count, h.counts()))
		}
	}
	if !due {
		return
	}
	for _, s := range streams {
		if m := f.marks[s]; m.Held.Count > 0 {
			m.Held = held{}
			f.set(s, m)
		}
	}
	m := f.summary(all)
	m.Title = fmt.Sprintf("and %d more", all.Count)
	m.Text = words(strings.Join(lines, "; ") + ". The newest: " + all.Newest)
	f.emit(m)
}

// join adds up two counts.
func (h held) join(o held) held {
	if h.Count == 0 {
		return o
	}
	h.Topics, h.Codes = maps.Clone(h.Topics), maps.Clone(h.Codes)
	for t, n := range o.Topics {
		h.Topics[t] += n
	}
	for c, n := range o.Codes {
		h.Codes[c] += n
	}
	h.Count += o.Count
	if loudness(o.Severity) > loudness(h.Severity) {
		h.Severity = o.Severity
	}
	h.Resolves = append(slices.Clone(h.Resolves), o.Resolves...)
	h.Resolves = h.Resolves[:min(len(h.Resolves), maxResolves)]
	if o.Since.Before(h.Since) {
		h.Since = o.Since
	}
	h.Newest = o.Newest
	return h
}

// summary makes a message that stands for many.
func (f *folder) summary(h held) Message {
	topic := Operation
	for _, t := range []Topic{Failure, Approval, Refusal, Operation, Drill} {
		if h.Topics[t] > 0 {
			topic = t
			break
		}
	}
	var first string
	if all := slices.Sorted(maps.Keys(f.marks)); len(all) > 0 {
		first = fmt.Sprintf("%s/%d", all[0], f.marks[all[0]].Seq)
	}
	return Message{
		ID: fmt.Sprintf("summary/%s/%d", f.now.UTC().Format("20060102T150405.000"), h.Count) + "/" + first, Code: "summary", Topic: topic, Severity: h.Severity,
		Key: "erfailover/summary", Resolves: h.Resolves, Next: []string{"erfailover status", "erfailover history"},
		Link: f.voice.link(""), At: f.now, Count: h.Count,
	}
}
