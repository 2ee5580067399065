package failover

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// keptSummaries is how many ended operations a group's document lists.
const keptSummaries = 50

// operate takes the running operation one beat further: writes, then the gateways'
// routes, then traffic. While another instance is at work it is left alone: taking
// the same beat twice would send the same write twice. The lease is stored with
// what the beat stores.
func (w *work) operate(ctx context.Context) (err error) {
	op := w.g.Operation
	if w.g.Lease.HeldByOther(w.Owner, w.now) {
		if w.dirty {
			return w.keep(ctx)
		}
		return nil
	}
	ctx, done := w.traceOperate(ctx, op)
	defer func() { done(err) }()
	w.g.Lease = record.Lease{Owner: w.Owner, Until: w.now.Add(w.Timing.Lease)}
	for {
		before := op.Status
		if (before == record.Converging || before == record.Verifying) && w.beingPutBack(op) {
			op.Notes = append(op.Notes, "the lever was put back before its effect was proven")
			op.Status, op.Result = record.Ended, record.AppliedOK
		}
		switch op.Status {
		case record.Applying:
			err = w.apply(ctx, op)
		case record.Converging:
			err = w.converge(ctx, op)
		case record.Verifying:
			err = w.verify(ctx, op)
		case record.AwaitingApproval:
			return nil
		case record.Ended: // its lever was put back meanwhile
		}
		if err != nil {
			return err
		}
		if op.Status == record.Ended {
			return w.finish(ctx, op)
		}
		if op.Status == before {
			break
		}
	}
	if w.dirty {
		return w.keep(ctx)
	}
	return nil
}

// apply carries the writes out and moves on when every step has ended.
func (w *work) apply(ctx context.Context, op *record.Operation) error {
	phases := make([]executor.Phase, len(op.Steps))
	for i, s := range op.Steps {
		phases[i] = s.Phase
	}
	if err := w.lookAtSwitch(ctx); err != nil {
		return err
	}
	killed, due := w.estate.Killed.Holds(w.Clock.Now()), w.beingPutBack(op)
	unread := op.Plan.Lever.Cuts() && slices.ContainsFunc(op.Steps, func(s executor.StepState) bool { return s.Phase == executor.Check })
	if killed && !due && !unread && executor.Count(op.Steps, w.now).Open == 0 {
		return nil // nothing may still land; the rest waits until the switch is lifted
	}
	dead := w.deadTarget(op) || due
	env := executor.Env{Net: w.Network, Timing: w.Timing.Timing, Now: w.Clock.Now, ID: w.ID, Hold: killed || dead,
		Save: func(ctx context.Context, steps []executor.StepState) error {
			w.journalSteps(op, phases)
			w.followPulls(op)
			return w.keep(ctx)
		}}
	w.wait(op.Steps)
	if _, err := executor.Pass(ctx, env, op.Steps); err != nil {
		return err
	}
	t := executor.Count(op.Steps, w.Clock.Now())
	called := dead && !t.Ended() && t.Open == 0 // off: whoever was moved must not wait there
	if !t.Ended() && !called {
		return nil
	}
	w.dirty = true
	for _, s := range op.Steps {
		if s.Phase == executor.Done && s.Kind == planner.SetWeight {
			c := w.g.Actual[s.Connection]
			c.Weight, c.Epoch = s.To.Weight, s.To.Epoch
			w.g.Actual[s.Connection] = c
			delete(w.g.Drift, s.Connection) // by an order that overrode it: the weight is ours again
		}
	}
	w.carry()
	if called {
		why := list(op.Plan.To) + " went down"
		if due {
			why = "the lever was put back"
		}
		op.Notes = append(op.Notes, why+" when "+count(t.Done)+" of "+count(t.Total)+" writes were done; the rest was called off")
		op.Status, op.Result = record.Ended, record.FailedOp
		return nil
	}
	if t.Failed > 0 {
		op.Status, op.Result = record.Ended, record.FailedOp
		return nil
	}
	op.Stamps.Apply, op.Status = w.Clock.Now(), record.Converging
	w.note(record.Entry{Code: CodeApplied, Text: "every write was read back", Fields: map[string]string{"writes": count(t.Done)}})
	if op.Kind == policy.KindSettle { // it moves no traffic: there is nothing to prove
		op.Status, op.Result = record.Ended, record.AppliedOK
		return nil
	}
	w.prepareChecks(ctx, op)
	return nil
}

// deadTarget reports whether a raise's target has gone down since it was decided:
// nothing new is sent then. What may still land is followed to its end, and a newer
// decision outbids it. A person who overrode the proof wanted it so.
func (w *work) deadTarget(op *record.Operation) bool {
	if op.Plan.Settle || len(op.Plan.To) == 0 || slices.Contains(op.Verdict.Overridden, policy.CandidateUnproven) || slices.Contains(op.Verdict.Overridden, policy.HoldUp) {
		return false
	}
	return !slices.ContainsFunc(op.Plan.To, func(c string) bool { return w.view.Circuits[c].State != health.Down })
}

// journalSteps writes down steps that have ended since phases were noted.
func (w *work) journalSteps(op *record.Operation, phases []executor.Phase) {
	for i, s := range op.Steps {
		if s.Phase == phases[i] || !s.Ended() {
			continue
		}
		phases[i] = s.Phase
		fields := map[string]string{"connection": s.Connection, "from": weight(s.From.Weight), "to": weight(s.To.Weight), "attempts": strconv.Itoa(s.Attempts)}
		if s.Correlation != "" {
			fields["correlation"] = s.Correlation
		}
		text := stepText(s.Step)
		if s.Kind != planner.SetWeight {
			fields = map[string]string{"lever": string(s.Kind), "resource": s.Connection, "attempts": strconv.Itoa(s.Attempts)}
		}
		if s.Phase == executor.Failed {
			text = short(s.Connection) + " was not written: " + s.Error
			w.log.Error().Str("event", CodeStep).Str("group", w.g.Name).Str("operation", op.ID).Str("connection", s.Connection).Str("hint", s.Hint).Str("cause", s.Error).Msg("a write failed; a person must look")
		}
		w.note(record.Entry{Code: CodeStep, Circuit: s.Circuit, Text: text, Fields: fields})
	}
}

// prepareChecks plans the looks that prove the outcome.
func (w *work) prepareChecks(ctx context.Context, op *record.Operation) {
	for _, gw := range w.topo.Gateways {
		if g, ok := w.estate.Facts.Gateway(gw); ok && g.Kind == topology.VNet {
			op.Checks = append(op.Checks, record.RouteCheck{Gateway: gw})
		}
	}
	before := w.traffic(ctx, slices.Concat(op.Plan.To, op.Plan.From))
	op.Traffic = &record.TrafficCheck{Before: only(before, op.Plan.To), Left: only(before, op.Plan.From), Deadline: w.Clock.Now().Add(w.Timing.ReadDeadline), NotBefore: w.Clock.Now().Add(w.Timing.Poll)}
}

// converge asks each gateway for its learned routes and waits for the answers.
func (w *work) converge(ctx context.Context, op *record.Operation) error {
	now := w.Clock.Now()
	var questions []executor.Question
	var asked, polled []int
	var running []executor.Running
	for i, c := range op.Checks {
		q := executor.Question{Kind: executor.AskRoutes, Target: c.Gateway}
		switch {
		case c.Done || now.Before(c.NotBefore):
		case c.Token == "":
			questions, asked = append(questions, q), append(asked, i)
		default:
			running, polled = append(running, executor.Running{Token: c.Token, Question: &q}), append(polled, i)
		}
	}
	if len(questions) > 0 {
		for k, b := range w.Network.Ask(ctx, questions) {
			c := &op.Checks[asked[k]]
			c.Asked, c.Token, c.NotBefore = true, b.Token, now.Add(max(b.RetryAfter, time.Second))
			w.routes(c, b.Answer, b.Err, b.Token == "" && b.Answer == nil)
		}
		w.dirty = true
	}
	if len(running) > 0 {
		for k, p := range w.Network.Poll(ctx, running) {
			c := &op.Checks[polled[k]]
			c.NotBefore = now.Add(max(p.RetryAfter, time.Second))
			if p.Token != "" {
				c.Token = p.Token
			}
			w.routes(c, p.Answer, p.Err, p.Done && p.Answer == nil)
		}
		w.dirty = true
	}
	return w.converged(op)
}

// routes takes in one gateway's answer, or the lack of one. A gateway that shows no
// routes yet is asked again until the deadline.
func (w *work) routes(c *record.RouteCheck, a *executor.Answer, err error, lost bool) {
	if err != nil {
		c.Error = err.Error()
	}
	if lost {
		c.Token = ""
		c.NotBefore = w.Clock.Now().Add(w.Timing.Poll)
		return
	}
	if a == nil {
		return
	}
	c.Routes, c.Token = 0, ""
	for _, r := range a.Routes {
		if strings.EqualFold(r.Origin, "EBgp") {
			c.Routes++
		}
	}
	c.Done = c.Routes > 0
	c.NotBefore = w.Clock.Now().Add(w.Timing.Poll)
}

// converged moves on when every gateway shows routes, or when it takes too long.
func (w *work) converged(op *record.Operation) error {
	missing := 0
	for _, c := range op.Checks {
		if !c.Done {
			missing++
		}
	}
	now := w.Clock.Now()
	switch {
	case missing == 0:
		op.Stamps.Converge = now
		w.note(record.Entry{Code: CodeConverged, Text: "every gateway shows routes", Fields: map[string]string{"gateways": count(len(op.Checks))}})
	case now.Before(op.Stamps.Apply.Add(w.Timing.ReadDeadline)):
		return nil
	default:
		op.Notes = append(op.Notes, count(missing)+" gateways showed no routes in time")
	}
	op.Status, w.dirty = record.Verifying, true
	if op.Traffic != nil {
		op.Traffic.Deadline = now.Add(w.Timing.ReadDeadline)
	}
	return nil
}

// finish ends the running operation and stores it whole.
func (w *work) finish(ctx context.Context, op *record.Operation) error {
	now := w.Clock.Now()
	op.Stamps.End = now
	w.g.Intents = append(w.g.Intents, openIntents(op, now, w.Timing.Landing)...)
	w.heed(op.Steps)
	failed := op.Result == record.FailedOp
	w.note(record.Entry{Code: CodeEnded, Text: string(op.Kind) + " ended: " + string(op.Result), Fields: map[string]string{"result": string(op.Result), "symmetry": string(op.Symmetry)}})
	w.g.FailedAt = time.Time{}
	if executor.Count(op.Steps, now).Failed > 0 {
		w.g.FailedAt = now // an operation whose target died is no reason to wait: the next one has another target
	}
	if !failed && op.Kind != policy.KindSettle {
		w.g.LastMove, w.g.Undone = now, op.Verdict.Undo
	}
	if op.Kind == policy.KindSwitchover && !failed && op.Verdict.MakeHome {
		w.makeHome(op)
	}
	w.leversAtEnd(op)
	w.drilled(op)
	w.archive(op, op.Result)
	if err := w.store(ctx, op); err != nil {
		return err
	}
	w.g.Operation, w.g.Lease = nil, record.Lease{}
	w.carry()
	if failed {
		w.g.ReadAt = time.Time{} // what was half done is looked at again
	}
	if err := w.keep(ctx); err != nil {
		return err
	}
	w.measureEnd(ctx, op)
	ev := w.log.Info() // only now: who reads the log may ask for the operation at once
	if failed {
		ev = w.log.Error()
	}
	ev.Str("event", CodeEnded).Str("group", w.g.Name).Str("operation", op.ID).Str("plan", op.Plan.ID).Str("kind", string(op.Kind)).
		Str("result", string(op.Result)).Time("signal", op.Stamps.Signal).Time("end", now).Msg("the operation ended")
	return nil
}

// makeHome gives the new circuit the highest weight at rest of each gateway, and its
// old one to the circuit that had it. The weights are written when the configuration
// prefers the new circuit too and all is quiet.
func (w *work) makeHome(op *record.Operation) {
	for _, s := range op.Plan.Steps {
		mine := w.g.Baseline[s.Connection]
		for _, c := range w.estate.Facts.ConnectionsOf(w.topo) {
			if rest, known := w.g.Baseline[c.ID]; known && c.Gateway == s.Gateway && rest.Weight > mine.Weight && rest.Weight == planner.Base(&w.estate.Facts, w.topo, s.Gateway, w.g.Baseline, nil) {
				w.baseline(c.ID, mine)
				w.baseline(s.Connection, rest)
				break
			}
		}
	}
	w.note(record.Entry{Code: CodeBaseline, Text: list(op.Plan.To) + " is home from now on: set it first in the group's preference"})
}

// archive lists an operation among the ended ones.
func (w *work) archive(op *record.Operation, result record.Result) {
	op.Status, op.Result = record.Ended, result
	if op.Stamps.End.IsZero() {
		op.Stamps.End = w.now
	}
	writes := 0
	for _, s := range op.Steps {
		if !s.BegunAt.IsZero() {
			writes++
		}
	}
	sum := record.Summary{ID: op.ID, Kind: op.Kind, From: op.Plan.From, To: op.Plan.To, Epoch: op.Plan.Epoch, Begun: op.Stamps.Decide, Ended: op.Stamps.End, Result: result, Writes: writes}
	w.g.Recent = append([]record.Summary{sum}, w.g.Recent...)
	w.g.Recent = w.g.Recent[:min(len(w.g.Recent), keptSummaries)]
	w.dirty = true
}

// store keeps an ended operation whole under its own key. Its ID is a hash of its
// content, so a document that is there already is this one.
func (w *work) store(ctx context.Context, op *record.Operation) error {
	body, err := json.Marshal(struct {
		Schema    int               `json:"schema"`
		Operation *record.Operation `json:"operation"`
	}{record.Schema, op}, json.Deterministic(true))
	if err != nil {
		return &fault.Error{Op: "write record", Target: op.ID, Kind: fault.Internal, Err: err}
	}
	_, err = w.Store.Save(ctx, record.Document{Key: record.OperationKey(op.ID), Nonce: w.ID(), Body: body})
	if conflict(err) {
		return nil
	}
	return err
}

func list(names []string) string { return strings.Join(names, ", ") }
func count(n int) string         { return strconv.Itoa(n) }
func weight(n int32) string      { return strconv.Itoa(int(n)) }
