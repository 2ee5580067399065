package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

const draftRoot = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/"

// found is a small estate: two gateways that prefer Ashburn, one that shares traffic
// over both, one without a connection, a circuit without one, and a circuit of another
// subscription.
func found() (topology.Estate, map[string]int32) {
	id := func(typ, name string) string { return draftRoot + typ + "/" + name }
	e := topology.Estate{
		Circuits: []topology.Circuit{
			{ID: id("expressroutecircuits", "er-ashburn"), Provider: "Equinix", Location: "Washington DC", Region: "eastus2", Bandwidth: 10000, Tier: "Premium", Family: "MeteredData"},
			{ID: id("expressroutecircuits", "er-123"), Provider: "Mega\nport: #1", Location: "Chicago", Region: "eastus2", Bandwidth: 500},
			{ID: id("expressroutecircuits", "er-idle"), Port: id("expressrouteports", "p"), Location: "Dallas", Bandwidth: 100000},
		},
		Gateways: []topology.Gateway{
			{ID: id("virtualnetworkgateways", "gw-1"), Kind: topology.VNet, Region: "eastus2", SKU: "ErGw3AZ"},
			{ID: id("virtualnetworkgateways", "gw-2"), Kind: topology.VNet, Region: "eastus2", SKU: "ErGw1AZ"},
			{ID: id("virtualnetworkgateways", "gw-3"), Kind: topology.VNet, Region: "westus"},
			{ID: id("virtualnetworkgateways", "gw-4"), Kind: topology.VNet, Region: "westus"},
		},
	}
	weights := map[string]int32{}
	join := func(gw, circuit string, w int32) {
		k := topology.Connection{ID: id("connections", gw+"-"+circuit), Gateway: id("virtualnetworkgateways", gw), Circuit: id("expressroutecircuits", circuit)}
		e.Connections = append(e.Connections, k)
		weights[k.ID] = w
	}
	join("gw-1", "er-ashburn", 200)
	join("gw-1", "er-123", 100)
	join("gw-2", "er-ashburn", 20)
	join("gw-2", "er-123", 10)
	join("gw-3", "er-ashburn", 0)
	join("gw-3", "er-elsewhere", 0)
	return topology.Propose(e, weights), weights
}

// A draft is a file that the checker takes as it is, and that means what was found.
func TestDraft(t *testing.T) {
	est, weights := found()
	text := Draft{Azure: Default().Azure, Estate: est, Weights: weights, Notes: []string{"circuits of\nsubscription x"}}.Text()
	cfg, warnings, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(warnings) != 0 {
		t.Errorf("warned: %v", warnings)
	}
	east, west := cfg.Groups["eastus2"], cfg.Groups["westus"]
	if fmt.Sprint(east.Preference) != "[[ashburn] [123]]" || len(east.Gateways) != 2 || east.Mode != policy.Observe {
		t.Errorf("east: %+v", east)
	}
	if fmt.Sprint(west.Preference) != "[[ashburn elsewhere]]" || len(west.Gateways) != 1 || len(cfg.Groups) != 2 || len(cfg.Circuits) != 3 {
		t.Errorf("west: %+v of %d groups, %d circuits", west, len(cfg.Groups), len(cfg.Circuits))
	}
	for _, want := range []string{"# NOTE: circuits of subscription x\n", "- ashburn # Equinix, Washington DC, 10 Gbps, weight 20 to 200\n", "weight 10 to 100",
		"# Mega port: #1, Chicago, 500 Mbps", "- [ashburn, elsewhere] #", "equal weights share the traffic", "gw-1 # ErGw3AZ, eastus2\n",
		"# Left out: " + draftRoot + "virtualnetworkgateways/gw-4 has no ExpressRoute connection.", "er-idle, ExpressRoute Direct, Dallas, 100 Gbps, has no connection",
		"# not read: it is in a subscription that was not searched"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the draft lacks %q:\n%s", want, text)
		}
	}
}

// A custom cloud and a named identity go into the draft as they were used.
func TestDraftOfACustomCloud(t *testing.T) {
	est, weights := found()
	az := Azure{Cloud: CloudCustom, Custom: &CustomCloud{ResourceManager: "https://arm.example", Audience: "https://arm.example/", Authority: "https://login.example/", Metrics: "https://{region}.metrics.test", MetricsAudience: "https://metrics.test"},
		Identity: Identity{IdentityManaged, "00000000-0000-0000-0000-0000000000aa"}}
	cfg, _, err := Parse(Draft{Azure: az, Estate: est, Weights: weights}.Text())
	if err != nil || *cfg.Azure.Custom != *az.Custom || cfg.Azure.Identity != az.Identity {
		t.Errorf("%+v %v", cfg.Azure, err)
	}
}

// Promise: whatever the resources are called and whatever Azure says of them, a draft
// with a group is taken by the checker, every gateway with a connection is in one
// group, and the draft does not hang on the order in which things were found.
func TestDraftsAreAlwaysUsable(t *testing.T) {
	word := rapid.OneOf(rapid.SampledFrom([]string{"no", "true", "null", "123", "1e5", "-x-", "ER_A", "er-a", "er-b", "a.b(c)", "it's", "[x]", "{y}", "~", "0x10", strings.Repeat("long", 20)}), rapid.StringMatching(`[a-z0-9][a-z0-9_.-]{0,11}`))
	said := rapid.SampledFrom([]string{"", "Equinix", "a: b # c", "x\ny", "\u2028", "'\"", "%s %d"})
	rapid.Check(t, func(t *rapid.T) {
		var e topology.Estate
		weights := map[string]int32{}
		for _, n := range rapid.SliceOfNDistinct(word, 1, 5, strings.ToLower).Draw(t, "circuits") {
			e.Circuits = append(e.Circuits, topology.Circuit{ID: draftRoot + "expressroutecircuits/" + strings.ToLower(n), Provider: said.Draw(t, "provider"), Location: said.Draw(t, "location"), Bandwidth: rapid.IntRange(0, 3000).Draw(t, "mbps")})
		}
		used := 0
		for i, n := range rapid.SliceOfNDistinct(word, 1, 5, strings.ToLower).Draw(t, "gateways") {
			gw := draftRoot + "virtualnetworkgateways/" + strings.ToLower(n)
			e.Gateways = append(e.Gateways, topology.Gateway{ID: gw, Region: said.Draw(t, "region"), SKU: said.Draw(t, "sku")})
			for j, c := range e.Circuits {
				if rapid.Bool().Draw(t, "connected") || i+j == 0 {
					k := topology.Connection{ID: fmt.Sprint(draftRoot, "connections/", i, "-", j), Gateway: gw, Circuit: c.ID}
					e.Connections = append(e.Connections, k)
					weights[k.ID] = rapid.Int32Range(0, 3).Draw(t, "weight")
				}
			}
		}
		for _, g := range e.Gateways {
			if slices.ContainsFunc(e.Connections, func(k topology.Connection) bool { return k.Gateway == g.ID }) {
				used++
			}
		}
		est := topology.Propose(e, weights)
		text := Draft{Azure: Default().Azure, Estate: est, Weights: weights}.Text()
		cfg, _, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		in := 0
		for _, g := range cfg.Groups {
			in += len(g.Gateways)
		}
		if in != used {
			t.Fatalf("%d of %d gateways are in a group\n%s", in, used, text)
		}
		slices.Reverse(e.Circuits)
		slices.Reverse(e.Gateways)
		slices.Reverse(e.Connections)
		if again := (Draft{Azure: Default().Azure, Estate: topology.Propose(e, weights), Weights: weights}).Text(); string(again) != string(text) {
			t.Fatalf("another order, another draft:\n%s\n%s", text, again)
		}
	})
}
