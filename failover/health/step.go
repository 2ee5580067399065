package health

import (
	"time"
)

// Reasons for a change of state. They are fixed texts: tests and alerts match them.
const (
	WhyGood        = "good evidence about both links"
	WhyBad         = "bad evidence"
	WhyPart        = "one link of two is bad, or there is loss"
	WhyBack        = "good again before the hold-down"
	WhyHeld        = "bad, confirmed, for the hold-down"
	WhyReturned    = "good evidence again"
	WhyOneLink     = "carries traffic again, on one link or with loss"
	WhyTrusted     = "good for the hold-up"
	WhyRelapse     = "bad again before it was trusted, confirmed"
	WhyDoubt       = "bad again before it was trusted, not confirmed"
	WhySilent      = "no evidence is fresh any more"
	WhyOneLinkOnly = "fresh evidence is about one link only"
)

// Step advances one group's belief about one circuit to now and returns it with
// the changes of state, in order. It depends on nothing but its arguments; a second
// Step at the same instant changes nothing, and neither does any Step before Next.
//
// States are entered when a Step notices, so Since and Change.At are now. The
// hold-down counts from event times, the hold-up from the first Step that finds all
// good; call it at least as often as Next says. A bad spell that begins and ends within one batch of
// signals is not seen and adds no penalty.
func Step(t Track, m Memory, group string, r Rule, now time.Time) (Track, []Change) {
	if t.State == "" {
		t.State = Unknown
	}
	t = r.Damping.settle(t, now)
	s := weigh(t, m, r, now)
	t = spell(t, s, r, now)
	var changes []Change
	for {
		to, why := next(t, s, r, now)
		if to == t.State {
			return t, changes
		}
		changes = append(changes, Change{Group: group, Circuit: m.Circuit, From: t.State, To: to, At: now, Why: why})
		t = enter(t, to, now)
	}
}

// spell keeps the bookkeeping of the present good or bad spell. A spell that
// begins while the circuit was thought to work is one flap.
func spell(t Track, s sum, r Rule, now time.Time) Track {
	switch {
	case s.counts && t.BadSince.IsZero():
		t.BadSince = s.badSince
		if t.State == Healthy || t.State == Degraded || t.State == Recovering {
			t = r.Damping.flap(t, now)
		}
	case !s.counts && !t.BadSince.IsZero() && (t.State != Down || s.calm || s.carries || s.level <= thin):
		t.BadSince, t.Confirmed, t.BadUntil = time.Time{}, time.Time{}, now
	}
	switch confirmed := s.counts && s.saying >= s.needed; {
	case confirmed && t.Confirmed.IsZero():
		t.Confirmed = now
	case !confirmed && t.State != Down:
		t.Confirmed = time.Time{}
	}
	switch {
	case s.level != good:
		t.GoodSince = time.Time{}
	case !t.GoodSince.IsZero():
	case t.Fell:
		t.GoodSince = now // trust is earned while we look: late news of a recovery shortens no hold-up
	case t.State == Healthy:
		t.GoodSince = s.goodSince
	default:
		t.GoodSince = later(s.goodSince, t.Since)
	}
	return t
}

// next returns the state that follows t.State on the evidence, or t.State itself.
// Each arm names the level of evidence; the notes in docs/states.md follow it.
func next(t Track, s sum, r Rule, now time.Time) (State, string) {
	switch s.level {
	case silent:
		return Unknown, WhySilent
	case thin:
		return Unknown, WhyOneLinkOnly
	case good:
		return onGood(t, r, now)
	case part:
		return onPart(t, s)
	case bad:
		return onBad(t, s, r, now)
	}
	return t.State, ""
}

func onGood(t Track, r Rule, now time.Time) (State, string) {
	switch t.State {
	case Unknown, Degraded:
		if t.Fell {
			return Recovering, WhyReturned
		}
		return Healthy, WhyGood
	case Suspect:
		if t.Fell {
			return Recovering, WhyReturned
		}
		return Healthy, WhyBack
	case Down:
		return Recovering, WhyReturned
	case Recovering:
		if !now.Before(t.GoodSince.Add(r.HoldUp)) {
			return Healthy, WhyTrusted
		}
	case Healthy:
	}
	return t.State, ""
}

func onPart(t Track, s sum) (State, string) {
	switch t.State {
	case Unknown, Healthy, Recovering:
		return Degraded, WhyPart
	case Suspect, Down:
		if s.carries {
			return Degraded, WhyOneLink
		}
	case Degraded:
	}
	return t.State, ""
}

func onBad(t Track, s sum, r Rule, now time.Time) (State, string) {
	confirmed := s.counts && s.saying >= s.needed
	switch t.State {
	case Unknown, Healthy, Degraded:
		return Suspect, WhyBad
	case Suspect:
		if confirmed && !now.Before(t.BadSince.Add(r.HoldDown)) && !now.Before(s.readUntil(t, r)) {
			return Down, WhyHeld
		}
	case Down:
		if s.calm {
			return Recovering, WhyReturned
		}
	case Recovering:
		switch {
		case confirmed:
			return Down, WhyRelapse
		case s.counts || !s.calm:
			return Suspect, WhyDoubt
		}
	}
	return t.State, ""
}

// enter moves t to a state. It is the only place where a state is changed.
func enter(t Track, to State, now time.Time) Track {
	t.State, t.Since = to, now
	switch to {
	case Down:
		t.Fell = true
	case Healthy:
		t.Fell = false
	case Unknown, Degraded, Suspect, Recovering:
	}
	return t
}
