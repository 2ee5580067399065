//go:build unix

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"erfailover/failover/policy"
	"erfailover/failover/sim"
)

// TestAzureRefuses: Azure denies every write. The log says what to do, the API shows
// the failed operation, and once the fault is gone the traffic is moved without
// another event.
func TestAzureRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       sim.FaultKind
		code, hint string
	}{
		{sim.Unauthorized, "ExpiredAuthenticationToken", "check the identity"},
		{sim.Forbidden, "LinkedAuthorizationFailed", "join/action"},
		{sim.Forbidden, "AuthorizationFailed", "role"},
	} {
		t.Run(string(c.kind)+" "+c.code, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.atRest()
			r.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionPut, Times: -1}, Fault: sim.Fault{Kind: c.kind, Code: c.code}})
			r.send(r.outage("ashburn")...)
			failed := func(l said) bool { return l.Event == "operation.ended" && l.Result == "failed" }
			r.tick("the operation fails", func() bool { return r.times(failed) > 0 })
			hints := r.times(func(l said) bool {
				return l.Level == "error" && l.Event == "step.ended" && strings.Contains(l.Hint, c.hint)
			})
			if hints != len(gateways()) {
				t.Errorf("%d errors in the log have the hint %q, want one for each write", hints, c.hint)
			}
			r.tick("it is told why nothing is tried now", func() bool { return r.holds(string(policy.LastFailed)) })
			if status, body := r.api("/api/v1/status"); status != 200 || !strings.Contains(body, string(policy.LastFailed)) {
				t.Errorf("the status is %d and does not say %q: %s", status, policy.LastFailed, body)
			}
			r.arm.ClearFaults()
			r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
			r.carries("chicago")
			if rows := r.journal("group." + group); !strings.Contains(rows, c.code) {
				t.Errorf("the journal does not name %s:\n%s", c.code, rows)
			}
		})
	}
}

// TestNoToken: the identity gives no token, from the start on. The event is kept,
// and once there are tokens the traffic is moved without another delivery.
func TestNoToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.identity.Refuse(true)
	r.start()
	r.send(r.outage("ashburn")...)
	r.settled()
	r.tick("it is told what to do", func() bool {
		return r.times(func(l said) bool { return l.Event == "azure.unreachable" && strings.Contains(l.Hint, "identity") }) > 0
	})
	if n := r.host.Counters(); n.Lost != 0 {
		t.Errorf("%d events were lost", n.Lost)
	}
	r.identity.Refuse(false)
	r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
	r.carries("chicago")
}

// carries checks that every gateway sends its traffic over a circuit.
func (r *rig) carries(circuit string) {
	r.Helper()
	for _, g := range gateways() {
		got := r.fabric.Carrying(gatewayID(g), r.clock.Now())
		if len(got) != 1 || !strings.EqualFold(got[0], circuitID(circuit)) {
			r.Errorf("%s sends its traffic over %v, want %s", g, got, circuit)
		}
	}
}

// TestUnknownCircuit: an alert about a circuit that is not configured is counted and
// journaled by name; what came with it is done.
func TestUnknownCircuit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.atRest()
	r.send(r.source.MetricAlert(sim.MetricAlert{Circuit: circuitID("nowhere"), Metric: sim.BGPAvailability, FiredAt: r.clock.Now()}))
	r.failOver()
	if n := r.times(func(l said) bool { return l.Function == "CircuitEvents" && strings.Contains(l.Did, "unknown=1") }); n != 1 {
		t.Errorf("the log counts the unknown circuit %d times", n)
	}
	rows := r.journal("estate")
	if !slices.Contains(strings.Fields(rows), string(policy.UnknownTarget)) {
		t.Errorf("the journal does not say %q:\n%s", policy.UnknownTarget, rows)
	}
	named := false
	for key, row := range r.record() {
		named = named || strings.HasPrefix(key, "journal/estate/") && strings.Contains(row, "er-nowhere")
	}
	if !named {
		t.Error("the journal does not name the circuit")
	}
	r.carries("chicago")
}

// TestMalformedConfig: every problem at once, on stderr, with exit code 2; nothing
// is created.
func TestMalformedConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("holdDown: 5s", "holdDown: 5 seconds", "observers: 2", "observers: 9", "mode: automatic", "mode: auto",
		"timing: {", "timing: {lingre: 3s, ", "preference: [ashburn,", "preference: [asburn,")
	for _, args := range [][]string{{"handler"}, {"config", "check", r.file("erfailover.yaml")}, {"journal", "verify"}} {
		_, errs, code := r.run(args...)
		if code != 2 {
			t.Errorf("%v: exit code %d, want 2", args, code)
		}
		for _, want := range []string{"holdDown", "5 seconds", "observers", "9", "mode", "auto", "lingre", "linger", "asburn", "ashburn", "line "} {
			if !strings.Contains(errs, want) {
				t.Errorf("%v: stderr does not name %q:\n%s", args, want, errs)
			}
		}
	}
	if _, err := os.Stat(r.file("record.db")); err == nil {
		t.Error("a record was made")
	}
	for _, c := range []struct {
		change []string
		want   string
	}{
		{[]string{"version: 1\n", "version: 1\nversion: 1\n"}, "version"},
		{[]string{"version: 1\n", "version: [\n"}, "line"},
	} {
		r.configure(c.change...)
		if _, errs, code := r.run("handler"); code != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%q: exit code %d, %s", c.change[1], code, errs)
		}
	}
	if _, errs, code := r.run("handler", "--config", r.file("no such file")); code != 2 || !strings.Contains(errs, "no such file") {
		t.Errorf("no file: exit code %d, %s", code, errs)
	}
}
