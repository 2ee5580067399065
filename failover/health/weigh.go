package health

import (
	"slices"
	"strings"
	"time"

	"erfailover/events"
)

// voters are the observers whose claims count, in the order of their names.
var voters = []events.Observer{events.Gateway, events.Metric, events.Probe, events.Read, events.ResourceHealth}

// reread is the least time between two confirming reads that are asked for.
const reread = time.Minute

// level is what the fresh evidence adds up to.
type level int

const (
	silent level = iota // nobody says anything
	thin                // good, about one link only
	good                // good about both links, nothing bad
	part                // bad about one link, or loss
	bad                 // both links are claimed to be down
)

// claim is one piece of evidence with the links on which it is its source's last
// word.
type claim struct {
	*Evidence
	on     [2]bool
	excuse Excuse
}

// sum is what the evidence of one circuit adds up to at one instant.
type sum struct {
	level     level
	counts    bool      // the claims that count add up to bad
	saying    int       // observers whose counting claims say Down
	needed    int       // observers that must
	readSays  bool      // a read of ours is among those that say Down
	firsthand bool      // so is one that looked for itself: a read, a probe, a gateway; the rest is Azure's own word
	calm      bool      // good about both links, and nothing bad counts
	carries   bool      // at least one link is good and not claimed down
	badSince  time.Time // first evidence of what counts as bad; zero when nothing does
	goodSince time.Time // since when all is good; zero when it is not
	links     [2]State
	bad, good []Evidence
	proven    time.Time
	lastRead  time.Time
	rebutted  bool
	disputed  bool // something rebutted was said again after our newest read: worth another one
	explained bool
}

// fresh reports whether evidence of that age still speaks.
func (r Rule) fresh(e *Evidence, now time.Time) bool { return now.Before(r.expires(e)) }

// expires returns the instant at which evidence stops to speak.
func (r Rule) expires(e *Evidence) time.Time { return e.At.Add(r.maxAge(e.Observer)) }

// maxAge returns how long an observer's word stands: the rule's figure, else the
// default's, never longer than Keep.
func (r Rule) maxAge(o events.Observer) time.Duration {
	age, ok := r.MaxAge[o]
	if !ok {
		age = defaultAge(o)
	}
	return min(age, Keep)
}

// weigh adds up the evidence. t tells where earlier spells ended.
func weigh(t Track, m Memory, r Rule, now time.Time) sum {
	s := sum{needed: max(1, r.Observers)}
	claims := lastWords(m.Evidence)
	var tally ballot
	for _, c := range claims {
		if c.Observer == events.Read && c.At.After(s.lastRead) {
			s.lastRead = c.At
		}
		if c.State == events.Unknown {
			s.goodSince = later(s.goodSince, c.Since)
			continue
		}
		if end := r.expires(c.Evidence); !now.Before(end) {
			if c.State != events.Up {
				s.goodSince = later(s.goodSince, end)
			}
			continue
		}
		if c.State == events.Up {
			tally.up(c)
			s.good = add(s.good, c, len(claims))
			s.goodSince = later(s.goodSince, begin(c.Evidence, goodFloor(t), m))
			continue
		}
		c.excuse = excuse(c.Evidence, claims, m, r, now)
		s.rebutted = s.rebutted || c.excuse == ByRead
		s.disputed = s.disputed || c.excuse == ByRead && !rebuts(claims, c.At, anyAge)
		s.explained = s.explained || c.excuse == ByUser || c.excuse == ByMaintenance
		tally.against(c, begin(c.Evidence, t.BadUntil, m))
		s.bad = add(s.bad, c, len(claims))
	}
	s.count(tally, r)
	s.explained = s.explained && tally.badFrom.IsZero()
	if s.level != good {
		s.goodSince = time.Time{}
	}
	s.badSince, s.goodSince = earlier(s.badSince, now), earlier(s.goodSince, now)
	slices.SortFunc(s.bad, strongestFirst)
	slices.SortFunc(s.good, strongestFirst)
	return s
}

// add appends what a claim says to a list for people, of at most so many.
func add(list []Evidence, c claim, most int) []Evidence {
	if list == nil {
		list = make([]Evidence, 0, most)
	}
	list = append(list, *c.Evidence)
	list[len(list)-1].Excuse = c.excuse
	return list
}

// lastWords returns what each source last said about each link: the newest firm
// claim that covers the link, and tentative claims that are newer still. Claims
// about peerings that carry no private traffic are left out.
func lastWords(all []Evidence) []claim {
	out := make([]claim, 0, len(all))
	for lo := 0; lo < len(all); {
		hi := lo + 1
		for hi < len(all) && compareSource(all[lo], all[hi]) == 0 {
			hi++
		}
		group := all[lo:hi]
		lo = hi
		if p := group[0].Peering; p != events.AnyPeering && p != events.Private || !slices.Contains(voters, group[0].Observer) {
			continue
		}
		for i := range group {
			e := &group[i]
			c := claim{Evidence: e}
			for l, link := range [2]events.Link{events.Primary, events.Secondary} {
				c.on[l] = covers(e, link) && !beaten(group, e, link)
			}
			if c.on[0] || c.on[1] {
				out = append(out, c)
			}
		}
	}
	return out
}

// beaten reports whether another claim of the same source about the link stands
// instead of e.
func beaten(group []Evidence, e *Evidence, link events.Link) bool {
	for i := range group {
		if o := &group[i]; covers(o, link) && beats(o, e) {
			return true
		}
	}
	return false
}

func covers(e *Evidence, link events.Link) bool { return e.Link == events.BothLinks || e.Link == link }

// beats reports whether o of the same source takes the word from e.
func beats(o, e *Evidence) bool {
	switch {
	case o.Tentative:
		return false
	case e.Tentative:
		return !o.At.Before(e.At)
	case o.At.Equal(e.At):
		return severity(o.State) > severity(e.State)
	}
	return o.At.After(e.At)
}

// excuse says why bad evidence does not count, or "". Data-plane claims, Resource
// Health and our own reads are excused by nothing but the customer's own act.
func excuse(e *Evidence, claims []claim, m Memory, r Rule, now time.Time) Excuse {
	switch {
	case e.UserAction:
		return ByUser
	case e.Plane != events.ControlPlane, e.Observer == events.Read, e.Observer == events.ResourceHealth:
		return ""
	case inMaintenance(m, e.At) && !arpDown(claims, r, now):
		return ByMaintenance
	case rebuts(claims, e.At, anyAge):
		return ByRead // it does not age: to contradict a claim once is enough
	case rebuts(claims, e.Since, func(read *Evidence) bool { return r.fresh(read, now) }):
		return ByRead // the source was found wrong and has said nothing new since; for as long as the read speaks
	}
	return ""
}

// rebuts reports whether everything that we read since that instant, of the reads
// that speak, found the sessions of both links up.
func rebuts(claims []claim, since time.Time, speaks func(*Evidence) bool) bool {
	var up [2]bool
	for _, c := range claims {
		if c.Observer != events.Read || c.Plane != events.ControlPlane || c.At.Before(since) || c.State == events.Unknown || !speaks(c.Evidence) {
			continue
		}
		if c.State != events.Up {
			return false
		}
		up[0], up[1] = up[0] || c.on[0], up[1] || c.on[1]
	}
	return up[0] && up[1]
}

func anyAge(*Evidence) bool { return true }

// arpDown reports whether ARP is claimed to be down: then maintenance does not
// explain lost sessions. BGP availability alone reads down during Microsoft's work
// at the edge although the customer's session is up.
func arpDown(claims []claim, r Rule, now time.Time) bool {
	return slices.ContainsFunc(claims, func(c claim) bool {
		return c.State == events.Down && r.fresh(c.Evidence, now) &&
			(strings.Contains(strings.ToLower(c.Source), "arpavailability") || strings.Contains(strings.ToLower(c.Detail), "arpavailability"))
	})
}

func inMaintenance(m Memory, at time.Time) bool {
	return slices.ContainsFunc(m.Maintenance, func(w MaintenanceWindow) bool { return w.covers(at) })
}

// begin returns since when e may be held against a circuit or for it: since its
// source has said the same, unless an earlier spell ended in between or the claim
// began in maintenance; then since it was last said.
func begin(e *Evidence, floor time.Time, m Memory) time.Time {
	if e.Since.Before(floor) || e.State != events.Up && inMaintenance(m, e.Since) {
		return later(e.At, floor)
	}
	return e.Since
}

// goodFloor is the time before which nothing is uninterrupted.
func goodFloor(t Track) time.Time {
	if t.State == Unknown {
		return later(t.BadUntil, t.Since)
	}
	return t.BadUntil
}

func strongestFirst(a, b Evidence) int {
	switch {
	case (a.Excuse == "") != (b.Excuse == ""):
		return compareBools(a.Excuse != "", b.Excuse != "")
	case a.State != b.State:
		return severity(b.State) - severity(a.State)
	case !a.At.Equal(b.At):
		return b.At.Compare(a.At)
	}
	return compareSlots(a, b)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
