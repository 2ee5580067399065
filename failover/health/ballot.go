package health

import (
	"time"

	"erfailover/events"
)

// ballot collects the fresh claims about one circuit, per link. The zero value is
// empty.
type ballot struct {
	upAt     [2]time.Time // newest claim that the link is up; zero when there is none
	loss     [2]bool      // claimed degraded
	down     [2]bool      // claimed down, excused or not
	downFrom [2]time.Time // first counting claim that the link is down; zero when there is none
	bad      bool         // any bad claim, excused or not
	badFrom  time.Time    // first counting bad claim of any sort; zero when there is none
	by       [5]vote      // counting claims, by voter
}

// vote is what one observer says, of what counts.
type vote struct {
	down  [2]bool
	lossy [2]bool // packets are lost
	bad   bool
}

func (b *ballot) up(c claim) {
	for l := range c.on {
		if c.on[l] {
			b.upAt[l] = later(b.upAt[l], c.At)
		}
	}
}

// against adds a bad claim that stands since that instant.
func (b *ballot) against(c claim, since time.Time) {
	b.bad = true
	who := &b.by[voter(c.Observer)]
	if c.excuse == "" {
		b.badFrom = first(b.badFrom, since)
		who.bad = true
	}
	for l := range c.on {
		switch {
		case !c.on[l]:
		case c.State == events.Degraded:
			b.loss[l] = true
			who.lossy[l] = who.lossy[l] || c.excuse == "" && c.Plane == events.DataPlane
		default:
			b.down[l] = true
			if c.excuse == "" {
				b.downFrom[l] = first(b.downFrom[l], since)
				who.down[l] = true
			}
		}
	}
}

// count turns the ballot into the sum under a rule.
func (s *sum) count(b ballot, r Rule) {
	move := r.Degraded == DegradeMove
	up := [2]bool{!b.upAt[0].IsZero(), !b.upAt[1].IsZero()}
	switch {
	case b.down[0] && b.down[1], b.bad && move:
		s.level = bad
	case b.bad:
		s.level = part
	case up[0] && up[1]:
		s.level = good
	case up[0] || up[1]:
		s.level = thin
	}
	switch counting := !b.badFrom.IsZero(); {
	case counting && move:
		s.counts, s.badSince = true, b.badFrom
	case !b.downFrom[0].IsZero() && !b.downFrom[1].IsZero():
		s.counts, s.badSince = true, later(b.downFrom[0], b.downFrom[1])
	case !counting:
		s.calm = up[0] && up[1]
	}
	for l := range s.links {
		s.carries = s.carries || (up[l] || b.loss[l]) && !b.down[l]
		switch {
		case b.down[l]:
			s.links[l] = Down
		case b.loss[l]:
			s.links[l] = Degraded
		case up[l]:
			s.links[l] = Healthy
		default:
			s.links[l] = Unknown
		}
	}
	s.poll(b, r, move)
	if up[0] && up[1] {
		s.proven = earlier(b.upAt[0], b.upAt[1])
	}
}

// poll counts the observers that say Down. Once one does, another that sees packets
// lost on both links bears it out: in a grey failure some packets still pass.
func (s *sum) poll(b ballot, r Rule, move bool) {
	borne := 0
	for i, v := range b.by {
		switch {
		case voters[i] == events.Read && !r.ConfirmByRead:
		case v.down[0] && v.down[1] || v.bad && move:
			s.saying++
			s.readSays = s.readSays || voters[i] == events.Read
			s.firsthand = s.firsthand || firsthand(voters[i])
		case (v.lossy[0] || v.down[0]) && (v.lossy[1] || v.down[1]):
			borne++
			s.firsthand = s.firsthand || firsthand(voters[i])
		}
	}
	if s.saying > 0 {
		s.saying += borne
	}
}

// firsthand reports whether an observer looks for itself. A metric and Resource Health
// are both told by Azure's platform, and can be wrong together.
func firsthand(o events.Observer) bool {
	switch o {
	case events.Gateway, events.Probe, events.Read:
		return true
	case events.Metric, events.ResourceHealth, events.ServiceHealth, events.ActivityLog, events.Person:
	}
	return false
}

// voter returns the place of an observer in voters.
func voter(o events.Observer) int {
	for i, v := range voters {
		if v == o {
			return i
		}
	}
	panic("health: " + string(o) + " has no vote") // lastWords lets voters through only
}

// first returns the earlier of two instants of which a may be zero.
func first(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
