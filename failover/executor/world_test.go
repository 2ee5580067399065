package executor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

var start = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// world is Azure, the record and the clock behind one executor. What each call
// answers is scripted, by connection; without a script a write is accepted, runs
// for a while and lands.
type world struct {
	now      time.Time
	timing   Timing
	conns    map[string]*ConnectionState
	begin    map[string][]Begun   // answers to writes, taken one by one
	poll     map[string][]Polled  // answers to looks
	read     map[string][]Reading // answers to reads
	land     time.Duration
	flying   []flight // accepted, not landed
	saved    []StepState
	ids      int
	calls    []string // everything that happened, in order
	writes   []Write  // everything that was sent
	crash    int      // this many more calls, then the process dies; negative never
	saveFail int      // this many more saves, then each fails; negative never
	problems []string // promises that were broken on the way
}

type flight struct {
	w     Write
	at    time.Time
	token Token
	done  bool
}

// died is how a crash unwinds.
type died struct{}

func newWorld(gateways map[string][]string) *world {
	w := &world{now: start, timing: DefaultTiming(), conns: map[string]*ConnectionState{}, begin: map[string][]Begun{}, poll: map[string][]Polled{},
		read: map[string][]Reading{}, land: 20 * time.Second, crash: -1, saveFail: -1}
	for gw, names := range gateways {
		for _, c := range names {
			w.conns[c] = &ConnectionState{ID: c, Gateway: gw, Weight: 100, Provisioning: "Succeeded", Rest: "rest-of-" + c}
		}
	}
	return w
}

func step(gw, conn string, wave int, to int32) StepState {
	return StepState{Phase: Waiting, Step: planner.Step{Connection: conn, Gateway: gw, Circuit: conn, Wave: wave, From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: to, Epoch: "1"}}}
}

func (w *world) env() Env {
	return Env{Net: w, Timing: w.timing, Now: func() time.Time { return w.now }, ID: w.id, Save: w.save}
}

func (w *world) id() string { w.ids++; return "w" + strconv.Itoa(w.ids) }

// call counts one effect; the process may die before it.
func (w *world) call(format string, args ...any) {
	if w.crash == 0 {
		panic(died{})
	}
	w.crash--
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

func (w *world) save(_ context.Context, steps []StepState) error {
	phases := make([]string, len(steps))
	for i, s := range steps {
		phases[i] = s.Connection + "=" + string(s.Phase)
	}
	w.call("save %s", strings.Join(phases, " "))
	if w.saveFail == 0 {
		return &fault.Error{Op: "write record", Kind: fault.Unavailable}
	}
	w.saveFail--
	w.saved = slices.Clone(steps)
	w.checkSaved()
	return nil
}

// checkSaved holds the promise of one open write on a gateway.
func (w *world) checkSaved() {
	open := map[string]int{}
	for _, s := range w.saved {
		if s.Phase == Intent || s.Phase == Sent || (s.Phase == Check && s.AppliedAt.IsZero()) {
			open[s.Gateway]++
		}
	}
	for gw, n := range open {
		if n > 1 {
			w.problem("%d open writes on %s", n, gw)
		}
	}
}

func (w *world) problem(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// settle lets what is due land.
func (w *world) settle() {
	for i := range w.flying {
		if f := &w.flying[i]; !f.done && !w.now.Before(f.at) {
			f.done = true
			c := w.conns[f.w.Connection]
			c.Weight, c.Epoch, c.Provisioning = f.w.To, f.w.Epoch, "Succeeded"
		}
	}
}

func take[T any](scripts map[string][]T, key string) (T, bool) {
	var zero T
	if len(scripts[key]) == 0 {
		return zero, false
	}
	next := scripts[key][0]
	scripts[key] = scripts[key][1:]
	return next, true
}

func (w *world) Begin(_ context.Context, writes []Write) []Begun {
	names := make([]string, len(writes))
	for i, x := range writes {
		names[i] = fmt.Sprintf("%s to %d", x.Connection, x.To)
	}
	w.call("begin %s", strings.Join(names, ", "))
	out := make([]Begun, len(writes))
	for i, x := range writes {
		w.checkWrite(x)
		w.writes = append(w.writes, x)
		out[i] = w.beginOne(x)
	}
	if w.crash == 0 { // it died before the answer arrived
		panic(died{})
	}
	return out
}

// checkWrite holds what must be true of a write when it leaves.
func (w *world) checkWrite(x Write) {
	i := slices.IndexFunc(w.saved, func(s StepState) bool { return s.Connection == x.Connection })
	switch {
	case i < 0 || w.saved[i].Phase != Intent || w.saved[i].WriteID != x.ID:
		w.problem("the write %s to %s was sent before its intent was stored", x.ID, x.Connection)
	case x.NotAfter.After(w.saved[i].IntentAt.Add(w.timing.SendDeadline)):
		w.problem("%s may be sent until %s, %s after its intent", x.Connection, x.NotAfter, x.NotAfter.Sub(w.saved[i].IntentAt))
	case w.saved[i].Attempts > w.timing.Attempts:
		w.problem("%s was sent %d times", x.Connection, w.saved[i].Attempts)
	}
	for _, s := range w.saved {
		if s.Gateway == x.Gateway && s.Wave < w.saved[max(i, 0)].Wave && s.Phase != Done {
			w.problem("%s was sent before %s of an earlier wave was done", x.Connection, s.Connection)
		}
	}
}

func (w *world) beginOne(x Write) Begun {
	if b, scripted := take(w.begin, x.Connection); scripted {
		if b.Outcome == Applied || (b.Token != "" && len(w.poll[x.Connection]) == 0) {
			w.flying = append(w.flying, flight{w: x, at: w.now, token: b.Token})
			w.settle()
		}
		return b
	}
	w.settle()
	c := w.conns[x.Connection]
	if c.Weight == x.To && c.Epoch == x.Epoch {
		return Begun{Outcome: Applied, NoOp: true, Before: c}
	}
	c.Provisioning = "Updating"
	f := flight{w: x, at: w.now.Add(w.land), token: Token("op-" + x.ID)}
	w.flying = append(w.flying, f)
	before := *c
	return Begun{Outcome: Unknown, Token: f.token, Sent: true, Before: &before, Correlation: "corr-" + x.ID}
}

func (w *world) Read(_ context.Context, refs []Ref) []Reading {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.ID
	}
	w.call("read %s", strings.Join(names, ", "))
	w.settle()
	out := make([]Reading, len(refs))
	for i, r := range refs {
		if scripted, ok := take(w.read, r.ID); ok {
			out[i] = scripted
			continue
		}
		c := *w.conns[r.ID]
		out[i] = Reading{Ref: r, At: w.now, Found: true, Connection: &c}
	}
	return out
}

func (w *world) Poll(_ context.Context, running []Running) []Polled {
	w.call("poll %d", len(running))
	w.settle()
	out := make([]Polled, len(running))
	for i, r := range running {
		if p, scripted := take(w.poll, r.Write.Connection); scripted {
			out[i] = p
			continue
		}
		out[i] = Polled{Done: true, Outcome: Unknown} // an operation that Azure has forgotten
		for _, f := range w.flying {
			switch {
			case f.token != r.Token:
			case f.done:
				out[i] = Polled{Done: true, Outcome: Applied}
			default:
				out[i] = Polled{Token: r.Token}
			}
		}
	}
	return out
}

func (w *world) Ask(context.Context, []Question) []Begun { return nil }

// run passes until every step has ended, or for at most limit passes; time moves to
// the instant that each pass asked for.
func (w *world) run(steps []StepState, limit int) (bool, error) {
	for range limit {
		next, err := Pass(context.Background(), w.env(), steps)
		if err != nil {
			return false, err
		}
		if next.IsZero() {
			return true, nil
		}
		if next.After(w.now) {
			w.now = next
			continue
		}
		w.now = w.now.Add(time.Second)
	}
	return false, nil
}
