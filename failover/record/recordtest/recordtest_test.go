package recordtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"go.uber.org/goleak"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	Conformance(t, func(*testing.T) record.Store { return NewMemory() })
}

func TestPlannedFaults(t *testing.T) {
	m := NewMemory()
	m.Fail(Save, "b", fault.Conflict)
	m.Fail(Load, "", fault.Denied)
	m.LoseAnswer(Append, "east")
	doc := record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)}
	doc.ETag = mustSave(t, m, doc) // the fault waits for b
	wantKind(t, "save b", save(t, m, record.Document{Key: "b", Nonce: "n", Body: []byte(`1`)}), fault.Conflict)
	_, err := m.Load(t.Context(), "a")
	wantKind(t, "load", err, fault.Denied)
	wantStored(t, m, doc) // each fault hits once
	mustAppend(t, m, "west", row(1))
	wantKind(t, "append, answer lost", m.Append(t.Context(), "east", []record.Row{row(1)}), fault.Unavailable)
	wantRows(t, m, "east", 1)
	wantKeys(t, m, "", "", 10, "a", record.RowKey("east", 1), record.RowKey("west", 1))
	if m.Calls(Save) != 2 || m.Effects() != 3 {
		t.Errorf("%d saves, %d effects", m.Calls(Save), m.Effects())
	}
}

func TestFullDisk(t *testing.T) {
	m := NewMemory()
	doc := record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)}
	doc.ETag = mustSave(t, m, doc)
	m.FullDisk(true)
	before := m.Dump()
	wantKind(t, "save", save(t, m, record.Document{Key: "a", ETag: doc.ETag, Nonce: "m", Body: []byte(`2`)}), fault.Unavailable)
	wantKind(t, "append", m.Append(t.Context(), "east", []record.Row{row(1)}), fault.Unavailable)
	if !maps.Equal(before, m.Dump()) {
		t.Errorf("changed to %v", m.Dump())
	}
	wantStored(t, m, doc)
	m.FullDisk(false)
	mustAppend(t, m, "east", row(1))
}

// TestCrashHook stops a small story at every effect, on both sides of it.
func TestCrashHook(t *testing.T) {
	type crash struct{}
	story := func(m *Memory) (done bool) {
		defer func() {
			if p := recover(); p != nil && p != (crash{}) {
				panic(p)
			}
		}()
		doc := record.Document{Key: "a", Nonce: "n1", Body: []byte(`1`)}
		doc.ETag = mustSave(t, m, doc)
		mustAppend(t, m, "east", row(1))
		doc.Nonce, doc.Body = "n2", []byte(`2`)
		mustSave(t, m, doc)
		mustAppend(t, m, "east", row(1)) // changes nothing, so it is no effect
		return true
	}
	var seen []string
	for n := 1; n <= 4; n++ {
		for _, side := range []When{Before, After} {
			m := NewMemory()
			m.OnEffect(func(w When, at int, op Op, key string) {
				if at == n && w == side {
					panic(crash{})
				}
			})
			if done := story(m); done != (n == 4) {
				t.Errorf("crash %s effect %d: story done %v", side, n, done)
			}
			seen = append(seen, fmt.Sprintf("%s %d: %d effects", side, n, m.Effects()))
			m.OnEffect(nil)
		}
	}
	want := []string{"before 1: 0 effects", "after 1: 1 effects", "before 2: 1 effects", "after 2: 2 effects",
		"before 3: 2 effects", "after 3: 3 effects", "before 4: 3 effects", "after 4: 3 effects"}
	if !slices.Equal(seen, want) {
		t.Errorf("%q\nwant %q", seen, want)
	}
}

func TestCloneAndRestore(t *testing.T) {
	m := NewMemory()
	doc := record.Document{Key: "a", Nonce: "n1", Body: []byte(`1`)}
	doc.ETag = mustSave(t, m, doc)
	backup := m.Clone()
	next := record.Document{Key: "a", ETag: doc.ETag, Nonce: "n2", Body: []byte(`2`)}
	next.ETag = mustSave(t, m, next)
	mustAppend(t, m, "east", row(1))
	wantStored(t, backup, doc)
	m.Restore(backup)
	wantStored(t, m, doc)
	wantKeys(t, m, "", "", 10, "a")
	third := record.Document{Key: "a", ETag: doc.ETag, Nonce: "n3", Body: []byte(`3`)}
	if etag := mustSave(t, m, third); etag == next.ETag {
		t.Errorf("after the restore the etag %q names another text", etag)
	}
}

// TestDeadLetterTwice: the same message on the same day is stored once.
func TestDeadLetterTwice(t *testing.T) {
	m := NewMemory()
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for i := range 3 {
		doc, err := record.DeadLetter(at.Add(time.Duration(i)*time.Hour), "unreadable", []byte("x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		mustSave(t, m, doc)
	}
	if m.Effects() != 1 {
		t.Errorf("%d effects", m.Effects())
	}
}

// TestModelSeesWrongHistories: the check of histories is itself checked, on
// histories that no register can have had.
func TestModelSeesWrongHistories(t *testing.T) {
	save := func(etag, body, gave, outcome string) porcupine.Operation {
		return porcupine.Operation{Input: asked{save: true, etag: etag, body: body}, Output: told{etag: gave, body: body, outcome: outcome}}
	}
	load := func(etag, body string) porcupine.Operation {
		return porcupine.Operation{Input: asked{}, Output: told{etag: etag, body: body, outcome: "done"}}
	}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		right   bool
	}{
		"in order":             {[]porcupine.Operation{save("", "a", "1", "done"), load("1", "a"), save("1", "b", "2", "done")}, true},
		"two won":              {[]porcupine.Operation{save("", "a", "1", "done"), save("", "b", "2", "done")}, false},
		"lost update":          {[]porcupine.Operation{save("", "a", "1", "done"), save("1", "b", "2", "done"), load("1", "a")}, false},
		"conflict for nothing": {[]porcupine.Operation{save("", "a", "", "conflict")}, false},
		"unknown, done":        {[]porcupine.Operation{save("", "a", "", "unknown"), load("1", "a")}, true},
		"unknown, not done":    {[]porcupine.Operation{save("", "a", "", "unknown"), load("", "")}, true},
		"unknown, done later":  {[]porcupine.Operation{save("", "a", "1", "done"), save("", "b", "", "unknown"), load("2", "b")}, false},
		"read from nowhere":    {[]porcupine.Operation{save("", "a", "1", "done"), load("1", "z")}, false},
	} {
		for i := range c.history {
			c.history[i].Call, c.history[i].Return = int64(2*i), int64(2*i+1)
		}
		if got := porcupine.CheckOperations(registerModel(), c.history); got != c.right {
			t.Errorf("%s: %v, want %v", name, got, c.right)
		}
	}
}

func TestLossyLosesWhatItSays(t *testing.T) {
	m := NewMemory()
	var asked []string
	line := Lossy(m, func(n int, op Op, key string) Loss {
		asked = append(asked, fmt.Sprintf("%d %s %s", n, op, key))
		return []Loss{LoseRequest, LoseReply, Deliver}[n-1]
	})
	for range 2 {
		wantKind(t, "append", line.Append(t.Context(), "east", []record.Row{row(1)}), fault.Unavailable)
	}
	if _, err := line.Load(t.Context(), "x"); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
	if want := []string{"1 append east", "2 append east", "3 load x"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	if m.Calls(Append) != 1 || m.Effects() != 1 {
		t.Errorf("%d appends arrived", m.Calls(Append))
	}
}
