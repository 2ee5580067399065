package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

func TestConformance(t *testing.T) {
	recordtest.Conformance(t, func(t *testing.T) record.Store {
		return &reopening{openAt(t, filepath.Join(t.TempDir(), "record.db"))}
	})
}

// reopening lets the suite close the file and open it again.
type reopening struct{ *Store }

// Reopen implements recordtest.Reopener.
func (r *reopening) Reopen(t *testing.T) record.Store {
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return &reopening{openAt(t, r.Path())}
}

func TestSecondOpenIsBusy(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "record.db"))
	_, err := Open(s.Path())
	wantFault(t, err, fault.Busy, s.Path())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openAt(t, s.Path())
}

func TestClosed(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "record.db"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Load(t.Context(), "a")
	wantFault(t, err, fault.Unavailable, "closed")
	_, err = s.Save(t.Context(), record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)})
	wantFault(t, err, fault.Unavailable, "closed")
}

func TestOpenWhatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign, newer := filepath.Join(dir, "foreign"), filepath.Join(dir, "newer")
	makeBolt(t, foreign, "other", "k", "v")
	makeBolt(t, newer, "meta", "format", "erfailover-record 2")
	for _, c := range []struct {
		path string
		kind fault.Kind
		hint string
	}{
		{dir, fault.Invalid, "folder"},
		{filepath.Join(dir, "none", "record.db"), fault.NotFound, "does not exist"},
		{write("text", []byte("hello")), fault.Corrupt, "backup"},
		{write("long", bytes.Repeat([]byte("hello "), 20000)), fault.Corrupt, "backup"},
		{write("zeros", make([]byte, 65536)), fault.Corrupt, "backup"},
		{foreign, fault.Corrupt, "another program"},
		{newer, fault.Corrupt, "upgrade"},
	} {
		before, _ := os.ReadFile(c.path)
		_, err := Open(c.path)
		wantFault(t, err, c.kind, c.hint)
		if after, _ := os.ReadFile(c.path); !bytes.Equal(before, after) {
			t.Errorf("%s was changed by a failed Open", c.path)
		}
	}
}

func makeBolt(t *testing.T, path, bucket, key, value string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucket))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), []byte(value))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// filled returns a closed file with documents doc/000 to doc/119 of some hundred
// bytes each and a stream of 40 rows.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "record.db")
	s := openAt(t, path)
	// One transaction: 160 fsyncs would only take time.
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i := range 120 {
			key := fmt.Appendf(nil, "doc/%03d", i)
			if err := tx.Bucket(documentsBucket).Put(key, seal(key, value{etag: "e", nonce: "n", body: body(i)})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows []record.Row
	for i := range 40 {
		rows = append(rows, record.Row{Seq: uint64(i + 1), Body: body(i)})
	}
	if err := s.Append(t.Context(), "east", rows); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func body(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "<%d>", i), 100) }

// TestDamage changes one byte of a file at many places. Whatever is hit, what can
// be read is right, and what cannot is Corrupt: never a wrong text, never a panic.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged.db")
	found := 0
	for at := 3; at < len(whole); at += 1021 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x41
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if readAll(t, path, fmt.Sprintf("byte %d", at)) {
			found++
		}
	}
	if found == 0 {
		t.Error("no damage was found at all")
	}
}

func TestCutShort(t *testing.T) {
	whole, err := os.ReadFile(filled(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.db")
	for size := 1; size < len(whole); size += 4093 {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		readAll(t, path, fmt.Sprintf("cut to %d bytes", size))
	}
	// The first page alone still holds a head page, which says how long the file was.
	if err := os.WriteFile(path, whole[:3*os.Getpagesize()], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path)
	wantFault(t, err, fault.Corrupt, "backup")
}

// readAll reads a damaged file of filled and reports whether the damage showed.
func readAll(t *testing.T, path, what string) (found bool) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		wantFault(t, err, fault.Corrupt, "")
		return true
	}
	for i := range 120 {
		key := fmt.Sprintf("doc/%03d", i)
		doc, err := s.Load(t.Context(), key)
		switch {
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Corrupt):
			found = true
		case err != nil:
			t.Fatalf("%s: load %s: %v", what, key, err)
		case !bytes.Equal(doc.Body, body(i)):
			t.Fatalf("%s: %s reads %.40q", what, key, doc.Body)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		wantFault(t, err, fault.Corrupt, "backup")
		found = true
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: close: %v", what, err)
	}
	return found
}

func TestDamagedValueIsNotOverwritten(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "record.db"))
	etag, err := s.Save(t.Context(), record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)})
	if err != nil {
		t.Fatal(err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(documentsBucket)
		stored := bytes.Clone(b.Get([]byte("a")))
		// Another key's sound value is as wrong here as a broken one.
		return b.Put([]byte("b"), stored)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"", etag} {
		_, err := s.Save(t.Context(), record.Document{Key: "b", ETag: tag, Nonce: "m", Body: []byte(`2`)})
		wantFault(t, err, fault.Corrupt, "backup")
	}
	wantFault(t, s.Check(t.Context()), fault.Corrupt, "backup")
}

func TestBackup(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "record.db"))
	doc := record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`1`)}
	first, err := s.Save(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	n, err := s.WriteTo(&backup)
	if err != nil || n != int64(backup.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, backup.Len(), err)
	}
	later, err := s.Save(t.Context(), record.Document{Key: doc.Key, ETag: first, Nonce: "n2", Body: []byte(`2`)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(path, backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	restored := openAt(t, path)
	got, err := restored.Load(t.Context(), doc.Key)
	if err != nil || got.ETag != first || string(got.Body) != "1" {
		t.Errorf("restored %+v, %v", got, err)
	}
	// Who loaded the document after the backup does not win over the restored one.
	_, err = restored.Save(t.Context(), record.Document{Key: doc.Key, ETag: later, Nonce: "n3", Body: []byte(`3`)})
	wantFault(t, err, fault.Conflict, "")
	again, err := restored.Save(t.Context(), record.Document{Key: doc.Key, ETag: first, Nonce: "n4", Body: []byte(`4`)})
	if err != nil || again == later {
		t.Errorf("etag %q again for another text, %v", again, err)
	}
}

// FuzzUnseal: no bytes panic, and what is read seals to the same bytes.
func FuzzUnseal(f *testing.F) {
	f.Add([]byte("k"), seal([]byte("k"), value{etag: "e", nonce: "n", body: []byte("b")}))
	f.Add([]byte("k"), seal([]byte("k"), value{}))
	f.Add([]byte("j"), seal([]byte("k"), value{}))
	f.Add([]byte(""), []byte("1234567"))
	f.Fuzz(func(t *testing.T, key, b []byte) {
		v, err := unseal(key, b)
		if err != nil {
			if !errors.Is(err, errSum) {
				t.Fatal(err)
			}
			return
		}
		if again := seal(key, v); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func wantFault(t *testing.T, err error, kind fault.Kind, hint string) {
	t.Helper()
	if fault.KindOf(err) != kind || !strings.Contains(fault.HintOf(err), hint) {
		t.Errorf("kind %q hint %q, want %q %q (%v)", fault.KindOf(err), fault.HintOf(err), kind, hint, err)
	}
}
