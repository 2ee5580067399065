package planner

import (
	"fmt"
	"slices"
	"testing"

	"erfailover/failover/policy"
)

// TestMakeAgreesWithExhaustiveSearch compares Make with a search over every single
// write on a gateway, for every combination of small weights at rest and now.
//
// The search knows nothing of base and epoch: it tries every connection and every
// weight up to the highest one that Make may use, and keeps the writes after which
// the target alone is preferred and nothing was lowered. Make must write nothing
// where nothing is needed, one of the writes found where there are any, and refuse
// only where its one weight is not among them.
func TestMakeAgreesWithExhaustiveSearch(t *testing.T) {
	const highest = 3
	made, idle, refused := 0, 0, 0
	for n := range 4 * 4 * 4 * 4 * 4 * 4 {
		rest, now := [3]int{n & 3, n >> 2 & 3, n >> 4 & 3}, [3]int{n >> 6 & 3, n >> 8 & 3, n >> 10 & 3}
		for epoch := 1; epoch <= highest; epoch++ {
			l, err := newLab(fmt.Sprintf("gateway ashburn chicago dallas\ngw1 %d %d %d", rest[0], rest[1], rest[2]), 1)
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range l.group.Circuits() {
				l.actual[l.conn("gw1", name)] = Weight{Weight: int32(now[i])}
			}
			in := l.input(policy.KindFailover, "dallas")
			in.Epoch = int64(epoch)
			p, err := Make(in)
			wins := search(now, 2, 2*highest)
			ours := max(rest[0], rest[1], rest[2]) + epoch
			switch {
			case err != nil:
				refused++
				if slices.Contains(wins, 0) || slices.Contains(wins, ours) {
					t.Fatalf("rest %v now %v epoch %d: refused (%v), and %v would do", rest, now, epoch, err, wins)
				}
			case len(p.Steps) == 0:
				idle++
				if !slices.Contains(wins, 0) {
					t.Fatalf("rest %v now %v epoch %d: nothing written, and dallas is not preferred", rest, now, epoch)
				}
			default:
				made++
				if slices.Contains(wins, 0) || len(p.Steps) != 1 || !slices.Contains(wins, int(p.Steps[0].To.Weight)) {
					t.Fatalf("rest %v now %v epoch %d: %v, want one of %v", rest, now, epoch, p.Steps, wins)
				}
			}
		}
	}
	if made == 0 || idle == 0 || refused == 0 {
		t.Fatalf("made %d, idle %d, refused %d: a case was never met", made, idle, refused)
	}
}

// search returns the weights of the target after which it alone is preferred; 0
// when no write is needed. It tries every connection: no raise of another one helps.
func search(now [3]int, target, highest int) []int {
	alone := func(w [3]int) bool {
		for i := range w {
			if i != target && w[i] >= w[target] {
				return false
			}
		}
		return true
	}
	if alone(now) {
		return []int{0}
	}
	var out []int
	for conn := range now {
		for w := now[conn] + 1; w <= highest; w++ {
			next := now
			next[conn] = w
			if alone(next) {
				if conn != target {
					panic("a raise of another circuit made the target preferred")
				}
				out = append(out, w)
			}
		}
	}
	return out
}

// TestWhyOldIntentsBlock is the counterexample behind open intents: a write of
// epoch 1 that lands on the very connection that epoch 3 raised undoes epoch 3.
func TestWhyOldIntentsBlock(t *testing.T) {
	l, err := newLab("gateway ashburn chicago\ngw1 200 100", 1)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Make(l.input(policy.KindFailover, "chicago"))
	if err != nil {
		t.Fatal(err)
	}
	l.actual, l.recorded = after(l.actual, Step{Connection: l.conn("gw1", "ashburn"), To: Weight{202, "2"}}), 2
	l.move("chicago")
	if top := Preferred(l.est, l.group, "/gateways/gw1", l.actual); !slices.Equal(top, []string{"chicago"}) {
		t.Fatalf("epoch 3 prefers %v", top)
	}
	late := after(l.actual, first.Steps...)
	if top := Preferred(l.est, l.group, "/gateways/gw1", late); !slices.Equal(top, []string{"ashburn"}) {
		t.Fatalf("the late write of epoch 1 left %v: open intents need not block any more", top)
	}
}

// TestOpenWriteIsOutbid: epoch 1 raised chicago on a gateway and its write was
// lost. Epoch 2 wants ashburn, which is still preferred there: without a write the
// lost one would undo the newer decision when it lands.
func TestOpenWriteIsOutbid(t *testing.T) {
	l, err := newLab("gateway ashburn chicago\ngw1 200 100", 1)
	if err != nil {
		t.Fatal(err)
	}
	lost, err := Make(l.input(policy.KindFailover, "chicago"))
	if err != nil {
		t.Fatal(err)
	}
	l.recorded = lost.Epoch
	if p, err := Make(l.input(policy.KindFailover, "ashburn")); err != nil || len(p.Steps) != 0 {
		t.Fatalf("nothing is open, nothing is needed: %v %v", p.Steps, err)
	}
	l.open[lost.Steps[0].Connection] = lost.Steps[0].To.Weight
	l.move("ashburn")
	if top := Preferred(l.est, l.group, "/gateways/gw1", after(l.actual, lost.Steps...)); !slices.Equal(top, []string{"ashburn"}) {
		t.Fatalf("the lost write landed and %v is preferred", top)
	}
	// The weights at rest were lowered meanwhile: a raise that the open write would
	// beat is refused.
	l.baseline[l.conn("gw1", "ashburn")] = Weight{Weight: 10}
	l.baseline[l.conn("gw1", "chicago")] = Weight{Weight: 5}
	l.actual = map[string]Weight{l.conn("gw1", "ashburn"): {Weight: 10}, l.conn("gw1", "chicago"): {Weight: 20}}
	in := l.input(policy.KindFailover, "ashburn")
	in.Epoch = 3
	if p, err := Make(in); err == nil {
		t.Fatalf("the raise %v is below the open write of %d", p.Steps, lost.Steps[0].To.Weight)
	}
}
