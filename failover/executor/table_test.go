package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/failover/fault"
)

// TestEveryPhaseAndReply prints what becomes of a step for every phase and every
// reply that Azure may give, one line each. To accept a change run
// `go test ./failover/executor -run EveryPhase -rewrite` and read the difference.
func TestEveryPhaseAndReply(t *testing.T) {
	datadriven.RunTest(t, "testdata/replies", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		attempts := 1
		d.MaybeScanArgs(t, "attempts", &attempts)
		switch d.Cmd {
		case "begin":
			return beginTable(t, attempts)
		case "read":
			phase := ""
			d.ScanArgs(t, "phase", &phase)
			return readTable(t, Phase(phase), d.HasArg("applied"))
		case "poll":
			return pollTable(t)
		}
		d.Fatalf(t, "unknown command %q", d.Cmd)
		return ""
	})
}

func failure(k fault.Kind, after time.Duration) error {
	return &fault.Error{Op: "set connection weight", Target: "a", Kind: k, Hint: "what to do", RetryAfter: after}
}

var kinds = []fault.Kind{fault.Invalid, fault.NotFound, fault.Conflict, fault.Throttled, fault.Busy, fault.Denied, fault.Refused, fault.Unavailable, fault.Corrupt, fault.Internal}

// verdict draws where a step stands after a pass.
func verdict(w *world, s StepState) string {
	parts := []string{string(s.Phase)}
	if s.Open(w.now) {
		parts = append(parts, "open")
	}
	if !s.Doubt.IsZero() {
		parts = append(parts, "doubt="+s.Doubt.Sub(start).String())
	}
	if !s.Ended() && s.NotBefore.After(w.now) {
		parts = append(parts, "again="+s.NotBefore.Sub(w.now).String())
	}
	for name, on := range map[string]bool{"foreign": s.Foreign, "no-op": s.NoOp, "applied": !s.AppliedAt.IsZero(), "token": s.Token != ""} {
		if on {
			parts = append(parts, name)
		}
	}
	if len(parts) > 1 {
		sortTail(parts)
	}
	if s.Error != "" {
		parts = append(parts, "| "+s.Error)
	}
	if s.Hint != "" {
		parts = append(parts, "| hint: "+s.Hint)
	}
	return strings.Join(parts, " ")
}

func sortTail(parts []string) {
	for i := 1; i < len(parts); i++ {
		for j := i; j > 1 && parts[j] < parts[j-1]; j-- {
			parts[j], parts[j-1] = parts[j-1], parts[j]
		}
	}
}

// onePass takes one step through one pass in a fresh world.
func onePass(t *testing.T, prepare func(*world, *StepState)) string {
	t.Helper()
	w := newWorld(map[string][]string{"gw1": {"a"}})
	steps := []StepState{step("gw1", "a", 0, 201)}
	prepare(w, &steps[0])
	w.saved = append(w.saved, steps...)
	if _, err := Pass(context.Background(), w.env(), steps); err != nil {
		return "error: " + err.Error()
	}
	if len(w.problems) > 0 {
		t.Errorf("%v", w.problems)
	}
	return verdict(w, steps[0])
}

func beginTable(t *testing.T, attempts int) string {
	var b strings.Builder
	row := func(name string, reply Begun) {
		fmt.Fprintf(&b, "%-34s %s\n", name, onePass(t, func(w *world, s *StepState) {
			s.Attempts = attempts - 1
			if attempts > 1 {
				s.FirstAt = start.Add(-time.Minute)
			}
			w.begin["a"] = []Begun{reply}
			w.poll["a"] = []Polled{{Token: "t"}}
		}))
	}
	row("accepted", Begun{Outcome: Unknown, Token: "t", Sent: true})
	row("accepted, look in 17s", Begun{Outcome: Unknown, Token: "t", Sent: true, RetryAfter: 17 * time.Second})
	row("applied at once", Begun{Outcome: Applied, Sent: true})
	row("as wanted already", Begun{Outcome: Applied, NoOp: true})
	row("unknown: no answer", Begun{Outcome: Unknown, Sent: true, Err: failure(fault.Unavailable, 0)})
	row("unknown: 503, retry after 40s", Begun{Outcome: Unknown, Sent: true, Err: failure(fault.Unavailable, 40*time.Second)})
	for _, k := range kinds {
		row("not applied: "+string(k), Begun{Outcome: NotApplied, Err: failure(k, 0)})
	}
	row("not applied: throttled, 90s", Begun{Outcome: NotApplied, Err: failure(fault.Throttled, 90*time.Second)})
	row("not applied: busy, 45s", Begun{Outcome: NotApplied, Err: failure(fault.Busy, 45*time.Second)})
	row("not applied: denied, 45s", Begun{Outcome: NotApplied, Err: failure(fault.Denied, 45*time.Second)})
	row("not applied: an error without kind", Begun{Outcome: NotApplied, Err: errors.New("boom")})
	return b.String()
}

// inPhase puts a step where a dead process may have left it 10 s ago.
func inPhase(w *world, s *StepState, p Phase, applied bool) {
	s.Phase, s.Attempts, s.WriteID, s.IntentAt = p, 1, "w0", start.Add(-10*time.Second)
	if applied {
		s.AppliedAt = start.Add(-5 * time.Second)
	}
	if p == Sent {
		s.Token = "t"
	}
	w.begin["a"] = []Begun{{Outcome: NotApplied, Err: failure(fault.Busy, time.Hour)}} // a resend in the same pass would show
}

func readTable(t *testing.T, p Phase, applied bool) string {
	var b strings.Builder
	row := func(name string, r Reading, more ...func(*StepState)) {
		fmt.Fprintf(&b, "%-34s %s\n", name, onePass(t, func(w *world, s *StepState) {
			inPhase(w, s, p, applied)
			for _, f := range more {
				f(s)
			}
			w.read["a"] = []Reading{r}
		}))
	}
	conn := func(weight int32, epoch, provisioning string) Reading {
		return Reading{Found: true, Connection: &ConnectionState{ID: "a", Gateway: "gw1", Weight: weight, Epoch: epoch, Provisioning: provisioning, Rest: "rest-of-a"}}
	}
	row("as wanted", conn(201, "1", "Succeeded"))
	row("as wanted, provisioning Failed", conn(201, "1", "Failed"))
	row("as wanted, provisioning unknown", conn(201, "1", ""))
	row("as wanted, still Updating", conn(201, "1", "Updating"))
	row("old weight", conn(100, "", "Succeeded"))
	row("old weight, still Updating", conn(100, "", "Updating"))
	row("old weight, provisioning Failed", conn(100, "", "Failed"))
	row("old weight, provisioning Canceled", conn(100, "", "Canceled"))
	row("weight without our tag", conn(201, "", "Succeeded"))
	row("another weight", conn(500, "", "Succeeded"))
	row("as wanted, the rest changed", conn(201, "1", "Succeeded"), func(s *StepState) { s.Rest = "another" })
	row("as wanted, the rest as before", conn(201, "1", "Succeeded"), func(s *StepState) { s.Rest = "rest-of-a" })
	row("old weight, 6 min after", conn(100, "", "Succeeded"), func(s *StepState) {
		s.IntentAt = start.Add(-6 * time.Minute)
		if applied {
			s.AppliedAt = start.Add(-6 * time.Minute)
		}
	})
	row("gone", Reading{Found: false})
	for _, k := range []fault.Kind{fault.Throttled, fault.Denied, fault.Unavailable} {
		row("unreadable: "+string(k), Reading{Err: failure(k, 0)})
	}
	row("unreadable, retry after 75s", Reading{Err: failure(fault.Throttled, 75*time.Second)})
	return b.String()
}

func pollTable(t *testing.T) string {
	var b strings.Builder
	row := func(name string, p Polled, weight int32) {
		fmt.Fprintf(&b, "%-34s %s\n", name, onePass(t, func(w *world, s *StepState) {
			inPhase(w, s, Sent, false)
			w.poll["a"] = []Polled{p}
			c := w.conns["a"]
			if c.Weight = weight; weight == 201 {
				c.Epoch = "1"
			}
		}))
	}
	row("still runs", Polled{}, 100)
	row("still runs, another token", Polled{Token: "t2"}, 100)
	row("still runs, look in 30s", Polled{RetryAfter: 30 * time.Second}, 100)
	row("look failed", Polled{Err: failure(fault.Unavailable, 0)}, 100)
	row("look throttled, 25s", Polled{Err: failure(fault.Throttled, 25*time.Second), RetryAfter: 25 * time.Second}, 100)
	row("succeeded, landed", Polled{Done: true, Outcome: Applied}, 201)
	row("succeeded, not to be seen", Polled{Done: true, Outcome: Applied}, 100)
	row("failed, did not land", Polled{Done: true, Outcome: NotApplied, Err: failure(fault.Unavailable, 0)}, 100)
	row("failed, landed all the same", Polled{Done: true, Outcome: Unknown, Err: failure(fault.Unavailable, 0)}, 201)
	row("cancelled, superseded", Polled{Done: true, Outcome: Unknown, Err: failure(fault.Conflict, 0)}, 100)
	row("expired, landed", Polled{Done: true, Outcome: Unknown}, 201)
	row("expired, did not land", Polled{Done: true, Outcome: Unknown}, 100)
	return b.String()
}
