package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/topology"
)

// TestScenarios runs the files in testdata: an outage as a network engineer would
// tell it. To accept new output run `go test ./failover -run Scenarios -rewrite`
// and read the difference before it is committed.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		s := newScene(t)
		datadriven.RunTest(t, file, s.run)
	})
}

// scene is one estate with one engine, or several over one record.
type scene struct {
	t       testing.TB
	clock   *clock
	store   *recordtest.Memory
	azure   *azure
	est     topology.Estate
	rules   map[string]GroupRules
	limits  policy.Limits
	engines map[string]*Engine
	ids     int
	printed map[string]int // rows, by stream
	told    int            // lines of Azure's log
	beat    time.Duration  // between ticks of "wait"
	who     string         // the instance that acts
	config  int            // changes of the configuration
	kept    *recordtest.Memory
	order   string // signal of the newest order
	monitor *monitor
}

func newScene(t testing.TB) *scene {
	s := &scene{t: t, clock: newClock(), store: recordtest.NewMemory(), engines: map[string]*Engine{}, printed: map[string]int{}, beat: 15 * time.Second, who: "a"}
	s.build([]string{"gw1", "gw2"}, []string{"ashburn=200", "chicago=100", "dallas=50"}, [][]string{{"ashburn"}, {"chicago"}, {"dallas"}})
	return s
}

const sub = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/"

// build makes one group "east" of gateways that are all connected to all circuits.
func (s *scene) build(gateways, circuits []string, tiers [][]string) {
	est, weights := topology.Estate{}, map[string]int32{}
	g := topology.Group{Name: "east", Tiers: tiers}
	for _, name := range gateways {
		kind, path := topology.VNet, "virtualnetworkgateways/"
		if strings.HasPrefix(name, "vwan") {
			kind, path = topology.VWAN, "expressroutegateways/"
		}
		est.Gateways = append(est.Gateways, topology.Gateway{ID: sub + path + name, Kind: kind, Region: "eastus"})
		g.Gateways = append(g.Gateways, sub+path+name)
	}
	for i, text := range circuits {
		name, weight, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(weight)
		if err != nil {
			s.t.Fatal(err)
		}
		c := topology.Circuit{Name: name, ID: sub + "expressroutecircuits/er-" + name, Provider: "Provider " + strconv.Itoa(i), Location: "Location " + strconv.Itoa(i), Bandwidth: 1000, Tier: "Premium"}
		est.Circuits = append(est.Circuits, c)
		for _, gw := range est.Gateways {
			id := sub + "connections/" + short(gw.ID) + "-" + name
			if gw.Kind == topology.VWAN {
				id = gw.ID + "/expressrouteconnections/" + short(gw.ID) + "-" + name
			}
			est.Connections = append(est.Connections, topology.Connection{ID: id, Gateway: gw.ID, Circuit: c.ID})
			weights[id] = int32(n)
		}
	}
	est.Groups = []topology.Group{g}
	est.Sort()
	s.est, s.azure = est, newAzure(s.clock, est, weights)
	rule := GroupRules{Health: health.DefaultRule(), Policy: policy.Rule{Mode: policy.Automatic, Objective: 3 * time.Minute, CoolDown: 30 * time.Minute, Fresh: 2 * time.Minute,
		SettleAfter: time.Minute, Failback: policy.Failback{Mode: policy.FailbackAutomatic, After: 30 * time.Minute}, Drift: policy.DriftAsk,
		Approval: policy.Approval{Approvers: 1, Distinct: true, Expires: 15 * time.Minute}, Levers: []policy.Lever{policy.LeverWeight}}}
	s.rules = map[string]GroupRules{"east": rule}
	s.limits = policy.Limits{OperationsAtOnce: 2, OperationsPerHour: 6}
	s.engines = map[string]*Engine{}
}

// engine returns the instance of that name, made on first use.
func (s *scene) engine(name string) *Engine {
	if e, ok := s.engines[name]; ok {
		return e
	}
	configured := s.est
	configured.Connections = nil
	e := New(Settings{
		Store: s.store, Network: s.azure, Clock: s.clock, Log: zerolog.Nop(), Owner: name, Topology: configured, Hash: "cfg" + strconv.Itoa(s.config),
		ID:    func() string { s.ids++; return "id-" + strconv.Itoa(s.ids) },
		Rules: s.rules, Limits: s.limits, Timing: DefaultTiming(),
	})
	if s.monitor != nil {
		e.Monitor = s.monitor
	}
	s.engines[name] = e
	return e
}

func (s *scene) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "estate": // estate gateways=(gw1,vwan1) circuits=(a=100,b=100,c=50) home=2
		return s.cmdEstate(d)
	case "rule": // rule mode=approve cool-down=10m failback-after=5m observers=1 drift=accept ...
		return s.cmdRule(d)
	case "healthy": // healthy ashburn chicago: every link good by metric and by probe, now
		var sigs []events.Signal
		for _, a := range d.CmdArgs {
			sigs = append(sigs, s.good(a.Key)...)
		}
		return s.handle(sigs)
	case "say": // say probe ashburn down [link=primary] [peering=microsoft] [ago=20s] [tentative] [user] [source=x] [maintenance]
		return s.handle([]events.Signal{s.signal(d)})
	case "order": // order failover by=ana [to=chicago] [override=(cool-down)] [key=k1]
		return s.cmdOrder(d)
	case "tick":
		if err := s.turn(); err != nil {
			return "error: " + err.Error()
		}
		return s.news()
	case "wait": // wait 2m [healthy=(ashburn,chicago)]: ticks every 15 s; the circuits named stay good
		return s.cmdWait(d)
	case "pass": // pass 20m: nothing runs meanwhile
		span, _ := time.ParseDuration(d.CmdArgs[0].Key)
		s.clock.now = s.clock.now.Add(span)
		return "ok"
	case "prefer": // prefer chicago ashburn dallas: the configuration has a new order
		g := &s.est.Groups[0]
		g.Tiers = nil
		for _, a := range d.CmdArgs {
			g.Tiers = append(g.Tiers, []string{a.Key})
		}
		s.config++
		s.engines = map[string]*Engine{}
		return "ok"
	case "restart": // the process is gone; a new one starts on the same record
		s.engines = map[string]*Engine{}
		return "ok"
	case "instance": // instance b: from here on another instance acts, on the same record
		s.who = d.CmdArgs[0].Key
		return "ok"
	case "azure": // azure fault=(busy,denied) | land=90s | down | up | write=gw1-ashburn weight=500 | session="ashburn primary" state=down | freeze | thaw | stall=dallas
		return s.cmdAzure(d)
	case "monitor": // see monitor_scene_test.go
		return s.cmdMonitor(d)
	case "copy": // copy: the record as it is now, for a later "restore"
		s.kept = s.store.Clone()
		return "ok"
	case "restore": // restore [only=(documents)|(journal)]: the copy comes back, as when a storage account fails over
		return s.cmdRestore(d)
	case "sleep": // sleep 30m: time passes and no process lives
		span, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		s.clock.now = s.clock.now.Add(span)
		s.engines = map[string]*Engine{}
		return s.azure.cuts()
	case "forget": // the group is taken out of the configuration
		s.est.Groups = nil
		s.config++
		s.engines = map[string]*Engine{}
		return "ok"
	case "cuts": // what levers have cut, in Azure
		return s.azure.cuts()
	case "asks": // slow reads that were begun since the last time
		var out []string
		for _, k := range slices.Sorted(maps.Keys(s.azure.asks)) {
			out = append(out, fmt.Sprint(k, " ", s.azure.asks[k]))
		}
		clear(s.azure.asks)
		return strings.Join(out, ", ")
	case "weights":
		return s.weights()
	case "status":
		return s.status()
	case "log": // what reached Azure since the last time
		return s.since(s.azure.log)
	case "record": // what is stored, without the tokens' text
		return s.cmdRecord(d)
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func (s *scene) cmdRestore(d *datadriven.TestData) string {
	docs, rows := s.kept, s.kept
	if d.HasArg("only") {
		part := ""
		d.ScanArgs(s.t, "only", &part)
		switch part {
		case "documents":
			rows = nil
		case "journal":
			docs = nil
		default:
			d.Fatalf(s.t, "restore only %q?", part)
		}
	}
	s.store.RestoreParts(docs, rows)
	for stream, n := range s.printed {
		s.printed[stream] = min(n, len(s.store.Rows(stream)))
	}
	return "ok"
}

func (s *scene) cmdEstate(d *datadriven.TestData) string {
	gateways, circuits := []string{"gw1"}, []string{}
	home := 1
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "gateways":
			gateways = a.Vals
		case "circuits":
			circuits = a.Vals
		case "home":
			home, _ = strconv.Atoi(a.Vals[0])
		}
	}
	var tiers [][]string
	for i, c := range circuits {
		name, _, _ := strings.Cut(c, "=")
		if i > 0 && i < home {
			tiers[0] = append(tiers[0], name)
			continue
		}
		tiers = append(tiers, []string{name})
	}
	s.build(gateways, circuits, tiers)
	return s.weights()
}

func (s *scene) cmdRule(d *datadriven.TestData) string {
	r := s.rules["east"]
	span := func(v string) time.Duration {
		n, err := time.ParseDuration(v)
		if err != nil {
			d.Fatalf(s.t.(*testing.T), "%v", err)
		}
		return n
	}
	for _, a := range d.CmdArgs {
		v := a.Vals[0]
		switch a.Key {
		case "mode":
			r.Policy.Mode = policy.Mode(v)
		case "cool-down":
			r.Policy.CoolDown = span(v)
		case "failback-after":
			r.Policy.Failback.After = span(v)
		case "failback":
			r.Policy.Failback.Mode = policy.FailbackMode(v)
		case "hold-down":
			r.Health.HoldDown = span(v)
		case "hold-up":
			r.Health.HoldUp = span(v)
		case "observers":
			r.Health.Observers, _ = strconv.Atoi(v)
		case "degraded":
			r.Health.Degraded = health.Degrade(v)
		case "drift":
			r.Policy.Drift = policy.Drift(v)
		case "levers":
			r.Policy.Levers = nil
			for _, l := range a.Vals {
				r.Policy.Levers = append(r.Policy.Levers, policy.Lever(l))
			}
		case "per-hour":
			s.limits.OperationsPerHour, _ = strconv.Atoi(v)
		default:
			d.Fatalf(s.t.(*testing.T), "unknown rule %q", a.Key)
		}
	}
	s.rules["east"] = r
	s.engines = map[string]*Engine{}
	return "ok"
}

func (s *scene) good(name string) []events.Signal {
	var out []events.Signal
	for _, link := range []events.Link{events.Primary, events.Secondary} {
		out = append(out, s.make(events.Metric, name, events.Up, link, 0))
	}
	return append(out, s.make(events.Probe, name, events.Up, events.BothLinks, 0))
}

func (s *scene) make(o events.Observer, name string, state events.State, link events.Link, ago time.Duration) events.Signal {
	c, _ := s.est.Circuit(name)
	plane := events.ControlPlane
	if o == events.Probe {
		plane = events.DataPlane
	}
	at := s.clock.now.Add(-ago)
	return events.Signal{ID: fmt.Sprintf("s-%s-%s-%s-%s-%d", o, name, state, link, at.Unix()), Kind: events.Health, Observer: o, Source: string(o) + " rule",
		Resource: c.ID, Link: link, Plane: plane, State: state, At: at}
}

func (s *scene) signal(d *datadriven.TestData) events.Signal {
	observer, name, state := events.Observer(d.CmdArgs[0].Key), d.CmdArgs[1].Key, d.CmdArgs[2].Key
	sig := s.make(observer, name, events.State(state), events.BothLinks, 0)
	if state == "maintenance" {
		sig.Kind, sig.State, sig.Observer = events.Maintenance, "", events.ServiceHealth
		sig.Correlation = "track-1"
		sig.Window = &events.Window{Start: s.clock.now.Add(-time.Minute), End: s.clock.now.Add(time.Hour)}
	}
	if sig.Resource == "" {
		sig.Resource = sub + "expressroutecircuits/" + name
	}
	for _, a := range d.CmdArgs[3:] {
		switch a.Key {
		case "link":
			sig.Link = events.Link(a.Vals[0])
		case "peering":
			sig.Peering = events.Peering(a.Vals[0])
		case "ago":
			ago, _ := time.ParseDuration(a.Vals[0])
			sig.At = s.clock.now.Add(-ago)
		case "tentative":
			sig.Tentative = true
		case "user":
			sig.UserAction = true
		case "source":
			sig.Source = a.Vals[0]
		default:
			d.Fatalf(s.t.(*testing.T), "unknown word %q", a.Key)
		}
	}
	sig.ID = fmt.Sprintf("s-%s-%s-%s-%s-%s-%s-%d-%t", sig.Observer, name, sig.State, sig.Link, sig.Peering, sig.Source, sig.At.Unix(), sig.Tentative)
	return sig
}

func (s *scene) handle(sigs []events.Signal) string {
	r, err := s.engine(s.who).Handle(context.Background(), sigs)
	if err != nil {
		return "error: " + err.Error() + hint(err) + "\n" + s.news()
	}
	text := fmt.Sprintf("applied %d, repeated %d, unknown %d", r.Applied, r.Repeated, r.Unknown)
	if r.SetAside+r.Refused > 0 {
		text += fmt.Sprintf(", set aside %d, refused %d", r.SetAside, r.Refused)
	}
	if r.Orders > 0 {
		text = fmt.Sprintf("orders %d", r.Orders)
	}
	return text + "\n" + s.news()
}

func hint(err error) string {
	if h := fault.HintOf(err); h != "" {
		return " (" + h + ")"
	}
	return ""
}

func (s *scene) cmdOrder(d *datadriven.TestData) string {
	o := &events.Order{Verb: events.Verb(d.CmdArgs[0].Key), Group: "east", By: "ana"}
	given, again := s.clock.now, false
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "by":
			o.By = a.Vals[0]
		case "to":
			o.To = a.Vals[0]
		case "override":
			o.Overrides = a.Vals
		case "break":
			o.Break = true
		case "make-home":
			o.MakeHome = true
		case "key":
			o.Key = a.Vals[0]
		case "from":
			o.From = strings.ReplaceAll(a.Vals[0], "_", " ")
		case "reason":
			o.Reason = a.Vals[0]
		case "until":
			span, _ := time.ParseDuration(a.Vals[0])
			o.Until = s.clock.now.Add(span)
		case "at": // from now
			span, _ := time.ParseDuration(a.Vals[0])
			o.NotBefore = s.clock.now.Add(span)
		case "ago": // it was given then and arrives now
			span, _ := time.ParseDuration(a.Vals[0])
			given = given.Add(-span)
		case "again": // the order before is delivered once more
			again = true
		case "subject":
			o.Subject = a.Vals[0]
		case "id":
			o.Operation = a.Vals[0]
		case "plan":
			o.Plan = a.Vals[0]
		case "lever":
			o.Lever = events.Lever(a.Vals[0])
		case "link":
			o.Link = events.Link(a.Vals[0])
		}
	}
	if !again {
		s.ids++
		s.order = "s-order-" + strconv.Itoa(s.ids)
	}
	return s.handle([]events.Signal{{ID: s.order, Kind: events.Command, Observer: events.Person, Source: o.By, At: given, Order: o}})
}

func (s *scene) cmdWait(d *datadriven.TestData) string {
	span, err := time.ParseDuration(d.CmdArgs[0].Key)
	if err != nil {
		d.Fatalf(s.t.(*testing.T), "%v", err)
	}
	var good []string
	for _, a := range d.CmdArgs[1:] {
		if a.Key == "healthy" {
			good = a.Vals
		}
	}
	end := s.clock.now.Add(span)
	var minute time.Time
	for s.clock.now.Before(end) {
		if len(good) > 0 && !s.clock.now.Before(minute) {
			var sigs []events.Signal
			for _, name := range good {
				sigs = append(sigs, s.good(name)...)
			}
			if _, err := s.engine(s.who).Handle(context.Background(), sigs); err != nil {
				return "error: " + err.Error()
			}
			minute = s.clock.now.Add(time.Minute)
		}
		next := s.clock.now.Add(s.beat)
		if err := s.turn(); err != nil {
			return "error: " + err.Error()
		}
		if s.clock.now.Before(next) {
			s.clock.now = next
		}
	}
	return s.news()
}

func (s *scene) cmdAzure(d *datadriven.TestData) string {
	for i, a := range d.CmdArgs {
		switch a.Key {
		case "fault":
			s.azure.faults = append(s.azure.faults, a.Vals...)
		case "land":
			s.azure.land, _ = time.ParseDuration(a.Vals[0])
		case "down":
			s.azure.down = true
		case "up":
			s.azure.down = false
		case "write":
			n, _ := strconv.Atoi(d.CmdArgs[i+1].Vals[0])
			for id, c := range s.azure.conns {
				if short(id) == a.Vals[0] {
					c.Weight = int32(n)
				}
			}
		case "session":
			s.azure.sessions[strings.ReplaceAll(a.Vals[0], "/", " ")] = d.CmdArgs[i+1].Vals[0] == "up"
		case "drain": // drain=ashburn/primary: Microsoft drains a link for maintenance
			s.azure.drained[strings.ReplaceAll(a.Vals[0], "/", " ")] = true
		case "undrain":
			delete(s.azure.drained, strings.ReplaceAll(a.Vals[0], "/", " "))
		case "untold": // a link's table does not show that the link is drained
			s.azure.untold = true
		case "stall":
			s.azure.stalled[a.Vals[0]] = true
		case "announce": // announce=chicago prefixes=(10.1.0.0/16,10.2.0.0/16)
			s.azure.prefixes[a.Vals[0]] = d.CmdArgs[i+1].Vals
		case "load": // load=ashburn mbps=900
			s.azure.mbps[a.Vals[0]], _ = strconv.ParseInt(d.CmdArgs[i+1].Vals[0], 10, 64)
		case "no-routes":
			s.azure.noRoutes[a.Vals[0]] = true
		case "stuck": // the circuit that keeps the traffic, whatever the weights say
			s.azure.levers.stuck = a.Vals[0]
			if a.Vals[0] == "none" {
				s.azure.levers.stuck = ""
			}
		case "start": // somebody starts a test on a gateway at the location of a circuit
			c, _ := s.est.Circuit(d.CmdArgs[i+1].Vals[0])
			s.azure.startTest(sub+"virtualnetworkgateways/"+a.Vals[0], c.Location, "")
		case "stop": // somebody stops a gateway's test
			s.azure.levers.tests[sub+"virtualnetworkgateways/"+a.Vals[0]].on = false
		case "freeze":
			s.azure.freeze = true
		case "unfreeze":
			s.azure.freeze = false
		case "thaw":
			for _, w := range s.azure.held {
				s.azure.apply(w)
			}
			s.azure.held = nil
		}
	}
	return "ok"
}

func (s *scene) weights() string {
	s.azure.settle()
	var b strings.Builder
	for _, gw := range s.est.Groups[0].Gateways {
		fmt.Fprintf(&b, "%s:", short(gw))
		for _, name := range s.est.Groups[0].Circuits() {
			if k, ok := s.est.Connection(gw, name); ok {
				c := s.azure.conns[k.ID]
				fmt.Fprintf(&b, " %s %d", name, c.Weight)
				if c.Epoch != "" {
					fmt.Fprintf(&b, " (epoch %s)", c.Epoch)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (s *scene) status() string {
	g, _, err := (&run{Engine: s.engine(s.who)}).loadGroup(context.Background(), "east")
	if err != nil {
		return "error: " + err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "active %s, epoch %d, open intents %d, verdict %s %s\n", strings.Join(g.Active, " "), g.Epoch, len(g.Intents), g.Verdict.Action, strings.Join(g.Verdict.Codes(), " "))
	if op := g.Operation; op != nil {
		fmt.Fprintf(&b, "running: %s %s to %s, %s\n", op.Kind, strings.Join(op.Plan.From, " "), strings.Join(op.Plan.To, " "), op.Status)
	}
	for _, o := range g.Scheduled {
		fmt.Fprintf(&b, "scheduled: %s, %s\n", o.Signal, orderText(o.Order))
	}
	for _, c := range g.Cuts {
		fmt.Fprintf(&b, "lever: %s on %s, until %s, held %t\n", c.Lever, short(c.Pull.Connection), c.Deadline.Sub(s.clock.start), c.Held(s.clock.now))
	}
	for _, r := range g.Recent {
		fmt.Fprintf(&b, "ended: %s %s to %s, %s, %d writes\n", r.Kind, strings.Join(r.From, " "), strings.Join(r.To, " "), r.Result, r.Writes)
	}
	for _, id := range slices.Sorted(maps.Keys(s.azure.puts)) {
		fmt.Fprintf(&b, "PUTs %s: %d\n", short(id), s.azure.puts[id])
	}
	return b.String()
}

// news prints the journal since the last time, one line an entry.
func (s *scene) news() string {
	var b strings.Builder
	for _, stream := range s.store.Streams() {
		rows := s.store.Rows(stream)
		for _, row := range rows[s.printed[stream]:] {
			e, err := record.ParseEntry(row.Body)
			if err != nil {
				return "error: " + err.Error()
			}
			fmt.Fprintf(&b, "%6s %s: %s", e.At.Sub(s.clock.start).Truncate(time.Second), e.Code, e.Text)
			if len(e.Reasons) > 0 {
				fmt.Fprintf(&b, " [%s]", strings.Join(e.Reasons, " "))
			}
			b.WriteString("\n")
		}
		s.printed[stream] = len(rows)
	}
	return b.String()
}

func (s *scene) since(log []string) string {
	out := strings.Join(log[s.told:], "\n")
	s.told = len(log)
	return out
}

func (s *scene) cmdRecord(d *datadriven.TestData) string {
	keys, err := s.store.List(context.Background(), d.CmdArgs[0].Key, "", 100)
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(keys, "\n")
}
