package policy

import (
	"time"

	"erfailover/events"
)

// Mode says how far a group's automation may go by itself.
type Mode string

const (
	Observe   Mode = "observe"   // decide and grade, never act
	Approve   Mode = "approve"   // decide, then wait for a person
	Automatic Mode = "automatic" // decide and act
)

// FailbackMode says who starts the way home.
type FailbackMode string

const (
	FailbackAutomatic FailbackMode = "automatic"
	FailbackManual    FailbackMode = "manual"
)

// Drift says what to do about a weight that others changed.
type Drift string

const (
	DriftAsk     Drift = "ask"     // hold and ask a person
	DriftAccept  Drift = "accept"  // the new weights become the baseline
	DriftRestore Drift = "restore" // put ours back
)

// Lever is a way to move traffic; a group's levers are tried in order.
type Lever = events.Lever

// The levers, by the names that this package has for them.
const (
	LeverWeight     = events.LeverWeight
	LeverDisconnect = events.LeverDisconnect
	LeverLink       = events.LeverLink
	LeverPeering    = events.LeverPeering
)

// Rule is what one group's policy allows.
type Rule struct {
	Mode        Mode
	Objective   time.Duration // recovery-time target; 0 means none
	CoolDown    time.Duration // rest after any move, cleared by acknowledge
	Fresh       time.Duration // a candidate's newest proof may be at most this old
	SettleAfter time.Duration // quiet time at home before the weights at rest are written back
	Failback    Failback
	Drift       Drift
	Approval    Approval
	Levers      []Lever

	// AcceptWhenDown names guards about a candidate, of Acceptable, that do not hold
	// the automation's failover once every circuit that it leaves is down: a part of
	// the traffic is better than none.
	AcceptWhenDown []Reason
}

// Acceptable returns the guards that a rule may accept in AcceptWhenDown.
func Acceptable() []Reason { return []Reason{Headroom, PrefixesUncovered} }

// Failback holds the gates of the way home.
type Failback struct {
	Mode    FailbackMode
	After   time.Duration // least time on the standby
	Windows []Window      // allowed times; none means always
}

// Approval says who must agree before an operation of an approve group runs.
type Approval struct {
	Approvers int           // 1 or more
	Distinct  bool          // an approver is never the requester
	Expires   time.Duration // a waiting operation ends by itself after this
}

// Limits bound what the automation does to the estate as a whole.
type Limits struct {
	OperationsAtOnce  int // running operations in the estate
	OperationsPerHour int // started in any 60 minutes
}

// Window is a weekly span of local time, "Mon-Fri 20:00-06:00 America/New_York".
// A span that ends before it begins runs into the next day and belongs to the day
// on which it began.
type Window struct {
	Days     [7]bool       // by time.Weekday; Sunday is 0
	From, To time.Duration // since local midnight, below 24 h; equal means the whole day
	Zone     *time.Location
	Text     string // as the operator wrote it
}
