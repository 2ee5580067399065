package sim

import (
	"math"
	"time"
)

// WorkingDays returns a gauge of the load of one link: some of it by night, all of it at
// 14:00 UTC of a working day.
func WorkingDays(busiest float64) Gauge {
	return func(_ Link, at time.Time) (float64, bool) {
		at = at.UTC()
		share := 0.2 + 0.8*math.Max(0, math.Sin(math.Pi*(float64(at.Hour())-6)/16))
		if day := at.Weekday(); day == time.Saturday || day == time.Sunday {
			share *= 0.3
		}
		return busiest * share, true
	}
}
