package handlers

import (
	"bytes"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"erfailover/events"
	"erfailover/failover/policy"
)

// rewrite writes openapi.json anew instead of comparing it.
var rewrite = flag.Bool("rewrite", false, "write openapi.json from the route table")

// document reads the OpenAPI document that is served.
func document(t *testing.T) object {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	return v.(object)
}

// operations calls f for every operation of the document.
func operations(t *testing.T, f func(method, path string, op object)) {
	t.Helper()
	paths := document(t)["paths"].(object)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		for _, m := range slices.Sorted(maps.Keys(paths[p].(object))) {
			f(strings.ToUpper(m), p, paths[p].(object)[m].(object))
		}
	}
}

// TestOpenAPIIsWrittenFromTheRoutes compares the served document with what the
// route table and the Go types say.
func TestOpenAPIIsWrittenFromTheRoutes(t *testing.T) {
	want := makeOpenAPI(t, (&server{}).routes())
	if *rewrite {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(openAPI, want) {
		t.Fatal("openapi.json is not what the routes and types say: run go test ./handlers -run OpenAPIIsWritten -rewrite, and read the difference")
	}
}

// TestOpenAPIAgreesWithTheMux asks the real handler: what the document names is
// there and asks who calls, other methods are not, and every route is named.
func TestOpenAPIAgreesWithTheMux(t *testing.T) {
	e := newEstate(t)
	e.auth = Auth{} // closed: only the way to the door is looked at
	h, _ := e.instance("a")
	named := map[string]bool{}
	operations(t, func(method, path string, op object) {
		named[method+" "+path] = true
		want := 403
		if op["x-role"] == nil && op["x-proof"] == nil {
			want = 200
		}
		target := strings.NewReplacer("{group}", "east", "{id}", "op-1", "{order}", "k").Replace(path)
		if w := ask(h, method, target, ""); w.Code != want {
			t.Errorf("%s %s: got %d, want %d", method, path, w.Code, want)
		}
		paths := document(t)["paths"].(object)[path].(object)
		allow := strings.ToUpper(strings.Join(slices.Sorted(maps.Keys(paths)), ", "))
		for _, other := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			if paths[strings.ToLower(other)] == nil {
				if w := ask(h, other, target, ""); w.Code != 405 || w.Header().Get("Allow") != allow {
					t.Errorf("%s %s: got %d and Allow %q, want 405 and %s", other, path, w.Code, w.Header().Get("Allow"), allow)
				}
			}
		}
	})
	for _, rt := range (&server{}).routes() {
		if !named[rt.method+" "+base+rt.path] {
			t.Errorf("%s %s is served and not in the document", rt.method, rt.path)
		}
		delete(named, rt.method+" "+base+rt.path)
	}
	for name := range named {
		t.Errorf("%s is in the document and not served", name)
	}
	if w := ask(h, "GET", "/api/v1/nothing", ""); w.Code != 404 {
		t.Errorf("an unknown path: got %d", w.Code)
	}
}

// checker validates replies against the document.
type checker struct {
	t        *testing.T
	h        http.Handler
	compiler *jsonschema.Compiler
	sent     int
	seen     map[string]bool // operations that gave a valid success
}

func newChecker(t *testing.T, h http.Handler) *checker {
	c := &checker{t: t, h: h, compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", any(document(t))); err != nil {
		t.Fatal(err)
	}
	return c
}

// check sends a request and validates what comes back.
func (c *checker) check(method, target, body string, want int) *httptest.ResponseRecorder {
	c.t.Helper()
	c.sent++
	w := ask(c.h, method, target, body, "Idempotency-Key: k-"+strconv.Itoa(c.sent))
	if w.Code != want {
		c.t.Errorf("%s %s: got %d %s, want %d", method, target, w.Code, w.Body, want)
		return w
	}
	path := c.pathOf(method, strings.SplitN(target, "?", 2)[0])
	media := strings.SplitN(w.Header().Get("Content-Type"), ";", 2)[0]
	ref := "#/components/responses/Problem/content/application~1problem+json/schema"
	if w.Code < 400 {
		ref = "#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method) + "/responses/" + strconv.Itoa(w.Code) + "/content/" + strings.ReplaceAll(media, "/", "~1") + "/schema"
	} else if media != "application/problem+json" {
		c.t.Errorf("%s %s: a problem in %s", method, target, media)
	}
	schema, err := c.compiler.Compile("openapi.json" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(ref))
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
	var v any = w.Body.String()
	if strings.HasSuffix(media, "json") {
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes())); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := schema.Validate(v); err != nil {
		c.t.Errorf("%s %s: the reply is not what the document says: %v\n%s", method, target, err, w.Body)
	}
	if w.Code < 400 {
		c.seen[method+" "+path] = true
	}
	return w
}

// pathOf finds the template of a path.
func (c *checker) pathOf(method, target string) string {
	got := strings.Split(target, "/")
	found := ""
	operations(c.t, func(m, path string, _ object) {
		parts := strings.Split(path, "/")
		if m != method || len(parts) != len(got) {
			return
		}
		for i := range parts {
			if parts[i] != got[i] && !strings.HasPrefix(parts[i], "{") {
				return
			}
		}
		if found == "" || !strings.Contains(path, "{") {
			found = path
		}
	})
	return found
}

// TestRepliesAreWhatTheDocumentSays walks through a night: quiet, an outage, an
// order, an approval, a way back. Every operation of the document is used.
func TestRepliesAreWhatTheDocumentSays(t *testing.T) {
	e := newEstate(t)
	e.rule.Policy.Mode = policy.Approve
	h, eng := e.instance("a")
	c := newChecker(t, h)
	reads := func() {
		for _, p := range []string{"healthz", "readyz", "openapi.json", "metrics", "status", "readiness", "card", "groups", "groups/east", "groups/east/explain",
			"circuits", "gateways", "operations", "operations?group=east", "statistics", "shadow", "alarms", "journal", "journal?stream=group.east", "journal?stream=circuit.ashburn"} {
			c.check("GET", "/api/v1/"+p, "", 200)
		}
	}
	reads() // nothing is known yet
	drillDocument(c)
	e.healthy(eng)
	reads()
	e.say(eng, events.Down, []string{"ashburn"}, events.Metric)
	reads() // suspect: the guards hold
	for _, verb := range []string{"failover", "switchover", "failback"} {
		c.check("POST", "/api/v1/groups/east/plan", `{"verb":"`+verb+`"}`, 200)
	}
	c.check("POST", "/api/v1/groups/east/plan", `{}`, 200)
	c.check("POST", "/api/v1/groups/east/plan", `{"verb":"evacuate"}`, 400)
	c.check("POST", "/api/v1/groups/east/plan", `{"verb":"evacuate","from":"Location 0"}`, 200)
	for _, path := range []string{"/api/v1/evacuate", "/api/v1/groups/east/evacuate"} {
		if w := c.check("POST", path, `{"from":"Locaton 0"}`, 400); !strings.Contains(w.Body.String(), "Location 0, Location 1") {
			t.Errorf("%s: a misspelt place got %s", path, w.Body)
		}
	}
	waits := outcomeOf(t, c.check("POST", "/api/v1/groups/east/failover", `{"to":"dallas","reason":"loss"}`, 202).Body.Bytes())
	reads() // an operation waits
	c.check("GET", "/api/v1/operations/"+waits.Operation, "", 200)
	c.check("POST", "/api/v1/groups/east/cancel", `{"operation":"`+waits.Operation+`"}`, 200)
	second := outcomeOf(t, c.check("POST", "/api/v1/groups/east/failover", `{"reason":"loss"}`, 202).Body.Bytes())
	other := ask(h, "POST", "/api/v1/groups/east/approve", `{"operation":"`+second.Operation+`","plan":"`+second.Plan+`"}`, "X-Erfailover-User: ben", "Idempotency-Key: ok")
	if other.Code != 202 {
		t.Fatalf("approve: got %d %s", other.Code, other.Body)
	}
	c.seen["POST /api/v1/groups/{group}/approve"] = true
	c.check("GET", "/api/v1/groups/east/orders/ok", "", 200)
	reads() // writes run
	c.check("POST", "/api/v1/groups/east/failback", `{}`, 409)
	for range 8 {
		e.clock.ns.Add(int64(15 * time.Second))
		e.healthy(eng)
		if err := eng.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reads() // on the standby
	c.check("GET", "/api/v1/operations/"+second.Operation, "", 200)
	c.check("POST", "/api/v1/groups/east/failback", `{"overrides":["hold-up"],"reason":"home is back"}`, 202)
	c.check("POST", "/api/v1/groups/east/switchover", `{"to":"dallas"}`, 409)
	for _, verb := range []string{"pause", "resume", "acknowledge"} {
		c.check("POST", "/api/v1/groups/east/"+verb, `{"reason":"night"}`, 200)
	}
	c.check("POST", "/api/v1/groups/east/failback", `{"not_before":"`+e.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"}`, 202)
	c.check("POST", "/api/v1/kill", `{}`, 200)
	reads()
	c.check("POST", "/api/v1/unkill", `{}`, 200)
	c.check("POST", "/api/v1/signals", `{"nonsense":true}`, 422)
	c.check("GET", "/api/v1/groups/west", "", 404)
	for _, also := range []string{"POST /api/v1/groups/{group}/switchover", "POST /api/v1/groups/{group}/drill", "POST /api/v1/evacuate", "POST /api/v1/groups/{group}/evacuate", "POST /api/v1/signals"} {
		c.seen[also] = c.seen[also] || c.also(e, also)
	}
	operations(t, func(method, path string, _ object) {
		if !c.seen[method+" "+path] {
			t.Errorf("%s %s: no success was seen", method, path)
		}
	})
}

// also gives the few orders that need an estate of their own.
func (c *checker) also(_ *estate, name string) bool {
	fresh := newEstate(c.t)
	h, eng := fresh.instance("b")
	fresh.healthy(eng)
	one := newChecker(c.t, h)
	switch {
	case strings.HasSuffix(name, "switchover"):
		one.check("POST", "/api/v1/groups/east/switchover", `{"to":"dallas","make_home":true}`, 202)
	case strings.HasSuffix(name, "drill"):
		one.check("POST", "/api/v1/groups/east/drill", `{"reason":"quarterly"}`, 202)
	case strings.HasSuffix(name, "{group}/evacuate"):
		one.check("POST", "/api/v1/groups/east/evacuate", `{"from":"Location 0"}`, 202)
	case strings.HasSuffix(name, "evacuate"):
		one.check("POST", "/api/v1/evacuate", `{"from":"provider 0","reason":"their core is down"}`, 202)
	case strings.HasSuffix(name, "signals"):
		body, err := json.Marshal(object{"erfailover": "v1", "source": "monitor", "resource": fresh.facts.Circuits[0].ID, "state": "down", "at": fresh.clock.Now()})
		if err != nil {
			c.t.Fatal(err)
		}
		one.check("POST", "/api/v1/signals", string(body), 202)
	}
	return one.seen[name]
}
