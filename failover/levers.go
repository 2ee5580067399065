package failover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// checkLever refuses an order whose lever makes no sense, before it is stored: a
// drill rehearses disconnect or link, a failover pulls disconnect or peering, and a
// link is named for lever link alone.
func checkLever(o events.Order) error {
	bad := func(hint, format string, args ...any) error {
		return &fault.Error{Op: "accept order", Target: o.Group, Kind: fault.Invalid, Hint: hint, Err: fmt.Errorf(format, args...)}
	}
	fits := map[events.Verb][]events.Lever{
		events.OrderDrill:    {events.LeverWeight, events.LeverDisconnect, events.LeverLink},
		events.OrderFailover: {events.LeverWeight, events.LeverDisconnect, events.LeverPeering},
	}
	switch {
	case o.Lever == "" && o.Link == "":
		return nil
	case o.Lever == "":
		return bad("name lever link with it, or no link", "link: %q is named without a lever", o.Link)
	case !slices.Contains(fits[o.Verb], o.Lever):
		return bad("drill takes disconnect or link, failover takes disconnect or peering; no other order takes a lever", "lever: an order to %s does not take %q", o.Verb, o.Lever)
	case o.Lever == events.LeverLink && o.Link != events.Primary && o.Link != events.Secondary:
		return bad("name primary or secondary", "link: %q is neither primary nor secondary", o.Link)
	case o.Lever != events.LeverLink && o.Link != "":
		return bad("only lever link cuts one link", "link: %q is named with lever %q", o.Link, o.Lever)
	}
	return nil
}

const (
	leverLimit = 4 * time.Hour    // a lever that trouble pulled is put back after this
	stuckAfter = 5 * time.Minute  // a person is told when what is due is not back by then
	lookAgain  = 15 * time.Second // between reads while a pull may still land
)

// arm stores what puts a lever back, and by when, with the operation that pulls it:
// the very save that comes before the first request.
func (w *work) arm(op *record.Operation) {
	if !op.Plan.Lever.Cuts() {
		if op.Kind != policy.KindSettle {
			w.g.Inert = nil // these weights are another attempt
		}
		return
	}
	deadline := w.now.Add(leverLimit)
	drill := ""
	if op.Kind == policy.KindDrill {
		deadline, drill = w.now.Add(drillLimit), op.ID
	}
	if o := op.Order; o != nil {
		if !o.Until.IsZero() {
			deadline = o.Until
		}
		if drill != "" && o.Operation != "" {
			drill = o.Operation
		}
	}
	if i := w.g.Inert; i != nil && op.Kind == policy.KindFailover {
		tried := *i
		tried.Tried = append(slices.Clone(i.Tried), op.Plan.Lever)
		w.g.Inert = &tried
	}
	for k, s := range op.Plan.Steps {
		w.g.Cuts = append(w.g.Cuts, record.Cut{
			ID: "c-" + strings.TrimPrefix(op.ID, "op-") + "-" + count(k), Operation: op.ID, Drill: drill, Lever: op.Plan.Lever, Link: s.Link,
			Circuits: op.Plan.From, Survivors: op.Plan.To, At: w.now, Deadline: deadline, Pull: op.Steps[k],
		})
		w.note(record.Entry{Code: CodeLeverArmed, Circuit: s.Circuit, Operation: op.ID, Plan: op.Plan.ID, Epoch: op.Plan.Epoch,
			Text:   leverName(s) + " is put back at " + deadline.UTC().Format(time.RFC3339) + ", whatever happens; that is stored before it is pulled",
			Fields: leverFields(s, op.Plan.Lever, deadline)})
	}
}

// followPulls takes what the running operation knows of its pulls into its cuts.
func (w *work) followPulls(op *record.Operation) {
	for i := range w.g.Cuts {
		c := &w.g.Cuts[i]
		for _, s := range op.Steps {
			if c.Operation == op.ID && c.Pull.Same(s.Step) {
				newer := c.Pull.Newer // of the cut, where a newer version wrote it; the step has its own
				c.Pull = s
				c.Pull.Newer = newer
			}
		}
	}
}

// beingPutBack reports whether a lever of an operation is due: no further one of it
// is pulled then.
func (w *work) beingPutBack(op *record.Operation) bool {
	return slices.ContainsFunc(w.g.Cuts, func(c record.Cut) bool { return c.Operation == op.ID && !c.Due.IsZero() })
}

// putAllBack lets every lever that is pulled and fits be put back, beginning with this beat
// or the next.
func (w *work) putAllBack(fits func(record.Cut) bool, why string) {
	for i := range w.g.Cuts {
		if c := &w.g.Cuts[i]; c.Due.IsZero() && c.Gone.IsZero() && fits(*c) {
			w.putBack(c, why)
		}
	}
}

// putBack begins the way back of one lever. One that was never sent, or that Azure
// refused because of another's test, has nothing to put back.
func (w *work) putBack(c *record.Cut, why string) {
	now := w.Clock.Now()
	if op := w.g.Operation; op != nil {
		w.followPulls(op)
	}
	c.Due, c.Why = now, why
	if p := c.Pull; p.FirstAt.IsZero() || (p.Phase == executor.Failed && p.Doubt.IsZero() && p.AppliedAt.IsZero()) {
		c.Gone = now
		w.note(record.Entry{Code: CodeLeverBack, Operation: c.Operation, Circuit: p.Circuit, Text: leverName(p.Step) + " was never made; nothing is put back", Fields: backFields(*c)})
		return
	}
	w.note(record.Entry{Code: CodeLeverDue, Operation: c.Operation, Circuit: c.Pull.Circuit, Text: leverName(c.Pull.Step) + " is put back: " + why,
		Fields: map[string]string{"lever": string(c.Lever), "resource": c.Pull.Connection}})
	w.log.Info().Str("event", CodeLeverDue).Str("group", w.g.Name).Str("operation", c.Operation).Str("resource", c.Pull.Connection).Str("reason", why).Msg("a lever is put back")
	if !c.Pull.Open(now) {
		c.Over = now
	}
	c.Back = wayBack(*c, now)
}

// wayBack returns the step that puts a lever back. It begins with a read: what is
// not cut any more, or was cut by others, is left alone.
func wayBack(c record.Cut, now time.Time) executor.StepState {
	s := executor.StepState{Step: planner.Undo(planner.Plan{Steps: []planner.Step{c.Pull.Step}})[0], Phase: executor.Check,
		FirstAt: now, NotBefore: now, Since: c.Pull.Since, Test: c.Pull.Test, BegunAt: c.Back.BegunAt, Doubt: c.Back.Doubt, Correlation: c.Back.Correlation}
	return s
}

// levers takes every lever that is pulled one beat further: those whose time has come
// are put back. Neither a pause, nor the kill switch, nor observe mode, nor a changed
// configuration holds that: it gives back a path that was there before, and the
// promise to do so was made when it was taken.
func (w *work) levers(ctx context.Context) error {
	if len(w.g.Cuts) == 0 || w.g.Lease.HeldByOther(w.Owner, w.now) {
		return nil
	}
	for i := range w.g.Cuts {
		c := &w.g.Cuts[i]
		if !c.Due.IsZero() || !c.Gone.IsZero() {
			continue
		}
		held := policy.Cut{Lever: c.Lever, Circuits: c.Circuits, Until: c.Deadline}
		if why := policy.PutBack(held, c.Drill != "", c.Survivors, w.view, w.now); why != "" {
			w.putBack(c, why)
		}
	}
	if err := w.passCuts(ctx, true, func(c *record.Cut) *executor.StepState {
		if op := w.g.Operation; (op != nil && op.ID == c.Operation) || c.Pull.Ended() {
			return nil // its operation follows it, or nothing is to follow
		}
		return &c.Pull
	}); err != nil {
		return err
	}
	if err := w.passCuts(ctx, false, func(c *record.Cut) *executor.StepState {
		if c.Due.IsZero() {
			return nil
		}
		return &c.Back
	}); err != nil {
		return err
	}
	return w.closeCuts(ctx)
}

// passCuts runs one pass over the steps that pick finds in cuts that are not gone;
// with hold nothing new is sent.
func (w *work) passCuts(ctx context.Context, hold bool, pick func(*record.Cut) *executor.StepState) error {
	var steps []executor.StepState
	var at []*executor.StepState
	for i := range w.g.Cuts {
		if c := &w.g.Cuts[i]; c.Gone.IsZero() {
			if s := pick(c); s != nil {
				steps, at = append(steps, *s), append(at, s)
			}
		}
	}
	if len(steps) == 0 {
		return nil
	}
	w.g.Lease = record.Lease{Owner: w.Owner, Until: w.now.Add(w.Timing.Lease)}
	take := func() {
		for k, s := range steps {
			*at[k] = s
		}
	}
	env := executor.Env{Net: w.Network, Timing: w.Timing.Timing, Now: w.Clock.Now, ID: w.ID, Hold: hold,
		Save: func(ctx context.Context, _ []executor.StepState) error {
			take()
			return w.keep(ctx)
		}}
	w.wait(steps)
	_, err := executor.Pass(ctx, env, steps)
	take()
	w.heed(steps)
	w.dirty = true
	return err
}

// closeCuts looks at what the way back has come to, and ends the operations all of
// whose levers are back.
func (w *work) closeCuts(ctx context.Context) error {
	now := w.Clock.Now()
	for i := range w.g.Cuts {
		c := &w.g.Cuts[i]
		if c.Due.IsZero() || !c.Gone.IsZero() {
			continue
		}
		switch c.Back.Phase {
		case executor.Done:
			w.backed(c, now)
		case executor.Failed:
			failed := c.Back
			c.Back = wayBack(*c, now)
			c.Back.NotBefore, c.Back.Error, c.Back.Hint = now.Add(time.Minute), failed.Error, failed.Hint
			w.dirty = true
		case executor.Waiting, executor.Intent, executor.Sent, executor.Check:
		}
		if c.Gone.IsZero() && c.Stuck.IsZero() && now.After(c.Due.Add(stuckAfter)) && !c.Pull.Open(now) {
			c.Stuck = now
			text := leverName(c.Pull.Step) + " is not back after " + now.Sub(c.Due).Round(time.Second).String() + "; it is tried on"
			if c.Back.Error != "" {
				text += "; the last try said: " + c.Back.Error
			}
			w.note(record.Entry{Code: CodeLeverStuck, Operation: c.Operation, Circuit: c.Pull.Circuit, Text: text, Fields: map[string]string{"lever": string(c.Lever), "resource": c.Pull.Connection}})
			w.log.Error().Str("event", CodeLeverStuck).Str("group", w.g.Name).Str("operation", c.Operation).Str("resource", c.Pull.Connection).Str("hint", c.Back.Hint).Str("cause", c.Back.Error).Msg("a lever does not go back; a person must look")
		}
	}
	for _, op := range w.operationsBack() {
		if err := w.endCuts(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

// backed takes in that what was cut was read back whole. While a pull of it may still
// land that is not the end; and the last read is one that began after none could.
func (w *work) backed(c *record.Cut, now time.Time) {
	w.dirty = true
	switch {
	case !c.Over.IsZero():
		c.Gone = now
		text := stepText(c.Back.Step)
		if c.Back.Foreign {
			text = leverName(c.Pull.Step) + ": a test that is not ours runs there now; it is left alone"
		}
		w.note(record.Entry{Code: CodeLeverBack, Operation: c.Operation, Circuit: c.Pull.Circuit, Text: text, Fields: backFields(*c, "attempts", count(c.Back.Attempts))})
		w.log.Info().Str("event", CodeLeverBack).Str("group", w.g.Name).Str("operation", c.Operation).Str("resource", c.Pull.Connection).Msg("a lever is back")
	case c.Pull.Open(now):
		c.Back = wayBack(*c, now)
		c.Back.NotBefore = now.Add(lookAgain)
	default:
		c.Over = now
		c.Back = wayBack(*c, now)
	}
}

// operationsBack lists the operations all of whose levers are back, and that have
// ended themselves.
func (w *work) operationsBack() []string {
	var out []string
	for _, c := range w.g.Cuts {
		running := w.g.Operation != nil && w.g.Operation.ID == c.Operation
		if !slices.Contains(out, c.Operation) && !running &&
			!slices.ContainsFunc(w.g.Cuts, func(o record.Cut) bool { return o.Operation == c.Operation && o.Gone.IsZero() }) {
			out = append(out, c.Operation)
		}
	}
	return out
}

// endCuts takes an operation's levers off the list, and keeps their way back whole.
func (w *work) endCuts(ctx context.Context, operation string) error {
	op := &record.Operation{ID: restoreID(operation), Kind: policy.KindRestore, Group: w.g.Name, Status: record.Ended, Symmetry: record.Unproven}
	op.Plan = planner.Plan{Group: w.g.Name, Kind: policy.KindRestore, Epoch: w.g.Epoch}
	drill, why, late := "", "", false
	var left []record.Cut
	for _, c := range w.g.Cuts {
		if c.Operation != operation {
			left = append(left, c)
			continue
		}
		drill, why, late = c.Drill, c.Why, late || !c.Due.Before(c.Deadline)
		op.Plan.From, op.Plan.To, op.Plan.Lever = c.Survivors, c.Circuits, c.Lever
		op.Stamps.Signal, op.Stamps.Decide = c.Due, c.Due
		op.Stamps.Apply, op.Stamps.End = later(op.Stamps.Apply, c.Gone), later(op.Stamps.End, c.Gone)
		op.Notes = append(op.Notes, leverName(c.Pull.Step)+": "+c.Why)
		if c.Back.Phase != "" {
			op.Plan.Steps, op.Steps = append(op.Plan.Steps, c.Back.Step), append(op.Steps, c.Back)
		}
	}
	op.Plan.ID, op.Verdict = strings.Replace(op.ID, "op-", "p-", 1), policy.Verdict{Kind: policy.KindRestore, Group: w.g.Name, Lever: op.Plan.Lever, From: op.Plan.From, To: op.Plan.To}
	w.g.Cuts = left
	w.archive(op, record.AppliedOK)
	if err := w.store(ctx, op); err != nil {
		return err
	}
	if i := w.g.Inert; i != nil && drill == "" && late { // the trouble may have outlasted the deadline: the ladder begins anew
		w.g.Inert = &policy.Inert{Operation: i.Operation, From: i.From, To: i.To, Since: op.Stamps.End}
	}
	if drill != "" && w.g.Drill == drill {
		w.endDrill(record.DrillHome, CodeDrillEnded, "is over: every lever is back", why)
	}
	if w.g.Operation == nil {
		w.g.Lease = record.Lease{}
	}
	w.carry()
	return w.keep(ctx)
}

// restoreID names the way back of an operation's levers.
func restoreID(operation string) string {
	sum := sha256.Sum256([]byte("restore " + operation))
	return "op-" + hex.EncodeToString(sum[:8])
}

// cutsWant returns when pulled levers want attention; zero for not soon.
func cutsWant(cuts []record.Cut, now time.Time) time.Time {
	var at time.Time
	for _, c := range cuts {
		switch {
		case !c.Gone.IsZero():
		case c.Due.IsZero():
			at = sooner(at, later(c.Deadline, now))
		default:
			at = sooner(at, executor.Next([]executor.StepState{c.Back}, now))
		}
	}
	return at
}

// leverName says which lever a step is, for people.
func leverName(s planner.Step) string {
	switch s.Kind {
	case planner.Disconnect:
		return "the disconnection of " + short(s.Connection) + " from " + s.Location
	case planner.CutLink:
		return "the cut of the " + s.Link + " link of " + s.Circuit
	case planner.CutPeering:
		return "the disabled private peering of " + s.Circuit
	case planner.SetWeight:
	}
	return "the weight of " + short(s.Connection)
}

// stepText says what is so once a step is done.
func stepText(s planner.Step) string {
	switch s.Kind {
	case planner.Disconnect:
		if s.Cut {
			return short(s.Connection) + " has left " + s.Location
		}
		return short(s.Connection) + " is back at " + s.Location
	case planner.CutLink:
		if s.Cut {
			return "the " + s.Link + " link of " + s.Circuit + " is cut"
		}
		return "the " + s.Link + " link of " + s.Circuit + " is back"
	case planner.CutPeering:
		if s.Cut {
			return "the private peering of " + s.Circuit + " is disabled"
		}
		return "the private peering of " + s.Circuit + " is enabled"
	case planner.SetWeight:
	}
	return short(s.Connection) + " has weight " + weight(s.To.Weight)
}
