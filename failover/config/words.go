package config

import (
	"strings"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
)

// The closed lists, in the order in which they are told.

func topics() []Topic {
	return []Topic{TopicOperation, TopicRefusal, TopicApproval, TopicDrill, TopicFailure}
}

func clouds() []Cloud { return []Cloud{CloudPublic, CloudGovernment, CloudChina, CloudCustom} }

func authModes() []AuthMode {
	return []AuthMode{AuthEntra, AuthEasyAuth, AuthFunctionKey, AuthLoopback}
}

func drillKinds() []DrillKind {
	return []DrillKind{DrillMove, DrillDisconnect, DrillLink, DrillTabletop, DrillEvacuate}
}

func modes() []policy.Mode { return []policy.Mode{policy.Observe, policy.Approve, policy.Automatic} }

func drifts() []policy.Drift {
	return []policy.Drift{policy.DriftAsk, policy.DriftAccept, policy.DriftRestore}
}

func failbacks() []policy.FailbackMode {
	return []policy.FailbackMode{policy.FailbackAutomatic, policy.FailbackManual}
}

func degrades() []health.Degrade {
	return []health.Degrade{health.DegradeIgnore, health.DegradeAlert, health.DegradeMove}
}

// joined returns words in one line.
func joined[T ~string](words []T) string {
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = string(w)
	}
	return strings.Join(plain, ", ")
}

func channels() []Channel {
	return []Channel{ChannelTeams, ChannelSlack, ChannelPagerDuty, ChannelWebhook, ChannelEventHub}
}

func levers() []policy.Lever {
	return []policy.Lever{policy.LeverWeight, policy.LeverDisconnect, policy.LeverPeering}
}

func observers() []events.Observer {
	return []events.Observer{events.Metric, events.ResourceHealth, events.Gateway, events.Probe, events.Read}
}

// badStates are what a drill's signals may ask for.
func badStates() []events.State { return []events.State{events.Degraded, events.Down} }

const (
	wantCalendar = "an .ics file, an https URL without user and fragment, or env:NAME that holds one of them"
	wantIdentity = "managed, managed:<client id>, workload or developer"
	wantCron     = `a cron schedule of five fields like "0 2 1 * *"`
	wantDates    = "a date or two, like 2026-12-24 or 2026-12-15/2027-01-05"
)

// wantChannel says what a channel's value must be.
func wantChannel(ch Channel) string {
	switch ch {
	case ChannelTeams, ChannelSlack, ChannelWebhook:
		return "env:NAME, or an https URL"
	case ChannelPagerDuty:
		return "env:NAME, or a routing key"
	case ChannelEventHub:
		return "env:NAME, or namespace.servicebus.windows.net/hub"
	}
	return "env:NAME"
}

// wantWho says how a grant names callers.
const wantWho = "an object ID, role:NAME, group:ID, or *"

// grantActions are what a grant may allow: reading, every order, one order by its
// verb, approving. Each of the others includes reading.
func grantActions() []string {
	return []string{"read", "order", "approve", "failover", "switchover", "failback", "evacuate", "drill", "pause", "resume", "acknowledge", "cancel", "kill", "unkill"}
}
