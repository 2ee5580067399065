package drill

import (
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// Kind says what a drill does.
type Kind string

const (
	Move       Kind = "move"       // weights to the standby, hold, and back
	Disconnect Kind = "disconnect" // the gateway's site failover test
	Link       Kind = "link"       // one link of two
	Tabletop   Kind = "tabletop"   // decide and plan, write nothing
	Evacuate   Kind = "evacuate"   // everything off the location of the home circuit
)

// Spec is one configured drill.
type Spec struct {
	Name      string
	Group     string
	Kind      Kind
	Calendar  Calendar
	Link      events.Link   // kind link: the link that is cut
	Hold      time.Duration // on the standby
	Limit     time.Duration // over and undone after this; longer than Hold
	Announce  time.Duration // notice ahead of the start
	Objective time.Duration // recovery-time target; 0 for none
	Block     []Sign        // evidence that stops a start
	Abort     []Sign        // evidence that ends a run at once
	Blind     string        // why a blackout calendar cannot be read; "" when all can
	Copied    string        // which of them are copies, and why; "" when all were fetched
}

// shortHold is the longest hold of an accelerated run.
const shortHold = time.Minute

// hold returns how long traffic stays on the standby in this run.
func (s Spec) hold(r Run) time.Duration {
	if r.Accelerated {
		return min(s.Hold, shortHold)
	}
	return s.Hold
}

// Phase is where a drill stands.
type Phase string

const (
	Idle      Phase = "idle"
	Announced Phase = "announced"
	Armed     Phase = "armed"     // the way back is stored; nothing was ordered yet
	Moving    Phase = "moving"    // the order to move was given
	Holding   Phase = "holding"   // traffic is on the standby
	Returning Phase = "returning" // the order to go home was given
)

// Result is how a drill ended.
type Result string

const (
	Passed    Result = "passed"    // moved, proven, within the objective, everything as before
	Failed    Result = "failed"    // one of those is missing
	Refused   Result = "refused"   // a guard or a check said no before anything was written
	Aborted   Result = "aborted"   // a bad sign ended it early; everything is as before
	Overtaken Result = "overtaken" // real trouble came; the incident took over
	Stopped   Result = "stopped"   // a person, a pause, the kill switch or a webhook stopped it
	Cancelled Result = "cancelled" // by a person, before it began
)

// Document is a drill's durable state.
type Document struct {
	Schema      int          `json:"schema"`
	Name        string       `json:"name"`
	Phase       Phase        `json:"phase"`
	Next        time.Time    `json:"next,omitzero"`         // planned start
	AnnouncedAt time.Time    `json:"announced_at,omitzero"` // when people were told of it
	Skipped     time.Time    `json:"skipped,omitzero"`      // the newest start that is used up: run, refused, called off or missed
	Run                      // the running one, or what was ordered of the next
	Flags       []Flag       `json:"flags,omitempty"` // blocks that are in force
	Last        *Outcome     `json:"last,omitempty"`
	History     []Outcome    `json:"history,omitempty"` // newest first, at most 24
	Newer       record.Newer `json:",embed"`            // what a newer version wrote and this one does not know
	record.Trail
}

// Run is what one run of a drill did, and what it left to be done.
type Run struct {
	ID          string    `json:"id,omitzero"`
	By          string    `json:"by,omitzero"`          // who ordered it, for one outside the calendar
	Reason      string    `json:"reason,omitzero"`      // in the person's words
	Key         string    `json:"key,omitzero"`         // idempotency key of the order
	Overrides   []string  `json:"overrides,omitempty"`  // codes that the person goes past by name
	Accelerated bool      `json:"accelerated,omitzero"` // no notice, and a hold of a minute at most
	Location    string    `json:"location,omitzero"`    // evacuate: the peering location that is left
	Checks      []Check   `json:"checks,omitempty"`     // before the start
	Plans       []Plan    `json:"plans,omitempty"`      // what would be done; of a tabletop all there is
	Undo        []Rest    `json:"undo,omitempty"`       // the weights to come back to, as read before the start
	UndoHash    string    `json:"undo_hash,omitzero"`   // of Undo and Deadline
	Deadline    time.Time `json:"deadline,omitzero"`    // any engine takes traffic home after this
	ArmedAt     time.Time `json:"armed_at,omitzero"`
	ArmedBy     string    `json:"armed_by,omitzero"` // instance that stored the way back
	SeenAt      time.Time `json:"seen_at,omitzero"`
	SeenBy      string    `json:"seen_by,omitzero"` // instance that read it back, in a later beat
	HeldAt      time.Time `json:"held_at,omitzero"` // every leg is on its standby
	ReturnAt    time.Time `json:"return_at,omitzero"`
	HomeAt      time.Time `json:"home_at,omitzero"` // every leg is home; the weights at rest are waited for
	Legs        []Leg     `json:"legs,omitempty"`
	Early       Result    `json:"early,omitzero"`     // how it will end, when it goes home early
	Why         string    `json:"why,omitzero"`       // why it goes home early
	Evidence    []Proof   `json:"evidence,omitempty"` // what was measured
	Probes      []Proof   `json:"probes,omitempty"`   // what probes said of the standby when the hold ended
	During      []Rest    `json:"during,omitempty"`   // the weights while traffic was held
	After       []Rest    `json:"after,omitempty"`    // the weights at the end, read afresh
	Traffic     []Sample  `json:"traffic,omitempty"`  // byte counters along the run, at most 60 looks a circuit
}

// LegState is where one group of a drill stands.
type LegState string

const (
	LegOrdered   LegState = "ordered"   // to move
	LegHolding   LegState = "holding"   // on the standby
	LegReturning LegState = "returning" // ordered home
	LegHome      LegState = "home"      // was away and is home, or the incident has it
	LegStayed    LegState = "stayed"    // never left
)

// Leg is one group of a drill.
type Leg struct {
	Group string   `json:"group"`
	State LegState `json:"state"`
	To    []string `json:"to,omitempty"`  // circuits that took the traffic
	Tries int      `json:"tries"`         // orders to move
	Out   string   `json:"out,omitzero"`  // operation that moved
	Back  string   `json:"back,omitzero"` // operation that returned
	Backs int      `json:"backs"`         // orders to go home
	Said  string   `json:"said,omitzero"` // newest refusal

	Newer record.Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Rest is one connection's weight and tag.
type Rest struct {
	Group      string `json:"group"`
	Connection string `json:"connection"`
	Circuit    string `json:"circuit,omitzero"`
	Weight     int32  `json:"weight"`
	Epoch      string `json:"epoch,omitzero"`
	Body       string `json:"body,omitzero"` // hash of everything else that is written
}

// Outcome is one finished drill.
type Outcome struct {
	ID         string    `json:"id"`
	Kind       Kind      `json:"kind,omitzero"`
	Result     Result    `json:"result"`
	Began      time.Time `json:"began,omitzero"` // when the way back was armed
	Ended      time.Time `json:"ended"`
	By         string    `json:"by,omitzero"`
	RecoveryMS int64     `json:"recovery_ms,omitzero"` // from the order to traffic on the standby, of the slowest group
	Why        string    `json:"why,omitzero"`
	Codes      []string  `json:"codes,omitempty"` // reason codes of a refusal
	Restored   bool      `json:"restored"`        // the weights at rest are back, read afresh
	Weights    Weights   `json:"weights,omitzero"`

	Newer record.Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Weights says where a run has left the weights.
type Weights string

const (
	WeightsBack     Weights = "as-before"    // byte for byte, read afresh
	WeightsKept     Weights = "untouched"    // nothing was ever written
	WeightsIncident Weights = "the-incident" // real trouble has them; the weights at rest are kept, and come back with its failback
	WeightsDiffer   Weights = "different"    // they should be back, and are not
)

// Says tells it in a sentence.
func (w Weights) Says() string {
	switch w {
	case WeightsBack:
		return "Every weight is as before, byte for byte."
	case WeightsKept:
		return "No weight was written."
	case WeightsIncident:
		return "The weights are the incident's now; those at rest are kept, and come back with its failback."
	case WeightsDiffer:
		return "Not every weight is as before: see below."
	}
	return ""
}

// Ended is a finished drill whole, stored under RunKey.
type Ended struct {
	Schema      int     `json:"schema"`
	Name        string  `json:"name"`
	Group       string  `json:"group"`
	ObjectiveMS int64   `json:"objective_ms,omitzero"`
	HoldMS      int64   `json:"hold_ms,omitzero"`
	Outcome     Outcome `json:"outcome"`
	Run         Run     `json:"run"`
}

// Keys of a drill's documents, and its journal stream.
const (
	keyPrefix = "drill/"
	runPrefix = "drill-run/"
)

// Key returns the key of a drill's document.
func Key(name string) string { return keyPrefix + name }

// RunKey returns the key of a finished run.
func RunKey(id string) string { return runPrefix + id }

// Stream returns the journal stream of a drill.
func Stream(name string) string { return "drill." + name }

// Input is what Step looks at. Status, Groups and Estate are needed once a drill is
// due, Fresh at its end; what is not needed may be left out.
type Input struct {
	Spec     Spec
	Now      time.Time
	Owner    string                              // this instance
	Estate   topology.Estate                     //
	Status   report.Status                       // every group, with what is believed of its circuits
	Groups   map[string]record.Group             // documents of the groups concerned
	Ops      map[string]*record.Operation        // ended operations of the legs
	Previews map[string]Preview                  // what the order would do, by group; at the start
	Returns  map[string]int                      // fresh observers that each group asks for before traffic goes home
	Counters map[string]record.TrafficReading    // byte counters of the circuits concerned, read just now; while a run is on
	Fresh    map[string]executor.ConnectionState // the connections of Undo, read just now; at the end
}

// Preview is what the order to move would do now.
type Preview struct {
	Verdict policy.Verdict
	Plan    Plan
	Refused string // why no safe plan could be made
}

// Plan is what would be written in one group.
type Plan struct {
	Group string   `json:"group"`
	ID    string   `json:"id,omitzero"`
	From  []string `json:"from,omitempty"`
	To    []string `json:"to,omitempty"`
	Steps []Change `json:"steps,omitempty"`
	Held  []string `json:"held,omitempty"` // sentences of the guards that say no
	Codes []string `json:"codes,omitempty"`
}

// Change is one write of a plan.
type Change struct {
	Connection string `json:"connection"`
	Circuit    string `json:"circuit"`
	From       int32  `json:"from"`
	To         int32  `json:"to"`
	Does       string `json:"does,omitzero"` // of a lever: what it cuts
}

// Order returns the order that moves a group in this drill. until is its deadline.
func Order(s Spec, r Run, leg Leg, until time.Time) events.Order {
	o := events.Order{Verb: events.OrderDrill, Group: leg.Group, Operation: r.ID, Until: until, By: who(r), Reason: "drill " + s.Name, From: r.Location}
	if r.ID != "" {
		o.Key = outKey(r, leg)
	}
	switch s.Kind {
	case Disconnect:
		o.Lever = events.LeverDisconnect
	case Link:
		o.Lever, o.Link = events.LeverLink, s.Link
	case Tabletop: // what would happen in an outage now
		o = events.Order{Verb: events.OrderFailover, Group: leg.Group, By: who(r), Reason: "tabletop " + s.Name, Overrides: []string{string(policy.ObserveOnly)}}
	case Move, Evacuate:
	}
	return o
}

const by = "drill calendar"

func who(r Run) string {
	if r.By != "" {
		return r.By
	}
	return by
}
