// Package modelstest runs the Spin models of docs/models and requires the verdict of
// every variant: the rules hold, and without any one part of them they break.
package modelstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// verdict is what the model checker says of a variant.
type verdict string

const (
	clean    verdict = "clean"            // every state was visited, nothing broke
	violated verdict = "violated"         // a state breaks an assertion
	cycle    verdict = "acceptance cycle" // a run goes on for ever without what must come
)

// variant is one model with switches, and the verdict that it must have.
type variant struct {
	model    string
	switches string // -D, by name
	live     bool   // liveness too, under weak fairness
	want     verdict
}

var variants = []variant{
	{"ratchet", "", false, clean},
	{"ratchet", "REACH", false, violated},
	{"ratchet", "NORULE", false, violated},
	{"ratchet", "SENTONLY", false, violated},
	{"ratchet", "FIXED", false, violated},
	{"ratchet", "LEASE", false, violated},
	{"ratchet", "EAGER", false, violated},
	{"ratchet", "LOWOPEN", false, violated},
	{"ratchet", "NAIVE", false, violated},
	{"ratchet", "FORGET", false, violated},
	{"ratchet", "HOMEFIRST", false, violated},

	{"crash", "", true, clean},
	{"crash", "REACH", false, violated},
	{"crash", "LATEINTENT", true, violated},
	{"crash", "NOREAD", true, violated},
	{"crash", "RELATIVE", true, violated},
	{"crash", "NORESEND", true, cycle},
	{"crash", "NOREPAIR", true, cycle},

	{"approval", "", false, clean},
	{"approval", "REACH", false, violated},
	{"approval", "UNNAMED", false, violated},
	{"approval", "PLANONLY", false, violated},
	{"approval", "NOLOOK", false, violated},
	{"approval", "CARRY", false, violated},
	{"approval", "SELF", false, violated},
	{"approval", "TWICE", false, violated},

	{"drill", "", true, clean},
	{"drill", "ENDLESS", true, clean},
	{"drill", "REACH", false, violated},
	{"drill", "CALENDAR", true, cycle},
	{"drill", "ENDLESS HELD", true, cycle},
	{"drill", "RESEND", true, violated},
	{"drill", "BYREAD", true, violated},
	{"drill", "BLINDLY", true, violated},
	{"drill", "STUBBORN", true, violated},

	{"kill", "", true, clean},
	{"kill", "TWO", false, clean},
	{"kill", "TWO REACH", false, violated},
	{"kill", "NOTOUCH", true, violated},
	{"kill", "NOLOOK", true, violated},
	{"kill", "APART", true, violated},
	{"kill", "DROPS", true, cycle},
	{"kill", "BLINDED", true, cycle},
}

func TestModels(t *testing.T) {
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not installed; run `make deps`", tool)
		}
	}
	for _, v := range variants {
		t.Run(strings.ReplaceAll(strings.TrimSpace(v.model+" "+v.switches), " ", "-"), func(t *testing.T) {
			t.Parallel()
			got := check(t, v)
			if got.verdict != v.want {
				t.Errorf("%s, want %s\n%s", got.verdict, v.want, got.output)
			}
			t.Logf("%-16s %8s states  %6.2f s, of these %5.2f s building", got.verdict, got.states, got.took.Seconds(), got.build.Seconds())
		})
	}
}

// TestEverySwitchIsTried holds the list above against the switches that the models
// know, so that no mutant is forgotten.
func TestEverySwitchIsTried(t *testing.T) {
	tried := map[string]bool{}
	for _, v := range variants {
		for _, s := range strings.Fields(v.switches) {
			tried[v.model+" "+s] = true
		}
	}
	bounds := map[string]bool{"MAXE": true, "FLIPS": true, "CRASHES": true, "DRILLS": true}
	models, err := filepath.Glob("../models/*.pml")
	if err != nil || len(models) == 0 {
		t.Fatalf("no models in ../models: %v", err)
	}
	conditional := regexp.MustCompile(`(?m)^#ifn?def (\w+)`)
	for _, path := range models {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		model := strings.TrimSuffix(filepath.Base(path), ".pml")
		for _, m := range conditional.FindAllStringSubmatch(string(text), -1) {
			if !bounds[m[1]] && !tried[model+" "+m[1]] {
				t.Errorf("%s: nothing tries the switch %s", model, m[1])
			}
		}
	}
}

// result is one run of the model checker.
type result struct {
	verdict     verdict
	states      string
	build, took time.Duration
	output      string
}

var states = regexp.MustCompile(`(\d+) states, stored`)

// check builds the verifier of a variant in a directory of its own and runs it.
func check(t *testing.T, v variant) result {
	t.Helper()
	model, err := filepath.Abs(filepath.Join("..", "models", v.model+".pml"))
	if err != nil {
		t.Fatal(err)
	}
	dir, begun := t.TempDir(), time.Now()
	spin := []string{"-a"}
	for _, s := range strings.Fields(v.switches) {
		spin = append(spin, "-D"+s)
	}
	tool(t, dir, "spin", append(spin, model)...)
	flags, args := []string{"-O0", "-w", "-DNFAIR=3"}, []string{"-n", "-m1000000"}
	if v.live {
		args = append(args, "-a", "-f")
	} else { // with liveness, a state in which nobody can move is an endless run too
		flags, args = append(flags, "-DSAFETY", "-DNOCLAIM"), append(args, "-E")
	}
	tool(t, dir, "gcc", append(flags, "-o", "pan", "pan.c")...)
	r := result{build: time.Since(begun)}
	r.output = tool(t, dir, "./pan", args...)
	r.took = time.Since(begun)
	if m := states.FindStringSubmatch(r.output); m != nil {
		r.states = m[1]
	}
	r.verdict = judge(r.output)
	return r
}

// judge reads the verifier's answer. One that did not visit everything is none.
func judge(output string) verdict {
	switch {
	case strings.Contains(output, "assertion violated"):
		return violated
	case strings.Contains(output, "acceptance cycle (at depth"):
		return cycle
	case strings.Contains(output, "max search depth too small"), strings.Contains(output, "Search not completed"), strings.Contains(output, "error: too many"):
		return "incomplete"
	case strings.Contains(output, "errors: 0"):
		return clean
	}
	return "unreadable"
}

// tool runs a program to its end and returns what it wrote.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "syntax error") {
		t.Fatalf("%s: %v\n%s", fmt.Sprint(name, " ", strings.Join(args, " ")), err, out)
	}
	return string(out)
}
