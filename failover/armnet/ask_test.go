package armnet

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

var someTime = time.Date(2026, 11, 3, 3, 0, 0, 0, time.UTC)

const bgpRows = `{"value":[{"neighbor":"10.0.0.1","v":4,"as":65001,"upDown":"1d","statePfxRcd":"12"},{"neighbor":"10.0.0.2","v":4,"as":4200000001,"upDown":"never","statePfxRcd":"Active"},
 {"neighbor":"10.0.0.3","as":65001,"statePfxRcd":"0"},{"neighbor":"10.0.0.4","as":65001,"statePfxRcd":7},{"neighbor":"10.0.0.5","as":65001}]}`

var (
	bgpQuestion    = executor.Question{Kind: executor.AskBGP, Target: testER, Link: "primary"}
	arpQuestion    = executor.Question{Kind: executor.AskARP, Target: testER, Link: "secondary"}
	routesQuestion = executor.Question{Kind: executor.AskRoutes, Target: testGW}
)

const (
	bgpPath = testER + "/peerings/azureprivatepeering/routetablessummary/primary"
	arpPath = testER + "/peerings/azureprivatepeering/arptables/secondary"
)

// ask asks, and looks until there is an answer or an end.
func ask(t *testing.T, c *Client, q executor.Question) executor.Polled {
	t.Helper()
	b := c.Ask(t.Context(), []executor.Question{q})[0]
	if b.Err != nil || b.Token == "" {
		return executor.Polled{Done: true, Outcome: b.Outcome, Err: b.Err, Answer: b.Answer}
	}
	p := executor.Polled{Token: b.Token}
	for range 5 {
		if p = c.Poll(t.Context(), []executor.Running{{Token: p.Token, Question: &q}})[0]; p.Done {
			break
		}
	}
	return p
}

func TestAskBGP(t *testing.T) {
	op := map[string]string{"Location": testOp + "?sig=key-secret", "Azure-AsyncOperation": testSub + "/other", "Retry-After": "10"}
	a := newAzure(t).on("POST", bgpPath, answer{202, op, ""}).on("GET", testOp, answer{202, op, ""}, answer{200, nil, bgpRows})
	p := ask(t, a.client(func(c *Config) { c.Now = func() time.Time { return someTime } }), bgpQuestion)
	if p.Err != nil || !p.Done || p.Outcome != executor.Applied || p.Token != "" {
		t.Fatalf("got %+v", p)
	}
	want := []executor.Peer{
		{Neighbor: "10.0.0.1", ASN: 65001, Established: true, Prefixes: 12, State: "12"},
		{Neighbor: "10.0.0.2", ASN: 4200000001, State: "Active"},
		{Neighbor: "10.0.0.3", ASN: 65001, Established: true, State: "0"},
		{Neighbor: "10.0.0.4", ASN: 65001, Established: true, Prefixes: 7, State: "7"},
		{Neighbor: "10.0.0.5", ASN: 65001},
	}
	if !reflect.DeepEqual(p.Answer.Peers, want) || p.Answer.Question != bgpQuestion || !p.Answer.At.Equal(someTime) {
		t.Errorf("got %+v", p.Answer)
	}
}

func TestAskARP(t *testing.T) {
	a := newAzure(t).on("POST", arpPath, answer{200, nil, `{"value":[{"age":3,"interface":"On-Prem","ipAddress":"10.0.0.1","macAddress":"0011.2233.4455"},{"age":0,"interface":"Microsoft","ipAddress":"10.0.0.2","macAddress":"x"}]}`})
	b := a.client().Ask(t.Context(), []executor.Question{arpQuestion})[0]
	if b.Outcome != executor.Applied || b.Answer == nil || len(b.Answer.ARP) != 2 || b.Answer.ARP[0] != (executor.ARP{Interface: "On-Prem", IP: "10.0.0.1", MAC: "0011.2233.4455", AgeMin: 3}) || !b.Sent {
		t.Errorf("answered at once: %+v", b)
	}
}

func TestAskRoutes(t *testing.T) {
	rows := `{"value":[{"localAddress":"10.1.0.4","network":"10.0.0.0/8","nextHop":"10.1.0.5","sourcePeer":"10.1.0.5","origin":"EBgp","asPath":"12076-65001","weight":32769}]}`
	want := []executor.Route{{Network: "10.0.0.0/8", NextHop: "10.1.0.5", Origin: "EBgp", ASPath: "12076-65001", Source: "10.1.0.5", Weight: 32769}}
	tests := map[string]struct {
		head map[string]string
		op   []answer
	}{
		// The operation's own body carries no status for this one.
		"both addresses, no status":      {map[string]string{"Location": testOp, "Azure-AsyncOperation": testOp}, []answer{{200, nil, rows}}},
		"only an operation, no status":   {map[string]string{"Azure-AsyncOperation": testOp}, []answer{{202, nil, ""}, {200, nil, `{}`}, {200, nil, rows}}},
		"only an operation, with output": {map[string]string{"Azure-AsyncOperation": testOp}, []answer{{200, nil, `{"status":"InProgress"}`}, {200, nil, `{"status":"Succeeded","properties":{"output":` + rows + `}}`}}},
		"ill in between":                 {map[string]string{"Location": testOp}, []answer{{503, nil, ""}, {429, nil, ""}, {200, nil, rows}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAzure(t).on("POST", testGW+"/getlearnedroutes", answer{202, tt.head, ""}).on("GET", testOp, tt.op...)
			p := ask(t, a.client(), routesQuestion)
			if p.Err != nil || p.Answer == nil || !reflect.DeepEqual(p.Answer.Routes, want) {
				t.Errorf("got %+v: %v", p, p.Err)
			}
		})
	}
}

func TestQuestionsThatFail(t *testing.T) {
	loc := map[string]string{"Location": testOp}
	tests := map[string]struct {
		post, op answer
		kind     fault.Kind
		outcome  executor.Outcome
	}{
		"throttled":          {answer{429, map[string]string{"Retry-After": "9"}, ""}, answer{}, fault.Throttled, executor.NotApplied},
		"denied":             {answer{403, nil, armErr("AuthorizationFailed", "x")}, answer{}, fault.Denied, executor.NotApplied},
		"not there":          {answer{404, nil, armErr("ResourceNotFound", "x")}, answer{}, fault.NotFound, executor.NotApplied},
		"elsewhere":          {answer{202, map[string]string{"Location": "https://evil.example/x"}, ""}, answer{}, fault.Denied, executor.NotApplied},
		"no address":         {answer{202, nil, ""}, answer{}, fault.Unavailable, executor.NotApplied},
		"no rows at once":    {answer{200, nil, `{}`}, answer{}, fault.Unavailable, executor.NotApplied},
		"wrong rows at once": {answer{200, nil, `{"value":{}}`}, answer{}, fault.Unavailable, executor.NotApplied},
		"no rows":            {answer{202, loc, ""}, answer{200, nil, `{}`}, fault.Unavailable, executor.Unknown},
		"forgotten":          {answer{202, loc, ""}, answer{404, nil, armErr("NotFound", "x")}, fault.NotFound, executor.Unknown},
		"failed":             {answer{202, map[string]string{"Azure-AsyncOperation": testOp}, ""}, answer{200, nil, `{"status":"Failed","error":{"code":"InternalServerError"}}`}, fault.Unavailable, executor.Unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAzure(t).on("POST", bgpPath, tt.post).on("GET", testOp, tt.op)
			p := ask(t, a.client(), bgpQuestion)
			if f := asFault(t, p.Err); !p.Done || f.Kind != tt.kind || p.Outcome != tt.outcome || p.Answer != nil {
				t.Errorf("got %+v: %v", p, p.Err)
			}
			if n := len(a.requests("POST")); n != 1 {
				t.Errorf("%d POSTs", n)
			}
		})
	}
}

func TestQuestionsThatAreNotSent(t *testing.T) {
	a := newAzure(t)
	questions := map[string]executor.Question{
		"is no type of a circuit":          {Kind: executor.AskBGP, Target: testGW, Link: "primary"},
		"is neither primary nor secondary": {Kind: executor.AskARP, Target: testER, Link: "both"},
		"is no type of a gateway":          {Kind: executor.AskRoutes, Target: testER},
		"Virtual WAN gateways do not tell": {Kind: executor.AskRoutes, Target: testVGW},
		"is not known":                     {Kind: "x", Target: testER},
		"names neither a subscription":     {Kind: executor.AskBGP, Target: "/", Link: "primary"},
	}
	for text, q := range questions {
		b := a.client().Ask(t.Context(), []executor.Question{q})[0]
		if asFault(t, b.Err).Kind != fault.Invalid || !strings.Contains(b.Err.Error(), text) || b.Sent || b.Outcome != executor.NotApplied {
			t.Errorf("%s: got %+v", text, b)
		}
	}
	if len(a.requests("POST")) != 0 {
		t.Error("something was sent")
	}
}
