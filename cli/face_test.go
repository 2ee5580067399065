package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// api is a program that answers what it is told, path by path.
type api struct {
	mu      sync.Mutex
	replies map[string][]string // "GET /status": status code and body, one after the other; the last stays
	got     []*http.Request
	bodies  []string
	server  *httptest.Server
}

func newAPI(t *testing.T, replies map[string][]string) *api {
	a := &api{replies: replies}
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		a.got, a.bodies = append(a.got, r), append(a.bodies, string(body))
		name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
		list := a.replies[name]
		if len(list) == 0 {
			w.WriteHeader(404)
			fmt.Fprint(w, `{"type":"about:blank","title":"There is nothing at this path","status":404}`)
			return
		}
		if len(list) > 1 {
			a.replies[name] = list[1:]
		}
		var code int
		fmt.Sscan(list[0][:3], &code)
		if code == 0 {
			panic(http.ErrAbortHandler) // the link breaks
		}
		w.WriteHeader(code)
		fmt.Fprint(w, list[0][4:])
	}))
	t.Cleanup(a.server.Close)
	return a
}

// run runs a command line against the program.
func (a *api) run(t *testing.T, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("ERFAILOVER_URL", a.server.URL)
	t.Setenv("ERFAILOVER_USER", "ana")
	var out, errs bytes.Buffer
	root := newRoot(Assets{})
	root.SetArgs(args)
	root.SetIn(strings.NewReader(input))
	root.SetOut(&out)
	root.SetErr(&errs)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		fmt.Fprintln(&errs, err)
		return exitCode(err), out.String(), errs.String()
	}
	return exitDone, out.String(), errs.String()
}

const (
	planned  = `202 {"order":"k","group":"east","verb":"switchover","state":"planned","answer":"kept for 2026-01-12T04:30:00Z","operation":"s-1"}`
	waiting  = `200 {"name":"east","operation":{"id":"op-7","plan":"p-7","group":"east","kind":"failover","from":["ashburn"],"to":["chicago"],"epoch":3,"status":"waiting","by":"ben","begun":"2026-01-12T03:05:00Z","expires":"2026-01-12T03:20:00Z","steps":[],"ledger":{"stages":[],"recovery_ms":0}}}`
	begun    = `202 {"order":"k","group":"east","verb":"failover","state":"begun","answer":"begun","operation":"op-1"}`
	proven   = `200 {"id":"op-1","group":"east","kind":"failover","plan":"p-1","epoch":1,"status":"ended","result":"proven","steps":[{"connection":"/x/gw1-chicago","gateway":"g","circuit":"chicago","from":100,"to":201,"phase":"done","attempts":1}],"ledger":{"stages":[],"recovery_ms":0}}`
	applying = `200 {"id":"op-1","group":"east","kind":"failover","plan":"p-1","epoch":1,"status":"applying","steps":[],"ledger":{"stages":[],"recovery_ms":0}}`
	failed   = `200 {"id":"op-1","group":"east","kind":"failover","plan":"p-1","epoch":1,"status":"ended","result":"failed","steps":[],"ledger":{"stages":[],"recovery_ms":0}}`
	goodPlan = `200 {"would":"begin","plan":{"id":"p-1","group":"east","kind":"failover","epoch":1,"steps":[{"connection":"/x/gw1-chicago","gateway":"g","circuit":"chicago","wave":0,"from":{"weight":100},"to":{"weight":201}}]},"verdict":{"action":"move","group":"east","reasons":[]},"explanation":{"answer":"It would fail over."}}`
	heldPlan = `200 {"would":"refuse","plan":{"id":"","group":"","kind":"","epoch":0,"steps":[]},"verdict":{"action":"hold","group":"east","reasons":[]},"explanation":{"answer":"Traffic stays.","guards":[{"code":"kill-switch","asks":"?","answer":"held","text":"set by ben","lift":"lift it"}]}}`
	guarded  = `409 {"type":"urn:erfailover:refused:kill-switch","title":"A guard refused this","status":409,"detail":"set by ben","codes":["kill-switch"],"reasons":[{"code":"kill-switch","asks":"?","answer":"held","lift":"lift the kill switch","overridable":true}]}`
)

// TestExitCodes holds the contract with scripts.
func TestExitCodes(t *testing.T) {
	const order, plan, op = "POST /groups/east/failover", "POST /groups/east/plan", "GET /operations/op-1"
	for _, c := range []struct {
		name    string
		replies map[string][]string
		input   string
		args    []string
		code    int
		want    string
	}{
		{"done", map[string][]string{order: {begun}, op: {applying, proven}}, "", []string{"failover", "east", "--yes"}, 0, "PROVEN"},
		{"no wait", map[string][]string{order: {begun}}, "", []string{"failover", "east", "--yes", "--no-wait"}, 0, "begun op-1"},
		{"failed", map[string][]string{order: {begun}, op: {failed}}, "", []string{"failover", "east", "-y"}, 1, "FAILED"},
		{"refused", map[string][]string{order: {guarded}}, "", []string{"failover", "east", "--yes"}, 3, "--override kill-switch"},
		{"waits", map[string][]string{order: {strings.Replace(begun, `"begun","answer"`, `"waits","answer"`, 1)}}, "", []string{"failover", "east", "--yes"}, 4, "erfailover approve east"},
		{"typed", map[string][]string{plan: {goodPlan}, order: {begun}, op: {proven}}, "east\n", []string{"failover", "east"}, 0, "201"},
		{"typed wrong", map[string][]string{plan: {goodPlan}}, "west\n", []string{"failover", "east"}, 1, "nothing was ordered"},
		{"nobody there", map[string][]string{plan: {goodPlan}}, "", []string{"failover", "east"}, 2, "--yes"},
		{"the plan is held", map[string][]string{plan: {heldPlan}}, "east\n", []string{"failover", "east"}, 3, "set by ben"},
		{"plan held", map[string][]string{plan: {heldPlan}}, "", []string{"plan", "east", "failover"}, 3, "lift it"},
		{"plan", map[string][]string{plan: {goodPlan}}, "", []string{"plan", "east"}, 0, "plan p-1, epoch 1, 1 writes"},
		{"json cannot be asked", nil, "east\n", []string{"failover", "east", "-o", "json"}, 2, "--yes"},
		{"unknown command", nil, "", []string{"statsu"}, 2, "did you mean status?"},
		{"no group", nil, "", []string{"failover"}, 2, "missing"},
		{"unknown flag", nil, "", []string{"failover", "east", "--weight", "5"}, 2, "unknown flag"},
		{"unknown output", nil, "", []string{"status", "-o", "xml"}, 2, "table or json"},
		{"unknown group", nil, "", []string{"explain", "west"}, 2, "nothing at this path"},
		{"a key over http", nil, "", []string{"status", "--url", "http://app.example", "--key", "s3cret"}, 2, "https"},
		{"approve nothing", map[string][]string{"GET /groups/east": {`200 {"name":"east"}`}}, "", []string{"approve", "east", "--yes"}, 3, "nothing waits"},
		{"not ready", map[string][]string{"GET /readiness": {`200 {"ready":false,"groups":[]}`}}, "", []string{"readiness"}, 1, "not every group"},
		{"stop", map[string][]string{"POST /kill": {`200 {"order":"k","state":"done","answer":"done"}`}}, "stop\n", []string{"stop"}, 0, "done"},
		{"evacuate, held in one", map[string][]string{"POST /evacuate": {`200 {"order":"k","state":"done","answer":"a","groups":[{"order":"k","group":"east","state":"begun","answer":"begun","operation":"op-1"},{"order":"k","group":"west","state":"refused","answer":"refused: kill-switch","codes":["kill-switch"]}]}`}}, "", []string{"evacuate", "Ashburn", "--yes"}, 3, "refused in west"},
		{"evacuate, nothing there", map[string][]string{"POST /evacuate": {`200 {"order":"k","state":"done","answer":"a","groups":[{"order":"k","group":"east","state":"refused","answer":"refused: already-there","codes":["already-there"]}]}`}}, "", []string{"evacuate", "Ashburn", "--yes"}, 0, "already-there"},
		{"at a time", map[string][]string{"GET /healthz": {`200 {"status":"ok","at":"2026-01-12T03:00:00Z"}`}, "POST /groups/east/switchover": {planned}}, "", []string{"switchover", "east", "--to", "dallas", "--at", "90m", "-y"}, 0, "kept for 2026-01-12T04:30:00Z"},
		{"at no time", map[string][]string{"GET /healthz": {`200 {"status":"ok","at":"2026-01-12T03:00:00Z"}`}}, "", []string{"switchover", "east", "--at", "soon", "-y"}, 2, "02:00 (the next, UTC)"},
		{"failover at a time", nil, "", []string{"failover", "east", "--at", "90m", "-y"}, 2, "unknown flag"},
		{"cancel what is planned", map[string][]string{"POST /groups/east/cancel": {`200 {"order":"k","group":"east","state":"done","answer":"cancelled s-1"}`}}, "", []string{"cancel", "east", "s-1", "-y"}, 0, "cancelled s-1"},
		{"approve what does not wait", map[string][]string{"GET /groups/east": {waiting}}, "", []string{"approve", "east", "op-8", "-y"}, 3, "nothing waits"},
		{"ack", map[string][]string{"POST /groups/east/acknowledge": {`200 {"order":"k","group":"east","state":"done","answer":"done"}`}}, "east\n", []string{"ack", "east"}, 0, "done"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(t, c.replies)
			code, out, errs := a.run(t, c.input, c.args...)
			if text := out + errs; code != c.code || !strings.Contains(text, c.want) || strings.Contains(text, "s3cret") {
				t.Errorf("got code %d and %s, want %d and %q", code, text, c.code, c.want)
			}
		})
	}
}

// TestApproveNamesWhatWasRead: approve looks up what waits, shows it, and sends its
// operation and plan, so that another plan is never approved by mistake.
func TestApproveNamesWhatWasRead(t *testing.T) {
	a := newAPI(t, map[string][]string{"GET /groups/east": {waiting}, "POST /groups/east/approve": {strings.ReplaceAll(begun, "op-1", "op-7")}, "GET /operations/op-7": {proven}})
	code, out, errs := a.run(t, "east\n", "approve", "east")
	if code != 0 || !strings.Contains(out, "PROVEN") || !strings.Contains(errs, "ordered by ben, waits for approval until 03:20:00Z") {
		t.Errorf("got %d\n%s%s", code, out, errs)
	}
	if sent := a.bodies[1]; !strings.Contains(sent, `"operation":"op-7"`) || !strings.Contains(sent, `"plan":"p-7"`) {
		t.Errorf("got %s", sent)
	}
}

// TestWhen: the time of a planned move is read by the program's clock.
func TestWhen(t *testing.T) {
	now := time.Date(2026, 1, 12, 3, 0, 5, 0, time.UTC)
	for text, want := range map[string]string{
		"2026-01-13T02:00:00Z": "2026-01-13T02:00:00Z", "2026-01-13T02:00:00+01:00": "2026-01-13T01:00:00Z", "04:30": "2026-01-12T04:30:00Z",
		"03:00": "2026-01-13T03:00:00Z", "90m": "2026-01-12T04:30:05Z", "-5m": "", "tomorrow": "", "25:00": "", "": "",
	} {
		at, err := when(text, now)
		if got := at.Format(time.RFC3339); (err == nil) != (want != "") || (err == nil && got != want) {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
}

// TestABadLink: an order over a link that breaks is sent again with the same key,
// and an operation is followed on through trouble.
func TestABadLink(t *testing.T) {
	a := newAPI(t, map[string][]string{
		"POST /groups/east/failover": {"000 ", `503 {"title":"busy","status":503}`, begun}, "GET /operations/op-1": {applying, "000 ", "000 ", `503 {"title":"away","status":503}`, proven},
	})
	code, out, errs := a.run(t, "", "failover", "east", "--yes", "--reason", "loss")
	if code != 0 || !strings.Contains(out, "connection lost") || !strings.Contains(out, "PROVEN") {
		t.Errorf("got code %d\n%s%s", code, out, errs)
	}
	keys := map[string]int{}
	for i, r := range a.got {
		if r.Method == "POST" {
			keys[r.Header.Get("Idempotency-Key")]++
			if !strings.Contains(a.bodies[i], `"reason":"loss"`) || r.Header.Get("X-Erfailover-User") != "ana" {
				t.Errorf("got %s by %q", a.bodies[i], r.Header.Get("X-Erfailover-User"))
			}
		}
	}
	if len(keys) != 1 || keys[""] > 0 {
		t.Errorf("got keys %v, want one for all tries", keys)
	}
}

// TestHostileText: what an event or a name carries cannot move the cursor, hide
// text, turn it around or add a line.
func TestHostileText(t *testing.T) {
	const evil = `ash\u001b[2Jburn\u202e\u0007\u200b\nFAKE LINE`
	a := newAPI(t, map[string][]string{"GET /status": {`200 {"at":"2026-01-12T03:00:00Z","unknown_signals":0,"groups":[{"name":"` + evil + `","mode":"automatic","home":["a"],"active":["` + evil + `"],"verdict":{"action":"hold","group":"","reasons":[]},"circuits":[{"circuit":"` + evil + `"}]}]}`}, "GET /groups/east/explain": {`200 {"group":"` + evil + `","answer":"` + evil + `"}`}})
	for _, args := range [][]string{{"status"}, {"explain", "east"}} {
		code, out, errs := a.run(t, "", args...)
		if code != 0 || strings.ContainsAny(out, "\x1b\u202e\u0007\u200b") || !strings.Contains(out, "ash[2Jburn") {
			t.Errorf("%v: got code %d %q %s", args, code, out, errs)
		}
	}
	_, out, _ := a.run(t, "", "status")
	if strings.Contains(out, "\nFAKE LINE") {
		t.Errorf("a name made a line of its own: %q", out)
	}
}

// TestWatchGoesOn: a watch says that it is stale, and goes on when the program
// answers again.
func TestWatchGoesOn(t *testing.T) {
	good := `200 {"at":"2026-01-12T03:00:00Z","unknown_signals":0,"groups":[{"name":"east","mode":"automatic","home":["ashburn"],"active":["ashburn"],"verdict":{"action":"hold","group":"east","reasons":[]},"circuits":[]}]}`
	a := newAPI(t, map[string][]string{"GET /status": {good, "000 ", "000 ", good}})
	t.Setenv("ERFAILOVER_URL", a.server.URL)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var out syncBuffer
	out.until, out.stop = "answers again", stop
	r := &remote{timeout: 5 * time.Second, output: "table"}
	cl, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := watchStatus(ctx, cl, screen{w: &out}, "", 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "STALE for") || !strings.Contains(text, "answers again") {
		t.Errorf("got %s", text)
	}
}

// syncBuffer ends a test when a text has been written to it.
type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	until string
	stop  func()
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.b.Write(p)
	if strings.Contains(s.b.String(), s.until) {
		s.stop()
	}
	return n, err
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestCardIsKept: the card on disk is written anew when the state changes, whole, and
// stays when the program is gone.
func TestCardIsKept(t *testing.T) {
	one := `200 {"at":"2026-01-12T03:00:00Z","stop":"s","groups":[{"group":"east","active":["ashburn"],"home":["ashburn"],"moves":[],"rest":[]}]}`
	a := newAPI(t, map[string][]string{"GET /card": {one, strings.ReplaceAll(one, `"active":["ashburn"]`, `"active":["chicago"]`), `500 {"title":"gone","status":500}`}})
	t.Setenv("ERFAILOVER_URL", a.server.URL)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	out := syncBuffer{until: "kept", stop: stop}
	r := &remote{timeout: 5 * time.Second, output: "table"}
	cl, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "card.txt")
	if err := keepCard(ctx, cl, screen{w: &out}, name, 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), "traffic on chicago") || strings.Count(out.String(), "card written") != 2 {
		t.Errorf("got %s, %v after %s", text, err, out.String())
	}
}

// TestCompletion: shells complete the names of groups.
func TestCompletion(t *testing.T) {
	a := newAPI(t, map[string][]string{"GET /status": {`200 {"groups":[{"name":"east"},{"name":"west"}]}`}})
	if code, out, _ := a.run(t, "", "__complete", "explain", ""); code != 0 || !strings.HasPrefix(out, "east\nwest\n") {
		t.Errorf("got %d %q", code, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, out, _ := a.run(t, "", "completion", shell); code != 0 || len(out) < 500 {
			t.Errorf("%s: got %d and %d bytes", shell, code, len(out))
		}
	}
}
