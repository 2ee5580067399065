package armnet

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
)

// The reply matrix: every answer that Azure may give, status by headers by body, in
// each phase of a write, with the action that it must lead to. What must happen is
// said by testdata/replies.txt, written from the documents, not from the code.

// cell is one answer in one phase.
type cell struct {
	phase         string // get, put, poll
	status        int
	headers, body string // names
}

func (c cell) String() string {
	return fmt.Sprintf("%s %d, headers %s, body %s", c.phase, c.status, c.headers, c.body)
}

// action is what an answer led to.
type action struct {
	outcome string // applied, not-applied, follow (ask the operation again), read (unknown: read the connection)
	kind    string // of the error; - none
	wait    string
}

// rule is one line of the file: the first that fits a cell says what must happen.
type rule struct {
	line                         int
	what                         string // outcome, kind or wait
	phase, status, headers, body string
	want                         string
	used                         int
}

var matrixPhases = []string{"get", "put", "poll"}

var matrixStatuses = []int{200, 201, 202, 204, 301, 307, 400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 423, 429, 500, 501, 502, 503, 504, 529}

// matrixHeaders are the headers that may come, by name.
func matrixHeaders() map[string]map[string]string {
	op := testOp + "?api-version=2025-09-01&t=1&sig=key-secret"
	return map[string]map[string]string{
		"none":          {},
		"operation":     {"Azure-AsyncOperation": op},
		"operation-10s": {"Azure-AsyncOperation": op, "Retry-After": "10"},
		"location":      {"Location": op},
		"both":          {"Azure-AsyncOperation": op, "Location": op},
		"foreign":       {"Azure-AsyncOperation": "https://evil.example/op?sig=key-secret"},
		"foreign-place": {"Location": "https://evil.example/op"},
		"wait-7s":       {"Retry-After": "7"},
		"wait-700ms":    {"x-ms-retry-after-ms": "700"},
		"wait-date":     {"Retry-After": someTime.Add(90 * time.Second).UTC().Format(http.TimeFormat)},
		"wait-negative": {"Retry-After": "-5"},
		"wait-nonsense": {"Retry-After": "soon"},
		"wait-forever":  {"Retry-After": "99999999"},
	}
}

// matrixBodies are the bodies that may come, by name.
func matrixBodies() map[string]string {
	return map[string]string{
		"empty":        "",
		"html":         "<html>gateway</html>",
		"cut":          connBody[:len(connBody)/2],
		"succeeded":    connBody,
		"updating":     strings.Replace(connBody, "Succeeded", "Updating", 1),
		"failed":       strings.Replace(connBody, "Succeeded", "Failed", 1),
		"canceled":     strings.Replace(connBody, "Succeeded", "Canceled", 1),
		"op-running":   `{"status":"InProgress"}`,
		"op-succeeded": `{"status":"Succeeded"}`,
		"op-failed":    `{"status":"Failed","error":{"code":"InternalServerError","message":"x"}}`,
		"op-overtaken": `{"status":"Canceled","error":{"code":"CanceledAndSupersededDueToAnotherOperation","message":"x"}}`,
		"error":        armErr("SomethingElse", "x"),
		"busy":         armErr("AnotherOperationInProgress", "x"),
		"retryable":    `{"error":{"code":"RetryableError","message":"x","details":[{"code":"RetryableErrorDueToAnotherOperation","message":"Operation PutX can be retried in 14 seconds."}]}}`,
		"denied":       armErr("LinkedAuthorizationFailed", "x"),
	}
}

// fixed answers every request from memory.
type fixed struct{ answers map[string]http.Response }

// RoundTrip implements http.RoundTripper.
func (f fixed) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	r := f.answers[req.Method+" "+strings.ToLower(req.URL.Path)]
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Request = req
	return &r, nil
}

func inMemory(status int, head map[string]string, body string) http.Response {
	r := http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header(head), ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// place makes addresses of the test server those of the client's endpoint.
const matrixHost = "https://arm.test"

func atHost(host string, head map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range head {
		if strings.HasPrefix(v, "/") {
			v = host + v
		}
		out[k] = v
	}
	return out
}

// answered gives one answer in its phase and returns what the real client makes of it.
func (c cell) answered(t *testing.T) action {
	t.Helper()
	return c.through(t, matrixHost, func(answers map[string]http.Response) http.RoundTripper { return fixed{answers} })
}

// through gives the answer through a transport to a host.
func (c cell) through(t *testing.T, host string, transport func(map[string]http.Response) http.RoundTripper) action {
	t.Helper()
	body, head := matrixBodies()[c.body], atHost(host, matrixHeaders()[c.headers])
	get, put, op := "GET "+strings.ToLower(testConn), "PUT "+strings.ToLower(testConn), "GET "+strings.ToLower(testOp)
	answers := map[string]http.Response{get: inMemory(200, nil, connBody)}
	running := atHost(host, map[string]string{"Azure-AsyncOperation": testOp + "?api-version=2025-09-01"})
	answers[put] = inMemory(201, running, matrixBodies()["updating"])
	switch c.phase {
	case "get":
		answers[get] = inMemory(c.status, head, body)
	case "put":
		answers[put] = inMemory(c.status, head, body)
	case "poll":
		answers[op] = inMemory(c.status, head, body)
	}
	client, err := New(Config{Cloud: Custom, Endpoint: host, Audience: host + "/", Authority: "https://login.test", Credential: staticToken("tok-secret"),
		Transport: transport(answers), Now: func() time.Time { return someTime }, MaxElapsed: -1})
	if err != nil {
		t.Fatal(err)
	}
	b := client.Begin(t.Context(), []executor.Write{raise()})[0]
	if c.phase != "poll" {
		return actionOf(t, b.Outcome, b.Token, b.Err, b.RetryAfter)
	}
	if b.Token == "" {
		t.Fatalf("no operation to follow: %+v", b)
	}
	w := raise()
	p := client.Poll(t.Context(), []executor.Running{{Token: b.Token, Write: &w}})[0]
	if !p.Done {
		return actionOf(t, executor.Unknown, p.Token, p.Err, p.RetryAfter)
	}
	return actionOf(t, p.Outcome, p.Token, p.Err, p.RetryAfter)
}

func actionOf(t *testing.T, outcome executor.Outcome, token executor.Token, err error, wait time.Duration) action {
	f := asFault(t, err)
	a := action{outcome: string(outcome), kind: string(f.Kind), wait: wait.String()}
	if outcome == executor.Unknown {
		a.outcome = "read"
		if token != "" {
			a.outcome = "follow"
		}
	}
	if f.Kind == "" {
		a.kind = "-"
	}
	return a
}

// readRules reads testdata/replies.txt.
func readRules(t *testing.T) []*rule {
	t.Helper()
	text, err := os.ReadFile("testdata/replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []*rule
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 7 || f[5] != "->" {
			t.Fatalf("testdata/replies.txt:%d: want WHAT PHASE STATUS HEADERS BODY -> ACTION", i+1)
		}
		out = append(out, &rule{line: i + 1, what: f[0], phase: f[1], status: f[2], headers: f[3], body: f[4], want: f[6]})
	}
	return out
}

// fits reports whether a rule is about a cell. Patterns are separated by "|"; "!"
// before the whole turns it round.
func (r *rule) fits(what string, c cell) bool {
	one := func(patterns, value string) bool {
		rest, not := strings.CutPrefix(patterns, "!")
		return not != slices.ContainsFunc(strings.Split(rest, "|"), func(p string) bool {
			ok, _ := path.Match(p, value)
			return ok
		})
	}
	return r.what == what && one(r.phase, c.phase) && one(r.status, fmt.Sprint(c.status)) && one(r.headers, c.headers) && one(r.body, c.body)
}

func TestReplyMatrix(t *testing.T) {
	rules := readRules(t)
	headers, bodies := matrixHeaders(), matrixBodies()
	cells, wrong, serial := 0, map[string][]string{}, 0
	for _, phase := range matrixPhases {
		for _, status := range matrixStatuses {
			for _, h := range slices.Sorted(maps.Keys(headers)) {
				for _, b := range slices.Sorted(maps.Keys(bodies)) {
					c := cell{phase, status, h, b}
					if serial++; !*sweep && serial%7 != 0 || status == http.StatusNoContent && b != "empty" {
						continue // of a 204, HTTP has no other answer
					}
					cells++
					got := c.answered(t)
					for what, have := range map[string]string{"outcome": got.outcome, "kind": got.kind, "wait": got.wait} {
						if what == "wait" && got.outcome == "applied" {
							continue // nothing is waited for
						}
						i := slices.IndexFunc(rules, func(r *rule) bool { return r.fits(what, c) })
						if i < 0 {
							t.Fatalf("%s: no rule says what its %s must be", c, what)
						}
						rules[i].used++
						if have != rules[i].want {
							key := fmt.Sprintf("testdata/replies.txt:%d: %s is %s, want %s", rules[i].line, what, have, rules[i].want)
							wrong[key] = append(wrong[key], c.String())
						}
					}
				}
			}
		}
	}
	for key, list := range wrong {
		slices.Sort(list)
		t.Errorf("%s, in %d cells:\n  %s", key, len(list), strings.Join(list[:min(len(list), 20)], "\n  "))
	}
	for _, r := range rules {
		if *sweep && r.used == 0 {
			t.Errorf("testdata/replies.txt:%d decides no cell: it is covered by those above", r.line)
		}
	}
	if cells < 1500 {
		t.Errorf("%d cells", cells)
	}
	t.Logf("%d cells, each with three expected facts, by %d rules", cells, len(rules))
}

// The same answers over TLS, through the real transport, lead to the same actions.
func TestReplyMatrixOverTLS(t *testing.T) {
	n := 0
	for _, phase := range matrixPhases {
		for _, status := range []int{200, 201, 202, 403, 409, 429, 503} {
			for _, h := range []string{"none", "operation-10s", "foreign", "wait-7s"} {
				n++
				b := slices.Sorted(maps.Keys(matrixBodies()))[n%len(matrixBodies())]
				c := cell{phase, status, h, b}
				want := c.answered(t)
				a := newAzure(t)
				got := c.through(t, a.srv.URL, func(answers map[string]http.Response) http.RoundTripper {
					for key, r := range answers {
						method, place, _ := strings.Cut(key, " ")
						a.hook(method, place, func(w http.ResponseWriter, _ *http.Request) {
							for k, v := range r.Header {
								w.Header()[k] = v
							}
							w.WriteHeader(r.StatusCode)
							_, _ = io.Copy(w, r.Body)
						})
					}
					return a.config().Transport
				})
				if got != want {
					t.Errorf("%s: over TLS %v, in memory %v", c, got, want)
				}
			}
		}
	}
}
