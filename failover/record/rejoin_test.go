package record_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// TestRejoin: whatever part of a record and its journal comes back from an older
// copy, the trail's entries end up in the journal, in order, once, in a chain that
// holds, with one line that says what was lost.
func TestRejoin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		m := recordtest.NewMemory()
		var trails []record.Trail // as a document held it after each save
		var trail record.Trail
		var stored []int // how many rows were stored by then
		flush := func() {
			rows, err := record.Rows(trail.Pending)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Append(ctx, "east", rows); err != nil {
				t.Fatal(err)
			}
			trail.Pending = nil
		}
		for n := range rapid.IntRange(1, 12).Draw(t, "saves") {
			for k := range rapid.IntRange(1, 3).Draw(t, "entries") {
				trail.Add("east", record.Entry{Code: "a", Text: fmt.Sprintf("old %d.%d", n, k)})
			}
			trails = append(trails, trail)
			if rapid.Bool().Draw(t, "flushed") {
				flush()
			}
			stored = append(stored, len(m.Rows("east")))
		}
		trail = trails[rapid.IntRange(0, len(trails)-1).Draw(t, "document goes back to")]
		keep := stored[rapid.IntRange(0, len(stored)-1).Draw(t, "journal goes back to")]
		rows := m.Rows("east")[:keep]
		m = recordtest.NewMemory()
		if err := m.Append(ctx, "east", rows); err != nil {
			t.Fatal(err)
		}
		trail.Add("east", record.Entry{Code: "a", Text: "new"})
		wanted := len(trail.Pending)

		again, err := record.Rejoin(ctx, m, "east", &trail, record.Entry{Code: "journal.rejoined"})
		if err != nil {
			t.Fatal(err)
		}
		head := trail.Head
		flush()
		if err := record.VerifyTo("east", head, m.Rows("east")); err != nil {
			t.Fatalf("the chain does not hold: %v", err)
		}
		notes, fresh := 0, 0
		for _, row := range m.Rows("east") {
			notes += strings.Count(string(row.Body), "journal.rejoined")
			fresh += strings.Count(string(row.Body), `"new"`)
		}
		if fresh != 1 || (notes == 1) != again || notes > 1 {
			t.Fatalf("the new entry stands %d times, the note %d times, rejoined %t, of %d entries", fresh, notes, again, wanted)
		}
		if more, err := record.Rejoin(ctx, m, "east", &trail, record.Entry{Code: "journal.rejoined"}); more || err != nil {
			t.Fatalf("a trail that fits is rejoined: %t, %v", more, err)
		}
	})
}
