package report

import (
	"maps"
	"slices"
	"testing"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// sound is an estate with nothing critical and nothing weak.
func sound() Posture {
	p := Posture{
		Estate: topology.Estate{
			Circuits: []topology.Circuit{
				{Name: "a", ID: "/c/a", Provider: "P1", Location: "L1", Site: "S1", Tier: "Premium", Bandwidth: 1000, Region: "eastus"},
				{Name: "b", ID: "/c/b", Provider: "P2", Location: "L2", Site: "S2", Tier: "Premium", Bandwidth: 1000, Region: "eastus"},
			},
			Gateways:    []topology.Gateway{{ID: "/g/1", Kind: topology.VNet, SKU: "ErGw1AZ", Region: "eastus"}},
			Connections: []topology.Connection{{ID: "/k/a", Gateway: "/g/1", Circuit: "/c/a"}, {ID: "/k/b", Gateway: "/g/1", Circuit: "/c/b"}},
			Groups:      []topology.Group{{Name: "g", Gateways: []string{"/g/1"}, Tiers: [][]string{{"a"}, {"b"}}}},
		},
		Circuits: map[string]executor.CircuitState{}, Connections: map[string]executor.ConnectionState{}, Unread: map[string]string{},
		Policy: map[string]policy.Rule{"g": {Mode: policy.Automatic}},
	}
	for _, c := range p.Estate.Circuits {
		p.Circuits[c.ID] = executor.CircuitState{Circuit: c, Provisioning: "Succeeded", Enabled: true, Provisioned: true, Peering: "Enabled"}
	}
	p.Connections["/k/a"] = executor.ConnectionState{ID: "/k/a", Weight: 200, Provisioning: "Succeeded", Status: "Connected"}
	p.Connections["/k/b"] = executor.ConnectionState{ID: "/k/b", Weight: 100, Provisioning: "Succeeded", Status: "Connected"}
	return p
}

// TestEachRule harms a sound estate in one way at a time: the rule for it speaks, and
// no other grave one that is not named does.
func TestEachRule(t *testing.T) {
	circuit := func(change func(*executor.CircuitState)) func(*Posture) {
		return func(p *Posture) { c := p.Circuits["/c/a"]; change(&c); p.Circuits["/c/a"] = c }
	}
	conn := func(id string, change func(*executor.ConnectionState)) func(*Posture) {
		return func(p *Posture) { c := p.Connections[id]; change(&c); p.Connections[id] = c }
	}
	fate := func(change func(a, b *topology.Circuit)) func(*Posture) {
		return func(p *Posture) { change(&p.Estate.Circuits[0], &p.Estate.Circuits[1]) }
	}
	harm := map[string]func(*Posture){
		"unreadable":               func(p *Posture) { p.Unread["/c/a"] = "denied" },
		"circuit-not-enabled":      circuit(func(c *executor.CircuitState) { c.Enabled = false }),
		"provider-not-provisioned": circuit(func(c *executor.CircuitState) { c.Provisioned = false }),
		"provisioning-failed":      circuit(func(c *executor.CircuitState) { c.Provisioning = "Failed" }),
		"no-private-peering":       circuit(func(c *executor.CircuitState) { c.Peering = "" }),
		"peering-disabled":         circuit(func(c *executor.CircuitState) { c.Peering = "Disabled" }),
		"gateway-not-expressroute": func(p *Posture) { p.WrongType = map[string]string{"/g/1": "it is a VPN gateway"} },
		"peering-incomplete":       circuit(func(c *executor.CircuitState) { c.Incomplete = []string{"VLAN"} }),
		"public-peering":           circuit(func(c *executor.CircuitState) { c.Public = true }),
		"microsoft-peering": circuit(func(c *executor.CircuitState) {
			c.Microsoft = &executor.MicrosoftPeering{State: "Enabled", Prefixes: []string{"198.51.100.0/24"}}
		}),
		"private-link-differs":    conn("/k/a", func(c *executor.ConnectionState) { c.PrivateLink = true }),
		"weights-owned-elsewhere": conn("/k/a", func(c *executor.ConnectionState) { c.Owner = "terraform" }),
		"too-many-circuits": func(p *Posture) {
			for range 3 {
				p.Estate.Connections = append(p.Estate.Connections, topology.Connection{ID: "/k/x", Gateway: "/g/1", Circuit: "/c/elsewhere"})
			}
		},
		"too-many-networks": func(p *Posture) {
			p.Estate.Circuits[0].Tier = "Standard"
			for range 10 {
				p.Estate.Connections = append(p.Estate.Connections, topology.Connection{ID: "/k/x", Gateway: "/g/other", Circuit: "/c/a"})
			}
		},
		"no-path":                    func(p *Posture) { p.Estate.Connections = p.Estate.Connections[:1] },
		"no-standby":                 func(p *Posture) { p.Estate.Groups[0].Tiers = [][]string{{"a"}} },
		"same-port":                  fate(func(a, b *topology.Circuit) { a.Port, b.Port = "/p/1", "/p/1" }),
		"shared-conduit":             fate(func(a, b *topology.Circuit) { a.Shares, b.Shares = []string{"x"}, []string{"X"} }),
		"connection-failed":          conn("/k/a", func(c *executor.ConnectionState) { c.Provisioning = "Failed" }),
		"not-connected":              conn("/k/b", func(c *executor.ConnectionState) { c.Status = "NotConnected" }),
		"weight-too-high":            conn("/k/a", func(c *executor.ConnectionState) { c.Weight = roomyBase + 1 }),
		"sku-reach":                  fate(func(a, _ *topology.Circuit) { a.Tier, a.Region = "Standard", "westeurope" }),
		"same-location":              fate(func(a, b *topology.Circuit) { b.Location = a.Location }),
		"same-provider":              fate(func(a, b *topology.Circuit) { b.Provider = a.Provider }),
		"same-site":                  fate(func(a, b *topology.Circuit) { b.Site = a.Site }),
		"equal-weights":              conn("/k/b", func(c *executor.ConnectionState) { c.Weight = 200 }),
		"weights-against-preference": conn("/k/b", func(c *executor.ConnectionState) { c.Weight = 201 }),
		"left-over-tag":              conn("/k/a", func(c *executor.ConnectionState) { c.Epoch = "4" }),
		"standby-smaller":            fate(func(_, b *topology.Circuit) { b.Bandwidth = 999 }),
		"fastpath-differs":           conn("/k/a", func(c *executor.ConnectionState) { c.FastPath = true }),
		"gateway-not-zonal":          func(p *Posture) { p.Estate.Gateways[0].SKU = "UltraPerformance" },
		"observe-only":               func(p *Posture) { p.Policy["g"] = policy.Rule{Mode: policy.Observe} },
		"reverse-unproven":           func(*Posture) {},
	}
	maps.Copy(harm, deepHarm())
	codes := func(p Posture) (out []string) {
		for _, i := range CheckPosture(p) {
			out = append(out, i.Rule)
		}
		return out
	}
	if got := codes(sound()); !slices.Equal(got, []string{"reverse-unproven"}) {
		t.Errorf("a sound estate is told %v", got)
	}
	for _, r := range PostureRules() {
		change, ok := harm[r.Code]
		if !ok {
			t.Errorf("rule %s has no case here", r.Code)
			continue
		}
		p := sound()
		change(&p)
		got := codes(p)
		if !slices.Contains(got, r.Code) {
			t.Errorf("%s was not found; told %v", r.Code, got)
		}
		if r.Code != "reverse-unproven" && len(got) > 2 {
			t.Errorf("%s: others speak too: %v", r.Code, got)
		}
	}
}

// An edge that is told nothing: a standby of the same provider beside another one
// that is not.
func TestOneStandbyElsewhereIsEnough(t *testing.T) {
	p := sound()
	c := topology.Circuit{Name: "c", ID: "/c/c", Provider: "P1", Location: "L1", Site: "S1", Tier: "Premium", Bandwidth: 1000, Region: "eastus"}
	p.Estate.Circuits = append(p.Estate.Circuits, c)
	p.Estate.Groups[0].Tiers = append(p.Estate.Groups[0].Tiers, []string{"c"})
	p.Estate.Connections = append(p.Estate.Connections, topology.Connection{ID: "/k/c", Gateway: "/g/1", Circuit: "/c/c"})
	for _, i := range CheckPosture(p) {
		if i.Rule == "same-location" || i.Rule == "same-provider" || i.Rule == "same-site" {
			t.Errorf("told %s although b is elsewhere: %s", i.Rule, i.Fact)
		}
	}
}
