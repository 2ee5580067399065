package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// items returns the names in a list answer.
func items(t *testing.T, a answer) (names []string, next string) {
	t.Helper()
	var page struct {
		Value    []struct{ Name string }
		NextLink string `json:"nextLink"`
	}
	if err := json.Unmarshal(a.raw, &page, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%v in %s", err, a.raw)
	}
	for _, v := range page.Value {
		names = append(names, v.Name)
	}
	return names, page.NextLink
}

func TestLists(t *testing.T) {
	b := newBench(t, Options{PageSize: 4})
	sub := "/subscriptions/" + DemoSubscription
	group := sub + "/resourceGroups/net"
	for _, c := range []struct {
		path  string
		count int // -1: 404
		pages int
	}{
		{group + "/providers/Microsoft.Network/connections", 24, 6},
		{sub + "/providers/Microsoft.Network/connections", -1, 0},
		{group + "/providers/Microsoft.Network/virtualNetworkGateways", 8, 2},
		{sub + "/providers/Microsoft.Network/virtualNetworkGateways", -1, 0},
		{group + "/providers/Microsoft.Network/expressRouteCircuits", 6, 2},
		{sub + "/providers/Microsoft.Network/expressRouteCircuits", 6, 2},
		{group + "/providers/Microsoft.Network/expressRouteGateways", 1, 1},
		{sub + "/providers/Microsoft.Network/expressRouteGateways", 1, 1},
		{sub + "/providers/Microsoft.Network/expressRoutePorts", 0, 1},
		{sub + "/resourceGroups/other/providers/Microsoft.Network/expressRouteCircuits", 0, 1},
		{b.Gateways["gw-east-1"] + "/connections", 3, 1},
		{b.Gateways["gw-south-hub"] + "/expressRouteConnections", 3, 1},
		{b.Circuits["er-ashburn"] + "/peerings", 1, 1},
		{b.Gateways["gw-east-1"] + "x/connections", -1, 0},
		{group + "/providers/Microsoft.Compute/virtualMachines", -1, 0},
	} {
		seen, pages := map[string]bool{}, 0
		for path := strings.ToUpper(c.path[:20]) + c.path[20:]; path != ""; pages++ {
			a := b.get(path)
			if a.status == 404 && c.count < 0 {
				break
			}
			names, next := items(t, a)
			for _, n := range names {
				seen[n] = true
			}
			path = next
		}
		if pages != c.pages || c.count >= 0 && len(seen) != c.count {
			t.Errorf("%s: %d items on %d pages, want %d on %d", c.path, len(seen), pages, c.count, c.pages)
		}
	}
	entity := b.get(b.Gateways["gw-east-1"] + "/connections")
	if strings.Contains(string(entity.raw), "routingConfiguration") || !strings.Contains(string(entity.raw), `"routingWeight":200`) {
		t.Fatalf("a gateway's list shows the weight and not everything: %s", entity.raw)
	}
}

func TestSingleThings(t *testing.T) {
	b := newBench(t, Options{})
	b.pass(time.Minute)
	for path, want := range map[string]string{
		b.Gateways["gw-east-1"]:                                          `"gatewayType":"ExpressRoute"`,
		b.Gateways["gw-south-hub"]:                                       `"virtualHub"`,
		b.Circuits["er-ashburn"]:                                         `"serviceProviderProvisioningState":"Provisioned"`,
		b.Circuits["er-ashburn"] + "/peerings/azureprivatepeering":       `"state":"Enabled"`,
		b.Circuits["er-ashburn"] + "/stats":                              `"primarybytesIn":`,
		b.Circuits["er-ashburn"] + "/peerings/AzurePrivatePeering/stats": `"secondarybytesOut":`,
		b.Circuits["er-ashburn"] + "/providers/Microsoft.ResourceHealth/availabilityStatuses/current": `"availabilityState":"Available"`,
		b.Circuits["er-ashburn"] + "/providers/Microsoft.Authorization/permissions":                   `"actions":["*"]`,
		"/subscriptions": `"subscriptionId":"` + DemoSubscription + `"`,
		"/subscriptions/" + DemoSubscription + "/resources": `"type":"Microsoft.Network/`,
	} {
		if a := b.get(strings.ToLower(path)); a.status != 200 || !strings.Contains(string(a.raw), want) {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.raw, want)
		}
	}
	for _, path := range []string{
		b.Circuits["er-ashburn"] + "x", b.Circuits["er-ashburn"] + "/peerings/MicrosoftPeering", b.Gateways["gw-east-1"] + "x",
		b.Circuits["er-ashburn"] + "x/providers/Microsoft.ResourceHealth/availabilityStatuses/current", "/subscriptions/x", "/",
	} {
		b.want(path, b.get(path).status, 404)
	}
	b.want("no api-version", b.get("/subscriptions/x/providers/Microsoft.Network/expressRouteCircuits?x-api-version=1").status, 400)
	for _, h := range []string{"x-ms-correlation-request-id", "x-ms-request-id", "x-ms-ratelimit-remaining-subscription-reads"} {
		if b.get(b.Circuits["er-ashburn"]).header.Get(h) == "" {
			t.Errorf("no header %s", h)
		}
	}
	b.Fabric.SetBGP(b.Circuits["er-ashburn"], Primary, false, b.clock())
	health := b.Circuits["er-ashburn"] + "/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
	b.want("one link", b.get(health).body.sub("properties").text("availabilityState"), "Degraded")
	b.Fabric.Cut(b.Circuits["er-ashburn"], b.clock())
	b.want("no link", b.get(health).body.sub("properties").text("availabilityState"), "Unavailable")
}

// slow begins a slow read, waits for it and returns its answer.
func (b *bench) slow(path string) answer {
	b.Helper()
	a := b.do("POST", path, nil)
	b.want("begun "+path, a.status, 202)
	at := a.header.Get("Location")
	b.want("running", b.get(at).status, 202)
	b.pass(8 * time.Second)
	return b.get(at)
}

func TestSlowReads(t *testing.T) {
	b := newBench(t, Options{})
	ash := b.Circuits["er-ashburn"] + "/peerings/AzurePrivatePeering"
	rows := func(a answer, field string) string {
		b.Helper()
		b.want("status", a.status, 200)
		var page struct{ Value []map[string]any }
		if err := json.Unmarshal(a.raw, &page, json.MatchCaseInsensitiveNames(true)); err != nil {
			b.Fatal(err)
		}
		var out []string
		for _, r := range page.Value {
			out = append(out, fmt.Sprint(r[field]))
		}
		return strings.Join(out, " ")
	}
	b.want("arp", rows(b.slow(ash+"/arpTables/primary"), "interface"), "On-Prem Microsoft")
	b.want("summary", rows(b.slow(ash+"/routeTablesSummary/primary"), "statePfxRcd"), "3")
	b.want("routes", rows(b.slow(ash+"/routeTables/secondary"), "network"), "10.10.0.0/16 10.20.0.0/16 192.168.0.0/20 10.200.0.0/24 10.200.1.0/24 10.200.2.0/24 10.200.6.0/24 10.200.7.0/24 10.200.8.0/24")
	b.Fabric.SetLink(b.Circuits["er-ashburn"], Primary, false, b.clock())
	b.Fabric.SetDrained(b.Circuits["er-chicago"], Primary, true, b.clock())
	b.want("arp, dead line", rows(b.slow(ash+"/arpTables/primary"), "interface"), "Microsoft")
	b.want("summary, dead line", rows(b.slow(ash+"/routeTablesSummary/primary"), "statePfxRcd"), "Idle")
	b.want("the other link", rows(b.slow(ash+"/routeTablesSummary/secondary"), "statePfxRcd"), "3")
	learned := b.slow(b.Gateways["gw-east-1"] + "/getLearnedRoutes")
	b.want("learned", len(strings.Fields(rows(learned, "network"))), 3+6+6)
	if !strings.Contains(string(learned.raw), strings.Repeat("12076-", 9)+"65010") {
		t.Fatalf("no prepended path in %s", learned.raw)
	}
	b.want("peers", rows(b.slow(b.Gateways["gw-east-1"]+"/getBgpPeerStatus"), "state"), "Idle Connected Connected Connected Connected Connected")
	b.want("advertised", rows(b.slow(b.Gateways["gw-east-2"]+"/getAdvertisedRoutes?api-version=1&peer=10.255.3.4"), "network"), "10.200.1.0/24")
	b.want("advertised to nobody", rows(b.slow(b.Gateways["gw-east-2"]+"/getAdvertisedRoutes?api-version=1&peer=10.255.2.4"), "network"), "")
	drained := b.slow(b.Circuits["er-chicago"] + "/peerings/AzurePrivatePeering/routeTables/primary")
	if !strings.Contains(string(drained.raw), strings.Repeat("12076 ", 8)+"65515") {
		t.Fatalf("no prepended path in %s", drained.raw)
	}
	b.Fabric.Keep(b.Connections["gw-east-1/er-chicago"], "10.20.0.0/16", b.clock())
	for name, want := range map[string]string{"gw-east-1": `"10.20.0.0/16":[{"circuit":"x1","pri":"","sec":"1"},{"circuit":"x5","pri":"1","sec":"1"}]`, "gw-south-hub": `"link":"` + b.Circuits["er-chicago-2"] + `"`} {
		if sets := b.slow(b.Gateways[name] + "/getRoutesInformation"); !strings.Contains(string(sets.raw), want) {
			t.Errorf("route sets of %s: %s", name, sets.raw)
		}
	}
	b.Fabric.SetARP(b.Circuits["er-newark"], Secondary, false, b.clock())
	b.want("arp, no answer", rows(b.slow(b.Circuits["er-newark"]+"/peerings/AzurePrivatePeering/arpTables/secondary"), "interface"), "Microsoft")
	for _, path := range []string{ash + "/arpTables/third", b.Circuits["er-ashburn"] + "/peerings/MicrosoftPeering/arpTables/primary", b.Gateways["gw-east-1"] + "/somethingElse"} {
		b.want(path, b.do("POST", path, nil).status, 404)
	}
}

func TestSiteFailoverTest(t *testing.T) {
	b := newBench(t, Options{})
	gw := b.Gateways["gw-east-1"]
	path := gw + "/startSiteFailoverTest?peeringLocation=Washington%20DC&api-version=2025-09-01"
	stop := []byte(`{"peeringLocation":"Washington DC","wasSimulationSuccessful":true}`)
	b.want("one location is not enough", b.do("POST", gw+"/startSiteFailoverTest?peeringLocation=Oslo&api-version=2025-09-01", nil).status, 400)
	b.want("start", b.do("POST", path, nil).status, 202)
	b.want("details", strings.Contains(string(b.slow(gw+"/getFailoverAllTestsDetails").raw), `"status":"Starting"`), true)
	b.want("a stop while it starts", b.do("POST", gw+"/stopSiteFailoverTest", stop).status, 409)
	b.pass(20 * time.Second)
	b.want("carrying", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits["er-chicago"])
	b.want("other gateway", strings.Join(b.Fabric.Carrying(b.Gateways["gw-east-2"], b.clock()), ","), b.Circuits["er-ashburn"])
	b.want("a second test", b.do("POST", path, nil).status, 409)
	if raw := string(b.slow(gw + "/getFailoverAllTestsDetails").raw); !strings.Contains(raw, `"status":"Running"`) {
		t.Fatal(raw)
	}
	b.want("a stop elsewhere", b.do("POST", gw+"/stopSiteFailoverTest", []byte(`{"peeringLocation":"Chicago"}`)).status, 400)
	b.want("stop", b.do("POST", gw+"/stopSiteFailoverTest", stop).status, 202)
	b.want("still off", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits["er-chicago"])
	b.pass(20 * time.Second)
	b.want("carrying again", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits["er-ashburn"])
	b.want("stop again", b.do("POST", gw+"/stopSiteFailoverTest", stop).status, 400)
}

// TestLinkFailoverTest: a test of one link takes its session away, whatever the line
// does, until it is stopped.
func TestLinkFailoverTest(t *testing.T) {
	b := newBench(t, Options{})
	c := b.Circuits["er-ashburn"]
	start := func(link, category string) int {
		return b.do("POST", c+"/startCircuitLinkFailoverTest?linkType="+link+"&circuitTestCategory="+category+"&api-version=2025-09-01", nil).status
	}
	session := func(l Link) bool { s, _ := b.Fabric.Link(c, l, b.clock()); return s.BGP }
	b.want("no such link", start("Third", "BgpDisconnect"), 400)
	b.want("no such category", start("Primary", "Hope"), 400)
	b.want("start", start("Primary", "BgpDisconnect"), 202)
	b.pass(20 * time.Second)
	b.want("a second one", start("Secondary", "BgpDisconnect"), 409)
	b.Fabric.SetLink(c, Primary, true, b.clock())
	b.want("sessions", session(Primary), false)
	b.want("the other link", session(Secondary), true)
	b.want("carrying", strings.Join(b.Fabric.Carrying(b.Gateways["gw-east-1"], b.clock()), ","), c)
	b.want("stop", b.do("POST", c+"/stopCircuitLinkFailoverTest", []byte(`{"linkType":"Primary","circuitTestCategory":"BgpDisconnect"}`)).status, 202)
	b.pass(20 * time.Second)
	b.want("sessions again", session(Primary), true)
}

func TestTokenBuckets(t *testing.T) {
	b := newBench(t, Options{ReadBudget: 3, WriteBudget: 2})
	circuit, ask := b.Circuits["er-ashburn"], b.Gateways["gw-east-1"]+"/getLearnedRoutes"
	for i := range 3 {
		a := b.get(circuit)
		b.want("status", a.status, 200)
		b.want("left", a.header.Get("x-ms-ratelimit-remaining-subscription-reads"), fmt.Sprint(2-i))
	}
	full := b.get(circuit)
	b.want("status", full.status, 429)
	b.want("retry-after", full.header.Get("Retry-After"), "1")
	b.want("left", full.header.Get("x-ms-ratelimit-remaining-subscription-reads"), "0")
	b.want("write", b.do("POST", ask, nil).status, 202)
	b.want("write", b.do("POST", ask, nil).status, 202)
	b.want("write", b.do("POST", ask, nil).status, 429)
	b.pass(40 * time.Millisecond) // 25 reads a second
	b.want("refilled", b.get(circuit).status, 200)
	b.want("and empty", b.get(circuit).status, 429)
}

func TestNetworkBuckets(t *testing.T) {
	l := newLimits(Options{WriteBudget: 5000})
	now := benchStart
	for i := range 1000 {
		if _, _, wait := l.take("s", true, now); wait > 0 {
			t.Fatalf("write %d must wait %s", i, wait)
		}
	}
	if _, _, wait := l.take("s", true, now); wait != 300*time.Millisecond {
		t.Fatalf("write 1001 waits %s, want 300ms", wait)
	}
	if _, _, wait := l.take("s", false, now); wait > 0 {
		t.Fatalf("a read waits %s for writes", wait)
	}
}
