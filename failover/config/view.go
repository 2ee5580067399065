package config

import (
	"maps"
	"slices"
	"strings"
	"time"

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
	for name, k := range c.Circuits {
		e.Circuits = append(e.Circuits, topology.Circuit{
			Name: name, ID: k.ID, Site: k.Site, Shares: slices.Clone(k.Shares),
			Monitors: slices.Clone(k.Monitors), Probes: slices.Clone(k.Probes),
		})
	}
	for name, g := range c.Groups {
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
	}
}

// Limits returns the bounds on the automation as a whole.
func (c Config) Limits() policy.Limits { return c.EstateLimits }

// Next returns the first start of the drill after t that is outside its blackout
// days, in the drill's zone; the zero time when there is none within five years.
func (d Drill) Next(t time.Time) time.Time {
	zone, err := policy.ParseZone(d.Timezone)
	if err != nil {
		return time.Time{}
	}
	when, err := parseCron(d.Schedule)
	if err != nil {
		return time.Time{}
	}
	end := t.AddDate(5, 0, 0)
	for t = when.Next(t.In(zone)); !t.IsZero() && t.Before(end); {
		last := d.blackedOut(t)
		if last == "" {
			return t
		}
		day, err := time.ParseInLocation(time.DateOnly, last, zone)
		if err != nil {
			return time.Time{}
		}
		t = when.Next(day.AddDate(0, 0, 1).Add(-time.Second))
	}
	return time.Time{}
}

// blackedOut returns the last day of a blackout that t falls into, or "".
func (d Drill) blackedOut(t time.Time) string {
	date := t.Format(time.DateOnly)
	for _, b := range d.Blackout {
		if b.First <= date && date <= b.Last {
			return b.Last
		}
	}
	return ""
}

// parseCron reads the five standard fields and nothing else: no "@monthly", and no
// zone in front, which has a key of its own.
func parseCron(s string) (cron.Schedule, error) {
	if strings.Contains(s, "=") {
		return nil, errZoneInCron
	}
	return cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(s)
}
