package handlers

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/fault"
)

const (
	isJSON = "Content-Type: application/json"
	alice  = "X-Erfailover-User: alice@example.com"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// readJSON reads a file into v.
func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// isProblem checks an RFC 9457 body and returns its text.
func isProblem(t *testing.T, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != status || p.Status != status || p.Title == "" || p.Type == "" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %q %s, want problem %d", w.Code, w.Header().Get("Content-Type"), w.Body, status)
	}
	return w.Body.String()
}

func TestOrderBecomesASignal(t *testing.T) {
	b := newBench(t)
	b.engine.receipt = Receipt{Orders: 1, Operations: []string{"op-7"}}
	w := b.do("POST", "/api/v1/groups/east/switchover",
		`{"to":"chicago","make_home":true,"reason":"MW-123","overrides":["cool-down"]}`, isJSON, alice, "Idempotency-Key: k1", "Host: app.example")
	if w.Code != http.StatusAccepted || w.Header().Get("Location") != "/api/v1/operations/op-7" {
		t.Fatalf("got %d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	s := b.engine.got[0]
	o := *s.Order
	if s.Kind != events.Command || s.Observer != events.Person || !s.At.Equal(at) || len(s.ID) != 22 ||
		o.Verb != events.OrderSwitchover || o.Group != "east" || o.To != "chicago" || !o.MakeHome || o.By != "alice@example.com" ||
		o.Key != "k1" || o.Reason != "MW-123" || len(o.Overrides) != 1 {
		t.Errorf("got %+v with order %+v", s, o)
	}
	b.do("POST", "/api/v1/groups/east/switchover",
		`{"to":"chicago","make_home":true,"reason":"MW-123","overrides":["cool-down"]}`, isJSON, alice, "Idempotency-Key: k1", "Host: app.example")
	b.do("POST", "/api/v1/groups/east/failover", ``, alice)
	b.do("POST", "/api/v1/groups/east/failover", ``, alice)
	if b.engine.got[1].ID != s.ID {
		t.Error("the same key with the same order is another signal")
	}
	if b.engine.got[2].ID == b.engine.got[3].ID {
		t.Error("two orders without a key are one signal")
	}
}

func TestEveryVerb(t *testing.T) {
	for verb, body := range map[events.Verb]string{
		events.OrderFailover: `{"break":true,"reason":"dark"}`, events.OrderSwitchover: `{}`, events.OrderFailback: ``,
		events.OrderPause: `{"until":"2026-02-12T00:00:00Z"}`, events.OrderResume: ``, events.OrderAcknowledge: `{"reason":"seen"}`,
		events.OrderApprove: `{"operation":"op-7","plan":"p-1"}`, events.OrderCancel: `{"operation":"op-7"}`,
	} {
		b := newBench(t)
		if w := b.do("POST", "/api/v1/groups/east/"+string(verb), body, isJSON, alice); w.Code != 202 || b.engine.got[0].Order.Verb != verb {
			t.Errorf("%s: got %d %s", verb, w.Code, w.Body)
		}
	}
}

func TestBadOrdersAreRefused(t *testing.T) {
	for _, c := range []struct {
		path, body, header string
		status             int
		want               string
	}{
		{"east/failover", `{"weight":5}`, isJSON, 400, "/weight"},
		{"east/failover", `{"to":"chicago"}`, "Content-Type: text/plain", 415, "application/json"},
		{"east/failover", `{"to":"../x"}`, isJSON, 400, "/to"},
		{"east/failover", `{"make_home":true}`, isJSON, 400, "/make_home"},
		{"east/failover", `{"break":true}`, isJSON, 400, "/reason"},
		{"east/failover", `{"reason":"a\u0000b"}`, isJSON, 400, "/reason"},
		{"east/failover", `{"overrides":["no such guard!"]}`, isJSON, 400, "/overrides/0"},
		{"east/failover", `{"to":1}`, isJSON, 400, "/to"},
		{"east/failover", `{"to":"a","to":"b"}`, isJSON, 400, "not valid JSON"},
		{"east/failover", `{} {}`, isJSON, 400, "not valid JSON"},
		{"east/pause", `{"until":"2026-02-01T00:00:00Z"}`, isJSON, 400, "a time to come"},
		{"east/pause", `{"to":"chicago"}`, isJSON, 400, "/to"},
		{"east/approve", `{}`, isJSON, 400, "/operation"},
		{"east/resume", `{"operation":"op-1"}`, isJSON, 400, "/operation"},
		{"ea%20st/failover", ``, isJSON, 400, "group"},
		{"east/explode", ``, isJSON, 404, ""},
		{"east/failover", strings.Repeat(" ", 300<<10), isJSON, 413, "262144"},
		{"east/failover", ``, "Idempotency-Key: " + strings.Repeat("k", 129), 400, "Idempotency-Key"},
	} {
		b := newBench(t)
		w := b.do("POST", "/api/v1/groups/"+c.path, c.body, c.header, alice)
		if text := isProblem(t, w, c.status); !strings.Contains(text, c.want) || b.engine.calls != 0 {
			t.Errorf("%s %.40s: got %s, want %q; the engine was called %d times", c.path, c.body, text, c.want, b.engine.calls)
		}
	}
}

func TestEngineErrorsBecomeProblems(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		want   string
	}{
		{&fault.Error{Op: "accept order", Kind: fault.NotFound, Hint: "name a group of the configuration", Err: errors.New("s3cret")}, 404, "name a group"},
		{&fault.Error{Op: "save", Kind: fault.Throttled, RetryAfter: 1500 * time.Millisecond, Err: errors.New("s3cret")}, 429, "could not save"},
		{&fault.Error{Op: "accept order", Kind: fault.Invalid, Code: codeKeyReused}, 422, "Idempotency-Key"},
		{fault.Conflict, 409, ""}, {fault.Busy, 503, ""}, {fault.Denied, 502, ""}, {fault.Refused, 422, ""},
		{fault.Corrupt, 500, ""}, {errors.New("s3cret"), 500, ""},
	} {
		b := newBench(t)
		b.engine.err = c.err
		w := b.do("POST", "/api/v1/groups/east/failover", ``, alice)
		if text := isProblem(t, w, c.status); !strings.Contains(text, c.want) || strings.Contains(text, "s3cret") {
			t.Errorf("%v: got %s, want %q and no cause", c.err, text, c.want)
		}
		if c.status == 429 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("got Retry-After %q, want 2", w.Header().Get("Retry-After"))
		}
	}
	b := newBench(t)
	b.engine.during = func(context.Context) { panic("s3cret") }
	if text := isProblem(t, b.do("POST", "/api/v1/groups/east/failover", ``, alice), 500); strings.Contains(text+b.log.String(), "s3cret") {
		t.Error("the value of a panic was shown")
	}
}

func TestSignals(t *testing.T) {
	b := newBench(t)
	w := b.do("POST", "/api/v1/signals", "down a", "Host: app.example")
	if w.Code != 202 || len(b.engine.got) != 1 || !strings.Contains(w.Body.String(), `"signals":1`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if text := isProblem(t, b.do("POST", "/api/v1/signals", "gibberish"), 422); !strings.Contains(text, "unknown word") || len(b.letters.raw) != 1 {
		t.Errorf("got %s and %d dead letters, want the reason and one", text, len(b.letters.raw))
	}
	b.options.Limits.Signals = 4
	isProblem(t, b.do("POST", "/api/v1/signals", "down a"), 413)
}

func TestReads(t *testing.T) {
	b := newBench(t)
	isProblem(t, b.do("GET", "/api/v1/status", ""), 404)
	for path, want := range map[string]string{
		"/api/v1/healthz": `{"at":"2026-02-11T03:04:05Z","status":"ok"}`, "/api/v1/readyz": `{"at":"2026-02-11T03:04:05Z","status":"ready"}`,
	} {
		if w := b.do("GET", path, ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: got %d %s, want %s", path, w.Code, w.Body, want)
		}
	}
	b.options.Ready = func(context.Context) error { return errors.New("store: s3cret") }
	if text := isProblem(t, b.do("GET", "/api/v1/readyz", ""), 503); strings.Contains(text, "s3cret") {
		t.Error("the cause was shown")
	}
	if w := b.do("POST", "/api/v1/status", ""); w.Code != 405 || w.Header().Get("Allow") != "GET" {
		t.Errorf("got %d and Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// TestAuth: who may give an order, in every mode.
func TestAuth(t *testing.T) {
	for _, c := range []struct {
		name    string
		auth    Auth
		headers []string
		status  int
		want    string
	}{
		{"nothing set", Auth{}, []string{alice}, 403, "set auth.mode"},
		{"unknown mode", Auth{Mode: "open"}, []string{alice}, 403, "set auth.mode"},
		{"entra not set up", Auth{Mode: ModeEntra}, []string{alice}, 403, "auth.tenant"},
		{"easy auth not set up", Auth{Mode: ModeEasyAuth}, []string{alice}, 403, "WEBSITE_AUTH_ENABLED"},
		{"key without a name", Auth{Mode: ModeFunctionKey}, nil, 403, "X-Erfailover-User"},
		{"key with two names", Auth{Mode: ModeFunctionKey}, []string{alice, "X-Erfailover-User: bob"}, 400, "one name"},
		{"key with a forged line", Auth{Mode: ModeFunctionKey}, []string{"X-Erfailover-User: a\tb"}, 400, "one name"},
		{"key and a name", Auth{Mode: ModeFunctionKey}, []string{alice}, 202, ""},
		{"loopback", Auth{Mode: ModeLoopback}, []string{"Idempotency-Key: k"}, 202, ""},
		{"loopback, a plain form", Auth{Mode: ModeLoopback}, nil, 415, "application/json"},
		{"loopback, rebound name", Auth{Mode: ModeLoopback}, []string{"Host: evil.example:7071"}, 403, "127.0.0.1"},
		{"loopback behind a proxy", Auth{Mode: ModeLoopback}, []string{"X-Forwarded-For: 192.0.2.1"}, 403, "127.0.0.1"},
		{"verified operator", verified(Operator), []string{"Authorization: Bearer x"}, 202, ""},
		{"verified reader", verified(Reader), nil, 403, `\"operator\"`},
		{"verified approver", verified(Approver), nil, 403, `\"operator\"`},
		{"refused", Auth{Mode: ModeEntra, Verify: func(*http.Request) (Caller, error) { return Caller{}, errors.New("s3cret") }}, nil, 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.options.Auth = c.auth
			w := b.do("POST", "/api/v1/groups/east/failover", "", c.headers...)
			if c.status == 202 {
				if w.Code != 202 || b.engine.got[0].Order.By == "" {
					t.Errorf("got %d %s, want an order with a name", w.Code, w.Body)
				}
				return
			}
			if text := isProblem(t, w, c.status); !strings.Contains(text, c.want) || b.engine.calls != 0 || strings.Contains(text, "s3cret") {
				t.Errorf("got %s, want %q and no order", text, c.want)
			}
		})
	}
}

func verified(r Role) Auth {
	return Auth{Mode: ModeEntra, Verify: func(*http.Request) (Caller, error) { return Caller{Name: "id-1", Roles: []Role{r}}, nil }}
}

func TestLoopbackIsRefusedInAppService(t *testing.T) {
	b := newBench(t)
	b.options.Auth.Mode = ModeLoopback
	b.env["WEBSITE_SITE_NAME"] = "erfailover"
	if _, err := New(b.options); err == nil || !strings.Contains(err.Error(), "WEBSITE_SITE_NAME") {
		t.Errorf("got %v, want a refusal that names WEBSITE_SITE_NAME", err)
	}
}

// TestOtherOrigins: a page of another site cannot give an order through the
// browser of an engineer.
func TestOtherOrigins(t *testing.T) {
	b := newBench(t)
	b.options.Auth.Mode = ModeLoopback
	for header, want := range map[string]int{
		"Sec-Fetch-Site: cross-site": 403, "Origin: https://evil.example": 403, "Sec-Fetch-Site: same-origin": 202, "Origin: http://127.0.0.1:7071": 202,
	} {
		if w := b.do("POST", "/api/v1/groups/east/failover", "", header, "Idempotency-Key: k"); w.Code != want {
			t.Errorf("%s: got %d, want %d", header, w.Code, want)
		}
	}
}

// TestLogKeepsKeysOut: function keys travel in the query and in a header.
func TestLogKeepsKeysOut(t *testing.T) {
	b := newBench(t)
	b.do("POST", "/api/v1/groups/east/failover?code=s3cret", `{"reason":"pr1vate"}`, isJSON, alice, "x-functions-key: s3cret", "Idempotency-Key: s3cret")
	if log := b.log.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "pr1vate") || !strings.Contains(log, "alice@example.com") {
		t.Errorf("got log %s, want the caller and no key", log)
	}
}
