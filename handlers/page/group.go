package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// level says how much a group needs a person. Groups are shown in this order.
type level int

const (
	bad  level = iota // traffic is hurt and nothing is being done about it
	busy              // the automation is at work, or waits for a person
	warn              // not as it should be, traffic flows
	calm              // well
)

// Word names the level for the style sheet.
func (l level) Word() string { return [...]string{"bad", "busy", "warn", "calm"}[l] }

// Mark is the level as a sign, so that colour is never the only one.
func (l level) Mark() string { return [...]string{"✖", "▶", "!", "✓"}[l] }

// Says is the level in a word.
func (l level) Says() string {
	return [...]string{"trouble", "working", "look", "well"}[l]
}

// groupView is one group, ready to be shown.
type groupView struct {
	Name     string // cleaned
	Key      string // as configured, for links; "" when it cannot be one
	Level    level
	Wrong    string // "" when nothing is
	Carries  string
	Doing    string
	Until    time.Time // when what it waits for is over by itself
	Mode     string
	Home     string
	LastMove time.Time
	ReadAt   time.Time
	Drifted  []string
	Intents  int
	Orders   int
	Circuits []circuitView
	More     int // circuits that are not listed
	Findings []findingView
	Others   []candidateView
	Picture  *picture
	Running  *operationView
	Recent   []recentView
	Entries  []entryView
	Verbs    []verbLink
	Planned  []scheduledView
	Verdict  time.Time
}

// findingView is one reason.
type findingView struct {
	Code, Circuit, Text string
	Until               time.Time
}

// candidateView is one circuit that was looked at as a target.
type candidateView struct {
	Circuit string
	Chosen  bool
	Against []findingView
}

// recentView is one operation that has ended.
type recentView struct {
	Key, Kind, Move, Result, Group string
	Good                           bool
	Begun, Ended                   time.Time
	Took                           time.Duration
	Writes                         int
}

// newGroup makes the view of a group without its picture and its journal. At most
// circuits circuits are listed, the worst first.
func newGroup(g report.GroupStatus, now time.Time, circuits int) groupView {
	v := groupView{
		Name: label(g.Name), Key: linkable(g.Name), Mode: string(g.Mode), Home: labels(g.Home),
		LastMove: g.LastMove, ReadAt: g.ReadAt, Intents: g.OpenIntents, Orders: g.Orders, Verdict: g.VerdictAt,
		Carries: carries(g), Wrong: wrong(g, now), Level: levelOf(g, now), Findings: findings(g.Verdict.Reasons),
	}
	v.Doing, v.Until = doing(g, now)
	for _, id := range g.Drifted {
		v.Drifted = append(v.Drifted, short(id))
	}
	for _, b := range worstFirst(g.Circuits) {
		if len(v.Circuits) == circuits {
			v.More = len(g.Circuits) - circuits
			break
		}
		v.Circuits = append(v.Circuits, newCircuit(b, g, now))
	}
	if g.Verdict.Action != policy.Hold || troubled(g) {
		for _, c := range g.Verdict.Candidates {
			v.Others = append(v.Others, candidateView{Circuit: label(c.Circuit), Chosen: c.Chosen, Against: findings(c.Against)})
		}
	}
	if g.Operation != nil {
		op := newOperation(*g.Operation, now)
		v.Running = &op
	}
	for _, s := range g.Recent {
		v.Recent = append(v.Recent, newRecent(g.Name, s))
	}
	v.Verbs = verbsFor(g, now)
	for _, o := range g.Scheduled {
		v.Planned = append(v.Planned, newScheduled(o))
	}
	return v
}

// linkable returns a name that can stand in an address, or "".
func linkable(name string) string {
	if len(name) > 128 || record.Clean(name, 128) != name {
		return ""
	}
	return name
}

func findings(list []policy.Finding) []findingView {
	var out []findingView
	for _, f := range list {
		v := findingView{Code: label(string(f.Code)), Text: prose(f.Text), Until: f.Until}
		if f.Circuit != "" && !strings.HasPrefix(f.Text, f.Circuit) { // the sentence names it already
			v.Circuit = label(f.Circuit)
		}
		out = append(out, v)
	}
	return out
}

func newRecent(group string, s record.Summary) recentView {
	return recentView{
		Key: linkable(s.ID), Kind: label(string(s.Kind)), Move: move(s.From, s.To), Result: label(string(s.Result)), Group: label(group),
		Good:  s.Result == record.Proven || s.Result == record.AppliedOK,
		Begun: s.Begun, Ended: s.Ended, Took: s.Ended.Sub(s.Begun), Writes: s.Writes,
	}
}

// move renders "ashburn → chicago".
func move(from, to []string) string {
	switch {
	case len(to) == 0:
		return ""
	case len(from) == 0:
		return "→ " + labels(to)
	}
	return labels(from) + " → " + labels(to)
}

// levelOf judges how much a person is needed.
func levelOf(g report.GroupStatus, now time.Time) level {
	down, doubt, blind := false, false, len(g.Circuits) > 0
	for _, b := range g.Circuits {
		active := slices.Contains(g.Active, b.Circuit)
		down = down || (active && b.State == health.Down)
		doubt = doubt || (b.State != health.Healthy && b.State != health.Unknown) || (active && b.State == health.Unknown)
		blind = blind && b.State == health.Unknown
	}
	switch {
	case awaits(g) && onDead(g):
		return bad // traffic is hurt, and only a person can go on
	case g.Operation != nil && g.Operation.Status != record.Ended && g.Operation.Kind != policy.KindSettle:
		return busy
	case down || g.Verdict.Has(policy.Blind) || g.Verdict.Has(policy.LastFailed) || g.Verdict.Has(policy.NoCandidate) || len(g.Active) == 0 && blind:
		return bad
	case doubt || blind || !g.AtHome || g.Paused.Holds(now) || len(g.Drifted) > 0 || len(g.Levers) > 0 || g.OpenIntents > 0 || (g.Verdict.Action != policy.Hold && g.Verdict.Kind != policy.KindSettle):
		return warn
	}
	return calm
}

// awaits says whether an operation of the group waits for a person.
func awaits(g report.GroupStatus) bool {
	return g.Operation != nil && g.Operation.Status == record.AwaitingApproval
}

// troubled says whether a hold comes from trouble.
func troubled(g report.GroupStatus) bool {
	return len(g.Verdict.Candidates) > 0 || len(g.Verdict.Reasons) > 0 && !g.Verdict.Has(policy.Well)
}

// carries says over what the traffic flows, and when that is dead.
func carries(g report.GroupStatus) string {
	if onDead(g) && len(g.Active) > 1 {
		return over(g) + ", one of which is DOWN"
	}
	if onDead(g) {
		return over(g) + ", which is DOWN"
	}
	return over(g)
}

// onDead says whether a circuit that is down carries the group's traffic.
func onDead(g report.GroupStatus) bool {
	return slices.ContainsFunc(g.Circuits, func(b health.Belief) bool {
		return b.State == health.Down && slices.Contains(g.Active, b.Circuit)
	})
}

func over(g report.GroupStatus) string {
	switch {
	case len(g.Active) == 0:
		return "not known: the weights have not been read"
	case g.AtHome:
		return labels(g.Active) + " (home)"
	case len(g.Home) == 0:
		return labels(g.Active)
	case slices.ContainsFunc(g.Active, func(c string) bool { return slices.Contains(g.Home, c) }):
		return labels(g.Active) + " (home is " + labels(g.Home) + ")"
	}
	return labels(g.Active) + " instead of its home " + labels(g.Home)
}

// wrong says what is not well, worst first; "" when nothing is.
func wrong(g report.GroupStatus, now time.Time) string {
	var parts []string
	unknown := 0
	for _, b := range worstFirst(g.Circuits) {
		switch {
		case b.State == health.Healthy || b.State == "" && len(b.Circuit) == 0:
			continue
		case b.State == health.Unknown || b.State == "":
			unknown++
			continue
		}
		if len(parts) == 3 {
			parts = append(parts, "more below")
			break
		}
		parts = append(parts, state(b, now))
	}
	if unknown > 0 && unknown == len(g.Circuits) {
		parts = append(parts, "no circuit has fresh evidence: blind")
	} else if unknown > 0 {
		parts = append(parts, plural(unknown, "circuit")+" without fresh evidence")
	}
	switch {
	case g.AtHome || len(g.Active) == 0:
	case slices.ContainsFunc(g.Active, func(c string) bool { return slices.Contains(g.Home, c) }):
		parts = append(parts, "traffic is not on its home alone")
	default:
		parts = append(parts, "traffic is away from home")
	}
	if len(g.Drifted) > 0 {
		parts = append(parts, "somebody else changed "+plural(len(g.Drifted), "weight"))
	}
	for _, l := range g.Levers {
		parts = append(parts, l.Text())
	}
	if g.OpenIntents > 0 {
		parts = append(parts, plural(g.OpenIntents, "older write")+" may still land")
	}
	if g.Verdict.Has(policy.LastFailed) {
		parts = append(parts, "the last operation failed")
	}
	return strings.Join(parts, "; ")
}

// state says what is believed of a circuit and for how long.
func state(b health.Belief, now time.Time) string {
	word := string(b.State)
	if word == "" {
		word = string(health.Unknown)
	}
	text := label(b.Circuit) + " is " + word
	if !b.Since.IsZero() {
		text += " since " + clock(now, b.Since)
	}
	if b.Damped {
		text += ", and flaps"
	}
	return text
}

// idle is what the automation does while all is well.
const idle = "Nothing; it watches"

// doing says what the automation does or waits for, and until when.
func doing(g report.GroupStatus, now time.Time) (string, time.Time) {
	if op := g.Operation; op != nil {
		kind := capital(string(op.Kind)) + " " + move(op.From, op.To)
		done := 0
		for _, s := range op.Steps {
			if !s.DoneAt.IsZero() {
				done++
			}
		}
		switch op.Status {
		case record.AwaitingApproval:
			return "Waits for you: " + kind + " needs approval", op.Expires
		case record.Applying:
			return fmt.Sprintf("%s: %d of %s done", kind, done, plural(len(op.Steps), "write")), time.Time{}
		case record.Converging:
			return kind + ": all writes done, looking at the gateways' routes", time.Time{}
		case record.Verifying:
			return kind + ": looking for traffic on the new circuit", time.Time{}
		case record.Ended:
		}
	}
	if g.Paused.Holds(now) {
		text := "paused by " + label(g.Paused.By)
		if g.Paused.Reason != "" {
			text += ": " + prose(g.Paused.Reason)
		}
		return capital(text), g.Paused.Until
	}
	first := policy.Finding{Text: "nothing was judged yet"}
	if len(g.Verdict.Reasons) > 0 {
		first = g.Verdict.Reasons[0]
	}
	switch {
	case g.Verdict.Action != policy.Hold && len(g.Recent) > 0 && g.Recent[0].Ended.After(g.VerdictAt):
		last := g.Recent[0]
		return capital(string(last.Kind)) + " " + move(last.From, last.To) + " ended: " + label(string(last.Result)) + "; the next beat judges again", time.Time{}
	case g.Verdict.Action == policy.Move || g.Verdict.Action == policy.Return:
		return capital(string(g.Verdict.Kind)) + " " + move(g.Verdict.From, g.Verdict.To) + " is decided: " + prose(first.Text), time.Time{}
	case g.Verdict.First() == policy.Well:
		if g.Mode == policy.Observe {
			return "Nothing; it only observes", time.Time{}
		}
		return idle, time.Time{}
	}
	return "Holds (" + label(string(first.Code)) + "): " + prose(first.Text), first.Until
}

// worstFirst sorts beliefs by state; the order of preference stays among equals.
func worstFirst(in []health.Belief) []health.Belief {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(a, b health.Belief) int { return grave(a.State) - grave(b.State) })
	return out
}

func grave(s health.State) int {
	switch s {
	case health.Down:
		return 0
	case health.Suspect:
		return 1
	case health.Degraded:
		return 2
	case health.Recovering:
		return 3
	case health.Healthy:
		return 5
	case health.Unknown:
	}
	return 4
}
