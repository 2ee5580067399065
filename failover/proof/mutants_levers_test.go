package proof

import (
	"context"
	"slices"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/record"
)

func pulling(w *world) { w.swarm.pulling() }

// leverMutants are faults of levers: of their deadline, their way back, and of tests
// that are somebody else's.
func leverMutants() []mutant {
	return []mutant{
		{name: "a lever's deadline is put off at every look", world: pulling, load: loaded(func(g *record.Group) {
			for k := range g.Cuts {
				if g.Cuts[k].Pull.Phase == executor.Done {
					g.Cuts[k].Deadline = g.Cuts[k].Deadline.Add(time.Hour)
				}
			}
		})},
		{name: "a lever that is pulled is forgotten", world: pulling, store: group(nil, func(g *record.Group) {
			g.Cuts = slices.DeleteFunc(g.Cuts, func(c record.Cut) bool { return c.Pull.Phase == executor.Done })
		})},
		{name: "a lever is pulled before its way back is stored", world: pulling, store: group(func(_ *world, g *record.Group) bool {
			return slices.ContainsFunc(g.Cuts, func(c record.Cut) bool { return c.Pull.Phase == executor.Intent })
		}, nil)},
		{name: "a lever's way back is not stored before it is sent", world: pulling, store: group(func(_ *world, g *record.Group) bool {
			return slices.ContainsFunc(g.Cuts, func(c record.Cut) bool { return c.Back.Phase == executor.Intent })
		}, nil)},
		{name: "every failover test is ours", world: testing1, net: details(func(ts []executor.Test) []executor.Test {
			for k := range ts {
				ts[k].ID, ts[k].Start = "", time.Time{}
			}
			return ts
		})},
		{name: "no failover test is seen", world: pulling, net: details(func([]executor.Test) []executor.Test { return nil })},
		{name: "a way back that failed counts as done", world: pulling, store: group(nil, func(g *record.Group) {
			for k := range g.Cuts {
				if g.Cuts[k].Back.Attempts > 0 && g.Cuts[k].Back.Phase == executor.Waiting {
					g.Cuts[k].Back.Phase = executor.Done
				}
			}
		})},
		{name: "a lost answer about a peering counts as a refusal", world: peering, net: func(_ *world, n executor.Network) executor.Network { return doubting{n} }},
	}
}

// testing1 is a world in which others test their gateways all the time.
func testing1(w *world) {
	w.swarm.pulling()
	w.swarm.rates["foreign-test"] = 0.5
}

// peering is a world in which answers about levers are lost.
func peering(w *world) {
	w.swarm.pulling()
	w.swarm.rates["arm-lost-reply"] = 0.5
}

// details makes a mutant that misreads the details of failover tests.
func details(change func([]executor.Test) []executor.Test) func(*world, executor.Network) executor.Network {
	return func(_ *world, n executor.Network) executor.Network { return misdetailing{n, change} }
}

type misdetailing struct {
	executor.Network
	change func([]executor.Test) []executor.Test
}

func (m misdetailing) Poll(ctx context.Context, running []executor.Running) []executor.Polled {
	out := m.Network.Poll(ctx, running)
	for k := range out {
		if a := out[k].Answer; a != nil {
			a.Tests = m.change(a.Tests)
		}
	}
	return out
}

// doubting takes a lost answer about a peering for a refusal.
type doubting struct{ executor.Network }

func (d doubting) Begin(ctx context.Context, ws []executor.Write) []executor.Begun {
	out := d.Network.Begin(ctx, ws)
	for k, b := range out {
		if ws[k].Kind == planner.CutPeering && ws[k].Cut && b.Outcome == executor.Unknown && b.Token == "" {
			out[k].Outcome, out[k].Err = executor.NotApplied, &fault.Error{Op: "pull", Kind: fault.Refused}
		}
	}
	return out
}
