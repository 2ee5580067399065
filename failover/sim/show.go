package sim

import (
	"fmt"
	"strings"
	"time"
)

// freshBody returns the body of a connection as a GET of it would look.
func (f *Fabric) freshBody(s ConnectionSpec, g *gateway, c *circuit) body {
	private := c.ID + "/peerings/AzurePrivatePeering"
	b := object("name", lastName(s.ID), "id", s.ID, "etag", f.etag())
	if g.Kind == VWAN {
		return b.with("type", "Microsoft.Network/expressRouteGateways/expressRouteConnections").with("properties", object(
			"provisioningState", succeeded,
			"expressRouteCircuitPeering", object("id", private),
			"routingWeight", s.Weight,
			"enableInternetSecurity", true,
			"expressRouteGatewayBypass", s.FastPath,
			"enablePrivateLinkFastPath", s.PrivateLink,
			"routingConfiguration", object(
				"associatedRouteTable", object("id", g.Hub+"/hubRouteTables/defaultRouteTable"),
				"propagatedRouteTables", object("labels", []string{"default"}, "ids", []body{object("id", g.Hub+"/hubRouteTables/defaultRouteTable")}),
				"vnetRoutes", object("staticRoutes", []string{})),
			"futureHubHint", object("serial", encode(int64(9007199254740993))),
		))
	}
	tags := s.Tags
	if tags == nil {
		tags = map[string]string{"owner": "network"}
	}
	return b.with("type", "Microsoft.Network/connections").with("location", g.Region).with("tags", tags).with("properties", object(
		"provisioningState", succeeded,
		"resourceGuid", f.guid(),
		"virtualNetworkGateway1", object("id", g.ID),
		"connectionType", "ExpressRoute",
		"routingWeight", s.Weight,
		"enableBgp", false,
		"usePolicyBasedTrafficSelectors", false,
		"ipsecPolicies", []string{},
		"trafficSelectorPolicies", []string{},
		"peer", object("id", c.ID),
		"expressRouteGatewayBypass", s.FastPath,
		"enablePrivateLinkFastPath", s.PrivateLink,
		"routingConfiguration", object("outboundRouteMap", object("id", strings.Replace(g.ID, "virtualNetworkGateways", "routeMaps", 1))),
		"connectionStatus", "Connected",
		"ingressBytesTransferred", 0,
		"egressBytesTransferred", 0,
		"futureProperty", object("serial", encode(int64(9007199254740993)), "Zeta", nil, "alpha", []int{3, 1, 2}),
	))
}

// shown returns what a GET of a connection tells now.
func (f *Fabric) shown(k *connection) body {
	if f.timing.Known {
		for _, op := range f.open {
			if op.target == key(k.id) && !op.landed && !op.lands.IsZero() && op.pending != nil {
				p := op.pending.sub("properties").with("provisioningState", updating)
				return op.pending.with("properties", p)
			}
		}
	}
	return k.body
}

// Get returns a connection's body as a GET shows it, and false when there is
// none. stale shows it as it was before the last change. The authorization key is
// shown as mode says.
func (f *Fabric) Get(connectionID string, stale bool, mode KeyMode, now time.Time) ([]byte, bool) {
	f.lock(now)
	defer f.mu.Unlock()
	k := f.connections[key(connectionID)]
	if k == nil {
		return nil, false
	}
	b := f.shown(k)
	if stale {
		b = k.before
		b = b.with("properties", b.sub("properties").with("provisioningState", succeeded))
	}
	return withKey(b, k, mode).raw(), true
}

// withKey shows the authorization key as mode says.
func withKey(b body, k *connection, mode KeyMode) body {
	if k.key == "" || mode == KeyAbsent {
		return b
	}
	return b.with("properties", b.sub("properties").with("authorizationKey", "*****************"))
}

// listEntity returns a connection as its gateway's list shows it: not the whole.
func listEntity(b body) body {
	p := b.sub("properties").only("provisioningState", "resourceGuid", "virtualNetworkGateway1", "connectionType",
		"routingWeight", "enableBgp", "usePolicyBasedTrafficSelectors", "ipsecPolicies", "peer",
		"connectionStatus", "ingressBytesTransferred", "egressBytesTransferred", "expressRouteGatewayBypass", "enablePrivateLinkFastPath")
	return b.with("properties", p)
}

// circuitBody returns a circuit as a GET shows it.
func (f *Fabric) circuitBody(c *circuit) body {
	p := object("provisioningState", c.provisioning, "resourceGuid", c.guid, "peerings", f.peeringBodies(c),
		"authorizations", []string{}, "circuitProvisioningState", word(c.enabled, "Enabled", "Disabled"),
		"allowClassicOperations", false, "gatewayManagerEtag", "42", "serviceKey", c.key, "globalReachEnabled", false, "stag", 100+c.number)
	if c.Port != "" {
		p = p.with("expressRoutePort", object("id", c.Port)).with("bandwidthInGbps", float64(c.Bandwidth)/1000)
	} else {
		p = p.with("serviceProviderProvisioningState", word(c.provisioned, "Provisioned", "NotProvisioned"))
		p = p.with("serviceProviderProperties", object("serviceProviderName", c.Provider, "peeringLocation", c.Location, "bandwidthInMbps", c.Bandwidth))
	}
	return object("name", lastName(c.ID), "id", c.ID, "etag", c.etag, "type", "Microsoft.Network/expressRouteCircuits",
		"location", c.Region, "tags", object("owner", "network"),
		"sku", object("name", c.Tier+"_"+c.Family, "tier", c.Tier, "family", c.Family), "properties", p)
}

// peeringBodies returns the peerings of a circuit.
func (f *Fabric) peeringBodies(c *circuit) []body {
	out := []body{f.peeringBody(c, "AzurePrivatePeering")}
	if len(c.microsoft.prefixes) > 0 {
		out = append(out, f.peeringBody(c, "MicrosoftPeering"))
	}
	return out
}

// peeringBody returns one peering, nil when the circuit has none of that name.
func (f *Fabric) peeringBody(c *circuit, name string) body {
	per := c.private
	p := object("provisioningState", succeeded, "peeringType", "AzurePrivatePeering", "azureASN", 12076, "peerASN", c.ASN,
		"primaryPeerAddressPrefix", fmt.Sprintf("172.16.%d.0/30", c.number), "secondaryPeerAddressPrefix", fmt.Sprintf("172.16.%d.4/30", c.number),
		"primaryAzurePort", fmt.Sprintf("MSEE-%02d-A", c.number), "secondaryAzurePort", fmt.Sprintf("MSEE-%02d-B", c.number), "vlanId", 100+c.number)
	switch {
	case strings.EqualFold(name, "AzurePrivatePeering"):
		name = "AzurePrivatePeering"
		var ids []body
		for _, k := range f.of("") {
			if k.circuit == key(c.ID) {
				ids = append(ids, object("id", k.id))
			}
		}
		p = p.with("connections", ids)
	case strings.EqualFold(name, "MicrosoftPeering") && len(c.microsoft.prefixes) > 0:
		name, per = "MicrosoftPeering", c.microsoft
		var list []string
		for _, x := range per.prefixes {
			list = append(list, x.String())
		}
		p = p.with("peeringType", name).with("microsoftPeeringConfig", object("advertisedPublicPrefixes", list, "advertisedPublicPrefixesState", "Configured"))
	default:
		return nil
	}
	p = p.with("state", word(per.enabled, "Enabled", "Disabled")).with("lastModifiedBy", per.by)
	return object("name", name, "id", c.ID+"/peerings/"+name, "etag", c.etag, "type", "Microsoft.Network/expressRouteCircuits/peerings", "properties", p)
}

// gatewayBody returns a gateway as a GET shows it.
func (f *Fabric) gatewayBody(g *gateway) body {
	if g.Kind == VWAN {
		list := []body{}
		for _, k := range f.of(g.ID) {
			list = append(list, f.shown(k))
		}
		return object("name", lastName(g.ID), "id", g.ID, "etag", g.etag, "type", "Microsoft.Network/expressRouteGateways", "location", g.Region,
			"properties", object("provisioningState", f.gatewayState(g), "autoScaleConfiguration", object("bounds", object("min", 2)),
				"virtualHub", object("id", g.Hub), "expressRouteConnections", list, "allowNonVirtualWanTraffic", false))
	}
	sku := g.SKU
	if sku == "" {
		sku = "ErGw1AZ"
	}
	return object("name", lastName(g.ID), "id", g.ID, "etag", g.etag, "type", "Microsoft.Network/virtualNetworkGateways", "location", g.Region,
		"tags", object("owner", "network"), "properties", object("provisioningState", f.gatewayState(g), "resourceGuid", g.guid,
			"gatewayType", "ExpressRoute", "vpnType", "RouteBased", "enableBgp", false, "activeActive", false,
			"sku", object("name", sku, "tier", sku, "capacity", 2),
			"ipConfigurations", []body{object("name", "default", "id", g.ID+"/ipConfigurations/default",
				"properties", object("provisioningState", succeeded, "privateIPAllocationMethod", "Dynamic"))}))
}

// gatewayState returns Updating while something that is not a connection's write
// holds the gateway.
func (f *Fabric) gatewayState(g *gateway) string {
	return word(f.now.Before(g.held), updating, g.provisioning)
}

// stats returns a circuit's byte counters.
func (c *circuit) stats() body {
	return object("primarybytesIn", int64(c.links[0].BytesIn), "primarybytesOut", int64(c.links[0].BytesOut),
		"secondarybytesIn", int64(c.links[1].BytesIn), "secondarybytesOut", int64(c.links[1].BytesOut))
}

// portBodies returns the ExpressRoute Direct ports that circuits stand on.
func (f *Fabric) portBodies() []body {
	var out []body
	seen := map[string]bool{}
	for _, id := range f.order.circuits {
		c := f.circuits[id]
		if c.Port == "" || seen[key(c.Port)] {
			continue
		}
		seen[key(c.Port)] = true
		link := func(l Link) body {
			return object("name", string(l), "id", c.Port+"/links/"+string(l), "properties", object(
				"adminState", "Enabled", "routerName", fmt.Sprintf("MSEE-%02d", c.number), "interfaceName", "HundredGigE0/0/0/1", "provisioningState", succeeded))
		}
		out = append(out, object("name", lastName(c.Port), "id", c.Port, "etag", c.etag, "type", "Microsoft.Network/expressRoutePorts", "location", c.Region,
			"properties", object("provisioningState", succeeded, "peeringLocation", c.Location, "bandwidthInGbps", 10, "encapsulation", "QinQ",
				"circuits", []body{object("id", c.ID)}, "links", []body{link(Primary), link(Secondary)})))
	}
	return out
}
