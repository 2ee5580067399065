package contest

import "time"

// Kind is a sort of incident.
type Kind string

const (
	Hard        Kind = "hard down"         // the circuit is dead and its routes are withdrawn
	Grey        Kind = "grey loss"         // packets are lost both ways, sessions stay up
	OneWay      Kind = "one dead way"      // one direction is dead, sessions stay up
	Kept        Kind = "failed, routes up" // the circuit is dead and keeps its routes
	Flap        Kind = "flapping"          // hard down and back, again and again
	Blip        Kind = "blip"              // seconds of loss, shorter than any hold timer
	OneLink     Kind = "one link"          // one link of two; the circuit carries
	Maintenance Kind = "maintenance"       // announced; sessions read down at the edge, traffic mostly flows
	FalseAlarm  Kind = "false alarm"       // one observer is wrong
	Platform    Kind = "two wrong"         // metric and Resource Health are wrong together
	Silence     Kind = "silence"           // one observer says nothing
	Provider    Kind = "provider down"     // hard down of every circuit of one provider
	Vantage     Kind = "vantage lost"      // the network that probes is down: every check fails
	Blackout    Kind = "blackout"          // no observer says anything
)

// Rate says how often a kind of incident comes and how long it lasts.
type Rate struct {
	Kind    Kind
	PerYear float64       // for each circuit; for Provider, Vantage and Blackout: for the estate
	Median  time.Duration // durations are log-normal
	Spread  float64       // sigma of the logarithm
	Why     string        // where the figure comes from
}

// Params is everything that a year depends on beside its seed.
type Params struct {
	Rates []Rate

	BFD      float64          // share of outages found by BFD; the rest wait for BGP's hold timer
	BFDTime  [2]time.Duration // from loss to withdrawn routes, with BFD
	HoldTime time.Duration    // from loss to withdrawn routes, without
	Back     [2]time.Duration // from repair to routes

	Metric  [2]time.Duration // from the end of a minute to its record: metrics and connection checks
	Health  [2]time.Duration // from a change to Resource Health's word
	Repeat  time.Duration    // Resource Health repeats bad news after this
	Notices float64          // share of grey, one-way and failed circuits that Resource Health notices
	Read    [2]time.Duration // from the question to the answer of a read

	Land   [2]time.Duration // from a write to its effect
	Follow time.Duration    // from a move in Azure to on-premises routing that follows it

	Lossy float64 // share lost from which a direction counts as dead
}

// Default returns the parameters of docs/comparison.md. Rates are set so that the
// dead time of a circuit comes near what Azure's SLA of 99.95 % allows, 4 h 23 min a
// year; how it splits into kinds is our assumption.
func Default() Params {
	const assumed = "assumption"
	return Params{
		Rates: []Rate{
			{Hard, 2, 45 * time.Minute, 1, "SLA 99.95 %: about 2.5 h a year"},
			{Grey, 1, time.Hour, 1, assumed},
			{OneWay, 0.3, time.Hour, 1, assumed},
			{Kept, 0.2, 2 * time.Hour, 0.7, "rare: one public account (Microsoft Q&A 5883871)"},
			{Flap, 0.5, time.Hour, 0.5, assumed},
			{Blip, 12, 15 * time.Second, 0.7, assumed},
			{OneLink, 2, 90 * time.Minute, 1, assumed},
			{Maintenance, 4, 2 * time.Hour, 0.4, "assumption; the false reading at the edge is documented (maintenance alerts)"},
			{FalseAlarm, 6, 10 * time.Minute, 0.7, assumed},
			{Platform, 0.3, 20 * time.Minute, 0.7, assumed},
			{Silence, 6, 45 * time.Minute, 1, assumed},
			{Provider, 0.2, time.Hour, 1, assumed},
			{Vantage, 1, 10 * time.Minute, 0.7, assumed},
			{Blackout, 0.5, 30 * time.Minute, 0.7, assumed},
		},
		BFD: 0.7, BFDTime: [2]time.Duration{time.Second, time.Minute}, HoldTime: 3 * time.Minute,
		Back:   [2]time.Duration{30 * time.Second, 90 * time.Second},
		Metric: [2]time.Duration{time.Minute, 3 * time.Minute},
		Health: [2]time.Duration{5 * time.Minute, 15 * time.Minute}, Repeat: 15 * time.Minute, Notices: 0.3,
		Read: [2]time.Duration{8 * time.Second, 20 * time.Second},
		Land: [2]time.Duration{20 * time.Second, time.Minute}, Follow: 10 * time.Minute,
		Lossy: 0.05,
	}
}

// Circuits of the estate, best first: the standby has another provider and another
// location than home, the third one shares home's provider.
const (
	home    = 0
	standby = 1
	third   = 2
	count   = 3
)

// circuitNames returns the names of the circuits, best first.
func circuitNames() [count]string { return [count]string{"home", "standby", "third"} }

// weightsAtRest returns the weights at rest of every policy.
func weightsAtRest() [count]int32 { return [count]int32{30, 20, 10} }
