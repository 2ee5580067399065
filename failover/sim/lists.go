package sim

import (
	"fmt"
	"net/http"
	"strings"
)

// list answers a list. Azure lists connections and gateways of a virtual network
// by resource group only; circuits, ports and Virtual WAN gateways also by
// subscription.
func (a *ARM) list(c *call) reply {
	f, t := a.fabric, c.where
	f.lock(c.now)
	defer f.mu.Unlock()
	var out []body
	switch t.types {
	case "connections", "virtualnetworkgateways":
		if t.group == "" {
			return refuse(&Refusal{Status: http.StatusNotFound, Code: "InvalidResourceType", Message: "The resource type is listed by resource group only."})
		}
		out = f.all(t)
	case "expressroutegateways", "expressroutecircuits", "expressrouteports":
		out = f.all(t)
	case "virtualnetworkgateways/connections":
		if f.gateways[key(t.id)] == nil {
			return refuse(notFound(t.id))
		}
		for _, k := range f.of(t.id) {
			out = append(out, listEntity(f.shown(k)))
		}
	case "expressroutegateways/expressrouteconnections":
		if f.gateways[key(t.id)] == nil {
			return refuse(notFound(t.id))
		}
		for _, k := range f.of(t.id) {
			out = append(out, withKey(f.shown(k), k, a.opts.Key))
		}
		return ok(object("value", append([]body{}, out...)).raw()) // this list has no pages
	case "expressroutecircuits/peerings":
		k := f.circuits[key(t.id)]
		if k == nil {
			return refuse(notFound(t.id))
		}
		out = f.peeringBodies(k)
	default:
		return refuse(&Refusal{Status: http.StatusNotFound, Code: "InvalidResourceType", Message: fmt.Sprintf("The resource type '%s' is not simulated.", t.types)})
	}
	return a.page(c, out)
}

// all returns what a resource group or a subscription has of one type.
func (f *Fabric) all(t target) []body {
	within := key(t.id) + "/" + t.types + "/"
	if t.group == "" {
		within = "/subscriptions/" + t.subscription + "/"
	}
	inside := func(id string) bool {
		k := key(id)
		return strings.HasPrefix(k, within) && strings.Contains(k, "/"+t.types+"/")
	}
	var out []body
	switch t.types {
	case "connections":
		for _, k := range f.of("") {
			if inside(k.id) && !isVWAN(k.id) {
				out = append(out, f.shown(k))
			}
		}
	case "virtualnetworkgateways", "expressroutegateways":
		for _, id := range f.order.gateways {
			if g := f.gateways[id]; inside(g.ID) {
				out = append(out, f.gatewayBody(g))
			}
		}
	case "expressroutecircuits":
		for _, id := range f.order.circuits {
			if inside(id) {
				out = append(out, f.circuitBody(f.circuits[id]))
			}
		}
	case "expressrouteports":
		for _, b := range f.portBodies() {
			if inside(b.text("id")) {
				out = append(out, b)
			}
		}
	}
	return out
}

// single answers a GET of one thing that is not a connection.
func (a *ARM) single(c *call) reply {
	f, t := a.fabric, c.where
	f.lock(c.now)
	defer f.mu.Unlock()
	var b body
	k := f.circuits[key(t.upTo("expressRouteCircuits"))]
	switch t.types {
	case "virtualnetworkgateways", "expressroutegateways":
		if g := f.gateways[key(t.id)]; g != nil {
			b = f.gatewayBody(g)
		}
	case "expressroutecircuits":
		if k != nil {
			b = f.circuitBody(k)
		}
	case "expressroutecircuits/stats":
		if k != nil {
			b = k.stats()
		}
	case "expressroutecircuits/peerings":
		if k != nil {
			b = f.peeringBody(k, t.names[1])
		}
	case "expressroutecircuits/peerings/stats":
		if k != nil && f.peeringBody(k, t.names[1]) != nil {
			b = k.stats()
		}
	case "expressrouteports":
		for _, p := range f.portBodies() {
			if key(p.text("id")) == key(t.id) {
				b = p
			}
		}
	}
	if b == nil {
		return refuse(notFound(c.URL.Path))
	}
	return ok(b.raw())
}
