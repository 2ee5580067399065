package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
)

// cut returns the lever by which a circuit is cut off. A link that is cut leaves its
// circuit in use.
func (h History) cut(circuit string) (Cut, bool) {
	for _, c := range h.Cuts {
		if c.Lever != LeverLink && slices.Contains(c.Circuits, circuit) {
			return c, true
		}
	}
	return Cut{}, false
}

// cutLink reports whether one link of a circuit is cut by our own lever: that it is
// degraded is our doing.
func (h History) cutLink(circuit string) bool {
	return slices.ContainsFunc(h.Cuts, func(c Cut) bool { return c.Lever == LeverLink && slices.Contains(c.Circuits, circuit) })
}

// held holds while a lever of the group is pulled or being put back.
func held(in Input, _ *Verdict) ([]Finding, bool) {
	var out []Finding
	for _, c := range in.History.Cuts {
		f := Finding{Code: LeverHeld, Circuit: first(c.Circuits), Until: c.Until,
			Text: fmt.Sprintf("lever %s is pulled on %s; it is put back at %s at the latest", c.Lever, strings.Join(c.Circuits, ", "), clock(c.Until))}
		if !slices.Contains(out, f) { // one for all gateways
			out = append(out, f)
		}
	}
	return out, len(out) > 0
}

// backSoon is how long trouble waits for a healthy circuit that is being put back.
const backSoon = time.Minute

// returning holds a move while a healthy circuit that a lever cut off is being put
// back: when it is, traffic is home without a move. It holds for a minute at most.
func returning(in Input, _ *Verdict) ([]Finding, bool) {
	for _, c := range in.History.Cuts {
		end := c.Due.Add(backSoon)
		for _, name := range c.Circuits {
			if !c.Due.IsZero() && in.Now.Before(end) && c.Lever != LeverLink && in.View.Circuits[name].State == health.Healthy {
				return one(LeverHeld, name, name+" is healthy and is being put back; that is waited for, for a minute at most", end)
			}
		}
	}
	return nil, false
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// inert reports whether the last move's weights moved nothing, the circuit that was
// left is bad still, and a lever of the group is left to pull.
func inert(in Input) bool {
	i := in.History.Inert
	if i == nil || len(in.History.Cuts) > 0 || !slices.Equal(in.History.Active, i.To) || nextLever(in) == "" {
		return false
	}
	return len(stillBad(in)) > 0
}

// stillBad returns the circuits that keep the traffic and are down, by evidence newer
// than the last time a lever on them was put back: what spoke while they were cut off
// may have spoken of the cut.
func stillBad(in Input) []string {
	var out []string
	for _, c := range in.History.Inert.From {
		b := in.View.Circuits[c]
		if b.State == health.Down && slices.ContainsFunc(b.Bad, func(e health.Evidence) bool { return e.At.After(in.History.Inert.Since) }) {
			out = append(out, c)
		}
	}
	return out
}

// nextLever returns the first lever of the group, in its order, that cuts and was
// not tried.
func nextLever(in Input) Lever {
	for _, l := range in.Rule.Levers {
		if l.Cuts() && l != LeverLink && !slices.Contains(in.History.Inert.Tried, l) {
			return l
		}
	}
	return ""
}

// judgeLadder is the automation's answer to weights that moved nothing: the next
// lever. It is the same incident, so no cool-down holds it.
func judgeLadder(in Input, v Verdict) Verdict {
	v.Kind = KindFailover
	for _, g := range []guard{killed, paused, observing, blind, running, drilling, intents, drift, lastFailed} {
		if f, holds := g(in, &v); holds {
			v.Reasons = append(v.Reasons, f...)
		}
	}
	return judgeLever(in, v, nextLever(in), stillBad(in)[0])
}

// leverTarget returns the circuit that an order's lever cuts: the one that it names,
// or the first that carries.
func leverTarget(in Input) string {
	if in.Order.From != "" {
		return in.Order.From
	}
	return first(in.History.Active)
}

// judgeLever answers whether a lever may be pulled on a circuit: the guards of a
// move, that the lever fits, and that every circuit that would carry then is proven
// able to.
func judgeLever(in Input, v Verdict, lever Lever, circuit string) Verdict {
	v.Lever = lever
	if in.Group.Rank(circuit) < 0 {
		v.Reasons = []Finding{{Code: NoPath, Circuit: circuit, Text: fmt.Sprintf("%q is not a circuit of this group", circuit)}}
		return v
	}
	if in.Order != nil {
		v.Link = in.Order.Link
		for _, g := range orderGuards(v.Kind) {
			if f, holds := g(in, &v); holds {
				v.Reasons = append(v.Reasons, f...)
			}
		}
	}
	if v.Kind == KindFailover {
		if f, holds := held(in, &v); holds {
			v.Reasons = append(v.Reasons, f...)
		}
		if !slices.Contains(in.Rule.Levers, lever) {
			v.Reasons = append(v.Reasons, Finding{Code: LeverOff, Text: "the group's levers do not name " + string(lever)})
		}
	}
	v.From = cutBy(in, lever, circuit)
	v.Reasons = append(v.Reasons, unfit(in, v)...)
	if lever == LeverLink {
		v.To = v.From
		v.Reasons = append(v.Reasons, oneLink(in, circuit)...)
	} else {
		v.To = slices.Clone(in.History.Heirs[lever][circuit])
		v.Reasons = append(v.Reasons, heirs(in, &v)...)
	}
	if f, holds := lastPath(in, v); holds {
		v.Reasons = append(v.Reasons, f)
	}
	if f, holds := blastRadius(in); holds {
		v.Reasons = append(v.Reasons, f)
	}
	v = override(in, v)
	if len(v.Reasons) > 0 {
		return v
	}
	v.Action, v.Reasons = Move, because(in, v)
	return v
}

// cutBy returns the circuits of the group that a lever on one of them cuts off, that
// one first: a gateway leaves a peering location with all its circuits.
func cutBy(in Input, lever Lever, circuit string) []string {
	out := []string{circuit}
	c, ok := in.Estate.Circuit(circuit)
	if !ok || lever != LeverDisconnect {
		return out
	}
	for _, name := range in.Group.Circuits() {
		if d, ok := in.Estate.Circuit(name); ok && name != circuit && c.Location != "" && strings.EqualFold(c.Location, d.Location) {
			out = append(out, name)
		}
	}
	return out
}

// unfit says why a lever cannot be pulled here, by what Azure asks for and by what it
// would cut besides.
func unfit(in Input, v Verdict) []Finding {
	var out []Finding
	no := func(format string, args ...any) {
		out = append(out, Finding{Code: LeverUnfit, Circuit: v.From[0], Text: fmt.Sprintf(format, args...)})
	}
	c, _ := in.Estate.Circuit(v.From[0])
	if v.Lever == LeverDisconnect {
		if c.Location == "" {
			no("the peering location of %s is not known", c.Name)
			return out
		}
		for _, gw := range in.Group.Gateways {
			unfitGateway(in, v, gw, c.Location, no)
		}
	}
	if w := in.View.Circuits[c.Name].Maintenance; w != nil && v.Lever != LeverPeering && in.Now.Before(orEver(w.End)) && !in.Now.Before(w.Start) {
		no("%s is in maintenance: Azure refuses a failover test then", c.Name)
	}
	return out
}

// unfitGateway looks at one gateway's connections: a site failover test needs a second
// location, and cuts every circuit of the first one, ours or not.
func unfitGateway(in Input, v Verdict, gw, location string, no func(string, ...any)) {
	name, second, touched := gw[strings.LastIndexByte(gw, '/')+1:], false, false
	for _, k := range in.Estate.Connections {
		if k.Gateway != gw {
			continue
		}
		c, known := in.Estate.Circuit(in.Estate.CircuitOf(k.Circuit))
		switch {
		case !known || c.Location == "":
			no("gateway %s has a connection to a circuit whose peering location is not known", name)
		case !strings.EqualFold(c.Location, location):
			second = true
		case !slices.Contains(v.From, c.Name):
			no("gateway %s would leave %s too, which is not of this group", name, c.Name)
		default:
			touched = true
		}
	}
	if touched && !second {
		no("gateway %s has one peering location: Azure needs a second one for a site failover test", name)
	}
}

// oneLink asks whether a circuit can carry on its other link alone: both are proven.
func oneLink(in Input, circuit string) []Finding {
	b := in.View.Circuits[circuit]
	if b.State != health.Healthy {
		return []Finding{{Code: LeverUnfit, Circuit: circuit, Text: circuit + " is " + string(b.State) + ", not healthy on both links"}}
	}
	if text := unproven(in, circuit, b); text != "" {
		return []Finding{{Code: CandidateUnproven, Circuit: circuit, Text: text}}
	}
	return nil
}

// heirs looks at every circuit that would carry after the cut, as at a candidate.
func heirs(in Input, v *Verdict) []Finding {
	if len(v.To) == 0 {
		return []Finding{{Code: LastPath, Circuit: v.From[0], Text: "without " + strings.Join(v.From, ", ") + " a gateway has no circuit left"}}
	}
	var out []Finding
	for _, name := range v.To {
		c := Candidate{Circuit: name, Rank: in.Group.Rank(name), Against: against(in, v.From, name)}
		c.Chosen = len(c.Against) == 0
		v.Candidates = append(v.Candidates, c)
		out = append(out, c.Against...)
		if slices.ContainsFunc(c.Against, func(f Finding) bool { return f.Code == CandidateUnproven }) {
			v.Reads = append(v.Reads, name)
		}
	}
	return out
}

// PutBack says why a pulled lever must be put back before its deadline, or "". A
// drill ends at the first doubt about a circuit that carries meanwhile; a lever that
// was pulled in trouble stays until none of them carries any more.
func PutBack(c Cut, drill bool, survivors []string, view health.View, now time.Time) string {
	dead := len(survivors) > 0
	for _, name := range survivors {
		b := view.Circuits[name]
		if c.Lever == LeverLink && b.State == health.Degraded {
			dead = false
			continue // one link of two: our doing
		}
		switch b.State {
		case health.Down:
			if drill {
				return name + " is down, and it carries"
			}
		case health.Suspect, health.Degraded:
			dead = false
			if drill {
				return name + " is " + string(b.State) + ", and it carries"
			}
		case health.Unknown, health.Healthy, health.Recovering, "":
			dead = false
		}
	}
	switch {
	case !now.Before(c.Until):
		return "its deadline has passed"
	case dead:
		return "no circuit that carries is left"
	}
	return ""
}
