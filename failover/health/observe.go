package health

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/topology"
)

const (
	// Ahead is how far in the future an event time may lie. A source whose clock is
	// further ahead is refused: its claims would outlive everybody else's.
	Ahead = 5 * time.Minute

	// Keep is how long a claim and an ended maintenance window are remembered. No
	// rule may let evidence speak for longer.
	Keep = 24 * time.Hour

	maxEvidence = 256 // claims kept per circuit
	maxWindows  = 64  // maintenance windows kept per circuit
)

// Tally counts what became of the signals of one batch. Each signal is counted
// once: nothing disappears silently.
type Tally struct {
	Applied   int `json:"applied,omitzero"`   // changed the memory
	Repeated  int `json:"repeated,omitzero"`  // said already
	Late      int `json:"late,omitzero"`      // older than what is known from the same source, or than Keep
	Tentative int `json:"tentative,omitzero"` // a tentative claim that betters nothing
	Future    int `json:"future,omitzero"`    // event time more than Ahead in the future: refused
	Full      int `json:"full,omitzero"`      // no room: 256 claims or 64 windows are kept, and all are newer
	Foreign   int `json:"foreign,omitzero"`   // not a claim or announcement about this circuit, or without an event time
}

// Observe folds signals about m.Circuit into its memory. The newest claim of each
// source about each link stands, by the source's own event time; so repeats, late
// arrivals and the order within a batch change nothing but LastBad, which is a maximum. A claim of unknown state
// is kept: the source now says nothing. Tentative claims are kept only when they
// are bad. The given memory is not changed. est may be nil; with it, a signal that
// names another configured circuit is refused.
func Observe(m Memory, sigs []events.Signal, est *topology.Estate, now time.Time) (Memory, Tally) {
	m = m.clone()
	var n Tally
	m.forget(now)
	sorted := slices.Clone(sigs)
	slices.SortStableFunc(sorted, func(a, b events.Signal) int {
		return cmp.Or(a.At.Compare(b.At), compareClaims(evidenceOf(a), evidenceOf(b)))
	})
	for _, s := range sorted {
		at := s.At
		switch {
		case at.IsZero() || foreign(m.Circuit, s, est):
			n.Foreign++
		case at.After(now.Add(Ahead)):
			n.Future++
		case s.Kind == events.Maintenance:
			m.announce(s, now, &n)
		case !at.After(now.Add(-Keep)):
			n.Late++
		case s.Tentative && (s.State == events.Up || s.State == events.Unknown):
			n.Tentative++
		default:
			if s.State == events.Down && !s.UserAction && (s.Peering == events.AnyPeering || s.Peering == events.Private) {
				m.LastBad = later(m.LastBad, at)
			}
			m.claim(evidenceOf(s), &n)
		}
	}
	m.Applied += int64(n.Applied)
	m.Repeated += int64(n.Repeated + n.Late)
	return m, n
}

// foreign reports whether a signal is no claim or announcement about the circuit.
func foreign(circuit string, s events.Signal, est *topology.Estate) bool {
	switch s.Kind {
	case events.Health:
		if !slices.Contains(voters, s.Observer) {
			return true
		}
		switch s.State {
		case events.Unknown, events.Up, events.Degraded, events.Down:
		default:
			return true
		}
	case events.Maintenance:
		if s.Window == nil {
			return true
		}
	case events.Write, events.Command:
		return true
	default:
		return true
	}
	if est == nil || s.Resource == "" {
		return false
	}
	id, err := events.ParseResourceID(s.Resource)
	if err != nil {
		return false
	}
	c, ok := id.Up(events.TypeCircuit)
	if !ok {
		return false
	}
	name := est.CircuitOf(c.String())
	return name != "" && name != circuit
}

// claim keeps e when it is newer than what its source last said in the same slot,
// or says worse at the same instant.
func (m *Memory) claim(e Evidence, n *Tally) {
	i, found := slices.BinarySearchFunc(m.Evidence, e, compareSlots)
	if !found {
		if len(m.Evidence) >= maxEvidence && !m.evict(e) {
			n.Full++
			return
		}
		i, _ = slices.BinarySearchFunc(m.Evidence, e, compareSlots)
		m.Evidence = slices.Insert(m.Evidence, i, e)
		n.Applied++
		return
	}
	old := m.Evidence[i]
	switch c := cmp.Or(e.At.Compare(old.At), compareClaims(e, old)); {
	case e.At.Before(old.At) && e.Signal != old.Signal:
		n.Late++
		return
	case c <= 0:
		n.Repeated++
		return
	}
	if e.State == old.State && e.UserAction == old.UserAction && e.At.Sub(old.At) <= defaultAge(e.Observer) {
		e.Since = old.Since
	}
	m.Evidence[i] = e
	n.Applied++
}

// evict makes room by dropping the oldest claim, if it is older than e.
func (m *Memory) evict(e Evidence) bool {
	oldest := 0
	for i, o := range m.Evidence {
		if o.At.Before(m.Evidence[oldest].At) {
			oldest = i
		}
	}
	if !m.Evidence[oldest].At.Before(e.At) {
		return false
	}
	m.Evidence = slices.Delete(m.Evidence, oldest, oldest+1)
	return true
}

// announce adds, changes or cancels a maintenance window by its tracking id.
func (m *Memory) announce(s events.Signal, now time.Time, n *Tally) {
	w := MaintenanceWindow{
		Tracking: s.Correlation, Source: s.Source,
		Start: s.Window.Start, End: s.Window.End, At: s.At, Cancelled: s.Window.Cancelled,
	}
	if w.over(now) {
		n.Late++
		return
	}
	same := func(o MaintenanceWindow) bool {
		if w.Tracking != "" {
			return o.Tracking == w.Tracking
		}
		return o.Tracking == "" && o.Source == w.Source && o.Start.Equal(w.Start)
	}
	i := slices.IndexFunc(m.Maintenance, same)
	switch {
	case i < 0 && len(m.Maintenance) >= maxWindows:
		n.Full++
		return
	case i < 0:
		m.Maintenance = append(m.Maintenance, w)
	case w.At.Before(m.Maintenance[i].At):
		n.Late++
		return
	case compareWindows(w, m.Maintenance[i]) <= 0 && w.At.Equal(m.Maintenance[i].At):
		n.Repeated++
		return
	default:
		m.Maintenance[i] = w
	}
	n.Applied++
	slices.SortFunc(m.Maintenance, compareWindows)
}

// compareWindows orders by start, then by everything else.
func compareWindows(a, b MaintenanceWindow) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Tracking, b.Tracking), cmp.Compare(a.Source, b.Source),
		compareBools(a.Cancelled, b.Cancelled), a.End.Compare(b.End))
}

// over reports whether a window is so long past that it is forgotten.
func (w MaintenanceWindow) over(now time.Time) bool {
	last := w.End
	if last.IsZero() {
		return w.At.Before(now.Add(-30 * Keep))
	}
	return !last.After(now.Add(-Keep))
}

// covers reports whether announced work is on at that instant.
func (w MaintenanceWindow) covers(at time.Time) bool {
	return !w.Cancelled && !at.Before(w.Start) && (w.End.IsZero() || at.Before(w.End))
}

// forget drops what is too old to say anything under any rule.
func (m *Memory) forget(now time.Time) {
	m.Evidence = slices.DeleteFunc(m.Evidence, func(e Evidence) bool { return !e.At.After(now.Add(-Keep)) })
	m.Maintenance = slices.DeleteFunc(m.Maintenance, func(w MaintenanceWindow) bool { return w.over(now) })
}

// clone returns a copy that shares nothing with m.
func (m Memory) clone() Memory {
	m.Evidence = slices.Clone(m.Evidence)
	for i, e := range m.Evidence {
		if e.Value != nil {
			v := *e.Value
			m.Evidence[i].Value = &v
		}
	}
	m.Maintenance = slices.Clone(m.Maintenance)
	m.Tracks = maps.Clone(m.Tracks)
	return m
}

// evidenceOf returns the claim that a health signal makes.
func evidenceOf(s events.Signal) Evidence {
	e := Evidence{
		Observer: s.Observer, Source: s.Source, Resource: s.Resource, Peering: s.Peering, Link: s.Link,
		Plane: s.Plane, State: s.State, UserAction: s.UserAction, Tentative: s.Tentative,
		At: s.At, Since: s.At, Signal: s.ID, Detail: s.Detail,
	}
	if s.Value != nil {
		v := *s.Value
		e.Value = &v
	}
	return e
}

// compareSource orders by who spoke about what: claims that differ in it never
// replace each other.
func compareSource(a, b Evidence) int {
	return cmp.Or(cmp.Compare(a.Observer, b.Observer), cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Peering, b.Peering))
}

// compareSlots orders by slot: one claim is kept per slot. A source has one slot
// per link, and for tentative claims one per link and state, so that a milder
// tentative claim cannot replace a graver one.
func compareSlots(a, b Evidence) int {
	c := cmp.Or(compareSource(a, b), cmp.Compare(a.Link, b.Link), compareBools(a.Tentative, b.Tentative))
	if c == 0 && a.Tentative {
		return cmp.Compare(a.State, b.State)
	}
	return c
}

// compareClaims orders two claims of one instant; the one that wins comes last.
// The worse one wins, and among those the one that is not the customer's own act.
func compareClaims(a, b Evidence) int {
	return cmp.Or(cmp.Compare(severity(a.State), severity(b.State)), compareBools(b.UserAction, a.UserAction),
		cmp.Compare(a.Signal, b.Signal), cmp.Compare(a.Plane, b.Plane), cmp.Compare(a.Detail, b.Detail))
}

// severity ranks what a source may claim, worst last.
func severity(s events.State) int {
	switch s {
	case events.Unknown:
		return 0
	case events.Up:
		return 1
	case events.Degraded:
		return 2
	case events.Down:
		return 3
	}
	return 0
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
