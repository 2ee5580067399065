package sim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestTraffic runs the scenarios in testdata/traffic. To accept new output, run
// `go test ./failover/sim -run TestTraffic -rewrite` and read the diff.
func TestTraffic(t *testing.T) {
	datadriven.Walk(t, "testdata/traffic", func(t *testing.T, path string) {
		s := &scene{Spec: Spec{Start: benchStart}, now: benchStart}
		datadriven.RunTest(t, path, s.run)
	})
}

// scene is one scenario: names stand for resource IDs.
type scene struct {
	Spec
	fabric *Fabric
	now    time.Time
}

func sceneID(typ, name string) string { return demoRoot + "/" + typ + "/" + name }

// run carries out one command and then shows the flow.
func (s *scene) run(t *testing.T, d *datadriven.TestData) string {
	arg := func(key string) string {
		if a, found := d.Arg(key); found {
			return strings.Join(a.Vals, ",")
		}
		return ""
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			d.Fatalf(t, "%q is not a number", text)
		}
		return n
	}
	if arg("after") != "" {
		span, err := time.ParseDuration(arg("after"))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.now = s.now.Add(span)
	}
	circuit, link := sceneID("expressRouteCircuits", arg("circuit")), Link(arg("link"))
	switch d.Cmd {
	case "circuit":
		s.Circuits = append(s.Circuits, CircuitSpec{ID: sceneID("expressRouteCircuits", arg("name")), Location: arg("location"), Prefixes: strings.Split(arg("prefixes"), ",")})
		return "ok"
	case "gateway":
		s.Gateways = append(s.Gateways, GatewaySpec{ID: sceneID("virtualNetworkGateways", arg("name")), Kind: VNet, Mbps: number(arg("mbps"))})
		return "ok"
	case "connect":
		s.Connections = append(s.Connections, ConnectionSpec{
			ID: sceneID("connections", arg("gateway")+"-"+arg("circuit")), Circuit: circuit,
			Gateway: sceneID("virtualNetworkGateways", arg("gateway")), Weight: int32(number(arg("weight"))),
		})
		return "ok"
	case "start":
		f, err := NewFabric(s.Spec)
		if err != nil {
			return err.Error()
		}
		s.fabric = f
	case "cut":
		s.fabric.Cut(circuit, s.now)
	case "heal":
		s.fabric.Heal(circuit, s.now)
	case "lose":
		s.fabric.Grey(circuit, number(arg("share")), s.now)
	case "lose-link":
		s.fabric.SetLoss(circuit, link, number(arg("share")), s.now)
	case "dead-line":
		s.fabric.SetLine(circuit, link, false, s.now)
	case "bgp-down":
		s.fabric.SetBGP(circuit, link, false, s.now)
	case "drain":
		s.fabric.SetDrained(circuit, link, true, s.now)
	case "peering-off":
		s.fabric.SetPeering(circuit, false, s.now)
	case "failed-state":
		s.fabric.SetProvisioning(circuit, failed, s.now)
	case "weigh":
		s.fabric.ForeignWrite(sceneID("connections", arg("gateway")+"-"+arg("circuit")), int32(number(arg("weight"))), s.now)
	case "look":
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	return s.show()
}

// show tells for each gateway what carries what, and what has been lost.
func (s *scene) show() string {
	var b strings.Builder
	for _, id := range s.fabric.Gateways() {
		fmt.Fprintf(&b, "%s: loss %.0f%%", lastName(id), 100*s.fabric.LossAt(id, s.now))
		for _, p := range s.fabric.Paths(id, s.now) {
			var names []string
			for _, c := range p.Circuits {
				names = append(names, lastName(c))
			}
			if len(names) == 0 {
				names = []string{"unreachable"}
			}
			fmt.Fprintf(&b, "; %s over %s", p.Prefix, strings.Join(names, "+"))
		}
		f := s.fabric.Flow(id, s.now)
		fmt.Fprintf(&b, "; sent %.0f MB, lost %.0f MB, dead %s, hurt %s\n", f.Sent/1e6, f.Lost/1e6, f.Dead, f.Hurt)
	}
	return b.String()
}
