package record

import (
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
)

// Status is where an operation stands.
//
//	waiting ──approve──▶ applying ──all steps ended──▶ converging ──routes──▶ verifying ──traffic──▶ ended
//	   │ cancel, expire      │ superseded, a step failed                                     ▲
//	   └─────────────────────┴───────────────────────────────────────────────────────────────┘
type Status string

const (
	AwaitingApproval Status = "waiting"    // for a person
	Applying         Status = "applying"   // writes run
	Converging       Status = "converging" // every write is read back; the gateways' routes are looked at
	Verifying        Status = "verifying"  // traffic on the new circuit is looked for
	Ended            Status = "ended"      // Result says how
)

// Result is how an operation ended.
type Result string

const (
	Proven    Result = "proven"     // weights read back, routes learned, traffic seen on the new circuit
	AppliedOK Result = "applied"    // weights read back; routes or traffic could not be seen
	FailedOp  Result = "failed"     // at least one write did not land
	Cancelled Result = "cancelled"  // by a person, or nobody approved in time
	Overtaken Result = "superseded" // a newer decision took over
)

// Symmetry is what is known of the direction that weights do not steer.
type Symmetry string

const (
	Symmetric  Symmetry = "symmetric"
	Asymmetric Symmetry = "asymmetric"
	Unproven   Symmetry = "unproven"
)

// Operation is one execution of a plan.
type Operation struct {
	ID       string               `json:"id"` // "op-" and the plan's hash
	Kind     policy.Kind          `json:"kind"`
	Group    string               `json:"group"`
	Plan     planner.Plan         `json:"plan"`
	Verdict  policy.Verdict       `json:"verdict"`
	Status   Status               `json:"status"`
	Result   Result               `json:"result,omitzero"`
	Symmetry Symmetry             `json:"symmetry,omitzero"`
	Steps    []executor.StepState `json:"steps"`
	Checks   []RouteCheck         `json:"checks,omitempty"`
	Traffic  *TrafficCheck        `json:"traffic,omitempty"`
	By       string               `json:"by,omitzero"`     // who ordered it
	Order    *events.Order        `json:"order,omitempty"` // as it was given; nil for the automation's own
	Approved []string             `json:"approved,omitempty"`
	Approval []string             `json:"approval,omitempty"` // the subjects of Approved, one for each; "" where nobody vouches for one
	Expires  time.Time            `json:"expires,omitzero"`   // waiting only
	Stamps   Stamps               `json:"stamps"`
	Notes    []string             `json:"notes,omitempty"`
	Trace    string               `json:"trace,omitzero"` // traceparent of the decision; "" when nobody traces
	Newer    Newer                `json:",embed"`
}

// Stamps are the instants of the recovery ledger; a zero one was not reached.
type Stamps struct {
	Signal   time.Time `json:"signal,omitzero"`   // event time of the first bad evidence, or of the order
	Confirm  time.Time `json:"confirm,omitzero"`  // enough observers agreed and the hold-down ended
	Decide   time.Time `json:"decide,omitzero"`   // the decision was stored
	Approve  time.Time `json:"approve,omitzero"`  // a person agreed, where one had to
	Apply    time.Time `json:"apply,omitzero"`    // the last weight was read back
	Converge time.Time `json:"converge,omitzero"` // every gateway shows routes
	Verify   time.Time `json:"verify,omitzero"`   // traffic was seen on the new circuit
	End      time.Time `json:"end,omitzero"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// RouteCheck is the look at one gateway's learned routes.
type RouteCheck struct {
	Gateway   string         `json:"gateway"`
	Token     executor.Token `json:"token,omitzero"`
	NotBefore time.Time      `json:"not_before,omitzero"`
	Asked     bool           `json:"asked,omitzero"`
	Done      bool           `json:"done,omitzero"`
	Routes    int            `json:"routes"` // learned from circuits
	Error     string         `json:"error,omitzero"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// TrafficCheck compares the byte counters of the new circuits.
type TrafficCheck struct {
	Before    map[string]TrafficReading `json:"before,omitempty"`
	After     map[string]TrafficReading `json:"after,omitempty"`
	NotBefore time.Time                 `json:"not_before,omitzero"`
	Deadline  time.Time                 `json:"deadline,omitzero"`
	Seen      bool                      `json:"seen,omitzero"`
	Left      map[string]TrafficReading `json:"left,omitempty"`  // counters of the circuits that were left, before
	Stayed    bool                      `json:"stayed,omitzero"` // traffic still leaves over them

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Summary is what stays of an operation in its group's document; the whole of it
// is kept under OperationKey.
type Summary struct {
	ID     string      `json:"id"`
	Kind   policy.Kind `json:"kind"`
	From   []string    `json:"from,omitempty"`
	To     []string    `json:"to,omitempty"`
	Epoch  int64       `json:"epoch"`
	Begun  time.Time   `json:"begun"`
	Ended  time.Time   `json:"ended"`
	Result Result      `json:"result"`
	Writes int         `json:"writes"`

	Newer Newer `json:",embed"` // what a newer version wrote here and this one does not know
}

// Keys of the documents.
const (
	EstateKey       = "estate"
	circuitPrefix   = "circuit/"
	groupPrefix     = "group/"
	operationPrefix = "operation/"
	measuredPrefix  = "measured/"
)

// CircuitKey returns the key of a circuit's document.
func CircuitKey(name string) string { return circuitPrefix + name }

// GroupKey returns the key of a group's document.
func GroupKey(name string) string { return groupPrefix + name }

// OperationKey returns the key of an ended operation's document.
func OperationKey(id string) string { return operationPrefix + id }
