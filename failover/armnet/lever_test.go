package armnet

import (
	"errors"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/sim"
)

// lever makes the cut, or the way back, of one of the demo's gateways or circuits.
func (e *estate) lever(kind planner.StepKind, name string, cut bool) executor.Write {
	w := executor.Write{ID: "w-lever", Kind: kind, Cut: cut, NotAfter: e.clk.Now().Add(time.Minute)}
	switch kind {
	case planner.Disconnect:
		w.Connection, w.Location = events.Canonical(e.Gateways[name]), "Washington DC"
		w.Gateway = w.Connection
	default:
		w.Connection, w.Link = events.Canonical(e.Circuits[name]), "primary"
	}
	return w
}

func (e *estate) pull(w executor.Write) (executor.Begun, executor.Outcome, error) {
	b := e.net.Begin(e.Context(), []executor.Write{w})[0]
	outcome, err := e.finish(w, b)
	return b, outcome, err
}

func (e *estate) session(circuit string, l sim.Link) bool {
	s, _ := e.Fabric.Link(circuit, l, e.clk.Now())
	return s.BGP
}

// tests reads the details of the tests, turning the clock.
func (e *estate) tests(target string) []executor.Test {
	e.Helper()
	q := executor.Question{Kind: executor.AskTests, Target: target}
	b := e.net.Ask(e.Context(), []executor.Question{q})[0]
	for range 10 {
		if b.Err != nil {
			e.Fatal(b.Err)
		}
		_ = e.clk.Sleep(e.Context(), 10*time.Second)
		p := e.net.Poll(e.Context(), []executor.Running{{Token: b.Token, Question: &q}})[0]
		if p.Done {
			if p.Answer == nil {
				e.Fatal(p.Err)
			}
			return p.Answer.Tests
		}
		b.Token, b.Err = p.Token, p.Err
	}
	e.Fatal("the details never came")
	return nil
}

// TestDisconnect: a gateway leaves a peering location and comes back, through the real
// pipeline over TLS.
func TestDisconnect(t *testing.T) {
	e := newEstate(t, sim.Options{})
	gw := e.Gateways["gw-east-1"]
	b, outcome, err := e.pull(e.lever(planner.Disconnect, "gw-east-1", true))
	if !b.Sent || b.Token == "" || b.Correlation == "" || outcome != executor.Applied || err != nil {
		t.Fatalf("start: %+v, %s, %v", b, outcome, err)
	}
	if on := e.Fabric.Carrying(gw, e.clk.Now()); len(on) != 1 || on[0] != e.Circuits["er-chicago"] {
		t.Fatalf("carrying %v", on)
	}
	got := e.tests(events.Canonical(gw))
	if len(got) != 1 || got[0].State != executor.TestOn || got[0].Location != "Washington DC" || got[0].ID == "" || got[0].Start.IsZero() {
		t.Fatalf("details %+v", got)
	}
	if b, _, err = e.pull(e.lever(planner.Disconnect, "gw-east-1", true)); b.Outcome != executor.NotApplied || !errors.Is(err, fault.Conflict) {
		t.Fatalf("a second start: %+v, %v", b, err)
	}
	if _, outcome, err = e.pull(e.lever(planner.Disconnect, "gw-east-1", false)); outcome != executor.Applied || err != nil {
		t.Fatalf("stop: %s, %v", outcome, err)
	}
	if got = e.tests(events.Canonical(gw)); got[0].State != executor.TestOff || got[0].Status != "Completed" {
		t.Fatalf("details after the stop %+v", got)
	}
	if b, _, err = e.pull(e.lever(planner.Disconnect, "gw-east-1", false)); b.Outcome != executor.NotApplied || err == nil {
		t.Fatalf("a second stop: %+v, %v", b, err)
	}
}

// TestCutLink and TestCutPeering: the levers on a circuit.
func TestCutLink(t *testing.T) {
	e := newEstate(t, sim.Options{})
	id := e.Circuits["er-ashburn"]
	if _, outcome, err := e.pull(e.lever(planner.CutLink, "er-ashburn", true)); outcome != executor.Applied || err != nil {
		t.Fatalf("start: %s, %v", outcome, err)
	}
	if e.session(id, sim.Primary) || !e.session(id, sim.Secondary) {
		t.Fatal("the start did not cut the primary link alone")
	}
	if got := e.tests(events.Canonical(id)); len(got) != 1 || got[0].State != executor.TestOn || got[0].Link != "primary" {
		t.Fatalf("details %+v", got)
	}
	if _, outcome, err := e.pull(e.lever(planner.CutLink, "er-ashburn", false)); outcome != executor.Applied || err != nil {
		t.Fatalf("stop: %s, %v", outcome, err)
	}
	if !e.session(id, sim.Primary) || !e.session(id, sim.Secondary) {
		t.Fatal("the stop did not bring both links back")
	}
}

func TestCutPeering(t *testing.T) {
	e := newEstate(t, sim.Options{})
	id := e.Circuits["er-ashburn"]
	state := func() string { return e.read(executor.RefCircuit, id).Circuit.Peering }
	for _, cut := range []bool{true, false} {
		want := map[bool]string{true: "Disabled", false: "Enabled"}[cut]
		if b, outcome, err := e.pull(e.lever(planner.CutPeering, "er-ashburn", cut)); outcome != executor.Applied || err != nil || b.NoOp {
			t.Fatalf("cut %t: %+v, %s, %v", cut, b, outcome, err)
		}
		if state() != want {
			t.Fatalf("cut %t: the peering is %s", cut, state())
		}
		if b, _, _ := e.pull(e.lever(planner.CutPeering, "er-ashburn", cut)); !b.NoOp || b.Sent {
			t.Fatalf("a write that changes nothing was sent: %+v", b)
		}
	}
}

// TestPeeringThatIsNotOurs: a peering that its provider keeps, or that has a hidden
// key, is not written.
func TestPeeringThatIsNotOurs(t *testing.T) {
	body := func(more string) string {
		return `{"name":"AzurePrivatePeering","id":"` + testER + `/peerings/AzurePrivatePeering","etag":"W/1","properties":{"provisioningState":"Succeeded","state":"Enabled","peerASN":65001,"vlanId":100,"future":9007199254740993` + more + `}}`
	}
	path := strings.ToLower(testER + "/peerings/AzurePrivatePeering")
	for more, want := range map[string]fault.Kind{`,"lastModifiedBy":"Equinix"`: fault.Refused, `,"sharedKey":"*****"`: fault.Refused, `,"lastModifiedBy":"Customer"`: ""} {
		a := newAzure(t).on("GET", path, answer{200, nil, body(more)}).on("PUT", path, answer{200, nil, body(more)})
		w := executor.Write{Kind: planner.CutPeering, Connection: testER, Cut: true, NotAfter: time.Now().Add(time.Minute)}
		b := a.client().Begin(t.Context(), []executor.Write{w})[0]
		if got := fault.KindOf(b.Err); got != want || b.Sent != (want == "") {
			t.Errorf("%s: %+v", more, b)
		}
	}
}

// TestLeverAnswers: each way in which a start may go wrong gives the outcome that the
// executor can build on.
func TestLeverAnswers(t *testing.T) {
	tests := map[string]struct {
		rule    sim.Rule
		outcome executor.Outcome
		cut     bool // whether the test runs in the end
	}{
		"another operation":       {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.Conflict}}, executor.NotApplied, false},
		"denied":                  {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.Forbidden}}, executor.NotApplied, false},
		"lost before":             {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.DropBefore}}, executor.Unknown, false},
		"lost after":              {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.DropAfter}}, executor.Unknown, true},
		"ill":                     {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.NotAvailable}}, executor.Unknown, false},
		"operation fails":         {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.OperationFails}}, executor.Unknown, false},
		"applied yet failed":      {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.AppliedYetFailed}}, executor.Unknown, true},
		"operation expired":       {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.OperationExpired}}, executor.Unknown, true},
		"result cannot be read":   {sim.Rule{Match: sim.Match{Kind: sim.KindOperation, Nth: 2, Times: -1}, Fault: sim.Fault{Kind: sim.BadBody}}, "", true},
		"addresses of a stranger": {sim.Rule{Match: sim.Match{Kind: sim.KindTest}, Fault: sim.Fault{Kind: sim.HostileOperation, URL: "https://thief.example"}}, executor.Unknown, true},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, sim.Options{})
			e.arm.Inject(c.rule)
			_, outcome, _ := e.pull(e.lever(planner.Disconnect, "gw-east-1", true))
			if c.outcome != "" && outcome != c.outcome || outcome == "" {
				t.Errorf("outcome %q, want %q", outcome, c.outcome)
			}
			e.arm.ClearFaults()
			_ = e.clk.Sleep(t.Context(), time.Minute)
			on := false
			for _, x := range e.tests(events.Canonical(e.Gateways["gw-east-1"])) {
				on = on || x.State == executor.TestOn
			}
			if on != c.cut {
				t.Errorf("the test runs: %t, want %t", on, c.cut)
			}
		})
	}
}

// TestLeversThatCannotBeMeant are refused before anything is sent.
func TestLeversThatCannotBeMeant(t *testing.T) {
	a := newAzure(t)
	good := executor.Write{Kind: planner.Disconnect, Connection: testGW, Location: "Oslo", Cut: true}
	for name, change := range map[string]func(*executor.Write){
		"no gateway":   func(w *executor.Write) { w.Connection = testER },
		"no location":  func(w *executor.Write) { w.Location = "" },
		"bad location": func(w *executor.Write) { w.Location = "Oslo\r\nHost: x" },
		"no link":      func(w *executor.Write) { w.Kind, w.Connection, w.Link = planner.CutLink, testER, "third" },
		"no circuit":   func(w *executor.Write) { w.Kind = planner.CutPeering },
		"no kind":      func(w *executor.Write) { w.Kind = "hope" },
		"no resource":  func(w *executor.Write) { w.Connection = "gw" },
	} {
		w := good
		change(&w)
		if b := a.client().Begin(t.Context(), []executor.Write{w})[0]; b.Outcome != executor.NotApplied || b.Sent || !errors.Is(b.Err, fault.Invalid) {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// TestTestStates: an undocumented or new word is judged by the test's connections.
func TestTestStates(t *testing.T) {
	for _, c := range []struct {
		word string
		off  bool
		want executor.TestState
	}{
		{"Running", false, executor.TestOn}, {"StopFailed", false, executor.TestOn}, {"Starting", true, executor.TestChanging}, {"Stopping", true, executor.TestChanging},
		{"Completed", true, executor.TestOff}, {"StartFailed", false, executor.TestOff}, {"Expired", false, executor.TestOff}, {"Expired", true, executor.TestOn}, {"", true, executor.TestOn}, {"New", false, executor.TestOff},
	} {
		if got := testState(c.word, c.off); got != c.want {
			t.Errorf("%q, disconnected %t: %s, want %s", c.word, c.off, got, c.want)
		}
	}
}
