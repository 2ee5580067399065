//go:build unix

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/drill"
)

// TestDrillKilled runs each kind of drill from the calendar, with the real program
// against the ARM face over TLS. Once to its end; and once killed in the middle, with
// every process dead until after the deadline and then one instance: the estate is
// back to its exact earlier bodies, no failover test runs, and the report says what
// happened.
func TestDrillKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"move", "evacuate", "disconnect", "link"} {
		t.Run(kind+" to its end", func(t *testing.T) {
			t.Parallel()
			r, rest := drillRig(t, kind)
			r.fire("it has ended", func() bool { return r.drill().Last != nil })
			r.drillEnded(rest, drill.Passed, "")
		})
		t.Run(kind+" killed", func(t *testing.T) {
			t.Parallel()
			r, rest := drillRig(t, kind)
			r.fire("traffic is held", func() bool { return r.drill().Phase == drill.Holding })
			cut := len(r.fabric.Rehearsed(r.clock.Now()))
			if lever := kind == "disconnect" || kind == "link"; lever != (cut > 0) {
				t.Errorf("%d failover tests run in the middle of %s", cut, kind)
			}
			deadline := r.drill().Run.Deadline
			r.host.Kill()
			r.host.Stop() // nobody is left
			r.host = nil
			r.await("the deadline has passed", func() bool { return r.clock.Now().After(deadline.Add(time.Minute)) })
			if kind == "move" || kind == "evacuate" {
				if same(r.bodies(), rest) == "" {
					t.Error("the weights are at rest while everybody is dead: nothing was moved")
				}
			} else if len(r.fabric.Rehearsed(r.clock.Now())) == 0 {
				t.Error("no test runs while everybody is dead")
			}
			r.start()
			r.fire("it has ended", func() bool { return r.drill().Last != nil })
			r.drillEnded(rest, drill.Failed, "the calendar was away")
		})
	}
}

// drillRig starts the program with one drill, which begins by the calendar a few
// minutes from now. It returns the bodies at rest too.
func drillRig(t *testing.T, kind string) (*rig, map[string]string) {
	r := newRig(t)
	start := r.clock.Now().Add(8 * time.Minute).Truncate(time.Minute) // a busy machine takes minutes of the estate's time to start a program
	r.configure("auth: {mode: loopback}\n", fmt.Sprintf("auth: {mode: loopback}\ndrills:\n  one: {group: %s, kind: %s, schedule: \"%d %d %d %d *\", timezone: UTC, hold: 90s, limit: 4m, announce: 30s, objective: 3m}\n",
		group, kind, start.Minute(), start.Hour(), start.Day(), start.Month()))
	rest := r.bodies()
	r.atRest()
	for _, c := range circuits() { // a second observer, without whom the way home would not be open
		r.send(r.recovery(c, r.clock.Now().Add(-time.Minute))...)
	}
	r.settled()
	r.await("the notice is due", func() bool { return r.clock.Now().After(start.Add(-time.Minute)) })
	return r, rest
}

// fire lets the timers fire again and again until something has happened.
func (r *rig) fire(what string, happened func() bool) {
	r.Helper()
	r.loop(what, happened, func() { _ = r.host.Fire("Tick", false); _ = r.host.Fire("Drills", false) })
}

// drill asks the API how the drill stands.
func (r *rig) drill() drill.View {
	r.Helper()
	var v drill.View
	code, body := r.api("/api/v1/drills/one")
	if code == 200 {
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			r.Fatal(err)
		}
	}
	return v
}

// drillEnded checks how a drill has ended: its result, the bodies, the tests, the report.
func (r *rig) drillEnded(rest map[string]string, want drill.Result, why string) {
	r.Helper()
	last := r.drill().Last
	if last.Result != want || !last.Restored || !strings.Contains(last.Why, why) {
		r.Errorf("it ended %s, restored %t: %s; want %s: %s", last.Result, last.Restored, last.Why, want, why)
	}
	if diff := same(r.bodies(), rest); diff != "" {
		r.Error(diff)
	}
	if left := r.fabric.Rehearsed(r.clock.Now()); len(left) > 0 {
		r.Errorf("failover tests run on: %v", left)
	}
	code, html := r.api("/api/v1/drills/one/report?format=html")
	for _, text := range []string{string(want), why, "armed"} {
		if code != 200 || !strings.Contains(html, text) {
			r.Errorf("the report (%d) does not say %q", code, text)
		}
	}
	code, report := r.api("/api/v1/drills/one/report")
	if code != 200 {
		r.Fatalf("report: %d %s", code, report)
	}
	file := r.file("report.json")
	if err := os.WriteFile(file, []byte(report), 0o600); err != nil {
		r.Fatal(err)
	}
	r.journal("drill.one")
	if out, errs, code := r.run("report", "verify", file); code != 0 {
		r.Errorf("report verify: exit %d, %s%s", code, out, errs)
	}
}

// same says which bodies are not byte for byte what they were.
func same(got, want map[string]string) string {
	for id, w := range want {
		if got[id] != w {
			return fmt.Sprintf("%s is not byte for byte what it was:\n got %s\nwant %s", id, got[id], w)
		}
	}
	return ""
}
