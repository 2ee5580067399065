//go:build unix

package e2e

import (
	"strings"
	"testing"

	"erfailover/failover/sim"
)

// TestNoMessage: the circuit dies and no message of it ever arrives. The program asks
// Azure Monitor, its own read confirms, and the group moves: one write a gateway.
func TestNoMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("all: 1h, monitor: false", "all: 3m",
		`authority: "https://login.example"}`, `authority: "https://login.example", metrics: "`+r.face.URL+`", metricsAudience: "https://metrics.example"}`)
	r.arm.SetWord(circuitID("ashburn"), &sim.Word{Silent: true}) // Resource Health says nothing: the metric is the second observer
	r.atRest()
	r.fabric.Cut(circuitID("ashburn"), r.clock.Now())
	r.tick("the failover has ended", func() bool { return r.ended("failover") == 1 })
	oneWriteEach(t, r, "chicago")
	batches := 0
	for _, q := range r.fabric.Requests() {
		switch {
		case q.Kind == sim.KindMetrics && strings.HasSuffix(q.Path, "getBatch"):
			batches++
		case q.Kind == sim.KindMetrics:
			t.Errorf("%s %s: the circuits are asked in a batch", q.Method, q.Path)
		}
	}
	if batches == 0 {
		t.Error("Azure Monitor was not asked")
	}
	if n := r.times(func(l said) bool { return l.Function == "CircuitEvents" }); n != 0 {
		t.Errorf("%d messages were delivered; this is about none", n)
	}
}
