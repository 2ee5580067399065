package armnet

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"erfailover/failover/fault"
)

// hostCheck refuses every request that does not go to the ARM endpoint. It stands
// ahead of the bearer policy: resume tokens, nextLink, Location and
// Azure-AsyncOperation are untrusted, and a foreign one would be handed our token.
type hostCheck struct{ base *url.URL }

// Do implements policy.Policy.
func (h hostCheck) Do(req *policy.Request) (*http.Response, error) {
	if !sameHost(h.base, req.Raw().URL) {
		return nil, foreignHost(req.Raw().URL)
	}
	return req.Next()
}

// sameHost reports whether u has the scheme, host and port of base, and no user.
func sameHost(base, u *url.URL) bool {
	return u.Scheme == base.Scheme && u.User == nil &&
		strings.EqualFold(u.Hostname(), base.Hostname()) && port(u) == port(base)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443" // the base is always https
}

func foreignHost(u *url.URL) *fault.Error {
	return &fault.Error{Op: "send request", Kind: fault.Denied, Code: "ForeignHost",
		Hint: "an address in an answer or in the record points away from Azure Resource Manager; treat the record store as tampered with until explained",
		Err:  errors.New("the address is on host " + clip(clean(u.Host), 100) + ", which is not the configured endpoint")}
}

// attempt follows one request to the wire. It rides in the request's context.
type attempt struct {
	notAfter time.Time   // zero: no deadline
	handed   atomic.Bool // the transport was called
	traced   atomic.Bool // the transport tells about its connections
	got      atomic.Bool // a connection was got: bytes may have left
	cancel   func(error) // ends the request; nil until handed
	timer    *time.Timer // fires at notAfter; stopped once a connection is got
	late     atomic.Bool // refused for the deadline
}

type attemptKey struct{}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// left reports whether any byte of the request may have left this process. A
// transport that tells nothing about its connections is assumed to have sent.
func (a *attempt) left() bool {
	return a.handed.Load() && (a.got.Load() || !a.traced.Load())
}

// end frees what the attempt holds, once the answer has been read.
func (a *attempt) end() {
	if a.timer != nil {
		a.timer.Stop()
	}
	if a.cancel != nil {
		a.cancel(context.Canceled)
	}
}

// lastCheck is the last thing before the wire: the send deadline and the bound on
// the answer's size.
type lastCheck struct {
	next *http.Client
	now  func() time.Time
}

// Do implements policy.Transporter. A request whose deadline has passed is not
// sent, nor one that does not get a connection before the deadline.
func (l *lastCheck) Do(req *http.Request) (*http.Response, error) {
	if a, ok := req.Context().Value(attemptKey{}).(*attempt); ok {
		ctx, err := l.arm(req.Context(), a)
		if err != nil {
			return nil, err
		}
		req = req.WithContext(ctx)
	}
	resp, err := l.next.Do(req)
	if err != nil {
		if cause := context.Cause(req.Context()); cause != nil && errors.As(cause, new(*fault.Error)) {
			return nil, cause
		}
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	return resp, nil
}

// arm checks the deadline and watches the request from here on.
func (l *lastCheck) arm(ctx context.Context, a *attempt) (context.Context, error) {
	a.end()               // a request that was refused for its token is sent once more
	a.handed.Store(false) // and that refusal was definite: nothing of it counts
	a.got.Store(false)
	ctx, cancel := context.WithCancelCause(ctx)
	a.cancel = cancel
	if !a.notAfter.IsZero() {
		rest := a.notAfter.Sub(l.now())
		if rest <= 0 {
			a.late.Store(true)
			return nil, tooLate()
		}
		a.timer = time.AfterFunc(rest, func() { cancel(tooLate()) })
	}
	a.handed.Store(true)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { a.traced.Store(true) },
		GotConn: func(httptrace.GotConnInfo) {
			if !a.notAfter.IsZero() && !l.now().Before(a.notAfter) {
				a.late.Store(true)
				cancel(tooLate())
			}
			a.got.Store(true)
			if a.timer != nil {
				a.timer.Stop()
			}
		},
	}), nil
}

func tooLate() *fault.Error {
	return &fault.Error{Op: "send request", Kind: fault.Refused, Code: "SendDeadline",
		Hint: "the decision is too old to be carried out; a new decision will be made",
		Err:  errors.New("its send deadline has passed")}
}
