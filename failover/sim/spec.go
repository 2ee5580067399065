package sim

import "time"

// Link names one of the two links of a circuit.
type Link string

const (
	Primary   Link = "primary"
	Secondary Link = "secondary"
)

// Links lists both links of a circuit, primary first.
func Links() []Link { return []Link{Primary, Secondary} }

// index returns the place of l in a pair; everything but Secondary is primary.
func (l Link) index() int {
	if l == Secondary {
		return 1
	}
	return 0
}

// GatewayKind tells the two sorts of gateway apart.
type GatewayKind string

const (
	VNet GatewayKind = "vnet" // Microsoft.Network/virtualNetworkGateways
	VWAN GatewayKind = "vwan" // Microsoft.Network/expressRouteGateways
)

// Spec describes an estate.
type Spec struct {
	Seed        uint64
	Start       time.Time // the first instant; traffic counters begin here
	Circuits    []CircuitSpec
	Gateways    []GatewaySpec
	Connections []ConnectionSpec
	Timing      Timing
}

// CircuitSpec describes one circuit at rest: both links up, routes announced.
type CircuitSpec struct {
	ID        string   // full resource ID, in the spelling that answers show
	Region    string   // Azure region of the resource, "eastus2"
	Provider  string   // service provider; "" on ExpressRoute Direct
	Location  string   // peering location, "Washington DC"
	Bandwidth int      // megabits per second
	Tier      string   // Local, Standard, Premium; "" is Standard
	Family    string   // MeteredData, UnlimitedData; "" is MeteredData
	Port      string   // ExpressRoute Direct port resource ID; "" with a provider
	Prefixes  []string // what on-premises announces over the private peering
	Microsoft []string // public prefixes of the Microsoft peering; empty: it has none
	ASN       int64    // on-premises AS number; 0 is 65010
	LatencyMS float64  // round trip of each link at rest, milliseconds
}

// GatewaySpec describes one gateway.
type GatewaySpec struct {
	ID     string
	Kind   GatewayKind
	Region string
	SKU    string  // "ErGw2AZ"; "" is ErGw1AZ; not used for Virtual WAN
	Hub    string  // virtual hub resource ID, Virtual WAN only
	Mbps   float64 // Azure to on-premises traffic, megabits per second
}

// ConnectionSpec describes one connection of a gateway to a circuit.
type ConnectionSpec struct {
	ID          string // full resource ID; on Virtual WAN below the gateway's
	Gateway     string // gateway ID
	Circuit     string // circuit ID
	Weight      int32  // 0..32000
	FastPath    bool   // expressRouteGatewayBypass
	PrivateLink bool   // enablePrivateLinkFastPath
	Key         string // authorization key of a circuit in another subscription; "" if none
	Tags        map[string]string
}

// Timing says how long the fabric takes. A zero field takes its default.
type Timing struct {
	Land  time.Duration // from an accepted write to its effect; default 20s
	End   time.Duration // from an accepted write to its operation's end; default 45s
	Read  time.Duration // from a slow read's start to its answer; default 8s
	Keep  time.Duration // how long an ended operation can be asked for; default 1h
	Known bool          // a GET shows the new weight as soon as the write is accepted
}

// withDefaults fills the zero fields.
func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.Land, 20*time.Second)
	set(&t.End, 45*time.Second)
	set(&t.Read, 8*time.Second)
	set(&t.Keep, time.Hour)
	return t
}

// NoOp says what a PUT that changes nothing does.
type NoOp string

const (
	NoOpHangs NoOp = "hangs" // 200, and its operation never ends; the default
	NoOpLost  NoOp = "lost"  // 200, and its operation is never found
	NoOpFine  NoOp = "fine"  // an operation like any other
)
