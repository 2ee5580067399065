package planner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// drawLab draws an estate at rest: up to 4 gateways of both kinds, 2 to 4 circuits,
// missing connections, equal weights and weights that do not prefer home.
func drawLab(t *rapid.T) *lab {
	names := []string{"ashburn", "chicago", "dallas", "elgin"}[:rapid.IntRange(2, 4).Draw(t, "circuits")]
	var b strings.Builder
	b.WriteString("gateway " + strings.Join(names, " ") + "\n")
	for i := range rapid.IntRange(1, 4).Draw(t, "gateways") {
		fmt.Fprintf(&b, "%s%d", rapid.SampledFrom([]string{"gw", "vwan"}).Draw(t, "kind"), i)
		for range names {
			if rapid.IntRange(0, 5).Draw(t, "missing") == 0 {
				b.WriteString(" -")
				continue
			}
			fmt.Fprintf(&b, " %d", rapid.SampledFrom([]int{0, 1, 2, 10, 50, 100, 100, 200, 1000}).Draw(t, "weight"))
		}
		b.WriteString("\n")
	}
	l, err := newLab(b.String(), rapid.IntRange(1, 2).Draw(t, "home"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) input(kind policy.Kind, to ...string) Input {
	from := slices.DeleteFunc(Carrying(l.est, l.group, l.actual), func(c string) bool { return slices.Contains(to, c) })
	return Input{Estate: l.est, Group: l.group, Actual: l.actual, Baseline: l.baseline, Open: l.open,
		Verdict: policy.Verdict{Kind: kind, From: from, To: to}, Epoch: NextEpoch(l.recorded, l.est, l.group, l.baseline, l.actual)}
}

// tops returns what each gateway prefers.
func (l *lab) tops(weights map[string]Weight) map[string][]string {
	out := map[string][]string{}
	for _, gw := range l.group.Gateways {
		out[gw] = Preferred(l.est, l.group, gw, weights)
	}
	return out
}

// TestRaisesKeepTheirPromises runs random decisions one after the other: raise
// only, one write a gateway, nothing but the target ever preferred, no tie, and
// every older write harmless whenever it lands.
func TestRaisesKeepTheirPromises(t *testing.T) {
	for range 10 { // a plan is cheap, and lost writes meet seldom
		rapid.Check(t, raises)
	}
}

// FuzzRaises searches for a history that breaks a promise.
func FuzzRaises(f *testing.F) {
	f.Add([]byte("away and home again"))
	f.Fuzz(rapid.MakeFuzz(raises))
}

func raises(t *rapid.T) {
	l := drawLab(t)
	var sent []Step // everything ever decided
	for range rapid.IntRange(1, 5).Draw(t, "decisions") {
		target := rapid.SampledFrom(l.group.Circuits()).Draw(t, "target")
		in := l.input(policy.KindSwitchover, target)
		before := l.tops(l.actual)
		p, err := Make(in)
		if err != nil {
			checkStranded(t, l, in, target, err)
			continue
		}
		checkRaise(t, l, p, before, target)
		landed := after(l.actual, p.Steps...)
		checkStale(t, l, landed, sent, p)
		// Some gateways' writes are lost or come late.
		for _, s := range p.Steps {
			if rapid.IntRange(0, 3).Draw(t, "lost") > 0 {
				l.actual = after(l.actual, s)
				continue
			}
			l.open[s.Connection] = max(l.open[s.Connection], s.To.Weight)
		}
		l.recorded = p.Epoch
		sent = append(sent, p.Steps...)
	}
}

// checkStranded: a raise on drawn estates is refused for one reason only.
func checkStranded(t *rapid.T, l *lab, in Input, target string, err error) {
	for _, gw := range l.group.Gateways {
		_, ok := l.est.Connection(gw, target)
		if !ok && touches(Preferred(l.est, l.group, gw, l.actual), in.Verdict.From) && strings.Contains(err.Error(), short(gw)) {
			return
		}
	}
	t.Fatalf("refused without a reason: %v", err)
}

func checkRaise(t *rapid.T, l *lab, p Plan, before map[string][]string, target string) {
	seen := map[string]bool{}
	for _, s := range p.Steps {
		switch {
		case seen[s.Gateway]:
			t.Fatalf("two writes on %s", s.Gateway)
		case s.Circuit != target:
			t.Fatalf("a write to %s, the target is %s", s.Circuit, target)
		case s.To.Weight <= s.From.Weight || s.To.Weight > topology.MaxWeight:
			t.Fatalf("not a raise: %d to %d", s.From.Weight, s.To.Weight)
		case s.From != l.actual[s.Connection]:
			t.Fatalf("from %v, it has %v", s.From, l.actual[s.Connection])
		}
		seen[s.Gateway] = true
	}
	// Any prefix of any order: each gateway has what it had, or the target.
	steps := rapid.Permutation(p.Steps).Draw(t, "order")
	now := l.actual
	for i := range len(steps) + 1 {
		for gw, top := range l.tops(now) {
			if !slices.Equal(top, before[gw]) && !slices.Equal(top, []string{target}) {
				t.Fatalf("after %d writes %s prefers %v: neither %v nor the target %s", i, gw, top, before[gw], target)
			}
		}
		if i < len(steps) {
			now = after(now, steps[i])
		}
	}
	for gw, top := range l.tops(now) {
		if _, ok := l.est.Connection(gw, target); ok && !slices.Equal(top, []string{target}) {
			t.Fatalf("at the end %s prefers %v, want only %s", gw, top, target)
		}
	}
}

// checkStale lets each older write land on the finished decision. On a connection
// that the newer decision wrote too it may harm: that is what open intents are for.
func checkStale(t *rapid.T, l *lab, landed map[string]Weight, sent []Step, p Plan) {
	want := l.tops(landed)
	target := p.To[0]
	for _, s := range sent {
		if s.Circuit == target {
			continue
		}
		if got := l.tops(after(landed, s)); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Fatalf("the older write %s to %v landed on epoch %d: %v became %v", s.Connection, s.To, p.Epoch, want, got)
		}
	}
	if got := l.tops(after(landed, slices.DeleteFunc(slices.Clone(sent), func(s Step) bool { return s.Circuit == target })...)); !maps.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Fatalf("all older writes landed on epoch %d: %v became %v", p.Epoch, want, got)
	}
}

// TestSettleBringsRestBack settles after random decisions that end at home.
func TestSettleBringsRestBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLab(t)
		home := l.group.Home()
		for gw, top := range l.tops(l.baseline) {
			if len(top) > 0 && !slices.Equal(top, connected(l, gw, home)) {
				return // the weights at rest do not prefer home
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "decisions") {
			l.move(rapid.SampledFrom(l.group.Circuits()).Draw(t, "target"))
		}
		kind := policy.KindFailback
		if len(home) == 1 {
			l.move(home[0])
			kind = policy.KindSettle
		}
		p, err := Make(l.input(kind, home...))
		if err != nil {
			t.Fatal(err)
		}
		start := l.tops(l.actual)
		for wave := range 2 {
			var now []Step
			for _, s := range p.Steps {
				if s.Wave == wave {
					now = append(now, s)
				}
			}
			for _, s := range rapid.Permutation(now).Draw(t, "order") {
				l.actual = after(l.actual, s)
				for gw, top := range l.tops(l.actual) {
					if !within(top, home) && !slices.Equal(top, start[gw]) {
						t.Fatalf("in wave %d %s prefers %v", wave, gw, top)
					}
				}
			}
		}
		if !maps.Equal(l.actual, l.baseline) {
			t.Fatalf("not at rest: %v, want %v", l.actual, l.baseline)
		}
		if again, err := Make(l.input(kind, home...)); err != nil || len(again.Steps) != 0 {
			t.Fatalf("settled twice: %v %v", again.Steps, err)
		}
	})
}

// move carries a whole raise out, if it is allowed.
func (l *lab) move(target string) {
	if p, err := Make(l.input(policy.KindSwitchover, target)); err == nil {
		l.actual, l.recorded = after(l.actual, p.Steps...), p.Epoch
	}
}

func connected(l *lab, gw string, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, ok := l.est.Connection(gw, n); return !ok })
}

func within(top, names []string) bool {
	return !slices.ContainsFunc(top, func(c string) bool { return !slices.Contains(names, c) })
}

// TestUndoRestores takes plans back, wave by wave.
func TestUndoRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLab(t)
		l.move(rapid.SampledFrom(l.group.Circuits()).Draw(t, "first"))
		in := l.input(policy.KindSwitchover, rapid.SampledFrom(l.group.Circuits()).Draw(t, "second"))
		if rapid.Bool().Draw(t, "settle") {
			in = l.input(policy.KindSettle, l.group.Home()...)
		}
		p, err := Make(in)
		if err != nil {
			return
		}
		before := l.actual
		done := after(before, p.Steps...)
		back := Undo(p)
		if got := after(done, back...); !maps.Equal(got, before) {
			t.Fatalf("undone: %v, want %v", got, before)
		}
		for i, s := range back {
			forward := p.Steps[len(p.Steps)-1-i]
			if s.From != forward.To || s.To != forward.From || s.Connection != forward.Connection {
				t.Fatalf("step %d is %v, not %v reversed", i, s, forward)
			}
			if i > 0 && s.Wave < back[i-1].Wave {
				t.Fatalf("waves run backward: %v", back)
			}
		}
	})
}

// TestNextEpochRisesAboveEverything looks at arbitrary weights and tags.
func TestNextEpochRisesAboveEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLab(t)
		recorded := rapid.Int64Range(0, 50).Draw(t, "recorded")
		floor := recorded
		for _, c := range l.est.ConnectionsOf(l.group) {
			if rapid.Bool().Draw(t, "kept") {
				continue
			}
			epoch := rapid.Int64Range(1, 60).Draw(t, "epoch")
			raised := Weight{Weight: Base(l.est, l.group, c.Gateway, l.baseline, l.baseline) + int32(epoch), Epoch: strconv.FormatInt(epoch, 10)}
			if untagged(l.est, c) {
				raised.Epoch = ""
			}
			l.actual[c.ID] = raised
			floor = max(floor, epoch)
		}
		if got := NextEpoch(recorded, l.est, l.group, l.baseline, l.actual); got != floor+1 {
			t.Fatalf("next epoch %d, want %d", got, floor+1)
		}
	})
}

// TestSameInputSamePlan makes the same plan from maps that were filled in another
// order, and another plan from anything else.
func TestSameInputSamePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLab(t)
		in := l.input(policy.KindSwitchover, rapid.SampledFrom(l.group.Circuits()).Draw(t, "target"))
		p, err := Make(in)
		if err != nil {
			return
		}
		again := in
		again.Actual, again.Baseline = map[string]Weight{}, map[string]Weight{}
		for _, id := range rapid.Permutation(slices.Sorted(maps.Keys(in.Actual))).Draw(t, "order") {
			again.Actual[id], again.Baseline[id] = in.Actual[id], in.Baseline[id]
		}
		q, err := Make(again)
		if err != nil || q.ID != p.ID || !slices.EqualFunc(q.Steps, p.Steps, Step.Same) {
			t.Fatalf("%v %v, then %v %v", p.ID, p.Steps, q.ID, q.Steps)
		}
		for name, change := range map[string]func(*Input){
			"epoch":  func(i *Input) { i.Epoch++ },
			"kind":   func(i *Input) { i.Verdict.Kind = policy.KindEvacuate },
			"from":   func(i *Input) { i.Verdict.From = append(slices.Clone(i.Verdict.From), "zurich") },
			"group":  func(i *Input) { i.Group.Name = "west" },
			"weight": func(i *Input) { i.Actual = raisedBy(i.Actual, p.Steps) },
		} {
			other := in
			change(&other)
			q, err := Make(other)
			if err == nil && q.ID == p.ID && (name != "weight" || len(p.Steps) > 0) {
				t.Fatalf("another %s has the same ID %s", name, p.ID)
			}
		}
	})
}

// raisedBy returns weights in which what the steps start from is one higher.
func raisedBy(weights map[string]Weight, steps []Step) map[string]Weight {
	out := maps.Clone(weights)
	for _, s := range steps {
		w := out[s.Connection]
		w.Weight++
		out[s.Connection] = w
	}
	return out
}
