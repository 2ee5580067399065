package contest

import (
	"cmp"
	"slices"
	"time"
)

// drawIncidents draws a year's incidents, sorted by their beginning. The last two
// days are kept free, so that what was begun can end.
func drawIncidents(p Params, seed uint64) []Incident {
	var out []Incident
	for k, r := range p.Rates {
		for c := range places(r.Kind) {
			at := time.Duration(0)
			for n := uint64(0); ; n++ {
				id := roll(seed, uint64(k), uint64(c), n)
				if at += wait(r.PerYear, roll(id, drawGap)); at > year-48*time.Hour {
					break
				}
				at = at.Truncate(time.Second)
				long := lognormal(r.Median, r.Spread, roll(id, drawLength), roll(id, drawLength, 1))
				out = append(out, Incident{Kind: r.Kind, Circuits: circuitsOf(r.Kind, c), From: at, To: at + long, id: id})
				at += long
			}
		}
	}
	slices.SortFunc(out, func(a, b Incident) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.id, b.id)) })
	return out
}

// places returns at how many places a kind of incident strikes by itself.
func places(k Kind) int {
	switch k {
	case Vantage, Blackout, Provider:
		return 1
	case Hard, Grey, OneWay, Kept, Flap, Blip, OneLink, Maintenance, FalseAlarm, Platform, Silence:
		return count
	}
	return 0
}

func circuitsOf(k Kind, place int) []int {
	switch k {
	case Vantage, Blackout:
		return []int{home, standby, third}
	case Provider:
		return []int{home, third}
	case Hard, Grey, OneWay, Kept, Flap, Blip, OneLink, Maintenance, FalseAlarm, Platform, Silence:
	}
	return []int{place}
}

// overlays turns an incident into what it does.
func (w *world) overlays(i Incident) []overlay {
	var out []overlay
	for _, c := range i.Circuits {
		on := func(from, to time.Duration, e effect) { out = append(out, overlay{c, from, to, e}) }
		switch i.Kind {
		case Hard, Provider:
			out = append(out, w.down(c, i.From, i.To, i.id)...)
		case Grey:
			loss := 0.02 + 0.58*unit(roll(i.id, drawLoss))*unit(roll(i.id, drawLoss, 1)) // mostly small
			on(i.From, i.To, effect{out: loss, in: loss})
		case OneWay:
			if unit(roll(i.id, drawShape)) < 0.5 {
				on(i.From, i.To, effect{out: 1})
			} else {
				on(i.From, i.To, effect{in: 1})
			}
		case Kept:
			on(i.From, i.To, effect{out: 1, in: 1})
		case Flap:
			out = append(out, w.flaps(c, i)...)
		case Blip:
			on(i.From, i.To, effect{out: 1, in: 1})
		case OneLink:
			on(i.From, i.To, effect{sessions: link(roll(i.id, drawShape))})
		case Maintenance:
			out = append(out, w.work(c, i)...)
		case FalseAlarm:
			on(i.From, i.To, effect{lies: pick(roll(i.id, drawPick))})
		case Platform:
			on(i.From, i.To, effect{lies: heard{metric: true, health: true}})
		case Silence:
			on(i.From, i.To, effect{mute: pick(roll(i.id, drawPick))})
		case Vantage:
			on(i.From, i.To, effect{lies: heard{checks: true}})
		case Blackout:
			on(i.From, i.To, effect{mute: heard{true, true, true}})
		}
	}
	return out
}

// down is a circuit that dies whole: first its packets, then its routes.
func (w *world) down(c int, from, to time.Duration, id uint64) []overlay {
	found := w.params.HoldTime
	if unit(roll(id, drawShape, 7)) < w.params.BFD {
		found = between(w.params.BFDTime, roll(id, drawShape, 8))
	}
	found = found.Truncate(time.Second)
	out := []overlay{{c, from, to, effect{out: 1, in: 1}}}
	if from+found < to { // else it was over before anybody noticed
		back := between(w.params.Back, roll(id, drawShape, 9)).Truncate(time.Second)
		out = append(out, overlay{c, from + found, to + back, effect{noRoutes: true, sessions: [2]bool{true, true}}})
	}
	return out
}

// flaps is a circuit that comes and goes.
func (w *world) flaps(c int, i Incident) []overlay {
	var out []overlay
	at := i.From
	for n := uint64(0); at < i.To; n++ {
		end := at + between([2]time.Duration{20 * time.Second, 3 * time.Minute}, roll(i.id, drawShape, n, 1)).Truncate(time.Second)
		out = append(out, w.down(c, at, min(end, i.To), roll(i.id, n))...)
		at = end + between([2]time.Duration{30 * time.Second, 5 * time.Minute}, roll(i.id, drawShape, n, 2)).Truncate(time.Second)
	}
	return out
}

// work is announced maintenance: the links one after the other read down at the edge
// while traffic flows. In one of ten the circuit is really dead for some minutes.
func (w *world) work(c int, i Incident) []overlay {
	half := (i.From + (i.To-i.From)/2).Truncate(time.Second)
	first := link(roll(i.id, drawShape))
	out := []overlay{
		{c, i.From, half, effect{edge: first}},
		{c, half, i.To, effect{edge: [2]bool{!first[0], !first[1]}}},
	}
	if unit(roll(i.id, drawShape, 1)) < 0.1 {
		long := between([2]time.Duration{time.Minute, 10 * time.Minute}, roll(i.id, drawShape, 2)).Truncate(time.Second)
		out = append(out, w.down(c, half, min(half+long, i.To), i.id)...)
	}
	return out
}

// link marks one of the two links.
func link(bits uint64) [2]bool { return [2]bool{bits&1 == 0, bits&1 == 1} }

// pick chooses one observer.
func pick(bits uint64) heard {
	switch x := unit(bits); {
	case x < 0.4:
		return heard{metric: true}
	case x < 0.7:
		return heard{health: true}
	}
	return heard{checks: true}
}
