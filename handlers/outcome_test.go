package handlers

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/policy"
	"erfailover/failover/record/recordtest"
)

// outcomeOf reads the outcome of an order from a reply, refused or not.
func outcomeOf(t testing.TB, body []byte) (o struct {
	Order, Group, Operation, Plan, Type, Detail, Answer string
	State                                               State
	Codes                                               []string
	Status                                              int
}) {
	t.Helper()
	if err := json.Unmarshal(body, &o, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return o
}

// TestOrdersTellTheirOutcome gives one order after the other to a real engine.
func TestOrdersTellTheirOutcome(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	const group = "/api/v1/groups/east/"
	w := ask(h, "POST", group+"failover", `{"reason":"loss"}`, "Idempotency-Key: k1")
	o := outcomeOf(t, w.Body.Bytes())
	if w.Code != 202 || o.State != Begun || !strings.HasPrefix(o.Operation, "op-") || w.Header().Get("Location") != "/api/v1/operations/"+o.Operation {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if op := ask(h, "GET", w.Header().Get("Location"), ""); op.Code != 200 || !strings.Contains(op.Body.String(), `"status":"applying"`) {
		t.Errorf("got %d %s", op.Code, op.Body)
	}
	again := outcomeOf(t, ask(h, "POST", group+"failover", `{"reason":"loss"}`, "Idempotency-Key: k1").Body.Bytes())
	if again.Operation != o.Operation || again.State != Begun || e.wires.puts != 2 {
		t.Errorf("the same key: got %+v and %d writes, want the same operation and 2", again, e.wires.puts)
	}
	if w := ask(h, "POST", group+"failover", `{"reason":"other"}`, "Idempotency-Key: k1"); w.Code != 422 {
		t.Errorf("the same key for another order: got %d, want 422", w.Code)
	}
	w = ask(h, "POST", group+"switchover", `{"to":"dallas"}`, "Idempotency-Key: k2")
	if r := outcomeOf(t, w.Body.Bytes()); w.Code != 409 || r.Type != "urn:erfailover:refused:operation-running" || r.Operation != o.Operation ||
		w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(r.Detail, o.Operation) {
		t.Errorf("a second order: got %d %s", w.Code, w.Body)
	}
	if st := ask(h, "GET", group+"orders/k2", ""); st.Code != 200 || outcomeOf(t, st.Body.Bytes()).State != Refused {
		t.Errorf("the refused order: got %d %s", st.Code, st.Body)
	}
	for verb, body := range map[string]string{"pause": `{"reason":"night"}`, "resume": `{}`, "acknowledge": `{}`} {
		if w := ask(h, "POST", group+verb, body); w.Code != 200 || outcomeOf(t, w.Body.Bytes()).State != Done {
			t.Errorf("%s: got %d %s", verb, w.Code, w.Body)
		}
	}
	if w := ask(h, "POST", "/api/v1/groups/west/failover", `{}`); w.Code != 404 {
		t.Errorf("an unknown group: got %d", w.Code)
	}
	if w := ask(h, "POST", "/api/v1/kill", `{"reason":"stop"}`); w.Code != 200 {
		t.Errorf("kill: got %d %s", w.Code, w.Body)
	}
	w = ask(h, "POST", group+"switchover", `{"to":"dallas"}`)
	if r := outcomeOf(t, w.Body.Bytes()); w.Code != 409 || r.Type != "urn:erfailover:refused:kill-switch" || len(r.Codes) == 0 {
		t.Errorf("an order under the kill switch: got %d %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", "/api/v1/unkill", `{}`); w.Code != 200 {
		t.Errorf("unkill: got %d %s", w.Code, w.Body)
	}
}

// TestApprovalTellsItsOutcome lets an order wait, refuses its own requester, and
// lets another person approve it.
func TestApprovalTellsItsOutcome(t *testing.T) {
	e := newEstate(t)
	e.rule.Policy.Mode = policy.Approve
	h, eng := e.instance("a")
	e.healthy(eng)
	const group = "/api/v1/groups/east/"
	w := ask(h, "POST", group+"failover", `{}`, "X-Erfailover-User: ana")
	o := outcomeOf(t, w.Body.Bytes())
	if w.Code != 202 || o.State != Waits || o.Operation == "" || e.wires.puts != 0 {
		t.Fatalf("got %d %s and %d writes", w.Code, w.Body, e.wires.puts)
	}
	for _, half := range []string{`{}`, `{"operation":"` + o.Operation + `"}`, `{"plan":"` + o.Plan + `"}`} {
		if w := ask(h, "POST", group+"approve", half, "X-Erfailover-User: ben"); w.Code != 400 || e.wires.puts != 0 {
			t.Errorf("%s: got %d %s and %d writes, want both the operation and the plan to be asked for", half, w.Code, w.Body, e.wires.puts)
		}
	}
	if w := ask(h, "POST", group+"approve", `{"operation":"`+o.Operation+`","plan":"p-other"}`, "X-Erfailover-User: ben"); w.Code != 409 || e.wires.puts != 0 {
		t.Errorf("another plan: got %d %s and %d writes", w.Code, w.Body, e.wires.puts)
	}
	w = ask(h, "POST", group+"approve", `{"operation":"`+o.Operation+`","plan":"`+o.Plan+`"}`, "X-Erfailover-User: ana")
	if r := outcomeOf(t, w.Body.Bytes()); w.Code != 409 || !strings.Contains(r.Detail, "must not be the requester") {
		t.Errorf("the requester approves: got %d %s", w.Code, w.Body)
	}
	w = ask(h, "POST", group+"approve", `{"operation":"`+o.Operation+`","plan":"`+o.Plan+`"}`, "X-Erfailover-User: ben")
	if r := outcomeOf(t, w.Body.Bytes()); w.Code != 202 || r.State != Begun || r.Operation != o.Operation || e.wires.puts != 2 {
		t.Errorf("another approves: got %d %s and %d writes", w.Code, w.Body, e.wires.puts)
	}
}

// TestManyOrdersAtOnce gives 1,000 identical orders with one key, and 100 with keys
// of their own, to two instances at once: one operation, and everyone is told which.
func TestManyOrdersAtOnce(t *testing.T) {
	e := newEstate(t)
	e.limit = Limits{Requests: 64, Burst: 4000, Request: 24 * time.Hour} // none waits too long: a slow machine is not what is looked at
	var hs []http.Handler
	for _, name := range []string{"a", "b"} {
		h, eng := e.instance(name)
		e.healthy(eng)
		hs = append(hs, h)
	}
	e.store.OnEffect(func(recordtest.When, int, recordtest.Op, string) {
		for range 40 { // whoever else wants the document comes in between
			runtime.Gosched()
		}
	})
	type reply struct {
		key, operation, body string
		code                 int
	}
	replies := make([]reply, 1100)
	var wg sync.WaitGroup
	for i := range replies {
		key := "one"
		if i%11 == 10 {
			key = fmt.Sprintf("own-%d", i)
		}
		wg.Go(func() {
			w := ask(hs[i%2], "POST", "/api/v1/groups/east/failover", `{"reason":"loss"}`, "Idempotency-Key: "+key)
			replies[i] = reply{key, outcomeOf(t, w.Body.Bytes()).Operation, w.Body.String(), w.Code}
		})
	}
	wg.Wait()
	operations, begun, refused, same := map[string]int{}, map[string]bool{}, 0, map[int]int{}
	for _, r := range replies {
		operations[r.operation]++
		switch r.code {
		case 202:
			begun[r.key] = true
		case 409:
			refused++
		default:
			t.Errorf("%s: got %d %s", r.key, r.code, r.body)
		}
		if r.key == "one" {
			same[r.code]++
		}
	}
	if len(operations) != 1 || operations[""] > 0 || len(begun) != 1 || e.wires.puts != 2 {
		t.Errorf("got operations %v, begun by %v, %d writes; want one operation that everyone is told, and 2 writes", operations, begun, e.wires.puts)
	}
	if len(same) != 1 || same[202]+same[409] != 1000 {
		t.Errorf("the 1,000 with one key were told %v, want one answer", same)
	}
	t.Logf("1,100 orders: begun by key %v, %d refused, operation %v", begun, refused, operations)
}

// TestScheduledMove: a move for a time to come is kept, shown, told by its key, judged
// at its time, and can be cancelled.
func TestScheduledMove(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	const group = "/api/v1/groups/east"
	later := e.clock.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339)
	body := `{"to":"dallas","reason":"work","not_before":"` + later + `"}`
	o := outcomeOf(t, ask(h, "POST", group+"/switchover", body, "Idempotency-Key: k1").Body.Bytes())
	if o.State != Planned || o.Operation == "" || e.wires.puts != 0 {
		t.Fatalf("got %+v and %d writes", o, e.wires.puts)
	}
	if again := outcomeOf(t, ask(h, "POST", group+"/switchover", body, "Idempotency-Key: k1").Body.Bytes()); again.Operation != o.Operation {
		t.Errorf("the same key: got %+v, want %+v", again, o)
	}
	other := outcomeOf(t, ask(h, "POST", group+"/failback", `{"not_before":"`+later+`"}`, "Idempotency-Key: k2").Body.Bytes())
	if w := ask(h, "GET", group, ""); strings.Count(w.Body.String(), later) != 2 || !strings.Contains(w.Body.String(), o.Operation) {
		t.Errorf("the group does not show them: %s", w.Body)
	}
	if w := ask(h, "POST", group+"/cancel", `{"operation":"`+other.Operation+`"}`); w.Code != 200 {
		t.Errorf("cancel: got %d %s", w.Code, w.Body)
	}
	if got := outcomeOf(t, ask(h, "GET", group+"/orders/k2", "").Body.Bytes()); got.State != Done || !strings.Contains(got.Answer, "cancelled") {
		t.Errorf("the cancelled one: got %+v", got)
	}
	e.clock.ns.Add(int64(10 * time.Minute))
	e.healthy(eng)
	if err := eng.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := outcomeOf(t, ask(h, "GET", group+"/orders/k1", "").Body.Bytes()); got.State != Begun || !strings.HasPrefix(got.Operation, "op-") || e.wires.puts == 0 {
		t.Errorf("at its time: got %+v and %d writes", got, e.wires.puts)
	}
	for verb, bad := range map[string]string{
		"failover": `{"not_before":"` + later + `"}`, "pause": `{"not_before":"` + later + `"}`, "approve": `{"operation":"o","plan":"p","not_before":"` + later + `"}`,
		"switchover": `{"not_before":"2020-01-01T00:00:00Z"}`, "drill": `{"not_before":"2026-03-01T00:00:00Z","until":"2026-02-28T00:00:00Z"}`, "failback": `{"not_before":"2030-01-01T00:00:00Z"}`,
	} {
		if w := ask(h, "POST", group+"/"+verb, bad); w.Code != 400 {
			t.Errorf("%s %s: got %d %s", verb, bad, w.Code, w.Body)
		}
	}
}

// TestPlanIsTheRealPlan: the dry run gives the ID that the real run has, and writes
// nothing.
func TestPlanIsTheRealPlan(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	before := e.store.Effects()
	w := ask(h, "POST", "/api/v1/groups/east/plan", `{"verb":"failover"}`)
	var p struct {
		Would string
		Plan  struct{ ID string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p, json.MatchCaseInsensitiveNames(true)); err != nil || w.Code != 200 || p.Would != "begin" || p.Plan.ID == "" {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if e.store.Effects() != before || e.wires.puts != 0 {
		t.Errorf("a dry run saved %d times and wrote %d times", e.store.Effects()-before, e.wires.puts)
	}
	o := outcomeOf(t, ask(h, "POST", "/api/v1/groups/east/failover", `{}`).Body.Bytes())
	if op := ask(h, "GET", "/api/v1/operations/"+o.Operation, ""); !strings.Contains(op.Body.String(), `"plan":"`+p.Plan.ID+`"`) {
		t.Errorf("got %s, want plan %s", op.Body, p.Plan.ID)
	}
	if w := ask(h, "POST", "/api/v1/groups/east/plan", `{"verb":"failback"}`); !strings.Contains(w.Body.String(), `"would":"refuse"`) {
		t.Errorf("a plan that a guard holds: got %s", w.Body)
	}
	if w := ask(h, "POST", "/api/v1/groups/east/plan", `{"verb":"pause"}`); w.Code != 400 {
		t.Errorf("a plan for pause: got %d", w.Code)
	}
}

// TestETagsAndPages: a client that has the answer is told so, and lists come in
// pages.
func TestETagsAndPages(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	for _, path := range []string{"status", "circuits", "groups/east", "journal?stream=group.east", "openapi.json"} {
		tag := ask(h, "GET", "/api/v1/"+path, "").Header().Get("ETag")
		if w := ask(h, "GET", "/api/v1/"+path, "", "If-None-Match: "+tag); tag == "" || w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s: tag %q, got %d with %d bytes", path, tag, w.Code, w.Body.Len())
		}
	}
	e.say(eng, events.Down, []string{"ashburn"}, events.Probe)
	var names []string
	for after, turns := "", 0; turns < 10; turns++ {
		var page struct {
			Items []struct{ Name string }
			Next  string
		}
		if err := json.Unmarshal(ask(h, "GET", "/api/v1/circuits?limit=2&after="+after, "").Body.Bytes(), &page, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Items {
			names = append(names, c.Name)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if strings.Join(names, " ") != "ashburn chicago dallas" {
		t.Errorf("got %v in pages", names)
	}
	seen := uint64(0)
	for before := uint64(0); ; {
		var p Page
		if err := json.Unmarshal(ask(h, "GET", fmt.Sprintf("/api/v1/journal?stream=circuit.ashburn&limit=1%s", map[bool]string{true: fmt.Sprintf("&before=%d", before)}[before > 0]), "").Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		seen += uint64(len(p.Entries))
		if before = p.Next; before == 0 {
			if seen != p.Newest || seen < 2 {
				t.Errorf("got %d entries of %d in pages", seen, p.Newest)
			}
			break
		}
	}
	for path, want := range map[string]int{"journal?stream=group.west": 404, "journal?stream=estate.x": 404, "journal?limit=0": 400, "journal?before=x": 400, "circuits?limit=9999": 400, "operations?group=west": 404, "operations/..%2fx": 404, "groups/west/explain": 404} {
		if w := ask(h, "GET", "/api/v1/"+path, ""); w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
}

// TestRatesAreBounded: one caller cannot take the place of the others.
func TestRatesAreBounded(t *testing.T) {
	e := newEstate(t)
	e.limit = Limits{Rate: 1, Burst: 3}
	h, _ := e.instance("a")
	codes := map[int]int{}
	for range 5 {
		w := ask(h, "GET", "/api/v1/operations", "", "X-Erfailover-User: loud")
		if codes[w.Code]++; w.Code == 429 && w.Header().Get("Retry-After") != "1" {
			t.Errorf("got Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
	if codes[200] != 3 || codes[429] != 2 {
		t.Errorf("got %v, want 3 answers and 2 refusals", codes)
	}
	if w := ask(h, "GET", "/api/v1/operations", "", "X-Erfailover-User: quiet"); w.Code != 200 {
		t.Errorf("another caller: got %d", w.Code)
	}
	e.clock.ns.Add(int64(2 * time.Second))
	if w := ask(h, "GET", "/api/v1/operations", "", "X-Erfailover-User: loud"); w.Code != 200 {
		t.Errorf("after a rest: got %d", w.Code)
	}
}
