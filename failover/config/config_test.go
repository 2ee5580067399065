package config

import (
	"os"
	"reflect"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, whatever the machine has

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// minimal is the shortest useful file.
const minimal = `version: 1
circuits:
  a: {id: /subscriptions/s/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-a}
  b: {id: /subscriptions/s/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-b}
groups:
  g:
    gateways: [/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/expressRouteGateways/GW]
    preference: [a, b]
`

func example(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustParse(t testing.TB, text string) Config {
	t.Helper()
	c, _, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExampleHasNoWarning(t *testing.T) {
	c, warnings, err := Parse(example(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	want := policy.Rule{
		Mode: policy.Automatic, Objective: 3 * time.Minute, CoolDown: 30 * time.Minute, Fresh: 2 * time.Minute,
		Drift: policy.DriftAsk, Levers: []policy.Lever{policy.LeverWeight},
		Approval: policy.Approval{Approvers: 1, Distinct: true, Expires: 15 * time.Minute},
		Failback: policy.Failback{Mode: policy.FailbackAutomatic, After: 30 * time.Minute, Windows: c.Groups["east"].Failback.Windows},
	}
	if got := c.PolicyRule("east"); !reflect.DeepEqual(got, want) {
		t.Errorf("policy rule\n got %+v\nwant %+v", got, want)
	}
	if got := c.HealthRule("east"); !reflect.DeepEqual(got, health.DefaultRule()) {
		t.Errorf("health rule %+v", got)
	}
	if got := c.Limits(); got != (policy.Limits{OperationsAtOnce: 2, OperationsPerHour: 6}) {
		t.Errorf("limits %+v", got)
	}
	if d := c.Drills["monthly-east"]; d.Blackout[0] != (Dates{"2026-12-15", "2027-01-05"}) || d.Limit != 45*time.Minute {
		t.Errorf("drill %+v", d)
	}
	if c.Auth.Mode != AuthEntra || c.Notify[1].To.Env() != "PAGERDUTY_KEY" {
		t.Errorf("auth %+v, notify %+v", c.Auth, c.Notify)
	}
}

func TestTopologyIsCanonicalAndSorted(t *testing.T) {
	const net = "/subscriptions/s/resourcegroups/net/providers/microsoft.network/"
	got := mustParse(t, minimal).Topology()
	want := topology.Estate{
		Circuits: []topology.Circuit{{Name: "a", ID: net + "expressroutecircuits/er-a"}, {Name: "b", ID: net + "expressroutecircuits/er-b"}},
		Gateways: []topology.Gateway{{ID: net + "expressroutegateways/gw", Kind: topology.VWAN}},
		Groups:   []topology.Group{{Name: "g", Gateways: []string{net + "expressroutegateways/gw"}, Tiers: [][]string{{"a"}, {"b"}}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	tiers := mustParse(t, string(example(t))).Topology()
	if gw, ok := tiers.Gateway(net[:15] + "x"); ok {
		t.Errorf("found a gateway that is not there: %v", gw)
	}
	if len(tiers.Gateways) != 2 || tiers.Gateways[0].Kind != topology.VNet {
		t.Errorf("gateways %+v", tiers.Gateways)
	}
}

func TestUnknownGroupMayDoNothing(t *testing.T) {
	c := mustParse(t, minimal)
	if r := c.PolicyRule("nobody"); r.Mode != policy.Observe {
		t.Errorf("mode %s", r.Mode)
	}
	if r := c.HealthRule("nobody"); !reflect.DeepEqual(r, health.DefaultRule()) {
		t.Errorf("rule %+v", r)
	}
}

// A caller that changes what it was given must not change the configuration.
func TestViewsAreCopies(t *testing.T) {
	c := mustParse(t, string(example(t)))
	before := c.Hash()
	r, p, e := c.HealthRule("east"), c.PolicyRule("east"), c.Topology()
	clear(r.MaxAge)
	p.Levers[0] = policy.LeverPeering
	p.Failback.Windows[0] = policy.Window{}
	e.Groups[0].Tiers[0][0] = "x"
	e.Groups[0].Gateways[0] = "x"
	for i := range e.Circuits {
		for j := range e.Circuits[i].Probes {
			e.Circuits[i].Probes[j].TCP = "x"
		}
	}
	s := Schema()
	s[0] = 'x'
	if c.Hash() != before || Schema()[0] != '{' {
		t.Error("the configuration changed")
	}
}

func TestDefaultsPassTheirOwnCheck(t *testing.T) {
	c := Default()
	m := mustParse(t, minimal)
	c.Circuits, c.Groups = m.Circuits, m.Groups
	if problems, warnings := c.Check(); len(problems)+len(warnings) > 0 {
		t.Errorf("%v %v", problems, warnings)
	}
	if !reflect.DeepEqual(c, m) {
		t.Error("a file that says nothing differs from Default")
	}
}
