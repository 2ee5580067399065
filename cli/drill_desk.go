package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// drillDesk answers what people ask and order about drills.
type drillDesk struct{ p *parts }

// List returns every configured drill, by name.
func (k drillDesk) List(ctx context.Context) ([]drill.View, error) {
	specs, err := k.p.drillSpecs(ctx)
	if err != nil {
		return nil, err
	}
	out := []drill.View{}
	for _, s := range specs {
		v, err := k.view(ctx, s)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// Show returns one drill.
func (k drillDesk) Show(ctx context.Context, name string) (drill.View, error) {
	s, err := k.spec(ctx, name)
	if err != nil {
		return drill.View{}, err
	}
	return k.view(ctx, s)
}

func (k drillDesk) view(ctx context.Context, s drill.Spec) (drill.View, error) {
	d, _, err := k.p.drillLoad(ctx, s.Name)
	c := k.p.config.Drills[s.Name]
	return drill.MakeView(s, d, c.Schedule, c.Timezone, k.p.clock.Now()), err
}

func (k drillDesk) spec(ctx context.Context, name string) (drill.Spec, error) {
	specs, err := k.p.drillSpecs(ctx)
	if err != nil {
		return drill.Spec{}, err
	}
	for _, s := range specs {
		if s.Name == name {
			return s, nil
		}
	}
	return drill.Spec{}, &fault.Error{Op: "find the drill", Kind: fault.NotFound, Hint: "erfailover drill list names the drills of the configuration"}
}

// tries bounds how often an order is given again that lost to another instance.
const deskTries = 6

// Order takes an order about a drill: it is stored, then the drill is taken one beat
// further at once.
func (k drillDesk) Order(ctx context.Context, name string, verb handlers.DrillVerb, ask drill.Ask) (drill.View, error) {
	s, err := k.spec(ctx, name)
	if err != nil {
		return drill.View{}, err
	}
	apply := map[handlers.DrillVerb]func(drill.Document, drill.Input, drill.Ask) (drill.Document, error){
		handlers.DrillRun: drill.Start, handlers.DrillStop: drill.Stop, handlers.DrillCancel: drill.Cancel, handlers.DrillBlock: drill.Block, handlers.DrillClear: drill.Clear,
	}[verb]
	if apply == nil {
		return drill.View{}, &fault.Error{Op: "order drill", Target: name, Kind: fault.Invalid, Err: fmt.Errorf("there is no order %q", verb)}
	}
	for range deskTries {
		d, etag, err := k.p.drillLoad(ctx, name)
		if err != nil {
			return drill.View{}, err
		}
		next, err := apply(d, drill.Input{Spec: s, Now: k.p.clock.Now(), Owner: k.p.engine.Owner}, ask)
		if err != nil {
			return drill.View{}, err
		}
		if err = k.p.drillSave(ctx, &next, etag); errors.Is(err, fault.Conflict) {
			continue
		}
		if err != nil {
			return drill.View{}, err
		}
		if err := k.p.drillBeat(ctx, s, false); err != nil && !errors.Is(err, fault.Conflict) {
			return drill.View{}, err
		}
		return k.view(ctx, s)
	}
	return drill.View{}, &fault.Error{Op: "order drill", Target: name, Kind: fault.Unavailable, Hint: "many instances write the same document; order again", Err: fault.Conflict}
}

// Report makes the report of a run: of the one that is on for "", or else of the
// newest that has ended.
func (k drillDesk) Report(ctx context.Context, name, run string) (drill.Report, error) {
	s, err := k.spec(ctx, name)
	if err != nil {
		return drill.Report{}, err
	}
	d, _, err := k.p.drillLoad(ctx, name)
	if err != nil {
		return drill.Report{}, err
	}
	if run == "" && drill.Running(d) {
		run = d.ID
	} else if run == "" && d.Last != nil {
		run = d.Last.ID
	}
	lost := &fault.Error{Op: "find the run", Target: name, Kind: fault.NotFound, Hint: "erfailover drill show " + name + " names the runs"}
	if run == "" || record.CheckKey("read run", drill.RunKey(run)) != nil {
		return drill.Report{}, lost
	}
	ended := drill.Ended{Name: name, Group: s.Group, ObjectiveMS: s.Objective.Milliseconds(), HoldMS: s.Hold.Milliseconds(), Run: d.Run, Outcome: drill.Outcome{ID: d.ID, Kind: s.Kind, Began: d.ArmedAt, By: d.By}}
	if !drill.Running(d) || d.ID != run {
		doc, err := k.p.store.Load(ctx, drill.RunKey(run))
		switch {
		case errors.Is(err, fault.NotFound):
			return drill.Report{}, lost
		case err != nil:
			return drill.Report{}, err
		}
		ended = drill.Ended{}
		if err := json.Unmarshal(doc.Body, &ended); err != nil {
			return drill.Report{}, &fault.Error{Op: "read run", Target: run, Kind: fault.Corrupt, Err: err}
		}
		if ended.Name != name {
			return drill.Report{}, lost
		}
	}
	rep, _, err := drillReport(ctx, k.p.store, ended, d.Head, k.p.clock.Now())
	return rep, err
}

// drillReport makes the report of a run from a record, and returns the drill's journal
// with it.
func drillReport(ctx context.Context, store record.Store, ended drill.Ended, head record.Head, now time.Time) (drill.Report, []record.Row, error) {
	in := drill.ReportInput{Ended: ended, Now: now, Head: head}
	for _, l := range ended.Run.Legs {
		for _, id := range []string{l.Out, l.Back} {
			op, err := findOperation(ctx, store, id)
			if err != nil {
				return drill.Report{}, nil, err
			}
			if id != "" && op != nil {
				in.Operations = append(in.Operations, report.MakeOperation(*op, time.Duration(ended.ObjectiveMS)*time.Millisecond))
			}
		}
	}
	var err error
	if in.Rows, err = readRows(ctx, store, drill.Stream(ended.Name)); err != nil {
		return drill.Report{}, nil, err
	}
	rep, err := drill.MakeReport(in)
	return rep, in.Rows, err
}
