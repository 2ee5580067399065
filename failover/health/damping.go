package health

import (
	"math"
	"time"
)

// on reports whether damping is asked for at all.
func (d Damping) on() bool {
	return d.Penalty > 0 && d.HalfLife > 0 && d.Suppress > 0 && d.Reuse > 0
}

// ceiling is the highest penalty that decays below Reuse within Max (RFC 2439,
// 4.2): more flaps than that make no difference.
func (d Damping) ceiling() float64 {
	return d.Reuse * math.Exp2(float64(d.Max)/float64(d.HalfLife))
}

// penalty returns a track's penalty now: it halves in every HalfLife.
func (d Damping) penalty(t Track, now time.Time) float64 {
	if !d.on() || t.Penalty <= 0 {
		return 0
	}
	age := max(0, now.Sub(t.PenaltyAt))
	return t.Penalty * math.Exp2(-float64(age)/float64(d.HalfLife))
}

// reuseAt returns when a penalty will be below Reuse if nothing more happens, at
// most Max after the last flap, and zero when it is there already at PenaltyAt.
func (d Damping) reuseAt(t Track) time.Time {
	if !d.on() || t.Penalty < d.Reuse {
		return time.Time{}
	}
	wait := math.Log2(t.Penalty/d.Reuse) * float64(d.HalfLife)
	ms := math.Ceil(math.Min(wait, float64(d.Max)) / float64(time.Millisecond))
	return t.PenaltyAt.Add(time.Duration(ms) * time.Millisecond)
}

// flap adds one penalty, for a bad spell that begins.
func (d Damping) flap(t Track, now time.Time) Track {
	if !d.on() {
		return t
	}
	t.Penalty = math.Min(d.penalty(t, now)+d.Penalty, d.ceiling())
	t.PenaltyAt = now
	t.Damped = t.Damped || t.Penalty >= d.Suppress
	return t
}

// settle lifts the damping of a track whose penalty has decayed.
func (d Damping) settle(t Track, now time.Time) Track {
	if t.Damped && (!d.on() || !now.Before(d.reuseAt(t))) {
		t.Damped = false
	}
	return t
}
