package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// replay runs a seed with only the named faults. A nil list is every fault that the
// seed draws.
func replay(seed uint64, plan []string, m mutant) *world {
	return newRun(seed, func(w *world) {
		w.infect(m)
		force(w)
		w.only(plan)
	}).play()
}

// fails reports whether a run is found bad by that oracle.
func fails(w *world, oracle string) bool {
	return slices.ContainsFunc(w.judge.found, func(f finding) bool { return f.oracle == oracle })
}

// shrink takes faults away (ddmin) for as long as the same oracle finds the run
// bad, for at most so many runs.
func shrink(seed uint64, plan []string, oracle string, m mutant, runs int) []string {
	for n := 2; len(plan) > 0 && runs > 0; {
		size := (len(plan) + n - 1) / n
		smaller := false
		for at := 0; at < len(plan) && runs > 0; at += size {
			rest := slices.Concat(plan[:at:at], plan[min(at+size, len(plan)):])
			runs--
			if fails(replay(seed, rest, m), oracle) {
				plan, n, smaller = rest, max(n-1, 2), true
				break
			}
		}
		switch {
		case smaller:
		case size == 1:
			return plan
		default:
			n = min(2*n, len(plan))
		}
	}
	return plan
}

// reproducer is the one line that plays a failure again.
func reproducer(seed uint64, plan []string) string {
	return fmt.Sprintf("go test ./failover/proof -run TestReplay -v -seed %d -plan %q", seed, strings.Join(plan, ","))
}

// TestReplay plays one seed with the faults of -plan. Without it: a run that is played
// again with exactly the faults that it met is the same run.
func TestReplay(t *testing.T) {
	if *oneSeed == 0 || *planText == "" {
		free := replay(5, nil, mutant{})
		if again := replay(5, free.fired, mutant{}); again.trace.hash != free.trace.hash {
			t.Errorf("with its own %d faults the seed gave trace %x, not %x", len(free.fired), again.trace.hash, free.trace.hash)
		}
		return
	}
	w := newRun(*oneSeed, func(w *world) {
		w.trace.keep = true
		w.infect(named())
		force(w)
		w.allow = map[string]bool{}
		for key := range strings.SplitSeq(*planText, ",") {
			w.allow[key] = true
		}
	}).play()
	w.write(t)
	t.Logf("%s", strings.Join(w.trace.text, "\n"))
	for _, f := range w.judge.found {
		t.Errorf("%s", f)
	}
}

// TestShrink makes the failure of one seed small. Without -seed it does so for a
// mutant: fewer faults, the same oracle.
func TestShrink(t *testing.T) {
	if *oneSeed == 0 {
		m := mutant{clobber: true}
		w := replay(50001, nil, m)
		plan := shrink(50001, w.fired, "S8", m, 3)
		if len(plan) >= len(w.fired) || !fails(replay(50001, plan, m), "S8") {
			t.Errorf("%d faults, %d after shrinking; does S8 still find it: %t", len(w.fired), len(plan), fails(replay(50001, plan, m), "S8"))
		}
		return
	}
	w := replay(*oneSeed, nil, named())
	if len(w.judge.found) == 0 {
		t.Log("no oracle finds anything")
		return
	}
	id := w.judge.found[0].oracle
	plan := shrink(*oneSeed, w.fired, id, named(), 120)
	t.Logf("%s: %d faults, %d after shrinking\n%s", id, len(w.fired), len(plan), reproducer(*oneSeed, plan))
}

// regress is a failure that was found, kept for ever.
type regress struct {
	name, oracle string
	seed         uint64
	plan         []string
	known        bool   // not repaired yet: it is played, told, and not counted as passed
	added        bool   // its world has the kinds of faults that came later, too
	world        string // as -force names it
	mutant       string // with which it was found; it plays no part in what was wrong
}

// play runs the kept failure.
func (r regress) play() *world {
	return newRun(r.seed, func(w *world) {
		if !r.added {
			for k := range added() {
				delete(w.swarm.rates, k)
			}
			w.swarm.levers, w.swarm.mixed = false, false
		}
		w.force(r.world)
		w.infect(called(r.mutant))
		w.only(r.plan)
	}).play()
}

// only allows the named faults; nil allows all.
func (w *world) only(plan []string) {
	if plan == nil {
		return
	}
	w.allow = map[string]bool{}
	for _, key := range plan {
		w.allow[key] = true
	}
}

// regressions reads testdata/regress.
func regressions(t testing.TB) []regress {
	files, err := filepath.Glob("testdata/regress/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []regress
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := regress{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch key {
			case "oracle":
				r.oracle = value
			case "seed":
				if r.seed, err = strconv.ParseUint(value, 10, 64); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
			case "fault":
				r.plan = append(r.plan, value)
			case "added":
				r.added = true
			case "mutant":
				r.mutant = value
			case "world":
				r.world = value
			case "known":
				r.known = true
			}
		}
		if r.seed == 0 || r.oracle == "" {
			t.Fatalf("%s: seed and oracle are wanted", file)
		}
		out = append(out, r)
	}
	return out
}

// TestRegress plays every failure that was found before.
func TestRegress(t *testing.T) {
	for _, r := range regressions(t) {
		w := r.play()
		if r.known {
			t.Logf("KNOWN %s: oracle %s finds it: %t", r.name, r.oracle, fails(w, r.oracle))
			continue
		}
		for _, f := range w.judge.found {
			t.Errorf("%s: %s\n%s", r.name, f, reproducer(r.seed, r.plan))
		}
	}
}
