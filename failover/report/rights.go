package report

import (
	"slices"
	"strings"
)

// Role names a role of the project's infrastructure, from least to most.
type Role string

const (
	RoleObserver Role = "ExpressRoute Failover Observer"
	RoleOperator Role = "ExpressRoute Failover Operator"
	RoleDrill    Role = "ExpressRoute Drill Runner"
)

// Right is one action that the program needs.
type Right struct {
	Action string // of Azure's role-based access control
	On     string // the resource type that it is needed on, canonical
	Why    string
	Role   Role
	Desk   bool `json:",omitzero"` // for check --deep alone: nothing else misses it
}

// Types of resources that rights are needed on, as events.ResourceID.Type says them.
const (
	onCircuit       = "microsoft.network/expressroutecircuits"
	onGateway       = "microsoft.network/virtualnetworkgateways"
	onConnection    = "microsoft.network/connections"
	onWANGateway    = "microsoft.network/expressroutegateways"
	onWANConnection = "microsoft.network/expressroutegateways/expressrouteconnections"
	onPort          = "microsoft.network/expressrouteports"
)

// Rights returns every action that the program needs, in the order in which it needs
// them. The names of slow reads of a circuit end in /action in old documents and in
// /read in the current ones; the roles grant both with /*.
func Rights() []Right {
	n := "Microsoft.Network/"
	return []Right{
		{n + "expressRouteCircuits/read", onCircuit, "to know provider, location, bandwidth and state of a circuit", RoleObserver, false},
		{n + "expressRouteCircuits/peerings/stats/read", onCircuit, "to see traffic: how much before a move, and that it arrived after one", RoleObserver, false},
		{n + "expressRouteCircuits/peerings/routeTablesSummary/read", onCircuit, "to confirm an outage: the BGP sessions of both links", RoleObserver, false},
		{n + "expressRouteCircuits/peerings/routeTables/read", onCircuit, "to know which prefixes a circuit announces", RoleObserver, false},
		{n + "expressRouteCircuits/peerings/arpTables/read", onCircuit, "to tell a dead line from maintenance", RoleObserver, false},
		{"Microsoft.Insights/metrics/read", onCircuit, "to find an outage whose message was lost: BGP and ARP availability", RoleObserver, false},
		{"Microsoft.ResourceHealth/availabilityStatuses/read", onCircuit, "the same, by Resource Health", RoleObserver, false},
		{"Microsoft.ResourceHealth/events/read", onCircuit, "to know of planned work on a circuit", RoleObserver, false},
		{n + "virtualNetworkGateways/read", onGateway, "to know a gateway's SKU and region", RoleObserver, false},
		{n + "virtualNetworkGateways/connections/read", onGateway, "to find a gateway's connections", RoleObserver, false},
		{n + "virtualNetworkGateways/getlearnedroutes/action", onGateway, "to prove after a move that the gateway has routes", RoleObserver, false},
		{n + "virtualNetworkGateways/getbgppeerstatus/action", onGateway, "for check --deep: the gateway's sessions with both ends of each circuit", RoleObserver, true},
		{n + "virtualNetworkGateways/getadvertisedroutes/action", onGateway, "for check --deep: that every circuit announces the gateway's networks", RoleObserver, true},
		{n + "expressRouteGateways/read", onWANGateway, "to know a Virtual WAN gateway", RoleObserver, false},
		{n + "expressRouteGateways/expressRouteConnections/read", onWANConnection, "to read weights on Virtual WAN", RoleObserver, false},
		{n + "connections/read", onConnection, "to read weights", RoleObserver, false},
		{n + "expressRoutePorts/read", onPort, "to know where an ExpressRoute Direct circuit ends", RoleObserver, false},
		{n + "connections/write", onConnection, "to raise a weight, which is the move itself", RoleOperator, false},
		{n + "virtualNetworkGateways/join/action", onGateway, "to write a connection that refers to this gateway", RoleOperator, false},
		{n + "expressRouteCircuits/join/action", onCircuit, "to write a connection that refers to this circuit", RoleOperator, false},
		{n + "expressRouteGateways/expressRouteConnections/write", onWANConnection, "to raise a weight on Virtual WAN", RoleOperator, false},
		{n + "virtualNetworkGateways/startSiteFailoverTest/action", onGateway, "to disconnect a site, where levers or drills ask for it", RoleDrill, false},
		{n + "virtualNetworkGateways/stopSiteFailoverTest/action", onGateway, "to end what was disconnected", RoleDrill, false},
		{n + "virtualNetworkGateways/getFailoverAllTestsDetails/action", onGateway, "to see what is disconnected", RoleDrill, false},
		{n + "expressRouteGateways/startSiteFailoverTest/action", onWANGateway, "to disconnect a site on Virtual WAN, where levers or drills ask for it", RoleDrill, false},
		{n + "expressRouteGateways/stopSiteFailoverTest/action", onWANGateway, "to end what was disconnected on Virtual WAN", RoleDrill, false},
		{n + "expressRouteGateways/getFailoverAllTestsDetails/action", onWANGateway, "to see what is disconnected on Virtual WAN", RoleDrill, false},
		{n + "expressRouteCircuits/startCircuitLinkFailoverTest/action", onCircuit, "to cut one link, where drills ask for it", RoleDrill, false},
		{n + "expressRouteCircuits/stopCircuitLinkFailoverTest/action", onCircuit, "to end the cut of a link", RoleDrill, false},
		{n + "expressRouteCircuits/getCircuitLinkFailoverAllTestsDetails/action", onCircuit, "to see which link is cut", RoleDrill, false},
		{n + "virtualNetworkGateways/getRoutesInformation/action", onGateway, "for check --deep: which prefixes reach the gateway over which circuits", RoleDrill, true},
		{n + "expressRouteGateways/getRoutesInformation/action", onWANGateway, "for check --deep: which prefixes reach the gateway over which circuits", RoleDrill, true},
	}
}

// Permission is one entry of what an identity holds at a scope, as Azure tells it.
type Permission struct {
	Actions, NotActions []string // * stands for any run of characters
}

// Allows reports whether permissions hold an action: some entry grants it and does not
// take it away again.
func Allows(held []Permission, action string) bool {
	return slices.ContainsFunc(held, func(p Permission) bool {
		return anyAction(p.Actions, action) && !anyAction(p.NotActions, action)
	})
}

func anyAction(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wildcard(strings.ToLower(p), strings.ToLower(action)) })
}

// wildcard reports whether s fits a pattern in which * stands for any run of
// characters, the empty one too.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

// RightHeld is the answer about one action on all resources that it is needed on.
type RightHeld struct {
	Right
	Count   int      `json:"resources"`         // resources that it is needed on
	Missing []string `json:"missing,omitempty"` // those on which it is not held
	Unknown []string `json:"unknown,omitempty"` // those whose permissions could not be read
}

// Answer says it in a word: held, not held, partly held, not known.
func (h RightHeld) Answer() string {
	switch {
	case len(h.Missing) == h.Count:
		return "NOT held"
	case len(h.Missing) > 0:
		return "partly held"
	case len(h.Unknown) > 0:
		return "not known"
	}
	return "held"
}

// Scope is one resource and what is held there; Known is false when that could not be
// read.
type Scope struct {
	ID, Type string
	Held     []Permission
	Known    bool
}

// CompareRights compares what is needed with what is held. Actions that no resource of
// the estate needs are left out.
func CompareRights(scopes []Scope) []RightHeld {
	var out []RightHeld
	for _, r := range Rights() {
		h := RightHeld{Right: r}
		for _, s := range scopes {
			switch {
			case s.Type != r.On:
				continue
			case !s.Known:
				h.Unknown = append(h.Unknown, s.ID)
			case !allowsEither(s.Held, r.Action):
				h.Missing = append(h.Missing, s.ID)
			}
			h.Count++
		}
		if h.Count > 0 {
			out = append(out, h)
		}
	}
	return out
}

// allowsEither takes the old name of a slow read of a circuit for the new one.
func allowsEither(held []Permission, action string) bool {
	if Allows(held, action) {
		return true
	}
	table, slow := strings.CutSuffix(action, "/read")
	slow = slow && (strings.HasSuffix(table, "arpTables") || strings.Contains(table, "/routeTables"))
	return slow && Allows(held, table+"/action")
}
