package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover/boltstore"
	"erfailover/failover/config"
	"erfailover/failover/sim"
)

// armed is the demo estate behind the real client, with a configuration of mode
// automatic.
func armed(t *testing.T) (*sim.ARM, *parts, *bytes.Buffer) {
	t.Helper()
	est := sim.DemoEstateAt(time.Now(), sim.Timing{})
	arm, net, az := estateOf(t, est, sim.Options{NoLimits: true})
	file := filepath.Join(t.TempDir(), "draft.yaml")
	var sink bytes.Buffer
	if err := discover(t.Context(), net, az, discoverOptions{out: file}, &sink, &sink); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Parse([]byte(strings.ReplaceAll(string(text), "mode: observe", "mode: automatic")))
	if err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(filepath.Join(t.TempDir(), "record.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	clk, err := clockFrom("")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	return arm, &parts{config: cfg, store: store, net: net, clock: clk, log: zerolog.New(&log)}, &log
}

func demoScope(rest string) string {
	return "/subscriptions/" + sim.DemoSubscription + "/resourceGroups/net" + rest
}

// Each action is named with why it is needed, whether it is held, and the role that
// gives it. What the configuration needs and the identity lacks is exit code 1.
func TestPermissions(t *testing.T) {
	arm, p, _ := armed(t)
	var out bytes.Buffer
	if err := permissions(t.Context(), p.config, p.net, "text", &out); err != nil {
		t.Fatalf("an owner: %v\n%s", err, out.String())
	}
	if s := out.String(); strings.Contains(s, "NOT held") || strings.Contains(s, "partly") || !strings.Contains(s, "identity: managed identity, system-assigned") || strings.Contains(s, "expressRoutePorts") {
		t.Errorf("an owner is told:\n%s", s)
	}
	arm.SetGrants(sim.Grant{Scope: demoScope(""), Actions: []string{"*/read", "Microsoft.Network/virtualNetworkGateways/getlearnedroutes/action"}},
		sim.Grant{Scope: demoScope("/providers/Microsoft.Network/connections/cn-east-1-ashburn"), Actions: []string{"Microsoft.Network/connections/write"}})
	out.Reset()
	err := permissions(t.Context(), p.config, p.net, "text", &out)
	if exitCode(err) != exitFailed || !strings.Contains(err.Error(), "4 actions that the configuration needs are not held") {
		t.Errorf("a reader: %v", err)
	}
	for _, want := range []string{
		"partly held  Microsoft.Network/connections/write\n             to raise a weight, which is the move itself\n             not on 23 of 24: cn-central-1-chicago",
		"and 18 more\n             role ExpressRoute Failover Operator\n",
		"NOT held     Microsoft.Network/virtualNetworkGateways/join/action\n",
		"held         Microsoft.Network/expressRouteCircuits/peerings/routeTables/read\n             to know which prefixes a circuit announces\n             role ExpressRoute Failover Observer\n",
		"startSiteFailoverTest/action\n             to disconnect a site, where levers or drills ask for it\n             not on 8 of 8: gw-central-1, gw-central-2, gw-central-3, gw-east-1, gw-east-2, and 3 more\n             role ExpressRoute Drill Runner; this configuration does not need it",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("a reader is not told %q:\n%s", want, out.String())
		}
	}
	arm.Inject(sim.Rule{Match: sim.Match{Path: "Microsoft.Authorization", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
	out.Reset()
	if err := permissions(t.Context(), p.config, p.net, "text", &out); err != nil || !strings.Contains(out.String(), "not known    Microsoft.Network/connections/write") {
		t.Errorf("permissions that may not be read: %v\n%s", err, out.String())
	}
	for _, g := range []string{"observe", "automatic"} {
		cfg := p.config
		cfg.Groups = map[string]config.Group{}
		for name, group := range p.config.Groups {
			if g == "observe" {
				group.Mode = "observe"
			}
			cfg.Groups[name] = group
		}
		arm.ClearFaults()
		if err := permissions(t.Context(), cfg, p.net, "json", &out); (err == nil) != (g == "observe") {
			t.Errorf("a reader with mode %s: %v", g, err)
		}
	}
}

// At the start one line says who we are and what we may not do; within the hour nobody
// asks again, and a new configuration does.
func TestTheIdentityIsToldOnce(t *testing.T) {
	arm, p, log := armed(t)
	arm.SetGrants(sim.Grant{Scope: demoScope(""), Actions: []string{"*/read"}})
	tellIdentity(t.Context(), p)
	asked := func() (n int) {
		for _, r := range arm.Fabric().Requests() {
			if strings.Contains(r.Path, "Microsoft.Authorization") {
				n++
			}
		}
		return n
	}
	first := asked()
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `"event":"identity.rights","identity":"managed identity, system-assigned","missing":["Microsoft.Network/virtualNetworkGateways/getlearnedroutes/action","Microsoft.Network/connections/write"`) || first == 0 {
		t.Errorf("%d asked, told %s", first, s)
	}
	tellIdentity(t.Context(), p)
	if n := asked(); n != first || strings.Count(log.String(), "identity.rights") != 2 {
		t.Errorf("asked %d times more within the hour: %s", n-first, log)
	}
	p.config.EstateLimits.OperationsAtOnce++
	tellIdentity(t.Context(), p)
	if n := asked(); n != 2*first {
		t.Errorf("a new configuration: asked %d, want %d", n, 2*first)
	}
}
