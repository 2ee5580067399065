package handlers

import (
	"context"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"erfailover/failover/fault"
)

// maxCallers bounds how many callers' rates are remembered.
const maxCallers = 4096

// gate bounds what callers may cost: requests at once, and requests a second of
// each. One lock an order's group keeps orders of one process from racing each
// other for the same document.
type gate struct {
	places chan struct{}
	wait   time.Duration
	rate   float64
	burst  float64
	groups [64]chan struct{}

	mu      sync.Mutex
	buckets map[string]bucket
}

// bucket is what a caller has left.
type bucket struct {
	left float64
	at   time.Time
}

func newGate(l Limits) *gate {
	g := &gate{places: make(chan struct{}, l.Requests), wait: l.Request / 2, rate: float64(l.Rate), burst: float64(l.Burst), buckets: map[string]bucket{}}
	for i := range g.groups {
		g.groups[i] = make(chan struct{}, 1)
	}
	return g
}

// enter takes a place, or says when to come again.
func (g *gate) enter(ctx context.Context, caller string, now time.Time) (leave func(), err error) {
	if wait := g.take(caller, now); wait > 0 {
		return nil, &fault.Error{Op: "take the request", Kind: fault.Throttled, RetryAfter: wait, Hint: "this caller sends too many requests"}
	}
	ctx, cancel := context.WithTimeout(ctx, g.wait)
	defer cancel()
	select {
	case g.places <- struct{}{}:
		return func() { <-g.places }, nil
	case <-ctx.Done():
		return nil, &requestError{problem{Status: http.StatusServiceUnavailable, Title: "Too many requests at once", Kind: fault.Busy, RetryAfter: 2 * time.Second}}
	}
}

// take takes one token of a caller; the answer is how long to wait when none is
// left.
func (g *gate) take(caller string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	b, known := g.buckets[caller]
	if !known {
		if len(g.buckets) >= maxCallers {
			for name, old := range g.buckets {
				if now.Sub(old.at).Seconds()*g.rate >= g.burst {
					delete(g.buckets, name)
				}
			}
			if len(g.buckets) >= maxCallers {
				return time.Second
			}
		}
		b = bucket{left: g.burst, at: now}
	}
	if passed := now.Sub(b.at).Seconds(); passed > 0 {
		b.left, b.at = min(g.burst, b.left+passed*g.rate), now
	}
	if b.left < 1 {
		g.buckets[caller] = b
		return time.Duration((1 - b.left) / g.rate * float64(time.Second))
	}
	b.left--
	g.buckets[caller] = b
	return 0
}

// order waits for its turn at a group's document.
func (g *gate) order(ctx context.Context, group string) (leave func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(group)) // never fails
	turn := g.groups[h.Sum32()%uint32(len(g.groups))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, &fault.Error{Op: "wait for the orders before this one", Kind: fault.Unavailable, RetryAfter: time.Second, Hint: "send it again with the same Idempotency-Key"}
	}
}
