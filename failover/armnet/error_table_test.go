package armnet

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
)

// count returns how many requests of a kind reached the estate.
func (e *estate) count(kind sim.Kind) (n int) {
	for _, r := range e.Fabric.Requests() {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

// refusedPut lets the first PUT be refused and returns what became of it.
func refusedPut(t *testing.T, f sim.Fault) (*estate, executor.Begun) {
	e := newEstate(t, sim.Options{})
	e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionPut}, Fault: f})
	return e, e.net.Begin(t.Context(), []executor.Write{e.write("gw-east-1/er-chicago", 201, "1")})[0]
}

// Every error that Azure is known to answer with a write, each by its name, through the
// real SDK: what it means, when to come again, and that nothing is sent twice.
func TestErrorsOfWrites(t *testing.T) {
	const far = 300 * time.Second
	for _, row := range []struct {
		name    string
		fault   sim.Fault
		outcome executor.Outcome
		kind    fault.Kind
		after   time.Duration
		hint    string
	}{
		{"409 AnotherOperationInProgress: the gateway runs another operation", sim.Fault{Kind: sim.Conflict}, executor.NotApplied, fault.Busy, 0, "tried again by itself"},
		{"429 RetryableError, detail RetryableErrorDueToAnotherOperation, can be retried in 14 seconds", sim.Fault{Kind: sim.Busy}, executor.NotApplied, fault.Busy, 14 * time.Second, "tried again by itself"},
		{"429 throttling with Retry-After", sim.Fault{Kind: sim.Throttled, RetryAfter: "17"}, executor.NotApplied, fault.Throttled, 17 * time.Second, "request limit"},
		{"429 throttling with a Retry-After beyond a minute", sim.Fault{Kind: sim.Throttled, RetryAfter: "300"}, executor.NotApplied, fault.Throttled, far, "request limit"},
		{"500 InternalServerError: it may have landed", sim.Fault{Kind: sim.ServerError}, executor.Unknown, fault.Unavailable, 0, ""},
		{"ReferencedResourceNotProvisioned: a person repairs it", sim.Fault{Kind: sim.Conflict, Code: "ReferencedResourceNotProvisioned"}, executor.NotApplied, fault.Unavailable, 0, "repair it first"},
		{"403 LinkedAuthorizationFailed: join/action is missing", sim.Fault{Kind: sim.Forbidden}, executor.NotApplied, fault.Denied, 0, "join/action"},
		{"403 LinkedAccessCheckFailed: join/action or the wrong tenant", sim.Fault{Kind: sim.Forbidden, Code: "LinkedAccessCheckFailed"}, executor.NotApplied, fault.Denied, 0, "join/action"},
		{"409 MissingSubscriptionRegistration: nothing is registered for others", sim.Fault{Kind: sim.Conflict, Code: "MissingSubscriptionRegistration"}, executor.NotApplied, fault.Denied, 0, "az provider register"},
		{"412 PreconditionFailed: others changed it", sim.Fault{Kind: sim.Precondition}, executor.NotApplied, fault.Conflict, 0, "decide again"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, b := refusedPut(t, row.fault)
			f := asFault(t, b.Err)
			if b.Outcome != row.outcome || f.Kind != row.kind || (row.after > 0 && f.RetryAfter != row.after) || !strings.Contains(f.Hint, row.hint) {
				t.Errorf("got %s, %s, again after %s, %q: %v", b.Outcome, f.Kind, f.RetryAfter, f.Hint, b.Err)
			}
			if n := e.count(sim.KindConnectionPut); n != 1 {
				t.Errorf("%d PUTs were sent", n)
			}
			for _, r := range e.Fabric.Requests() {
				if r.Method == http.MethodPost {
					t.Errorf("a POST was sent: %s", r.Path)
				}
			}
		})
	}
}

// What happens to an operation after its write was accepted.
func TestErrorsOfOperations(t *testing.T) {
	for _, row := range []struct {
		name    string
		fault   sim.Fault
		outcome executor.Outcome
		kind    fault.Kind
		code    string
	}{
		{"CanceledAndSupersededDueToAnotherOperation comes with status 200", sim.Fault{Kind: sim.OperationCanceled}, executor.Unknown, fault.Conflict, "CanceledAndSupersededDueToAnotherOperation"},
		{"operation Failed comes with status 200: its code decides", sim.Fault{Kind: sim.OperationFails, Code: "GatewayError"}, executor.Unknown, fault.Unavailable, "GatewayError"},
		{"GwmOperationTimeOut although it landed", sim.Fault{Kind: sim.AppliedYetFailed}, executor.Unknown, fault.Unavailable, "GwmOperationTimeOut"},
		{"the PUT's body says Succeeded already: nothing is polled", sim.Fault{Kind: sim.AtOnce}, executor.Applied, "", ""},
		{"the operation is not found any more", sim.Fault{Kind: sim.OperationExpired}, executor.Unknown, fault.NotFound, "OperationNotFound"},
		{"polling never ends while the connection is Succeeded", sim.Fault{Kind: sim.NeverEnds}, executor.Unknown, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, b := refusedPut(t, row.fault)
			outcome, err := e.finish(executor.Write{Connection: events.Canonical(e.Connections["gw-east-1/er-chicago"]), To: 201, Epoch: "1"}, b)
			if f := asFault(t, err); outcome != row.outcome || f.Kind != row.kind || f.Code != row.code {
				t.Errorf("got %s, %q %q: %v", outcome, f.Kind, f.Code, err)
			}
			if row.fault.Kind == sim.AtOnce && e.count(sim.KindOperation) != 0 {
				t.Error("an operation was polled")
			}
		})
	}
	t.Run("a PUT that would change nothing is not sent", func(t *testing.T) {
		e := newEstate(t, sim.Options{})
		w := e.write("gw-east-1/er-chicago", 100, "")
		if b := e.net.Begin(t.Context(), []executor.Write{w})[0]; b.Outcome != executor.Applied || !b.NoOp || e.count(sim.KindConnectionPut) != 0 {
			t.Errorf("got %+v", b)
		}
	})
}

// The real SDK against a peer over TLS, row by row: tokens, retries, polls, limits of
// time.
func TestPeerRows(t *testing.T) {
	read := func(e *estate) executor.Reading {
		return e.read(executor.RefConnection, e.Connections["gw-east-1/er-chicago"])
	}
	rows := map[string]func(*testing.T, *estate){
		"a GET with its token": func(t *testing.T, e *estate) {
			if r := read(e); r.Err != nil || e.id.Served() != 1 {
				t.Errorf("%v, %d tokens", r.Err, e.id.Served())
			}
			if r := read(e); r.Err != nil || e.id.Served() != 1 {
				t.Errorf("the token serves again: %v, %d tokens", r.Err, e.id.Served())
			}
		},
		"201 with Azure-AsyncOperation, polls at Retry-After, then Succeeded": func(t *testing.T, e *estate) {
			w := e.write("gw-east-1/er-chicago", 201, "1")
			if outcome, err := e.finish(w, e.net.Begin(t.Context(), []executor.Write{w})[0]); outcome != executor.Applied || err != nil || e.count(sim.KindOperation) < 2 {
				t.Errorf("%s %v, %d polls", outcome, err, e.count(sim.KindOperation))
			}
		},
		"one 429 with Retry-After 1 is repeated": func(t *testing.T, e *estate) {
			e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionGet}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "1"}})
			begun := e.clk.Now()
			if r := read(e); r.Err != nil || e.clk.Now().Sub(begun) < time.Second {
				t.Errorf("%v after %s", r.Err, e.clk.Now().Sub(begun))
			}
		},
		"429 for ever ends soon, with the wait that was told": func(t *testing.T, e *estate) {
			e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionGet, Times: -1}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "7"}})
			begun := e.clk.Now()
			f := asFault(t, read(e).Err)
			if f.Kind != fault.Throttled || f.RetryAfter != 7*time.Second || e.clk.Now().Sub(begun) > 5*time.Second {
				t.Errorf("%v, again after %s, told after %s", f, f.RetryAfter, e.clk.Now().Sub(begun))
			}
		},
		"a write's 429 is told at once, not retried by the SDK": func(t *testing.T, e *estate) {
			e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionPut, Times: -1}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "1"}})
			b := e.net.Begin(t.Context(), []executor.Write{e.write("gw-east-1/er-chicago", 201, "1")})[0]
			if asFault(t, b.Err).Kind != fault.Throttled || e.count(sim.KindConnectionPut) != 1 {
				t.Errorf("%v, %d PUTs", b.Err, e.count(sim.KindConnectionPut))
			}
		},
		"a resume token goes on in a new client": func(t *testing.T, e *estate) {
			w := e.write("gw-east-1/er-chicago", 201, "1")
			b := e.net.Begin(t.Context(), []executor.Write{w})[0]
			other, err := New(e.net.cfg)
			if err != nil {
				t.Fatal(err)
			}
			e.net = other
			if outcome, err := e.finish(w, b); outcome != executor.Applied || err != nil {
				t.Errorf("%s %v", outcome, err)
			}
		},
		"a context that ends stops the look, and the operation goes on": func(t *testing.T, e *estate) {
			w := e.write("gw-east-1/er-chicago", 201, "1")
			b := e.net.Begin(t.Context(), []executor.Write{w})[0]
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if p := e.net.Poll(ctx, []executor.Running{{Token: b.Token, Write: &w}})[0]; p.Done || p.Token == "" || p.Err == nil {
				t.Errorf("the look: %+v", p)
			}
			if outcome, err := e.finish(w, b); outcome != executor.Applied || err != nil {
				t.Errorf("%s %v", outcome, err)
			}
		},
		"a closed port is reported within 5 s": func(t *testing.T, e *estate) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cfg := e.net.cfg
			cfg.Endpoint, cfg.Credential = "https://"+ln.Addr().String(), staticToken("x")
			_ = ln.Close()
			if e.net, err = New(cfg); err != nil {
				t.Fatal(err)
			}
			begun := e.clk.Now()
			if f := asFault(t, read(e).Err); f.Kind != fault.Unavailable || e.clk.Now().Sub(begun) > 5*time.Second {
				t.Errorf("%v after %s", f, e.clk.Now().Sub(begun))
			}
			if b := e.net.Begin(t.Context(), []executor.Write{e.write("gw-east-1/er-chicago", 201, "1")})[0]; b.Outcome != executor.NotApplied || b.Sent || !errors.Is(b.Err, fault.Unavailable) {
				t.Errorf("a write: %+v", b)
			}
		},
		"an unknown certificate authority is told as that": func(t *testing.T, e *estate) {
			cfg := e.net.cfg
			cfg.Transport, cfg.Credential = NewTransport(nil, nil), staticToken("x")
			var err error
			if e.net, err = New(cfg); err != nil {
				t.Fatal(err)
			}
			if f := asFault(t, read(e).Err); f.Kind != fault.Denied || !strings.Contains(f.Hint, "SSL_CERT_FILE") {
				t.Errorf("%v: %s", f, f.Hint)
			}
		},
		"401 of the identity endpoint is told at once": func(t *testing.T, e *estate) {
			e.id.Refuse(true)
			if f := asFault(t, read(e).Err); f.Kind != fault.Denied || f.Code != "AuthenticationFailed" || !strings.Contains(f.Hint, "azure.identity") {
				t.Errorf("%v: %s", f, f.Hint)
			}
		},
	}
	for name, run := range rows {
		t.Run(name, func(t *testing.T) { run(t, newEstate(t, sim.Options{})) })
	}
}

// The cold path: a token of the managed identity, a TLS connection, a GET, and a PUT
// that is accepted, with nothing kept from before.
func BenchmarkColdPath(b *testing.B) {
	for b.Loop() {
		b.StopTimer() // the estate and its identity stand already
		e := newEstate(b, sim.Options{})
		w := e.write("gw-east-1/er-chicago", 201, "1")
		b.StartTimer()
		cred, err := NewCredential("managed", e.net.cfg)
		if err != nil {
			b.Fatal(err)
		}
		e.net.cfg.Credential = cred
		c, err := New(e.net.cfg)
		if err != nil {
			b.Fatal(err)
		}
		if got := c.Begin(b.Context(), []executor.Write{w})[0]; got.Token == "" {
			b.Fatalf("%+v", got)
		}
	}
}
