package events

// readGeneric reads the small form for monitors of one's own:
//
//	{"erfailover":"v1", "resource":"<id>", "state":"down|degraded|up",
//	 "link":"primary|secondary", "peering":"private|microsoft",
//	 "source":"...", "at":"RFC 3339", "detail":"..."}
//
// Only erfailover, resource and state must be there. Without at the time of
// receipt stands. The form is ours, so a wrong word is an error, not a guess.
func readGeneric(p *parser, n node) ([]Signal, error) {
	if v := n.get("erfailover").str(); v != "v1" {
		return nil, broken("erfailover", v, `"v1"`)
	}
	t := p.resolve("resource", n.get("resource").str())
	if t.err != nil {
		if _, foreign := t.err.(notOurs); foreign {
			return nil, broken("resource", n.get("resource").str(), "a circuit, connection, gateway or port")
		}
		return nil, t.err
	}
	if t.typ == "" {
		return nil, broken("resource", n.get("resource").str(), "a circuit, connection, gateway or port")
	}
	s := Signal{Kind: Health, Observer: Probe, Resource: t.id, Link: t.link, Peering: t.peering, Plane: DataPlane, At: p.received}
	switch State(n.get("state").str()) {
	case Up:
		s.State = Up
	case Degraded:
		s.State = Degraded
	case Down:
		s.State = Down
	case Unknown:
		return nil, broken("state", "", `"up", "degraded" or "down"`)
	default:
		return nil, broken("state", n.get("state").str(), `"up", "degraded" or "down"`)
	}
	var ok bool
	if v := n.get("link"); v.is() {
		if s.Link, ok = linkOf(v.str()); !ok {
			return nil, broken("link", v.str(), `"primary" or "secondary"`)
		}
	}
	if v := n.get("peering"); v.is() {
		if s.Peering, ok = peeringOf(v.str()); !ok {
			return nil, broken("peering", v.str(), `"private" or "microsoft"`)
		}
	}
	if v := n.get("at"); v.is() {
		at, err := p.eventTime("at", v.str())
		if err != nil {
			return nil, err
		}
		s.At = at
	}
	var err error
	if s.Value, err = n.get("value").num("value"); err != nil {
		return nil, err
	}
	s.Source = clean(n.get("source").str(), maxSource)
	if s.Source == "" {
		s.Source = "monitor"
	}
	s.Correlation = clean(n.first("correlation", "id").str(), maxShortKey)
	s.Detail = clean(n.get("detail").str(), maxDetail)
	p.identify(&s, "generic", s.Source, s.Correlation)
	return []Signal{s}, nil
}
