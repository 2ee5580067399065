package topology

import (
	"slices"
	"strings"
)

// Fate names one thing that two circuits have in common and that could take both
// down at once.
type Fate struct {
	Kind string `json:"kind"` // port, share, location, provider, site
	Name string `json:"name"`
}

// SharedFate returns what a and b have in common, the gravest first: a Direct
// port pair, a named share (conduit, building), a peering location, a provider,
// an on-premises site. Unknown (empty) facts are never counted as common.
func SharedFate(a, b Circuit) []Fate {
	var out []Fate
	same := func(kind, x, y string) {
		if x != "" && strings.EqualFold(x, y) {
			out = append(out, Fate{kind, x})
		}
	}
	same("port", a.Port, b.Port)
	for _, s := range a.Shares {
		if slices.ContainsFunc(b.Shares, func(t string) bool { return strings.EqualFold(s, t) }) {
			out = append(out, Fate{"share", s})
		}
	}
	same("location", a.Location, b.Location)
	same("provider", a.Provider, b.Provider)
	same("site", a.Site, b.Site)
	return out
}
