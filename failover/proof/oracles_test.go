package proof

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// oracles look at every save, send and landing. What they know comes from the
// truth of the world and from what was stored, never from an engine's memory.
type oracles struct {
	w                *world
	group            topology.Group
	rec              record.Group           // as last stored
	stopped          bool                   // the kill switch is stored
	killed           time.Time              // when somebody was told so; zero when it is not
	resuming         int                    // resumes on their way
	heard            map[string][]time.Time // bad news that was acknowledged, by event time
	lifted           time.Time              // when a resume was ordered last
	paused           time.Time
	decided          map[int64]*decision
	last             int64 // epoch of the last decision
	intents          map[string]intent
	auto             []time.Time // automatic moves
	ordered          map[string]int64
	good             map[string][]time.Time
	bad              map[string][]time.Time
	ours             map[string]version // what we wrote last
	forced           map[string]memory  // a hand-made record
	future           map[string]bool    // signals of a source whose clock is far ahead
	memories         map[string]memory
	alien            map[string]*stranger
	taint            map[string]bool      // gateways whose weights others moved, or that the world broke beyond what the protocol assumes
	told             map[string]time.Time // gateway → not before, as Azure said and the record knows
	telling          map[string]map[string]time.Time
	resting          bool
	checks           map[string]int
	found            []finding
	received_, acked int
	worst            time.Duration // longest flight from intent to landing
}

type finding struct {
	oracle, text string
	at           time.Time
}

func (f finding) String() string {
	return fmt.Sprintf("%s at %s: %s", f.oracle, f.at.Sub(origin), f.text)
}

// decision is an operation that was stored with its intents.
type decision struct {
	epoch  int64
	op     string
	kind   policy.Kind
	at     time.Time // stored, true time
	look   time.Time // looked at, true time
	to     []string
	by     string
	settle bool
	over   []policy.Reason
	steps  []planner.Step
}

// intent is a write that was stored before it was sent.
type intent struct {
	epoch  int64
	conn   string
	to     int32
	tag    string
	settle bool
	at     time.Time
	killed bool // stored while the kill switch was stored
}

type stranger struct {
	at, seen time.Time
	weight   int32
}

func newOracles(w *world) *oracles {
	return &oracles{w: w, group: w.est.Groups[0], decided: map[int64]*decision{}, intents: map[string]intent{}, ordered: map[string]int64{},
		good: map[string][]time.Time{}, bad: map[string][]time.Time{}, alien: map[string]*stranger{}, memories: map[string]memory{}, future: map[string]bool{}, heard: map[string][]time.Time{}, ours: map[string]version{}, taint: map[string]bool{}, told: map[string]time.Time{},
		telling: map[string]map[string]time.Time{}, checks: map[string]int{}}
}

// must notes a check and what it found.
func (o *oracles) must(id string, ok bool, format string, args ...any) {
	o.checks[id]++
	if ok {
		return
	}
	f := finding{id, fmt.Sprintf(format, args...), o.w.now}
	o.found = append(o.found, f)
	o.w.trace.note("VIOLATED %s: %s", id, f.text)
	if len(o.found) > 20 {
		o.w.over = true
	}
}

func (o *oracles) sample(circuit string, at time.Time, good bool) {
	if good {
		o.good[circuit] = append(o.good[circuit], at)
		return
	}
	o.bad[circuit] = append(o.bad[circuit], at)
}

// within reports whether a sample of that sort was made in a span.
func within(list []time.Time, from, to time.Time) bool {
	return slices.ContainsFunc(list, func(t time.Time) bool { return !t.Before(from) && !t.After(to) })
}

// saved looks at a document that has just been stored.
func (o *oracles) saved(i *instance, doc record.Document) {
	switch doc.Key {
	case record.EstateKey:
		var e record.Estate
		if json.Unmarshal(doc.Body, &e) != nil {
			return
		}
		if o.stopped = e.Killed != nil; !o.stopped {
			o.killed = time.Time{}
		}
	case record.GroupKey(o.group.Name):
		var g record.Group
		if err := json.Unmarshal(doc.Body, &g); err != nil {
			o.must("record", false, "the group's document cannot be read: %v", err)
			return
		}
		o.saveGroup(i, g)
	}
}

func (o *oracles) saveGroup(i *instance, g record.Group) {
	o.must("S3", g.Epoch >= o.rec.Epoch, "the epoch went back from %d to %d", o.rec.Epoch, g.Epoch)
	op := g.Operation
	if op != nil && op.Status != record.AwaitingApproval {
		if d, known := o.decided[op.Plan.Epoch]; known {
			o.must("S3", d.op == op.ID, "epoch %d names %s and %s", op.Plan.Epoch, d.op, op.ID)
		} else {
			o.decide(i, g, op)
		}
		o.steps(i, g, op)
	}
	for gw, until := range o.telling[i.name] {
		o.told[gw] = until
	}
	delete(o.telling, i.name)
	o.rec = g
}

// decide looks at a decision when it is stored.
func (o *oracles) decide(i *instance, g record.Group, op *record.Operation) {
	w := o.w
	d := &decision{epoch: op.Plan.Epoch, op: op.ID, kind: op.Kind, at: w.now, look: op.Stamps.Decide.Add(-i.offset), to: op.Plan.To, by: op.By, settle: op.Plan.Settle, over: op.Verdict.Overridden, steps: op.Plan.Steps}
	if !op.Stamps.Approve.IsZero() {
		d.look = op.Stamps.Approve.Add(-i.offset)
	}
	previous := o.last
	o.decided[d.epoch], o.last = d, d.epoch
	w.trace.note("%s decides %s to %v, epoch %d, %s", i.name, d.kind, d.to, d.epoch, op.ID)
	o.must("S3", d.epoch > previous && g.Epoch == d.epoch, "a decision of epoch %d follows %d, the record says %d", d.epoch, previous, g.Epoch)
	for _, id := range sortedKeys(w.azure.flying) {
		f := w.azure.flying[id]
		in, known := o.intents[id]
		if !known || f.over || (!f.lands.IsZero() && f.lands.After(f.intentAt.Add(w.swarm.pace.Landing))) {
			continue
		}
		o.must("S6", in.epoch >= previous && !in.settle, "epoch %d is decided while %s of epoch %d may still land (the last decision was %d)", d.epoch, f, in.epoch, previous)
	}
	o.must("S13", o.killed.IsZero(), "epoch %d is decided %s after the kill switch was acknowledged", d.epoch, w.now.Sub(o.killed))
	automatic := d.by == "" && d.kind != policy.KindSettle
	if automatic {
		o.must("S13", o.paused.IsZero() || o.paused.After(o.w.now.Add(-time.Second)), "epoch %d is decided although the group is paused", d.epoch)
	}
	w.fate(i, d)
	if d.kind == policy.KindSettle {
		return
	}
	if op.By != "" {
		_, twice := o.ordered[op.By]
		o.must("S18", !twice, "the order of %s is carried out twice", op.By)
		o.ordered[op.By] = d.epoch
	}
	for _, to := range d.to {
		if !slices.Contains(d.over, policy.CandidateUnproven) {
			o.must("S10", within(o.good[to], d.look.Add(-w.swarm.fresh-time.Second), d.look.Add(time.Second)), "%s to %s without a good sample in the %s before", d.kind, to, w.swarm.fresh)
		}
		if d.kind == policy.KindFailback && automatic {
			from := d.look.Add(-w.swarm.rule.HoldUp + 2*w.swarm.skewMax)
			o.must("S11", !o.saidBad(to, from, d.look) && (!o.fell(to) || !within(o.heard[to], from.Add(time.Second), d.look)), "failback to %s, which was said to be bad in the %s before", to, w.swarm.rule.HoldUp)
		}
	}
	if !automatic {
		return
	}
	o.must("S12", d.kind == policy.KindFailback || op.Verdict.Undo || o.rec.LastMove.IsZero() || !o.rec.Acked.Before(o.rec.LastMove) || d.look.After(o.rec.LastMove.Add(w.swarm.coolDown-2*w.swarm.skewMax-time.Second)),
		"epoch %d is decided %s after the last move", d.epoch, d.look.Sub(o.rec.LastMove))
	o.auto = append(o.auto, w.now)
	recent := 0
	for _, t := range o.auto {
		if t.After(w.now.Add(-time.Hour)) {
			recent++
		}
	}
	o.must("S12", recent <= w.swarm.limits(w.quiet).OperationsPerHour, "%d automatic moves in an hour, %d are allowed", recent, w.swarm.perHour)
	alive := false
	for _, c := range o.group.Circuits() {
		alive = alive || within(o.good[c], d.look.Add(-10*time.Minute), w.now)
	}
	o.must("S15", alive, "epoch %d is decided although nothing good was heard of any circuit for 10 minutes", d.epoch)
	for _, id := range sortedKeys(o.alien) {
		s := o.alien[id]
		if w.swarm.drift == policy.DriftAsk && !slices.Contains(d.over, policy.Drifted) && w.azure.conns[id].weight == s.weight {
			o.must("S16", s.seen.IsZero() || d.look.Before(s.seen.Add(2*time.Minute)), "epoch %d is decided over the weight %d that others gave %s", d.epoch, s.weight, short(id))
		}
	}
}

// fell reports whether a circuit was given up in this run: its way back leads over
// the hold-up.
func (o *oracles) fell(circuit string) bool {
	return slices.ContainsFunc(o.w.store.Rows("circuit."+circuit), func(r record.Row) bool { return bytes.Contains(r.Body, []byte(`"to":"down"`)) })
}

// saidBad reports whether bad news about a circuit, of that span, is in the record.
func (o *oracles) saidBad(circuit string, from, to time.Time) bool {
	for _, e := range o.memory(circuit) {
		if e.State == events.Down && e.Link == events.BothLinks && e.At.After(from) && !e.At.After(to) {
			return true
		}
	}
	return false
}

// steps looks at the writes of a stored operation.
func (o *oracles) steps(i *instance, g record.Group, op *record.Operation) {
	w := o.w
	for k, s := range op.Steps {
		if s.Phase == executor.Intent {
			if _, known := o.intents[s.WriteID]; !known {
				o.intents[s.WriteID] = intent{epoch: op.Plan.Epoch, conn: s.Connection, to: s.To.Weight, tag: s.To.Epoch, settle: op.Plan.Settle, at: w.now, killed: !o.killed.IsZero()}
			}
		}
		before := o.step(op.ID, k)
		if s.Phase != executor.Done || (before != nil && before.Phase == executor.Done) {
			continue
		}
		c := w.azure.conns[s.Connection]
		stood := slices.ContainsFunc(c.history, func(v version) bool { return v.weight == s.To.Weight && v.epoch == s.To.Epoch })
		o.must("S24", stood, "%s is called done, and never had weight %d", short(s.Connection), s.To.Weight)
	}
}

func (o *oracles) step(op string, k int) *executor.StepState {
	if o.rec.Operation == nil || o.rec.Operation.ID != op || k >= len(o.rec.Operation.Steps) {
		return nil
	}
	return &o.rec.Operation.Steps[k]
}

// asked looks at a write that the engine wants sent.
func (o *oracles) asked(i *instance, wr executor.Write) {
	in, known := o.intents[wr.ID]
	o.must("S7", known && in.conn == wr.Connection && in.to == wr.To && in.tag == wr.Epoch, "%s asks for %s=%d epoch %q, and no such intent is stored", i.name, short(wr.Connection), wr.To, wr.Epoch)
	c := o.w.azure.conns[wr.Connection]
	o.must("S7", c != nil && o.group.Rank(c.circuit) >= 0 && slices.Contains(o.group.Gateways, c.gateway), "%s is not a connection of the group", wr.Connection)
	o.must("S9", wr.To >= 0 && wr.To <= topology.MaxWeight, "weight %d", wr.To)
}

// unsaved notes that an instance could not store what it had learned.
func (o *oracles) unsaved(i *instance) { delete(o.telling, i.name) }

// resumed notes that somebody is about to order a resume.
func (o *oracles) resumed() {
	o.paused, o.lifted = time.Time{}, o.w.now
	o.resuming++
}

// alias lets a mutant send another weight than the one that was stored, so that it
// is found by what it does and not by its disguise.
func (o *oracles) alias(id string, to int32) {
	in := o.intents[id]
	in.to = to
	o.intents[id] = in
}

// sent looks at a write that leaves.
func (o *oracles) sent(i *instance, f *flight) {
	in := o.intents[f.write.ID]
	o.must("S13", !in.killed, "%s leaves, its intent was stored after the kill switch", f)
	o.must("S4", o.w.now.Sub(in.at) <= o.w.swarm.pace.SendDeadline+time.Second, "%s leaves %s after its intent", f, o.w.now.Sub(in.at))
	o.must("S22", !o.w.now.Before(o.told[f.write.Gateway]), "%s leaves %s before Azure said", f, o.told[f.write.Gateway].Sub(o.w.now))
	o.must("L1", !o.resting, "%s leaves although all is quiet", f)
}

// arrived notes nothing yet: what Azure answers is told by tell.
func (o *oracles) arrived(*flight) {}

// tell notes that an instance has learned until when it must wait.
func (o *oracles) tell(i *instance, f *flight) {
	if f.answer.RetryAfter <= 0 || f.answer.Token != "" {
		return
	}
	if o.telling[i.name] == nil {
		o.telling[i.name] = map[string]time.Time{}
	}
	o.telling[i.name][f.write.Gateway] = o.w.azure.hold[f.write.Gateway]
}

func (o *oracles) picture(gateway string) []string { return o.w.azure.preferred(o.group, gateway) }

func (o *oracles) allOK(circuits []string) bool {
	return len(circuits) > 0 && !slices.ContainsFunc(circuits, func(c string) bool { return !o.w.truth.ok(c, o.w.now) })
}

// landed looks at a weight that has taken effect.
func (o *oracles) landed(f *flight, old conn, before []string) {
	w, wr := o.w, f.write
	delete(o.alien, wr.Connection)
	o.ours[wr.Connection] = version{weight: wr.To, epoch: wr.Epoch}
	after := o.picture(old.gateway)
	in := o.intents[wr.ID]
	d := o.decided[in.epoch]
	o.must("S8", w.azure.conns[wr.Connection].rest == f.rest, "%s changed something else", f)
	took := w.now.Sub(f.intentAt)
	if took > w.swarm.pace.Landing {
		o.taint[old.gateway] = true // the protocol assumes that it cannot be
	} else {
		o.worst = max(o.worst, took)
	}
	if o.taint[old.gateway] || d == nil {
		return
	}
	excused := true
	for _, c := range after {
		if !w.truth.ok(c, w.now) {
			excused = excused && slices.Contains(d.to, c) && (w.truth.okWithin(c, d.look.Add(-w.swarm.fresh-time.Minute), d.at) || slices.Contains(d.over, policy.CandidateUnproven))
		}
	}
	other := slices.ContainsFunc(o.group.Circuits(), func(c string) bool { return w.truth.ok(c, w.now) })
	o.must("S1", !o.allOK(before) || o.allOK(after) || !other || excused, "%s moves %s from %v to %v, which is dead", f, short(old.gateway), before, after)
	if wr.To < old.weight {
		o.must("S2", d.settle, "%s lowers %s from %d", f, short(old.id), old.weight)
		o.must("S2", slices.Equal(before, after) || !slices.ContainsFunc(after, func(c string) bool { return !slices.Contains(d.to, c) }), "%s moves %s from %v to %v", f, short(old.gateway), before, after)
	} else if !d.settle {
		o.must("S9", len(after) == 1 || !slices.Contains(after, old.circuit), "%s ties %v on %s", f, after, short(old.gateway))
	}
	if newest := o.decided[o.rec.Epoch]; newest != nil && in.epoch < newest.epoch && o.stands(newest, old.gateway) {
		slices.Sort(newest.to)
		o.must("S5", !slices.Equal(before, newest.to) || slices.Equal(after, newest.to), "the stale %s of epoch %d moves %s from %v to %v, against epoch %d", f, in.epoch, short(old.gateway), before, after, newest.epoch)
	}
}

// stands reports whether what a decision writes on a gateway has landed.
func (o *oracles) stands(d *decision, gateway string) bool {
	for _, s := range d.steps {
		if c := o.w.azure.conns[s.Connection]; s.Gateway == gateway && (c.weight != s.To.Weight || c.epoch != s.To.Epoch) {
			return false
		}
	}
	return true
}

func (o *oracles) others(id string) {
	c := o.w.azure.conns[id]
	o.taint[c.gateway] = true
	ours, wrote := o.ours[id]
	if !wrote {
		ours = c.history[0]
	}
	delete(o.alien, id)
	if ours.weight != c.weight && c.history[0].weight != c.weight && !o.w.quiet {
		o.alien[id] = &stranger{at: o.w.now, weight: c.weight}
	}
}

// seen notes that an engine has read a connection.
func (o *oracles) seen(id string, weight int32, stale time.Duration) {
	if s := o.alien[id]; s != nil && stale == 0 && s.weight == weight && s.seen.IsZero() {
		s.seen = o.w.now
	}
}

func (o *oracles) received([]events.Signal) { o.received_++ }

// acknowledged looks at an answer that the host was given.
func (o *oracles) acknowledged(sigs []events.Signal, r failover.Receipt) {
	o.acked++
	n, orders := 0, 0
	for _, s := range sigs {
		if s.Kind == events.Command {
			orders++
			o.w.trace.note("the order %s of %s is acknowledged", s.Order.Verb, s.Order.By)
			if s.Order.Verb == events.OrderPause && s.At.After(o.lifted) && o.resuming == 0 && o.paused.IsZero() {
				o.paused = o.w.now
			}
			if s.Order.Verb == events.OrderResume {
				o.paused = time.Time{} // one that was late may come after the pause
				o.resuming = max(0, o.resuming-1)
			}
			if s.Order.Verb == events.OrderKill && o.stopped {
				o.killed = o.w.now
				o.w.trace.note("the kill switch is acknowledged")
			}
			o.must("S17", s.Order.Verb == events.OrderKill || s.Order.Verb == events.OrderUnkill || o.keyed(s.Order.Key), "the order %s was acknowledged and is not stored", s.ID)
			continue
		}
		n++
		if s.State == events.Down && s.Link == events.BothLinks && !o.future[s.ID] {
			name := o.w.est.CircuitOf(s.Resource)
			o.heard[name] = append(o.heard[name], s.At)
		}
		o.must("S17", o.holds(s), "%s was acknowledged and is not stored", s.ID)
	}
	sum := r.Applied + r.Repeated + r.SetAside + r.Refused + r.Unknown
	o.must("S18", sum == n && r.Orders == orders, "%d signals and %d orders, counted as %+v", n, orders, r)
}

func (o *oracles) keyed(key string) bool { _, ok := o.rec.Keys[key]; return ok }

// memory returns what the record remembers of a circuit.
func (o *oracles) memory(circuit string) []health.Evidence {
	if m, known := o.forced[circuit]; known {
		return m.evidence
	}
	doc, err := o.w.store.Load(o.ctx(), record.CircuitKey(circuit))
	if err != nil {
		return nil
	}
	if m, known := o.memories[circuit]; known && m.etag == doc.ETag {
		return m.evidence
	}
	var c record.Circuit
	if json.Unmarshal(doc.Body, &c) != nil {
		return nil
	}
	o.memories[circuit] = memory{doc.ETag, c.Memory.Evidence}
	return c.Memory.Evidence
}

type evidence = health.Evidence

type memory struct {
	etag     string
	evidence []health.Evidence
}

// holds reports whether the record holds what a signal said, or something newer of
// the same source.
func (o *oracles) holds(s events.Signal) bool {
	if o.future[s.ID] {
		return true // refused, and counted so
	}
	return slices.ContainsFunc(o.memory(o.w.est.CircuitOf(s.Resource)), func(e health.Evidence) bool {
		return e.Observer == s.Observer && e.Source == s.Source && e.Link == s.Link && !e.At.Before(s.At)
	})
}
