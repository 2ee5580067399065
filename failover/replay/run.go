package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/shadow"
	"erfailover/failover/topology"
)

// Paces of the timer in a replay.
const (
	timerBeat = 15 * time.Second // as in production
	workBeat  = 3 * time.Second  // while a write runs; production lingers in one tick instead
	calmBeat  = 4 * time.Minute  // while nothing is wrong anywhere: ticks that would find nothing are left out
)

// mostAtOnce bounds how many messages make one delivery.
const mostAtOnce = 64

// Setup is one configuration to replay under.
type Setup struct {
	Name   string          // for people: the name of its file
	Estate topology.Estate // as configured, without connections
	Rules  map[string]failover.GroupRules
	Limits policy.Limits
	Timing failover.Timing
}

// Decision is one spell of trouble and what was decided about it.
type Decision struct {
	shadow.Case
	Guards   []string  `json:"guards,omitempty"` // that held it, in the order in which they first did
	HomeAt   time.Time `json:"home_at,omitzero"` // when the way home was decided, after a move
	LostMS   int64     `json:"lost_ms"`          // carried by a circuit that somebody called down, over its gateways
	Waited   bool      `json:"waited,omitzero"`  // it waited for a person; nobody approves in a replay
	WaitedAt time.Time `json:"waited_since,omitzero"`
}

// Result is what one configuration decides about a recording.
type Result struct {
	Name      string          `json:"name"`
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	Messages  int             `json:"messages"`
	Signals   int             `json:"signals"`
	Foreign   int             `json:"foreign"`
	Broken    int             `json:"broken"`
	Unknown   int             `json:"unknown"` // signals about resources that are not configured
	Decisions []Decision      `json:"decisions"`
	Regrets   []shadow.Regret `json:"regrets"`
	Moves     int             `json:"moves"`
	Home      int             `json:"moves_home"`
	Writes    int             `json:"writes"`
	Harmful   int             `json:"harmful_moves"`
	BadMS     int64           `json:"bad_ms"` // time that gateways' traffic was on a circuit that somebody called down, over all gateways
}

// replay is one run.
type replay struct {
	setup  Setup
	est    topology.Estate // with connections
	clock  *virtual
	world  *world
	store  *memory
	engine *failover.Engine
	out    Result
	lost   map[string][]span // time on bad circuits, by group
	at     time.Time         // up to which it was counted
}

// span is a time in which some gateways of a group were on a bad circuit.
type span struct {
	from, to time.Time
	gateways int
}

// Run replays a recording under a configuration. Nothing that it does leaves the
// process. An error is trouble of the replay itself: an empty recording, a
// configuration without groups.
func Run(ctx context.Context, rec Recording, s Setup) (Result, error) {
	if len(rec.Messages) == 0 {
		return Result{}, &fault.Error{Op: "replay", Kind: fault.Invalid, Hint: "name files or a time range that hold events", Err: fmt.Errorf("the recording is empty")}
	}
	if len(s.Estate.Groups) == 0 {
		return Result{}, &fault.Error{Op: "replay", Target: s.Name, Kind: fault.Invalid, Err: fmt.Errorf("the configuration has no groups")}
	}
	r := start(rec, s)
	for i := 0; i < len(rec.Messages); {
		at, n := rec.Messages[i].At, 1
		for i+n < len(rec.Messages) && n < mostAtOnce && rec.Messages[i+n].At.Equal(at) {
			n++
		}
		if err := r.until(ctx, at); err != nil {
			return Result{}, err
		}
		if err := r.deliver(ctx, rec.Messages[i:i+n]); err != nil {
			return Result{}, err
		}
		i += n
	}
	return r.conclude(rec)
}

// start makes the parts. The replay begins with the first message.
func start(rec Recording, s Setup) *replay {
	first := rec.Messages[0].At
	est, weights := furnish(s, rec.Estate)
	r := &replay{setup: s, est: est, clock: &virtual{first}, store: newMemory(), at: first, lost: map[string][]span{},
		out: Result{Name: s.Name, From: first, To: rec.Messages[len(rec.Messages)-1].At, Messages: len(rec.Messages)}}
	r.world = newWorld(r.clock, est, weights)
	timing, ids := s.Timing, 0
	timing.Linger = 0
	r.engine = failover.New(failover.Settings{
		Store: r.store, Network: r.world, Clock: r.clock, Owner: "replay", Topology: s.Estate, Hash: "replay", Rules: s.Rules, Limits: s.Limits, Timing: timing,
		ID: func() string { ids++; return fmt.Sprintf("replay-%d", ids) },
	})
	return r
}

// furnish returns the estate with its connections and the weights at rest. What the
// recording does not tell is made up: every gateway of a group is joined to each of
// its circuits, and the weights at rest follow the order of preference.
func furnish(s Setup, recorded *topology.Estate) (topology.Estate, map[string]int32) {
	est := s.Estate
	est.Circuits, est.Gateways, est.Connections = slices.Clone(est.Circuits), slices.Clone(est.Gateways), nil
	if recorded != nil {
		for i, c := range est.Circuits {
			if j := slices.IndexFunc(recorded.Circuits, func(k topology.Circuit) bool { return k.ID == c.ID }); j >= 0 {
				k := recorded.Circuits[j]
				k.Name, k.Site, k.Shares, k.Monitors, k.Probes = c.Name, c.Site, c.Shares, c.Monitors, c.Probes
				est.Circuits[i] = k
			}
		}
		for i, g := range est.Gateways {
			if k, ok := recorded.Gateway(g.ID); ok {
				est.Gateways[i].Region, est.Gateways[i].SKU = k.Region, k.SKU
			}
		}
		est.Connections = slices.Clone(recorded.Connections)
	}
	weights := map[string]int32{}
	for _, g := range est.Groups {
		for _, gw := range g.Gateways {
			for tier, names := range g.Tiers {
				for _, name := range names {
					c, ok := est.Circuit(name)
					if !ok {
						continue
					}
					id := connectionOf(&est, gw, c)
					weights[id] = int32(100 * (len(g.Tiers) - tier))
					if w, set := s.Rules[g.Name].Baseline[name]; set {
						weights[id] = w
					}
				}
			}
		}
	}
	est.Sort()
	return est, weights
}

// connectionOf returns the ID of the connection of a gateway to a circuit, and makes
// one when none was recorded.
func connectionOf(est *topology.Estate, gateway string, c topology.Circuit) string {
	for _, k := range est.Connections {
		if k.Gateway == gateway && k.Circuit == c.ID {
			return k.ID
		}
	}
	id := gateway + "/connections/replay-" + c.Name
	est.Connections = append(est.Connections, topology.Connection{ID: id, Gateway: gateway, Circuit: c.ID})
	return id
}

// until ticks until an instant.
func (r *replay) until(ctx context.Context, at time.Time) error {
	for {
		next := r.clock.now.Add(r.beat())
		if next.After(at) {
			r.count(at)
			r.clock.now = at
			return ctx.Err()
		}
		r.count(next)
		r.clock.now = next
		if err := r.engine.Tick(ctx); err != nil {
			return err
		}
	}
}

// beat returns how long after this tick the next one comes.
func (r *replay) beat() time.Duration {
	r.world.settle()
	due, writes := r.world.due()
	switch {
	case writes || (!due.IsZero() && !due.After(r.clock.now)):
		return workBeat
	case !due.IsZero():
		return min(due.Sub(r.clock.now), timerBeat)
	case r.world.calm():
		return calmBeat
	}
	return timerBeat
}

// deliver takes messages of one instant in, as one delivery of an event hub.
func (r *replay) deliver(ctx context.Context, messages []Message) error {
	var signals []events.Signal
	for _, m := range messages {
		b := events.Parse(m.Body, m.At)
		r.out.Foreign += len(b.Foreign)
		r.out.Broken += len(b.Broken)
		for _, s := range b.Signals {
			if s.Kind != events.Command && s.Order == nil { // orders come from people, never from a payload
				signals = append(signals, s)
			}
		}
	}
	r.out.Signals += len(signals)
	if len(signals) == 0 {
		return nil
	}
	r.world.hear(signals)
	receipt, err := r.engine.Handle(ctx, signals)
	r.out.Unknown += receipt.Unknown
	return err
}

// count adds the time up to an instant in which gateways carried over a bad circuit.
func (r *replay) count(to time.Time) {
	for _, g := range r.est.Groups {
		n := 0
		for _, gw := range g.Gateways {
			if on := r.world.carrying(gw); len(on) > 0 && !slices.ContainsFunc(on, func(c string) bool { return !r.world.bad(c) }) {
				n++
			}
		}
		if n == 0 {
			continue
		}
		r.out.BadMS += int64(n) * to.Sub(r.at).Milliseconds()
		of := r.lost[g.Name]
		if k := len(of) - 1; k >= 0 && of[k].gateways == n && of[k].to.Equal(r.at) {
			of[k].to = to
			continue
		}
		r.lost[g.Name] = append(of, span{r.at, to, n})
	}
	r.at = to
}

// conclude reads the decisions out of the journal.
func (r *replay) conclude(rec Recording) (Result, error) {
	var circuits []record.Entry
	for _, c := range r.est.Circuits {
		entries, err := r.store.entries("circuit." + c.Name)
		if err != nil {
			return Result{}, err
		}
		circuits = append(circuits, entries...)
	}
	var all []shadow.Case
	rule := shadow.DefaultRule()
	for _, g := range r.est.Groups {
		entries, err := r.store.entries("group." + g.Name)
		if err != nil {
			return Result{}, err
		}
		cases := shadow.Cases(shadow.Input{Group: g.Name, Now: r.out.To, Rule: rule, Entries: entries, Circuits: circuits})
		all = append(all, cases...)
		r.out.Decisions = append(r.out.Decisions, r.decisions(cases, entries)...)
	}
	r.out.Regrets = shadow.Regrets(all, rule, r.out.To)
	r.out.Writes = r.world.writes
	slices.SortStableFunc(r.out.Decisions, func(a, b Decision) int { return a.NamedAt.Compare(b.NamedAt) })
	return r.out, nil
}

// decisions adds to the cases of one group what the replay knows beside them.
func (r *replay) decisions(cases []shadow.Case, entries []record.Entry) []Decision {
	out := make([]Decision, len(cases))
	for i, c := range cases {
		d := Decision{Case: c}
		end := r.out.To
		if i+1 < len(cases) {
			end = cases[i+1].NamedAt
		}
		for _, h := range c.Held {
			for _, code := range h.Codes {
				if !slices.Contains(d.Guards, code) {
					d.Guards = append(d.Guards, code)
				}
			}
		}
		for _, e := range entries {
			switch {
			case e.At.Before(c.NamedAt) || !e.At.Before(end):
			case e.Code == failover.CodeDecided && e.Fields["kind"] == string(policy.KindFailback) && d.HomeAt.IsZero():
				d.HomeAt = e.At
			case e.Code == failover.CodeWaiting && d.WaitedAt.IsZero():
				d.Waited, d.WaitedAt = true, e.At
			}
		}
		for _, s := range r.lost[c.Group] {
			if from, to := latest(s.from, c.BadAt), earliest(s.to, end); to.After(from) {
				d.LostMS += int64(s.gateways) * to.Sub(from).Milliseconds()
			}
		}
		if c.Grade == shadow.Harmful && !c.MovedAt.IsZero() {
			r.out.Harmful++
		}
		if !c.MovedAt.IsZero() {
			r.out.Moves++
		}
		if !d.HomeAt.IsZero() {
			r.out.Home++
		}
		out[i] = d
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
