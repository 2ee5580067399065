package contest

import (
	"slices"
	"strconv"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// The engine's pace, as configured by default.
const (
	tick      = 15 * time.Second
	pollAll   = 5 * time.Minute
	pollDoubt = time.Minute
	proving   = 15 * time.Second // from the last landing to an operation's end: read back, routes, traffic
	batch     = 5 * time.Second  // events that arrive within this are handled together
	landing   = 5 * time.Minute  // a write of unknown outcome lands within this, or never
)

// ours is the production code: health, policy and planner, with the duties of the
// engine's loop around them: what is believed is folded, judged and planned, one
// operation at a time, reads asked for and answered.
type ours struct {
	title  string
	text   string
	canary bool
	health health.Rule
	policy policy.Rule

	est      *topology.Estate
	group    topology.Group
	memories map[string]health.Memory
	actual   map[string]planner.Weight
	baseline map[string]planner.Weight

	active      []string
	activeSince time.Time
	quietSince  time.Time
	lastMove    time.Time
	undone      bool
	epoch       int64
	begun       []time.Time // operations of the last hour
	op          *operation
	intents     []intent // of operations that were overtaken
	asked       [count]time.Duration
	prober      prober
	wakes       map[time.Duration]bool
	serial      int
}

// operation is a plan under way.
type operation struct {
	plan    planner.Plan
	kind    policy.Kind
	undo    bool
	waiting int // writes of this wave that have not landed
	wave    int
}

// intent is a write that may still land.
type intent struct {
	conn   string
	epoch  int64
	settle bool
	weight int32
	until  time.Time
}

var _ rival = (*ours)(nil)

// newOurs returns the production policy with the defaults of the configuration,
// automatic in both directions.
func newOurs(title, text string, canary bool, tweak func(*health.Rule, *policy.Rule)) *ours {
	o := &ours{
		title: title, text: text, canary: canary, health: health.DefaultRule(),
		policy: policy.Rule{
			Mode: policy.Automatic, CoolDown: 30 * time.Minute, Fresh: 2 * time.Minute, SettleAfter: time.Minute,
			Failback: policy.Failback{Mode: policy.FailbackAutomatic, After: 30 * time.Minute},
			Drift:    policy.DriftAsk, Levers: []policy.Lever{policy.LeverWeight},
		},
		memories: map[string]health.Memory{}, actual: map[string]planner.Weight{}, baseline: map[string]planner.Weight{},
		wakes: map[time.Duration]bool{},
	}
	if tweak != nil {
		tweak(&o.health, &o.policy)
	}
	o.est, o.group = estate()
	for i, name := range circuitNames() {
		o.memories[name] = health.Memory{Circuit: name}
		w := planner.Weight{Weight: weightsAtRest()[i]}
		o.actual[connection(i)], o.baseline[connection(i)] = w, w
	}
	return o
}

func circuitID(c int) string { return "/circuits/" + circuitNames()[c] }

func connection(c int) string { return "/connections/" + circuitNames()[c] }

// estate is one gateway with three circuits.
func estate() (*topology.Estate, topology.Group) {
	g := topology.Group{Name: "east", Gateways: []string{"/gateways/east"}}
	e := &topology.Estate{Gateways: []topology.Gateway{{ID: "/gateways/east", Kind: topology.VNet}}}
	providers, places := [count]string{"one", "two", "one"}, [count]string{"Ashburn", "Chicago", "Dallas"}
	for i, name := range circuitNames() {
		e.Circuits = append(e.Circuits, topology.Circuit{Name: name, ID: circuitID(i), Provider: providers[i], Location: places[i]})
		e.Connections = append(e.Connections, topology.Connection{ID: connection(i), Gateway: "/gateways/east", Circuit: circuitID(i)})
		g.Tiers = append(g.Tiers, []string{name})
	}
	e.Groups = []topology.Group{g}
	e.Sort()
	return e, g
}

// epochOfYear is when a simulated year begins.
func epochOfYear() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func wall(t time.Duration) time.Time { return epochOfYear().Add(t) }

func (o *ours) name() string { return o.title }

func (o *ours) about() string { return o.text }

func (o *ours) senses() senses {
	if o.canary {
		return senses{records: true, probes: slot}
	}
	return senses{records: true}
}

func (o *ours) resting() bool {
	if o.op != nil || len(o.intents) > 0 || !slices.Equal(o.active, o.group.Home()) || o.unsettled() {
		return false
	}
	for _, m := range o.memories { // order-free: any
		switch m.Tracks[o.group.Name].State {
		case health.Suspect, health.Down, health.Recovering:
			return false
		case health.Unknown, health.Healthy, health.Degraded, "":
		}
	}
	return true
}

func (o *ours) unsettled() bool {
	for id, w := range o.actual { // order-free: any
		if w != o.baseline[id] {
			return true
		}
	}
	return false
}

// announce takes in announced maintenance.
func (o *ours) announce(c *control, n notice) {
	o.observe(c.now, n.circuit, events.Signal{
		ID: "notice-" + strconv.FormatUint(n.id, 16), Kind: events.Maintenance, Observer: events.ServiceHealth, Source: "service-health",
		Resource: circuitID(n.circuit), At: wall(n.arrive), Correlation: strconv.FormatUint(n.id, 16), Window: &events.Window{Start: wall(n.from), End: wall(n.to)},
	})
}

// probe feeds the canary probes, whose claims are signals like any other.
func (o *ours) probe(c *control, round [count]probe) {
	if said := o.prober.round(c.now, round); len(said) > 0 {
		o.hear(c, said)
	}
}

func (o *ours) hear(c *control, heard []sighting) {
	for _, s := range heard {
		o.observe(c.now, s.circuit, o.signal(s))
	}
	at := (c.now + batch - 1) / batch * batch
	if !o.wakes[at] {
		o.wakes[at] = true
		c.lane.at(at, o.beat)
	}
}

// signal is what the parser of events makes of a sighting.
func (o *ours) signal(s sighting) events.Signal {
	o.serial++
	sig := events.Signal{
		ID: "s-" + strconv.Itoa(o.serial), Kind: events.Health, Resource: circuitID(s.circuit), State: s.state, At: wall(s.at), Peering: events.Private,
		Link: [...]events.Link{events.BothLinks, events.Primary, events.Secondary}[s.link], Plane: events.ControlPlane,
	}
	switch s.from {
	case fromMetric:
		sig.Observer, sig.Source = events.Metric, "BgpAvailability"
	case fromHealth:
		sig.Observer, sig.Source, sig.Peering = events.ResourceHealth, "resource-health", events.AnyPeering
	case fromChecks:
		sig.Observer, sig.Source, sig.Plane = events.Probe, "ChecksFailedPercent", events.DataPlane
	case fromCanary:
		sig.Observer, sig.Source, sig.Plane = events.Probe, "canary", events.DataPlane
	case fromRead:
		sig.Observer, sig.Source = events.Read, "bgp"
	}
	return sig
}

func sessionState(up bool) events.State {
	if up {
		return events.Up
	}
	return events.Down
}

// observe folds a signal into a circuit's memory.
func (o *ours) observe(now time.Duration, circuit int, s events.Signal) {
	name := circuitNames()[circuit]
	o.memories[name], _ = health.Observe(o.memories[name], []events.Signal{s}, o.est, wall(now))
}

// believe advances every belief to now and folds them.
func (o *ours) believe(now time.Time) health.View {
	for name, m := range o.memories { // order-free: each by itself
		t, _ := health.Step(m.Tracks[o.group.Name], m, o.group.Name, o.health, now)
		if m.Tracks == nil {
			m.Tracks = map[string]health.Track{}
		}
		m.Tracks[o.group.Name] = t
		o.memories[name] = m
	}
	return health.Fold(o.group, o.est, o.memories, o.health, now)
}
