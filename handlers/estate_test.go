package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/topology"
)

const subscription = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/"

// wires is an Azure in memory: weights that land 20 s after they were sent.
type wires struct {
	mu    sync.Mutex
	now   func() time.Time
	est   topology.Estate
	conns map[string]executor.ConnectionState
	runs  map[executor.Token]executor.Write
	at    map[executor.Token]time.Time
	puts  int
	lost  string // ID of a circuit whose sessions are down
}

func (w *wires) land() {
	for t, run := range w.runs {
		if c := w.conns[run.Connection]; !w.now().Before(w.at[t]) && c.Provisioning == "Updating" {
			c.Weight, c.Epoch, c.Provisioning = run.To, run.Epoch, "Succeeded"
			w.conns[run.Connection] = c
		}
	}
}

func (w *wires) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.land()
	out := make([]executor.Reading, len(refs))
	for i, ref := range refs {
		r := executor.Reading{Ref: ref, At: w.now(), Found: true}
		switch ref.Kind {
		case executor.RefConnection:
			c, ok := w.conns[ref.ID]
			r.Found, r.Connection = ok, &c
		case executor.RefConnections:
			for _, k := range w.est.Connections {
				if k.Gateway == ref.ID {
					r.Connections = append(r.Connections, w.conns[k.ID])
				}
			}
		case executor.RefCircuit:
			c, _ := w.est.Circuit(w.est.CircuitOf(ref.ID))
			r.Circuit = &executor.CircuitState{Circuit: c, Enabled: true, Provisioned: true, Peering: "Enabled"}
		case executor.RefGateway:
			g, _ := w.est.Gateway(ref.ID)
			r.Gateway = &g
		case executor.RefTraffic:
			n := w.now().Unix()
			r.Traffic = &executor.Traffic{In: [2]int64{n, n}, Out: [2]int64{n, n}}
		}
		out[i] = r
	}
	return out
}

func (w *wires) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]executor.Begun, len(writes))
	for i, write := range writes {
		w.puts++
		before := w.conns[write.Connection]
		c := before
		c.Provisioning = "Updating"
		w.conns[write.Connection] = c
		t := executor.Token("t-" + strconv.Itoa(w.puts))
		w.runs[t], w.at[t] = write, w.now().Add(20*time.Second)
		out[i] = executor.Begun{Outcome: executor.Unknown, Token: t, RetryAfter: 10 * time.Second, Sent: true, Before: &before}
	}
	return out
}

func (w *wires) Ask(_ context.Context, qs []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(qs))
	for i := range qs {
		out[i] = executor.Begun{Outcome: executor.Unknown, Token: "ask", RetryAfter: 5 * time.Second}
	}
	return out
}

func (w *wires) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.land()
	out := make([]executor.Polled, len(running))
	for i, r := range running {
		switch {
		case r.Question != nil:
			out[i] = executor.Polled{Done: true, Outcome: executor.Applied, Answer: &executor.Answer{Question: *r.Question, At: w.now(),
				Peers:  []executor.Peer{{Neighbor: "172.16.0.1", ASN: 65001, Established: !strings.EqualFold(r.Question.Target, w.lost), Prefixes: 12}},
				Routes: []executor.Route{{Network: "10.0.0.0/8", Origin: "EBgp"}}}}
		case w.now().Before(w.at[r.Token]):
			out[i] = executor.Polled{Token: r.Token, Outcome: executor.Unknown, RetryAfter: 5 * time.Second}
		default:
			out[i] = executor.Polled{Done: true, Outcome: executor.Applied}
		}
	}
	return out
}

// hands is a virtual clock: sleeping moves it.
type hands struct{ ns atomic.Int64 }

func (c *hands) Now() time.Time { return time.Unix(0, c.ns.Load()).UTC() }

func (c *hands) Sleep(_ context.Context, d time.Duration) error {
	c.ns.Add(int64(d))
	return nil
}

// estate is a group "east" of two gateways and three circuits, with any number of
// instances of the program over one record.
type estate struct {
	t     testing.TB
	clock *hands
	store *recordtest.Memory
	wires *wires
	facts topology.Estate
	rule  failover.GroupRules
	ids   atomic.Int64
	auth  Auth
	env   map[string]string
	limit Limits

	drills fakeDrills
}

func newEstate(t testing.TB) *estate {
	e := &estate{t: t, clock: &hands{}, store: recordtest.NewMemory(), auth: Auth{Mode: ModeLoopback}, env: map[string]string{}}
	e.clock.ns.Store(at.UnixNano())
	e.wires = &wires{now: e.clock.Now, conns: map[string]executor.ConnectionState{}, runs: map[executor.Token]executor.Write{}, at: map[executor.Token]time.Time{}}
	g := topology.Group{Name: "east", Tiers: [][]string{{"ashburn"}, {"chicago"}, {"dallas"}}}
	for _, gw := range []string{"gw1", "gw2"} {
		id := subscription + "virtualnetworkgateways/" + gw
		e.facts.Gateways = append(e.facts.Gateways, topology.Gateway{ID: id, Kind: topology.VNet, Region: "eastus"})
		g.Gateways = append(g.Gateways, id)
	}
	for i, name := range []string{"ashburn", "chicago", "dallas"} {
		c := topology.Circuit{Name: name, ID: subscription + "expressroutecircuits/er-" + name, Provider: fmt.Sprintf("Provider %d", i), Location: fmt.Sprintf("Location %d", i), Bandwidth: 1000, Tier: "Premium"}
		e.facts.Circuits = append(e.facts.Circuits, c)
		for _, gw := range e.facts.Gateways {
			id := subscription + "connections/" + gw.ID[strings.LastIndexByte(gw.ID, '/')+1:] + "-" + name
			e.facts.Connections = append(e.facts.Connections, topology.Connection{ID: id, Gateway: gw.ID, Circuit: c.ID})
			e.wires.conns[id] = executor.ConnectionState{ID: id, Gateway: gw.ID, Circuit: c.ID, Weight: int32(200 / (i + 1)), Provisioning: "Succeeded", Status: "Connected"}
		}
	}
	e.facts.Groups = []topology.Group{g}
	e.facts.Sort()
	e.wires.est = e.facts
	e.rule = failover.GroupRules{Health: health.DefaultRule(), Policy: policy.Rule{Mode: policy.Automatic, Objective: 3 * time.Minute, CoolDown: 30 * time.Minute, Fresh: 2 * time.Minute,
		SettleAfter: time.Minute, Failback: policy.Failback{Mode: policy.FailbackAutomatic, After: 30 * time.Minute}, Drift: policy.DriftAsk,
		Approval: policy.Approval{Approvers: 1, Distinct: true, Expires: 15 * time.Minute}, Levers: []policy.Lever{policy.LeverWeight}}}
	return e
}

// instance starts one more process over the record.
func (e *estate) instance(name string) (http.Handler, *failover.Engine) {
	e.t.Helper()
	configured := e.facts
	configured.Connections = nil
	eng := failover.New(failover.Settings{Store: e.store, Network: e.wires, Clock: e.clock, Log: zerolog.Nop(), Owner: name, Topology: configured, Hash: "cfg",
		ID:    func() string { return "id-" + strconv.FormatInt(e.ids.Add(1), 10) },
		Rules: map[string]failover.GroupRules{"east": e.rule}, Limits: policy.Limits{OperationsAtOnce: 2, OperationsPerHour: 6}, Timing: failover.DefaultTiming()})
	h, err := New(Options{Engine: EngineFuncs{HandleFunc: func(ctx context.Context, sigs []events.Signal) (Receipt, error) {
		r, err := eng.Handle(ctx, sigs)
		return Receipt(r), err
	}, TickFunc: eng.Tick}, Letters: NewRecordLetters(e.store), Parse: ParseEvents, Auth: e.auth, Log: zerolog.Nop(), Now: e.clock.Now,
		Getenv: func(k string) string { return e.env[k] }, Calendar: &e.drills, LinkKey: linkKeyOfTests, Views: NewViews(eng), Port: 7071, Limits: e.limit})
	if err != nil {
		e.t.Fatal(err)
	}
	return h, eng
}

// say tells every engine's record one thing about circuits, by observers.
func (e *estate) say(eng *failover.Engine, state events.State, names []string, observers ...events.Observer) {
	e.t.Helper()
	var sigs []events.Signal
	for _, name := range names {
		c, _ := e.facts.Circuit(name)
		for _, o := range observers {
			for _, link := range []events.Link{events.Primary, events.Secondary} {
				plane := events.ControlPlane
				if o == events.Probe {
					plane, link = events.DataPlane, events.BothLinks
				}
				sigs = append(sigs, events.Signal{ID: fmt.Sprintf("s-%s-%s-%s-%s-%d", o, name, state, link, e.clock.Now().UnixNano()), Kind: events.Health, Observer: o,
					Source: string(o) + " rule", Resource: c.ID, Link: link, Plane: plane, State: state, At: e.clock.Now()})
			}
		}
	}
	if _, err := eng.Handle(context.Background(), sigs); err != nil {
		e.t.Fatal(err)
	}
}

// healthy makes every circuit good by two observers, now.
func (e *estate) healthy(eng *failover.Engine) {
	e.say(eng, events.Up, []string{"ashburn", "chicago", "dallas"}, events.Metric, events.Probe)
}

// ask sends one request. Headers come as "Name: value".
func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:7071", "127.0.0.1:50000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		k, v, _ := strings.Cut(line, ": ")
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
