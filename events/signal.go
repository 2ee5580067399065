package events

import "time"

// Observer is an independent kind of source. Two alerts from one metric are one
// observer: health weighs observers, never messages.
type Observer string

// The five observers that may speak about a circuit's health, and three sources
// that say other things.
const (
	Metric         Observer = "metric"          // platform metrics and the alerts on them
	ResourceHealth Observer = "resource-health" // Azure Resource Health
	Gateway        Observer = "gateway"         // metrics of the ExpressRoute gateway
	Probe          Observer = "probe"           // traffic sent to see whether it arrives: canary probes, Connection Monitor, an on-premises monitor
	Read           Observer = "read"            // our own fresh read through ARM
	ServiceHealth  Observer = "service-health"  // announcements: maintenance, incidents
	ActivityLog    Observer = "activity-log"    // who wrote what
	Person         Observer = "person"          // an order by the on-call engineer
)

// Kind says what a signal is about.
type Kind string

const (
	Health      Kind = "health"      // a claim about a circuit, link, gateway or port
	Maintenance Kind = "maintenance" // planned work announced, changed, begun, ended or cancelled
	Write       Kind = "write"       // somebody created, changed or deleted a resource that we steer
	Command     Kind = "command"     // an order; Order is set
)

// State is what a health signal claims. The zero value claims nothing.
type State string

const (
	Unknown  State = ""         // the source does not know; neither good nor bad
	Up       State = "up"       // carries traffic
	Degraded State = "degraded" // carries traffic, with loss or with one link of two
	Down     State = "down"     // does not carry traffic
)

// Link names one of the two links of a circuit.
type Link string

const (
	BothLinks Link = ""          // the whole circuit, or not told
	Primary   Link = "primary"   //
	Secondary Link = "secondary" //
)

// Peering names the peering that a signal is about. Only AnyPeering and Private
// may ever move private traffic.
type Peering string

const (
	AnyPeering Peering = ""          // not told, or the whole circuit
	Private    Peering = "private"   // AzurePrivatePeering
	Microsoft  Peering = "microsoft" // MicrosoftPeering; observed only
	Public     Peering = "public"    // AzurePublicPeering; retired by Azure, observed only
)

// Plane says what a health claim rests on. A read of BGP sessions can rebut a
// claim of the control plane, never one of the data plane: in a grey failure the
// sessions stay up while the traffic is lost.
type Plane string

const (
	ControlPlane Plane = "control" // sessions, routes, provisioning: BGP, ARP, line protocol
	DataPlane    Plane = "data"    // packets: loss, latency, probes, traffic counters
)

// Signal is one fact from outside, normalised: who said what about which
// resource, when it happened. It is a value: equal content has an equal ID.
type Signal struct {
	ID          string    `json:"id"`                   // "s-" and 20 hex digits over the content that makes it the same news
	Kind        Kind      `json:"kind"`                 //
	Observer    Observer  `json:"observer"`             //
	Source      string    `json:"source,omitzero"`      // the rule, metric, monitor or person that spoke; at most 256 bytes
	Resource    string    `json:"resource,omitzero"`    // canonical resource ID (see ResourceID.String); "" for a command
	Link        Link      `json:"link,omitzero"`        //
	Peering     Peering   `json:"peering,omitzero"`     //
	Plane       Plane     `json:"plane,omitzero"`       // health only
	State       State     `json:"state,omitzero"`       // health only
	Tentative   bool      `json:"tentative,omitzero"`   // may worsen a belief, may not clear an outage by itself (an "Updated" record)
	UserAction  bool      `json:"user_action,omitzero"` // the customer caused it (cause UserInitiated): explained, not an outage
	At          time.Time `json:"at"`                   // when it happened by the source's own clock, UTC; not when it reached us
	Value       *float64  `json:"value,omitzero"`       // the measured value, nil when there is none; a missing number is never 0
	Correlation string    `json:"correlation,omitzero"` // the source's own id for the incident: alert id, tracking id, correlation id
	Detail      string    `json:"detail,omitzero"`      // text for people, cleaned of control characters, at most 512 bytes
	Window      *Window   `json:"window,omitzero"`      // maintenance only
	Actor       string    `json:"actor,omitzero"`       // write only: object id or name of the writer; "" if not told
	Weight      *int32    `json:"weight,omitzero"`      // write only: the routing weight in the request body, when it is told
	Order       *Order    `json:"order,omitzero"`       // command only
}

// Window is a span of announced maintenance. A zero End means "until told
// otherwise"; Cancelled withdraws a window announced under the same Correlation.
type Window struct {
	Start     time.Time `json:"start"`
	End       time.Time `json:"end,omitzero"`
	Cancelled bool      `json:"cancelled,omitzero"`
	Region    string    `json:"region,omitzero"`
}

// Verb is what an order asks for.
type Verb string

const (
	OrderFailover    Verb = "failover"    // the circuit is bad: move away from it
	OrderSwitchover  Verb = "switchover"  // planned move; every guard applies
	OrderFailback    Verb = "failback"    // back to home
	OrderEvacuate    Verb = "evacuate"    // everything off one location or provider
	OrderDrill       Verb = "drill"       // a rehearsed move; a failback order ends it
	OrderPause       Verb = "pause"       // no automatic decision for this group
	OrderResume      Verb = "resume"      //
	OrderAcknowledge Verb = "acknowledge" // clears the cool-down
	OrderApprove     Verb = "approve"     // lets a waiting operation run
	OrderCancel      Verb = "cancel"      // ends a waiting operation
	OrderKill        Verb = "kill"        // kill switch: no writes anywhere
	OrderUnkill      Verb = "unkill"      //
)

// Order is a person's command. It names the group and never a weight.
type Order struct {
	Verb      Verb      `json:"verb"`
	Group     string    `json:"group,omitzero"`      // group name; "" for the whole estate (kill, unkill, evacuate)
	From      string    `json:"from,omitzero"`       // evacuate: the peering location or provider to leave; with a lever: the circuit to cut, "" is the first that carries
	To        string    `json:"to,omitzero"`         // wanted circuit; "" lets the policy choose
	Lever     Lever     `json:"lever,omitzero"`      // drill and failover: what is pulled; "" moves weights
	Link      Link      `json:"link,omitzero"`       // with lever link: the link that is cut
	MakeHome  bool      `json:"make_home,omitzero"`  // switchover only: the new circuit becomes home
	Operation string    `json:"operation,omitzero"`  // approve, cancel: the operation meant; cancel: or the scheduled order
	Plan      string    `json:"plan,omitzero"`       // approve: the plan ID that was read
	By        string    `json:"by"`                  // who ordered it; never ""
	Subject   string    `json:"subject,omitzero"`    // who that is to the directory: the object ID of a token; "" where nobody vouches for one
	Reason    string    `json:"reason,omitzero"`     // why, in the person's words
	Overrides []string  `json:"overrides,omitzero"`  // reason codes of guards to override, by name
	Break     bool      `json:"break,omitzero"`      // break-glass: may override the last-path guard too
	Key       string    `json:"key,omitzero"`        // Idempotency-Key
	Until     time.Time `json:"until,omitzero"`      // pause: when it ends by itself, zero means until resumed; drill: when it is undone at the latest
	NotBefore time.Time `json:"not_before,omitzero"` // a planned move: it is judged at this time; zero means now
}

// Lever is a way to move traffic. Weights prefer another circuit; every other lever
// cuts a path, and what was cut is put back by a deadline that is stored before.
type Lever string

const (
	LeverWeight     Lever = "weight"     // routing weights
	LeverDisconnect Lever = "disconnect" // site failover test: a gateway leaves the circuits of one peering location
	LeverLink       Lever = "link"       // circuit link failover test: one link of two; drills only
	LeverPeering    Lever = "peering"    // disable the private peering, for everybody; a person must always agree
)

// Levers returns the closed list.
func Levers() []Lever { return []Lever{LeverWeight, LeverDisconnect, LeverLink, LeverPeering} }

// Cuts reports whether a lever takes a path away, so that it must be put back.
func (l Lever) Cuts() bool {
	switch l {
	case LeverDisconnect, LeverLink, LeverPeering:
		return true
	case LeverWeight, "":
	}
	return false
}
