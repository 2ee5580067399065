package handlers

import (
	"net/http"
	"strings"
	"testing"

	"erfailover/failover/fault"
	"erfailover/failover/record/recordtest"
)

// TestSecurityHeaders: every reply of the public face carries them, refusals and
// unknown paths too, and none sets a cookie or allows another origin.
func TestSecurityHeaders(t *testing.T) {
	e := newEstate(t)
	h, _ := e.instance("a")
	for _, path := range []string{"/api/v1/status", "/api/v1/healthz", "/api/v1/nothing", "/api/v1/groups/west", "/api/", "/api//x"} {
		w := ask(h, "GET", path, "", "Origin: https://evil.example")
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "", "Set-Cookie": "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

// TestCostlyBodies: what is large, deep, compressed or doubled is refused before it
// costs anything.
func TestCostlyBodies(t *testing.T) {
	e := newEstate(t)
	h, _ := e.instance("a")
	before := e.store.Effects()
	for name, c := range map[string]struct {
		body, header string
		want         int
	}{
		"large":           {`{"reason":"` + strings.Repeat("a", 300<<10) + `"}`, "X-A: b", 413},
		"deep":            {strings.Repeat("[", 100_000), "X-A: b", 400},
		"compressed":      {`{}`, "Content-Encoding: gzip", 415},
		"a doubled field": {`{"reason":"a","reason":"b"}`, "X-A: b", 400},
		"an unknown one":  {`{"weight":5}`, "X-A: b", 400},
		"another case":    {`{"Reason":"a"}`, "X-A: b", 400},
		"something after": {`{} {}`, "X-A: b", 400},
		"not UTF-8":       {"{\"reason\":\"\xff\"}", "X-A: b", 400},
		"a control":       {`{"reason":"a\u0000b"}`, "X-A: b", 400},
		"another type":    {`{"reason":5}`, "X-A: b", 400},
	} {
		if w := ask(h, "POST", "/api/v1/groups/east/failover", c.body, c.header); w.Code != c.want || w.Body.Len() > 2000 {
			t.Errorf("%s: got %d and %d bytes, want %d", name, w.Code, w.Body.Len(), c.want)
		}
	}
	if e.store.Effects() != before {
		t.Error("something was saved")
	}
}

// TestTheRecordIsAway: what cannot be read or saved is said as that, and an order is
// never answered as taken.
func TestTheRecordIsAway(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	for _, path := range []string{"status", "groups/east", "groups/east/explain", "readiness", "metrics", "journal"} {
		for range 64 { // more than one call reads
			e.store.Fail(recordtest.Load, "", fault.Unavailable)
		}
		if w := ask(h, "GET", "/api/v1/"+path, ""); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "ashburn") {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
		for ask(h, "GET", "/api/v1/status", "").Code != 200 { // until the faults are used up
			continue
		}
	}
	e.store.FullDisk(true)
	if w := ask(h, "POST", "/api/v1/groups/east/failover", `{}`, "Idempotency-Key: k"); w.Code != http.StatusServiceUnavailable || e.wires.puts != 0 {
		t.Errorf("a full disk: got %d %s and %d writes", w.Code, w.Body, e.wires.puts)
	}
	e.store.FullDisk(false)
	if w := ask(h, "POST", "/api/v1/groups/east/failover", `{}`, "Idempotency-Key: k"); w.Code != 202 || outcomeOf(t, w.Body.Bytes()).State != Begun || e.wires.puts != 2 {
		t.Errorf("the same order afterwards: got %d %s and %d writes", w.Code, w.Body, e.wires.puts)
	}
}
