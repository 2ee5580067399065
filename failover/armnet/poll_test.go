package armnet

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// asyncToken is a token as the SDK makes it.
func asyncToken(base, typ string) executor.Token {
	return executor.Token(fmt.Sprintf(`{"type":%q,"token":{"asyncURL":"%s%s?t=1&sig=key-secret","locURL":"","origURL":"%s%s?api-version=2025-09-01","method":"PUT","finalState":"","state":"Updating"}}`,
		typ, base, testOp, base, testConn))
}

// Every answer that one look at a write may get.
func TestLooksAtAWrite(t *testing.T) {
	tests := []struct {
		name    string
		answer  answer
		done    bool
		outcome executor.Outcome
		kind    fault.Kind
		code    string
		wait    time.Duration
	}{
		{"still running", answer{200, map[string]string{"Retry-After": "10"}, `{"status":"InProgress"}`}, false, "", "", "", 10 * time.Second},
		{"a state nobody knows is still running", answer{200, nil, `{"status":"Finalizing"}`}, false, "", "", "", 0},
		{"still running, nothing said", answer{202, map[string]string{"Retry-After": "3"}, ``}, false, "", "", "", 3 * time.Second},
		{"succeeded", answer{200, nil, `{"status":"Succeeded"}`}, true, executor.Applied, "", "", 0},
		{"failed, with status 200", answer{200, nil, `{"status":"Failed","error":{"code":"GwmOperationTimeOut","message":"m"}}`}, true, executor.Unknown, fault.Unavailable, "GwmOperationTimeOut", 0},
		{"failed for a busy gateway", answer{200, nil, `{"status":"Failed","error":{"code":"AnotherOperationInProgress","message":"m"}}`}, true, executor.Unknown, fault.Busy, "AnotherOperationInProgress", 0},
		{"failed for a missing right", answer{200, nil, `{"status":"Failed","error":{"code":"LinkedAuthorizationFailed","message":"m"}}`}, true, executor.Unknown, fault.Denied, "LinkedAuthorizationFailed", 0},
		{"failed, no reason", answer{200, nil, `{"status":"Failed"}`}, true, executor.Unknown, fault.Unavailable, "Failed", 0},
		{"cancelled and superseded", answer{200, nil, `{"status":"Canceled","error":{"code":"CanceledAndSupersededDueToAnotherOperation","message":"m"}}`}, true, executor.Unknown, fault.Conflict, "CanceledAndSupersededDueToAnotherOperation", 0},
		{"cancelled, British", answer{200, nil, `{"status":"Cancelled"}`}, true, executor.Unknown, fault.Conflict, "Canceled", 0},
		{"operation not found", answer{404, nil, armErr("OperationNotFound", "x")}, true, executor.Unknown, fault.NotFound, "OperationNotFound", 0},
		{"operation gone", answer{410, nil, ``}, true, executor.Unknown, fault.NotFound, "", 0},
		{"bad request", answer{400, nil, armErr("InvalidOperationId", "x")}, true, executor.Unknown, fault.Invalid, "", 0},
		{"throttled look", answer{429, map[string]string{"Retry-After": "300"}, ``}, false, "", fault.Throttled, "", 5 * time.Minute},
		{"ill", answer{500, nil, ``}, false, "", fault.Unavailable, "", 0},
		{"ill, with a hint", answer{503, map[string]string{"Retry-After": "-5"}, ``}, false, "", fault.Unavailable, "", 0},
		{"a lost right may come back", answer{403, nil, armErr("AuthorizationFailed", "x")}, false, "", fault.Denied, "", 0},
		{"no status in it", answer{200, nil, `{}`}, false, "", fault.Unavailable, "UnreadableAnswer", 0},
		{"not JSON", answer{200, nil, `<html>`}, false, "", fault.Unavailable, "UnreadableAnswer", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", testOp, tt.answer)
			w, token := raise(), asyncToken(a.srv.URL, typeVNetWrite)
			p := a.client().Poll(t.Context(), []executor.Running{{Token: token, Write: &w}})[0]
			f := asFault(t, p.Err)
			if p.Done != tt.done || p.Outcome != tt.outcome || f.Kind != tt.kind || (tt.code != "" && f.Code != tt.code) || p.RetryAfter != tt.wait {
				t.Errorf("got %+v: %v", p, p.Err)
			}
			if (p.Token == "") != tt.done {
				t.Errorf("token kept: %t", p.Token != "")
			}
			if n := len(a.requests("GET")); n != 1 || len(a.requests("PUT")) != 0 {
				t.Errorf("%d requests: a look is one request", n)
			}
		})
	}
}

// A look that gets no answer leaves the operation as it was.
func TestLookWithoutAnswer(t *testing.T) {
	a := newAzure(t)
	a.hook("GET", testOp, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	w, token := raise(), asyncToken(a.srv.URL, typeVNetWrite)
	p := a.client().Poll(t.Context(), []executor.Running{{Token: token, Write: &w}})[0]
	if p.Done || p.Token != token || asFault(t, p.Err).Kind != fault.Unavailable {
		t.Errorf("got %+v", p)
	}
}

// A write that names no operation is followed by its own body.
func TestWriteFollowedByItsBody(t *testing.T) {
	updating := strings.Replace(connBody, "Succeeded", "Updating", 1)
	failed := strings.Replace(connBody, "Succeeded", "Failed", 1)
	a := newAzure(t).on("GET", testConn, answer{200, nil, connBody}, answer{200, nil, updating}, answer{200, nil, connBody}, answer{200, nil, failed}).
		on("PUT", testConn, answer{201, nil, updating})
	c, w := a.client(), raise()
	b := begin(t, c, w)
	p := c.Poll(t.Context(), []executor.Running{{Token: b.Token, Write: &w}})[0]
	if p.Done || p.Err != nil {
		t.Fatalf("first look: %+v", p)
	}
	if q := c.Poll(t.Context(), []executor.Running{{Token: p.Token, Write: &w}})[0]; !q.Done || q.Outcome != executor.Applied {
		t.Errorf("second look: %+v", q)
	}
	if q := c.Poll(t.Context(), []executor.Running{{Token: p.Token, Write: &w}})[0]; !q.Done || q.Outcome != executor.Unknown || q.Err == nil {
		t.Errorf("third look: %+v", q)
	}
}

// Tokens that were tampered with, or are of something else, are never followed.
func TestTokensThatAreNotFollowed(t *testing.T) {
	a := newAzure(t)
	evil := newAzure(t)
	host := strings.TrimPrefix(a.srv.URL, "https://")
	w, q := raise(), executor.Question{Kind: executor.AskBGP, Target: testER, Link: "primary"}
	good := string(asyncToken(a.srv.URL, typeVNetWrite))
	tests := map[string]executor.Running{
		"another host":       {Token: asyncToken(evil.srv.URL, typeVNetWrite), Write: &w},
		"plain http":         {Token: asyncToken("http://"+host, typeVNetWrite), Write: &w},
		"user in front":      {Token: asyncToken("https://x@"+host, typeVNetWrite), Write: &w},
		"suffix of the name": {Token: asyncToken(a.srv.URL+".evil.example", typeVNetWrite), Write: &w},
		"longer name":        {Token: asyncToken(strings.Replace(a.srv.URL, "127.0.0.1", "127.0.0.1.evil.example", 1), typeVNetWrite), Write: &w},
		"another port":       {Token: asyncToken("https://127.0.0.1", typeVNetWrite), Write: &w},
		"original elsewhere": {Token: executor.Token(strings.Replace(good, `"origURL":"`+a.srv.URL, `"origURL":"`+evil.srv.URL, 1)), Write: &w},
		"hidden second host": {Token: executor.Token(strings.Replace(good, `"locURL":""`, `"locURL":"`+evil.srv.URL+`/x"`, 1)), Write: &w},
		"not JSON":           {Token: "x", Write: &w},
		"no address":         {Token: `{"type":"VirtualNetworkGatewayConnectionsClientCreateOrUpdateResponse","token":{}}`, Write: &w},
		"twice":              {Token: executor.Token(strings.Replace(good, `"token"`, `"token":{},"token"`, 1)), Write: &w},
		"of a question":      {Token: asyncToken(a.srv.URL, typeVNetWrite), Question: &q},
		"of another write":   {Token: asyncToken(a.srv.URL, "ExpressRouteCircuitsClientListArpTableResponse"), Write: &w},
		"of nothing":         {Token: asyncToken(a.srv.URL, typeVNetWrite)},
		"ended before":       {Token: executor.Token(strings.Replace(good, "Updating", "Succeeded", 1)), Write: &w},
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			p := a.client().Poll(t.Context(), []executor.Running{r})[0]
			if !p.Done || p.Outcome != executor.Unknown || p.Err == nil {
				t.Errorf("got %+v", p)
			}
			if f := asFault(t, p.Err); f.Kind != fault.Corrupt && f.Kind != fault.Denied {
				t.Errorf("kind %q", f.Kind)
			}
		})
	}
	if n := len(a.requests("GET")) + len(evil.requests("GET")); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// An operation that moves its address elsewhere is not followed there.
func TestOperationThatMovesToAnotherHost(t *testing.T) {
	evil := newAzure(t)
	a := newAzure(t).on("POST", testGW+"/getLearnedRoutes", answer{202, map[string]string{"Location": testOp}, ""}).
		on("GET", testOp, answer{202, map[string]string{"Location": evil.srv.URL + "/steal"}, ""})
	c := a.client()
	q := executor.Question{Kind: executor.AskRoutes, Target: testGW}
	b := c.Ask(t.Context(), []executor.Question{q})[0]
	p := c.Poll(t.Context(), []executor.Running{{Token: b.Token, Question: &q}})[0]
	if p.Done || p.Token != b.Token || asFault(t, p.Err).Code != "ForeignHost" {
		t.Errorf("got %+v: %v", p, p.Err)
	}
	if n := len(evil.requests("GET")); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// Looks go in parallel, and each has its own answer in its own place.
func TestLooksInOneBatch(t *testing.T) {
	a := newAzure(t).on("GET", testOp, answer{200, nil, `{"status":"Succeeded"}`})
	w := raise()
	ok := executor.Running{Token: asyncToken(a.srv.URL, typeVNetWrite), Write: &w}
	got := a.client().Poll(t.Context(), []executor.Running{ok, {Token: "x", Write: &w}, ok})
	if got[0].Outcome != executor.Applied || got[1].Err == nil || got[2].Outcome != executor.Applied {
		t.Errorf("got %+v", got)
	}
}
