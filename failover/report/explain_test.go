package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// night is the instant of these tests.
var night = time.Date(2026, 1, 12, 3, 4, 5, 0, time.UTC)

// TestEveryReasonHasWords: a code that a person may meet is explained, and whoever
// can be held by it learns what to do.
func TestEveryReasonHasWords(t *testing.T) {
	for _, r := range policy.Reasons() {
		w, known := words[r]
		if !known {
			t.Errorf("%s has no words", r)
		}
		if (w.Asks == "") != (w.Lift == "") || (w.Asks != "" && !strings.HasSuffix(w.Asks, "?")) {
			t.Errorf("%s: asks %q and is lifted by %q, want a question and a way, or neither", r, w.Asks, w.Lift)
		}
		if policy.Overridable(r) && w.Asks == "" {
			t.Errorf("%s can be overridden and asks nothing", r)
		}
	}
	if len(words) != len(policy.Reasons()) {
		t.Errorf("%d words for %d reasons", len(words), len(policy.Reasons()))
	}
	for _, kind := range []policy.Kind{"", policy.KindFailover, policy.KindSwitchover, policy.KindFailback, policy.KindEvacuate, policy.KindDrill, policy.KindSettle} {
		for _, order := range []bool{false, true} {
			for i, code := range asked(kind, order) {
				if words[code].Asks == "" || slices.Contains(asked(kind, order)[:i], code) {
					t.Errorf("%s, by order %v: %s asks nothing, or twice", kind, order, code)
				}
			}
		}
	}
}

// east is an explanation's input: ashburn carries, chicago stands by.
func east(v policy.Verdict) ExplainInput {
	ash := health.Belief{Circuit: "ashburn", State: health.Suspect, Observers: 1, Needed: 2, HoldUntil: night.Add(20 * time.Second),
		Bad: []health.Evidence{{Observer: events.Metric, Source: "BgpAvailability", State: events.Down, Link: events.Primary, At: night.Add(-10 * time.Second)}}}
	chi := health.Belief{Circuit: "chicago", State: health.Healthy, Good: []health.Evidence{{Observer: events.Probe, Source: "cm", State: events.Up, At: night.Add(-3 * time.Second)}}}
	return ExplainInput{Now: night, Group: record.Group{Name: "east", Active: []string{"ashburn"}}, Circuits: []string{"ashburn", "chicago"}, Home: []string{"ashburn"},
		Policy: policy.Rule{Mode: policy.Automatic}, Judged: Judged{Verdict: v, View: health.View{At: night, Circuits: map[string]health.Belief{"ashburn": ash, "chicago": chi}}}}
}

// TestExplainAHold: the first guard, when time lifts it, who speaks, and what a
// person can do stand in the text.
func TestExplainAHold(t *testing.T) {
	in := east(policy.Verdict{Action: policy.Hold, Kind: policy.KindFailover, Group: "east", From: []string{"ashburn"}, To: []string{"chicago"},
		Reasons: []policy.Finding{
			{Code: policy.HoldDown, Circuit: "ashburn", Text: "ashburn has been bad since 03:03:55Z, not yet for 30s", Until: night.Add(20 * time.Second)},
			{Code: policy.Unconfirmed, Circuit: "ashburn", Text: "1 of 2 observers say that ashburn is down"},
		},
		Candidates: []policy.Candidate{{Circuit: "chicago", Rank: 1, Chosen: true}}})
	in.WhatIf = &Judged{Verdict: policy.Verdict{Action: policy.Move, To: []string{"chicago"}}, Plan: planner.Plan{ID: "p-1", Steps: make([]planner.Step, 2)}}
	e := Explain(in)
	held := 0
	for i, g := range e.Guards {
		if g.Answer == Held {
			held++
			if g.Lift == "" || g.Text == "" {
				t.Errorf("%+v has no words", g)
			}
		}
		if g.Code == policy.Headroom && g.Answer != NoData {
			t.Errorf("headroom is not measured and answers %q", g.Answer)
		}
		if g.Code == policy.KillSwitch && i != 0 {
			t.Error("the kill switch is not asked first")
		}
	}
	if held != 2 || len(e.Changes) != 2 || !e.Changes[0].At.Equal(night.Add(20*time.Second)) || e.Changes[0].InMS != 20_000 {
		t.Errorf("got %d held, changes %+v", held, e.Changes)
	}
	text := e.Text()
	for _, want := range []string{
		"Traffic stays on ashburn. A failover is wanted away from ashburn", "2 guards held it", `"hold-down"`, "Time lifts this one at 03:04:25Z", "[03:04:25Z, in 20.0s]",
		"a second observer", "1 of 2 observers needed", "metric (BgpAvailability) says down on the primary link, 10s ago", "would move to chicago with 2 writes (plan p-1)",
		"chicago: nothing stands against it (chosen)", "no data (not measured, so they hold nothing): prefixes-uncovered, headroom",
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 100 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

// TestExplainQuiet: nothing wrong, a lesser trouble, blindness, and a move each have
// their own first sentence.
func TestExplainQuiet(t *testing.T) {
	well := policy.Finding{Code: policy.Well, Text: "every active circuit carries traffic"}
	for _, c := range []struct {
		verdict policy.Verdict
		mode    policy.Mode
		refused string
		want    string
	}{
		{policy.Verdict{Action: policy.Hold, Reasons: []policy.Finding{well}}, policy.Automatic, "", "because nothing is wrong"},
		{policy.Verdict{Action: policy.Hold, Reasons: []policy.Finding{{Code: policy.Lossy, Text: "ashburn carries traffic and loses packets"}, well}}, policy.Automatic, "", "no reason to move by this group's rules. Ashburn carries traffic and loses packets."},
		{policy.Verdict{Action: policy.Hold, Reasons: []policy.Finding{{Code: policy.Blind, Text: "dark"}}}, policy.Automatic, "", "silence is neither health nor outage"},
		{policy.Verdict{Action: policy.Move, Kind: policy.KindFailover, From: []string{"ashburn"}, To: []string{"chicago"}, Reasons: []policy.Finding{{Code: policy.CircuitDown, Text: "ashburn is down"}}}, policy.Approve, "", "wait for a person's approval first, because ashburn is down."},
		{policy.Verdict{Action: policy.Move, Kind: policy.KindFailover}, policy.Automatic, "a gateway would be stranded", "no safe plan could be made: a gateway would be stranded"},
	} {
		in := east(c.verdict)
		in.Policy.Mode, in.Judged.Refused = c.mode, c.refused
		if got := Explain(in).Answer; !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	in := east(policy.Verdict{Action: policy.Hold, Reasons: []policy.Finding{{Code: policy.Lossy, Text: "x"}, well}})
	if c := Explain(in).Changes; len(c) != 1 || !strings.Contains(c[0].What, "health.degraded") {
		t.Errorf("got changes %+v, want the setting that matters", c)
	}
}

// TestWaivedGuards: what an order overrides is shown as waived.
func TestWaivedGuards(t *testing.T) {
	in := east(policy.Verdict{Action: policy.Move, Kind: policy.KindFailover, To: []string{"chicago"}, Overridden: []policy.Reason{policy.SharedFate}})
	in.Order = &events.Order{Verb: events.OrderFailover, By: "ana"}
	for _, g := range Explain(in).Guards {
		if (g.Answer == Waived) != (g.Code == policy.SharedFate) {
			t.Errorf("%s answers %s", g.Code, g.Answer)
		}
	}
}

// TestCard: commands raise above what the gateway prefers now, name every gateway,
// and put back only what differs.
func TestCard(t *testing.T) {
	const sub = "/subscriptions/s/resourcegroups/net/providers/microsoft.network/"
	rest := func(n int32) *int32 { return &n }
	gw, vw := sub+"virtualnetworkgateways/gw1", sub+"expressroutegateways/vw1"
	s := Status{At: night, Groups: []GroupStatus{{Name: "east", Home: []string{"ashburn"}, Active: []string{"chicago"}, Circuits: []health.Belief{{Circuit: "ashburn", State: health.Down}, {Circuit: "chicago"}, {Circuit: "dallas"}},
		Weights: []Weight{
			{Connection: sub + "connections/gw1-ashburn", Gateway: gw, Circuit: "ashburn", Now: 200, Rest: rest(200)},
			{Connection: sub + "connections/gw1-chicago", Gateway: gw, Circuit: "chicago", Now: 201, Rest: rest(100), Carries: true},
			{Connection: vw + "/expressrouteconnections/vw1-ashburn", Gateway: vw, Circuit: "ashburn", Now: 200, Rest: rest(200)},
			{Connection: vw + "/expressrouteconnections/vw1-chicago", Gateway: vw, Circuit: "chicago", Now: 32000, Rest: rest(100), Carries: true},
		}}}}
	text := MakeCard(s).Text()
	for _, want := range []string{
		"az network vpn-connection update --ids " + sub + "connections/gw1-ashburn --routing-weight 202", "to ashburn (down)",
		"NOT for gateway " + vw, "to dallas (unknown)", "NOT for gateway " + gw, "connections/gw1-chicago --routing-weight 100",
		"az network express-route gateway connection update --subscription s --resource-group net --gateway-name vw1 --name vw1-chicago --routing-weight 100", "erfailover stop",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "to chicago") {
		t.Error("a move to where the traffic is")
	}
}

// TestReadiness: each thing that would be in the way at night is named by day.
func TestReadiness(t *testing.T) {
	rest := int32(1)
	good := GroupStatus{Name: "east", Mode: policy.Automatic, Circuits: []health.Belief{{Circuit: "a", State: health.Healthy}}, Weights: []Weight{{Rest: &rest}}}
	move := Judged{Verdict: policy.Verdict{Action: policy.Move, To: []string{"b"}}, Plan: planner.Plan{Steps: make([]planner.Step, 1)}}
	if r := MakeReadiness(good, nil, move, 0, night); !r.Ready || r.Target != "b" {
		t.Errorf("got %+v", r)
	}
	for name, spoil := range map[string]func(s *GroupStatus, j *Judged, killed **policy.Pause, missing *int){
		"can-move":    func(_ *GroupStatus, j *Judged, _ **policy.Pause, _ *int) { j.Verdict.Action = policy.Hold },
		"acts":        func(s *GroupStatus, _ *Judged, _ **policy.Pause, _ *int) { s.Mode = policy.Observe },
		"not-stopped": func(_ *GroupStatus, _ *Judged, k **policy.Pause, _ *int) { *k = &policy.Pause{By: "x"} },
		"evidence": func(s *GroupStatus, _ *Judged, _ **policy.Pause, _ *int) {
			s.Circuits = []health.Belief{{Circuit: "a"}}
		},
		"weights-at-rest": func(s *GroupStatus, _ *Judged, _ **policy.Pause, _ *int) { s.Weights = []Weight{{}} },
		"no-drift":        func(s *GroupStatus, _ *Judged, _ **policy.Pause, _ *int) { s.Drifted = []string{"c"} },
		"discovered":      func(_ *GroupStatus, _ *Judged, _ **policy.Pause, m *int) { *m = 1 },
	} {
		s, j, missing := good, move, 0
		var killed *policy.Pause
		spoil(&s, &j, &killed, &missing)
		r := MakeReadiness(s, killed, j, missing, night)
		for _, c := range r.Checks {
			if c.OK != (c.Name != name) {
				t.Errorf("%s: check %s is %v", name, c.Name, c.OK)
			}
		}
		if r.Ready {
			t.Errorf("%s: still ready", name)
		}
	}
}
