package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/topology"
)

const (
	// nearMaintenance is how long before announced work a circuit is no longer
	// taken as a target.
	nearMaintenance = time.Hour
	// fullAt is the share of a circuit's bandwidth that a target may carry after
	// the move.
	fullAt = 0.9
)

// Candidates looks at every circuit of the group that is not left, best first:
// health, then not sharing fate, other location, other provider, headroom, order
// of preference. The best one with nothing against it is Chosen. An order that
// names a target looks at that one only, and its overrides count.
func Candidates(in Input, leave []string) []Candidate {
	var out []Candidate
	accepted := accepts(in, leave)
	for rank, name := range in.Group.Circuits() {
		if slices.Contains(leave, name) || (in.Order != nil && in.Order.To != "" && in.Order.To != name) {
			continue
		}
		c := Candidate{Circuit: name, Rank: rank, Against: against(in, leave, name)}
		for _, f := range fates(in, leave, name) {
			c.Fate = append(c.Fate, f.Kind+" "+f.Name)
		}
		out = append(out, c)
	}
	if in.Order != nil && in.Order.To != "" && len(out) == 0 {
		out = append(out, Candidate{Circuit: in.Order.To, Rank: -1, Against: []Finding{{Code: NoPath, Circuit: in.Order.To, Text: in.Order.To + " is not another circuit of this group"}}})
	}
	slices.SortStableFunc(out, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(stopped(in, accepted, a), stopped(in, accepted, b)),
			cmp.Compare(len(a.Against), len(b.Against)),
			cmp.Compare(worry(in, a.Circuit), worry(in, b.Circuit)),
			cmp.Compare(len(a.Fate), len(b.Fate)),
			cmp.Compare(a.Rank, b.Rank),
		)
	})
	if len(out) > 0 && passes(in, accepted, out[0]) {
		out[0].Chosen = true
	}
	return out
}

// accepts returns the guards about a candidate that the rule accepts now: the
// automation leaves circuits that are all down.
func accepts(in Input, leave []string) []Reason {
	down := func(name string) bool { return in.View.Circuits[name].State == health.Down }
	if in.Order != nil || len(leave) == 0 || slices.ContainsFunc(leave, func(name string) bool { return !down(name) }) {
		return nil
	}
	return in.Rule.AcceptWhenDown
}

// passes reports whether nothing stands against a candidate but what the rule accepts,
// or the order overrides by name.
func passes(in Input, accepted []Reason, c Candidate) bool {
	for _, f := range c.Against {
		if slices.Contains(accepted, f.Code) && slices.Contains(Acceptable(), f.Code) {
			continue
		}
		if in.Order == nil || !Overridable(f.Code) || !slices.Contains(in.Order.Overrides, string(f.Code)) {
			return false
		}
	}
	return true
}

// stopped ranks circuits that may be taken before those that may not.
func stopped(in Input, accepted []Reason, c Candidate) int {
	if passes(in, accepted, c) {
		return 0
	}
	return 1
}

// worry ranks states: a healthy circuit before a degraded one.
func worry(in Input, name string) int {
	switch in.View.Circuits[name].State {
	case health.Healthy:
		return 0
	case health.Degraded:
		return 1
	case health.Recovering:
		return 2
	case health.Unknown, health.Suspect:
		return 3
	case health.Down:
		return 4
	}
	return 5
}

// against lists what speaks against a candidate.
func against(in Input, leave []string, name string) []Finding {
	var out []Finding
	add := func(code Reason, until time.Time, format string, args ...any) {
		out = append(out, Finding{Code: code, Circuit: name, Until: until, Text: fmt.Sprintf(format, args...)})
	}
	b := in.View.Circuits[name]
	for _, gw := range in.Group.Gateways {
		if _, ok := in.Estate.Connection(gw, name); !ok && leaves(in, gw, leave) {
			add(NoPath, time.Time{}, "gateway %s has no connection to %s", gw[strings.LastIndexByte(gw, '/')+1:], name)
		}
	}
	if c, cut := in.History.cut(name); cut {
		add(LeverHeld, c.Until, "%s is cut off by lever %s", name, c.Lever)
	}
	if text := unproven(in, name, b); text != "" {
		add(CandidateUnproven, time.Time{}, "%s", text)
	}
	if w := b.Maintenance; w != nil && in.Now.Before(orEver(w.End)) && !in.Now.Before(w.Start.Add(-nearMaintenance)) {
		add(CandidateMaintenance, w.End, "%s is in or near maintenance from %s", name, clock(w.Start))
	}
	if f, shared := hardFate(in, leave, name); shared {
		add(SharedFate, time.Time{}, "%s shares %s %s with what fails", name, f.Kind, f.Name)
	}
	if missing := uncovered(in, leave, name); len(missing) > 0 {
		add(PrefixesUncovered, time.Time{}, "%s does not advertise %s", name, strings.Join(missing, ", "))
	}
	if text := crowded(in, leave, name); text != "" {
		add(Headroom, time.Time{}, "%s", text)
	}
	if text := outOfReach(in, name); text != "" {
		add(SKUReach, time.Time{}, "%s", text)
	}
	if evacuated(in, name) {
		add(SharedFate, time.Time{}, "%s is at what is being evacuated", name)
	}
	return out
}

// leaves reports whether a gateway has a connection to one of the circuits that
// are left, so that it needs the candidate.
func leaves(in Input, gateway string, leave []string) bool {
	return slices.ContainsFunc(leave, func(c string) bool {
		_, ok := in.Estate.Connection(gateway, c)
		return ok
	})
}

// unproven says what is missing from the proof that a candidate is healthy, or "".
// Silence and age are no proof.
func unproven(in Input, name string, b health.Belief) string {
	switch b.State {
	case health.Healthy, health.Degraded:
		if b.Proven.IsZero() {
			return name + " has no proof of both links"
		}
		if age := in.Now.Sub(b.Proven); age > in.Rule.Fresh {
			return fmt.Sprintf("the newest proof that %s is healthy is %s old, older than %s", name, age.Round(time.Second), in.Rule.Fresh)
		}
		return ""
	case health.Recovering, health.Unknown, health.Suspect, health.Down:
		return name + " is " + string(b.State)
	}
	return name + " is in no known state"
}

// fates returns what a candidate shares with the circuits that are left.
func fates(in Input, leave []string, name string) []topology.Fate {
	c, ok := in.Estate.Circuit(name)
	if !ok {
		return nil
	}
	var out []topology.Fate
	for _, l := range leave {
		if d, ok := in.Estate.Circuit(l); ok {
			out = append(out, topology.SharedFate(d, c)...)
		}
	}
	return out
}

// hardFate finds what would take the candidate down with the failing circuit: a
// port pair or a named share, or a location or provider that fails as a whole.
func hardFate(in Input, leave []string, name string) (topology.Fate, bool) {
	for _, f := range fates(in, leave, name) {
		switch {
		case f.Kind == "port" || f.Kind == "share":
			return f, true
		case f.Kind == "location" && in.View.Locations[f.Name]:
			return f, true
		case f.Kind == "provider" && in.View.Providers[f.Name]:
			return f, true
		}
	}
	return topology.Fate{}, false
}

// uncovered returns prefixes that the circuits that are left advertise and the
// candidate does not. Unknown on either side is no objection.
func uncovered(in Input, leave []string, name string) []string {
	have, known := in.Facts.Prefixes[name]
	if !known {
		return nil
	}
	var missing []string
	for _, l := range leave {
		for _, p := range in.Facts.Prefixes[l] {
			if !slices.Contains(have, p) && !slices.Contains(missing, p) {
				missing = append(missing, p)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// crowded says when the candidate's bandwidth would not take the load.
func crowded(in Input, leave []string, name string) string {
	c, ok := in.Estate.Circuit(name)
	if !ok || c.Bandwidth == 0 || in.Facts.Load == nil {
		return ""
	}
	load := in.Facts.Load[name]
	for _, l := range leave {
		load += in.Facts.Load[l]
	}
	if limit := float64(c.Bandwidth) * 1e6 * fullAt; float64(load) > limit {
		return fmt.Sprintf("%s would carry %d Mbps of %d", name, load/1e6, c.Bandwidth)
	}
	return ""
}

// outOfReach says when a circuit's SKU does not reach the region of a gateway.
// Regions that are not in the table are no objection: Azure has let the
// connection exist.
func outOfReach(in Input, name string) string {
	c, ok := in.Estate.Circuit(name)
	if !ok || strings.EqualFold(c.Tier, "Premium") || c.Tier == "" {
		return ""
	}
	home := Geography(c.Region)
	for _, id := range in.Group.Gateways {
		g, ok := in.Estate.Gateway(id)
		if !ok {
			continue
		}
		if there := Geography(g.Region); home != "" && there != "" && there != home {
			return fmt.Sprintf("%s is %s in %s and does not reach a gateway in %s", name, c.Tier, home, there)
		}
	}
	return ""
}

// orEver reads a zero end as "until told otherwise".
func orEver(end time.Time) time.Time {
	if end.IsZero() {
		return time.Unix(1<<40, 0)
	}
	return end
}

// SignalReason says what a signal means for a decision by itself.
func SignalReason(s events.Signal) Reason {
	switch {
	case s.Kind == events.Maintenance:
		return InMaintenance
	case s.Kind == events.Write:
		return ForeignWrite
	case s.Peering == events.Microsoft || s.Peering == events.Public:
		return OtherPeering
	case s.UserAction:
		return UserInitiated
	case s.State == events.Unknown:
		return SaidNothing
	case s.State == events.Up && s.Tentative:
		return UpdateOnly
	case s.State == events.Up:
		return Recovered
	case s.Link != events.BothLinks && s.State != events.Up:
		return OneLink
	}
	return BadNews
}
