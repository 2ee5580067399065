package events

import (
	"fmt"
	"net/url"
	"strings"
)

// Resource types that matter here, canonical (lower case).
const (
	TypeCircuit        = "microsoft.network/expressroutecircuits"
	TypeConnection     = "microsoft.network/connections"
	TypeVNetGateway    = "microsoft.network/virtualnetworkgateways"
	TypeVWANGateway    = "microsoft.network/expressroutegateways"
	TypeVWANConnection = "microsoft.network/expressroutegateways/expressrouteconnections"
	TypePort           = "microsoft.network/expressrouteports"
	TypePeering        = "microsoft.network/expressroutecircuits/peerings"
	TypeMonitor        = "microsoft.network/networkwatchers/connectionmonitors"
)

// maxResourceID is the longest resource ID that is read, in bytes.
const maxResourceID = 2048

// ResourceID is an Azure resource ID in parts, all lower case, because Azure
// compares IDs without regard to case and its event sources spell them in every
// way. The zero value names nothing.
type ResourceID struct {
	Subscription string   // subscription GUID; "" for a provider-only ID
	Group        string   // resource group; "" for a subscription-level ID
	Provider     string   // "microsoft.network"; "" for a subscription or resource group
	Types        []string // "expressroutecircuits", "peerings"
	Names        []string // "er-ashburn", "azureprivatepeering"; as many as Types
}

// ParseResourceID reads an ID in any case, with doubled or trailing slashes, or
// percent-encoded once. A Resource Health suffix
// (".../providers/Microsoft.ResourceHealth/...") is cut off: the ID names the
// resource whose health it is. It refuses control characters, "..", "?", "#" and
// anything longer than 2048 bytes, so that an ID from an event never becomes a
// path to somewhere else.
func ParseResourceID(s string) (ResourceID, error) {
	bad := func(why string) (ResourceID, error) {
		return ResourceID{}, fmt.Errorf("resource id %q: %s", clip(s, 120), why)
	}
	if s == "" {
		return bad("is empty")
	}
	if len(s) > maxResourceID {
		return bad(fmt.Sprintf("is longer than %d bytes", maxResourceID))
	}
	text := s
	if strings.Contains(text, "%") {
		plain, err := url.PathUnescape(text)
		if err != nil {
			return bad("has a broken percent escape")
		}
		text = plain
	}
	for seg := range strings.SplitSeq(text, "/") {
		if why := badSegment(seg); why != "" { // before lower-casing: the Kelvin sign lowers to k
			return bad(why)
		}
	}
	segs := make([]string, 0, 16)
	for seg := range strings.SplitSeq(strings.ToLower(text), "/") {
		if seg != "" {
			segs = append(segs, seg)
		}
	}
	var id ResourceID
	if len(segs) >= 2 && segs[0] == "subscriptions" {
		id.Subscription, segs = segs[1], segs[2:]
		if len(segs) >= 2 && segs[0] == "resourcegroups" {
			id.Group, segs = segs[1], segs[2:]
		}
	}
	if len(segs) >= 2 && segs[0] == "providers" {
		id.Provider, segs = segs[1], segs[2:]
		for len(segs) >= 2 && segs[0] != "providers" {
			id.Types = append(id.Types, segs[0])
			id.Names = append(id.Names, segs[1])
			segs = segs[2:]
		}
		if len(segs) >= 2 && segs[0] == "providers" && segs[1] == "microsoft.resourcehealth" && len(id.Types) > 0 {
			segs = nil
		}
	}
	if len(segs) > 0 {
		return bad(fmt.Sprintf("has a part %q that does not belong", segs[0]))
	}
	if id.Subscription == "" && id.Provider == "" {
		return bad("names neither a subscription nor a provider")
	}
	return id, nil
}

// badSegment says what makes one segment unusable, or "".
func badSegment(seg string) string {
	if seg == "." || seg == ".." {
		return "has a relative path segment"
	}
	for i := range len(seg) {
		switch c := seg[i]; {
		case c < 0x20 || c == 0x7f:
			return "has a control character"
		case c > 0x7e:
			return "has a character outside ASCII"
		case c == '?', c == '#', c == '%', c == '\\', c == '<', c == '>', c == '*', c == '&', c == ':', c == '"':
			return fmt.Sprintf("has the character %q", c)
		}
	}
	return ""
}

// String returns the canonical form: lower case, one slash between the parts,
// none at the end. Parsing it gives the same ID.
func (r ResourceID) String() string {
	n := len("/subscriptions//resourcegroups//providers/") + len(r.Subscription) + len(r.Group) + len(r.Provider)
	for i := range r.Types {
		n += len("//") + len(r.Types[i]) + len(r.Names[i])
	}
	var b strings.Builder
	b.Grow(n)
	add := func(name, value string) {
		b.WriteByte('/')
		b.WriteString(name)
		b.WriteByte('/')
		b.WriteString(value)
	}
	if r.Subscription != "" {
		add("subscriptions", r.Subscription)
	}
	if r.Group != "" {
		add("resourcegroups", r.Group)
	}
	if r.Provider != "" {
		add("providers", r.Provider)
	}
	for i := range r.Types {
		add(r.Types[i], r.Names[i])
	}
	return b.String()
}

// Type returns "provider/type/childtype", or "" when no resource is named.
func (r ResourceID) Type() string {
	if len(r.Types) == 0 {
		return ""
	}
	return r.Provider + "/" + strings.Join(r.Types, "/")
}

// Name returns the last name, or "".
func (r ResourceID) Name() string {
	if len(r.Names) == 0 {
		return ""
	}
	return r.Names[len(r.Names)-1]
}

// Up returns the nearest resource in r's chain of parents, itself included, whose
// Type is typ. A peering's circuit is found by Up(TypeCircuit).
func (r ResourceID) Up(typ string) (ResourceID, bool) {
	for n := len(r.Types); n > 0; n-- {
		p := r
		p.Types, p.Names = r.Types[:n], r.Names[:n]
		if p.is(typ) {
			return p, true
		}
	}
	return ResourceID{}, false
}

// is tells whether r, which names a resource, has the Type typ.
func (r ResourceID) is(typ string) bool {
	rest, ok := strings.CutPrefix(typ, r.Provider)
	for _, t := range r.Types {
		if !ok || !strings.HasPrefix(rest, "/") {
			return false
		}
		rest, ok = strings.CutPrefix(rest[1:], t)
	}
	return ok && rest == ""
}

// Canonical returns the canonical spelling of an ID, or "" when s is none.
func Canonical(s string) string {
	id, err := ParseResourceID(s)
	if err != nil {
		return ""
	}
	return id.String()
}

// clip shortens s to at most n bytes on a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
