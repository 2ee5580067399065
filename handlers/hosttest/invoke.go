package hosttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// hostVersion is the version that the emulator gives itself.
const hostVersion = "4.1037.0.0"

// ErrHang is a reply that would leave the invocation hanging for ever.
var ErrHang = errors.New("the reply is empty or null: the real host would leave this invocation hanging for ever")

// errGone means that the host stopped or crashed while an invocation ran.
var errGone = errors.New("the host is gone")

// execute runs one firing of a trigger: the first try, and the retries of the
// policy under the same invocation id. It returns errGone when the host went away
// in between; then nothing may be checkpointed.
func (h *Host) execute(ctx context.Context, f function, env envelope) error {
	id, most := guid(), 0
	if f.retry != nil {
		most = *f.retry.MaxRetryCount
	}
	var err error
	for try := 0; ; try++ {
		if f.retry != nil {
			env.Metadata["RetryContext"] = retryContext(try, most, try > 0)
		}
		err = h.invoke(ctx, f, id, env)
		if ctx.Err() != nil {
			return errGone
		}
		if err == nil {
			return nil
		}
		if f.retry == nil || (most >= 0 && try >= most) {
			return err
		}
		wait, _ := f.retry.delay(try+1, rand.Float64()) // checked when it was loaded
		h.count(func(c *Counters) { c.Retries++ })
		if !h.sleep(ctx, wait) {
			return errGone
		}
	}
}

// invoke sends one invocation and judges the reply.
func (h *Host) invoke(ctx context.Context, f function, id string, env envelope) error {
	if err := h.awaitReady(ctx); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, h.functionTimeout)
	defer cancel()
	body := bytes.NewReader(text(env))
	// A bare Reader has no known length, so the body goes out in chunks.
	req, err := http.NewRequestWithContext(limit, http.MethodPost, h.target+"/"+f.name, struct{ io.Reader }{body})
	if err != nil {
		return err
	}
	req.Header.Set("X-Azure-Functions-HostVersion", hostVersion)
	req.Header.Set("X-Azure-Functions-InvocationId", id)
	req.Header.Set("User-Agent", "Azure-Functions-Host/"+hostVersion)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	h.count(func(c *Counters) { c.Invocations++ })
	logs, err := h.judge(h.client.Do(req))
	if errors.Is(limit.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		h.timedOut()
		err = fmt.Errorf("%s ran longer than functionTimeout: the handler was killed", f.name)
	}
	if err != nil {
		if ctx.Err() == nil {
			h.count(func(c *Counters) { c.Failures++ })
			h.note(fmt.Sprintf("%s failed: %v", f.name, err))
		}
		if errors.Is(err, ErrHang) {
			h.protocol(fmt.Errorf("%s: %w", f.name, err))
		}
		return err
	}
	h.count(func(c *Counters) { c.Successes++ })
	for _, line := range logs {
		h.note(f.name + ": " + line)
	}
	return nil
}

// judge decides whether a reply is a success, as the host does, and returns its
// log lines.
func (h *Host) judge(res *http.Response, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, fmt.Errorf("the reply has status %d", res.StatusCode)
	}
	if b := bytes.TrimSpace(body); len(b) == 0 || string(b) == "null" {
		return nil, ErrHang
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if !slices.Contains([]string{"application/json", "text/json"}, kind) {
		return nil, fmt.Errorf("no formatter is available for the content type %q", kind)
	}
	var out struct {
		Outputs     map[string]jsontext.Value
		Logs        []jsontext.Value
		ReturnValue jsontext.Value
	}
	if err := json.Unmarshal(body, &out, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, errors.New("invalid HttpResponseMessage: the reply is not a JSON object of the right form")
	}
	var logs []string
	for _, l := range out.Logs {
		if k := l.Kind(); k == '{' || k == '[' {
			return nil, errors.New("an item of Logs is an object or an array")
		}
		logs = append(logs, strings.Trim(string(l), `"`))
	}
	return logs, nil
}

// sleep waits for d of the emulator's time. It is false when ctx ended first.
func (h *Host) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(time.Duration(float64(d) / h.speed))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
