package page

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// at is the instant of every scene.
var at = time.Date(2026, 2, 11, 3, 4, 5, 0, time.UTC)

// scene is an estate that a test shows, and what became of its orders.
type scene struct {
	mu      sync.Mutex
	look    Look
	journal []record.Entry
	orders  []sent
	refuse  bool
	plan    Plan
	now     time.Time
	looks   int
	err     error
}

// sent is one order that reached the API.
type sent struct {
	path, user, key string
	body            map[string]any
}

// options are the parts of a page that shows the scene.
func (s *scene) options() Options {
	return Options{
		Look: func(context.Context) (Look, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.looks++
			return s.look, s.err
		},
		Operation: func(_ context.Context, id string) (report.Operation, error) {
			for _, g := range s.look.Status.Groups {
				if g.Operation != nil && g.Operation.ID == id {
					return *g.Operation, nil
				}
			}
			return report.Operation{}, &fault.Error{Op: "find the operation", Kind: fault.NotFound, Hint: "it may be too old"}
		},
		Journal: func(_ context.Context, stream string, before uint64, limit int) ([]record.Entry, error) {
			var out []record.Entry
			for _, e := range slices.Backward(s.journal) {
				if "group."+e.Group == stream && (before == 0 || e.Seq < before) && len(out) < limit {
					out = append(out, e)
				}
			}
			return out, nil
		},
		Plan: func(context.Context, events.Order) (Plan, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.plan, nil
		},
		API:     http.HandlerFunc(s.take),
		AskName: true,
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.now.IsZero() {
				return at
			}
			return s.now
		},
		Fresh: time.Nanosecond,
	}
}

// take is the API: it keeps orders, or refuses them.
func (s *scene) take(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := sent{path: r.URL.Path, user: r.Header.Get("X-Erfailover-User"), key: r.Header.Get("Idempotency-Key")}
	raw, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(raw, &o.body)
	s.orders = append(s.orders, o)
	if s.refuse {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"title":"A guard refused this","detail":"chicago is <b>not</b> proven","errors":[{"field":"/to","want":"another circuit"}]}`)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"order":"k","state":"accepted"}`)
}

func (s *scene) taken() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.orders)
}

// change changes the scene while it is shown.
func (s *scene) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// serve serves the scene on loopback.
func (s *scene) serve(t testing.TB) *httptest.Server {
	t.Helper()
	h, err := New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func circuitID(name string) string {
	return "/subscriptions/s/resourcegroups/net/providers/microsoft.network/expressroutecircuits/" + name
}

func gatewayID(name string) string {
	return "/subscriptions/s/resourcegroups/net/providers/microsoft.network/virtualnetworkgateways/" + name
}

// group returns a group that is well, on three circuits and two gateways.
func group(name string, circuits ...string) report.GroupStatus {
	g := report.GroupStatus{
		Name: name, Mode: policy.Automatic, Home: circuits[:1], Active: circuits[:1], AtHome: true, ReadAt: at.Add(-20 * time.Second),
		Verdict:   policy.Verdict{Action: policy.Hold, Group: name, Reasons: []policy.Finding{{Code: policy.Well, Text: "every active circuit carries traffic"}}},
		VerdictAt: at.Add(-15 * time.Second),
	}
	for _, c := range circuits {
		g.Circuits = append(g.Circuits, health.Belief{
			Circuit: c, State: health.Healthy, Since: at.Add(-48 * time.Hour), GoodSince: at.Add(-48 * time.Hour), Links: [2]health.State{health.Healthy, health.Healthy}, Needed: 2,
			Good: []health.Evidence{{Observer: events.Metric, Source: "BgpAvailability", State: events.Up, At: at.Add(-40 * time.Second)}},
		})
	}
	for n := range 2 {
		for i, c := range circuits {
			g.Weights = append(g.Weights, report.Weight{
				Connection: fmt.Sprintf("%s-gw%d-%s", name, n+1, c), Gateway: gatewayID(fmt.Sprintf("%s-gw%d", name, n+1)), Circuit: c, Now: int32(max(200-100*i, 10)), Carries: i == 0,
			})
		}
	}
	return g
}

// estate makes the facts that go with groups.
func estate(groups ...report.GroupStatus) topology.Estate {
	var e topology.Estate
	providers := []string{"Equinix", "Megaport", "Zayo", "Lumen"}
	seen := map[string]bool{}
	for _, g := range groups {
		tg := topology.Group{Name: g.Name}
		for i, b := range g.Circuits {
			tg.Tiers = append(tg.Tiers, []string{b.Circuit})
			if seen[b.Circuit] {
				continue
			}
			seen[b.Circuit] = true
			e.Circuits = append(e.Circuits, topology.Circuit{Name: b.Circuit, ID: circuitID(b.Circuit), Site: fmt.Sprintf("dc%d", i%2+1), Provider: providers[i%4], Location: "Washington DC"})
		}
		for _, w := range g.Weights {
			if !slices.Contains(tg.Gateways, w.Gateway) {
				tg.Gateways = append(tg.Gateways, w.Gateway)
				e.Gateways = append(e.Gateways, topology.Gateway{ID: w.Gateway, Kind: topology.VNet})
			}
		}
		e.Groups = append(e.Groups, tg)
	}
	e.Sort()
	return e
}

// calmScene is an estate of two groups in which nothing is wrong.
func calmScene() *scene {
	east, west := group("east", "ashburn", "chicago", "dallas"), group("west", "seattle", "sanjose", "dallas")
	s := &scene{look: Look{Status: report.Status{At: at, Discovered: at.Add(-time.Hour), Groups: []report.GroupStatus{east, west}}, Estate: estate(east, west)}}
	s.tell("east", "verdict.changed", "hold: every active circuit carries traffic")
	return s
}

// tell adds an entry to the journal.
func (s *scene) tell(group, code, text string) {
	seq := uint64(len(s.journal) + 1)
	s.journal = append(s.journal, record.Entry{Seq: seq, At: at.Add(-time.Minute + time.Duration(seq)*time.Second), Group: group, Code: code, Text: text, Hash: fmt.Sprint(seq)})
}

// failoverScene is an estate in which ashburn is down and traffic of east is being
// moved to chicago.
func failoverScene() *scene {
	s := calmScene()
	g := &s.look.Status.Groups[0]
	b := &g.Circuits[0]
	b.State, b.Since, b.BadSince, b.Confirmed = health.Down, at.Add(-70*time.Second), at.Add(-2*time.Minute), at.Add(-80*time.Second)
	b.Links, b.Observers, b.Good = [2]health.State{health.Down, health.Down}, 2, nil
	b.Damped, b.Penalty, b.ReuseAt = true, 2600, at.Add(9*time.Minute)
	b.Bad = []health.Evidence{
		{Observer: events.Probe, Source: "connectionmonitors/cm-ashburn", State: events.Down, At: at.Add(-100 * time.Second), Detail: "65 % of checks fail"},
		{Observer: events.ResourceHealth, State: events.Down, At: at.Add(-90 * time.Second), Detail: "Unavailable"},
	}
	objective := 5 * time.Minute
	op := record.Operation{
		ID: "op-0011223344556677", Kind: policy.KindFailover, Group: "east", Status: record.Applying,
		Plan:    planner.Plan{ID: "p-0011223344556677", Group: "east", Kind: policy.KindFailover, Epoch: 4, From: []string{"ashburn"}, To: []string{"chicago"}},
		Verdict: policy.Verdict{Action: policy.Move, Reasons: []policy.Finding{{Code: policy.CircuitDown, Circuit: "ashburn", Text: "ashburn is down"}}},
		Stamps:  record.Stamps{Signal: at.Add(-2 * time.Minute), Confirm: at.Add(-80 * time.Second), Decide: at.Add(-70 * time.Second)},
	}
	for i := range 2 {
		st := executor.StepState{Step: planner.Step{Connection: fmt.Sprintf("east-gw%d-chicago", i+1), Gateway: gatewayID(fmt.Sprintf("east-gw%d", i+1)), Circuit: "chicago", From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: 204}}, Phase: executor.Sent, Attempts: 1, BegunAt: at.Add(-60 * time.Second)}
		if i == 0 {
			st.Phase, st.DoneAt = executor.Done, at.Add(-20*time.Second)
		}
		op.Steps = append(op.Steps, st)
	}
	shown := report.MakeOperation(op, objective)
	g.Operation = &shown
	g.Verdict = op.Verdict
	g.Active, g.AtHome = []string{"ashburn", "chicago"}, false // one gateway of two has moved
	for i := range g.Weights {
		if w := &g.Weights[i]; w.Gateway == gatewayID("east-gw1") {
			w.Carries = w.Circuit == "chicago"
			if w.Carries {
				w.Now = 204
			}
		}
	}
	s.tell("east", "signal.noted", "probe says that ashburn is down")
	s.tell("east", "operation.decided", "failover from ashburn to chicago")
	return s
}

// plannedScene is the calm estate with a plan to switch over.
func plannedScene() *scene {
	s := calmScene()
	s.plan = Plan{
		Verdict: policy.Verdict{Action: policy.Move, Kind: policy.KindFailover, From: []string{"ashburn"}, To: []string{"chicago"}, Reasons: []policy.Finding{{Code: policy.Ordered, Text: "a person ordered it"}}},
		Plan: planner.Plan{ID: "p-aa11223344556677", Group: "east", Kind: policy.KindFailover, Epoch: 5, Steps: []planner.Step{
			{Connection: "c1", Gateway: gatewayID("east-gw1"), Circuit: "chicago", From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: 205}},
		}},
	}
	return s
}

// bigScene has 200 groups and 2,000 circuits, three of the groups in trouble.
func bigScene() *scene {
	var groups []report.GroupStatus
	for i := range 200 {
		var names []string
		for k := range 10 {
			names = append(names, fmt.Sprintf("circuit-%03d-%d", i, k))
		}
		g := group(fmt.Sprintf("group-%03d", i), names...)
		if i%67 == 66 {
			g.Circuits[0].State, g.Circuits[0].Since = health.Down, at.Add(-time.Minute)
			g.Verdict.Reasons = []policy.Finding{{Code: policy.HoldDown, Text: "bad, but not for long enough", Until: at.Add(20 * time.Second)}}
		}
		groups = append(groups, g)
	}
	return &scene{look: Look{Status: report.Status{At: at, Groups: groups}, Estate: estate(groups...)}}
}
