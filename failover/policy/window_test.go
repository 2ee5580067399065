package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, whatever the machine has

	"pgregory.net/rapid"
)

func window(t testing.TB, s string) Window {
	t.Helper()
	w, err := ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// local reads a wall clock with its zone's offset, so that an hour that comes
// twice can be told apart.
func local(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04 -0700", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseWindowRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "0 parts, want three"},
		{"daily 20:00-06:00", "2 parts, want three"},
		{"daily 20:00 - 06:00 UTC", "5 parts, want three"},
		{"Monday 20:00-06:00 UTC", `days "Monday"`},
		{"mon 20:00-06:00 UTC", `days "mon"`},
		{"Mon, 20:00-06:00 UTC", `days "Mon,"`},
		{"Mon-Wed-Fri 20:00-06:00 UTC", "days"},
		{"daily,Mon 20:00-06:00 UTC", "days"},
		{"daily 20:00 UTC", `times "20:00"`},
		{"daily 8:00-06:00 UTC", `start "8:00"`},
		{"daily 24:00-06:00 UTC", `start "24:00"`},
		{"daily 20:60-06:00 UTC", `start "20:60"`},
		{"daily 20:00-24:01 UTC", `end "24:01"`},
		{"daily 20:00-06:00-07:00 UTC", `end "06:00-07:00"`},
		{"daily 20:00-06:00 EasternTime", `time zone "EasternTime"`},
		{"daily 20:00-06:00 Local", `time zone "Local"`},
		{"daily 20:00-06:00 ../UTC", "time zone"},
		{"daily 20:00-06:00 UTC" + strings.Repeat(" ", 200), "longer than 120 bytes"},
	} {
		if w, err := ParseWindow(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %+v, %v; want an error with %s", c.text, w, err, c.want)
		}
	}
}

func TestParseWindowReads(t *testing.T) {
	for text, days := range map[string]string{
		"daily 20:00-06:00 UTC":           "Sun Mon Tue Wed Thu Fri Sat",
		"Mon-Fri 00:00-24:00 UTC":         "Mon Tue Wed Thu Fri",
		"Fri-Mon 00:00-00:00 UTC":         "Sun Mon Fri Sat",
		"Sat,Sun 23:59-00:00 UTC":         "Sun Sat",
		"Wed  20:00-06:00   Europe/Paris": "Wed",
		"Mon-Tue,Tue,Fri 01:00-02:00 UTC": "Mon Tue Fri",
	} {
		w, err := ParseWindow(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for i, on := range w.Days {
			if on {
				got = append(got, dayNames[i])
			}
		}
		if strings.Join(got, " ") != days {
			t.Errorf("%q: days %v, want %s", text, got, days)
		}
		if w.Text != strings.Join(strings.Fields(text), " ") || w.From >= day || w.To >= day {
			t.Errorf("%q: %+v", text, w)
		}
	}
}

func TestWindowContains(t *testing.T) {
	const ny = " America/New_York"
	for _, c := range []struct {
		window, at string
		want       bool
	}{
		// 2026-01-02 is a Friday.
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-02 19:59 +0000", false},
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-02 20:00 +0000", true},
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-03 05:59 +0000", true}, // Saturday morning belongs to Friday
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-03 06:00 +0000", false},
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-03 20:00 +0000", false}, // Saturday evening
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-05 05:00 +0000", false}, // Monday morning belongs to Sunday
		{"Mon-Fri 20:00-06:00" + ny, "2026-01-03 00:30 +0000", false},
		{"Mon-Fri 20:00-06:00" + ny, "2026-01-03 01:30 +0000", true},
		{"Fri 09:00-17:00 UTC", "2026-01-02 09:00 +0000", true},
		{"Fri 09:00-17:00 UTC", "2026-01-02 17:00 +0000", false},
		{"Fri 00:00-24:00 UTC", "2026-01-02 23:59 +0000", true},
		{"Fri 00:00-24:00 UTC", "2026-01-03 00:00 +0000", false},
		{"Fri 12:00-12:00 UTC", "2026-01-03 11:59 +0000", true}, // equal means a whole day
		// The clock skips 02:00 to 03:00 on Sunday 2026-03-08 in New York.
		{"Sun 02:30-04:00" + ny, "2026-03-08 01:59 -0500", false},
		{"Sun 02:30-04:00" + ny, "2026-03-08 03:00 -0400", true}, // 02:30 is the instant of the change
		{"Sun 02:30-04:00" + ny, "2026-03-08 04:00 -0400", false},
		{"Sun 02:10-02:50" + ny, "2026-03-08 03:00 -0400", false}, // skipped as a whole
		{"Sun 01:00-02:30" + ny, "2026-03-08 01:59 -0500", true},
		{"Sun 01:00-02:30" + ny, "2026-03-08 03:00 -0400", false},
		// The hour from 01:00 comes twice on Sunday 2026-11-01 in New York.
		{"Sun 01:30-03:00" + ny, "2026-11-01 01:29 -0400", false},
		{"Sun 01:30-03:00" + ny, "2026-11-01 01:30 -0400", true},
		{"Sun 01:30-03:00" + ny, "2026-11-01 01:15 -0500", true}, // no hole
		{"Sun 01:30-03:00" + ny, "2026-11-01 03:00 -0500", false},
		{"Sun 00:00-01:30" + ny, "2026-11-01 01:29 -0400", true},
		{"Sun 00:00-01:30" + ny, "2026-11-01 01:10 -0500", false}, // ends the first time
		{"Sun 02:30-04:00 Australia/Sydney", "2026-04-05 02:30 +1100", true},
		{"Sun 02:30-04:00 Australia/Sydney", "2026-04-05 02:29 +1100", false},
		// Samoa skipped the whole of Friday 2011-12-30.
		{"Fri 00:00-24:00 Pacific/Apia", "2011-12-31 00:00 +1400", false},
		{"Thu 00:00-24:00 Pacific/Apia", "2011-12-29 23:59 -1000", true},
		{"Sat 00:00-24:00 Pacific/Apia", "2011-12-31 00:00 +1400", true},
	} {
		if got := window(t, c.window).Contains(local(t, c.at)); got != c.want {
			t.Errorf("%s contains %s: got %v, want %v", c.window, c.at, got, c.want)
		}
	}
}

func TestWindowNext(t *testing.T) {
	const ny = " America/New_York"
	for _, c := range []struct{ window, after, want string }{
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-02 19:59 +0000", "2026-01-02 20:00 +0000"},
		{"Mon-Fri 20:00-06:00 UTC", "2026-01-02 20:00 +0000", "2026-01-05 20:00 +0000"}, // strictly after
		{"Mon 20:00-06:00 UTC", "2026-01-05 20:00 +0000", "2026-01-12 20:00 +0000"},
		{"Sun 02:30-04:00" + ny, "2026-03-07 12:00 -0500", "2026-03-08 03:00 -0400"}, // a start that is skipped
		{"Sun 02:10-02:50" + ny, "2026-03-07 12:00 -0500", "2026-03-15 02:10 -0400"}, // a window that is skipped
		{"Sun 01:30-03:00" + ny, "2026-11-01 00:00 -0400", "2026-11-01 01:30 -0400"}, // the first of two
		{"Sun 01:30-03:00" + ny, "2026-11-01 01:45 -0400", "2026-11-08 01:30 -0500"}, // once only
		{"daily 00:00-24:00 Pacific/Apia", "2011-12-29 01:00 -1000", "2011-12-31 00:00 +1400"},
	} {
		w := window(t, c.window)
		got, want := w.Next(local(t, c.after)), local(t, c.want)
		if !got.Equal(want) {
			t.Errorf("%s after %s: got %s, want %s", c.window, c.after, got, want)
		}
		if got.Location() != w.Zone {
			t.Errorf("%s: in %s, want the window's zone", c.window, got.Location())
		}
	}
}

func TestEmptyWindow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for _, w := range []Window{{}, {Zone: time.UTC}} {
		if w.Contains(at) || !w.Next(at).IsZero() {
			t.Errorf("%+v: contains %v, next %v", w, w.Contains(at), w.Next(at))
		}
	}
}

func TestInWindows(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC) // a Friday
	sat, sun := window(t, "Sat 10:00-12:00 UTC"), window(t, "Sun 10:00-12:00 UTC")
	now := window(t, "Fri 02:00-04:00 UTC")
	for _, c := range []struct {
		ws   []Window
		in   bool
		next string
	}{
		{nil, true, "0001-01-01 00:00"},
		{[]Window{sun, now}, true, "0001-01-01 00:00"},
		{[]Window{sun, sat}, false, "2026-01-03 10:00"},
		{[]Window{{}}, false, "0001-01-01 00:00"},
	} {
		in, next := InWindows(c.ws, at)
		if in != c.in || next.Format("2006-01-02 15:04") != c.next {
			t.Errorf("%d windows: got %v, %v; want %v, %s", len(c.ws), in, next, c.in, c.next)
		}
	}
}

// zones have large, small, odd and no clock changes, on both halves of the globe.
func zones() []string {
	return []string{
		"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata",
		"Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Gaza", "Antarctica/Troll",
	}
}

// drawWindow draws a window, and an instant that is often near a clock change.
func drawWindow(t *rapid.T) (Window, time.Time) {
	clock := func(name string) string {
		return fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, name+" hour"), rapid.SampledFrom([]int{0, 10, 30, 59}).Draw(t, name+" minute"))
	}
	days := rapid.SliceOfNDistinct(rapid.SampledFrom(dayNames[:]), 1, 7, rapid.ID[string]).Draw(t, "days")
	zone := rapid.SampledFrom(zones()).Draw(t, "zone")
	w, err := ParseWindow(strings.Join(days, ",") + " " + clock("from") + "-" + clock("to") + " " + zone)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(rapid.Int64Range(1262304000, 1893456000).Draw(t, "at"), 0).In(w.Zone) // 2010 to 2030
	if _, change := at.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
		at = change.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "minutes off")) * time.Minute)
	}
	return w, at
}

// TestNextIsTheFirstStart walks minute by minute: no window opens between now and
// Next, and it is open at Next.
func TestNextIsTheFirstStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, at := drawWindow(t)
		at = at.Truncate(time.Minute)
		next := w.Next(at)
		if !next.After(at) || !w.Contains(next) {
			t.Fatalf("%s: after %s comes %s, open then: %v", w.Text, at, next, w.Contains(next))
		}
		was := w.Contains(at)
		for m := at.Add(time.Minute); m.Before(next) && m.Before(at.Add(72*time.Hour)); m = m.Add(10 * time.Minute) {
			is := w.Contains(m)
			if is && !was {
				t.Fatalf("%s: opened by %s, before %s", w.Text, m.In(w.Zone), next)
			}
			was = is
		}
	})
}

// TestContainsAgreesWithTheWallClock compares with the plain reading of the clock
// on days without a change: the promise that a person reads into the text.
func TestContainsAgreesWithTheWallClock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, at := drawWindow(t)
		at = at.In(w.Zone)
		if start, end := at.ZoneBounds(); !start.IsZero() && at.Sub(start) < 72*time.Hour || !end.IsZero() && end.Sub(at) < 72*time.Hour {
			return
		}
		h, m, s := at.Clock()
		clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
		today, yesterday := w.Days[at.Weekday()], w.Days[(at.Weekday()+6)%7]
		want := today && w.From <= clock && clock < w.To
		if w.To <= w.From {
			want = today && w.From <= clock || yesterday && clock < w.To
		}
		if got := w.Contains(at); got != want {
			t.Fatalf("%s contains %s: got %v, want %v", w.Text, at, got, want)
		}
	})
}

// TestMeetingWindowsLeaveNoHole splits the day in two: every instant is in exactly
// one half, clock change or not.
func TestMeetingWindowsLeaveNoHole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, at := drawWindow(t)
		for i := range w.Days {
			w.Days[i] = true
		}
		if w.From == w.To {
			w.To = (w.To + time.Hour) % day
		}
		rest := w
		rest.From, rest.To = w.To, w.From
		if w.Contains(at) == rest.Contains(at) {
			t.Fatalf("%s and the rest of the day at %s: both %v", w.Text, at.In(w.Zone), w.Contains(at))
		}
	})
}

// FuzzParseWindow checks that any text is refused or comes back from its own
// canonical text the same.
func FuzzParseWindow(f *testing.F) {
	for _, s := range []string{"Mon-Fri 20:00-06:00 America/New_York", "daily 00:00-24:00 UTC", "Sat,Sun 1", "Fri-Mon,Wed 02:30-02:30 Europe/Berlin", "daily 20:00-06:00 \x00"} {
		f.Add(s)
	}
	at := time.Date(2026, 3, 8, 6, 59, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		w, err := ParseWindow(s)
		if err != nil {
			return
		}
		again, err := ParseWindow(w.Text)
		if err != nil || again.Days != w.Days || again.From != w.From || again.To != w.To || again.Zone.String() != w.Zone.String() {
			t.Fatalf("%q came back as %+v, %v", w.Text, again, err)
		}
		if next := w.Next(at); !next.After(at) {
			t.Fatalf("%q: next is %v", s, next)
		}
	})
}
