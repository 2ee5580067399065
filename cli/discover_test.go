package cli

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// estateOf serves an estate over TLS and returns a real client of it and its section of
// the configuration.
func estateOf(t *testing.T, est sim.Demo, o sim.Options) (*sim.ARM, *armnet.Client, config.Azure) {
	t.Helper()
	arm := sim.NewARM(est.Fabric, o)
	if err := arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = arm.Close() })
	transport := armnet.NewTransport(arm.TLS().RootCAs, nil)
	t.Cleanup(transport.CloseIdleConnections)
	az := config.Default().Azure
	az.Cloud, az.Custom = config.CloudCustom, &config.CustomCloud{ResourceManager: arm.URL(), Audience: "https://management.azure.com", Authority: "https://login.example"}
	cfg := armnet.Config{Cloud: armnet.Custom, Endpoint: arm.URL(), Audience: az.Custom.Audience, Authority: az.Custom.Authority, Credential: junk{arm.Token()}, Transport: transport}
	if o.NoLimits { // nobody counts requests, so waits between them are only reckoned
		var slept atomic.Int64
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
		cfg.Sleep = func(ctx context.Context, d time.Duration) error { slept.Add(int64(d)); return ctx.Err() }
	}
	net, err := armnet.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return arm, net, az
}

// The demo estate is discovered from nothing but its address: the configuration is the
// demo's own, in its groups and its order, and a check of it has nothing critical.
func TestDiscoverTheDemoEstate(t *testing.T) {
	est := sim.DemoEstateAt(time.Now(), sim.Timing{})
	_, net, az := estateOf(t, est, sim.Options{PageSize: 3})
	dir := t.TempDir()
	o := discoverOptions{out: filepath.Join(dir, "erfailover.yaml"), picture: filepath.Join(dir, "estate.svg")}
	var stdout, stderr bytes.Buffer
	if err := discover(t.Context(), net, az, o, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.out)
	if err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := config.Parse(text)
	if err != nil || len(warnings) != 0 {
		t.Fatalf("%v %v\n%s", err, warnings, text)
	}
	if len(cfg.Groups) != 3 || len(cfg.Circuits) != 6 {
		t.Errorf("%d groups, %d circuits", len(cfg.Groups), len(cfg.Circuits))
	}
	for region, group := range map[string]string{"east": "eastus2", "central": "northcentralus", "south": "southcentralus"} {
		var want []string
		for _, c := range est.Preference[region] {
			want = append(want, "["+short(c)+"]")
		}
		if got := fmt.Sprint(cfg.Groups[group].Preference); got != "["+strings.Join(want, " ")+"]" || len(cfg.Groups[group].Gateways) != 3 {
			t.Errorf("%s: %s with %d gateways, want %v with 3", group, got, len(cfg.Groups[group].Gateways), want)
		}
	}
	for _, want := range []string{"6 circuits, 9 gateways, 27 connections, 3 groups", "200 ── ashburn  home", "Equinix, Washington DC, 10 Gbps", "gw-east-1, gw-east-2, gw-east-3", "erfailover check --config"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the picture lacks %q:\n%s", want, stdout.String())
		}
	}
	if !strings.Contains(stderr.String(), "1 of 1 subscriptions: 6 circuits, 9 gateways, 27 connections") {
		t.Errorf("progress: %s", stderr.String())
	}
	svg, err := os.ReadFile(o.picture)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if el, ok := tok.(xml.StartElement); ok && el.Name.Local == "line" {
			lines++
		}
	}
	if lines != 27 {
		t.Errorf("the picture has %d lines, one for each connection is 27", lines)
	}
	for _, i := range report.CheckPosture(lookAround(t.Context(), cfg, net)) {
		if i.Severity == report.Critical {
			t.Errorf("the discovered estate is told %s: %s", i.Rule, i.Fact)
		}
	}
	if err := discover(t.Context(), net, az, o, &stdout, &stderr); exitCode(err) != exitUsage {
		t.Errorf("a file of others was written over: %v", err)
	}
}

// What may not be read is told in the draft and on stderr; what can be read stands. A
// circuit of a subscription that was not searched is read by its ID.
func TestDiscoverTellsWhatIsMissing(t *testing.T) {
	est := sim.DemoEstateAt(time.Now(), sim.Timing{})
	arm, net, az := estateOf(t, est, sim.Options{})
	arm.Inject(sim.Rule{Match: sim.Match{Path: "/providers/Microsoft.Network/expressRouteCircuits$", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
	arm.Inject(sim.Rule{Match: sim.Match{Path: "/expressRouteCircuits/er-dallas$", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
	var stdout, stderr bytes.Buffer
	if err := discover(t.Context(), net, az, discoverOptions{subscriptions: []string{sim.DemoSubscription}}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# NOTE: not read: survey /subscriptions/" + sim.DemoSubscription, "# Equinix, Washington DC, 10 Gbps", "  # not read: it is in a subscription"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the draft lacks %q:\n%s", want, stdout.String())
		}
	}
	if !strings.Contains(stderr.String(), "not read: circuit ") || !strings.Contains(stderr.String(), "Observer") && !strings.Contains(stderr.String(), "role") {
		t.Errorf("stderr: %s", stderr.String())
	}
	none := sim.DemoEstateAt(time.Now(), sim.Timing{})
	for _, id := range none.Connections {
		none.Fabric.Delete(id, time.Now())
	}
	_, net, az = estateOf(t, none, sim.Options{})
	if err := discover(t.Context(), net, az, discoverOptions{}, &stdout, &stderr); err == nil || !strings.Contains(err.Error(), "6 circuits, 9 gateways and 0 connections were found") {
		t.Errorf("an estate without connections: %v", err)
	}
}
