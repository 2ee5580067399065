package policy

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/topology"
)

// Action is what a verdict wants done.
type Action string

const (
	Hold   Action = "hold"   // nothing; the reasons say why
	Move   Action = "move"   // to another circuit
	Return Action = "return" // to home
)

// Kind is the sort of an operation.
type Kind string

const (
	KindFailover   Kind = "failover"   // a circuit is bad
	KindSwitchover Kind = "switchover" // planned; every guard applies
	KindFailback   Kind = "failback"   // to home
	KindDrill      Kind = "drill"      //
	KindEvacuate   Kind = "evacuate"   // everything off one location or provider
	KindSettle     Kind = "settle"     // the weights at rest are written back
	KindRestore    Kind = "restore"    // a pulled lever was put back; no verdict wants it, its deadline does
)

// Finding is one reason with what a person needs to understand it.
type Finding struct {
	Code    Reason    `json:"code"`
	Circuit string    `json:"circuit,omitzero"`
	Text    string    `json:"text"`           // a sentence for a person
	Until   time.Time `json:"until,omitzero"` // when time alone may lift it
}

// Candidate is one circuit that was looked at as a target, with what speaks
// against it.
type Candidate struct {
	Circuit string    `json:"circuit"`
	Rank    int       `json:"rank"` // position in the order of preference
	Against []Finding `json:"against,omitempty"`
	Fate    []string  `json:"fate,omitempty"` // what it shares with the circuits that are left, "kind name"
	Chosen  bool      `json:"chosen,omitzero"`
}

// Verdict is the answer of Judge. A Hold that came from trouble still names what
// would have been done.
type Verdict struct {
	Action     Action      `json:"action"`
	Kind       Kind        `json:"kind,omitzero"`
	Group      string      `json:"group"`
	From       []string    `json:"from,omitempty"` // circuits to leave
	To         []string    `json:"to,omitempty"`   // circuits to carry
	Lever      Lever       `json:"lever,omitzero"` // what is pulled; "" moves weights
	Link       events.Link `json:"link,omitzero"`  // lever link: the link that is cut
	MakeHome   bool        `json:"make_home,omitzero"`
	By         string      `json:"by,omitzero"` // who ordered it; "" for the automation
	Reasons    []Finding   `json:"reasons"`     // Hold: the guards that said no, in their order; otherwise why to move
	Overridden []Reason    `json:"overridden,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Reads      []string    `json:"reads,omitempty"` // circuits of which a fresh read would help
	Undo       bool        `json:"undo,omitzero"`
}

// First returns the code of the first reason, or "".
func (v Verdict) First() Reason {
	if len(v.Reasons) == 0 {
		return ""
	}
	return v.Reasons[0].Code
}

// Codes returns the codes of the reasons, in order.
func (v Verdict) Codes() []string {
	out := make([]string, len(v.Reasons))
	for i, f := range v.Reasons {
		out[i] = string(f.Code)
	}
	return out
}

// Has reports whether a reason of that code is among the reasons.
func (v Verdict) Has(r Reason) bool {
	for _, f := range v.Reasons {
		if f.Code == r {
			return true
		}
	}
	return false
}

// History is what the record says about a group and about the estate.
type History struct {
	Active        []string  // circuits that carry the group's traffic now, by the newest read of the weights
	ActiveSince   time.Time // since when
	LastMove      time.Time // when the last operation ended; zero for never
	FailedAt      time.Time // when the last operation failed, if none has ended well since
	Undone        bool      // the last move was already an undo
	Acked         time.Time // when a person acknowledged; clears the cool-down of moves before it
	Paused        *Pause
	Killed        *Pause
	Awaiting      string    // ID of an operation that waits for approval
	AwaitingUntil time.Time // when it ends by itself
	Running       string    // ID of the running operation, "" if none
	RunningTo     []string  // its target
	RunningKind   Kind
	RunningFrom   time.Time
	Drill         string    // ID of a running drill
	DrillOver     bool      // its deadline has passed: home, whatever the mode and the hour
	DrillEnds     bool      // its way home is due, or ordered by the drill itself
	OldIntents    int       // open intents older than the last decision, or of a settle
	Open          int       // all open intents of ended operations
	OpenUntil     time.Time // when the last of those can land no more
	OldUntil      time.Time // when the last of them can land no more
	Drift         []string  // connections whose weight others changed
	NoBaseline    bool      // the weights at rest are not known for every connection
	AtOnce        int       // operations that run now in other groups
	LastHour      int       // operations begun in the estate in the last 60 minutes
	Unsettled     bool      // a weight or tag of ours differs from the baseline
	QuietSince    time.Time // since when the group has been at home, healthy and without an operation
	BaseHome      bool      // the weights at rest prefer home
	Epoch         int64     // of the last decision
	MaxBase       int32     // highest baseline weight of any gateway of the group

	Cuts  []Cut                         // levers that are pulled, or being put back
	Inert *Inert                        // the last move's weights moved nothing; nil when they did, or when it is not known
	Heirs map[Lever]map[string][]string // by lever and circuit: the circuits that would carry were it pulled there, by the weights as they are
}

// Cut is a lever that is pulled.
type Cut struct {
	Lever    Lever
	Circuits []string  // cut off
	Until    time.Time // it is put back then at the latest
	Due      time.Time // since when it is being put back; zero while it is held
}

// Inert says that a move's weights are in place and its traffic is not.
type Inert struct {
	Operation string    `json:"operation"`
	From      []string  `json:"from"`            // circuits over which traffic still leaves
	To        []string  `json:"to"`              // circuits that the weights prefer
	Tried     []Lever   `json:"tried,omitempty"` // levers that were pulled since
	Since     time.Time `json:"since,omitzero"`  // when a lever was last put back

	Newer jsontext.Value `json:",embed"` // what a newer version wrote here and this one does not know
}

// Pause is a stop ordered by a person.
type Pause struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitzero"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until,omitzero"` // zero: until resumed

	Newer jsontext.Value `json:",embed"` // what a newer version wrote here and this one does not know
}

// Holds reports whether the pause is in force at now.
func (p *Pause) Holds(now time.Time) bool {
	return p != nil && (p.Until.IsZero() || now.Before(p.Until))
}

// Facts are measured things about circuits; a missing one is unknown.
type Facts struct {
	Load     map[string]int64    // circuit → bits per second now, the larger direction
	Prefixes map[string][]string // circuit → prefixes that it advertises, sorted
}

// Input is everything that Judge depends on.
type Input struct {
	Now     time.Time
	Group   topology.Group
	Estate  *topology.Estate
	View    health.View
	Rule    Rule
	Health  health.Rule
	Limits  Limits
	History History
	Facts   Facts
	Order   *events.Order // nil for the automation's own judgement
}
