package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fabric is the estate: pure state, moved forward by the now of each call. Time
// never runs backwards: an earlier now counts as the latest one seen.
type Fabric struct {
	mu     sync.Mutex
	rng    *rand.Rand
	now    time.Time // the latest instant seen
	timing Timing
	noop   NoOp

	circuits    map[string]*circuit // by lower-case ID
	gateways    map[string]*gateway
	connections map[string]*connection
	order       struct{ circuits, gateways, connections []string } // keys as they were added
	operations  map[string]*operation
	open        []*operation // not yet landed or not yet ended, in order of acceptance

	requests []Request
	landings []Landing
	changes  []Change
}

// circuit is one circuit now.
type circuit struct {
	CircuitSpec
	number       int // from 1; makes addresses differ
	links        [2]LinkState
	provisioning string // of the resource
	enabled      bool   // circuitProvisioningState
	provisioned  bool   // serviceProviderProvisioningState
	private      peering
	microsoft    peering
	guid, key    string // resource GUID; service key, a secret
	etag         string
	changed      time.Time // last change of a BGP session
	tests        []*failoverTest
}

// peering is one peering of a circuit.
type peering struct {
	enabled  bool
	prefixes []netip.Prefix
	by       string // lastModifiedBy
}

// gateway is one gateway now.
type gateway struct {
	GatewaySpec
	provisioning string
	held         time.Time // busy with something that is not ours until then
	tests        []*failoverTest
	flow         Flow
	guid, etag   string
}

// connection is one connection now.
type connection struct {
	id, gateway, circuit string // circuit and gateway are keys
	key                  string // authorization key, a secret
	body                 body   // as a GET shows it, the key left out
	before               body   // as it was before the last change
	weight               int32  // in effect
	connected            bool
	hidden               []netip.Prefix // announced by the circuit, and kept from the gateway
	mute                 bool           // the gateway's network is not announced over it
}

// LinkState is one link now.
type LinkState struct {
	Up        bool    // line protocol
	BGP       bool    // session established; routes announced
	Loss      float64 // share of packets lost, 0 to 1
	LatencyMS float64 // round trip, milliseconds
	Prepended bool    // AS 12076 prepended 8 times: drained for maintenance
	NoARP     bool    // on-premises answers no ARP, the line up
	BytesIn   float64 // from on-premises, since Start
	BytesOut  float64 // to on-premises, what was lost included
	BytesLost float64 // of BytesOut
}

// key returns the form in which IDs are compared.
func key(id string) string { return strings.ToLower(strings.TrimRight(id, "/")) }

// lastName returns the last segment of an ID.
func lastName(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// NewFabric returns an estate as described. A connection to a gateway or circuit
// that the spec does not have, a doubled ID, an unreadable prefix or a weight out
// of range is an error.
func NewFabric(s Spec) (*Fabric, error) {
	f := &Fabric{
		rng: rand.New(rand.NewPCG(s.Seed, 0x9e3779b97f4a7c15)), now: s.Start,
		timing: s.Timing.withDefaults(), noop: NoOpHangs,
		circuits: map[string]*circuit{}, gateways: map[string]*gateway{},
		connections: map[string]*connection{}, operations: map[string]*operation{},
	}
	for _, c := range s.Circuits {
		if err := f.addCircuit(c); err != nil {
			return nil, fmt.Errorf("sim: circuit %s: %w", c.ID, err)
		}
	}
	for _, g := range s.Gateways {
		if _, twice := f.gateways[key(g.ID)]; twice || g.ID == "" {
			return nil, fmt.Errorf("sim: gateway %q: a new ID is wanted", g.ID)
		}
		if g.Kind != VNet && g.Kind != VWAN {
			return nil, fmt.Errorf("sim: gateway %s: kind %q, want vnet or vwan", g.ID, g.Kind)
		}
		f.gateways[key(g.ID)] = &gateway{GatewaySpec: g, provisioning: succeeded, guid: f.guid(), etag: f.etag()}
		f.order.gateways = append(f.order.gateways, key(g.ID))
	}
	for _, c := range s.Connections {
		if err := f.addConnection(c); err != nil {
			return nil, fmt.Errorf("sim: connection %s: %w", c.ID, err)
		}
	}
	return f, nil
}

func (f *Fabric) addCircuit(s CircuitSpec) error {
	if _, twice := f.circuits[key(s.ID)]; twice || s.ID == "" {
		return fmt.Errorf("a new ID is wanted")
	}
	private, err := prefixes(s.Prefixes)
	if err != nil {
		return err
	}
	public, err := prefixes(s.Microsoft)
	if err != nil {
		return err
	}
	if s.Tier == "" {
		s.Tier = "Standard"
	}
	if s.Family == "" {
		s.Family = "MeteredData"
	}
	if s.ASN == 0 {
		s.ASN = 65010
	}
	up := LinkState{Up: true, BGP: true, LatencyMS: s.LatencyMS}
	f.circuits[key(s.ID)] = &circuit{
		CircuitSpec: s, number: len(f.circuits) + 1, links: [2]LinkState{up, up},
		provisioning: succeeded, enabled: true, provisioned: true,
		private:   peering{enabled: true, prefixes: private},
		microsoft: peering{enabled: len(public) > 0, prefixes: public},
		guid:      f.guid(), key: f.guid(), etag: f.etag(), changed: f.now,
	}
	f.order.circuits = append(f.order.circuits, key(s.ID))
	return nil
}

func (f *Fabric) addConnection(s ConnectionSpec) error {
	if _, twice := f.connections[key(s.ID)]; twice || s.ID == "" {
		return fmt.Errorf("a new ID is wanted")
	}
	g, c := f.gateways[key(s.Gateway)], f.circuits[key(s.Circuit)]
	if g == nil || c == nil {
		return fmt.Errorf("gateway %q and circuit %q must both exist", s.Gateway, s.Circuit)
	}
	if s.Weight < 0 || s.Weight > maxWeight {
		return fmt.Errorf("weight %d, want 0 to %d", s.Weight, maxWeight)
	}
	k := &connection{
		id: s.ID, gateway: key(s.Gateway), circuit: key(s.Circuit),
		key: s.Key, weight: s.Weight, connected: true,
	}
	k.body = f.freshBody(s, g, c)
	k.before = k.body
	f.connections[key(s.ID)] = k
	f.order.connections = append(f.order.connections, key(s.ID))
	return nil
}

// prefixes reads a list of prefixes.
func prefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("prefix %q: %w", s, err)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// guid returns the next GUID of the seed.
func (f *Fabric) guid() string {
	a, b := f.rng.Uint64(), f.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

// etag returns a fresh weak entity tag, as Microsoft.Network spells them.
func (f *Fabric) etag() string { return `W/"` + f.guid() + `"` }

// SetNoOp chooses what a PUT that changes nothing does.
func (f *Fabric) SetNoOp(n NoOp) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noop = n
}

// Circuits, Gateways and Connections return the resource IDs of what exists, in
// the order of the spec.
func (f *Fabric) Circuits() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, k := range f.order.circuits {
		out = append(out, f.circuits[k].ID)
	}
	return out
}

// Gateways returns the IDs of all gateways.
func (f *Fabric) Gateways() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, k := range f.order.gateways {
		out = append(out, f.gateways[k].ID)
	}
	return out
}

// Connections returns the IDs of a gateway's connections, of all when it is "".
func (f *Fabric) Connections(gateway string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, k := range f.of(gateway) {
		out = append(out, k.id)
	}
	return out
}

// of lists a gateway's connections, all when gateway is "".
func (f *Fabric) of(gateway string) []*connection {
	var out []*connection
	for _, k := range f.order.connections {
		if c := f.connections[k]; gateway == "" || c.gateway == key(gateway) {
			out = append(out, c)
		}
	}
	return out
}

// Weight returns a connection's routing weight in effect, and false when there is
// no such connection.
func (f *Fabric) Weight(connection string, now time.Time) (int32, bool) {
	f.lock(now)
	defer f.mu.Unlock()
	k := f.connections[key(connection)]
	if k == nil {
		return 0, false
	}
	return k.weight, true
}

// Link returns the state of one link, and false when there is no such circuit.
func (f *Fabric) Link(circuit string, l Link, now time.Time) (LinkState, bool) {
	f.lock(now)
	defer f.mu.Unlock()
	c := f.circuits[key(circuit)]
	if c == nil {
		return LinkState{}, false
	}
	return c.links[l.index()], true
}

// remove takes a connection out.
func (f *Fabric) remove(k string) {
	delete(f.connections, k)
	f.order.connections = slices.DeleteFunc(f.order.connections, func(s string) bool { return s == k })
}
