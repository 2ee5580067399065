package proof

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// corner is a world in which one part of the protocol is under load all the time. A
// seed of the swarm comes there now and then; the proof goes there with each corner's
// own seeds, too.
type corner struct {
	name  string
	world func(*world)
}

func corners() []corner {
	return []corner{
		{"storm", func(w *world) { w.swarm.storm() }},
		{"throttled", throttled},
		{"stopped", func(w *world) {
			w.swarm.storm()
			w.swarm.rates["kill-after-decision"], w.swarm.rates["kill-at-claim"], w.swarm.rates["arm-busy"] = 0.6, 0.2, 0.3
		}},
		{"stalled", func(w *world) {
			w.swarm.storm()
			w.swarm.rates["stall-after-intent"], w.swarm.rates["op-succeeds-unapplied"] = 0.25, 0.2
		}},
		{"failing", func(w *world) {
			w.swarm.storm()
			w.swarm.rates["op-fails-slowly"], w.swarm.rates["arm-lost-reply"], w.swarm.rates["target-dies"] = 0.5, 0.4, 1
			w.swarm.rates["land-late"] = 0.2
		}},
		{"giving up", func(w *world) {
			w.swarm.storm()
			w.swarm.rates["arm-lost-reply"], w.swarm.rates["land-late"], w.swarm.rates["target-dies"] = 0.3, 0.9, 1
			w.swarm.pace.Landing, w.swarm.pace.GiveUp = 5*time.Minute, 25*time.Second
		}},
		{"goes-back", goesBack},
		{"approvals", approving(2)},
		{"levers", pulling},
		{"tier", func(w *world) {
			w.swarm.storm()
			w.swarm.circuits, w.swarm.homes, w.swarm.groups = 4, 2, 1
			w.swarm.rates["arm-throttled"], w.swarm.rates["arm-busy"] = 0.3, 0.3
		}},
		{"upgrade", func(w *world) { w.swarm.mixed = true }},
	}
}

// unlucky is what may happen just after a document was stored: whoever stored its
// intents stalls, the kill switch is set while an operation runs.
func (w *world) unlucky(i *instance, g record.Group) {
	op := g.Operation
	if op == nil || op.Status != record.Applying {
		return
	}
	if slices.ContainsFunc(op.Steps, func(s executor.StepState) bool { return s.Phase == executor.Intent }) && w.fault("stall-after-intent", i.name, i.seq) {
		w.stall = w.span(i.name, i.seq, "stalled-for", time.Second, 3*w.swarm.pace.SendDeadline)
	}
}

// killAfter sets the kill switch a moment after a decision.
func (w *world) killAfter(epoch int64) {
	n := int(epoch)
	if !w.fault("kill-after-decision", "fate", n) {
		return
	}
	from := w.span("fate", n, "killed-in", time.Second, 30*time.Second)
	w.after(from, func() { w.order1(600000+w.points, events.Order{Verb: events.OrderKill}) })
	w.after(from+w.span("fate", n, "killed-for", 30*time.Second, 3*time.Minute), func() { w.order1(700000+w.points, events.Order{Verb: events.OrderUnkill}) })
}

// spared is S31: nothing new is sent to a target that its writer has read to be down.
func (o *oracles) spared(i *instance, op *record.Operation, s executor.StepState) {
	if op.Plan.Settle || len(op.Plan.To) == 0 || slices.Contains(op.Verdict.Overridden, policy.CandidateUnproven) || slices.Contains(op.Verdict.Overridden, policy.HoldUp) {
		return
	}
	for _, c := range op.Plan.To {
		if !o.downSince(c, o.looks[i.name+" "+record.CircuitKey(c)]) {
			return
		}
	}
	o.must("S31", false, "%s stores a new write of %s to %v, which it has read to be down", i.name, short(s.Connection), op.Plan.To)
}

// tidies is S33: the weights at rest are written back when all has been quiet for the
// settle time, home is healthy, and nobody else's weight would be written over.
func (o *oracles) tidies(d *decision) {
	if d.kind != policy.KindSettle {
		return
	}
	since := o.rec.QuietSince
	o.must("S33", !since.IsZero() && d.look.Sub(since) >= o.w.swarm.settle-2*o.w.swarm.skewMax-time.Second, "settled, and quiet since %s, %s are asked for", since, o.w.swarm.settle)
	for _, c := range o.group.Home() {
		o.must("S33", !o.sinceAll(c, d.look, func(s health.State) bool { return s != health.Healthy }), "settled while %s, home, is not healthy", c)
	}
	o.must("S33", o.w.swarm.drift != policy.DriftAsk || len(o.rec.Drift) == 0, "settled over weights that others wrote: %v", sortedKeys(o.rec.Drift))
}

// downSince reports whether every document of a circuit, from the one that stood at an
// instant on, says that the circuit is down for the group.
func (o *oracles) downSince(circuit string, at time.Time) bool {
	return o.sinceAll(circuit, at, func(s health.State) bool { return s == health.Down })
}

// sinceAll reports whether every document of a circuit from an instant on says what fits.
func (o *oracles) sinceAll(circuit string, at time.Time, fits func(health.State) bool) bool {
	kept := o.past[record.CircuitKey(circuit)]
	for _, d := range slices.Backward(kept) {
		var doc record.Circuit
		if json.Unmarshal(d.body, &doc) != nil || !fits(doc.Memory.Tracks[o.group.Name].State) {
			return false
		}
		if !d.at.After(at) {
			return true
		}
	}
	return false
}

// model is a naive copy of what a group's document must say, computed anew at every
// save from what was read of Azure: which epoch follows, which weights a decision
// writes, which circuits carry.
func (o *oracles) model(g record.Group) {
	settled := len(g.Cuts) == 0 && len(o.rec.Cuts) == 0 // what a lever changes is taken in by the next look
	o.must("model", !settled || slices.Equal(o.carriers(g), g.Active), "the weights as read say that %v carry, the record says %v", o.carriers(g), g.Active)
	op := g.Operation
	if op == nil || op.Status == record.AwaitingApproval || o.decided[op.Plan.Epoch] != nil || op.Plan.Settle || op.Plan.Lever.Cuts() {
		return
	}
	last := o.rec.Epoch
	for _, id := range sortedKeys(g.Actual) {
		last = max(last, int64(number(g.Actual[id].Epoch)))
	}
	o.must("model", op.Plan.Epoch > last, "epoch %d is decided, %d was known", op.Plan.Epoch, last)
	for _, s := range op.Plan.Steps {
		top := int32(0)
		for _, id := range o.w.azure.order {
			if c := o.w.azure.conns[id]; c.gateway == s.Gateway && o.group.Rank(c.circuit) >= 0 {
				rest, known := g.Baseline[id]
				if !known && g.Actual[id].Epoch == "" {
					rest.Weight = g.Actual[id].Weight
				}
				top = max(top, rest.Weight)
			}
		}
		o.must("model", int64(s.To.Weight) == int64(top)+op.Plan.Epoch, "epoch %d writes %s=%d, its gateway's highest weight at rest is %d", op.Plan.Epoch, short(s.Connection), s.To.Weight, top)
		for _, id := range sortedKeys(g.Actual) {
			if c := o.w.azure.conns[id]; c.gateway == s.Gateway && id != s.Connection {
				o.must("model", g.Actual[id].Weight < s.To.Weight, "epoch %d writes %s=%d, below %s=%d", op.Plan.Epoch, short(s.Connection), s.To.Weight, short(id), g.Actual[id].Weight)
			}
		}
	}
}

// carriers returns the circuits with the highest weight of any gateway, in the group's
// order, by the weights that the document holds.
func (o *oracles) carriers(g record.Group) []string {
	on := map[string]bool{}
	for _, gw := range o.group.Gateways {
		best := int32(-1)
		at := map[string]int32{}
		for _, id := range sortedKeys(g.Actual) {
			c := o.w.azure.conns[id]
			if c.gateway != gw || o.group.Rank(c.circuit) < 0 || o.cutOff(g, gw, c.circuit) {
				continue
			}
			at[c.circuit] = g.Actual[id].Weight
			best = max(best, g.Actual[id].Weight)
		}
		for c, weight := range at {
			on[c] = on[c] || weight == best
		}
	}
	var out []string
	for _, c := range o.group.Circuits() {
		if on[c] {
			out = append(out, c)
		}
	}
	return out
}

// cutOff reports whether the document says that a lever keeps a gateway from a circuit.
func (o *oracles) cutOff(g record.Group, gateway, circuit string) bool {
	c, _ := o.w.est.Circuit(circuit)
	return slices.ContainsFunc(g.Cuts, func(k record.Cut) bool {
		switch {
		case !k.Effective():
			return false
		case k.Pull.Kind == planner.Disconnect:
			return k.Pull.Gateway == gateway && k.Pull.Location == c.Location
		}
		return k.Pull.Kind == planner.CutPeering && k.Pull.Circuit == circuit
	})
}
