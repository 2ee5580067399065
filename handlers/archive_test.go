package handlers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestArchiveBeforeTheAnswer: messages that gave a signal are kept after the engine has
// them, others are not, and a message that could not be kept is asked for again.
func TestArchiveBeforeTheAnswer(t *testing.T) {
	b := newBench(t)
	var kept []string
	var fails error
	b.options.Archive = func(_ context.Context, at time.Time, bodies [][]byte) error {
		if b.engine.calls == 0 || at.IsZero() {
			t.Error("a message was kept before it was handled, or without its time")
		}
		for _, body := range bodies {
			kept = append(kept, string(body))
		}
		return fails
	}
	w := b.do("POST", "/CircuitEvents", hub("down a", "gibberish", "foreign", "down b"))
	wantSuccess(t, w.Code, w.Header(), w.Body.String())
	if want := []string{"down a", "down b"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	fails = errors.New("no room")
	if w := b.do("POST", "/CircuitEvents", hub("down a")); w.Code < 500 {
		t.Errorf("a message that was not kept was acknowledged: %d %s", w.Code, w.Body)
	}
	if b.engine.calls != 2 {
		t.Errorf("%d calls of the engine: a failover does not wait for the archive", b.engine.calls)
	}
}
