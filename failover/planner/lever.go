package planner

import (
	"strings"

	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// pull makes the steps of a lever that cuts. It refuses what would leave a gateway
// without a connection to a circuit that the verdict counts on, whatever the policy
// said: this is the last look before a path is taken away.
func pull(in Input) ([]Step, error) {
	if len(in.Verdict.From) == 0 {
		return nil, refuse(in, "a lever needs a circuit to cut", "name the circuit")
	}
	switch in.Verdict.Lever {
	case policy.LeverDisconnect:
		return disconnect(in)
	case policy.LeverLink:
		return onCircuit(in, Step{Kind: CutLink, Link: string(in.Verdict.Link)})
	case policy.LeverPeering:
		for _, g := range in.Estate.Gateways {
			if err := stranded(in, g.ID, func(c topology.Circuit) bool { return c.Name == in.Verdict.From[0] }); err != nil {
				return nil, err
			}
		}
		return onCircuit(in, Step{Kind: CutPeering})
	case policy.LeverWeight, "":
	}
	return nil, refuse(in, "lever "+string(in.Verdict.Lever)+" cuts nothing", "move by weights")
}

// onCircuit makes the one step of a lever on a circuit.
func onCircuit(in Input, s Step) ([]Step, error) {
	c, ok := in.Estate.Circuit(in.Verdict.From[0])
	if !ok {
		return nil, refuse(in, in.Verdict.From[0]+" is not a circuit of this estate", "name a circuit of the group")
	}
	s.Connection, s.Circuit, s.Cut = c.ID, c.Name, true
	return []Step{s}, nil
}

// disconnect makes one step a gateway that has a connection to a circuit that is to
// be left.
func disconnect(in Input) ([]Step, error) {
	var steps []Step
	left, ok := in.Estate.Circuit(in.Verdict.From[0])
	if !ok || left.Location == "" {
		return nil, refuse(in, "the peering location of "+in.Verdict.From[0]+" is not known", "let the identity read the circuit")
	}
	for _, gw := range in.Group.Gateways {
		at := func(c topology.Circuit) bool { return strings.EqualFold(c.Location, left.Location) }
		touched := false
		for _, name := range in.Verdict.From {
			_, has := in.Estate.Connection(gw, name)
			touched = touched || has
		}
		if !touched {
			continue
		}
		if err := stranded(in, gw, at); err != nil {
			return nil, err
		}
		steps = append(steps, Step{Kind: Disconnect, Connection: gw, Gateway: gw, Circuit: left.Name, Location: left.Location, Cut: true})
	}
	return steps, nil
}

// stranded refuses a cut that leaves a gateway of the estate without a connection to
// another circuit: one that the verdict counts on, when the gateway is of the group.
func stranded(in Input, gateway string, cut func(topology.Circuit) bool) error {
	lost, kept := false, false
	ours := false
	for _, g := range in.Group.Gateways {
		ours = ours || g == gateway
	}
	for _, c := range in.Estate.Circuits {
		if _, ok := in.Estate.Connection(gateway, c.Name); !ok {
			continue
		}
		if cut(c) {
			lost = true
			continue
		}
		kept = kept || !ours || touches([]string{c.Name}, in.Verdict.To)
	}
	if lost && !kept {
		return refuse(in, "gateway "+short(gateway)+" would be left without a path", "connect it to another circuit, or move by weights")
	}
	return nil
}
