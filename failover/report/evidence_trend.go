package report

import (
	"cmp"
	"maps"
	"slices"

	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// TrendLine says how the operations of one kind went in one group. Percentiles are
// by nearest rank: a value that was measured, never one between two.
type TrendLine struct {
	Group      string      `json:"group"`
	Kind       policy.Kind `json:"kind"`
	Operations int         `json:"operations"` // that ended
	Proven     int         `json:"proven"`     // of them, by the result
	Failed     int         `json:"failed"`     // of them: at least one write did not land
	Measured   int         `json:"measured"`   // recoveries known from the first signal to traffic seen
	P50MS      int64       `json:"recovery_p50_ms,omitzero"`
	P95MS      int64       `json:"recovery_p95_ms,omitzero"`
	MaxMS      int64       `json:"recovery_max_ms,omitzero"`
	Met        int         `json:"objective_met"`    // of the measured ones
	Missed     int         `json:"objective_missed"` // of the measured ones
	Timed      int         `json:"timed"`            // proven or applied ones, from the decision to the end
	RunP50MS   int64       `json:"run_p50_ms,omitzero"`
	RunP95MS   int64       `json:"run_p95_ms,omitzero"`
}

// Trend adds operations up by group and kind, in that order. Whole operations give
// recoveries; summaries, by group, give what they know of those that are not given
// whole. What has not ended is left out, and an operation counts once.
func Trend(whole []Operation, recent map[string][]record.Summary) []TrendLine {
	type key struct {
		group string
		kind  policy.Kind
	}
	type sums struct {
		line            TrendLine
		recovery, spans []int64
	}
	var all []*sums
	found, seen := map[key]*sums{}, map[string]bool{}
	add := func(group string, s record.Summary) *sums {
		k := key{group, s.Kind}
		if found[k] == nil {
			found[k] = &sums{line: TrendLine{Group: group, Kind: s.Kind}}
			all = append(all, found[k])
		}
		t := found[k]
		seen[s.ID] = true
		t.line.Operations++
		switch s.Result {
		case record.Proven:
			t.line.Proven++
		case record.FailedOp:
			t.line.Failed++
		case record.AppliedOK, record.Cancelled, record.Overtaken:
		}
		if done := s.Result == record.Proven || s.Result == record.AppliedOK; done && !s.Begun.IsZero() && !s.Ended.Before(s.Begun) {
			t.spans = append(t.spans, s.Ended.Sub(s.Begun).Milliseconds())
		}
		return t
	}
	for _, o := range whole {
		if o.Status != record.Ended || seen[o.ID] {
			continue
		}
		t := add(o.Group, record.Summary{ID: o.ID, Kind: o.Kind, Begun: o.Begun, Ended: o.Ended, Result: o.Result})
		if !slices.ContainsFunc(o.Ledger.Stages, func(s Stage) bool { return s.Name == "verify" }) {
			continue
		}
		t.recovery = append(t.recovery, o.Ledger.RecoveryMS)
		switch {
		case o.Ledger.Met == nil:
		case *o.Ledger.Met:
			t.line.Met++
		default:
			t.line.Missed++
		}
	}
	for _, group := range slices.Sorted(maps.Keys(recent)) {
		for _, s := range recent[group] {
			if !seen[s.ID] {
				add(group, s)
			}
		}
	}
	out := make([]TrendLine, 0, len(all))
	for _, t := range all {
		l := t.line
		l.Measured, l.P50MS, l.P95MS, l.MaxMS = len(t.recovery), percentile(t.recovery, 50), percentile(t.recovery, 95), percentile(t.recovery, 100)
		l.Timed, l.RunP50MS, l.RunP95MS = len(t.spans), percentile(t.spans, 50), percentile(t.spans, 95)
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b TrendLine) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind)) })
	return out
}

// percentile returns the smallest value that at least p of 100 values do not pass; 0
// for none. It sorts the values.
func percentile(values []int64, p int) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max((len(values)*p+99)/100, 1)-1]
}
