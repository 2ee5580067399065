package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/report"
)

// Code is why a drill does not begin, beside the reasons of the guards. The runbook
// has an entry for each.
type Code string

const (
	ClosedDay  Code = "drill-blackout" // a blackout day or an event of a blackout calendar
	ClosedHour Code = "drill-hours"    // outside its hours, or in blocked ones
	Unreadable Code = "drill-calendar" // a blackout calendar cannot be read
	TooLate    Code = "drill-late"     // it could not begin, or go on, in time
	Incident   Code = "drill-incident" // something is wrong somewhere in the estate
	Planned    Code = "drill-maintenance"
	LastUnwell Code = "drill-last"    // the last run did not end well
	Signalled  Code = "drill-signal"  // a blocking signal
	NotAtRest  Code = "drill-at-rest" // the weights are not as they are at rest
	Torn       Code = "drill-torn"    // the stored way back is not what was to be stored
	NoReturn   Code = "drill-return"  // too few fresh observers of home: the way back would be held
)

// Codes returns the closed list, in the order of this file.
func Codes() []Code {
	return []Code{ClosedDay, ClosedHour, Unreadable, TooLate, Incident, Planned, LastUnwell, Signalled, NotAtRest, Torn, NoReturn}
}

// Overridable reports whether a person who orders a run may go past that code by
// name. What is wrong with the estate is not a matter of opinion.
func (c Code) Overridable() bool {
	switch c {
	case ClosedDay, ClosedHour, Unreadable, Signalled, LastUnwell:
		return true
	case TooLate, Incident, Planned, NotAtRest, Torn, NoReturn:
	}
	return false
}

// Refusal is one reason not to begin.
type Refusal struct {
	Code  Code
	Text  string
	Until time.Time // when time alone may lift it; zero when it may not
}

// Check is one thing that was looked at before the start.
type Check struct {
	Name  string   `json:"name"`
	OK    bool     `json:"ok"`
	Text  string   `json:"text"`
	Codes []string `json:"codes,omitempty"`
}

// checks looks at everything that must be well before a run begins: the guards of a
// real move, and what a rehearsal asks for besides.
func checks(d Document, in Input, start time.Time, groups []string) []Check {
	var out []Check
	add := func(name string, code Code, bad, good string) {
		c := Check{Name: name, OK: bad == "", Text: good}
		switch {
		case bad == "":
		case code.Overridable() && slices.Contains(d.Overrides, string(code)):
			c.OK, c.Text, c.Codes = true, bad+" (overridden by "+d.By+")", []string{string(code)}
		default:
			c.Text, c.Codes = bad, []string{string(code)}
		}
		out = append(out, c)
	}
	add("in time", TooLate, late(in, start), "it begins at "+stamp(in.Now))
	bad, _ := in.Spec.Calendar.Closed(in.Now)
	add("hours and blackout days", bad.Code, bad.Text, "open until "+stamp(in.Now.Add(in.Spec.Limit)))
	if d.By == "" && in.Spec.Kind != Tabletop {
		add("last run", LastUnwell, lastUnwell(d), "the last run left nothing behind")
	}
	read := "every blackout calendar was read"
	if in.Spec.Copied != "" {
		read = in.Spec.Copied
	}
	add("calendars", Unreadable, in.Spec.Blind, read)
	add("signals", Signalled, blocked(d, in, groups), "nothing blocks it")
	if len(groups) == 0 {
		add("groups", policyCode(policy.BaselineUnknown), "the location of "+in.Spec.Group+"'s home circuit is not known yet", "")
	}
	for _, g := range groups {
		out = append(out, guards(in, g))
	}
	if in.Spec.Kind == Tabletop {
		return out // it moves nothing: what stands in its way is its result
	}
	add("no incident", Incident, incident(in), "no circuit of the estate is down, and nothing moves")
	for _, g := range groups {
		if in.Spec.Kind == Move || in.Spec.Kind == Evacuate {
			add("way home: "+g, NoReturn, unwatched(in, g), "enough fresh observers speak for the home circuit, so the way back is open")
		}
		add("at rest: "+g, NotAtRest, unsettled(in, g), "every weight is as it is at rest")
		add("no maintenance: "+g, Planned, maintenance(in, g), "none is announced on the surviving circuits until "+stamp(in.Now.Add(in.Spec.Limit)))
	}
	return out
}

func policyCode(r policy.Reason) Code { return Code(r) }

// late says that a run would begin long after its time.
func late(in Input, start time.Time) string {
	if in.Now.After(start.Add(in.Spec.Limit)) {
		return "it was due at " + stamp(start) + " and could not begin in time"
	}
	return ""
}

// lastUnwell says why the last run keeps the calendar from beginning another. A run
// that a person orders goes past it: they have looked.
func lastUnwell(d Document) string {
	last := d.Last
	if last == nil || last.Began.IsZero() {
		return ""
	}
	switch last.Result {
	case Failed:
		return "the last run failed (" + last.Why + "): look at it, then order one with erfailover drill run " + d.Name
	case Aborted, Stopped, Passed:
		if !last.Restored {
			return "the last run did not leave everything as it was: look at it, then order one with erfailover drill run " + d.Name
		}
	case Overtaken, Refused, Cancelled: // the incident has put it right since, or nothing was written
	}
	return ""
}

// guards asks what the order to move would be answered now.
func guards(in Input, group string) Check {
	p := in.Previews[group]
	c := Check{Name: "guards: " + group, OK: p.Verdict.Action == policy.Move && p.Refused == ""}
	switch {
	case c.OK:
		c.Text = "the guards of a real move let it go to " + strings.Join(p.Verdict.To, ", ")
	case p.Refused != "":
		c.Text, c.Codes = group+": "+p.Refused, []string{string(policy.NoCandidate)}
	default:
		var texts []string
		for _, f := range p.Verdict.Reasons {
			texts = append(texts, f.Text)
		}
		c.Text, c.Codes = group+": "+strings.Join(texts, "; "), p.Verdict.Codes()
	}
	return c
}

// incident says what is wrong anywhere in the estate. Other groups' traffic off its
// home is an incident too.
func incident(in Input) string {
	for _, g := range in.Status.Groups {
		for _, b := range g.Circuits {
			if b.State == health.Down || b.State == health.Suspect {
				return fmt.Sprintf("%s is %s in %s", b.Circuit, b.State, g.Name)
			}
		}
		switch {
		case g.Operation != nil:
			return fmt.Sprintf("%s %s runs in %s", g.Operation.Kind, g.Operation.ID, g.Name)
		case !g.AtHome && len(g.Active) > 0:
			return fmt.Sprintf("the traffic of %s is on %s, not at home", g.Name, strings.Join(g.Active, ", "))
		}
	}
	return ""
}

// unsettled says which weight is not as it is at rest.
func unsettled(in Input, group string) string {
	g := in.Groups[group]
	for _, u := range rests(in, group) {
		if now := g.Actual[u.Connection]; now.Weight != u.Weight || now.Epoch != u.Epoch {
			return fmt.Sprintf("%s of %s has weight %d, at rest it is %d", name(u.Connection), group, now.Weight, u.Weight)
		}
	}
	return ""
}

// unwatched says which circuit that is left has too few fresh observers: traffic does
// not go home on one word, and a drill must not begin that would be held there.
func unwatched(in Input, group string) string {
	for _, c := range in.Previews[group].Verdict.From {
		b, _ := belief(in, group, c)
		who := map[events.Observer]bool{}
		for _, e := range b.Good {
			who[e.Observer] = true
		}
		if len(who) < in.Returns[group] {
			return fmt.Sprintf("%d fresh observers speak for %s, and its traffic goes home by %d", len(who), c, in.Returns[group])
		}
	}
	return ""
}

// maintenance says which surviving circuit has work announced before the drill's
// limit: the circuits that would carry the traffic, and the ones behind them.
func maintenance(in Input, group string) string {
	end := in.Now.Add(in.Spec.Limit)
	leaves := in.Previews[group].Verdict.From
	for _, g := range in.Status.Groups {
		if g.Name != group {
			continue
		}
		for _, b := range g.Circuits {
			w := b.Maintenance
			if slices.Contains(leaves, b.Circuit) || w == nil || w.Cancelled || w.Start.After(end) || (!w.End.IsZero() && w.End.Before(in.Now)) {
				continue
			}
			return fmt.Sprintf("%s has maintenance from %s", b.Circuit, stamp(w.Start))
		}
	}
	return ""
}

// Sign is fresh evidence that matters to a drill. What is left out matches all.
type Sign struct {
	Circuit  string
	Observer events.Observer
	Source   string
	State    events.State // degraded (or worse) or down
	Above    *float64
	Below    *float64
}

// matches reports whether evidence about a circuit is this sign.
func (s Sign) matches(circuit string, e health.Evidence) bool {
	switch {
	case s.Circuit != "" && s.Circuit != circuit, s.Observer != "" && s.Observer != e.Observer, s.Source != "" && s.Source != e.Source:
		return false
	case s.State == events.Down && e.State != events.Down, s.State == events.Degraded && e.State != events.Degraded && e.State != events.Down:
		return false
	case (s.Above != nil || s.Below != nil) && e.Value == nil: // a missing number is nothing
		return false
	case s.Above != nil && !(*e.Value > *s.Above), s.Below != nil && !(*e.Value < *s.Below):
		return false
	}
	return true
}

// seenSign finds the first of some signs in what is freshly known of a group's
// circuits.
func seenSign(in Input, signs []Sign, group string) (string, bool) {
	g, _ := groupOf(in.Status, group)
	for _, b := range g.Circuits {
		for _, e := range slices.Concat(b.Bad, b.Good) {
			for _, s := range signs {
				if !s.matches(b.Circuit, e) {
					continue
				}
				text := fmt.Sprintf("%s %s says of %s: %s", e.Observer, e.Source, b.Circuit, word(e.State))
				if e.Value != nil {
					text += fmt.Sprintf(" (%g)", *e.Value)
				}
				return text, true
			}
		}
	}
	return "", false
}

func word(s events.State) string {
	if s == events.Unknown {
		return "unknown"
	}
	return string(s)
}

// blocked says which signal keeps a run from beginning.
func blocked(d Document, in Input, groups []string) string {
	for _, f := range d.Flags {
		return "blocked by " + f.By + because(f.Reason)
	}
	for _, g := range groups {
		if text, seen := seenSign(in, in.Spec.Block, g); seen {
			return text
		}
	}
	return ""
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func groupOf(s report.Status, name string) (report.GroupStatus, bool) {
	for _, g := range s.Groups {
		if g.Name == name {
			return g, true
		}
	}
	return report.GroupStatus{}, false
}

// belief returns what a group believes of a circuit.
func belief(in Input, group, circuit string) (health.Belief, bool) {
	g, _ := groupOf(in.Status, group)
	for _, b := range g.Circuits {
		if b.Circuit == circuit {
			return b, true
		}
	}
	return health.Belief{}, false
}

// unfit reports whether a circuit should not carry rehearsed traffic any longer. One
// that nobody says anything about is not known to carry it.
func unfit(b health.Belief) bool {
	switch b.State {
	case health.Down, health.Suspect, health.Degraded, health.Unknown:
		return true
	case health.Healthy, health.Recovering:
	}
	return false
}

func name(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
