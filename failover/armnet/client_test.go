package armnet

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erfailover/failover/clock"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

func TestConfigurationsThatAreRefused(t *testing.T) {
	good := func() Config {
		return Config{Cloud: Custom, Endpoint: "https://arm.test", Audience: "https://arm.test/", Authority: "https://login.test", Credential: staticToken("x")}
	}
	tests := []struct {
		name, text string
		change     func(*Config)
	}{
		{"no such cloud", `Cloud: invalid: "mars" must be public`, func(c *Config) { *c = Config{Cloud: "mars", Credential: c.Credential} }},
		{"endpoint in a named cloud", "must be custom when", func(c *Config) { c.Cloud = Public }},
		{"no endpoint", "Endpoint: invalid: must be set", func(c *Config) { c.Endpoint = "" }},
		{"no audience", "Audience: invalid: must be set", func(c *Config) { c.Audience = "" }},
		{"no authority", "Authority: invalid: must be set", func(c *Config) { c.Authority = "" }},
		{"plain http", "https", func(c *Config) { c.Endpoint = "http://arm.test" }},
		{"with a path", "no path", func(c *Config) { c.Endpoint = "https://arm.test/x" }},
		{"with a password", "nothing else", func(c *Config) { c.Endpoint = "https://u:key-secret@arm.test" }},
		{"with a query", "nothing else", func(c *Config) { c.Endpoint = "https://arm.test?sig=key-secret" }},
		{"no credential", "Credential", func(c *Config) { c.Credential = nil }},
		{"no share", "Budget.Reads", func(c *Config) { c.Budget = Budget{Writes: 1} }},
		{"too large a share", "Budget.Writes", func(c *Config) { c.Budget = Budget{Writes: 1.1, Reads: 1} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			_, err := New(cfg)
			if asFault(t, err).Kind != fault.Invalid || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, cloud := range []Cloud{"", Public, Government, China} {
		c, err := New(Config{Cloud: cloud, Credential: staticToken("x")})
		if err != nil || c.base.Scheme != "https" {
			t.Errorf("%s: %v", cloud, err)
		}
	}
	cfg := good()
	cfg.Endpoint += "/"
	if c, err := New(cfg); err != nil || c.address("/x") != "https://arm.test/x?api-version=2025-09-01" {
		t.Errorf("a slash at the end is fine: %v", err)
	}
}

// No request with our token ever goes to another host, not even when Azure itself
// sends one there.
func TestOnlyTheConfiguredHost(t *testing.T) {
	evil := newAzure(t)
	a := newAzure(t).on("GET", testConn, answer{307, map[string]string{"Location": evil.srv.URL + "/steal"}, ""})
	c := a.client(func(c *Config) { c.MaxElapsed = -1 })
	if _, err := c.get(t.Context(), "read", "x", evil.srv.URL+testConn); !errors.Is(err, fault.Denied) {
		t.Errorf("got %v", err)
	}
	if got := readOne(t, c, executor.RefConnection, testConn); got.Err == nil {
		t.Error("a redirect must not be followed")
	}
	if n := len(evil.requests("GET")); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
}

// Reads are repeated for a short while, and a long wait is told instead.
func TestRepeatedReads(t *testing.T) {
	tests := []struct {
		name    string
		answers []answer
		tries   int
		kind    fault.Kind
		wait    time.Duration
	}{
		{"ill twice", []answer{{500, nil, ""}, {503, nil, ""}, {200, nil, connBody}}, 3, "", 0},
		{"ill for a second", []answer{{503, map[string]string{"Retry-After": "1"}, ""}, {200, nil, connBody}}, 2, "", 0},
		{"throttled for a second", []answer{{429, map[string]string{"Retry-After": "1"}, ""}, {200, nil, connBody}}, 2, "", 0},
		{"throttled for 300 ms", []answer{{429, map[string]string{"x-ms-retry-after-ms": "300"}, ""}, {200, nil, connBody}}, 2, "", 0},
		{"throttled for long", []answer{{429, map[string]string{"Retry-After": "300"}, ""}, {200, nil, connBody}}, 1, fault.Throttled, 5 * time.Minute},
		{"busy", []answer{{409, nil, armErr("AnotherOperationInProgress", "x")}, {200, nil, connBody}}, 2, "", 0},
		{"denied", []answer{{403, nil, ""}}, 1, fault.Denied, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", testConn, tt.answers...)
			var mu sync.Mutex
			now := someTime
			c := a.client(func(c *Config) {
				c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
				c.Sleep = func(_ context.Context, d time.Duration) error {
					mu.Lock()
					defer mu.Unlock()
					now = now.Add(d)
					return nil
				}
			})
			got := readOne(t, c, executor.RefConnection, testConn)
			if f := asFault(t, got.Err); f.Kind != tt.kind || f.RetryAfter != tt.wait {
				t.Errorf("got %+v", got)
			}
			if n := len(a.requests("GET")); n != tt.tries {
				t.Errorf("%d tries, want %d", n, tt.tries)
			}
			for _, r := range tt.answers[:tt.tries-1] {
				if least := clock.RetryAfter(header(r.head), now); now.Sub(someTime) < least {
					t.Errorf("waited %v, Azure asked for %v", now.Sub(someTime), least)
				}
			}
			if now.Sub(someTime) > 4*time.Second {
				t.Errorf("waited %v", now.Sub(someTime))
			}
		})
	}
}

func header(m map[string]string) http.Header {
	h := http.Header{}
	for k, v := range m {
		h.Set(k, v)
	}
	return h
}

// A read that keeps failing ends in a few seconds.
func TestReadGivesUpSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c, err := New(Config{Credential: staticToken("x"), Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			tries++
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		})})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got := readOne(t, c, executor.RefConnection, testConn)
		if took := time.Since(start); took > 5*time.Second || tries < 2 {
			t.Errorf("%d tries in %v", tries, took)
		}
		if f := asFault(t, got.Err); f.Kind != fault.Unavailable || !strings.Contains(got.Err.Error(), "connection refused") {
			t.Errorf("got %v", got.Err)
		}
	})
}

// An endpoint that swallows every packet is reported in under five seconds.
func TestDeadEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := NewTransport(nil, nil)
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(dialTimeout): // as the real dialer does
				return nil, &net.OpError{Op: "dial", Err: errors.New("i/o timeout")}
			}
		}
		c, err := New(Config{Credential: staticToken("x"), Transport: tr})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got := readOne(t, c, executor.RefConnection, testConn)
		if took := time.Since(start); took >= 5*time.Second || asFault(t, got.Err).Kind != fault.Unavailable {
			t.Errorf("%v after %v", got.Err, took)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport that says nothing about its connections is assumed to have sent.
func TestTransportThatTellsNothing(t *testing.T) {
	c, err := New(Config{Credential: staticToken("x"), MaxElapsed: -1, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		return nil, errors.New("lost")
	})})
	if err != nil {
		t.Fatal(err)
	}
	conn := mustParse(t, testConn, connBody)
	if b := c.put(t.Context(), raise(), conn); b.Outcome != executor.Unknown || !b.Sent {
		t.Errorf("got %+v", b)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	a := newAzure(t)
	c := a.client(func(c *Config) { c.Transport = NewTransport(nil, nil); c.MaxElapsed = -1 })
	got := readOne(t, c, executor.RefConnection, testConn)
	if f := asFault(t, got.Err); f.Kind != fault.Denied || !strings.Contains(f.Hint, "SSL_CERT_FILE") {
		t.Errorf("got %v, %s", got.Err, f.Hint)
	}
}

// TLS before 1.2 is refused.
func TestOldTLS(t *testing.T) {
	a := newAzure(t)
	old := httptest.NewUnstartedServer(a)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	c := a.client(func(c *Config) { c.Endpoint = old.URL; c.MaxElapsed = -1 })
	if got := readOne(t, c, executor.RefConnection, testConn); got.Err == nil || !strings.Contains(got.Err.Error(), "protocol version") {
		t.Errorf("got %+v", got)
	}
}

// Warming fetches the token and opens the connection that the first request uses.
func TestWarm(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody})
	var dials int
	c := a.client(func(cfg *Config) {
		tr := cfg.Transport.(*http.Transport)
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return dial(ctx, network, addr)
		}
	})
	if err := c.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := a.requests("HEAD"); len(h) != 1 || h[0].head.Get("Authorization") != "" {
		t.Errorf("warming must not send the token: %+v", h)
	}
	if got := readOne(t, c, executor.RefConnection, testConn); got.Err != nil || dials != 1 {
		t.Errorf("%d dials, %v", dials, got.Err)
	}
	bad := a.client(func(cfg *Config) { cfg.Credential = noToken{} })
	if err := bad.Warm(t.Context()); err == nil {
		t.Error("no token is a failure")
	} else {
		asFault(t, err)
	}
}

func TestCredentials(t *testing.T) {
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	app := map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi", "IDENTITY_HEADER": "h"}
	none := func() string { return "" }
	tests := []struct {
		name string
		id   Identity
		env  map[string]string
		tag  string
		text string // "" is no error
	}{
		{"managed in an app", "managed", app, "", ""},
		{"managed, user-assigned", "managed:11111111-2222-3333-4444-555555555555", app, "", ""},
		{"managed on an Azure machine", "managed", nil, azureAssetTag + "\n", ""},
		{"managed on a laptop", "managed", nil, "", "no Azure virtual machine"},
		{"managed, half the variables", "managed", map[string]string{"IDENTITY_ENDPOINT": "http://127.0.0.1:1"}, "", "IDENTITY_HEADER"},
		{"managed without the id", "managed:", app, "", "must be managed"},
		{"developer", "developer", nil, "", ""},
		{"developer with an id", "developer:x", nil, "", "must be managed"},
		{"nothing", "", nil, "", "must be managed"},
		{"unknown", "certificate", nil, "", `"certificate" must be managed`},
		{"workload without its variables", "workload", nil, "", "make Azure credential Identity: invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tag := none
			if tt.tag != "" {
				tag = func() string { return tt.tag }
			}
			cred, err := newCredential(tt.id, Config{}, env(tt.env), tag)
			switch {
			case tt.text == "" && (err != nil || cred == nil):
				t.Errorf("got %v", err)
			case tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)):
				t.Errorf("got %v", err)
			case tt.text != "" && asFault(t, err).Kind != fault.Invalid:
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := newCredential("managed", Config{Cloud: "mars"}, env(app), none); err == nil {
		t.Error("an unknown cloud must be refused")
	}
}
