package report

import (
	"slices"

	"erfailover/failover/planner"
	"erfailover/failover/policy"
)

// Would says what an order would lead to.
type Would string

const (
	WouldBegin   Would = "begin"             // its operation would begin
	WouldWait    Would = "wait-for-approval" // its operation would wait for a person
	WouldRefuse  Would = "refuse"            // a guard would say no, or no safe plan can be made
	WouldNothing Would = "write-nothing"     // the weights are already as wanted
)

// Planned is what an order would do now, without having done it.
type Planned struct {
	Would       Would          `json:"would"`
	Plan        planner.Plan   `json:"plan"` // without steps when nothing would be written
	Verdict     policy.Verdict `json:"verdict"`
	Refused     string         `json:"refused,omitzero"` // why no safe plan could be made
	Explanation Explanation    `json:"explanation"`
}

// MakePlanned makes the answer to a dry run.
func MakePlanned(j Judged, e Explanation, mode policy.Mode) Planned {
	out := Planned{Would: WouldBegin, Plan: j.Plan, Verdict: j.Verdict, Refused: j.Refused, Explanation: e}
	switch {
	case j.Refused != "" || j.Verdict.Action == policy.Hold:
		out.Would = WouldRefuse
	case len(j.Plan.Steps) == 0:
		out.Would = WouldNothing
	case mode == policy.Approve && j.Verdict.Kind != policy.KindSettle:
		out.Would = WouldWait
	}
	return out
}

// IsReason reports whether a code is of the closed list of reasons.
func IsReason(code string) bool { return slices.Contains(policy.Reasons(), policy.Reason(code)) }
