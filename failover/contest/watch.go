package contest

import (
	"cmp"
	"slices"
	"time"

	"erfailover/events"
)

// source is who says something.
type source int

const (
	fromMetric source = iota // BGP availability of both links, a record a minute
	fromHealth               // Resource Health
	fromChecks               // connection checks, a record a minute
	fromCanary               // our own canary probes
	fromRead                 // our own read of the sessions
)

// sighting is one thing that an observer said.
type sighting struct {
	arrive time.Duration // when a policy hears it
	at     time.Duration // when it was so, by the source
	circuit,
	link int // link: 0 both, 1 primary, 2 secondary
	from  source
	state events.State
	lost  float64 // checks: share that failed
}

// word is one thing that Resource Health says.
type word = sighting

// notice announces maintenance.
type notice struct {
	arrive, from, to time.Duration
	circuit          int
	id               uint64
}

// slot is the pace of probes.
const slot = 5 * time.Second

// try sends one probe over one circuit. told is false when nobody probes.
func (w *world) try(c int, t time.Duration) (ok, told bool) {
	e := w.at(c, t)
	switch {
	case e.mute.checks:
		return false, false
	case e.lies.checks, e.noRoutes:
		return false, true
	}
	return unit(roll(w.seed, drawTry, uint64(c), uint64(t))) < (1-e.out)*(1-e.in), true
}

// minute returns what is recorded of one minute, about every circuit.
func (w *world) minute(from time.Duration) []sighting {
	var out []sighting
	for c := range count {
		late := func(s source) time.Duration {
			return from + time.Minute + between(w.params.Metric, roll(w.seed, drawDelay, uint64(c), uint64(from), uint64(s)))
		}
		if state, told := w.availability(c, from); told {
			out = append(out, sighting{arrive: late(fromMetric), at: from, circuit: c, from: fromMetric, state: state})
		}
		if state, lost, told := w.checks(c, from); told {
			out = append(out, sighting{arrive: late(fromChecks), at: from, circuit: c, from: fromChecks, state: state, lost: lost})
		}
	}
	return out
}

// availability is a minute of the metric of that name: all sessions down all the
// time, all up, or between.
func (w *world) availability(c int, from time.Duration) (events.State, bool) {
	up, looked := 0, 0
	for t := from; t < from+time.Minute; t += 20 * time.Second {
		e := w.at(c, t)
		if e.mute.metric {
			return events.Unknown, false
		}
		for l := range e.sessions {
			looked++
			if !e.sessions[l] && !e.edge[l] && !e.lies.metric {
				up++
			}
		}
	}
	switch up {
	case looked:
		return events.Up, true
	case 0:
		return events.Down, true
	}
	return events.Degraded, true
}

// checks is a minute of connection checks: twelve tries.
func (w *world) checks(c int, from time.Duration) (state events.State, lost float64, told bool) {
	bad, all := 0, 0
	for t := from; t < from+time.Minute; t += slot {
		ok, told := w.try(c, t)
		if !told {
			return events.Unknown, 0, false
		}
		all++
		if !ok {
			bad++
		}
	}
	lost = float64(bad) / float64(all)
	switch {
	case bad == all:
		return events.Down, lost, true
	case bad > 0:
		return events.Degraded, lost, true
	}
	return events.Up, 0, true
}

// sessionsUp is what a read finds: the sessions as they are.
func (w *world) sessionsUp(c int, t time.Duration) [2]bool {
	e := w.at(c, t)
	return [2]bool{!e.sessions[0], !e.sessions[1]}
}

// tellHealth works out what Resource Health says in the year, and what is announced.
func (w *world) tellHealth() {
	const seen = time.Minute // from a change to its event time
	for _, i := range w.incidents {
		if i.Kind == Maintenance {
			w.announced = append(w.announced, notice{arrive: max(0, i.From-10*24*time.Hour), from: i.From, to: i.To, circuit: i.Circuits[0], id: i.id})
		}
		state, notices := w.noticed(i)
		if !notices || i.To-i.From < 3*time.Minute {
			continue
		}
		for _, c := range i.Circuits {
			say := func(at time.Duration, s events.State, n uint64) {
				if !w.at(c, at).mute.health {
					w.health = append(w.health, word{arrive: at + between(w.params.Health, roll(i.id, drawDelay, uint64(c), n)) - seen, at: at, circuit: c, from: fromHealth, state: s})
				}
			}
			n := uint64(0)
			for at := i.From + seen; at < i.To; at += w.params.Repeat {
				say(at, state, n)
				n++
			}
			say(i.To+seen, events.Up, n)
		}
	}
	slices.SortFunc(w.health, func(a, b word) int {
		return cmp.Or(cmp.Compare(a.arrive, b.arrive), cmp.Compare(a.circuit, b.circuit), cmp.Compare(a.at, b.at))
	})
	slices.SortFunc(w.announced, func(a, b notice) int { return cmp.Or(cmp.Compare(a.arrive, b.arrive), cmp.Compare(a.id, b.id)) })
}

// noticed reports whether Resource Health notices an incident, and as what.
func (w *world) noticed(i Incident) (events.State, bool) {
	lucky := unit(roll(i.id, drawPick, 1)) < w.params.Notices
	switch i.Kind {
	case Hard, Provider, Flap, Platform:
		return events.Down, true
	case Grey, OneWay, Kept:
		return events.Down, lucky
	case OneLink:
		return events.Degraded, lucky
	case FalseAlarm:
		return events.Down, pick(roll(i.id, drawPick)).health
	case Blip, Maintenance, Silence, Vantage, Blackout:
	}
	return events.Unknown, false
}
