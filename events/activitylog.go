package events

import (
	"strings"
	"time"
)

// activity is one activity-log record in any of its dresses.
type activity struct {
	channel  string // part of the signal's ID
	body     node   // the record
	resource string // resource ID as written
	field    string // where it stands
	at       time.Time
}

// readActivityLog reads a record of the activity-log stream, or a resource log
// that came the same way.
func readActivityLog(p *parser, n node) ([]Signal, error) {
	category := squeeze(n.get("category").str())
	if category == "peeringroutelog" {
		return nil, notOurs("a route table log")
	}
	r := activity{channel: "activity-log", body: n, resource: n.get("resourceId").str(), field: "resourceId"}
	return r.read(p)
}

// readActivityLogREST reads a record as the REST API prints it: {"value": ...}
// around the enums, the event's own id.
func readActivityLogREST(p *parser, n node) ([]Signal, error) {
	r := activity{channel: "activity-log", body: n, resource: n.get("resourceId").str(), field: "resourceId"}
	if r.resource == "" && n.get("subscriptionId").is() {
		r.resource = "/subscriptions/" + n.get("subscriptionId").str()
	}
	return r.read(p)
}

// read sorts a record by its operation and category.
func (r *activity) read(p *parser) ([]Signal, error) {
	op := lower(r.body.get("operationName").str())
	var err error
	if r.at, err = p.eventTime(r.timeField(), r.body.get(r.timeField()).str()); err != nil {
		return nil, err
	}
	switch r.category(op) {
	case "resourcehealth":
		return r.health(p)
	case "servicehealth":
		return r.service(p)
	case "administrative":
		if op == "" {
			return nil, broken("operationName", "", "the operation that was done")
		}
		return r.write(p, op)
	case "":
		return nil, broken("category", "", "a category, or an operation name that tells it")
	}
	return nil, notOurs("another log category")
}

// timeField names the field that holds the record's own time.
func (r *activity) timeField() string {
	if r.channel == "activity-log" && !r.body.get("eventTimestamp").is() {
		return "time"
	}
	return "eventTimestamp"
}

// category tells what the record is about: by the operation's prefix, which never
// lies, then by the two category fields.
func (r *activity) category(op string) string {
	switch {
	case strings.HasPrefix(op, "microsoft.resourcehealth/healthevent"):
		return "resourcehealth"
	case strings.HasPrefix(op, "microsoft.servicehealth/"):
		return "servicehealth"
	}
	cat := squeeze(r.body.first("category", "eventSource").str())
	if cat == "" {
		cat = squeeze(r.body.get("properties", "eventCategory").str())
	}
	switch {
	case cat == "write", cat == "delete", cat == "action", cat == "administrative":
		return "administrative"
	case cat == "" && op != "":
		return "administrative"
	}
	return cat
}

// props returns the field of the properties, nested or flat.
func (r *activity) props(names ...string) node {
	props := r.body.get("properties").nested()
	if v := props.get("eventProperties").nested().first(names...); v.is() {
		return v
	}
	return props.first(names...)
}

// status returns the record's status, spelled one way.
func (r *activity) status() string {
	return squeeze(r.body.first("resultType", "status").str())
}

// health reads a Resource Health record. Only the current health counts: Fired,
// Activated and the previous health say nothing.
func (r *activity) health(p *parser) ([]Signal, error) {
	t := p.resolve(r.field, r.resource)
	if t.err != nil {
		return nil, t.err
	}
	if t.typ == "" {
		return nil, notOurs("names no resource")
	}
	current := r.props("currentHealthStatus", "healthStatus").str()
	previous := r.props("previousHealthStatus").str()
	cause := r.props("cause", "healthEventCause").str()
	op := lower(r.body.get("operationName").str())
	state, known := healthState(current)
	s := Signal{Kind: Health, Observer: ResourceHealth, Source: "ResourceHealth", Resource: t.id, Link: t.link, Peering: t.peering,
		Plane: ControlPlane, State: state, At: r.at, Correlation: clean(r.body.get("correlationId").str(), maxShortKey)}
	s.Tentative = r.status() == "updated" || strings.Contains(op, "/updated/")
	s.UserAction = squeeze(cause) == "userinitiated"
	odd := ""
	if !known {
		odd = "health " + current + " is not known"
	}
	s.Detail = join(maxDetail, "; ", odd, r.props("title").str(), r.props("details").str())
	r.identify(p, &s, r.status(), lower(current), lower(previous))
	return []Signal{s}, nil
}

// healthState reads an availability. The second result is false for a value
// outside the published four; nothing told is Unknown and known.
func healthState(s string) (State, bool) {
	switch squeeze(s) {
	case "available":
		return Up, true
	case "unavailable":
		return Down, true
	case "degraded":
		return Degraded, true
	case "unknown", "":
		return Unknown, true
	}
	return Unknown, false
}

// identify makes the ID from the event's own id, or from the content where the
// stream carries none.
func (r *activity) identify(p *parser, s *Signal, parts ...string) {
	if id := r.body.get("eventDataId").str(); id != "" {
		p.identify(s, r.channel, lower(id))
		return
	}
	parts = append(parts, lower(r.body.get("operationName").str()), lower(r.body.get("correlationId").str()))
	p.identify(s, r.channel, parts...)
}
