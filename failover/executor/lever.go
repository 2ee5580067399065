package executor

import (
	"context"
	"errors"
	"strings"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

// clockSkew is how far Azure's clock may be behind ours when it says when a test
// began.
const clockSkew = 2 * time.Minute

// tested reports whether a step starts or stops a failover test, so that only the
// tests' details tell what became of it.
func (s StepState) tested() bool {
	switch s.Kind {
	case planner.Disconnect, planner.CutLink:
		return true
	case planner.SetWeight, planner.CutPeering:
	}
	return false
}

// ref names what shows whether a step has landed, for steps that a plain read shows.
func (s StepState) ref() Ref {
	if s.Kind == planner.CutPeering {
		return Ref{RefCircuit, s.Connection}
	}
	return Ref{RefConnection, s.Connection}
}

// final reports whether a refusal is of the request itself. A start is refused while
// a test runs, and that test may be ours, started by a request whose answer was lost;
// a stop is refused when none runs any more. So the tests are read before a refusal
// is believed.
func final(err error) bool {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == CodeSendDeadline {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Conflict, fault.Invalid, fault.NotFound, fault.Refused:
		return true
	case fault.Busy, fault.Throttled, fault.Unavailable, fault.Denied, fault.Corrupt, fault.Internal, "":
	}
	return false
}

// lookAtTests reads the tests' details of lever steps, a slow read that is begun by
// one pass and answered in a later one.
func lookAtTests(ctx context.Context, env Env, steps []StepState, at []int) {
	var questions []Question
	var running []Running
	var asked, polled []int
	for _, i := range at {
		q := Question{Kind: AskTests, Target: steps[i].Connection}
		if steps[i].Look == "" {
			questions, asked = append(questions, q), append(asked, i)
		} else {
			running, polled = append(running, Running{Token: steps[i].Look, Question: &q}), append(polled, i)
		}
	}
	if len(questions) > 0 {
		for k, b := range env.Net.Ask(ctx, questions) {
			steps[asked[k]].heard(env, b.Answer, b.Token, b.RetryAfter, b.Err)
		}
	}
	if len(running) > 0 {
		for k, p := range env.Net.Poll(ctx, running) {
			token := p.Token
			if p.Done {
				token = ""
			}
			steps[polled[k]].heard(env, p.Answer, token, p.RetryAfter, p.Err)
		}
	}
}

// heard takes in one look at the details: an answer, a read that goes on, or neither,
// and then they are asked for anew.
func (s *StepState) heard(env Env, a *Answer, token Token, after time.Duration, err error) {
	if err != nil {
		s.note(err)
	}
	s.Look = token
	switch {
	case a != nil:
		s.Look = ""
		s.judgeTests(env, a.Tests)
	case token != "":
		s.NotBefore = env.Now().Add(max(after, time.Second))
	default:
		s.wait(env, max(after, pause(s.Attempts, err), env.Timing.Poll))
	}
}

// judgeTests compares the tests as they are with what was wanted. A test that began
// before our first request is not ours: it is neither taken for our success nor
// stopped.
func (s *StepState) judgeTests(env Env, tests []Test) {
	t, found := s.pick(tests)
	ours := found && (s.Test == "" || t.ID == "" || s.Test == t.ID) && (t.Start.IsZero() || s.Since.IsZero() || !t.Start.Before(s.Since.Add(-clockSkew)))
	on := found && t.State == TestOn
	switch {
	case found && ours && t.State == TestChanging:
		s.wait(env, env.Timing.Poll)
	case s.Cut && on && ours:
		s.Test = t.ID
		s.landed(env)
	case s.Cut && found && !ours:
		s.fail("a failover test that is not ours runs at "+s.Location+s.Link+" since "+t.Start.UTC().Format(time.RFC3339), "stop that test, or wait for its end")
		s.Foreign = true
	case !s.Cut && (!on || !ours):
		s.landed(env)
		s.Foreign = found && !ours
	case s.Refused && s.Cut:
		s.fail("Azure refused it: "+s.Error, s.Hint)
	default:
		s.absent(env)
	}
}

// pick returns the test of the step's location or link that cuts or changes; of
// several, the newest.
func (s *StepState) pick(tests []Test) (Test, bool) {
	var best Test
	found := false
	for _, t := range tests {
		if t.State == TestOff || (s.Kind == planner.Disconnect && !strings.EqualFold(t.Location, s.Location)) || (s.Kind == planner.CutLink && !strings.EqualFold(t.Link, s.Link)) {
			continue
		}
		if !found || t.Start.After(best.Start) {
			best, found = t, true
		}
	}
	return best, found
}

// judgePeering compares a circuit's private peering with what was wanted.
func judgePeering(s *StepState, r Reading, env Env) {
	c := r.Circuit
	switch {
	case !r.Found || c == nil || c.Peering == "":
		s.fail("the circuit or its private peering does not exist any more", "look at the circuit in Azure")
	case !atRest(c.Provisioning):
		s.wait(env, env.Timing.Poll)
	case strings.EqualFold(c.Peering, "Disabled") == s.Cut:
		s.landed(env)
	default:
		s.absent(env)
	}
}
