package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// wantSuccess checks the only form of success that the host takes.
func wantSuccess(t *testing.T, code int, h http.Header, body string) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); code != http.StatusOK || h.Get("Content-Type") != "application/json" || err != nil || len(v) == 0 {
		t.Errorf("got %d %q %q, want 200, application/json and an object that is not empty", code, h.Get("Content-Type"), body)
	}
}

func TestBatchAccountsForEveryEvent(t *testing.T) {
	b := newBench(t)
	w := b.do("POST", "/CircuitEvents", hub("down a", "gibberish", "foreign", "panic s3cret", "", "down b", "order"), "X-Azure-Functions-InvocationId: 1f-2")
	wantSuccess(t, w.Code, w.Header(), w.Body.String())
	if b.engine.calls != 1 || len(b.engine.got) != 2 || b.engine.got[0].Resource != "a" || b.engine.got[1].Resource != "b" {
		t.Errorf("the engine got %d calls with %v, want one call with a and b", b.engine.calls, b.engine.got)
	}
	if want := []string{"gibberish", "panic s3cret", "", "order"}; !slices.Equal(b.letters.raw, want) {
		t.Errorf("dead letters are %q, want %q", b.letters.raw, want)
	}
	if !strings.Contains(w.Body.String(), "events=7 signals=2 foreign=1 broken=4") {
		t.Errorf("the reply does not count the events: %s", w.Body)
	}
	for line := range strings.Lines(b.log.String()) {
		if !strings.Contains(line, `"invocation":"1f-2"`) {
			t.Errorf("a log line does not name the invocation: %s", line)
		}
	}
	if strings.Contains(b.log.String(), "gibberish") || strings.Contains(b.log.String(), "s3cret") {
		t.Errorf("the log holds a payload: %s", b.log)
	}
}

func TestFailedSaveAsksForAnotherDelivery(t *testing.T) {
	lost := &fault.Error{Op: "save group", Kind: fault.Unavailable, Err: errors.New("key=s3cret")}
	for name, set := range map[string]func(b *bench){
		"engine":      func(b *bench) { b.engine.err = lost },
		"dead letter": func(b *bench) { b.letters.err = lost },
		"no kind":     func(b *bench) { b.engine.err = errors.New("bug") },
		"panic":       func(b *bench) { b.engine.during = func(context.Context) { panic("boom") } },
	} {
		b := newBench(t)
		set(b)
		w := b.do("POST", "/CircuitEvents", hub("down a", "gibberish"))
		if w.Code < 500 || strings.Contains(w.Body.String(), "s3cret") {
			t.Errorf("%s: got %d %s, want 5xx without the cause", name, w.Code, w.Body)
		}
	}
}

// TestPanicGivesUpAtLast: a batch that makes us panic each time would block its
// partition for ever.
func TestPanicGivesUpAtLast(t *testing.T) {
	b := newBench(t)
	b.engine.during = func(context.Context) { panic("boom") }
	retry := func(n string) string {
		return strings.Replace(hub("down a", "down b"), `"Metadata":{`, `"Metadata":{"RetryContext":{"RetryCount":`+n+`}`, 1)
	}
	if w := b.do("POST", "/CircuitEvents", retry("4")); w.Code != http.StatusInternalServerError || len(b.letters.raw) != 0 {
		t.Fatalf("retry 4: got %d and %d dead letters, want 500 and none", w.Code, len(b.letters.raw))
	}
	w := b.do("POST", "/CircuitEvents", retry("5"))
	wantSuccess(t, w.Code, w.Header(), w.Body.String())
	if !slices.Equal(b.letters.raw, []string{"down a", "down b"}) {
		t.Errorf("dead letters are %q, want both events", b.letters.raw)
	}
	// A failed save is no reason to give up, however often it was tried.
	b.engine.during, b.engine.err = nil, fault.Unavailable
	if w := b.do("POST", "/CircuitEvents", retry("99")); w.Code < 500 {
		t.Errorf("got %d after a failed save, want 5xx", w.Code)
	}
}

func TestUnreadableInvocationIsKept(t *testing.T) {
	b := newBench(t)
	w := b.do("POST", "/CircuitEvents", `{"Data":{"renamed":"[]"}}`)
	wantSuccess(t, w.Code, w.Header(), w.Body.String())
	if len(b.letters.raw) != 1 || !strings.Contains(b.letters.reasons[0], `"events"`) {
		t.Errorf("got dead letters %q, want the body with the name of the missing binding", b.letters.reasons)
	}
	b.letters.err = fault.Unavailable
	if w := b.do("POST", "/CircuitEvents", `?`); w.Code < 500 {
		t.Errorf("got %d when the dead letter was not saved, want 5xx", w.Code)
	}
}

func TestHealthEvents(t *testing.T) {
	b := newBench(t)
	b.options.Parse = ParseEvents
	for _, name := range []string{"grid_cloud", "grid_native", "grid_many"} {
		w := b.do("POST", "/HealthEvents", string(sample(t, name)))
		wantSuccess(t, w.Code, w.Header(), w.Body.String())
		if !strings.Contains(w.Body.String(), "events=") {
			t.Errorf("%s: got %s, want a count", name, w.Body)
		}
	}
}

func TestTimers(t *testing.T) {
	b := newBench(t)
	drills := 0
	b.options.Drills = func(context.Context) error { drills++; return nil }
	for _, path := range []string{"/Tick", "/Probe", "/Drills"} {
		w := b.do("POST", path, string(sample(t, "timer")))
		wantSuccess(t, w.Code, w.Header(), w.Body.String())
	}
	if b.engine.ticks != 1 || drills != 1 {
		t.Errorf("got %d ticks and %d drills, want one each", b.engine.ticks, drills)
	}
	b.engine.err = fault.Unavailable
	if w := b.do("POST", "/Tick", "{}"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d for a failed tick, want 503", w.Code)
	}
}

// TestOnlyTheHostMayInvoke: the same paths, from the public side.
func TestOnlyTheHostMayInvoke(t *testing.T) {
	for _, c := range []struct {
		header string
		want   int
	}{
		{"Host: 127.0.0.1:7071", 200}, {"Host: localhost:7071", 200}, {"Host: LOCALHOST:7071", 200},
		{"Host: app.azurewebsites.net", 404}, {"Host: 127.0.0.1", 404}, {"Host: 127.0.0.1:7072", 404},
		{"Host: [::1]:7071", 404}, {"X-Forwarded-For: 192.0.2.7", 404}, {"x-arr-log-id: 1", 404}, {"X-Forwarded-For: ", 404},
	} {
		b := newBench(t)
		if w := b.do("POST", "/CircuitEvents", hub("down a"), c.header); w.Code != c.want || (c.want == 404) != (b.engine.calls == 0) {
			t.Errorf("%s: got %d and %d calls, want %d", c.header, w.Code, b.engine.calls, c.want)
		}
	}
}

// TestPathsAreExact: the host would follow a redirect with a GET.
func TestPathsAreExact(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]int{
		"/": 200, "/circuitevents": 404, "/CircuitEvents/": 404, "//CircuitEvents": 404, "/api/CircuitEvents": 404,
		"/x/../CircuitEvents": 404, "/api//v1/healthz": 404, "/api/v1/../v1/healthz": 404, "/api/v1/healthz": 200, "/apiary": 404,
		"/CircuitEvents": 405, "/api": 404, "/api/": 404, "/api/v1/healthz/": 404,
	} {
		w := b.do("GET", path, "")
		if w.Code != want || w.Header().Get("Location") != "" || w.Body.Len() == 0 {
			t.Errorf("GET %s: got %d to %q, want %d", path, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	b := newBench(t)
	b.options.Limits = Limits{Body: 200, Event: 10}
	if w := b.do("POST", "/CircuitEvents", strings.Repeat(" ", 300)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", w.Code)
	}
	b.do("POST", "/CircuitEvents", hub("down 0123456789"))
	if len(b.letters.raw) != 1 || b.engine.calls != 0 {
		t.Errorf("got %d dead letters and %d calls, want the large event put aside", len(b.letters.raw), b.engine.calls)
	}
}

// TestWorkOutlivesTheCaller: the host hangs up without telling us, and what has
// begun must reach its saves; only our own deadline ends it.
func TestWorkOutlivesTheCaller(t *testing.T) {
	b := newBench(t)
	gone, cancel := context.WithCancel(t.Context())
	b.options.Limits.Invocation = 70 * time.Second
	b.engine.during = func(ctx context.Context) {
		cancel()
		if ctx.Err() != nil {
			t.Error("the work was cancelled with its caller")
		}
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > 70*time.Second {
			t.Errorf("got deadline %v, want at most 70s", d)
		}
	}
	r, err := http.NewRequestWithContext(gone, "POST", "http://127.0.0.1:7071/Tick", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	w := newRecorder()
	b.handler().ServeHTTP(w, r)
	wantSuccess(t, w.Code, w.Header(), w.Body.String())
}

func TestDeadlineIsBelowFunctionTimeout(t *testing.T) {
	var host struct {
		FunctionTimeout string `json:"functionTimeout"`
		Extensions      struct {
			EventHubs struct {
				MaxEventBatchSize int64 `json:"maxEventBatchSize"`
			} `json:"eventHubs"`
		} `json:"extensions"`
	}
	readJSON(t, "../host.json", &host)
	limit, err := time.Parse("15:04:05", host.FunctionTimeout)
	if err != nil {
		t.Fatal(err)
	}
	l := Limits{}.withDefaults()
	if got := limit.Sub(limit.Truncate(24 * time.Hour)); l.Invocation >= got || l.Request >= 230*time.Second {
		t.Errorf("invocation %s and request %s, want below %s and 230s", l.Invocation, l.Request, got)
	}
	const largest = 1 << 20 // an event of Event Hubs, standard tier
	if need := host.Extensions.EventHubs.MaxEventBatchSize * (largest*4/3 + 4096); need > l.Body {
		t.Errorf("a full batch may need %d bytes, and the limit is %d", need, l.Body)
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Options{})
	for _, want := range []string{"Options.Engine", "Options.Letters", "Options.Parse"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s named", err, want)
		}
	}
}
