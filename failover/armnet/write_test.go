package armnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

func raise() executor.Write {
	return executor.Write{ID: "w-1", Connection: testConn, Gateway: testGW, From: 100, To: 201, Epoch: "7"}
}

func begin(t *testing.T, c *Client, w executor.Write) executor.Begun {
	t.Helper()
	got := c.Begin(t.Context(), []executor.Write{w})
	if len(got) != 1 {
		t.Fatalf("%d answers to one write", len(got))
	}
	return got[0]
}

// asFault checks that an error is a fault with a kind, and free of secrets.
func asFault(t *testing.T, err error) *fault.Error {
	t.Helper()
	if err == nil {
		return &fault.Error{}
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == "" || f.Op == "" {
		t.Fatalf("no fault with kind and verb: %#v", err)
	}
	for _, s := range []string{"tok-secret", "api-version", "sig=", "Bearer ", "key-secret"} {
		if strings.Contains(err.Error()+f.Hint, s) {
			t.Fatalf("%q must not be told: %v", s, err)
		}
	}
	return f
}

func armErr(code, message string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, message)
}

// Every answer that a PUT may get, and what it means for the write.
func TestAnswersToAWrite(t *testing.T) {
	async := map[string]string{"Azure-AsyncOperation": testOp + "?api-version=2025-09-01&t=1&sig=key-secret", "Retry-After": "10"}
	updating := strings.Replace(connBody, "Succeeded", "Updating", 1)
	tests := []struct {
		name    string
		answer  answer
		outcome executor.Outcome
		kind    fault.Kind // "" is no error
		code    string
		wait    time.Duration
		token   bool
		hint    string
	}{
		{name: "accepted, goes on", answer: answer{201, async, updating}, outcome: executor.Unknown, token: true, wait: 10 * time.Second},
		{name: "accepted as an update, goes on", answer: answer{200, async, updating}, outcome: executor.Unknown, token: true, wait: 10 * time.Second},
		{name: "accepted, 202", answer: answer{202, async, ""}, outcome: executor.Unknown, token: true, wait: 10 * time.Second},
		{name: "the body has already succeeded", answer: answer{200, async, connBody}, outcome: executor.Applied},
		{name: "no operation named, body succeeded", answer: answer{200, nil, connBody}, outcome: executor.Applied},
		{name: "no operation named, body updating", answer: answer{201, nil, updating}, outcome: executor.Unknown, token: true},
		{name: "the body has failed", answer: answer{200, async, strings.Replace(connBody, "Succeeded", "Failed", 1)}, outcome: executor.Unknown, kind: fault.Unavailable, code: "Failed"},
		{name: "operation on another host", answer: answer{201, map[string]string{"Azure-AsyncOperation": "https://evil.example/op?sig=key-secret"}, updating}, outcome: executor.Unknown, kind: fault.Denied, code: "ForeignHost"},
		{name: "operation over plain http", answer: answer{201, map[string]string{"Azure-AsyncOperation": "http://127.0.0.1/op"}, updating}, outcome: executor.Unknown, kind: fault.Denied, code: "ForeignHost"},
		{name: "accepted with nonsense", answer: answer{201, map[string]string{"Azure-AsyncOperation": "::"}, "x"}, outcome: executor.Unknown, kind: fault.Unavailable},
		{name: "204 tells nothing", answer: answer{204, nil, ""}, outcome: executor.Unknown, kind: fault.Unavailable},
		{name: "a redirect is not followed", answer: answer{307, map[string]string{"Location": "https://evil.example/"}, ""}, outcome: executor.Unknown, kind: fault.Unavailable},

		{name: "400", answer: answer{400, nil, armErr("InvalidRequestFormat", "bad")}, outcome: executor.NotApplied, kind: fault.Invalid, code: "InvalidRequestFormat"},
		{name: "401", answer: answer{401, nil, armErr("InvalidAuthenticationToken", "no")}, outcome: executor.NotApplied, kind: fault.Denied, code: "InvalidAuthenticationToken", hint: "tenant"},
		{name: "403", answer: answer{403, nil, armErr("AuthorizationFailed", "The client 'x' does not have authorization to perform action 'Microsoft.Network/connections/write' over scope '/x'.")}, outcome: executor.NotApplied, kind: fault.Denied, code: "AuthorizationFailed", hint: "lacks Microsoft.Network/connections/write; give it the role"},
		{name: "403 LinkedAuthorizationFailed", answer: answer{403, nil, armErr("LinkedAuthorizationFailed", "but not 'Microsoft.Network/expressRouteCircuits/join/action' on the linked scope(s)")}, outcome: executor.NotApplied, kind: fault.Denied, code: "LinkedAuthorizationFailed", hint: "Microsoft.Network/expressRouteCircuits/join/action"},
		{name: "403 LinkedAccessCheckFailed", answer: answer{403, nil, armErr("LinkedAccessCheckFailed", "?")}, outcome: executor.NotApplied, kind: fault.Denied, hint: "join/action"},
		{name: "403 RequestDisallowedByPolicy", answer: answer{403, nil, armErr("RequestDisallowedByPolicy", "p")}, outcome: executor.NotApplied, kind: fault.Denied, hint: "Azure Policy"},
		{name: "404", answer: answer{404, nil, armErr("ResourceNotFound", "x")}, outcome: executor.NotApplied, kind: fault.NotFound},
		{name: "404 SubscriptionNotFound", answer: answer{404, nil, armErr("SubscriptionNotFound", "x")}, outcome: executor.NotApplied, kind: fault.Denied},
		{name: "409 AnotherOperationInProgress", answer: answer{409, nil, armErr("AnotherOperationInProgress", "busy")}, outcome: executor.NotApplied, kind: fault.Busy, code: "AnotherOperationInProgress", hint: "another operation"},
		{name: "409 other", answer: answer{409, nil, armErr("Conflict", "x")}, outcome: executor.NotApplied, kind: fault.Conflict},
		{name: "409 ScopeLocked", answer: answer{409, nil, armErr("ScopeLocked", "x")}, outcome: executor.NotApplied, kind: fault.Denied, hint: "lock"},
		{name: "409 MissingSubscriptionRegistration is not registered by us", answer: answer{409, nil, armErr("MissingSubscriptionRegistration", "x")}, outcome: executor.NotApplied, kind: fault.Denied, hint: "az provider register"},
		{name: "409 ReferencedResourceNotProvisioned", answer: answer{409, nil, armErr("ReferencedResourceNotProvisioned", "x")}, outcome: executor.NotApplied, kind: fault.Unavailable, hint: "repair"},
		{name: "412", answer: answer{412, nil, armErr("PreconditionFailed", "x")}, outcome: executor.NotApplied, kind: fault.Conflict},
		{name: "423", answer: answer{423, nil, ""}, outcome: executor.NotApplied, kind: fault.Busy},
		{name: "429 quota, in seconds", answer: answer{429, map[string]string{"Retry-After": "17"}, armErr("TooManyRequests", "x")}, outcome: executor.NotApplied, kind: fault.Throttled, wait: 17 * time.Second, hint: "limit"},
		{name: "429 quota, a long wait is told and not slept", answer: answer{429, map[string]string{"Retry-After": "300"}, armErr("SubscriptionRequestsThrottled", "x")}, outcome: executor.NotApplied, kind: fault.Throttled, wait: 5 * time.Minute},
		{name: "429 RetryableError is a busy gateway", answer: answer{429, nil, `{"error":{"code":"RetryableError","message":"A retryable error occurred.","details":[{"code":"RetryableErrorDueToAnotherOperation","message":"Operation PutX can be retried in 14 seconds."}]}}`}, outcome: executor.NotApplied, kind: fault.Busy, code: "RetryableError", wait: 14 * time.Second},
		{name: "429 with the code in the details alone", answer: answer{429, nil, `{"error":{"details":[{"code":"RetryableErrorDueToAnotherOperation"}]}}`}, outcome: executor.NotApplied, kind: fault.Busy},

		{name: "408", answer: answer{408, nil, ""}, outcome: executor.Unknown, kind: fault.Unavailable},
		{name: "500", answer: answer{500, nil, armErr("InternalServerError", "x")}, outcome: executor.Unknown, kind: fault.Unavailable, code: "InternalServerError"},
		{name: "502, not JSON", answer: answer{502, nil, "<html>"}, outcome: executor.Unknown, kind: fault.Unavailable},
		{name: "503 with a hint", answer: answer{503, map[string]string{"Retry-After": "5"}, ""}, outcome: executor.Unknown, kind: fault.Unavailable, wait: 5 * time.Second},
		{name: "504", answer: answer{504, nil, ""}, outcome: executor.Unknown, kind: fault.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("PUT", testConn, tt.answer)
			b := begin(t, a.client(), raise())
			f := asFault(t, b.Err)
			if b.Outcome != tt.outcome || f.Kind != tt.kind || (tt.code != "" && f.Code != tt.code) || b.RetryAfter != tt.wait || (b.Token != "") != tt.token || !strings.Contains(f.Hint, tt.hint) {
				t.Errorf("got %s, kind %q, code %q, wait %v, token %t, hint %q\n%v", b.Outcome, f.Kind, f.Code, b.RetryAfter, b.Token != "", f.Hint, b.Err)
			}
			if !b.Sent || b.NoOp || b.Before == nil || b.Before.Weight != 100 || b.Correlation != "corr-1" {
				t.Errorf("sent %t, no-op %t, before %+v, correlation %q", b.Sent, b.NoOp, b.Before, b.Correlation)
			}
			if n := len(a.requests("PUT")); n != 1 {
				t.Errorf("%d PUTs: a write is sent once", n)
			}
		})
	}
}

func TestWriteThatIsSent(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("PUT", testConn, answer{200, nil, connBody})
	begin(t, a.client(), raise())
	put := a.requests("PUT")[0]
	if !strings.HasSuffix(put.path, "/connections/ER-Ashburn-GW1") || put.query != "api-version=2025-09-01" {
		t.Errorf("sent to %s?%s", put.path, put.query)
	}
	if put.head.Get("x-ms-client-request-id") != "w-1" || put.head.Get("Authorization") != "Bearer tok-secret" || put.head.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", put.head)
	}
	if want := string(mustParse(t, testConn, connBody).edited(201, "7")); put.body != want {
		t.Errorf("sent\n%s\nwant\n%s", put.body, want)
	}
}

// Nothing is sent when it must not, or need not, be.
func TestWritesThatAreNotSent(t *testing.T) {
	raised := strings.NewReplacer(`"routingWeight": 100`, `"routingWeight": 201`, `"owner"`, `"erfailover-epoch":"7","owner"`).Replace(connBody)
	rest := mustParse(t, testConn, connBody).state.Rest
	tests := []struct {
		name    string
		body    answer
		change  func(*executor.Write)
		outcome executor.Outcome
		kind    fault.Kind
		text    string
	}{
		{"already as wanted", answer{200, nil, raised}, nil, executor.Applied, "", ""},
		{"same weight, other epoch is a change", answer{200, nil, raised}, func(w *executor.Write) { w.Epoch = "8" }, executor.NotApplied, fault.Conflict, "weight is 201"},
		{"others changed the weight", answer{200, nil, strings.Replace(connBody, `100`, `150`, 1)}, nil, executor.NotApplied, fault.Conflict, "changed by others: the weight is 150, the plan was made from 100"},
		{"others changed something else", answer{200, nil, strings.Replace(connBody, `true`, `false`, 1)}, func(w *executor.Write) { w.Rest = rest }, executor.NotApplied, fault.Conflict, "something else"},
		{"another operation runs", answer{200, nil, strings.Replace(connBody, `Succeeded`, `Updating`, 1)}, nil, executor.NotApplied, fault.Busy, "updating"},
		{"another operation runs on what is as wanted", answer{200, nil, strings.Replace(raised, `Succeeded`, `Updating`, 1)}, nil, executor.NotApplied, fault.Busy, "updating"},
		{"on another gateway", answer{200, nil, connBody}, func(w *executor.Write) { w.Gateway = testNet + "/virtualnetworkgateways/gw2" }, executor.NotApplied, fault.Conflict, "gw1"},
		{"gone", answer{404, nil, armErr("ResourceNotFound", "x")}, nil, executor.NotApplied, fault.NotFound, ""},
		{"may not be read", answer{403, nil, armErr("AuthorizationFailed", "action 'Microsoft.Network/connections/read'")}, nil, executor.NotApplied, fault.Denied, ""},
		{"cannot be read", answer{200, nil, `{"properties":{"routingWeight":1,"routingWeight":2}}`}, nil, executor.NotApplied, fault.Unavailable, "duplicate"},
		{"ill", answer{500, nil, ""}, nil, executor.NotApplied, fault.Unavailable, ""},
		{"weight too high", answer{200, nil, connBody}, func(w *executor.Write) { w.To = 32001 }, executor.NotApplied, fault.Invalid, "to: 32001 is not between 0 and 32000"},
		{"weight below zero", answer{200, nil, connBody}, func(w *executor.Write) { w.To = -1 }, executor.NotApplied, fault.Invalid, "to: -1"},
		{"no connection", answer{200, nil, connBody}, func(w *executor.Write) { w.Connection = testGW }, executor.NotApplied, fault.Invalid, "no type of an ExpressRoute connection"},
		{"climbing path", answer{200, nil, connBody}, func(w *executor.Write) { w.Connection = testConn + "/.." }, executor.NotApplied, fault.Invalid, "relative"},
		{"tag with quotes", answer{200, nil, connBody}, func(w *executor.Write) { w.Epoch = `"` }, executor.NotApplied, fault.Invalid, "epoch"},
		{"header with a new line", answer{200, nil, connBody}, func(w *executor.Write) { w.ID = "a\r\nb" }, executor.NotApplied, fault.Invalid, "id:"},
		{"too late", answer{200, nil, connBody}, func(w *executor.Write) { w.NotAfter = time.Now().Add(-time.Nanosecond) }, executor.NotApplied, fault.Refused, "deadline"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", testConn, tt.body).on("PUT", testConn, answer{200, nil, connBody})
			w := raise()
			if tt.change != nil {
				tt.change(&w)
			}
			b := begin(t, a.client(func(c *Config) { c.MaxElapsed = -1 }), w)
			f := asFault(t, b.Err)
			if b.Outcome != tt.outcome || f.Kind != tt.kind || b.Sent || b.NoOp != (tt.outcome == executor.Applied) {
				t.Errorf("got %+v", b)
			}
			if b.Err != nil && !strings.Contains(b.Err.Error(), tt.text) {
				t.Errorf("%q is not in %v", tt.text, b.Err)
			}
			if n := len(a.requests("PUT")); n != 0 {
				t.Errorf("%d PUTs", n)
			}
		})
	}
}

// A retried write whose first answer was lost finds its work done.
func TestWriteThatLandedBefore(t *testing.T) {
	a := newAzure(t).on("GET", testVCon, answer{200, nil, strings.Replace(vwanBody, `"routingWeight": 0`, `"routingWeight": 201`, 1)})
	b := begin(t, a.client(), executor.Write{Connection: testVCon, Gateway: testVGW, From: 0, To: 201, Epoch: "7"})
	if b.Outcome != executor.Applied || !b.NoOp {
		t.Errorf("a Virtual WAN connection carries no tag: %+v", b)
	}
}

// The answer is lost after the request left: nobody knows.
func TestLostAnswer(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody})
	a.hook("PUT", testConn, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	b := begin(t, a.client(), raise())
	if b.Outcome != executor.Unknown || !b.Sent || asFault(t, b.Err).Kind != fault.Unavailable {
		t.Errorf("got %+v", b)
	}
	if n := len(a.requests("PUT")); n != 1 {
		t.Errorf("%d PUTs", n)
	}
}

// The caller gives up while the request is at Azure: nobody knows.
func TestCallerGivesUp(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody})
	ctx, cancel := context.WithCancel(t.Context())
	a.hook("PUT", testConn, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	b := a.client().Begin(ctx, []executor.Write{raise()})[0]
	if b.Outcome != executor.Unknown || !b.Sent || asFault(t, b.Err).Kind != fault.Unavailable {
		t.Errorf("got %+v", b)
	}
}

// The connection to Azure cannot be made for the PUT: it never left.
func TestRequestThatNeverLeft(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody})
	var dead atomic.Bool
	a.hook("GET", testConn, func(w http.ResponseWriter, r *http.Request) {
		dead.Store(true)
		w.Header().Set("Connection", "close")
		_, _ = w.Write([]byte(connBody))
	})
	c := a.client(func(cfg *Config) {
		tr := cfg.Transport.(*http.Transport)
		tr.ForceAttemptHTTP2, tr.DisableKeepAlives = false, true
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dead.Load() {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
			}
			return dial(ctx, network, addr)
		}
	})
	b := begin(t, c, raise())
	if b.Outcome != executor.NotApplied || b.Sent || asFault(t, b.Err).Kind != fault.Unavailable {
		t.Errorf("got %+v", b)
	}
}

// A deadline that passes while the connection is being made keeps the PUT back.
func TestDeadlinePassesWhileDialing(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("PUT", testConn, answer{200, nil, connBody})
	var dials atomic.Int32
	c := a.client(func(cfg *Config) {
		tr := cfg.Transport.(*http.Transport)
		tr.ForceAttemptHTTP2, tr.DisableKeepAlives = false, true
		dial := tr.DialContext
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				<-ctx.Done() // until the deadline's timer ends the attempt
				return nil, ctx.Err()
			}
			return dial(ctx, network, addr)
		}
	})
	w := raise()
	w.NotAfter = time.Now().Add(300 * time.Millisecond)
	b := begin(t, c, w)
	if f := asFault(t, b.Err); b.Outcome != executor.NotApplied || b.Sent || f.Kind != fault.Refused || f.Code != "SendDeadline" {
		t.Errorf("got %+v", b)
	}
	if n := len(a.requests("PUT")); n != 0 {
		t.Errorf("%d PUTs", n)
	}
}

// The deadline is checked after everything that may take time, the token included.
func TestDeadlineIsCheckedLastOfAll(t *testing.T) {
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}).on("PUT", testConn, answer{200, nil, connBody})
	var late atomic.Bool
	base := time.Now()
	c := a.client(func(cfg *Config) {
		cfg.Now = func() time.Time {
			if late.Load() {
				return base.Add(61 * time.Second)
			}
			return base
		}
		cfg.Credential = &slowToken{late: &late, at: 2}
	})
	w := raise()
	w.NotAfter = base.Add(60 * time.Second)
	if b := begin(t, c, w); b.Outcome != executor.NotApplied || b.Sent || !errors.Is(b.Err, fault.Refused) {
		t.Errorf("got %+v", b)
	}
	if n := len(a.requests("PUT")); n != 0 {
		t.Errorf("%d PUTs", n)
	}
}

// slowToken gives tokens that must be renewed for every request; the at-th takes
// a minute.
type slowToken struct {
	late  *atomic.Bool
	at    int32
	calls atomic.Int32
}

// GetToken implements azcore.TokenCredential.
func (s *slowToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if s.calls.Add(1) == s.at {
		s.late.Store(true)
	}
	return azcore.AccessToken{Token: "tok-secret", ExpiresOn: time.Now()}, nil
}

// No token, no request.
func TestNoTokenForTheWrite(t *testing.T) {
	a := newAzure(t)
	c := a.client(func(cfg *Config) { cfg.Credential = noToken{}; cfg.MaxElapsed = -1 })
	b := begin(t, c, raise())
	if b.Outcome != executor.NotApplied || b.Sent {
		t.Errorf("got %+v", b)
	}
	asFault(t, b.Err)
	if n := len(a.requests("GET")); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
}

type noToken struct{}

// GetToken implements azcore.TokenCredential.
func (noToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, errors.New("no identity at http://169.254.169.254/x?sig=key-secret")
}

// Gateways go in parallel; the writes of one gateway never overlap, and the second
// is not sent while the first goes on.
func TestOneWriteAtATimeOnAGateway(t *testing.T) {
	a := newAzure(t)
	var mu sync.Mutex
	gateways, most := map[string]int{}, 0
	var arrived sync.WaitGroup
	arrived.Add(2)
	var writes []executor.Write
	for _, gw := range []string{"gw1", "gw2"} {
		for _, er := range []string{"a", "b"} {
			id := testNet + "/connections/" + er + "-" + gw
			body := strings.NewReplacer("ER-Ashburn-GW1", er+"-"+gw, "virtualNetworkGateways/gw1", "virtualNetworkGateways/"+gw).Replace(connBody)
			a.on("GET", id, answer{200, nil, body})
			a.hook("PUT", id, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				gateways[gw]++
				most = max(most, gateways[gw])
				mu.Unlock()
				arrived.Done()
				arrived.Wait() // until the other gateway's write is here too
				w.Header().Set("Azure-AsyncOperation", a.srv.URL+testOp)
				w.WriteHeader(201)
				_, _ = w.Write([]byte(strings.Replace(body, "Succeeded", "Updating", 1)))
			})
			writes = append(writes, executor.Write{Connection: id, Gateway: testNet + "/virtualNetworkGateways/" + strings.ToUpper(gw), From: 100, To: 201, Epoch: "7"})
		}
	}
	got := a.client().Begin(t.Context(), writes)
	for i, want := range []bool{true, false, true, false} {
		if got[i].Sent != want {
			t.Errorf("write %d: sent %t, want %t (%v)", i, got[i].Sent, want, got[i].Err)
		}
		if !want && (got[i].Outcome != executor.NotApplied || !errors.Is(got[i].Err, fault.Busy)) {
			t.Errorf("write %d: %+v", i, got[i])
		}
	}
	if most != 1 {
		t.Errorf("%d writes on one gateway", most)
	}
}
