package report

import (
	"fmt"
	"time"

	"erfailover/failover/executor"
)

// LoadKey is the key of what was measured of the circuits' load.
const LoadKey = "load"

// What load is measured over, at which grain, and what is too little or too old to
// speak of the busiest hour.
const (
	LoadSpan   = 28 * 24 * time.Hour
	LoadGrain  = time.Hour
	leastHours = 24
	loadAge    = 3 * 24 * time.Hour
)

// Loads is the load of circuits over the last 28 days, by circuit.
type Loads struct {
	Schema   int             `json:"schema"`
	At       time.Time       `json:"at"` // when it was asked last, whatever came of it
	Circuits map[string]Load `json:"circuits,omitempty"`
}

// Load is what one circuit carried.
type Load struct {
	Bits  int64     `json:"bits,omitzero"`  // a second, at the busiest hour, in its busier direction
	Hour  time.Time `json:"hour,omitzero"`  // when that hour began
	Hours int       `json:"hours,omitzero"` // that were measured, of 672
	At    time.Time `json:"at,omitzero"`    // when it was measured
	Why   string    `json:"why,omitzero"`   // why the newest question was not answered
}

// Busiest finds the busiest hour in what Azure Monitor told: each link and peering is
// a series of its own, and what they carried in an hour adds up. An hour in which
// nothing was told is not an hour without traffic.
func Busiest(series []executor.Series, at time.Time) Load {
	out := Load{At: at}
	sums := map[string]map[time.Time]float64{} // by metric, which is a direction
	hours := map[time.Time]bool{}
	for _, s := range series {
		if sums[s.Metric] == nil {
			sums[s.Metric] = map[time.Time]float64{}
		}
		for _, p := range s.Points {
			if !(p.Value >= 0) { // not a number, or no load
				continue
			}
			sums[s.Metric][p.At] += p.Value
			hours[p.At] = true
		}
	}
	out.Hours = len(hours)
	for _, direction := range sums { // order-free: of two equal hours the earlier counts
		for hour, bits := range direction { // order-free: the same
			if n := int64(bits); n > out.Bits || (n == out.Bits && hour.Before(out.Hour)) || out.Hour.IsZero() {
				out.Bits, out.Hour = n, hour
			}
		}
	}
	return out
}

// peak returns a circuit's load at its busiest hour, or why it is not known.
func (l *Loads) peak(circuit string, now time.Time) (Load, string) {
	if l == nil || l.At.IsZero() {
		return Load{}, "nobody has asked Azure Monitor yet"
	}
	one, known := l.Circuits[circuit]
	switch {
	case !known:
		return Load{}, circuit + " was not asked about"
	case one.At.IsZero():
		return Load{}, "the load of " + circuit + " is not known: " + one.Why
	case now.Sub(one.At) > loadAge:
		return Load{}, "the load of " + circuit + " was last read " + stamp(one.At) + ": " + one.Why
	case one.Hours < leastHours:
		return Load{}, fmt.Sprintf("Azure Monitor tells of %d hours of %s, at least %d are needed", one.Hours, circuit, leastHours)
	}
	return one, ""
}
