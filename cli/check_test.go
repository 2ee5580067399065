package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// junk is a credential whose token the estate takes.
type junk struct{ token string }

func (j junk) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: j.token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// posture checks the demo estate through the real client, after something was done to
// it and to its configuration.
func posture(t *testing.T, harm func(*sim.Fabric, sim.Demo, time.Time), edit func(string) string) []report.Issue {
	t.Helper()
	d := &demo{clock: &clock{}, est: sim.DemoEstateAt(time.Now(), sim.Timing{}), dir: t.TempDir()}
	d.arm = sim.NewARM(d.est.Fabric, sim.Options{NoLimits: true})
	if err := d.arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.arm.Close() })
	if harm != nil {
		harm(d.est.Fabric, d.est, time.Now())
	}
	text, err := d.config()
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		text = []byte(edit(string(text)))
	}
	cfg, _, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	transport := armnet.NewTransport(d.arm.TLS().RootCAs, nil)
	t.Cleanup(transport.CloseIdleConnections)
	net, err := armnet.New(armnet.Config{Cloud: armnet.Custom, Endpoint: d.arm.URL(), Audience: "https://management.azure.com", Authority: "https://login.example", Credential: junk{d.arm.Token()}, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return report.CheckPosture(lookAround(t.Context(), cfg, net))
}

// told lists what a clean estate is told anyway: things that are so by choice.
func told(issues []report.Issue) []string {
	var out []string
	for _, i := range issues {
		out = append(out, fmt.Sprintf("%s %s %s/%s: %s", i.Severity, i.Rule, i.Group, i.Subject, i.Fact))
	}
	return out
}

// TestCheckFindsEachFault seeds faults one by one into the demo's estate. The clean
// estate has nothing critical, and each fault adds its own finding.
func TestCheckFindsEachFault(t *testing.T) {
	clean := told(posture(t, nil, nil))
	for _, line := range clean {
		if strings.HasPrefix(line, "critical") {
			t.Errorf("the clean estate is told: %s", line)
		}
	}
	type fabric = *sim.Fabric
	for _, c := range []struct {
		rule string
		harm func(fabric, sim.Demo, time.Time)
		edit func(string) string
	}{
		{"unreadable", nil, func(s string) string {
			return strings.ReplaceAll(s, "expressRouteCircuits/er-dallas,", "expressRouteCircuits/er-gone,")
		}},
		{"provider-not-provisioned", func(f fabric, d sim.Demo, now time.Time) { f.SetProvisioned(d.Circuits["er-ashburn"], false, now) }, nil},
		{"provisioning-failed", func(f fabric, d sim.Demo, now time.Time) { f.SetProvisioning(d.Circuits["er-ashburn"], "Failed", now) }, nil},
		{"peering-disabled", func(f fabric, d sim.Demo, now time.Time) { f.SetPeering(d.Circuits["er-ashburn"], false, now) }, nil},
		{"no-path", func(f fabric, d sim.Demo, now time.Time) { f.Delete(d.Connections["gw-east-1/er-chicago"], now) }, nil},
		{"no-standby", nil, func(s string) string {
			s = strings.ReplaceAll(s, "preference: [ashburn, chicago, dallas]", "preference: [ashburn]")
			return strings.ReplaceAll(s, "mode: automatic\n    gateways", "mode: observe\n    gateways") // automatic needs a standby
		}},
		{"shared-conduit", nil, func(s string) string {
			s = strings.ReplaceAll(s, "monitors: ["+monitorOf("er-ashburn")+"]", "shares: [conduit-7]")
			return strings.ReplaceAll(s, "monitors: ["+monitorOf("er-chicago")+"]", "shares: [Conduit-7]")
		}},
		{"connection-failed", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignField(d.Connections["gw-east-1/er-ashburn"], "provisioningState", "Failed", now)
		}, nil},
		{"not-connected", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignField(d.Connections["gw-east-1/er-ashburn"], "connectionStatus", "NotConnected", now)
		}, nil},
		{"weight-too-high", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignWrite(d.Connections["gw-east-1/er-ashburn"], 31000, now)
		}, nil},
		{"same-site", nil, func(s string) string { return strings.ReplaceAll(s, "site: dc2", "site: dc1") }},
		{"equal-weights", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignWrite(d.Connections["gw-east-1/er-chicago"], 200, now)
		}, nil},
		{"weights-against-preference", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignWrite(d.Connections["gw-east-1/er-chicago"], 300, now)
		}, nil},
		{"fastpath-differs", func(f fabric, d sim.Demo, now time.Time) {
			f.ForeignField(d.Connections["gw-east-1/er-chicago"], "expressRouteGatewayBypass", false, now)
		}, nil},
		{"observe-only", nil, func(s string) string { return strings.Replace(s, "mode: automatic", "mode: observe", 1) }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			found := slices.DeleteFunc(told(posture(t, c.harm, c.edit)), func(line string) bool { return slices.Contains(clean, line) })
			if !slices.ContainsFunc(found, func(line string) bool { return strings.Contains(line, " "+c.rule+" ") }) {
				t.Errorf("it was not found; what is new: %q", found)
			}
		})
	}
}

// TestCheckFormats renders findings in every form; the SARIF one fits the part of its
// schema that is written here.
func TestCheckFormats(t *testing.T) {
	issues := posture(t, func(f *sim.Fabric, d sim.Demo, now time.Time) { f.SetPeering(d.Circuits["er-ashburn"], false, now) }, nil)
	var text, md bytes.Buffer
	issuesText(&text, issues)
	issuesMarkdown(&md, issues)
	for _, want := range []string{"CRITICAL  ashburn: the private peering is Disabled (peering-disabled)", "fix: enable the private peering"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if !strings.Contains(md.String(), "| critical |  | ashburn | the private peering is Disabled |") {
		t.Errorf("the table lacks the finding:\n%s", md.String())
	}
	body, err := json.Marshal(sarif(issues), json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	const schema = `{"type":"object","required":["version","runs"],"properties":{"version":{"const":"2.1.0"},"runs":{"minItems":1,"items":{"required":["tool","results"],
		"properties":{"tool":{"required":["driver"],"properties":{"driver":{"required":["name","rules"]}}},"results":{"minItems":1,"items":{"required":["ruleId","level","message","locations"],"properties":{"level":{"enum":["error","warning","note"]}}}}}}}}}`
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.MustCompile("sarif.json").Validate(value); err != nil {
		t.Error(err)
	}
}
