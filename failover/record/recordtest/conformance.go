package recordtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Reopener is a store that can be closed and opened again on the same contents.
// The old store is not used afterwards.
type Reopener interface {
	record.Store
	Reopen(t *testing.T) record.Store
}

// Conformance checks everything that the engine relies on in a record.Store. open
// returns an empty store each time and cleans up after itself with t.Cleanup. If
// what it returns is a Reopener, contents are checked after a reopening too.
func Conformance(t *testing.T, open func(t *testing.T) record.Store) {
	checks := []struct {
		name  string
		check func(*testing.T, record.Store)
	}{
		{"a new document is created once", createOnce},
		{"a stale etag is a conflict and changes nothing", staleETag},
		{"every save gives an etag of its own", freshETags},
		{"a lost answer is found by its nonce", lostAnswer},
		{"a save is not mistaken for another's", foreignNonce},
		{"a body is bytes and comes back as it was", anyBytes},
		{"keys are checked", keysChecked},
		{"sizes are checked", sizesChecked},
		{"rows are kept once", rowsOnce},
		{"a row with other bytes is a conflict and nothing is written", rowConflict},
		{"a gap is refused", rowGap},
		{"streams are apart", streamsApart},
		{"keys are listed in byte order, by page and prefix", listed},
		{"rows are listed by number", rowsListed},
		{"a cancelled call changes nothing", cancelled},
		{"a missing document is not found", missing},
		{"what is handed out and in is a copy", copies},
		{"eight writers count to two hundred", countTogether},
		{"writers that append at once make one stream", appendTogether},
		{"contents outlive a reopening", reopened},
		{"concurrent histories are linearizable", linearizable},
	}
	for _, c := range checks {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) { c.check(t, open(t)) })
	}
}

func createOnce(t *testing.T, s record.Store) {
	first := record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`{"a":1}`)}
	etag := mustSave(t, s, first)
	if etag == "" {
		t.Error("Save gave an empty etag")
	}
	wantKind(t, "create over an existing document", save(t, s, record.Document{Key: "group/east", Nonce: "n2", Body: []byte(`{"a":2}`)}), fault.Conflict)
	wantKind(t, "save a missing document with an etag", save(t, s, record.Document{Key: "group/west", ETag: etag, Nonce: "n3", Body: []byte(`{}`)}), fault.Conflict)
	first.ETag = etag
	wantStored(t, s, first)
	_, err := s.Load(t.Context(), "group/west")
	wantKind(t, "load what a failed save named", err, fault.NotFound)
}

func staleETag(t *testing.T, s record.Store) {
	doc := record.Document{Key: "circuit/ashburn", Nonce: "n1", Body: []byte(`1`)}
	old := mustSave(t, s, doc)
	doc.ETag, doc.Nonce, doc.Body = old, "n2", []byte(`2`)
	doc.ETag = mustSave(t, s, doc)
	for _, etag := range []string{old, "", "0x8DFFFFFFFFFFFFF", "*"} {
		err := save(t, s, record.Document{Key: doc.Key, ETag: etag, Nonce: "n3", Body: []byte(`3`)})
		wantKind(t, fmt.Sprintf("save with etag %q", etag), err, fault.Conflict)
	}
	wantStored(t, s, doc)
}

func freshETags(t *testing.T, s record.Store) {
	seen := map[string]bool{}
	doc := record.Document{Key: "group/east", Body: []byte(`{"same":"bytes"}`)}
	for i := range 20 {
		doc.Nonce = fmt.Sprintf("n%d", i)
		doc.ETag = mustSave(t, s, doc)
		if seen[doc.ETag] {
			t.Fatalf("save %d gave the etag %q again", i+1, doc.ETag)
		}
		seen[doc.ETag] = true
	}
	wantStored(t, s, doc)
}

func lostAnswer(t *testing.T, s record.Store) {
	loseSecond := func(n int, _ Op, _ string) Loss {
		return map[int]Loss{1: LoseReply, 3: LoseReply, 5: LoseRequest}[n]
	}
	bad := Lossy(s, loseSecond)
	doc := record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`1`)}
	wantKind(t, "create, answer lost", save(t, bad, doc), fault.Unavailable)
	etag := mustSave(t, bad, doc) // the same call again: it was done
	doc.ETag = etag
	wantStored(t, s, doc)

	next := record.Document{Key: doc.Key, ETag: etag, Nonce: "n2", Body: []byte(`2`)}
	wantKind(t, "change, answer lost", save(t, bad, next), fault.Unavailable)
	etag = mustSave(t, bad, next)
	if etag == doc.ETag {
		t.Error("the repeated change gave the etag from before the change")
	}
	next.ETag = etag
	wantStored(t, s, next)

	third := record.Document{Key: doc.Key, ETag: etag, Nonce: "n3", Body: []byte(`3`)}
	wantKind(t, "change, request lost", save(t, bad, third), fault.Unavailable)
	wantStored(t, s, next)
	third.ETag = mustSave(t, bad, third)
	wantStored(t, s, third)
}

func foreignNonce(t *testing.T, s record.Store) {
	doc := record.Document{Key: "group/east", Nonce: "mine", Body: []byte(`1`)}
	etag := mustSave(t, s, doc)
	other := record.Document{Key: doc.Key, ETag: etag, Nonce: "other", Body: []byte(`2`)}
	other.ETag = mustSave(t, s, other)
	// Our answer was lost, and somebody has changed the document since.
	wantKind(t, "repeat of a save that was overtaken", save(t, s, doc), fault.Conflict)
	wantStored(t, s, other)
	// The same nonce on another key says nothing about this one.
	wantKind(t, "stale save of a missing key", save(t, s, record.Document{Key: "group/west", ETag: etag, Nonce: "other", Body: []byte(`2`)}), fault.Conflict)
}

func anyBytes(t *testing.T, s record.Store) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	doc := record.Document{Key: "deadletter/2026-01-02/x.y_z-0", Nonce: "!~n", Body: all}
	doc.ETag = mustSave(t, s, doc)
	wantStored(t, s, doc)
	mustAppend(t, s, "bytes", record.Row{Seq: 1, Body: all})
	wantRow(t, s, "bytes", record.Row{Seq: 1, Body: all})
}

func keysChecked(t *testing.T, s record.Store) {
	for _, key := range []string{
		"", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a/./b", "A", "group/East", "a b", "a\x00b", "a%2fb", "é", "a\\b", "a:b", "a*", "a\n",
		strings.Repeat("k", record.MaxKey+1),
	} {
		wantKind(t, fmt.Sprintf("save under %.40q", key), save(t, s, record.Document{Key: key, Nonce: "n", Body: []byte(`1`)}), fault.Invalid)
		_, err := s.Load(t.Context(), key)
		wantKind(t, fmt.Sprintf("load %.40q", key), err, fault.Invalid)
		wantKind(t, fmt.Sprintf("append to %.40q", key), s.Append(t.Context(), key, []record.Row{{Seq: 1, Body: []byte(`1`)}}), fault.Invalid)
	}
	for _, key := range []string{"journal", "journal/east", record.RowKey("east", 1)} {
		wantKind(t, "save under "+key, save(t, s, record.Document{Key: key, Nonce: "n", Body: []byte(`1`)}), fault.Invalid)
	}
	for _, nonce := range []string{"", "two words", "line\n", "é", strings.Repeat("n", record.MaxNonce+1)} {
		wantKind(t, fmt.Sprintf("save with nonce %.20q", nonce), save(t, s, record.Document{Key: "a", Nonce: nonce, Body: []byte(`1`)}), fault.Invalid)
	}
	_, err := s.List(t.Context(), "A b", "", 10)
	wantKind(t, "list a prefix that no key has", err, fault.Invalid)
	_, err = s.List(t.Context(), "", "", 0)
	wantKind(t, "list no keys", err, fault.Invalid)
	wantKeys(t, s, "", "", 10)
	longest := strings.Repeat("k", record.MaxKey/2-1) + "/" + strings.Repeat("z", record.MaxKey/2)
	mustSave(t, s, record.Document{Key: longest, Nonce: strings.Repeat("n", record.MaxNonce), Body: []byte(`1`)})
	wantKeys(t, s, "", "", 10, longest)
}

func sizesChecked(t *testing.T, s record.Store) {
	big := bytes.Repeat([]byte("x"), record.MaxBody+1)
	wantKind(t, "save a body that is too big", save(t, s, record.Document{Key: "a", Nonce: "n", Body: big}), fault.Invalid)
	wantKind(t, "save no body", save(t, s, record.Document{Key: "a", Nonce: "n"}), fault.Invalid)
	rows := []record.Row{{Seq: 1, Body: []byte(`1`)}, {Seq: 2, Body: big[:record.MaxRow+1]}}
	wantKind(t, "append a row that is too big", s.Append(t.Context(), "a", rows), fault.Invalid)
	wantKind(t, "append an empty row", s.Append(t.Context(), "a", []record.Row{{Seq: 1}}), fault.Invalid)
	wantKeys(t, s, "", "", 10)

	doc := record.Document{Key: "a", Nonce: "n", Body: big[:record.MaxBody]}
	doc.ETag = mustSave(t, s, doc)
	wantStored(t, s, doc)
	rows[1].Body = big[:record.MaxRow]
	mustAppend(t, s, "a", rows...)
	wantRow(t, s, "a", rows[1])
}

func listed(t *testing.T, s record.Store) {
	for i, key := range []string{"group/b", "group/a", "group-x", "circuit/z", "group/a.b", "group/a/b", "zone/1"} {
		mustSave(t, s, record.Document{Key: key, Nonce: fmt.Sprintf("n%d", i), Body: []byte(`1`)})
	}
	mustAppend(t, s, "east", row(1), row(2))
	r1, r2 := record.RowKey("east", 1), record.RowKey("east", 2)
	all := []string{"circuit/z", "group-x", "group/a", "group/a.b", "group/a/b", "group/b", r1, r2, "zone/1"}
	wantKeys(t, s, "", "", 100, all...)
	wantKeys(t, s, "group/", "", 100, "group/a", "group/a.b", "group/a/b", "group/b")
	wantKeys(t, s, "group/a", "", 100, "group/a", "group/a.b", "group/a/b")
	wantKeys(t, s, "group", "", 2, "group-x", "group/a")
	wantKeys(t, s, "group", "group/a", 2, "group/a.b", "group/a/b")
	wantKeys(t, s, "group/", "group/aa", 100, "group/b") // after names no key
	wantKeys(t, s, "group/", "circuit/z", 1, "group/a")  // after lies before the prefix
	wantKeys(t, s, "group/", "zone/1", 100)
	wantKeys(t, s, "journal/", "", 100, r1, r2)
	wantKeys(t, s, "none/", "", 100)
	var paged []string
	for after := ""; ; after = paged[len(paged)-1] {
		page, err := s.List(t.Context(), "", after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("page after %q: %q, %v", after, page, err)
		}
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
	}
	if !slices.Equal(paged, all) {
		t.Errorf("page by page: %q\nwant %q", paged, all)
	}
}

func cancelled(t *testing.T, s record.Store) {
	mustSave(t, s, record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`1`)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, saveErr := s.Save(ctx, record.Document{Key: "group/west", Nonce: "n2", Body: []byte(`2`)})
	_, loadErr := s.Load(ctx, "group/east")
	_, listErr := s.List(ctx, "", "", 10)
	for what, err := range map[string]error{"save": saveErr, "load": loadErr, "list": listErr,
		"append": s.Append(ctx, "east", []record.Row{row(1)})} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", what, err)
		}
		wantKind(t, what+" with a cancelled context", err, fault.Unavailable)
	}
	wantKeys(t, s, "", "", 10, "group/east")
}

func missing(t *testing.T, s record.Store) {
	mustSave(t, s, record.Document{Key: "group/east", Nonce: "n", Body: []byte(`1`)})
	for _, key := range []string{"group/eas", "group/east1", "group", "group/east/x", record.RowKey("east", 1)} {
		doc, err := s.Load(t.Context(), key)
		wantKind(t, "load "+key, err, fault.NotFound)
		if doc.Key != "" || doc.ETag != "" || doc.Body != nil {
			t.Errorf("load %s gave %+v beside its error", key, doc)
		}
	}
}

func copies(t *testing.T, s record.Store) {
	body := []byte(`{"a":1}`)
	doc := record.Document{Key: "group/east", Nonce: "n", Body: bytes.Clone(body)}
	doc.ETag = mustSave(t, s, doc)
	mustAppend(t, s, "east", record.Row{Seq: 1, Body: doc.Body})
	clear(doc.Body)
	for range 2 {
		got, err := s.Load(t.Context(), "group/east")
		if err != nil || !bytes.Equal(got.Body, body) {
			t.Fatalf("after the caller reused its bytes: %q, %v", got.Body, err)
		}
		clear(got.Body)
	}
	wantRow(t, s, "east", record.Row{Seq: 1, Body: body})
}

func reopened(t *testing.T, s record.Store) {
	doc := record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`1`)}
	doc.ETag = mustSave(t, s, doc)
	mustAppend(t, s, "east", row(1), row(2))
	if r, ok := s.(Reopener); ok {
		s = r.Reopen(t)
	}
	wantStored(t, s, doc)
	wantRow(t, s, "east", row(2))
	again := doc
	again.ETag = ""
	if etag := mustSave(t, s, again); etag != doc.ETag {
		t.Errorf("the nonce was forgotten: repeat gave %q, want %q", etag, doc.ETag)
	}
	doc.Nonce, doc.Body = "n2", []byte(`2`)
	doc.ETag = mustSave(t, s, doc)
	wantStored(t, s, doc)
	mustAppend(t, s, "east", row(2), row(3))
	wantKeys(t, s, "", "", 10, "group/east", record.RowKey("east", 1), record.RowKey("east", 2), record.RowKey("east", 3))
}
