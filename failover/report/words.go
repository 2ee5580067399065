package report

import "erfailover/failover/policy"

// Words explain a reason code to somebody who has never seen this program.
type Words struct {
	Asks string // the question that the guard asks; "" for a code that is no guard
	Lift string // what changes the answer; "" when nothing needs to
}

// Describe returns the words for a reason code; every code of policy.Reasons has
// them, and others give the zero Words.
func Describe(r policy.Reason) Words { return words[r] }

// words is the table behind Describe.
var words = map[policy.Reason]Words{
	policy.KillSwitch:           {"Has a person stopped every write in the estate?", "lift the kill switch: erfailover start"},
	policy.Paused:               {"Has a person paused this group?", "resume the group: erfailover resume GROUP"},
	policy.ObserveOnly:          {"Is the group only observed, so that verdicts are recorded and nothing is written?", "set the group's mode to approve or automatic, or order the move with --override observe-only"},
	policy.Blind:                {"Is there any fresh evidence about the group's circuits?", "restore an event source: until one speaks, the last good weights stay"},
	policy.OperationRunning:     {"Does another operation of this group still run?", "wait until it has ended: erfailover status"},
	policy.DrillRunning:         {"Does a drill run in this group?", "wait until the drill is over, or cancel it"},
	policy.IntentOpen:           {"Could an older write, whose outcome is unknown, still land?", "wait: the write is known to be over at the time shown"},
	policy.Drifted:              {"Has somebody else changed a weight of this group?", "put the weight back, or accept it as the new weight at rest (drift: accept)"},
	policy.HoldDown:             {"Has the circuit been bad for long enough?", "wait: the hold-down ends at the time shown, unless the circuit recovers before"},
	policy.Unconfirmed:          {"Do enough independent observers agree?", "a second observer, or a fresh read by this program that says the same; or order the failover yourself"},
	policy.InMaintenance:        {"Does announced maintenance explain what is reported?", "wait for its end, or order a switchover with --override maintenance"},
	policy.UserInitiated:        {"Did the customer's own action cause what is reported?", "undo that action, or order the failover with --override user-initiated"},
	policy.OneLink:              {"Does the circuit still carry traffic on its other link?", "set health.degraded to move for this group, or order the move yourself"},
	policy.Lossy:                {"Does the circuit still carry traffic, although it loses packets?", "set health.degraded to move for this group, or order the move yourself"},
	policy.Damped:               {"Does the circuit flap, so that its good news is not trusted yet?", "wait until the time shown, if it stays quiet"},
	policy.CoolDown:             {"Has the group rested since its last move?", "acknowledge the last move: erfailover ack GROUP; or wait until the time shown"},
	policy.LastFailed:           {"Did the last operation fail a moment ago?", "wait until the time shown, or acknowledge it: erfailover ack GROUP"},
	policy.NoCandidate:          {"Is there a circuit that can take the traffic?", "see what stands against each candidate, below"},
	policy.NoPath:               {"Has every gateway a connection to the candidate?", "connect the gateway to that circuit, or choose another one"},
	policy.CandidateUnproven:    {"Is there fresh proof that the candidate is healthy?", "a fresh signal or read that shows both links of the candidate up; or --override candidate-unproven"},
	policy.CandidateMaintenance: {"Is the candidate clear of announced maintenance?", "wait for its end, or --override candidate-maintenance"},
	policy.SharedFate:           {"Is the candidate free of what fails (port, conduit, location, provider)?", "choose a circuit elsewhere with --to, or --override shared-fate"},
	policy.PrefixesUncovered:    {"Does the candidate advertise every prefix in use?", "advertise the prefixes over the candidate, or --override prefixes-uncovered"},
	policy.Headroom:             {"Has the candidate enough bandwidth left?", "reduce the load, or --override headroom"},
	policy.SKUReach:             {"Does the candidate's SKU reach the region of every gateway?", "use a Premium circuit, or --override sku-reach"},
	policy.WeightRange:          {"Is there room for a higher weight?", "set lower weights at rest: Azure takes at most 32000"},
	policy.LastPath:             {"Would every gateway keep a usable path?", "choose a circuit that is not down; break-glass with --override last-path is the only way past this"},
	policy.LeverOff:             {"Do the group's levers name the one that was ordered?", "add it to the group's levers in the configuration"},
	policy.LeverUnfit:           {"Can the lever be pulled here without cutting more than is meant?", "read what it says: another peering location on the gateway, both links, or another lever"},
	policy.LeverHeld:            {"Is every lever of this group put back?", "put it back: erfailover failback GROUP; or wait for its deadline"},
	policy.BlastRadius:          {"Are few enough operations running or begun in the last hour?", "wait, or --override blast-radius"},
	policy.ApprovalAwaited:      {"Has a person agreed to the operation that waits?", "approve it or cancel it: erfailover approve GROUP, erfailover cancel GROUP"},

	policy.FailbackManually: {"Does the group return by itself?", "order it: erfailover failback GROUP"},
	policy.StandbyTime:      {"Has the traffic been on the standby for long enough?", "wait until the time shown, or order the failback"},
	policy.HoldUp:           {"Has home been healthy without a break for long enough?", "wait for home to stay healthy, or order the failback with --override hold-up"},
	policy.ObserversStale:   {"Do two fresh observers speak for home?", "a fresh signal about home from a second observer"},
	policy.OutsideWindow:    {"Is this an hour at which the group may return?", "wait for the window, or order the failback"},
	policy.BaselineNotHome:  {"Do the weights at rest prefer home?", "set the weights at rest, or order a switchover with --make-home"},
	policy.BaselineUnknown:  {"Are the weights at rest known?", "set the baseline in the configuration"},
	policy.SettleWaits:      {"Has all been quiet for long enough to write the weights at rest back?", "wait; traffic is at home already"},

	policy.Well:           {},
	policy.OnStandby:      {"Does home carry the traffic?", "bring the traffic home first: erfailover failback GROUP"},
	policy.CircuitDown:    {},
	policy.CircuitLame:    {},
	policy.WeightInert:    {},
	policy.Ordered:        {},
	policy.HomeHealthy:    {},
	policy.Undo:           {},
	policy.AlreadyThere:   {"Is the traffic elsewhere than the order wants it?", "nothing: the traffic is there"},
	policy.TimeMissed:     {"Could the order be judged at its time?", "order it anew, for now or for another time"},
	policy.SettleDue:      {},
	policy.Superseded:     {},
	policy.ChangedUnderUs: {"Did the network or the record change between two looks?", "it is judged anew by itself; order again"},

	policy.OtherPeering:  {},
	policy.UpdateOnly:    {},
	policy.Recovered:     {},
	policy.StaleNews:     {},
	policy.UnknownTarget: {},
	policy.SaidNothing:   {},
	policy.BadNews:       {},
	policy.OwnEcho:       {},
	policy.ForeignWrite:  {},
}

// asked returns the guards of a situation, in the order in which they are asked.
func asked(kind policy.Kind, byOrder bool) []policy.Reason {
	target := []policy.Reason{policy.NoCandidate, policy.NoPath, policy.CandidateUnproven, policy.CandidateMaintenance,
		policy.SharedFate, policy.PrefixesUncovered, policy.Headroom, policy.SKUReach}
	late := []policy.Reason{policy.WeightRange, policy.LastPath, policy.BlastRadius}
	busy := []policy.Reason{policy.OperationRunning, policy.ApprovalAwaited, policy.DrillRunning, policy.IntentOpen, policy.Drifted}
	join := func(lists ...[]policy.Reason) (out []policy.Reason) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	stops := []policy.Reason{policy.KillSwitch, policy.Paused, policy.ObserveOnly, policy.Blind}
	gates := []policy.Reason{policy.HoldUp, policy.ObserversStale, policy.Damped, policy.CandidateMaintenance, policy.Headroom}
	if byOrder {
		base := join([]policy.Reason{policy.KillSwitch, policy.ObserveOnly}, busy)
		switch kind {
		case policy.KindFailover, policy.KindSettle:
			return join(base, target, late)
		case policy.KindDrill:
			return join(base, []policy.Reason{policy.Paused, policy.Blind, policy.Damped, policy.CoolDown, policy.LastFailed, policy.OnStandby}, target, late)
		case policy.KindSwitchover, policy.KindEvacuate:
			return join(base, []policy.Reason{policy.Blind, policy.Damped}, target, late)
		case policy.KindFailback:
			return join(base, gates, late)
		}
		return base
	}
	switch kind {
	case policy.KindFailover, policy.KindSwitchover, policy.KindEvacuate, policy.KindDrill:
		return join(stops, busy, []policy.Reason{policy.HoldDown, policy.Unconfirmed, policy.InMaintenance, policy.UserInitiated, policy.OneLink, policy.Lossy,
			policy.Damped, policy.CoolDown, policy.LastFailed}, target, late)
	case policy.KindFailback:
		return join(stops, busy, []policy.Reason{policy.LastFailed, policy.FailbackManually, policy.BaselineNotHome, policy.StandbyTime}, gates,
			[]policy.Reason{policy.OutsideWindow}, late)
	case policy.KindSettle:
		return join(stops, busy, []policy.Reason{policy.LastFailed, policy.BaselineUnknown, policy.SettleWaits})
	}
	return nil // nothing was wrong, so no guard was asked
}
