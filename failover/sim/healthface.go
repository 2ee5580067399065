package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Word is what Resource Health says of a circuit, in place of what the estate itself
// would let it say.
type Word struct {
	State    Availability // "" says nothing: the property is null
	Reason   string       // reasonType
	Cause    string       // healthEventCause
	Occurred time.Time
	Reported time.Time // zero is now
	Silent   bool      // it knows nothing of the circuit: 404, and no entry in lists
}

// SetWord scripts what Resource Health says of a circuit; nil ends it.
func (a *ARM) SetWord(circuit string, w *Word) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.word == nil {
		a.word = map[string]Word{}
	}
	delete(a.word, key(circuit))
	if w != nil {
		a.word[key(circuit)] = *w
	}
}

// healthSays returns what Resource Health says of a circuit: what it sees of BGP. It
// does not see packet loss. It is called under the fabric's lock.
func (a *ARM) healthSays(c *circuit, now time.Time) (body, bool) {
	a.mu.Lock()
	w, scripted := a.word[key(c.ID)]
	a.mu.Unlock()
	summary := "There aren't any known Azure platform problems affecting this ExpressRoute circuit."
	if !scripted {
		w = Word{State: HealthAvailable, Occurred: c.changed}
		switch n := len(c.carriers()); {
		case n == 0:
			w.State, w.Reason, summary = HealthUnavailable, "Unplanned", "Your ExpressRoute circuit is unavailable: both BGP sessions are down."
		case n == 1 && (!c.links[0].BGP || !c.links[1].BGP):
			w.State, w.Reason, summary = HealthDegraded, "Unplanned", "One of the two BGP sessions of your ExpressRoute circuit is down."
		}
	}
	if w.Reported.IsZero() {
		w.Reported = now
	}
	p := object("availabilityState", nil, "title", string(w.State), "summary", summary, "reasonType", w.Reason,
		"occuredTime", w.Occurred.UTC().Format(time.RFC3339Nano), "reasonChronicity", "Persistent", "reportedTime", w.Reported.UTC().Format(time.RFC3339Nano))
	if w.State != "" {
		p = p.with("availabilityState", string(w.State))
	}
	if w.Cause != "" {
		p = p.with("healthEventCause", w.Cause)
	}
	return object("id", c.ID+"/providers/Microsoft.ResourceHealth/availabilityStatuses/current", "name", "current",
		"type", "Microsoft.ResourceHealth/AvailabilityStatuses", "location", c.Region, "properties", p), !w.Silent
}

// health answers for Resource Health, which speaks of circuits only here: one, or a
// list of the subscription.
func (a *ARM) health(c *call) reply {
	f := a.fabric
	f.lock(c.now)
	defer f.mu.Unlock()
	if c.where.types == "" {
		out := []body{}
		for _, id := range f.order.circuits {
			b, told := a.healthSays(f.circuits[id], c.now)
			if told && locate(id).subscription == c.where.subscription {
				out = append(out, b)
			}
		}
		return a.page(c, out)
	}
	k := f.circuits[key(c.where.id)]
	if k == nil {
		return refuse(notFound(c.where.id))
	}
	b, told := a.healthSays(k, c.now)
	if !told {
		return refuse(notFound(c.where.id))
	}
	return ok(b.raw())
}

// Work is planned work that Service Health announces to a subscription.
type Work struct {
	Subscription string
	Tracking     string
	Status       string // Active or Resolved; "" is Active
	Service      string // "" is ExpressRoute
	Region       string // as people write it: "East US 2"
	Start, End   time.Time
	Updated      time.Time
	Circuits     []string // resource IDs of what it names; empty names nothing
}

// SetWork sets what Service Health announces.
func (a *ARM) SetWork(work ...Work) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.work = slices.Clone(work)
}

// eventsPrefix begins the path of Service Health's events below a scope.
const eventsPrefix = "/providers/microsoft.resourcehealth/events"

// announced answers for Service Health: the events of a subscription, those that name a
// resource, and what one event names.
func (a *ARM) announced(c *call) reply {
	a.mu.Lock()
	all := slices.Clone(a.work)
	a.mu.Unlock()
	segs := strings.Split(strings.Trim(c.where.planned, "/"), "/")
	list := len(segs) == 1
	if !list && (len(segs) != 3 || segs[2] != "impactedresources") {
		return refuse(&Refusal{Status: http.StatusNotFound, Code: "InvalidResourceType", Message: "The resource type could not be found."})
	}
	out := []body{}
	for _, w := range all {
		named := func(id string) bool { return key(id) == key(c.where.id) }
		switch {
		case strings.ToLower(w.Subscription) != c.where.subscription:
		case list && (c.where.types == "" || slices.ContainsFunc(w.Circuits, named)):
			out = append(out, w.event())
		case !list && strings.EqualFold(segs[1], w.Tracking):
			for _, id := range w.Circuits {
				out = append(out, object("id", "/subscriptions/"+w.Subscription+"/providers/Microsoft.ResourceHealth/events/"+w.Tracking+"/impactedResources/"+lastName(id),
					"name", lastName(id), "type", "Microsoft.ResourceHealth/events/impactedResources",
					"properties", object("targetResourceType", "Microsoft.Network/expressRouteCircuits", "targetResourceId", id, "targetRegion", w.Region)))
			}
			return a.page(c, out)
		}
	}
	if !list {
		return refuse(notFound(c.URL.Path))
	}
	return a.page(c, out)
}

// event returns an announcement as a list shows it.
func (w Work) event() body {
	status, service := w.Status, w.Service
	if status == "" {
		status = "Active"
	}
	if service == "" {
		service = "ExpressRoute"
	}
	p := object("eventType", "PlannedMaintenance", "eventSource", "ServiceHealth", "status", status, "title", "Simulated maintenance of "+service,
		"summary", "<p>Simulated.</p>", "level", "Warning", "isHIR", false, "platformInitiated", true, "maintenanceId", w.Tracking,
		"lastUpdateTime", w.Updated.UTC().Format(time.RFC3339Nano), "impactStartTime", w.Start.UTC().Format(time.RFC3339Nano),
		"impact", []body{object("impactedService", service, "impactedRegions", []body{object("impactedRegion", w.Region, "status", status)})})
	if !w.End.IsZero() {
		p = p.with("impactMitigationTime", w.End.UTC().Format(time.RFC3339Nano))
	}
	return object("id", "/subscriptions/"+w.Subscription+"/providers/Microsoft.ResourceHealth/events/"+w.Tracking, "name", w.Tracking,
		"type", "/providers/Microsoft.ResourceHealth/events", "properties", p)
}
