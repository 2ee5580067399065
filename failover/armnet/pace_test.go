package armnet

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// stepClock is a clock that moves when somebody sleeps.
type stepClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stepClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *stepClock) Sleep(_ context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return nil
}

// Promise: whatever comes, no window of time sees more requests than the published
// limits allow to our share, plus what may wait inside a call.
func TestPacingStaysInsideTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clk := &stepClock{now: someTime}
		share := rapid.SampledFrom([]float64{0.1, 0.5, 1}).Draw(t, "share")
		p := newPacer(Config{Budget: Budget{Writes: share, Reads: share}, MaxWait: 2 * time.Second, Now: clk.Now, Sleep: clk.Sleep})
		var sent []time.Time // when each granted write goes out
		for range rapid.IntRange(1, 60).Draw(t, "bursts") {
			for range rapid.IntRange(1, 60).Draw(t, "writes") {
				if wait := p.take("s", true, p.maxWait); wait <= p.maxWait {
					sent = append(sent, clk.now.Add(wait))
				}
			}
			clk.now = clk.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "pause ms")) * time.Millisecond)
		}
		for i := range sent {
			for j := i; j < len(sent); j++ {
				span, n := sent[j].Sub(sent[i]).Seconds(), float64(j-i+1)
				if limit := share*(armWriteBurst+armWriteRate*span) + 1; n > limit {
					t.Fatalf("%v writes in %v s, ARM allows us %v", n, span, limit)
				}
				if limit := share*(rpWriteBurst+rpWriteRate*span) + 1; n > limit {
					t.Fatalf("%v writes in %v s, Microsoft.Network allows us %v", n, span, limit)
				}
			}
		}
	})
}

func TestPacing(t *testing.T) {
	clk := &stepClock{now: someTime}
	p := newPacer(Config{Budget: Budget{Writes: 0.8, Reads: 0.5}, MaxWait: 2 * time.Second, Now: clk.Now, Sleep: clk.Sleep})
	count := func(sub string, write bool) (free, waiting int) {
		for {
			bound := p.bound(t.Context(), write)
			wait := p.take(sub, write, bound)
			if wait > bound {
				return free, waiting
			}
			if wait == 0 {
				free++
			} else {
				waiting++
			}
		}
	}
	if free, waiting := count("a", true); free != 160 || waiting != 16 {
		t.Errorf("writes: %d at once and %d that wait; want 160 and 16", free, waiting)
	}
	if free, waiting := count("a", false); free != 125 || waiting != 125 {
		t.Errorf("reads: %d at once and %d that wait; want 125 and 125", free, waiting)
	}
	if free, _ := count("b", true); free != 160 {
		t.Errorf("another subscription has its own limits: %d", free)
	}
	clk.now = clk.now.Add(12 * time.Second)
	if free, _ := count("a", true); free != 80 { // 2 s pay the queue, 10 s fill at 8 a second
		t.Errorf("%d after 12 s, want 80", free)
	}
}

// A wait that is too long is told with its length, and nothing is sent.
func TestPacingAnswersInsteadOfSleeping(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("PUT", testConn, answer{200, nil, connBody})
	clk := &stepClock{now: someTime}
	c := a.client(func(c *Config) { c.Now, c.Sleep = clk.Now, clk.Sleep })
	for c.pace.take(subscriptionOf(testConn), true, 2*time.Second) <= 2*time.Second {
	}
	b := begin(t, c, raise())
	if f := asFault(t, b.Err); b.Outcome != executor.NotApplied || b.Sent || f.Kind != fault.Throttled || f.Code != "Paced" || b.RetryAfter <= 2*time.Second || b.RetryAfter > 3*time.Second {
		t.Errorf("got %+v", b)
	}
	if len(a.requests("PUT")) != 0 || !clk.now.Equal(someTime) {
		t.Error("it was sent, or slept on")
	}
	clk.now = clk.now.Add(b.RetryAfter)
	if b := begin(t, c, raise()); b.Outcome != executor.Applied {
		t.Errorf("after the wait: %+v", b)
	}
}

// A look at an operation is told to come again rather than kept waiting as long as
// a read.
func TestPacingOfLooks(t *testing.T) {
	a := newAzure(t).on("GET", testOp, answer{200, nil, `{"status":"Succeeded"}`}).on("GET", testConn, answer{200, nil, connBody})
	clk := &stepClock{now: someTime}
	c := a.client(func(c *Config) { c.Now, c.Sleep = clk.Now, clk.Sleep })
	for c.pace.take(subscriptionOf(testConn), false, 3*time.Second) <= 3*time.Second {
	}
	w := raise()
	token := asyncToken(a.srv.URL, typeVNetWrite)
	p := c.Poll(t.Context(), []executor.Running{{Token: token, Write: &w}})[0]
	if f := asFault(t, p.Err); p.Done || p.Token != token || f.Code != "Paced" || p.RetryAfter <= 2*time.Second {
		t.Errorf("got %+v", p)
	}
	if got := readOne(t, c, executor.RefConnection, testConn); got.Err != nil || !clk.now.After(someTime.Add(2*time.Second)) {
		t.Errorf("a read waits: %+v", got)
	}
}

// The server's word about what is left is taken, as is its Retry-After for a quota.
func TestPacingLearns(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, map[string]string{"x-ms-ratelimit-remaining-subscription-reads": "1"}, connBody})
	clk := &stepClock{now: someTime}
	c := a.client(func(c *Config) { c.Now, c.Sleep, c.MaxElapsed = clk.Now, clk.Sleep, -1 })
	readOne(t, c, executor.RefConnection, testConn)
	readOne(t, c, executor.RefConnection, testConn)
	if !clk.now.Equal(someTime) {
		t.Error("one was left")
	}
	for range 2 {
		readOne(t, c, executor.RefConnection, testConn)
	}
	if clk.now.Equal(someTime) {
		t.Error("others use the limits too: the server's word must count")
	}
	a.on("GET", testConn, answer{429, map[string]string{"Retry-After": "60"}, ""})
	readOne(t, c, executor.RefConnection, testConn)
	n := len(a.requests("GET"))
	got := readOne(t, c, executor.RefConnection, testConn)
	if f := asFault(t, got.Err); f.Kind != fault.Throttled || f.RetryAfter < 59*time.Second || len(a.requests("GET")) != n {
		t.Errorf("asked again before its time: %+v", got)
	}
	if _, err := c.get(t.Context(), "read", "x", c.base.String()+strings.Replace(testConn, "0001", "0002", 1)); errors.Is(err, fault.Throttled) {
		t.Error("another subscription is not held back")
	}
}

// A busy gateway is no quota: it holds nothing else back.
func TestBusyGatewayHoldsNothingBack(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).
		on("PUT", testConn, answer{429, map[string]string{"Retry-After": "60"}, armErr("RetryableError", "x")}, answer{200, nil, connBody})
	c := a.client()
	begin(t, c, raise())
	if b := begin(t, c, raise()); b.Outcome != executor.Applied {
		t.Errorf("got %+v", b)
	}
}

func TestScrub(t *testing.T) {
	tests := map[string]string{
		`GET https://x/y?t=1&sig=abc failed`:                   `GET https://x/y?*** failed`,
		`header Bearer abc.def.ghi end`:                        `header *** end`,
		`token eyJhbGciOiJIUzI1NiJ9.e30.abc end`:               `token *** end`,
		`{"authorizationKey": "k 1", "a": 1}`:                  `{"authorizationKey": ***, "a": 1}`,
		`sharedKey=abc, next`:                                  `sharedKey=***, next`,
		"line\nbreak\x00and\u2028more":                         "line break and more",
		`perform action 'Microsoft.Network/connections/write'`: `perform action 'Microsoft.Network/connections/write'`,
	}
	for in, want := range tests {
		if got := scrub(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := scrub(strings.Repeat("é", 500)); len(got) != 400 {
		t.Errorf("%d bytes", len(got))
	}
}
