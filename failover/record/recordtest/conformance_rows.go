package recordtest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

func rowsOnce(t *testing.T, s record.Store) {
	mustAppend(t, s, "east", row(1), row(2))
	mustAppend(t, s, "east", row(1), row(2))         // all there already
	mustAppend(t, s, "east", row(2), row(3), row(4)) // one there, two new
	mustAppend(t, s, "east")                         // nothing to add
	mustAppend(t, s, "east", row(1))
	wantRows(t, s, "east", 4)
	bad := Lossy(s, func(n int, _ Op, _ string) Loss { return map[int]Loss{1: LoseReply}[n] })
	wantKind(t, "append, answer lost", bad.Append(t.Context(), "east", []record.Row{row(5)}), fault.Unavailable)
	mustAppend(t, bad, "east", row(5))
	wantRows(t, s, "east", 5)
}

func rowConflict(t *testing.T, s record.Store) {
	mustAppend(t, s, "east", row(1), row(2))
	other := record.Row{Seq: 2, Body: []byte(`{"other":2}`)}
	for _, rows := range [][]record.Row{
		{other},
		{other, row(3)},
		{row(1), other, row(3)},
		{{Seq: 1, Body: []byte(`{}`)}},
		{{Seq: 2, Body: append(row(2).Body, ' ')}},
	} {
		wantKind(t, fmt.Sprintf("append rows from %d with other bytes", rows[0].Seq), s.Append(t.Context(), "east", rows), fault.Conflict)
		wantRows(t, s, "east", 2)
	}
}

func rowGap(t *testing.T, s record.Store) {
	gap := func(what string, rows ...record.Row) {
		t.Helper()
		wantKind(t, what, s.Append(t.Context(), "east", rows), fault.Invalid)
	}
	gap("append to an empty stream from row 2", row(2))
	gap("append row 0", record.Row{Seq: 0, Body: []byte(`0`)})
	gap("append with a hole", row(1), row(3))
	gap("append backwards", row(2), row(1))
	gap("append one row twice", row(1), row(1))
	wantKeys(t, s, "", "", 10)
	mustAppend(t, s, "east", row(1))
	gap("append behind a hole", row(3))
	gap("append behind a hole", row(3), row(4))
	wantRows(t, s, "east", 1)
}

func streamsApart(t *testing.T, s record.Store) {
	mustAppend(t, s, "east", row(1), row(2))
	mustAppend(t, s, "east/x", row(1))
	mustAppend(t, s, "east.x", row(1))
	mustAppend(t, s, "eas", record.Row{Seq: 1, Body: []byte(`{"stream":"eas"}`)})
	wantKind(t, "append behind another stream's rows", s.Append(t.Context(), "west", []record.Row{row(3)}), fault.Invalid)
	wantRows(t, s, "east", 2)
	wantRow(t, s, "eas", record.Row{Seq: 1, Body: []byte(`{"stream":"eas"}`)})
	wantKeys(t, s, "journal/east.x/", "", 10, record.RowKey("east.x", 1))
}

func rowsListed(t *testing.T, s record.Store) {
	var rows []record.Row
	for i := range 120 {
		rows = append(rows, row(uint64(i+1)))
	}
	mustAppend(t, s, "east", rows[:50]...)
	mustAppend(t, s, "east", rows[50:]...)
	wantKeys(t, s, "journal/east/", record.RowKey("east", 8), 4, record.RowKey("east", 9), record.RowKey("east", 10), record.RowKey("east", 11), record.RowKey("east", 12))
	wantKeys(t, s, "journal/east/", record.RowKey("east", 119), 4, record.RowKey("east", 120))
	wantRows(t, s, "east", 120)
}

// row returns the row that number n has in these checks.
func row(n uint64) record.Row {
	return record.Row{Seq: n, Body: fmt.Appendf(nil, `{"row":%d}`, n)}
}

// save is Save without its answer.
func save(t *testing.T, s record.Store, doc record.Document) error {
	t.Helper()
	etag, err := s.Save(t.Context(), doc)
	if err != nil && etag != "" {
		t.Errorf("save %s gave the etag %q beside its error %v", doc.Key, etag, err)
	}
	return err
}

func mustSave(t *testing.T, s record.Store, doc record.Document) string {
	t.Helper()
	etag, err := s.Save(t.Context(), doc)
	if err != nil {
		t.Fatalf("save %s: %v", doc.Key, err)
	}
	return etag
}

func mustAppend(t *testing.T, s record.Store, stream string, rows ...record.Row) {
	t.Helper()
	if err := s.Append(t.Context(), stream, rows); err != nil {
		t.Fatalf("append %d rows to %s: %v", len(rows), stream, err)
	}
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); got != kind {
		t.Errorf("%s: kind %q, want %q (%v)", what, got, kind, err)
	}
}

func wantStored(t *testing.T, s record.Store, want record.Document) {
	t.Helper()
	got, err := s.Load(t.Context(), want.Key)
	if err != nil {
		t.Fatalf("load %s: %v", want.Key, err)
	}
	if got.Key != want.Key || got.ETag != want.ETag || got.Nonce != want.Nonce || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("stored: key %q etag %q nonce %q body %.60q\nwant:   key %q etag %q nonce %q body %.60q",
			got.Key, got.ETag, got.Nonce, got.Body, want.Key, want.ETag, want.Nonce, want.Body)
	}
}

func wantRow(t *testing.T, s record.Store, stream string, want record.Row) {
	t.Helper()
	key := record.RowKey(stream, want.Seq)
	got, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("load %s: %v", key, err)
	}
	if got.Key != key || !bytes.Equal(got.Body, want.Body) {
		t.Errorf("row under %q: %.60q, want %.60q", got.Key, got.Body, want.Body)
	}
}

// wantRows checks that stream holds row(1) to row(n) and no more.
func wantRows(t *testing.T, s record.Store, stream string, n int) {
	t.Helper()
	var keys []string
	for i := range n {
		keys = append(keys, record.RowKey(stream, uint64(i+1)))
		wantRow(t, s, stream, row(uint64(i+1)))
	}
	wantKeys(t, s, "journal/"+stream+"/0", "", record.MaxList, keys...)
}

func wantKeys(t *testing.T, s record.Store, prefix, after string, limit int, want ...string) {
	t.Helper()
	got, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Errorf("list %q after %q: %v", prefix, after, err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("list %q after %q, at most %d: %q\nwant %q", prefix, after, limit, got, want)
	}
}
