package failover

import (
	"context"
	"errors"
	"slices"

	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/trace"
)

// traceDecide begins the span of a decision. It links to the calls that brought the
// news: after a hold-down the decision falls in a later tick, in another trace.
func (w *work) traceDecide(ctx context.Context, v policy.Verdict) (context.Context, func(error)) {
	var links []string
	for _, circuit := range v.From {
		if at := w.heard[circuit]; at != "" && !slices.Contains(links, at) {
			links = append(links, at)
		}
	}
	ctx, span := w.Trace.Begin(ctx, trace.Work{Name: "decide", Links: links, Attrs: []trace.Attr{
		trace.Text(trace.KeyGroup, w.g.Name), trace.Text(trace.KeyAction, string(v.Action)), trace.Text(trace.KeyKind, string(v.Kind))}})
	return ctx, func(err error) { span.End(trouble(err)) }
}

// trouble passes on an error that is one: losing a save, or having to look again, is
// the ordinary course.
func trouble(err error) error {
	if conflict(err) || errors.Is(err, errAgain) {
		return nil
	}
	return err
}

// traceOperate begins the span of one beat of an operation. It links to the
// decision, which an earlier call of another instance may have made.
func (w *work) traceOperate(ctx context.Context, op *record.Operation) (context.Context, func(error)) {
	ctx, span := w.Trace.Begin(ctx, trace.Work{Name: "operate", Links: linkTo(op), Attrs: []trace.Attr{
		trace.Text(trace.KeyGroup, w.g.Name), trace.Text(trace.KeyOperation, op.ID), trace.Text(trace.KeyPlan, op.Plan.ID), trace.Number(trace.KeyEpoch, op.Plan.Epoch)}})
	return ctx, func(err error) {
		span.Set(trace.Text(trace.KeyStatus, string(op.Status)))
		span.End(trouble(err))
	}
}

func linkTo(op *record.Operation) []string {
	if op.Trace == "" {
		return nil
	}
	return []string{op.Trace}
}

// measureEnd counts an operation that ended, with the time since the trouble began.
func (w *work) measureEnd(ctx context.Context, op *record.Operation) {
	attrs := []trace.Attr{trace.Text(trace.KeyGroup, w.g.Name), trace.Text(trace.KeyKind, string(op.Kind)), trace.Text(trace.KeyResult, string(op.Result))}
	w.Trace.Measure(ctx, trace.Operations, 1, attrs...)
	if op.Kind == policy.KindSettle || op.Stamps.Signal.IsZero() {
		return
	}
	w.Trace.Measure(ctx, trace.Recovery, op.Stamps.End.Sub(op.Stamps.Signal).Seconds(), attrs...)
}

// measure counts the signals of one Handle by what became of them.
func (e *Engine) measure(ctx context.Context, r Receipt) {
	for _, c := range []struct {
		outcome string
		n       int
	}{{"applied", r.Applied}, {"repeated", r.Repeated}, {"set_aside", r.SetAside}, {"refused", r.Refused}, {"unknown", r.Unknown}, {"order", r.Orders}} {
		if c.n > 0 {
			e.Trace.Measure(ctx, trace.Signals, float64(c.n), trace.Text(trace.KeyOutcome, c.outcome))
		}
	}
}
