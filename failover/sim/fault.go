package sim

import (
	"regexp"
	"strings"
	"time"
)

// Kind sorts requests, so that a rule need not spell a path.
type Kind string

const (
	KindAny            Kind = ""
	KindConnectionGet  Kind = "connection-get"  // GET of one connection, either sort
	KindConnectionPut  Kind = "connection-put"  // PUT of one connection, either sort
	KindConnectionTags Kind = "connection-tags" // PATCH
	KindList           Kind = "list"            // any list
	KindGateway        Kind = "gateway"         // GET of a gateway
	KindCircuit        Kind = "circuit"         // GET of a circuit, its peerings and stats
	KindAsk            Kind = "ask"             // POST that begins a slow read
	KindTest           Kind = "failover-test"   // POST that starts or stops a failover test
	KindPeeringPut     Kind = "peering-put"     // PUT of a circuit's peering
	KindOperation      Kind = "operation"       // GET of an operation or its result
	KindHealth         Kind = "health"          // Resource Health
	KindPlanned        Kind = "planned"         // Service Health: planned work
	KindMetrics        Kind = "metrics"         // Azure Monitor's metrics, in batches or of one resource
	KindOther          Kind = "other"
)

// Match picks requests.
type Match struct {
	Method string // "" is any
	Path   string // regular expression over the path, case ignored; "" is any
	Kind   Kind
	Nth    int // the first matching request that is hit, from 1; 0 is 1
	Times  int // how many are hit from there on; 0 is 1, negative is all
}

// FaultKind is one way to go wrong.
type FaultKind string

const (
	Unauthorized      FaultKind = "401"                // token refused
	Forbidden         FaultKind = "403"                // LinkedAuthorizationFailed unless Code is set
	NotFound          FaultKind = "404"                //
	Conflict          FaultKind = "409"                // AnotherOperationInProgress unless Code is set
	Precondition      FaultKind = "412"                // PreconditionFailed
	Throttled         FaultKind = "429"                // TooManyRequests, with RetryAfter
	Busy              FaultKind = "429-busy"           // RetryableError, detail RetryableErrorDueToAnotherOperation
	ServerError       FaultKind = "500"                // InternalServerError
	BadGateway        FaultKind = "502"                //
	NotAvailable      FaultKind = "503"                //
	GatewayTimeout    FaultKind = "504"                //
	DropBefore        FaultKind = "drop-before"        // the connection breaks, nothing was applied
	DropAfter         FaultKind = "drop-after"         // the request is carried out, the reply is lost
	Slow              FaultKind = "slow"               // the reply waits for Delay of real time
	Hang              FaultKind = "hang"               // no reply until the client gives up or the face closes
	OperationFails    FaultKind = "operation-fails"    // write accepted; operation 200 with status Failed and Code; nothing lands
	OperationCanceled FaultKind = "operation-canceled" // likewise Canceled, CanceledAndSupersededDueToAnotherOperation
	AppliedYetFailed  FaultKind = "applied-yet-failed" // operation Failed although the write landed
	OperationExpired  FaultKind = "operation-expired"  // write accepted and carried out; its operation is never found
	NoStatus          FaultKind = "no-status"          // operation answers carry no status
	AtOnce            FaultKind = "at-once"            // PUT answers with provisioningState Succeeded, no operation header
	NeverEnds         FaultKind = "never-ends"         // the write lands, its operation stays InProgress; the gateway is not held
	LateLanding       FaultKind = "late-landing"       // operation Succeeded, a GET shows the old weight until Delay later
	StaleGet          FaultKind = "stale-get"          // GET answers with the body before the last change
	HostileOperation  FaultKind = "hostile-operation"  // Azure-AsyncOperation and Location point to URL's host
	OddRetryAfter     FaultKind = "odd-retry-after"    // the answer's Retry-After is replaced by RetryAfter
	MaskedKey         FaultKind = "masked-key"         // GET shows the authorization key as asterisks, whatever Options.Key says
	AbsentKey         FaultKind = "absent-key"         // GET leaves the authorization key out
	BadBody           FaultKind = "bad-body"           // the answer is not JSON
)

// Fault is what happens to a request that a rule picked.
type Fault struct {
	Kind       FaultKind
	Code       string        // error code in place of the usual one
	RetryAfter string        // Retry-After as it stands in the header: "3", "-1", "86400", an HTTP date
	Delay      time.Duration // Slow: of real time; LateLanding: of the fabric's time
	URL        string        // HostileOperation: scheme and host, "https://thief.example"
}

// Rule lets a fault happen to some requests.
type Rule struct {
	Match Match
	Fault Fault
}

// armed is a rule with its counter.
type armed struct {
	Rule
	path *regexp.Regexp
	seen int
}

// arm makes a rule ready. A path that is no regular expression is a fault of the
// test that wrote it, so it panics.
func arm(r Rule) *armed {
	return &armed{Rule: r, path: regexp.MustCompile("(?i)" + r.Match.Path)}
}

// hits counts a request and says whether the fault happens to it.
func (a *armed) hits(method, path string, kind Kind) bool {
	m := a.Match
	if m.Method != "" && !strings.EqualFold(m.Method, method) {
		return false
	}
	if m.Kind != KindAny && m.Kind != kind || !a.path.MatchString(path) {
		return false
	}
	a.seen++
	first, times := max(m.Nth, 1), m.Times
	if times == 0 {
		times = 1
	}
	return a.seen >= first && (times < 0 || a.seen < first+times)
}
