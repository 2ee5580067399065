package eventhub

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"erfailover/failover/record/recordtest"
)

// TestPast reads a time range of a hub and leaves nothing behind: no document in the
// record, and whoever consumes afterwards gets every event.
func TestPast(t *testing.T) {
	s := startStandin(t, 2)
	s.send(t, 0, 300)
	split := time.Now().Add(2 * time.Millisecond)
	for !time.Now().After(split) { // events carry milliseconds
	}
	s.send(t, 300, 200)
	store, nonce := recordtest.NewMemory(), &atomic.Int64{}
	o := options(s, store, nonce)
	read := func(from, to time.Time) map[string]int {
		seen := map[string]int{}
		last := map[string]int64{}
		err := Past(t.Context(), o, from, to, func(e Event) error {
			if before, known := last[e.Partition]; known && e.Sequence <= before {
				t.Errorf("partition %s: %d came after %d", e.Partition, e.Sequence, before)
			}
			last[e.Partition] = e.Sequence
			seen[string(e.Body)]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	all := read(time.Time{}, time.Time{})
	if len(all) != 500 {
		t.Errorf("the whole hub: %d events, want 500", len(all))
	}
	early, late := read(time.Time{}, split), read(split, time.Time{})
	if len(early) != 300 || len(late) != 200 {
		t.Errorf("before %d events, after %d; want 300 and 200", len(early), len(late))
	}
	for n := range 500 {
		body := fmt.Sprintf(`{"n":%d}`, n)
		if early[body]+late[body] != 1 || all[body] != 1 {
			t.Errorf("event %d: %d times before, %d after, %d in all", n, early[body], late[body], all[body])
		}
	}
	if keys, err := store.List(t.Context(), "", "", 10); err != nil || len(keys) != 0 {
		t.Errorf("reading the past stored %v (%v)", keys, err)
	}
}
