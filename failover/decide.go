package failover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// decide turns a verdict that wants something into an operation: plan, claim, look
// again, compare, store the plan with its intents, begin.
func (w *work) decide(ctx context.Context, v policy.Verdict, order *events.Order) (err error) {
	if w.g.Lease.HeldByOther(w.Owner, w.now) {
		w.log.Debug().Str("event", "claim.held").Str("group", w.g.Name).Msg("another instance is at work")
		if w.dirty {
			return w.keep(ctx)
		}
		return nil
	}
	ctx, done := w.traceDecide(ctx, v)
	defer func() { done(err) }()
	first, err := w.plan(v)
	if err != nil {
		return w.refusePlan(ctx, err, order)
	}
	w.g.Lease = record.Lease{Owner: w.Owner, Until: w.now.Add(w.Timing.Lease)}
	if err := w.keep(ctx); err != nil { // the claim; the detection is stored with it
		return err
	}
	again, err := w.lookAgain(ctx, order)
	if err != nil {
		return err
	}
	second, err := w.plan(again)
	if err != nil {
		return w.refusePlan(ctx, err, order)
	}
	if again.Action != v.Action || second.ID != first.ID {
		w.note(record.Entry{Code: CodeChanged, Plan: second.ID, Reasons: []string{string(policy.ChangedUnderUs)}, Text: "between the claim and the second look something changed; it is judged anew"})
		w.g.Lease = record.Lease{}
		if err := w.keep(ctx); err != nil {
			return err
		}
		return errAgain
	}
	if len(second.Steps) == 0 {
		return w.nothingToWrite(ctx, order)
	}
	return w.launch(ctx, again, second, order)
}

// lookAgain reads the beliefs and the network anew and judges again.
func (w *work) lookAgain(ctx context.Context, order *events.Order) (policy.Verdict, error) {
	if err := w.lookAtSwitch(ctx); err != nil {
		return policy.Verdict{}, err
	}
	w.lookAtWeights(ctx, true)
	if err := w.believe(ctx); err != nil { // last, so that the verdict is as new as can be
		return policy.Verdict{}, err
	}
	return w.judge(ctx, order)
}

// plan makes the plan of a verdict from the newest read. A hold plans nothing.
func (w *work) plan(v policy.Verdict) (planner.Plan, error) {
	if v.Action == policy.Hold {
		return planner.Plan{}, nil
	}
	actual := w.weights()
	return planner.Make(planner.Input{
		Estate: &w.estate.Facts, Group: w.topo, Actual: actual, Baseline: w.g.Baseline, Verdict: v, Open: w.openWeights(),
		Epoch: planner.NextEpoch(w.g.Epoch, &w.estate.Facts, w.topo, w.g.Baseline, actual),
	})
}

// openWeights returns, by connection, the highest weight that a write of ours may
// still bring.
func (w *work) openWeights() map[string]int32 {
	open := map[string]int32{}
	for _, i := range w.g.Intents {
		open[i.Connection] = max(open[i.Connection], i.To.Weight)
	}
	if op := w.g.Operation; op != nil {
		for _, s := range op.Steps {
			if s.Open(w.now) && s.Kind == planner.SetWeight {
				open[s.Connection] = max(open[s.Connection], s.To.Weight)
			}
		}
	}
	return open
}

// refusePlan records that no safe plan could be made.
func (w *work) refusePlan(ctx context.Context, err error, order *events.Order) error {
	w.log.Warn().Str("event", "plan.refused").Str("group", w.g.Name).Str("hint", fault.HintOf(err)).Err(err).Msg("no safe plan could be made")
	w.note(record.Entry{Code: CodeChanged, Reasons: []string{string(fault.KindOf(err))}, Text: "no plan: " + err.Error()})
	w.g.FailedAt, w.g.Lease = w.now, record.Lease{}
	if order != nil {
		answer(&w.g, "refused: "+err.Error(), "", w.now)
	}
	return w.keep(ctx)
}

// nothingToWrite ends a decision whose plan has no steps.
func (w *work) nothingToWrite(ctx context.Context, order *events.Order) error {
	w.g.Lease = record.Lease{}
	if order != nil {
		answer(&w.g, "the weights are already as wanted", "", w.now)
	}
	return w.keep(ctx)
}

// launch stores the operation and, unless a person must agree first, begins it.
func (w *work) launch(ctx context.Context, v policy.Verdict, p planner.Plan, order *events.Order) error {
	op := &record.Operation{
		ID: operationID(p, w.now), Kind: v.Kind, Group: w.g.Name, Plan: p, Verdict: v,
		Status: record.Applying, Symmetry: record.Unproven, Steps: executor.Steps(p), By: v.By, Stamps: w.stamps(v), Trace: w.Trace.Carry(ctx),
	}
	if order != nil {
		given := *order
		op.Order = &given
	}
	if w.needsApproval(v) {
		return w.await(ctx, op, order)
	}
	if w.g.Operation != nil {
		w.supersede(op)
	}
	w.begin(op)
	w.drill(op, order)
	if order != nil {
		answer(&w.g, "begun", op.ID, w.now)
	}
	return w.operate(ctx)
}

// operationID names one execution of a plan: the same plan may be proposed again
// after it was cancelled.
func operationID(p planner.Plan, now time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", p.ID, now.UnixNano()))
	return "op-" + hex.EncodeToString(sum[:8])
}

// begin makes an operation the group's running one. It is stored with its first
// intents, before the first write.
func (w *work) begin(op *record.Operation) {
	w.g.Operation, w.g.Epoch, w.g.QuietSince = op, op.Plan.Epoch, time.Time{}
	w.arm(op)
	w.note(record.Entry{Code: CodeDecided, Actor: op.By, Reasons: op.Verdict.Codes(),
		Text: what(op), Fields: map[string]string{"writes": count(len(op.Steps)), "kind": string(op.Kind), "from": strings.Join(op.Plan.From, ","), "to": strings.Join(op.Plan.To, ",")}})
	w.log.Info().Str("event", CodeDecided).Str("group", w.g.Name).Str("operation", op.ID).Str("plan", op.Plan.ID).Int64("epoch", op.Plan.Epoch).
		Str("kind", string(op.Kind)).Strs("from", op.Plan.From).Strs("to", op.Plan.To).Int("writes", len(op.Steps)).Msg("decided: the plan and its intents are stored before the first write")
}

// supersede ends the running operation in favour of a newer decision. Its writes
// that may still land are kept as open intents: they fence the decision after the
// new one.
func (w *work) supersede(by *record.Operation) {
	old := w.g.Operation
	w.g.Intents = append(w.g.Intents, openIntents(old, w.now, w.Timing.Landing)...)
	w.heed(old.Steps)
	w.note(record.Entry{Code: CodeSuperseded, Reasons: []string{string(policy.Superseded)}, Text: old.ID + " is superseded by " + by.ID})
	w.putAllBack(func(c record.Cut) bool { return c.Operation == old.ID }, "its operation is superseded")
	w.archive(old, record.Overtaken)
}

// heed keeps what Azure told steps that are over, or a lever's: whoever writes on the
// same gateway next waits for it too.
func (w *work) heed(steps []executor.StepState) {
	maps.DeleteFunc(w.g.Told, func(_ string, until time.Time) bool { return !w.now.Before(until) })
	for _, s := range steps {
		if !w.now.Before(s.Told) {
			continue
		}
		if w.g.Told == nil {
			w.g.Told = map[string]time.Time{}
		}
		w.g.Told[s.Gateway] = later(w.g.Told[s.Gateway], s.Told)
	}
}

// wait tells steps what Azure told others on their gateways.
func (w *work) wait(steps []executor.StepState) {
	for i := range steps {
		s := &steps[i]
		s.Told = later(s.Told, w.g.Told[s.Gateway])
		if op := w.g.Operation; op != nil {
			for _, o := range op.Steps {
				if o.Gateway == s.Gateway {
					s.Told = later(s.Told, o.Told)
				}
			}
		}
	}
}

// openIntents returns the writes of an operation that may still land.
func openIntents(op *record.Operation, now time.Time, landing time.Duration) []record.OpenIntent {
	var out []record.OpenIntent
	for _, s := range op.Steps {
		if !s.Open(now) || s.Kind != planner.SetWeight {
			continue // a lever's pull is followed by its cut
		}
		at := s.IntentAt
		if at.IsZero() {
			at = now
		}
		out = append(out, record.OpenIntent{WriteID: s.WriteID, Connection: s.Connection, Operation: op.ID, Epoch: op.Plan.Epoch, To: s.To,
			At: at, Until: later(at.Add(landing), s.Doubt), Token: s.Token, Settle: op.Plan.Settle, Doubt: !s.Doubt.IsZero()})
	}
	return out
}

// stamps begins the recovery ledger of a decision.
func (w *work) stamps(v policy.Verdict) record.Stamps {
	st := record.Stamps{Decide: w.now}
	if len(w.g.Orders) > 0 && v.By != "" {
		st.Signal = w.g.Orders[0].At
		return st
	}
	for _, name := range v.From {
		b := w.view.Circuits[name]
		if b.State != health.Down && b.State != health.Degraded {
			continue
		}
		st.Signal = sooner(st.Signal, b.BadSince)
		st.Confirm = later(st.Confirm, b.Since)
	}
	return st
}

// needsApproval reports whether a person must agree before an operation runs.
// Settling moves no traffic and needs nobody.
func (w *work) needsApproval(v policy.Verdict) bool {
	if v.Kind == policy.KindFailback && w.endsDrill() {
		return false // the end of a drill was agreed to with its beginning
	}
	if v.Lever == policy.LeverPeering {
		return true // it cuts the circuit for everybody
	}
	return w.rules.Policy.Mode == policy.Approve && v.Kind != policy.KindSettle
}

// await stores an operation that waits for approval.
func (w *work) await(ctx context.Context, op *record.Operation, order *events.Order) error {
	op.Status, op.Expires = record.AwaitingApproval, w.now.Add(w.rules.Policy.Approval.Expires)
	w.g.Operation, w.g.Lease = op, record.Lease{}
	w.note(record.Entry{Code: CodeWaiting, Reasons: []string{string(policy.ApprovalAwaited)}, Actor: op.By,
		Text: what(op) + " waits for approval until " + op.Expires.UTC().Format(time.RFC3339)})
	if order != nil {
		answer(&w.g, "waits for approval", op.ID, w.now)
	}
	return w.keep(ctx)
}

// expire ends an operation that nobody approved in time.
func (w *work) expire() {
	op := w.g.Operation
	if op == nil || op.Status != record.AwaitingApproval || w.now.Before(op.Expires) {
		return
	}
	w.note(record.Entry{Code: CodeEnded, Reasons: []string{string(policy.ApprovalAwaited)}, Text: "nobody approved in time"})
	w.archive(op, record.Cancelled)
	w.g.Operation, w.g.FailedAt = nil, w.now
}

// approvals handles orders that approve or cancel, which go ahead of every other.
func (w *work) approvals(ctx context.Context) error {
	for len(w.g.Orders) > 0 {
		o := w.g.Orders[0].Order
		switch o.Verb {
		case events.OrderCancel:
			answer(&w.g, w.cancel(o), "", w.now)
			w.dirty = true
		case events.OrderApprove:
			return w.approve(ctx, o)
		default:
			return nil
		}
	}
	return nil
}

// cancel ends a waiting operation, or takes a scheduled order off the list. An
// operation that runs is not cancelled half way: what was written stays written, and
// an order in the other direction is the way back.
func (w *work) cancel(o events.Order) string {
	op := w.g.Operation
	if s, ok := unschedule(&w.g, o.Operation); ok {
		w.note(record.Entry{Code: CodeUnscheduled, Actor: o.By, Text: string(s.Order.Verb) + " of " + s.Order.NotBefore.UTC().Format(time.RFC3339) + ", ordered by " + s.Order.By + ", is cancelled by " + o.By})
		return "cancelled " + o.Operation
	}
	switch {
	case op == nil || (o.Operation != "" && o.Operation != op.ID):
		return "refused: no such operation waits"
	case op.Status != record.AwaitingApproval:
		return "refused: the operation runs already; order the way back instead"
	}
	w.note(record.Entry{Code: CodeEnded, Actor: o.By, Text: "cancelled by " + o.By})
	if op.Plan.Lever.Cuts() {
		w.g.Inert = nil // a person does not want the ladder
	}
	w.archive(op, record.Cancelled)
	w.g.Operation, w.g.FailedAt = nil, w.now
	return "cancelled " + op.ID
}

// approve counts an approval, and begins the operation when there are enough: after
// a second look that must give the very plan that was approved.
func (w *work) approve(ctx context.Context, o events.Order) error {
	op, refusal := w.g.Operation, ""
	need := max(w.rules.Policy.Approval.Approvers, 1)
	switch {
	case op == nil || op.Status != record.AwaitingApproval || (o.Operation != "" && o.Operation != op.ID):
		refusal = "refused: no such operation waits"
	case o.Plan != "" && o.Plan != op.Plan.ID:
		refusal = "refused: the plan that was read is not the one that waits"
	case w.rules.Policy.Approval.Distinct && op.Order != nil && samePerson(o.By, o.Subject, op.By, op.Order.Subject):
		refusal = "refused: the approver must not be the requester"
	case approvedBy(op, o):
		refusal = "refused: " + o.By + " has approved already"
	}
	if refusal != "" {
		answer(&w.g, refusal, "", w.now)
		return w.keepAndAgain(ctx)
	}
	op.Approved, op.Approval = append(op.Approved, o.By), append(op.Approval, o.Subject)
	if len(op.Approved) < need {
		answer(&w.g, "approved, more approvals are needed", op.ID, w.now)
		return w.keepAndAgain(ctx)
	}
	if err := w.lookAtSwitch(ctx); err != nil {
		return err
	}
	w.lookAtWeights(ctx, true)
	if w.g.Operation == nil { // the record turned out to be older than the network
		answer(&w.g, "refused: what was approved is no longer what would be done; it is proposed anew", "", w.now)
		return w.keepAndAgain(ctx)
	}
	w.g.Operation = nil
	v, err := w.judge(ctx, op.Order)
	if err != nil {
		return err
	}
	if p, err := w.plan(v); err != nil || p.ID != op.Plan.ID {
		answer(&w.g, "refused: what was approved is no longer what would be done; it is proposed anew", "", w.now)
		w.note(record.Entry{Code: CodeChanged, Operation: op.ID, Reasons: []string{string(policy.ChangedUnderUs)}, Text: "the approved plan no longer fits"})
		w.archive(op, record.Cancelled)
		return w.keepAndAgain(ctx)
	}
	op.Status, op.Stamps.Approve, op.Expires = record.Applying, w.now, time.Time{}
	w.begin(op)
	w.drill(op, op.Order)
	answer(&w.g, "approved and begun", op.ID, w.now)
	if err := w.operate(ctx); err != nil {
		return err
	}
	return errAgain
}

func (w *work) keepAndAgain(ctx context.Context) error {
	if err := w.keep(ctx); err != nil {
		return err
	}
	return errAgain
}
