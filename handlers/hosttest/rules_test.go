package hosttest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// TestJudge: what the host makes of a reply.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
		want       string // "" is success
	}{
		{200, "application/json", `{}`, ""},
		{201, "application/json; charset=utf-8", `{"outputs":null,"LOGS":["a",1],"more":1}`, ""},
		{200, "text/json", `{"Logs":null}`, ""},
		{200, "application/json", ``, "hanging"},
		{204, "", ``, "hanging"},
		{200, "application/json", ` null `, "hanging"},
		{200, "text/plain; charset=utf-8", `{}`, "no formatter"},
		{200, "application/json", `[]`, "not a JSON object"},
		{200, "application/json", `"ok"`, "not a JSON object"},
		{200, "application/json", `{`, "not a JSON object"},
		{200, "application/json", `{"Logs":[{}]}`, "item of Logs"},
		{500, "application/json", `{}`, "status 500"},
		{404, "application/json", `{}`, "status 404"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{c.kind}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		_, err := (&Host{}).judge(http.Get(srv.URL))
		srv.Close()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s %q: got %v, want %q", c.status, c.kind, c.body, err, c.want)
		}
		if (c.want == "hanging") != errors.Is(err, ErrHang) {
			t.Errorf("%q: got %v", c.body, err)
		}
	}
}

// TestValue: the five rules, in their order.
func TestValue(t *testing.T) {
	at := time.Date(2026, 2, 11, 3, 4, 5, 999, time.UTC)
	for _, c := range []struct {
		in   any
		want string
	}{
		{[]byte("\xff\x00"), `"/wA="`},
		{at, `"2026-02-11T03:04:05"`},
		{at.In(time.FixedZone("", 7200)), `"2026-02-11T05:04:05+02:00"`},
		{map[string]any{"a": 1}, `{"a":1}`},
		{"abc", `"\"abc\""`}, {5, `"5"`}, {true, `"true"`}, {[]string{"a"}, `"[\"a\"]"`},
		{[]any{[]byte{0xff}}, `"[\"/w==\"]"`}, {"<&>", `"\"<&>\""`},
	} {
		if got := string(value(c.in)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.in, got, c.want)
		}
	}
	meta := metadata("F", at, map[string]any{"TimerTrigger": 1, "mytrigger": 1, "Null": nil, "N": 1})
	if len(meta) != 2 || string(meta["N"]) != `"1"` || meta["sys"].Kind() != '{' {
		t.Errorf("got metadata %v, want N and sys", meta)
	}
}

func TestHubEnvelopes(t *testing.T) {
	batch := []hubEvent{{body: []byte(`{"a":1}`), sequence: 41}, {body: []byte(`"x"`), sequence: 42}}
	for _, c := range []struct{ cardinality, dataType, want string }{
		{"many", "binary", `"[\"eyJhIjoxfQ==\",\"Ingi\"]"`},
		{"many", "string", `"[\"{\\\"a\\\":1}\",\"\\\"x\\\"\"]"`},
		{"many", "", `"[{\"a\":1},\"x\"]"`},
		{"one", "binary", `"eyJhIjoxfQ=="`},
		{"", "string", `"\"{\\\"a\\\":1}\""`},
	} {
		f := function{name: "F", trigger: binding{Name: "e", Cardinality: c.cardinality, DataType: c.dataType}}
		env := hubEnvelope(f, "3", batch, time.Unix(0, 0))
		if got := string(env.Data["e"]); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.cardinality, c.dataType, got, c.want)
		}
		if c.cardinality == "many" && string(env.Metadata["SequenceNumberArray"]) != `"[41,42]"` {
			t.Errorf("got sequences %s", env.Metadata["SequenceNumberArray"])
		}
		if !jsontext.Value(text(env)).IsValid() {
			t.Error("the envelope is not JSON")
		}
	}
}

func TestRetryDelay(t *testing.T) {
	n := 5
	p := retryPolicy{MaxRetryCount: &n, MinimumInterval: "00:00:02", MaximumInterval: "00:00:10"}
	for retry, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 3: 6 * time.Second, 4: 10 * time.Second, 90: 10 * time.Second} {
		got, err := p.delay(retry, 0.5)
		if retry == 2 {
			want = 2*time.Second + 2*time.Second
		}
		if err != nil || got != want {
			t.Errorf("retry %d: got %v (%v), want %v", retry, got, err, want)
		}
	}
	for _, p := range []retryPolicy{{}, {MaxRetryCount: &n}, {MaxRetryCount: &n, Strategy: "fixedDelay"}, {MaxRetryCount: &n, Strategy: "never"}} {
		if p.check() == nil {
			t.Errorf("%+v is accepted", p)
		}
	}
}

func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		template, path string
		want           bool
	}{
		{"api/{*path}", "api/a/b", true}, {"api/{*path}", "api", true}, {"api/{*path}", "apiary", false},
		{"api/x/{id}", "api/x/1", true}, {"api/x/{id}", "api/x", false}, {"api/x/{id?}", "API/X", true}, {"api/x", "api/x/y", false},
	} {
		if got := routeFits(c.template, c.path); got != c.want {
			t.Errorf("%s with %s: got %v", c.template, c.path, got)
		}
	}
}

func TestSchedules(t *testing.T) {
	at := time.Date(2026, 2, 11, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]string{"*/15 * * * * *": "03:04:15", "0 * * * * *": "03:05:00", "*/10 * * * *": "03:10:00", "00:00:07": "03:04:12"} {
		s, err := parseSchedule(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Next(at).Format("15:04:05"); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "00:00:00", "every minute"} {
		if _, err := parseSchedule(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestLoadApp: the host reads folders one level down, and never the root's own
// function.json.
func TestLoadApp(t *testing.T) {
	const timer = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"%WHEN%"}]}`
	dir := t.TempDir()
	put := func(name, body string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(body), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	settings := map[string]string{"WHEN": "0 * * * * *"}
	load := func() (app, error) { return loadApp(dir, func(k string) string { return settings[k] }) }
	put("host.json", `{"customHandler":{"description":{"defaultExecutablePath":"x"}}}`)
	put("function.json", timer)
	put("deep/er/function.json", timer)
	if _, err := load(); err == nil || !strings.Contains(err.Error(), "no function was found") {
		t.Fatalf("got %v, want no function", err)
	}
	put("Beta/function.json", timer)
	put("alpha/function.json", timer)
	a, err := load()
	if err != nil || len(a.functions) != 2 || a.functions[0].name != "alpha" || a.functions[0].trigger.Schedule != "0 * * * * *" {
		t.Fatalf("got %+v (%v), want alpha and Beta with the schedule", a.functions, err)
	}
	settings["AzureWebJobs.Beta.Disabled"] = "true"
	if a, err = load(); err != nil || len(a.functions) != 1 {
		t.Fatalf("got %d functions (%v), want Beta off", len(a.functions), err)
	}
	delete(settings, "WHEN")
	if _, err = load(); err == nil || !strings.Contains(err.Error(), "%WHEN%") {
		t.Errorf("got %v, want the missing setting named", err)
	}
	put("Gamma/function.json", `{"bindings":[{"type":"eventHubTrigger","name":"e","connection":"Hub"}]}`)
	if _, err = load(); err == nil {
		t.Error("a hub without its connection is accepted")
	}
}
