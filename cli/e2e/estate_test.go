//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"erfailover/failover/sim"
)

// The estate: one group of three gateways on three circuits. The first gateway has
// FastPath, the second a circuit of another subscription, the third is Virtual
// WAN's. At rest ashburn carries, then chicago, then dallas.
const (
	subscription = "00000000-0000-0000-0000-000000000001"
	network      = "/subscriptions/" + subscription + "/resourceGroups/net/providers/Microsoft.Network"
	group        = "east"
)

func circuits() []string { return []string{"ashburn", "chicago", "dallas"} }
func gateways() []string { return []string{"gw-1", "gw-2", "gw-hub"} }

func circuitID(name string) string { return network + "/expressRouteCircuits/er-" + name }

func gatewayID(name string) string {
	if name == "gw-hub" {
		return network + "/expressRouteGateways/" + name
	}
	return network + "/virtualNetworkGateways/" + name
}

func connectionID(gateway, circuit string) string {
	if gateway == "gw-hub" {
		return gatewayID(gateway) + "/expressRouteConnections/cn-" + circuit
	}
	return network + "/connections/cn-" + strings.TrimPrefix(gateway, "gw-") + "-" + circuit
}

// newFabric makes the estate. Writes land after 4 s of its time.
func newFabric(t testing.TB, start time.Time) *sim.Fabric {
	t.Helper()
	spec := sim.Spec{Seed: 7, Start: start, Timing: sim.Timing{Land: 4 * time.Second, End: 6 * time.Second, Read: 2 * time.Second}}
	for i, name := range circuits() {
		spec.Circuits = append(spec.Circuits, sim.CircuitSpec{
			ID: circuitID(name), Region: "eastus2", Tier: "Premium", Bandwidth: 10000, LatencyMS: 5,
			Provider: []string{"Equinix", "Megaport", "Lumen"}[i], Location: []string{"Washington DC", "Chicago", "Dallas"}[i],
			Prefixes: []string{"10.10.0.0/16", "10.20.0.0/16"}, Microsoft: []string{"203.0.113.0/24"},
		})
	}
	for _, name := range gateways() {
		g := sim.GatewaySpec{ID: gatewayID(name), Kind: sim.VNet, Region: "eastus2", SKU: "ErGw3AZ", Mbps: 900}
		if name == "gw-hub" {
			g.Kind, g.Hub = sim.VWAN, network+"/virtualHubs/hub-east"
		}
		spec.Gateways = append(spec.Gateways, g)
		for i, c := range circuits() {
			k := sim.ConnectionSpec{ID: connectionID(name, c), Gateway: g.ID, Circuit: circuitID(c), Weight: []int32{200, 100, 50}[i],
				FastPath: name != "gw-2", PrivateLink: name == "gw-1", Tags: map[string]string{"owner": "network", "cost-center": "42"}}
			if name == "gw-2" {
				k.Key = "5c1b7a90-0000-4000-8000-00000000beef"
			}
			spec.Connections = append(spec.Connections, k)
		}
	}
	f, err := sim.NewFabric(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// clock is the estate's time: speed estate seconds in one of ours.
type clock struct {
	mu          sync.Mutex
	start, base time.Time
	speed       float64
}

// fast is the usual speed.
const fast = 40

func newClock() *clock {
	return &clock{start: time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC), base: time.Now(), speed: fast}
}

// Now returns the estate's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start.Add(time.Duration(float64(time.Since(c.base)) * c.speed))
}

// setSpeed goes on from now at another speed. The program must not run meanwhile:
// it reads its clock once, at its start.
func (c *clock) setSpeed(speed float64) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.base, c.speed = now, time.Now(), speed
}

// env returns the setting that puts the program on this clock.
func (c *clock) env() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("ERFAILOVER_DEMO_CLOCK=%s@%d@%g", c.start.Format(time.RFC3339Nano), c.base.UnixNano(), c.speed)
}

// configText is the program's configuration: everybody's file, with waits of
// seconds.
//
// Azure's monitoring is not asked: these stories are about messages, and count requests.
// TestNoMessage asks it.
func configText(endpoint, record string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1
azure:
  cloud: custom
  custom: {resourceManager: %q, audience: "https://management.azure.com", authority: "https://login.example"}
  identity: managed
record: {bolt: %q}
circuits:
`, endpoint, record)
	for _, c := range circuits() {
		fmt.Fprintf(&b, "  %s: {id: %s, site: dc-%s}\n", c, circuitID(c), c)
	}
	fmt.Fprintf(&b, "groups:\n  %s:\n    mode: automatic\n    preference: [%s]\n    gateways:\n", group, strings.Join(circuits(), ", "))
	for _, g := range gateways() {
		fmt.Fprintf(&b, "      - %s\n", gatewayID(g))
	}
	b.WriteString(`    health:
      holdDown: 5s
      holdUp: 20s
      observers: 2
      confirmByRead: true
      maxAge: {metric: 2h, resource-health: 2h, read: 2h}
    coolDown: 30s
    candidateFresh: 1h
    failback: {mode: automatic, after: 40s}
timing: {sendDeadline: 40s, landing: 1m, settleAfter: 10s, poll: {doubt: 30s, all: 1h, monitor: false}}
auth: {mode: loopback}
`)
	return b.String()
}
