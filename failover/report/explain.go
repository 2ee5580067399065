package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// Judged is one judgement: what it answered, what it believed, and the plan that it
// would carry out.
type Judged struct {
	Verdict policy.Verdict
	View    health.View
	Plan    planner.Plan // without ID when nothing is planned
	Refused string       // why no safe plan could be made; "" otherwise
}

// ExplainInput is what an explanation is made of.
type ExplainInput struct {
	Now      time.Time
	Group    record.Group
	Circuits []string // of the group, best first
	Home     []string
	Policy   policy.Rule
	Judged   Judged         // by the automation, or for Order
	Order    *events.Order  // nil for the automation's own judgement
	WhatIf   *Judged        // what a failover order would do now; nil when it was not asked
	Measured policy.Facts   // what was measured; guards about the rest have no data
	History  []record.Entry // newest first
}

// Answer says how one guard answered.
type Answer string

const (
	Passed Answer = "passed"  // it does not stand in the way
	Held   Answer = "held"    // it stands in the way
	Waived Answer = "waived"  // it stood in the way and the order overrides it by name
	NoData Answer = "no-data" // what it looks at is not measured, so it stands in nobody's way
)

// Guard is one guard with its answer.
type Guard struct {
	Code        policy.Reason `json:"code"`
	Asks        string        `json:"asks"` // the question in plain words
	Answer      Answer        `json:"answer"`
	Text        string        `json:"text,omitzero"`        // what was found, where it held
	Until       time.Time     `json:"until,omitzero"`       // when time alone lifts it
	InMS        int64         `json:"in_ms,omitzero"`       // the same, from now
	Lift        string        `json:"lift,omitzero"`        // what else lifts it
	Overridable bool          `json:"overridable,omitzero"` // a person's order may override it by name
}

// CircuitLine says what is believed of one circuit, and why.
type CircuitLine struct {
	Circuit  string       `json:"circuit"`
	Role     string       `json:"role"` // "active" (its weight wins), "home" or "standby"
	State    health.State `json:"state"`
	Since    time.Time    `json:"since,omitzero"`
	Says     string       `json:"says"` // one sentence
	Bad      []string     `json:"bad,omitempty"`
	Good     []string     `json:"good,omitempty"`
	Observed int          `json:"observers_against"`
	Needed   int          `json:"observers_needed"`
	Until    time.Time    `json:"until,omitzero"` // end of the present hold
}

// Change is something that would change the answer.
type Change struct {
	What string    `json:"what"`
	At   time.Time `json:"at,omitzero"` // zero: it does not come with time
	InMS int64     `json:"in_ms,omitzero"`
}

// Explanation answers "why did it move?" and, more often, "why did it not?".
type Explanation struct {
	Group      string             `json:"group"`
	At         time.Time          `json:"at"`
	Mode       policy.Mode        `json:"mode"`
	Active     []string           `json:"active"`
	Home       []string           `json:"home"`
	Action     policy.Action      `json:"action"`
	Kind       policy.Kind        `json:"kind,omitzero"`
	From       []string           `json:"from,omitempty"`
	To         []string           `json:"to,omitempty"`
	Codes      []string           `json:"codes"`  // of the reasons, in order
	Answer     string             `json:"answer"` // one or two sentences
	Plan       string             `json:"plan,omitzero"`
	Writes     int                `json:"writes"` // that would be sent
	Guards     []Guard            `json:"guards,omitempty"`
	Circuits   []CircuitLine      `json:"circuits"`
	Candidates []policy.Candidate `json:"candidates,omitempty"`
	Changes    []Change           `json:"changes"`            // what would change the verdict, soonest first
	IfFailed   string             `json:"if_failed,omitzero"` // what a failover order would do now
	History    []Line             `json:"history,omitempty"`  // what was decided and refused lately, newest first
}

// Line is one journal entry as people read it.
type Line struct {
	At      time.Time `json:"at"`
	Code    string    `json:"code"`
	Actor   string    `json:"actor,omitzero"`
	Text    string    `json:"text"`
	Reasons []string  `json:"reasons,omitempty"`
}

// Explain makes the explanation.
func Explain(in ExplainInput) Explanation {
	v := in.Judged.Verdict
	e := Explanation{
		Group: in.Group.Name, At: in.Now.UTC(), Mode: in.Policy.Mode, Active: in.Group.Active, Home: in.Home,
		Action: v.Action, Kind: v.Kind, From: v.From, To: v.To, Codes: v.Codes(), Plan: in.Judged.Plan.ID, Writes: len(in.Judged.Plan.Steps),
		Guards: guardLines(in), Candidates: v.Candidates, Answer: sentence(in), IfFailed: whatIf(in),
	}
	for _, name := range in.Circuits {
		e.Circuits = append(e.Circuits, circuitLine(in, in.Judged.View.Circuits[name], name))
	}
	e.Changes = changes(in, e.Guards)
	for _, h := range in.History {
		e.History = append(e.History, Line{At: h.At, Code: h.Code, Actor: h.Actor, Text: h.Text, Reasons: h.Reasons})
	}
	return e
}

// guardLines lists every guard that was asked, with its answer.
func guardLines(in ExplainInput) []Guard {
	v := in.Judged.Verdict
	codes := asked(v.Kind, in.Order != nil)
	if v.Kind == "" && v.First() == policy.Blind {
		codes = []policy.Reason{policy.Blind}
	}
	for _, f := range v.Reasons { // a reason that the table does not know is still shown
		if v.Kind != "" && v.Action == policy.Hold && isGuard(v, f.Code) && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	var out []Guard
	for _, code := range codes {
		g := Guard{Code: code, Asks: words[code].Asks, Answer: Passed, Overridable: policy.Overridable(code)}
		if noData(in, code) {
			g.Answer = NoData
		}
		var texts []string
		for _, f := range v.Reasons {
			if f.Code != code || v.Action != policy.Hold {
				continue
			}
			g.Answer, g.Lift = Held, words[code].Lift
			texts = append(texts, f.Text)
			if f.Until.After(g.Until) {
				g.Until, g.InMS = f.Until, f.Until.Sub(in.Now).Milliseconds()
			}
		}
		if slices.Contains(v.Overridden, code) {
			g.Answer = Waived
		}
		g.Text = strings.Join(texts, "; ")
		out = append(out, g)
	}
	return out
}

// isGuard reports whether a reason of a hold is a guard's. That traffic is on the
// standby is said beside the gates of the way home, and holds only a drill.
func isGuard(v policy.Verdict, r policy.Reason) bool {
	return words[r].Asks != "" && (r != policy.OnStandby || v.Kind == policy.KindDrill)
}

// noData reports whether a guard looks at something that nobody measures.
func noData(in ExplainInput, code policy.Reason) bool {
	return (code == policy.Headroom && in.Measured.Load == nil) || (code == policy.PrefixesUncovered && in.Measured.Prefixes == nil)
}

// changes lists what would change the verdict: the guards that hold, then the next
// thing that time alone brings.
func changes(in ExplainInput, guards []Guard) []Change {
	var out []Change
	for _, g := range guards {
		if g.Answer != Held {
			continue
		}
		c := Change{What: string(g.Code) + ": " + g.Lift, At: g.Until, InMS: g.InMS}
		out = append(out, c)
	}
	for _, f := range in.Judged.Verdict.Reasons {
		if in.Judged.Verdict.Kind != "" || words[f.Code].Lift == "" || f.Code == policy.Blind {
			continue
		}
		c := Change{What: string(f.Code) + ": " + words[f.Code].Lift, At: f.Until}
		if !f.Until.IsZero() {
			c.InMS = f.Until.Sub(in.Now).Milliseconds()
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Change) int {
		switch {
		case a.At.IsZero() == b.At.IsZero():
			return a.At.Compare(b.At)
		case a.At.IsZero():
			return 1
		}
		return -1
	})
	if len(out) == 0 && in.Judged.Verdict.Action == policy.Hold {
		out = append(out, Change{What: "bad news about " + strings.Join(in.Group.Active, ", ") + " from enough observers, or an order"})
	}
	return out
}

// circuitLine says what is believed of one circuit.
func circuitLine(in ExplainInput, b health.Belief, name string) CircuitLine {
	l := CircuitLine{Circuit: name, Role: "standby", State: b.State, Since: b.Since, Observed: b.Observers, Needed: b.Needed, Until: b.HoldUntil}
	switch {
	case slices.Contains(in.Group.Active, name):
		l.Role = "active"
	case slices.Contains(in.Home, name):
		l.Role = "home"
	}
	for _, e := range b.Bad {
		l.Bad = append(l.Bad, witness(e, in.Now))
	}
	for _, e := range b.Good {
		l.Good = append(l.Good, witness(e, in.Now))
	}
	l.Says = belief(b, name, in.Now)
	return l
}

// belief says in one sentence why a circuit is in its state.
func belief(b health.Belief, name string, now time.Time) string {
	var s string
	switch b.State {
	case health.Unknown, "":
		s = name + " is unknown: no fresh evidence. Silence is never taken for health, nor for an outage"
	case health.Healthy:
		s = fmt.Sprintf("%s is healthy by %d fresh claims", name, len(b.Good))
	case health.Degraded:
		s = name + " carries traffic, with one link or with loss"
	case health.Suspect:
		s = fmt.Sprintf("%s is suspect: %d of %d observers needed say that it is down", name, b.Observers, b.Needed)
	case health.Down:
		s = fmt.Sprintf("%s is down: %d of %d observers needed agree", name, b.Observers, b.Needed)
	case health.Recovering:
		s = name + " carries traffic again and is not trusted yet"
	}
	if b.HoldUntil.After(now) {
		s += "; this is held until " + clock(b.HoldUntil)
	}
	if b.ReadUntil.After(now) {
		s += "; all who say so are Azure's own platform, and our own read of its sessions is waited for until " + clock(b.ReadUntil)
	}
	if b.Explained {
		s += "; what is reported bad is explained by maintenance or by the customer's own act"
	}
	if b.Rebutted {
		s += "; a fresh read found the sessions of both links up, which rebuts claims about sessions"
	}
	if b.Damped {
		s += "; it flaps, and its good news is not trusted until " + clock(b.ReuseAt)
	}
	return s + "."
}

// witness tells one claim: who, what, when, and why it does not count.
func witness(e health.Evidence, now time.Time) string {
	s := string(e.Observer)
	if e.Source != "" {
		s += " (" + e.Source + ")"
	}
	s += " says " + string(e.State)
	if e.Link != events.BothLinks {
		s += " on the " + string(e.Link) + " link"
	}
	s += ", " + now.Sub(e.At).Round(time.Second).String() + " ago"
	switch e.Excuse {
	case "":
	case health.ByUser:
		s += "; does not count: the customer caused it"
	case health.ByMaintenance:
		s += "; does not count: announced maintenance"
	case health.ByRead:
		s += "; does not count: a fresh read found the sessions up"
	}
	return s
}

// clock renders an instant for a person.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
