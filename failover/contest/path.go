package contest

import (
	"slices"
	"time"
)

// path is how traffic flows in one lane.
type path struct {
	weights [count]int32
	off     [count]bool // the gateway is disconnected from it

	azure   []int // what Azure sends over: the highest weight with routes; a tie shares
	premise int   // what on-premises sends over; -1 none
	wants   int   // what on-premises prefers: what Azure used, a while ago
	turn    int   // counts changes of azure, so that an overtaken follow is dropped
}

// sends returns what Azure sends over at an instant.
func (p *path) sends(w *world, t time.Duration) []int {
	var out []int
	for c := range count {
		switch {
		case p.off[c] || w.at(c, t).noRoutes:
		case len(out) == 0 || p.weights[c] > p.weights[out[0]]:
			out = []int{c}
		case p.weights[c] == p.weights[out[0]]:
			out = append(out, c)
		}
	}
	return out
}

// answers returns what on-premises sends over: what it prefers, while that has
// routes; else the best that has.
func (p *path) answers(w *world, t time.Duration) int {
	for _, c := range []int{p.wants, home, standby, third} {
		if !p.off[c] && !w.at(c, t).noRoutes {
			return c
		}
	}
	return -1
}

// moved looks anew at where traffic flows, after a write landed or the world changed.
func (l *lane) moved(now time.Duration, landed bool) {
	before := l.path.azure
	l.path.azure = l.path.sends(l.world, now)
	l.path.premise = l.path.answers(l.world, now)
	if !slices.Equal(before, l.path.azure) {
		l.path.turn++
		turn := l.path.turn
		l.at(now+l.world.params.Follow, func(c *control) {
			if turn == l.path.turn && len(l.path.azure) == 1 {
				l.path.wants = l.path.azure[0]
				l.moved(c.now, false)
			}
		})
	}
	l.score.look(l.world, &l.path, now, before, landed)
}
