package armnet

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"erfailover/failover/clock"
	"erfailover/failover/fault"
)

// The published limits, per subscription, principal and region. Sources: "Understand
// how Azure Resource Manager throttles requests" on learn.microsoft.com.
const (
	armWriteBurst, armWriteRate = 200, 10.0
	armReadBurst, armReadRate   = 250, 25.0
	rpWriteBurst, rpWriteRate   = 1000, 1000.0 / 300
	rpReadBurst, rpReadRate     = 10000, 10000.0 / 300
)

// bucket is a token bucket. Its level may fall below zero: that is the queue.
type bucket struct {
	burst, rate float64 // tokens, tokens a second
	level       float64
	at          time.Time // when level was right; zero: full
}

// fill brings the level up to now.
func (b *bucket) fill(now time.Time) {
	if b.at.IsZero() {
		b.level = b.burst
	} else if d := now.Sub(b.at); d > 0 {
		b.level = min(b.burst, b.level+d.Seconds()*b.rate)
	}
	b.at = now
}

// wait returns how long a token taken now would have to wait.
func (b *bucket) wait() time.Duration {
	if b.level >= 1 {
		return 0
	}
	return time.Duration((1 - b.level) / b.rate * float64(time.Second))
}

// pacer keeps the requests of one process inside the published limits, per
// subscription. It is a pipeline policy.
type pacer struct {
	budget  Budget
	maxWait time.Duration // of a write
	maxRead time.Duration // of a read: a large estate is discovered in one call
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error

	mu   sync.Mutex
	subs map[string]*lanes // by subscription
}

// lanes are the buckets of one subscription: ARM's and Microsoft.Network's.
type lanes struct {
	writes, reads [2]bucket
	until         [2]time.Time // reads, writes: the server said not before
}

func newPacer(cfg Config) *pacer {
	return &pacer{budget: cfg.Budget, maxWait: cfg.MaxWait, maxRead: 5 * cfg.MaxWait, now: cfg.Now, sleep: cfg.Sleep, subs: map[string]*lanes{}}
}

// Do implements policy.Policy. A wait longer than the bound is answered with
// fault.Throttled instead of being slept.
func (p *pacer) Do(req *policy.Request) (*http.Response, error) {
	write := req.Raw().Method != http.MethodGet // a POST counts as a write, to be on the safe side
	sub := subscriptionOf(req.Raw().URL.Path)
	bound := p.bound(req.Raw().Context(), write)
	wait := p.take(sub, write, bound)
	if wait > bound {
		return nil, paced(wait)
	}
	if wait > 0 {
		if err := p.sleep(req.Raw().Context(), wait); err != nil {
			return nil, err
		}
	}
	resp, err := req.Next()
	if err == nil {
		p.learn(sub, write, resp)
	}
	return resp, err
}

func paced(wait time.Duration) *fault.Error {
	return &fault.Error{Op: "send request", Kind: fault.Throttled, Code: "Paced", RetryAfter: wait,
		Hint: "many requests at once; they are spread to stay inside Azure's published limits",
		Err:  errors.New("our share of the subscription's request limit is used up")}
}

// take takes a token and returns the wait that goes with it. A wait beyond the
// bound takes nothing.
func (p *pacer) take(sub string, write bool, bound time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	lane, wait := p.look(sub, write)
	if wait <= bound {
		for i := range lane {
			lane[i].level--
		}
	}
	return wait
}

// full returns a fault when a write would now have to wait beyond the bound, so
// that no read is spent on it.
func (p *pacer) full(sub string) *fault.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, wait := p.look(sub, true); wait > p.maxWait {
		return paced(wait)
	}
	return nil
}

// look returns the buckets that a request draws on, filled up to now, and the wait
// that a token of each would cost.
func (p *pacer) look(sub string, write bool) (*[2]bucket, time.Duration) {
	now := p.now()
	l := p.lanes(sub)
	lane, until := &l.reads, l.until[0]
	if write {
		lane, until = &l.writes, l.until[1]
	}
	wait := max(0, until.Sub(now))
	for i := range lane {
		lane[i].fill(now)
		wait = max(wait, lane[i].wait())
	}
	return lane, wait
}

// briefKey marks the context of requests that are better told to come again than
// kept waiting: looks at running operations.
type briefKey struct{}

// bound returns the longest wait inside a call.
func (p *pacer) bound(ctx context.Context, write bool) time.Duration {
	if write || ctx.Value(briefKey{}) != nil {
		return p.maxWait
	}
	return p.maxRead
}

// lanes returns the buckets of a subscription.
func (p *pacer) lanes(sub string) *lanes {
	l, ok := p.subs[sub]
	if !ok {
		w, r := p.budget.Writes, p.budget.Reads
		l = &lanes{
			writes: [2]bucket{newBucket(armWriteBurst*w, armWriteRate*w), newBucket(rpWriteBurst*w, rpWriteRate*w)},
			reads:  [2]bucket{newBucket(armReadBurst*r, armReadRate*r), newBucket(rpReadBurst*r, rpReadRate*r)},
		}
		p.subs[sub] = l
	}
	return l
}

// newBucket gives every bucket room for one token at least, however small the share.
func newBucket(burst, rate float64) bucket { return bucket{burst: max(1, burst), rate: rate} }

// learn takes the server's word about what is left: others use the same limits.
func (p *pacer) learn(sub string, write bool, resp *http.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes(sub)
	lane, i, head := &l.reads, 0, "x-ms-ratelimit-remaining-subscription-reads"
	if write {
		lane, i, head = &l.writes, 1, "x-ms-ratelimit-remaining-subscription-writes"
	}
	if n, err := strconv.ParseFloat(resp.Header.Get(head), 64); err == nil && n >= 0 && n < lane[0].level {
		lane[0].level = n
	}
	if resp.StatusCode == http.StatusTooManyRequests && !busyCode(errorOf(resp).codes()) {
		if hint := clock.RetryAfter(resp.Header, p.now()); hint > 0 {
			l.until[i] = p.now().Add(hint)
		}
	}
}

// subscriptionOf returns the subscription in a path, lower case, or "".
func subscriptionOf(path string) string {
	segs := strings.Split(strings.ToLower(strings.TrimLeft(path, "/")), "/")
	if len(segs) >= 2 && segs[0] == "subscriptions" {
		return segs[1]
	}
	return ""
}
