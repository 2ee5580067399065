package failover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

const (
	// scheduleAhead is how far ahead a move can be ordered.
	scheduleAhead = 90 * 24 * time.Hour
	// scheduleGrace is how late a scheduled order may be judged. A move that was
	// meant for the quiet of the night must not come at noon because nothing ran
	// before.
	scheduleGrace = 15 * time.Minute
)

// schedulable says why an order cannot be kept for its time; nil for one without.
func schedulable(g *record.Group, o *events.Order, now time.Time) error {
	refuse := func(kind fault.Kind, hint string, cause error) error {
		return &fault.Error{Op: "schedule the order", Target: g.Name, Kind: kind, Hint: hint, Err: cause}
	}
	switch {
	case o.NotBefore.IsZero():
		return nil
	case !Schedulable(o.Verb):
		return refuse(fault.Invalid, "order switchover, failback, evacuate or drill for a time to come", fmt.Errorf("%s cannot be scheduled", o.Verb))
	case o.NotBefore.After(now.Add(scheduleAhead)):
		return refuse(fault.Invalid, "name a time within 90 days", errors.New("that is too far ahead"))
	case len(g.Scheduled) >= record.MaxScheduled:
		return refuse(fault.Busy, "cancel one of the scheduled orders of the group first", fmt.Errorf("the group has %d scheduled orders", len(g.Scheduled)))
	}
	return nil
}

// Schedulable reports whether an order of that kind can be given for a time to
// come. A failover cannot: it says that a circuit is bad now.
func Schedulable(v events.Verb) bool {
	switch v {
	case events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill:
		return true
	case events.OrderFailover, events.OrderPause, events.OrderResume, events.OrderAcknowledge, events.OrderApprove, events.OrderCancel, events.OrderKill, events.OrderUnkill:
	}
	return false
}

// schedule keeps an order for its time, soonest first.
func schedule(g *record.Group, o record.Order) {
	if slices.ContainsFunc(g.Scheduled, func(s record.Order) bool { return s.Signal == o.Signal }) {
		return
	}
	g.Scheduled = append(g.Scheduled, o)
	slices.SortStableFunc(g.Scheduled, func(a, b record.Order) int { return a.Order.NotBefore.Compare(b.Order.NotBefore) })
}

// unschedule takes an order off the list by its ID.
func unschedule(g *record.Group, id string) (record.Order, bool) {
	i := slices.IndexFunc(g.Scheduled, func(s record.Order) bool { return s.Signal == id })
	if i < 0 {
		return record.Order{}, false
	}
	s := g.Scheduled[i]
	g.Scheduled = slices.Delete(g.Scheduled, i, i+1)
	if use, known := g.Keys[s.Order.Key]; known {
		use.Answer = "cancelled before its time"
		g.Keys[s.Order.Key] = use
	}
	return s, true
}

// due hands the orders whose time has come to be judged like any other, by every
// guard as it is now. One whose time went by unseen is refused.
func (w *work) due() {
	for len(w.g.Scheduled) > 0 && !w.now.Before(w.g.Scheduled[0].Order.NotBefore) {
		s := w.g.Scheduled[0]
		o := s.Order
		w.g.Scheduled = slices.Delete(w.g.Scheduled, 0, 1)
		w.dirty = true
		if w.now.After(o.NotBefore.Add(scheduleGrace)) {
			w.missed(o)
			continue
		}
		w.note(record.Entry{Code: CodeDue, Actor: o.By, Text: "it is time for the " + string(o.Verb) + " that " + o.By + " ordered at " + s.At.UTC().Format(time.RFC3339)})
		w.g.Orders = append(w.g.Orders, s)
	}
}

// missed answers an order that nothing judged at its time.
func (w *work) missed(o events.Order) {
	if use, known := w.g.Keys[o.Key]; known {
		use.Answer = "refused: " + string(policy.TimeMissed)
		w.g.Keys[o.Key] = use
	}
	w.note(record.Entry{Code: CodeOrderAnswer, Actor: o.By, Reasons: []string{string(policy.TimeMissed)}, Fields: map[string]string{"verb": string(o.Verb)},
		Text: fmt.Sprintf("%s: refused: %s: it was meant for %s and nothing could judge it then; order it anew", o.Verb, policy.TimeMissed, o.NotBefore.UTC().Format(time.RFC3339))})
}

// samePerson reports whether two orders came from one person. The directory's
// object tells people apart: a name may be spelled in two ways, and two people may
// have one. Where one side has no object the names must do.
func samePerson(name, subject, otherName, otherSubject string) bool {
	if subject != "" && otherSubject != "" {
		return strings.EqualFold(subject, otherSubject)
	}
	return strings.EqualFold(name, otherName)
}

// approvedBy reports whether the person behind an order has approved already.
func approvedBy(op *record.Operation, o events.Order) bool {
	for i, name := range op.Approved {
		subject := ""
		if i < len(op.Approval) {
			subject = op.Approval[i]
		}
		if samePerson(o.By, o.Subject, name, subject) {
			return true
		}
	}
	return false
}
