package failover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// keyLife is how long an idempotency key is remembered.
const keyLife = 24 * time.Hour

// accept stores an order before it is answered. Pauses, acknowledgements and the
// kill switch take effect at once; orders that move traffic wait in the group's
// document for their verdict. It returns the groups that the order touches.
func (r *run) accept(ctx context.Context, s events.Signal) ([]string, error) {
	o := s.Order
	if o == nil || o.By == "" {
		return nil, &fault.Error{Op: "accept order", Kind: fault.Invalid, Hint: "an order names who gives it", Err: fmt.Errorf("signal %s carries no order, or nobody's", s.ID)}
	}
	switch o.Verb {
	case events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill, events.OrderPause, events.OrderResume,
		events.OrderAcknowledge, events.OrderApprove, events.OrderCancel, events.OrderKill, events.OrderUnkill:
	default:
		return nil, &fault.Error{Op: "accept order", Target: string(o.Verb), Kind: fault.Invalid, Hint: "order failover, switchover, failback, evacuate, drill, pause, resume, acknowledge, approve, cancel, kill or unkill", Err: fmt.Errorf("there is no order of that name")}
	}
	if err := checkLever(*o); err != nil {
		return nil, err
	}
	if o.Verb == events.OrderKill || o.Verb == events.OrderUnkill {
		return r.groups, r.killSwitch(ctx, s)
	}
	groups := []string{o.Group}
	if o.Group == "" && o.Verb == events.OrderEvacuate {
		groups = r.groups
	}
	for _, name := range groups {
		if _, ok := r.estate.Facts.Group(name); !ok {
			return nil, &fault.Error{Op: "accept order", Target: name, Kind: fault.NotFound, Hint: "name a group of the configuration", Err: fmt.Errorf("there is no group %q", name)}
		}
		if err := r.acceptFor(ctx, name, s); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// acceptFor stores an order in one group's document.
func (r *run) acceptFor(ctx context.Context, name string, s events.Signal) error {
	o, hash := s.Order, orderHash(*s.Order)
	var refused error
	err := r.change(ctx, name, func(g *record.Group, now time.Time) bool {
		refused = nil
		if done, err := seen(g, o.Key, hash, now); done || err != nil {
			refused = err
			return false
		}
		if refused = schedulable(g, o, now); refused != nil {
			return false
		}
		if o.Key != "" {
			if g.Keys == nil {
				g.Keys = map[string]record.Use{}
			}
			g.Keys[o.Key] = record.Use{At: now, Due: o.NotBefore, Hash: hash}
		}
		g.Add(stream(name), record.Entry{At: now, Code: CodeOrder, Group: name, Actor: o.By, Text: orderText(*o), Fields: map[string]string{"verb": string(o.Verb)}})
		applyOrder(g, s, now)
		return true
	})
	if err == nil {
		err = refused
	}
	return err
}

// seen reports whether an order with that key was accepted before. The same key
// with another order is an error.
func seen(g *record.Group, key, hash string, now time.Time) (bool, error) {
	for k, use := range g.Keys {
		if !now.Before(later(use.At, use.Due).Add(keyLife)) {
			delete(g.Keys, k)
		}
	}
	use, known := g.Keys[key]
	switch {
	case key == "" || !known:
		return false, nil
	case use.Hash != hash:
		return true, &fault.Error{Op: "accept order", Kind: fault.Invalid, Code: "idempotency-key-reused", Hint: "use a new Idempotency-Key for another order", Err: fmt.Errorf("this key was used for another order at %s", use.At.UTC().Format(time.RFC3339))}
	}
	return true, nil
}

func orderHash(o events.Order) string {
	o.Key = ""
	text, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:10])
}

// applyOrder takes an order into the document.
func applyOrder(g *record.Group, s events.Signal, now time.Time) {
	o := s.Order
	note := func(code, text string) {
		g.Add(stream(g.Name), record.Entry{At: now, Code: code, Group: g.Name, Actor: o.By, Text: text})
	}
	if o.Verb == events.OrderPause || o.Verb == events.OrderResume {
		if outdated(g.PauseOrder, s.At, o.Verb == events.OrderPause) {
			g.Add(stream(g.Name), tooLate(s, now))
			return
		}
		g.PauseOrder = later(g.PauseOrder, s.At)
	}
	switch o.Verb {
	case events.OrderPause:
		g.Pause = &policy.Pause{By: o.By, Reason: o.Reason, At: now, Until: o.Until}
		note(CodePaused, "paused by "+o.By)
	case events.OrderResume:
		g.Pause = nil
		note(CodeResumed, "resumed by "+o.By)
	case events.OrderAcknowledge:
		g.Acked = now
		note(CodeAcked, "acknowledged by "+o.By)
	case events.OrderApprove, events.OrderCancel, events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill:
		if o.NotBefore.After(now) {
			schedule(g, record.Order{Signal: s.ID, At: now, Order: *o})
			return
		}
		if !slices.ContainsFunc(g.Orders, func(w record.Order) bool { return w.Signal == s.ID }) {
			g.Orders = append(g.Orders, record.Order{Signal: s.ID, At: now, Order: *o})
		}
	case events.OrderKill, events.OrderUnkill:
	}
}

func orderText(o events.Order) string {
	text := string(o.Verb) + " ordered by " + o.By
	if o.To != "" {
		text += " to " + o.To
	}
	if !o.NotBefore.IsZero() {
		text += ", not before " + o.NotBefore.UTC().Format(time.RFC3339)
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// killSwitch sets or lifts the stop of every write in the estate. The stop is
// stored in every group's document too: whoever looked at a group before, and has
// not yet stored what it wants to write, loses its save.
func (r *run) killSwitch(ctx context.Context, s events.Signal) error {
	o, kill, ignored := s.Order, s.Order.Verb == events.OrderKill, false
	this := s.ID + "@" + s.At.UTC().Format(time.RFC3339Nano) // the same words at another time are another order
	entry := func(now time.Time) record.Entry {
		if kill {
			return record.Entry{At: now, Actor: o.By, Code: CodeKilled, Text: "the kill switch was set by " + o.By}
		}
		return record.Entry{At: now, Actor: o.By, Code: CodeUnkilled, Text: "the kill switch was lifted by " + o.By}
	}
	err := r.changeEstate(ctx, func(now time.Time) bool {
		ignored = false
		if slices.Contains(r.estate.KillOrders, this) {
			return false // delivered again
		}
		r.estate.KillOrders = append(r.estate.KillOrders, this)
		r.estate.KillOrders = r.estate.KillOrders[max(0, len(r.estate.KillOrders)-keptNoted):]
		if ignored = outdated(r.estate.KillOrder, s.At, kill); ignored {
			r.estate.Add(record.EstateKey, tooLate(s, now))
			return true
		}
		r.estate.KillOrder = later(r.estate.KillOrder, s.At)
		r.estate.Killed = nil
		if kill {
			r.estate.Killed = &policy.Pause{By: o.By, Reason: o.Reason, At: now, Until: o.Until}
		}
		r.estate.Add(record.EstateKey, entry(now))
		return true
	})
	for _, name := range r.groups {
		if err != nil || !kill || ignored {
			return err
		}
		err = r.change(ctx, name, func(g *record.Group, now time.Time) bool {
			e := entry(now)
			e.Group, e.Text = name, e.Text+"; nothing more is sent for "+name
			g.Add(stream(name), e)
			return true
		})
	}
	return err
}

// lateStop is how much older than the newest order a stop may be and still count:
// clocks differ a little, and a stop that is lost is worse than one too many.
const lateStop = time.Minute

// outdated reports whether an order about a switch comes behind a newer one: the one
// that was given last stands, in whatever order they arrive.
func outdated(newest, given time.Time, stops bool) bool {
	switch {
	case given.IsZero():
		return false
	case stops:
		return given.Add(lateStop).Before(newest)
	}
	return given.Before(newest)
}

// tooLate is the journal's line for an order that is outdated.
func tooLate(s events.Signal, now time.Time) record.Entry {
	return record.Entry{At: now, Code: CodeOrderAnswer, Group: s.Order.Group, Actor: s.Order.By, Reasons: []string{string(policy.StaleNews)},
		Text: string(s.Order.Verb) + ": given at " + s.At.UTC().Format(time.RFC3339) + " and arrived behind a newer order, which stands"}
}

// lookAtSwitch reads the kill switch anew: a call may be older than the order.
func (r *run) lookAtSwitch(ctx context.Context) error {
	estate := record.Estate{Schema: record.Schema}
	if _, err := r.load(ctx, record.EstateKey, &estate); err != nil {
		return err
	}
	r.estate.Killed = estate.Killed
	return nil
}

// answer notes what became of the group's first waiting order and takes it off the
// list.
func answer(g *record.Group, text, operation string, now time.Time) {
	if len(g.Orders) == 0 {
		return
	}
	o := g.Orders[0]
	g.Orders = slices.Delete(g.Orders, 0, 1)
	if use, known := g.Keys[o.Order.Key]; known {
		use.Answer, use.Operation = text, operation
		g.Keys[o.Order.Key] = use
	}
	g.Add(stream(g.Name), record.Entry{At: now, Code: CodeOrderAnswer, Group: g.Name, Actor: o.Order.By, Operation: operation, Text: string(o.Order.Verb) + ": " + text})
}
