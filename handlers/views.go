package handlers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// Views answers reads: from the record, and by previews, which write nothing. It
// keeps nothing in memory, so every instance answers the same.
type Views struct{ engine *failover.Engine }

// NewViews returns the views of an engine's record.
func NewViews(e *failover.Engine) *Views { return &Views{engine: e} }

// load reads a document into v and reports whether there is one.
func (v *Views) load(ctx context.Context, key, kind string, into any) (bool, error) {
	doc, err := v.engine.Store.Load(ctx, key)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	body, err := record.Migrate(kind, doc.Body)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return false, &fault.Error{Op: "read record", Target: key, Kind: fault.Corrupt, Err: err}
	}
	return true, nil
}

// estate reads the estate's document; before the first discovery it holds what the
// configuration says.
func (v *Views) estate(ctx context.Context) (record.Estate, error) {
	var e record.Estate
	_, err := v.load(ctx, record.EstateKey, "estate", &e)
	if e.Facts.Groups == nil {
		e.Facts = v.engine.Topology
	}
	return e, err
}

// groupNames returns the configured groups, sorted.
func (v *Views) groupNames() []string {
	var names []string
	for _, g := range v.engine.Topology.Groups {
		names = append(names, g.Name)
	}
	slices.Sort(names)
	return names
}

// group reads one group's document.
func (v *Views) group(ctx context.Context, name string) (record.Group, error) {
	g := record.Group{Name: name}
	if _, ok := v.engine.Topology.Group(name); !ok {
		return g, noGroup(name)
	}
	_, err := v.load(ctx, record.GroupKey(name), "group", &g)
	return g, err
}

func noGroup(name string) error {
	if !isName(name) {
		name = ""
	}
	return &fault.Error{Op: "find the group", Target: name, Kind: fault.NotFound, Hint: "name a group of the configuration; GET " + base + "/groups lists them"}
}

// input gathers what the status of some groups is made of.
func (v *Views) input(ctx context.Context, names []string) (report.Input, error) {
	in := report.Input{Now: v.engine.Clock.Now()}
	var err error
	if in.Estate, err = v.estate(ctx); err != nil {
		return in, err
	}
	in = report.NewInput(in.Now, in.Estate)
	in.Groups = make([]record.Group, len(names))
	circuits := make([]record.Circuit, len(in.Estate.Facts.Circuits))
	err = each(len(names)+len(circuits), func(i int) (err error) {
		if i < len(names) {
			in.Groups[i], err = v.group(ctx, names[i])
			return err
		}
		i -= len(names)
		_, err = v.load(ctx, record.CircuitKey(in.Estate.Facts.Circuits[i].Name), "circuit", &circuits[i])
		return err
	})
	for _, name := range names {
		in.Health[name], in.Policy[name] = v.engine.Rules[name].Health, v.engine.Rules[name].Policy
	}
	for i, c := range in.Estate.Facts.Circuits {
		in.Memories[c.Name] = circuits[i].Memory
	}
	return in, err
}

// atOnce bounds the documents that one read loads at the same time: a store in the
// cloud answers each in milliseconds, and an estate has thousands.
const atOnce = 16

// each calls do for 0 to n-1, some at once, and returns every error.
func each(n int, do func(i int) error) error {
	errs, next := make([]error, n), make(chan int)
	var all sync.WaitGroup
	for range min(n, atOnce) {
		all.Go(func() {
			for i := range next {
				errs[i] = caught(do, i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}

// caught turns a panic into an error: one that leaves its goroutine would end the
// process.
func caught(do func(i int) error, i int) (err error) {
	defer func() {
		if recover() != nil {
			err = &fault.Error{Op: "read the record", Kind: fault.Internal, Err: errPanic}
		}
	}()
	return do(i)
}

// Status returns the estate as it is believed to be now.
func (v *Views) Status(ctx context.Context) (report.Status, error) {
	in, err := v.input(ctx, v.groupNames())
	if err != nil {
		return report.Status{}, err
	}
	return report.MakeStatus(in), nil
}

// Group returns the status of one group.
func (v *Views) Group(ctx context.Context, name string) (report.GroupStatus, error) {
	in, err := v.input(ctx, []string{name})
	if err != nil {
		return report.GroupStatus{}, err
	}
	return report.MakeStatus(in).Groups[0], nil
}

// Circuits lists every circuit that the caller may see.
func (v *Views) Circuits(ctx context.Context, c Caller) ([]report.CircuitView, error) {
	in, err := v.input(ctx, v.groupNames())
	st, facts := report.Narrow(report.MakeStatus(in), in.Estate.Facts, c.sees())
	return report.Circuits(facts, st), err
}

// Gateways lists every gateway that the caller may see.
func (v *Views) Gateways(ctx context.Context, c Caller) ([]report.GatewayView, error) {
	in, err := v.input(ctx, v.groupNames())
	st, facts := report.Narrow(report.MakeStatus(in), in.Estate.Facts, c.sees())
	return report.Gateways(facts, st), err
}

// Card returns the break-glass card for the present state.
func (v *Views) Card(ctx context.Context) (report.Card, error) {
	s, err := v.Status(ctx)
	return report.MakeCard(s), err
}

// Operations lists operations that run, wait or ended lately, newest first: in one
// group, or in all for "".
func (v *Views) Operations(ctx context.Context, group string) ([]report.OperationLine, error) {
	names := v.groupNames()
	if group != "" {
		names = []string{group}
	}
	groups := make([]record.Group, 0, len(names))
	for _, name := range names {
		g, err := v.group(ctx, name)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return report.Operations(groups), nil
}

// Operation returns one operation, running, waiting or ended.
func (v *Views) Operation(ctx context.Context, id string) (report.Operation, error) {
	for _, name := range v.groupNames() {
		g, err := v.group(ctx, name)
		if err != nil {
			return report.Operation{}, err
		}
		if g.Operation != nil && g.Operation.ID == id {
			return report.MakeOperation(*g.Operation, v.engine.Rules[name].Policy.Objective), nil
		}
	}
	var ended struct {
		Schema    int              `json:"schema"`
		Operation record.Operation `json:"operation"`
	}
	lost := noOperation()
	if record.CheckKey("read operation", record.OperationKey(id)) != nil {
		return report.Operation{}, lost
	}
	found, err := v.load(ctx, record.OperationKey(id), "operation", &ended)
	if err != nil {
		return report.Operation{}, err
	}
	if !found {
		return report.Operation{}, lost
	}
	return report.MakeOperation(ended.Operation, v.engine.Rules[ended.Operation.Group].Policy.Objective), nil
}

func noOperation() error {
	return &fault.Error{Op: "find the operation", Kind: fault.NotFound, Hint: "GET " + base + "/operations lists them"}
}

// Ready says whether the record can be reached.
func (v *Views) Ready(ctx context.Context) error {
	_, err := v.engine.Store.List(ctx, record.GroupKey(""), "", 1)
	return err
}

// explain gathers an explanation of one judgement.
func (v *Views) explain(ctx context.Context, name string, order *events.Order) (report.Explanation, failover.Preview, error) {
	g, err := v.group(ctx, name)
	if err != nil {
		return report.Explanation{}, failover.Preview{}, err
	}
	now, err := v.engine.Preview(ctx, name, order)
	if err != nil {
		return report.Explanation{}, now, err
	}
	topo, _ := v.engine.Topology.Group(name)
	in := report.ExplainInput{Now: v.engine.Clock.Now(), Group: g, Circuits: topo.Circuits(), Home: topo.Home(), Policy: v.engine.Rules[name].Policy,
		Judged: judged(now), Order: order, Measured: now.Measured}
	if len(in.Group.Active) == 0 { // nothing was saved yet; the preview has read the weights
		in.Group.Active = now.Verdict.From
	}
	if order == nil {
		would, err := v.engine.Preview(ctx, name, whatIf(name))
		if err != nil {
			return report.Explanation{}, now, err
		}
		j := judged(would)
		in.WhatIf = &j
		if in.History, err = v.lately(ctx, name, g.Head.Seq); err != nil {
			return report.Explanation{}, now, err
		}
	}
	return report.Explain(in), now, nil
}

// whatIf is the order that readiness asks about. It is never given.
func whatIf(group string) *events.Order {
	return &events.Order{Verb: events.OrderFailover, Group: group, By: "readiness"}
}

func judged(p failover.Preview) report.Judged {
	return report.Judged{Verdict: p.Verdict, View: p.View, Plan: p.Plan, Refused: p.Refused}
}

// Explain says why a group is where it is, and what would change that.
func (v *Views) Explain(ctx context.Context, name string) (report.Explanation, error) {
	e, _, err := v.explain(ctx, name, nil)
	return e, err
}

// Readiness says which of the groups that are seen could fail over now.
func (v *Views) Readiness(ctx context.Context, sees func(group string) bool) (report.Readiness, error) {
	in, err := v.input(ctx, v.groupNames())
	if err != nil {
		return report.Readiness{}, err
	}
	out := report.Readiness{At: in.Now.UTC(), Ready: true, Groups: []report.GroupReadiness{}}
	status := report.MakeStatus(in)
	for _, g := range status.Groups {
		if !sees(g.Name) {
			continue
		}
		order := whatIf(g.Name)
		order.Overrides = []string{"observe-only"} // the mode is a check of its own
		would, err := v.engine.Preview(ctx, g.Name, order)
		if err != nil {
			return out, err
		}
		r := report.MakeReadiness(g, in.Estate.Killed, judged(would), len(in.Estate.Missing), in.Now)
		out.Ready = out.Ready && r.Ready
		out.Groups = append(out.Groups, r)
	}
	return out, v.score(ctx, in, status, &out)
}

// waitFor is how long an answer to an order is waited for in one request.
const waitFor = 2 * time.Second
