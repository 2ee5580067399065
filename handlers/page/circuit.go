package page

import (
	"fmt"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/report"
)

// circuitView is one circuit of a group, with everything that speaks about it.
type circuitView struct {
	Name      string
	State     string
	Mark      string
	Since     time.Time
	Active    bool
	Home      bool
	Links     [2]string
	Observers string // "2 of 2 observers say down"
	Waits     []waitView
	Notes     []string
	Bad, Good []evidenceView
	Hidden    int // evidence that is not listed
}

// waitView is something that ends by itself.
type waitView struct {
	What  string
	Until time.Time
}

// evidenceView is one claim of one source.
type evidenceView struct {
	Observer, Source, Says, Detail string
	At                             time.Time
}

// maxEvidence is how many claims are listed on each side.
const maxEvidence = 6

func newCircuit(b health.Belief, g report.GroupStatus, now time.Time) circuitView {
	v := circuitView{
		Name: label(b.Circuit), State: word(b.State), Mark: mark(b.State), Since: b.Since,
		Active: slices.Contains(g.Active, b.Circuit), Home: slices.Contains(g.Home, b.Circuit),
		Links: [2]string{word(b.Links[0]), word(b.Links[1])},
	}
	if len(b.Bad) > 0 || b.Observers > 0 {
		v.Observers = fmt.Sprintf("%d of %d needed observers say down", b.Observers, b.Needed)
	}
	wait := func(what string, until time.Time) {
		if until.After(now) {
			v.Waits = append(v.Waits, waitView{what, until})
		}
	}
	switch b.State {
	case health.Suspect:
		wait("hold-down: counted as down, if confirmed, in", b.HoldUntil)
		wait("only Azure's own word says down; our own read is waited for, at most", b.ReadUntil)
	case health.Recovering:
		wait("hold-up: trusted again in", b.HoldUntil)
	case health.Unknown, health.Healthy, health.Degraded, health.Down:
	}
	if b.Damped {
		wait(fmt.Sprintf("flapping (penalty %.0f): reused in", b.Penalty), b.ReuseAt)
	}
	if m := b.Maintenance; m != nil {
		switch {
		case m.Start.After(now):
			wait("announced maintenance begins in", m.Start)
		case m.End.IsZero():
			v.Notes = append(v.Notes, "in maintenance, no end announced")
		default:
			wait("in maintenance; it ends in", m.End)
		}
	}
	if b.Explained {
		v.Notes = append(v.Notes, "what is bad is explained by maintenance or by the customer's own act")
	}
	if b.Rebutted {
		v.Notes = append(v.Notes, "a fresh read of ours found the sessions of both links up")
	}
	if b.WantsRead {
		v.Notes = append(v.Notes, "a confirming read would decide")
	}
	var more int
	v.Bad, v.Hidden = evidence(b.Bad)
	v.Good, more = evidence(b.Good)
	v.Hidden += more
	return v
}

func evidence(list []health.Evidence) ([]evidenceView, int) {
	var out []evidenceView
	for i, e := range list {
		if i == maxEvidence {
			return out, len(list) - maxEvidence
		}
		says := string(e.State)
		if says == "" {
			says = "unknown"
		}
		if e.Link != events.BothLinks {
			says = string(e.Link) + " link " + says
		}
		if e.Excuse != "" {
			says += ", does not count (" + string(e.Excuse) + ")"
		}
		v := evidenceView{Observer: label(string(e.Observer)), Says: prose(says), Detail: prose(e.Detail), At: e.At}
		if e.Source != "" {
			v.Source = short(e.Source)
		}
		out = append(out, v)
	}
	return out, 0
}

// word names a state; the zero value is unknown.
func word(s health.State) string {
	if s == "" {
		s = health.Unknown
	}
	return label(string(s))
}

// mark is a state as a sign.
func mark(s health.State) string {
	switch s {
	case health.Healthy:
		return "✓"
	case health.Down:
		return "✖"
	case health.Suspect:
		return "!"
	case health.Degraded:
		return "◐"
	case health.Recovering:
		return "↻"
	case health.Unknown:
	}
	return "?"
}
