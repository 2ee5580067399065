package infratest

import (
	"context"
	"crypto/x509"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/armnet"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/report"
	"erfailover/failover/sim"
)

// call is one kind of request to Azure Resource Manager.
type call struct{ method, path string }

func (c call) String() string { return c.method + " " + c.path }

// recorder remembers what passes through it.
type recorder struct {
	next http.RoundTripper
	host string // Azure Resource Manager's
	mu   sync.Mutex
	seen map[call]bool
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == r.host { // others give tokens
		r.mu.Lock()
		r.seen[call{req.Method, pattern(req.URL.Path)}] = true
		r.mu.Unlock()
	}
	return r.next.RoundTrip(req)
}

// pattern puts {} in the place of every name of a path, and gives types their usual
// letters: Azure takes any, and so does the comparison.
func pattern(p string) string {
	segs := strings.Split(strings.Trim(p, "/"), "/")
	names := false // after a provider, types and names alternate
	for i := 0; i < len(segs); i++ {
		switch low := strings.ToLower(segs[i]); {
		case low == "providers":
			segs[i], names = "providers", false
			i++ // the provider itself
		case names:
			segs[i], names = "{}", false
		default:
			names = true
		}
	}
	return "/" + strings.ToLower(strings.Join(segs, "/"))
}

// row is one line of testdata/calls.txt.
type row struct {
	role    string
	call    call
	actions []string
}

func callTable(t *testing.T) []row {
	t.Helper()
	var out []row
	for line := range strings.Lines(text(t, "testdata/calls.txt")) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "|")
		if len(f) != 5 || strings.TrimSpace(f[4]) == "" {
			t.Fatalf("want role, method, path, actions and source: %s", line)
		}
		r := row{role: strings.TrimSpace(f[0]), call: call{strings.TrimSpace(f[1]), strings.ToLower(strings.TrimSpace(f[2]))}}
		for a := range strings.SplitSeq(f[3], "+") {
			if a = strings.TrimSpace(a); a != "" {
				r.actions = append(r.actions, a)
			}
		}
		out = append(out, r)
	}
	return out
}

// TestRolesAreWhatIsCalled sends every call that the program can send, and compares
// the actions with those of the roles, both ways.
func TestRolesAreWhatIsCalled(t *testing.T) {
	seen, table, roles := drive(t), callTable(t), golden(t)
	mapped, needed := map[call]bool{}, map[string]map[string]bool{"observer": {}, "operator": {}, "drill": {}, "peering": {}, "person": {}}
	for _, r := range table {
		mapped[r.call] = true
		if !seen[r.call] {
			t.Errorf("calls.txt: nothing sends %s", r.call)
		}
		if needed[r.role] == nil {
			t.Errorf("calls.txt: %s: there is no role %q", r.call, r.role)
			continue
		}
		for _, a := range r.actions {
			needed[r.role][a] = true
		}
	}
	for c := range seen {
		if !mapped[c] {
			t.Errorf("%s is sent, and calls.txt does not say which action it needs", c)
		}
	}
	for _, role := range []string{"observer", "operator", "drill"} {
		for a := range needed[role] {
			if !slices.Contains(roles[role], a) {
				t.Errorf("%s lacks %s, which a call needs", role, a)
			}
		}
		for _, a := range roles[role] {
			if !needed[role][a] && !slices.Contains(roles["not yet"], a) {
				t.Errorf("%s has %s, which nothing needs", role, a)
			}
		}
	}
	for _, a := range roles["not yet"] {
		if needed["observer"][a] || needed["operator"][a] || needed["drill"][a] {
			t.Errorf("%s is needed now: take it from the list of those that are not yet", a)
		}
	}
}

// drive sends every call there is: each exported method of the client, each kind of
// reference and question, on each kind of resource. A method or kind that is not
// driven here fails the test.
func drive(t *testing.T) map[call]bool {
	t.Helper()
	r := newCaller(t)
	drives := map[string]func(){
		"Warm":          func() { r.must(r.net.Warm(t.Context())) },
		"Subscriptions": func() { _, err := r.net.Subscriptions(t.Context()); r.must(err) },
		"Survey":        r.survey,
		"Rights":        r.rights,
		"Metrics":       r.metrics,
		"Availability":  r.availability,
		"PlannedWork":   r.planned,
		"Look":          func() {}, // the three above at once
		"Read":          r.reads,
		"Ask":           r.asks,
		"Begin":         func() { r.writes(); r.levers() },
		"Poll":          func() {}, // within Ask and Begin
	}
	for m := range reflect.TypeFor[*armnet.Client]().Methods() {
		do := drives[m.Name]
		if do == nil {
			t.Errorf("armnet.Client.%s is not driven here: what does it send?", m.Name)
			continue
		}
		do()
	}
	return r.rec.seen
}

// caller is the real client before the demo estate, one circuit of it on Direct.
type caller struct {
	*testing.T
	est sim.Demo
	arm *sim.ARM
	net *armnet.Client
	rec *recorder
	mu  sync.Mutex
	now time.Time
}

func (r *caller) must(err error) {
	r.Helper()
	if err != nil {
		r.Error(err)
	}
}

// clock moves when the client sleeps.
func (r *caller) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *caller) sleep(_ context.Context, d time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
	return nil
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	start := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	r := &caller{T: t, now: start.Add(time.Hour), est: sim.DemoEstateAt(start, sim.Timing{})}
	direct := &r.est.Spec.Circuits[0] // on ExpressRoute Direct: its port is read, too
	direct.Provider, direct.Location, direct.Port = "", "", strings.Replace(direct.ID, "expressRouteCircuits", "expressRoutePorts", 1)
	fabric, err := sim.NewFabric(r.est.Spec)
	r.must(err)
	r.est.Fabric = fabric
	arm := sim.NewARM(r.est.Fabric, sim.Options{Now: r.clock, NoLimits: true})
	r.must(arm.Start())
	r.arm = arm
	t.Cleanup(func() { _ = arm.Close() })
	identity, err := sim.NewIdentity()
	r.must(err)
	t.Cleanup(func() { _ = identity.Close() })
	for _, pair := range identity.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(arm.CAPEM())
	tr := armnet.NewTransport(roots, nil)
	t.Cleanup(tr.CloseIdleConnections)
	r.rec = &recorder{next: tr, host: strings.TrimPrefix(arm.URL(), "https://"), seen: map[call]bool{}}
	cfg := armnet.Config{Cloud: armnet.Custom, Endpoint: arm.URL(), Audience: arm.URL() + "/roles", Authority: "https://login.test/", Transport: r.rec, Now: r.clock, Sleep: r.sleep,
		Metrics: arm.URL(), MetricsAudience: arm.URL() + "/metrics"}
	cfg.Credential, err = armnet.NewCredential("managed", cfg)
	r.must(err)
	r.net, err = armnet.New(cfg)
	r.must(err)
	return r
}

func (r *caller) survey() {
	r.net.Survey(r.Context(), []string{sim.DemoSubscription}, func(f armnet.Found) { r.must(f.Err) })
}

// rights asks what the identity holds at one resource of each sort.
func (r *caller) rights() {
	var ids []string
	for _, list := range []map[string]string{r.est.Circuits, r.est.Gateways, r.est.Connections} {
		for _, id := range list {
			ids = append(ids, events.Canonical(id))
		}
	}
	for _, h := range r.net.Rights(r.Context(), ids) {
		r.must(h.Err)
	}
}

// metrics asks for metrics in a batch, and again one by one when that is refused.
func (r *caller) metrics() {
	q := executor.MetricQuery{Namespace: "Microsoft.Network/expressRouteCircuits", Names: []string{"BgpAvailability"}, From: r.clock().Add(-5 * time.Minute), To: r.clock(),
		Interval: time.Minute, Aggregation: executor.ByAverage, SplitBy: []string{"Peer"}}
	for _, id := range r.est.Circuits {
		q.Resources = append(q.Resources, executor.Measurable{ID: events.Canonical(id), Region: "eastus2"})
	}
	for range 2 {
		for _, a := range r.net.Metrics(r.Context(), q) {
			r.must(a.Err)
		}
		r.arm.Inject(sim.Rule{Match: sim.Match{Path: "getBatch", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
		_ = r.sleep(r.Context(), time.Minute)
	}
	r.arm.ClearFaults()
}

// availability asks for one circuit, and for so many that they are a list.
func (r *caller) availability() {
	one := r.est.Circuits["er-chicago"]
	ids := []string{one}
	for len(ids) < 20 {
		ids = append(ids, one)
	}
	for _, n := range []int{1, len(ids)} {
		for _, h := range r.net.Availability(r.Context(), ids[:n]) {
			r.must(h.Err)
		}
	}
}

// planned asks the subscription, and each circuit where that is refused.
func (r *caller) planned() {
	one := r.est.Circuits["er-chicago"]
	r.arm.SetWork(sim.Work{Subscription: sim.DemoSubscription, Tracking: "ABCD-1", Circuits: []string{one}})
	for range 2 {
		for _, p := range r.net.PlannedWork(r.Context(), []string{one}) {
			r.must(p.Err)
		}
		r.arm.Inject(sim.Rule{Match: sim.Match{Path: "^/subscriptions/[^/]*/providers/Microsoft.ResourceHealth", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
	}
	r.arm.ClearFaults()
}

// reads reads every kind of reference on every kind of resource that it fits.
func (r *caller) reads() {
	kinds := constants(r.T, "../../failover/executor", "RefKind")
	var refs []executor.Ref
	for _, kind := range kinds {
		for _, list := range []map[string]string{r.est.Circuits, r.est.Gateways, r.est.Connections} {
			for _, id := range list {
				refs = append(refs, executor.Ref{Kind: executor.RefKind(kind), ID: events.Canonical(id)})
			}
		}
	}
	read := map[executor.RefKind]int{}
	for _, got := range r.net.Read(r.Context(), refs) {
		if got.Found {
			read[got.Ref.Kind]++
		}
	}
	for _, kind := range kinds {
		if read[executor.RefKind(kind)] == 0 {
			r.Errorf("nothing of kind %q could be read", kind)
		}
	}
}

// asks asks every kind of question and polls the answers.
func (r *caller) asks() {
	for _, kind := range constants(r.T, "../../failover/executor", "QuestionKind") {
		asked := 0
		for _, list := range []map[string]string{r.est.Circuits, r.est.Gateways} {
			for _, id := range list {
				q := executor.Question{Kind: executor.QuestionKind(kind), Target: events.Canonical(id), Link: "primary", Peer: "10.255.1.4"}
				b := r.net.Ask(r.Context(), []executor.Question{q})[0]
				if b.Err != nil {
					continue // not for this type of resource
				}
				asked++
				r.follow(executor.Running{Token: b.Token, Question: &q})
			}
		}
		if asked == 0 {
			r.Errorf("question %q could be asked of nothing", kind)
		}
	}
}

// writes raises one connection of each kind of gateway.
func (r *caller) writes() {
	done := map[string]bool{}
	for name, id := range r.est.Connections {
		parsed, err := events.ParseResourceID(id)
		r.must(err)
		if done[parsed.Type()] {
			continue
		}
		done[parsed.Type()] = true
		gw, _, _ := strings.Cut(name, "/")
		from, _ := r.est.Fabric.Weight(events.Canonical(id), r.clock())
		w := executor.Write{ID: "w-1", Connection: events.Canonical(id), Gateway: events.Canonical(r.est.Gateways[gw]), From: from, To: from + 1, Epoch: "1", NotAfter: r.clock().Add(time.Minute)}
		b := r.net.Begin(r.Context(), []executor.Write{w})[0]
		r.must(b.Err)
		r.follow(executor.Running{Token: b.Token, Write: &w})
	}
}

// levers cuts and puts back with every lever, on every kind of resource.
func (r *caller) levers() {
	for _, kind := range constants(r.T, "../../failover/planner", "StepKind") {
		if planner.StepKind(kind) == planner.SetWeight {
			continue
		}
		pulled := 0
		for _, list := range []map[string]string{r.est.Circuits, r.est.Gateways} {
			for _, id := range list {
				w := executor.Write{ID: "w-lever", Kind: planner.StepKind(kind), Cut: true, Connection: events.Canonical(id), Gateway: events.Canonical(id), Location: "Chicago", Link: "primary", NotAfter: r.clock().Add(time.Minute)}
				b := r.net.Begin(r.Context(), []executor.Write{w})[0]
				if b.Err != nil {
					continue // not for this resource
				}
				pulled++
				r.follow(executor.Running{Token: b.Token, Write: &w})
				w.Cut, w.NotAfter = false, r.clock().Add(time.Minute)
				b = r.net.Begin(r.Context(), []executor.Write{w})[0]
				r.must(b.Err)
				r.follow(executor.Running{Token: b.Token, Write: &w})
			}
		}
		if pulled == 0 {
			r.Errorf("lever %q could be pulled on nothing", kind)
		}
	}
}

// follow polls to the end.
func (r *caller) follow(run executor.Running) {
	for range 200 {
		if run.Token == "" {
			return
		}
		_ = r.sleep(r.Context(), 10*time.Second)
		p := r.net.Poll(r.Context(), []executor.Running{run})[0]
		if p.Done {
			return
		}
		run.Token = p.Token
	}
	r.Errorf("never ended: %+v", run)
}

// constants returns the values of a type of a package.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	var out []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path.Join(dir, e.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || fmt.Sprint(spec.Type) != typ {
				return true
			}
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					out = append(out, regexp.MustCompile(`^"(.*)"$`).ReplaceAllString(lit.Value, "$1"))
				}
			}
			return true
		})
	}
	if len(out) < 2 {
		t.Fatalf("no constants of %s were found", typ)
	}
	return out
}

// unasked are actions of the roles that `erfailover check --permissions` does not ask
// for, since it asks about resources of the configuration: where they stand instead.
var unasked = map[string]string{
	"Microsoft.ResourceHealth/impactedResources/read":            "held on the subscription, whose announcements name resources",
	"Microsoft.ResourceHealth/availabilityStatuses/current/read": "the older name of what is asked for",
	"Microsoft.ResourceHealth/events/impactedResources/read":     "held on the subscription, whose announcements name resources",
	"Microsoft.Network/locations/operations/read":                "held on a subscription's locations",
	"Microsoft.Network/locations/operationResults/read":          "held on a subscription's locations",
	"Microsoft.Network/virtualHubs/hubRouteTables/read":          "held on the hub, which no configuration names",
	"Microsoft.Network/virtualHubs/routeMaps/read":               "held on the hub, which no configuration names",
}

// TestRightsAreOfTheRoles: what `erfailover check --permissions` asks for is what the
// role that it names gives, in Bicep and in Terraform, and the other way round.
func TestRightsAreOfTheRoles(t *testing.T) {
	bicep := templates(t)["../modules/roles.bicep"].Lists
	terraform := text(t, "../terraform/roles.tf")
	for _, r := range []struct {
		role                 report.Role
		inBicep, inTerraform string
	}{
		{report.RoleObserver, "observerActions", "observer_actions"}, {report.RoleOperator, "operatorActions", "operator_actions"}, {report.RoleDrill, "drillActions", "drill_actions"},
	} {
		for source, actions := range map[string][]string{"Bicep": bicep[r.inBicep], "Terraform": hclList(terraform, r.inTerraform)} {
			given := map[string]bool{}
			for _, right := range report.Rights() {
				if right.Role != r.role {
					continue
				}
				by := slices.IndexFunc(actions, func(a string) bool { return report.Allows([]report.Permission{{Actions: []string{a}}}, right.Action) })
				if by < 0 {
					t.Errorf("%s: %s is asked for, and %s does not give it", source, right.Action, r.role)
					continue
				}
				given[actions[by]] = true
			}
			for _, a := range actions {
				if !given[a] && unasked[a] == "" {
					t.Errorf("%s: %s gives %s, which nothing asks for", source, r.role, a)
				}
				if given[a] && unasked[a] != "" {
					t.Errorf("%s: %s is asked for: take it from the list of those that are not", source, a)
				}
			}
		}
	}
}
