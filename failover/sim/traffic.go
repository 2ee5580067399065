package sim

import (
	"net/netip"
	"slices"
	"time"
)

// maxECMP is how many circuits share a gateway's traffic at most.
const maxECMP = 4

// maintenancePrepend is how often AS 12076 stands before a drained link's routes.
const maintenancePrepend = 8

// Flow is what became of a gateway's traffic to on-premises since Start.
type Flow struct {
	Sent, Lost float64       // bytes
	Dead       time.Duration // time during which half of the traffic or more was lost
	Hurt       time.Duration // time during which any of it was lost
}

// Path says which circuits carry the traffic to one prefix.
type Path struct {
	Prefix   netip.Prefix
	Circuits []string // resource IDs, sorted; empty: unreachable
}

// Carrying returns the IDs of the circuits that carry a gateway's traffic to
// on-premises now, sorted; empty when nothing does.
//
// For each destination the longest prefix wins, then the highest weight, then the
// shortest AS path; what is then equal shares the traffic, four circuits at most.
// A circuit without a BGP session withdraws its routes. A circuit that loses
// packets keeps them.
func (f *Fabric) Carrying(gateway string, now time.Time) []string {
	var out []string
	for _, p := range f.Paths(gateway, now) {
		for _, c := range p.Circuits {
			if !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Paths returns the choice for each prefix that any circuit of the gateway
// announces at rest, sorted.
func (f *Fabric) Paths(gateway string, now time.Time) []Path {
	f.lock(now)
	defer f.mu.Unlock()
	var out []Path
	for _, p := range f.paths(key(gateway)) {
		ids := []string{}
		for _, c := range p.circuits {
			ids = append(ids, c.ID)
		}
		slices.Sort(ids)
		out = append(out, Path{p.prefix, ids})
	}
	return out
}

// LossAt returns the share of a gateway's traffic to on-premises that is lost
// now, 0 to 1, every destination counting the same. No route is a loss of 1.
func (f *Fabric) LossAt(gateway string, now time.Time) float64 {
	f.lock(now)
	defer f.mu.Unlock()
	return lossOf(f.paths(key(gateway)))
}

// Flow returns what became of a gateway's traffic until now.
func (f *Fabric) Flow(gateway string, now time.Time) Flow {
	f.lock(now)
	defer f.mu.Unlock()
	if g := f.gateways[key(gateway)]; g != nil {
		return g.flow
	}
	return Flow{}
}

type path struct {
	prefix   netip.Prefix
	circuits []*circuit
}

// route is one route that a gateway has learned.
type route struct {
	prefix  netip.Prefix
	circuit *circuit
	weight  int32
	length  int // AS path length
}

// learned lists the routes that a gateway has now, one a circuit and prefix.
func (f *Fabric) learned(gateway string) []route {
	var out []route
	g := f.gateways[gateway]
	for _, k := range f.of(gateway) {
		c := f.circuits[k.circuit]
		if !k.connected || c == nil || !c.announces() || g != nil && g.left(c) {
			continue
		}
		for _, p := range c.private.prefixes {
			if !slices.Contains(k.hidden, p) {
				out = append(out, route{p, c, k.weight, c.pathLength()})
			}
		}
	}
	return out
}

// announces says whether a circuit has routes to give.
func (c *circuit) announces() bool {
	return c.private.enabled && c.enabled && c.provisioned && (c.links[0].BGP || c.links[1].BGP)
}

// pathLength returns the shortest AS path over the circuit's sessions.
func (c *circuit) pathLength() int {
	best := 2 + maintenancePrepend
	for _, l := range c.links {
		if l.BGP && !l.Prepended {
			best = 2
		}
	}
	return best
}

// carriers lists the links that carry a circuit's traffic: those with a session,
// and of these the ones that are not drained, unless all are.
func (c *circuit) carriers() []int {
	var all, calm []int
	for i, l := range c.links {
		if l.BGP {
			all = append(all, i)
			if !l.Prepended {
				calm = append(calm, i)
			}
		}
	}
	if len(calm) > 0 {
		return calm
	}
	return all
}

// loss returns the share of packets that a link loses. A dead line whose session
// has not yet timed out loses all.
func (l LinkState) loss() float64 {
	if !l.Up {
		return 1
	}
	return l.Loss
}

// paths makes the gateway's choice for each destination.
func (f *Fabric) paths(gateway string) []path {
	var targets []netip.Prefix
	for _, k := range f.of(gateway) {
		for _, p := range f.circuits[k.circuit].private.prefixes {
			if !slices.Contains(targets, p) {
				targets = append(targets, p)
			}
		}
	}
	slices.SortFunc(targets, netip.Prefix.Compare)
	routes := f.learned(gateway)
	var out []path
	for _, t := range targets {
		out = append(out, path{t, choose(routes, t)})
	}
	return out
}

// choose returns the circuits that win for one destination.
func choose(routes []route, to netip.Prefix) []*circuit {
	var best route
	var out []*circuit
	for _, r := range routes {
		if r.prefix.Bits() > to.Bits() || !r.prefix.Contains(to.Addr()) {
			continue
		}
		switch rank(r, best) {
		case 1:
			best, out = r, []*circuit{r.circuit}
		case 0:
			if len(out) < maxECMP {
				out = append(out, r.circuit)
			}
		}
	}
	return out
}

// rank returns 1 when a is better than b, 0 when they tie and -1 otherwise. The
// zero route is worse than any.
func rank(a, b route) int {
	if b.circuit == nil {
		return 1
	}
	for _, d := range []int{a.prefix.Bits() - b.prefix.Bits(), int(a.weight - b.weight), b.length - a.length} {
		switch {
		case d > 0:
			return 1
		case d < 0:
			return -1
		}
	}
	return 0
}

// lossOf returns the mean loss over destinations; 0 when there are none.
func lossOf(paths []path) float64 {
	if len(paths) == 0 {
		return 0
	}
	var sum float64
	for _, p := range paths {
		if len(p.circuits) == 0 {
			sum++
			continue
		}
		for _, c := range p.circuits {
			on := c.carriers()
			for _, i := range on {
				sum += c.links[i].loss() / float64(len(on)*len(p.circuits))
			}
		}
	}
	return sum / float64(len(paths))
}

// count adds the traffic between the latest instant seen and now to the counters.
func (f *Fabric) count(now time.Time) {
	span := now.Sub(f.now)
	if f.now.IsZero() {
		span = 0 // no start was told: the first now is the start
	}
	if span < 0 {
		return
	}
	f.now = now
	if span == 0 {
		return
	}
	for _, id := range f.order.gateways {
		g := f.gateways[id]
		paths := f.paths(id)
		if len(paths) == 0 {
			continue
		}
		bytes := g.Mbps * 1e6 / 8 * span.Seconds()
		loss := lossOf(paths)
		g.flow.Sent += bytes
		g.flow.Lost += bytes * loss
		if loss > 0 {
			g.flow.Hurt += span
		}
		if loss >= 0.5 {
			g.flow.Dead += span
		}
		for _, p := range paths {
			for _, c := range p.circuits {
				c.carry(bytes / float64(len(paths)*len(p.circuits)))
			}
		}
	}
}

// carry counts bytes to on-premises, and the same back, over a circuit's links.
func (c *circuit) carry(bytes float64) {
	on := c.carriers()
	for _, i := range on {
		l, n := &c.links[i], bytes/float64(len(on))
		l.BytesOut += n
		l.BytesLost += n * l.loss()
		l.BytesIn += n * (1 - l.loss())
	}
}
