package sim

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRefusals drives every fault that answers in place of the resource.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		fault  Fault
		status int
		code   string
		retry  string
	}{
		{Fault{Kind: Unauthorized}, 401, "ExpiredAuthenticationToken", ""},
		{Fault{Kind: Forbidden}, 403, "LinkedAuthorizationFailed", ""},
		{Fault{Kind: Forbidden, Code: "AuthorizationFailed"}, 403, "AuthorizationFailed", ""},
		{Fault{Kind: NotFound}, 404, "ResourceNotFound", ""},
		{Fault{Kind: Conflict}, 409, "AnotherOperationInProgress", ""},
		{Fault{Kind: Precondition}, 412, "PreconditionFailed", ""},
		{Fault{Kind: Throttled, RetryAfter: "17"}, 429, "TooManyRequests", "17"},
		{Fault{Kind: Busy, RetryAfter: "14"}, 429, "RetryableError", "14"},
		{Fault{Kind: ServerError}, 500, "InternalServerError", ""},
		{Fault{Kind: BadGateway}, 502, "BadGateway", ""},
		{Fault{Kind: NotAvailable}, 503, "ServiceUnavailable", ""},
		{Fault{Kind: GatewayTimeout}, 504, "GatewayTimeout", ""},
	} {
		t.Run(string(c.fault.Kind)+c.fault.Code, func(t *testing.T) {
			b := newBench(t, Options{})
			id := b.Connections["gw-east-1/er-chicago"]
			b.arm.Inject(Rule{Match{Kind: KindConnectionPut, Nth: 2}, c.fault})
			b.want("first write, untouched", b.raise(id, 201).status, 200)
			b.pass(time.Minute)
			got := b.raise(id, 202)
			b.want("status", got.status, c.status)
			b.want("code", got.code(), c.code)
			b.want("retry-after", got.header.Get("Retry-After"), c.retry)
			b.pass(time.Minute)
			b.want("weight", b.get(id).weight(), "201")
			b.want("third write, untouched", b.raise(id, 203).status, 200)
			last := b.Fabric.Puts(id)[1]
			b.want("journal", last.Fault, c.fault.Kind)
			b.want("journal status", last.Status, c.status)
		})
	}
	t.Run("busy tells the inner code", func(t *testing.T) {
		b := newBench(t, Options{})
		b.arm.Inject(Rule{Match{}, Fault{Kind: Busy}})
		if raw := string(b.get(b.Circuits["er-ashburn"]).raw); !strings.Contains(raw, "RetryableErrorDueToAnotherOperation") {
			t.Fatalf("no inner code in %s", raw)
		}
	})
}

// TestWriteFaults drives every fault that bends a write, and looks at the three
// things that may disagree: the operation, the resource and the traffic.
func TestWriteFaults(t *testing.T) {
	for _, c := range []struct {
		fault     Fault
		operation string // status after a minute, "404" when not found, "none" without a header
		code      string
		weight    string // on a GET after a minute
		state     string
	}{
		{Fault{}, "Succeeded", "", "201", "Succeeded"},
		{Fault{Kind: OperationFails}, "Failed", "InternalServerError", "100", "Failed"},
		{Fault{Kind: OperationFails, Code: "GatewayOffline"}, "Failed", "GatewayOffline", "100", "Failed"},
		{Fault{Kind: OperationCanceled}, "Canceled", "CanceledAndSupersededDueToAnotherOperation", "100", "Succeeded"},
		{Fault{Kind: AppliedYetFailed}, "Failed", "GwmOperationTimeOut", "201", "Failed"},
		{Fault{Kind: OperationExpired}, "404", "OperationNotFound", "201", "Succeeded"},
		{Fault{Kind: NoStatus}, "", "", "201", "Succeeded"},
		{Fault{Kind: AtOnce}, "none", "", "201", "Succeeded"},
		{Fault{Kind: NeverEnds}, "InProgress", "", "201", "Succeeded"},
		{Fault{Kind: LateLanding, Delay: time.Hour}, "Succeeded", "", "100", "Succeeded"},
	} {
		t.Run(string(c.fault.Kind)+c.fault.Code, func(t *testing.T) {
			b := newBench(t, Options{})
			id, gw := b.Connections["gw-east-1/er-chicago"], b.Gateways["gw-east-1"]
			if c.fault.Kind != "" {
				b.arm.Inject(Rule{Match{Kind: KindConnectionPut}, c.fault})
			}
			put := b.raise(id, 201)
			b.want("status", put.status, 200)
			b.pass(time.Minute)
			if op := put.header.Get("Azure-AsyncOperation"); c.operation == "none" {
				b.want("operation header", op, "")
				b.want("state in the answer", put.state(), "Succeeded")
			} else {
				look := b.get(op)
				status := look.body.text("status")
				if look.status == 404 {
					status = "404"
				}
				b.want("operation", status, c.operation)
				b.want("code", look.code(), c.code)
			}
			b.want("weight", b.get(id).weight(), c.weight)
			b.want("state", b.get(id).state(), c.state)
			carrier := map[string]string{"100": "er-ashburn", "201": "er-chicago"}[c.weight]
			b.want("carrying", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits[carrier])
			b.want("the gateway is free", b.raise(b.Connections["gw-east-1/er-dallas"], 51).status, 200)
		})
	}
}

func TestLateLandingOverwritesANewerWrite(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-east-1/er-chicago"]
	b.arm.Inject(Rule{Match{Kind: KindConnectionPut}, Fault{Kind: LateLanding, Delay: 5 * time.Minute}})
	b.raise(id, 201)
	b.pass(time.Minute)
	b.raise(id, 202)
	b.pass(time.Minute)
	b.want("newer weight", b.get(id).weight(), "202")
	b.pass(5 * time.Minute)
	b.want("after the late landing", b.get(id).weight(), "201")
	b.want("landings", len(b.Fabric.Landings(b.clock())), 2)
}

func TestBrokenConnections(t *testing.T) {
	for kind, weight := range map[FaultKind]string{DropBefore: "100", DropAfter: "201"} {
		t.Run(string(kind), func(t *testing.T) {
			b := newBench(t, Options{})
			id := b.Connections["gw-east-1/er-chicago"]
			sent := withWeight(b.get(id).body, 201)
			b.arm.Inject(Rule{Match{Kind: KindConnectionPut}, Fault{Kind: kind}})
			if out, err := b.try("PUT", id, sent); err == nil {
				t.Fatalf("got an answer: %d", out.status)
			}
			b.pass(time.Minute)
			b.want("weight", b.get(id).weight(), weight)
			b.want("puts", len(b.Fabric.Puts(id)), 1)
			b.want("journal status", b.Fabric.Puts(id)[0].Status, 0)
		})
	}
}

func TestSlowAndHangingAnswers(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-east-1/er-chicago"]
	b.client.Timeout = 50 * time.Millisecond
	sent := withWeight(b.get(id).body, 201)
	b.arm.Inject(Rule{Match{Kind: KindConnectionPut}, Fault{Kind: Hang}})
	if _, err := b.try("PUT", id, sent); err == nil {
		t.Fatal("a hanging request was answered")
	}
	b.arm.Inject(Rule{Match{Kind: KindCircuit}, Fault{Kind: Slow, Delay: time.Hour}})
	if _, err := b.try("GET", b.Circuits["er-ashburn"], nil); err == nil {
		t.Fatal("a slow request was answered at once")
	}
	b.arm.Inject(Rule{Match{Kind: KindGateway}, Fault{Kind: Slow, Delay: time.Millisecond}})
	b.want("a little slow", b.get(b.Gateways["gw-east-1"]).status, 200)
	b.pass(time.Minute)
	b.want("the hanging write was carried out", b.get(id).weight(), "201")
}

func TestStaleGet(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-east-1/er-chicago"]
	b.raise(id, 201)
	b.pass(time.Minute)
	b.arm.Inject(Rule{Match{Kind: KindConnectionGet}, Fault{Kind: StaleGet}})
	old := b.get(id)
	b.want("stale weight", old.weight(), "100")
	b.want("stale state", old.state(), "Succeeded")
	b.want("then the new one", b.get(id).weight(), "201")
}

func TestOperationAddresses(t *testing.T) {
	b := newBench(t, Options{RetryAfter: 3 * time.Second})
	id := b.Connections["gw-east-1/er-chicago"]
	b.arm.Inject(Rule{Match{Kind: KindConnectionPut}, Fault{Kind: HostileOperation, URL: "https://thief.example"}})
	op := b.raise(id, 201).header.Get("Azure-AsyncOperation")
	if !strings.HasPrefix(op, "https://thief.example/subscriptions/") || !strings.Contains(op, "h=") {
		t.Fatalf("operation address is %q", op)
	}
	honest := b.arm.URL() + strings.TrimPrefix(op, "https://thief.example")
	b.want("the same at the right host", b.get(honest).body.text("status"), "InProgress")
	b.want("pace", b.get(honest).header.Get("Retry-After"), "3")
	unsigned, _, _ := strings.Cut(honest, "&")
	b.want("without its signature", b.get(unsigned).status, 403)
	b.want("with another signature", b.get(strings.Replace(honest, "h=", "h=0", 1)).status, 403)

	b.arm.Inject(Rule{Match{Kind: KindOperation}, Fault{Kind: OperationExpired}})
	b.want("expired", b.get(honest).status, 404)
	b.arm.Inject(Rule{Match{Kind: KindOperation}, Fault{Kind: NoStatus}})
	b.want("no status", string(b.get(honest).raw), "{}")
	for _, odd := range []string{"-1", "86400", "Mon, 02 Mar 2026 03:10:00 GMT", "soon"} {
		b.arm.Inject(Rule{Match{Kind: KindOperation}, Fault{Kind: OddRetryAfter, RetryAfter: odd}})
		b.want("retry-after", b.get(honest).header.Get("Retry-After"), odd)
	}
	b.arm.Inject(Rule{Match{Kind: KindOperation}, Fault{Kind: BadBody}})
	if bad := b.get(honest); bad.body != nil {
		t.Fatalf("the answer is JSON: %s", bad.raw)
	}
}

func TestNoOpWrites(t *testing.T) {
	for noop, status := range map[NoOp]string{NoOpHangs: "InProgress", NoOpLost: "", NoOpFine: "Succeeded"} {
		t.Run(string(noop), func(t *testing.T) {
			b := newBench(t, Options{})
			b.Fabric.SetNoOp(noop)
			id := b.Connections["gw-east-1/er-chicago"]
			put := b.raise(id, 100)
			b.want("status", put.status, 200)
			b.want("state in the answer", put.state(), "Updating")
			b.pass(20 * time.Minute)
			b.want("operation", b.get(put.header.Get("Azure-AsyncOperation")).body.text("status"), status)
			b.want("state", b.get(id).state(), "Succeeded")
			b.want("the gateway is free", b.raise(id, 101).status, 200)
		})
	}
}

func TestRuleCounts(t *testing.T) {
	b := newBench(t, Options{})
	circuit := b.Circuits["er-ashburn"]
	b.arm.Inject(Rule{Match{Method: "get", Path: "/expressroutecircuits/er-ashburn$", Nth: 2, Times: 2}, Fault{Kind: NotAvailable}})
	for i, want := range []int{200, 503, 503, 200} {
		b.want("other circuit", b.get(b.Circuits["er-dallas"]).status, 200)
		if got := b.get(circuit).status; got != want {
			t.Fatalf("request %d: got %d, want %d", i+1, got, want)
		}
	}
	b.arm.Inject(Rule{Match{Times: -1}, Fault{Kind: NotAvailable}})
	for range 5 {
		b.want("all", b.get(circuit).status, http.StatusServiceUnavailable)
	}
	b.arm.ClearFaults()
	b.want("cleared", b.get(circuit).status, 200)
}
