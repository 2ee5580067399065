package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

func (f *finding) circuits(c Config) {
	if len(c.Circuits) == 0 {
		f.bad("circuits", missing, "at least one circuit")
	}
	byID, byMonitor, used := map[string]string{}, map[string]string{}, map[string]bool{}
	told := len(c.Groups) > 0 // every group says what it uses
	for _, group := range slices.Sorted(maps.Keys(c.Groups)) {
		told = told && len(c.Groups[group].Preference) > 0
		for _, name := range slices.Concat(c.Groups[group].Preference...) {
			used[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Circuits)) {
		k, key := c.Circuits[name], "circuits."+name
		switch other, twice := byID[k.ID]; {
		case k.ID == "":
			f.bad(key+".id", missing, "the circuit's resource ID")
		case twice:
			f.bad(key+".id", show(k.ID), "another circuit than circuits."+other+", which has this ID")
		default:
			byID[k.ID] = name
		}
		for i, m := range k.Monitors {
			if other, twice := byMonitor[m]; twice {
				f.bad(fmt.Sprintf("%s.monitors[%d]", key, i), show(m), "a monitor that speaks for one circuit; circuits."+other+" has it")
			}
			byMonitor[m] = name
		}
		for i, s := range k.Shares {
			if slices.Contains(k.Shares[:i], s) {
				f.bad(fmt.Sprintf("%s.shares[%d]", key, i), show(s), "each name once")
			}
		}
		for i, p := range k.Probes {
			f.probe(fmt.Sprintf("%s.probes[%d]", key, i), p)
		}
		if told && !used[name] {
			f.warn(key, "no group may use this circuit")
		}
	}
}

func (f *finding) probe(key string, p topology.Probe) {
	switch {
	case p.TCP == "" && p.HTTP == "":
		f.bad(key, missing, "exactly one of tcp and http")
	case p.TCP != "" && p.HTTP != "":
		f.bad(key, "tcp and http", "exactly one of tcp and http")
	case p.TCP != "" && !hostPort(p.TCP):
		f.bad(key+".tcp", show(p.TCP), "host:port, like 10.0.0.1:179 or [fd00::1]:179")
	case p.HTTP != "" && !webURL(p.HTTP, "http", "https"):
		f.bad(key+".http", show(p.HTTP), "an http or https URL with a host, without user, query and fragment")
	}
	f.span(key+".every", p.Every, time.Second, 5*time.Second, time.Hour)
	f.span(key+".timeout", p.Timeout, time.Second, time.Second, time.Minute)
	if p.Timeout > p.Every {
		f.bad(key+".timeout", formatDuration(p.Timeout), "at most every ("+formatDuration(p.Every)+")")
	}
}

// hostPort says whether s is host:port, with an IPv6 host in brackets.
func hostPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || !webURL("http://"+s, "http") || strings.Contains(s, "/") {
		return false
	}
	port, err := strconv.Atoi(s[i+1:])
	return err == nil && port >= 1 && port <= 65535
}

func (f *finding) groups(c Config) {
	if len(c.Groups) == 0 {
		f.bad("groups", missing, "at least one group")
	}
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g, key := c.Groups[name], "groups."+name
		if len(g.Gateways) == 0 {
			f.bad(key+".gateways", missing, "at least one gateway")
		}
		for i, id := range g.Gateways {
			at := fmt.Sprintf("%s.gateways[%d]", key, i)
			switch other, taken := owner[id]; {
			case id == "":
				f.bad(at, missing, "a gateway's resource ID")
			case taken && other == name:
				f.bad(at, show(id), "each gateway once")
			case taken:
				f.bad(at, show(id), "a gateway of one group only; groups."+other+" has it")
			}
			owner[id] = name
		}
		f.preference(key, g, c.Circuits)
		f.baseline(key+".baseline", g)
		f.health(key+".health", g.Health)
		f.policy(key, g)
	}
}

func (f *finding) preference(key string, g Group, circuits map[string]Circuit) {
	seen := map[string]bool{}
	known := slices.Sorted(maps.Keys(circuits))
	for i, tier := range g.Preference {
		at := fmt.Sprintf("%s.preference[%d]", key, i)
		if len(tier) == 0 {
			f.bad(at, "an empty list", "at least one circuit in each tier")
		}
		for j, name := range tier {
			one := at
			if len(tier) > 1 {
				one = fmt.Sprintf("%s[%d]", at, j)
			}
			if seen[name] {
				f.bad(one, show(name), "each circuit once")
			} else if _, ok := circuits[name]; !ok && len(known) > 0 {
				f.bad(one, show(name), "a configured circuit: "+suggest(name, known))
			}
			seen[name] = true
		}
	}
	switch all := slices.Concat(g.Preference...); {
	case len(all) == 0:
		f.bad(key+".preference", missing, "at least one circuit")
	case len(g.Preference) == 1 && g.Mode == policy.Automatic:
		f.bad(key+".preference", "one tier", "a standby after home: mode automatic needs somewhere to go")
	case len(all) == 1:
		f.warn(key+".preference", "only one circuit: there is nowhere to move to")
	}
}

// baseline checks that the weights at rest agree with the preference.
func (f *finding) baseline(key string, g Group) {
	if g.Baseline == nil {
		return
	}
	all := slices.Concat(g.Preference...)
	for _, name := range slices.Sorted(maps.Keys(g.Baseline)) {
		w := g.Baseline[name]
		switch {
		case !slices.Contains(all, name):
			f.bad(key+"."+name, fmt.Sprint(w), "a circuit of the group's preference: "+suggest(name, all))
		case w < 0 || w > topology.MaxWeight:
			f.bad(key+"."+name, fmt.Sprint(w), fmt.Sprintf("a routing weight from 0 to %d", topology.MaxWeight))
		case w > topology.MaxWeight/2:
			f.warn(key+"."+name, fmt.Sprintf("each decision raises a weight by at least 1 and the highest is %d: keep the baseline small", topology.MaxWeight))
		}
	}
	home := int32(-1)
	for i, tier := range g.Preference {
		for _, name := range tier {
			w, ok := g.Baseline[name]
			switch {
			case !ok:
				f.bad(key+"."+name, missing, "a weight for every circuit of the preference")
			case i == 0 && home >= 0 && w != home:
				f.bad(key+"."+name, fmt.Sprint(w), fmt.Sprintf("%d, the weight of the other circuits of the home tier", home))
			case i == 0:
				home = w
			case w >= home && w <= topology.MaxWeight:
				f.bad(key+"."+name, fmt.Sprint(w), fmt.Sprintf("less than the home tier's weight (%d)", home))
			}
		}
	}
}

func (f *finding) health(key string, h health.Rule) {
	f.span(key+".holdDown", h.HoldDown, time.Second, 10*time.Second, time.Hour)
	f.span(key+".holdUp", h.HoldUp, time.Second, time.Minute, dayLong)
	if h.HoldUp < h.HoldDown {
		f.bad(key+".holdUp", formatDuration(h.HoldUp), "at least holdDown ("+formatDuration(h.HoldDown)+")")
	}
	word(f, key+".degraded", h.Degraded, degrades()...)
	f.count(key+".observers", h.Observers, 1, 5)
	if h.Observers == 1 && !h.ConfirmByRead {
		f.warn(key+".observers", "one observer alone may move traffic; two, or confirmByRead, is safer")
	}
	for _, o := range observers() {
		f.span(key+".maxAge."+string(o), h.MaxAge[o], time.Second, time.Minute, dayLong)
	}
	d := h.Damping
	if !(d.Penalty >= 1 && d.Penalty <= 100000) {
		f.bad(key+".damping.penalty", fmt.Sprint(d.Penalty), "a number from 1 to 100000")
	}
	if !(d.Suppress >= 1 && d.Suppress <= 1000000) {
		f.bad(key+".damping.suppress", fmt.Sprint(d.Suppress), "a number from 1 to 1000000")
	}
	if !(d.Reuse >= 1 && d.Reuse < d.Suppress) {
		f.bad(key+".damping.reuse", fmt.Sprint(d.Reuse), fmt.Sprintf("1 or more and less than suppress (%v)", d.Suppress))
	}
	f.span(key+".damping.halfLife", d.HalfLife, time.Second, time.Minute, dayLong)
	f.span(key+".damping.max", d.Max, time.Second, time.Minute, 7*dayLong)
	if d.Max < d.HalfLife {
		f.bad(key+".damping.max", formatDuration(d.Max), "at least halfLife ("+formatDuration(d.HalfLife)+")")
	}
}

func (f *finding) policy(key string, g Group) {
	word(f, key+".mode", g.Mode, modes()...)
	word(f, key+".drift", g.Drift, drifts()...)
	word(f, key+".failback.mode", g.Failback.Mode, failbacks()...)
	if g.Objective != 0 {
		f.span(key+".objective", g.Objective, time.Second, 10*time.Second, dayLong)
	}
	f.span(key+".coolDown", g.CoolDown, 0, time.Minute, 7*dayLong)
	f.span(key+".candidateFresh", g.CandidateFresh, time.Second, 30*time.Second, time.Hour)
	f.span(key+".failback.after", g.Failback.After, 0, time.Minute, 30*dayLong)
	f.count(key+".approval.approvers", g.Approval.Approvers, 1, 10)
	f.span(key+".approval.expires", g.Approval.Expires, time.Second, time.Minute, dayLong)
	for i, r := range g.AcceptWhenDown {
		at := fmt.Sprintf("%s.acceptWhenDown[%d]", key, i)
		word(f, at, r, policy.Acceptable()...)
		if slices.Contains(g.AcceptWhenDown[:i], r) {
			f.bad(at, string(r), "each guard once")
		}
	}
	if len(g.Levers) == 0 {
		f.bad(key+".levers", missing, "at least one lever: weight, disconnect, peering, in this order")
	}
	last := -1
	for i, l := range g.Levers {
		rank := slices.Index(levers(), l)
		at := fmt.Sprintf("%s.levers[%d]", key, i)
		word(f, at, l, levers()...)
		switch {
		case slices.Contains(g.Levers[:i], l):
			f.bad(at, string(l), "each lever once")
		case rank >= 0 && rank < last:
			f.bad(at, string(l), "the order weight, disconnect, peering")
		case l == policy.LeverPeering && g.Mode == policy.Automatic && !g.PeeringWithoutApproval:
			f.bad(at, string(l), "mode approve, or peeringWithoutApproval: true; the peering lever cuts a circuit for everybody")
		}
		last = max(last, rank)
	}
}
