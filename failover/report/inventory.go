package report

import (
	"slices"

	"erfailover/failover/health"
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
