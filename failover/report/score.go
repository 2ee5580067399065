package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/shadow"
	"erfailover/failover/topology"
)

// Deduction is one thing that makes a group less ready, with what it costs.
type Deduction struct {
	Code   string `json:"code"`
	Points int    `json:"points"` // of 100
	Text   string `json:"text"`   // what was found
	Lift   string `json:"lift"`   // what takes it away
}

// ScoreInput is what a group's score is made of.
type ScoreInput struct {
	Now        time.Time
	Group      topology.Group
	Estate     *topology.Estate
	Status     GroupStatus
	Checks     []Check        // of MakeReadiness
	Operations []Operation    // of the group, that ended
	Alarms     shadow.Quality // of the estate
	Loads      *Loads         // at the busiest hour of the last 28 days; nil: nobody measures
}

// Points of the deductions, and what several of one sort cost together at most.
const (
	pointsCannotMove  = 40
	pointsStopped     = 30
	pointsObserve     = 15
	pointsNoEvidence  = 10
	pointsNoRest      = 10
	pointsDrift       = 10
	pointsUnread      = 10
	pointsStandby     = 10 // a standby that is not healthy
	pointsNoDrill     = 8  // a location that was never proven
	pointsOldDrill    = 5
	pointsStaleDrill  = 2
	mostDrills        = 20
	pointsFate        = 8 // something that the best standby shares with home
	mostFate          = 16
	pointsAsymmetric  = 10
	pointsUnproven    = 5
	pointsFull        = 15 // the best standby has no room
	pointsNotMeasured = 5  // nobody measures the load
	pointsUntested    = 5  // no alarm has ever arrived
	mostUntested      = 10
	pointsBadAlarms   = 4 // an observer that was late, wrong or silent in the last incident
	mostBadAlarms     = 8
)

// Score returns a group's readiness, 0 to 100, with everything that was taken off, the
// gravest first.
func Score(in ScoreInput) (int, []Deduction) {
	var out []Deduction
	out = append(out, fromChecks(in)...)
	out = append(out, standbys(in)...)
	out = append(out, drills(in)...)
	out = append(out, fates(in)...)
	out = append(out, headroom(in)...)
	out = append(out, otherWay(in)...)
	out = append(out, alarms(in)...)
	slices.SortStableFunc(out, func(a, b Deduction) int { return b.Points - a.Points })
	score := 100
	for _, d := range out {
		score -= d.Points
	}
	return max(score, 0), out
}

// fromChecks turns checks that failed into deductions.
func fromChecks(in ScoreInput) []Deduction {
	table := map[string]Deduction{
		"can-move":        {"cannot-move", pointsCannotMove, "", "erfailover explain " + in.Group.Name},
		"acts":            {"observe-mode", pointsObserve, "", "set the group's mode to approve or automatic when its shadow grades are good: erfailover shadow " + in.Group.Name},
		"not-stopped":     {"stopped", pointsStopped, "", "lift the kill switch or resume the group"},
		"evidence":        {"stale-evidence", pointsNoEvidence, "", "restore the source of events about these circuits"},
		"weights-at-rest": {"rest-unknown", pointsNoRest, "", "let the program read every connection once, or set baseline in the configuration"},
		"no-drift":        {"drifted-weights", pointsDrift, "", "put the weights back, or accept them as the new weights at rest"},
		"discovered":      {"permissions", pointsUnread, "", "give the identity read access to what could not be read: erfailover check"},
	}
	var out []Deduction
	for _, c := range in.Checks {
		if d, known := table[c.Name]; known && !c.OK {
			d.Text = c.Text
			out = append(out, d)
		}
	}
	return out
}

// others returns the circuits of a group that are not home, best first.
func others(g topology.Group) []string {
	return slices.DeleteFunc(g.Circuits(), func(c string) bool { return slices.Contains(g.Home(), c) })
}

// standbys takes off for standbys that could not take the traffic now.
func standbys(in ScoreInput) []Deduction {
	var out []Deduction
	for _, name := range others(in.Group) {
		i := slices.IndexFunc(in.Status.Circuits, func(b health.Belief) bool { return b.Circuit == name })
		state := health.Unknown
		if i >= 0 {
			state = orUnknown(in.Status.Circuits[i].State)
		}
		if state != health.Healthy && state != health.Unknown { // unknown is told as stale evidence
			out = append(out, Deduction{"standby-health", pointsStandby, name + " is " + string(state), "repair " + name})
		}
	}
	return capped(out, 2*pointsStandby)
}

// drills takes off for locations of standbys on which the group's traffic was not
// proven lately. A real failover proves as much as a drill.
func drills(in ScoreInput) []Deduction {
	last, where := map[string]time.Time{}, []string{}
	for _, name := range others(in.Group) {
		if at := locationOf(in.Estate, name); !slices.Contains(where, at) {
			where = append(where, at)
		}
	}
	for _, o := range in.Operations {
		if o.Result != record.Proven || o.Kind == policy.KindSettle || o.Kind == policy.KindFailback {
			continue
		}
		for _, name := range o.To {
			if at := locationOf(in.Estate, name); o.Ended.After(last[at]) {
				last[at] = o.Ended
			}
		}
	}
	var out []Deduction
	for _, at := range where {
		d := Deduction{Code: "drill-age", Lift: "drill it: erfailover drill " + in.Group.Name}
		days := daysSince(last[at], in.Now)
		switch {
		case last[at].IsZero():
			d.Points, d.Text = pointsNoDrill, "traffic was never proven over "+at
		case days > oldDrill:
			d.Points, d.Text = pointsOldDrill, fmt.Sprintf("traffic was last proven over %s %d days ago", at, days)
		case days > freshDrill:
			d.Points, d.Text = pointsStaleDrill, fmt.Sprintf("traffic was last proven over %s %d days ago", at, days)
		default:
			continue
		}
		out = append(out, d)
	}
	return capped(out, mostDrills)
}

// locationOf names where a circuit is, or the circuit when that is not known.
func locationOf(est *topology.Estate, name string) string {
	if c, ok := est.Circuit(name); ok && c.Location != "" {
		return c.Location
	}
	return name
}

// fates takes off for what the first standby shares with home.
func fates(in ScoreInput) []Deduction {
	best := others(in.Group)
	if len(best) == 0 {
		return []Deduction{{"no-standby", pointsCannotMove, "the group has no circuit beside home", "add one to the group's preference"}}
	}
	var out []Deduction
	b, _ := in.Estate.Circuit(best[0])
	for _, name := range in.Group.Home() {
		h, _ := in.Estate.Circuit(name)
		for _, f := range topology.SharedFate(h, b) {
			out = append(out, Deduction{"shared-fate", pointsFate, fmt.Sprintf("%s and %s share the %s %s", name, best[0], f.Kind, f.Name), "prefer a circuit that shares less"})
		}
	}
	return capped(out, mostFate)
}

// Headroom is the room of the first standby at the busiest hour of the last 28 days.
type Headroom struct {
	Standby string    `json:"standby"`
	Known   bool      `json:"known"`
	Bits    int64     `json:"bits,omitzero"` // a second that it would carry: the busiest hours of home and its own, as if they were one
	Room    int64     `json:"room,omitzero"` // bits a second that it has
	Hour    time.Time `json:"hour,omitzero"` // the busiest hour of the busiest of them
	Why     string    `json:"why,omitzero"`  // why it is not known
}

// Says tells it in a sentence.
func (h Headroom) Says() string {
	if !h.Known {
		return "whether " + h.Standby + " has room at the busiest hour is not known: " + h.Why
	}
	return fmt.Sprintf("at the busiest hour of the last 28 days (%s) %s would carry %d of %d Mbit/s", h.Hour.UTC().Format("Mon 2006-01-02 15:04Z"), h.Standby, h.Bits/1_000_000, h.Room/1_000_000)
}

// MakeHeadroom reckons the room of a group's first standby; nil for a group without
// one.
func MakeHeadroom(g topology.Group, est *topology.Estate, l *Loads, now time.Time) *Headroom {
	best := others(g)
	if len(best) == 0 {
		return nil
	}
	h := &Headroom{Standby: best[0], Known: true}
	c, _ := est.Circuit(best[0])
	if h.Room = int64(c.Bandwidth) * 1_000_000; h.Room == 0 {
		h.Known, h.Why = false, "the bandwidth of "+best[0]+" is not known"
		return h
	}
	most := int64(-1)
	for _, name := range append(slices.Clone(g.Home()), best[0]) {
		one, why := l.peak(name, now)
		if why != "" {
			h.Known, h.Why = false, why
			return h
		}
		h.Bits += one.Bits
		if one.Bits > most {
			most, h.Hour = one.Bits, one.Hour
		}
	}
	return h
}

// headroom takes off when the first standby would be full at the busiest hour, or when
// nobody knows.
func headroom(in ScoreInput) []Deduction {
	h := MakeHeadroom(in.Group, in.Estate, in.Loads, in.Now)
	switch {
	case h == nil:
		return nil
	case !h.Known:
		return []Deduction{{"headroom-not-measured", pointsNotMeasured, h.Says(), "give the identity Microsoft.Insights/metrics/read on the circuits (erfailover check --permissions), or look at BitsInPerSecond and BitsOutPerSecond by hand"}}
	case h.Bits > h.Room:
		return []Deduction{{"headroom", pointsFull, h.Says(), "give " + h.Standby + " more bandwidth"}}
	}
	return nil
}

// otherWay takes off when the direction from on-premises was not seen to follow.
func otherWay(in ScoreInput) []Deduction {
	var newest Operation
	for _, o := range in.Operations {
		moved := o.Result == record.Proven || o.Result == record.AppliedOK
		if moved && o.Kind != policy.KindSettle && o.Ended.After(newest.Ended) {
			newest = o
		}
	}
	switch {
	case newest.Symmetry == record.Symmetric:
		return nil
	case newest.Symmetry == record.Asymmetric:
		return []Deduction{{"reverse-path", pointsAsymmetric, "after the last move traffic came back over another circuit (" + newest.ID + ")", "change the local preference on-premises: docs/onprem.md"}}
	}
	return []Deduction{{"reverse-path", pointsUnproven, "nobody has seen the direction from on-premises follow a move", "docs/onprem.md says how to prove it"}}
}

// alarms takes off for circuits about which no alarm ever came, and for observers that
// failed in the last incident of each circuit.
func alarms(in ScoreInput) []Deduction {
	var untested, bad []Deduction
	for _, name := range in.Alarms.Untested {
		if slices.Contains(in.Group.Circuits(), name) {
			untested = append(untested, Deduction{"alarm-never-fired", pointsUntested, "no alarm about " + name + " has ever arrived: nobody knows that its alert rules work", "fire one: a drill, or a test of the alert rule"})
		}
	}
	last := map[string]shadow.Incident{}
	for _, i := range in.Alarms.Incidents { // oldest first
		last[i.Circuit] = i
	}
	for _, name := range in.Group.Circuits() {
		for _, a := range last[name].Alarms {
			if a.Said != shadow.Late && a.Said != shadow.Wrong && a.Said != shadow.Mute {
				continue
			}
			text := fmt.Sprintf("in the last incident of %s the observer %s was %s", name, a.Observer, a.Said)
			if a.LateMS > 0 {
				text += " by " + shadow.Span(time.Duration(a.LateMS)*time.Millisecond)
			}
			bad = append(bad, Deduction{"alarm-quality", pointsBadAlarms, text, "look at its alert rule: erfailover alarms"})
		}
	}
	return append(capped(untested, mostUntested), capped(bad, mostBadAlarms)...)
}

// capped lowers the last points so that deductions of one sort cost at most so much.
// What costs nothing any more is still told.
func capped(list []Deduction, most int) []Deduction {
	for i := range list {
		list[i].Points = min(list[i].Points, most)
		most -= list[i].Points
	}
	return list
}

// Text writes readiness for a terminal: the score, then every deduction.
func (r Readiness) Text() string {
	var b strings.Builder
	if r.Score == nil {
		return ""
	}
	fmt.Fprintf(&b, "readiness of the estate: %d of 100 (its weakest group)\n", *r.Score)
	for _, g := range r.Groups {
		if g.Score == nil {
			continue
		}
		fmt.Fprintf(&b, "\n%s: %d of 100\n", g.Group, *g.Score)
		if len(g.Deductions) == 0 {
			b.WriteString("  nothing is taken off\n")
		}
		if g.Headroom != nil && g.Headroom.Known {
			fmt.Fprintf(&b, "  room  %s\n", g.Headroom.Says())
		}
		for _, d := range g.Deductions {
			fmt.Fprintf(&b, "  -%-3d %-22s %s\n       do: %s\n", d.Points, d.Code, d.Text, d.Lift)
		}
	}
	return b.String()
}
