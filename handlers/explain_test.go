package handlers

import (
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
)

// TestWhyDidItNotFailOver tells four nights to a real engine and compares what
// explain says with what stands in the documentation. To accept new text run
// go test ./handlers -run WhyDidIt -rewrite, read it, and copy it to docs/api.md.
func TestWhyDidItNotFailOver(t *testing.T) {
	for _, night := range []struct {
		name string
		mode policy.Mode
		tell func(e *estate, eng *failover.Engine)
	}{
		{"one-observer", policy.Automatic, func(e *estate, eng *failover.Engine) {
			e.say(eng, events.Down, []string{"ashburn"}, events.Metric)
			e.clock.ns.Add(int64(12 * time.Second))
		}},
		{"nowhere-to-go", policy.Automatic, func(e *estate, eng *failover.Engine) {
			e.clock.ns.Add(int64(20 * time.Minute)) // the others fall silent
			e.say(eng, events.Down, []string{"ashburn"}, events.Metric, events.Probe)
			e.say(eng, events.Down, []string{"chicago"}, events.Metric, events.Probe)
			e.clock.ns.Add(int64(45 * time.Second))
		}},
		{"observed-only", policy.Observe, func(e *estate, eng *failover.Engine) {
			e.say(eng, events.Down, []string{"ashburn"}, events.Metric, events.Probe)
			e.clock.ns.Add(int64(45 * time.Second))
			e.say(eng, events.Up, []string{"chicago", "dallas"}, events.Metric, events.Probe)
		}},
		{"blind", policy.Automatic, func(e *estate, _ *failover.Engine) { e.clock.ns.Add(int64(2 * time.Hour)) }},
	} {
		t.Run(night.name, func(t *testing.T) {
			e := newEstate(t)
			e.rule.Policy.Mode = night.mode
			h, eng := e.instance("a")
			e.healthy(eng)
			night.tell(e, eng)
			w := ask(h, "GET", "/api/v1/groups/east/explain", "")
			var x report.Explanation
			if err := json.Unmarshal(w.Body.Bytes(), &x); err != nil || w.Code != 200 {
				t.Fatalf("got %d, %v: %s", w.Code, err, w.Body)
			}
			file, got := filepath.Join("testdata", "explain", night.name+".txt"), x.Text()
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil || string(want) != got {
				t.Fatalf("%v; got\n%s", err, got)
			}
			docs, err := os.ReadFile("../docs/api.md")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(docs), got) {
				t.Errorf("docs/api.md does not show this text of %s", file)
			}
		})
	}
}
