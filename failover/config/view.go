package config

import (
	"maps"
	"slices"
	"strings"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"

	"github.com/robfig/cron/v3"
)

// Topology returns the configured part of the estate, in canonical order. What is
// discovered through Azure (providers, locations, connections) is left empty.
func (c Config) Topology() topology.Estate {
	var e topology.Estate
	for _, name := range slices.Sorted(maps.Keys(c.Circuits)) {
		k := c.Circuits[name]
		e.Circuits = append(e.Circuits, topology.Circuit{
			Name: name, ID: k.ID, Site: k.Site, Shares: slices.Clone(k.Shares),
			Monitors: slices.Clone(k.Monitors), Probes: slices.Clone(k.Probes),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[name]
		tiers := make([][]string, len(g.Preference))
		for i, tier := range g.Preference {
			tiers[i] = slices.Clone(tier)
		}
		e.Groups = append(e.Groups, topology.Group{Name: name, Gateways: slices.Clone(g.Gateways), Tiers: tiers})
		for _, id := range g.Gateways {
			e.Gateways = append(e.Gateways, topology.Gateway{ID: id, Kind: gatewayKind(id)})
		}
	}
	e.Sort()
	return e
}

// gatewayKind tells a gateway's kind by its resource type.
func gatewayKind(id string) topology.GatewayKind {
	if strings.Contains(id, "/"+events.TypeVWANGateway+"/") {
		return topology.VWAN
	}
	return topology.VNet
}

// HealthRule returns how a group weighs evidence. A group that is not configured
// has the default rule.
func (c Config) HealthRule(group string) health.Rule {
	g, ok := c.Groups[group]
	if !ok {
		return health.DefaultRule()
	}
	r := g.Health
	r.MaxAge = maps.Clone(r.MaxAge)
	return r
}

// PolicyRule returns what a group's policy allows. A group that is not configured
// may do nothing: its mode is observe.
func (c Config) PolicyRule(group string) policy.Rule {
	g, ok := c.Groups[group]
	if !ok {
		g = DefaultGroup()
	}
	f := g.Failback
	f.Windows = slices.Clone(f.Windows)
	return policy.Rule{
		Mode: g.Mode, Objective: g.Objective, CoolDown: g.CoolDown, Fresh: g.CandidateFresh,
		Failback: f, Drift: g.Drift, Approval: g.Approval, Levers: slices.Clone(g.Levers),
		AcceptWhenDown: slices.Clone(g.AcceptWhenDown),
	}
}

// Limits returns the bounds on the automation as a whole.
func (c Config) Limits() policy.Limits { return c.EstateLimits }

// parseCron reads the five standard fields and nothing else: no "@monthly", and no
// zone in front, which has a key of its own.
func parseCron(s string) (cron.Schedule, error) {
	if strings.Contains(s, "=") {
		return nil, errZoneInCron
	}
	return cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(s)
}
