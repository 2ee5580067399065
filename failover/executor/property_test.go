package executor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/fault"
)

// drawSteps draws a plan: gateways with one to three writes in up to two waves.
func drawSteps(t *rapid.T) (*world, []StepState) {
	gateways := map[string][]string{}
	var steps []StepState
	for g := range rapid.IntRange(1, 3).Draw(t, "gateways") {
		gw := fmt.Sprintf("gw%d", g)
		for c := range rapid.IntRange(1, 3).Draw(t, "writes") {
			name := fmt.Sprintf("%s-%d", gw, c)
			gateways[gw] = append(gateways[gw], name)
			steps = append(steps, step(gw, name, rapid.IntRange(0, 1).Draw(t, "wave"), int32(200+c)))
		}
	}
	slices.SortStableFunc(steps, func(a, b StepState) int { return a.Wave - b.Wave })
	return newWorld(gateways), steps
}

// lines draws trouble for every connection: what writes, looks and reads answer
// before they answer as they should.
func lines(t *rapid.T, w *world, steps []StepState, fatal bool) {
	wait := func(label string) time.Duration {
		return rapid.SampledFrom([]time.Duration{0, 0, 7 * time.Second, 50 * time.Second}).Draw(t, label)
	}
	for _, s := range steps {
		for range rapid.IntRange(0, 3).Draw(t, "bad begins") {
			b := Begun{Outcome: NotApplied, Err: failure(rapid.SampledFrom([]fault.Kind{fault.Busy, fault.Throttled, fault.Unavailable}).Draw(t, "refusal"), wait("retry-after"))}
			switch rapid.IntRange(0, 5).Draw(t, "answer") {
			case 0:
				b = Begun{Outcome: Unknown, Sent: true, Err: failure(fault.Unavailable, wait("retry-after"))}
			case 1: // applied, and said so
				b = Begun{Outcome: Applied, Sent: true}
			case 2:
				b = Begun{Outcome: Unknown, Sent: true, Token: "never", RetryAfter: wait("pace")}
				w.poll[s.Connection] = append(w.poll[s.Connection], Polled{Done: true, Outcome: Unknown})
			case 3:
				if fatal {
					b.Err = failure(rapid.SampledFrom([]fault.Kind{fault.Denied, fault.Conflict, fault.Invalid, fault.NotFound}).Draw(t, "fatal"), 0)
				}
			}
			w.begin[s.Connection] = append(w.begin[s.Connection], b)
		}
		for range rapid.IntRange(0, 2).Draw(t, "bad reads") {
			w.read[s.Connection] = append(w.read[s.Connection], Reading{Err: failure(fault.Unavailable, wait("retry-after"))})
		}
	}
}

// TestPassKeepsItsPromises runs plans through random trouble. The world checks at
// each call: the intent is stored before the send, one write is open on a gateway,
// waves go in order, the send deadline, the bound of attempts.
func TestPassKeepsItsPromises(t *testing.T) {
	for range 5 {
		rapid.Check(t, promises)
	}
}

// FuzzPass searches for trouble that breaks a promise.
func FuzzPass(f *testing.F) {
	f.Add([]byte("busy, then no answer, then applied"))
	f.Fuzz(rapid.MakeFuzz(promises))
}

func promises(t *rapid.T) {
	w, steps := drawSteps(t)
	lines(t, w, steps, true)
	ended, err := w.run(steps, 400)
	if err != nil {
		t.Fatal(err)
	}
	if !ended {
		t.Fatalf("not ended after 400 passes: %v", steps)
	}
	sent := map[string]int{}
	for _, x := range w.writes {
		sent[x.Connection]++
	}
	for _, s := range steps {
		switch {
		case s.Phase == Done && w.conns[s.Connection].Weight != s.To.Weight:
			t.Fatalf("%s is done and has weight %d", s.Connection, w.conns[s.Connection].Weight)
		case s.Phase == Failed && s.Error == "":
			t.Fatalf("%s failed and does not say why", s.Connection)
		case s.Attempts > w.timing.Attempts || sent[s.Connection] > w.timing.Attempts+s.Refusals:
			t.Fatalf("%s was sent %d times", s.Connection, sent[s.Connection])
		case s.Token != "":
			t.Fatalf("%s has ended and keeps a token", s.Connection)
		}
	}
	checkProblems(t, w)
	before := len(w.calls)
	if next, err := Pass(context.Background(), w.env(), steps); err != nil || !next.IsZero() || len(w.calls) != before {
		t.Fatalf("an ended plan was taken further: %v %v %v", w.calls[before:], next, err)
	}
}

func checkProblems(t *rapid.T, w *world) {
	if len(w.problems) > 0 {
		t.Fatalf("%v\ncalls: %v", w.problems, w.calls)
	}
}

// TestCrashAnywhereConverges lets the process die before each call, and after each
// send before its answer; a new one goes on with what was saved last, and may die
// again. The weights at the end are those of a run without a crash.
func TestCrashAnywhereConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, steps := drawSteps(t)
		lines(t, w, steps, false)
		w.saved = slices.Clone(steps)
		for range rapid.IntRange(1, 3).Draw(t, "crashes") {
			w.crash = rapid.IntRange(0, 12).Draw(t, "dies after")
			if crashed := w.runAndDie(); !crashed {
				break
			}
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "down for")) * time.Second)
		}
		w.crash = -1
		last := slices.Clone(w.saved)
		if ended, err := w.run(last, 400); err != nil || !ended {
			t.Fatalf("ended %t, %v: %v", ended, err, last)
		}
		w.now = w.now.Add(time.Hour)
		w.settle()
		for _, s := range last {
			if c := w.conns[s.Connection]; s.Phase != Done || c.Weight != s.To.Weight || c.Epoch != s.To.Epoch {
				t.Fatalf("%s is %s with weight %d, want %d\ncalls: %v", s.Connection, s.Phase, c.Weight, s.To.Weight, w.calls)
			}
		}
		checkProblems(t, w)
	})
}

// runAndDie runs on what was saved last, in memory of its own, and reports whether
// the process died.
func (w *world) runAndDie() (crashed bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(died); !ours {
				panic(r)
			}
			crashed = true
		}
	}()
	ended, err := w.run(slices.Clone(w.saved), 400)
	return !ended || err != nil
}

// TestEverySingleCrash does the same for every call of one plan, one by one.
func TestEverySingleCrash(t *testing.T) {
	plan := func() (*world, []StepState) {
		w := newWorld(map[string][]string{"gw1": {"a", "b"}, "gw2": {"c"}})
		return w, []StepState{step("gw1", "a", 0, 201), step("gw2", "c", 0, 201), step("gw1", "b", 1, 150)}
	}
	whole, steps := plan()
	if ended, err := whole.run(steps, 100); err != nil || !ended {
		t.Fatalf("ended %t, %v", ended, err)
	}
	if len(whole.calls) < 12 {
		t.Fatalf("only %d calls: %v", len(whole.calls), whole.calls)
	}
	for n := range len(whole.calls) + 1 {
		w, steps := plan()
		w.saved, w.crash = slices.Clone(steps), n
		w.runAndDie()
		w.crash = -1
		w.now = w.now.Add(5 * time.Second)
		last := slices.Clone(w.saved)
		if ended, err := w.run(last, 200); err != nil || !ended {
			t.Fatalf("died at call %d: ended %t, %v", n, ended, err)
		}
		for name, c := range whole.conns {
			if got := *w.conns[name]; got != *c {
				t.Errorf("died at call %d: %s is %v, want %v", n, name, got, *c)
			}
		}
		if len(w.problems) > 0 {
			t.Errorf("died at call %d: %v", n, w.problems)
		}
	}
}

// TestSaveThatFailsSendsNothing: a pass ends at its first error, and nothing is
// sent when the intents could not be stored.
func TestSaveThatFailsSendsNothing(t *testing.T) {
	w := newWorld(map[string][]string{"gw1": {"a"}})
	w.saveFail = 0
	steps := []StepState{step("gw1", "a", 0, 201)}
	if _, err := Pass(context.Background(), w.env(), steps); fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("error %v", err)
	}
	if len(w.writes) != 0 {
		t.Fatalf("sent %v", w.writes)
	}
}

// TestSendDeadline: what is handed to Begin may leave until 60 s after the instant
// at which the step was found ready, whatever the save took.
func TestSendDeadline(t *testing.T) {
	w := newWorld(map[string][]string{"gw1": {"a"}})
	env := w.env()
	env.Save = func(ctx context.Context, steps []StepState) error {
		w.now = w.now.Add(20 * time.Second) // a slow store
		return w.save(ctx, steps)
	}
	steps := []StepState{step("gw1", "a", 0, 201)}
	if _, err := Pass(context.Background(), env, steps); err != nil {
		t.Fatal(err)
	}
	if got, want := w.writes[0].NotAfter, start.Add(w.timing.SendDeadline); !got.Equal(want) {
		t.Fatalf("may be sent until %s, want %s", got, want)
	}
}

// TestRetryAfterIsNotCutShort: no call is made about a connection before the wait
// that Azure asked for is over.
func TestRetryAfterIsNotCutShort(t *testing.T) {
	for _, kind := range []fault.Kind{fault.Busy, fault.Throttled, fault.Unavailable, fault.Denied} {
		w := newWorld(map[string][]string{"gw1": {"a"}})
		w.begin["a"] = []Begun{{Outcome: NotApplied, Err: failure(kind, 77*time.Second)}}
		steps := []StepState{step("gw1", "a", 0, 201)}
		next, err := Pass(context.Background(), w.env(), steps)
		if err != nil || next.Before(start.Add(77*time.Second)) {
			t.Fatalf("%s: next at %s, %v", kind, next.Sub(start), err)
		}
		w.now = start.Add(76 * time.Second)
		if _, err := Pass(context.Background(), w.env(), steps); err != nil || len(w.writes) != 1 {
			t.Fatalf("%s: %d writes before the wait was over, %v", kind, len(w.writes), err)
		}
		w.now = start.Add(77 * time.Second)
		if _, err := Pass(context.Background(), w.env(), steps); err != nil || len(w.writes) != 2 {
			t.Fatalf("%s: %d writes after the wait, %v", kind, len(w.writes), err)
		}
	}
}

// TestOpenUntilKnown follows one write that is said to be applied, is not seen for
// the whole landing time, and is sent again without an answer: the second attempt
// is open although the first was said to be applied.
func TestOpenUntilKnown(t *testing.T) {
	w := newWorld(map[string][]string{"gw1": {"a"}})
	w.land = time.Hour
	steps := []StepState{step("gw1", "a", 0, 201)}
	old := Reading{Found: true, Connection: &ConnectionState{ID: "a", Gateway: "gw1", Weight: 100, Provisioning: "Succeeded"}}
	s := &steps[0]
	s.Phase, s.Attempts, s.WriteID, s.IntentAt, s.AppliedAt, s.FirstAt = Check, 1, "w0", start.Add(-6*time.Minute), start.Add(-6*time.Minute), start.Add(-6*time.Minute)
	w.read["a"] = []Reading{old}
	w.begin["a"] = []Begun{{Outcome: Unknown, Sent: true, Err: failure(fault.Unavailable, 0)}}
	for range 2 {
		if _, err := Pass(context.Background(), w.env(), steps); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Second)
	}
	if s.Phase != Check || s.Attempts != 2 || !s.Open(w.now) {
		t.Fatalf("phase %s, attempt %d, open %t: the second attempt may still land", s.Phase, s.Attempts, s.Open(w.now))
	}
}

// TestTheFirstReadStands: what the body was before our first attempt is what every
// later attempt must find, so that a change in between is seen.
func TestTheFirstReadStands(t *testing.T) {
	w := newWorld(map[string][]string{"gw1": {"a"}})
	for _, rest := range []string{"first", "second"} {
		w.begin["a"] = append(w.begin["a"], Begun{Outcome: NotApplied, Before: &ConnectionState{Rest: rest}, Err: failure(fault.Busy, 0)})
	}
	if _, err := w.run([]StepState{step("gw1", "a", 0, 201)}, 3); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range w.writes {
		got = append(got, x.Rest)
	}
	if want := []string{"", "first", "first"}; !slices.Equal(got, want) {
		t.Fatalf("writes must find %q, want %q", got, want)
	}
}

// TestBusyDoesNotUseUpAttempts: a gateway that is busy with somebody else's work is
// waited for; only half an hour ends that.
func TestBusyDoesNotUseUpAttempts(t *testing.T) {
	w := newWorld(map[string][]string{"gw1": {"a"}})
	w.begin["a"] = slices.Repeat([]Begun{{Outcome: NotApplied, Err: failure(fault.Busy, 0)}}, 20)
	steps := []StepState{step("gw1", "a", 0, 201)}
	if ended, err := w.run(steps, 200); err != nil || !ended || steps[0].Phase != Done || steps[0].Attempts != 1 {
		t.Fatalf("ended %t, %v: %s after %d attempts and %d refusals: %s", ended, err, steps[0].Phase, steps[0].Attempts, steps[0].Refusals, steps[0].Error)
	}
	w = newWorld(map[string][]string{"gw1": {"a"}})
	w.begin["a"] = slices.Repeat([]Begun{{Outcome: NotApplied, Err: failure(fault.Busy, 0)}}, 2000)
	steps = []StepState{step("gw1", "a", 0, 201)}
	if ended, err := w.run(steps, 200); err != nil || !ended || steps[0].Phase != Failed || w.now.Sub(start) > w.timing.GiveUp+2*time.Minute {
		t.Fatalf("ended %t, %v: %s after %s", ended, err, steps[0].Phase, w.now.Sub(start))
	}
}

// TestOneWriteAtATimeOnAGateway: whatever stands open on a gateway, and wherever it
// stands in the list, holds the others of that gateway, and of no other.
func TestOneWriteAtATimeOnAGateway(t *testing.T) {
	for _, p := range []Phase{Intent, Sent, Check} {
		steps := []StepState{step("gw1", "a", 0, 201), step("gw1", "b", 0, 201), step("gw2", "c", 0, 201)}
		steps[1].Phase = p
		if got := []bool{blocked(steps, 0), blocked(steps, 2)}; !slices.Equal(got, []bool{true, false}) {
			t.Errorf("beside one in %s: blocked %v, want the same gateway only", p, got)
		}
	}
	steps := []StepState{step("gw1", "home", 1, 200), step("gw1", "standby", 0, 100)}
	if !blocked(steps, 0) || blocked(steps, 1) {
		t.Error("the earlier wave goes first, wherever it stands in the list")
	}
}

// TestCountTellsOpenFromDone: an earlier attempt may land although the step is done.
func TestCountTellsOpenFromDone(t *testing.T) {
	steps := []StepState{{Phase: Done, Doubt: start.Add(time.Minute)}, {Phase: Done}, {Phase: Failed}, {Phase: Sent}, {Phase: Check, AppliedAt: start}, {Phase: Waiting, Doubt: start}}
	got := Count(steps, start)
	want := Tally{Total: 6, Done: 2, Failed: 1, Open: 2}
	if got != want || got.Ended() {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if later := Count(steps[:3], start.Add(time.Minute)); later.Open != 0 || !later.Ended() {
		t.Fatalf("%+v", later)
	}
}

// TestGivesUp: an operation that never ends, and a connection that stays in
// Updating or cannot be read, fail after half an hour and stay open for as long as
// the write may land.
func TestGivesUp(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"hangs": func(w *world) { w.land = 1000 * time.Hour },
		"updating": func(w *world) {
			w.begin["a"] = []Begun{{Outcome: Unknown, Sent: true}}
			w.conns["a"].Provisioning = "Updating"
		},
		"unreadable": func(w *world) { w.begin["a"] = []Begun{{Outcome: Unknown, Sent: true}}; w.read["a"] = unreadable(2000) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string][]string{"gw1": {"a"}})
			prepare(w)
			steps := []StepState{step("gw1", "a", 0, 201)}
			ended, err := w.run(steps, 2000)
			if err != nil || !ended || steps[0].Phase != Failed || steps[0].Error == "" || len(w.writes) != 1 {
				t.Fatalf("ended %t, %v, sent %d times: %+v", ended, err, len(w.writes), steps[0])
			}
			if took := w.now.Sub(start); took < w.timing.GiveUp || took > w.timing.GiveUp+2*time.Minute {
				t.Fatalf("gave up after %s", took)
			}
			if !steps[0].Open(w.now) || steps[0].Open(w.now.Add(w.timing.Landing)) {
				t.Fatalf("in doubt until %s, it is %s", steps[0].Doubt, w.now)
			}
		})
	}
}

func unreadable(n int) []Reading {
	return slices.Repeat([]Reading{{Err: failure(fault.Unavailable, 0)}}, n)
}
