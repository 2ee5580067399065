package proof

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	first    = flag.Uint64("first", 1, "first seed")
	seeds    = flag.Uint64("seeds", 0, "how many seeds; 0 runs the small bound")
	planText = flag.String("plan", "", "with -seed: only these faults, separated by commas")
	forced   = flag.String("force", "", "put this kind of fault into every seed")
	oneSeed  = flag.Uint64("seed", 0, "run this seed alone and print its trace")
)

// TestSeed runs one seed and prints what happened. Without -seed it runs one twice:
// the traces are equal.
func TestSeed(t *testing.T) {
	if *oneSeed == 0 {
		if a, b := newRun(3, nil).play(), newRun(3, nil).play(); a.trace.hash != b.trace.hash || a.points != b.points {
			t.Errorf("the same seed gave traces %x and %x, %d and %d effects", a.trace.hash, b.trace.hash, a.points, b.points)
		}
		return
	}
	w := newRun(*oneSeed, func(w *world) { w.infect(named()); force(w) })
	w.trace.keep = true
	w.play()
	w.write(t)
	t.Logf("%s", strings.Join(w.trace.text, "\n"))
	t.Logf("points %d, hash %x, faults %v", w.points, w.trace.hash, w.kinds)
	for _, f := range w.judge.found {
		t.Errorf("%s", f)
	}
}

// sweepSeeds runs seeds on both cores and hands over each finished world.
func sweepSeeds(from, n uint64, tweak func(*world), done func(*world) (more bool)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next, stopped := from, false
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				s := next
				next++
				end := stopped || s >= from+n
				mu.Unlock()
				if end {
					return
				}
				w := newRun(s, tweak).play()
				mu.Lock()
				stopped = stopped || !done(w)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestExplore runs many seeds.
func TestExplore(t *testing.T) {
	n := *seeds
	if n == 0 {
		n = 6
	}
	begin := time.Now()
	byOracle := map[string][]string{}
	decisions, points := 0, 0
	checks := map[string]int{}
	sweepSeeds(*first, n, force, func(w *world) bool {
		decisions += w.judge.decisions()
		points += w.points
		for k, v := range w.judge.checks {
			checks[k] += v
		}
		said := map[string]bool{}
		for _, f := range w.judge.found {
			if !said[f.oracle] {
				said[f.oracle] = true
				byOracle[f.oracle] = append(byOracle[f.oracle], fmt.Sprintf("seed %d: %s", w.seed, f))
			}
		}
		return true
	})
	for _, id := range sortedKeys(byOracle) {
		list := byOracle[id]
		t.Errorf("%s: %d seeds\n  %s", id, len(list), strings.Join(list[:min(len(list), 6)], "\n  "))
	}
	t.Logf("%d seeds, %d decisions, %d effects, %.1f seeds/s, checks %v", n, decisions, points, float64(n)/time.Since(begin).Seconds(), checks)
}

// force puts the fault that -force names into a world.
func force(w *world) { w.force(*forced) }

func (w *world) force(what string) {
	if what == "two-groups" {
		w.swarm.groups = 2
	}
	for _, c := range corners() {
		if c.name == what {
			c.world(w)
		}
	}
	for _, most := range []map[string]float64{kinds(), rare(), added()} {
		if rate, known := most[what]; known {
			w.swarm.rates[what] = rate
		}
	}
}

// TestMutants puts each fault in and looks for a seed on which an oracle finds it.
// Without -seeds it does so for those that are found at once.
func TestMutants(t *testing.T) {
	from, most := *first, *seeds
	for _, m := range mutants() {
		if *mutantName != "" && !strings.Contains(m.name, *mutantName) {
			continue
		}
		if *seeds == 0 {
			if from, most = 50000, 2; !m.quick {
				continue
			}
		}
		n, by := kill(m, from, most)
		if n == 0 {
			t.Errorf("mutant %q: not found in %d seeds", m.name, most)
			continue
		}
		t.Logf("mutant %q: found by %s in seed %d of %d", m.name, by, n, most)
	}
}

// infect puts a mutant in.
func (w *world) infect(m mutant) {
	if w.mutant = m; m.world != nil {
		m.world(w)
	}
}

// kill returns how many seeds it took to find a mutant, and by which oracle; 0 when
// it was not found.
func kill(m mutant, from, most uint64) (taken uint64, by string) {
	sweepSeeds(from, most, func(w *world) { w.infect(m) }, func(w *world) bool {
		if len(w.judge.found) > 0 && (taken == 0 || w.seed-from+1 < taken) {
			taken, by = w.seed-from+1, strings.Join(w.judge.finders(), " ")
		}
		return taken == 0
	})
	return taken, by
}

// finders returns the oracles that have found something, the first one first.
func (o *oracles) finders() []string {
	var out []string
	for _, f := range o.found {
		if !slices.Contains(out, f.oracle) {
			out = append(out, f.oracle)
		}
	}
	return out
}

var mutantName = flag.String("mutant", "", "with -seed: put that mutant in")

// named returns the mutant that -mutant names.
func named() mutant { return called(*mutantName) }

func called(name string) mutant {
	for _, m := range append(mutants(), harmless()...) {
		if name != "" && strings.Contains(m.name, name) {
			return m
		}
	}
	return mutant{}
}
