package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// StageStat says how long one stage of a recovery took. Percentiles are by nearest
// rank: a value that was measured, never one between two.
type StageStat struct {
	Stage    string `json:"stage"` // confirm, decide, approve, apply, converge, verify; recovery is the whole, when traffic was seen
	Measured int    `json:"measured"`
	P50MS    int64  `json:"p50_ms"`
	P95MS    int64  `json:"p95_ms"`
}

// StatLine adds up the operations that have one thing in common.
type StatLine struct {
	By         string      `json:"by"` // group, kind, provider, location; the last two are of the circuits that were left
	Name       string      `json:"name"`
	Operations int         `json:"operations"` // that ended
	Proven     int         `json:"proven"`
	Failed     int         `json:"failed"`
	Stages     []StageStat `json:"stages"` // in the order of a recovery
}

// AgeLine adds up the real moves by how old the group's last good drill was when they
// began.
type AgeLine struct {
	Age        string `json:"age"` // "up to 35 days", "36 to 100 days", "over 100 days", "no drill before"
	Operations int    `json:"operations"`
	Proven     int    `json:"proven"`
	Failed     int    `json:"failed"`
	P50MS      int64  `json:"recovery_p50_ms,omitzero"`
	P95MS      int64  `json:"recovery_p95_ms,omitzero"`
}

// Statistics is the recovery ledger of many operations.
type Statistics struct {
	At         time.Time  `json:"at"`
	Operations int        `json:"operations"`        // that are counted: ended, settles left out
	Oldest     time.Time  `json:"oldest,omitzero"`   // when the first of them began
	LeftOut    int        `json:"left_out,omitzero"` // older ones that were not read
	Lines      []StatLine `json:"lines"`
	DrillAge   []AgeLine  `json:"drill_age"`
}

// MakeStatistics adds operations up. What has not ended and what moves no traffic is
// left out; an operation counts once.
func MakeStatistics(ops []Operation, est *topology.Estate, now time.Time) Statistics {
	out := Statistics{At: now.UTC(), Lines: []StatLine{}, DrillAge: []AgeLine{}}
	seen := map[string]bool{}
	ops = slices.DeleteFunc(slices.Clone(ops), func(o Operation) bool {
		again := seen[o.ID]
		seen[o.ID] = true
		return again || o.Status != record.Ended || o.Kind == policy.KindSettle || o.Begun.IsZero()
	})
	slices.SortStableFunc(ops, func(a, b Operation) int { return cmp.Or(a.Begun.Compare(b.Begun), cmp.Compare(a.ID, b.ID)) })
	lines := map[[2]string]*sums{}
	for _, o := range ops {
		out.Operations++
		if out.Oldest.IsZero() {
			out.Oldest = o.Begun.UTC()
		}
		for _, key := range dimensions(o, est) {
			if lines[key] == nil {
				lines[key] = &sums{took: map[string][]int64{}}
			}
			lines[key].add(o)
		}
	}
	for key, s := range lines { // order-free: sorted below
		out.Lines = append(out.Lines, s.line(key))
	}
	order := []string{"group", "kind", "provider", "location"}
	slices.SortFunc(out.Lines, func(a, b StatLine) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.By), slices.Index(order, b.By)), cmp.Compare(a.Name, b.Name))
	})
	out.DrillAge = drillAges(ops)
	return out
}

// dimensions returns the lines that an operation counts in.
func dimensions(o Operation, est *topology.Estate) [][2]string {
	out := [][2]string{{"group", o.Group}, {"kind", string(o.Kind)}}
	for _, name := range o.From {
		c, _ := est.Circuit(name)
		for _, k := range [][2]string{{"provider", c.Provider}, {"location", c.Location}} {
			if k[1] != "" && !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// sums is one line while it is added up.
type sums struct {
	operations, proven, failed int
	took                       map[string][]int64
}

func (s *sums) add(o Operation) {
	s.operations++
	switch o.Result {
	case record.Proven:
		s.proven++
	case record.FailedOp:
		s.failed++
	case record.AppliedOK, record.Cancelled, record.Overtaken:
	}
	for i, st := range o.Ledger.Stages {
		if i > 0 {
			s.took[st.Name] = append(s.took[st.Name], st.TookMS)
		}
		if st.Name == "verify" {
			s.took["recovery"] = append(s.took["recovery"], st.SinceMS)
		}
	}
}

func (s *sums) line(key [2]string) StatLine {
	l := StatLine{By: key[0], Name: key[1], Operations: s.operations, Proven: s.proven, Failed: s.failed, Stages: []StageStat{}}
	for _, name := range []string{"confirm", "decide", "approve", "apply", "converge", "verify", "recovery"} {
		if t := s.took[name]; len(t) > 0 {
			l.Stages = append(l.Stages, StageStat{Stage: name, Measured: len(t), P50MS: percentile(t, 50), P95MS: percentile(t, 95)})
		}
	}
	return l
}

// Ages of a drill, in days, and what they are called.
const (
	freshDrill = 35
	oldDrill   = 100
)

// drillAges files the real moves by the age of the last good drill of their group.
// Operations come oldest first.
func drillAges(ops []Operation) []AgeLine {
	last := map[string]time.Time{}
	lines := map[string]*sums{}
	for _, o := range ops {
		switch {
		case o.Kind == policy.KindDrill:
			if o.Result == record.Proven || o.Result == record.AppliedOK {
				last[o.Group] = o.Ended
			}
		case o.Kind == policy.KindFailover || o.Kind == policy.KindSwitchover || o.Kind == policy.KindEvacuate:
			name := ageName(last[o.Group], o.Begun)
			if lines[name] == nil {
				lines[name] = &sums{took: map[string][]int64{}}
			}
			lines[name].add(o)
		}
	}
	out := []AgeLine{}
	for _, name := range ageNames() {
		if s := lines[name]; s != nil {
			t := s.took["recovery"]
			out = append(out, AgeLine{Age: name, Operations: s.operations, Proven: s.proven, Failed: s.failed, P50MS: percentile(t, 50), P95MS: percentile(t, 95)})
		}
	}
	return out
}

func ageNames() []string {
	return []string{fmt.Sprintf("up to %d days", freshDrill), fmt.Sprintf("%d to %d days", freshDrill+1, oldDrill), fmt.Sprintf("over %d days", oldDrill), "no drill before"}
}

func ageName(drill, at time.Time) string {
	names := ageNames()
	switch days := daysSince(drill, at); {
	case drill.IsZero():
		return names[3]
	case days <= freshDrill:
		return names[0]
	case days <= oldDrill:
		return names[1]
	}
	return names[2]
}

func daysSince(from, to time.Time) int { return int(to.Sub(from) / (24 * time.Hour)) }

// Text writes the statistics for a terminal.
func (s Statistics) Text() string {
	if s.Operations == 0 {
		return "No operation has ended yet: nothing is measured.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d ended since %s", s.Operations, s.Oldest.Format(time.DateOnly))
	if s.LeftOut > 0 {
		fmt.Fprintf(&b, "; %d older ones are not counted", s.LeftOut)
	}
	b.WriteString("\n")
	for _, l := range s.Lines {
		fmt.Fprintf(&b, "\n%s %s: %d ended, %d proven, %d failed\n", l.By, l.Name, l.Operations, l.Proven, l.Failed)
		if len(l.Stages) > 0 {
			fmt.Fprintf(&b, "  %-9s %5s %9s %9s\n", "stage", "n", "p50", "p95")
		}
		for _, st := range l.Stages {
			fmt.Fprintf(&b, "  %-9s %5d %9s %9s\n", st.Stage, st.Measured, span(st.P50MS), span(st.P95MS))
		}
	}
	if len(s.DrillAge) > 0 {
		b.WriteString("\nmoves by the age of the last good drill\n")
	}
	for _, l := range s.DrillAge {
		fmt.Fprintf(&b, "  %-16s %3d ended, %d proven, %d failed", l.Age, l.Operations, l.Proven, l.Failed)
		if l.P50MS > 0 {
			fmt.Fprintf(&b, ", recovery p50 %s, p95 %s", span(l.P50MS), span(l.P95MS))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// moveTakes returns how long a move of a group takes, from the decision to the weights
// read back, at the median; false when none was measured.
func moveTakes(ops []Operation, group string) (time.Duration, bool) {
	var took []int64
	for _, o := range ops {
		if o.Group != group || o.Kind == policy.KindSettle {
			continue
		}
		at := map[string]int64{}
		for _, st := range o.Ledger.Stages {
			at[st.Name] = st.SinceMS
		}
		if apply, ok := at["apply"]; ok {
			took = append(took, apply-at["decide"])
		}
	}
	return time.Duration(percentile(took, 50)) * time.Millisecond, len(took) > 0
}

// MoveTakes is the median time of a group's moves from the decision to the weights
// read back, by group; a group without a measured one is missing.
func MoveTakes(ops []Operation) map[string]time.Duration {
	groups := map[string]bool{}
	for _, o := range ops {
		groups[o.Group] = true
	}
	out := map[string]time.Duration{}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		if d, ok := moveTakes(ops, g); ok {
			out[g] = d
		}
	}
	return out
}
