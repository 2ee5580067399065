package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
)

// freshForReturn is how many observers must speak for home before traffic returns.
const freshForReturn = 2

// judgeReturn answers whether traffic may go home: least time on the standby,
// uninterrupted health, two fresh observers, damping below reuse; then the window,
// the mode and the blast radius. An order skips the waiting and the window.
func judgeReturn(in Input, v Verdict) Verdict {
	v.Kind, v.From, v.To = KindFailback, slices.Clone(in.History.Active), slices.Clone(in.Group.Home())
	if atHome(in) {
		v.Reasons = []Finding{{Code: AlreadyThere, Text: "home carries the traffic"}}
		return v
	}
	if in.Order != nil && in.Order.To != "" && !slices.Contains(in.Group.Home(), in.Order.To) {
		v.Reasons = []Finding{{Code: NoPath, Circuit: in.Order.To, Text: in.Order.To + " is not home; order a switchover to it"}}
		return v
	}
	table := []guard{killed, paused, observing, blind, running, drilling, intents, drift, held, lastFailed}
	if in.Order != nil {
		table = append(orderGuards(KindFailover), held)
	}
	if len(v.To) > 1 {
		table = append(table, lowering) // a tier is returned to by settling
	}
	for _, g := range table {
		if f, held := g(in, &v); held {
			v.Reasons = append(v.Reasons, f...)
		}
	}
	v.Reasons = append(v.Reasons, homeGates(in, &v)...)
	v = override(in, v)
	if !v.Has(HoldUp) { // a home that is not healthy is said once; overriding that is not overriding these
		v.Reasons = append(v.Reasons, lateGuards(in, v)...)
		v = override(in, v)
	}
	if len(v.Reasons) > 0 {
		if in.Order == nil {
			v.Reasons = append(v.Reasons, Finding{Code: OnStandby, Text: "traffic is on " + strings.Join(in.History.Active, ", ")})
		}
		return v
	}
	v.Action = Return
	if in.Order != nil {
		v.Reasons = because(in, v)
	} else {
		v.Reasons = []Finding{{Code: HomeHealthy, Text: strings.Join(v.To, ", ") + " passed every gate of the way home"}}
	}
	return v
}

// Witnesses returns how many fresh observers must speak for home before traffic goes
// there.
func Witnesses(r health.Rule) int { return min(freshForReturn, r.Observers) }

// homeGates asks the gates of the way home.
func homeGates(in Input, v *Verdict) []Finding {
	var out []Finding
	byOrder := in.Order != nil || in.History.DrillOver
	if !byOrder && in.Rule.Failback.Mode == FailbackManual {
		out = append(out, Finding{Code: FailbackManually, Text: "this group returns by order only"})
	}
	if !byOrder && !in.History.BaseHome {
		out = append(out, Finding{Code: BaselineNotHome, Text: "the weights at rest do not prefer home; order a switchover with make-home, or change them"})
	}
	if end := in.History.ActiveSince.Add(in.Rule.Failback.After); !byOrder && in.Now.Before(end) {
		out = append(out, Finding{Code: StandbyTime, Until: end, Text: fmt.Sprintf("on the standby since %s, at least %s", clock(in.History.ActiveSince), in.Rule.Failback.After)})
	}
	needed := Witnesses(in.Health)
	if in.History.DrillOver { // it was left on purpose, and well: a silent observer must not keep a drill away past its deadline
		needed = min(needed, 1)
	}
	for _, name := range in.Group.Home() {
		b := in.View.Circuits[name]
		if b.State != health.Healthy {
			out = append(out, Finding{Code: HoldUp, Circuit: name, Until: b.HoldUntil, Text: name + " is " + string(b.State) + ", not healthy for the hold-up"})
			v.Reads = append(v.Reads, name)
			continue
		}
		if end := b.GoodSince.Add(in.Health.HoldUp); !byOrder && !b.GoodSince.IsZero() && in.Now.Before(end) {
			out = append(out, Finding{Code: HoldUp, Circuit: name, Until: end, Text: fmt.Sprintf("%s has been good without a break since %s, not yet for %s", name, clock(b.GoodSince), in.Health.HoldUp)})
		}
		if end := b.LastBad.Add(in.Health.HoldUp); !byOrder && in.Now.Before(end) { // news that came late, or with better news, broke no spell
			out = append(out, Finding{Code: HoldUp, Circuit: name, Until: end, Text: fmt.Sprintf("%s was said to be down at %s, less than %s ago", name, clock(b.LastBad), in.Health.HoldUp)})
		}
		if text := unproven(in, name, b); text != "" {
			out = append(out, Finding{Code: CandidateUnproven, Circuit: name, Text: text})
			v.Reads = append(v.Reads, name)
		}
		if n := goodObservers(b); n < needed {
			out = append(out, Finding{Code: ObserversStale, Circuit: name, Text: fmt.Sprintf("%d fresh observers speak for %s, %d are needed", n, name, needed)})
			v.Reads = append(v.Reads, name)
		}
		if b.Damped {
			out = append(out, dampedFinding(name, b))
		}
		if w := b.Maintenance; w != nil && in.Now.Before(orEver(w.End)) && !in.Now.Before(w.Start.Add(-nearMaintenance)) {
			out = append(out, Finding{Code: CandidateMaintenance, Circuit: name, Until: w.End, Text: name + " is in or near maintenance"})
		}
		if text := crowded(in, v.From, name); text != "" {
			out = append(out, Finding{Code: Headroom, Circuit: name, Text: text})
		}
	}
	if !byOrder {
		if ok, next := InWindows(in.Rule.Failback.Windows, in.Now); !ok {
			out = append(out, Finding{Code: OutsideWindow, Until: next, Text: "outside the hours in which this group returns"})
		}
	}
	return out
}

// goodObservers counts independent observers with fresh good evidence.
func goodObservers(b health.Belief) int {
	var who []string
	for _, e := range b.Good {
		if s := string(e.Observer); !slices.Contains(who, s) {
			who = append(who, s)
		}
	}
	return len(who)
}

// judgeSettle answers whether the weights at rest may be written back now.
func judgeSettle(in Input, v Verdict) Verdict {
	v.Kind, v.To = KindSettle, slices.Clone(in.Group.Home())
	for _, g := range []guard{killed, paused, observing, blind, running, drilling, intents, lowering, drift, held, lastFailed} {
		if f, held := g(in, &v); held {
			v.Reasons = append(v.Reasons, f...)
		}
	}
	if in.History.NoBaseline {
		v.Reasons = append(v.Reasons, Finding{Code: BaselineUnknown, Text: "the weights at rest of this group were never captured; set them by hand and accept the drift"})
	}
	if !in.History.BaseHome && !in.History.NoBaseline { // settling would move traffic
		v.Reasons = append(v.Reasons, Finding{Code: BaselineNotHome, Text: "the weights at rest do not prefer home: writing them back would move traffic; change them"})
	}
	for _, name := range in.Group.Home() {
		if b := in.View.Circuits[name]; b.State != health.Healthy {
			v.Reasons = append(v.Reasons, Finding{Code: SettleWaits, Circuit: name, Text: name + " is " + string(b.State)})
		}
	}
	if in.History.QuietSince.IsZero() {
		v.Reasons = append(v.Reasons, Finding{Code: SettleWaits, Text: "not quiet for long enough to write the weights at rest back"})
	} else if end := in.History.QuietSince.Add(in.Rule.SettleAfter); in.Now.Before(end) {
		v.Reasons = append(v.Reasons, Finding{Code: SettleWaits, Until: end, Text: "quiet since " + clock(in.History.QuietSince) + ", at least " + in.Rule.SettleAfter.String()})
	}
	if len(v.Reasons) > 0 {
		return v
	}
	v.Action = Return
	v.Reasons = []Finding{{Code: SettleDue, Text: "quiet at home; the weights at rest are written back"}}
	return v
}

// Wake returns the earliest instant at which time alone may change a held
// verdict, or zero.
func (v Verdict) Wake() time.Time {
	var first time.Time
	for _, f := range v.Reasons {
		if !f.Until.IsZero() && (first.IsZero() || f.Until.Before(first)) {
			first = f.Until
		}
	}
	return first
}
