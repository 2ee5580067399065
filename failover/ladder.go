package failover

import (
	"context"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// leverHistory tells the policy what is pulled, whether the last weights moved
// nothing, and who would carry were a lever pulled.
func (w *work) leverHistory(h *policy.History, order *events.Order) {
	for _, c := range w.g.Cuts {
		if c.Gone.IsZero() {
			h.Cuts = append(h.Cuts, policy.Cut{Lever: c.Lever, Circuits: c.Circuits, Until: c.Deadline, Due: c.Due})
		}
	}
	h.Inert = w.g.Inert
	if h.Inert == nil && (order == nil || !order.Lever.Cuts()) {
		return
	}
	h.Heirs = map[policy.Lever]map[string][]string{policy.LeverDisconnect: {}, policy.LeverPeering: {}}
	for _, name := range w.topo.Circuits() {
		c, ok := w.estate.Facts.Circuit(name)
		if !ok {
			continue
		}
		left := w.weights()
		w.strike(left, func(_ string, k topology.Circuit) bool { return strings.EqualFold(k.Location, c.Location) })
		h.Heirs[policy.LeverDisconnect][name] = planner.Carrying(&w.estate.Facts, w.topo, left)
		left = w.weights()
		w.strike(left, func(_ string, k topology.Circuit) bool { return k.Name == name })
		h.Heirs[policy.LeverPeering][name] = planner.Carrying(&w.estate.Facts, w.topo, left)
	}
}

// effective returns the weights of the connections that carry anything: those that a
// lever is known to have cut off are left out.
func (w *work) effective() map[string]planner.Weight {
	out := w.weights()
	for _, c := range w.g.Cuts {
		if !c.Effective() {
			continue
		}
		w.strike(out, func(gateway string, k topology.Circuit) bool {
			switch c.Pull.Kind {
			case planner.Disconnect:
				return gateway == c.Pull.Gateway && strings.EqualFold(k.Location, c.Pull.Location)
			case planner.CutPeering:
				return k.Name == c.Pull.Circuit
			case planner.SetWeight, planner.CutLink:
			}
			return false
		})
	}
	return out
}

// strike takes the connections that are cut out of a map by connection.
func (w *work) strike(weights map[string]planner.Weight, cut func(gateway string, c topology.Circuit) bool) {
	for _, k := range w.estate.Facts.ConnectionsOf(w.topo) {
		if c, ok := w.estate.Facts.Circuit(w.estate.Facts.CircuitOf(k.Circuit)); ok && cut(k.Gateway, c) {
			delete(weights, k.ID)
		}
	}
}

// leversAtEnd takes an operation's end into the ladder: a pull that failed is put
// back, and weights that moved nothing are remembered.
func (w *work) leversAtEnd(op *record.Operation) {
	if op.Plan.Lever.Cuts() {
		w.followPulls(op)
		if op.Result == record.FailedOp {
			w.putAllBack(func(c record.Cut) bool { return c.Operation == op.ID }, "its operation failed")
		}
		return
	}
	trouble := op.Kind == policy.KindFailover || op.Kind == policy.KindEvacuate
	if trouble && op.Result == record.AppliedOK && op.Traffic != nil && op.Traffic.Stayed {
		w.g.Inert = &policy.Inert{Operation: op.ID, From: op.Plan.From, To: op.Plan.To}
	}
}

// putBackByOrder takes an order to go home as one to put the levers back: nobody goes
// home over a path that is cut. It reports whether it was one.
func (w *work) putBackByOrder(o *events.Order) bool {
	i := slices.IndexFunc(w.g.Cuts, func(c record.Cut) bool { return c.Gone.IsZero() })
	if o.Verb != events.OrderFailback || i < 0 {
		return false
	}
	back := restoreID(w.g.Cuts[i].Operation)
	w.putAllBack(func(record.Cut) bool { return true }, "ordered by "+o.By)
	answer(&w.g, "the lever is put back; what else leads home follows", back, w.now)
	return true
}

// homeIsReady puts the levers back when they are all that keeps traffic from home.
func (w *work) homeIsReady(v policy.Verdict) bool {
	if v.Kind != policy.KindFailback || !v.Has(policy.LeverHeld) || !slices.ContainsFunc(w.g.Cuts, func(c record.Cut) bool { return c.Due.IsZero() && c.Gone.IsZero() }) {
		return false
	}
	for _, f := range v.Reasons {
		if f.Code != policy.LeverHeld && f.Code != policy.OnStandby {
			return false
		}
	}
	w.putAllBack(func(record.Cut) bool { return true }, "home passed every gate of the way home")
	return true
}

// orphans lists the groups that are not configured any more and have a lever pulled.
func (r *run) orphans(ctx context.Context) ([]string, error) {
	var out []string
	const page = 1000
	for after := ""; ; {
		keys, err := r.Store.List(ctx, record.GroupKey(""), after, page)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			name := strings.TrimPrefix(key, record.GroupKey(""))
			if slices.ContainsFunc(r.Topology.Groups, func(g topology.Group) bool { return g.Name == name }) {
				continue
			}
			g, _, err := r.loadGroup(ctx, name)
			if err != nil {
				return nil, err
			}
			if len(g.Cuts) > 0 {
				out = append(out, name)
			}
		}
		if len(keys) < page {
			return out, nil
		}
		after = keys[len(keys)-1]
	}
}

// release puts back what a group has pulled that is not configured any more. The
// group's own document says everything that is needed.
func (r *run) release(ctx context.Context, name string) error {
	turn := r.turn(name)
	turn.Lock()
	defer turn.Unlock()
	for range casAttempts {
		g, etag, err := r.loadGroup(ctx, name)
		if err != nil {
			return err
		}
		w := &work{run: r, topo: topology.Group{Name: name}, g: g, etag: etag, now: r.Clock.Now()}
		if op := w.g.Operation; op != nil && op.Plan.Lever.Cuts() { // its pulls are followed by their cuts
			w.followPulls(op)
			w.archive(op, record.Cancelled)
			w.g.Operation = nil
		}
		w.putAllBack(func(record.Cut) bool { return true }, "its group is not configured any more")
		if err = w.levers(ctx); err == nil && w.dirty {
			err = w.keep(ctx)
		}
		if conflict(err) {
			continue
		}
		if err != nil || len(w.g.Cuts) > 0 {
			return err
		}
		return r.changeEstate(ctx, func(_ time.Time) bool {
			before := len(r.estate.Orphans)
			r.estate.Orphans = slices.DeleteFunc(r.estate.Orphans, func(n string) bool { return n == name })
			return len(r.estate.Orphans) != before
		})
	}
	return contended(record.GroupKey(name))
}

// what says what an operation does.
func what(op *record.Operation) string {
	text := string(op.Kind) + " from " + list(op.Plan.From) + " to " + list(op.Plan.To)
	if len(op.Plan.From) == 0 { // a settle moves no traffic
		text = string(op.Kind) + " to the weights at rest, home on " + list(op.Plan.To)
	}
	switch op.Plan.Lever {
	case policy.LeverLink:
		return string(op.Kind) + " on one link of " + list(op.Plan.From)
	case policy.LeverDisconnect, policy.LeverPeering:
		return text + " by lever " + string(op.Plan.Lever)
	case policy.LeverWeight, "":
	}
	return text
}

// drillText says what a drill does.
func drillText(id string, op *record.Operation) string {
	if op.Plan.Lever == policy.LeverLink {
		return "drill " + id + " cuts one link of " + list(op.Plan.From)
	}
	return "drill " + id + " moves traffic to " + list(op.Plan.To)
}
