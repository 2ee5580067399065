package armnet

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
)

// estate is the demo estate behind its ARM face, over TLS on loopback, with the
// identity stand-in and the real SDK in between. The clock moves when told.
type estate struct {
	testing.TB
	sim.Demo
	arm *sim.ARM
	id  *sim.Identity
	net *Client
	cfg Config // of net
	clk *stepClock
}

func newEstate(t testing.TB, o sim.Options, change ...func(*sim.Spec)) *estate {
	t.Helper()
	e := &estate{TB: t, Demo: sim.DemoEstateAt(someTime, sim.Timing{}), clk: &stepClock{now: someTime}}
	o.Now = e.clk.Now
	for _, f := range change {
		f(&e.Spec)
	}
	var err error
	if e.Fabric, err = sim.NewFabric(e.Spec); err != nil {
		t.Fatal(err)
	}
	e.arm = sim.NewARM(e.Fabric, o)
	if err := e.arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.arm.Close() })
	if e.id, err = sim.NewIdentity(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.id.Close() })
	for _, kv := range e.id.Env() {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.arm.CAPEM())
	tr := NewTransport(roots, nil)
	t.Cleanup(tr.CloseIdleConnections)
	// The identity library keeps tokens per audience for the whole process: each
	// estate has an audience of its own.
	cfg := Config{Cloud: Custom, Endpoint: e.arm.URL(), Audience: e.arm.URL() + "/" + t.Name(), Authority: "https://login.test/",
		Transport: tr, Now: e.clk.Now, Sleep: e.clk.Sleep}
	if cfg.Credential, err = NewCredential("managed", cfg); err != nil {
		t.Fatal(err)
	}
	if e.net, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	e.cfg = cfg
	return e
}

// write makes the raise of a connection, named as in the demo.
func (e *estate) write(name string, to int32, epoch string) executor.Write {
	id := events.Canonical(e.Connections[name])
	gw, _, _ := strings.Cut(name, "/")
	from, ok := e.Fabric.Weight(id, e.clk.Now())
	if !ok {
		e.Fatalf("no connection %s", name)
	}
	return executor.Write{ID: "w-" + epoch, Connection: id, Gateway: events.Canonical(e.Gateways[gw]), From: from, To: to, Epoch: epoch,
		NotAfter: e.clk.Now().Add(time.Minute)}
}

// finish polls a write to its end, turning the clock at the server's pace. It
// stops after half an hour.
func (e *estate) finish(w executor.Write, b executor.Begun) (executor.Outcome, error) {
	outcome, token, err, wait := b.Outcome, b.Token, b.Err, b.RetryAfter
	for end := e.clk.Now().Add(30 * time.Minute); token != "" && e.clk.Now().Before(end); {
		_ = e.clk.Sleep(context.Background(), max(wait, 10*time.Second))
		p := e.net.Poll(context.Background(), []executor.Running{{Token: token, Write: &w}})[0]
		err, token, wait = p.Err, p.Token, p.RetryAfter
		if p.Done {
			return p.Outcome, p.Err
		}
	}
	return outcome, err
}

func (e *estate) read(kind executor.RefKind, id string) executor.Reading {
	return e.net.Read(context.Background(), []executor.Ref{{Kind: kind, ID: events.Canonical(id)}})[0]
}

// body is what Azure shows of a connection, less what changes by itself.
func (e *estate) body(name string) string {
	raw, ok := e.Fabric.Get(e.Connections[name], false, sim.KeyAbsent, e.clk.Now())
	if !ok {
		e.Fatalf("no connection %s", name)
	}
	o, err := parseObject(raw)
	if err != nil {
		e.Fatal(err)
	}
	props, err := parseObject(o.get("properties"))
	if err != nil {
		e.Fatal(err)
	}
	o = o.set("properties", props.drop(func(m member) bool { return readOnlyProperty(m.name) }).bytes())
	return string(o.drop(func(m member) bool { return m.name == "etag" }).bytes())
}

// A raise and its settle, of both kinds of connection, restore every byte.
func TestEmulatorRaiseAndSettle(t *testing.T) {
	for _, name := range []string{"gw-east-1/er-chicago", "gw-south-hub/er-ashburn"} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, sim.Options{})
			before := e.body(name)
			w := e.write(name, 201, "1")
			b := e.net.Begin(t.Context(), []executor.Write{w})[0]
			if b.Token == "" || b.Outcome != executor.Unknown || b.RetryAfter != 10*time.Second || b.Correlation == "" {
				t.Fatalf("begun: %+v", b)
			}
			if outcome, err := e.finish(w, b); outcome != executor.Applied || err != nil {
				t.Fatalf("%s: %v", outcome, err)
			}
			got := e.read(executor.RefConnection, w.Connection).Connection
			if got.Weight != 201 || got.Rest != b.Before.Rest || got.Status != b.Before.Status || got.Provisioning != "Succeeded" {
				t.Errorf("read back %+v", got)
			}
			if vwan := strings.Contains(name, "hub"); (got.Epoch == "1") == vwan {
				t.Errorf("epoch %q", got.Epoch)
			}
			again := e.net.Begin(t.Context(), []executor.Write{w})[0]
			if again.Outcome != executor.Applied || !again.NoOp || again.Sent {
				t.Errorf("the same write again: %+v", again)
			}
			settle := e.write(name, w.From, "")
			settle.Rest = b.Before.Rest
			if outcome, err := e.finish(settle, e.net.Begin(t.Context(), []executor.Write{settle})[0]); outcome != executor.Applied || err != nil {
				t.Fatalf("settle: %s: %v", outcome, err)
			}
			if after := e.body(name); after != before {
				t.Errorf("settled\n%s\nwas\n%s", after, before)
			}
		})
	}
}

// Every way to go wrong that the emulator knows. What is said of the outcome must
// be true when all is over: applied has landed, not applied never lands.
func TestEmulatorFaults(t *testing.T) {
	put, op := sim.Match{Kind: sim.KindConnectionPut}, sim.Match{Kind: sim.KindOperation, Times: -1}
	all := func(m sim.Match) sim.Match { m.Times = -1; return m }
	tests := []struct {
		name    string
		rule    sim.Rule
		outcome executor.Outcome
		kind    fault.Kind
		code    string
		landed  bool
	}{
		{"nothing wrong", sim.Rule{Match: sim.Match{Path: "nothing"}, Fault: sim.Fault{Kind: sim.NotFound}}, executor.Applied, "", "", true},
		{"token refused", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Unauthorized}}, executor.NotApplied, fault.Denied, "", false},
		{"right missing", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Forbidden}}, executor.NotApplied, fault.Denied, "LinkedAuthorizationFailed", false},
		{"role missing", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}}, executor.NotApplied, fault.Denied, "AuthorizationFailed", false},
		{"not found", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.NotFound}}, executor.NotApplied, fault.NotFound, "", false},
		{"another operation", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Conflict}}, executor.NotApplied, fault.Busy, "AnotherOperationInProgress", false},
		{"precondition", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Precondition}}, executor.NotApplied, fault.Conflict, "PreconditionFailed", false},
		{"throttled", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "17"}}, executor.NotApplied, fault.Throttled, "", false},
		{"busy as 429", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.Busy}}, executor.NotApplied, fault.Busy, "", false},
		{"500", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.ServerError}}, executor.Unknown, fault.Unavailable, "InternalServerError", false},
		{"502", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.BadGateway}}, executor.Unknown, fault.Unavailable, "", false},
		{"503", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.NotAvailable}}, executor.Unknown, fault.Unavailable, "", false},
		{"504", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.GatewayTimeout}}, executor.Unknown, fault.Unavailable, "", false},
		{"connection breaks before", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.DropBefore}}, executor.Unknown, fault.Unavailable, "", false},
		{"reply lost after", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.DropAfter}}, executor.Unknown, fault.Unavailable, "", true},
		{"operation fails", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.OperationFails, Code: "GatewayError"}}, executor.Unknown, fault.Unavailable, "GatewayError", false},
		{"operation cancelled", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.OperationCanceled}}, executor.Unknown, fault.Conflict, "CanceledAndSupersededDueToAnotherOperation", false},
		{"applied yet failed", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.AppliedYetFailed}}, executor.Unknown, fault.Unavailable, "", true},
		{"operation forgotten", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.OperationExpired}}, executor.Unknown, fault.NotFound, "OperationNotFound", true},
		{"done at once", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.AtOnce}}, executor.Applied, "", "", true},
		{"operation never ends", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.NeverEnds}}, executor.Unknown, "", "", true},
		{"lands late", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.LateLanding, Delay: 5 * time.Minute}}, executor.Applied, "", "", true},
		{"operation elsewhere", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.HostileOperation, URL: "https://thief.example"}}, executor.Unknown, fault.Denied, "ForeignHost", true},
		{"answer is not JSON", sim.Rule{Match: put, Fault: sim.Fault{Kind: sim.BadBody}}, executor.Applied, "", "", true},
		{"looks without status", sim.Rule{Match: op, Fault: sim.Fault{Kind: sim.NoStatus}}, executor.Unknown, fault.Unavailable, "UnreadableAnswer", true},
		{"looks throttled", sim.Rule{Match: sim.Match{Kind: sim.KindOperation, Times: 3}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "30"}}, executor.Applied, "", "", true},
		{"looks break", sim.Rule{Match: sim.Match{Kind: sim.KindOperation, Times: 3}, Fault: sim.Fault{Kind: sim.DropBefore}}, executor.Applied, "", "", true},
		{"looks denied for a while", sim.Rule{Match: sim.Match{Kind: sim.KindOperation, Times: 3}, Fault: sim.Fault{Kind: sim.Forbidden}}, executor.Applied, "", "", true},
		{"looks with an odd pace", sim.Rule{Match: op, Fault: sim.Fault{Kind: sim.OddRetryAfter, RetryAfter: "-1"}}, executor.Applied, "", "", true},
		{"a stale read is no harm", sim.Rule{Match: all(sim.Match{Kind: sim.KindConnectionGet}), Fault: sim.Fault{Kind: sim.StaleGet}}, executor.Applied, "", "", true},
		{"reads ill for a moment", sim.Rule{Match: sim.Match{Kind: sim.KindConnectionGet, Times: 2}, Fault: sim.Fault{Kind: sim.NotAvailable}}, executor.Applied, "", "", true},
		{"reads not JSON", sim.Rule{Match: all(sim.Match{Kind: sim.KindConnectionGet}), Fault: sim.Fault{Kind: sim.BadBody}}, executor.NotApplied, fault.Unavailable, "UnreadableAnswer", false},
	}
	for _, tt := range tests {
		for _, name := range []string{"gw-east-1/er-chicago", "gw-south-hub/er-ashburn"} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				e := newEstate(t, sim.Options{})
				e.arm.Inject(tt.rule)
				w := e.write(name, 201, "1")
				outcome, err := e.finish(w, e.net.Begin(t.Context(), []executor.Write{w})[0])
				f := asFault(t, err)
				if outcome != tt.outcome || f.Kind != tt.kind || (tt.code != "" && f.Code != tt.code) {
					t.Errorf("got %s, kind %q, code %q: %v", outcome, f.Kind, f.Code, err)
				}
				weight, _ := e.Fabric.Weight(w.Connection, e.clk.Now().Add(time.Hour))
				if landed := weight == 201; landed != tt.landed {
					t.Errorf("landed %t: the weight is %d", landed, weight)
				}
			})
		}
	}
}

// A cross-subscription circuit shows a masked key. It never goes back.
func TestEmulatorMaskedKey(t *testing.T) {
	for _, mode := range []sim.KeyMode{sim.KeyMasked, sim.KeyAbsent} {
		e := newEstate(t, sim.Options{Key: mode}, func(s *sim.Spec) { s.Connections[1].Key = "secret" })
		w := e.write("gw-east-1/er-chicago", 201, "1")
		if outcome, err := e.finish(w, e.net.Begin(t.Context(), []executor.Write{w})[0]); outcome != executor.Applied || err != nil {
			t.Errorf("%s: %s: %v", mode, outcome, err)
		}
	}
}

// Others hold a gateway: our write is refused as busy, and later goes through.
func TestEmulatorHeldGateway(t *testing.T) {
	e := newEstate(t, sim.Options{})
	w := e.write("gw-east-1/er-chicago", 201, "1")
	e.Fabric.Hold(e.Gateways["gw-east-1"], 30*time.Second, e.clk.Now())
	b := e.net.Begin(t.Context(), []executor.Write{w})[0]
	if b.Outcome != executor.NotApplied || !errors.Is(b.Err, fault.Busy) {
		t.Errorf("got %+v", b)
	}
	_ = e.clk.Sleep(t.Context(), 31*time.Second)
	if b := e.net.Begin(t.Context(), []executor.Write{w})[0]; b.Token == "" {
		t.Errorf("got %+v", b)
	}
}

// Others write between plan and write: their word stands.
func TestEmulatorChangedByOthers(t *testing.T) {
	e := newEstate(t, sim.Options{})
	w := e.write("gw-east-1/er-chicago", 201, "1")
	w.Rest = e.read(executor.RefConnection, w.Connection).Connection.Rest
	e.Fabric.ForeignField(w.Connection, "enablePrivateLinkFastPath", true, e.clk.Now())
	if b := e.net.Begin(t.Context(), []executor.Write{w})[0]; b.Outcome != executor.NotApplied || !errors.Is(b.Err, fault.Conflict) {
		t.Errorf("a field: %+v", b)
	}
	e.Fabric.ForeignWrite(w.Connection, 150, e.clk.Now())
	if b := e.net.Begin(t.Context(), []executor.Write{w})[0]; b.Outcome != executor.NotApplied || !errors.Is(b.Err, fault.Conflict) {
		t.Errorf("the weight: %+v", b)
	}
}

// All gateways move in one batch, one write each, with no refusal; a token goes on
// in another process; the identity was asked for one token.
func TestEmulatorWholeEstate(t *testing.T) {
	e := newEstate(t, sim.Options{})
	var writes []executor.Write
	for name := range e.Connections {
		if strings.HasSuffix(name, "/er-chicago-2") || strings.HasSuffix(name, "/er-newark") || name == "gw-east-1/er-dallas" || name == "gw-east-2/er-dallas" || name == "gw-east-3/er-dallas" {
			writes = append(writes, e.write(name, 201, "1"))
		}
	}
	if len(writes) != 9 {
		t.Fatalf("%d writes", len(writes))
	}
	begun := e.net.Begin(t.Context(), writes)
	var running []executor.Running
	for i, b := range begun {
		if b.Token == "" {
			t.Fatalf("%s: %+v", writes[i].Connection, b)
		}
		running = append(running, executor.Running{Token: b.Token, Write: &writes[i]})
	}
	_ = e.clk.Sleep(t.Context(), time.Minute)
	other, err := New(e.net.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range other.Poll(t.Context(), running) {
		if !p.Done || p.Outcome != executor.Applied {
			t.Errorf("%s: %+v", writes[i].Connection, p)
		}
	}
	if n := e.id.Served(); n != 1 {
		t.Errorf("%d tokens", n)
	}
	for _, r := range e.Fabric.Requests() {
		if r.Status >= 400 {
			t.Errorf("%s %s: %d", r.Method, r.Path, r.Status)
		}
	}
}

// Promise: whatever goes wrong, an outcome that is told is true in the end, and a
// connection never changes but in its weight and our tag.
func TestEmulatorOutcomesAreTrue(t *testing.T) {
	e := newEstate(t, sim.Options{NoLimits: true})
	kinds := []sim.FaultKind{sim.Forbidden, sim.Conflict, sim.Throttled, sim.Busy, sim.ServerError, sim.NotAvailable, sim.DropBefore, sim.DropAfter,
		sim.OperationFails, sim.OperationCanceled, sim.AppliedYetFailed, sim.OperationExpired, sim.AtOnce, sim.NoStatus, sim.NeverEnds, sim.LateLanding,
		sim.HostileOperation, sim.OddRetryAfter, sim.MaskedKey, sim.BadBody, sim.NotFound}
	names := []string{"gw-east-1/er-chicago", "gw-south-hub/er-ashburn"}
	matches := []sim.Kind{sim.KindConnectionGet, sim.KindConnectionPut, sim.KindOperation}
	rest := map[string]string{}
	for _, n := range names {
		rest[n] = e.read(executor.RefConnection, e.Connections[n]).Connection.Rest
	}
	var mu sync.Mutex
	rapid.Check(t, func(rt *rapid.T) {
		mu.Lock() // one estate, one story at a time
		defer mu.Unlock()
		e.arm.ClearFaults()
		for range rapid.IntRange(0, 3).Draw(rt, "faults") {
			e.arm.Inject(sim.Rule{
				Match: sim.Match{Kind: rapid.SampledFrom(matches).Draw(rt, "at"), Nth: rapid.IntRange(1, 2).Draw(rt, "nth"), Times: rapid.IntRange(1, 3).Draw(rt, "times")},
				Fault: sim.Fault{Kind: rapid.SampledFrom(kinds).Draw(rt, "fault"), RetryAfter: "3", Delay: time.Minute, URL: "https://thief.example"},
			})
		}
		name := rapid.SampledFrom(names).Draw(rt, "connection")
		to, epoch := rapid.Int32Range(0, 32000).Draw(rt, "to"), rapid.StringMatching(`[1-9]?`).Draw(rt, "epoch")
		w := e.write(name, to, epoch)
		outcome, err := e.finish(w, e.net.Begin(context.Background(), []executor.Write{w})[0])
		var f *fault.Error
		if err != nil && (!errors.As(err, &f) || f.Kind == "" || f.Kind == fault.Internal) {
			rt.Fatalf("no fault with a kind: %v", err)
		}
		_ = e.clk.Sleep(context.Background(), 2*time.Hour) // all is over
		weight, _ := e.Fabric.Weight(w.Connection, e.clk.Now())
		switch outcome {
		case executor.Applied:
			if weight != to {
				rt.Fatalf("applied, yet the weight is %d, not %d", weight, to)
			}
		case executor.NotApplied:
			if weight != w.From {
				rt.Fatalf("not applied, yet the weight is %d, was %d", weight, w.From)
			}
		case executor.Unknown:
		default:
			rt.Fatalf("outcome %q", outcome)
		}
		e.arm.ClearFaults()
		if got := e.read(executor.RefConnection, e.Connections[name]); got.Err != nil || got.Connection.Rest != rest[name] {
			rt.Fatalf("more than the weight and our tag changed: %+v %v", got.Connection, got.Err)
		}
	})
}
