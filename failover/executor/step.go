package executor

import (
	"fmt"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

// Phase is where one step stands. A step's phase is stored before the world
// changes, so that a crash at any instant leaves a step that says what to do next.
type Phase string

const (
	Waiting Phase = "waiting" // not begun, or to be begun again after NotBefore
	Intent  Phase = "intent"  // stored before the send; the send may or may not have happened
	Sent    Phase = "sent"    // Azure runs it; Token resumes it
	Check   Phase = "check"   // to be read back: it ended, or its outcome is unknown
	Done    Phase = "done"    // read back as wanted, nothing else changed
	Failed  Phase = "failed"  // it never landed and is not tried again, or something else changed
)

// StepState is one step with everything needed to go on with it elsewhere.
type StepState struct {
	planner.Step
	Phase       Phase     `json:"phase"`
	WriteID     string    `json:"write_id,omitzero"`   // of the newest attempt
	Attempts    int       `json:"attempts,omitzero"`   // requests begun, but for those that a busy or throttled Azure refused
	Refusals    int       `json:"refusals,omitzero"`   // those, in a row
	FirstAt     time.Time `json:"first_at,omitzero"`   // first intent of the step
	Token       Token     `json:"token,omitzero"`      // Sent only; never shown
	NotBefore   time.Time `json:"not_before,omitzero"` // the next look or attempt is not earlier
	Told        time.Time `json:"told,omitzero"`       // Azure said not to come back to this gateway before
	Rest        string    `json:"rest,omitzero"`       // hash of the rest of the body before our write
	IntentAt    time.Time `json:"intent_at,omitzero"`  // of the newest attempt
	Doubt       time.Time `json:"doubt,omitzero"`      // an earlier attempt of unknown outcome may land until then
	BegunAt     time.Time `json:"begun_at,omitzero"`   // first accepted request
	AppliedAt   time.Time `json:"applied_at,omitzero"` // Azure said so, or it was read
	DoneAt      time.Time `json:"done_at,omitzero"`    // read back
	NoOp        bool      `json:"no_op,omitzero"`      // nothing had to be sent
	Correlation string    `json:"correlation,omitzero"`
	Error       string    `json:"error,omitzero"` // newest error, for people
	Hint        string    `json:"hint,omitzero"`
	Foreign     bool      `json:"foreign,omitzero"` // others wrote the connection meanwhile

	Look    Token     `json:"look,omitzero"`    // levers: a read of the tests that runs; never shown
	Test    string    `json:"test,omitzero"`    // levers: GUID of our test, once it was read
	Since   time.Time `json:"since,omitzero"`   // levers: a test that began before this is not ours
	Refused bool      `json:"refused,omitzero"` // levers: the newest attempt was refused; the tests are read before it is given up
}

// Open reports whether a write of this step may still land at now: the newest
// attempt, or an earlier one whose outcome was never learned before it was sent
// again.
func (s StepState) Open(now time.Time) bool {
	if now.Before(s.Doubt) {
		return true
	}
	switch s.Phase {
	case Intent, Sent:
		return true
	case Check:
		return s.AppliedAt.IsZero()
	case Waiting, Done, Failed:
		return false
	}
	return false
}

// Ended reports whether nothing more will be done about the step.
func (s StepState) Ended() bool { return s.Phase == Done || s.Phase == Failed }

// Steps returns the states of a plan that has not begun.
func Steps(p planner.Plan) []StepState {
	out := make([]StepState, len(p.Steps))
	for i, s := range p.Steps {
		out[i] = StepState{Step: s, Phase: Waiting}
	}
	return out
}

// Tally says where a plan's steps stand together.
type Tally struct {
	Total, Done, Failed int
	Open                int // may still land; a step that is done may have an open earlier attempt
}

// Count tallies steps at now.
func Count(steps []StepState, now time.Time) Tally {
	t := Tally{Total: len(steps)}
	for _, s := range steps {
		if s.Open(now) {
			t.Open++
		}
		switch s.Phase {
		case Done:
			t.Done++
		case Failed:
			t.Failed++
		case Waiting, Intent, Sent, Check:
		}
	}
	return t
}

// Ended reports whether every step has ended.
func (t Tally) Ended() bool { return t.Done+t.Failed == t.Total }

// landed ends a step that was read back as wanted.
func (s *StepState) landed(env Env) {
	now := env.Now()
	if s.AppliedAt.IsZero() {
		if until := s.IntentAt.Add(env.Timing.Landing); !s.Doubt.IsZero() && until.After(s.Doubt) {
			s.Doubt = until // an earlier attempt may be the one that landed: the newest is in doubt too
		}
		s.AppliedAt = now
	}
	s.Phase, s.DoneAt, s.Token, s.Error, s.Hint = Done, now, "", "", ""
}

// absent takes in a read that does not show what was wanted. A write is absolute
// and carries its epoch, so sending it again is the same write; but until the first
// attempt can land no more, it stays in doubt.
func (s *StepState) absent(env Env) {
	now := env.Now()
	if s.Phase == Check && !s.AppliedAt.IsZero() && now.Before(s.AppliedAt.Add(env.Timing.Landing)) {
		s.NotBefore = now.Add(env.Timing.Poll) // Azure said applied: a stale read, look again
		return
	}
	if until := s.IntentAt.Add(env.Timing.Landing); !s.IntentAt.IsZero() && until.After(s.Doubt) {
		s.Doubt = until
	}
	s.Phase, s.Token, s.NotBefore = Waiting, "", now.Add(pause(s.Attempts, nil))
	s.AppliedAt = time.Time{} // of that attempt; the next one is open until it is known itself
}

func (s *StepState) note(err error) {
	s.Error, s.Hint = err.Error(), fault.HintOf(err)
}

// wait puts the next look off. A step that takes too long fails instead, and what
// was sent stays in doubt: it may land yet.
func (s *StepState) wait(env Env, d time.Duration) {
	now := env.Now()
	if s.FirstAt.IsZero() || now.Sub(s.FirstAt) < env.Timing.GiveUp {
		s.NotBefore = now.Add(d)
		return
	}
	if until := now.Add(env.Timing.Landing); until.After(s.Doubt) {
		s.Doubt = until
	}
	why := fmt.Sprintf("not known to be done after %s", now.Sub(s.FirstAt).Round(time.Second))
	if s.Error != "" {
		why += "; the last look said: " + s.Error
	}
	s.fail(why, "look at the connection's provisioning state in Azure")
}

func (s *StepState) fail(why, hint string) {
	s.Phase, s.Error, s.Hint, s.Token = Failed, why, hint, ""
}
