package sim

import "time"

// Change is one thing that was done to the estate, for those who turn it into
// events.
type Change struct {
	At       time.Time
	Resource string // resource ID of the circuit, gateway or connection
	Link     Link   // "" when it is not about one link
	What     string // line-up, line-down, bgp-up, bgp-down, loss, latency, drain, undrain, peering-on, peering-off, provisioning, weight, deleted, arp-up, arp-down, announce, kept, mute
	Value    float64
}

// Changes returns what was done to the estate from the n-th change on.
func (f *Fabric) Changes(n int) []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Change(nil), f.changes[min(max(n, 0), len(f.changes)):]...)
}

// link runs do on one link and notes it. An unknown circuit is left alone.
func (f *Fabric) link(id string, l Link, now time.Time, what string, value float64, do func(*circuit, *LinkState)) {
	f.lock(now)
	defer f.mu.Unlock()
	c := f.circuits[key(id)]
	if c == nil {
		return
	}
	had := c.links[l.index()].BGP
	do(c, &c.links[l.index()])
	if c.cut(l) {
		c.links[l.index()].BGP = false // a link failover test holds it down, whatever the line does
	}
	if c.links[l.index()].BGP != had {
		c.changed = f.now
	}
	f.changes = append(f.changes, Change{f.now, c.ID, l, what, value})
}

// word picks one of two words.
func word(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// SetLink brings a link's line up or down. BGP goes with it.
func (f *Fabric) SetLink(circuitID string, l Link, up bool, now time.Time) {
	f.link(circuitID, l, now, word(up, "line-up", "line-down"), 0, func(_ *circuit, s *LinkState) { s.Up, s.BGP = up, up })
}

// SetLine brings a link's line up or down and leaves BGP as it is: a line that is
// dead before the hold timer has run out.
func (f *Fabric) SetLine(circuitID string, l Link, up bool, now time.Time) {
	f.link(circuitID, l, now, word(up, "line-up", "line-down"), 0, func(_ *circuit, s *LinkState) { s.Up = up })
}

// SetBGP brings a link's BGP session up or down.
func (f *Fabric) SetBGP(circuitID string, l Link, up bool, now time.Time) {
	f.link(circuitID, l, now, word(up, "bgp-up", "bgp-down"), 0, func(_ *circuit, s *LinkState) { s.BGP = up })
}

// SetLoss sets a link's packet loss, 0 to 1; its routes stay.
func (f *Fabric) SetLoss(circuitID string, l Link, loss float64, now time.Time) {
	loss = min(max(loss, 0), 1)
	f.link(circuitID, l, now, "loss", loss, func(_ *circuit, s *LinkState) { s.Loss = loss })
}

// SetLatency sets a link's round trip in milliseconds.
func (f *Fabric) SetLatency(circuitID string, l Link, ms float64, now time.Time) {
	f.link(circuitID, l, now, "latency", ms, func(_ *circuit, s *LinkState) { s.LatencyMS = ms })
}

// SetDrained prepends AS 12076 to a link's routes, as planned maintenance does.
func (f *Fabric) SetDrained(circuitID string, l Link, on bool, now time.Time) {
	f.link(circuitID, l, now, word(on, "drain", "undrain"), 0, func(_ *circuit, s *LinkState) { s.Prepended = on })
}

// Cut takes both links of a circuit down: its routes are withdrawn.
func (f *Fabric) Cut(circuitID string, now time.Time) {
	f.SetLink(circuitID, Primary, false, now)
	f.SetLink(circuitID, Secondary, false, now)
}

// Grey lets both links of a circuit lose packets while it keeps its routes.
func (f *Fabric) Grey(circuitID string, loss float64, now time.Time) {
	f.SetLoss(circuitID, Primary, loss, now)
	f.SetLoss(circuitID, Secondary, loss, now)
}

// Heal brings both links of a circuit back to rest.
func (f *Fabric) Heal(circuitID string, now time.Time) {
	for _, l := range Links() {
		f.SetLink(circuitID, l, true, now)
		f.SetLoss(circuitID, l, 0, now)
		f.SetDrained(circuitID, l, false, now)
	}
}

// SetPeering enables or disables a circuit's private peering. Disabled, its
// routes are withdrawn.
func (f *Fabric) SetPeering(circuitID string, on bool, now time.Time) {
	f.link(circuitID, "", now, word(on, "peering-on", "peering-off"), 0, func(c *circuit, _ *LinkState) {
		c.private.enabled, c.private.by = on, "Customer"
		c.etag = f.etag()
	})
}

// SetProvisioning sets a circuit resource's provisioning state. "Failed" keeps
// its routes.
func (f *Fabric) SetProvisioning(circuitID, state string, now time.Time) {
	f.link(circuitID, "", now, "provisioning", 0, func(c *circuit, _ *LinkState) { c.provisioning = state })
}

// SetProvisioned sets the provider's side; not provisioned withdraws the routes.
func (f *Fabric) SetProvisioned(circuitID string, on bool, now time.Time) {
	f.link(circuitID, "", now, "provisioning", 0, func(c *circuit, _ *LinkState) { c.provisioned = on })
}

// Hold keeps a gateway busy with somebody else's operation: scaling, a SKU
// change, another connection.
func (f *Fabric) Hold(gatewayID string, span time.Duration, now time.Time) {
	f.lock(now)
	defer f.mu.Unlock()
	if g := f.gateways[key(gatewayID)]; g != nil {
		g.held = f.now.Add(span)
	}
}

// ForeignWrite changes a connection's weight behind everybody's back, at once.
func (f *Fabric) ForeignWrite(connectionID string, weight int32, now time.Time) {
	f.foreign(connectionID, "weight", float64(weight), now, func(k *connection) {
		from := k.weight
		k.weight = weight
		k.set("routingWeight", weight)
		f.landings = append(f.landings, Landing{At: f.now, Connection: k.id, From: from, To: weight})
	})
}

// ForeignField changes one property of a connection other than its weight.
func (f *Fabric) ForeignField(connectionID, property string, value any, now time.Time) {
	f.foreign(connectionID, "field", 0, now, func(k *connection) { k.set(property, value) })
}

func (f *Fabric) foreign(id, what string, value float64, now time.Time, do func(*connection)) {
	f.lock(now)
	defer f.mu.Unlock()
	k := f.connections[key(id)]
	if k == nil {
		return
	}
	k.before = k.body
	do(k)
	k.body = k.body.with("etag", f.etag())
	f.changes = append(f.changes, Change{f.now, k.id, "", what, value})
}

// Delete removes a connection.
func (f *Fabric) Delete(connectionID string, now time.Time) {
	f.foreign(connectionID, "deleted", 0, now, func(k *connection) { f.remove(key(k.id)) })
}
