package policy

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/events"
	"erfailover/failover/health"
)

var states = []health.State{health.Unknown, health.Healthy, health.Degraded, health.Suspect, health.Down, health.Recovering}

// drawInput draws beliefs, a history, a rule and sometimes an order. Guards are
// mostly quiet, so that many verdicts move.
func drawInput(t *rapid.T) Input {
	in := calm()
	rare := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
	ago := func(label string) time.Time {
		return now.Add(-time.Duration(rapid.IntRange(0, 7200).Draw(t, label)) * time.Second)
	}
	for name := range slices.Values([]string{"ashburn", "chicago", "dallas"}) {
		b := believed(name, rapid.SampledFrom(append(states, health.Healthy, health.Down)).Draw(t, name))
		b.Observers = rapid.IntRange(0, 3).Draw(t, "observers")
		b.HoldUntil = now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "hold")) * time.Second)
		if !b.Proven.IsZero() {
			b.Proven = now.Add(-time.Duration(rapid.IntRange(0, 240).Draw(t, "proven")) * time.Second)
		}
		b.Explained, b.Damped, b.Rebutted, b.Hearsay = rare("explained"), rare("damped"), rare("rebutted"), rare("hearsay")
		if rare("read awaited") {
			b.ReadUntil = now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "read until")) * time.Second)
		}
		if rare("maintenance") {
			b.Maintenance = &events.Window{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}
		}
		in.View.Circuits[name] = b
	}
	if in.View.Blind = rare("blind"); in.View.Blind {
		for name := range in.View.Circuits {
			in.View.Circuits[name] = believed(name, health.Unknown)
		}
	}
	in.Health.Degraded = rapid.SampledFrom([]health.Degrade{health.DegradeAlert, health.DegradeMove}).Draw(t, "degraded")
	in.Rule.Mode = rapid.SampledFrom([]Mode{Automatic, Automatic, Approve, Observe}).Draw(t, "mode")
	if rapid.Bool().Draw(t, "tier") {
		in.Group.Tiers = [][]string{{"ashburn", "chicago"}, {"dallas"}}
	}
	h := &in.History
	h.Active = rapid.SampledFrom([][]string{{"ashburn"}, {"chicago"}, {"dallas"}, {"ashburn", "chicago"}, {"chicago", "dallas"}}).Draw(t, "active")
	h.ActiveSince = ago("since")
	if rapid.Bool().Draw(t, "moved") {
		h.LastMove = ago("last move")
	}
	if rare("acked") {
		h.Acked = ago("acknowledged")
	}
	if rare("failed") {
		h.FailedAt = ago("failure")
	}
	if rare("killed") {
		h.Killed = &Pause{By: "ana", At: now}
	}
	if rare("paused") {
		h.Paused = &Pause{By: "ana", At: now}
	}
	if rare("running") {
		h.Running, h.RunningTo = "op-1", []string{"chicago"}
	}
	if rare("old intents") {
		h.OldIntents = 1
	}
	if rare("drift") {
		h.Drift = []string{"/gw1-dallas"}
	}
	h.Undone, h.Unsettled, h.BaseHome, h.NoBaseline = rapid.Bool().Draw(t, "undone"), rapid.Bool().Draw(t, "unsettled"), !rare("base"), rare("no baseline")
	h.AtOnce, h.LastHour, h.QuietSince = rapid.IntRange(0, 2).Draw(t, "at once"), rapid.IntRange(0, 6).Draw(t, "last hour"), ago("quiet")
	if rapid.IntRange(0, 2).Draw(t, "ordered") == 0 {
		in.Order = drawOrder(t)
	}
	return in
}

func drawOrder(t *rapid.T) *events.Order {
	return &events.Order{By: "ana",
		Verb:      rapid.SampledFrom([]events.Verb{events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderEvacuate, events.OrderDrill, events.OrderPause}).Draw(t, "verb"),
		To:        rapid.SampledFrom([]string{"", "", "ashburn", "chicago", "dallas", "denver"}).Draw(t, "to"),
		From:      rapid.SampledFrom([]string{"Chicago", "Equinix"}).Draw(t, "from"),
		Overrides: rapid.SliceOfN(rapid.SampledFrom(codes()), 0, 4).Draw(t, "overrides"),
		Break:     rapid.Bool().Draw(t, "break"),
	}
}

func codes() []string {
	var out []string
	for _, r := range Reasons() {
		out = append(out, string(r))
	}
	return out
}

// clone copies an input deeply enough to see it changed.
func clone(in Input) Input {
	out := in
	out.View.Circuits = map[string]health.Belief{}
	for k, b := range in.View.Circuits {
		b.Bad, b.Good = slices.Clone(b.Bad), slices.Clone(b.Good)
		out.View.Circuits[k] = b
	}
	out.History.Active, out.History.RunningTo, out.History.Drift = slices.Clone(in.History.Active), slices.Clone(in.History.RunningTo), slices.Clone(in.History.Drift)
	est := *in.Estate
	est.Circuits, est.Connections = slices.Clone(est.Circuits), slices.Clone(est.Connections)
	out.Estate = &est
	out.Group.Tiers = slices.Clone(in.Group.Tiers)
	for i := range out.Group.Tiers {
		out.Group.Tiers[i] = slices.Clone(in.Group.Tiers[i])
	}
	if in.Order != nil {
		o := *in.Order
		o.Overrides = slices.Clone(o.Overrides)
		out.Order = &o
	}
	return out
}

// TestJudgeKeepsItsPromises draws inputs and checks every promise of the package.
func TestJudgeKeepsItsPromises(t *testing.T) {
	for range 20 { // a verdict is cheap, and promises meet seldom
		rapid.Check(t, promises)
	}
}

// FuzzJudge searches for an input that breaks a promise.
func FuzzJudge(f *testing.F) {
	f.Add([]byte("a circuit goes down while another one is damped"))
	f.Fuzz(rapid.MakeFuzz(promises))
}

func promises(t *rapid.T) {
	in := drawInput(t)
	before := clone(in)
	v := Judge(in)
	if !reflect.DeepEqual(in, before) {
		t.Fatalf("the input was changed: %+v, was %+v", in, before)
	}
	if again := Judge(clone(in)); !reflect.DeepEqual(again, v) {
		t.Fatalf("%+v, then %+v", v, again)
	}
	checkReasons(t, in, v)
	if v.Action == Hold {
		return
	}
	checkStops(t, in, v)
	if v.Action == Move {
		checkMove(t, in, v)
	}
}

func overrides(in Input, r Reason) bool {
	return in.Order != nil && Overridable(r) && slices.Contains(in.Order.Overrides, string(r))
}

func checkReasons(t *rapid.T, in Input, v Verdict) {
	if len(v.Reasons) == 0 {
		t.Fatalf("%s without a reason", v.Action)
	}
	for _, f := range v.Reasons {
		if !slices.Contains(Reasons(), f.Code) || f.Text == "" {
			t.Fatalf("reason %+v", f)
		}
	}
	for _, r := range v.Overridden {
		if !overrides(in, r) {
			t.Fatalf("%s was overridden by nobody", r)
		}
	}
	if in.Order == nil && len(v.Overridden) > 0 {
		t.Fatalf("the automation overrode %v", v.Overridden)
	}
}

// checkStops: what no verdict that writes may ignore.
func checkStops(t *rapid.T, in Input, v Verdict) {
	h := in.History
	auto := in.Order == nil
	switch {
	case h.Killed != nil:
		t.Fatal("a write while killed")
	case auto && h.Paused != nil:
		t.Fatal("an automatic write while paused")
	case auto && in.View.Blind:
		t.Fatal("an automatic write while blind")
	case in.Rule.Mode == Observe && !overrides(in, ObserveOnly):
		t.Fatal("a write in observe mode")
	case h.OldIntents > 0:
		t.Fatal("a new decision while an older write is open")
	case len(h.Drift) > 0 && !overrides(in, Drifted):
		t.Fatal("a write over somebody else's")
	case h.AtOnce >= 2 && v.Kind != KindSettle && !overrides(in, BlastRadius), h.LastHour >= 6 && v.Kind != KindSettle && !overrides(in, BlastRadius):
		t.Fatal("beyond the blast radius")
	}
	for _, to := range v.To {
		if in.View.Circuits[to].State != health.Down {
			continue
		}
		for _, from := range v.From {
			if s := in.View.Circuits[from].State; (s == health.Healthy || s == health.Degraded || s == health.Recovering) && (!overrides(in, LastPath) || !in.Order.Break) {
				t.Fatalf("from %s (%s) to %s, which is down, without break-glass", from, s, to)
			}
		}
	}
	if v.Action == Return && auto {
		for _, to := range v.To {
			if b := in.View.Circuits[to]; b.State != health.Healthy || (v.Kind != KindSettle && !in.History.DrillOver && goodObservers(b) < 2) {
				t.Fatalf("home to %s: %s by %d observers", to, b.State, goodObservers(b))
			}
		}
	}
}

func checkMove(t *rapid.T, in Input, v Verdict) {
	if len(v.To) != 1 || slices.Contains(v.From, v.To[0]) || !slices.Contains(in.Group.Circuits(), v.To[0]) {
		t.Fatalf("a move from %v to %v", v.From, v.To)
	}
	b := in.View.Circuits[v.To[0]]
	fresh := (b.State == health.Healthy || b.State == health.Degraded) && !b.Proven.IsZero() && in.Now.Sub(b.Proven) <= in.Rule.Fresh
	if !fresh && !overrides(in, CandidateUnproven) {
		t.Fatalf("a move to %s (%s, proven %s ago) without fresh proof", b.Circuit, b.State, in.Now.Sub(b.Proven))
	}
	if !fresh && !slices.Contains(v.Overridden, CandidateUnproven) {
		t.Fatalf("%s is overridden and not listed: %v", CandidateUnproven, v.Overridden)
	}
	if in.Order != nil {
		return
	}
	h := in.History
	if rests := !h.LastMove.IsZero() && in.Now.Before(h.LastMove.Add(in.Rule.CoolDown)) && h.Acked.Before(h.LastMove); rests && (!v.Undo || h.Undone) {
		t.Fatalf("a move %s after the last one, undo %t, undone %t", in.Now.Sub(h.LastMove), v.Undo, h.Undone)
	}
	sure := func(name string) bool {
		b := in.View.Circuits[name]
		switch b.State {
		case health.Down:
			return !b.Rebutted || !b.Hearsay || b.Observers >= b.Needed
		case health.Suspect:
			return !b.HoldUntil.After(in.Now) && !b.ReadUntil.After(in.Now) && b.Observers >= b.Needed && !b.Explained
		case health.Degraded:
			return in.Health.Degraded == health.DegradeMove && !b.Explained
		case health.Unknown, health.Healthy, health.Recovering:
		}
		return false
	}
	if !slices.ContainsFunc(h.Active, sure) {
		t.Fatalf("a move from %v, and none of them is bad beyond doubt", v.From)
	}
}
