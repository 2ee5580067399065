package config

import (
	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"

	"go.yaml.in/yaml/v3"
)

func (g *Group) read(v node) {
	v.object("a mapping with gateways and preference", fields{
		"mode": func(v node) { enum(v, &g.Mode, modes()...) },
		"gateways": func(v node) {
			for _, item := range v.items("a list of gateway resource IDs") {
				g.Gateways = append(g.Gateways, item.resource(events.TypeVNetGateway, events.TypeVWANGateway))
			}
		},
		"preference": g.readPreference,
		"baseline":   g.readBaseline,
		"objective": func(v node) {
			if v.duration(&g.Objective) && g.Objective == 0 {
				v.fail(v.got(), "1s to 24h; without the key there is no objective")
			}
		},
		"health":         func(v node) { readHealth(v, &g.Health) },
		"coolDown":       func(v node) { v.duration(&g.CoolDown) },
		"candidateFresh": func(v node) { v.duration(&g.CandidateFresh) },
		"failback":       func(v node) { readFailback(v, &g.Failback) },
		"drift":          func(v node) { enum(v, &g.Drift, drifts()...) },
		"approval": func(v node) {
			v.object("a mapping like {approvers: 1, distinct: true, expires: 15m}", fields{
				"approvers": func(v node) { v.whole(&g.Approval.Approvers) },
				"distinct":  func(v node) { v.flag(&g.Approval.Distinct) },
				"expires":   func(v node) { v.duration(&g.Approval.Expires) },
			})
		},
		"levers": func(v node) {
			g.Levers = nil
			for _, item := range v.items("a list of levers") {
				var l policy.Lever
				enum(item, &l, levers()...)
				g.Levers = append(g.Levers, l)
			}
		},
		"acceptWhenDown": func(v node) {
			g.AcceptWhenDown = nil
			for _, item := range v.items("a list of guards") {
				var r policy.Reason
				enum(item, &r, policy.Acceptable()...)
				g.AcceptWhenDown = append(g.AcceptWhenDown, r)
			}
		},
		"peeringWithoutApproval": func(v node) { v.flag(&g.PeeringWithoutApproval) },
	})
}

const wantPreference = "a list of circuit names, best first; a list inside is a tier: [[a, b], c]"

func (g *Group) readPreference(v node) {
	for _, item := range v.items(wantPreference) {
		var tier []string
		if item.yaml.Kind == yaml.SequenceNode {
			tier = item.texts(wantPreference, "a circuit's name")
		} else if s, ok := item.text("a circuit's name, or a list of them"); ok {
			tier = []string{s}
		}
		g.Preference = append(g.Preference, tier)
	}
}

func (g *Group) readBaseline(v node) {
	g.Baseline = map[string]int32{}
	v.named("a mapping of circuit names to weights, like {ashburn: 200, chicago: 100}", func(name string, v node) {
		w := -1
		v.whole(&w)
		g.Baseline[name] = int32(w)
	})
}

func readHealth(v node, h *health.Rule) {
	v.object("a mapping with holdDown, holdUp and observers", fields{
		"holdDown":      func(v node) { v.duration(&h.HoldDown) },
		"holdUp":        func(v node) { v.duration(&h.HoldUp) },
		"observers":     func(v node) { v.whole(&h.Observers) },
		"confirmByRead": func(v node) { v.flag(&h.ConfirmByRead) },
		"degraded":      func(v node) { enum(v, &h.Degraded, degrades()...) },
		"maxAge": func(v node) {
			known := fields{}
			for _, o := range observers() {
				known[string(o)] = func(v node) {
					age := h.MaxAge[o]
					v.duration(&age)
					h.MaxAge[o] = age
				}
			}
			v.object("a mapping of observers to durations", known)
		},
		"damping": func(v node) {
			v.object("a mapping with penalty, halfLife, suppress, reuse and max", fields{
				"penalty":  func(v node) { v.number(&h.Damping.Penalty) },
				"halfLife": func(v node) { v.duration(&h.Damping.HalfLife) },
				"suppress": func(v node) { v.number(&h.Damping.Suppress) },
				"reuse":    func(v node) { v.number(&h.Damping.Reuse) },
				"max":      func(v node) { v.duration(&h.Damping.Max) },
			})
		},
	})
}

func readFailback(v node, f *policy.Failback) {
	v.object("a mapping with mode, after and window", fields{
		"mode":   func(v node) { enum(v, &f.Mode, failbacks()...) },
		"after":  func(v node) { v.duration(&f.After) },
		"window": func(v node) { f.Windows = append(f.Windows, v.windows()...) },
	})
}
