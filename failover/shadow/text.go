package shadow

import (
	"fmt"
	"strings"
	"time"
)

// Grades is what one group's past decisions were worth.
type Grades struct {
	Group    string    `json:"group"`
	Mode     string    `json:"mode"`
	Since    time.Time `json:"since,omitzero"` // of the oldest journal entry that was looked at
	TakesMS  int64     `json:"move_takes_ms"`  // what a move is reckoned to take
	Measured bool      `json:"move_measured"`  // that was the median of the group's own moves, otherwise it is assumed
	WorthMS  int64     `json:"worth_ms"`       // trouble shorter than this is reckoned not worth a move
	Cases    []Case    `json:"cases"`          // oldest first
	Regrets  []Regret  `json:"regrets"`        // the most regretted first
}

// Report is the grades of an estate.
type Report struct {
	At     time.Time `json:"at"`
	Groups []Grades  `json:"groups"` // by name
}

// Grade makes one group's grades.
func (in Input) Grade(mode string, measured bool) Grades {
	g := Grades{Group: in.Group, Mode: mode, TakesMS: in.Rule.Takes.Milliseconds(), Measured: measured, WorthMS: in.Rule.Worth.Milliseconds(), Cases: Cases(in)}
	if len(in.Entries) > 0 {
		g.Since = in.Entries[0].At.UTC()
	}
	if g.Cases == nil {
		g.Cases = []Case{}
	}
	g.Regrets = Regrets(g.Cases, in.Rule, in.Now)
	return g
}

// Text writes grades for a terminal, newest case first.
func (r Report) Text() string {
	var b strings.Builder
	for i, g := range r.Groups {
		if i > 0 {
			b.WriteString("\n")
		}
		named := "moves were"
		if len(g.Cases) == 1 {
			named = "move was"
		}
		fmt.Fprintf(&b, "%s (%s): %d %s named", g.Group, g.Mode, len(g.Cases), named)
		if !g.Since.IsZero() {
			fmt.Fprintf(&b, " since %s", g.Since.Format("2006-01-02 15:04Z"))
		}
		word := "assumed"
		if g.Measured {
			word = "measured"
		}
		fmt.Fprintf(&b, "; a move takes %s (%s)\n", ms(g.TakesMS), word)
		for k := len(g.Cases) - 1; k >= 0; k-- {
			c := g.Cases[k]
			did := "not moved"
			switch {
			case c.MovedBy != "":
				did = "moved by " + c.MovedBy
			case !c.MovedAt.IsZero():
				did = "moved"
			}
			fmt.Fprintf(&b, "  %s  %s to %s, %s\n      %s\n", c.BadAt.UTC().Format("2006-01-02 15:04:05Z"), list(c.From), orNobody(c.To), did, c.Says)
		}
		if len(g.Regrets) > 0 {
			fmt.Fprintf(&b, "  %-24s %6s %8s %14s %14s %10s\n", "rule", "cases", "harmful", "cost", "worth", "regret")
		}
		for _, l := range g.Regrets {
			fmt.Fprintf(&b, "  %-24s %6d %8d %14s %14s %+6.1f min\n", l.Code, l.Cases, l.Harmful, ms(int64(l.CostMS)), ms(int64(l.WorthMS)), l.RegretMS/60000)
		}
	}
	return b.String()
}

// Text writes the quality of alarms for a terminal, newest incident first.
func (q Quality) Text() string {
	var b strings.Builder
	if len(q.Incidents) == 0 {
		b.WriteString("No incident was confirmed: there is nothing to judge alarms by.\n")
	}
	for k := len(q.Incidents) - 1; k >= 0; k-- {
		i := q.Incidents[k]
		fmt.Fprintf(&b, "%s  %s\n", i.BadAt.UTC().Format("2006-01-02 15:04:05Z"), i.Circuit)
		for _, a := range i.Alarms {
			fmt.Fprintf(&b, "    %-16s %s", a.Observer, a.Said)
			if a.LateMS > 0 {
				fmt.Fprintf(&b, " by %s", ms(a.LateMS))
			}
			b.WriteString("\n")
		}
	}
	if len(q.Observers) > 0 {
		fmt.Fprintf(&b, "\n%-16s %9s %6s %7s %5s %6s %7s %13s\n", "observer", "incidents", "first", "prompt", "late", "wrong", "silent", "false alarms")
	}
	for _, o := range q.Observers {
		fmt.Fprintf(&b, "%-16s %9d %6d %7d %5d %6d %7d %13d\n", o.Observer, o.Incidents, o.First, o.Prompt, o.Late, o.Wrong, o.Silent, o.False)
	}
	for _, name := range q.Untested {
		fmt.Fprintf(&b, "no alarm about %s has ever arrived: nobody knows that its alert rules work\n", name)
	}
	return b.String()
}

func ms(n int64) string { return Span(time.Duration(n) * time.Millisecond) }

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nowhere: no candidate"
	}
	return list(names)
}
