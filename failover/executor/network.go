package executor

import (
	"context"
	"time"

	"erfailover/failover/planner"
	"erfailover/failover/topology"
)

// Outcome is what we know about a write. There are three answers, and every
// switch over them names all three.
type Outcome string

const (
	Unknown    Outcome = "unknown"     // it may have landed, and may still land
	Applied    Outcome = "applied"     // it landed
	NotApplied Outcome = "not-applied" // it did not land and never will
)

// Network is Azure as the executor sees it. Calls take batches, and the adapter
// runs the items of a batch in parallel; an item's failure is in its answer, so
// that one bad gateway never hides the others. A call returns one answer for each
// item, in the same order. No call waits for a long-running operation.
type Network interface {
	// Read fetches the present state of resources. Each answer says whether the
	// thing exists; Err is set when that could not be learned.
	Read(ctx context.Context, refs []Ref) []Reading
	// Begin reads each connection, changes its weight and our tag and nothing
	// else, and sends it back. A write that is already as wanted is Applied
	// without a request (a no-op PUT hangs Azure).
	Begin(ctx context.Context, writes []Write) []Begun
	// Ask begins slow reads: route tables and BGP summaries.
	Ask(ctx context.Context, questions []Question) []Begun
	// Poll looks once at each running operation, be it a write or a question.
	Poll(ctx context.Context, running []Running) []Polled
}

// RefKind says what a Ref names and which fields of its Reading are set.
type RefKind string

const (
	RefConnection  RefKind = "connection"  // Reading.Connection
	RefConnections RefKind = "connections" // ID is a gateway; Reading.Connections lists what it has
	RefCircuit     RefKind = "circuit"     // Reading.Circuit
	RefGateway     RefKind = "gateway"     // Reading.Gateway
	RefTraffic     RefKind = "traffic"     // ID is a circuit; Reading.Traffic
)

// Ref names one resource to read.
type Ref struct {
	Kind RefKind
	ID   string // canonical resource ID
}

// Reading is one resource as Azure has it now.
type Reading struct {
	Ref         Ref
	At          time.Time // when the answer came
	Found       bool      // false with a nil Err: Azure says that it does not exist
	Err         error     // a fault.Error: why it could not be read
	Connection  *ConnectionState
	Connections []ConnectionState
	Circuit     *CircuitState
	Gateway     *topology.Gateway
	Traffic     *Traffic
}

// Traffic holds the byte counters of a circuit's private peering since some
// fixed instant; only differences mean something.
type Traffic struct {
	In  [2]int64 // on-premises to Azure, primary and secondary
	Out [2]int64 // Azure to on-premises
}

// ConnectionState is what matters of a connection.
type ConnectionState struct {
	ID           string `json:"id"`
	Gateway      string `json:"gateway"`
	Circuit      string `json:"circuit"` // circuit resource ID
	Weight       int32  `json:"weight"`
	Epoch        string `json:"epoch,omitzero"`        // value of our tag; "" if there is none
	Provisioning string `json:"provisioning,omitzero"` // Succeeded, Updating, Failed, ...
	Status       string `json:"status,omitzero"`       // Connected, NotConnected, ...
	FastPath     bool   `json:"fast_path,omitzero"`
	PrivateLink  bool   `json:"private_link,omitzero"` // FastPath for Private Link
	Owner        string `json:"owner,omitzero"`        // the tool that a tag names as the owner: terraform, bicep, pulumi; "" if none does
	Rest         string `json:"rest,omitzero"`         // hash of the body without the weight, our tag and read-only fields
}

// CircuitState is what matters of a circuit.
type CircuitState struct {
	topology.Circuit
	Provisioning string            // the resource's own provisioning state
	Enabled      bool              // circuitProvisioningState is Enabled
	Provisioned  bool              // serviceProviderProvisioningState is Provisioned, or the circuit is on Direct
	Peering      string            // state of the private peering: Enabled, Disabled; "" if there is none
	Incomplete   []string          // what the private peering lacks: VLAN, ASN, the addresses of a link
	Microsoft    *MicrosoftPeering // nil: there is none
	Public       bool              // it has a public peering, which Azure has retired
}

// MicrosoftPeering is what is said of a circuit's Microsoft peering, which is observed
// and never moved.
type MicrosoftPeering struct {
	State    string
	Prefixes []string // public prefixes that are advertised over it
}

// Write is one change of one connection's weight and of our tag; or of one lever.
type Write struct {
	ID         string // random; names this very attempt in the record and in the request ID header
	Kind       planner.StepKind
	Location   string // disconnect: the peering location
	Link       string // link: primary or secondary
	Cut        bool   // levers: true cuts, false puts back
	Connection string // what is written: the connection; of a lever the gateway or the circuit
	Gateway    string
	From       int32     // the weight that the plan was made from; another one found means that others wrote
	To         int32     // 0..32000
	Epoch      string    // our tag's new value; "" removes the tag (settle)
	Rest       string    // hash that the rest of the body must have; "" takes it as found
	NotAfter   time.Time // monotonic; the request is not sent later than this, checked last of all
}

// QuestionKind is a sort of slow read.
type QuestionKind string

const (
	AskBGP    QuestionKind = "bgp"    // route table summary of one link of a circuit's private peering
	AskARP    QuestionKind = "arp"    // ARP table of one link
	AskTable  QuestionKind = "table"  // route table of one link: what on-premises and Azure announce there
	AskRoutes QuestionKind = "routes" // routes that a gateway has learned
	AskTests  QuestionKind = "tests"  // failover tests: of sites on a gateway, of links on a circuit

	AskPeers      QuestionKind = "peers"      // BGP sessions of a gateway with the edge
	AskAdvertised QuestionKind = "advertised" // routes that a gateway announces to one peer
	AskSets       QuestionKind = "sets"       // route sets of a gateway: which prefixes reach it over which circuits
)

// Question is one slow read.
type Question struct {
	Kind   QuestionKind
	Target string // circuit ID; gateway ID for AskRoutes, AskPeers, AskAdvertised and AskSets; either for AskTests
	Link   string // primary or secondary, for AskBGP, AskARP and AskTable
	Peer   string `json:",omitzero"` // address of the peer, for AskAdvertised
}

// Token lets a later process go on with an operation. It holds a signed URL: it
// is stored in a document and never shown, logged or journaled.
type Token string

// String hides the token from every formatter.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "(token)"
}

// GoString hides the token from %#v.
func (t Token) GoString() string { return t.String() }

// Begun is the answer to a write or a question that was sent.
type Begun struct {
	Outcome     Outcome          // with a Token, the operation goes on and Outcome is Unknown
	Token       Token            // "" when there is nothing to poll
	RetryAfter  time.Duration    // the server's pace; 0 if it told none
	Err         error            // a fault.Error; nil when begun or applied
	NoOp        bool             // the connection was already as wanted, nothing was sent
	Sent        bool             // the request left this process
	Correlation string           // x-ms-correlation-request-id of the answer
	Before      *ConnectionState // the connection as it was read before the write
	Answer      *Answer          // a question that was answered at once
}

// Running is an operation to look at.
type Running struct {
	Token    Token
	Write    *Write    // one of the two
	Question *Question //
}

// Polled is one look at a running operation.
type Polled struct {
	Done       bool
	Outcome    Outcome // when done; Unknown asks for a read of the connection
	Token      Token   // the token to store now
	RetryAfter time.Duration
	Err        error // why it failed, or why this look failed (Done is false then)
	Answer     *Answer
}

// Answer is what a slow read told.
type Answer struct {
	Question Question
	At       time.Time
	Peers    []Peer              // AskBGP, AskPeers
	Routes   []Route             // AskRoutes, AskAdvertised; of AskTable the network, next hop and AS path
	ARP      []ARP               // AskARP
	Tests    []Test              // AskTests
	Sets     map[string][]string // AskSets: prefix to the IDs of the circuits that bring it, sorted
}

// TestState is what a failover test does to traffic.
type TestState string

const (
	TestOff      TestState = "off"      // it cuts nothing: completed, never started, expired
	TestOn       TestState = "on"       // it cuts
	TestChanging TestState = "changing" // it starts or stops
)

// Test is one failover test, as its details tell it.
type Test struct {
	ID       string    // GUID; "" when it is not told
	Location string    // of a gateway's test
	Link     string    // of a circuit's test: primary or secondary
	State    TestState //
	Status   string    // Azure's own word
	Start    time.Time // zero when it is not told
}

// Peer is one BGP session of a link, or of a gateway.
type Peer struct {
	Neighbor    string
	ASN         int64
	Established bool // StatePfxRcd was a number; of a gateway: its state is Connected
	Prefixes    int  // received; 0 when not established
	State       string
}

// Route is one route that a gateway knows.
type Route struct {
	Network string
	NextHop string
	Origin  string // Network, EBgp, IBgp
	ASPath  string
	Source  string // peer address it came from
	Weight  int32
}

// ARP is one row of a link's ARP table.
type ARP struct {
	Interface string // On-Prem or Microsoft
	IP        string
	MAC       string
	AgeMin    int
}
