package events

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes text safe to show: control, format (bidi, zero width) and invalid
// characters go, runs of white space become one space, and at most n bytes stay.
func clean(s string, n int) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			continue
		}
		size := utf8.RuneLen(r)
		if space {
			size++
		}
		if b.Len()+size > n {
			break
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// join puts the parts that are not empty together with sep, cleaned and capped.
func join(n int, sep string, parts ...string) string {
	kept := parts[:0:0]
	for _, p := range parts {
		if p = clean(p, n); p != "" {
			kept = append(kept, p)
		}
	}
	return clean(strings.Join(kept, sep), n)
}

// timeLayouts are the spellings of a time that the sources use. A fraction of any
// length is accepted after the seconds by all of them. Slashes mean month first.
var timeLayouts = [...]string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"1/2/2006 3:04:05 PM -07:00",
	"1/2/2006 3:04:05 PM",
	"1/2/2006 15:04:05",
}

// parseTime reads a time in any of the sources' spellings; without a zone it is
// UTC. Years before 2000 are no event's time.
func parseTime(s string) (time.Time, bool) {
	if len(s) > 64 {
		return time.Time{}, false
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			t = t.UTC()
			return t, t.Year() >= 2000 && t.Year() < 9000
		}
	}
	return time.Time{}, false
}

// eventTime reads the time of an event. It must be there, and not from the future.
func (p *parser) eventTime(field, s string) (time.Time, error) {
	if s != "" && s == p.stamp {
		return p.when, nil
	}
	t, ok := parseTime(s)
	if !ok {
		return time.Time{}, broken(field, s, "a time such as 2026-01-31T23:59:59Z")
	}
	if !p.received.IsZero() && t.Sub(p.received) > p.limits.Ahead {
		return time.Time{}, broken(field, s, "a time at most "+p.limits.Ahead.String()+" ahead of our clock")
	}
	p.stamp, p.when = strings.Clone(s), t
	p.printed = t.AppendFormat(p.printed[:0], time.RFC3339Nano)
	return t, nil
}
