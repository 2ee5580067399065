package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/boltstore"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// reported is a record with one ended failover: a folder with its configuration.
func reported(t *testing.T) (dir, cfg string, op record.Operation, entries []record.Entry) {
	t.Helper()
	dir = t.TempDir()
	cfg = filepath.Join(dir, "erfailover.yaml")
	const sub = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/"
	text := "version: 1\nazure: {identity: managed}\nrecord: {bolt: " + filepath.Join(dir, "record.db") + "}\n" +
		"circuits:\n  ashburn: {id: " + sub + "expressRouteCircuits/er-ashburn, site: dc1}\n  chicago: {id: " + sub + "expressRouteCircuits/er-chicago, site: dc2}\n" +
		"groups:\n  east: {mode: automatic, objective: 5m, gateways: [" + sub + "virtualNetworkGateways/gw1], preference: [ashburn, chicago]}\n"
	at := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	step := planner.Step{Connection: "/x/connections/gw1-chicago", Gateway: "/x/gw1", Circuit: "chicago", From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: 201, Epoch: "1"}}
	op = record.Operation{
		ID: "op-0000000000000001", Kind: policy.KindFailover, Group: "east", Status: record.Ended, Result: record.Proven, Symmetry: record.Unproven,
		Plan:   planner.Plan{ID: "p-1", Group: "east", Kind: policy.KindFailover, Epoch: 1, From: []string{"ashburn"}, To: []string{"chicago"}, Steps: []planner.Step{step}},
		Steps:  []executor.StepState{{Step: step, Phase: executor.Done, Attempts: 1, Token: "SECRET-TOKEN", BegunAt: at.Add(32 * time.Second), DoneAt: at.Add(time.Minute), Correlation: "c-1"}},
		Stamps: record.Stamps{Signal: at, Decide: at.Add(31 * time.Second), Apply: at.Add(time.Minute), Converge: at.Add(70 * time.Second), Verify: at.Add(75 * time.Second), End: at.Add(75 * time.Second)},
	}
	entry := func(code string, after time.Duration, fields map[string]string) record.Entry {
		return record.Entry{Code: code, At: at.Add(after), Group: "east", Operation: op.ID, Plan: "p-1", Epoch: 1, Text: code, Fields: fields}
	}
	g := record.Group{Schema: record.Schema, Name: "east"}
	g.Add("group.east",
		entry("operation.decided", 31*time.Second, map[string]string{"writes": "1"}),
		entry("step.ended", time.Minute, map[string]string{"connection": step.Connection, "from": "100", "to": "201", "attempts": "1", "correlation": "c-1"}),
		entry("operation.applied", time.Minute, nil), entry("operation.converged", 70*time.Second, nil),
		entry("operation.ended", 75*time.Second, map[string]string{"result": "proven", "symmetry": "unproven"}))
	entries = g.Pending
	store, err := boltstore.Open(filepath.Join(dir, "record.db"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := record.Rows(entries)
	if err == nil {
		err = store.Append(t.Context(), "group.east", rows[:3]) // two have not reached the journal yet
	}
	for key, v := range map[string]any{record.GroupKey("east"): g, record.OperationKey(op.ID): struct {
		Schema    int              `json:"schema"`
		Operation record.Operation `json:"operation"`
	}{record.Schema, op}} {
		body, err1 := json.Marshal(v, json.Deterministic(true))
		if err == nil {
			err = err1
		}
		if err == nil {
			_, err = store.Save(t.Context(), record.Document{Key: key, Nonce: "n", Body: body})
		}
	}
	for _, err := range []error{err, store.Close(), os.WriteFile(cfg, []byte(text), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, cfg, op, entries
}

// run runs the command and returns its exit code and what it wrote.
func runReport(t *testing.T, args ...string) (int, string) {
	t.Helper()
	c := reportCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	if err := c.ExecuteContext(t.Context()); err != nil {
		return exitCode(err), out.String() + err.Error()
	}
	return exitDone, out.String()
}

func TestReport(t *testing.T) {
	dir, cfg, op, _ := reported(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	for name, want := range map[string]string{"r.html": "<!DOCTYPE html>", "r.md": "# Failover of east: proven", "r.json": `"schema": 1`} {
		if code, text := runReport(t, op.ID, "--config", cfg, "--out", file(name)); code != exitDone || !strings.Contains(text, "5 journal entries") {
			t.Fatalf("%s: exit %d, %s", name, code, text)
		}
		body, err := os.ReadFile(file(name))
		if err != nil || !strings.Contains(string(body), want) || strings.Contains(string(body), "SECRET") {
			t.Errorf("%s (%v): want %q in\n%s", name, err, want, body)
		}
	}
	if code, text := runReport(t, "verify", file("r.json"), "--config", cfg); code != exitDone || !strings.Contains(text, "holds") {
		t.Errorf("verify: exit %d, %s", code, text)
	}
	body, err := os.ReadFile(file("r.json"))
	if err == nil {
		err = os.WriteFile(file("bad.json"), bytes.Replace(body, []byte(`"proven"`), []byte(`"failed"`), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"verify", file("bad.json"), "--config", cfg}, exitFailed, `operation.result: the report says "failed", the record says "proven"`},
		{[]string{"verify", file("r.html"), "--config", cfg}, exitFailed, "read report"},
		{[]string{"verify", file("none.json"), "--config", cfg}, exitFailed, "no such file"},
		{[]string{"op-9", "--config", cfg}, exitFailed, "find the operation"},
		{[]string{"../x", "--config", cfg}, exitFailed, "find the operation"},
		{[]string{op.ID, "--config", cfg, "--format", "pdf"}, exitUsage, "want html, markdown or json"},
		{nil, exitUsage, "missing"},
	} {
		if code, text := runReport(t, c.args...); code != c.code || !strings.Contains(text, c.want) {
			t.Errorf("%q: exit %d, want %d with %q in\n%s", c.args, code, c.code, c.want, text)
		}
	}
}

// TestReportOverTheAPI asks a program that answers in pages, and holds its report
// against the record.
func TestReportOverTheAPI(t *testing.T) {
	dir, cfg, op, entries := reported(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v any
		switch {
		case r.URL.Path == "/api/v1/operations/"+op.ID:
			v = report.MakeOperation(op, 5*time.Minute)
		case r.URL.Path == "/api/v1/journal" && r.URL.Query().Get("stream") == "group.east":
			at := len(entries)
			if text := r.URL.Query().Get("before"); text != "" {
				n, _ := strconv.Atoi(text)
				at = n - 1
			}
			page := handlers.Page{Stream: "group.east", Newest: uint64(len(entries))}
			for ; at > 0 && len(page.Entries) < 2; at-- {
				page.Entries = append(page.Entries, entries[at-1])
			}
			if at > 0 {
				page.Next = uint64(at + 1)
			}
			v = page
		default:
			w.WriteHeader(http.StatusNotFound)
			v = map[string]any{"title": "nothing here", "status": 404}
		}
		if err := json.MarshalWrite(w, v); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	name := filepath.Join(dir, "api.json")
	if code, text := runReport(t, op.ID, "--url", srv.URL, "--out", name); code != exitDone || !strings.Contains(text, "5 journal entries") {
		t.Fatalf("exit %d, %s", code, text)
	}
	for _, from := range [][]string{{"--url", srv.URL}, {"--config", cfg}} {
		if code, text := runReport(t, append([]string{"verify", name}, from...)...); code != exitDone || !strings.Contains(text, "holds") {
			t.Errorf("%q: exit %d, %s", from, code, text)
		}
	}
	t.Setenv("ERFAILOVER_CONFIG", "") // nothing is named: the program that every other command asks
	t.Setenv("ERFAILOVER_URL", srv.URL)
	if code, text := runReport(t, op.ID, "--out", name); code != exitDone || !strings.Contains(text, "5 journal entries") {
		t.Errorf("exit %d, %s", code, text)
	}
	if code, text := runReport(t, "op-9", "--url", srv.URL); code != exitFailed || !strings.Contains(text, "find the operation") {
		t.Errorf("exit %d, %s", code, text)
	}
}
