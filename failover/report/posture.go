package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// Severity says how much a finding matters.
type Severity string

const (
	Critical Severity = "critical" // a failover would not work, or would do harm
	Warning  Severity = "warning"  // it would work, and something is weaker than it looks
	Note     Severity = "note"     // worth knowing
)

// Issue is one finding about the estate at rest.
type Issue struct {
	Rule     string   `json:"rule"` // a code from the closed list of PostureRules
	Severity Severity `json:"severity"`
	Group    string   `json:"group,omitzero"`
	Subject  string   `json:"subject"` // circuit, gateway or connection
	Fact     string   `json:"fact"`
	Why      string   `json:"why"`
	Fix      string   `json:"fix"`
}

// Posture is what a check of the estate looks at: what was read, by resource ID.
type Posture struct {
	Estate      topology.Estate // configured and discovered
	Circuits    map[string]executor.CircuitState
	Connections map[string]executor.ConnectionState
	Unread      map[string]string      // resource ID to why it could not be read
	WrongType   map[string]string      // gateway ID to what it is, when it is not for ExpressRoute
	Policy      map[string]policy.Rule // by group
	Looks       []Look                 // slow reads; nil when nobody looked deep
}

// Learn adds one reading to what a check looks at, and returns what it leads to: the
// connections of a gateway.
func (p *Posture) Learn(got executor.Reading) []executor.Ref {
	var more []executor.Ref
	switch got.Ref.Kind {
	case executor.RefCircuit:
		for i, c := range p.Estate.Circuits {
			if c.ID == got.Ref.ID && got.Circuit != nil {
				found := got.Circuit.Circuit
				found.Name, found.ID, found.Site, found.Shares = c.Name, c.ID, c.Site, c.Shares
				p.Estate.Circuits[i], p.Circuits[c.ID] = found, *got.Circuit
			}
		}
	case executor.RefGateway:
		for i, g := range p.Estate.Gateways {
			if g.ID == got.Ref.ID && got.Gateway != nil {
				p.Estate.Gateways[i].Region, p.Estate.Gateways[i].SKU = got.Gateway.Region, got.Gateway.SKU
			}
		}
	case executor.RefConnections:
		for _, c := range got.Connections {
			p.Estate.Connections = append(p.Estate.Connections, topology.Connection{ID: c.ID, Gateway: got.Ref.ID, Circuit: c.Circuit})
			more = append(more, executor.Ref{Kind: executor.RefConnection, ID: c.ID})
		}
	case executor.RefConnection, executor.RefTraffic:
	}
	return more
}

// PostureRule is one thing that is checked.
type PostureRule struct {
	Code     string
	Severity Severity
	Why, Fix string
	check    func(*posture)
}

// posture collects findings of one rule.
type posture struct {
	Posture
	rule PostureRule
	out  []Issue
}

func (p *posture) add(group, subject, format string, args ...any) {
	p.out = append(p.out, Issue{Rule: p.rule.Code, Severity: p.rule.Severity, Group: group, Subject: subject, Fact: fmt.Sprintf(format, args...), Why: p.rule.Why, Fix: p.rule.Fix})
}

// roomyBase is the highest weight at rest that leaves room for many decisions: each
// decision adds one.
const roomyBase = 16000

// PostureRules returns what is checked, the gravest first.
func PostureRules() []PostureRule {
	all := append(plainRules(), deepRules()...)
	grave := map[Severity]int{Critical: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(all, func(a, b PostureRule) int { return grave[a.Severity] - grave[b.Severity] })
	return all
}

// plainRules are the rules that quick reads answer.
func plainRules() []PostureRule {
	return []PostureRule{
		{"unreadable", Critical, "what cannot be read cannot be moved or proven", "correct the ID, or give the identity the Observer role there", unreadable},
		{"gateway-not-expressroute", Critical, "a VPN gateway has no ExpressRoute connection to move", "name the virtual network's ExpressRoute gateway", wrongType},
		{"circuit-not-enabled", Critical, "a circuit that is not enabled carries nothing", "enable the circuit, or take it out of the group", circuitRule(func(c executor.CircuitState) string {
			return when(!c.Enabled, "circuitProvisioningState is not Enabled")
		})},
		{"provider-not-provisioned", Critical, "without the provider's side there is no link", "ask the provider to provision the circuit", circuitRule(func(c executor.CircuitState) string {
			return when(!c.Provisioned && c.Port == "", "serviceProviderProvisioningState is not Provisioned")
		})},
		{"provisioning-failed", Critical, "a circuit in Failed state may keep its routes while it carries nothing", "run the circuit's update again, or open a support case", circuitRule(func(c executor.CircuitState) string {
			return when(c.Provisioning == "Failed", "the resource's provisioning state is Failed")
		})},
		{"no-private-peering", Critical, "without private peering no virtual network is reached", "configure private peering on both links", circuitRule(func(c executor.CircuitState) string { return when(c.Peering == "", "there is no private peering") })},
		{"peering-incomplete", Critical, "a link without its addresses, VLAN and AS number carries nothing, so the circuit has less than two", "give the private peering a /30 (or /126) for both links, a VLAN and the peer's AS number", circuitRule(func(c executor.CircuitState) string {
			return when(c.Peering != "" && len(c.Incomplete) > 0, "the private peering lacks: "+strings.Join(c.Incomplete, ", "))
		})},
		{"peering-disabled", Critical, "a disabled peering withdraws its routes", "enable the private peering", circuitRule(func(c executor.CircuitState) string {
			return when(c.Peering != "" && !strings.EqualFold(c.Peering, "Enabled"), "the private peering is "+c.Peering)
		})},
		{"no-path", Critical, "a failover would strand this gateway, so the circuit is refused as a target for the whole group", "connect the gateway, or take the circuit out of the group", noPath},
		{"no-standby", Critical, "there is nothing to fail over to", "add a circuit of another provider at another location", noStandby},
		{"same-port", Critical, "one port pair takes both circuits down", "put the standby on another port pair", fateRule("port")},
		{"shared-conduit", Critical, "what they share takes both down", "choose a standby that does not share it", fateRule("share")},
		{"connection-failed", Critical, "a write to a connection in Failed state is refused", "repair the connection: write it once without a change of weight", connectionRule(func(c executor.ConnectionState) string {
			return when(c.Provisioning == "Failed", "its provisioning state is Failed")
		})},
		{"not-connected", Critical, "traffic cannot take a connection that is down", "look at the gateway and the circuit's peering", connectionRule(func(c executor.ConnectionState) string {
			return when(c.Status != "" && c.Status != "Connected" && c.Status != "Unknown", "its status is "+c.Status)
		})},
		{"weight-too-high", Critical, "each decision adds one to the highest weight at rest, and Azure takes 32000 at most", "use weights at rest in the hundreds", connectionRule(func(c executor.ConnectionState) string {
			return when(c.Weight > roomyBase, fmt.Sprintf("its weight is %d", c.Weight))
		})},
		{"sku-reach", Critical, "a Standard or Local circuit does not reach a gateway in another geopolitical region", "upgrade the circuit to Premium", skuReach},
		{"too-many-circuits", Critical, "Azure refuses or drops connections beyond the limit of the gateway's SKU", "use a larger gateway SKU, or fewer circuits", tooManyCircuits},
		{"too-many-networks", Critical, "Azure refuses connections beyond the limit of the circuit's SKU", "upgrade the circuit to Premium or to more bandwidth, or connect fewer networks", tooManyNetworks},
		{"public-peering", Warning, "Azure has retired public peering; it is never used for a failover", "move to Microsoft peering and remove it", circuitRule(func(c executor.CircuitState) string {
			return when(c.Public, "it has a public peering")
		})},
		{"same-location", Warning, "an outage of the location takes both down", "have a standby at another peering location", fateRule("location")},
		{"same-provider", Warning, "an outage of the provider takes both down", "have a standby of another provider", fateRule("provider")},
		{"same-site", Warning, "an outage of the site takes both down", "end the standby in another site", fateRule("site")},
		{"equal-weights", Warning, "equal weights share traffic over both circuits (ECMP), so there is no preferred one", "give the preferred circuit the higher weight, or put both in one tier", equalWeights},
		{"weights-against-preference", Warning, "the weights at rest prefer another circuit than the configuration says; failback waits for ever", "change the weights, or the order of preference", against},
		{"left-over-tag", Warning, "a decision was never settled, or another deployment writes here", "let it settle, or look who else writes", connectionRule(func(c executor.ConnectionState) string {
			return when(c.Epoch != "", "it carries the tag of epoch "+c.Epoch)
		})},
		{"standby-smaller", Warning, "the standby may drop traffic when it carries all of it", "upgrade the standby, or accept the loss knowingly", smaller},
		{"fastpath-differs", Warning, "after a move the traffic of this gateway no longer bypasses it, or begins to", "set FastPath alike on both connections", fastPath},
		{"private-link-differs", Warning, "after a move private endpoints are reached another way, or no longer by FastPath", "set FastPath for Private Link alike on both connections; a provider's circuit cannot have it, ExpressRoute Direct can", privateLink},
		{"weights-owned-elsewhere", Warning, "its next apply puts the weight back in the middle of a failover", `tell the tool to leave it: Terraform lifecycle { ignore_changes = [routing_weight, tags["erfailover-epoch"]] }; Bicep: take routingWeight from a read of the existing connection`, connectionRule(func(c executor.ConnectionState) string {
			return when(c.Owner != "", "a tag says that "+c.Owner+" owns it")
		})},
		{"microsoft-peering", Note, "Microsoft peering is observed and never moved: it has no weights, and its NAT pools belong to a link", "plan its failover with BGP: prepend a public AS, or advertise other prefixes for each circuit", circuitRule(func(c executor.CircuitState) string {
			if c.Microsoft == nil {
				return ""
			}
			return "it has a Microsoft peering, " + strings.ToLower(c.Microsoft.State) + ", which advertises " + strings.Join(c.Microsoft.Prefixes, ", ")
		})},
		{"gateway-not-zonal", Note, "a gateway in one zone fails with it", "move to ErGw1AZ, ErGw2AZ, ErGw3AZ or ErGwScale", notZonal},
		{"observe-only", Note, "this group decides and never acts", "set mode: approve or automatic when its verdicts have earned trust", observeOnly},
		{"reverse-unproven", Note, "weights steer Azure to on-premises only; without matching local preference traffic is asymmetric after a move", "set local preference on the routers, or let them follow the outcome stream", reverse},
	}
}

// CheckPosture finds everything that is wrong or weak about an estate at rest, the
// gravest first.
func CheckPosture(in Posture) []Issue {
	var out []Issue
	for _, r := range PostureRules() {
		p := &posture{Posture: in, rule: r}
		r.check(p)
		slices.SortStableFunc(p.out, func(a, b Issue) int {
			return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Subject, b.Subject))
		})
		out = append(out, p.out...)
	}
	return out
}

func when(bad bool, fact string) string {
	if bad {
		return fact
	}
	return ""
}

// circuitRule asks about each circuit that was read.
func circuitRule(ask func(executor.CircuitState) string) func(*posture) {
	return func(p *posture) {
		for _, c := range p.Estate.Circuits {
			state, read := p.Circuits[c.ID]
			if fact := ask(state); read && fact != "" {
				p.add("", c.Name, "%s", fact)
			}
		}
	}
}

// connectionRule asks about each connection of each group that was read.
func connectionRule(ask func(executor.ConnectionState) string) func(*posture) {
	return func(p *posture) {
		p.each(func(g topology.Group, c executor.ConnectionState) {
			if fact := ask(c); fact != "" {
				p.add(g.Name, name(c.ID), "%s", fact)
			}
		})
	}
}

func (p *posture) each(visit func(topology.Group, executor.ConnectionState)) {
	for _, g := range p.Estate.Groups {
		for _, c := range p.Estate.ConnectionsOf(g) {
			if state, read := p.Connections[c.ID]; read {
				visit(g, state)
			}
		}
	}
}

// gateways visits each gateway of each group with the weights of its connections in
// the group's order; connections that were not read are left out.
func (p *posture) gateways(visit func(g topology.Group, gateway string, circuits []string, states []executor.ConnectionState)) {
	for _, g := range p.Estate.Groups {
		for _, gw := range g.Gateways {
			var circuits []string
			var states []executor.ConnectionState
			for _, c := range g.Circuits() {
				k, ok := p.Estate.Connection(gw, c)
				if s, read := p.Connections[k.ID]; ok && read {
					circuits, states = append(circuits, c), append(states, s)
				}
			}
			visit(g, gw, circuits, states)
		}
	}
}

func name(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
