package page

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"erfailover/failover/record"
)

// Bounds of what is shown of one text, in bytes.
const (
	maxLabel = 64  // a name
	maxProse = 360 // a sentence
)

// label returns a name fit to be shown: cleaned and clipped.
func label(s string) string {
	if s = record.Clean(s, maxLabel); s == "" {
		return "(no name)"
	}
	return s
}

// prose returns a sentence fit to be shown, "" included.
func prose(s string) string { return record.Clean(s, maxProse) }

// labels joins names with commas; at most three, then how many more.
func labels(names []string) string {
	const most = 3
	var out []string
	for i, n := range names {
		if i == most {
			out = append(out, fmt.Sprintf("%d more", len(names)-most))
			break
		}
		out = append(out, label(n))
	}
	return strings.Join(out, ", ")
}

// short returns the last part of a resource ID.
func short(id string) string { return label(id[strings.LastIndexByte(id, '/')+1:]) }

// clip cuts a label to n characters, for the picture.
func clip(s string, n int) string {
	s = label(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// span renders a time for people: "12 s", "2 min 05 s", "3 h 10 min", "4 d 2 h".
func span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	s, m, h := int(d/time.Second), int(d/time.Minute), int(d/time.Hour)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case m < 60:
		return fmt.Sprintf("%d min %02d s", m, s%60)
	case h < 48:
		return fmt.Sprintf("%d h %02d min", h, m%60)
	}
	return fmt.Sprintf("%d d %d h", h/24, h%24)
}

// spanMS is span for milliseconds, with tenths below ten seconds.
func spanMS(ms int64) string {
	if ms < 10_000 {
		return fmt.Sprintf("%d.%d s", ms/1000, ms%1000/100)
	}
	return span(time.Duration(ms) * time.Millisecond)
}

// clock renders an instant in UTC, with its date when that is not now's.
func clock(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t, now = t.UTC(), now.UTC()
	if t.Truncate(24 * time.Hour).Equal(now.Truncate(24 * time.Hour)) {
		return t.Format("15:04:05")
	}
	if t.Year() != now.Year() {
		return t.Format("2 Jan 2006 15:04")
	}
	return t.Format("2 Jan 15:04:05")
}

// plural returns "1 write", "3 writes".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// capital makes the first letter large.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 || r > 'z' {
		return s
	}
	return strings.ToUpper(string(r)) + s[n:]
}
