package config

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

// Render returns the configuration in force as a file: every key, defaults
// included, sorted by name. Secrets are shown as references or as "(secret)".
func (c Config) Render() []byte { return c.render(Secret.String) }

func (c Config) render(secret func(Secret) string) []byte {
	text, err := yaml.Marshal(c.tree(secret))
	if err != nil {
		panic("config: a tree of plain values cannot be written: " + err.Error())
	}
	return text
}

// Hash names the content: "c-" and 20 hex digits, the same for files that mean the
// same, whatever their order of keys, comments and spelled-out defaults.
func (c Config) Hash() string {
	open := func(s Secret) string { return string(s) }
	text, err := json.Marshal(c.tree(open), json.Deterministic(true))
	if err != nil {
		panic("config: a tree of plain values cannot be written: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return "c-" + hex.EncodeToString(sum[:10])
}

// tree is a mapping of the file. Only text, int, float64, bool, []any and tree are
// in it.
type tree = map[string]any

func (c Config) tree(secret func(Secret) string) tree {
	t := tree{
		"version": c.Version,
		"azure":   c.Azure.tree(),
		"record":  tree{"bolt": c.Record.Bolt},
		"limits": tree{
			"operationsAtOnce":  c.EstateLimits.OperationsAtOnce,
			"operationsPerHour": c.EstateLimits.OperationsPerHour,
		},
		"auth":   c.Auth.tree(),
		"timing": c.Timing.tree(),
	}
	if c.Record.Blob != nil {
		t["record"] = tree{"blob": tree{"account": c.Record.Blob.Account, "container": c.Record.Blob.Container}}
	}
	circuits, groups, drills := tree{}, tree{}, tree{}
	for name, k := range c.Circuits {
		circuits[name] = k.tree()
	}
	for name, g := range c.Groups {
		groups[name] = g.tree()
	}
	for name, d := range c.Drills {
		drills[name] = d.tree(secret)
	}
	t["circuits"], t["groups"] = circuits, groups
	if len(drills) > 0 {
		t["drills"] = drills
	}
	notify := []any{}
	for _, n := range c.Notify {
		notify = append(notify, tree{string(n.Channel): secret(n.To), "for": list(n.For)})
	}
	t["notify"] = notify
	return t
}

// list turns words into plain values.
func list[T ~string](words []T) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

// put adds a key that has a value.
func put(t tree, key, value string) {
	if value != "" {
		t[key] = value
	}
}

func (a Azure) tree() tree {
	t := tree{
		"cloud": string(a.Cloud), "identity": a.Identity.String(),
		"budget": tree{"writes": a.Budget.Writes, "reads": a.Budget.Reads},
	}
	if a.Custom != nil {
		custom := tree{
			"resourceManager": a.Custom.ResourceManager,
			"audience":        a.Custom.Audience,
			"authority":       a.Custom.Authority,
		}
		put(custom, "metrics", a.Custom.Metrics)
		put(custom, "metricsAudience", a.Custom.MetricsAudience)
		t["custom"] = custom
	}
	return t
}

func (k Circuit) tree() tree {
	t := tree{"id": k.ID}
	put(t, "site", k.Site)
	if len(k.Shares) > 0 {
		t["shares"] = list(k.Shares)
	}
	if len(k.Monitors) > 0 {
		t["monitors"] = list(k.Monitors)
	}
	if len(k.Probes) > 0 {
		var probes []any
		for _, p := range k.Probes {
			probes = append(probes, probeTree(p))
		}
		t["probes"] = probes
	}
	return t
}

func probeTree(p topology.Probe) tree {
	t := tree{"every": formatDuration(p.Every), "timeout": formatDuration(p.Timeout)}
	put(t, "tcp", p.TCP)
	put(t, "http", p.HTTP)
	return t
}

func (g Group) tree() tree {
	t := tree{
		"mode": string(g.Mode), "gateways": list(g.Gateways),
		"health": healthTree(g.Health), "failback": failbackTree(g.Failback),
		"coolDown": formatDuration(g.CoolDown), "candidateFresh": formatDuration(g.CandidateFresh),
		"drift": string(g.Drift), "levers": list(g.Levers),
		"approval": tree{
			"approvers": g.Approval.Approvers, "distinct": g.Approval.Distinct,
			"expires": formatDuration(g.Approval.Expires),
		},
		"peeringWithoutApproval": g.PeeringWithoutApproval,
	}
	if len(g.AcceptWhenDown) > 0 {
		t["acceptWhenDown"] = list(g.AcceptWhenDown)
	}
	var preference []any
	for _, tier := range g.Preference {
		if len(tier) == 1 {
			preference = append(preference, tier[0])
		} else {
			preference = append(preference, list(tier))
		}
	}
	t["preference"] = preference
	putDuration(t, "objective", g.Objective)
	if g.Baseline != nil {
		weights := tree{}
		for name, w := range g.Baseline {
			weights[name] = int(w)
		}
		t["baseline"] = weights
	}
	return t
}

func putDuration(t tree, key string, d time.Duration) {
	if d != 0 {
		t[key] = formatDuration(d)
	}
}

func healthTree(h health.Rule) tree {
	ages := tree{}
	for o, age := range h.MaxAge {
		ages[string(o)] = formatDuration(age)
	}
	return tree{
		"holdDown": formatDuration(h.HoldDown), "holdUp": formatDuration(h.HoldUp),
		"observers": h.Observers, "confirmByRead": h.ConfirmByRead, "degraded": string(h.Degraded),
		"maxAge": ages,
		"damping": tree{
			"penalty": h.Damping.Penalty, "suppress": h.Damping.Suppress, "reuse": h.Damping.Reuse,
			"halfLife": formatDuration(h.Damping.HalfLife), "max": formatDuration(h.Damping.Max),
		},
	}
}

func failbackTree(f policy.Failback) tree {
	t := tree{"mode": string(f.Mode), "after": formatDuration(f.After)}
	if len(f.Windows) > 0 {
		var windows []any
		for _, w := range f.Windows {
			windows = append(windows, w.Text)
		}
		t["window"] = windows
	}
	return t
}

func (a Auth) tree() tree {
	t := tree{"mode": string(a.Mode)}
	put(t, "tenant", a.Tenant)
	put(t, "audience", a.Audience)
	var grants []any
	for _, g := range a.Grants {
		grants = append(grants, tree{"who": g.Who, "may": g.May, "groups": g.Groups})
	}
	if grants != nil {
		t["grants"] = grants
	}
	return t
}

func (t Timing) tree() tree {
	return tree{
		"linger": formatDuration(t.Linger), "sendDeadline": formatDuration(t.SendDeadline),
		"landing": formatDuration(t.Landing), "readDeadline": formatDuration(t.ReadDeadline),
		"settleAfter": formatDuration(t.SettleAfter),
		"poll":        tree{"doubt": formatDuration(t.Poll.Doubt), "all": formatDuration(t.Poll.All), "monitor": t.Poll.Monitor},
	}
}
