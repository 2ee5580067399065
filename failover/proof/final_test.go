package proof

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"erfailover/failover"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

func (o *oracles) ctx() context.Context { return context.Background() }

// final is the last judgement, after the quiet: everything has come to rest where
// it belongs, every event was answered, every journal is whole.
func (o *oracles) final() {
	for _, p := range o.root.peers {
		p.converged()
	}
	o.must("L4", o.w.owed == 0, "%d batches of events were never answered", o.w.owed)
	o.journals()
}

// converged is L1.
func (o *oracles) converged() {
	w, g := o.w, o.rec
	o.must("L1", g.Operation == nil, "an operation still runs: %+v", brief(g.Operation))
	o.must("L1", len(g.Intents) == 0, "%d intents are still open", len(g.Intents))
	home := slices.Sorted(slices.Values(o.group.Home()))
	homeOK := !slices.ContainsFunc(home, func(c string) bool { return !w.truth.ok(c, w.now) })
	other := slices.ContainsFunc(o.group.Circuits(), func(c string) bool { return w.truth.ok(c, w.now) })
	o.leversBack(homeOK)
	for _, gw := range o.group.Gateways {
		on := o.picture(gw)
		o.must("L1", o.allOK(on) || !other, "%s is on %v, which is dead: %s", short(gw), on, o.why())
		if !homeOK || w.swarm.drift == policy.DriftAccept {
			continue
		}
		o.must("L1", slices.Equal(on, home), "%s is on %v, not at home: %s", short(gw), on, o.why())
	}
	if !homeOK || w.swarm.drift == policy.DriftAccept {
		return
	}
	for _, id := range w.azure.order {
		c := w.azure.conns[id]
		if !o.mine(id) {
			continue
		}
		o.must("L1", c.weight == c.history[0].weight && c.epoch == "", "%s has weight %d epoch %q, not %d as at rest: %s", short(id), c.weight, c.epoch, c.history[0].weight, o.why())
	}
}

// why tells what the record says about a group that does not come to rest.
func (o *oracles) why() string {
	text := "verdict " + string(o.rec.Verdict.Action)
	for _, c := range o.rec.Verdict.Codes() {
		text += " " + c
	}
	for _, id := range sortedKeys(o.rec.Drift) {
		text += ", drift on " + short(id)
	}
	return text
}

func brief(op *record.Operation) any {
	if op == nil {
		return nil
	}
	var out []string
	for _, s := range op.Steps {
		out = append(out, short(s.Connection)+" "+string(s.Phase)+" "+s.Error)
	}
	return struct {
		ID, Kind, Status string
		Steps            []string
	}{op.ID, string(op.Kind), string(op.Status), out}
}

// journals is S21: every chain leads to the head that is stored beside the state,
// and every decision has its row.
func (o *oracles) journals() {
	rows := map[string]bool{}
	for _, stream := range o.w.store.Streams() {
		head := o.head(stream)
		var err error
		if untouched := !o.backAt.IsZero() && head == o.heads[stream]; untouched { // it ends where its copy ends
			_, err = record.Verify(stream, record.Head{}, o.w.store.Rows(stream))
		} else {
			err = record.VerifyTo(stream, head, o.w.store.Rows(stream))
		}
		o.must("S21", err == nil, "%v", err)
		for _, row := range o.w.store.Rows(stream) {
			if e, err := record.ParseEntry(row.Body); err == nil && e.Code == failover.CodeDecided {
				rows[fmt.Sprint(e.Group, e.Epoch)] = true
			}
		}
	}
	for _, p := range o.root.peers {
		for _, epoch := range sortedKeys(p.decided) {
			d := p.decided[epoch]
			o.must("S21", rows[fmt.Sprint(p.group.Name, d.epoch)] || !o.backAt.IsZero(), "the decision of epoch %d has no row", d.epoch)
		}
	}
}

// head returns the end of a stream's chain as its document says.
func (o *oracles) head(stream string) record.Head {
	key := stream
	switch {
	case strings.HasPrefix(stream, "group."):
		key = record.GroupKey(strings.TrimPrefix(stream, "group."))
	case len(stream) > 8 && stream[:8] == "circuit.":
		key = record.CircuitKey(stream[8:])
	}
	doc, err := o.w.store.Load(o.ctx(), key)
	if err != nil {
		o.must("S21", !o.backAt.IsZero(), "stream %s has no document: %v", stream, err)
		return record.Head{}
	}
	var t record.Trail
	if err := json.Unmarshal(doc.Body, &t); err != nil {
		o.must("S21", false, "%s: %v", key, err)
	}
	return t.Head
}
