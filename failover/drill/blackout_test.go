package drill

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// ics makes a calendar of one event.
func ics(lines ...string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:t\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:freeze\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
}

// TestBlackout asks calendars about an hour: what they close, and what they leave open.
func TestBlackout(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		lines  []string
		at     string
		closed bool
	}{
		{"a day", []string{"DTSTART;VALUE=DATE:20261224"}, "2026-12-25T04:30:00Z", true},
		{"the day after it, in the calendar's zone", []string{"DTSTART;VALUE=DATE:20261224"}, "2026-12-25T05:00:00Z", false},
		{"days", []string{"DTSTART;VALUE=DATE:20261215", "DTEND;VALUE=DATE:20270105"}, "2027-01-04T12:00:00Z", true},
		{"the end is not in it", []string{"DTSTART;VALUE=DATE:20261215", "DTEND;VALUE=DATE:20270105"}, "2027-01-05T06:00:00Z", false},
		{"free days close too", []string{"DTSTART;VALUE=DATE:20261224", "TRANSP:TRANSPARENT"}, "2026-12-24T12:00:00Z", true},
		{"a duration", []string{"DTSTART:20260301T060000Z", "DURATION:PT2H"}, "2026-03-01T07:30:00Z", true},
		{"an hour that begins within the drill", []string{"DTSTART:20260301T074500Z", "DURATION:PT2H"}, "2026-03-01T07:00:00Z", true},
		{"an hour that begins when it is over", []string{"DTSTART:20260301T080000Z", "DURATION:PT2H"}, "2026-03-01T07:00:00Z", false},
		{"cancelled", []string{"DTSTART:20260301T060000Z", "DURATION:PT2H", "STATUS:CANCELLED"}, "2026-03-01T07:30:00Z", false},
		{"each first Sunday", []string{"DTSTART;TZID=America/New_York:20260104T010000", "DURATION:PT3H", "RRULE:FREQ=MONTHLY;BYDAY=1SU"}, "2026-07-05T06:30:00Z", true},
		{"not the second one", []string{"DTSTART;TZID=America/New_York:20260104T010000", "DURATION:PT3H", "RRULE:FREQ=MONTHLY;BYDAY=1SU"}, "2026-07-12T06:30:00Z", false},
		{"repeated over a change of clocks", []string{"DTSTART;TZID=America/New_York:20260104T010000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"}, "2026-07-05T05:30:00Z", true},
		{"Outlook's zone", []string{"DTSTART;TZID=Eastern Standard Time:20260104T010000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"}, "2026-07-05T05:30:00Z", true},
		{"until", []string{"DTSTART:20260101T060000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY;UNTIL=20260228T235959Z"}, "2026-03-01T07:30:00Z", false},
		{"count", []string{"DTSTART:20260101T060000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY;COUNT=60"}, "2026-03-01T07:30:00Z", true},
		{"an exception", []string{"DTSTART:20260101T060000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY", "EXDATE:20260228T060000Z,20260301T060000Z"}, "2026-03-01T07:30:00Z", false},
		{"an extra date", []string{"DTSTART:20260101T060000Z", "DURATION:PT2H", "RDATE:20260301T060000Z,20260401T060000Z"}, "2026-03-01T07:30:00Z", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := ParseBlackout("freeze.ics", ics(c.lines...), newYork)
			if err != nil {
				t.Fatal(err)
			}
			from := at(c.at)
			if got, closed := b.Touching(from, from.Add(time.Hour)); closed != c.closed {
				t.Errorf("got %v %+v, want %v", closed, got, c.closed)
			}
		})
	}
}

// TestMovedRepeat: one repeat of a series was moved to another day. Its own time is
// free, and the new one is closed.
func TestMovedRepeat(t *testing.T) {
	text := strings.Replace(string(ics("DTSTART:20260101T060000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY;COUNT=90")), "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260301T060000Z\r\nDTSTART:20260301T160000Z\r\nDURATION:PT2H\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
	b, err := ParseBlackout("x", []byte(text), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for when, want := range map[string]bool{"2026-03-01T06:30:00Z": false, "2026-03-01T16:30:00Z": true, "2026-03-02T06:30:00Z": true} {
		if _, closed := b.Touching(at(when), at(when).Add(time.Minute)); closed != want {
			t.Errorf("%s: got %v", when, closed)
		}
	}
}

// TestBlackoutRefuses: what is not understood in full is an error that says what.
func TestBlackoutRefuses(t *testing.T) {
	for _, c := range []struct {
		text []byte
		want string
	}{
		{[]byte(""), "no VCALENDAR"},
		{[]byte("<html>sign in</html>"), "calendar x"},
		{ics("SUMMARY:two"), "no DTSTART"},
		{ics("DTSTART;TZID=Mars/Olympus:20260101T060000"), "Mars/Olympus"},
		{ics("DTSTART:yesterday"), "DTSTART"},
		{ics("DTSTART:20260101T060000Z", "DTEND:20250101T060000Z"), "ends before"},
		{ics("DTSTART:20260101T060000Z", "RRULE:FREQ=SECONDLY"), "within a day"},
		{ics("DTSTART:20260101T060000Z", "RRULE:FREQ=SOMETIMES"), "RRULE"},
		{ics("DTSTART:20260101T060000Z", "RRULE:FREQ=DAILY", "EXDATE:never"), "EXDATE"},
		{ics("DTSTART:20260101T060000Z", "EXRULE:FREQ=DAILY"), "EXRULE"},
		{make([]byte, MaxCalendar+1), "more than"},
	} {
		if _, err := ParseBlackout("x", c.text, time.UTC); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: got %v, want %q", c.text, err, c.want)
		}
	}
}

// TestHours: jitter is the same wherever it is asked and stays in its bound; a start
// that does not fit into its hours is passed over.
func TestHours(t *testing.T) {
	plain := calendar(t, "0 2 * * *", "UTC")
	seen := map[time.Duration]bool{}
	for i := range 60 {
		from := at("2026-01-01T00:00:00Z").AddDate(0, 0, i)
		jittered := plain.Within(Hours{Name: "monthly", Jitter: 30 * time.Minute})
		a, b := jittered.Next(from), jittered.Next(from.Add(time.Hour))
		late := a.Sub(plain.Next(from))
		if !a.Equal(b) || late < 0 || late >= 30*time.Minute {
			t.Fatalf("day %d: %s and %s, %s late", i, a, b, late)
		}
		if next := jittered.Next(a); !next.After(a) || next.Sub(a) > 25*time.Hour {
			t.Fatalf("day %d: %s comes after %s", i, next, a)
		}
		seen[late] = true
	}
	if len(seen) < 30 {
		t.Errorf("only %d different starts in 60 days", len(seen))
	}
	if a, b := plain.Within(Hours{Name: "a", Jitter: time.Hour}).Next(at("2026-01-01T00:00:00Z")), plain.Within(Hours{Name: "b", Jitter: time.Hour}).Next(at("2026-01-01T00:00:00Z")); a.Equal(b) {
		t.Error("two drills have the same jitter")
	}
	freeze, err := ParseBlackout("freeze.ics", ics("DTSTART;VALUE=DATE:20260102", "DTEND;VALUE=DATE:20260105"), time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.Within(Hours{Name: "a", Whole: time.Hour, Blackout: []Blackout{freeze}}).Next(at("2026-01-01T12:00:00Z")); !got.Equal(at("2026-01-05T02:00:00Z")) {
		t.Errorf("got %s, want the first start after the freeze", got)
	}
}

// FuzzParseBlackout: no text panics or takes long, and what is read can be asked.
func FuzzParseBlackout(f *testing.F) {
	f.Add(ics("DTSTART:20260101T060000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"))
	f.Add(ics("DTSTART;VALUE=DATE:19700101", "RRULE:FREQ=DAILY;BYDAY=MO,-1FR;BYSETPOS=-1"))
	f.Add(ics("DTSTART;TZID=Eastern Standard Time:20260104T010000", "DURATION:-PT1H", "EXDATE;VALUE=DATE:20260105"))
	f.Add([]byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"))
	f.Add([]byte("0;0=")) // the decoder panics
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBlackout("x", text, time.UTC)
		if err != nil {
			if fmt.Sprint(err) == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		from := at("2026-03-01T07:00:00Z")
		b.Touching(from, from.Add(time.Hour))
	})
}
