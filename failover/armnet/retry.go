package armnet

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/cenkalti/backoff/v4"

	"erfailover/failover/fault"
)

// reply is one good answer.
type reply struct {
	body   []byte
	header http.Header
}

// hinted is a BackOff that never waits less than the server asked for, and gives
// up rather than wait longer than most.
type hinted struct {
	backoff.BackOff
	hint, most time.Duration
}

// NextBackOff implements backoff.BackOff.
func (h *hinted) NextBackOff() time.Duration {
	d := h.BackOff.NextBackOff()
	if d == backoff.Stop || h.hint > h.most {
		return backoff.Stop
	}
	return max(d, h.hint)
}

// ticking makes a function a backoff.Clock.
type ticking func() time.Time

// Now implements backoff.Clock.
func (c ticking) Now() time.Time { return c() }

// timer lets backoff sleep through Config.Sleep.
type timer struct {
	sleep func(context.Context, time.Duration) error
	ctx   context.Context
	done  chan time.Time
}

// Start implements backoff.Timer. backoff itself watches the context.
func (t *timer) Start(d time.Duration) {
	t.done = make(chan time.Time, 1)
	if t.sleep(t.ctx, d) == nil {
		t.done <- time.Time{}
	}
}

// Stop implements backoff.Timer.
func (t *timer) Stop() {}

// C implements backoff.Timer.
func (t *timer) C() <-chan time.Time { return t.done }

// get reads one address, repeating it for a short while when Azure is ill or
// throttles. The error is a fault.Error.
func (c *Client) get(ctx context.Context, op, target, address string) (reply, error) {
	exp := backoff.NewExponentialBackOff()
	exp.InitialInterval, exp.MaxInterval = 200*time.Millisecond, c.cfg.MaxWait
	exp.MaxElapsedTime = c.cfg.MaxElapsed
	exp.Clock = ticking(c.cfg.Now)
	pace := &hinted{BackOff: exp, most: c.cfg.MaxWait}
	if c.cfg.MaxElapsed < 0 {
		pace.BackOff = &backoff.StopBackOff{}
	}
	r, err := backoff.RetryNotifyWithTimerAndData(func() (reply, error) {
		r, f := c.getOnce(ctx, op, target, address)
		if f == nil {
			return r, nil
		}
		pace.hint = f.RetryAfter
		if again(f) && ctx.Err() == nil {
			return r, f
		}
		return r, backoff.Permanent(f)
	}, backoff.WithContext(pace, ctx), nil, &timer{sleep: c.cfg.Sleep, ctx: ctx})
	if err != nil && !errors.As(err, new(*fault.Error)) {
		err = requestFault(op, target, err)
	}
	return r, err
}

// again reports whether a read that failed so is worth repeating soon.
func again(f *fault.Error) bool {
	switch f.Kind {
	case fault.Unavailable, fault.Busy:
		return true
	case fault.Throttled:
		return f.Code != "Paced"
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.Denied, fault.Refused, fault.Corrupt, fault.Internal:
		return false
	}
	return false
}

// getOnce makes one try.
func (c *Client) getOnce(ctx context.Context, op, target, address string) (reply, *fault.Error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout+c.pace.maxRead)
	defer cancel()
	req, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return reply{}, requestFault(op, target, err)
	}
	req.Raw().Header.Set("Accept", "application/json")
	resp, err := c.pipe.Do(req)
	if err != nil {
		return reply{}, requestFault(op, target, err)
	}
	if resp.StatusCode != http.StatusOK {
		return reply{}, c.answerFault(op, target, resp)
	}
	body, err := runtime.Payload(resp)
	if err != nil {
		return reply{}, requestFault(op, target, err)
	}
	return reply{body: body, header: resp.Header}, nil
}

// address returns the URL of a resource, or of something below it.
func (c *Client) address(id string) string {
	return c.base.String() + id + "?api-version=" + c.cfg.APIVersion
}
