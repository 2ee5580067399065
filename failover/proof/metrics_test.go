package proof

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"erfailover/failover/policy"
	"erfailover/failover/record"
)

var (
	full    = flag.Bool("proof", false, "the bounds of make proof")
	nightly = flag.Bool("nightly", false, "the bounds of make nightly")
)

// sweepPlans tells a story once for each plan of deaths, on all cores.
func sweepPlans(s tale, plans [][]death, done func(*world)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				k := next
				next++
				mu.Unlock()
				if k >= len(plans) {
					return
				}
				w := s.tell(plans[k]...)
				mu.Lock()
				done(w)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// metric prints one line of the scoreboard and fails below its floor.
func metric(t *testing.T, name string, value, floor float64, note string) {
	verdict := "ok"
	if value < floor {
		verdict = "BELOW"
		t.Errorf("%s is %g, at least %g is wanted", name, value, floor)
	}
	fmt.Fprintf(os.Stdout, "%-26s %12.6g  floor %-8g %-6s %s\n", name, value, floor, verdict, note)
}

// atMost prints one line of the scoreboard and fails above its ceiling.
func atMost(t *testing.T, name string, value, ceiling int, note string) {
	verdict := "ok"
	if value > ceiling {
		verdict = "ABOVE"
		t.Errorf("%s is %d, at most %d is allowed: %s", name, value, ceiling, note)
	}
	fmt.Fprintf(os.Stdout, "%-26s %12d  at most %-6d %-6s %s\n", name, value, ceiling, verdict, note)
}

// TestProof runs every part with bounds that fit into make proof and prints one line
// a metric.
func TestProof(t *testing.T) {
	if !*full && !*nightly {
		return
	}
	scale, span := 1, 60*time.Second
	if *nightly {
		scale, span = 20, 40*time.Minute
	}
	tally := seedsFor(t, *first, span)
	metric(t, "seeds", float64(tally.seeds), leastSeeds, fmt.Sprintf("first %d; with no violation in n seeds the 95%% bound is 3/n", *first))
	metric(t, "seeds per second", float64(tally.seeds)/tally.took.Seconds(), 0, "")
	metric(t, "simulated hours", tally.simulated.Hours(), 40, "")
	metric(t, "decisions", float64(tally.decisions), 200, "")
	metric(t, "effects", float64(tally.points), 200000, "each a crash point")
	metric(t, "stale landings judged", float64(tally.checks["S5"]), 3, "S5: a landing older than the newest decision")
	metric(t, "states reached", float64(len(tally.states)), 60, "journal codes and reasons that were met")
	var never []string
	for _, r := range policy.Reasons() {
		if tally.states[string(r)] == 0 {
			never = append(never, string(r))
		}
	}
	fmt.Fprintf(os.Stdout, "%-26s %s\n", "never reached", strings.Join(never, " "))
	metric(t, "fault kinds", float64(len(tally.kinds)), 40, "")
	for _, k := range slices.Sorted(maps.Keys(tally.kinds)) {
		metric(t, "fault "+k, float64(tally.kinds[k]), 1, "")
	}
	for _, k := range slices.Sorted(maps.Keys(tally.checks)) {
		metric(t, "oracle "+k, float64(tally.checks[k]), 1, "checks")
	}
	atMost(t, "violations", tally.violations, 0, strings.Join(tally.said, "; "))

	for _, c := range corners() {
		out := newTally()
		sweepSeeds(cornerSeed, uint64(cornerSeeds*scale), c.world, out.add)
		atMost(t, "corner "+c.name, out.violations, 0, fmt.Sprintf("%d seeds, %d decisions %s", out.seeds, out.decisions, strings.Join(out.said, "; ")))
	}

	same := 0
	for s := range uint64(4 * scale) {
		if newRun(s+1, nil).play().trace.hash == newRun(s+1, nil).play().trace.hash {
			same++
		}
	}
	metric(t, "replays that agree", float64(same), float64(4*scale), "same seed twice, same trace hash")

	points, runs := 0, 0
	var found []finding
	for _, s := range tales() {
		stride, pairs := 21, 20
		if s.name == "outage" {
			stride, pairs = 7, 80
		}
		if *nightly {
			stride, pairs = 1, pairsNightly
		}
		p, r, f := s.sweepDeaths(stride, pairs)
		points, runs, found = points+p, runs+r, append(found, f...)
		fmt.Fprintf(os.Stdout, "story   %-12s %d effects, told %d times\n", s.name, p, r)
	}
	metric(t, "crash effects", float64(points), 500, "of the stories")
	metric(t, "crash stories", float64(runs), 400, "single deaths, before and after, and pairs")
	atMost(t, "crash violations", len(found), 0, first3(found))

	killed, taken := 0, []string{}
	for _, m := range mutants() {
		n, by := kill(m, 50000, uint64(200*scale))
		if n > 0 {
			killed++
		}
		taken = append(taken, fmt.Sprintf("%-60s %s in %d", m.name, by, n))
	}
	for _, line := range taken {
		fmt.Fprintf(os.Stdout, "mutant  %s\n", line)
	}
	metric(t, "mutants killed", float64(killed), float64(len(mutants())), fmt.Sprintf("of %d", len(mutants())))
	for _, m := range harmless() {
		n, by := kill(m, 50000, uint64(20*scale))
		atMost(t, "found: "+m.name, int(n), 0, by)
	}
	metric(t, "known failures", float64(known(t)), 0, "docs/proof.md; counted among the violations where a seed meets them")
}

// known plays the failures that are not repaired, and returns how many there are.
func known(t *testing.T) int {
	n := 0
	for _, r := range regressions(t) {
		if r.known {
			n++
			fmt.Fprintf(os.Stdout, "KNOWN   %s: oracle %s, seed %d: still found: %t\n", r.name, r.oracle, r.seed, fails(r.play(), r.oracle))
		}
	}
	return n
}

func first3(found []finding) string {
	var out []string
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.String())
	}
	return strings.Join(out, "; ")
}

// tally is what many seeds add up to.
type tally struct {
	seeds, decisions, points, violations int
	took, simulated                      time.Duration
	kinds, checks, states                map[string]int
	said                                 []string
}

func newTally() *tally {
	return &tally{kinds: map[string]int{}, checks: map[string]int{}, states: map[string]int{}}
}

// pairsNightly is how many pairs of deaths a night tries in each story.
const pairsNightly = 4000

// leastSeeds are run however long they take: a busy machine proves as much as an idle
// one, later.
const leastSeeds = 250

// Each corner has so many seeds of its own, from this one on.
const (
	cornerSeeds = 12
	cornerSeed  = 60000
)

// seedsFor runs seeds for so long, and at least leastSeeds.
func seedsFor(t *testing.T, from uint64, span time.Duration) *tally {
	out := newTally()
	begin := time.Now()
	sweepSeeds(from, 1<<40, nil, func(w *world) bool {
		out.add(w)
		return (time.Since(begin) < span || out.seeds < leastSeeds) && len(out.said) < 10
	})
	out.took = time.Since(begin)
	return out
}

// add takes a finished run in.
func (out *tally) add(w *world) bool {
	out.seeds++
	out.decisions += w.judge.decisions()
	out.points += w.points
	out.simulated += w.now.Sub(origin)
	for k, v := range w.kinds {
		out.kinds[k] += v
	}
	for k, v := range w.judge.checks {
		out.checks[k] += v
	}
	w.states(out.states)
	for _, f := range w.judge.found {
		out.violations++
		out.said = append(out.said, fmt.Sprintf("seed %d: %s", w.seed, f))
	}
	return true
}

// states counts what the journals of a run tell: codes and reasons.
func (w *world) states(into map[string]int) {
	for _, stream := range w.store.Streams() {
		for _, row := range w.store.Rows(stream) {
			e, err := record.ParseEntry(row.Body)
			if err != nil {
				continue
			}
			into[e.Code]++
			for _, r := range e.Reasons {
				into[r]++
			}
		}
	}
}
