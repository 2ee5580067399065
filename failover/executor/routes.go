package executor

import (
	"net/netip"
	"slices"
	"strings"
)

// AzureASN begins the path of what Azure itself announces to a link: the prefixes of
// virtual networks. Everything else in a link's table comes from on-premises.
const AzureASN = "65515"

// edgeASN is the AS number of Microsoft's edge routers.
const edgeASN = "12076"

// maintenancePrepends is how often the edge's own AS number stands before the routes of
// a link that Microsoft drains for maintenance, beside the one that is always there.
// Source: "Planned maintenance for ExpressRoute" on learn.microsoft.com.
const maintenancePrepends = 8

// MostPrefixes is how many prefixes of one link are believed; Azure takes no more from
// on-premises.
const MostPrefixes = 10_000

// OnPremises returns the prefixes of a link's table that on-premises announces, sorted.
// More than a circuit can have is no answer.
func OnPremises(table []Route) []string {
	return prefixes(table, func(first string) bool { return first != AzureASN })
}

// FromAzure returns the prefixes of a link's table that Azure announces to on-premises,
// sorted.
func FromAzure(table []Route) []string {
	return prefixes(table, func(first string) bool { return first == AzureASN })
}

// Prefixes returns the prefixes of routes, whoever announces them, sorted, each once.
func Prefixes(routes []Route) []string {
	var out []string
	for _, r := range routes {
		if p := canonical(r.Network); p != "" {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// prefixes keeps the routes whose path begins, behind the edge's own number, with an AS
// number that is wanted. A route without a path is the edge's own.
func prefixes(table []Route, wanted func(first string) bool) []string {
	var kept []Route
	for _, r := range table {
		path := strings.TrimLeft(strings.Join(hops(r.ASPath), " "), " ")
		for strings.HasPrefix(path+" ", edgeASN+" ") {
			path = strings.TrimPrefix(strings.TrimPrefix(path, edgeASN), " ")
		}
		first, _, _ := strings.Cut(path, " ")
		if first != "" && wanted(first) {
			kept = append(kept, r)
		}
	}
	if out := Prefixes(kept); len(out) <= MostPrefixes {
		return out
	}
	return nil
}

// canonical returns a prefix in the one spelling that is compared.
func canonical(network string) string {
	text := strings.ToLower(strings.TrimSpace(network))
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked().String()
	}
	return text
}

// hops splits an AS path, which is written with spaces or with dashes.
func hops(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == ' ' || r == '-' || r == ',' })
}

// Drained reports whether a route shows the sign of maintenance: Microsoft's edge has
// put its own AS number eight times before it, so that traffic takes another way while
// the session stays up.
func (r Route) Drained() bool {
	n := 0
	for _, hop := range hops(r.ASPath) {
		if hop != edgeASN {
			break
		}
		n++
	}
	return n >= maintenancePrepends
}

// PrefixSet answers questions about a long list of prefixes.
type PrefixSet struct {
	spelled map[string]bool
	parsed  map[netip.Prefix]string
}

// NewPrefixSet makes a set of prefixes in their canonical spelling.
func NewPrefixSet(list []string) PrefixSet {
	s := PrefixSet{make(map[string]bool, len(list)), make(map[netip.Prefix]string, len(list))}
	for _, text := range list {
		s.spelled[text] = true
		if p, err := netip.ParsePrefix(text); err == nil {
			s.parsed[p] = text
		}
	}
	return s
}

// Has reports whether the very prefix is in the set.
func (s PrefixSet) Has(prefix string) bool { return s.spelled[prefix] }

// Holder returns the shortest prefix of the set that holds all of another prefix, which
// may be that prefix itself; "" when none does.
func (s PrefixSet) Holder(prefix string) string {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return ""
	}
	for bits := range p.Bits() + 1 {
		if q, err := p.Addr().Prefix(bits); err == nil && s.parsed[q] != "" {
			return s.parsed[q]
		}
	}
	return ""
}
