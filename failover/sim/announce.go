package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// network returns the prefix of a gateway's virtual network: each has its own.
func (f *Fabric) network(gateway string) string {
	n := slices.Index(f.order.gateways, gateway)
	return fmt.Sprintf("10.200.%d.0/24", n%256)
}

// tableRows returns a link's whole route table: what on-premises announces, and the
// prefixes of the virtual networks, which come from AS 65515. While the link is drained
// what Azure announces there carries the edge's own number eight times.
func (f *Fabric) tableRows(c *circuit, l Link) []body {
	rows := c.routeTable(l)
	if !c.private.enabled {
		return rows
	}
	path := "65515"
	if c.links[l.index()].Prepended {
		path = prepends(" ") + path
	}
	for _, k := range f.of("") {
		if k.circuit == key(c.ID) && k.connected && !k.mute {
			rows = append(rows, object("network", f.network(k.gateway), "nextHop", "10.255.255.4", "locPrf", "", "weight", 0, "path", path))
		}
	}
	return rows
}

// prepends is the edge's number as often as maintenance puts it.
func prepends(between string) string {
	out := ""
	for range maintenancePrepend {
		out += "12076" + between
	}
	return out
}

// advertRows returns what a gateway announces to one peer: its own network.
func (f *Fabric) advertRows(g *gateway, peer string) []body {
	rows := []body{}
	for _, k := range f.of(g.ID) {
		c := f.circuits[k.circuit]
		for _, l := range Links() {
			if c.msee(l) == peer && c.links[l.index()].BGP && c.announces() && k.connected && !g.left(c) {
				rows = append(rows, object("localAddress", "10.0.0.13", "network", f.network(key(g.ID)), "nextHop", "10.0.0.13", "sourcePeer", "10.0.0.13", "origin", "Igp", "asPath", "", "weight", 0))
			}
		}
	}
	return rows
}

// routeSets returns which prefixes reach a gateway over which circuits. A circuit is
// named by a key of the answer's own, as Azure names it.
func (f *Fabric) routeSets(g *gateway) body {
	details, circuits := map[string][]body{}, map[string]body{}
	var places []string
	for _, r := range f.learned(key(g.ID)) {
		short := fmt.Sprintf("x%d", r.circuit.number)
		circuits[short] = object("name", lastName(r.circuit.ID), "link", r.circuit.ID, "location", r.circuit.Location)
		details[r.prefix.String()] = append(details[r.prefix.String()], object("circuit", short, "pri", word(r.circuit.links[0].BGP, "1", ""), "sec", word(r.circuit.links[1].BGP, "1", "")))
		if !slices.Contains(places, r.circuit.Location) {
			places = append(places, r.circuit.Location)
		}
	}
	computed := f.now.Truncate(time.Hour).UTC()
	return object("lastComputedTime", computed.Format(time.RFC3339), "nextEligibleComputeTime", computed.Add(time.Hour).Format(time.RFC3339), "routeSetVersion", "1",
		"routeSets", []body{object("name", "Set-1", "locations", places, "details", details)}, "circuitsMetadataMap", circuits)
}

// SetARP lets on-premises answer ARP on a link, or not, whatever else works.
func (f *Fabric) SetARP(circuitID string, l Link, on bool, now time.Time) {
	f.link(circuitID, l, now, word(on, "arp-up", "arp-down"), 0, func(_ *circuit, s *LinkState) { s.NoARP = !on })
}

// Announce changes what on-premises announces over a circuit. An unreadable prefix
// changes nothing.
func (f *Fabric) Announce(circuitID string, list []string, now time.Time) {
	parsed, err := prefixes(list)
	if err != nil {
		return
	}
	f.link(circuitID, "", now, "announce", float64(len(parsed)), func(c *circuit, _ *LinkState) { c.private.prefixes = parsed })
}

// Keep keeps a prefix that a circuit announces from the gateway of one connection, as a
// route map would.
func (f *Fabric) Keep(connectionID, prefix string, now time.Time) {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return
	}
	f.foreign(connectionID, "kept", 0, now, func(k *connection) { k.hidden = append(k.hidden, p) })
}

// Mute stops the gateway's network from being announced over one connection.
func (f *Fabric) Mute(connectionID string, now time.Time) {
	f.foreign(connectionID, "mute", 0, now, func(k *connection) { k.mute = true })
}
