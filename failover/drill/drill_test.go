package drill

import (
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func calendar(t interface{ Fatal(...any) }, schedule, zone string, closed ...Dates) Calendar {
	c, err := ParseCalendar(schedule, zone, closed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(text string) time.Time {
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return v
}

// TestNext walks over changes of clocks, closed days and leap days.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, schedule, zone, from, want string
		closed                           []Dates
	}{
		{"plain", "0 2 1 * *", "UTC", "2026-01-12T00:00:00Z", "2026-02-01T02:00:00Z", nil},
		{"not the instant itself", "0 2 1 * *", "UTC", "2026-02-01T02:00:00Z", "2026-03-01T02:00:00Z", nil},
		{"in the drill's zone", "0 2 1 * *", "America/New_York", "2026-01-12T00:00:00Z", "2026-02-01T07:00:00Z", nil},
		{"summer time moves it", "0 2 1 * *", "America/New_York", "2026-06-12T00:00:00Z", "2026-07-01T06:00:00Z", nil},
		{"a closed day is passed over", "0 2 1 * *", "UTC", "2026-01-12T00:00:00Z", "2026-03-01T02:00:00Z", []Dates{{"2026-02-01", "2026-02-01"}}},
		{"both ends are closed", "0 2 * * *", "UTC", "2026-12-14T12:00:00Z", "2027-01-06T02:00:00Z", []Dates{{"2026-12-15", "2027-01-05"}}},
		{"closed by the day of the zone", "0 23 * * *", "America/New_York", "2026-12-14T12:00:00Z", "2026-12-17T04:00:00Z", []Dates{{"2026-12-14", "2026-12-15"}}},
		{"the hour that is skipped", "30 2 8 3 *", "America/New_York", "2026-01-01T00:00:00Z", "2027-03-08T07:30:00Z", nil},
		{"the hour that comes twice, its first time", "30 1 * * 0", "America/New_York", "2026-10-31T00:00:00Z", "2026-11-01T05:30:00Z", nil},
		{"the hour that comes twice, once", "30 1 * * 0", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-08T06:30:00Z", nil},
		{"the 29th of February", "0 2 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T02:00:00Z", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := calendar(t, c.schedule, c.zone, c.closed...).Next(at(c.from)); !got.Equal(at(c.want)) {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), c.want)
			}
		})
	}
	if !(Calendar{}).Next(time.Now()).IsZero() {
		t.Error("a calendar that was never read has a start")
	}
	if got := calendar(t, "0 2 * * *", "UTC", Dates{"0000-01-01", "9999-12-31"}).Next(at("2026-01-01T00:00:00Z")); !got.IsZero() {
		t.Errorf("everything is closed, and it begins at %s", got)
	}
}

func TestParseCalendarRefuses(t *testing.T) {
	for schedule, zone := range map[string]string{"TZ=UTC 0 2 * * *": "UTC", "CRON_TZ=UTC 0 2 * * *": "UTC", "0 2 * *": "UTC", "": "UTC", "61 2 * * *": "UTC", "0 2 * * *": "Mars/Olympus"} {
		if _, err := ParseCalendar(schedule, zone, nil); err == nil {
			t.Errorf("%q in %q was taken", schedule, zone)
		}
	}
}

// The next start is after the instant, never on a closed day, and asking again from
// it goes on.
func TestNextPromises(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"}
	schedules := []string{"0 2 1 * *", "30 2 * * 0", "*/15 1-3 * * *", "0 0 * * *"}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		from := at("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(0, 3*365*24*3600).Draw(t, "from")) * time.Second)
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		first := from.In(loc).Format(time.DateOnly)
		last := from.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "days")) * 24 * time.Hour).In(loc).Format(time.DateOnly)
		c := calendar(t, rapid.SampledFrom(schedules).Draw(t, "schedule"), zone, Dates{first, last})
		next := c.Next(from)
		if !next.After(from) {
			t.Fatalf("%s is not after %s", next, from)
		}
		if day := next.In(loc).Format(time.DateOnly); first <= day && day <= last {
			t.Fatalf("%s is closed", day)
		}
		if after := c.Next(next); !after.After(next) {
			t.Fatalf("%s comes after %s", after, next)
		}
	})
}

// FuzzParseCalendar: no text panics, and what is read has a start or none.
func FuzzParseCalendar(f *testing.F) {
	for _, s := range []string{"0 2 1 * *", "@monthly", "TZ=", "*/0 * * * *", "0 2 31 2 *"} {
		f.Add(s, "America/New_York")
	}
	f.Fuzz(func(_ *testing.T, schedule, zone string) {
		if c, err := ParseCalendar(schedule, zone, nil); err == nil {
			c.Next(at("2026-01-01T00:00:00Z"))
		}
	})
}

// TestEveryCodeIsExplained: each code of the calendar has its row in docs/drills.md.
func TestEveryCodeIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../docs/drills.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Codes() {
		if !strings.Contains(string(text), "| `"+string(c)+"` |") {
			t.Errorf("docs/drills.md does not explain %s", c)
		}
	}
}
