package clock

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// host is a machine: true time runs, its clock is off by a fixed amount and runs
// fast or slow.
type host struct {
	start, now time.Time
	off        time.Duration
	ppm        int64
}

func (h *host) clock() time.Time {
	passed := h.now.Sub(h.start)
	return h.now.Add(h.off + passed*time.Duration(h.ppm)/1e6)
}

// answer is one exchange: the Date is cut to whole seconds at an instant between.
func (h *host) answer(c *Clock, there, back time.Duration) {
	sent := h.clock()
	h.now = h.now.Add(there)
	date := h.now.Truncate(time.Second)
	h.now = h.now.Add(back)
	c.Hear(date, sent, h.clock())
}

// TestWithinTwoSeconds: however wrong the host is, once Azure was heard the clock is
// within about two seconds of the truth, and stays so while the host drifts.
func TestWithinTwoSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 12, 3, 0, 0, rapid.IntRange(0, 999_999_999).Draw(t, "nanos"), time.UTC)
		h := &host{start: start, now: start, off: time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "off")), ppm: rapid.Int64Range(-200, 200).Draw(t, "ppm")}
		c := New(h.clock, nil)
		for range rapid.IntRange(1, 40).Draw(t, "answers") {
			h.answer(c, time.Duration(rapid.Int64Range(0, int64(400*time.Millisecond)).Draw(t, "there")), time.Duration(rapid.Int64Range(0, int64(400*time.Millisecond)).Draw(t, "back")))
			if wrong := c.Now().Sub(h.now).Abs(); wrong > 2*time.Second+200*time.Millisecond {
				t.Fatalf("%s wrong, host %s off", wrong, h.off)
			}
			h.now = h.now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, "later")))
		}
	})
}

// TestNeverBackward: the clock never goes back once Azure was heard, and a deadline
// that was set is put off by no more than a twentieth of its length.
func TestNeverBackward(t *testing.T) {
	start := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	h := &host{start: start, now: start, off: -10 * time.Minute}
	var told []time.Duration
	c := New(h.clock, func(offset time.Duration) { told = append(told, offset.Round(time.Minute)) })
	h.answer(c, 0, 0)
	if off, heard := c.Offset(); !heard || (off-10*time.Minute).Abs() > time.Second {
		t.Fatalf("offset %s, heard %t", off, heard)
	}
	h.off = 5 * time.Minute // the host was set: it was 10 minutes slow, now it is 5 fast
	last := c.Now()
	deadline := last.Add(time.Minute)
	began := h.now
	for c.Now().Before(deadline) {
		h.now = h.now.Add(time.Second)
		h.answer(c, 0, 0)
		if now := c.Now(); now.Before(last) {
			t.Fatalf("%s after %s", now, last)
		}
		last = c.Now()
	}
	if len(told) != 2 || told[0] != 10*time.Minute || told[1] != -5*time.Minute {
		t.Errorf("told of the corrections %v", told)
	}
	if took := h.now.Sub(began); took > 64*time.Second {
		t.Errorf("a minute took %s", took)
	}
}

// TestRightHostIsLeftAlone: a host within a second of Azure keeps its own time.
func TestRightHostIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 12, 3, 0, 0, rapid.IntRange(0, 999_999_999).Draw(t, "nanos"), time.UTC)
		h := &host{start: start, now: start, off: time.Duration(rapid.Int64Range(-int64(900*time.Millisecond), int64(900*time.Millisecond)).Draw(t, "off"))}
		c := New(h.clock, nil)
		for range 20 {
			h.answer(c, 30*time.Millisecond, 40*time.Millisecond)
			h.now = h.now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "later")))
			if !c.Now().Equal(h.clock()) {
				off, _ := c.Offset()
				t.Fatalf("corrected by %s, host %s off", off, h.off)
			}
		}
	})
}

// TestSlowAnswersSayNothing: an answer that took minutes, or a Date that cannot be
// read, changes nothing.
func TestSlowAnswersSayNothing(t *testing.T) {
	now := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	c := New(func() time.Time { return now }, nil)
	c.Hear(now.Add(time.Hour), now.Add(-time.Minute), now)
	c.Hear(now.Add(time.Hour), now.Add(time.Second), now)
	c.Hear(time.Time{}, now, now)
	if off, heard := c.Offset(); off != 0 || heard {
		t.Errorf("offset %s, heard %t", off, heard)
	}
}

// TestTransport: only TLS sets the time.
func TestTransport(t *testing.T) {
	tell := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(42*time.Minute).UTC().Format(http.TimeFormat))
	})
	plain, secure := httptest.NewServer(tell), httptest.NewTLSServer(tell)
	defer plain.Close()
	defer secure.Close()
	c := New(nil, nil)
	for _, s := range []*httptest.Server{plain, secure} {
		client := s.Client()
		client.Transport = c.Transport(client.Transport)
		resp, err := client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		off, heard := c.Offset()
		if s == plain && heard {
			t.Errorf("an answer without TLS set the time: %s", off)
		}
		if s == secure && (off-42*time.Minute).Abs() > 5*time.Second {
			t.Errorf("offset %s", off)
		}
	}
}
