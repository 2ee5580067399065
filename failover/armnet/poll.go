package armnet

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"erfailover/failover/clock"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

const opPoll = "look at operation"

// started is what the first answer of an operation told.
type started struct {
	done  bool
	token executor.Token // set when not done
	body  []byte
}

// start makes the SDK's poller of the first answer and takes its resume token. An
// operation whose addresses point elsewhere is refused: no token of it is stored.
func start[T any](c *Client, resp *http.Response) (started, error) {
	body, err := runtime.Payload(resp)
	if err != nil {
		return started{}, err
	}
	p, err := runtime.NewPoller[T](resp, c.pipe, nil)
	if err != nil {
		return started{}, errors.New("the answer names no operation that can be followed")
	}
	if p.Done() {
		return started{done: true, body: body}, nil
	}
	token, err := p.ResumeToken()
	if err != nil {
		return started{}, errors.New("the answer names no operation that can be followed")
	}
	if f := c.checkToken(token); f != nil {
		return started{}, f
	}
	return started{token: executor.Token(token), body: body}, nil
}

// Poll implements executor.Network: one look at each operation, in parallel.
func (c *Client) Poll(ctx context.Context, running []executor.Running) []executor.Polled {
	out := make([]executor.Polled, len(running))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, r := range running {
		g.Go(func() error {
			out[i] = c.poll(ctx, r)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// poll looks at one operation.
func (c *Client) poll(ctx context.Context, r executor.Running) executor.Polled {
	target := targetOf(r)
	if f := c.checkToken(string(r.Token)); f != nil {
		f.Op, f.Target = opPoll, target
		// It will never be followed: a read of the connection decides.
		return executor.Polled{Done: true, Outcome: executor.Unknown, Err: f}
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, briefKey{}, true), tryTimeout+c.pace.maxWait)
	defer cancel()
	look, err := c.resume(ctx, r)
	if err != nil {
		f := requestFault(opPoll, target, err)
		f.Kind, f.Code = fault.Corrupt, "BadToken"
		f.Err = errors.New("the stored token does not fit the operation")
		return executor.Polled{Done: true, Outcome: executor.Unknown, Err: f}
	}
	return c.judge(r, target, look)
}

func targetOf(r executor.Running) string {
	switch {
	case r.Write != nil:
		return r.Write.Connection
	case r.Question != nil:
		return r.Question.Target
	}
	return ""
}

// look is one look at an operation, in raw form.
type look struct {
	done  bool
	token string         // when not done: the token to store
	resp  *http.Response // nil: no answer came
	body  []byte
	err   error // of the poller
}

// resume rebuilds the poller that fits the operation, and looks once.
func (c *Client) resume(ctx context.Context, r executor.Running) (look, error) {
	token := string(r.Token)
	kind := tokenType(token)
	switch {
	case r.Write != nil && r.Write.Kind != planner.SetWeight:
		return c.resumeLever(ctx, r.Write.Kind, token)
	case r.Write != nil && kind == typeVNetWrite:
		return lookOnce[vnetWrite](ctx, c, token)
	case r.Write != nil && kind == typeVWANWrite:
		return lookOnce[vwanWrite](ctx, c, token)
	case r.Question != nil:
		switch r.Question.Kind {
		case executor.AskBGP:
			return lookOnce[bgpAnswer](ctx, c, token)
		case executor.AskARP:
			return lookOnce[arpAnswer](ctx, c, token)
		case executor.AskTable:
			return lookOnce[tableAnswer](ctx, c, token)
		case executor.AskRoutes:
			return lookOnce[routesAnswer](ctx, c, token)
		case executor.AskTests:
			return lookOnce[testsRead](ctx, c, token)
		case executor.AskPeers:
			return lookOnce[peersAnswer](ctx, c, token)
		case executor.AskAdvertised:
			return lookOnce[advertisedAnswer](ctx, c, token)
		case executor.AskSets:
			return lookOnce[setsAnswer](ctx, c, token)
		}
	}
	return look{}, errors.New("neither a write nor a question of that kind")
}

// The SDK's names for the tokens of writes.
const (
	typeVNetWrite = "VirtualNetworkGatewayConnectionsClientCreateOrUpdateResponse"
	typeVWANWrite = "ExpressRouteConnectionsClientCreateOrUpdateResponse"
)

func lookOnce[T any](ctx context.Context, c *Client, token string) (look, error) {
	p, err := runtime.NewPollerFromResumeToken[T](token, c.pipe, nil)
	if err != nil {
		return look{}, err
	}
	if p.Done() {
		return look{}, errors.New("the token is of an operation that had ended")
	}
	l := look{token: token}
	_, l.err = p.Poll(policy.WithCaptureResponse(ctx, &l.resp))
	if l.resp != nil {
		if body, err := runtime.Payload(l.resp); err == nil {
			l.body = body
		}
	}
	if l.err != nil {
		return l, nil
	}
	l.done = p.Done()
	if !l.done {
		if l.token, err = p.ResumeToken(); err != nil {
			return look{}, err
		}
	}
	return l, nil
}

// judge gives a look its meaning.
func (c *Client) judge(r executor.Running, target string, l look) executor.Polled {
	out := executor.Polled{Token: r.Token}
	if l.resp == nil { // nothing came back: this look failed, the operation goes on
		f := requestFault(opPoll, target, l.err)
		out.Err, out.RetryAfter = f, f.RetryAfter
		return out
	}
	out.RetryAfter = clock.RetryAfter(l.resp.Header, c.cfg.Now())
	status := l.resp.StatusCode
	switch {
	case status == http.StatusAccepted && !l.done:
		return c.goOn(out, target, l)
	case status >= 300:
		f := c.answerFault(opPoll, target, l.resp)
		out.Err, out.RetryAfter = f, f.RetryAfter
		if forgotten(status) {
			out.Done, out.Outcome, out.Token = true, executor.Unknown, ""
		}
		return out
	case r.Question != nil && (l.done || l.err != nil):
		return c.answered(*r.Question, target, l, out)
	case l.err != nil && r.Write != nil && r.Write.Kind != planner.SetWeight && status == http.StatusOK:
		// It has ended and its result cannot be read, as is known of the tests'
		// results: their details decide.
		out.Done, out.Outcome, out.Token, out.Err = true, executor.Unknown, "", unreadable(opPoll, target, l.err)
		return out
	case l.err != nil:
		out.Err = unreadable(opPoll, target, l.err)
		return out
	case !l.done:
		return c.goOn(out, target, l)
	}
	out.Done, out.Token = true, ""
	if f := failedState(opPoll, target, l.body); f != nil {
		out.Outcome, out.Err = executor.Unknown, f
		return out
	}
	out.Outcome = executor.Applied
	return out
}

// forgotten reports whether an answer means that the operation will never tell
// more. What is missing, gone or refused as such stays so; the rest may pass.
func forgotten(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// goOn answers for an operation that still runs, with the token to store.
func (c *Client) goOn(out executor.Polled, target string, l look) executor.Polled {
	if f := c.checkToken(l.token); f != nil {
		f.Op, f.Target = opPoll, target
		out.Err = f
		return out
	}
	out.Token = executor.Token(l.token)
	return out
}

// answered reads the end of a slow read.
func (c *Client) answered(q executor.Question, target string, l look, out executor.Polled) executor.Polled {
	if f := failedState(opPoll, target, l.body); f != nil {
		out.Done, out.Outcome, out.Token, out.Err = true, executor.Unknown, "", f
		return out
	}
	a, err := decodeAnswer(q, l.body, c.cfg.Now())
	switch {
	case err == nil:
		out.Done, out.Outcome, out.Token, out.Answer = true, executor.Applied, "", a
	case l.done:
		out.Done, out.Outcome, out.Token, out.Err = true, executor.Unknown, "", unreadable(opPoll, target, err)
	default: // an operation body without status and without a result: not ended
		out.Err = unreadable(opPoll, target, l.err)
	}
	return out
}

// failedState returns a fault when an operation's or a resource's body says that
// the operation failed or was cancelled. Such a body comes with status 200.
func failedState(op, target string, body []byte) *fault.Error {
	var b struct {
		Status     string    `json:"status"`
		Error      *armError `json:"error"`
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	if json.Unmarshal(body, &b) != nil {
		return nil // not an object: an array, or nothing at all
	}
	state := b.Status
	if state == "" {
		state = b.Properties.ProvisioningState
	}
	var e armError
	if b.Error != nil {
		e = *b.Error
	}
	switch strings.ToLower(state) {
	case "failed":
		if e.Code == "" {
			e.Code = "Failed"
		}
	case "canceled", "cancelled":
		if e.Code == "" {
			e.Code = "Canceled"
		}
	default:
		return nil
	}
	e.Code = clip(clean(e.Code), 100)
	if e.Message == "" {
		e.Message = "the operation ended as " + state
	}
	f := classify(http.StatusOK, e)
	f.Op, f.Target = op, target
	return f
}

// tokenType returns the type that a resume token names, or "".
func tokenType(token string) string {
	var t struct {
		Type string `json:"type"`
	}
	if json.Unmarshal([]byte(token), &t) != nil {
		return ""
	}
	return t.Type
}

// checkToken refuses a token that would make us ask anything but the configured
// endpoint. The pipeline checks again.
func (c *Client) checkToken(token string) *fault.Error {
	bad := func(why string) *fault.Error {
		return &fault.Error{Op: opPoll, Kind: fault.Corrupt, Code: "BadToken",
			Hint: "the record of the operation was damaged; the connection is read to learn what happened",
			Err:  errors.New("the stored token " + why)}
	}
	var t struct {
		Type  string         `json:"type"`
		Token map[string]any `json:"token"`
	}
	if err := json.Unmarshal([]byte(token), &t); err != nil {
		return bad("is not one of ours")
	}
	found := false
	for name, value := range t.Token {
		if !strings.HasSuffix(strings.ToLower(name), "url") {
			continue
		}
		text, ok := value.(string)
		if !ok {
			return bad("holds something else than an address")
		}
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil {
			return bad("holds an address that cannot be read")
		}
		if !sameHost(c.base, u) {
			return foreignHost(u)
		}
		found = true
	}
	if !found || t.Type == "" {
		return bad("names no operation")
	}
	return nil
}
