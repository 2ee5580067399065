package armnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
	"erfailover/failover/topology"
)

func TestEmulatorReads(t *testing.T) {
	e := newEstate(t, sim.Options{PageSize: 2})
	c := e.read(executor.RefCircuit, e.Circuits["er-ashburn"])
	want := topology.Circuit{ID: events.Canonical(e.Circuits["er-ashburn"]), Provider: "Equinix", Location: "Washington DC", Region: "eastus2", Bandwidth: 10000, Tier: "Premium", Family: "MeteredData"}
	if c.Err != nil || fmt.Sprint(c.Circuit.Circuit) != fmt.Sprint(want) || !c.Circuit.Enabled || !c.Circuit.Provisioned || c.Circuit.Peering != "Enabled" {
		t.Errorf("circuit: %+v %v", c.Circuit, c.Err)
	}
	for name, kind := range map[string]topology.GatewayKind{"gw-east-1": topology.VNet, "gw-south-hub": topology.VWAN} {
		g := e.read(executor.RefGateway, e.Gateways[name])
		if g.Err != nil || g.Gateway.Kind != kind || g.Gateway.Region == "" {
			t.Errorf("gateway: %+v %v", g.Gateway, g.Err)
		}
		list := e.read(executor.RefConnections, e.Gateways[name])
		if list.Err != nil || len(list.Connections) != 3 {
			t.Fatalf("connections: %+v %v", list.Connections, list.Err)
		}
		for _, k := range list.Connections {
			one := e.read(executor.RefConnection, k.ID)
			if one.Err != nil {
				t.Fatal(one.Err)
			}
			one.Connection.Rest = "" // a list tells too little for it
			if *one.Connection != k {
				t.Errorf("the list and the read differ: %+v, %+v", k, one.Connection)
			}
		}
	}
	if r := e.read(executor.RefConnection, e.Connections["gw-east-1/er-chicago"]+"x"); r.Err != nil || r.Found {
		t.Errorf("what is not there: %+v", r)
	}
	_ = e.clk.Sleep(t.Context(), time.Minute)
	if tr := e.read(executor.RefTraffic, e.Circuits["er-ashburn"]); tr.Err != nil || tr.Traffic.Out[0] == 0 {
		t.Errorf("traffic: %+v %v", tr.Traffic, tr.Err)
	}
	e.Fabric.SetProvisioning(e.Circuits["er-ashburn"], "Failed", e.clk.Now())
	e.Fabric.SetPeering(e.Circuits["er-ashburn"], false, e.clk.Now())
	if c := e.read(executor.RefCircuit, e.Circuits["er-ashburn"]); c.Circuit.Provisioning != "Failed" || c.Circuit.Peering != "Disabled" {
		t.Errorf("circuit: %+v", c.Circuit)
	}
}

// answer asks a question and looks until its answer is there.
func (e *estate) answer(q executor.Question) *executor.Answer {
	b := e.net.Ask(context.Background(), []executor.Question{q})[0]
	if b.Err != nil || b.Token == "" {
		e.Fatalf("asked: %+v", b)
	}
	token := b.Token
	for range 10 {
		_ = e.clk.Sleep(context.Background(), 5*time.Second)
		p := e.net.Poll(context.Background(), []executor.Running{{Token: token, Question: &q}})[0]
		if p.Done {
			if p.Err != nil || p.Answer == nil {
				e.Fatalf("answered: %+v", p)
			}
			return p.Answer
		}
		if p.Err != nil {
			e.Fatalf("look: %+v", p)
		}
		token = p.Token
	}
	e.Fatal("no answer")
	return nil
}

func TestEmulatorQuestions(t *testing.T) {
	e := newEstate(t, sim.Options{})
	circuit, gw := events.Canonical(e.Circuits["er-ashburn"]), events.Canonical(e.Gateways["gw-east-1"])
	bgp := executor.Question{Kind: executor.AskBGP, Target: circuit, Link: "primary"}
	established := func(a *executor.Answer) (n int) {
		for _, p := range a.Peers {
			if p.Established {
				n++
			}
		}
		return n
	}
	if a := e.answer(bgp); len(a.Peers) == 0 || established(a) != len(a.Peers) || a.Peers[0].Prefixes == 0 {
		t.Errorf("at rest: %+v", a.Peers)
	}
	routes := len(e.answer(executor.Question{Kind: executor.AskRoutes, Target: gw}).Routes)
	if routes == 0 {
		t.Error("no routes")
	}
	table := e.answer(executor.Question{Kind: executor.AskTable, Target: circuit, Link: "primary"}).Routes
	if i := slices.IndexFunc(table, func(r executor.Route) bool {
		return r.Network == "10.10.0.0/16" && r.ASPath == "65010" && r.NextHop != ""
	}); i < 0 {
		t.Errorf("the table lacks what on-premises announces: %+v", table)
	}
	if i := slices.IndexFunc(table, func(r executor.Route) bool { return r.ASPath == "65515" }); i < 0 {
		t.Errorf("the table lacks what Azure announces: %+v", table)
	}
	if a := e.answer(executor.Question{Kind: executor.AskARP, Target: circuit, Link: "secondary"}); len(a.ARP) < 2 {
		t.Errorf("ARP: %+v", a.ARP)
	}
	e.Fabric.SetLink(e.Circuits["er-ashburn"], sim.Primary, false, e.clk.Now())
	if a := e.answer(bgp); established(a) == len(a.Peers) {
		t.Errorf("with the link down: %+v", a.Peers)
	}
}

// Three hundred gateways move at once, more than the published limits let through
// in one go: all are begun, Azure never has to refuse one, and it takes no longer
// than our share of the limits makes it.
func TestEmulatorManyGateways(t *testing.T) {
	const n = 300
	e := newEstate(t, sim.Options{}, func(s *sim.Spec) {
		s.Gateways, s.Connections = nil, nil
		for i := range n {
			gw := fmt.Sprintf("%s/virtualNetworkGateways/gw-%d", testNet, i)
			s.Gateways = append(s.Gateways, sim.GatewaySpec{ID: gw, Kind: sim.VNet, Region: "eastus"})
			s.Connections = append(s.Connections, sim.ConnectionSpec{ID: fmt.Sprintf("%s/connections/cn-%d", testNet, i), Gateway: gw, Circuit: s.Circuits[0].ID, Weight: 100})
		}
	})
	e.net.pace.maxWait, e.net.pace.maxRead = 0, 0 // every wait is told, none is slept
	var pending []executor.Write
	for i := range n {
		pending = append(pending, executor.Write{Connection: fmt.Sprintf("%s/connections/cn-%d", testNet, i), Gateway: fmt.Sprintf("%s/virtualnetworkgateways/gw-%d", testNet, i), From: 100, To: 201, Epoch: "1"})
	}
	for len(pending) > 0 && e.clk.Now().Before(someTime.Add(time.Hour)) {
		var later []executor.Write
		for i, b := range e.net.Begin(t.Context(), pending) {
			if f := asFault(t, b.Err); f.Code == "Paced" && b.RetryAfter > 0 {
				later = append(later, pending[i])
			} else if b.Token == "" {
				t.Fatalf("%+v", b)
			}
		}
		pending = later
		_ = e.clk.Sleep(t.Context(), time.Second)
	}
	// Writes: (300-160)/8 = 17.5 s; reads: (300-125)/12.5 = 14 s, and some more for
	// the reads whose write had to wait after all.
	if took := e.clk.Now().Sub(someTime); took > 25*time.Second || len(pending) > 0 {
		t.Errorf("%v, %d left", took, len(pending))
	}
	for _, r := range e.Fabric.Requests() {
		if r.Status >= 400 {
			t.Fatalf("%s %s: %d", r.Method, r.Path, r.Status)
		}
	}
}

// An endless wait is ended by the caller, and the outcome is unknown.
func TestEmulatorHangs(t *testing.T) {
	e := newEstate(t, sim.Options{})
	e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionPut}, Fault: sim.Fault{Kind: sim.Hang}})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	w := e.write("gw-east-1/er-chicago", 201, "1")
	if b := e.net.Begin(ctx, []executor.Write{w})[0]; b.Outcome != executor.Unknown || !b.Sent || asFault(t, b.Err).Kind != fault.Unavailable {
		t.Errorf("got %+v", b)
	}
}

// The identity service refuses: nothing is sent, and the hint says where to look.
func TestEmulatorIdentityRefuses(t *testing.T) {
	e := newEstate(t, sim.Options{})
	e.id.Refuse(true)
	w := e.write("gw-east-1/er-chicago", 201, "1")
	b := e.net.Begin(t.Context(), []executor.Write{w})[0]
	if f := asFault(t, b.Err); b.Outcome != executor.NotApplied || b.Sent || f.Kind != fault.Denied || !strings.Contains(f.Hint, "azure.identity") {
		t.Errorf("got %+v", b)
	}
}

// childEnv marks the run of this test binary as a process of its own.
const childEnv = "ARMNET_CHILD_ENDPOINT"

// The true production path: certificates from SSL_CERT_FILE, the identity from
// IDENTITY_ENDPOINT, no transport of ours, in a process of its own.
func TestProductionPath(t *testing.T) {
	if endpoint := os.Getenv(childEnv); endpoint != "" {
		child(t, endpoint)
		return
	}
	e := newEstate(t, sim.Options{})
	ca := t.TempDir() + "/ca.pem"
	if err := e.arm.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestProductionPath$", "-test.v")
	cmd.Env = append(e.id.Env(), "SSL_CERT_FILE="+ca, "SSL_CERT_DIR="+t.TempDir(), childEnv+"="+e.arm.URL(), "CONNECTION="+events.Canonical(e.Connections["gw-east-1/er-chicago"]),
		"HTTPS_PROXY=http://127.0.0.1:1", "HTTP_PROXY=http://127.0.0.1:1") // a proxy that is not asked for
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("weight 100, sent true")) {
		t.Fatalf("%v\n%s", err, out)
	}
	if weight, _ := e.Fabric.Weight(e.Connections["gw-east-1/er-chicago"], e.clk.Now().Add(time.Hour)); weight != 201 {
		t.Errorf("the weight is %d", weight)
	}
	if n := e.id.Served(); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// child is the process of its own.
func child(t *testing.T, endpoint string) {
	cfg := Config{Cloud: Custom, Endpoint: endpoint, Audience: "https://management.azure.com", Authority: "https://login.test/"}
	var err error
	if cfg.Credential, err = NewCredential("managed", cfg); err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := c.Begin(t.Context(), []executor.Write{{ID: "w", Connection: os.Getenv("CONNECTION"), From: 100, To: 201, Epoch: "1", NotAfter: time.Now().Add(time.Minute)}})[0]
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	t.Logf("weight %d, sent %t", b.Before.Weight, b.Sent)
	if !jsontext.Value(b.Token).IsValid() {
		t.Error("no token")
	}
}
