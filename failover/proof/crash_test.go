package proof

import (
	"testing"
	"time"

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

// tell plays the story with planned deaths.
func tell(deaths ...death) *world {
	w := newRun(77, story)
	w.kill = deaths
	w.truth.force("ashburn", origin.Add(70*time.Second), origin.Add(150*time.Second), dead)
	return w.play()
}

// sweepDeaths kills the process at work at every stride-th effect of the story,
// before it and after it, and then at pairs of effects. It returns how many stories
// were played and what was found.
func sweepDeaths(stride, pairs int) (points, runs int, found []finding) {
	calm := tell()
	found = append(found, calm.judge.found...)
	var plans [][]death
	from, to := calm.points/12, calm.points
	for n := from; n < to; n += stride {
		plans = append(plans, []death{{n, false}}, []death{{n, true}})
	}
	for k := range pairs {
		a := from + int(calm.draw("pairs", k, "a")%uint64(to-from))
		b := a + 1 + int(calm.draw("pairs", k, "b")%200)
		plans = append(plans, []death{{a, k%2 == 0}, {b, k%3 == 0}})
	}
	sweepPlans(plans, func(w *world) { found = append(found, w.judge.found...) })
	return calm.points, len(plans), found
}

// TestCrashSweep kills at a few effects; make proof kills at all of them.
func TestCrashSweep(t *testing.T) {
	points, runs, found := sweepDeaths(400, 4)
	for _, f := range found {
		t.Errorf("%s", f)
	}
	t.Logf("%d effects, %d stories", points, runs)
}
