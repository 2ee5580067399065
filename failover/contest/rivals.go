package contest

import (
	"time"

	"erfailover/events"
)

// nothing leaves it to routing: what is withdrawn moves, and comes back.
type nothing struct{}

func (nothing) name() string { return "routing alone" }
func (nothing) about() string {
	return "no automation: what is withdrawn moves, and comes back"
}
func (nothing) senses() senses               { return senses{} }
func (nothing) hear(*control, []sighting)    {}
func (nothing) probe(*control, [count]probe) {}
func (nothing) beat(*control)                {}
func (nothing) resting() bool                { return true }

// script is the public ping-and-swap script as described: one ping over the first
// circuit every 15 s decides; the weight of the circuit that carries is lowered to 20
// first, then the other one is raised to 30; the first good ping swaps back, and then
// it sleeps 50 s. It never looks at the standby.
type script struct {
	swapped, busy bool
	sleeps        time.Duration
}

func (s *script) name() string { return "ping and swap" }
func (s *script) about() string {
	return "the public weight script: one ping over home every 15 s; lowers first, then raises, 20/30; back at the first good ping"
}
func (s *script) senses() senses            { return senses{probes: 15 * time.Second} }
func (s *script) hear(*control, []sighting) {}
func (s *script) beat(*control)             {}
func (s *script) resting() bool             { return !s.swapped && !s.busy }

func (s *script) probe(c *control, round [count]probe) {
	p := round[home]
	if s.busy || !p.told || c.now < s.sleeps || p.ok == !s.swapped {
		return
	}
	from, to := home, standby
	if s.swapped {
		from, to = standby, home
	}
	s.busy = true
	c.decided(from, to)
	c.weight(from, 20, func(c *control) {
		c.weight(to, 30, func(c *control) {
			s.busy, s.swapped = false, !s.swapped
			if !s.swapped {
				s.sleeps = c.now + 50*time.Second
			}
		})
	})
}

// timed is the Direct Connect sample as described: an alarm on loss starts a failover
// test of the circuit for a fixed time, unless the circuit is not available anyway or
// too few others are. The test ends by its timer, whatever the circuit's health.
type timed struct {
	bad   [count]int  // minutes in a row above the alarm's threshold
	alarm [count]bool // it acts on a change into alarm only
	gone  [count]bool // not available, by the sessions' metric
	off   [count]bool
	out   int // tests under way
}

const (
	timedFor     = 3 * time.Hour // duration of the test: the sample's default
	timedLoss    = 0.1           // our threshold for its alarm on loss
	timedMinutes = 3             // minutes in a row
	timedFloor   = 1             // MINVIFS
)

func (d *timed) name() string { return "alarm and timer" }
func (d *timed) about() string {
	return "the Direct Connect sample: alarm after 3 minutes of 10 % loss; MINVIFS 1; away for 3 h, whatever happens"
}
func (d *timed) senses() senses               { return senses{records: true} }
func (d *timed) probe(*control, [count]probe) {}
func (d *timed) beat(*control)                {}
func (d *timed) resting() bool                { return d.out == 0 && d.bad == [count]int{} }

func (d *timed) hear(c *control, heard []sighting) {
	for _, s := range heard {
		switch s.from {
		case fromMetric:
			d.gone[s.circuit] = s.state == events.Down
		case fromChecks:
			if s.lost < timedLoss {
				d.bad[s.circuit], d.alarm[s.circuit] = 0, false
				continue
			}
			if d.bad[s.circuit]++; d.bad[s.circuit] >= timedMinutes && !d.alarm[s.circuit] {
				d.alarm[s.circuit] = true
				d.act(c, s.circuit)
			}
		case fromHealth, fromCanary, fromRead:
		}
	}
}

func (d *timed) act(c *control, bad int) {
	available := 0
	for i := range count {
		if !d.gone[i] && !d.off[i] {
			available++
		}
	}
	if d.gone[bad] || d.off[bad] || available <= timedFloor {
		return
	}
	if bad == d.preferred() {
		c.decided(bad, other(bad))
	}
	d.off[bad] = true
	d.out++
	c.disconnect(bad, true, func(c *control) {
		c.lane.at(c.now+timedFor, func(c *control) {
			c.disconnect(bad, false, func(*control) {
				d.off[bad] = false
				d.out--
			})
		})
	})
}

// preferred returns the circuit that carries as far as the sample could know.
func (d *timed) preferred() int {
	for i := range count {
		if !d.gone[i] && !d.off[i] {
			return i
		}
	}
	return -1
}

// other returns a circuit that is not home and not c.
func other(c int) int {
	if c == standby {
		return third
	}
	return standby
}

// gated is a dual-WAN policy with four gates on the way back, as described: every 15 s
// a score from 0 to 100 over four probes; it leaves after five bad scores in a row, or
// at once below 15; it returns after 20 good checks, an hour on the backup, 15 minutes
// without a break, and with a score of 60 or more.
type gated struct {
	last   [count][4]bool // newest probes
	seen   [count]int
	next   int
	bad    int // bad scores of the active circuit in a row
	good   int // good checks of home in a row
	active int
	since  time.Duration // on the backup since
	stable time.Duration // home good since; -1 not
	busy   bool
	rounds int
	scores [count]int
}

const (
	gatedGood      = 60
	gatedEmergency = 15
	gatedBad       = 5
	gatedChecks    = 20
	gatedBackup    = time.Hour
	gatedStable    = 15 * time.Minute
)

func (g *gated) name() string { return "score and four gates" }
func (g *gated) about() string {
	return "a dual-WAN policy: score of four probes, five bad in a row or one below 15; back after 1 h, 15 min stable, 20 good checks, score 60"
}
func (g *gated) senses() senses            { return senses{probes: slot} }
func (g *gated) hear(*control, []sighting) {}
func (g *gated) beat(*control)             {}
func (g *gated) resting() bool             { return g.active == home && !g.busy && g.bad == 0 }

func (g *gated) probe(c *control, round [count]probe) {
	for i, p := range round {
		if p.told {
			g.last[i][g.next] = p.ok
			g.seen[i] = min(g.seen[i]+1, len(g.last[i]))
		}
	}
	g.next = (g.next + 1) % len(g.last[0])
	if g.rounds++; g.rounds%3 != 0 {
		return
	}
	for i := range count {
		g.scores[i] = 100
		for k := range g.seen[i] {
			if !g.last[i][k] {
				g.scores[i] -= 25
			}
		}
	}
	g.count(c.now)
	if g.busy {
		return
	}
	if g.active != home && g.ready(c.now) {
		g.move(c, home)
		return
	}
	if g.scores[g.active] >= gatedEmergency && g.bad < gatedBad {
		return
	}
	for i := range count {
		if i != g.active && g.scores[i] >= gatedGood {
			g.move(c, i)
			return
		}
	}
}

// count keeps the runs of good and bad scores.
func (g *gated) count(now time.Duration) {
	if g.scores[g.active] < gatedGood {
		g.bad++
	} else {
		g.bad = 0
	}
	switch {
	case g.scores[home] < gatedGood:
		g.good, g.stable = 0, -1
	case g.stable < 0:
		g.good, g.stable = 1, now
	default:
		g.good++
	}
}

// ready asks the four gates.
func (g *gated) ready(now time.Duration) bool {
	return g.good >= gatedChecks && now-g.since >= gatedBackup && g.stable >= 0 && now-g.stable >= gatedStable && g.scores[home] >= gatedGood
}

// move makes a circuit the preferred one with a single write, as a metric's change
// would: above every other to leave, back to its weight at rest to return.
func (g *gated) move(c *control, to int) {
	from := g.active
	g.busy = true
	c.decided(from, to)
	done := func(c *control) {
		g.busy, g.bad, g.active, g.since = false, 0, to, c.now
	}
	if from == home {
		c.weight(to, 40, done)
		return
	}
	rest := weightsAtRest()
	c.weight(from, rest[from], func(c *control) {
		if to == home {
			done(c)
			return
		}
		c.weight(to, 40, done)
	})
}
