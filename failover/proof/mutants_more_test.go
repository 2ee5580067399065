package proof

import (
	"bytes"
	"context"
	"time"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// moreMutants are faults in the paths around the protocol: the record that goes
// back, waits, answers that are misread, requests that somebody else changes.
func moreMutants() []mutant {
	return []mutant{
		{name: "what a lost record had decided is a stranger's", world: goesBack, net: reads(func(w *world, c *executor.ConnectionState) {
			if !w.judge.backAt.IsZero() {
				c.Epoch = ""
			}
		})},
		{name: "a journal that does not fit is never written to again", world: goesBack, rows: func(w *world, stream string, rows *[]record.Row) bool {
			return !w.judge.backAt.IsZero()
		}},
		{name: "an unknown outcome counts as applied", net: begins(func(b executor.Begun) executor.Begun {
			if b.Outcome == executor.Unknown {
				b.Outcome, b.Token = executor.Applied, ""
			}
			return b
		}), time: func(t failover.Timing) failover.Timing { t.Landing = time.Second; return t }},
		{name: "a lost save is taken for a won one", store: func(w *world, d *record.Document) (string, bool) {
			if old, err := w.store.Load(context.Background(), d.Key); err == nil && old.ETag != d.ETag {
				return d.ETag, true
			}
			return "", false
		}},
		{name: "the transport sends a write again by itself, later", net: func(w *world, n executor.Network) executor.Network { return &resending{Network: n, w: w} }},
		{name: "a write goes to another connection of the gateway", quick: true, net: sends(func(w *world, wr *executor.Write) {
			for _, id := range w.azure.order {
				if c := w.azure.conns[id]; c.gateway == wr.Gateway && id != wr.Connection {
					wr.Connection, wr.From = id, c.weight
					return
				}
			}
		})},
		{name: "a raise ties with the top", quick: true, net: sends(func(w *world, wr *executor.Write) {
			for _, id := range w.azure.order {
				if c := w.azure.conns[id]; c.gateway == wr.Gateway && id != wr.Connection && wr.To > wr.From {
					w.judge.alias(wr.ID, c.weight)
					wr.To = c.weight
					return
				}
			}
		})},
		{name: "weights are counted up from what stands", net: sends(func(w *world, wr *executor.Write) {
			if wr.To > wr.From {
				w.judge.alias(wr.ID, wr.From+1)
				wr.To = wr.From + 1
			}
		})},
		{name: "waits are not stored", world: throttled, load: loaded(func(g *record.Group) {
			g.Told = nil
			if g.Operation != nil {
				for k := range g.Operation.Steps {
					g.Operation.Steps[k].NotBefore, g.Operation.Steps[k].Told = time.Time{}, time.Time{}
				}
			}
		})},
		{name: "a wait dies with the operation that was told", world: throttled, load: loaded(func(g *record.Group) { g.Told = nil }),
			store: group(nil, func(g *record.Group) { g.Told = nil })},
		{name: "a write may land for a quarter of D only", time: func(t failover.Timing) failover.Timing { t.Landing /= 4; return t }},
		{name: "what was heard is not remembered", store: func(w *world, d *record.Document) (string, bool) {
			return d.ETag, len(d.Key) > 8 && d.Key[:8] == "circuit/" && w.draw("mutant", w.points, "memory")%3 == 0
		}},
		{name: "old news counts as new", late: func(s *events.Signal, now time.Time) { s.At = now }, world: func(w *world) { w.swarm.rates["event-late"], w.swarm.rates["event-duplicate"] = 0.3, 0.3 }},
		{name: "a signal is counted twice", quick: true, late: func(s *events.Signal, _ time.Time) { s.ID += "-again" }, twice: true},
		{name: "what a newer version wrote is dropped", world: func(w *world) { w.swarm.mixed = true }, store: func(w *world, d *record.Document) (string, bool) {
			if w.cur != nil && !w.cur.inst.newer {
				d.Body = bytes.Replace(d.Body, []byte(newerField), []byte(`"x":1`), 1)
			}
			return "", false
		}},
		{name: "the weights at rest are written back at once", rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.SettleAfter = 0; return r }},
		{name: "one approval is enough where two are asked for", world: approving(2), rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.Approval.Approvers = 1; return r }},
		{name: "who asked may approve", world: approving(1), rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.Approval.Distinct = false; return r }},
		{name: "a proposal never expires", world: approving(1), rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.Approval.Expires *= 100; return r }},
		{name: "an approval is not asked for", world: approving(1), rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.Mode = policy.Automatic; return r }},
		{name: "an approved plan is not the one that was proposed", world: approving(1), load: loaded(func(g *record.Group) {
			if op := g.Operation; op != nil && op.Status == record.AwaitingApproval && len(op.Approved) == 0 {
				op.Plan.Epoch++
			}
		})},
		{name: "who approved is not remembered", world: approving(2), load: loaded(func(g *record.Group) {
			if op := g.Operation; op != nil && op.Status == record.AwaitingApproval {
				for k := range op.Approved {
					op.Approved[k], op.Approval[k] = "somebody", "somebody"
				}
			}
		})},
		{name: "the epoch of the newest decision is forgotten at a restart", load: func(w *world, d *record.Document) {
			if w.cur != nil && w.cur.inst.lives > 1 {
				loaded(func(g *record.Group) { g.Epoch = max(0, g.Epoch-2) })(w, d)
			}
		}},
	}
}

// harmless are faults that must not be found: safety never rests on these.
func harmless() []mutant {
	return []mutant{
		{name: "the lease is not looked at", load: loaded(func(g *record.Group) { g.Lease = record.Lease{} })},
	}
}

// goesBack lets the record go back in every run.
func goesBack(w *world) { w.swarm.rates["record-goes-back"] = 1 }

// approving is a world in which people must agree, and are at hand.
func approving(approvers int) func(*world) {
	return func(w *world) {
		w.swarm.mode, w.swarm.manual, w.swarm.approvers, w.swarm.drift = policy.Approve, false, approvers, policy.DriftAsk
		w.swarm.orders, w.swarm.groups = 30*time.Second, 1
	}
}

// silent is a world in which nobody speaks of circuits for minutes.
func silent(w *world) {
	w.swarm.rates["observers-silent"], w.swarm.rates["silence"] = 0.15, 0.1
}

// throttled is a world in which Azure asks to be left alone, and decisions follow
// each other fast.
func throttled(w *world) {
	w.swarm.storm()
	w.swarm.rates["arm-throttled"] = 0.4
}

// reads makes a mutant that misreads connections.
func reads(change func(*world, *executor.ConnectionState)) func(*world, executor.Network) executor.Network {
	return func(w *world, n executor.Network) executor.Network { return blinking{n, w, change} }
}

type blinking struct {
	executor.Network
	w      *world
	change func(*world, *executor.ConnectionState)
}

func (b blinking) Read(ctx context.Context, refs []executor.Ref) []executor.Reading {
	out := b.Network.Read(ctx, refs)
	for k := range out {
		if c := out[k].Connection; c != nil {
			b.change(b.w, c)
		}
	}
	return out
}

// sends makes a mutant that changes writes on their way.
func sends(change func(*world, *executor.Write)) func(*world, executor.Network) executor.Network {
	return func(w *world, n executor.Network) executor.Network { return bending{n, w, change} }
}

type bending struct {
	executor.Network
	w      *world
	change func(*world, *executor.Write)
}

func (b bending) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	bent := append([]executor.Write(nil), ws...)
	for k := range bent {
		b.change(b.w, &bent[k])
	}
	return b.Network.Begin(ctx, bent)
}

// resending sends a write whose answer was lost once more, a while later, without a
// look at the record: what an SDK does that retries by itself.
type resending struct {
	executor.Network
	w *world
}

func (r *resending) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	out := r.Network.Begin(ctx, ws)
	for k, b := range out {
		if b.Outcome != executor.Unknown || b.Token != "" || fault.KindOf(b.Err) != fault.Unavailable {
			continue
		}
		r.w.wait(70 * time.Second)
		again := ws[k]
		again.NotAfter = again.NotAfter.Add(2 * time.Minute)
		out[k] = r.Network.Begin(ctx, []executor.Write{again})[0]
	}
	return out
}
