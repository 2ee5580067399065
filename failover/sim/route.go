package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// target is what a path names.
type target struct {
	subscription string
	group        string
	types        string   // "expressroutecircuits/peerings", lower case, without the provider
	names        []string // as many as the types, one fewer when open
	open         bool     // ends in a type or an action without a name
	network      bool     // of Microsoft.Network
	health       bool     // Resource Health of it
	metrics      bool     // metrics of it
	planned      string   // Service Health: the path after the scope, "/events/..." in lower case
	id           string   // the resource's ID as spelled; without the last type when open
}

// locate reads a path, in any case. What it cannot read has no types.
func locate(path string) target {
	var t target
	if i := strings.Index(strings.ToLower(path), "/providers/microsoft.resourcehealth/availabilitystatuses"); i >= 0 {
		t.health, path = true, path[:i]
	}
	if i := strings.Index(strings.ToLower(path), eventsPrefix); i >= 0 {
		t.planned, path = strings.ToLower(path[i+len(eventsPrefix)-len("/events"):]), path[:i]
	}
	if i := strings.Index(strings.ToLower(path), metricsSuffix); i >= 0 {
		t.metrics, path = true, path[:i]
	}
	if isBatch(path) {
		t.metrics = true
	}
	segs := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	fold := func(i int, s string) bool { return len(segs) > i && strings.EqualFold(segs[i], s) }
	if !fold(0, "subscriptions") || len(segs) < 2 {
		return t
	}
	t.subscription = strings.ToLower(segs[1])
	n := 2
	if fold(2, "resourceGroups") && len(segs) > 3 {
		t.group, n = strings.ToLower(segs[3]), 4
	}
	if !fold(n, "providers") || !fold(n+1, "Microsoft.Network") {
		return t
	}
	t.network = true
	rest := segs[n+2:]
	var types []string
	for i, s := range rest {
		if i%2 == 0 {
			types = append(types, strings.ToLower(s))
		} else {
			t.names = append(t.names, s)
		}
	}
	t.types, t.open = strings.Join(types, "/"), len(rest)%2 == 1
	if t.open {
		segs = segs[:len(segs)-1]
	}
	t.id = "/" + strings.Join(segs, "/")
	return t
}

// upTo returns the ID of the nearest parent whose last type is typ.
func (t target) upTo(typ string) string {
	segs := strings.Split(t.id, "/")
	for i := len(segs) - 2; i > 0; i-- {
		if strings.EqualFold(segs[i], typ) {
			return strings.Join(segs[:i+2], "/")
		}
	}
	return t.id
}

// kind sorts a request.
func (t target) kind(method string) Kind {
	connection := t.types == "connections" || t.types == "expressroutegateways/expressrouteconnections"
	switch {
	case t.health:
		return KindHealth
	case t.metrics:
		return KindMetrics
	case t.planned != "":
		return KindPlanned
	case strings.HasPrefix(t.types, "locations/operation"):
		return KindOperation
	case method == http.MethodPost && (strings.HasSuffix(t.types, "failovertest")):
		return KindTest
	case method == http.MethodPost:
		return KindAsk
	case method == http.MethodPut && t.types == "expressroutecircuits/peerings" && !t.open:
		return KindPeeringPut
	case connection && !t.open && method == http.MethodGet:
		return KindConnectionGet
	case connection && !t.open && method == http.MethodPut:
		return KindConnectionPut
	case connection && !t.open && method == http.MethodPatch:
		return KindConnectionTags
	case t.open && !strings.HasSuffix(t.types, "/stats"):
		return KindList
	case t.types == "virtualnetworkgateways" || t.types == "expressroutegateways":
		return KindGateway
	case strings.HasPrefix(t.types, "expressroutecircuits"):
		return KindCircuit
	}
	return KindOther
}

// dispatch answers a request that nothing has refused.
func (a *ARM) dispatch(c *call) reply {
	t := c.where
	switch {
	case t.health && c.Method == http.MethodGet:
		return a.health(c)
	case t.metrics:
		return a.measure(c)
	case t.planned != "" && c.Method == http.MethodGet:
		return a.announced(c)
	case !t.network || strings.HasSuffix(strings.ToLower(c.URL.Path), rightsSuffix):
		return a.tenant(c)
	case c.kind == KindTest:
		return a.test(c)
	case c.kind == KindPeeringPut:
		return a.putPeering(c)
	case c.Method == http.MethodPost:
		return a.ask(c)
	case c.kind == KindConnectionPut:
		return a.put(c)
	case c.kind == KindConnectionTags:
		out, err := a.fabric.PatchTags(t.id, c.body, c.now)
		if err != nil {
			return failure(err)
		}
		return ok(out)
	case c.Method != http.MethodGet:
		return refuse(&Refusal{Status: 405, Code: "MethodNotAllowed", Message: "The estate does not simulate this method here."})
	case c.kind == KindConnectionGet:
		return a.get(c)
	case c.kind == KindOperation:
		return a.operation(c)
	case c.kind == KindList:
		return a.list(c)
	}
	return a.single(c)
}

// get answers a GET of one connection.
func (a *ARM) get(c *call) reply {
	mode := a.opts.Key
	switch c.fault.Kind {
	case MaskedKey:
		mode = KeyMasked
	case AbsentKey:
		mode = KeyAbsent
	default:
	}
	out, found := a.fabric.Get(c.where.id, c.fault.Kind == StaleGet, mode, c.now)
	if !found {
		return refuse(notFound(c.where.id))
	}
	return ok(out)
}

// put answers a PUT of one connection.
func (a *ARM) put(c *call) reply {
	if tag := c.Header.Get("If-Match"); a.opts.HonorIfMatch && tag != "" && tag != "*" {
		now, _ := a.fabric.Get(c.where.id, false, KeyAbsent, c.now)
		if b, err := parseBody(now); err != nil || b.text("etag") != tag {
			return refuse(&Refusal{Status: 412, Code: "PreconditionFailed", Message: "Precondition failed."})
		}
	}
	done, err := a.fabric.Put(c.where.id, c.body, c.fault.effect(a.fabric.timing), c.now)
	if err != nil {
		return failure(err)
	}
	out := ok(done.Body)
	if done.Created {
		out.status = http.StatusCreated
	}
	if done.Operation == "" {
		return out
	}
	out.operation = done.Operation
	out.header.Set("Azure-AsyncOperation", c.operationURL("operations", a.region(c, done.Operation), done.Operation))
	a.pace(out.header)
	return out
}

// region returns where an operation lives; a forgotten one lives anywhere.
func (a *ARM) region(c *call, id string) string {
	if op, found := a.fabric.Operation(id, c.now); found {
		return op.Region
	}
	return "eastus"
}

// ask begins a slow read.
func (a *ARM) ask(c *call) reply {
	segs := strings.Split(c.where.types, "/")
	last := segs[len(segs)-1]
	questions := []Question{AskARP, AskRoutes, AskSummary, AskLearned, AskPeers, AskAdverts, AskSets, AllTests, LinkTests}
	i := slices.IndexFunc(questions, func(q Question) bool { return strings.EqualFold(string(q), last) })
	if i < 0 || len(c.where.names) == 0 {
		return refuse(notFound(c.URL.Path))
	}
	id, arg := c.where.id, ""
	if strings.HasPrefix(c.where.types, "expressroutecircuits/peerings/") {
		if c.where.open || !strings.EqualFold(c.where.names[1], "AzurePrivatePeering") {
			return refuse(notFound(c.URL.Path))
		}
		id, arg = c.where.upTo("expressRouteCircuits"), c.where.names[2]
	}
	if questions[i] == AskAdverts {
		arg = c.URL.Query().Get("peer")
	}
	op, err := a.fabric.Ask(questions[i], id, arg, c.now)
	if err != nil {
		return failure(err)
	}
	out := reply{status: http.StatusAccepted, header: http.Header{}, operation: op}
	out.header.Set("Location", c.operationURL("operationResults", "eastus", op))
	a.pace(out.header)
	return out
}

// operation answers a look at an operation or at its result.
func (a *ARM) operation(c *call) reply {
	id := c.where.names[len(c.where.names)-1]
	if !sealed(c, id) {
		return refuse(&Refusal{Status: 403, Code: "AuthorizationFailed", Message: "The signature of the operation's address is not valid."})
	}
	op, found := a.fabric.Operation(id, c.now)
	if !found || c.fault.Kind == OperationExpired {
		return refuse(&Refusal{Status: 404, Code: "OperationNotFound", Message: "The operation was not found or has expired."})
	}
	if strings.HasSuffix(c.where.types, "operationresults") {
		return a.result(c, op)
	}
	b := body{}
	if !op.NoStatus && c.fault.Kind != NoStatus {
		b = object("status", op.Status)
	}
	if op.Code != "" {
		b = b.with("error", object("code", op.Code, "message", op.Message, "details", []body{}))
	}
	if op.Result != nil {
		b = b.with("properties", object("output", jsontext.Value(op.Result)))
	}
	out := ok(b.raw())
	if op.Ended.IsZero() {
		a.pace(out.header)
	}
	return out
}

// result answers a look at an operation's result.
func (a *ARM) result(c *call, op Operation) reply {
	switch {
	case op.Ended.IsZero():
		out := reply{status: http.StatusAccepted, header: http.Header{}}
		out.header.Set("Location", c.base+c.URL.RequestURI())
		a.pace(out.header)
		return out
	case op.Code != "":
		return refuse(&Refusal{Status: 400, Code: op.Code, Message: op.Message})
	case op.Result != nil:
		return ok(op.Result)
	}
	out, _ := a.fabric.Get(op.Target, false, a.opts.Key, c.now)
	return ok(out)
}

// page cuts a list to the page that the request asks for.
func (a *ARM) page(c *call, all []body) reply {
	q := c.URL.Query()
	from, err := strconv.Atoi(q.Get("$skipToken"))
	if err != nil || from < 0 {
		from = 0
	}
	from = min(from, len(all))
	upto := min(from+a.opts.PageSize, len(all))
	items := append([]body{}, all[from:upto]...)
	out := object("value", items)
	if upto < len(all) {
		q.Set("$skipToken", strconv.Itoa(upto))
		out = out.with("nextLink", c.base+c.URL.EscapedPath()+"?"+q.Encode())
	}
	return ok(out.raw())
}
