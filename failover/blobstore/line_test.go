package blobstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// lostAnswers carries requests on, and drops the answers that lose picks.
type lostAnswers struct {
	next http.RoundTripper
	mu   sync.Mutex
	lose func(n int, r *http.Request) bool // n counts from 1 the requests that write
	n    int
	log  []string
}

func (l *lostAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, fmt.Sprintf("%s %d", r.Method, resp.StatusCode))
	if r.Method != http.MethodPut {
		return resp, nil
	}
	l.n++
	if !l.lose(l.n, r) {
		return resp, nil
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// TestLostAnswersAreFound loses the first answer to every kind of write. azcore
// repeats the request, the repeat fails its own condition, and the call succeeds.
func TestLostAnswersAreFound(t *testing.T) {
	t.Parallel()
	name := newContainer()
	setUp := openPlain(t, name, true, nil)
	old := record.Document{Key: "group/old", Nonce: "n0", Body: []byte(`0`)}
	etag, err := setUp.Save(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		call func(s *Store) error
		log  string // what went over the wire
	}{
		{"create a document", func(s *Store) error {
			got, err := s.Save(t.Context(), record.Document{Key: "group/new", Nonce: "n1", Body: []byte(`1`)})
			return sameAsStored(t, s, "group/new", got, `1`, err)
		}, "PUT 201, PUT 409, HEAD 200, GET 200"},
		{"change a document", func(s *Store) error {
			got, err := s.Save(t.Context(), record.Document{Key: "group/old", ETag: etag, Nonce: "n2", Body: []byte(`2`)})
			return sameAsStored(t, s, "group/old", got, `2`, err)
		}, "PUT 201, PUT 412, HEAD 200, GET 200"},
		{"append a row", func(s *Store) error {
			return s.Append(t.Context(), "east", []record.Row{{Seq: 1, Body: []byte(`1`)}})
		}, "PUT 201, PUT 409, HEAD 200"},
		{"append more rows", func(s *Store) error {
			return s.Append(t.Context(), "east", []record.Row{{Seq: 2, Body: []byte(`2`)}, {Seq: 3, Body: []byte(`3`)}})
		}, "HEAD 200, PUT 201, PUT 409, HEAD 200, PUT 201"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			var wire *lostAnswers
			s := openPlain(t, name, false, func(next http.RoundTripper) http.RoundTripper {
				wire = &lostAnswers{next: next, lose: func(n int, _ *http.Request) bool { return n == 1 }}
				return wire
			})
			if err := c.call(s); err != nil {
				t.Error(err)
			}
			if got := strings.Join(wire.log, ", "); got != c.log {
				t.Errorf("wire: %s\nwant: %s", got, c.log)
			}
		})
	}
	t.Run("create-the-container", func(t *testing.T) {
		s := openPlain(t, newContainer(), true, func(next http.RoundTripper) http.RoundTripper {
			return &lostAnswers{next: next, lose: func(n int, r *http.Request) bool { return r.URL.Query().Get("restype") == "container" && n <= 2 }}
		})
		if _, err := s.Save(t.Context(), record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)}); err != nil {
			t.Error(err)
		}
	})
}

func sameAsStored(t *testing.T, s *Store, key, etag, body string, err error) error {
	t.Helper()
	if err != nil {
		return err
	}
	doc, err := s.Load(t.Context(), key)
	if err == nil && (doc.ETag != etag || string(doc.Body) != body) {
		err = fmt.Errorf("stored %q under %s, told %q under %s", doc.Body, doc.ETag, body, etag)
	}
	return err
}

// TestAllAnswersLost: the caller is told that nothing is known, and the very same
// call, later, finds what was done.
func TestAllAnswersLost(t *testing.T) {
	t.Parallel()
	name := newContainer()
	if _, err := openPlain(t, name, true, nil).Save(t.Context(), record.Document{Key: "first", Nonce: "n", Body: []byte(`1`)}); err != nil {
		t.Fatal(err)
	}
	s := openPlain(t, name, false, func(next http.RoundTripper) http.RoundTripper {
		return &lostAnswers{next: next, lose: func(int, *http.Request) bool { return true }}
	})
	doc := record.Document{Key: "group/east", Nonce: "n1", Body: []byte(`1`)}
	if _, err := s.Save(t.Context(), doc); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("all answers lost: %v", err)
	}
	rows := []record.Row{{Seq: 1, Body: []byte(`1`)}, {Seq: 2, Body: []byte(`2`)}}
	if err := s.Append(t.Context(), "east", rows); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("all answers lost: %v", err)
	}
	good := openPlain(t, name, false, nil)
	etag, err := good.Save(t.Context(), doc)
	if err := sameAsStored(t, good, doc.Key, etag, `1`, err); err != nil {
		t.Error(err)
	}
	if err := good.Append(t.Context(), "east", rows); err != nil {
		t.Error(err)
	}
	keys, err := good.List(t.Context(), "journal/", "", 10)
	if want := []string{record.RowKey("east", 1), record.RowKey("east", 2)}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("rows %q, %v", keys, err)
	}
}

// TestTwoHundredNamesOverALossyLine is eight writers that each put 25 names into
// one document, while one answer in five to a write is lost on the way. In the end
// each name is there once.
func TestTwoHundredNamesOverALossyLine(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 25
	s := openPlain(t, newContainer(), true, func(next http.RoundTripper) http.RoundTripper {
		return &lostAnswers{next: next, lose: func(n int, _ *http.Request) bool { return n%5 == 0 }}
	})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := addName(t.Context(), s, fmt.Sprintf("w%d.%d;", w, i)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	wg.Wait()
	doc, err := s.Load(t.Context(), "names")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.SplitAfter(strings.TrimSuffix(string(doc.Body), ";"), ";")
	slices.Sort(names)
	if total := len(names); total != writers*each || len(slices.Compact(names)) != total {
		t.Errorf("%d names, %d of them different, want %d", total, len(slices.Compact(names)), writers*each)
	}
}

// addName adds a name to the document "names". A save that was done, whose answer
// was lost, and that was overtaken before its repeat says Conflict: then the name
// is found on the next look.
func addName(ctx context.Context, s record.Store, name string) error {
	for try := 0; ; try++ {
		doc, err := s.Load(ctx, "names")
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if strings.Contains(string(doc.Body), name) {
			return nil
		}
		next := record.Document{Key: "names", ETag: doc.ETag, Nonce: fmt.Sprintf("%s%d", name, try), Body: append(doc.Body, name...)}
		if _, err = s.Save(ctx, next); err == nil {
			return nil
		}
		if !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Unavailable) {
			return err
		}
	}
}

// broken cuts the bodies of the first answers to GETs in the middle.
type broken struct {
	next  http.RoundTripper
	times int
	seen  []string // the range that each GET asked for
}

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet {
		return resp, err
	}
	b.seen = append(b.seen, strings.Join(r.Header["x-ms-range"], "")+" "+r.Header.Get("If-Match"))
	if len(b.seen) <= b.times {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, 300), errReader{}), resp.Body}
	}
	return resp, nil
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBrokenBodies: an answer that breaks off is read on from where it stopped, and
// a document that cannot be read whole is not a shorter one.
func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	name := newContainer()
	doc := record.Document{Key: "group/east", Nonce: "n", Body: bytes.Repeat([]byte("0123456789"), 100)}
	etag, err := openPlain(t, name, true, nil).Save(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	for times, want := range map[int]fault.Kind{0: "", 1: "", 2: "", 99: fault.Unavailable} {
		wire := &broken{times: times}
		s := openPlain(t, name, false, func(next http.RoundTripper) http.RoundTripper { wire.next = next; return wire })
		got, err := s.Load(t.Context(), doc.Key)
		if fault.KindOf(err) != want || err == nil && !bytes.Equal(got.Body, doc.Body) {
			t.Errorf("%d bodies broken: %d bytes, %v", times, len(got.Body), err)
		}
		if times > 0 && wire.seen[1] != "bytes=300- "+etag && wire.seen[1] != "bytes=300-999 "+etag {
			t.Errorf("%d bodies broken: went on with %q", times, wire.seen[1])
		}
	}
}

// TestHalfAppend: a call that stops half way leaves no gap, and is finished by the
// same call again, by whoever makes it.
func TestHalfAppend(t *testing.T) {
	t.Parallel()
	name := newContainer()
	ctx, cancel := context.WithCancel(t.Context())
	s := openPlain(t, name, true, func(next http.RoundTripper) http.RoundTripper {
		return &lostAnswers{next: next, lose: func(_ int, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, record.RowKey("east", 2)) {
				cancel()
			}
			return false
		}}
	})
	rows := []record.Row{{Seq: 1, Body: []byte(`1`)}, {Seq: 2, Body: []byte(`2`)}, {Seq: 3, Body: []byte(`3`)}}
	if err := s.Append(ctx, "east", rows); !errors.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped half way: %v", err)
	}
	other := openPlain(t, name, false, nil)
	keys, err := other.List(t.Context(), "journal/", "", 10)
	if err != nil || len(keys) != 2 {
		t.Fatalf("after the stop: %q, %v", keys, err)
	}
	if err := other.Append(t.Context(), "east", []record.Row{{Seq: 4, Body: []byte(`4`)}}); !errors.Is(err, fault.Invalid) {
		t.Errorf("behind the gap: %v", err)
	}
	if err := other.Append(t.Context(), "east", rows); err != nil {
		t.Error(err)
	}
}
