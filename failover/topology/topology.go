// Package topology says what exists and what could carry traffic: circuits,
// links, gateways, connections and the groups that move together.
//
//	site ── circuit (provider, peering location; primary and secondary link)
//	            │ connection (routing weight 0..32000, highest wins)
//	         gateway ── virtual network or Virtual WAN hub
//
// The package is pure. All resource IDs in it are canonical (events.Canonical).
package topology

import (
	"slices"
	"strconv"
	"time"
)

// GatewayKind tells the two sorts of ExpressRoute gateway apart; they use
// different resource types for their connections.
type GatewayKind string

const (
	VNet GatewayKind = "vnet" // Microsoft.Network/virtualNetworkGateways; connections are Microsoft.Network/connections
	VWAN GatewayKind = "vwan" // Microsoft.Network/expressRouteGateways; its connections carry no tags
)

// MaxWeight is the highest routing weight that Azure takes; the lowest is 0.
const MaxWeight = 32000

// Circuit is one ExpressRoute circuit: what the configuration says of it and
// what was discovered. Discovered fields are zero until the first read.
type Circuit struct {
	Name     string   `json:"name"`               // ours, from the configuration
	ID       string   `json:"id"`                 // canonical resource ID
	Site     string   `json:"site,omitzero"`      // on-premises site that it ends in; "" if not told
	Shares   []string `json:"shares,omitempty"`   // names of what it shares with other circuits: conduits, buildings
	Monitors []string `json:"monitors,omitempty"` // Connection Monitor resource IDs that speak for it, "ID" or "ID#test group"
	Probes   []Probe  `json:"-"`                  // canary targets; from the configuration only

	Provider  string `json:"provider,omitzero"`       // service provider; "" on ExpressRoute Direct
	Location  string `json:"location,omitzero"`       // peering location
	Region    string `json:"region,omitzero"`         // Azure region of the circuit resource
	Bandwidth int    `json:"bandwidth_mbps,omitzero"` // megabits per second
	Tier      string `json:"tier,omitzero"`           // Local, Standard, Premium
	Family    string `json:"family,omitzero"`         // MeteredData, UnlimitedData
	Port      string `json:"port,omitzero"`           // ExpressRoute Direct port resource ID; circuits on one port share its fate
}

// Speed says the bandwidth as people do: 10 Gbps, 500 Mbps.
func (c Circuit) Speed() string {
	switch {
	case c.Bandwidth <= 0:
		return "bandwidth not read"
	case c.Bandwidth%1000 == 0:
		return strconv.Itoa(c.Bandwidth/1000) + " Gbps"
	}
	return strconv.Itoa(c.Bandwidth) + " Mbps"
}

// Probe is one canary target that only this circuit reaches.
type Probe struct {
	TCP     string // host:port; or
	HTTP    string // a URL
	Every   time.Duration
	Timeout time.Duration
}

// Gateway is one ExpressRoute gateway.
type Gateway struct {
	ID     string      `json:"id"`
	Kind   GatewayKind `json:"kind"`
	Region string      `json:"region,omitzero"`
	SKU    string      `json:"sku,omitzero"`
}

// Connection joins one gateway to one circuit.
type Connection struct {
	ID      string `json:"id"`
	Gateway string `json:"gateway"` // gateway ID
	Circuit string `json:"circuit"` // circuit ID, whether it is configured or not
}

// Group is a failover group: gateways that move together, and the circuits they
// may use, best first. Circuits of one tier share traffic at rest.
type Group struct {
	Name     string     `json:"name"`
	Gateways []string   `json:"gateways"` // gateway IDs
	Tiers    [][]string `json:"tiers"`    // circuit names; tier 0 is home
}

// Home returns the circuits the group prefers when all is well, in order.
func (g Group) Home() []string {
	if len(g.Tiers) == 0 {
		return nil
	}
	return g.Tiers[0]
}

// Circuits returns all circuits of the group, best first.
func (g Group) Circuits() []string { return slices.Concat(g.Tiers...) }

// Rank returns the position of a circuit in the order of preference, and -1 for
// one that is not in the group.
func (g Group) Rank(circuit string) int { return slices.Index(g.Circuits(), circuit) }

// Estate is everything that we steer, sorted: circuits and groups by name,
// gateways and connections by ID.
type Estate struct {
	Circuits    []Circuit    `json:"circuits"`
	Gateways    []Gateway    `json:"gateways"`
	Connections []Connection `json:"connections"`
	Groups      []Group      `json:"groups"`
}

// Circuit returns the circuit of that name.
func (e *Estate) Circuit(name string) (Circuit, bool) {
	i, ok := slices.BinarySearchFunc(e.Circuits, name, func(c Circuit, n string) int { return compare(c.Name, n) })
	if !ok {
		return Circuit{}, false
	}
	return e.Circuits[i], true
}

// CircuitOf returns the name of the circuit with that resource ID, or "".
func (e *Estate) CircuitOf(id string) string {
	for _, c := range e.Circuits {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

// Gateway returns the gateway with that ID.
func (e *Estate) Gateway(id string) (Gateway, bool) {
	i, ok := slices.BinarySearchFunc(e.Gateways, id, func(g Gateway, n string) int { return compare(g.ID, n) })
	if !ok {
		return Gateway{}, false
	}
	return e.Gateways[i], true
}

// Group returns the group of that name.
func (e *Estate) Group(name string) (Group, bool) {
	i, ok := slices.BinarySearchFunc(e.Groups, name, func(g Group, n string) int { return compare(g.Name, n) })
	if !ok {
		return Group{}, false
	}
	return e.Groups[i], true
}

// GroupsOf returns the names of the groups that may use a circuit, sorted.
func (e *Estate) GroupsOf(circuit string) []string {
	var names []string
	for _, g := range e.Groups {
		if g.Rank(circuit) >= 0 {
			names = append(names, g.Name)
		}
	}
	return names
}

// ConnectionsOf returns the connections of one group, by gateway in the group's
// order and then by the circuit's preference. Connections to circuits outside the
// group are left out: they are never written.
func (e *Estate) ConnectionsOf(g Group) []Connection {
	var out []Connection
	for _, gw := range g.Gateways {
		for _, name := range g.Circuits() {
			if c, ok := e.Connection(gw, name); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

// Connection returns the connection of a gateway to a circuit.
func (e *Estate) Connection(gateway, circuit string) (Connection, bool) {
	c, ok := e.Circuit(circuit)
	if !ok {
		return Connection{}, false
	}
	for _, k := range e.Connections {
		if k.Gateway == gateway && k.Circuit == c.ID {
			return k, true
		}
	}
	return Connection{}, false
}

// Sort puts an estate into its canonical order.
func (e *Estate) Sort() {
	slices.SortFunc(e.Circuits, func(a, b Circuit) int { return compare(a.Name, b.Name) })
	slices.SortFunc(e.Gateways, func(a, b Gateway) int { return compare(a.ID, b.ID) })
	slices.SortFunc(e.Connections, func(a, b Connection) int { return compare(a.ID, b.ID) })
	slices.SortFunc(e.Groups, func(a, b Group) int { return compare(a.Name, b.Name) })
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
