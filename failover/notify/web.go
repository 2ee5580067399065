package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// maxPayload bounds one request. Teams takes 28 KB, the least of all.
const maxPayload = 28 << 10

// web is a channel that is an HTTPS address.
type web struct {
	name   string // "teams": for errors
	url    string // may hold a key: it stays in here
	client *http.Client
	render func(Message) ([]request, error)
}

// request is one body to post.
type request struct {
	body   []byte
	kind   string // content type
	header map[string]string
}

// newWeb checks an address. It sends nothing.
func newWeb(name, address string, client *http.Client, render func(Message) ([]request, error)) (*web, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, &fault.Error{Op: "read the address of", Target: name, Kind: fault.Invalid, Hint: "an https URL without a user and without a fragment", Err: errors.New("got (secret)")}
	}
	return &web{name: name, url: address, client: client, render: render}, nil
}

// Send implements Channel.
func (w *web) Send(ctx context.Context, messages []Message) (int, error) {
	for i, m := range messages {
		requests, err := w.render(m)
		if err != nil {
			return i, &fault.Error{Op: "write a message for", Target: w.name, Kind: fault.Internal, Err: err}
		}
		for _, r := range requests {
			if err := w.post(ctx, r); err != nil {
				return i, err
			}
		}
	}
	return len(messages), nil
}

// post sends one body. Its errors name the channel, never the address.
func (w *web) post(ctx context.Context, r request) error {
	fail := func(kind fault.Kind, hint string, err error) *fault.Error {
		return &fault.Error{Op: "notify", Target: w.name, Kind: kind, Hint: hint, Err: err}
	}
	if len(r.body) > maxPayload {
		return fail(fault.Invalid, "", fmt.Errorf("a message of %d bytes is over %d", len(r.body), maxPayload))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(r.body))
	if err != nil {
		return fail(fault.Invalid, "check the channel's address", errors.New("the address cannot be used"))
	}
	req.Header.Set("Content-Type", r.kind)
	req.Header.Set("User-Agent", "erfailover")
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return w.unreached(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again; what it says is not shown
	status := fmt.Errorf("it answered with status %d", res.StatusCode)
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return fail(fault.Refused, "redirects are not followed: give the address that it leads to", status)
	case code == http.StatusTooManyRequests:
		e := fail(fault.Throttled, "", status)
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			e.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
		}
		return e
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fail(fault.Denied, "the address or its key is no longer good: make a new one", status)
	case code == http.StatusNotFound || code == http.StatusGone:
		return fail(fault.NotFound, "nothing is at the address any more: make a new one", status)
	case code == http.StatusRequestTimeout || code >= 500:
		return fail(fault.Unavailable, "it is tried again", status)
	}
	return fail(fault.Invalid, "", status)
}

// unreached says why an address could not be reached, without the address: the
// client's own error quotes it, key and all.
func (w *web) unreached(err error) error {
	out := &fault.Error{Op: "notify", Target: w.name, Kind: fault.Unavailable, Hint: "it is tried again; check the name and the network"}
	var refused *fault.Error
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &refused):
		out.Kind, out.Hint, out.Err = refused.Kind, refused.Hint, refused.Err
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		out.Err = errors.New("no answer in time")
	case errors.Is(err, context.Canceled):
		out.Err = context.Canceled
	case errors.As(err, &dns):
		out.Err = errors.New("its name cannot be looked up")
	case errors.As(err, &op):
		out.Err = fmt.Errorf("%s: %w", op.Op, op.Err)
	default:
		out.Err = errors.New("no TLS connection, or it was cut")
	}
	return out
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// object is a JSON object that is written with its names sorted.
type object map[string]any

// encode writes a body.
func encode(v any) ([]byte, error) { return json.Marshal(v, json.Deterministic(true)) }

// posted is one JSON body.
func posted(v any) ([]request, error) {
	body, err := encode(v)
	return []request{{body: body, kind: "application/json"}}, err
}
