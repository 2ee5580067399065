//go:build unix

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/failover/policy"
	"erfailover/failover/sim"
)

// TestNothingMoves: news that must write nothing, and the reason code by which the
// journal says why.
func TestNothingMoves(t *testing.T) {
	t.Parallel()
	ashburn := circuitID("ashburn")
	health := func(step sim.HealthStep, from, to sim.Availability, at time.Time) sim.HealthEvent {
		return sim.HealthEvent{Circuit: ashburn, Step: step, From: from, To: to, At: at}
	}
	for _, c := range []struct {
		name   string
		happen func(r *rig, now time.Time) // what is done to the estate and what Azure sends
		stream string                      // of the journal
		reason policy.Reason
	}{
		{"one of two links down", func(r *rig, now time.Time) {
			r.fabric.SetLink(ashburn, sim.Secondary, false, now)
			e := health(sim.StepActivated, sim.HealthAvailable, sim.HealthDegraded, now)
			r.send(r.source.MetricAlert(sim.MetricAlert{Circuit: ashburn, Metric: sim.BGPAvailability, Link: sim.Secondary, FiredAt: now}),
				r.source.MetricAlert(sim.MetricAlert{Circuit: ashburn, Metric: sim.ARPAvailability, Link: sim.Secondary, FiredAt: now}), r.source.ResourceHealth(e))
		}, "group.east", policy.OneLink},
		{"Microsoft peering down", func(r *rig, now time.Time) {
			for _, l := range sim.Links() {
				r.send(r.source.MetricAlert(sim.MetricAlert{Circuit: ashburn, Metric: sim.BGPAvailability, Link: l, Peering: "Microsoft", FiredAt: now}))
			}
		}, "circuit.ashburn", policy.OtherPeering},
		{"Fired that means recovery", func(r *rig, now time.Time) {
			r.send(r.source.HealthAlert(health(sim.StepActivated, sim.HealthAvailable, sim.HealthUnavailable, now)))
			r.tick("one observer is not enough", func() bool { return r.holds("unconfirmed") })
			r.send(r.source.HealthAlert(health(sim.StepResolved, sim.HealthUnavailable, sim.HealthAvailable, r.clock.Now())))
			r.send(r.source.HealthAlert(health(sim.StepResolved, sim.HealthUnavailable, sim.HealthAvailable, r.clock.Now())))
		}, "circuit.ashburn", policy.Recovered},
		{"Updated alone", func(r *rig, now time.Time) {
			r.send(r.source.ResourceHealth(health(sim.StepUpdated, sim.HealthAvailable, sim.HealthAvailable, now)))
		}, "circuit.ashburn", policy.UpdateOnly},
		{"planned maintenance", func(r *rig, now time.Time) {
			m := sim.Maintenance{Subscription: subscription, Region: "East US 2", Stage: sim.StageRunning, Start: now.Add(-time.Hour), End: now.Add(time.Hour), At: now}
			r.send(r.source.ServiceHealth(m))
			for _, l := range sim.Links() { // what Azure's own work at the edge looks like
				r.send(r.source.MetricAlert(sim.MetricAlert{Circuit: ashburn, Metric: sim.BGPAvailability, Link: l, FiredAt: now}))
			}
		}, "group.east", policy.InMaintenance},
		{"all circuits silent", func(r *rig, _ time.Time) {
			r.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindAsk, Times: -1}, Fault: sim.Fault{Kind: sim.NotAvailable}})
			r.pass(80 * time.Second) // longer than all evidence lasts
		}, "group.east", policy.Blind},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.reason == policy.Blind {
				r.configure("maxAge: {metric: 2h, resource-health: 2h, read: 2h}", "maxAge: {metric: 1m, resource-health: 1m, read: 1m}")
			}
			r.atRest()
			skip := len(r.journal(c.stream))
			r.start()
			c.happen(r, r.clock.Now())
			r.settled()
			r.pass(20 * time.Second) // four times the hold-down
			if puts := r.fabric.Puts(""); len(puts) != 0 {
				t.Errorf("%d PUTs, the first %+v", len(puts), puts[0])
			}
			rows := r.journal(c.stream)[skip:]
			if !slices.Contains(strings.Fields(rows), string(c.reason)) {
				t.Errorf("the journal of %s does not say %q:\n%s", c.stream, c.reason, rows)
			}
			if estate := r.journal("estate"); strings.Contains(estate, string(policy.UnknownTarget)) {
				t.Errorf("something was not recognised:\n%s", estate)
			}
		})
	}
}

// TestUpdateClearsNothing: after an outage all looks well again, but Resource Health
// sends an Updated record only. The outage stands until it is Resolved.
func TestUpdateClearsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.atRest()
	since := r.clock.Now()
	r.failOver()
	news := r.recovery("ashburn", since)
	e := sim.HealthEvent{Circuit: circuitID("ashburn"), Step: sim.StepUpdated, From: sim.HealthAvailable, To: sim.HealthAvailable, At: r.clock.Now()}
	r.send(append(news[1:], r.source.ResourceHealth(e))...) // all but the Resolved record
	r.settled()
	r.pass(2 * time.Minute) // longer than every gate of failback
	if r.times(func(l said) bool { return l.Event == "operation.decided" && l.Kind == "failback" }) != 0 {
		t.Error("an Updated record led to a failback")
	}
	r.send(news[0])
	r.tick("Resolved leads to a failback", func() bool { return r.ended("failback") == 1 })
	if rows := r.journal("circuit.ashburn"); !slices.Contains(strings.Fields(rows), string(policy.UpdateOnly)) {
		t.Errorf("the journal does not say %q:\n%s", policy.UpdateOnly, rows)
	}
}
