package sim

import (
	"fmt"
	"slices"
	"time"
)

// Rehearsed returns what failover tests hold cut at a time, sorted: "TARGET LOCATION"
// for a gateway off a location, "TARGET LINK" for one link of a circuit.
func (f *Fabric) Rehearsed(now time.Time) []string {
	f.lock(now)
	defer f.mu.Unlock()
	var out []string
	add := func(id string, tests []*failoverTest) {
		for _, t := range tests {
			if t.cuts() {
				out = append(out, fmt.Sprintf("%s %s%s", id, t.location, t.link))
			}
		}
	}
	for _, g := range f.gateways {
		add(g.ID, g.tests)
	}
	for _, c := range f.circuits {
		add(c.ID, c.tests)
	}
	slices.Sort(out)
	return out
}
