package recordtest

import (
	"testing"

	"go.uber.org/goleak"

	"erfailover/failover/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	Conformance(t, func(*testing.T) record.Store { return NewMemory() })
}
