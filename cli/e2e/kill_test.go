//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestKill kills the program with SIGKILL at every request that it sends to Azure
// from the deciding event to the end of the failover, and around the event itself.
// The same weights come out, and no connection is written twice.
func TestKill(t *testing.T) {
	t.Parallel()
	quiet := newRig(t)
	quiet.atRest()
	quiet.at(nil)
	quiet.failOver()
	requests, want := quiet.requests(), quiet.weights()
	if requests < 20 {
		t.Fatalf("an undisturbed failover makes %d requests, want 20 or more: is the count right?", requests)
	}
	t.Logf("an undisturbed failover makes %d requests", requests)
	kill := func(name string, least int, arm func(r *rig, kill func())) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.atRest()
			var killed atomic.Bool
			arm(r, func() {
				if killed.CompareAndSwap(false, true) {
					r.host.Kill()
				}
			})
			r.failOver()
			n := r.requests()
			r.at(nil)
			if !killed.Load() && n >= least {
				t.Errorf("nothing was killed in %d requests", n)
			}
			r.await("the program runs again", func() bool { return !killed.Load() || r.host.Counters().Starts > 1 })
			r.tick("the program answers", func() bool { return r.host.Fire("Tick", false) == nil })
			r.survived(want)
		})
	}
	for n := 1; n <= requests; n++ { // polls are paced: another run may make a few requests less
		kill(fmt.Sprintf("at request %d", n), n, func(r *rig, kill func()) {
			r.at(func(i int, _ *http.Request) bool {
				if i == n {
					kill()
				}
				return false // the request has left: Azure carries it out
			})
		})
	}
	for n := range gateways() {
		kill(fmt.Sprintf("before PUT %d leaves", n+1), 0, func(r *rig, kill func()) {
			var puts atomic.Int64
			r.at(func(_ int, req *http.Request) bool {
				if req.Method != http.MethodPut || puts.Add(1) != int64(n+1) {
					return false
				}
				kill()
				return true // Azure never sees it
			})
		})
	}
	for _, after := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond} {
		kill(fmt.Sprintf("%v after the event was sent", after), 0, func(r *rig, kill func()) {
			timer := time.AfterFunc(after, kill)
			r.Cleanup(func() { timer.Stop() })
		})
	}
}

// failOver takes ashburn down and ticks until its failover has ended.
func (r *rig) failOver() {
	r.Helper()
	r.send(r.outage("ashburn")...)
	r.tick("the failover has ended", func() bool { return r.ended("failover") >= 1 })
	r.settled()
}

// survived checks what a failover must leave behind, whatever happened to the
// program meanwhile.
func (r *rig) survived(want map[string]int32) {
	r.Helper()
	for id, w := range r.weights() {
		if w != want[id] {
			r.Errorf("%s has weight %d, want %d", id, w, want[id])
		}
	}
	taken := map[string]int{}
	for _, p := range r.fabric.Puts("") {
		if p.Status == http.StatusOK || p.Status == http.StatusCreated {
			taken[strings.ToLower(p.Path)]++
		}
	}
	for path, n := range taken {
		if n != 1 || !strings.Contains(path, "chicago") {
			r.Errorf("%d PUTs of %s were carried out", n, path)
		}
	}
	rows := r.journal("group." + group)
	for code, most := range map[string]int{"operation.decided": 1, "operation.ended": 1, "step.ended": 3} {
		if n := strings.Count(rows, code); n != most {
			r.Errorf("the journal has %d of %s, want %d:\n%s", n, code, most, rows)
		}
	}
}

// TestKillOnTheWayHome kills the program in the failover, in the failback and in
// the settle, by a crash of the handler and by a loss of the machine in turn. At
// the end everything is byte for byte what it was.
func TestKillOnTheWayHome(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 2, 3, 5, 8, 13} {
		t.Run(fmt.Sprintf("at request %d after each first PUT", at), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			rest := r.bodies()
			r.atRest()
			since := r.clock.Now()
			for i, kind := range []string{"failover", "failback", "settle"} {
				left := make(chan error, 1)
				r.atAfterPut(at, func() {
					if i == 1 {
						r.host.Kill()
						left <- nil
						return
					}
					left <- r.host.Crash()
				})
				switch kind {
				case "failover":
					r.send(r.outage("ashburn")...)
				case "failback":
					r.send(r.recovery("ashburn", since)...)
				}
				r.tick("the "+kind+" has ended", func() bool { return r.ended(kind) >= 1 })
				select {
				case err := <-left:
					if err != nil {
						t.Fatal(err)
					}
				default:
					if at < 8 {
						t.Errorf("in the %s nothing was killed", kind)
					}
				}
			}
			r.at(nil)
			r.tick("the program answers", func() bool { return r.host.Fire("Tick", false) == nil })
			for id, want := range rest {
				if got := r.bodies()[id]; got != want {
					t.Errorf("%s is not byte for byte what it was:\n got %s\nwant %s", id, got, want)
				}
			}
			r.journal("group." + group)
		})
	}
}

// atAfterPut does something at the n-th request that comes after the next PUT, that
// one counted.
func (r *rig) atAfterPut(n int, do func()) {
	var seen atomic.Int64
	r.at(func(_ int, req *http.Request) bool {
		if (req.Method == http.MethodPut || seen.Load() > 0) && seen.Add(1) == int64(n) {
			do()
		}
		return false
	})
}
