package failover

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

// levers is what the small Azure knows of failover tests and of peerings.
type levers struct {
	tests    map[string]*siteTest // by gateway or circuit ID; one at a time, as in Azure
	disabled map[string]bool      // circuits whose private peering is disabled
	stuck    string               // the circuit that keeps the traffic whatever the weights say, unless it is cut off
	starts   int
	onStart  func(w executor.Write) // a start reaches Azure
	onCut    func(w executor.Write) // one lands, or a stop does
}

type siteTest struct {
	id, location, link string
	on                 bool
	start              time.Time
}

// beginLever takes a start or a stop of a test, or a write of a peering.
func (a *azure) beginLever(w executor.Write) executor.Begun {
	word := map[bool]string{true: "start", false: "stop"}[w.Cut]
	refuse := func(kind fault.Kind, code string) executor.Begun {
		a.log = append(a.log, fmt.Sprintf("%s %s %s of %s refused %s", a.clock.stamp(), w.Kind, word, short(w.Connection), code))
		return executor.Begun{Outcome: executor.NotApplied, Sent: true, Err: &fault.Error{Op: word + " " + string(w.Kind), Target: w.Connection, Kind: kind, Code: code, Hint: "give the identity the Drill role"}}
	}
	fail := ""
	if len(a.faults) > 0 {
		fail, a.faults = a.faults[0], a.faults[1:]
	}
	t := a.levers.tests[w.Connection]
	going := a.going(w.Connection)
	switch {
	case a.down:
		return executor.Begun{Outcome: executor.Unknown, Err: a.unavailable(), Sent: true}
	case a.clock.now.After(w.NotAfter):
		return executor.Begun{Outcome: executor.NotApplied, Err: &fault.Error{Op: word, Target: w.Connection, Kind: fault.Unavailable, Code: executor.CodeSendDeadline}}
	case fail == "denied":
		return refuse(fault.Denied, "AuthorizationFailed")
	case fail == "busy":
		return refuse(fault.Busy, "AnotherOperationInProgress")
	case fail == "lost-request":
		return executor.Begun{Outcome: executor.Unknown, Sent: true, Err: a.unavailable()}
	case fail == "maintenance":
		return refuse(fault.Invalid, "CircuitUnderMaintenance")
	case w.Kind != planner.CutPeering && going != nil && going.write.Cut == w.Cut:
		return refuse(fault.Conflict, "FailoverTestInProgress")
	case w.Kind != planner.CutPeering && w.Cut && t != nil && t.on:
		return refuse(fault.Conflict, "FailoverTestInProgress")
	case w.Kind != planner.CutPeering && !w.Cut && (t == nil || !t.on):
		return refuse(fault.Invalid, "FailoverTestNotFound")
	}
	if w.Cut && a.levers.onStart != nil {
		a.levers.onStart(w)
	}
	a.puts[w.Connection+" "+word]++
	a.log = append(a.log, fmt.Sprintf("%s %s %s of %s", a.clock.stamp(), w.Kind, word, short(w.Connection)))
	token := "t-" + strconv.Itoa(len(a.running)+1)
	l := &landing{write: w, at: a.clock.now.Add(a.land)}
	switch fail {
	case "failed", "failed-yet-applied":
		l.outcome = fail
	}
	a.running[token] = l
	l.unseen = fail == "lost-and-unseen"
	if fail == "lost-reply" || l.unseen {
		return executor.Begun{Outcome: executor.Unknown, Sent: true, Err: a.unavailable()}
	}
	return executor.Begun{Outcome: executor.Unknown, Token: executor.Token(token), RetryAfter: 10 * time.Second, Sent: true, Correlation: "c-" + token}
}

// landLever lets a start or a stop take effect.
func (a *azure) landLever(w executor.Write) {
	if a.levers.tests == nil {
		a.levers.tests, a.levers.disabled = map[string]*siteTest{}, map[string]bool{}
	}
	a.log = append(a.log, fmt.Sprintf("%s %s of %s: cut %t", a.clock.stamp(), w.Kind, short(w.Connection), w.Cut))
	switch {
	case w.Kind == planner.CutPeering:
		a.levers.disabled[w.Connection] = w.Cut
	case w.Cut:
		a.startTest(w.Connection, w.Location, w.Link)
	default:
		if t := a.levers.tests[w.Connection]; t != nil {
			t.on = false
		}
	}
	if a.levers.onCut != nil {
		a.levers.onCut(w)
	}
}

func (a *azure) startTest(target, location, link string) {
	if a.levers.tests == nil {
		a.levers.tests, a.levers.disabled = map[string]*siteTest{}, map[string]bool{}
	}
	a.levers.starts++
	a.levers.tests[target] = &siteTest{id: "guid-" + strconv.Itoa(a.levers.starts), location: location, link: link, on: true, start: a.clock.now}
}

// going returns the start or stop that is under way on a gateway or circuit.
func (a *azure) going(target string) *landing {
	for _, token := range slices.Sorted(maps.Keys(a.running)) {
		l := a.running[token]
		if l.write.Connection == target && l.write.Kind != planner.SetWeight && !l.over && l.outcome == "" && !l.unseen {
			return l
		}
	}
	return nil
}

func (a *azure) testsOf(target string) []executor.Test {
	t := a.levers.tests[target]
	if l := a.going(target); l != nil {
		word := map[bool]string{true: "Starting", false: "Stopping"}[l.write.Cut]
		return []executor.Test{{Location: l.write.Location, Link: l.write.Link, State: executor.TestChanging, Status: word, Start: l.at.Add(-a.land)}}
	}
	if t == nil {
		return nil
	}
	state, word := executor.TestOn, "Running"
	if !t.on {
		state, word = executor.TestOff, "Completed"
	}
	return []executor.Test{{ID: t.id, Location: t.location, Link: t.link, State: state, Status: word, Start: t.start}}
}

// off reports whether a gateway is cut off from a circuit.
func (a *azure) off(gateway, circuit string) bool {
	c, _ := a.est.Circuit(circuit)
	t := a.levers.tests[gateway]
	return a.levers.disabled[c.ID] || (t != nil && t.on && strings.EqualFold(t.location, c.Location))
}

// cuts shows everything that is cut.
func (a *azure) cuts() string {
	a.settle()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(a.levers.tests)) {
		if t := a.levers.tests[id]; t.on {
			out = append(out, strings.TrimSpace(short(id)+": test "+t.id+" "+t.location+" "+t.link))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.levers.disabled)) {
		if a.levers.disabled[id] {
			out = append(out, short(id)+": peering disabled")
		}
	}
	if out == nil {
		return "nothing is cut\n"
	}
	return strings.Join(out, "\n") + "\n"
}
