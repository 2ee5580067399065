package health

import (
	"time"

	"erfailover/events"
	"erfailover/failover/topology"
)

// Believe returns what a group believes about a circuit now, complete enough to be
// explained to a person. It changes no state: Step does.
func Believe(t Track, m Memory, r Rule, now time.Time) Belief {
	if t.State == "" {
		t.State = Unknown
	}
	t = r.Damping.settle(t, now)
	s := weigh(t, m, r, now)
	ask := s.wantsReadAt(t, r)
	b := Belief{
		Circuit: m.Circuit, State: t.State, Since: t.Since,
		BadSince: t.BadSince, GoodSince: t.GoodSince, LastBad: m.LastBad, Confirmed: t.Confirmed,
		Links: s.links, Bad: s.bad, Good: s.good,
		Observers: s.saying, Needed: s.needed,
		WantsRead: !ask.IsZero() && !now.Before(ask),
		Rebutted:  s.rebutted, Explained: s.explained, Hearsay: s.saying > 0 && !s.firsthand,
		Proven: s.proven, Maintenance: maintenance(m, now),
		Damped: t.Damped, Penalty: r.Damping.penalty(t, now),
		HoldUntil: holdUntil(t, r), ReadUntil: s.readUntil(t, r),
	}
	if at := r.Damping.reuseAt(t); at.After(now) {
		b.ReuseAt = at
	}
	return b
}

// readUntil returns until when our own read is waited for although enough observers
// say Down, and zero when it is not. They are all Azure's own word, which can be wrong
// as a whole, and often comes late: its hold-down is over by event time when we first
// hear of it. So a read has the hold-down's time from then.
func (s sum) readUntil(t Track, r Rule) time.Time {
	if !r.ConfirmByRead || t.State != Suspect || s.firsthand || s.saying < s.needed || !s.lastRead.Before(t.Since) {
		return time.Time{}
	}
	return t.Since.Add(r.HoldDown)
}

// wantsReadAt returns from when on a confirming read would decide, and zero when
// it would not. A read that came since the spell began has answered, for a while.
func (s sum) wantsReadAt(t Track, r Rule) time.Time {
	switch {
	case !s.readUntil(t, r).IsZero():
		return t.Since
	case !r.ConfirmByRead || s.readSays && s.saying >= s.needed:
		return time.Time{}
	case s.readSays, s.disputed && s.saying < s.needed: // alone, or against somebody: is it still so?
		return s.lastRead.Add(max(reread, r.HoldDown))
	case s.saying == 0 || s.saying != s.needed-1:
		return time.Time{}
	}
	since := t.BadSince
	if since.IsZero() {
		since = s.badSince
	}
	if s.lastRead.Before(since) {
		return since
	}
	return s.lastRead.Add(max(reread, r.HoldDown))
}

// holdUntil returns when the present hold-down or hold-up ends, or zero.
func holdUntil(t Track, r Rule) time.Time {
	switch {
	case t.State == Suspect && !t.BadSince.IsZero():
		return t.BadSince.Add(r.HoldDown)
	case t.State == Recovering && !t.GoodSince.IsZero():
		return t.GoodSince.Add(r.HoldUp)
	}
	return time.Time{}
}

// maintenance returns the window that is on, else the next one, else nil.
func maintenance(m Memory, now time.Time) *events.Window {
	for _, on := range []bool{true, false} {
		for _, w := range m.Maintenance {
			if w.covers(now) == on && !w.Cancelled && (on || w.Start.After(now)) {
				return &events.Window{Start: w.Start, End: w.End}
			}
		}
	}
	return nil
}

// Next returns the earliest instant after now at which time alone may change the
// belief: a hold ends, evidence stops to speak, damping is lifted, maintenance
// begins or ends, a read is wanted. Zero means that nothing will.
func Next(t Track, m Memory, r Rule, now time.Time) time.Time {
	var out time.Time
	at := func(x time.Time) {
		if x.After(now) {
			out = first(out, x)
		}
	}
	for i := range m.Evidence {
		if e := &m.Evidence[i]; e.State != events.Unknown {
			at(r.expires(e))
		}
	}
	for _, w := range m.Maintenance {
		if !w.Cancelled {
			at(w.Start)
			at(w.End)
		}
	}
	at(holdUntil(t, r))
	if t.Damped {
		at(r.Damping.reuseAt(t))
	}
	s := weigh(t, m, r, now)
	at(s.wantsReadAt(t, r))
	at(s.readUntil(t, r))
	return out
}

// Fold returns what a group believes about all its circuits from their stored
// tracks. memories may hold other circuits too: what other groups believe of them
// counts for the marks of locations and providers. A circuit without memory is
// unknown. est must not be nil.
func Fold(group topology.Group, est *topology.Estate, memories map[string]Memory, r Rule, now time.Time) View {
	v := View{At: now, Circuits: map[string]Belief{}, Blind: true}
	penalty, damped := map[string]float64{}, map[string]bool{}
	for _, name := range group.Circuits() {
		m := memories[name]
		m.Circuit = name
		t := m.Tracks[group.Name]
		b := Believe(t, m, r, now)
		v.Circuits[name] = b
		if len(b.Bad)+len(b.Good) > 0 {
			v.Blind = false
		}
		if c, ok := est.Circuit(name); ok && c.Provider != "" {
			penalty[c.Provider] += b.Penalty
			damped[c.Provider] = damped[c.Provider] || b.Damped
		}
	}
	if d := r.Damping; d.on() {
		for p, sum := range penalty { // order-free: marks a map
			if sum >= d.Suppress || damped[p] && sum >= d.Reuse {
				mark(&v.ProvidersDamped, p)
			}
		}
	}
	correlate(&v, group.Name, est, memories)
	return v
}

// correlate marks the locations and providers that have two or more circuits down.
func correlate(v *View, group string, est *topology.Estate, memories map[string]Memory) {
	at, by := map[string]int{}, map[string]int{}
	for i := range est.Circuits {
		c := &est.Circuits[i]
		m, ok := memories[c.Name]
		if !ok || !isDown(m, group) {
			continue
		}
		if at[c.Location]++; at[c.Location] == 2 && c.Location != "" {
			mark(&v.Locations, c.Location)
		}
		if by[c.Provider]++; by[c.Provider] == 2 && c.Provider != "" {
			mark(&v.Providers, c.Provider)
		}
	}
}

// isDown reports whether the group believes that a circuit is down; where the
// group does not use the circuit, whether any other group does.
func isDown(m Memory, group string) bool {
	if t, ok := m.Tracks[group]; ok {
		return t.State == Down
	}
	for _, t := range m.Tracks {
		if t.State == Down {
			return true
		}
	}
	return false
}

func mark(set *map[string]bool, name string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[name] = true
}
