package events

import "strings"

// target is what a resource ID means to us.
type target struct {
	id      string  // canonical ID of the resource that the signal is filed under; "" when err is set
	typ     string  // its type, one of the Type constants; "" for a subscription
	name    string  // its name
	link    Link    // told by a sub-resource of a port
	peering Peering // told by a sub-resource of a circuit
	err     error   // why it cannot be used: notOurs or a *ParseError
}

// maxTargets bounds the memory of resolved IDs.
const maxTargets = 4096

// resolve finds what an ID as written means.
func (p *parser) resolve(field, raw string) target { return p.lookUp(field, raw).copyErr() }

// lookUp is resolve without a copy of the answer, which is kept for the next
// record: it must not be changed, nor its error be filed.
func (p *parser) lookUp(field, raw string) *target {
	if t, ok := p.targets[raw]; ok {
		return t
	}
	t := resolveTarget(field, raw)
	if len(p.targets) < maxTargets {
		p.targets[raw] = &t
	}
	return &t
}

// copyErr gives every record its own error, because the splitter writes into it.
func (t target) copyErr() target {
	if e, ok := t.err.(*ParseError); ok {
		own := *e
		t.err = &own
	}
	return t
}

// resolveTarget sorts an ID: a resource that we know, another's, or broken.
func resolveTarget(field, raw string) target {
	if strings.TrimSpace(raw) == "" {
		return target{err: broken(field, "", "an Azure resource ID")}
	}
	id, err := ParseResourceID(strings.TrimSpace(raw))
	if err != nil {
		low := strings.ToLower(raw)
		if !strings.Contains(low, "microsoft.network") && strings.Contains(low, "/providers/") {
			return target{err: notOurs("another resource type")}
		}
		return target{err: broken(field, raw, "an Azure resource ID")}
	}
	if len(id.Types) == 0 {
		if id.Provider != "" || id.Group != "" {
			return target{err: notOurs("names no resource")}
		}
		return target{id: id.String()}
	}
	for _, typ := range [...]string{TypeCircuit, TypeVWANConnection, TypeConnection, TypeVNetGateway, TypeVWANGateway, TypePort, TypeMonitor} {
		up, ok := id.Up(typ)
		if !ok {
			continue
		}
		t := target{id: up.String(), typ: typ, name: up.Name()}
		if n := len(up.Types); len(id.Types) > n {
			switch {
			case typ == TypeCircuit && id.Types[n] == "peerings":
				t.peering, _ = peeringOf(id.Names[n])
			case typ == TypePort && id.Types[n] == "links":
				t.link, _ = linkOf(id.Names[n])
			}
		}
		return t
	}
	return target{err: notOurs("another resource type")}
}

// linkOf reads the name of a link: "Primary-IPv4", "secondary", "link1". The
// first link of a port carries the primary links of its circuits.
func linkOf(s string) (Link, bool) {
	low := strings.ToLower(strings.TrimSpace(s))
	switch {
	case strings.ContainsAny(low, ",;|"):
		return BothLinks, false
	case strings.HasPrefix(low, "primary"), low == "link1", low == "link-1", low == "link 1":
		return Primary, true
	case strings.HasPrefix(low, "secondary"), low == "link2", low == "link-2", low == "link 2":
		return Secondary, true
	}
	return BothLinks, false
}

// peeringOf reads the name of a peering: "AzurePrivatePeering", "private".
func peeringOf(s string) (Peering, bool) {
	low := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "azure")
	switch {
	case strings.ContainsAny(low, ",;|"):
		return AnyPeering, false
	case strings.HasPrefix(low, "private"):
		return Private, true
	case strings.HasPrefix(low, "microsoft"):
		return Microsoft, true
	case strings.HasPrefix(low, "public"):
		return Public, true
	}
	return AnyPeering, false
}
