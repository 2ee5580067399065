package contest

import (
	"cmp"
	"slices"
	"time"
)

// Incident is one thing that goes wrong, or seems to.
type Incident struct {
	Kind     Kind
	Circuits []int
	From, To time.Duration // since the year began
	id       uint64
}

// effect is what an incident does to one circuit while it is on.
type effect struct {
	out, in  float64 // share of packets lost: Azure to on-premises, and back
	sessions [2]bool // BGP sessions down, by link
	noRoutes bool    // the routes are withdrawn
	edge     [2]bool // the sessions read down at the edge and are up
	lies     heard   // observers that say down
	mute     heard   // observers that say nothing
}

// heard marks observers.
type heard struct{ metric, health, checks bool }

func (h heard) or(o heard) heard {
	return heard{h.metric || o.metric, h.health || o.health, h.checks || o.checks}
}

// add puts two effects on one circuit together.
func (e effect) add(o effect) effect {
	e.out, e.in = 1-(1-e.out)*(1-o.out), 1-(1-e.in)*(1-o.in)
	for l := range e.sessions {
		e.sessions[l] = e.sessions[l] || o.sessions[l]
		e.edge[l] = e.edge[l] || o.edge[l]
	}
	e.noRoutes = e.noRoutes || o.noRoutes
	e.lies, e.mute = e.lies.or(o.lies), e.mute.or(o.mute)
	return e
}

// works reports whether a circuit carries traffic both ways.
func (e effect) works(lossy float64) bool { return e.out < lossy && e.in < lossy && !e.noRoutes }

// overlay is an effect on one circuit for a while.
type overlay struct {
	circuit  int
	from, to time.Duration
	effect   effect
}

// change is a circuit's condition from an instant on.
type change struct {
	at     time.Duration
	effect effect
}

// world is what is true in one year.
type world struct {
	params    Params
	seed      uint64
	incidents []Incident
	changes   [count][]change // sorted; the first is at 0
	edges     []time.Duration // all instants at which anything changes, sorted
	health    []word          // what Resource Health says, by arrival
	announced []notice
}

// newWorld works out a year with those incidents.
func newWorld(p Params, seed uint64, incidents []Incident) *world {
	w := &world{params: p, seed: seed, incidents: incidents}
	var overlays []overlay
	for _, i := range w.incidents {
		overlays = append(overlays, w.overlays(i)...)
	}
	for c := range count {
		w.changes[c] = changesOf(c, overlays)
		for _, x := range w.changes[c] {
			w.edges = append(w.edges, x.at)
		}
	}
	slices.Sort(w.edges)
	w.edges = slices.Compact(w.edges)
	w.tellHealth()
	return w
}

// changesOf folds the overlays of one circuit into its conditions.
func changesOf(c int, overlays []overlay) []change {
	var own []overlay
	cuts := []time.Duration{0}
	for _, o := range overlays {
		if o.circuit == c && o.from < o.to {
			own = append(own, o)
			cuts = append(cuts, o.from, o.to)
		}
	}
	slices.SortFunc(own, func(a, b overlay) int { return cmp.Compare(a.from, b.from) })
	slices.Sort(cuts)
	var out []change
	var on []overlay
	next := 0
	for _, at := range slices.Compact(cuts) {
		on = slices.DeleteFunc(on, func(o overlay) bool { return o.to <= at })
		for ; next < len(own) && own[next].from <= at; next++ {
			on = append(on, own[next])
		}
		var e effect
		for _, o := range on {
			e = e.add(o.effect)
		}
		out = append(out, change{at, e})
	}
	return out
}

// at returns a circuit's condition.
func (w *world) at(c int, t time.Duration) effect {
	list := w.changes[c]
	i, found := slices.BinarySearchFunc(list, t, func(x change, t time.Duration) int { return cmp.Compare(x.at, t) })
	if !found {
		i--
	}
	if i < 0 {
		return effect{}
	}
	return list[i].effect
}

// clean reports whether nothing at all is wrong with a circuit's traffic.
func (e effect) clean() bool { return e.out == 0 && e.in == 0 && !e.noRoutes }

// wasClean reports whether nothing at all was wrong in a span.
func (w *world) wasClean(c int, from, to time.Duration) bool {
	if !w.at(c, max(from, 0)).clean() {
		return false
	}
	return !slices.ContainsFunc(w.changes[c], func(x change) bool { return x.at > from && x.at <= to && !x.effect.clean() })
}

// worked reports whether a circuit worked without a break in a span.
func (w *world) worked(c int, from, to time.Duration) bool {
	if !w.at(c, max(from, 0)).works(w.params.Lossy) {
		return false
	}
	for _, x := range w.changes[c] {
		if x.at > from && x.at <= to && !x.effect.works(w.params.Lossy) {
			return false
		}
	}
	return true
}

// goodSince returns since when a circuit has worked without a break.
func (w *world) goodSince(c int, t time.Duration) time.Duration {
	since := t
	for _, x := range slices.Backward(w.changes[c]) {
		if x.at > t {
			continue
		}
		if !x.effect.works(w.params.Lossy) {
			return since
		}
		since = x.at
	}
	return 0
}

// quietUntil returns until when nothing changes anywhere: the next change less a lead.
// It returns t itself when something has changed within tail, when packets are lost,
// or when an observer is wrong.
func (w *world) quietUntil(t, tail, lead time.Duration) time.Duration {
	i, _ := slices.BinarySearch(w.edges, t+1)
	if i > 0 && w.edges[i-1] > t-tail {
		return t
	}
	for c := range count {
		if e := w.at(c, t); e.out > 0 || e.in > 0 || e.noRoutes || e.lies != (heard{}) {
			return t
		}
	}
	if i == len(w.edges) {
		return year
	}
	return max(t, w.edges[i]-lead)
}
