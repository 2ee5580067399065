//go:build unix

package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPublicNeverReachesInternal sends to the host's public front what would be an
// invocation, under every path that might lead to an internal function, with every
// forged mark of the host. Nothing is invoked.
func TestPublicNeverReachesInternal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.atRest()
	r.await("the log has caught up", func() bool { return r.invoked() == r.host.Counters().Invocations })
	before := r.invoked()
	body := []byte(`{"Data":{"events":"[\"eyJyZWNvcmRzIjpbXX0=\"]","event":{},"timer":{}},"Metadata":{}}`)
	functions := []string{"CircuitEvents", "HealthEvents", "Tick", "Probe", "Drills"}
	for _, fn := range functions {
		for _, path := range []string{
			"/" + fn, "//" + fn, "/api/" + fn, "/api//" + fn, "/api/../" + fn, "/api/..//" + fn, "/api/%2e%2e/" + fn, "/api/..%2f" + fn,
			"/api/%2e%2e%2f" + fn, "/api/v1/../../" + fn, "/api/./" + fn, "/api/" + strings.ToLower(fn), "/" + strings.ToLower(fn), "/api/x/..\\..\\" + fn,
			"/api/%5c..%5c" + fn, "/api;/../" + fn, "/admin/functions/" + fn, "/runtime/webhooks/" + fn, "/API/../" + fn, "/api?path=/" + fn, "/api/%09" + fn,
		} {
			r.knock(t, path, body)
		}
	}
	if n := r.invoked() - before; n != 0 {
		t.Errorf("%d invocations came from the public side", n)
	}
	// And the door behind: a request that a front end has passed on, or under a public
	// name, is not the host's.
	for _, fn := range functions {
		for name, values := range map[string][]string{"X-Forwarded-For": {"203.0.113.9", ""}, "X-ARR-LOG-ID": {"1", ""}, "Host": {"app.azurewebsites.example", "127.0.0.1", "127.0.0.1:80", "localhost"}} {
			for _, v := range values {
				req, err := http.NewRequest(http.MethodPost, r.host.HandlerURL()+"/"+fn, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set(name, v)
				if name == "Host" {
					req.Header.Del(name)
					req.Host = v
				}
				forge(req)
				if s, _ := answer(t, r, req); s < 400 {
					t.Errorf("%s with %s %q: status %d", fn, name, v, s)
				}
			}
		}
	}
	if n := r.invoked() - before; n != 0 {
		t.Errorf("%d invocations came from the public side", n)
	}
	// The same body from the host itself is an invocation: the test knocks right.
	if err := r.host.Fire("Tick", false); err != nil {
		t.Error(err)
	}
	r.await("the host's own tick is in the log", func() bool { return r.invoked() == before+1 })
	if err := r.host.Err(); err != nil {
		t.Error(err)
	}
}

// invoked counts the invocations that the program's log tells of, refused by the
// engine or not.
func (r *rig) invoked() int {
	return r.times(func(l said) bool { return l.Event == "invocation.done" || l.Event == "invocation.failed" })
}

// forge adds all that the host itself would send.
func forge(req *http.Request) {
	req.Header.Set("X-Azure-Functions-InvocationId", "00000000-0000-4000-8000-000000000001")
	req.Header.Set("X-Azure-Functions-HostVersion", "4.1037.0.0")
	req.Header.Set("User-Agent", "Azure-Functions-Host/4.1037.0.0")
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
}

// knock sends a forged invocation to the public front, without a key and with one,
// and under the handler's own name.
func (r *rig) knock(t *testing.T, path string, body []byte) {
	t.Helper()
	for _, key := range []string{"", "function", "master"} {
		for _, host := range []string{"", strings.TrimPrefix(r.host.HandlerURL(), "http://")} {
			req, err := http.NewRequest(http.MethodPost, r.host.URL(), bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = path // as it stands, not cleaned
			if host != "" {
				req.Host = host
			}
			if key != "" {
				req.Header.Set("x-functions-key", key)
			}
			req.Header.Set("X-Original-URL", "/"+path)
			req.Header.Set("X-Rewrite-URL", "/"+path)
			forge(req)
			if s, to := answer(t, r, req); s < 300 || s < 400 && to != "/api/" {
				t.Errorf("POST %q with key %q and host %q: status %d, location %q", path, key, host, s, to)
			}
		}
	}
}

// answer sends a request and returns the status of the answer, and the path to which
// it redirects.
func answer(t *testing.T, r *rig, req *http.Request) (status int, to string) {
	t.Helper()
	res, err := r.host.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if at, err := res.Location(); err == nil {
		to = at.Path
	}
	return res.StatusCode, to
}
