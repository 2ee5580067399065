package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/failover/topology"
)

// Move is one way to move a group's traffic by hand.
type Move struct {
	To       string   `json:"to"`
	Health   string   `json:"health"`   // what is believed of the target
	Commands []string `json:"commands"` // one a gateway, in order; each raises one weight
	Verify   []string `json:"verify"`   // what to look at afterwards
	Missing  []string `json:"missing,omitempty"`
}

// CardGroup is one group on a card.
type CardGroup struct {
	Group  string   `json:"group"`
	Active []string `json:"active"`
	Home   []string `json:"home"`
	Moves  []Move   `json:"moves"`             // best first; home is among them when traffic is elsewhere
	Rest   []string `json:"rest"`              // commands that put the weights at rest back, once all is well
	ReadAt string   `json:"read_at,omitempty"` // when the weights were read
}

// Card is what a person needs to move traffic while this program is down: the exact
// commands for the state as it was read. It holds no secret.
type Card struct {
	At     time.Time   `json:"at"`
	Stop   string      `json:"stop"` // how to keep the automation from working against you
	Groups []CardGroup `json:"groups"`
}

// MakeCard makes the card from a status.
func MakeCard(s Status) Card {
	c := Card{At: s.At, Stop: "erfailover stop --yes --reason 'by hand'   (when it answers; or stop the function app: az functionapp stop --name APP --resource-group GROUP)"}
	for _, g := range s.Groups {
		c.Groups = append(c.Groups, cardGroup(g))
	}
	return c
}

func cardGroup(g GroupStatus) CardGroup {
	out := CardGroup{Group: g.Name, Active: g.Active, Home: g.Home}
	if !g.ReadAt.IsZero() {
		out.ReadAt = g.ReadAt.UTC().Format(time.RFC3339)
	}
	top, gateways := map[string]int32{}, []string(nil)
	for _, w := range g.Weights {
		if _, seen := top[w.Gateway]; !seen {
			gateways = append(gateways, w.Gateway)
		}
		top[w.Gateway] = max(top[w.Gateway], w.Now)
	}
	for _, b := range g.Circuits {
		if slices.Equal(g.Active, []string{b.Circuit}) {
			continue
		}
		m := Move{To: b.Circuit, Health: string(orUnknown(b.State))}
		for _, gw := range gateways {
			i := slices.IndexFunc(g.Weights, func(w Weight) bool { return w.Gateway == gw && w.Circuit == b.Circuit })
			if i < 0 {
				m.Missing = append(m.Missing, gw)
				continue
			}
			w := g.Weights[i]
			if w.Now == top[gw] && !tied(g.Weights, w) {
				continue // it carries already
			}
			if top[gw] >= topology.MaxWeight {
				m.Missing = append(m.Missing, gw)
				continue
			}
			m.Commands = append(m.Commands, setWeight(w.Connection, top[gw]+1))
			m.Verify = append(m.Verify, verify(gw))
		}
		out.Moves = append(out.Moves, m)
	}
	for _, w := range g.Weights {
		if w.Rest != nil && *w.Rest != w.Now {
			out.Rest = append(out.Rest, setWeight(w.Connection, *w.Rest))
		}
	}
	return out
}

// tied reports whether another connection of the gateway has the same weight.
func tied(all []Weight, w Weight) bool {
	return slices.ContainsFunc(all, func(o Weight) bool {
		return o.Gateway == w.Gateway && o.Connection != w.Connection && o.Now == w.Now
	})
}

// setWeight returns the command that sets one connection's weight.
func setWeight(id string, weight int32) string {
	if gw, name, vwan := strings.Cut(id, "/expressrouteconnections/"); vwan {
		return fmt.Sprintf("az network express-route gateway connection update --subscription %s --resource-group %s --gateway-name %s --name %s --routing-weight %d",
			segment(gw, "subscriptions"), segment(gw, "resourcegroups"), segment(gw, "expressroutegateways"), name, weight)
	}
	return fmt.Sprintf("az network vpn-connection update --ids %s --routing-weight %d", id, weight)
}

// verify returns the command that shows what a gateway has learned.
func verify(gateway string) string {
	if strings.Contains(gateway, "/expressroutegateways/") {
		return "az rest --method get --url 'https://management.azure.com" + gateway + "/expressRouteConnections?api-version=2024-05-01' --query \"value[].{name:name,weight:properties.routingWeight,state:properties.provisioningState}\""
	}
	return fmt.Sprintf("az network vnet-gateway list-learned-routes --ids %s --query \"value[?origin=='EBgp'].{prefix:network,weight:weight,via:nextHop}\" --output table", gateway)
}

// segment returns the part of a resource ID that follows a word, or "".
func segment(id, word string) string {
	parts := strings.Split(id, "/")
	if i := slices.Index(parts, word); i >= 0 && i+1 < len(parts) {
		return parts[i+1]
	}
	return ""
}

// Text writes the card to be printed and kept.
func (c Card) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "BREAK GLASS: how to move traffic by hand, for the state of %s\n", c.At.Format("2006-01-02 15:04:05Z"))
	b.WriteString("Valid until a weight changes. Needs the Azure CLI and the right to write connections.\n\n")
	fmt.Fprintf(&b, "0. Stop the automation, or it may work against you:\n   %s\n", c.Stop)
	for _, g := range c.Groups {
		fmt.Fprintf(&b, "\n=== %s: traffic on %s, home %s", g.Group, orNone(g.Active), strings.Join(g.Home, ", "))
		if g.ReadAt != "" {
			fmt.Fprintf(&b, " (weights read %s)", g.ReadAt)
		}
		b.WriteString("\n")
		if len(g.Moves) == 0 {
			b.WriteString("   no other circuit is known, or no weight has been read yet\n")
		}
		for _, m := range g.Moves {
			fmt.Fprintf(&b, "\n   to %s (%s)\n", m.To, m.Health)
			for _, gw := range m.Missing {
				fmt.Fprintf(&b, "   ! NOT for gateway %s: no connection to %s, or no higher weight is possible\n", gw, m.To)
			}
			if len(m.Commands) == 0 {
				b.WriteString("   nothing to write\n")
			}
			for _, cmd := range m.Commands {
				fmt.Fprintf(&b, "     %s\n", cmd)
			}
			for _, v := range slices.Compact(slices.Sorted(slices.Values(m.Verify))) {
				fmt.Fprintf(&b, "     # check: %s\n", v)
			}
		}
		if len(g.Rest) > 0 {
			b.WriteString("\n   back to the weights at rest, once home is well (standby first)\n")
			for _, cmd := range g.Rest {
				fmt.Fprintf(&b, "     %s\n", cmd)
			}
		}
	}
	return b.String()
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no circuit that is known"
	}
	return strings.Join(names, ", ")
}
