package failover

import (
	"context"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/armnet"
	"erfailover/failover/health"
	erpolicy "erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/sim"
	"erfailover/failover/topology"
)

// wall is a clock that several goroutines may read; sleeping moves it.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func (c *wall) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *wall) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return nil
}

type simToken struct{ arm *sim.ARM }

func (s simToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: s.arm.Token(), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// wired is the engine on the demo estate's south region, two virtual network gateways
// and a Virtual WAN one, through the real client over TLS.
type wired struct {
	*testing.T
	demo  sim.Demo
	arm   *sim.ARM
	clk   *wall
	store *recordtest.Memory
	eng   *Engine
	ids   int
}

func newWired(t *testing.T) *wired {
	start := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	w := &wired{T: t, demo: sim.DemoEstateAt(start, sim.Timing{}), clk: &wall{now: start}, store: recordtest.NewMemory()}
	w.arm = sim.NewARM(w.demo.Fabric, sim.Options{Now: w.clk.Now})
	if err := w.arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.arm.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.arm.CAPEM())
	transport := armnet.NewTransport(roots, nil)
	t.Cleanup(transport.CloseIdleConnections)
	net, err := armnet.New(armnet.Config{Cloud: armnet.Custom, Endpoint: w.arm.URL(), Audience: w.arm.URL(), Authority: "https://login.test/",
		Transport: transport, Now: w.clk.Now, Sleep: w.clk.Sleep, Credential: simToken{w.arm}})
	if err != nil {
		t.Fatal(err)
	}
	est := topology.Estate{Groups: []topology.Group{{Name: "south", Tiers: [][]string{{"er-dallas"}, {"er-ashburn"}, {"er-chicago-2"}}}}}
	for _, name := range []string{"er-dallas", "er-ashburn", "er-chicago-2"} {
		est.Circuits = append(est.Circuits, topology.Circuit{Name: name, ID: events.Canonical(w.demo.Circuits[name])})
	}
	for _, name := range w.demo.Regions["south"] {
		kind := topology.VNet
		if strings.Contains(w.demo.Gateways[name], "expressRouteGateways") {
			kind = topology.VWAN
		}
		id := events.Canonical(w.demo.Gateways[name])
		est.Gateways, est.Groups[0].Gateways = append(est.Gateways, topology.Gateway{ID: id, Kind: kind}), append(est.Groups[0].Gateways, id)
	}
	est.Sort()
	rule := GroupRules{Health: health.DefaultRule(), Policy: erpolicy.Rule{Mode: erpolicy.Automatic, CoolDown: time.Minute, Fresh: 5 * time.Minute, SettleAfter: time.Minute,
		Failback: erpolicy.Failback{Mode: erpolicy.FailbackAutomatic, After: 30 * time.Minute}, Drift: erpolicy.DriftAsk, Approval: erpolicy.Approval{Approvers: 1, Expires: 15 * time.Minute},
		Levers: []erpolicy.Lever{erpolicy.LeverWeight, erpolicy.LeverDisconnect, erpolicy.LeverPeering}}}
	w.eng = New(Settings{Store: w.store, Network: net, Clock: w.clk, Log: zerolog.Nop(), Owner: "a", Topology: est, Hash: "h",
		ID: func() string { w.ids++; return "id-" + strconv.Itoa(w.ids) }, Rules: map[string]GroupRules{"south": rule},
		Limits: erpolicy.Limits{OperationsAtOnce: 2, OperationsPerHour: 20}, Timing: DefaultTiming()})
	return w
}

// pass lets time pass, with every circuit good and a tick every 15 s.
func (w *wired) pass(span time.Duration) {
	w.Helper()
	for end := w.clk.Now().Add(span); w.clk.Now().Before(end); {
		next := w.clk.Now().Add(15 * time.Second)
		var sigs []events.Signal
		for _, c := range w.eng.Topology.Circuits {
			for _, link := range []events.Link{events.Primary, events.Secondary, events.BothLinks} {
				o, plane := events.Metric, events.ControlPlane
				if link == events.BothLinks {
					o, plane = events.Probe, events.DataPlane
				}
				w.ids++
				sigs = append(sigs, events.Signal{ID: "s-" + strconv.Itoa(w.ids), Kind: events.Health, Observer: o, Source: "x", Resource: c.ID, Link: link, Plane: plane, State: events.Up, At: w.clk.Now()})
			}
		}
		w.handle(sigs...)
		if err := w.eng.Tick(w.Context()); err != nil {
			w.Fatal(err)
		}
		if d := next.Sub(w.clk.Now()); d > 0 {
			_ = w.clk.Sleep(w.Context(), d)
		}
	}
}

func (w *wired) handle(sigs ...events.Signal) {
	w.Helper()
	if _, err := w.eng.Handle(w.Context(), sigs); err != nil {
		w.Fatal(err)
	}
}

func (w *wired) order(o events.Order) {
	w.Helper()
	w.ids++
	o.Group, o.By = "south", "ana"
	w.handle(events.Signal{ID: "s-" + strconv.Itoa(w.ids), Kind: events.Command, Observer: events.Person, Source: "ana", At: w.clk.Now(), Order: &o})
}

func (w *wired) group() record.Group {
	w.Helper()
	g, _, err := (&run{Engine: w.eng}).loadGroup(w.Context(), "south")
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// carrying returns the circuits that carry the region's traffic in the fabric.
func (w *wired) carrying() string {
	var out []string
	for _, gw := range w.demo.Regions["south"] {
		for _, c := range w.demo.Fabric.Carrying(w.demo.Gateways[gw], w.clk.Now()) {
			if name := short(c); !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, " ")
}

// TestDrillByLeverOverTLS: drills of kind disconnect and link, and a peering that a
// person agrees to disable, through the real client; each is put back, the last one
// by its deadline.
func TestDrillByLeverOverTLS(t *testing.T) {
	w := newWired(t)
	w.pass(time.Minute)
	w.order(events.Order{Verb: events.OrderDrill, Lever: events.LeverDisconnect, Operation: "d-1", Until: w.clk.Now().Add(20 * time.Minute)})
	w.pass(3 * time.Minute)
	g := w.group()
	if on := w.carrying(); on != "er-ashburn" || len(g.Cuts) != 3 || len(g.Recent) != 1 || g.Recent[0].Result != record.Proven || g.Drill != "d-1" {
		t.Fatalf("carrying %q, cuts %d, ended %+v, drill %q", on, len(g.Cuts), g.Recent, g.Drill)
	}
	w.order(events.Order{Verb: events.OrderFailback})
	w.pass(2 * time.Minute)
	if g = w.group(); w.carrying() != "er-dallas" || len(g.Cuts) != 0 || g.Drill != "" || g.Recent[0].Kind != erpolicy.KindRestore {
		t.Fatalf("carrying %q, cuts %d, drill %q, ended %+v", w.carrying(), len(g.Cuts), g.Drill, g.Recent)
	}
	w.order(events.Order{Verb: events.OrderDrill, Lever: events.LeverLink, Link: events.Secondary, Operation: "d-2", Until: w.clk.Now().Add(5 * time.Minute)})
	w.pass(2 * time.Minute)
	if l, _ := w.demo.Fabric.Link(w.demo.Circuits["er-dallas"], sim.Secondary, w.clk.Now()); l.BGP || w.carrying() != "er-dallas" {
		t.Fatalf("link %+v, carrying %q", l, w.carrying())
	}
	w.pass(5 * time.Minute)
	if l, _ := w.demo.Fabric.Link(w.demo.Circuits["er-dallas"], sim.Secondary, w.clk.Now()); !l.BGP || w.group().Drill != "" {
		t.Fatalf("after the deadline: link %+v, drill %q", l, w.group().Drill)
	}
	w.pass(2 * time.Minute)
	w.order(events.Order{Verb: events.OrderFailover, Lever: events.LeverPeering, Until: w.clk.Now().Add(15 * time.Minute), Overrides: []string{"last-path"}})
	if op := w.group().Operation; op == nil || op.Status != record.AwaitingApproval {
		t.Fatalf("the peering lever does not wait for a person: %+v", op)
	}
	w.order(events.Order{Verb: events.OrderApprove})
	w.pass(2 * time.Minute)
	if on := w.carrying(); on != "er-ashburn" {
		t.Fatalf("carrying %q with the peering disabled", on)
	}
	w.pass(15 * time.Minute)
	if on := w.carrying(); on != "er-dallas" || len(w.group().Cuts) != 0 {
		t.Fatalf("after the deadline: carrying %q, cuts %d", on, len(w.group().Cuts))
	}
	for _, r := range w.demo.Fabric.Requests() {
		if r.Authorization == "none" || (r.Status >= 400 && r.Kind == sim.KindTest) {
			t.Errorf("%s %s answered %d %s", r.Method, r.Path, r.Status, r.Code)
		}
	}
}
