package sim

import (
	"fmt"
	"time"
)

// Demo is the estate of the demo with its names.
type Demo struct {
	Fabric      *Fabric
	Spec        Spec
	Circuits    map[string]string   // er-ashburn: resource ID
	Gateways    map[string]string   // gw-east-1: resource ID
	Connections map[string]string   // "gw-east-1/er-ashburn": resource ID
	Regions     map[string][]string // east: gateways, in order
	Preference  map[string][]string // east: circuits, best first, as the weights at rest say
	Sites       map[string]string   // er-ashburn: the on-premises site that it ends in
}

// DemoSubscription is the subscription of the demo estate.
const DemoSubscription = "00000000-0000-0000-0000-000000000001"

// demoRoot is where the demo's resources stand.
const demoRoot = "/subscriptions/" + DemoSubscription + "/resourceGroups/net/providers/Microsoft.Network"

// demoCircuits are six circuits over four providers and four peering locations.
// Ashburn and Newark end in data centre 1, the others in data centre 2.
var demoCircuits = []struct {
	name, region, provider, location, site string
	mbps                                   int
	latency                                float64
}{
	{"er-ashburn", "eastus2", "Equinix", "Washington DC", "dc1", 10000, 3},
	{"er-newark", "eastus", "Lumen", "New York", "dc1", 5000, 6},
	{"er-chicago", "northcentralus", "Megaport", "Chicago", "dc2", 10000, 11},
	{"er-chicago-2", "northcentralus", "Zayo", "Chicago", "dc2", 5000, 11},
	{"er-dallas", "southcentralus", "Equinix", "Dallas", "dc2", 10000, 17},
	{"er-dallas-2", "southcentralus", "Megaport", "Dallas", "dc2", 2000, 18},
}

// demoGateways are nine gateways in three regions, one of them of Virtual WAN.
// The three circuits of each have the weights 200, 100 and 50 at rest.
var demoGateways = []struct {
	name, group, region string
	kind                GatewayKind
	mbps                float64
	fastPath            bool
}{
	{"gw-east-1", "east", "eastus2", VNet, 2200, true},
	{"gw-east-2", "east", "eastus2", VNet, 900, false},
	{"gw-east-3", "east", "eastus2", VNet, 400, false},
	{"gw-central-1", "central", "northcentralus", VNet, 1500, true},
	{"gw-central-2", "central", "northcentralus", VNet, 600, false},
	{"gw-central-3", "central", "northcentralus", VNet, 300, false},
	{"gw-south-1", "south", "southcentralus", VNet, 1200, false},
	{"gw-south-2", "south", "southcentralus", VNet, 500, false},
	{"gw-south-hub", "south", "southcentralus", VWAN, 800, false},
}

// demoPreference says which circuits a region uses, best first.
func demoPreference() map[string][]string {
	return map[string][]string{
		"east":    {"er-ashburn", "er-chicago", "er-dallas"},
		"central": {"er-chicago", "er-newark", "er-dallas-2"},
		"south":   {"er-dallas", "er-ashburn", "er-chicago-2"},
	}
}

// DemoEstate returns a fresh estate: three Azure regions, two data centres, six
// circuits and nine gateways, all at rest. Counters begin at the first now.
func DemoEstate() Demo { return DemoEstateAt(time.Time{}, Timing{}) }

// DemoEstateAt returns the demo estate with another start and pace.
func DemoEstateAt(start time.Time, t Timing) Demo {
	d := Demo{
		Spec:     Spec{Seed: 1, Start: start, Timing: t},
		Circuits: map[string]string{}, Gateways: map[string]string{}, Connections: map[string]string{},
		Regions: map[string][]string{}, Preference: demoPreference(), Sites: map[string]string{},
	}
	for _, c := range demoCircuits {
		id := demoRoot + "/expressRouteCircuits/" + c.name
		d.Circuits[c.name], d.Sites[c.name] = id, c.site
		tier := "Standard"
		if c.mbps >= 10000 {
			tier = "Premium"
		}
		d.Spec.Circuits = append(d.Spec.Circuits, CircuitSpec{
			ID: id, Region: c.region, Provider: c.provider, Location: c.location, Bandwidth: c.mbps, Tier: tier,
			LatencyMS: c.latency, Prefixes: []string{"10.10.0.0/16", "10.20.0.0/16", "192.168.0.0/20"},
		})
	}
	for _, g := range demoGateways {
		d.addGateway(g.name, g.group, GatewaySpec{Kind: g.kind, Region: g.region, SKU: "ErGw3AZ", Mbps: g.mbps}, g.fastPath)
	}
	f, err := NewFabric(d.Spec)
	if err != nil {
		panic(fmt.Sprintf("the demo estate is not consistent: %v", err)) // its tables stand above
	}
	d.Fabric = f
	return d
}

// addGateway adds a gateway and its three connections.
func (d *Demo) addGateway(name, group string, g GatewaySpec, fastPath bool) {
	g.ID = demoRoot + "/virtualNetworkGateways/" + name
	if g.Kind == VWAN {
		g.ID, g.Hub = demoRoot+"/expressRouteGateways/"+name, demoRoot+"/virtualHubs/hub-"+group
	}
	d.Gateways[name] = g.ID
	d.Regions[group] = append(d.Regions[group], name)
	d.Spec.Gateways = append(d.Spec.Gateways, g)
	for i, circuit := range d.Preference[group] {
		id := fmt.Sprintf("%s/connections/cn-%s-%s", demoRoot, name[len("gw-"):], circuit[len("er-"):])
		if g.Kind == VWAN {
			id = fmt.Sprintf("%s/expressRouteConnections/cn-%s", g.ID, circuit[len("er-"):])
		}
		d.Connections[name+"/"+circuit] = id
		d.Spec.Connections = append(d.Spec.Connections, ConnectionSpec{
			ID: id, Gateway: g.ID, Circuit: d.Circuits[circuit], Weight: []int32{200, 100, 50}[i], FastPath: fastPath,
			Tags: map[string]string{"owner": "network", "environment": "demo"},
		})
	}
}
