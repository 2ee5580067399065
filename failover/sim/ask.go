package sim

import (
	"fmt"
	"strings"
	"time"
)

// Question is one slow read that the fabric answers.
type Question string

const (
	AskARP     Question = "arpTables"
	AskRoutes  Question = "routeTables"
	AskSummary Question = "routeTablesSummary"
	AskLearned Question = "getLearnedRoutes"
	AskPeers   Question = "getBgpPeerStatus"
	AskAdverts Question = "getAdvertisedRoutes"                   // of a gateway, to one peer
	AskSets    Question = "getRoutesInformation"                  // of a gateway of either kind
	AllTests   Question = "getFailoverAllTestsDetails"            // of a gateway
	LinkTests  Question = "getCircuitLinkFailoverAllTestsDetails" // of a circuit
)

// Ask begins a slow read of a circuit (arg is the link) or a gateway, and returns
// its operation. The answer tells the state at the operation's end, not at its
// beginning.
func (f *Fabric) Ask(q Question, target, arg string, now time.Time) (string, error) {
	f.lock(now)
	defer f.mu.Unlock()
	answer, no := f.answerer(q, target, arg)
	if no != nil {
		return "", no
	}
	op := &operation{
		id: f.guid(), target: target, begun: f.now, ends: f.now.Add(f.timing.Read),
		final: succeeded, answer: answer, location: "eastus",
	}
	f.operations[op.id] = op
	f.open = append(f.open, op)
	return op.id, nil
}

// answerer returns the function that will answer q.
func (f *Fabric) answerer(q Question, target, arg string) (func(*Fabric) encoded, *Refusal) {
	c, g := f.circuits[key(target)], f.gateways[key(target)]
	l := Link(strings.ToLower(arg))
	wrap := func(rows func() []body) func(*Fabric) encoded {
		return func(*Fabric) encoded { return encoded(object("value", rows()).raw()) }
	}
	onLink := c != nil && (l == Primary || l == Secondary)
	switch q {
	case AskARP:
		if onLink {
			return wrap(func() []body { return c.arp(l) }), nil
		}
	case AskRoutes:
		if onLink {
			return wrap(func() []body { return f.tableRows(c, l) }), nil
		}
	case AskSummary:
		if onLink {
			return wrap(func() []body { return f.summary(c, l) }), nil
		}
	case AskLearned:
		if g != nil {
			return wrap(func() []body { return f.learnedRows(g) }), nil
		}
	case AskPeers:
		if g != nil {
			return wrap(func() []body { return f.peerRows(g) }), nil
		}
	case AskAdverts:
		if g != nil && g.Kind == VNet {
			return wrap(func() []body { return f.advertRows(g, arg) }), nil
		}
	case AskSets:
		if g != nil {
			return func(*Fabric) encoded { return encoded(f.routeSets(g).raw()) }, nil
		}
	case AllTests:
		if g != nil {
			return func(*Fabric) encoded { return encoded(encode(testRows(g.tests))) }, nil
		}
	case LinkTests:
		if c != nil {
			return func(*Fabric) encoded { return encoded(encode(testRows(c.tests))) }, nil
		}
	}
	return nil, notFound(target)
}

// ends returns the customer's and Microsoft's address on a link.
func (c *circuit) ends(l Link) (theirs, ours string) {
	base := 4 * l.index()
	return fmt.Sprintf("172.16.%d.%d", c.number, base+1), fmt.Sprintf("172.16.%d.%d", c.number, base+2)
}

// arp returns a link's ARP table: no On-Prem row when the line is dead.
func (c *circuit) arp(l Link) []body {
	theirs, ours := c.ends(l)
	rows := []body{object("age", 0, "interface", "Microsoft", "ipAddress", ours, "macAddress", fmt.Sprintf("aaaa.bb%02x.%02x01", c.number, l.index()))}
	if s := c.links[l.index()]; s.Up && !s.NoARP {
		rows = append([]body{object("age", 10, "interface", "On-Prem", "ipAddress", theirs, "macAddress", fmt.Sprintf("cccc.dd%02x.%02x01", c.number, l.index()))}, rows...)
	}
	return rows
}

// asPath returns the AS path of a link's routes as a gateway sees it.
func (c *circuit) asPath(l Link) string {
	path := fmt.Sprintf("12076-%d", c.ASN)
	if c.links[l.index()].Prepended {
		path = strings.Repeat("12076-", maintenancePrepend) + path
	}
	return path
}

// routeTable returns what a link has learned from on-premises.
func (c *circuit) routeTable(l Link) []body {
	rows := []body{}
	if !c.links[l.index()].BGP || !c.private.enabled {
		return rows
	}
	theirs, _ := c.ends(l)
	for _, p := range c.private.prefixes {
		rows = append(rows, object("network", p.String(), "nextHop", theirs, "locPrf", "", "weight", 0, "path", fmt.Sprint(c.ASN)))
	}
	return rows
}

// summary returns a link's BGP summary: statePfxRcd is a number when the session
// is established and a word when it is not.
func (f *Fabric) summary(c *circuit, l Link) []body {
	if !c.private.enabled {
		return []body{}
	}
	theirs, _ := c.ends(l)
	state := "Idle"
	if c.links[l.index()].BGP {
		state = fmt.Sprint(len(c.private.prefixes))
	}
	up := f.now.Sub(c.changed).Truncate(time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d", int(up.Hours()), int(up.Minutes())%60, int(up.Seconds())%60)
	return []body{object("neighbor", theirs, "v", 4, "as", c.ASN, "upDown", text, "statePfxRcd", state)}
}

// msee returns the address by which a gateway knows a circuit's link.
func (c *circuit) msee(l Link) string { return fmt.Sprintf("10.255.%d.%d", c.number, 4+l.index()) }

// learnedRows returns the routes that a gateway has learned, all of them, chosen
// or not. The weight column is the platform's own 32769 for ExpressRoute; it does
// not tell the connection's routing weight.
func (f *Fabric) learnedRows(g *gateway) []body {
	rows := []body{}
	for _, r := range f.learned(key(g.ID)) {
		for _, l := range Links() {
			if !r.circuit.links[l.index()].BGP {
				continue
			}
			hop := r.circuit.msee(l)
			rows = append(rows, object("localAddress", "10.0.0.13", "network", r.prefix.String(), "nextHop", hop,
				"sourcePeer", hop, "origin", "EBgp", "asPath", r.circuit.asPath(l), "weight", 32769))
		}
	}
	return rows
}

// peerRows returns a gateway's BGP sessions with the circuits' edge routers.
func (f *Fabric) peerRows(g *gateway) []body {
	rows := []body{}
	for _, k := range f.of(g.ID) {
		c := f.circuits[k.circuit]
		for _, l := range Links() {
			on := c.links[l.index()].BGP && c.announces() && k.connected && !g.left(c)
			n := 0
			if on {
				n = len(c.private.prefixes) - len(k.hidden)
			}
			rows = append(rows, object("localAddress", "10.0.0.13", "neighbor", c.msee(l), "asn", 12076, "state", word(on, "Connected", "Idle"),
				"connectedDuration", "1.02:03:04", "routesReceived", n, "messagesSent", 100, "messagesReceived", 100))
		}
	}
	return rows
}

// Operation is one long-running operation as it stands.
type Operation struct {
	ID       string
	Status   string // InProgress, Succeeded, Failed, Canceled
	Code     string // when it did not succeed
	Message  string
	Result   []byte // a slow read's answer, nil before the end
	NoStatus bool   // its answers are to carry no status
	Begun    time.Time
	Ended    time.Time // zero before the end
	Region   string
	Target   string
}

// Operation returns an operation, and false for one that is not found: unknown,
// forgotten, or ended longer ago than Timing.Keep.
func (f *Fabric) Operation(id string, now time.Time) (Operation, bool) {
	f.lock(now)
	defer f.mu.Unlock()
	op := f.operations[strings.ToLower(id)]
	if op == nil || op.lost || op.ended && f.now.Sub(op.ends) > f.timing.Keep {
		return Operation{}, false
	}
	out := Operation{ID: op.id, Status: inProgress, NoStatus: op.noStatus, Begun: op.begun, Region: op.location, Target: op.target}
	if op.ended {
		out.Status, out.Result, out.Ended = op.final, op.result, op.ends
		if op.final != succeeded {
			out.Code, out.Message = op.code, op.message
		}
	}
	return out, true
}
