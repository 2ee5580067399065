package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"erfailover/failover/sim"
)

// network is where the estate's resources stand.
const network = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network"

// estate is a number of pairs of circuits, each with a gateway on both, behind
// Azure's REST face over TLS. The clock is the real one.
type estate struct {
	fabric   *sim.Fabric
	arm      *sim.ARM
	identity *sim.Identity
	pairs    int
	dir      string
}

func circuitID(pair int, which string) string {
	return fmt.Sprintf("%s/expressRouteCircuits/er-%s-%02d", network, which, pair)
}
func gatewayID(pair int) string {
	return fmt.Sprintf("%s/virtualNetworkGateways/gw-%02d", network, pair)
}
func connectionID(pair int, which string) string {
	return fmt.Sprintf("%s/connections/cn-%02d-%s", network, pair, which)
}
func monitorID(pair int) string {
	return fmt.Sprintf("%s/networkWatchers/watcher/connectionMonitors/cm-%02d", network, pair)
}

// newEstate makes an estate and starts its faces.
func newEstate(t testing.TB, pairs int) *estate {
	t.Helper()
	spec := sim.Spec{Seed: 7, Start: time.Now(), Timing: sim.Timing{Land: 20 * time.Millisecond, End: 40 * time.Millisecond, Read: 20 * time.Millisecond}}
	for i := range pairs {
		spec.Gateways = append(spec.Gateways, sim.GatewaySpec{ID: gatewayID(i), Kind: sim.VNet, Region: "eastus2", SKU: "ErGw3AZ", Mbps: 500})
		for n, which := range []string{"home", "spare"} {
			place := fmt.Sprintf("place-%02d-%s", i, which)
			spec.Circuits = append(spec.Circuits, sim.CircuitSpec{ID: circuitID(i, which), Region: "eastus2", Provider: "provider-" + place, Location: place,
				Bandwidth: 10000, Tier: "Premium", LatencyMS: 3, Prefixes: []string{"10.10.0.0/16"}})
			spec.Connections = append(spec.Connections, sim.ConnectionSpec{ID: connectionID(i, which), Gateway: gatewayID(i), Circuit: circuitID(i, which), Weight: []int32{200, 100}[n]})
		}
	}
	f, err := sim.NewFabric(spec)
	if err != nil {
		t.Fatal(err)
	}
	e := &estate{fabric: f, arm: sim.NewARM(f, sim.Options{RetryAfter: time.Second, WriteBudget: 100000, ReadBudget: 100000}), pairs: pairs, dir: t.TempDir()}
	if err := e.arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.arm.Close() })
	if e.identity, err = sim.NewIdentity(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.identity.Close() })
	if err := e.arm.WriteCA(filepath.Join(e.dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	return e
}

// env writes a configuration with a record of its own and returns what the program
// is started with. The first groups pairs are in it.
func (e *estate) env(t testing.TB, name string, groups int) []string {
	t.Helper()
	var circuits, text strings.Builder
	for i := range groups {
		fmt.Fprintf(&circuits, "  home-%02d: {id: %s, site: dc1, monitors: [%s]}\n  spare-%02d: {id: %s, site: dc2}\n", i, circuitID(i, "home"), monitorID(i), i, circuitID(i, "spare"))
		fmt.Fprintf(&text, `  g-%02d:
    mode: automatic
    gateways: [%s]
    preference: [home-%02d, spare-%02d]
    objective: 5m
    health: {holdDown: 1s, holdUp: 2m, observers: 2, confirmByRead: false, degraded: alert}
    coolDown: 5m
    failback: {mode: manual}
`, i, gatewayID(i), i, i)
	}
	cfg := filepath.Join(e.dir, name+".yaml")
	yaml := fmt.Sprintf("version: 1\nazure:\n  cloud: custom\n  custom: {resourceManager: %s, audience: https://management.azure.com, authority: https://login.example}\n  identity: managed\nrecord:\n  bolt: %s\ncircuits:\n%sgroups:\n%slimits: {operationsAtOnce: 1000, operationsPerHour: 1000}\nauth: {mode: loopback}\n",
		e.arm.URL(), filepath.Join(e.dir, name+".db"), circuits.String(), text.String())
	if err := os.WriteFile(cfg, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(e.identity.Env(), "ERFAILOVER_CONFIG="+cfg, "SSL_CERT_FILE="+filepath.Join(e.dir, "ca.pem"), "WEBSITE_SITE_NAME=")
}

// firstPut returns when the first PUT for a connection of a pair reached Azure; the
// zero time when none has.
func (e *estate) firstPut(pair int) time.Time {
	for _, r := range e.fabric.Puts("") {
		if strings.EqualFold(r.Path, connectionID(pair, "home")) || strings.EqualFold(r.Path, connectionID(pair, "spare")) {
			return r.At
		}
	}
	return time.Time{}
}
