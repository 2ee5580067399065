package proof

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	first   = flag.Uint64("first", 1, "first seed")
	seeds   = flag.Uint64("seeds", 0, "how many seeds; 0 runs the small bound")
	oneSeed = flag.Uint64("seed", 0, "run this seed alone and print its trace")
)

// TestSeed runs one seed and prints what happened.
func TestSeed(t *testing.T) {
	if *oneSeed == 0 {
		return
	}
	w := newRun(*oneSeed, nil)
	w.trace.keep = true
	w.play()
	t.Logf("%s", strings.Join(w.trace.text, "\n"))
	t.Logf("points %d, hash %x, faults %v", w.points, w.trace.hash, w.kinds)
	for _, f := range w.judge.found {
		t.Errorf("%s", f)
	}
}

// TestExplore runs many seeds.
func TestExplore(t *testing.T) {
	n := *seeds
	if n == 0 {
		n = 20
	}
	begin := time.Now()
	byOracle := map[string][]string{}
	decisions, points := 0, 0
	for s := *first; s < *first+n; s++ {
		w := newRun(s, nil).play()
		decisions += len(w.judge.decided)
		points += w.points
		said := map[string]bool{}
		for _, f := range w.judge.found {
			if !said[f.oracle] {
				said[f.oracle] = true
				byOracle[f.oracle] = append(byOracle[f.oracle], fmt.Sprintf("seed %d: %s", s, f))
			}
		}
	}
	for _, id := range sortedKeys(byOracle) {
		list := byOracle[id]
		t.Errorf("%s: %d seeds\n  %s", id, len(list), strings.Join(list[:min(len(list), 6)], "\n  "))
	}
	t.Logf("%d seeds, %d decisions, %d effects, %.1f seeds/s", n, decisions, points, float64(n)/time.Since(begin).Seconds())
}
