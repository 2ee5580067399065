package cli

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	azureclock "erfailover/failover/clock"
)

// clockVariable makes a process run on the demo's clock. It is refused in a
// function app.
const clockVariable = "ERFAILOVER_DEMO_CLOCK"

// clock tells the time, real or faster. The zero value is the host's clock.
type clock struct {
	start time.Time        // estate time at base
	base  time.Time        // real time, with its monotonic part
	speed float64          // estate seconds in a real second; 0 is the real clock
	at    func() time.Time // in place of all this, for tests

	azure *azureclock.Clock // nil, or the real clock set right by Azure's answers
}

// newClock returns a clock that shows start now and runs speed times as fast.
func newClock(start time.Time, speed float64) *clock {
	return &clock{start: start, base: time.Now(), speed: speed}
}

// Now returns the present time. It never runs backwards.
func (c *clock) Now() time.Time {
	if c.at != nil {
		return c.at()
	}
	if c.speed == 0 && c.azure != nil {
		return c.azure.Now()
	}
	if c.speed == 0 {
		return time.Now()
	}
	return c.start.Add(time.Duration(float64(time.Since(c.base)) * c.speed))
}

// Sleep waits for d of this clock's time, or until ctx ends.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if c.speed != 0 {
		d = time.Duration(float64(d) / c.speed)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// follow sets the real clock by Azure's from now on, and says in the log when the
// host is wrong.
func (c *clock) follow(log zerolog.Logger) {
	if c.speed != 0 {
		return
	}
	c.azure = azureclock.New(nil, func(offset time.Duration) {
		log.Warn().Str("event", "clock.corrected").Dur("offset", offset).Msg("this host's clock differs from Azure's, which is used instead; set the host's")
	})
}

// listen returns what lets a transport's answers set the clock; nil when none do.
func (c *clock) listen() func(http.RoundTripper) http.RoundTripper {
	if c.azure == nil {
		return nil
	}
	return c.azure.Transport
}

// real returns how long d of this clock's time takes.
func (c *clock) real(d time.Duration) time.Duration {
	if c.speed == 0 {
		return d
	}
	return time.Duration(float64(d) / c.speed)
}

// String returns what another process needs to run on the same clock.
func (c *clock) String() string {
	return fmt.Sprintf("%s@%d@%g", c.start.UTC().Format(time.RFC3339Nano), c.base.UnixNano(), c.speed)
}

// clockFrom reads what String wrote; "" is the real clock.
func clockFrom(text string) (*clock, error) {
	if text == "" {
		return &clock{}, nil
	}
	parts := strings.Split(text, "@")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s: got %q, want start@base@speed", clockVariable, text)
	}
	start, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clockVariable, err)
	}
	nanos, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clockVariable, err)
	}
	speed, err := strconv.ParseFloat(parts[2], 64)
	if err != nil || speed < 1 || speed > 1000 {
		return nil, fmt.Errorf("%s: speed %q, want 1 to 1000", clockVariable, parts[2])
	}
	now := time.Now()
	passed := now.Sub(time.Unix(0, nanos))
	return &clock{start: start.Add(time.Duration(float64(passed) * speed)), base: now, speed: speed}, nil
}
