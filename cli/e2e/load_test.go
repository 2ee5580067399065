//go:build unix

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// TestBusiestHour: the real program asks Azure Monitor, over TLS and by the SDK, for 28
// days of each circuit's load, and readiness says whether the standby could carry it.
func TestBusiestHour(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ashburn, chicago sim.Gauge
		code, says       string
	}{
		"room":  {sim.WorkingDays(2e9), sim.WorkingDays(1e9), "", "(Mon 2025-12-15 14:00Z) chicago would carry 6000 of 10000 Mbit/s"},
		"full":  {sim.WorkingDays(4e9), sim.WorkingDays(2e9), "headroom", "(Mon 2025-12-15 14:00Z) chicago would carry 12000 of 10000 Mbit/s"},
		"blind": {sim.WorkingDays(4e9), nil, "headroom-not-measured", "the load of chicago is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for circuit, g := range map[string]sim.Gauge{"ashburn": c.ashburn, "chicago": c.chicago} {
				if g == nil {
					continue
				}
				r.arm.SetMetric(circuitID(circuit), sim.BitsIn, g)
				r.arm.SetMetric(circuitID(circuit), sim.BitsOut, func(l sim.Link, at time.Time) (float64, bool) {
					v, told := g(l, at)
					return v / 2, told && at.Hour() != 3 // an hour without a number is no hour without traffic
				})
			}
			r.atRest()
			var got report.Readiness
			r.fire("the load was asked for", func() bool {
				code, body := r.api("/api/v1/readiness")
				got = report.Readiness{}
				return code == 200 && json.Unmarshal([]byte(body), &got) == nil && len(got.Groups) == 1 && got.Groups[0].Headroom != nil && !strings.Contains(got.Groups[0].Headroom.Why, "has asked")
			})
			g := got.Groups[0]
			if !strings.Contains(g.Headroom.Says(), c.says) {
				t.Errorf("got %q, want it to say %q", g.Headroom.Says(), c.says)
			}
			off := slices.DeleteFunc(slices.Clone(g.Deductions), func(d report.Deduction) bool { return !strings.HasPrefix(d.Code, "headroom") })
			if len(off) > 1 || (len(off) == 1) != (c.code != "") || (len(off) == 1 && off[0].Code != c.code) {
				t.Errorf("taken off: %+v, want %q", off, c.code)
			}
			if text := got.Text(); c.code == "" && !strings.Contains(text, "room  at the busiest hour") {
				t.Errorf("the command would say\n%s", text)
			}
		})
	}
}
