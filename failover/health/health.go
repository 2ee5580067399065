// Package health decides what we believe about each circuit, and why.
//
//	             bad, by enough
//	             observers, for                  fresh good, and
//	             the hold-down                   nothing counts as bad
//	unknown ──▶ suspect ─────────────▶ down ──────────────────────▶ recovering
//	  │   │        │ ▲                  ▲  │ one link                  │ │ │
//	  │   │   good │ │ bad     bad, and │  │ back                      │ │ │ good for
//	  │   │        ▼ │        confirmed └──┼───────────────────────────┘ │ │ the hold-up
//	  │   └────▶ healthy ◀─────────────────┼─────────────────────────────┼─┘
//	  │            │ ▲                     ▼                             │
//	  │            ▼ │ both links good   degraded ◀── one link of two ───┘
//	  └────────▶ degraded
//
//	any state ──▶ unknown   when no evidence is fresh any more
//
// Trust is slower than alarm. Only fresh good evidence about both links makes a
// circuit healthy; a circuit that was down passes through recovering even when
// silence or degraded lay between; bad evidence in recovering goes back to down
// without a new hold-down when it is confirmed, and to suspect when it is not.
// Silence makes a circuit unknown: never healthy, never down.
//
// Evidence is kept per circuit: the newest claim of each source about each link,
// by the source's own event time, so that repeats and late arrivals are harmless.
// Each group draws its own conclusion from it under its own rule; that conclusion,
// with the time it was reached, is a Track.
//
// The package is pure: it reads no clock, so the same evidence, rule and instant
// always give the same answer.
package health

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
)

// State is what a group believes about a circuit. The zero value is Unknown.
type State string

const (
	Unknown    State = "unknown"    // no evidence that is fresh enough; neither good nor bad
	Healthy    State = "healthy"    // fresh evidence says that it carries traffic on both links
	Degraded   State = "degraded"   // it carries traffic, with one link of two or with loss
	Suspect    State = "suspect"    // bad evidence that is too recent, or not confirmed
	Down       State = "down"       // bad, confirmed, and for longer than the hold-down
	Recovering State = "recovering" // good again after Down, not yet for the hold-up
)

// Degrade says what a group does about a degraded circuit.
type Degrade string

const (
	DegradeIgnore Degrade = "ignore" // nothing
	DegradeAlert  Degrade = "alert"  // a notice
	DegradeMove   Degrade = "move"   // counts as Down
)

// Rule is how one group weighs evidence. Use DefaultRule and change fields.
type Rule struct {
	HoldDown      time.Duration                     // from the first bad evidence, with nothing good since, to Down
	HoldUp        time.Duration                     // uninterrupted good evidence from Recovering to Healthy; never shorter than HoldDown
	Observers     int                               // observers that must agree on Down; 1 to 5
	ConfirmByRead bool                              // one observer short of Observers, a read of ours may stand in for the missing one
	Degraded      Degrade                           // what a degraded circuit means
	MaxAge        map[events.Observer]time.Duration // evidence older than this says nothing any more; an observer that is missing has its default, and 24 h is the most
	Damping       Damping                           // of flaps
}

// Damping holds the constants of flap damping after RFC 2439.
type Damping struct {
	Penalty  float64       // added each time a circuit goes bad
	HalfLife time.Duration // in which a penalty halves
	Suppress float64       // flapping from here
	Reuse    float64       // no longer flapping below this
	Max      time.Duration // longest time that a circuit stays damped after its last flap; so short that Reuse*2^(Max/HalfLife) is below Suppress, it never is
}

// DefaultRule returns the rule of a careful operator: 30 s hold-down, 5 min
// hold-up, two observers or one and a read.
func DefaultRule() Rule {
	return Rule{
		HoldDown: 30 * time.Second, HoldUp: 5 * time.Minute,
		Observers: 2, ConfirmByRead: true, Degraded: DegradeAlert,
		MaxAge:  DefaultMaxAge(),
		Damping: DefaultDamping(),
	}
}

// DefaultMaxAge returns how long each observer's word stands. Metrics come every
// minute but back off to 15 minutes after an hour of zeros; an unhealthy resource
// is repeated in the activity log after 15 minutes.
func DefaultMaxAge() map[events.Observer]time.Duration {
	ages := make(map[events.Observer]time.Duration, len(voters))
	for _, o := range voters {
		ages[o] = defaultAge(o)
	}
	return ages
}

// defaultAge returns how long an observer's word stands, and 0 for one that has
// no say about health.
func defaultAge(o events.Observer) time.Duration {
	switch o {
	case events.Metric:
		return 10 * time.Minute
	case events.ResourceHealth:
		return 30 * time.Minute
	case events.Gateway:
		return 15 * time.Minute
	case events.Probe:
		return 10 * time.Minute
	case events.Read:
		return 5 * time.Minute
	case events.ServiceHealth, events.ActivityLog, events.Person:
	}
	return 0
}

// DefaultDamping returns penalty 1000 per flap, half-life 15 min, suppress 2500,
// reuse 750, at most 4 h: three flaps in a quarter of an hour are too many.
func DefaultDamping() Damping {
	return Damping{Penalty: 1000, HalfLife: 15 * time.Minute, Suppress: 2500, Reuse: 750, Max: 4 * time.Hour}
}

// Evidence is the newest claim of one source about one link of a circuit.
type Evidence struct {
	Observer   events.Observer `json:"observer"`
	Source     string          `json:"source,omitzero"`
	Resource   string          `json:"resource,omitzero"` // canonical ID of what was looked at: two gateways are two claims
	Peering    events.Peering  `json:"peering,omitzero"`  // Microsoft and Public are kept and never count
	Link       events.Link     `json:"link,omitzero"`
	Plane      events.Plane    `json:"plane,omitzero"`
	State      events.State    `json:"state,omitzero"`
	UserAction bool            `json:"user_action,omitzero"`
	Tentative  bool            `json:"tentative,omitzero"` // may worsen what the source says, never better it
	At         time.Time       `json:"at"`                 // event time of the newest claim
	Since      time.Time       `json:"since"`              // event time since which this source has said the same, never silent for longer than its default age
	Value      *float64        `json:"value,omitzero"`     //
	Signal     string          `json:"signal"`             // ID of the newest signal
	Detail     string          `json:"detail,omitzero"`
	Excuse     Excuse          `json:"excuse,omitzero"` // in a Belief only: why it does not count toward Down
}

// Excuse says why bad evidence does not count toward Down. The zero value is
// evidence that counts.
type Excuse string

const (
	ByUser        Excuse = "user-action" // the customer caused it
	ByMaintenance Excuse = "maintenance" // sessions of the control plane, while announced work was on
	ByRead        Excuse = "rebutted"    // a read of ours, made since this source began to say so, found the sessions of both links up
)

// Memory is everything that is remembered of one circuit. The zero value is a
// circuit that nobody has spoken of. It is stored as one document.
type Memory struct {
	Circuit     string              `json:"circuit"`
	Evidence    []Evidence          `json:"evidence,omitempty"`    // sorted by observer, source, resource, peering, link; at most 256
	Maintenance []MaintenanceWindow `json:"maintenance,omitempty"` // sorted by start; ended ones are dropped after a day; at most 64
	Tracks      map[string]Track    `json:"tracks,omitempty"`      // by group name
	LastBad     time.Time           `json:"last_bad,omitzero"`     // newest event time at which anybody called a link down, also when it was told late; the customer's own acts apart
	Applied     int64               `json:"applied"`               // signals that changed the memory, ever
	Repeated    int64               `json:"repeated"`              // repeats and late arrivals, ever

	Newer jsontext.Value `json:",embed"` // what a newer version wrote here and this one does not know
}

// MaintenanceWindow is one announced maintenance of this circuit.
type MaintenanceWindow struct {
	Tracking string    `json:"tracking,omitzero"` // the announcement's own id
	Source   string    `json:"source,omitzero"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end,omitzero"` // zero: until told otherwise
	At       time.Time `json:"at"`           // event time of the newest announcement

	Cancelled bool `json:"cancelled,omitzero"` // kept, so that an older announcement that comes late does not bring it back
}

// Track is one group's belief about one circuit, and what is needed to go on.
type Track struct {
	State     State     `json:"state"`
	Since     time.Time `json:"since,omitzero"`      // when State was entered
	BadSince  time.Time `json:"bad_since,omitzero"`  // first evidence of the present bad spell; zero when good
	GoodSince time.Time `json:"good_since,omitzero"` // start of the present uninterrupted good spell; zero when bad or unknown
	BadUntil  time.Time `json:"bad_until,omitzero"`  // when the last bad spell was over; a claim from before opens no new one
	Confirmed time.Time `json:"confirmed,omitzero"`  // when enough observers agreed in this bad spell
	Fell      bool      `json:"fell,omitzero"`       // was Down and has not been trusted since: good evidence leads to Recovering first
	Penalty   float64   `json:"penalty,omitzero"`    // at PenaltyAt; decays from there
	PenaltyAt time.Time `json:"penalty_at,omitzero"`
	Damped    bool      `json:"damped,omitzero"` // crossed Suppress, not yet below Reuse
}

// Change records one move from state to state. A zero Change means no move.
type Change struct {
	Group, Circuit string
	From, To       State
	At             time.Time
	Why            string // fixed text, safe to match in tests and alerts
}

// Belief is what one group believes about one circuit now, ready to be shown.
type Belief struct {
	Circuit     string         `json:"circuit"`
	State       State          `json:"state"`
	Since       time.Time      `json:"since,omitzero"`
	BadSince    time.Time      `json:"bad_since,omitzero"`
	GoodSince   time.Time      `json:"good_since,omitzero"`
	LastBad     time.Time      `json:"last_bad,omitzero"` // newest event time at which anybody called a link down, as Memory has it
	Confirmed   time.Time      `json:"confirmed,omitzero"`
	Links       [2]State       `json:"links"`                // primary, secondary
	Bad         []Evidence     `json:"bad,omitempty"`        // fresh evidence against it, strongest first
	Good        []Evidence     `json:"good,omitempty"`       // fresh evidence for it
	Observers   int            `json:"observers"`            // independent observers that now say Down
	Needed      int            `json:"needed"`               // observers that must
	WantsRead   bool           `json:"wants_read,omitzero"`  // a confirming read would decide
	Rebutted    bool           `json:"rebutted,omitzero"`    // a fresh read contradicts the control-plane claims
	Proven      time.Time      `json:"proven,omitzero"`      // newest positive evidence of both links or of the whole circuit
	Maintenance *events.Window `json:"maintenance,omitzero"` // the window that is on; when none is, the next one announced
	Explained   bool           `json:"explained,omitzero"`   // what is bad is explained by maintenance or by the customer's own act
	Damped      bool           `json:"damped,omitzero"`
	Penalty     float64        `json:"penalty,omitzero"`    // now
	ReuseAt     time.Time      `json:"reuse_at,omitzero"`   // when the penalty will be below Reuse if nothing more happens
	HoldUntil   time.Time      `json:"hold_until,omitzero"` // when the present hold-down or hold-up ends
	Hearsay     bool           `json:"hearsay,omitzero"`    // nobody that looked for itself (a read, a probe, a gateway) is among those that say Down
	ReadUntil   time.Time      `json:"read_until,omitzero"` // enough observers say Down, all of them Azure's own word: until when our own read is waited for
}

// View is what one group believes about all its circuits at one instant.
type View struct {
	At        time.Time         `json:"at"`
	Circuits  map[string]Belief `json:"circuits"`
	Blind     bool              `json:"blind,omitzero"`      // no circuit has fresh evidence of any kind
	Locations map[string]bool   `json:"locations,omitempty"` // peering locations with two or more circuits down together
	Providers map[string]bool   `json:"providers,omitempty"` // providers likewise

	ProvidersDamped map[string]bool `json:"providers_damped,omitempty"` // providers whose circuits together flap
}
