package policy

import (
	"fmt"
	"strings"
	"time"
)

// dayNames are the names of the days in a window, by time.Weekday.
var dayNames = [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

const (
	day = 24 * time.Hour
	// searchDays bounds the search for a window's next start. One start can fall
	// into the hour that a clock change skips; four in a row cannot.
	searchDays = 4*7 + 2
	// maxWindowText is the longest window that is read, in bytes.
	maxWindowText = 120
)

// ParseWindow reads "DAYS HH:MM-HH:MM ZONE": "Mon-Fri 20:00-06:00 America/New_York",
// "Sat,Sun 00:00-24:00 UTC", "daily 22:00-04:00 Europe/Berlin". DAYS is "daily", or a
// list of days and ranges (Mon..Sun; a range may run over the end of the week).
// ZONE is an IANA name; the machine's own zone ("Local") is refused, because two
// machines must agree. The error says which part is wrong and what it may be.
func ParseWindow(s string) (Window, error) {
	bad := func(why string, args ...any) (Window, error) {
		return Window{}, fmt.Errorf("window: "+why, args...)
	}
	if len(s) > maxWindowText {
		return bad("longer than %d bytes", maxWindowText)
	}
	parts := strings.Fields(s)
	if len(parts) != 3 {
		return bad("%q has %d parts, want three: days, HH:MM-HH:MM, time zone", s, len(parts))
	}
	w := Window{Text: strings.Join(parts, " ")}
	var err error
	if w.Days, err = parseDays(parts[0]); err != nil {
		return bad("%w", err)
	}
	from, to, ok := strings.Cut(parts[1], "-")
	if !ok {
		return bad("times %q, want HH:MM-HH:MM", parts[1])
	}
	if w.From, ok = parseClock(from); !ok || w.From == day {
		return bad("start %q, want HH:MM from 00:00 to 23:59", from)
	}
	if w.To, ok = parseClock(to); !ok {
		return bad("end %q, want HH:MM from 00:00 to 24:00", to)
	}
	w.To %= day
	if w.Zone, err = ParseZone(parts[2]); err != nil {
		return bad("%w", err)
	}
	return w, nil
}

// ParseZone reads an IANA time zone name, "America/New_York" or "UTC".
func ParseZone(name string) (*time.Location, error) {
	bad := fmt.Errorf("time zone %q, want an IANA name like America/New_York or UTC", name)
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, bad
	}
	for _, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune("_+-/", r) {
			return nil, bad
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, bad
	}
	return zone, nil
}

// parseDays reads "daily", "Mon-Fri", "Sat,Sun" or "Fri-Mon,Wed".
func parseDays(s string) ([7]bool, error) {
	var days [7]bool
	if s == "daily" {
		for i := range days {
			days[i] = true
		}
		return days, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		i, j := dayIndex(first), dayIndex(last)
		if i < 0 || j < 0 {
			return days, fmt.Errorf("days %q, want daily, or days and ranges like Mon-Fri or Sat,Sun", s)
		}
		for ; i != j; i = (i + 1) % 7 {
			days[i] = true
		}
		days[j] = true
	}
	return days, nil
}

func dayIndex(name string) int {
	for i, n := range dayNames {
		if n == name {
			return i
		}
	}
	return -1
}

// parseClock reads HH:MM, 00:00 to 24:00.
func parseClock(s string) (time.Duration, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	return d, m < 60 && d <= day
}

// Contains says whether t lies in the window. The start belongs to the window,
// the end does not.
//
// A time of day that a clock change skips counts as the instant of the change; one
// that comes twice counts the first time. So a window that lies wholly in a skipped
// hour is empty on that day, and two windows that meet always meet.
func (w Window) Contains(t time.Time) bool {
	if w.Zone == nil {
		return false
	}
	for back := -2; back <= 1; back++ {
		start, end, on := w.span(t, back)
		if on && !t.Before(start) && t.Before(end) {
			return true
		}
	}
	return false
}

// Next returns the first start of the window after t, in the window's zone. It is
// the zero time for a window without days or zone.
func (w Window) Next(t time.Time) time.Time {
	if w.Zone == nil {
		return time.Time{}
	}
	for ahead := -2; ahead <= searchDays; ahead++ {
		start, end, on := w.span(t, ahead)
		if on && start.After(t) && end.After(start) {
			return start
		}
	}
	return time.Time{}
}

// span returns the window's start and end on the local day that lies shift days
// after t's, and whether the window has that weekday.
func (w Window) span(t time.Time, shift int) (start, end time.Time, on bool) {
	y, m, d := t.In(w.Zone).Date()
	date := time.Date(y, m, d+shift, 0, 0, 0, 0, time.UTC) // wall clock written as UTC
	if !w.Days[date.Weekday()] {
		return start, end, false
	}
	last := date.Add(w.To)
	if w.To <= w.From {
		last = last.AddDate(0, 0, 1)
	}
	return firstShown(date.Add(w.From), w.Zone), firstShown(last, w.Zone), true
}

// firstShown returns the first instant at which the clocks of zone show wall or
// have passed it. wall is the clock's reading written as a UTC time. time.Date
// will not do: it leaves open which side of a clock change it takes.
func firstShown(wall time.Time, zone *time.Location) time.Time {
	at := wall.Add(-26 * time.Hour).In(zone) // earlier than wall in every zone there is
	for {
		_, offset := at.Zone()
		begin, end := at.ZoneBounds()
		c := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if end.IsZero() || c.Before(end) {
			if c.Before(begin) { // skipped by the change at begin
				return begin.In(zone)
			}
			return c
		}
		at = end.In(zone)
	}
}

// InWindows says whether t lies in one of ws, and if not when the next one
// starts. No windows at all mean always. next is zero when in is true, and when no
// window ever starts.
func InWindows(ws []Window, t time.Time) (in bool, next time.Time) {
	if len(ws) == 0 {
		return true, time.Time{}
	}
	for _, w := range ws {
		if w.Contains(t) {
			return true, time.Time{}
		}
		if n := w.Next(t); !n.IsZero() && (next.IsZero() || n.Before(next)) {
			next = n
		}
	}
	return false, next
}
