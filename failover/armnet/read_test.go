package armnet

import (
	"fmt"
	"strings"
	"testing"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

const circuitBody = `{"id":"x","location":"eastus","sku":{"name":"Premium_MeteredData","tier":"Premium","family":"MeteredData"},
 "properties":{"provisioningState":"Succeeded","circuitProvisioningState":"Enabled","serviceProviderProvisioningState":"Provisioned","serviceKey":"key-secret",
 "serviceProviderProperties":{"serviceProviderName":"Equinix","peeringLocation":"Washington DC","bandwidthInMbps":1000},
 "peerings":[{"name":"AzurePrivatePeering","properties":{"peeringType":"AzurePrivatePeering","state":"Enabled","peerASN":65001,"vlanId":100,
   "primaryPeerAddressPrefix":"172.16.0.0/30","secondaryPeerAddressPrefix":"172.16.0.4/30","sharedKey":"key-secret"}}]}}`

const directBody = `{"location":"westus","sku":{"tier":"Local","family":"UnlimitedData"},
 "properties":{"provisioningState":"Succeeded","circuitProvisioningState":"Enabled","bandwidthInGbps":5,
 "expressRoutePort":{"id":"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRoutePorts/Port1"}}}`

func readOne(t *testing.T, c *Client, kind executor.RefKind, id string) executor.Reading {
	t.Helper()
	got := c.Read(t.Context(), []executor.Ref{{Kind: kind, ID: id}})
	if len(got) != 1 || got[0].Ref.ID != id || got[0].At.IsZero() {
		t.Fatalf("got %+v", got)
	}
	return got[0]
}

func TestReadCircuit(t *testing.T) {
	port := testNet + "/expressrouteports/port1"
	t.Run("provider", func(t *testing.T) {
		a := newAzure(t).on("GET", testER, answer{200, nil, circuitBody})
		got := readOne(t, a.client(), executor.RefCircuit, testER)
		want := executor.CircuitState{Circuit: topology.Circuit{ID: testER, Provider: "Equinix", Location: "Washington DC", Region: "eastus", Bandwidth: 1000, Tier: "Premium", Family: "MeteredData"},
			Provisioning: "Succeeded", Enabled: true, Provisioned: true, Peering: "Enabled"}
		if got.Err != nil || !got.Found || fmt.Sprint(*got.Circuit) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", got.Circuit, want)
		}
	})
	t.Run("Direct takes its location from the port", func(t *testing.T) {
		a := newAzure(t).on("GET", testER, answer{200, nil, directBody}).on("GET", port, answer{200, nil, `{"properties":{"peeringLocation":"Chicago"}}`})
		got := readOne(t, a.client(), executor.RefCircuit, testER)
		if c := got.Circuit; got.Err != nil || c.Location != "Chicago" || c.Port != port || c.Bandwidth != 5000 || !c.Provisioned || c.Provider != "" || c.Peering != "" {
			t.Errorf("got %+v %v", got.Circuit, got.Err)
		}
	})
	t.Run("a port that may not be read leaves the location unknown", func(t *testing.T) {
		a := newAzure(t).on("GET", testER, answer{200, nil, directBody}).on("GET", port, answer{403, nil, armErr("AuthorizationFailed", "x")})
		if got := readOne(t, a.client(), executor.RefCircuit, testER); got.Err != nil || got.Circuit.Location != "" {
			t.Errorf("got %+v %v", got.Circuit, got.Err)
		}
	})
	t.Run("nothing told is not provisioned", func(t *testing.T) {
		a := newAzure(t).on("GET", testER, answer{200, nil, `{"properties":{}}`})
		if got := readOne(t, a.client(), executor.RefCircuit, testER); got.Err != nil || got.Circuit.Enabled || got.Circuit.Provisioned {
			t.Errorf("got %+v", got.Circuit)
		}
	})
}

func TestReadGateway(t *testing.T) {
	tests := []struct {
		name, id, body string
		want           topology.Gateway
		kind           fault.Kind
	}{
		{"virtual network", testGW, `{"location":"eastus","properties":{"gatewayType":"ExpressRoute","sku":{"name":"ErGw2AZ"}}}`, topology.Gateway{ID: testGW, Kind: topology.VNet, Region: "eastus", SKU: "ErGw2AZ"}, ""},
		{"virtual WAN", testVGW, `{"location":"westus","properties":{"autoScaleConfiguration":{"bounds":{"min":2}}}}`, topology.Gateway{ID: testVGW, Kind: topology.VWAN, Region: "westus", SKU: "2 to 2 scale units"}, ""},
		{"a VPN gateway is no ExpressRoute gateway", testGW, `{"properties":{"gatewayType":"Vpn"}}`, topology.Gateway{}, fault.Invalid},
		{"not JSON", testGW, `<html>`, topology.Gateway{}, fault.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", tt.id, answer{200, nil, tt.body})
			got := readOne(t, a.client(), executor.RefGateway, tt.id)
			if asFault(t, got.Err).Kind != tt.kind || (got.Err == nil && *got.Gateway != tt.want) {
				t.Errorf("got %+v %v", got.Gateway, got.Err)
			}
		})
	}
}

// A list may leave out properties and span pages: each connection is read itself.
func TestReadConnectionsOfAGateway(t *testing.T) {
	other := testNet + "/connections/a-chicago"
	item := func(id, typ string) string {
		return fmt.Sprintf(`{"id":%q,"properties":{"connectionType":%q}}`, id, typ)
	}
	a := newAzure(t)
	a.on("GET", testGW+"/connections",
		answer{200, nil, `{"value":[` + item(testConn, "ExpressRoute") + `,` + item(testNet+"/connections/vpn", "IPsec") + `],"nextLink":"` + a.srv.URL + testGW + `/connections?page=2"}`},
		answer{200, nil, `{"value":[` + item(strings.ToUpper(other), "") + `,` + item(testNet+"/connections/gone", "ExpressRoute") + `]}`})
	a.on("GET", testNet+"/connections/vpn", answer{200, nil, `{"properties":{"routingWeight":10}}`})
	a.on("GET", testConn, answer{200, nil, connBody}).on("GET", other, answer{200, nil, `{"properties":{"routingWeight":50}}`})
	got := readOne(t, a.client(), executor.RefConnections, testGW)
	if got.Err != nil || len(got.Connections) != 2 || got.Connections[0].ID != other || got.Connections[0].Weight != 50 || got.Connections[1].ID != testConn || got.Connections[1].Rest == "" {
		t.Errorf("got %+v %v", got.Connections, got.Err)
	}
}

func TestReadConnectionsOfAHub(t *testing.T) {
	a := newAzure(t).on("GET", testVGW+"/expressrouteconnections", answer{200, nil, `{"value":[{"id":"` + testVCon + `"}]}`}).on("GET", testVCon, answer{200, nil, vwanBody})
	got := readOne(t, a.client(), executor.RefConnections, testVGW)
	if got.Err != nil || len(got.Connections) != 1 || got.Connections[0].Circuit != testER {
		t.Errorf("got %+v %v", got.Connections, got.Err)
	}
}

// What a list tells in full is not read once more; its hash is not told.
func TestListThatTellsEnough(t *testing.T) {
	a := newAzure(t).on("GET", testGW+"/connections", answer{200, nil, `{"value":[` + connBody + `]}`})
	got := readOne(t, a.client(), executor.RefConnections, testGW)
	if got.Err != nil || len(got.Connections) != 1 || got.Connections[0].Weight != 100 || got.Connections[0].Circuit != testER || got.Connections[0].Rest != "" {
		t.Errorf("got %+v %v", got.Connections, got.Err)
	}
	if n := len(a.requests("GET")); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestReadTraffic(t *testing.T) {
	path := testER + "/peerings/azureprivatepeering/stats"
	a := newAzure(t).on("GET", path, answer{200, nil, `{"primarybytesIn":1,"primarybytesOut":2,"secondarybytesIn":3,"secondarybytesOut":0}`})
	got := readOne(t, a.client(), executor.RefTraffic, testER)
	if got.Err != nil || *got.Traffic != (executor.Traffic{In: [2]int64{1, 3}, Out: [2]int64{2, 0}}) {
		t.Errorf("got %+v %v", got.Traffic, got.Err)
	}
	a.on("GET", path, answer{200, nil, `{"primarybytesIn":1,"primarybytesOut":2,"secondarybytesIn":null}`})
	if got := readOne(t, a.client(), executor.RefTraffic, testER); asFault(t, got.Err).Code != "UnreadableAnswer" {
		t.Errorf("a missing counter is nothing, never 0: %+v", got)
	}
}

func TestListsThatAreRefused(t *testing.T) {
	evil := newAzure(t)
	tests := map[string]struct{ body, code string }{
		"next page on another host": {`{"value":[],"nextLink":"` + evil.srv.URL + `/steal"}`, "ForeignHost"},
		"something else in it":      {`{"value":[{"id":"` + testER + `"}]}`, "UnreadableAnswer"},
		"not JSON":                  {`[`, "UnreadableAnswer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAzure(t).on("GET", testGW+"/connections", answer{200, nil, tt.body})
			got := readOne(t, a.client(), executor.RefConnections, testGW)
			if got.Found || asFault(t, got.Err).Code != tt.code {
				t.Errorf("got %+v", got)
			}
		})
	}
	if len(evil.requests("GET")) != 0 {
		t.Error("the other host was asked")
	}
	t.Run("endless", func(t *testing.T) {
		a := newAzure(t)
		a.on("GET", testGW+"/connections", answer{200, nil, `{"value":[],"nextLink":"` + a.srv.URL + testGW + `/connections"}`})
		if got := readOne(t, a.client(), executor.RefConnections, testGW); got.Err == nil || !strings.Contains(got.Err.Error(), "100 pages") {
			t.Errorf("got %+v", got)
		}
	})
}

func TestReadingsInOneBatch(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("GET", testER, answer{403, nil, armErr("AuthorizationFailed", "action 'Microsoft.Network/expressRouteCircuits/read'")})
	got := a.client().Read(t.Context(), []executor.Ref{
		{Kind: executor.RefConnection, ID: testConn}, {Kind: executor.RefCircuit, ID: testER}, {Kind: executor.RefGateway, ID: testGW},
		{Kind: executor.RefConnection, ID: "x"}, {Kind: executor.RefGateway, ID: testER}, {Kind: "other", ID: testER},
	})
	if got[0].Err != nil || !got[0].Found || got[0].Connection.Weight != 100 {
		t.Errorf("connection: %+v", got[0])
	}
	if f := asFault(t, got[1].Err); f.Kind != fault.Denied || !strings.Contains(f.Hint, "expressRouteCircuits/read") || got[1].Found {
		t.Errorf("circuit: %+v", got[1])
	}
	if got[2].Err != nil || got[2].Found {
		t.Errorf("what does not exist is an answer: %+v", got[2])
	}
	for _, g := range got[3:] {
		if asFault(t, g.Err).Kind != fault.Invalid {
			t.Errorf("%+v", g)
		}
	}
	if n := len(a.requests("GET")); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"value":[{"neighbor":"1.1.1.1","as":65001,"statePfxRcd":"12","network":"10.0.0.0/8","weight":1,"age":1}]}`))
	f.Add([]byte(circuitBody))
	f.Add([]byte(bgpRows))
	f.Add([]byte(`{"value":[{"statePfxRcd":"-0"},{"statePfxRcd":"+5"},{"statePfxRcd":"1\u0032"},{"statePfxRcd":1e3},{"statePfxRcd":null},{}]}`))
	f.Add([]byte(`{"status":"Failed","error":{"code":"x","message":"Bearer eyJhbGciOiJIUzI1NiJ9.x.y"}}`))
	id := mustID(f, testER)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, k := range []executor.QuestionKind{executor.AskBGP, executor.AskARP, executor.AskRoutes} {
			if a, err := decodeAnswer(executor.Question{Kind: k}, body, someTime); err == nil {
				for _, p := range a.Peers {
					digits := p.State != "" && strings.Trim(p.State, "0123456789") == ""
					if p.Prefixes < 0 || p.Prefixes > maxPrefixes || p.Established && !digits || !p.Established && p.Prefixes != 0 {
						t.Fatalf("%+v", p)
					}
				}
			}
		}
		_, _ = parseCircuit(id, body)
		if got := failedState("op", "t", body); got != nil && strings.Contains(got.Error(), "eyJhbGciOiJIUzI1NiJ9") {
			t.Fatal("a token was told")
		}
	})
}

// What a peering lacks is told for each link; IPv6 alone is enough; Microsoft and public
// peerings are told and never taken for the private one.
func TestPeerings(t *testing.T) {
	const whole = `"peerASN":65001,"vlanId":100,"primaryPeerAddressPrefix":"172.16.0.0/30","secondaryPeerAddressPrefix":"172.16.0.4/30"`
	for _, tt := range []struct {
		name, peerings, state, lacks string
		microsoft, public            bool
	}{
		{"whole", `{"name":"AzurePrivatePeering","properties":{"state":"Enabled",` + whole + `}}`, "Enabled", "[]", false, false},
		{"one link", `{"name":"AzurePrivatePeering","properties":{"state":"Enabled","peerASN":65001,"vlanId":100,"primaryPeerAddressPrefix":"172.16.0.0/30"}}`, "Enabled", "[secondary link's /30 or /126]", false, false},
		{"nothing", `{"name":"AzurePrivatePeering","properties":{"state":"Disabled"}}`, "Disabled", "[VLAN peer ASN primary link's /30 or /126 secondary link's /30 or /126]", false, false},
		{"too large a prefix", `{"name":"AzurePrivatePeering","properties":{"state":"Enabled","peerASN":1,"vlanId":1,"primaryPeerAddressPrefix":"172.16.0.0/29","secondaryPeerAddressPrefix":"x"}}`, "Enabled", "[primary link's /30 or /126 secondary link's /30 or /126]", false, false},
		{"IPv6 alone", `{"name":"AzurePrivatePeering","properties":{"state":"Enabled","peerASN":1,"vlanId":1,"ipv6PeeringConfig":{"primaryPeerAddressPrefix":"fd00::/126","secondaryPeerAddressPrefix":"fd00::4/126"}}}`, "Enabled", "[]", false, false},
		{"Microsoft and public", `{"name":"MicrosoftPeering","properties":{"state":"Enabled","microsoftPeeringConfig":{"advertisedPublicPrefixes":["198.51.100.0/24"]}}},{"name":"AzurePublicPeering","properties":{"state":"Enabled"}}`, "", "[]", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", testER, answer{200, nil, `{"location":"eastus","properties":{"peerings":[` + tt.peerings + `]}}`})
			got := readOne(t, a.client(), executor.RefCircuit, testER)
			c := got.Circuit
			if got.Err != nil || c.Peering != tt.state || fmt.Sprint(c.Incomplete) != tt.lacks || (c.Microsoft != nil) != tt.microsoft || c.Public != tt.public {
				t.Errorf("got %+v %v", c, got.Err)
			}
			if c.Microsoft != nil && fmt.Sprint(c.Microsoft.Prefixes) != "[198.51.100.0/24]" {
				t.Errorf("got %+v", c.Microsoft)
			}
		})
	}
}

// A tag may name the tool that owns a connection, in any writing.
func TestOwners(t *testing.T) {
	for _, tt := range []struct {
		tags map[string]string
		want string
	}{
		{nil, ""}, {map[string]string{"owner": "network"}, ""}, {map[string]string{"managed-by": "Terraform"}, "terraform"}, {map[string]string{"provisioner": "bicep"}, "bicep"},
		{map[string]string{"Terraform": "true"}, "terraform"}, {map[string]string{"terraform": "false"}, ""},
	} {
		if got := ownerOf(tt.tags); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.tags, got, tt.want)
		}
	}
}
