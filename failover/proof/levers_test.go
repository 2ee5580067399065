package proof

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
)

// levers is what Azure knows of failover tests and of peerings that are disabled.
type levers struct {
	tests map[string][]*test  // by gateway or circuit ID, oldest first
	off   map[string]string   // circuit ID → write that disabled its private peering
	inert map[string][]string // circuits that carry whatever the weights say, by what they should have been left for
	ids   int
}

// test is one failover test: of a site on a gateway, of a link on a circuit.
type test struct {
	id, target, location, link string
	state                      executor.TestState
	start                      time.Time
	by                         string // write that started it; "" is somebody else
}

func newLevers() *levers {
	return &levers{tests: map[string][]*test{}, off: map[string]string{}, inert: map[string][]string{}}
}

// going returns the test of a target that is not over, nil when there is none.
func (l *levers) going(target string) *test {
	for _, t := range l.tests[target] {
		if t.state != executor.TestOff {
			return t
		}
	}
	return nil
}

func (l *levers) begin(target, location, link, by string, now time.Time) *test {
	l.ids++
	t := &test{id: "guid-" + strconv.Itoa(l.ids), target: target, location: location, link: link, state: executor.TestChanging, start: now, by: by}
	l.tests[target] = append(l.tests[target], t)
	return t
}

// left reports whether a gateway is cut off from a circuit.
func (a *azure) left(gateway, circuit string) bool {
	c, _ := a.w.est.Circuit(circuit)
	t := a.levers.going(gateway)
	return a.levers.off[c.ID] != "" || t != nil && t.state == executor.TestOn && strings.EqualFold(t.location, c.Location)
}

// cutLink reports whether a test holds one link of a circuit down.
func (a *azure) cutLink(circuit string, l events.Link) bool {
	c, _ := a.w.est.Circuit(circuit)
	t := a.levers.going(c.ID)
	return a.levers.off[c.ID] != "" || t != nil && t.state == executor.TestOn && t.link == string(l)
}

// details tells the tests of a target.
func (a *azure) details(target string) []executor.Test {
	var out []executor.Test
	for _, t := range a.levers.tests[target] {
		out = append(out, executor.Test{ID: t.id, Location: t.location, Link: t.link, State: t.state, Start: t.start})
	}
	return out
}

// prepareLever is what the adapter does before a lever's request leaves.
func (a *azure) prepareLever(i *instance, n int, wr executor.Write) (executor.Begun, *flight) {
	w := a.w
	w.judge.pulls(i, wr)
	no := func(kind fault.Kind, code string) (executor.Begun, *flight) {
		return executor.Begun{Outcome: executor.NotApplied, Err: refusal(kind, code, 0, wr.Connection)}, nil
	}
	switch {
	case w.fault("arm-5xx-before", i.name, n):
		return no(fault.Unavailable, "503")
	case wr.Kind == planner.CutPeering && (a.levers.off[wr.Connection] != "") == wr.Cut:
		return executor.Begun{Outcome: executor.Applied, NoOp: true}, nil
	case i.Now().After(wr.NotAfter) && !w.mutant.ignoresDeadline():
		return no(fault.Unavailable, executor.CodeSendDeadline)
	}
	f := &flight{write: wr, inst: i, intentAt: wr.NotAfter.Add(-i.offset).Add(-w.swarm.timing().SendDeadline)}
	f.arrives = w.now.Add(w.span(i.name, n, "flight", 20*time.Millisecond, 400*time.Millisecond))
	a.sends++
	w.judge.sentLever(f)
	w.at(f.arrives, func() { a.arriveLever(f, n) })
	return executor.Begun{}, f
}

// place is where one operation at a time may run.
func (f *flight) place() string {
	if f.write.Gateway == "" {
		return f.write.Connection
	}
	return f.write.Gateway
}

// arriveLever is Azure taking a lever's request, or not.
func (a *azure) arriveLever(f *flight, n int) {
	w, wr, who := a.w, f.write, f.inst.name
	refuse := func(outcome executor.Outcome, kind fault.Kind, code string, after time.Duration) {
		f.over, f.answer = true, executor.Begun{Outcome: outcome, RetryAfter: after, Sent: true, Err: refusal(kind, code, after, wr.Connection)}
		w.trace.note("azure refuses %s of %s, cut %t: %s", wr.Kind, short(wr.Connection), wr.Cut, code)
	}
	going := a.levers.going(wr.Connection)
	switch tested := wr.Kind != planner.CutPeering; {
	case w.fault("arm-throttled", who, n):
		a.hold[wr.Gateway] = w.now.Add(w.span(who, n, "retry-after", 5*time.Second, 60*time.Second))
		refuse(executor.NotApplied, fault.Throttled, "TooManyRequests", a.hold[wr.Gateway].Sub(w.now))
	case a.busy[f.place()] != "", w.fault("arm-busy", who, n):
		refuse(executor.NotApplied, fault.Busy, "AnotherOperationInProgress", 0)
	case w.fault("arm-denied", who, n):
		refuse(executor.NotApplied, fault.Denied, "AuthorizationFailed", 0)
	case w.fault("arm-5xx-unapplied", who, n):
		refuse(executor.Unknown, fault.Unavailable, "500", 0)
	case tested && wr.Cut && going != nil:
		refuse(executor.NotApplied, fault.Conflict, "FailoverTestAlreadyInProgress", 0)
	case tested && !wr.Cut && (going == nil || going.location != wr.Location || going.link != wr.Link):
		refuse(executor.NotApplied, fault.Invalid, "FailoverTestNotFound", 0)
	case tested && !wr.Cut && going.state == executor.TestChanging:
		refuse(executor.NotApplied, fault.Busy, "AnotherOperationInProgress", 0)
	default:
		a.acceptLever(f, going, n)
	}
}

// acceptLever begins the operation that pulls a lever or puts it back.
func (a *azure) acceptLever(f *flight, t *test, n int) {
	w, wr, who := a.w, f.write, f.inst.name
	op := &operation{token: "t-" + strconv.Itoa(len(a.ops)+1), f: f}
	land := w.span(who, n, "land", 2*time.Second, 25*time.Second)
	if w.fault("land-late", who, n) {
		land = w.span(who, n, "land-late-for", 20*time.Second, max(f.intentAt.Add(w.swarm.timing().Landing).Sub(w.now)*19/20, 21*time.Second))
	}
	failed := w.fault("op-failed", who, n)
	if failed || w.fault("op-failed-yet-applied", who, n) {
		op.final = "failed"
	}
	if wr.Kind != planner.CutPeering {
		if wr.Cut {
			t = a.levers.begin(wr.Connection, wr.Location, wr.Link, wr.ID, w.now)
		} else {
			w.judge.stops(f, t)
			t.state = executor.TestChanging
		}
	}
	op.ends = w.now.Add(land + w.span(who, n, "end", 0, 3*time.Second))
	a.ops[op.token], a.busy[f.place()] = op, op.token
	w.trace.note("azure takes %s of %s, cut %t, from %s, lands in %s%s", wr.Kind, short(wr.Connection), wr.Cut, who, land.Truncate(time.Millisecond), op.final)
	w.after(land, func() { a.landLever(f, t, failed) })
	w.at(op.ends, func() {
		if a.busy[f.place()] == op.token {
			delete(a.busy, f.place())
		}
	})
	f.answer.Outcome, f.answer.Sent = executor.Unknown, true
	if w.fault("arm-lost-reply", who, n) {
		f.answer.Err = unavailable("pull lever", wr.Connection)
		return
	}
	f.answer.Token, f.answer.RetryAfter = executor.Token(op.token), w.span(who, n, "pace", 0, 10*time.Second)
}

// landLever is a lever taking effect, or failing to.
func (a *azure) landLever(f *flight, t *test, failed bool) {
	w, wr := a.w, f.write
	before := map[string][]string{}
	for _, gw := range w.judge.group.Gateways {
		before[gw] = w.judge.picture(gw)
	}
	f.over = true
	on := wr.Cut != failed
	switch {
	case t == nil && failed:
	case t == nil && on:
		a.levers.off[wr.Connection] = wr.ID
	case t == nil:
		delete(a.levers.off, wr.Connection)
	case on:
		t.state = executor.TestOn
	default:
		t.state = executor.TestOff
	}
	w.trace.note("%s of %s, cut %t, has ended, failed %t", wr.Kind, short(wr.Connection), wr.Cut, failed)
	w.trace.mark(mark{lane: short(f.place()), what: "land", text: string(wr.Kind) + " cut " + strconv.FormatBool(wr.Cut)})
	if wr.Cut && !failed {
		w.judge.cut(f, before)
	}
}

// others' tests come and go.
func (w *world) testers() {
	if !w.swarm.levers {
		return
	}
	n := 0
	var round func()
	round = func() {
		if n++; w.quiet {
			return
		}
		gw := w.est.Gateways[w.draw("tester", n, "gateway")%uint64(len(w.est.Gateways))].ID
		if w.fault("foreign-test", "tester", n) && w.azure.levers.going(gw) == nil {
			c := w.est.Circuits[w.draw("tester", n, "circuit")%uint64(len(w.est.Circuits))]
			t := w.azure.levers.begin(gw, c.Location, "", "", w.now)
			t.state = executor.TestOn
			w.judge.taint[gw] = true
			w.trace.note("others cut %s off from %s", short(gw), c.Location)
			w.after(w.span("tester", n, "for", 30*time.Second, 5*time.Minute), func() {
				t.state = executor.TestOff
				w.trace.note("others end their test of %s", short(gw))
			})
		}
		w.after(time.Minute, round)
	}
	w.at(origin.Add(3*time.Minute), round)
}

// leverOrder draws an order that pulls a lever, for some minutes.
func (w *world) leverOrder(n int, o events.Order) events.Order {
	o.Until = w.now.Add(w.span("people", n, "until", time.Minute, 7*time.Minute))
	switch w.draw("people", n, "lever") % 5 {
	case 0, 1:
		o.Verb, o.Lever = events.OrderDrill, events.LeverDisconnect
	case 2:
		o.Verb, o.Lever, o.Link = events.OrderDrill, events.LeverLink, []events.Link{events.Primary, events.Secondary}[w.draw("people", n, "link")%2]
	case 3:
		o.Verb, o.Lever = events.OrderFailover, events.LeverDisconnect
	default:
		o.Verb, o.Lever = events.OrderFailover, events.LeverPeering
	}
	return o
}

// inertWeights lets the weights of a decision move nothing: the circuits that it
// leaves go on to carry.
func (w *world) inertWeights(d *decision, from []string) {
	if w.swarm.levers && d.kind == policy.KindFailover && w.fault("weights-inert", "fate", int(d.epoch)) {
		for _, to := range d.to {
			w.azure.levers.inert[to] = from
		}
	}
}

// counts reports whether a circuit's byte counters grow.
func (a *azure) counts(circuit string) bool {
	from := a.levers.inert[circuit]
	if a.w.quiet {
		return true
	}
	return !slices.ContainsFunc(from, func(c string) bool {
		return slices.ContainsFunc(a.w.judge.group.Gateways, func(gw string) bool { return !a.left(gw, c) })
	})
}
