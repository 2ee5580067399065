package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

const (
	retryHome   = time.Minute // between orders to go home
	refusedWord = "refused"   // begins the engine's answer to an order that a guard refused
)

func outKey(r Run, l Leg) string  { return fmt.Sprintf("%s-out-%s-%d", r.ID, l.Group, l.Tries) }
func homeKey(r Run, l Leg) string { return fmt.Sprintf("%s-home-%s-%d", r.ID, l.Group, l.Backs) }

func homeward(d Document, l Leg) events.Order {
	return events.Order{Verb: events.OrderFailback, Group: l.Group, Operation: d.ID, By: who(d.Run), Reason: "end of drill " + d.Name, Key: homeKey(d.Run, l)}
}

// running takes every leg one beat further. A bad sign, a stop or a refusal sends
// every leg home that is away.
func running(d Document, in Input) (Document, []events.Order, *Ended) {
	d.Legs = slices.Clone(d.Legs)
	var orders []events.Order
	for i := range d.Legs {
		orders = append(orders, legStep(&d, in, &d.Legs[i])...)
	}
	if d.Phase != Returning && d.Early == "" {
		if result, why := trouble(d, in); result != "" {
			d.Early, d.Why = result, why
			note(&d, in, "abort", "it goes home early: "+why)
		}
	}
	states := count(d.Legs)
	switch {
	case states[LegStayed]+states[LegHome] == len(d.Legs):
		return end(d, in, orders)
	case d.Early != "" || d.Phase == Returning:
		return home(d, in, orders)
	case d.Phase == Moving && states[LegHolding] > 0 && states[LegOrdered] == 0:
		d.Phase, d.HeldAt, d.During = Holding, in.Now, now(d, in)
		note(&d, in, "hold", fmt.Sprintf("traffic is on %s; it is held for %s", strings.Join(targets(d.Legs), ", "), in.Spec.hold(d.Run)))
	case d.Phase == Holding && !in.Now.Before(sooner(d.Deadline, d.HeldAt.Add(in.Spec.hold(d.Run)))):
		return home(d, in, orders)
	case !in.Now.Before(d.Deadline):
		d.Early, d.Why = Failed, "the move took too long"
		return home(d, in, orders)
	}
	return d, orders, nil
}

// legStep takes one leg one beat further by what its group's document says.
func legStep(d *Document, in Input, l *Leg) []events.Order {
	g := in.Groups[l.Group]
	switch l.State {
	case LegOrdered:
		return moving(d, in, l, g)
	case LegHolding:
		if g.Drill != d.ID {
			left(d, l, g)
		}
	case LegReturning:
		return returning(d, in, l, g)
	case LegHome, LegStayed:
	}
	return nil
}

// moving waits for a leg's move. The order is given again each time: its key makes
// that harmless, and a crash between the save and the order harmless too.
func moving(d *Document, in Input, l *Leg, g record.Group) []events.Order {
	use := g.Keys[outKey(d.Run, *l)]
	if use.Answer == "" {
		if d.Early != "" || !in.Now.Before(d.Deadline) {
			l.State = LegReturning // if it moves after all, it is ordered home
			return nil
		}
		return []events.Order{Order(in.Spec, d.Run, *l, d.Deadline)}
	}
	if rest, refused := strings.CutPrefix(use.Answer, refusedWord+": "); refused {
		return refusedLeg(d, in, l, rest)
	}
	l.Out = use.Operation
	i := slices.IndexFunc(g.Recent, func(s record.Summary) bool { return s.ID == l.Out })
	if i < 0 {
		return nil
	}
	switch s := g.Recent[i]; {
	case s.Result == record.Cancelled:
		l.State = LegStayed
		early(d, Refused, l.Group+": nobody approved the move in time")
	case g.Drill != d.ID:
		left(d, l, g)
	case s.Result == record.Proven, s.Result == record.AppliedOK:
		l.State, l.To = LegHolding, s.To
	default:
		l.State = LegHolding // half of it may be away
		early(d, Failed, "the move of "+l.Group+" ended "+string(s.Result))
	}
	return nil
}

// refusedLeg handles a refusal: the bound on operations at once is waited for while
// other legs move, any other guard ends the drill.
func refusedLeg(d *Document, in Input, l *Leg, codes string) []events.Order {
	if codes == string(policy.BlastRadius) && len(d.Legs) > 1 && in.Now.Add(in.Spec.hold(d.Run)).Before(d.Deadline) && d.Early == "" {
		l.Tries++
		return []events.Order{Order(in.Spec, d.Run, *l, d.Deadline)}
	}
	l.State, l.Said = LegStayed, codes
	if len(d.Legs) == 1 {
		early(d, Refused, codes)
	} else {
		early(d, Refused, l.Group+" was refused: "+codes)
	}
	return nil
}

// left notes why a group is no longer in the drill.
func left(d *Document, l *Leg, g record.Group) {
	l.State, l.Back = LegHome, wayBack(*d, *l, g)
	if g.DrillEnd == nil || g.DrillEnd.ID != d.ID {
		early(d, Overtaken, "real trouble came in "+l.Group+" before traffic had moved")
		return
	}
	switch g.DrillEnd.How {
	case record.DrillOvertaken:
		early(d, Overtaken, "real trouble came in "+l.Group+": "+g.DrillEnd.Why)
	case record.DrillFailed:
		l.State = LegStayed
		early(d, Failed, "the move of "+l.Group+" failed; its traffic never left home")
	case record.DrillUndone:
		early(d, Failed, g.DrillEnd.Why)
	case record.DrillHome:
		switch end := g.DrillEnd; {
		case !end.At.Before(d.Deadline):
			early(d, Failed, "the calendar was away; the engine took "+l.Group+" home at the deadline")
		case d.Phase == Returning:
		case end.Why != "" && !strings.HasPrefix(end.Why, "ordered"):
			early(d, Aborted, "the lever of "+l.Group+" was put back at once: "+end.Why)
		default:
			early(d, Stopped, l.Group+" was taken home by another order")
		}
	}
}

// wayBack returns the operation that took a group home, be it ours or the engine's.
func wayBack(d Document, l Leg, g record.Group) string {
	for _, s := range g.Recent {
		if (s.Kind == policy.KindFailback || s.Kind == policy.KindRestore) && s.Ended.After(d.ArmedAt) && l.Back == "" {
			return s.ID
		}
	}
	return l.Back
}

// early notes how the drill will end; what was noted first stays.
func early(d *Document, r Result, why string) {
	if d.Early == "" {
		d.Early, d.Why = r, why
	}
}

// home orders every leg home that is away.
func home(d Document, in Input, orders []events.Order) (Document, []events.Order, *Ended) {
	if d.Phase != Returning {
		d.Phase, d.ReturnAt, d.Probes = Returning, in.Now, probesNow(d, in)
		if d.During == nil {
			d.During = now(d, in)
		}
		text := "the way home is ordered"
		if d.Why != "" {
			text += ": " + d.Why
		}
		note(&d, in, "return", text)
	}
	for i := range d.Legs {
		l := &d.Legs[i]
		if l.State == LegHolding {
			l.State, l.Backs = LegReturning, l.Backs+1
			orders = append(orders, homeward(d, *l))
		}
	}
	return d, orders, nil
}

// returning waits until a leg is home, and orders again when an order was refused.
func returning(d *Document, in Input, l *Leg, g record.Group) []events.Order {
	use := g.Keys[homeKey(d.Run, *l)]
	if g.Drill != d.ID {
		if l.Backs == 0 && l.Out == "" && g.Keys[outKey(d.Run, *l)].Answer == "" && in.Now.Before(d.Deadline.Add(retryHome)) {
			return nil // the order to move was given and not answered: it may still move
		}
		if use.Operation != "" {
			l.Back = use.Operation
		}
		if g.DrillEnd != nil && g.DrillEnd.ID == d.ID && (g.DrillEnd.How != record.DrillHome || l.Back == "") {
			left(d, l, g)
			return nil
		}
		l.State, l.Back = LegHome, wayBack(*d, *l, g)
		if l.Out == "" && l.Backs == 0 {
			l.State = LegStayed
		}
		return nil
	}
	if l.Out == "" {
		l.Out = g.Keys[outKey(d.Run, *l)].Operation
	}
	switch {
	case l.Backs == 0:
		l.Backs = 1
		return []events.Order{homeward(*d, *l)}
	case use.Answer == "":
		return []events.Order{homeward(*d, *l)}
	case strings.HasPrefix(use.Answer, refusedWord) && !in.Now.Before(d.ReturnAt.Add(time.Duration(l.Backs)*retryHome)):
		if said := strings.TrimPrefix(use.Answer, refusedWord+": "); said != l.Said {
			l.Said = said
			note(d, in, "return", "the way home of "+l.Group+" was refused ("+said+"); it is ordered again every minute")
		}
		l.Backs++
		return []events.Order{homeward(*d, *l)}
	case use.Operation != "":
		l.Back = use.Operation
	}
	return nil
}

// trouble says why a run goes home early, if it does: a stop, a pause, the kill
// switch, or a bad sign about what carries the traffic now.
func trouble(d Document, in Input) (Result, string) {
	if k := in.Status.Killed; k.Holds(in.Now) {
		return Stopped, "the kill switch was set by " + k.By + "; traffic goes home when it is lifted"
	}
	for _, l := range d.Legs {
		g := in.Groups[l.Group]
		if g.Pause.Holds(in.Now) {
			return Stopped, l.Group + " was paused by " + g.Pause.By
		}
		if l.State != LegHolding {
			continue
		}
		for _, name := range l.To {
			b, known := belief(in, l.Group, name)
			if known && unfit(b) && !(in.Spec.Kind == Link && b.State == health.Degraded) { // one link of two is what is rehearsed
				return Aborted, name + " carries the traffic and is " + string(b.State)
			}
			if b.Maintenance != nil && !b.Maintenance.Start.After(in.Now) && !b.Maintenance.Cancelled {
				return Aborted, name + " carries the traffic and its maintenance has begun"
			}
		}
	}
	for _, l := range d.Legs {
		if text, seen := seenSign(in, in.Spec.Abort, l.Group); seen && l.State == LegHolding {
			return Aborted, text
		}
	}
	return "", ""
}

// end waits for the weights at rest, then judges. A group that real trouble took over
// is not waited for.
func end(d Document, in Input, orders []events.Order) (Document, []events.Order, *Ended) {
	moved := slices.ContainsFunc(d.Legs, func(l Leg) bool { return l.State == LegHome })
	if !moved || d.Early == Overtaken {
		d.After = now(d, in)
		return finish(d, in, firstOf(d.Early, Refused), d.Why, codesOf(d.Legs)...)
	}
	if d.ReturnAt.IsZero() {
		d.Phase, d.ReturnAt = Returning, in.Now
		note(&d, in, "return", "traffic is home: "+d.Why)
	}
	if d.HomeAt.IsZero() {
		d.HomeAt = in.Now
	}
	if (!rested(d, in) || !loaded(d, in)) && in.Now.Before(d.HomeAt.Add(in.Spec.Limit)) {
		return d, orders, nil // home; the weights at rest are still to be written back
	}
	return judge(d, in)
}

// loaded reports whether the operations that the legs name were read with this beat.
func loaded(d Document, in Input) bool {
	for _, l := range d.Legs {
		if (l.Out != "" && in.Ops[l.Out] == nil) || (l.Back != "" && in.Ops[l.Back] == nil) {
			return false
		}
	}
	return true
}

func codesOf(legs []Leg) []string {
	var out []string
	for _, l := range legs {
		if l.Said != "" {
			out = append(out, strings.Split(l.Said, ", ")...)
		}
	}
	return out
}

func count(legs []Leg) map[LegState]int {
	out := map[LegState]int{}
	for _, l := range legs {
		out[l.State]++
	}
	return out
}

func targets(legs []Leg) []string {
	var out []string
	for _, l := range legs {
		for _, name := range l.To {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func firstOf(r ...Result) Result {
	for _, one := range r {
		if one != "" {
			return one
		}
	}
	return Failed
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
