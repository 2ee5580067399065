package proof

import (
	"fmt"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/policy"
)

// story is a calm world with one outage: the home circuit dies, the group moves,
// home comes back, the group returns and settles.
func story(w *world) {
	w.swarm.rates = map[string]float64{}
	w.swarm.instances, w.swarm.gateways, w.swarm.circuits, w.swarm.homes, w.swarm.vwan = 2, 2, 3, 1, false
	w.swarm.orders, w.swarm.foreign, w.swarm.skewMax, w.swarm.groups = 0, 0, 0, 1
	w.swarm.levers = false
	w.swarm.mode, w.swarm.manual, w.swarm.drift, w.swarm.lame = policy.Automatic, false, policy.DriftAsk, false
	w.swarm.perHour = 60
	w.swarm.flip = 1000 * time.Hour
	w.swarm.rule.HoldDown, w.swarm.rule.HoldUp = 5*time.Second, 15*time.Second
	w.swarm.standby, w.swarm.settle, w.swarm.coolDown = 10*time.Second, 10*time.Second, 20*time.Second
	w.swarm.pace.Landing = 90 * time.Second
	w.swarm.every, w.swarm.beat = 20*time.Second, 10*time.Second
	w.swarm.chaos, w.swarm.quiet, w.swarm.rest = 5*time.Minute, 8*time.Minute, time.Minute
}

// tale is a story that is told again and again with other deaths in it.
type tale struct {
	name   string
	world  func(*world) // before anything is laid out
	happen func(*world) // what happens in it
}

// tales lists the stories of the sweep: an outage of home; the way home to a tier of two
// circuits; a drill by disconnection that nobody ends, so that its deadline must; an
// outage that a person must agree to leave; two groups over the same circuits.
func tales() []tale {
	outage := func(w *world) {
		w.truth.force(w.judge.group.Home()[0], origin.Add(70*time.Second), origin.Add(150*time.Second), dead)
	}
	return []tale{
		{"outage", story, outage},
		{"tier", func(w *world) { story(w); w.swarm.circuits, w.swarm.homes = 4, 2 }, outage},
		{"drill", func(w *world) { story(w); w.swarm.levers = true }, func(w *world) {
			w.at(origin.Add(70*time.Second), func() {
				w.order1(1, events.Order{Verb: events.OrderDrill, Group: "east", Lever: events.LeverDisconnect, Until: w.now.Add(2 * time.Minute)})
			})
		}},
		{"approval", func(w *world) { story(w); w.swarm.mode, w.swarm.approvers = policy.Approve, 2 }, func(w *world) {
			outage(w)
			for n := range 9 {
				w.at(origin.Add(time.Duration(90+20*n)*time.Second), func() { w.order1(n+1, events.Order{Verb: events.OrderApprove, Group: "east"}) })
			}
		}},
		{"two groups", func(w *world) { story(w); w.swarm.groups = 2 }, outage},
	}
}

// tell plays a story with planned deaths.
func (s tale) tell(deaths ...death) *world {
	w := newRun(77, s.world)
	w.kill = deaths
	s.happen(w)
	return w.play()
}

// sweepDeaths kills the process at work at every stride-th effect of a story, before it
// and after it, and then at pairs of effects: so many by chance, or every stride-th with
// every stride-th after it when there are fewer of these. It returns how many effects
// the story has, how many times it was told, and what was found.
func (s tale) sweepDeaths(stride, pairs int) (points, runs int, found []finding) {
	calm := s.tell()
	found = append(found, calm.judge.found...)
	var plans [][]death
	from, to := calm.points/12, calm.points
	for n := from; n < to; n += stride {
		plans = append(plans, []death{{n, false}}, []death{{n, true}})
	}
	if each := (to - from) / stride; each*each/2 <= pairs {
		for a := from; a < to; a += stride {
			for b := a + 1; b < to; b += stride {
				plans = append(plans, []death{{a, a%2 == 0}, {b, b%2 == 0}})
			}
		}
		pairs = 0
	}
	for k := range pairs {
		a := from + int(calm.draw("pairs", k, "a")%uint64(to-from))
		b := a + 1 + int(calm.draw("pairs", k, "b")%200)
		plans = append(plans, []death{{a, k%2 == 0}, {b, k%3 == 0}})
	}
	sweepPlans(s, plans, func(w *world) {
		for _, f := range w.judge.found {
			f.text = fmt.Sprintf("%s, deaths %v: %s", s.name, w.kill, f.text)
			found = append(found, f)
		}
	})
	return calm.points, len(plans), found
}

// TestCrashSweep kills at a few effects; make proof kills at all of them.
func TestCrashSweep(t *testing.T) {
	for _, s := range tales() {
		points, runs, found := s.sweepDeaths(900, 1)
		for _, f := range found {
			t.Errorf("%s", f)
		}
		t.Logf("%s: %d effects, %d stories", s.name, points, runs)
	}
}
