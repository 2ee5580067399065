package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/notify"
)

const freeze = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:freeze\r\nDTSTART;VALUE=DATE:20260301\r\nDTEND;VALUE=DATE:20260302\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func trusting(srv *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// TestCalendarOverTLS fetches a blackout calendar as the program does: over TLS from a
// host of the list, past no redirect, within bounds, never from an inner network; and
// when it is away its copy counts for a day, and says so.
func TestCalendarOverTLS(t *testing.T) {
	var mode atomic.Value
	mode.Store("")
	var asked, elsewhere atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch mode.Load() {
		case "redirect":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "large":
			_, _ = io.WriteString(w, strings.Repeat("X", drill.MaxCalendar+10))
		case "away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "torn":
			_, _ = io.WriteString(w, freeze[:len(freeze)/2])
		default:
			_, _ = io.WriteString(w, freeze)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	loop := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	env := map[string]string{hostsVariable: "other.example, " + u.Hostname()}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	fresh := func(g notify.Guard) *calendars {
		return &calendars{guard: g, env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	}
	trusted := notify.Guard{Allow: loop, TLS: trusting(srv)}
	read := func(c *calendars, at time.Time) (drill.Blackout, string, error) {
		return c.read(context.Background(), "d.calendars[0]", config.Secret(srv.URL+"/freeze.ics?key=s3cret"), time.UTC, at)
	}
	c := fresh(trusted)
	b, old, err := read(c, start)
	if err != nil || old != "" {
		t.Fatalf("%q %v", old, err)
	}
	if _, closed := b.Touching(start.Add(time.Hour), start.Add(2*time.Hour)); !closed {
		t.Error("the freeze of the 1st of March does not close it")
	}
	if _, closed := b.Touching(start.Add(-72*time.Hour), start.Add(-71*time.Hour)); closed {
		t.Error("it closes February too")
	}
	if _, _, err := read(c, start.Add(calendarFresh-time.Second)); err != nil || asked.Load() != 1 {
		t.Errorf("asked %d times within its time, %v", asked.Load(), err)
	}
	for i, how := range []string{"away", "torn", "redirect", "large"} {
		mode.Store(how)
		if _, old, err := read(c, start.Add(time.Duration(2*i+1)*time.Hour)); err != nil || !strings.Contains(old, "the copy of 2026-03-01 00:00Z is used") || strings.Contains(old, "s3cret") {
			t.Errorf("%s: %q %v, want the copy", how, old, err)
		}
	}
	if _, _, err := read(c, start.Add(25*time.Hour)); err == nil {
		t.Error("a copy of yesterday counts")
	}
	mode.Store("")
	if _, old, err := read(c, start.Add(26*time.Hour)); err != nil || old != "" {
		t.Errorf("back again: %q %v", old, err)
	}
	for how, want := range map[string]string{"redirect": "302", "large": "more than", "away": "503", "torn": "calendar"} {
		mode.Store(how)
		if _, _, err := read(fresh(trusted), start); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q and no key", how, err, want)
		}
	}
	mode.Store("")
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
	before := asked.Load()
	if _, _, err := read(fresh(notify.Guard{TLS: trusting(srv)}), start); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("an inner address: %v", err)
	}
	if _, _, err := read(fresh(notify.Guard{Allow: loop}), start); err == nil {
		t.Error("a certificate that nobody trusts is taken")
	}
	env[hostsVariable] = "other.example"
	if _, _, err := read(fresh(trusted), start); err == nil || !strings.Contains(err.Error(), "not on the list") {
		t.Errorf("a host that is not on the list: %v", err)
	}
	if asked.Load() != before {
		t.Error("the calendar was asked all the same")
	}
}
