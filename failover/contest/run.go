package contest

import (
	"slices"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
)

// Result is what a contest found.
type Result struct {
	Seed      uint64
	Years     int
	Incidents map[Kind]int
	Scores    []Score // in the order of the table
}

// rivals returns fresh policies, in the order of the table.
func rivals() []rival {
	return []rival{
		nothing{},
		&script{},
		&timed{},
		&gated{},
		newOurs("erfailover", "mode and failback automatic, all else as by default: two observers, or one and a read; no canary probes", false, nil),
		newOurs("erfailover, one observer", "with canary probes, and health.observers: 1", true, func(h *health.Rule, _ *policy.Rule) { h.Observers = 1 }),
		newOurs("erfailover, one, loss moves", "the same, and health.degraded: move", true, func(h *health.Rule, _ *policy.Rule) {
			h.Observers, h.Degraded = 1, health.DegradeMove
		}),
	}
}

// Policy is one row of the table.
type Policy struct{ Name, About string }

// Policies returns the policies, in the order of the table.
func Policies() []Policy {
	var out []Policy
	for _, r := range rivals() {
		out = append(out, Policy{r.name(), r.about()})
	}
	return out
}

// Run plays so many years. only limits it to some policies; none means all.
func Run(p Params, seed uint64, years int, only ...string) Result {
	out := Result{Seed: seed, Years: years, Incidents: map[Kind]int{}}
	for y := range years {
		one := Year(p, seed, y, only...)
		out = out.Add(one)
	}
	return out
}

// Year plays one year of a seed: each year has schedules of its own.
func Year(p Params, seed uint64, number int, only ...string) Result {
	out := Result{Seed: seed, Years: 1, Incidents: map[Kind]int{}}
	bits := roll(seed, uint64(number))
	w := newWorld(p, bits, drawIncidents(p, bits))
	for _, i := range w.incidents {
		out.Incidents[i.Kind]++
	}
	for _, r := range rivals() {
		if len(only) == 0 || slices.Contains(only, r.name()) {
			out.Scores = append(out.Scores, play(w, r))
		}
	}
	return out
}

// play lets one policy live through a year.
func play(w *world, r rival) Score {
	l := &lane{world: w, rival: r}
	l.score = score{Score: Score{Name: r.name()}, spell: -1}
	l.run()
	l.score.Writes = l.score.writes
	return l.score.Score
}

// Add puts two results together.
func (r Result) Add(o Result) Result {
	for k, n := range o.Incidents { // order-free: a sum
		r.Incidents[k] += n
	}
	if len(r.Scores) == 0 {
		r.Scores = o.Scores
		return r
	}
	for i := range r.Scores {
		r.Scores[i] = r.Scores[i].add(o.Scores[i])
	}
	return r
}

// False returns how many failovers were wrong or needless.
func (s Score) False() int { return s.Wrong + s.Needless }

// quantile returns the q-th quantile, and false when there is nothing to take it of.
func quantile(list []time.Duration, q float64) (time.Duration, bool) {
	if len(list) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)], true
}
