package health

import (
	"cmp"
	"slices"
	"time"

	"erfailover/events"
)

// naive weighs evidence the slow and plain way: from the list of all signals ever
// folded, without a memory. It is the twin that weigh is checked against.
type naive struct {
	signals []events.Signal // as folded, with when they arrived: only kept ones
}

// fold keeps what Observe must keep.
func (n *naive) fold(sigs []events.Signal, now time.Time) {
	for _, s := range sigs {
		good := s.State == events.Up || s.State == events.Unknown
		if s.Kind != events.Health || s.At.After(now.Add(Ahead)) || s.Tentative && good {
			continue
		}
		n.signals = append(n.signals, s)
	}
}

// verdict is what the twin and weigh must agree on.
type verdict struct {
	level           level
	saying          int
	counts, calm    bool
	rebutted, fresh bool
	proven          time.Time
}

func (n *naive) weigh(m Memory, r Rule, now time.Time) verdict {
	type fact struct {
		events.Signal
		link events.Link
	}
	var facts []fact // the last word of each source about each link, fresh or not
	for _, link := range []events.Link{events.Primary, events.Secondary} {
		for _, s := range n.signals {
			if s.Peering != events.AnyPeering && s.Peering != events.Private || s.Link != events.BothLinks && s.Link != link {
				continue
			}
			if !slices.ContainsFunc(n.signals, func(o events.Signal) bool { return silences(o, s, link) }) {
				facts = append(facts, fact{s, link})
			}
		}
	}
	isFresh := func(s events.Signal) bool { return now.Sub(s.At) < r.MaxAge[s.Observer] }
	excused := func(s events.Signal) (out, read bool) {
		if s.UserAction {
			return true, false
		}
		if s.Plane != events.ControlPlane || s.Observer == events.Read || s.Observer == events.ResourceHealth {
			return false, false
		}
		for _, w := range m.Maintenance {
			if !w.Cancelled && !s.At.Before(w.Start) && s.At.Before(w.End) {
				return true, false
			}
		}
		rebutted := func(since time.Time, aged bool) bool {
			ups := map[events.Link]bool{}
			for _, f := range facts {
				if f.Observer != events.Read || f.Plane != events.ControlPlane || f.At.Before(since) || f.State == events.Unknown || aged && !isFresh(f.Signal) {
					continue
				}
				if f.State != events.Up {
					return false
				}
				ups[f.link] = true
			}
			return len(ups) == 2
		}
		began := slices.IndexFunc(m.Evidence, func(e Evidence) bool { return e.Signal == s.ID })
		read = rebutted(s.At, false) || rebutted(m.Evidence[began].Since, true)
		return read, read
	}
	var v verdict
	down, countsDown := map[events.Link]bool{}, map[events.Link]bool{}
	newest := map[events.Link]time.Time{}
	anyBad, anyCounts := false, false
	says := map[events.Observer]map[string]bool{}
	for _, f := range facts {
		if !isFresh(f.Signal) || f.State == events.Unknown {
			continue
		}
		v.fresh = true
		if f.State == events.Up {
			if f.At.After(newest[f.link]) {
				newest[f.link] = f.At
			}
			continue
		}
		anyBad = true
		down[f.link] = down[f.link] || f.State == events.Down
		out, read := excused(f.Signal)
		v.rebutted = v.rebutted || read
		if out {
			continue
		}
		anyCounts = true
		if says[f.Observer] == nil {
			says[f.Observer] = map[string]bool{}
		}
		says[f.Observer]["bad"] = true
		if f.State == events.Down {
			countsDown[f.link] = true
			says[f.Observer][string(f.link)] = true
		}
		if f.State == events.Down || f.Plane == events.DataPlane {
			says[f.Observer]["hurt "+string(f.link)] = true
		}
	}
	move := r.Degraded == DegradeMove
	borne := 0
	for o, s := range says {
		if (s["primary"] && s["secondary"] || move) && (o != events.Read || r.ConfirmByRead) {
			v.saying++
			continue
		}
		if s["hurt primary"] && s["hurt secondary"] && (o != events.Read || r.ConfirmByRead) {
			borne++
		}
	}
	if v.saying > 0 {
		v.saying += borne
	}
	allDown := down[events.Primary] && down[events.Secondary]
	switch {
	case allDown || anyBad && move:
		v.level = bad
	case anyBad:
		v.level = part
	default:
		v.level = []level{silent, thin, good}[len(newest)]
	}
	v.counts = countsDown[events.Primary] && countsDown[events.Secondary] || anyCounts && move
	v.calm = len(newest) == 2 && !anyCounts
	if len(newest) == 2 {
		v.proven = slices.MinFunc([]time.Time{newest[events.Primary], newest[events.Secondary]}, time.Time.Compare)
	}
	return v
}

// silences reports whether s is not the last word about a link because of o.
func silences(o, s events.Signal, link events.Link) bool {
	if o.Observer != s.Observer || o.Source != s.Source || o.Resource != s.Resource || o.Peering != s.Peering {
		return false
	}
	if o.Link != events.BothLinks && o.Link != link {
		return false
	}
	rank := map[events.State]int{events.Unknown: 0, events.Up: 1, events.Degraded: 2, events.Down: 3}
	if o.Tentative {
		// A tentative word is replaced by a newer one of the same sort only.
		return s.Tentative && o.Link == s.Link && o.State == s.State && wins(o, s)
	}
	if s.Tentative {
		return !o.At.Before(s.At)
	}
	if c := cmp.Or(o.At.Compare(s.At), rank[o.State]-rank[s.State]); c != 0 {
		return c > 0
	}
	return o.Link == s.Link && wins(o, s)
}

// wins orders two claims of one slot that say equally much.
func wins(o, s events.Signal) bool {
	user := func(x events.Signal) int {
		if x.UserAction {
			return 0
		}
		return 1
	}
	return cmp.Or(o.At.Compare(s.At), user(o)-user(s), cmp.Compare(o.ID, s.ID)) > 0
}
