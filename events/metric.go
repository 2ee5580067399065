package events

import (
	"strconv"
	"time"
)

// readMetricRecord reads one exported metric record, of a diagnostic setting
// (lower-case keys, no dimensions) or of a data collection rule.
func readMetricRecord(p *parser, n node) ([]Signal, error) {
	t := p.resolve("resourceId", n.get("resourceId").str())
	if t.err != nil {
		return nil, t.err
	}
	var s span
	for _, f := range [...]struct {
		name string
		to   **float64
	}{{"count", &s.count}, {"total", &s.total}, {"minimum", &s.minimum}, {"maximum", &s.maximum}, {"average", &s.average}} {
		v, err := n.get(f.name).num(f.name)
		if err != nil {
			return nil, err
		}
		*f.to = v
	}
	at, err := p.eventTime("time", n.get("time").str())
	if err != nil {
		return nil, err
	}
	name := n.get("metricName").str()
	if name == "" {
		return nil, broken("metricName", "", "the name of a metric")
	}
	m := measure{metric: name, link: t.link, peering: t.peering}
	dims := n.first("dimension", "dimensions").nested()
	for _, f := range dims.fields {
		m.dimension(f.name, f.value.str())
	}
	if len(dims.fields) > 0 {
		m.split = true
	}
	named := p.metricOf(m.metric)
	if err := s.check(&t, named.kind); err != nil {
		return nil, err
	}
	out := make([]Signal, 1)
	p.spanSignal(&out[0], &t, &m, named, s, n.get("timeGrain").str(), at)
	return out, nil
}

// spanSignal makes the signal of a metric record that was checked, in the zero
// Signal at out.
func (p *parser) spanSignal(out *Signal, t *target, m *measure, named namedMetric, s span, grain string, at time.Time) {
	out.Kind, out.Observer, out.Source, out.Resource = Health, observerOf(t.typ), named.name, t.id
	out.Link, out.Peering, out.Plane, out.At, out.Value = m.link, m.peering, planeOf(named.kind), at, s.average
	out.State, out.Tentative, out.Detail = spanState(s, named.kind, m.split)
	if out.State == Down && m.vague != "" {
		out.State, out.Detail = Degraded, "part unknown: "+m.vague
	}
	p.identify(out, "metric-record", named.name, grain, m.vague)
}

// check refuses what names no resource, and numbers that cannot be: outside the
// metric's range, or in the wrong order.
func (s *span) check(t *target, kind metricKind) error {
	if t.typ == "" {
		return notOurs("names no resource")
	}
	if s.minimum != nil && s.maximum != nil && *s.minimum > *s.maximum {
		return broken("minimum", number(*s.minimum), "at most the maximum, "+number(*s.maximum))
	}
	if kind != availability && kind != checks {
		return nil
	}
	for _, f := range [...]struct {
		name string
		v    *float64
	}{{"minimum", s.minimum}, {"maximum", s.maximum}, {"average", s.average}} {
		if f.v != nil && (*f.v < 0 || *f.v > 100.5) {
			return broken(f.name, number(*f.v), "per cent, 0 to 100")
		}
	}
	return nil
}

// dimension notes what one dimension tells.
func (m *measure) dimension(name, value string) {
	switch lower(name) {
	case "peer", "peering", "devicerole", "link":
		link, ok := linkOf(value)
		if !ok {
			if peering, isPeering := peeringOf(value); isPeering {
				m.peering = peering
				return
			}
			m.vague = join(80, "=", name, value)
			return
		}
		m.link = link
	case "peeringtype":
		peering, ok := peeringOf(value)
		if !ok {
			m.vague = join(80, "=", name, value)
			return
		}
		m.peering = peering
	case "roleinstance", "bgppeeraddress", "lane", "connectionname":
		m.split = true
	}
}

// number prints a number for people.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
