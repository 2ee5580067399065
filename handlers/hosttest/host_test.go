package hosttest

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// send sends a request to the front and returns status and body.
func send(t *testing.T, h *Host, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range headers {
		k, v, _ := strings.Cut(v, ": ")
		req.Header.Set(k, v)
	}
	res, err := h.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestWholeApp drives every trigger of this checkout's own app.
func TestWholeApp(t *testing.T) {
	h, out := start(t, nil)
	for range 3 {
		h.Send("0", []byte("say a"))
	}
	h.Send("1", []byte("say b"))
	h.Send("1", []byte("\xff"))
	settle(t, h)
	if got := out.await(t, "did say ", 4); !slices.Contains(got, "b") {
		t.Errorf("got %q, want a and b", got)
	}
	if got := out.await(t, "dead letter ", 1); got[0] != `"\xff"` {
		t.Errorf("got dead letters %q, want the broken event byte for byte", got)
	}
	if err := h.Fire("Tick", true); err != nil {
		t.Error(err)
	}
	if err := h.Fire("Drills", false); err != nil {
		t.Error(err)
	}
	if err := h.Fire("Probe", false); err == nil {
		t.Error("Probe runs, though it is disabled by default")
	}
	if status, err := h.EventGrid("HealthEvents", []byte(`[{"subject":"say g1","data":{}},{"subject":"say g2","data":{}}]`)); status != 202 || err != nil {
		t.Errorf("Event Grid: got %d (%v), want 202", status, err)
	}
	if status, body := send(t, h, "POST", "/api/v1/groups/east/failover?code=function", "", "X-Erfailover-User: alice"); status != 202 {
		t.Errorf("order: got %d %s", status, body)
	}
	out.await(t, "did order", 1)
	if err := h.Err(); err != nil {
		t.Error(err)
	}
	if c := h.Counters(); c.Failures != 0 || c.Lost != 0 || c.Timers != 2 || c.Starts != 1 {
		t.Errorf("got %+v", c)
	}
}

func TestOrderWithinAPartition(t *testing.T) {
	h, out := start(t, nil)
	var want []string
	for i := range 100 { // several batches
		want = append(want, string(rune('0'+i%10))+string(rune('a'+i/10)))
		h.Send("5", []byte("say "+want[i]))
	}
	settle(t, h)
	if got := out.await(t, "did say ", 100); !slices.Equal(got, want) {
		t.Errorf("got %q, want them as they were sent", got)
	}
}

// TestFailureIsCheckpointedAnyway: after the last retry the events are lost, which
// is why our own policy has no last retry.
func TestFailureIsCheckpointedAnyway(t *testing.T) {
	h, out := start(t, func(_ *Options, m *string) {
		*m = strings.Replace(*m, `"maxRetryCount": -1`, `"maxRetryCount": 2`, 1)
	})
	h.Send("0", []byte("fail x"))
	settle(t, h)
	h.Send("0", []byte("say after"))
	settle(t, h)
	out.await(t, "did say after", 1)
	if got := out.did("fail "); len(got) != 3 {
		t.Errorf("got %d tries, want 3", len(got))
	}
	if c := h.Counters(); c.Retries != 2 || c.Lost != 1 || c.Checkpoints != 2 {
		t.Errorf("got %+v, want 2 retries, 1 lost, 2 checkpoints", c)
	}
	ids := map[string]bool{}
	for _, line := range out.did(`{"level":"error"`) {
		_, id, _ := strings.Cut(line, `"invocation":"`)
		id, _, _ = strings.Cut(id, `"`)
		ids[id] = true
	}
	if len(ids) != 1 {
		t.Errorf("the tries have the invocation ids %v, want one", ids)
	}
}

// TestHandlerKilledMidBatch: the crash is a failed try; our policy tries again.
func TestHandlerKilledMidBatch(t *testing.T) {
	h, out := start(t, nil)
	h.Send("0", []byte("stuck "+filepath.Join(t.TempDir(), "flag")))
	out.await(t, "begin stuck", 1)
	h.Kill()
	settle(t, h)
	out.await(t, "did stuck", 1)
	if c := h.Counters(); c.Starts != 2 || c.Lost != 0 || c.Retries == 0 {
		t.Errorf("got %+v, want a second start, a retry and no loss", c)
	}
}

// TestHostCrashRedelivers: what was in flight was not checkpointed.
func TestHostCrashRedelivers(t *testing.T) {
	h, out := start(t, nil)
	h.Send("0", []byte("say first"))
	settle(t, h)
	h.Send("0", []byte("stuck "+filepath.Join(t.TempDir(), "flag")))
	out.await(t, "begin stuck", 1)
	if err := h.Crash(); err != nil {
		t.Fatal(err)
	}
	settle(t, h)
	out.await(t, "did stuck", 1)
	if got := out.did("did say first"); len(got) != 1 {
		t.Errorf("the first event came %d times, want once: it was checkpointed", len(got))
	}
	if c := h.Counters(); c.Retries != 0 || c.Checkpoints != 2 {
		t.Errorf("got %+v, want no retry and 2 checkpoints", c)
	}
}

func TestExitCodes(t *testing.T) {
	t.Run("200 is a free restart", func(t *testing.T) {
		h, out := start(t, nil)
		for h.Counters().Starts < 5 { // a call between end and restart is refused
			_, _ = h.EventGrid("HealthEvents", []byte(`{"subject":"exit 200"}`))
		}
		h.Send("0", []byte("say alive"))
		out.await(t, "did say alive", 1)
		if c := h.Counters(); h.Err() != nil {
			t.Errorf("got %+v and %v, want no error", c, h.Err())
		}
	})
	t.Run("one error is survived", func(t *testing.T) {
		h, out := start(t, nil)
		h.Send("0", []byte("exit-once "+filepath.Join(t.TempDir(), "flag")))
		settle(t, h)
		out.await(t, "did exit-once", 1)
	})
	t.Run("the third error is the end", func(t *testing.T) {
		h, _ := start(t, nil)
		for h.Err() == nil {
			_, _ = h.EventGrid("HealthEvents", []byte(`{"subject":"exit 1"}`))
		}
		await(t, h.Down())
		if err := h.Fire("Tick", false); err == nil || !strings.Contains(err.Error(), "restart retry count") || h.Counters().Starts != 3 {
			t.Errorf("got %v after %d starts, want the host down after 3", err, h.Counters().Starts)
		}
	})
	t.Run("after 0 nobody restarts", func(t *testing.T) {
		h, _ := start(t, nil)
		_, _ = h.EventGrid("HealthEvents", []byte(`{"subject":"exit 0"}`))
		await(t, h.Down())
		if err := h.Fire("Tick", false); err == nil || !strings.Contains(err.Error(), "refused") || h.Counters().Starts != 1 {
			t.Errorf("got %v after %d starts, want a dead handler", err, h.Counters().Starts)
		}
	})
}

// await waits for a channel to be closed.
func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing happened for 20s")
	}
}

// TestDrain: on SIGTERM the request in flight is finished, then the exit code is 0.
func TestDrain(t *testing.T) {
	h, out := start(t, nil)
	h.Send("0", []byte("finish work"))
	out.await(t, "begin finish", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, err := h.Drain(ctx)
	if code != 0 || err != nil {
		t.Errorf("got code %d (%v), want 0", code, err)
	}
	out.await(t, "did finish", 1)
	settle(t, h)
	if c := h.Counters(); c.Successes != 1 || c.Failures != 0 {
		t.Errorf("got %+v, want the invocation finished", c)
	}
}

func TestFunctionTimeoutKillsTheHandler(t *testing.T) {
	h, out := start(t, func(o *Options, _ *string) { o.FunctionTimeout = 300 * time.Millisecond })
	h.Send("0", []byte("stuck "+filepath.Join(t.TempDir(), "flag")))
	settle(t, h)
	out.await(t, "did stuck", 1)
	if c := h.Counters(); c.Starts != 2 || c.Failures == 0 {
		t.Errorf("got %+v, want a kill and a new start", c)
	}
}

func TestTimersRunBySchedule(t *testing.T) {
	h, out := start(t, func(o *Options, _ *string) { o.NoTimers = false }) // 15 s at speed 200: 75 ms
	out.await(t, "did say tick", 3)
	if c := h.Counters(); c.Timers < 3 {
		t.Errorf("got %d firings, want at least 3", c.Timers)
	}
}

func TestFront(t *testing.T) {
	h, _ := start(t, nil)
	for _, c := range []struct {
		method, path string
		headers      []string
		want         int
	}{
		{"GET", "/api/v1/healthz", nil, 401},
		{"GET", "/api/v1/healthz?code=wrong", nil, 401},
		{"GET", "/api/v1/healthz?code=function", []string{"x-functions-key: wrong"}, 401},
		{"GET", "/api/v1/healthz?code=function", nil, 200},
		{"GET", "/api/v1/healthz", []string{"x-functions-key: master"}, 200},
		{"GET", "/api/v1/nothing?code=function", nil, 404},
		{"PUT", "/api/v1/healthz?code=function", nil, 405},
		{"POST", "/CircuitEvents?code=master", nil, 404},
		{"POST", "/api/CircuitEvents?code=master", nil, 404},
		{"POST", "/admin/functions/Tick?code=master", nil, 404},
		{"GET", "/", nil, 200},
	} {
		if got, body := send(t, h, c.method, c.path, "", c.headers...); got != c.want {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, got, body, c.want)
		}
	}
	// Behind the host's back, under the site's own name.
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.HandlerURL()+"/CircuitEvents", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "app.azurewebsites.net"
	res, err := h.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 404 || h.Counters().Invocations != 0 {
		t.Errorf("a forged invocation got %d", res.StatusCode)
	}
}

func TestEventGrid(t *testing.T) {
	h, _ := start(t, nil)
	hook := "/runtime/webhooks/eventgrid?code=eventgrid_extension&functionName="
	for _, c := range []struct {
		path, kind, body string
		want             int
		text             string
	}{
		{hook + "HealthEvents", "SubscriptionValidation", `[{"data":{"validationCode":"v-1"}}]`, 200, `{"validationResponse":"v-1"}`},
		{hook + "HealthEvents", "Unsubscribe", ``, 202, ""},
		{hook + "HealthEvents", "Other", ``, 400, ""},
		{hook + "Tick", "Notification", `[]`, 404, ""},
		{"/runtime/webhooks/eventgrid?functionName=HealthEvents", "Notification", `[]`, 401, ""},
		{hook + "HealthEvents", "Notification", `[{"subject":"say one"},{"subject":"fail two"}]`, 500, ""},
		{hook + "HealthEvents", "Notification", `{"subject":"say cloud"}`, 202, ""},
	} {
		if got, text := send(t, h, "POST", c.path, c.body, "aeg-event-type: "+c.kind); got != c.want || text != c.text {
			t.Errorf("%s %s: got %d %q, want %d %q", c.kind, c.body, got, text, c.want, c.text)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := Start(Options{AppDir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "host.json") {
		t.Errorf("got %v, want host.json named", err)
	}
}
