package contest

import (
	"maps"
	"slices"
	"time"
)

// What the score calls by name.
const (
	settledFor = 5 * time.Minute  // a circuit with which nothing was wrong for so long is left without need
	missedAt   = 10 * time.Minute // a dead path that is sat out for so long was missed
	tooEarly   = 10 * time.Minute // a return to a home that fails again within this came too early
)

// Score is what a policy did in the years that it played.
type Score struct {
	Name    string
	Moves   int // decisions to leave a circuit
	Returns int // decisions to go back home

	Wrong    int // landings that moved traffic from a circuit that worked to one that did not
	Needless int // decisions to leave a circuit with which nothing was wrong for 5 minutes
	Late     int // decisions to leave a circuit with which nothing was wrong any more, within 5 minutes of its trouble
	Early    int // returns to a home that did not work, or failed again within 10 minutes
	Missed   int // dead paths of 10 minutes and more, with a way out, that were sat out

	Dead       time.Duration // Azure to on-premises over a dead path, with a way out; of two that share, half
	OtherDead  time.Duration // the same, on-premises to Azure
	Asymmetric time.Duration // the two directions over different circuits
	Away       time.Duration // off home although home worked
	Writes     int

	Misled map[Kind]int // incidents that were on, or just over, when a circuit was left without need

	ToMove   []time.Duration // from a dead path, whose routes stayed, to having left it
	ToReturn []time.Duration // from the later of leaving home and home's repair to being home
}

// score keeps the books of one lane.
type score struct {
	Score
	writes int

	since           time.Duration // until here everything is counted
	dead, otherDead float64       // what counts now, from since on
	asymmetric      bool
	away            bool
	spell           time.Duration // when the present dead path began; -1 none
	kept            bool          // its routes stayed, so far
	on              []int         // the circuits that it is about
	left            time.Duration // when traffic left home
}

// until counts the time up to an instant.
func (s *score) until(t time.Duration) {
	d := t - s.since
	s.since = t
	s.Dead += time.Duration(s.dead * float64(d))
	s.OtherDead += time.Duration(s.otherDead * float64(d))
	if s.asymmetric {
		s.Asymmetric += d
	}
	if s.away {
		s.Away += d
	}
}

// decided counts a decision, by what was true when it was made.
func (s *score) decided(w *world, now time.Duration, from, to int) {
	if to == home {
		s.Returns++
		return
	}
	s.Moves++
	switch {
	case !w.at(from, now).clean():
	case w.wasClean(from, now-settledFor, now):
		s.Needless++
		s.blame(w, now, from)
	default:
		s.Late++
	}
}

// blame notes what was going on at a circuit that was left without need.
func (s *score) blame(w *world, now time.Duration, from int) {
	if s.Misled == nil {
		s.Misled = map[Kind]int{}
	}
	for _, i := range w.incidents {
		if i.From <= now && now < i.To+tail && slices.Contains(i.Circuits, from) {
			s.Misled[i.Kind]++
		}
	}
}

// look notes what counts from now on. before is what Azure sent over until now.
func (s *score) look(w *world, p *path, now time.Duration, before []int, landed bool) {
	lossy := w.params.Lossy
	wayOut := false
	for c := range count {
		wayOut = wayOut || w.at(c, now).works(lossy)
	}
	s.dead, s.otherDead = 0, 0
	if wayOut {
		s.dead = share(p.azure, func(c int) bool { return w.at(c, now).out >= lossy })
		if p.premise < 0 || w.at(p.premise, now).in >= lossy {
			s.otherDead = 1
		}
	}
	s.asymmetric = p.premise >= 0 && len(p.azure) > 0 && !slices.Equal(p.azure, []int{p.premise})
	s.away = !slices.Contains(p.azure, home) && w.at(home, now).works(lossy)
	s.watch(w, p, now, wayOut)
	if landed && !slices.Equal(before, p.azure) {
		s.landed(w, p, now, before)
	}
	if slices.Equal(before, []int{home}) && !slices.Contains(p.azure, home) {
		s.left = now
	}
}

// share returns the share of a set of which something holds; an empty set is dead.
func share(set []int, holds func(int) bool) float64 {
	if len(set) == 0 {
		return 1
	}
	n := 0
	for _, c := range set {
		if holds(c) {
			n++
		}
	}
	return float64(n) / float64(len(set))
}

// watch follows the present dead path: when it began, whether it was left or sat out.
func (s *score) watch(w *world, p *path, now time.Duration, wayOut bool) {
	if s.dead > 0 {
		if s.spell < 0 {
			s.spell, s.kept, s.on = now, true, p.azure
		}
		for _, c := range s.on {
			s.kept = s.kept && !w.at(c, now).noRoutes
		}
		return
	}
	if s.spell < 0 {
		return
	}
	took, was := now-s.spell, s.on
	kept := s.kept
	for _, c := range was {
		kept = kept && !w.at(c, now).noRoutes
	}
	s.spell = -1
	switch {
	case !wayOut:
	case !slices.Equal(was, p.azure):
		if kept {
			s.ToMove = append(s.ToMove, took)
		}
	case took >= missedAt:
		s.Missed++
	}
}

// landed judges a write that moved traffic.
func (s *score) landed(w *world, p *path, now time.Duration, before []int) {
	lossy := w.params.Lossy
	was := share(before, func(c int) bool { return !w.at(c, now).works(lossy) })
	is := share(p.azure, func(c int) bool { return !w.at(c, now).works(lossy) })
	if is > was {
		s.Wrong++
	}
	if !slices.Equal(p.azure, []int{home}) {
		return
	}
	if !w.worked(home, now, now+tooEarly) {
		s.Early++
		return
	}
	s.ToReturn = append(s.ToReturn, now-max(s.left, w.goodSince(home, now)))
}

// add puts the books of two years together.
func (s Score) add(o Score) Score {
	s.Name = o.Name
	s.Moves, s.Returns = s.Moves+o.Moves, s.Returns+o.Returns
	s.Wrong, s.Needless, s.Late = s.Wrong+o.Wrong, s.Needless+o.Needless, s.Late+o.Late
	s.Early, s.Missed, s.Writes = s.Early+o.Early, s.Missed+o.Missed, s.Writes+o.Writes
	s.Dead, s.OtherDead = s.Dead+o.Dead, s.OtherDead+o.OtherDead
	s.Asymmetric, s.Away = s.Asymmetric+o.Asymmetric, s.Away+o.Away
	misled := maps.Clone(s.Misled)
	for k, n := range o.Misled { // order-free: a sum
		if misled == nil {
			misled = map[Kind]int{}
		}
		misled[k] += n
	}
	s.Misled = misled
	s.ToMove, s.ToReturn = append(s.ToMove, o.ToMove...), append(s.ToReturn, o.ToReturn...)
	return s
}
