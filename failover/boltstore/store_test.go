package boltstore

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

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

func leakCheck(m *testing.M) { goleak.VerifyTestMain(m) }
