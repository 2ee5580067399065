package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

// Timing bounds how a plan is carried out.
type Timing struct {
	SendDeadline time.Duration // a request leaves at most this long after the decision was looked at again
	Landing      time.Duration // D: after its intent, a write whose outcome is unknown can land no more
	Attempts     int           // requests begun for one step before it fails; busy and throttled refusals do not count
	GiveUp       time.Duration // a step that is not done this long after its first intent fails
	Poll         time.Duration // pace of looks where the server tells none
}

// DefaultTiming returns 60 s to send, 5 min to land, 12 attempts in 30 min, 5 s
// polls.
func DefaultTiming() Timing {
	return Timing{SendDeadline: time.Minute, Landing: 5 * time.Minute, Attempts: 12, GiveUp: 30 * time.Minute, Poll: 5 * time.Second}
}

// CodeSendDeadline is the code of the refusal of a write that would have left later
// than its NotAfter. It never left this process.
const CodeSendDeadline = "SendDeadline"

const (
	deniedAttempts = 3                // requests that Azure may deny before a step fails
	deniedPause    = 10 * time.Second // between them
)

// Env is what one pass needs from its caller.
type Env struct {
	Net    Network
	Timing Timing
	Now    func() time.Time // the engine's clock; readings keep their monotonic part
	ID     func() string    // a new random write ID
	Hold   bool             // nothing is sent: what was sent before is followed to its end
	// Save stores the steps. It is called before the first send of a wave and
	// after every change that must survive a crash. A pass ends at its first error.
	Save func(context.Context, []StepState) error
}

// Pass takes a plan's steps one beat further and returns when it should be called
// again; the zero time means that every step has ended. It never waits.
//
//  1. Finished or doubtful writes are read back.
//  2. Running operations are looked at once.
//  3. What may be sent now is stored as intents in one save, then begun in one
//     call, and its outcome is stored in one save; unless env.Hold.
//
// Steps are changed in place; what was stored last is what Save was given last.
func Pass(ctx context.Context, env Env, steps []StepState) (time.Time, error) {
	for _, stage := range []func(context.Context, Env, []StepState) (bool, error){check, poll, send} {
		changed, err := stage(ctx, env, steps)
		if err != nil {
			return env.Now(), err
		}
		if changed {
			if err := env.Save(ctx, steps); err != nil {
				return env.Now(), fmt.Errorf("store outcomes: %w", err)
			}
		}
	}
	return Next(steps, env.Now()), nil
}

// Next returns the earliest instant at which a step wants attention, not before
// now; zero when every step has ended.
func Next(steps []StepState, now time.Time) time.Time {
	var first time.Time
	for i, s := range steps {
		if s.Ended() || (s.Phase == Waiting && blocked(steps, i)) {
			continue
		}
		at := s.NotBefore
		if s.Phase == Waiting && at.Before(s.Told) {
			at = s.Told
		}
		if at.Before(now) {
			at = now
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// blocked reports whether a step must wait for another one: one write at a time on
// a gateway, and the waves of a gateway in order. A failed step of an earlier wave
// blocks for good, so its followers fail too (see send).
func blocked(steps []StepState, i int) bool {
	for j, o := range steps {
		if j == i || o.Gateway != steps[i].Gateway || o.Ended() {
			continue
		}
		if o.Phase != Waiting || o.Wave < steps[i].Wave || (o.Wave == steps[i].Wave && j < i) {
			return true
		}
	}
	return false
}

// check reads back what ended or is in doubt. Intents found here were stored by a
// process that is gone.
func check(ctx context.Context, env Env, steps []StepState) (bool, error) {
	now := env.Now()
	var refs []Ref
	var at []int
	var tests []int
	for i, s := range steps {
		switch {
		case (s.Phase != Check && s.Phase != Intent) || now.Before(s.NotBefore):
		case s.tested():
			tests = append(tests, i)
		default:
			refs, at = append(refs, s.ref()), append(at, i)
		}
	}
	if len(refs) > 0 {
		for k, r := range env.Net.Read(ctx, refs) {
			judge(&steps[at[k]], r, env)
		}
	}
	lookAtTests(ctx, env, steps, tests)
	return len(refs)+len(tests) > 0, nil
}

// judge compares what was read with what was wanted.
func judge(s *StepState, r Reading, env Env) {
	if r.Err != nil {
		s.note(r.Err)
		s.wait(env, pause(s.Attempts, r.Err))
		return
	}
	if s.Kind == planner.CutPeering {
		judgePeering(s, r, env)
		return
	}
	c := r.Connection
	switch {
	case !r.Found || c == nil:
		s.fail("the connection does not exist any more", "look at the gateway in Azure")
	case !atRest(c.Provisioning):
		s.wait(env, env.Timing.Poll) // an operation runs, ours or another's
	case c.Weight == s.To.Weight && (c.Epoch == s.To.Epoch):
		if s.Rest != "" && c.Rest != s.Rest {
			s.fail("something else than the weight and our tag changed", "compare the connection with its backup before anything else is written")
			s.Foreign = true
			return
		}
		s.landed(env)
	default:
		s.absent(env)
	}
}

// atRest reports whether no operation runs on a resource: its provisioning state is
// one of the three ends, or was not told.
func atRest(provisioning string) bool {
	switch provisioning {
	case "", "Succeeded", "Failed", "Canceled":
		return true
	}
	return false
}

// poll looks once at each operation that is due.
func poll(ctx context.Context, env Env, steps []StepState) (bool, error) {
	now := env.Now()
	var running []Running
	var at []int
	for i, s := range steps {
		if s.Phase == Sent && !now.Before(s.NotBefore) {
			w := write(s, env)
			running, at = append(running, Running{Token: s.Token, Write: &w}), append(at, i)
		}
	}
	if len(running) == 0 {
		return false, nil
	}
	for k, p := range env.Net.Poll(ctx, running) {
		s := &steps[at[k]]
		if p.Err != nil {
			s.note(p.Err)
		}
		if p.Token != "" {
			s.Token = p.Token
		}
		if !p.Done {
			s.wait(env, pacing(p, env))
			continue
		}
		s.Token, s.Phase, s.NotBefore = "", Check, time.Time{}
		switch p.Outcome {
		case Applied:
			s.AppliedAt = env.Now()
		case NotApplied, Unknown:
			// A failed operation may have landed all the same: a read decides.
		}
	}
	_, err := check(ctx, env, steps)
	return true, err
}

func pacing(p Polled, env Env) time.Duration {
	if p.RetryAfter > 0 {
		return p.RetryAfter
	}
	return env.Timing.Poll
}

// send stores the intents of everything that may be sent now, begins it, and notes
// the outcomes.
func send(ctx context.Context, env Env, steps []StepState) (bool, error) {
	if env.Hold {
		return false, nil
	}
	now := env.Now()
	var at []int
	for i := range steps {
		s := &steps[i]
		if s.Phase != Waiting || now.Before(s.NotBefore) || now.Before(s.Told) || blocked(steps, i) {
			continue
		}
		if abandoned(steps, i) {
			s.fail("an earlier write on this gateway failed", "see that write")
			continue
		}
		if late := !s.FirstAt.IsZero() && now.Sub(s.FirstAt) >= env.Timing.GiveUp; late || s.Attempts >= env.Timing.Attempts {
			s.fail(fmt.Sprintf("not done after %d attempts in %s; the last one said: %s", s.Attempts+s.Refusals, now.Sub(s.FirstAt).Round(time.Second), s.Error), s.Hint)
			continue
		}
		if s.FirstAt.IsZero() {
			s.FirstAt = now
		}
		s.Phase, s.WriteID, s.IntentAt, s.Attempts = Intent, env.ID(), now, s.Attempts+1
		s.Refused, s.Look = false, ""
		if s.Kind != planner.SetWeight && s.Since.IsZero() {
			s.Since = now
		}
		at = append(at, i)
	}
	if len(at) == 0 {
		return false, nil
	}
	if err := env.Save(ctx, steps); err != nil {
		return false, fmt.Errorf("store intents: %w", err)
	}
	writes := make([]Write, len(at))
	for k, i := range at {
		writes[k] = write(steps[i], env)
		writes[k].NotAfter = now.Add(env.Timing.SendDeadline)
	}
	for k, b := range env.Net.Begin(ctx, writes) {
		begun(&steps[at[k]], b, env)
	}
	return true, nil
}

// abandoned reports whether a step of an earlier wave on the gateway has failed.
func abandoned(steps []StepState, i int) bool {
	for _, o := range steps {
		if o.Gateway == steps[i].Gateway && o.Wave < steps[i].Wave && o.Phase == Failed {
			return true
		}
	}
	return false
}

func write(s StepState, env Env) Write {
	return Write{
		ID: s.WriteID, Connection: s.Connection, Gateway: s.Gateway, Kind: s.Kind, Location: s.Location, Link: s.Link, Cut: s.Cut,
		From: s.From.Weight, To: s.To.Weight, Epoch: s.To.Epoch, Rest: s.Rest,
		NotAfter: env.Now().Add(env.Timing.SendDeadline),
	}
}

// begun notes the answer to a write.
func begun(s *StepState, b Begun, env Env) {
	now := env.Now()
	if b.Before != nil && s.Rest == "" {
		s.Rest = b.Before.Rest
	}
	if b.Correlation != "" {
		s.Correlation = b.Correlation
	}
	if b.Err != nil {
		s.note(b.Err)
		s.told(now, b.Err)
	}
	if b.Sent && s.BegunAt.IsZero() {
		s.BegunAt = now
	}
	if b.Token != "" {
		s.Phase, s.Token, s.NotBefore = Sent, b.Token, now.Add(max(b.RetryAfter, 0))
		if b.RetryAfter <= 0 {
			s.NotBefore = now.Add(env.Timing.Poll)
		}
		return
	}
	switch b.Outcome {
	case Applied:
		s.Phase, s.AppliedAt, s.NoOp, s.NotBefore = Check, now, b.NoOp, time.Time{}
	case NotApplied:
		if s.tested() && final(b.Err) {
			s.Phase, s.Refused, s.NotBefore = Check, true, time.Time{} // the tests tell why
			return
		}
		refused(s, b, now)
	case Unknown:
		s.Phase, s.NotBefore = Check, now.Add(pause(s.Attempts, b.Err))
	}
}

// refused sorts a definite refusal into "again later" and "never".
func refused(s *StepState, b Begun, now time.Time) {
	var f *fault.Error
	if errors.As(b.Err, &f) && f.Code == CodeSendDeadline {
		s.Phase, s.NotBefore = Waiting, now // it never left; it is looked at again and sent anew
		return
	}
	switch fault.KindOf(b.Err) {
	case fault.Busy, fault.Throttled:
		s.Attempts, s.Refusals = s.Attempts-1, s.Refusals+1
		s.Phase, s.NotBefore = Waiting, now.Add(pause(s.Refusals, b.Err))
	case fault.Unavailable:
		s.Phase, s.NotBefore = Waiting, now.Add(pause(s.Attempts, b.Err))
	case fault.Conflict:
		s.fail(b.Err.Error(), "others wrote the connection; look again and decide anew")
		s.Foreign = true
	case fault.Denied: // a role assignment takes minutes to reach every server
		s.Phase, s.NotBefore = Waiting, now.Add(max(deniedPause, pause(1, b.Err)))
		if s.Attempts >= deniedAttempts {
			s.Phase = Failed
		}
	case fault.NotFound, fault.Invalid, fault.Refused, fault.Corrupt, fault.Internal, "":
		s.Phase = Failed
	}
}

// pause returns how long to wait before the next attempt: the server's own figure
// if it gave one, else an exponential wait of 1 s to 60 s.
func pause(attempts int, err error) time.Duration {
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Second), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(time.Minute), backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0))
	wait := b.NextBackOff()
	for range min(attempts-1, 8) {
		wait = b.NextBackOff()
	}
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > wait {
		return f.RetryAfter
	}
	return wait
}

// told notes until when the server itself asked to be left alone: whoever writes on
// this gateway next must wait for it too, or the wait begins anew.
func (s *StepState) told(now time.Time, err error) {
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 && now.Add(f.RetryAfter).After(s.Told) {
		s.Told = now.Add(f.RetryAfter)
	}
}
