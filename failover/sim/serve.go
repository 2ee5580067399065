package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxRequest is the largest request body that is read, in bytes.
const maxRequest = 4 << 20

// reply is an answer before it is sent.
type reply struct {
	status    int
	header    http.Header
	body      []byte
	code      string // error code, "" if none
	operation string // ID of the operation that it began
}

// ok returns a 200 with a body.
func ok(body []byte) reply { return reply{status: http.StatusOK, header: http.Header{}, body: body} }

// refuse turns a refusal into an answer.
func refuse(r *Refusal) reply {
	e := object("code", r.Code, "message", r.Message)
	if r.Detail != "" {
		e = e.with("details", []body{object("code", r.Detail, "message", r.Message)})
	} else {
		e = e.with("details", []body{})
	}
	out := reply{status: r.Status, header: http.Header{}, body: object("error", e).raw(), code: r.Code}
	if r.RetryAfter != "" {
		out.header.Set("Retry-After", r.RetryAfter)
	}
	return out
}

// failure turns any error of the fabric into an answer.
func failure(err error) reply {
	if r, is := err.(*Refusal); is {
		return refuse(r)
	}
	return refuse(&Refusal{Status: 500, Code: "InternalServerError", Message: err.Error()})
}

// call is one request on its way through the face.
type call struct {
	*http.Request
	where target
	kind  Kind
	body  []byte
	fault Fault
	now   time.Time
	base  string // scheme and host to build absolute addresses with
}

// ServeHTTP answers one request as Azure Resource Manager would. A fault that
// breaks the connection panics with http.ErrAbortHandler, as net/http asks.
func (a *ARM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the request body could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	where := locate(r.URL.Path)
	c := &call{Request: r, where: where, kind: where.kind(r.Method), body: raw, now: a.Now(), base: "https://" + r.Host}
	c.fault = a.pick(r.Method, r.URL.Path, c.kind)
	correlation := r.Header.Get("x-ms-correlation-request-id")
	if correlation == "" {
		correlation = a.fabric.newID()
	}
	note := Request{
		At: c.now, Method: r.Method, Path: r.URL.Path, Kind: c.kind, Body: string(raw), Fault: c.fault.Kind,
		Authorization: authorization(r), ClientRequest: r.Header.Get("x-ms-client-request-id"),
		Correlation: correlation, IfMatch: r.Header.Get("If-Match"),
	}
	if c.fault.Kind == DropBefore {
		a.fabric.note(note)
		panic(http.ErrAbortHandler)
	}
	out := a.answer(c)
	out = bend(out, c.fault)
	note.Status, note.Code, note.Operation = out.status, out.code, out.operation
	switch c.fault.Kind {
	case DropAfter:
		note.Status = 0
		a.fabric.note(note)
		panic(http.ErrAbortHandler)
	case Slow:
		a.wait(r, c.fault.Delay)
	case Hang:
		note.Status = 0
		a.fabric.note(note)
		a.wait(r, math.MaxInt64)
		panic(http.ErrAbortHandler)
	default: // every other fault has been worked into the answer
	}
	a.fabric.note(note)
	for k, v := range out.header {
		w.Header()[k] = v
	}
	w.Header().Set("x-ms-correlation-request-id", correlation)
	w.Header().Set("x-ms-request-id", a.fabric.newID())
	w.Header().Set("Cache-Control", "no-cache")
	if len(out.body) > 0 {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body)
}

// wait holds a reply back for a span of real time, until the client gives up or
// the face closes.
func (a *ARM) wait(r *http.Request, span time.Duration) {
	t := time.NewTimer(span)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	case <-a.closed:
	}
}

// authorization says what kind of token came, never which.
func authorization(r *http.Request) string {
	token, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !is:
		return "none"
	case minted(token):
		return "bearer"
	}
	return "unknown"
}

// answer decides a request: faults that refuse, the token, the version, the
// buckets, and then the resource.
func (a *ARM) answer(c *call) reply {
	if r := c.fault.refusal(); r != nil {
		return refuse(r)
	}
	if who := authorization(c.Request); who != "bearer" && !a.opts.NoAuth {
		return unauthorized(who)
	}
	if c.URL.Query().Get("api-version") == "" {
		return refuse(&Refusal{Status: 400, Code: "MissingApiVersionParameter", Message: "The api-version query parameter (?api-version=) is required for all requests."})
	}
	if want := a.opts.MetricsAudience; want != "" && !a.opts.NoAuth && isBatch(c.URL.Path) != (audience(c.Request) == want) {
		return refuse(&Refusal{Status: 401, Code: "InvalidAuthenticationTokenAudience", Message: "The access token has been obtained for wrong audience or resource '" + audience(c.Request) + "'."})
	}
	if a.opts.NoLimits || isBatch(c.URL.Path) {
		return a.dispatch(c)
	}
	a.mu.Lock()
	header, left, wait := a.limits.take(c.where.subscription, c.Method != http.MethodGet, c.now)
	a.mu.Unlock()
	if wait > 0 {
		out := refuse(&Refusal{Status: 429, Code: "SubscriptionRequestsThrottled", Message: "Number of requests for the subscription exceeded the limit.",
			RetryAfter: strconv.Itoa(int(math.Ceil(wait.Seconds())))})
		out.header.Set(header, "0")
		return out
	}
	out := a.dispatch(c)
	out.header.Set(header, strconv.Itoa(left))
	return out
}

func unauthorized(who string) reply {
	r := &Refusal{Status: 401, Code: "AuthenticationFailed", Message: "Authentication failed. The 'Authorization' header is missing."}
	if who != "none" {
		r = &Refusal{Status: 401, Code: "InvalidAuthenticationToken", Message: "The access token is invalid."}
	}
	out := refuse(r)
	out.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://login.invalid/", error="invalid_token"`)
	return out
}

// refusal returns what a fault answers in place of the resource, or nil.
func (f Fault) refusal() *Refusal {
	status := map[FaultKind]Refusal{
		Unauthorized:   {Status: 401, Code: "ExpiredAuthenticationToken", Message: "The access token expiry UTC time has passed."},
		Forbidden:      {Status: 403, Code: "LinkedAuthorizationFailed", Message: "The client has permission to perform the write on the connection; however, it does not have permission to perform the join action on the linked scope."},
		NotFound:       {Status: 404, Code: "ResourceNotFound", Message: "The Resource was not found."},
		Conflict:       {Status: 409, Code: "AnotherOperationInProgress", Message: "Another operation on this or dependent resource is in progress."},
		Precondition:   {Status: 412, Code: "PreconditionFailed", Message: "Precondition failed."},
		Throttled:      {Status: 429, Code: "TooManyRequests", Message: "The request is being throttled.", RetryAfter: "5"},
		Busy:           {Status: 429, Code: "RetryableError", Message: "A retryable error occurred: the operation can be retried in 14 seconds.", Detail: "RetryableErrorDueToAnotherOperation"},
		ServerError:    {Status: 500, Code: "InternalServerError", Message: "An error occurred."},
		BadGateway:     {Status: 502, Code: "BadGateway", Message: "The gateway did not receive a response."},
		NotAvailable:   {Status: 503, Code: "ServiceUnavailable", Message: "The service is unavailable."},
		GatewayTimeout: {Status: 504, Code: "GatewayTimeout", Message: "The gateway did not receive a response in time."},
	}
	r, is := status[f.Kind]
	if !is {
		return nil
	}
	if f.Code != "" {
		r.Code = f.Code
	}
	if f.RetryAfter != "" {
		r.RetryAfter = f.RetryAfter
	}
	return &r
}

// bend works a fault into an answer that is otherwise right.
func bend(out reply, f Fault) reply {
	switch f.Kind {
	case OddRetryAfter:
		out.header.Set("Retry-After", f.RetryAfter)
	case BadBody:
		out.body = []byte("<html>upstream connect error</html>")
	case HostileOperation:
		for _, h := range []string{"Azure-AsyncOperation", "Location"} {
			if u, err := url.Parse(out.header.Get(h)); err == nil && u.Host != "" {
				out.header.Set(h, strings.TrimRight(f.URL, "/")+u.RequestURI())
			}
		}
	default: // the others were seen to elsewhere
	}
	return out
}

// effect returns what a fault does to a write.
func (f Fault) effect(t Timing) Effect {
	code := func(usual string) string {
		if f.Code != "" {
			return f.Code
		}
		return usual
	}
	switch f.Kind {
	case OperationFails:
		return Effect{Land: -1, Final: failed, Code: code("InternalServerError")}
	case OperationCanceled:
		return Effect{Land: -1, Final: canceled, Code: code("CanceledAndSupersededDueToAnotherOperation")}
	case AppliedYetFailed:
		return Effect{Final: failed, Code: code("GwmOperationTimeOut")}
	case OperationExpired:
		return Effect{Forgotten: true}
	case NoStatus:
		return Effect{NoStatus: true}
	case AtOnce:
		return Effect{AtOnce: true}
	case NeverEnds:
		return Effect{End: -1}
	case LateLanding:
		return Effect{Land: t.End + f.Delay}
	default:
		return Effect{}
	}
}

// newID returns a GUID for a header.
func (f *Fabric) newID() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.guid()
}

// pace sets the Retry-After of an operation.
func (a *ARM) pace(h http.Header) {
	if a.opts.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(a.opts.RetryAfter.Seconds())))
	}
}

// operationURL returns the signed address of an operation. segment is
// "operations" or "operationResults".
func (c *call) operationURL(segment, region, id string) string {
	q := url.Values{"api-version": {c.URL.Query().Get("api-version")}}
	sum := seal(id)
	q.Set("t", fmt.Sprint(c.now.UnixNano()))
	q.Set("c", "MIIH"+sum[:24])
	q.Set("s", sum[24:48])
	q.Set("h", sum[48:])
	return fmt.Sprintf("%s/subscriptions/%s/providers/Microsoft.Network/locations/%s/%s/%s?%s",
		c.base, c.where.subscription, region, segment, id, q.Encode())
}

// seal stands for ARM's signature over an operation's address.
func seal(id string) string {
	sum := sha256.Sum256([]byte("simulated operation " + strings.ToLower(id)))
	return hex.EncodeToString(sum[:])
}

// sealed says whether a request for an operation carries its signature.
func sealed(c *call, id string) bool {
	q, sum := c.URL.Query(), seal(id)
	return q.Get("t") != "" && q.Get("c") == "MIIH"+sum[:24] && q.Get("s") == sum[24:48] && q.Get("h") == sum[48:]
}
