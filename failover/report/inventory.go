package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// CircuitView is one circuit: what it is, and what each group believes of it.
type CircuitView struct {
	topology.Circuit
	Carries []string                 `json:"carries,omitempty"` // groups whose traffic it carries now
	Groups  map[string]health.Belief `json:"groups,omitempty"`  // by group name
}

// GatewayView is one gateway with its weights.
type GatewayView struct {
	topology.Gateway
	Group   string   `json:"group,omitzero"` // "" when no group moves it
	Active  []string `json:"active,omitempty"`
	Weights []Weight `json:"weights,omitempty"`
}

// Circuits lists the circuits of an estate, by name.
func Circuits(est topology.Estate, s Status) []CircuitView {
	out := make([]CircuitView, 0, len(est.Circuits))
	for _, c := range est.Circuits {
		v := CircuitView{Circuit: c}
		for _, g := range s.Groups {
			for _, b := range g.Circuits {
				if b.Circuit != c.Name {
					continue
				}
				if v.Groups == nil {
					v.Groups = map[string]health.Belief{}
				}
				v.Groups[g.Name] = b
			}
			if slices.Contains(g.Active, c.Name) {
				v.Carries = append(v.Carries, g.Name)
			}
		}
		out = append(out, v)
	}
	return out
}

// Gateways lists the gateways of an estate, by ID.
func Gateways(est topology.Estate, s Status) []GatewayView {
	out := make([]GatewayView, 0, len(est.Gateways))
	for _, gw := range est.Gateways {
		v := GatewayView{Gateway: gw}
		for _, g := range est.Groups {
			if slices.Contains(g.Gateways, gw.ID) {
				v.Group = g.Name
			}
		}
		for _, g := range s.Groups {
			for _, w := range g.Weights {
				if w.Gateway != gw.ID {
					continue
				}
				v.Weights = append(v.Weights, w)
				if w.Carries {
					v.Active = append(v.Active, w.Circuit)
				}
			}
		}
		out = append(out, v)
	}
	return out
}

// OperationLine is one operation in a list.
type OperationLine struct {
	ID     string        `json:"id"`
	Group  string        `json:"group"`
	Kind   policy.Kind   `json:"kind"`
	From   []string      `json:"from,omitempty"`
	To     []string      `json:"to,omitempty"`
	Epoch  int64         `json:"epoch"`
	Status record.Status `json:"status"`
	Result record.Result `json:"result,omitzero"` // once it has ended
	By     string        `json:"by,omitzero"`
	Begun  time.Time     `json:"begun,omitzero"`
	Ended  time.Time     `json:"ended,omitzero"`
	Writes int           `json:"writes"`
}

// Operations lists what runs, waits or has ended lately in some groups, newest
// first.
func Operations(groups []record.Group) []OperationLine {
	out := []OperationLine{}
	for _, g := range groups {
		if op := g.Operation; op != nil {
			out = append(out, OperationLine{ID: op.ID, Group: g.Name, Kind: op.Kind, From: op.Plan.From, To: op.Plan.To, Epoch: op.Plan.Epoch, Status: op.Status,
				Result: op.Result, By: op.By, Begun: op.Stamps.Decide, Ended: op.Stamps.End, Writes: len(op.Steps)})
		}
		for _, s := range g.Recent {
			out = append(out, OperationLine{ID: s.ID, Group: g.Name, Kind: s.Kind, From: s.From, To: s.To, Epoch: s.Epoch, Status: record.Ended,
				Result: s.Result, Begun: s.Begun, Ended: s.Ended, Writes: s.Writes})
		}
	}
	slices.SortStableFunc(out, func(a, b OperationLine) int { return cmp.Or(b.Begun.Compare(a.Begun), strings.Compare(a.ID, b.ID)) })
	return out
}
