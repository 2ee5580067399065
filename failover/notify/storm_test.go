package notify

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// quick is a store that finds rows by their key at once; the memory store looks
// through all of them.
type quick struct {
	*recordtest.Memory
	rows map[string][]byte
}

func (q quick) Load(ctx context.Context, key string) (record.Document, error) {
	if body, ok := q.rows[key]; ok {
		return record.Document{Key: key, Body: body}, nil
	}
	if strings.HasPrefix(key, "journal/") {
		return record.Document{}, &fault.Error{Op: "load document", Target: key, Kind: fault.NotFound}
	}
	return q.Memory.Load(ctx, key)
}

// TestStorm writes 10,000 entries: a person gets a handful of messages, which stand
// for all of them, and a machine gets each.
func TestStorm(t *testing.T) {
	w := newWorld(t)
	person, machine := &kept{}, &kept{}
	n := w.notifier("a", all("person", People(), person), all("machine", Machines(), machine))
	run := func() {
		t.Helper()
		if err := n.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	run()
	entries := make([]record.Entry, 0, 5000)
	for i := range 5000 {
		if i%10 == 0 {
			entries = append(entries, w.begun("east"))
		} else {
			entries = append(entries, w.drift("east"))
		}
	}
	w.write("group.east", entries...)
	w.write("group.west", entries...)
	rows := map[string][]byte{}
	for _, stream := range []string{"group.east", "group.west"} {
		for _, r := range w.store.Rows(stream) {
			rows[record.RowKey(stream, r.Seq)] = r.Body
		}
	}
	n.o.Store = quick{w.store, rows}
	for range 5 {
		run()
		w.now = w.now.Add(time.Minute)
	}
	if person.count() != 10_000 || machine.count() != 10_000 {
		t.Errorf("messages stand for %d and %d entries, want 10000", person.count(), machine.count())
	}
	if len(person.got) > 20 || len(machine.got) != 10_000 {
		t.Errorf("%d messages to a person, %d to a machine", len(person.got), len(machine.got))
	}
	if !slices.ContainsFunc(person.got, func(m Message) bool { return strings.HasPrefix(m.Title, "and ") }) {
		t.Error("no summary")
	}
	t.Logf("10,000 entries: %d messages to a person", len(person.got))
}
