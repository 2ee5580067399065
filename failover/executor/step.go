package executor

import (
	"time"

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
