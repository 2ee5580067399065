package report

import (
	"maps"
	"slices"
	"strings"

	"erfailover/failover/executor"
	"erfailover/failover/topology"
)

// Limits of ExpressRoute. Source: "ExpressRoute limits" on learn.microsoft.com.
const oneLocation = 4 // circuits of one peering location that a network may use

// mostCircuits returns how many circuits a gateway may use, 0 when its SKU is not
// known.
func mostCircuits(sku string) int {
	switch strings.ToLower(sku) {
	case "standard", "ergw1az":
		return 4
	case "highperformance", "ergw2az":
		return 8
	case "ultraperformance", "ergw3az", "ergwscale":
		return 16
	}
	return 0
}

// mostNetworks returns how many networks may be connected to a circuit, 0 when its SKU
// is not known.
func mostNetworks(c topology.Circuit) int {
	switch strings.ToLower(c.Tier) {
	case "local", "standard":
		return 10
	case "premium":
		for _, step := range []struct{ mbps, networks int }{{50, 20}, {200, 25}, {500, 40}, {1000, 50}, {2000, 60}, {5000, 75}} {
			if c.Bandwidth > 0 && c.Bandwidth <= step.mbps {
				return step.networks
			}
		}
		if c.Bandwidth > 0 {
			return 100
		}
	}
	return 0
}

// tooManyCircuits finds gateways with more circuits than their SKU takes, or than may
// end at one peering location.
func tooManyCircuits(p *posture) {
	used, places := map[string]int{}, map[string]map[string]int{}
	circuits := map[string]topology.Circuit{}
	for _, c := range p.Estate.Circuits {
		circuits[c.ID] = c
	}
	for _, k := range p.Estate.Connections {
		used[k.Gateway]++
		if at := strings.ToLower(circuits[k.Circuit].Location); at != "" {
			if places[k.Gateway] == nil {
				places[k.Gateway] = map[string]int{}
			}
			places[k.Gateway][at]++
		}
	}
	for _, gw := range p.Estate.Gateways {
		if most := mostCircuits(gw.SKU); most > 0 && used[gw.ID] > most {
			p.add("", name(gw.ID), "it has %d circuits, its SKU %s takes %d", used[gw.ID], gw.SKU, most)
		}
		for _, at := range slices.Sorted(maps.Keys(places[gw.ID])) {
			if n := places[gw.ID][at]; n > oneLocation {
				p.add("", name(gw.ID), "it has %d circuits at %s, one location takes %d", n, at, oneLocation)
			}
		}
	}
}

// tooManyNetworks finds circuits with more gateways than their SKU takes. Only gateways
// of the configuration are counted.
func tooManyNetworks(p *posture) {
	used := map[string]int{}
	for _, k := range p.Estate.Connections {
		used[k.Circuit]++
	}
	for _, c := range p.Estate.Circuits {
		if most := mostNetworks(c); most > 0 && used[c.ID] > most {
			p.add("", c.Name, "%d networks are connected, %s with %s takes %d", used[c.ID], c.Tier, c.Speed(), most)
		}
	}
}

func wrongType(p *posture) {
	for _, id := range slices.Sorted(maps.Keys(p.WrongType)) {
		p.add("", name(id), "%s", p.WrongType[id])
	}
}

func privateLink(p *posture) {
	p.gateways(func(g topology.Group, gw string, circuits []string, states []executor.ConnectionState) {
		for i := 1; i < len(states); i++ {
			if states[i].PrivateLink != states[0].PrivateLink {
				p.add(g.Name, name(gw), "FastPath for Private Link is %t to %s and %t to %s", states[0].PrivateLink, circuits[0], states[i].PrivateLink, circuits[i])
			}
		}
	})
}
