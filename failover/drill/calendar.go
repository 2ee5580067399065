package drill

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Calendar says when a drill begins.
type Calendar struct {
	schedule cron.Schedule
	zone     *time.Location
	closed   []Dates
}

// Dates is a span of calendar days in the drill's zone, both ends included, as
// "2006-01-02".
type Dates struct{ First, Last string }

// skipped bounds how many starts in closed spans are passed over: a weekly drill
// and ten years.
const skipped = 600

// ParseCalendar reads a cron schedule of five fields in a time zone. The zone stands
// beside the schedule and never in it.
func ParseCalendar(schedule, zone string, closed []Dates) (Calendar, error) {
	if strings.Contains(schedule, "TZ=") {
		return Calendar{}, fmt.Errorf("schedule %q: name the zone beside the schedule, not in it", schedule)
	}
	s, err := cron.ParseStandard(schedule)
	if err != nil {
		return Calendar{}, fmt.Errorf("schedule %q: %w", schedule, err)
	}
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return Calendar{}, fmt.Errorf("zone %q: %w", zone, err)
	}
	return Calendar{schedule: s, zone: loc, closed: closed}, nil
}

// Next returns the first start after t outside closed days; zero when there is none
// in sight. Over a change of clocks a start that is skipped comes at the next
// possible instant, and one that comes twice comes once.
func (c Calendar) Next(t time.Time) time.Time {
	if c.schedule == nil {
		return time.Time{}
	}
	at := t.In(c.zone)
	for range skipped {
		next := c.schedule.Next(at)
		if next.IsZero() {
			return time.Time{}
		}
		if !c.isClosed(next) {
			return next.UTC()
		}
		at = next
	}
	return time.Time{}
}

func (c Calendar) isClosed(t time.Time) bool {
	day := t.In(c.zone).Format(time.DateOnly)
	for _, d := range c.closed {
		if d.First <= day && day <= d.Last {
			return true
		}
	}
	return false
}
