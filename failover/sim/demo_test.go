package sim

import (
	"strings"
	"testing"
)

// TestDemoEstate holds the demo to what its documentation says of it.
func TestDemoEstate(t *testing.T) {
	d := DemoEstateAt(benchStart, Timing{})
	providers, locations, sites, vwan := map[string]bool{}, map[string]bool{}, map[string]bool{}, 0
	for _, c := range d.Spec.Circuits {
		providers[c.Provider], locations[c.Location], sites[d.Sites[lastName(c.ID)]] = true, true, true
	}
	for _, g := range d.Spec.Gateways {
		if g.Kind == VWAN {
			vwan++
		}
	}
	for what, c := range map[string][2]int{
		"circuits": {len(d.Circuits), 6}, "gateways": {len(d.Gateways), 9}, "connections": {len(d.Connections), 27},
		"providers": {len(providers), 4}, "locations": {len(locations), 4}, "sites": {len(sites), 2}, "regions": {len(d.Regions), 3}, "virtual wan": {vwan, 1},
	} {
		if c[0] != c[1] {
			t.Errorf("%d %s, want %d", c[0], what, c[1])
		}
	}
	for region, gateways := range d.Regions {
		for _, g := range gateways {
			home := d.Circuits[d.Preference[region][0]]
			if got := strings.Join(d.Fabric.Carrying(d.Gateways[g], benchStart), ","); got != home {
				t.Errorf("%s is carried by %s, want %s", g, got, home)
			}
			for i, c := range d.Preference[region] {
				if w, _ := d.Fabric.Weight(d.Connections[g+"/"+c], benchStart); w != []int32{200, 100, 50}[i] {
					t.Errorf("%s to %s weighs %d", g, c, w)
				}
			}
		}
	}
}

// TestSpecIsChecked checks that a wrong estate is refused.
func TestSpecIsChecked(t *testing.T) {
	for name, bend := range map[string]func(*Spec){
		"doubled circuit":    func(s *Spec) { s.Circuits = append(s.Circuits, s.Circuits[0]) },
		"doubled gateway":    func(s *Spec) { s.Gateways = append(s.Gateways, s.Gateways[0]) },
		"doubled connection": func(s *Spec) { s.Connections = append(s.Connections, s.Connections[0]) },
		"gateway kind":       func(s *Spec) { s.Gateways[0].Kind = "" },
		"weight":             func(s *Spec) { s.Connections[0].Weight = 32001 },
		"prefix":             func(s *Spec) { s.Circuits[0].Prefixes = []string{"10.0.0.0"} },
		"gone circuit":       func(s *Spec) { s.Connections[0].Circuit = "x" },
	} {
		s := DemoEstateAt(benchStart, Timing{}).Spec
		bend(&s)
		if _, err := NewFabric(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDirectPorts checks circuits on ExpressRoute Direct.
func TestDirectPorts(t *testing.T) {
	b := newBench(t, Options{})
	s := b.Spec
	s.Circuits[0].Port, s.Circuits[0].Provider = demoRoot+"/expressRoutePorts/port-1", ""
	f, err := NewFabric(s)
	if err != nil {
		t.Fatal(err)
	}
	b.arm.fabric = f
	raw := string(b.get(s.Circuits[0].ID).raw)
	if strings.Contains(raw, "serviceProviderProvisioningState") || !strings.Contains(raw, `"bandwidthInGbps":10`) {
		t.Errorf("a circuit on Direct has no provider: %s", raw)
	}
	b.want("port", b.get(s.Circuits[0].Port).status, 200)
	names, _ := items(t, b.get(demoRoot+"/expressRoutePorts"))
	b.want("ports", strings.Join(names, ","), "port-1")
}
