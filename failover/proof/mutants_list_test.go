package proof

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// mutants lists faults of the protocol that the oracles must find. Each says what a
// reader could break by one line, and does it from outside, so that the engine that
// runs is the one that ships.
func mutants() []mutant {
	return append([]mutant{
		{name: "no compare-and-swap: a save ignores the ETag", store: func(w *world, d *record.Document) (string, bool) {
			if old, err := w.store.Load(context.Background(), d.Key); err == nil {
				d.ETag = old.ETag
			}
			return "", false
		}},
		{name: "intents are not stored before the send", quick: true, store: group(func(w *world, g *record.Group) bool {
			return g.Operation != nil && slices.ContainsFunc(g.Operation.Steps, func(s executor.StepState) bool { return s.Phase == executor.Intent })
		}, nil)},
		{name: "open intents are forgotten", store: group(nil, func(g *record.Group) { g.Intents = nil })},
		{name: "doubt about a write that was sent again is forgotten", store: group(nil, func(g *record.Group) {
			if g.Operation != nil {
				for k := range g.Operation.Steps {
					g.Operation.Steps[k].Doubt = time.Time{}
				}
			}
			for k := range g.Intents {
				g.Intents[k].Doubt = false
			}
		})},
		{name: "the epoch is used again", quick: true, load: loaded(func(g *record.Group) { g.Epoch = max(0, g.Epoch-1) })},
		{name: "an unknown outcome counts as not applied", net: begins(func(b executor.Begun) executor.Begun {
			if b.Outcome == executor.Unknown && b.Token == "" {
				b.Outcome = executor.NotApplied
			}
			return b
		})},
		{name: "every accepted write counts as not applied", net: begins(func(b executor.Begun) executor.Begun {
			if b.Outcome == executor.Unknown {
				b.Outcome, b.Token, b.Err = executor.NotApplied, "", &fault.Error{Op: "set", Kind: fault.Unavailable}
			}
			return b
		})},
		{name: "an operation's word is taken without a read", quick: true, net: func(w *world, n executor.Network) executor.Network { return &believing{Network: n, w: w} }},
		{name: "a write may land at once or never: D is nothing", time: func(t failover.Timing) failover.Timing { t.Landing = time.Millisecond; return t }},
		{name: "no deadline of a send", anytime: true},
		{name: "Retry-After is not looked at", net: begins(func(b executor.Begun) executor.Begun {
			b.RetryAfter = 0
			if f, ok := b.Err.(*fault.Error); ok {
				e := *f
				e.RetryAfter = 0
				b.Err = &e
			}
			return b
		})},
		{name: "answered before it is stored", fail: func(d record.Document, err error) error {
			if len(d.Key) > 8 && d.Key[:8] == "circuit/" {
				return nil
			}
			return err
		}},
		{name: "idempotency keys are not stored", quick: true, store: group(nil, func(g *record.Group) { g.Keys = nil })},
		{name: "a pause is not looked at", load: loaded(func(g *record.Group) { g.Pause = nil })},
		{name: "the kill switch is not looked at", load: func(_ *world, d *record.Document) {
			if d.Key != record.EstateKey {
				return
			}
			var e record.Estate
			if json.Unmarshal(d.Body, &e) == nil {
				e.Killed = nil
				d.Body, _ = json.Marshal(e, json.Deterministic(true))
			}
		}},
		{name: "others' weights are overwritten", load: loaded(func(g *record.Group) { g.Drift = nil }), store: group(nil, func(g *record.Group) { g.Drift = nil })},
		{name: "silence counts as health", world: silent, rule: func(r failover.GroupRules) failover.GroupRules {
			r.Policy.Fresh = 24 * time.Hour
			r.Health.MaxAge = nil
			r.Health.MaxAge = aged(24 * time.Hour)
			return r
		}},
		{name: "no cool-down", rule: func(r failover.GroupRules) failover.GroupRules { r.Policy.CoolDown = 0; return r }},
		{name: "home is trusted at once", rule: func(r failover.GroupRules) failover.GroupRules {
			r.Health.HoldUp, r.Policy.Failback.After = 0, 0
			return r
		}},
		{name: "no blast radius", limit: func(l policy.Limits) policy.Limits { l.OperationsPerHour = 10000; return l },
			rule: func(r failover.GroupRules) failover.GroupRules {
				r.Policy.CoolDown, r.Policy.Failback.After = 0, 0
				r.Health.HoldDown, r.Health.HoldUp, r.Health.Damping.Penalty = time.Second, time.Second, 0
				return r
			}},
		{name: "journal rows are lost", rows: func(w *world, _ string, _ *[]record.Row) bool { return w.draw("mutant", w.points, "row")%50 == 0 }},
		{name: "something else changes with the weight", quick: true, clobber: true},
		{name: "break before make: the old path is lowered first", net: func(w *world, n executor.Network) executor.Network { return &breaking{Network: n, w: w} }},
		{name: "fixed weights: the epoch is not in the weight", quick: true, net: func(w *world, n executor.Network) executor.Network { return &fixed{Network: n, w: w} }},
		{name: "no repair: a running operation is never taken up again", load: loaded(func(g *record.Group) {
			if g.Operation != nil && g.Operation.Status != record.AwaitingApproval {
				g.Operation.Status = record.Ended
			}
		})},
	}, append(moreMutants(), leverMutants()...)...)
}

// group makes a store mutant for the group's document: a save that is only
// pretended, or one that is changed.
func group(drop func(*world, *record.Group) bool, change func(*record.Group)) func(*world, *record.Document) (string, bool) {
	return func(w *world, d *record.Document) (string, bool) {
		var g record.Group
		if d.Key != record.GroupKey("east") || json.Unmarshal(d.Body, &g) != nil {
			return "", false
		}
		if drop != nil && drop(w, &g) {
			return d.ETag, true
		}
		if change != nil {
			change(&g)
			d.Body, _ = json.Marshal(g, json.Deterministic(true))
		}
		return "", false
	}
}

// loaded makes a mutant that forgets something when the group's document is read.
func loaded(change func(*record.Group)) func(*world, *record.Document) {
	return func(_ *world, d *record.Document) {
		var g record.Group
		if d.Key != record.GroupKey("east") || json.Unmarshal(d.Body, &g) != nil {
			return
		}
		change(&g)
		d.Body, _ = json.Marshal(g, json.Deterministic(true))
	}
}

// begins makes a mutant that misreads the answers to writes.
func begins(change func(executor.Begun) executor.Begun) func(*world, executor.Network) executor.Network {
	return func(_ *world, n executor.Network) executor.Network { return misreading{n, change} }
}

type misreading struct {
	executor.Network
	change func(executor.Begun) executor.Begun
}

func (m misreading) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	out := m.Network.Begin(ctx, ws)
	for k := range out {
		out[k] = m.change(out[k])
	}
	return out
}

// believing answers reads of a connection with what was sent last.
type believing struct {
	executor.Network
	w    *world
	sent map[string]executor.Write
}

func (b *believing) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	out := b.Network.Begin(ctx, ws)
	for k, g := range out {
		if g.Outcome != executor.NotApplied {
			if b.sent == nil {
				b.sent = map[string]executor.Write{}
			}
			b.sent[ws[k].Connection] = ws[k]
		}
	}
	return out
}

func (b *believing) Read(ctx context.Context, refs []executor.Ref) []executor.Reading {
	out := b.Network.Read(ctx, refs)
	for k := range out {
		if s, ok := b.sent[refs[k].ID]; ok && out[k].Connection != nil {
			out[k].Connection.Weight, out[k].Connection.Epoch, out[k].Connection.Provisioning = s.To, s.Epoch, "Succeeded"
		}
	}
	return out
}

// breaking lowers the connection that carries before the wanted one is raised.
type breaking struct {
	executor.Network
	w *world
}

func (b *breaking) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	for _, wr := range ws {
		for _, id := range b.w.azure.order {
			c := b.w.azure.conns[id]
			if c.gateway == wr.Gateway && id != wr.Connection && c.weight > 1 && wr.To > wr.From {
				low := wr
				low.ID, low.Connection, low.From, low.To = wr.ID+"-low", id, c.weight, 1
				b.Network.Begin(ctx, []executor.Write{low})
			}
		}
	}
	return b.Network.Begin(ctx, ws)
}

// fixed sends one weight for every raise, and reads it back as what was wanted.
type fixed struct {
	executor.Network
	w    *world
	want map[string]executor.Write
}

func (f *fixed) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	low := slices.Clone(ws)
	for k, wr := range low {
		if wr.Epoch != "" {
			f.w.judge.alias(wr.ID, 201)
			low[k].To = 201
		}
		if c := f.w.azure.conns[wr.Connection]; c != nil {
			low[k].From = c.weight
		}
	}
	return f.Network.Begin(ctx, low)
}

func (f *fixed) Read(ctx context.Context, refs []executor.Ref) []executor.Reading {
	out := f.Network.Read(ctx, refs)
	for k := range out {
		if c := out[k].Connection; c != nil && c.Epoch != "" {
			c.Weight = 200
			for _, e := range []byte(c.Epoch) {
				_ = e
			}
			c.Weight += number(c.Epoch)
		}
	}
	return out
}

func number(s string) (n int32) {
	for _, c := range []byte(s) {
		n = n*10 + int32(c-'0')
	}
	return n
}

// aged returns a table in which every observer's word stands that long.
func aged(d time.Duration) map[events.Observer]time.Duration {
	out := map[events.Observer]time.Duration{}
	for o := range health.DefaultMaxAge() {
		out[o] = d
	}
	return out
}
