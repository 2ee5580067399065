package drill

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// keptHistory bounds the outcomes that a drill's document lists.
const keptHistory = 24

// Step takes a drill one beat further: the document to store, the orders to give
// after it is stored, and the run to keep when it has ended.
func Step(d Document, in Input) (Document, []events.Order, *Ended) {
	d.Schema, d.Name = record.Schema, in.Spec.Name
	d.Flags = lapsed(d.Flags, in.Now)
	if Running(d) {
		d.Traffic = sampled(d.Traffic, d.Run, in.Counters)
	}
	switch d.Phase {
	case Announced:
		return announced(d, in)
	case Armed:
		return armed(d, in)
	case Moving, Holding, Returning:
		return running(d, in)
	case Idle:
	}
	d.Phase = Idle
	return idle(d, in), nil, nil
}

// Due reports whether the next beat starts a run, so that what it looks at must be
// gathered first.
func Due(d Document, s Spec, now time.Time) bool {
	return d.Phase == Announced && !now.Before(due(d, s))
}

// Running reports whether a run is on, from the arming of the way back to its end.
func Running(d Document) bool {
	switch d.Phase {
	case Armed, Moving, Holding, Returning:
		return true
	case Idle, Announced:
	}
	return false
}

// due returns when an announced run begins: at its time, and not before people have
// had their notice.
func due(d Document, s Spec) time.Time {
	if d.By != "" || d.AnnouncedAt.IsZero() {
		return d.Next
	}
	if told := d.AnnouncedAt.Add(s.Announce); told.After(d.Next) {
		return told
	}
	return d.Next
}

// idle plans the next start, plans it anew when the calendar has changed, and
// announces it in time.
func idle(d Document, in Input) Document {
	from := in.Now
	if d.Skipped.After(from) {
		from = d.Skipped
	}
	next := in.Spec.Calendar.Next(from)
	if d.Next.IsZero() || (d.Next.After(in.Now) && !d.Next.Equal(next)) {
		if d.Next.Equal(next) {
			return d
		}
		d.Next = next
		if next.IsZero() {
			note(&d, in, "plan", "no start is in sight: see the schedule, the hours and the calendars")
			return d
		}
		note(&d, in, "plan", "the next drill begins at "+stamp(d.Next))
	}
	if in.Now.Before(d.Next.Add(-in.Spec.Announce)) {
		return d
	}
	if in.Now.Add(in.Spec.Announce).After(d.Next.Add(in.Spec.Limit)) {
		note(&d, in, "plan", fmt.Sprintf("the start of %s is passed over: nobody was there to give %s of notice", stamp(d.Next), in.Spec.Announce))
		d.Skipped = d.Next
		d.Next = in.Spec.Calendar.Next(in.Now)
		return d
	}
	announce(&d, in)
	return d
}

func announce(d *Document, in Input) {
	d.Phase, d.AnnouncedAt = Announced, in.Now
	what := map[Kind]string{Move: "is drilled", Evacuate: "and every other group at its home's location are drilled", Tabletop: "is drilled on paper, nothing is written,", Disconnect: "is drilled", Link: "is drilled"}[in.Spec.Kind]
	text := fmt.Sprintf("group %s %s at %s", in.Spec.Group, what, stamp(due(*d, in.Spec)))
	if in.Spec.Kind != Tabletop {
		text += " for " + in.Spec.hold(d.Run).String()
	}
	d.Add(Stream(d.Name), record.Entry{At: in.Now, Code: "drill.announce", Group: in.Spec.Group, Operation: d.ID, Actor: d.By, Text: text + "; to cancel: erfailover drill cancel " + d.Name,
		Fields: map[string]string{"drill": d.Name, "start": d.Next.UTC().Format(time.RFC3339Nano), "until": due(*d, in.Spec).UTC().Format(time.RFC3339Nano)}})
}

// announced begins a run when it is due: every check is asked, and the way back is
// armed. Nothing is ordered yet.
func announced(d Document, in Input) (Document, []events.Order, *Ended) {
	start := due(d, in.Spec)
	if in.Now.Before(start) {
		return d, nil, nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", d.Name, d.Next.UnixNano()))
	d.ID = "d-" + hex.EncodeToString(sum[:6])
	legs := Groups(in.Spec, in)
	if in.Spec.Kind == Evacuate {
		d.Location = Location(in)
	}
	d.Checks = checks(d, in, start, legs)
	for _, g := range legs {
		d.Plans = append(d.Plans, in.Previews[g].Plan)
	}
	var held, codes []string
	for _, c := range d.Checks {
		if !c.OK {
			held, codes = append(held, c.Text), append(codes, c.Codes...)
		}
	}
	if len(held) > 0 {
		return finish(d, in, Refused, strings.Join(held, "; "), codes...)
	}
	if in.Spec.Kind == Tabletop {
		return tabletop(d, in)
	}
	note(&d, in, "check", fmt.Sprintf("%d checks passed", len(d.Checks)))
	for _, g := range legs {
		d.Legs = append(d.Legs, Leg{Group: g, State: LegOrdered, Tries: 1})
		d.Undo = append(d.Undo, rests(in, g)...)
	}
	d.Phase, d.ArmedAt, d.ArmedBy, d.Deadline = Armed, in.Now, in.Owner, in.Now.Add(in.Spec.Limit)
	d.UndoHash = undoHash(d.Run)
	note(&d, in, "arm", "armed: traffic goes home by itself at "+stamp(d.Deadline))
	return d, nil, nil
}

// rests returns a group's weights at rest, with the hash of what else is written.
func rests(in Input, group string) []Rest {
	g := in.Groups[group]
	topo, _ := in.Estate.Group(group)
	var out []Rest
	for _, c := range in.Estate.ConnectionsOf(topo) {
		w, known := g.Baseline[c.ID]
		if !known {
			continue
		}
		out = append(out, Rest{Group: group, Connection: c.ID, Circuit: in.Estate.CircuitOf(c.Circuit), Weight: w.Weight, Epoch: w.Epoch, Body: g.Actual[c.ID].Rest})
	}
	return out
}

func undoHash(r Run) string {
	h := sha256.New()
	for _, u := range r.Undo {
		fmt.Fprintf(h, "%s %s %d %s %s\n", u.Group, u.Connection, u.Weight, u.Epoch, u.Body)
	}
	fmt.Fprintf(h, "%d", r.Deadline.UnixNano())
	return "u-" + hex.EncodeToString(h.Sum(nil)[:10])
}

// armed is a later beat: the document was stored and has been read back, or this
// would not be its phase. Only now is anything ordered.
func armed(d Document, in Input) (Document, []events.Order, *Ended) {
	switch {
	case d.Early != "":
		return finish(d, in, d.Early, d.Why)
	case undoHash(d.Run) != d.UndoHash || d.Deadline.IsZero():
		return finish(d, in, Refused, "the way back was not read back as it was stored; nothing was moved", string(Torn))
	case !in.Now.Add(in.Spec.hold(d.Run)).Before(d.Deadline):
		return finish(d, in, Refused, fmt.Sprintf("it was armed at %s and nobody took it further in time; nothing was moved", stamp(d.ArmedAt)), string(TooLate))
	}
	d.Phase, d.SeenAt, d.SeenBy = Moving, in.Now, in.Owner
	note(&d, in, "move", fmt.Sprintf("the way back is armed until %s and was read back (%s); the move is ordered", stamp(d.Deadline), d.UndoHash))
	var orders []events.Order
	for _, l := range d.Legs {
		orders = append(orders, Order(in.Spec, d.Run, l, d.Deadline))
	}
	return d, orders, nil
}

func note(d *Document, in Input, what, text string) {
	d.Add(Stream(d.Name), record.Entry{At: in.Now, Code: "drill." + what, Group: in.Spec.Group, Operation: d.ID, Actor: d.By, Text: text, Reasons: reasons(what)})
}

// reasons names the reason code of a drill's entry, where there is one.
func reasons(what string) []string {
	if what == "hold" {
		return []string{string(policy.DrillRunning)}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
