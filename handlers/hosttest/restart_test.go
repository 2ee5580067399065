package hosttest

import (
	"context"
	"testing"
	"time"
)

// ended stops a host, and fails when that takes for ever.
func ended(t *testing.T, h *Host) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); h.Stop() }()
	await(t, done)
}

// TestKillThen ends the handler as a crash would, and at once does something else:
// the host's own restart must not start a handler that nobody ends. Such a one
// would hold Stop for ever, and the port of its successor.
func TestKillThen(t *testing.T) {
	const rounds = 6
	for range rounds {
		t.Run("stop", func(t *testing.T) {
			h, _ := start(t, nil)
			h.Kill()
			ended(t, h)
		})
		t.Run("crash", func(t *testing.T) {
			h, out := start(t, nil)
			for range 3 { // a lost machine forgets the deaths
				h.Kill()
				if err := h.Crash(); err != nil {
					t.Fatal(err)
				}
			}
			h.Send("0", []byte("say alive"))
			settle(t, h)
			out.await(t, "did say alive", 1)
			ended(t, h)
		})
		t.Run("drain", func(t *testing.T) {
			h, _ := start(t, nil)
			h.Kill()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if code, err := h.Drain(ctx); code != 0 || err != nil {
				t.Errorf("got code %d (%v), want the restarted handler to end with 0", code, err)
			}
			ended(t, h)
		})
	}
}

// TestRestartFindsItsPlaceTaken puts the other caller exactly between the end of the
// handler and its restart: where the host says that it will restart.
func TestRestartFindsItsPlaceTaken(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(h *Host) error
		want int // starts
	}{
		{"crash", (*Host).Crash, 2},
		{"stop", func(h *Host) error {
			h.mu.Lock()
			h.stopping = true // what Stop does first; the rest of it waits for the restart
			h.mu.Unlock()
			return nil
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h *Host
			told, taken := make(chan struct{}), make(chan struct{})
			h, _ = start(t, func(o *Options, _ *string) {
				o.Note = func(string) { close(told); <-taken }
			})
			h.Kill()
			await(t, told)
			if err := c.then(h); err != nil {
				t.Error(err)
			}
			close(taken)
			ended(t, h)
			if got := h.Counters().Starts; got != c.want {
				t.Errorf("%d handlers were started, want %d", got, c.want)
			}
		})
	}
}
