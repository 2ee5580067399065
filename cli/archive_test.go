package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"erfailover/failover/replay"
	"erfailover/failover/topology"
)

// TestArchive: messages are on the disk when keep returns, a day begins a new file with
// the estate, an instance adds to its own file, and the folder can be replayed.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	estate := topology.Estate{Connections: []topology.Connection{{ID: "/c", Gateway: "/g", Circuit: "/e"}}}
	a := &archive{folder: dir, owner: "a-1", estate: func(context.Context) (topology.Estate, bool) { return estate, true }}
	defer a.close()
	day := time.Date(2026, 1, 12, 23, 59, 0, 0, time.UTC)
	say := []byte(`{"n":1,"token":"shh"}`)
	for _, at := range []time.Time{day, day.Add(30 * time.Second), day.Add(2 * time.Minute)} {
		if err := a.keep(t.Context(), at, [][]byte{say, say}); err != nil {
			t.Fatal(err)
		}
	}
	var rec replay.Recording
	for name, lines := range map[string]int{"events-2026-01-12-a-1.ndjson": 5, "events-2026-01-13-a-1.ndjson": 3} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Count(text, []byte("\n")) != lines || bytes.Contains(text, []byte("shh")) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if err := fromFile(filepath.Join(dir, name), &rec); err != nil {
			t.Fatal(err)
		}
	}
	if len(rec.Messages) != 6 || rec.Estate == nil || len(rec.Estate.Connections) != 1 {
		t.Errorf("%d messages, estate %v", len(rec.Messages), rec.Estate)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := a.keep(t.Context(), day.AddDate(0, 0, 3), [][]byte{say}); err == nil {
		t.Error("a folder that is gone kept a message")
	}
}
