package blobstore

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// reopener opens another store on the same container, as a restart does.
type reopener struct {
	*Store
	again func() *Store
}

// Reopen implements recordtest.Reopener.
func (r reopener) Reopen(*testing.T) record.Store { return r.again() }

func TestConformanceOverSharedKey(t *testing.T) {
	t.Parallel()
	recordtest.Conformance(t, func(t *testing.T) record.Store {
		name := newContainer()
		open := func() *Store { return openPlain(t, name, true, nil) }
		return reopener{open(), open}
	})
}

// TestConformanceOverTLS is the way of production: TLS, azidentity's managed
// identity, bearer tokens. Only the token's signature is junk.
func TestConformanceOverTLS(t *testing.T) {
	t.Parallel()
	recordtest.Conformance(t, func(t *testing.T) record.Store {
		return openSecure(t, newContainer())
	})
}

// TestListGoesOn: pages that follow each other cost one request each, and a page
// from the middle gives the same keys.
func TestListGoesOn(t *testing.T) {
	t.Parallel()
	name := newContainer()
	var wire *lostAnswers
	s := openPlain(t, name, true, func(next http.RoundTripper) http.RoundTripper {
		wire = &lostAnswers{next: next, lose: func(int, *http.Request) bool { return false }}
		return wire
	})
	var rows []record.Row
	for i := range 25 {
		rows = append(rows, record.Row{Seq: uint64(i) + 1, Body: []byte(`1`)})
	}
	if err := s.Append(t.Context(), "east", rows); err != nil {
		t.Fatal(err)
	}
	wire.log = nil
	after, pages := "", 0
	var all []string
	for {
		keys, err := s.List(t.Context(), "journal/", after, 10)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		all = append(all, keys...)
		if len(keys) < 10 {
			break
		}
		after = keys[len(keys)-1]
	}
	if len(all) != 25 || !slices.IsSorted(all) || len(wire.log) != pages || len(s.marks) == 0 {
		t.Errorf("%d keys, %d requests for %d pages, %d marks", len(all), len(wire.log), pages, len(s.marks))
	}
	for _, from := range []int{3, 10, 17} {
		keys, err := openPlain(t, name, false, nil).List(t.Context(), "journal/", all[from-1], 10)
		if want := all[from:min(from+10, 25)]; err != nil || !slices.Equal(keys, want) {
			t.Errorf("page behind row %d: %q, %v", from, keys, err)
		}
	}
}

// TestForeignBlobs: what other hands put into the container is not taken for ours.
func TestForeignBlobs(t *testing.T) {
	t.Parallel()
	s := openPlain(t, newContainer(), true, nil)
	doc := record.Document{Key: "group/east", Nonce: "n", Body: []byte(`{"epoch":7}`)}
	if _, err := s.Save(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	put := func(key string, body []byte) {
		t.Helper()
		if _, err := s.client.NewBlockBlobClient(key).UploadBuffer(t.Context(), body, nil); err != nil {
			t.Fatal(err)
		}
	}
	put("README.md", []byte("hello"))
	put("group/west", []byte(`{"epoch":0}`))
	keys, err := s.List(t.Context(), "", "", 10)
	if want := []string{"group/east", "group/west"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("listed %q, %v", keys, err)
	}
	if _, err := s.Load(t.Context(), "group/west"); !errors.Is(err, fault.Corrupt) || fault.HintOf(err) == "" {
		t.Errorf("a foreign document: %v", err)
	}
	put(record.RowKey("east", 1), []byte(`1`))
	if err := s.Append(t.Context(), "east", []record.Row{{Seq: 1, Body: []byte(`1`)}}); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a foreign row: %v", err)
	}
	// One bit of the body changes, the metadata stay.
	got, err := s.client.NewBlobClient(doc.Key).GetProperties(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.NewBlockBlobClient(doc.Key).Upload(t.Context(), streaming.NopCloser(bytes.NewReader([]byte(`{"epoch":6}`))), &blockblob.UploadOptions{Metadata: got.Metadata}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), doc.Key); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a changed body: %v", err)
	}
}

// TestContainer: created when it may be, never when it was there and is gone.
func TestContainer(t *testing.T) {
	t.Parallel()
	name := newContainer()
	careful := openPlain(t, name, false, nil)
	_, err := careful.Load(t.Context(), "group/east")
	if !errors.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), name+" does not exist") {
		t.Errorf("no container: %v: %s", err, fault.HintOf(err))
	}
	s := openPlain(t, name, true, nil)
	if _, err := s.Load(t.Context(), "group/east"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a new container: %v", err)
	}
	if _, err := s.client.Delete(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "group/east"); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a container that is gone: %v", err)
	}
	if _, err := s.Save(t.Context(), record.Document{Key: "a", Nonce: "n", Body: []byte(`1`)}); !errors.Is(err, fault.Corrupt) {
		t.Errorf("a container that is gone: %v", err)
	}
}
