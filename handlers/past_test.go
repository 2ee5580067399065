package handlers

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/policy"
	"erfailover/failover/report"
	"erfailover/failover/shadow"
)

// pass lets time pass with ticks; the circuits named stay good.
func (e *estate) pass(eng *failover.Engine, span time.Duration, good ...string) {
	e.t.Helper()
	for end := e.clock.Now().Add(span); e.clock.Now().Before(end); {
		if len(good) > 0 {
			e.say(eng, events.Up, good, events.Metric, events.Probe)
		}
		if err := eng.Tick(context.Background()); err != nil {
			e.t.Fatal(err)
		}
		e.clock.ns.Add(int64(20 * time.Second))
	}
}

// loses takes down the sessions of one circuit, or of none.
func (e *estate) loses(name string) {
	c, _ := e.facts.Circuit(name)
	e.wires.mu.Lock()
	defer e.wires.mu.Unlock()
	e.wires.lost = c.ID
}

// TestThePast tells a night to a real engine: ashburn is down for 20 minutes, in an
// observed group and in an automatic one. What the API then says of it is held against
// testdata/past. To accept new text: go test ./handlers -run ThePast -rewrite, and read
// it.
func TestThePast(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Observe, policy.Automatic} {
		t.Run(string(mode), func(t *testing.T) {
			e := newEstate(t)
			e.rule.Policy.Mode = mode
			h, eng := e.instance("a")
			e.healthy(eng)
			e.pass(eng, time.Minute, "ashburn", "chicago", "dallas")
			e.loses("ashburn")
			e.say(eng, events.Down, []string{"ashburn"}, events.Metric)
			e.clock.ns.Add(int64(90 * time.Second))
			e.healthyBut(eng, "ashburn")
			e.say(eng, events.Down, []string{"ashburn"}, events.Probe)
			for range 6 {
				e.pass(eng, 3*time.Minute, "chicago", "dallas")
				e.say(eng, events.Down, []string{"ashburn"}, events.Metric, events.Probe)
			}
			e.loses("")
			e.pass(eng, 10*time.Minute, "ashburn", "chicago", "dallas")
			var got strings.Builder
			for _, c := range []struct {
				path string
				into interface{ Text() string }
			}{
				{"/api/v1/shadow?group=east", &shadow.Report{}}, {"/api/v1/alarms", &shadow.Quality{}},
				{"/api/v1/statistics", &report.Statistics{}}, {"/api/v1/readiness", &report.Readiness{}},
			} {
				w := ask(h, "GET", c.path, "")
				if err := json.Unmarshal(w.Body.Bytes(), c.into); err != nil || w.Code != 200 {
					t.Fatalf("%s: got %d, %v: %s", c.path, w.Code, err, w.Body)
				}
				got.WriteString("GET " + c.path + "\n\n" + c.into.Text() + "\n")
			}
			file := filepath.Join("testdata", "past", string(mode)+".txt")
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(want) != got.String() {
				t.Errorf("%v; got\n%s", err, got.String())
			}
			for _, path := range []string{"/api/v1/shadow?group=west", "/api/v1/statistics?group=west", "/api/v1/alarms?group=west"} {
				if w := ask(h, "GET", path, ""); w.Code != 404 {
					t.Errorf("%s: got %d, want 404", path, w.Code)
				}
			}
		})
	}
}

// healthyBut makes every circuit but one good.
func (e *estate) healthyBut(eng *failover.Engine, but string) {
	var good []string
	for _, c := range e.facts.Circuits {
		if c.Name != but {
			good = append(good, c.Name)
		}
	}
	e.say(eng, events.Up, good, events.Metric, events.Probe)
}
