package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/report"
	"erfailover/handlers"
)

const (
	drillGroups = `version: 1
circuits:
  ashburn: {id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn}
  chicago: {id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-chicago}
  norfolk: {id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-norfolk}
groups:
  east:
    mode: automatic
    gateways: [/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw1]
    preference: [ashburn, chicago]
    objective: 3m
  west:
    mode: automatic
    gateways: [/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw2]
    preference: [norfolk, chicago]
    objective: 3m
drills:
`
	drillMonthly = `  monthly: {group: east, kind: move, schedule: "0 2 1 * *", timezone: America/New_York, hold: 20m, limit: 45m, announce: 1h, blackout: [2026-02-01/2026-02-01]}
`
)

// TestDrills tells drills from the calendar to the outcome, with the engine, the
// configuration and the record as they are; only Azure is small. What the engine
// writes into its journal on the way must be understood by the notices.
func TestDrills(t *testing.T) {
	said := words{}
	datadriven.Walk(t, "testdata/drills", func(t *testing.T, file string) {
		w := newDrillWorld(t)
		said.listen(t, w)
		datadriven.RunTest(t, file, w.run)
		said.hold(t)
	})
	if said.begun == 0 || said.ended == 0 || said.drills == 0 {
		t.Errorf("notices heard of %d operations begun, %d ended, %d entries of drills", said.begun, said.ended, said.drills)
	}
}

// drillWorld is two groups with their engine and their calendar, in one process or in
// two whose clocks differ.
type drillWorld struct {
	t       testing.TB
	p       *parts
	other   *parts // a second instance, with a clock of its own; nil when there is none
	off     time.Duration
	now     time.Time
	store   *recordtest.Memory
	azure   *smallAzure
	printed map[string]int // journal entries that were shown, by drill
	bad     map[string]bool
	said    []events.Signal // said again every minute
	noTimer bool            // the calendar's timer is dead
	dead    bool            // every process is dead
	ids     int
}

func newDrillWorld(t *testing.T) *drillWorld {
	w := &drillWorld{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: recordtest.NewMemory(), bad: map[string]bool{}, printed: map[string]int{}}
	w.azure = &smallAzure{w: w, weights: map[string]*executor.ConnectionState{}}
	w.configure(t, drillMonthly)
	return w
}

// configure starts a process with other drills.
func (w *drillWorld) configure(t testing.TB, drills string) {
	cfg, _, err := config.Parse([]byte(drillGroups + drills))
	if err != nil {
		t.Fatal(err)
	}
	topo := cfg.Topology()
	for _, g := range topo.Groups {
		for i, name := range g.Circuits() {
			c, _ := topo.Circuit(name)
			id := g.Gateways[0] + "-" + name
			if w.azure.weights[id] == nil {
				w.azure.weights[id] = &executor.ConnectionState{ID: id, Gateway: g.Gateways[0], Circuit: c.ID, Weight: int32(200 - 100*i), Provisioning: "Succeeded", Rest: "r"}
			}
		}
	}
	w.p = w.instance(cfg, "a", 0)
}

// instance makes a process on the record, with a clock that is off by some time.
func (w *drillWorld) instance(cfg config.Config, owner string, off time.Duration) *parts {
	p := &parts{config: cfg, store: w.store, clock: &clock{at: func() time.Time { return w.now.Add(off) }}}
	rules := map[string]failover.GroupRules{}
	for _, g := range cfg.Topology().Groups {
		rule := failover.GroupRules{Policy: cfg.PolicyRule(g.Name), Health: health.DefaultRule()}
		rule.Policy.SettleAfter = time.Minute
		rules[g.Name] = rule
	}
	p.engine = failover.New(failover.Settings{Store: w.store, Network: w.azure, Clock: skewed{w, off}, Log: zerolog.Nop(), Owner: owner, Topology: cfg.Topology(), Hash: "c", Rules: rules,
		ID: func() string { w.ids++; return fmt.Sprintf("id-%d", w.ids) }, Limits: cfg.Limits(), Timing: failover.DefaultTiming()})
	return p
}

// skewed is an engine's clock.
type skewed struct {
	w   *drillWorld
	off time.Duration
}

func (s skewed) Now() time.Time { return s.w.now.Add(s.off) }

func (s skewed) Sleep(_ context.Context, d time.Duration) error {
	s.w.now = s.w.now.Add(d)
	return nil
}

// until lets minutes pass, with ticks and what the metrics say.
func (w *drillWorld) until(end time.Time) {
	const lead = 80 * time.Minute // longer than any notice here
	if end.Sub(w.now) > lead {    // quiet days are skipped
		w.now = end.Add(-lead)
	}
	w.live(time.Minute) // after a leap the calendar is late, and knows it
	for w.now.Before(end) {
		// Of five minutes in which nothing happens only the last moment is lived.
		const tick = 15 * time.Second
		quiet := time.Duration(5-w.now.Minute()%5)*time.Minute - tick
		if end.Sub(w.now) > quiet && w.atRest(w.now.Add(quiet)) {
			w.now = w.now.Add(quiet)
			w.live(tick)
			continue
		}
		w.live(time.Minute)
	}
}

// atRest says whether no drill begins by then, and nothing is wrong, moved or said
// beside the metrics and probes.
func (w *drillWorld) atRest(until time.Time) bool {
	if len(w.said)+len(w.azure.tests) > 0 || w.other != nil || w.noTimer {
		return false
	}
	for _, bad := range w.bad {
		if bad {
			return false
		}
	}
	for _, c := range w.azure.weights {
		if c.Epoch != "" || c.Weight%100 != 0 {
			return false
		}
	}
	for name := range w.p.config.Drills {
		spec, err1 := drillSpec(w.p.config, name)
		doc, _, err2 := w.p.drillLoad(context.Background(), name)
		if err1 != nil || err2 != nil || drill.Running(doc) || drill.Due(doc, spec, until) {
			return false
		}
	}
	return true
}

func (w *drillWorld) run(t *testing.T, d *datadriven.TestData) string {
	w.t = t
	arg := func(name, otherwise string) string {
		for _, a := range d.CmdArgs {
			if a.Key == name && len(a.Vals) > 0 {
				return strings.Join(a.Vals, ",")
			}
		}
		return otherwise
	}
	first := ""
	if len(d.CmdArgs) > 0 {
		first = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "until": // until 2026-02-01T06:00:00Z
		end, err := time.Parse(time.RFC3339, first)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		w.until(end)
		return w.news()
	case "bad", "good": // bad chicago: from now on its metrics and probes say so
		w.bad[first] = d.Cmd == "bad"
		return "ok"
	case "say": // say chicago observer=metric source=QosDrops state=up value=7
		w.say(first, arg("observer", "metric"), arg("source", "x"), arg("state", ""), arg("value", ""))
		return "ok"
	case "quiet": // nobody says anything beside the metrics and probes
		w.said = nil
		return "ok"
	case "maintenance": // maintenance chicago start=2026-03-01T07:30:00Z end=2026-03-01T09:00:00Z
		return w.maintenance(first, arg("start", ""), arg("end", ""))
	case "order": // order pause group=east
		o := &events.Order{Verb: events.Verb(first), Group: arg("group", "east"), By: "ana"}
		if o.Verb == events.OrderKill || o.Verb == events.OrderUnkill {
			o.Group = ""
		}
		if _, err := w.p.engine.Handle(context.Background(), []events.Signal{{ID: "s-" + d.Pos, Kind: events.Command, Observer: events.Person, At: w.now, Order: o}}); err != nil {
			return "error: " + err.Error()
		}
		return w.news()
	case "drill": // drill run monthly by=ana
		return w.person(d.CmdArgs[0].Key, d.CmdArgs[1].Key, arg)
	case "write": // write gw1-ashburn=200: somebody else's hand, a terraform apply
		for _, a := range d.CmdArgs {
			c := w.azure.named(a.Key)
			fmt.Sscan(a.Vals[0], &c.Weight)
			c.Epoch = ""
		}
		return "ok"
	case "calendar": // calendar dead | alive
		w.noTimer = first == "dead"
		return "ok"
	case "dead": // every process is dead until a time
		end, err := time.Parse(time.RFC3339, arg("until", ""))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		w.now = end
		w.p = w.instance(w.p.config, "b", 0)
		return "ok"
	case "restart":
		w.p = w.instance(w.p.config, "b", 0)
		return "ok"
	case "second": // second off=5m: another instance whose clock is off
		off, err := time.ParseDuration(arg("off", "0s"))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		w.other = w.instance(w.p.config, "b", off)
		return "ok"
	case "drills":
		lines := ""
		for line := range strings.Lines(d.Input) { // datadriven cuts off the first line's indent
			lines += "  " + strings.TrimSpace(line) + "\n"
		}
		w.configure(t, lines)
		return "ok"
	case "weights":
		var b strings.Builder
		for _, id := range sortedKeys(w.azure.weights) {
			if c := w.azure.weights[id]; strings.Contains(short(id), firstOf(first, "gw1")) {
				fmt.Fprintf(&b, "%s\n", strings.TrimSpace(fmt.Sprintf("%s %d %s", last(id), c.Weight, c.Epoch)))
			}
		}
		return b.String()
	case "tests": // failover tests that run in Azure
		var b strings.Builder
		for _, c := range w.azure.tests {
			fmt.Fprintf(&b, "%s %s%s\n", last(c.target), c.Location, c.Link)
		}
		return firstOf(b.String(), "none\n")
	case "outcome":
		return w.outcome(firstOf(first, "monthly"))
	case "report":
		return w.report(firstOf(first, "monthly"))
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func last(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func (w *drillWorld) outcome(name string) string {
	doc, _, err := w.p.drillLoad(context.Background(), name)
	if err != nil {
		return "error: " + err.Error()
	}
	next := "next " + doc.Next.Format(time.RFC3339)
	if doc.Last == nil {
		return fmt.Sprintf("%s, %s", doc.Phase, next)
	}
	o := doc.Last
	out := fmt.Sprintf("%s (%s), weights %s, recovery %d s\n", o.Result, doc.Phase, o.Weights, o.RecoveryMS/1000)
	if o.Why != "" {
		out += "why: " + o.Why + "\n"
	}
	if len(o.Codes) > 0 {
		out += "codes: " + strings.Join(o.Codes, ", ") + "\n"
	}
	return out + next
}

// person gives an order about a drill, or asks about it, by the desk of the API.
func (w *drillWorld) person(verb, name string, arg func(name, otherwise string) string) string {
	desk := drillDesk{w.p}
	ask := drill.Ask{By: arg("by", "ana"), Reason: arg("reason", ""), Key: arg("key", ""), Accelerated: arg("accelerate", "") != "", Run: arg("run", "")}
	if o := arg("override", ""); o != "" {
		ask.Overrides = strings.Split(o, ",")
	}
	if in := arg("in", ""); in != "" {
		ask.In, _ = time.ParseDuration(in)
	}
	if until := arg("until", ""); until != "" {
		ask.Until, _ = time.Parse(time.RFC3339, until)
	}
	if _, err := desk.Order(context.Background(), name, handlers.DrillVerb(verb), ask); err != nil {
		return fmt.Sprintf("%s: %v", fault.KindOf(err), err)
	}
	return w.news()
}

// report tells what the newest run measured.
func (w *drillWorld) report(name string) string {
	r, err := drillDesk{w.p}.Report(context.Background(), name, "")
	if err != nil {
		return "error: " + err.Error()
	}
	if _, err := r.HTML(); err != nil {
		return "error: " + err.Error()
	}
	if err := w.verified(r); err != nil {
		return "error: " + err.Error()
	}
	text := r.Markdown()
	from, to := strings.Index(text, "## What was measured"), strings.Index(text, "## Journal")
	return text[from:to]
}

// verified holds the report against the record, as "report verify" does, and sees that
// one that was changed does not hold.
func (w *drillWorld) verified(r drill.Report) error {
	body, err := r.JSON()
	if err != nil {
		return err
	}
	check := func(body []byte) (report.Checked, error) {
		got, ours, err := drill.ParseReport(body)
		if err != nil || !ours {
			return report.Checked{}, fmt.Errorf("the report cannot be read again: %t %w", ours, err)
		}
		truth, rows, err := storedDrill(context.Background(), w.store, got)
		return drill.CheckReport(got, truth, rows), err
	}
	if c, err := check(body); err != nil || !c.OK() {
		return fmt.Errorf("the report does not hold: %v %w", c.Differences, err)
	}
	for _, change := range [][2]string{{`"result": "failed"`, `"result": "passed"`}, {`"result": "passed"`, `"result": "failed"`}, {`"weight": 200`, `"weight": 201`}, {`"objective_ms": 180000`, `"objective_ms": 9`}, {`"code": "drill.arm"`, `"code": "drill.end"`}} {
		forged := strings.Replace(string(body), change[0], change[1], 1)
		if forged == string(body) {
			continue
		}
		if c, err := check([]byte(forged)); err != nil || c.OK() {
			return fmt.Errorf("with %s it holds all the same (%v)", change[1], err)
		}
	}
	return nil
}

func (w *drillWorld) say(circuit, observer, source, state, value string) {
	topo := w.p.config.Topology()
	c, ok := topo.Circuit(circuit)
	if !ok {
		w.t.Fatalf("no circuit %q", circuit)
	}
	s := events.Signal{Kind: events.Health, Observer: events.Observer(observer), Source: source, Resource: c.ID, Plane: events.DataPlane, State: events.State(state)}
	if value != "" {
		s.Value = new(float64)
		fmt.Sscan(value, s.Value)
	}
	w.said = append(w.said, s)
}

func (w *drillWorld) maintenance(circuit, start, end string) string {
	topo := w.p.config.Topology()
	c, _ := topo.Circuit(circuit)
	win := &events.Window{}
	var err error
	if win.Start, err = time.Parse(time.RFC3339, start); err != nil {
		return err.Error()
	}
	if win.End, err = time.Parse(time.RFC3339, end); err != nil {
		return err.Error()
	}
	s := events.Signal{ID: "s-m-" + start, Kind: events.Maintenance, Observer: events.ServiceHealth, Source: "x", Resource: c.ID, At: w.now, Correlation: "T1", Window: win}
	if _, err := w.p.engine.Handle(context.Background(), []events.Signal{s}); err != nil {
		return err.Error()
	}
	return "ok"
}

// live lets a minute or less pass: metrics, a tick every 15 s, the calendar; in each
// process that lives.
func (w *drillWorld) live(span time.Duration) {
	ctx := context.Background()
	var sigs []events.Signal
	for _, c := range w.p.config.Topology().Circuits {
		for _, o := range []events.Observer{events.Metric, events.Probe} {
			s := events.Signal{ID: fmt.Sprintf("s-%s-%s-%d-%t", o, c.Name, w.now.Unix(), w.bad[c.Name]), Kind: events.Health, Observer: o, Source: "watch", Resource: c.ID, Plane: events.DataPlane, State: events.Up, At: w.now}
			if w.bad[c.Name] {
				s.State = events.Down
			}
			sigs = append(sigs, s)
		}
	}
	for i, s := range w.said {
		s.ID, s.At = fmt.Sprintf("s-said-%d-%d", i, w.now.Unix()), w.now
		sigs = append(sigs, s)
	}
	if _, err := w.p.engine.Handle(ctx, sigs); err != nil {
		w.t.Fatal(err)
	}
	live := []*parts{w.p}
	if w.other != nil {
		live = append(live, w.other)
	}
	for end := w.now.Add(span); w.now.Before(end); w.now = w.now.Add(15 * time.Second) {
		for _, p := range live {
			if err := p.engine.Tick(ctx); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for _, p := range live {
		if w.noTimer {
			continue
		}
		if err := p.drills(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

// news tells what the drills' journals say that was not told yet.
func (w *drillWorld) news() string {
	var b strings.Builder
	names := sortedKeys(w.p.config.Drills)
	for _, name := range names {
		rows := w.store.Rows(drill.Stream(name))
		for _, row := range rows[w.printed[name]:] {
			e, err := record.ParseEntry(row.Body)
			if err != nil {
				return err.Error()
			}
			if len(names) > 1 {
				fmt.Fprintf(&b, "%s: ", name)
			}
			fmt.Fprintf(&b, "%s %s: %s\n", e.At.UTC().Format("01-02 15:04"), e.Code, e.Text)
		}
		w.printed[name] = len(rows)
	}
	return b.String()
}
