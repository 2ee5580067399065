package proof

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// asked looks at a write that the engine wants sent.
func (o *oracles) asked(i *instance, wr executor.Write) {
	o = o.of(wr.Gateway)
	in, known := o.intents[wr.ID]
	o.must("S7", known && in.conn == wr.Connection && in.to == wr.To && in.tag == wr.Epoch, "%s asks for %s=%d epoch %q, and no such intent is stored", i.name, short(wr.Connection), wr.To, wr.Epoch)
	c := o.w.azure.conns[wr.Connection]
	o.must("S7", c != nil && o.group.Rank(c.circuit) >= 0 && slices.Contains(o.group.Gateways, c.gateway), "%s is not a connection of the group", wr.Connection)
	o.must("S9", wr.To >= 0 && wr.To <= topology.MaxWeight, "weight %d", wr.To)
}

// unsaved notes that an instance could not store what it had learned.
func (o *oracles) unsaved(i *instance) { delete(o.telling, i.name) }

// resumed notes that somebody is about to order a resume.
func (o *oracles) resumed(group string) {
	if o = o.named(group); o == nil {
		return
	}
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
	waits := in.at.Before(o.toldAt[f.write.Gateway]) // it was on its way when another instance was told
	o.must("S22", waits || !o.w.now.Before(o.told[f.write.Gateway].Add(-2*o.w.swarm.skewMax)), "%s leaves %s before Azure said", f, o.told[f.write.Gateway].Sub(o.w.now))
	o.must("L1", !o.root.resting, "%s leaves although all is quiet", f)
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

func (o *oracles) picture(gateway string) []string {
	return o.w.azure.preferred(o.of(gateway).group, gateway)
}

func (o *oracles) allOK(circuits []string) bool {
	return len(circuits) > 0 && !slices.ContainsFunc(circuits, func(c string) bool { return !o.w.truth.ok(c, o.w.now) })
}

// landed looks at a weight that has taken effect.
func (o *oracles) landed(f *flight, old conn, before []string) {
	o = o.of(old.gateway)
	w, wr := o.w, f.write
	delete(o.alien, wr.Connection)
	o.ours[wr.Connection] = version{weight: wr.To, epoch: wr.Epoch}
	after := o.picture(old.gateway)
	in := o.intents[wr.ID]
	d := o.decided[in.epoch]
	o.must("S8", w.azure.conns[wr.Connection].rest == f.rest || f.clobbers, "%s changed something else", f)
	took := w.now.Sub(f.intentAt)
	if took > w.swarm.pace.Landing {
		o.taint[old.gateway] = true // the protocol assumes that it cannot be
	} else {
		o.root.worst = max(o.root.worst, took)
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
	if newest := o.decided[o.rec.Epoch]; newest != nil && newest.lever == "" && in.epoch < newest.epoch && o.stands(newest, old.gateway) {
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
func (o *oracles) acknowledged(sigs []events.Signal, r failover.Receipt, began time.Time) {
	o.acked++
	kept := o.root.backAt.Before(began) || o.root.backAt.IsZero() // else the record went back behind what was saved
	n, orders := 0, 0
	for _, s := range sigs {
		if s.Kind == events.Command {
			orders++
			o.w.trace.note("the order %s of %s is acknowledged", s.Order.Verb, s.Order.By)
			p := o.named(s.Order.Group)
			if p != nil && s.Order.Verb == events.OrderPause && s.At.After(p.lifted) && p.resuming == 0 && p.paused.IsZero() {
				p.paused = o.w.now
			}
			if p != nil && s.Order.Verb == events.OrderResume {
				p.paused = time.Time{} // one that was late may come after the pause
				p.resuming = max(0, p.resuming-1)
			}
			if s.Order.Verb == events.OrderKill && o.root.stopped {
				o.root.killed = o.w.now
				o.w.trace.note("the kill switch is acknowledged")
			}
			o.must("S17", s.Order.Verb == events.OrderKill || s.Order.Verb == events.OrderUnkill || !kept || p == nil || p.keyed(s.Order.Key), "the order %s was acknowledged and is not stored", s.ID)
			continue
		}
		n++
		if s.State == events.Down && s.Link == events.BothLinks && !o.future[s.ID] {
			name := o.w.est.CircuitOf(s.Resource)
			o.heard[name] = append(o.heard[name], s.At)
		}
		o.must("S17", !kept || o.holds(s), "%s was acknowledged and is not stored", s.ID)
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
