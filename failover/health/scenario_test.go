package health

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/events"
	"erfailover/failover/topology"
)

// night is the day on which every scenario plays.
var night = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// TestScenarios runs every file in testdata/scenarios. To accept new output, run
// `go test ./failover/health -run TestScenarios -rewrite`, then read the diff.
//
//	rule [hold-down=30s] [hold-up=5m] [observers=2] [read=false] [degraded=move] [metric-age=10m]
//	signals now=03:00:40 [circuit=chicago] [fold-only]
//	  <observer> <source> <link> <state> at=03:00:10 [tentative] [user] [private|microsoft] [control|data] [on=gw-1]
//	  maintenance <tracking> from=03:00:00 to=05:00:00 at=02:00:00 [cancelled]
//	tick now=... [circuit=...]     a Step without signals
//	show now=... [circuit=...]     the belief, as a person sees it
//	next now=... [circuit=...]     when time alone may change it
//	view now=...                   all circuits of the group
//	memory [circuit=...]           what is remembered
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, file string) {
		w := newWorld()
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			return w.run(t, d)
		})
	})
}

// world is one group with its circuits and what is known of them.
type world struct {
	rule     Rule
	est      *topology.Estate
	group    topology.Group
	memories map[string]Memory
	signals  int
}

func newWorld() *world {
	g := topology.Group{Name: "east", Gateways: []string{"gw-1"}, Tiers: [][]string{{"ashburn"}, {"chicago"}, {"dallas"}}}
	est := &topology.Estate{
		Circuits: []topology.Circuit{
			{Name: "ashburn", ID: circuitID("ashburn"), Provider: "Equinix", Location: "Washington DC"},
			{Name: "chicago", ID: circuitID("chicago"), Provider: "Equinix", Location: "Chicago"},
			{Name: "dallas", ID: circuitID("dallas"), Provider: "Megaport", Location: "Chicago"},
		},
		Groups: []topology.Group{g},
	}
	w := &world{rule: DefaultRule(), est: est, group: g, memories: map[string]Memory{}}
	for _, c := range est.Circuits {
		w.memories[c.Name] = Memory{Circuit: c.Name}
	}
	return w
}

func circuitID(name string) string {
	return "/subscriptions/s/resourcegroups/net/providers/microsoft.network/expressroutecircuits/" + name
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	name := "ashburn"
	d.MaybeScanArgs(t, "circuit", &name)
	m := w.memories[name]
	switch d.Cmd {
	case "rule":
		w.setRule(t, d)
		return "ok\n"
	case "signals":
		var sigs []events.Signal
		for line := range strings.Lines(d.Input) {
			w.signals++
			sigs = append(sigs, parseSignal(t, d, line, "s-"+strconv.Itoa(w.signals)))
		}
		next, n := Observe(m, sigs, w.est, at(t, d, "now"))
		w.memories[name] = next
		if d.HasArg("fold-only") {
			return tallyText(n)
		}
		return tallyText(n) + w.step(name, at(t, d, "now"))
	case "tick":
		return w.step(name, at(t, d, "now"))
	case "show":
		return beliefText(Believe(m.Tracks["east"], m, w.rule, at(t, d, "now")))
	case "next":
		now := at(t, d, "now")
		return clock(Next(m.Tracks["east"], m, w.rule, now)) + "\n"
	case "view":
		return viewText(w.group, Fold(w.group, w.est, w.memories, w.rule, at(t, d, "now")))
	case "memory":
		return memoryText(m)
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

// step advances one circuit and prints the changes, or the state that stays.
func (w *world) step(name string, now time.Time) string {
	m := w.memories[name]
	track, changes := Step(m.Tracks["east"], m, "east", w.rule, now)
	m = m.clone()
	if m.Tracks == nil {
		m.Tracks = map[string]Track{}
	}
	m.Tracks["east"] = track
	w.memories[name] = m
	if len(changes) == 0 {
		return fmt.Sprintf("%s (no change)\n", track.State)
	}
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s -> %s: %s\n", c.From, c.To, c.Why)
	}
	return b.String()
}

func (w *world) setRule(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	for _, a := range d.CmdArgs {
		v := a.Vals[0]
		switch a.Key {
		case "hold-down":
			w.rule.HoldDown = span(t, d, v)
		case "hold-up":
			w.rule.HoldUp = span(t, d, v)
		case "observers":
			n, err := strconv.Atoi(v)
			if err != nil {
				d.Fatalf(t, "observers: %v", err)
			}
			w.rule.Observers = n
		case "read":
			w.rule.ConfirmByRead = v == "true"
		case "degraded":
			w.rule.Degraded = Degrade(v)
		case "metric-age":
			w.rule.MaxAge[events.Metric] = span(t, d, v)
		case "damped-for":
			w.rule.Damping.Max = span(t, d, v)
		default:
			d.Fatalf(t, "unknown setting %q", a.Key)
		}
	}
}

func parseSignal(t *testing.T, d *datadriven.TestData, line, id string) events.Signal {
	t.Helper()
	f := strings.Fields(line)
	s := events.Signal{ID: id, Kind: events.Health, Resource: ""}
	if f[0] == "maintenance" {
		s.Kind, s.Observer, s.Correlation, s.Window = events.Maintenance, events.ServiceHealth, f[1], &events.Window{}
		f = f[2:]
	} else {
		s.Observer, s.Source = events.Observer(f[0]), f[1]
		s.Link = map[string]events.Link{"both": events.BothLinks, "primary": events.Primary, "secondary": events.Secondary}[f[2]]
		s.State = map[string]events.State{"unknown": events.Unknown, "up": events.Up, "degraded": events.Degraded, "down": events.Down}[f[3]]
		s.Plane = map[events.Observer]events.Plane{
			events.Metric: events.ControlPlane, events.Gateway: events.ControlPlane,
			events.Read: events.ControlPlane, events.Probe: events.DataPlane,
		}[s.Observer]
		f = f[4:]
	}
	for _, word := range f {
		key, v, _ := strings.Cut(word, "=")
		switch key {
		case "at":
			s.At = clockTime(t, d, v)
		case "from":
			s.Window.Start = clockTime(t, d, v)
		case "to":
			s.Window.End = clockTime(t, d, v)
		case "cancelled":
			s.Window.Cancelled = true
		case "tentative":
			s.Tentative = true
		case "user":
			s.UserAction = true
		case "private", "microsoft", "public":
			s.Peering = events.Peering(key)
		case "control", "data":
			s.Plane = events.Plane(key)
		case "on":
			s.Resource = v
		case "about":
			s.Resource = circuitID(v)
		case "id":
			s.ID = v
		default:
			d.Fatalf(t, "unknown word %q", word)
		}
	}
	return s
}

func at(t *testing.T, d *datadriven.TestData, key string) time.Time {
	t.Helper()
	var v string
	d.ScanArgs(t, key, &v)
	return clockTime(t, d, v)
}

func clockTime(t *testing.T, d *datadriven.TestData, v string) time.Time {
	t.Helper()
	day := night
	if rest, ok := strings.CutPrefix(v, "yesterday/"); ok {
		day, v = night.AddDate(0, 0, -1), rest
	}
	c, err := time.Parse("15:04:05", v)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return day.Add(c.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func span(t *testing.T, d *datadriven.TestData, v string) time.Duration {
	t.Helper()
	x, err := time.ParseDuration(v)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return x
}

func clock(x time.Time) string {
	if x.IsZero() {
		return "never"
	}
	return x.Format("15:04:05.999")
}

func tallyText(n Tally) string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{
		{n.Applied, "applied"}, {n.Repeated, "repeated"}, {n.Late, "late"}, {n.Tentative, "tentative, not kept"},
		{n.Future, "from the future, refused"}, {n.Full, "no room"}, {n.Foreign, "foreign"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	if len(parts) == 0 {
		return "nothing\n"
	}
	return strings.Join(parts, ", ") + "\n"
}

func beliefText(b Belief) string {
	var o strings.Builder
	fmt.Fprintf(&o, "%s since %s; primary %s, secondary %s\n", b.State, clock(b.Since), b.Links[0], b.Links[1])
	fmt.Fprintf(&o, "%d of %d observers say down\n", b.Observers, b.Needed)
	for _, x := range []struct {
		at   time.Time
		text string
	}{
		{b.BadSince, "bad since"}, {b.Confirmed, "confirmed"}, {b.GoodSince, "good since"},
		{b.HoldUntil, "hold until"}, {b.ReadUntil, "our read is waited for until"}, {b.Proven, "proven"}, {b.ReuseAt, "reuse at"},
	} {
		if !x.at.IsZero() {
			fmt.Fprintf(&o, "%s %s\n", x.text, clock(x.at))
		}
	}
	for _, x := range []struct {
		on   bool
		text string
	}{{b.WantsRead, "wants a read"}, {b.Rebutted, "rebutted"}, {b.Explained, "explained"}, {b.Damped, "damped"}} {
		if x.on {
			o.WriteString(x.text + "\n")
		}
	}
	if b.Penalty > 0 {
		fmt.Fprintf(&o, "penalty %.0f\n", b.Penalty)
	}
	if b.Maintenance != nil {
		fmt.Fprintf(&o, "maintenance %s to %s\n", clock(b.Maintenance.Start), clock(b.Maintenance.End))
	}
	for _, e := range b.Bad {
		o.WriteString("bad:  " + evidenceText(e) + "\n")
	}
	for _, e := range b.Good {
		o.WriteString("good: " + evidenceText(e) + "\n")
	}
	return o.String()
}

func evidenceText(e Evidence) string {
	state, link := string(e.State), string(e.Link)
	if state == "" {
		state = "unknown"
	}
	if link == "" {
		link = "both"
	}
	text := fmt.Sprintf("%s %s %s %s at %s", e.Observer, e.Source, link, state, clock(e.At))
	if !e.Since.Equal(e.At) {
		text += " since " + clock(e.Since)
	}
	for _, x := range []string{e.Resource, string(e.Peering), string(e.Excuse)} {
		if x != "" {
			text += ", " + x
		}
	}
	if e.Tentative {
		text += ", tentative"
	}
	return text
}

func viewText(g topology.Group, v View) string {
	var o strings.Builder
	for _, name := range g.Circuits() {
		b := v.Circuits[name]
		fmt.Fprintf(&o, "%s %s", name, b.State)
		if b.Damped {
			o.WriteString(" damped")
		}
		o.WriteString("\n")
	}
	if v.Blind {
		o.WriteString("blind\n")
	}
	for _, x := range []struct {
		set  map[string]bool
		text string
	}{{v.Locations, "location down"}, {v.Providers, "provider down"}, {v.ProvidersDamped, "provider damped"}} {
		var names []string
		for n := range x.set {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			fmt.Fprintf(&o, "%s: %s\n", x.text, n)
		}
	}
	return o.String()
}

func memoryText(m Memory) string {
	var o strings.Builder
	for _, e := range m.Evidence {
		o.WriteString(evidenceText(e) + "\n")
	}
	for _, w := range m.Maintenance {
		fmt.Fprintf(&o, "maintenance %s %s to %s, told %s", w.Tracking, clock(w.Start), clock(w.End), clock(w.At))
		if w.Cancelled {
			o.WriteString(", cancelled")
		}
		o.WriteString("\n")
	}
	fmt.Fprintf(&o, "%d applied, %d repeated\n", m.Applied, m.Repeated)
	return o.String()
}
