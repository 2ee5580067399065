package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// maxWeight is the highest routing weight.
const maxWeight = 32000

// Effect bends one write. The zero value is an honest write.
type Effect struct {
	Land      time.Duration // from acceptance to effect; 0 is Timing.Land, negative: it never lands
	End       time.Duration // from acceptance to the final status; 0 is Timing.End, negative: it never ends and holds nothing
	Final     string        // Succeeded, Failed, Canceled; "" is Succeeded
	Code      string        // error code of a final status that is not Succeeded
	Forgotten bool          // its operation is never found
	NoStatus  bool          // its operation's answers carry no status
	AtOnce    bool          // landed and ended when accepted; there is no operation to ask for
}

// Refusal is a request that the fabric does not carry out.
type Refusal struct {
	Status     int
	Code       string
	Message    string
	Detail     string // code of an inner detail, "" if none
	RetryAfter string // "" if none
}

// Error returns code and message.
func (r *Refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Message) }

// Accepted is a write that was taken.
type Accepted struct {
	Operation string // "" when there is none to ask for
	Created   bool
	Body      []byte // the connection as it is shown now
}

// Put takes the whole body of a connection, as a PUT does: what it leaves out is
// gone, but for the authorization key and what only Azure sets. An error is a
// *Refusal.
func (f *Fabric) Put(connectionID string, raw []byte, e Effect, now time.Time) (Accepted, error) {
	f.lock(now)
	defer f.mu.Unlock()
	return f.put(connectionID, raw, e)
}

func (f *Fabric) put(id string, raw []byte, e Effect) (Accepted, error) {
	in, err := parseBody(raw)
	if err != nil {
		return Accepted{}, &Refusal{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid and could not be deserialized: " + err.Error()}
	}
	k := f.connections[key(id)]
	if no := f.check(id, k, in); no != nil {
		return Accepted{}, no
	}
	created := k == nil
	if created {
		if k, err = f.create(id, in); err != nil {
			return Accepted{}, err
		}
	}
	if f.busy(k.gateway) {
		if created {
			f.remove(key(id))
		}
		return Accepted{}, &Refusal{Status: 409, Code: "AnotherOperationInProgress", RetryAfter: "10",
			Message: fmt.Sprintf("Another operation on this or dependent resource is in progress. Resource: %s.", f.gateways[k.gateway].ID)}
	}
	next := k.merge(in)
	idle := !created && e == (Effect{}) && same(k.body.raw(), next.raw())
	op := f.begin(k, next, e)
	if idle {
		f.idle(op)
	}
	if e.AtOnce {
		op.lands, op.ends = f.now, f.now
		f.land(op)
		f.end(op)
		f.close(op)
		return Accepted{Created: created, Body: k.body.raw()}, nil
	}
	said := f.shown(k) // says Updating even when a GET will not: the operation has begun
	said = said.with("properties", said.sub("properties").with("provisioningState", updating))
	return Accepted{Operation: op.id, Created: created, Body: said.raw()}, nil
}

// idle makes op the operation of a PUT that changes nothing.
func (f *Fabric) idle(op *operation) {
	switch f.noop {
	case NoOpFine:
		return
	case NoOpLost:
		op.lost = true
	case NoOpHangs:
	}
	op.lands, op.ends = time.Time{}, time.Time{}
	f.connections[op.target].set("provisioningState", succeeded)
	f.close(op)
}

// begin makes the operation of a write.
func (f *Fabric) begin(k *connection, next body, e Effect) *operation {
	op := &operation{
		id: f.guid(), target: key(k.id), gateway: k.gateway, begun: f.now, pending: next,
		final: succeeded, code: e.Code, lost: e.Forgotten, noStatus: e.NoStatus,
		location: "eastus",
	}
	if g := f.gateways[k.gateway]; g.Region != "" {
		op.location = g.Region
	}
	if e.Final != "" {
		op.final = e.Final
	}
	if op.code != "" {
		op.message = "The operation did not succeed."
	}
	after := func(d, usual time.Duration) time.Time {
		switch {
		case d < 0:
			return time.Time{}
		case d == 0:
			d = usual
		}
		return f.now.Add(d)
	}
	op.lands, op.ends = after(e.Land, f.timing.Land), after(e.End, f.timing.End)
	if e.Land == 0 && !op.ends.IsZero() && op.lands.After(op.ends) {
		op.lands = op.ends // an operation that ends sooner than usual has landed by then
	}
	if op.ends.IsZero() {
		op.gateway = ""
	} else {
		k.set("provisioningState", updating)
	}
	f.operations[op.id] = op
	f.open = append(f.open, op)
	return op
}

// check refuses what Azure refuses.
func (f *Fabric) check(id string, k *connection, in body) *Refusal {
	bad := func(code, format string, args ...any) *Refusal {
		return &Refusal{Status: 400, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	p := in.sub("properties")
	if p == nil {
		return bad("InvalidRequestFormat", "Cannot parse the request: properties is missing.")
	}
	if in.text("location") == "" && !isVWAN(id) {
		return bad("LocationRequired", "The location property is required for this definition.")
	}
	if w := p.get("routingWeight"); w != nil {
		var n int64
		if json.Unmarshal(w, &n) != nil || n < 0 || n > maxWeight {
			return bad("InvalidRequestFormat", "routingWeight %s is not a whole number from 0 to %d.", w, maxWeight)
		}
	}
	if v := p.get("sharedKey"); v != nil && v.Kind() != 'n' {
		return bad("SharedKeyCannotBeSetForExpressRouteConnection", "Shared Key cannot be set for Connection of type ExpressRoute.")
	}
	if a := p.text("authorizationKey"); a != "" && strings.Trim(a, "*") == "" {
		return bad("AuthorizationKeyInvalid", "The authorization key is not valid.")
	}
	gw, peer := refs(id, p)
	if gw == "" || peer == "" {
		return bad("InvalidRequestFormat", "The gateway and the peer circuit are required.")
	}
	if f.gateways[gw] == nil || f.circuits[peer] == nil {
		return &Refusal{Status: 400, Code: "InvalidResourceReference", Message: "Resource referenced by the connection was not found."}
	}
	if k != nil && peer != k.circuit {
		return bad("ExpressRouteConnectionPeerCannotBeChanged", "The peer of an ExpressRoute connection cannot be changed.")
	}
	if k != nil && gw != k.gateway {
		return bad("VirtualNetworkGatewayCannotBeChanged", "The gateway of a connection cannot be changed.")
	}
	return nil
}

// refs returns the keys of the gateway and the circuit that a body names.
func refs(id string, p body) (gw, circuit string) {
	if isVWAN(id) {
		peering := key(p.sub("expressRouteCircuitPeering").text("id"))
		circuit, _, _ = strings.Cut(peering, "/peerings/")
		gw, _, _ = strings.Cut(key(id), "/expressrouteconnections/")
		return gw, circuit
	}
	return key(p.sub("virtualNetworkGateway1").text("id")), key(p.sub("peer").text("id"))
}

// isVWAN tells the two sorts of connection apart by their ID.
func isVWAN(id string) bool { return strings.Contains(key(id), "/expressroutegateways/") }

// weightOf returns the weight in a body; an absent one is 0.
func weightOf(b body) int32 {
	var n int32
	if v := b.sub("properties").get("routingWeight"); v != nil {
		_ = json.Unmarshal(v, &n) // checked when the write was taken
	}
	return n
}

// readOnly are the properties that only Azure sets.
var readOnly = []string{"provisioningState", "resourceGuid", "connectionStatus", "egressBytesTransferred", "ingressBytesTransferred", "packetCaptureDiagnosticState"}

// merge makes the body that a PUT leaves behind: everything is replaced but what
// only Azure sets. The authorization key is kept apart: a new one replaces it, an
// absent one leaves it.
func (k *connection) merge(in body) body {
	if a := in.sub("properties").text("authorizationKey"); a != "" {
		k.key = a
	}
	if isVWAN(k.id) || in.get("tags").Kind() == 'n' {
		in = in.without("tags")
	}
	out := replace(k.body, in.without("properties"), []string{"name", "id", "etag", "type", "location", "properties"})
	p := replace(k.body.sub("properties"), in.sub("properties").without("authorizationKey"), readOnly)
	if p.get("routingWeight") == nil {
		p = p.with("routingWeight", 0)
	}
	if isVWAN(k.id) {
		return out.with("properties", p)
	}
	for _, name := range []string{"expressRouteGatewayBypass", "enablePrivateLinkFastPath"} {
		if p.get(name) == nil {
			p = p.with(name, false) // left out is switched off: the FastPath trap
		}
	}
	return out.with("properties", p)
}

// replace returns what a full replacement leaves: the members named in keep stay
// as they were, all others are those of in. The server's order is kept.
func replace(was, in body, keep []string) body {
	var out body
	for _, m := range was {
		fixed := slices.ContainsFunc(keep, func(n string) bool { return strings.EqualFold(n, m.Name) })
		if v := in.get(m.Name); fixed {
			out = append(out, m)
		} else if v != nil {
			out = append(out, member{m.Name, v})
		}
	}
	for _, m := range in.without(keep...) {
		if out.get(m.Name) == nil {
			out = append(out, m)
		}
	}
	return out
}

// create makes a connection that did not exist. It carries nothing until it lands.
func (f *Fabric) create(id string, in body) (*connection, error) {
	gw, peer := refs(id, in.sub("properties"))
	g, c := f.gateways[gw], f.circuits[peer]
	if err := f.addConnection(ConnectionSpec{ID: id, Gateway: g.ID, Circuit: c.ID}); err != nil {
		return nil, &Refusal{Status: 400, Code: "InvalidRequestFormat", Message: err.Error()}
	}
	k := f.connections[key(id)]
	k.connected = false
	k.set("connectionStatus", "NotConnected")
	return k, nil
}

// PatchTags replaces a connection's tags, at once. Virtual WAN has none.
func (f *Fabric) PatchTags(connectionID string, raw []byte, now time.Time) ([]byte, error) {
	f.lock(now)
	defer f.mu.Unlock()
	k := f.connections[key(connectionID)]
	in, err := parseBody(raw)
	switch {
	case k == nil:
		return nil, notFound(connectionID)
	case err != nil || isVWAN(connectionID) || in.get("tags") == nil || len(in) != 1:
		return nil, &Refusal{Status: 400, Code: "InvalidRequestFormat", Message: "Only tags can be patched."}
	}
	k.before = k.body
	k.body = k.body.with("tags", in.get("tags")).with("etag", f.etag())
	return f.shown(k).raw(), nil
}

// notFound is the refusal for a resource that is not there.
func notFound(id string) *Refusal {
	return &Refusal{Status: 404, Code: "ResourceNotFound",
		Message: fmt.Sprintf("The Resource '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", strings.TrimPrefix(id, "/"))}
}
