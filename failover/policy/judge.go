package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
)

// Judge answers what to do for one group. It changes nothing and reads nothing
// but its input, so the same input always gives the same verdict.
//
// An order is judged like trouble is, with fewer guards: a person who says that a
// circuit is bad is not asked to wait for the hold-down. What an order overrides
// by name is listed in the verdict.
func Judge(in Input) Verdict {
	v := Verdict{Action: Hold, Group: in.Group.Name}
	switch {
	case in.Order != nil:
		return judgeOrder(in, v)
	case len(troubled(in)) > 0:
		return judgeTrouble(in, v)
	case inert(in):
		return judgeLadder(in, v)
	case !atHome(in):
		return judgeReturn(in, v)
	case in.History.Unsettled:
		return judgeSettle(in, v)
	}
	v.Reasons = quietReasons(in)
	return v
}

// troubled returns the active circuits that are not simply well: suspect or down,
// or degraded in a group that moves for that.
func troubled(in Input) []string {
	var out []string
	for _, name := range in.History.Active {
		b, ok := in.View.Circuits[name]
		if !ok {
			continue
		}
		switch b.State {
		case health.Suspect, health.Down:
			out = append(out, name)
		case health.Degraded:
			if in.Health.Degraded == health.DegradeMove && !in.History.cutLink(name) {
				out = append(out, name)
			}
		case health.Unknown, health.Healthy, health.Recovering:
		}
	}
	return out
}

// atHome reports whether exactly the home tier carries traffic.
func atHome(in Input) bool {
	home, active := slices.Sorted(slices.Values(in.Group.Home())), slices.Sorted(slices.Values(in.History.Active))
	return slices.Equal(home, active)
}

// quietReasons says why nothing is to be done when nothing is wrong.
func quietReasons(in Input) []Finding {
	if in.View.Blind {
		return []Finding{{Code: Blind, Text: "no circuit of the group has fresh evidence; nothing is decided until one has"}}
	}
	var out []Finding
	for _, name := range in.Group.Circuits() {
		b := in.View.Circuits[name]
		switch {
		case b.Explained && b.Maintenance != nil:
			out = append(out, Finding{Code: InMaintenance, Circuit: name, Text: name + " is in maintenance; what is reported bad is explained by it", Until: b.Maintenance.End})
		case b.Explained:
			out = append(out, Finding{Code: UserInitiated, Circuit: name, Text: "what is reported bad on " + name + " was caused by the customer"})
		case b.State == health.Degraded && slices.Contains(in.History.Active, name):
			out = append(out, lame(name, b))
		}
	}
	text := "every active circuit carries traffic"
	if slices.ContainsFunc(in.History.Active, func(c string) bool { return unknown(in, c) }) {
		text = "nothing says that an active circuit is bad, and of one nothing fresh is known"
	}
	return append(out, Finding{Code: Well, Text: text})
}

func unknown(in Input, name string) bool {
	s := in.View.Circuits[name].State
	return s == health.Unknown || s == ""
}

// lame says in which way a circuit that still carries traffic is bad.
func lame(name string, b health.Belief) Finding {
	if b.Links[0] == health.Down || b.Links[1] == health.Down {
		return Finding{Code: OneLink, Circuit: name, Text: name + " carries traffic on one link of two"}
	}
	return Finding{Code: Lossy, Circuit: name, Text: name + " carries traffic and loses packets"}
}

// judgeTrouble is the automation's answer to a bad active circuit.
func judgeTrouble(in Input, v Verdict) Verdict {
	v.Kind, v.From = KindFailover, troubled(in)
	v.Undo = isUndo(in)
	for _, g := range guards() {
		if f, held := g(in, &v); held {
			v.Reasons = append(v.Reasons, f...)
		}
	}
	return conclude(in, v)
}

// isUndo reports whether moving now would take back a move that made it worse:
// within its cool-down its target is down. It is allowed once.
func isUndo(in Input) bool {
	h := in.History
	if h.LastMove.IsZero() || h.Undone || !in.Now.Before(h.LastMove.Add(in.Rule.CoolDown)) {
		return false
	}
	return slices.ContainsFunc(h.Active, func(c string) bool { return in.View.Circuits[c].State == health.Down })
}

// conclude picks the candidate and turns an unheld verdict into a move.
func conclude(in Input, v Verdict) Verdict {
	v.Candidates = Candidates(in, v.From)
	i := slices.IndexFunc(v.Candidates, func(c Candidate) bool { return c.Chosen })
	if i >= 0 {
		v.To = []string{v.Candidates[i].Circuit}
		v.Reasons = append(v.Reasons, v.Candidates[i].Against...) // what the order overrides, to be listed as such
	} else {
		v.Reasons = append(v.Reasons, noCandidate(v.Candidates)...)
		for _, c := range v.Candidates {
			if slices.ContainsFunc(c.Against, func(f Finding) bool { return f.Code == CandidateUnproven }) {
				v.Reads = append(v.Reads, c.Circuit)
			}
		}
	}
	v.Reasons = append(v.Reasons, lateGuards(in, v)...)
	v = override(in, v)
	if len(v.Reasons) > 0 {
		return v
	}
	v.Action, v.Reasons = Move, because(in, v)
	return v
}

// because says why a move is made.
func because(in Input, v Verdict) []Finding {
	var out []Finding
	if in.Order != nil {
		text := "ordered by " + in.Order.By
		if in.Order.Reason != "" {
			text += ": " + in.Order.Reason
		}
		out = append(out, Finding{Code: Ordered, Text: text})
	}
	if v.Lever.Cuts() && in.Order == nil {
		out = append(out, Finding{Code: WeightInert, Text: "the weights are in place and the traffic still leaves over " + strings.Join(in.History.Inert.From, ", ")})
	}
	if v.Undo {
		out = append(out, Finding{Code: Undo, Text: "the last move made it worse; it is taken back once"})
	}
	for _, name := range v.From {
		b := in.View.Circuits[name]
		switch b.State {
		case health.Down, health.Suspect:
			out = append(out, Finding{Code: CircuitDown, Circuit: name, Text: name + " is " + string(b.State) + ": " + witnesses(b)})
		case health.Degraded:
			out = append(out, Finding{Code: CircuitLame, Circuit: name, Text: name + " is degraded: " + witnesses(b)})
		case health.Unknown, health.Healthy, health.Recovering:
		}
	}
	return append(out, takenAnyway(in, v)...)
}

// takenAnyway says what stands against the target of the automation's move, and is
// accepted.
func takenAnyway(in Input, v Verdict) []Finding {
	if in.Order != nil {
		return nil
	}
	var out []Finding
	for _, c := range v.Candidates {
		if !c.Chosen {
			continue
		}
		for _, f := range c.Against {
			f.Text += "; taken all the same, as acceptWhenDown says: what is left is down"
			out = append(out, f)
		}
	}
	return out
}

// witnesses lists who speaks against a circuit.
func witnesses(b health.Belief) string {
	var who []string
	for _, e := range b.Bad {
		if s := string(e.Observer); !slices.Contains(who, s) {
			who = append(who, s)
		}
	}
	if len(who) == 0 {
		return "no observer named"
	}
	return strings.Join(who, ", ") + fmt.Sprintf(" (%d of %d needed)", b.Observers, b.Needed)
}

// noCandidate explains an empty choice: the code first, then what stood against
// each circuit, best first.
func noCandidate(cs []Candidate) []Finding {
	out := []Finding{{Code: NoCandidate, Text: "no circuit of the group can take the traffic"}}
	for _, c := range cs {
		out = append(out, c.Against...)
	}
	return out
}

// override takes out of the reasons the guards that the order names, and those that
// the rule accepts now.
func override(in Input, v Verdict) Verdict {
	accepted := accepts(in, v.From)
	var left []Finding
	for _, f := range v.Reasons {
		allowed := slices.Contains(accepted, f.Code) && slices.Contains(Acceptable(), f.Code) && len(v.To) > 0
		if o := in.Order; o != nil {
			allowed = Overridable(f.Code) && slices.Contains(o.Overrides, string(f.Code)) && (f.Code != LastPath || o.Break)
		}
		if !allowed {
			left = append(left, f)
			continue
		}
		if !slices.Contains(v.Overridden, f.Code) {
			v.Overridden = append(v.Overridden, f.Code)
		}
	}
	v.Reasons = left
	return v
}

// until returns the later of two instants.
func until(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// judgeOrder answers a person's order to move.
func judgeOrder(in Input, v Verdict) Verdict {
	o := in.Order
	v.By, v.MakeHome = o.By, o.MakeHome
	switch o.Verb {
	case events.OrderFailover:
		v.Kind = KindFailover
	case events.OrderSwitchover:
		v.Kind = KindSwitchover
	case events.OrderEvacuate:
		v.Kind = KindEvacuate
	case events.OrderDrill:
		v.Kind = KindDrill
	case events.OrderFailback:
		return judgeReturn(in, v)
	case events.OrderPause, events.OrderResume, events.OrderAcknowledge, events.OrderApprove, events.OrderCancel, events.OrderKill, events.OrderUnkill:
		v.Reasons = []Finding{{Code: Ordered, Text: "the order " + string(o.Verb) + " moves no traffic"}}
		return v
	}
	if o.Lever.Cuts() {
		return judgeLever(in, v, o.Lever, leverTarget(in))
	}
	v.From = leaving(in)
	if len(v.From) == 0 || (o.To != "" && slices.Equal(in.History.Active, []string{o.To})) {
		v.Reasons = []Finding{{Code: AlreadyThere, Text: "the group's traffic is already where the order wants it"}}
		return v
	}
	for _, g := range orderGuards(v.Kind) {
		if f, held := g(in, &v); held {
			v.Reasons = append(v.Reasons, f...)
		}
	}
	return conclude(in, v)
}

// leaving returns the active circuits that an order moves away from.
func leaving(in Input) []string {
	if !evacuates(in.Order) {
		return slices.DeleteFunc(slices.Clone(in.History.Active), func(c string) bool { return c == in.Order.To })
	}
	var out []string
	for _, name := range in.History.Active {
		if evacuated(in, name) {
			out = append(out, name)
		}
	}
	return out
}

// evacuates reports whether an order leaves a place: an evacuation, or the drill of
// one.
func evacuates(o *events.Order) bool {
	return o != nil && (o.Verb == events.OrderEvacuate || (o.Verb == events.OrderDrill && o.From != "" && !o.Lever.Cuts()))
}

// evacuated reports whether an evacuation order covers that circuit.
func evacuated(in Input, name string) bool {
	if !evacuates(in.Order) {
		return false
	}
	c, ok := in.Estate.Circuit(name)
	return ok && (strings.EqualFold(c.Location, in.Order.From) || strings.EqualFold(c.Provider, in.Order.From))
}
