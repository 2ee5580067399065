package drill

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"erfailover/failover/policy"
)

// Calendar says when a drill may begin.
type Calendar struct {
	schedule cron.Schedule
	zone     *time.Location
	closed   []Dates
	name     string        // of the drill; with the date it makes the jitter
	jitter   time.Duration // a start is put off by less than this; 0 not at all
	whole    time.Duration // from the start to the hard limit: all of it must fit
	windows  []policy.Window
	blocked  []policy.Window
	blackout []Blackout
}

// Hours are the hours of a calendar beside its schedule.
type Hours struct {
	Name     string          // of the drill
	Jitter   time.Duration   // the start is put off by less than this
	Whole    time.Duration   // from the start to the hard limit
	Windows  []policy.Window // a drill must fit into one of them; none means always
	Blocked  []policy.Window // a drill must not touch them
	Blackout []Blackout      // nor these
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

// Within returns the calendar with hours beside its schedule.
func (c Calendar) Within(h Hours) Calendar {
	c.name, c.jitter, c.whole, c.windows, c.blocked, c.blackout = h.Name, h.Jitter, h.Whole, h.Windows, h.Blocked, h.Blackout
	return c
}

// Zone returns the time zone of the schedule.
func (c Calendar) Zone() *time.Location { return c.zone }

// Next returns the first start after t that nothing forbids; zero when there is none
// in sight. Over a change of clocks a start that is skipped comes at the next
// possible instant, and one that comes twice comes once.
func (c Calendar) Next(t time.Time) time.Time {
	if c.schedule == nil {
		return time.Time{}
	}
	at := t.Add(-c.jitter).In(c.zone) // a start from before t may have been put off past it
	for range skipped {
		next := c.schedule.Next(at)
		if next.IsZero() {
			return time.Time{}
		}
		at = next
		if again(next) {
			continue
		}
		start := next.Add(c.delay(next))
		if !start.After(t) {
			continue
		}
		if _, closed := c.Closed(start); !closed {
			return start.UTC()
		}
	}
	return time.Time{}
}

// again reports whether the clocks have shown this time of day before, in the hour (or
// half of one) that a change of clocks repeats.
func again(t time.Time) bool {
	const wall = "2006-01-02 15:04:05"
	for _, back := range []time.Duration{30 * time.Minute, time.Hour} {
		if t.Add(-back).Format(wall) == t.Format(wall) {
			return true
		}
	}
	return false
}

// delay returns by how much the start of a day is put off: whole seconds, evenly
// spread over the jitter, and the same wherever it is asked.
func (c Calendar) delay(at time.Time) time.Duration {
	if c.jitter < time.Second {
		return 0
	}
	sum := sha256.Sum256([]byte(c.name + " " + at.In(c.zone).Format(time.DateOnly)))
	return time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(c.jitter/time.Second)) * time.Second
}

// Closed says why a drill may not begin at t, if it may not: the whole of it, to its
// hard limit, has to stay clear of what is closed.
func (c Calendar) Closed(t time.Time) (Refusal, bool) {
	if c.zone == nil {
		return Refusal{}, false
	}
	end := t.Add(c.whole)
	if day := t.In(c.zone).Format(time.DateOnly); c.isClosed(day) {
		return Refusal{Code: ClosedDay, Text: day + " is a blackout day of this drill"}, true
	}
	if len(c.windows) > 0 {
		in, next := policy.InWindows(c.windows, t)
		if !in {
			return Refusal{Code: ClosedHour, Text: "outside the hours in which this drill may run", Until: next}, true
		}
		if last := end.Add(-time.Nanosecond); c.whole > 0 && !together(c.windows, t, last) {
			return Refusal{Code: ClosedHour, Text: "the hours in which this drill may run end before its limit at " + stamp(end)}, true
		}
	}
	for _, w := range c.blocked {
		if next := w.Next(t.Add(-time.Nanosecond)); w.Contains(t) || (!next.IsZero() && next.Before(end)) {
			return Refusal{Code: ClosedHour, Text: "it would touch the blocked hours " + w.Text}, true
		}
	}
	for _, b := range c.blackout {
		if e, busy := b.Touching(t, end); busy {
			return Refusal{Code: ClosedDay, Text: fmt.Sprintf("%s has %q from %s to %s", b.Name, e.Summary, stamp(e.Start), stamp(e.End)), Until: e.End}, true
		}
	}
	return Refusal{}, false
}

// together reports whether one window holds both instants without a break.
func together(ws []policy.Window, from, to time.Time) bool {
	for _, w := range ws {
		if next := w.Next(from); w.Contains(from) && w.Contains(to) && (next.IsZero() || next.After(to)) {
			return true
		}
	}
	return false
}

func (c Calendar) isClosed(day string) bool {
	for _, d := range c.closed {
		if d.First <= day && day <= d.Last {
			return true
		}
	}
	return false
}
