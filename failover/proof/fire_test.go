package proof

import (
	"slices"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// bad is a stage for hand-made traces: one gateway, ashburn 200, chicago 150,
// dallas 100, nothing running.
func bad(t *testing.T) (*world, *oracles) {
	w := newRun(77, func(w *world) {
		story(w)
		w.swarm.gateways = 1
	})
	t.Cleanup(func() { w.judge.found = nil })
	w.now = origin.Add(time.Minute)
	return w, w.judge
}

func (w *world) conn(circuit string) *conn {
	for _, id := range w.azure.order {
		if w.azure.conns[id].circuit == circuit {
			return w.azure.conns[id]
		}
	}
	return nil
}

// operation makes a stored operation of that epoch with one write to a circuit.
func (w *world) operation(epoch int64, kind policy.Kind, to string, weight int32, tag string) *record.Operation {
	c := w.conn(to)
	step := planner.Step{Connection: c.id, Gateway: c.gateway, Circuit: to, To: planner.Weight{Weight: weight, Epoch: tag}}
	return &record.Operation{ID: "op-" + tag + string(kind), Kind: kind, Group: "east", Status: record.Applying, Stamps: record.Stamps{Decide: w.now.Add(w.instances[0].offset)},
		Plan:  planner.Plan{ID: "p-" + tag, Kind: kind, Epoch: epoch, To: []string{to}, Steps: []planner.Step{step}, Settle: kind == policy.KindSettle},
		Steps: []executor.StepState{{Step: step, Phase: executor.Intent, WriteID: "w" + tag + string(kind)}}}
}

func (w *world) store1(epoch int64, op *record.Operation) {
	w.judge.saveGroup(w.instances[0], record.Group{Name: "east", Epoch: epoch, Operation: op})
}

// flown is the flight of an operation's write, just now.
func (w *world) flown(op *record.Operation) *flight {
	s := op.Steps[0]
	return &flight{inst: w.instances[0], intentAt: w.now, rest: "rest", write: executor.Write{ID: s.WriteID, Connection: s.Connection, Gateway: s.Gateway, To: s.To.Weight, Epoch: s.To.Epoch}}
}

// TestOraclesFire shows each oracle a trace that it must find bad.
func TestOraclesFire(t *testing.T) {
	fired := map[string]bool{}
	fire := func(id string, trace func(w *world, o *oracles)) {
		t.Run(id, func(t *testing.T) {
			w, o := bad(t)
			trace(w, o)
			if !slices.ContainsFunc(o.found, func(f finding) bool { return f.oracle == id }) {
				t.Errorf("the oracle is silent; found %v", o.found)
			}
			fired[id] = true
		})
	}
	good := func(w *world, names ...string) {
		for _, n := range names {
			w.judge.sample(n, w.now, true)
		}
	}
	fire("S1", func(w *world, _ *oracles) { // to a circuit that was dead long before the decision
		w.truth.spans["chicago"] = []spell{{origin.Add(-24 * time.Hour), dead}}
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		w.store1(1, op)
		w.azure.land(w.flown(op))
	})
	fire("S2", func(w *world, _ *oracles) { // a raise that lowers
		w.conn("chicago").set(w.now, 300, "9", "rest")
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		w.store1(1, op)
		w.azure.land(w.flown(op))
	})
	fire("S3", func(w *world, _ *oracles) { // one epoch, two decisions
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
		w.store1(1, w.operation(1, policy.KindFailover, "dallas", 201, "1b"))
	})
	fire("S4", func(w *world, o *oracles) { // it leaves long after its intent
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		w.store1(1, op)
		f := w.flown(op)
		w.now = w.now.Add(10 * time.Minute)
		o.sent(w.instances[0], f)
	})
	fire("S5", func(w *world, _ *oracles) { // an old raise beats the newest
		old := w.operation(1, policy.KindFailover, "dallas", 500, "1")
		w.store1(1, old)
		op := w.operation(2, policy.KindFailback, "ashburn", 202, "2")
		w.store1(2, op)
		w.azure.land(w.flown(op))
		w.azure.land(w.flown(old))
	})
	fire("S6", func(w *world, _ *oracles) { // a third decision while the first may land
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		w.store1(1, op)
		w.azure.flying[op.Steps[0].WriteID] = w.flown(op)
		w.store1(2, w.operation(2, policy.KindFailover, "dallas", 202, "2"))
		w.store1(3, w.operation(3, policy.KindFailback, "ashburn", 203, "3"))
	})
	fire("S7", func(w *world, o *oracles) { // nothing is stored of it
		c := w.conn("chicago")
		o.asked(w.instances[0], executor.Write{ID: "w", Connection: c.id, To: 201})
	})
	fire("S8", func(w *world, _ *oracles) {
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		w.store1(1, op)
		w.mutant.clobber = true
		w.azure.land(w.flown(op))
	})
	fire("S9", func(w *world, _ *oracles) { // a tie at the top
		op := w.operation(1, policy.KindFailover, "chicago", 200, "1")
		w.store1(1, op)
		w.azure.land(w.flown(op))
	})
	fire("S10", func(w *world, _ *oracles) { w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1")) })
	fire("S11", func(w *world, o *oracles) {
		good(w, "ashburn")
		o.memories["ashburn"] = memory{"", []evidence{{State: events.Down, At: w.now.Add(-time.Second)}}}
		o.forced = o.memories
		w.store1(1, w.operation(1, policy.KindFailback, "ashburn", 201, "1"))
	})
	fire("S12", func(w *world, o *oracles) { // right after the last move
		good(w, "chicago")
		o.rec.LastMove = w.now
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	fire("S13", func(w *world, o *oracles) {
		o.killed = w.now
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	fire("S15", func(w *world, _ *oracles) { w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1")) })
	fire("S16", func(w *world, _ *oracles) {
		c := w.conn("dallas")
		w.azure.foreign(c.id, 77, "", "")
		w.judge.seen(c.id, 77, 0)
		w.now = w.now.Add(10 * time.Minute)
		good(w, "chicago")
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	fire("S17", func(w *world, o *oracles) { // acknowledged, and nowhere stored
		c, _ := w.est.Circuit("ashburn")
		o.acknowledged([]events.Signal{w.signal(events.Probe, "ashburn", c.ID, "", events.DataPlane, events.Down, 1)}, failover.Receipt{Applied: 1}, w.now)
	})
	fire("S18", func(w *world, o *oracles) { // a signal that is not counted
		c, _ := w.est.Circuit("ashburn")
		o.acknowledged([]events.Signal{w.signal(events.Probe, "ashburn", c.ID, "", events.DataPlane, events.Down, 1)}, failover.Receipt{}, w.now)
	})
	fire("S20", func(w *world, _ *oracles) { // nobody was asked
		w.swarm.mode = policy.Approve
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	fire("S26", func(w *world, o *oracles) { // two at a time on one gateway
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		op.Steps = append(op.Steps, w.operation(1, policy.KindFailover, "dallas", 100, "").Steps...)
		o.oneAtATime(op)
	})
	fire("S27", func(w *world, o *oracles) { // decided by the first look
		o.claims["a"] = w.now
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	pull := planner.Step{Kind: planner.Disconnect, Connection: "gw", Gateway: "gw", Location: "Location 0", Cut: true}
	fire("S28", func(w *world, o *oracles) { // pulled, and nothing would put it back
		o.pulls(w.instances[0], executor.Write{ID: "w", Kind: pull.Kind, Connection: pull.Connection, Cut: true})
	})
	fire("S29", func(w *world, o *oracles) { // cut off from the one that works
		w.truth.spans["chicago"] = []spell{{origin.Add(-24 * time.Hour), dead}}
		w.store1(1, w.operation(1, policy.KindDrill, "chicago", 150, "1"))
		o.pulled["w"] = pulled{epoch: 1}
		before := map[string][]string{o.group.Gateways[0]: o.picture(o.group.Gateways[0])}
		w.azure.levers.begin(o.group.Gateways[0], "Location 0", "", "w", w.now).state = executor.TestOn
		o.cut(&flight{write: executor.Write{ID: "w", Kind: pull.Kind}}, before)
	})
	fire("S30", func(w *world, o *oracles) {
		o.stops(&flight{inst: w.instances[0]}, w.azure.levers.begin("gw", "Location 0", "", "", w.now))
	})
	fire("L7", func(w *world, o *oracles) { // forgotten for an hour
		w.swarm.levers = true
		o.pulled["w"] = pulled{deadline: w.now}
		w.azure.levers.begin("gw", "Location 0", "", "w", w.now).state = executor.TestOn
		w.events, w.now = nil, w.now.Add(time.Hour)
		w.watchLevers()
		w.until(w.now.Add(time.Second))
	})
	fire("S31", func(w *world, o *oracles) { // to a target that was read to be down
		o.past[record.CircuitKey("chicago")] = []stored{{origin, []byte(`{"memory":{"tracks":{"east":{"state":"down"}}}}`)}}
		o.looked(w.instances[0], record.CircuitKey("chicago"))
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
	})
	fire("S32", func(w *world, o *oracles) { // a newer version's field is dropped
		w.swarm.mixed = true
		etag, err := w.store.Save(o.ctx(), record.Document{Key: "group/east", Nonce: "n", Body: news([]byte(`{"schema":1}`))})
		if err != nil {
			t.Fatal(err)
		}
		o.keepsNews(w.instances[0], record.Document{Key: "group/east", ETag: etag, Body: []byte(`{"schema":1}`)})
	})
	fire("S33", func(w *world, o *oracles) { // at once
		o.rec.QuietSince = w.now
		w.store1(1, w.operation(1, policy.KindSettle, "chicago", 150, ""))
	})
	fire("model", func(w *world, o *oracles) { // one above what stands, not base and epoch
		w.store1(7, w.operation(7, policy.KindFailover, "chicago", 201, "7"))
	})
	fire("S21", func(w *world, o *oracles) { // a decision without a row
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
		o.journals()
	})
	fire("S22", func(w *world, o *oracles) {
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		o.told[op.Steps[0].Gateway] = w.now.Add(time.Minute)
		o.sent(w.instances[0], w.flown(op))
	})
	fire("S24", func(w *world, _ *oracles) { // called done, never landed
		op := w.operation(1, policy.KindFailover, "chicago", 201, "1")
		op.Steps[0].Phase = executor.Done
		w.store1(1, op)
	})
	fire("S25", func(w *world, o *oracles) { // our own decision, taken for somebody else's
		c := w.conn("chicago")
		c.weight, c.epoch = 201, "1"
		o.ours[c.id] = version{weight: 201, epoch: "1"}
		o.saveGroup(w.instances[0], record.Group{Name: "east", Drift: map[string]planner.Weight{c.id: {Weight: 150}}, Actual: map[string]executor.ConnectionState{c.id: {Weight: 201}}})
	})
	fire("L1", func(w *world, o *oracles) {
		w.store1(1, w.operation(1, policy.KindFailover, "chicago", 201, "1"))
		o.converged()
	})
	fire("L4", func(w *world, o *oracles) {
		w.owed = 1
		o.final()
	})
	if len(fired) < 20 {
		t.Errorf("%d oracles have a bad trace", len(fired))
	}
}
