package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/topology"
)

// smallAzure is an Azure whose writes land at once.
type smallAzure struct {
	w       *drillWorld
	weights map[string]*executor.ConnectionState
	tests   []cutTest // failover tests that run
}

// cutTest is a failover test that runs.
type cutTest struct {
	target string
	executor.Test
}

// lever starts or stops a failover test, at once.
func (a *smallAzure) lever(w executor.Write) executor.Begun {
	a.tests = slices.DeleteFunc(a.tests, func(t cutTest) bool { return t.target == w.Connection && t.Location == w.Location && t.Link == w.Link })
	if w.Cut {
		a.tests = append(a.tests, cutTest{w.Connection, executor.Test{ID: fmt.Sprintf("guid-%d", a.w.now.Unix()), Location: w.Location, Link: w.Link, State: executor.TestOn, Status: "Active", Start: a.w.now}})
	}
	return executor.Begun{Outcome: executor.Applied, Sent: true}
}

// named returns a connection by the end of its ID, "gw1-ashburn".
func (a *smallAzure) named(end string) *executor.ConnectionState {
	for id, c := range a.weights {
		if strings.HasSuffix(id, "/"+end) {
			return c
		}
	}
	a.w.t.Fatalf("no connection %q", end)
	return nil
}

// placeOf is where a circuit is: two of the three are at one location.
func placeOf(circuit string) string {
	if strings.HasSuffix(circuit, "chicago") {
		return "Chicago"
	}
	return "Ashburn"
}

func (a *smallAzure) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	out := make([]executor.Reading, len(refs))
	for i, r := range refs {
		out[i] = executor.Reading{Ref: r, At: a.w.now, Found: true}
		switch r.Kind {
		case executor.RefConnection:
			c := *a.weights[r.ID]
			out[i].Connection = &c
		case executor.RefConnections:
			for _, name := range sortedKeys(a.weights) {
				if a.weights[name].Gateway == r.ID {
					out[i].Connections = append(out[i].Connections, *a.weights[name])
				}
			}
		case executor.RefCircuit:
			out[i].Circuit = &executor.CircuitState{Circuit: topology.Circuit{Tier: "Premium", Location: placeOf(r.ID)}}
		case executor.RefGateway:
			out[i].Gateway = &topology.Gateway{ID: r.ID}
		case executor.RefTraffic:
			n := a.w.now.Unix()
			out[i].Traffic = &executor.Traffic{In: [2]int64{n, n}, Out: [2]int64{n, n}}
		}
	}
	return out
}

func (a *smallAzure) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	out := make([]executor.Begun, len(writes))
	for i, w := range writes {
		if w.Kind != planner.SetWeight && w.Kind != "" {
			out[i] = a.lever(w)
			continue
		}
		c := a.weights[w.Connection]
		before := *c
		c.Weight, c.Epoch = w.To, w.Epoch
		out[i] = executor.Begun{Outcome: executor.Applied, Sent: true, Before: &before}
	}
	return out
}

func (a *smallAzure) Ask(_ context.Context, qs []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(qs))
	for i, q := range qs {
		if q.Kind == executor.AskTests {
			ans := &executor.Answer{Question: q, At: a.w.now}
			for _, t := range a.tests {
				if t.target == q.Target {
					ans.Tests = append(ans.Tests, t.Test)
				}
			}
			out[i] = executor.Begun{Outcome: executor.Applied, Answer: ans}
			continue
		}
		out[i] = executor.Begun{Outcome: executor.Applied, Answer: &executor.Answer{Question: q, At: a.w.now,
			Peers: []executor.Peer{{Established: true, Prefixes: 3}}, Routes: []executor.Route{{Network: "10.0.0.0/8", Origin: "EBgp"}}}}
	}
	return out
}

func (a *smallAzure) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	out := make([]executor.Polled, len(running))
	for i := range out {
		out[i] = executor.Polled{Done: true, Outcome: executor.Unknown}
	}
	return out
}
