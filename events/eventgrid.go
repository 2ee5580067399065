package events

import (
	"strings"
)

// gridEvent is an Event Grid event in either of its schemas. A dead-lettered event
// is the same event with the reason beside it.
type gridEvent struct {
	source, id, typ, subject, time string
	timeField                      string
	data                           node
}

// readCloudEvent reads a CloudEvents 1.0 event.
func readCloudEvent(p *parser, n node) ([]Signal, error) {
	e := gridEvent{source: n.get("source").str(), id: n.get("id").str(), typ: n.get("type").str(), subject: n.get("subject").str(),
		time: n.get("time").str(), timeField: "time", data: n.get("data").nested()}
	return e.read(p)
}

// readGridEvent reads an event of the Event Grid schema.
func readGridEvent(p *parser, n node) ([]Signal, error) {
	e := gridEvent{source: n.get("topic").str(), id: n.get("id").str(), typ: n.get("eventType").str(), subject: n.get("subject").str(),
		time: n.get("eventTime").str(), timeField: "eventTime", data: n.get("data").nested()}
	return e.read(p)
}

// read sorts an event by its type.
func (e *gridEvent) read(p *parser) ([]Signal, error) {
	typ := lower(e.typ)
	switch {
	case typ == "microsoft.resourcenotifications.healthresources.availabilitystatuschanged",
		typ == "microsoft.resourcenotifications.healthresources.resourceannotated":
		return e.health(p)
	case strings.HasPrefix(typ, "microsoft.resources.resource"):
		return e.write(p, typ, e.data.get("resourceUri").str(), "data.resourceUri")
	case strings.HasPrefix(typ, "microsoft.resourcenotifications.resources."):
		return e.write(p, typ, e.data.get("resourceInfo", "id").str(), "data.resourceInfo.id")
	case strings.Contains(typ, "subscriptionvalidation"), strings.Contains(typ, "subscriptiondeleted"):
		return nil, notOurs("an Event Grid handshake")
	}
	return nil, notOurs("another event type")
}

// health reads a health event. An annotation explains and claims nothing.
func (e *gridEvent) health(p *parser) ([]Signal, error) {
	props := e.data.get("resourceInfo", "properties").nested()
	t := p.resolve("data.resourceInfo.properties.targetResourceId", props.get("targetResourceId").str())
	if t.err != nil {
		return nil, t.err
	}
	if t.typ == "" {
		return nil, notOurs("names no resource")
	}
	text, field := props.first("occurredTime", "occuredTime").str(), "data.resourceInfo.properties.occurredTime"
	if text == "" {
		text, field = e.time, e.timeField
	}
	at, err := p.eventTime(field, text)
	if err != nil {
		return nil, err
	}
	current := props.get("availabilityState").str()
	state, known := healthState(current)
	s := Signal{Kind: Health, Observer: ResourceHealth, Source: "ResourceHealth", Resource: t.id, Link: t.link, Peering: t.peering,
		Plane: ControlPlane, State: state, At: at, Correlation: clean(e.id, maxShortKey)}
	odd := ""
	if !known {
		odd = "health " + current + " is not known"
	}
	if strings.HasSuffix(lower(e.typ), ".resourceannotated") {
		s.State, s.Tentative = Unknown, true
		s.Source = "ResourceHealth annotation"
		s.UserAction = strings.HasPrefix(squeeze(props.get("context").str()), "customerinitiated")
	}
	s.Detail = join(maxDetail, "; ", odd, props.get("annotationName").str(), props.get("reason").str(), props.get("summary").str())
	p.identify(&s, "event-grid", lower(e.source), lower(e.id))
	return []Signal{s}, nil
}

// write reads an event about a created, changed or deleted resource.
func (e *gridEvent) write(p *parser, typ, resource, field string) ([]Signal, error) {
	if strings.Contains(typ, "resourceaction") {
		return nil, notOurs("an operation that writes nothing")
	}
	if resource == "" {
		resource, field = e.subject, "subject"
	}
	t := p.resolve(field, resource)
	if t.err != nil {
		return nil, t.err
	}
	at, err := p.eventTime(e.timeField, e.time)
	if err != nil {
		return nil, err
	}
	op := e.data.get("operationName").str()
	if op == "" {
		op = e.typ
	}
	w := writeFact{target: t, at: at, op: lower(op), result: e.typ[strings.LastIndexByte(e.typ, '.')+1:],
		actor: actor(e.data.get("claims").nested(), ""), correlation: e.data.get("correlationId").str()}
	w.weight = routingWeight(e.data.get("resourceInfo"))
	s, err := w.signal()
	if err != nil {
		return nil, err
	}
	p.identify(&s, "event-grid", lower(e.source), lower(e.id))
	return []Signal{s}, nil
}
