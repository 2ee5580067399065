package report

import (
	"fmt"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
)

// Check is one line of a group's readiness.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// GroupReadiness says whether a group could fail over now.
type GroupReadiness struct {
	Group  string  `json:"group"`
	Ready  bool    `json:"ready"` // every check passed
	Target string  `json:"target,omitzero"`
	Checks []Check `json:"checks"`

	Score      *int        `json:"score,omitempty"`      // 0 to 100; nil when it was not reckoned
	Headroom   *Headroom   `json:"headroom,omitempty"`   // of the first standby; nil when there is none, or the score was not reckoned
	Deductions []Deduction `json:"deductions,omitempty"` // everything that was taken off, the gravest first
}

// Readiness says which groups could fail over now, and why the others could not.
type Readiness struct {
	At     time.Time        `json:"at"`
	Ready  bool             `json:"ready"`           // every group is
	Score  *int             `json:"score,omitempty"` // the lowest of the groups: a chain is as strong as its weakest link
	Groups []GroupReadiness `json:"groups"`
}

// MakeReadiness judges one group: what a failover order would do now, and what the
// automation needs to act by itself.
func MakeReadiness(s GroupStatus, killed *policy.Pause, what Judged, missing int, now time.Time) GroupReadiness {
	out := GroupReadiness{Group: s.Name, Ready: true}
	add := func(name string, ok bool, good, bad string) {
		text := good
		if !ok {
			text, out.Ready = bad, false
		}
		out.Checks = append(out.Checks, Check{Name: name, OK: ok, Text: text})
	}
	v := what.Verdict
	why := what.Refused
	if why == "" {
		why = texts(v.Reasons)
	}
	moves := v.Action == policy.Move && what.Refused == "" && len(what.Plan.Steps) > 0
	if moves {
		out.Target = strings.Join(v.To, ", ")
	}
	add("can-move", moves, fmt.Sprintf("a failover order now would move to %s with %d writes", strings.Join(v.To, ", "), len(what.Plan.Steps)), "a failover order now would not move: "+why)
	add("acts", s.Mode != policy.Observe, "mode "+string(s.Mode), "mode observe: verdicts are recorded and nothing is written")
	add("not-stopped", !killed.Holds(now) && !s.Paused.Holds(now), "no kill switch and no pause", "stopped by the kill switch or by a pause of the group")
	var dark []string
	for _, b := range s.Circuits {
		if b.State == health.Unknown || b.State == "" {
			dark = append(dark, b.Circuit)
		}
	}
	add("evidence", len(dark) == 0, "every circuit has fresh evidence", "no fresh evidence about "+strings.Join(dark, ", "))
	rest := len(s.Weights) > 0
	for _, w := range s.Weights {
		rest = rest && w.Rest != nil
	}
	add("weights-at-rest", rest, "the weights at rest are known", "the weights at rest are not known for every connection")
	add("no-drift", len(s.Drifted) == 0, "nobody else changed a weight", "others changed a weight of "+strings.Join(s.Drifted, ", "))
	add("discovered", missing == 0, "every resource could be read", fmt.Sprintf("%d resources of the estate could not be read", missing))
	return out
}
