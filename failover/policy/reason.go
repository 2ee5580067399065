package policy

import "slices"

// Reason is a code from the closed list. The same word stands in the journal, the
// API, the page, the metrics and the runbook.
type Reason string

// Guards, in the order in which they are asked.
const (
	KillSwitch           Reason = "kill-switch"           // a person stopped every write in the estate
	Paused               Reason = "paused"                // a person paused this group
	ObserveOnly          Reason = "observe-only"          // the group is in observe mode: decide, never act
	Blind                Reason = "blind"                 // no circuit of the group has fresh evidence
	OperationRunning     Reason = "operation-running"     // an operation of this group has not ended
	DrillRunning         Reason = "drill-running"         // a drill runs in this group
	IntentOpen           Reason = "intent-open"           // an older write's outcome is unknown; it may still land
	Drifted              Reason = "drift"                 // others changed a weight of this group
	HoldDown             Reason = "hold-down"             // bad, but not for long enough
	Unconfirmed          Reason = "unconfirmed"           // not enough observers agree
	InMaintenance        Reason = "maintenance"           // announced work explains it
	UserInitiated        Reason = "user-initiated"        // the customer caused it
	OneLink              Reason = "one-link"              // one link of two; the circuit still carries traffic
	Lossy                Reason = "loss"                  // the circuit carries traffic and loses packets
	Damped               Reason = "damped"                // the circuit flaps
	CoolDown             Reason = "cool-down"             // the last move of traffic is too recent
	LastFailed           Reason = "last-failed"           // the last operation failed a short while ago
	NoCandidate          Reason = "no-candidate"          // no circuit to move to
	NoPath               Reason = "no-path"               // the candidate has no connection on a gateway
	CandidateUnproven    Reason = "candidate-unproven"    // no fresh proof that the candidate is healthy
	CandidateMaintenance Reason = "candidate-maintenance" // the candidate is in or near maintenance
	SharedFate           Reason = "shared-fate"           // the candidate shares the fate of the failing circuit
	PrefixesUncovered    Reason = "prefixes-uncovered"    // the candidate does not advertise every prefix in use
	Headroom             Reason = "headroom"              // the candidate has not enough bandwidth left
	SKUReach             Reason = "sku-reach"             // the candidate's SKU does not reach a gateway's region
	WeightRange          Reason = "weight-range"          // the raised weight would pass 32000
	LastPath             Reason = "last-path"             // it would leave a gateway without a usable path
	LeverOff             Reason = "lever-off"             // the group's levers do not name the one that was ordered
	LeverUnfit           Reason = "lever-unfit"           // the lever cannot be pulled here: Azure would refuse it, or it would cut too much
	LeverHeld            Reason = "lever-held"            // a lever of this group is pulled, or is being put back
	BlastRadius          Reason = "blast-radius"          // too many operations at once or in the hour
	ApprovalAwaited      Reason = "approval-awaited"      // a person must agree first
)

// Gates of the way home.
const (
	FailbackManually Reason = "failback-manual"   // the group returns by order only
	StandbyTime      Reason = "standby-time"      // not long enough on the standby
	HoldUp           Reason = "hold-up"           // home is not healthy, or not for long enough
	ObserversStale   Reason = "observers-stale"   // fewer than two fresh observers speak for home
	OutsideWindow    Reason = "outside-window"    // not at this hour
	BaselineNotHome  Reason = "baseline-not-home" // the weights at rest do not prefer home
	BaselineUnknown  Reason = "baseline-unknown"  // the weights at rest were never captured
	SettleWaits      Reason = "settle-waits"      // not quiet for long enough to write the weights at rest back
)

// Reasons for moving, and for having nothing to do.
const (
	Well           Reason = "well"             // every active circuit carries traffic
	OnStandby      Reason = "on-standby"       // traffic is on a standby, home is not back
	CircuitDown    Reason = "circuit-down"     // an active circuit is down
	CircuitLame    Reason = "circuit-degraded" // an active circuit is degraded and the group moves for that
	WeightInert    Reason = "weight-inert"     // the weights are in place and the traffic stayed where it was
	Ordered        Reason = "ordered"          // a person ordered it
	HomeHealthy    Reason = "home-healthy"     // home passed every gate
	Undo           Reason = "undo"             // the last move made it worse
	AlreadyThere   Reason = "already-there"    // traffic is where the order wants it
	TimeMissed     Reason = "time-missed"      // the time of a scheduled order went by while nothing could judge it
	SettleDue      Reason = "settle-due"       // quiet at home with raised weights
	Superseded     Reason = "superseded"       // a newer decision took over
	ChangedUnderUs Reason = "changed-under-us" // between the claim and the second look the network or the record changed
)

// What a signal said that moves nothing by itself.
const (
	OtherPeering  Reason = "other-peering"   // Microsoft or public peering: never moves private traffic
	UpdateOnly    Reason = "update-only"     // an update record clears nothing by itself
	Recovered     Reason = "recovered"       // a source says that it is good again
	StaleNews     Reason = "stale-news"      // older than what this source said before
	UnknownTarget Reason = "unknown-circuit" // about a resource that is not configured
	SaidNothing   Reason = "said-nothing"    // no state, no value
	BadNews       Reason = "bad-news"        // a source says that it is bad
	OwnEcho       Reason = "own-echo"        // our own write, reported back
	ForeignWrite  Reason = "foreign-write"   // somebody else wrote a resource that we steer
)

// overridable lists the guards that a person may override by name in an order.
// LastPath needs break-glass as well.
func overridable() []Reason {
	return []Reason{
		ObserveOnly, Blind, Drifted, InMaintenance, UserInitiated, Damped, CoolDown,
		CandidateUnproven, CandidateMaintenance, SharedFate, PrefixesUncovered, Headroom, SKUReach,
		LastPath, BlastRadius, StandbyTime, HoldUp, ObserversStale, OutsideWindow,
	}
}

// Overridable reports whether a person may override that guard by name.
func Overridable(r Reason) bool { return slices.Contains(overridable(), r) }

// Reasons returns the closed list, guards first, in the order of this file.
func Reasons() []Reason {
	return []Reason{
		KillSwitch, Paused, ObserveOnly, Blind, OperationRunning, DrillRunning, IntentOpen, Drifted,
		HoldDown, Unconfirmed, InMaintenance, UserInitiated, OneLink, Lossy, Damped, CoolDown, LastFailed,
		NoCandidate, NoPath, CandidateUnproven, CandidateMaintenance, SharedFate, PrefixesUncovered,
		Headroom, SKUReach, WeightRange, LastPath, LeverOff, LeverUnfit, LeverHeld, BlastRadius, ApprovalAwaited,
		FailbackManually, StandbyTime, HoldUp, ObserversStale, OutsideWindow, BaselineNotHome, BaselineUnknown, SettleWaits,
		Well, OnStandby, CircuitDown, CircuitLame, WeightInert, Ordered, HomeHealthy, Undo, AlreadyThere, TimeMissed, SettleDue, Superseded, ChangedUnderUs,
		OtherPeering, UpdateOnly, Recovered, StaleNews, UnknownTarget, SaidNothing, BadNews, OwnEcho, ForeignWrite,
	}
}
