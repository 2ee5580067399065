package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"erfailover/events"
	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/handlers"
)

// drillSpecs returns the configured drills, by name, with their blackout calendars as
// they are now. A calendar that cannot be read keeps its drill from beginning, and
// from nothing else.
func (p *parts) drillSpecs(ctx context.Context) ([]drill.Spec, error) {
	var out []drill.Spec
	var errs []error
	for _, name := range sortedKeys(p.config.Drills) {
		spec, err := drillSpec(p.config, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		hours := drill.Hours{Name: name, Jitter: p.config.Drills[name].Jitter, Whole: spec.Limit, Windows: p.config.Drills[name].Windows, Blocked: p.config.Drills[name].Blocked}
		var blind, old []string
		for i, c := range p.config.Drills[name].Calendars {
			b, copied, err := p.calendars.read(ctx, calendarName(name, i, c), c, spec.Calendar.Zone(), p.clock.Now())
			if err != nil {
				blind = append(blind, err.Error())
				continue
			}
			if copied != "" {
				old = append(old, copied)
			}
			hours.Blackout = append(hours.Blackout, b)
		}
		spec.Calendar, spec.Blind, spec.Copied = spec.Calendar.Within(hours), strings.Join(blind, "; "), strings.Join(old, "; ")
		out = append(out, spec)
	}
	return out, errors.Join(errs...)
}

// drillSpec returns one configured drill, without its hours.
func drillSpec(cfg config.Config, name string) (drill.Spec, error) {
	d := cfg.Drills[name]
	var closed []drill.Dates
	for _, b := range d.Blackout {
		closed = append(closed, drill.Dates{First: b.First, Last: b.Last})
	}
	cal, err := drill.ParseCalendar(d.Schedule, d.Timezone, closed)
	if err != nil {
		return drill.Spec{}, fmt.Errorf("drills.%s: %w", name, err)
	}
	spec := drill.Spec{Name: name, Group: d.Group, Kind: drill.Kind(d.Kind), Calendar: cal, Hold: d.Hold, Limit: d.Limit, Announce: d.Announce,
		Link: d.Link, Objective: d.Objective, Block: signs(d.Block), Abort: signs(d.Abort)}
	if spec.Kind == drill.Link && spec.Link == "" {
		spec.Link = events.Primary
	}
	if spec.Objective == 0 {
		spec.Objective = cfg.PolicyRule(d.Group).Objective
	}
	return spec, nil
}

func signs(list []config.DrillSignal) []drill.Sign {
	var out []drill.Sign
	for _, s := range list {
		out = append(out, drill.Sign(s))
	}
	return out
}

// drillInput gathers what the next beat of a drill looks at. While nothing is due
// that is the clock alone.
func (p *parts) drillInput(ctx context.Context, spec drill.Spec, d drill.Document) (drill.Input, error) {
	in := drill.Input{Spec: spec, Now: p.clock.Now(), Owner: p.engine.Owner, Groups: map[string]record.Group{}}
	due := drill.Due(d, spec, in.Now)
	if !due && !drill.Running(d) {
		return in, nil
	}
	var estate record.Estate
	if _, err := readDocument(ctx, p.store, record.EstateKey, "estate", &estate); err != nil {
		return in, err
	}
	if in.Estate = estate.Facts; in.Estate.Groups == nil {
		in.Estate = p.config.Topology()
	}
	var err error
	if in.Status, err = handlers.NewViews(p.engine).Status(ctx); err != nil {
		return in, err
	}
	groups := drill.Groups(spec, in)
	for _, l := range d.Legs {
		groups = append(groups, l.Group)
	}
	for _, name := range groups {
		g := record.Group{Name: name}
		if _, err := readDocument(ctx, p.store, record.GroupKey(name), "group", &g); err != nil {
			return in, err
		}
		in.Groups[name] = g
	}
	if due {
		return in, p.drillPreviews(ctx, &in, d, groups)
	}
	return in, p.drillEvidence(ctx, &in, d)
}

// drillPreviews asks what the orders of a drill would do now. It writes nothing.
func (p *parts) drillPreviews(ctx context.Context, in *drill.Input, d drill.Document, groups []string) error {
	in.Previews, in.Returns = map[string]drill.Preview{}, map[string]int{}
	run := d.Run
	if in.Spec.Kind == drill.Evacuate {
		run.Location = drill.Location(*in)
	}
	for _, g := range groups {
		order := drill.Order(in.Spec, run, drill.Leg{Group: g}, in.Now.Add(in.Spec.Limit))
		v, err := p.engine.Preview(ctx, g, &order)
		if err != nil {
			return err
		}
		pre := drill.Preview{Verdict: v.Verdict, Refused: v.Refused, Plan: drill.Plan{Group: g, ID: v.Plan.ID, From: v.Verdict.From, To: v.Verdict.To, Steps: changes(v.Plan)}}
		in.Previews[g], in.Returns[g] = pre, policy.Witnesses(p.config.HealthRule(g))
	}
	return nil
}

func changes(p planner.Plan) []drill.Change {
	var out []drill.Change
	for _, s := range p.Steps {
		c := drill.Change{Connection: s.Connection, Circuit: s.Circuit, From: s.From.Weight, To: s.To.Weight}
		switch s.Kind {
		case planner.Disconnect:
			c.Does = "leaves " + s.Location
		case planner.CutLink:
			c.Does = "loses its " + s.Link + " link"
		case planner.SetWeight, planner.CutPeering:
		}
		out = append(out, c)
	}
	return out
}

// drillEvidence loads the ended operations of a run and, once traffic goes home,
// reads its connections afresh.
func (p *parts) drillEvidence(ctx context.Context, in *drill.Input, d drill.Document) error {
	in.Ops = map[string]*record.Operation{}
	for _, l := range d.Legs {
		for _, id := range []string{l.Out, l.Back} {
			op, err := p.endedOperation(ctx, id)
			if err != nil {
				return err
			}
			if op != nil {
				in.Ops[id] = op
			}
		}
	}
	p.drillCounters(ctx, in, d)
	if d.Phase != drill.Returning && d.Early == "" && in.Now.Before(d.Deadline) {
		return nil
	}
	refs := make([]executor.Ref, len(d.Undo))
	for i, u := range d.Undo {
		refs[i] = executor.Ref{Kind: executor.RefConnection, ID: u.Connection}
	}
	in.Fresh = map[string]executor.ConnectionState{}
	for _, got := range p.engine.Network.Read(ctx, refs) {
		if got.Err == nil && got.Connection != nil {
			in.Fresh[got.Ref.ID] = *got.Connection
		}
	}
	return nil
}

// drillCounters reads the byte counters of the circuits that a run leaves and of those
// that take over. One that cannot be read is left out.
func (p *parts) drillCounters(ctx context.Context, in *drill.Input, d drill.Document) {
	names := drill.Watched(d.Run)
	var refs []executor.Ref
	var which []string
	for _, name := range names {
		if c, ok := in.Estate.Circuit(name); ok {
			refs, which = append(refs, executor.Ref{Kind: executor.RefTraffic, ID: c.ID}), append(which, name)
		}
	}
	in.Counters = map[string]record.TrafficReading{}
	for i, got := range p.engine.Network.Read(ctx, refs) {
		if got.Err == nil && got.Traffic != nil {
			in.Counters[which[i]] = record.TrafficReading{At: got.At, Bytes: *got.Traffic}
		}
	}
}
