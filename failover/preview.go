package failover

import (
	"context"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// Preview is what an order, or the automation's own judgement, would do now.
type Preview struct {
	Verdict policy.Verdict `json:"verdict"`
	Plan    planner.Plan   `json:"plan"` // empty when the verdict holds
	View    health.View    `json:"view"`
	Refused string         `json:"refused,omitzero"` // why no safe plan could be made

	Measured policy.Facts `json:"-"` // what guards about load and prefixes could look at
}

// Preview judges and plans like a beat does, by the same code, on the record and
// the weights as they are now; it saves nothing and writes nothing. The plan has the
// ID that the real run would give it. order may be nil.
func (e *Engine) Preview(ctx context.Context, group string, order *events.Order) (Preview, error) {
	quiet := New(e.Settings)
	quiet.Store = readOnly{e.Store}
	r := &run{Engine: quiet, log: e.Log.With().Str("door", "preview").Logger()}
	if _, err := r.load(ctx, record.EstateKey, &r.estate); err != nil {
		return Preview{}, err
	}
	if len(r.estate.Facts.Connections) == 0 {
		r.estate.Facts, _ = r.discover(ctx, false)
	}
	for _, g := range e.Topology.Groups {
		r.groups = append(r.groups, g.Name)
	}
	w, err := r.open(ctx, group)
	if err != nil {
		return Preview{}, err
	}
	w.lookAtWeights(ctx, true)
	v, err := w.judge(ctx, order)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Verdict: v, View: w.view}
	if out.Measured, err = w.measured(ctx); err != nil {
		return Preview{}, err
	}
	plan, err := w.plan(v)
	if err != nil {
		out.Refused = err.Error()
		return out, nil
	}
	out.Plan = plan
	return out, nil
}

// readOnly is a store that pretends to save: nothing that a preview changes is
// kept.
type readOnly struct{ record.Store }

// Save keeps nothing.
func (readOnly) Save(_ context.Context, doc record.Document) (string, error) { return doc.ETag, nil }

// Append keeps nothing.
func (readOnly) Append(context.Context, string, []record.Row) error { return nil }
