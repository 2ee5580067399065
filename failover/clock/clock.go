// Package clock tells the time that Azure tells.
//
// Instances compare instants that others wrote: when a lease ends, until when a write
// may still land, since when a circuit has been good. Their hosts' clocks may differ by
// minutes: a machine without NTP, a virtual machine that was suspended. The Date header
// of every answer from Azure sets them right, to about a second.
//
//	true time of the answer is in [Date, Date + 1 s)      Date has whole seconds
//	it was made between request and answer               by the host's own clock
//	⇒ offset is in [Date - answered, Date + 1 s - asked)  each answer narrows it
//
// A host whose clock agrees with Azure's, as nearly all do, is left alone.
package clock

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	resolution = time.Second            // of a Date header, RFC 9110 5.6.7
	slack      = time.Second            // a host this near to Azure's time is right enough
	slowest    = 5 * time.Second        // an answer that took longer says too little
	forget     = 10 * time.Minute       // what was learned is widened by drift: after this it is learned anew
	slew       = 20                     // a clock that is ahead is held back by at most one part in this many
	lost       = 100 * time.Millisecond // the clocks of Azure's servers differ among themselves
)

// Clock is the host's clock, set right. The zero value is ready and tells the host's
// time until it has heard from Azure. It is safe for concurrent use.
//
// The first correction is made at once, and so is one forward. One backward is made
// slowly, so that a deadline that was set before it is not put off by more than a
// twentieth of its length: a send deadline is a promise.
type Clock struct {
	host  func() time.Time // nil is time.Now
	mu    sync.Mutex
	low   time.Duration // the offset is at least this
	high  time.Duration // and below this
	at    time.Time     // of the newest answer, by the host
	heard bool

	offset time.Duration // applied now
	moved  time.Time     // when offset was last looked at, by the host

	notice func(offset time.Duration) // nil, or told of corrections
	told   time.Duration
}

// New returns a clock over a host's clock whose readings have a monotonic part; nil is
// time.Now. notice, if it is not nil, is told when the correction that is wanted
// changes by more than two seconds; a positive one says that the host is behind.
func New(host func() time.Time, notice func(offset time.Duration)) *Clock {
	return &Clock{host: host, notice: notice}
}

func (c *Clock) hostNow() time.Time {
	if c.host != nil {
		return c.host()
	}
	return time.Now()
}

// Now returns the present time, with a monotonic part when the host's has one.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.hostNow()
	c.approach(now)
	return now.Add(c.offset)
}

// Offset returns how far the host's clock is corrected, and whether Azure was heard
// at all.
func (c *Clock) Offset() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.approach(c.hostNow())
	return c.offset, c.heard
}

// Sleep returns after d, or with the context's error.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// wanted is the offset that what was heard asks for: none while the host may be
// right.
func (c *Clock) wanted() time.Duration {
	if !c.heard || (c.low-slack <= 0 && 0 <= c.high+slack) {
		return 0
	}
	return c.low + (c.high-c.low)/2
}

// approach moves the applied offset towards the wanted one.
func (c *Clock) approach(now time.Time) {
	want := c.wanted()
	if want < c.offset {
		want = max(want, c.offset-max(0, now.Sub(c.moved))/slew)
	}
	c.offset, c.moved = want, now
}

// Hear takes in the Date of one answer to a request that was sent and answered then,
// by the host's clock.
func (c *Clock) Hear(date, sent, answered time.Time) {
	if date.IsZero() || answered.Before(sent) || answered.Sub(sent) > slowest {
		return
	}
	low, high := date.Sub(answered)-lost, date.Add(resolution).Sub(sent)+lost
	if offset, changed := c.learn(low, high, answered); changed && c.notice != nil {
		c.notice(offset)
	}
}

// learn takes in the bounds that one answer sets to the offset. It returns what is
// wanted now, and whether that is worth telling.
func (c *Clock) learn(low, high time.Duration, answered time.Time) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.approach(answered)
	first := !c.heard
	if first || answered.Sub(c.at) > forget || high < c.low || low > c.high { // the host was suspended, or set
		c.low, c.high = low, high
	} else {
		c.low, c.high = max(c.low, low), min(c.high, high)
	}
	c.heard, c.at = true, answered
	if first {
		c.offset = c.wanted() // nothing was promised by the wrong clock yet
	}
	want := c.wanted()
	changed := (want - c.told).Abs() > 2*slack
	if changed {
		c.told = want
	}
	return want, changed
}

// Transport returns rt with its answers listened to. Only a transport that reaches
// Azure over TLS may set the time.
func (c *Clock) Transport(rt http.RoundTripper) http.RoundTripper { return listening{rt, c} }

type listening struct {
	http.RoundTripper
	clock *Clock
}

// CloseIdleConnections passes it on.
func (l listening) CloseIdleConnections() {
	if t, ok := l.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper.
func (l listening) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := l.clock.hostNow()
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil && req.URL.Scheme == "https" {
		if date, bad := http.ParseTime(resp.Header.Get("Date")); bad == nil {
			l.clock.Hear(date, sent, l.clock.hostNow())
		}
	}
	return resp, err
}
