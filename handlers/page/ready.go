package page

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"erfailover/failover/report"
)

// Drill is one rehearsal of the calendar, as the page shows it.
type Drill struct {
	Name, Group, Kind string
	Says              string    // what it does or waits for
	Next              time.Time // zero: no start is in sight
	Running           bool
	Last              string // how the last one ended, with its recovery time; "" for none yet
	LastAt            time.Time
	Good              bool // the last one passed
}

// readyView is the screen that says how ready the estate is, and how that is proven.
type readyView struct {
	Level  level
	Says   string
	Groups []readyGroup
	Graded []Graded
	Drills []Drill
}

// Graded is what past decisions of a group were worth.
type Graded struct {
	Group, Mode string
	Counts      string // "3 right, 1 harmful"; "" for none
	Newest      []GradedCase
	Regret      string // the guard or cause that is regretted most; "" for none
}

// GradedCase is one past decision.
type GradedCase struct {
	Grade, Says string
	At          time.Time
}

// readyGroup is one group's score with everything that was taken off it.
type readyGroup struct {
	Name, Key string
	Level     level
	Score     string
	Room      string // at the busiest hour, when it is known
	Off       []report.Deduction
}

// wellEnough is the score from which on a group is shown as ready.
const wellEnough = 80

// getReady shows readiness and drills. Both are reckoned when they are asked for, not
// with every look at the first screen: what a failover would do is read from Azure.
func (s *server) getReady(w http.ResponseWriter, r *http.Request) {
	sees := s.sees(r)
	if sees == nil {
		sees = func(string) bool { return true }
	}
	sc := s.newScreen(r, "ready", "Readiness and drills")
	v := &readyView{}
	if s.Ready != nil {
		got, err := s.Ready(r.Context(), sees)
		if err != nil {
			s.failed(w, r, "The readiness cannot be reckoned", err)
			return
		}
		v.take(got)
	}
	if s.Graded != nil {
		got, err := s.Graded(r.Context(), sees)
		if err != nil {
			s.failed(w, r, "The past decisions cannot be graded", err)
			return
		}
		for _, g := range got {
			g.Group, g.Mode, g.Counts, g.Regret = label(g.Group), label(g.Mode), prose(g.Counts), prose(g.Regret)
			for i := range g.Newest {
				g.Newest[i].Grade, g.Newest[i].Says = label(g.Newest[i].Grade), prose(g.Newest[i].Says)
			}
			v.Graded = append(v.Graded, g)
		}
	}
	if s.Drills != nil {
		list, err := s.Drills(r.Context())
		if err != nil {
			s.failed(w, r, "The drills cannot be read", err)
			return
		}
		for _, d := range list {
			if sees(d.Group) {
				d.Name, d.Group, d.Says, d.Last = label(d.Name), label(d.Group), prose(d.Says), prose(d.Last)
				v.Drills = append(v.Drills, d)
			}
		}
	}
	sc.At, sc.Ready = sc.Now, v
	s.send(w, http.StatusOK, sc)
}

// take takes in what was reckoned, the weakest group first.
func (v *readyView) take(got report.Readiness) {
	v.Level, v.Says = calm, "Every group could fail over now"
	if !got.Ready {
		v.Level, v.Says = warn, "Not every group could fail over by itself now"
	}
	slices.SortStableFunc(got.Groups, func(a, b report.GroupReadiness) int { return cmp.Compare(points(a), points(b)) })
	for _, g := range got.Groups {
		row := readyGroup{Name: label(g.Group), Key: linkable(g.Group), Level: calm, Score: "not reckoned"}
		if g.Score != nil {
			row.Score = strconv.Itoa(*g.Score) + " of 100"
		}
		if !g.Ready || points(g) < wellEnough {
			row.Level = warn
		}
		if g.Headroom != nil && g.Headroom.Known {
			row.Room = prose(g.Headroom.Says())
		}
		for _, d := range g.Deductions {
			d.Text, d.Lift = prose(d.Text), prose(d.Lift)
			row.Off = append(row.Off, d)
		}
		v.Groups = append(v.Groups, row)
	}
}

// points returns a group's score; one that was not reckoned stands behind the others.
func points(g report.GroupReadiness) int {
	if g.Score == nil {
		return 101
	}
	return *g.Score
}

// ReadyFunc reckons how ready the groups are that the caller sees.
type ReadyFunc func(ctx context.Context, sees func(group string) bool) (report.Readiness, error)
