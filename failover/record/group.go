package record

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// Schema is the version of every document that this program writes.
const Schema = 1

// Newer holds the fields of a document that this version does not know. They are
// written back as they came: a newer version of the same schema wrote them, may work
// beside this one during a deployment, and may be the one that goes on.
type Newer = jsontext.Value

// Circuit is a circuit's document: its health memory.
type Circuit struct {
	Schema int           `json:"schema"`
	Memory health.Memory `json:"memory"`
	Noted  []string      `json:"noted,omitempty"` // IDs of the newest signals that were journaled and changed nothing
	Trace  string        `json:"trace,omitzero"`  // traceparent of the newest signals that changed the memory; "" when nobody traces
	Newer  Newer         `json:",embed"`
	Trail
}

// Trail is a document's own journal: where its chain stands and the entries that
// may not have reached the journal yet. State and entries are saved by one
// compare-and-swap, so neither can be without the other.
type Trail struct {
	Head    Head    `json:"head"`
	Pending []Entry `json:"pending,omitempty"`
}

// Add links entries to the trail's chain.
func (t *Trail) Add(stream string, entries ...Entry) {
	linked, head := Chain(t.Head, stream, entries)
	t.Pending, t.Head = append(t.Pending, linked...), head
}

// Estate is the document of the estate as a whole: what was discovered, and what
// holds everywhere.
type Estate struct {
	Schema int             `json:"schema"`
	Config string          `json:"config,omitzero"` // hash of the configuration that Facts belong to
	Facts  topology.Estate `json:"facts"`
	At     time.Time       `json:"at,omitzero"`      // of the newest discovery
	FullAt time.Time       `json:"full_at,omitzero"` // of the newest one that read everything, not only what was missing
	Killed *policy.Pause   `json:"killed,omitempty"`

	KillOrder  time.Time `json:"kill_order,omitzero"`   // when the newest order about the kill switch was given
	KillOrders []string  `json:"kill_orders,omitempty"` // the newest such orders: signal and instant

	Orphans []string                  `json:"orphans,omitempty"` // groups that are not configured any more and have a lever pulled
	Missing []string                  `json:"missing,omitempty"` // resources that the newest discovery could not read
	Unknown int64                     `json:"unknown"`           // signals about resources that are not configured, ever
	Traffic map[string]TrafficReading `json:"traffic,omitempty"`
	Newer   Newer                     `json:",embed"`
	Trail
}

// TrafficReading is one look at a circuit's byte counters.
type TrafficReading struct {
	At    time.Time        `json:"at"`
	Bytes executor.Traffic `json:"bytes"`
}

// Group is a failover group's document: its state, its running operation, and what
// may still land.
type Group struct {
	Schema int    `json:"schema"`
	Name   string `json:"name"`

	Epoch      int64                               `json:"epoch"`              // of the last decision
	Baseline   map[string]planner.Weight           `json:"baseline,omitempty"` // weights at rest, by connection ID
	BaselineAt time.Time                           `json:"baseline_at,omitzero"`
	Actual     map[string]executor.ConnectionState `json:"actual,omitempty"` // newest read, by connection ID
	ReadAt     time.Time                           `json:"read_at,omitzero"`

	Active      []string      `json:"active,omitempty"` // circuits that carry, by the newest read
	ActiveSince time.Time     `json:"active_since,omitzero"`
	QuietSince  time.Time     `json:"quiet_since,omitzero"` // at home, healthy, nothing running
	LastMove    time.Time     `json:"last_move,omitzero"`
	FailedAt    time.Time     `json:"failed_at,omitzero"`
	Undone      bool          `json:"undone,omitzero"`
	Inert       *policy.Inert `json:"inert,omitempty"` // the last move's weights moved nothing
	Acked       time.Time     `json:"acked,omitzero"`

	Lease      Lease                     `json:"lease,omitzero"`
	Pause      *policy.Pause             `json:"pause,omitempty"`
	PauseOrder time.Time                 `json:"pause_order,omitzero"` // when the newest pause or resume was given
	Drift      map[string]planner.Weight `json:"drift,omitempty"`      // what we had where others changed a weight
	Drill      string                    `json:"drill,omitzero"`       // ID of the drill that holds traffic on a standby
	DrillUntil time.Time                 `json:"drill_until,omitzero"` // any instance takes traffic home after this
	DrillEnd   *DrillEnd                 `json:"drill_end,omitempty"`  // of the drill before
	Restored   time.Time                 `json:"restored,omitzero"`    // when others' weights were last put back
	Operation  *Operation                `json:"operation,omitempty"`
	Cuts       []Cut                     `json:"cuts,omitempty"`    // levers that are pulled, or not yet known to be back
	Intents    []OpenIntent              `json:"intents,omitempty"` // writes of superseded operations that may still land
	Told       map[string]time.Time      `json:"told,omitempty"`    // by gateway: Azure said not to come back before, to an operation that is over
	Reads      []SlowRead                `json:"reads,omitempty"`
	Drains     []SlowRead                `json:"drains,omitempty"`    // whether a circuit in doubt is drained for maintenance; apart from Reads, which an older version takes for reads of sessions
	Orders     []Order                   `json:"orders,omitempty"`    // accepted, not yet judged
	Scheduled  []Order                   `json:"scheduled,omitempty"` // accepted for a time to come, soonest first; at most MaxScheduled
	Keys       map[string]Use            `json:"keys,omitempty"`      // idempotency keys of the last day
	Recent     []Summary                 `json:"recent,omitempty"`    // newest first, at most 50
	Verdict    policy.Verdict            `json:"verdict"`             // newest
	VerdictAt  time.Time                 `json:"verdict_at,omitzero"`
	Newer      Newer                     `json:",embed"`
	Trail
}

// Lease says who is at work. It saves work; safety never rests on it.
type Lease struct {
	Owner string    `json:"owner,omitzero"`
	Until time.Time `json:"until,omitzero"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// HeldByOther reports whether somebody else is at work at now.
func (l Lease) HeldByOther(me string, now time.Time) bool {
	return l.Owner != "" && l.Owner != me && now.Before(l.Until)
}

// OpenIntent is a write of an operation that was superseded or cancelled.
type OpenIntent struct {
	WriteID    string         `json:"write_id"`
	Connection string         `json:"connection"`
	Operation  string         `json:"operation"`
	Epoch      int64          `json:"epoch"`
	To         planner.Weight `json:"to"`
	At         time.Time      `json:"at"`
	Until      time.Time      `json:"until"` // it can land no more after this
	Token      executor.Token `json:"token,omitzero"`
	Settle     bool           `json:"settle,omitzero"`
	Doubt      bool           `json:"doubt,omitzero"` // it was sent more than once: seeing it landed does not close it

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// SlowRead is a slow read that runs.
type SlowRead struct {
	Question  executor.Question `json:"question"`
	Circuit   string            `json:"circuit,omitzero"`
	Token     executor.Token    `json:"token,omitzero"`
	AskedAt   time.Time         `json:"asked_at"`
	NotBefore time.Time         `json:"not_before,omitzero"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// MaxScheduled is how many orders for a time to come one group holds.
const MaxScheduled = 20

// Order is an accepted order.
type Order struct {
	Signal string       `json:"signal"`
	At     time.Time    `json:"at"`
	Order  events.Order `json:"order"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Use is what became of an idempotency key.
type Use struct {
	At        time.Time `json:"at"`
	Due       time.Time `json:"due,omitzero"` // of a scheduled order: the key is remembered from here on
	Hash      string    `json:"hash"`         // of the order
	Operation string    `json:"operation,omitzero"`
	Answer    string    `json:"answer,omitzero"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}
