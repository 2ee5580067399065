package handlers

import (
	"context"
	"net/http"
	"time"

	"erfailover/failover/report"
)

// base is where version 1 of the API lives.
const base = "/api/v1"

// param is one query parameter or header of a route.
type param struct {
	in, name, about string
	number          bool
}

// route is one thing the API does. The OpenAPI document is made from this table,
// and a test holds the two together.
type route struct {
	method string
	path   string // under base
	role   Role   // "" means that nobody is asked who they are
	signed bool   // the address itself is the proof; its function checks it
	whole  bool   // tells of the whole estate, without names of groups to tell apart
	id     string // operationId
	about  string // one sentence
	params []param
	body   any         // a value of the request's type; nil: no JSON body
	form   any         // a value of the type of a form that a browser sends; nil: none
	reply  map[int]any // a value of the body's type, by status; problems are left out
	do     func(ctx context.Context, r request) (answer, error)
}

// Replies that are not JSON.
type (
	plainText struct{} // text/plain
	anyJSON   struct{} // any JSON text
	htmlPage  struct{} // text/html, for people
)

// list is the reply of a route that lists things.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitzero"` // pass as ?after= to go on; absent at the end
}

// health is the reply of healthz and readyz.
type liveness struct {
	At     time.Time `json:"at"` // by this program's clock
	Status string    `json:"status"`
}

// routes is the table of the API.
func (s *server) routes() []route {
	limit := param{in: "query", name: "limit", about: "entries in the reply, 1 to 200; default 50", number: true}
	after := param{in: "query", name: "after", about: "the next value of the page before"}
	rs := []route{
		{method: http.MethodGet, path: "/healthz", id: "healthz", about: "Says that the process runs, and its time. It holds no data.", reply: map[int]any{200: liveness{}}, do: s.getHealthz},
		{method: http.MethodGet, path: "/readyz", id: "readyz", about: "Says whether the record can be reached.", reply: map[int]any{200: liveness{}}, do: s.getReadyz},
		{method: http.MethodGet, path: "/openapi.json", role: Reader, id: "openapi", about: "This document.", reply: map[int]any{200: anyJSON{}}, do: s.getOpenAPI},
		{method: http.MethodGet, path: "/metrics", role: Reader, whole: true, id: "metrics", about: "Metrics in the text format of Prometheus. Labels are groups and circuits of the configuration, and closed lists.", reply: map[int]any{200: plainText{}}, do: s.getMetrics},
		{method: http.MethodGet, path: "/status", role: Reader, id: "status", about: "The estate as it is believed to be now.", reply: map[int]any{200: report.Status{}}, do: s.getStatus},
		{method: http.MethodGet, path: "/readiness", role: Reader, id: "readiness", about: "Which groups could fail over now, and why the others could not. It judges and plans by the real code and writes nothing.", reply: map[int]any{200: report.Readiness{}}, do: s.getReadiness},
		{method: http.MethodGet, path: "/card", role: Reader, id: "card", about: "The break-glass card: commands that move traffic by hand while this program is down.", reply: map[int]any{200: report.Card{}}, do: s.getCard},
		{method: http.MethodGet, path: "/groups", role: Reader, id: "listGroups", about: "Every group.", params: []param{limit, after}, reply: map[int]any{200: list[report.GroupStatus]{}}, do: s.getGroups},
		{method: http.MethodGet, path: "/groups/{group}", role: Reader, id: "group", about: "One group.", reply: map[int]any{200: report.GroupStatus{}}, do: s.getGroup},
		{method: http.MethodGet, path: "/groups/{group}/explain", role: Reader, id: "explain", about: "Why the group is where it is: every guard with its answer, and what would change the verdict, and when.", reply: map[int]any{200: report.Explanation{}}, do: s.getExplain},
		{method: http.MethodPost, path: "/groups/{group}/plan", role: Reader, id: "plan", about: "What an order would do now, without doing it. The plan has the ID of the real run.", body: planBody{}, reply: map[int]any{200: report.Planned{}}, do: s.postPlan},
		{method: http.MethodGet, path: "/groups/{group}/orders/{order}", role: Reader, id: "order", about: "What became of an order, by its idempotency key; remembered for 24 hours.", reply: map[int]any{200: Outcome{}}, do: s.getOrder},
		{method: http.MethodGet, path: "/circuits", role: Reader, id: "listCircuits", about: "Every circuit, with what each group believes of it.", params: []param{limit, after}, reply: map[int]any{200: list[report.CircuitView]{}}, do: s.getCircuits},
		{method: http.MethodGet, path: "/gateways", role: Reader, id: "listGateways", about: "Every gateway, with its weights.", params: []param{limit, after}, reply: map[int]any{200: list[report.GatewayView]{}}, do: s.getGateways},
		{method: http.MethodGet, path: "/operations", role: Reader, id: "listOperations", about: "Operations that run, wait or ended lately, newest first; at most 50 ended ones a group.", params: []param{{in: "query", name: "group", about: "of this group only"}, limit, after}, reply: map[int]any{200: list[report.OperationLine]{}}, do: s.getOperations},
		{method: http.MethodGet, path: "/operations/{id}", role: Reader, id: "operation", about: "One operation, step by step, with its recovery ledger.", reply: map[int]any{200: report.Operation{}}, do: s.getOperation},
		{method: http.MethodGet, path: "/journal", role: Reader, id: "journal", about: "One stream of the journal, newest first.", params: []param{
			{in: "query", name: "stream", about: "estate (the default), group.NAME or circuit.NAME"},
			{in: "query", name: "before", about: "entries before this number; the next value of the page before", number: true}, limit}, reply: map[int]any{200: Page{}}, do: s.getJournal},
		{method: http.MethodPost, path: "/signals", role: Signaler, id: "signals", about: "Takes any event body: Azure alerts, Event Grid, or the generic form.", body: anyJSON{}, reply: map[int]any{202: received{}}, do: s.postSignals},
	}
	rs = append(rs, s.pastRoutes()...)
	return append(append(append(rs, s.orderRoutes()...), s.drillRoutes()...), s.announcementRoutes()...)
}

// orderRoutes are the orders. Each takes the same body; fields that a verb does not
// take are refused.
func (s *server) orderRoutes() []route {
	key := param{in: "header", name: keyHeader, about: "1 to 128 printable ASCII characters. The same key with the same order is the same order for 24 hours; with another order it is refused (422)."}
	who := param{in: "header", name: userHeader, about: "who orders; needed where a shared key opens the door"}
	var out []route
	for _, v := range []struct {
		path, id, about string
		role            Role
	}{
		{"/groups/{group}/failover", "failover", "Moves the group off its circuit, which the person says is bad.", Operator},
		{"/groups/{group}/switchover", "switchover", "Moves the group as planned work; every guard applies.", Operator},
		{"/groups/{group}/failback", "failback", "Moves the group home.", Operator},
		{"/groups/{group}/evacuate", "evacuateGroup", "Moves the group off a peering location or a provider.", Operator},
		{"/groups/{group}/drill", "drill", "Rehearses a failover of the group; a failback ends it, and its deadline does too.", Operator},
		{"/groups/{group}/pause", "pause", "Stops automatic decisions for the group, until a time or until resumed.", Operator},
		{"/groups/{group}/resume", "resume", "Ends a pause.", Operator},
		{"/groups/{group}/acknowledge", "acknowledge", "Says that the last move was seen; it lifts the cool-down.", Operator},
		{"/groups/{group}/cancel", "cancel", "Ends an operation that waits for approval.", Operator},
		{"/groups/{group}/approve", "approve", "Lets an operation that waits run.", Approver},
		{"/evacuate", "evacuate", "Moves every group off a peering location or a provider.", Operator},
		{"/kill", "kill", "Sets the kill switch: no write anywhere in the estate.", Operator},
		{"/unkill", "unkill", "Lifts the kill switch.", Operator},
	} {
		out = append(out, route{method: http.MethodPost, path: v.path, role: v.role, id: v.id, about: v.about, params: []param{key, who},
			body: orderBody{}, reply: map[int]any{200: Outcome{}, 202: Outcome{}}, do: s.postOrder})
	}
	return out
}
