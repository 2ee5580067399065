package cli

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/config"
	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// reportOn checks an estate that is the demo's with a changed specification, through the
// real client. Circuits are alike unless they are changed, so that nothing is weak.
func reportOn(t *testing.T, change func(*sim.Spec), harm func(*sim.Fabric, sim.Demo, time.Time), edit func(string) string) []report.Issue {
	t.Helper()
	return reportDeep(t, change, harm, edit, depth{}, nil)
}

// reportDeep is reportOn with slow reads, and with faults of Azure's face.
func reportDeep(t *testing.T, change func(*sim.Spec), harm func(*sim.Fabric, sim.Demo, time.Time), edit func(string) string, deep depth, faults []sim.Rule) []report.Issue {
	t.Helper()
	d := &demo{clock: &clock{}, est: sim.DemoEstateAt(time.Now(), sim.Timing{}), dir: t.TempDir()}
	for i := range d.est.Spec.Circuits {
		d.est.Spec.Circuits[i].Bandwidth, d.est.Spec.Circuits[i].Tier = 10000, "Premium"
	}
	change(&d.est.Spec)
	var err error
	if d.est.Fabric, err = sim.NewFabric(d.est.Spec); err != nil {
		t.Fatal(err)
	}
	arm, net, _ := estateOf(t, d.est, sim.Options{NoLimits: true, RetryAfter: -1})
	d.arm = arm
	for _, r := range faults {
		arm.Inject(r)
	}
	harm(d.est.Fabric, d.est, time.Now())
	text, err := d.config()
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Parse([]byte(edit(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	found := lookAround(t.Context(), cfg, net)
	if deep.on {
		lookDeep(t.Context(), &found, net, deep)
	}
	return report.CheckPosture(found)
}

// spec finds parts of a specification by the name of their resource.
func circuitSpec(s *sim.Spec, name string) *sim.CircuitSpec {
	i := slices.IndexFunc(s.Circuits, func(c sim.CircuitSpec) bool { return strings.HasSuffix(c.ID, "/"+name) })
	return &s.Circuits[i]
}

func connectionSpec(s *sim.Spec, name string) *sim.ConnectionSpec {
	i := slices.IndexFunc(s.Connections, func(c sim.ConnectionSpec) bool { return strings.HasSuffix(c.ID, "/"+name) })
	return &s.Connections[i]
}

// Twenty-two things are wrong with one estate at once, and the report names all of
// them. A sound estate is told one thing, which no reading can settle: that the other
// direction is not steered.
func TestCheckFindsTwentyTwoFaultsAtOnce(t *testing.T) {
	for _, i := range reportOn(t, func(*sim.Spec) {}, func(*sim.Fabric, sim.Demo, time.Time) {}, func(s string) string { return s }) {
		if i.Rule != "reverse-unproven" {
			t.Errorf("a sound estate is told %s %s: %s", i.Rule, i.Subject, i.Fact)
		}
	}
	const secret = "key-of-another-subscription"
	issues := reportOn(t, func(s *sim.Spec) {
		ashburn, chicago := circuitSpec(s, "er-ashburn"), circuitSpec(s, "er-chicago")
		port := strings.Replace(ashburn.ID, "expressRouteCircuits/er-ashburn", "expressRoutePorts/port-1", 1)
		ashburn.Port, ashburn.Provider, chicago.Port, chicago.Provider = port, "", port, ""
		ashburn.Microsoft = []string{"198.51.100.0/24"}
		far := circuitSpec(s, "er-dallas-2")
		far.Region, far.Tier, far.Bandwidth = "westeurope", "Standard", 2000
		for i := range s.Gateways {
			if strings.HasSuffix(s.Gateways[i].ID, "/gw-central-1") {
				s.Gateways[i].SKU = "UltraPerformance"
			}
		}
		connectionSpec(s, "cn-central-1-chicago").Tags = map[string]string{"managed-by": "Terraform"}
		connectionSpec(s, "cn-central-2-chicago").Tags = map[string]string{"erfailover-epoch": "4"}
		connectionSpec(s, "cn-central-3-chicago").Key = secret
	}, func(f *sim.Fabric, d sim.Demo, now time.Time) {
		f.SetProvisioned(d.Circuits["er-dallas-2"], false, now)
		f.SetProvisioning(d.Circuits["er-chicago-2"], "Failed", now)
		f.SetPeering(d.Circuits["er-chicago-2"], false, now)
		f.Delete(d.Connections["gw-east-2/er-dallas"], now)
		f.ForeignField(d.Connections["gw-east-1/er-ashburn"], "provisioningState", "Failed", now)
		f.ForeignField(d.Connections["gw-east-3/er-chicago"], "connectionStatus", "NotConnected", now)
		f.ForeignWrite(d.Connections["gw-south-1/er-dallas"], 31000, now)
		f.ForeignWrite(d.Connections["gw-east-2/er-chicago"], 200, now)
		f.ForeignWrite(d.Connections["gw-east-3/er-chicago"], 300, now)
		f.ForeignField(d.Connections["gw-east-1/er-chicago"], "expressRouteGatewayBypass", false, now)
		f.ForeignField(d.Connections["gw-south-1/er-ashburn"], "enablePrivateLinkFastPath", true, now)
	}, func(s string) string {
		s = strings.ReplaceAll(s, "expressRouteCircuits/er-newark,", "expressRouteCircuits/er-gone,")
		s = strings.ReplaceAll(s, "site: dc2", "site: dc1")
		s = strings.ReplaceAll(s, "monitors: ["+monitorOf("er-ashburn")+"]", "shares: [conduit-7]")
		s = strings.ReplaceAll(s, "monitors: ["+monitorOf("er-chicago")+"]", "shares: [conduit-7]")
		return strings.Replace(s, "mode: automatic", "mode: observe", 1)
	})
	want := map[string]string{ // rule: what the subject ends in
		"unreadable": "er-gone", "provider-not-provisioned": "dallas-2", "provisioning-failed": "chicago-2", "peering-disabled": "chicago-2", "no-path": "gw-east-2",
		"same-port": "ashburn", "shared-conduit": "ashburn", "connection-failed": "cn-east-1-ashburn", "not-connected": "cn-east-3-chicago", "weight-too-high": "cn-south-1-dallas",
		"sku-reach": "dallas-2", "same-site": "ashburn", "equal-weights": "gw-east-2", "weights-against-preference": "gw-east-3", "left-over-tag": "cn-central-2-chicago",
		"standby-smaller": "dallas-2", "fastpath-differs": "gw-east-1", "private-link-differs": "gw-south-1", "weights-owned-elsewhere": "cn-central-1-chicago",
		"microsoft-peering": "ashburn", "gateway-not-zonal": "gw-central-1", "observe-only": "central",
	}
	for _, rule := range slices.Sorted(maps.Keys(want)) {
		if !slices.ContainsFunc(issues, func(i report.Issue) bool { return i.Rule == rule && i.Subject == want[rule] }) {
			t.Errorf("%s of %s was not found", rule, want[rule])
		}
	}
	var text, md bytes.Buffer
	issuesText(&text, issues)
	issuesMarkdown(&md, issues)
	machine, err := json.Marshal(issues)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := json.Marshal(sarif(issues))
	if err != nil {
		t.Fatal(err)
	}
	for form, s := range map[string]string{"text": text.String(), "markdown": md.String(), "json": string(machine), "sarif": string(lines)} {
		if strings.Contains(s, secret) || strings.Contains(s, "*****") || strings.Contains(strings.ToLower(s), "servicekey") {
			t.Errorf("a key is in the %s", form)
		}
		for rule := range want {
			if !strings.Contains(s, rule) {
				t.Errorf("the %s does not name %s", form, rule)
			}
		}
	}
}
