package report

import (
	"maps"
	"slices"
	"strings"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

func unreadable(p *posture) {
	for _, id := range slices.Sorted(maps.Keys(p.Unread)) {
		p.add("", name(id), "it could not be read: %s", p.Unread[id])
	}
}

func noPath(p *posture) {
	for _, g := range p.Estate.Groups {
		for _, gw := range g.Gateways {
			if _, lost := p.Unread[gw]; lost || p.WrongType[gw] != "" {
				continue // said already, and its connections are not known
			}
			for _, c := range g.Circuits() {
				if _, ok := p.Estate.Connection(gw, c); !ok {
					p.add(g.Name, name(gw), "it has no connection to %s", c)
				}
			}
		}
	}
}

func noStandby(p *posture) {
	for _, g := range p.Estate.Groups {
		if len(g.Circuits()) < 2 {
			p.add(g.Name, g.Name, "the group has %d circuits", len(g.Circuits()))
		}
	}
}

// fateRule finds groups whose home shares one kind of fate with every standby: one
// standby elsewhere is enough. Ports and conduits are told pair by pair.
func fateRule(kind string) func(*posture) {
	pairwise := kind == "port" || kind == "share"
	return func(p *posture) {
		for _, g := range p.Estate.Groups {
			for _, h := range g.Home() {
				home, _ := p.Estate.Circuit(h)
				shared, standbys := []string{}, 0
				for _, s := range g.Circuits() {
					c, ok := p.Estate.Circuit(s)
					if s == h || !ok {
						continue
					}
					standbys++
					for _, f := range topology.SharedFate(home, c) {
						if f.Kind == kind {
							shared = append(shared, s+" ("+f.Name+")")
							break
						}
					}
				}
				if len(shared) > 0 && (pairwise || len(shared) == standbys) {
					p.add(g.Name, h, "it shares its %s with %s", kind, strings.Join(shared, ", "))
				}
			}
		}
	}
}

func skuReach(p *posture) {
	p.gateways(func(g topology.Group, gw string, circuits []string, _ []executor.ConnectionState) {
		gateway, _ := p.Estate.Gateway(gw)
		for _, n := range circuits {
			c, _ := p.Estate.Circuit(n)
			home, there := policy.Geography(c.Region), policy.Geography(gateway.Region)
			if c.Tier != "" && !strings.EqualFold(c.Tier, "Premium") && home != "" && there != "" && home != there {
				p.add(g.Name, n, "it is %s in %s; gateway %s is in %s", c.Tier, home, name(gw), there)
			}
		}
	})
}

func equalWeights(p *posture) {
	p.gateways(func(g topology.Group, gw string, circuits []string, states []executor.ConnectionState) {
		top, tied := int32(-1), []string(nil)
		for i, s := range states {
			switch {
			case s.Weight > top:
				top, tied = s.Weight, []string{circuits[i]}
			case s.Weight == top:
				tied = append(tied, circuits[i])
			}
		}
		for _, n := range tied {
			if len(tied) > 1 && !slices.Contains(g.Home(), n) {
				p.add(g.Name, name(gw), "%s have the same weight %d", strings.Join(tied, " and "), top)
				return
			}
		}
	})
}

func against(p *posture) {
	p.gateways(func(g topology.Group, gw string, circuits []string, states []executor.ConnectionState) {
		for i, s := range states {
			if slices.Contains(g.Home(), circuits[i]) {
				continue
			}
			for j, h := range states {
				if slices.Contains(g.Home(), circuits[j]) && s.Weight > h.Weight && s.Epoch == "" {
					p.add(g.Name, name(gw), "%s has weight %d, home %s has %d", circuits[i], s.Weight, circuits[j], h.Weight)
				}
			}
		}
	})
}

func smaller(p *posture) {
	for _, g := range p.Estate.Groups {
		for _, h := range g.Home() {
			home, _ := p.Estate.Circuit(h)
			for _, s := range g.Circuits() {
				c, ok := p.Estate.Circuit(s)
				if ok && !slices.Contains(g.Home(), s) && c.Bandwidth > 0 && c.Bandwidth < home.Bandwidth {
					p.add(g.Name, s, "it has %d Mbps, %s has %d", c.Bandwidth, h, home.Bandwidth)
				}
			}
		}
	}
}

func fastPath(p *posture) {
	p.gateways(func(g topology.Group, gw string, circuits []string, states []executor.ConnectionState) {
		for i := 1; i < len(states); i++ {
			if states[i].FastPath != states[0].FastPath {
				p.add(g.Name, name(gw), "FastPath is %t to %s and %t to %s", states[0].FastPath, circuits[0], states[i].FastPath, circuits[i])
			}
		}
	})
}

func notZonal(p *posture) {
	for _, gw := range p.Estate.Gateways {
		if gw.Kind == topology.VNet && gw.SKU != "" && !strings.HasSuffix(gw.SKU, "AZ") && gw.SKU != "ErGwScale" {
			p.add("", name(gw.ID), "its SKU is %s", gw.SKU)
		}
	}
}

func observeOnly(p *posture) {
	for _, g := range p.Estate.Groups {
		if p.Policy[g.Name].Mode == policy.Observe {
			p.add(g.Name, g.Name, "its mode is observe")
		}
	}
}

func reverse(p *posture) {
	for _, g := range p.Estate.Groups {
		p.add(g.Name, g.Name, "the direction from on-premises to Azure is not steered by this program")
	}
}
