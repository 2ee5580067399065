package failover

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

var keepRecord = flag.Bool("keep-record", false, "write the record of the running story to record/testdata, as this version's")

// kept is the record of a story at one instant, as one version of the program wrote
// it. Files of older versions stay: they are what an upgrade meets.
type kept struct {
	Name      string                      `json:"name"` // kind, status and phases of the running operation
	Documents map[string]jsontext.Value   `json:"documents"`
	Rows      map[string][]jsontext.Value `json:"rows"`
}

// keptFiles are the records of every schema that was ever released, oldest first.
func keptFiles() []string { return []string{"record/testdata/upgrade/schema-1.json"} }

// where names the state of the running operation; "" when none runs.
func where(t testing.TB, store *recordtest.Memory) string {
	doc, err := store.Load(context.Background(), record.GroupKey("east"))
	if errors.Is(err, fault.NotFound) {
		return ""
	}
	var g record.Group
	if err == nil {
		err = record.Decode(doc.Key, doc.Body, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	if g.Operation == nil {
		return ""
	}
	phases := map[executor.Phase]bool{}
	for _, s := range g.Operation.Steps {
		phases[s.Phase] = true
	}
	return fmt.Sprint(g.Operation.Kind, " ", g.Operation.Status, " ", slices.Sorted(maps.Keys(phases)))
}

// interrupted tells the story and ends the process at the first save after which the
// operation stands as named. swap may change the record before the next process.
func interrupted(t *testing.T, at string, swap func(*scene)) *scene {
	t.Helper()
	s := newStory(t)
	died := false
	s.store.OnEffect(func(w recordtest.When, _ int, op recordtest.Op, key string) {
		if !died && w == recordtest.After && op == recordtest.Save && key == record.GroupKey("east") && where(t, s.store) == at {
			died = true
			swap(s)
			panic(crash{})
		}
	})
	s.story(t, map[string]bool{})
	if !died {
		t.Errorf("the story never comes to %q", at)
	}
	return s
}

// whole checks that a story ended as the undisturbed one.
func (s *scene) whole(t *testing.T, what string) {
	t.Helper()
	if got, want := s.weights(), "gw1: ashburn 200 chicago 100 dallas 50\ngw2: ashburn 200 chicago 100 dallas 50\n"; got != want {
		t.Errorf("%s: the weights are\n%s", what, got)
	}
	for id, n := range s.azure.puts {
		if n != 2 && !strings.HasSuffix(id, "dallas") { // the raise and the rest
			t.Errorf("%s: %d writes of %s, want 2", what, n, short(id))
		}
	}
	s.verify(t, what)
}

// put replaces the record by a kept one, its documents changed by edit.
func (k kept) put(t testing.TB, s *scene, edit func(key string, body []byte) []byte) {
	m := recordtest.NewMemory()
	for key, body := range k.Documents {
		if _, err := m.Save(context.Background(), record.Document{Key: key, Nonce: "kept", Body: edit(key, body)}); err != nil {
			t.Fatal(err)
		}
	}
	for stream, bodies := range k.Rows {
		var rows []record.Row
		for i, b := range bodies {
			rows = append(rows, record.Row{Seq: uint64(i + 1), Body: b})
		}
		if err := m.Append(context.Background(), stream, rows); err != nil {
			t.Fatal(err)
		}
	}
	s.store.Restore(m)
}

// TestUpgrade: an older version began an operation, and was replaced by this one at
// any of its states. What is stored is the older version's own record, byte for byte
// as it was committed. The operation ends as if nothing had happened.
func TestUpgrade(t *testing.T) {
	if *keepRecord {
		keepStory(t, keptFiles()[len(keptFiles())-1])
	}
	for _, file := range keptFiles() {
		for _, k := range some(readKept(t, file), 0) {
			s := interrupted(t, k.Name, func(s *scene) { k.put(t, s, asKept) })
			s.whole(t, file+": "+k.Name)
		}
	}
}

// TestDowngrade: a newer version of the same schema began an operation, with fields
// that this version does not know, and this version ends it. What it does not know is
// still there afterwards: it belongs to the newer version, which may come back.
func TestDowngrade(t *testing.T) {
	file := keptFiles()[len(keptFiles())-1]
	for _, k := range some(readKept(t, file), 1) {
		s := interrupted(t, k.Name, func(s *scene) { k.put(t, s, withNews) })
		s.whole(t, k.Name)
		for key := range k.Documents {
			doc, err := s.store.Load(context.Background(), key)
			if err != nil || !strings.Contains(string(doc.Body), `"a_newer_field":{"deep":[1]}`) {
				t.Errorf("%s: %s lost what a newer version had written (%v)", k.Name, key, err)
			}
		}
		ended := 0
		for key, body := range s.store.Dump() {
			if strings.HasPrefix(key, "operation/") && strings.Contains(body, `"a_newer_fact":7`) {
				ended++
			}
		}
		if ended == 0 {
			t.Errorf("%s: the operation that was running lost what a newer version had written", k.Name)
		}
	}
}

// TestNewerSchemaIsRefused: a newer version has changed the form of documents. This
// one touches nothing of them, sends nothing to Azure, takes no delivery as done, and
// goes on when the document is of its own form again.
func TestNewerSchemaIsRefused(t *testing.T) {
	list := readKept(t, keptFiles()[len(keptFiles())-1])
	k := list[len(list)/2]
	for _, kind := range []string{"group/", "circuit/", "estate"} {
		s := newStory(t)
		k.put(t, s, func(key string, body []byte) []byte {
			if strings.HasPrefix(key, kind) {
				return []byte(strings.Replace(string(body), `"schema":1`, `"schema":2`, 1))
			}
			return body
		})
		before := s.store.Dump()
		_, err := s.engine("a").Handle(context.Background(), []events.Signal{s.make(events.Probe, "ashburn", events.Down, "", 0)})
		tick := s.engine("a").Tick(context.Background())
		for _, e := range []error{err, tick} {
			if !errors.Is(e, fault.Corrupt) || !strings.Contains(fault.HintOf(e), "newer version") {
				t.Errorf("%s: got %v, hint %q", kind, e, fault.HintOf(e))
			}
		}
		for key, body := range s.store.Dump() {
			if strings.HasPrefix(key, kind) && body != before[key] {
				t.Errorf("%s: %s was changed", kind, key)
			}
		}
		if len(s.azure.puts) > 0 {
			t.Errorf("%s: %v was written to Azure", kind, s.azure.puts)
		}
	}
}

func asKept(_ string, body []byte) []byte { return body }

// withNews adds what a newer version might: a field to the document, one to the running
// operation, to each of its steps and checks, and to each lever that is pulled.
func withNews(_ string, body []byte) []byte {
	return []byte(strings.NewReplacer(`{"schema":1`, `{"schema":1,"a_newer_field":{"deep":[1]}`, `"operation":{`, `"operation":{"a_newer_fact":7,`,
		`"steps":[{`, `"steps":[{"a_newer_step":7,`, `"checks":[{`, `"checks":[{"a_newer_check":7,`, `"cuts":[{`, `"cuts":[{"a_newer_cut":7,`, `,{"id":"c-`, `,{"a_newer_cut":7,"id":"c-`,
		`"pull":{`, `"pull":{"a_newer_pull":7,`).Replace(string(body)))
}

// some returns every third state, from the first named on; all of them with -sweep.
func some(list []kept, first int) []kept {
	if *sweep {
		return list
	}
	var out []kept
	for i := first; i < len(list); i += 3 {
		out = append(out, list[i])
	}
	return out
}

func readKept(t *testing.T, file string) []kept {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []kept
	if err := json.Unmarshal(raw, &list, json.RejectUnknownMembers(true)); err != nil || len(list) < 8 {
		t.Fatalf("%s: %d states: %v", file, len(list), err)
	}
	return list
}

// keepStory writes the record at the first save of every state of an operation.
func keepStory(t *testing.T, file string) {
	t.Helper()
	s := newStory(t)
	var list []kept
	s.store.OnEffect(func(w recordtest.When, _ int, op recordtest.Op, key string) {
		at := ""
		if w == recordtest.After && op == recordtest.Save && key == record.GroupKey("east") {
			at = where(t, s.store)
		}
		if at == "" || slices.ContainsFunc(list, func(k kept) bool { return k.Name == at }) {
			return
		}
		list = append(list, snapshot(at, s.store))
	})
	s.story(t, map[string]bool{})
	raw, err := json.Marshal(list, json.Deterministic(true))
	if err == nil {
		err = os.WriteFile(file, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
