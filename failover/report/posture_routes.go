package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"erfailover/failover/executor"
	"erfailover/failover/topology"
)

// Limits of routes. Source: "ExpressRoute limits" on learn.microsoft.com.
const (
	fromSite        = 4000  // IPv4 prefixes from on-premises over one private peering
	fromSitePremium = 10000 // with Premium
	fromSiteIPv6    = 100
	fromNetwork     = 1000 // IPv4 prefixes of one connection to on-premises
	fromNetworkIPv6 = 100
	nearPercent     = 80
)

// table returns what one side announces over a circuit, over either link; known is false
// unless both links' tables were read and at least one has routes of that side.
func (p *posture) table(circuit string, side func([]executor.Route) []string) (list []string, known bool) {
	for _, link := range links {
		a := p.look(executor.AskTable, circuit, link)
		if a == nil {
			return nil, false
		}
		list = append(list, side(a.Routes)...)
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return list, len(list) > 0
}

// pairs visits each home circuit of each group with each other circuit of the group.
func (p *posture) pairs(visit func(g topology.Group, home, other topology.Circuit)) {
	for _, g := range p.Estate.Groups {
		for _, h := range g.Home() {
			for _, o := range g.Circuits() {
				home, ok := p.Estate.Circuit(h)
				other, too := p.Estate.Circuit(o)
				if ok && too && h != o {
					visit(g, home, other)
				}
			}
		}
	}
}

func notCovered(p *posture) {
	p.pairs(func(g topology.Group, home, other topology.Circuit) {
		want, known := p.table(home.ID, executor.OnPremises)
		have, too := p.table(other.ID, executor.OnPremises)
		if !known || !too {
			return // a session that is down, or could not look: told by name already
		}
		there := executor.NewPrefixSet(have)
		var missing []string
		for _, prefix := range want {
			switch holder := there.Holder(prefix); {
			case there.Has(prefix):
			case holder != "":
				missing = append(missing, prefix+" (there "+holder+" holds it)")
			default:
				missing = append(missing, prefix)
			}
		}
		if len(missing) > 0 {
			p.add(g.Name, other.Name, "on-premises announces over %s and not over it: %s", home.Name, few(missing))
		}
	})
}

func longerPrefix(p *posture) {
	p.pairs(func(g topology.Group, home, other topology.Circuit) {
		over, known := p.table(home.ID, executor.OnPremises)
		under, too := p.table(other.ID, executor.OnPremises)
		if !known || !too {
			return
		}
		here := executor.NewPrefixSet(over)
		var longer []string
		for _, prefix := range under {
			if holder := here.Holder(prefix); holder != "" && !here.Has(prefix) {
				longer = append(longer, prefix+" (in "+holder+" of "+home.Name+")")
			}
		}
		if len(longer) > 0 {
			p.add(g.Name, other.Name, "on-premises announces longer prefixes over it than over %s: %s", home.Name, few(longer))
		}
	})
}

// advertised returns what a gateway announces, nil when it is not known.
func (p *posture) advertised(gateway string) []string {
	for _, l := range p.Looks {
		if l.Question.Kind == executor.AskAdvertised && l.Question.Target == gateway && l.Answer != nil {
			return executor.Prefixes(l.Answer.Routes)
		}
	}
	return nil
}

// notAnnounced finds networks of a gateway that a circuit does not announce to
// on-premises, although the gateway is connected to it.
func notAnnounced(p *posture) {
	for _, g := range p.Estate.Groups {
		for _, gw := range g.Gateways {
			want := p.advertised(gw)
			for _, n := range g.Circuits() {
				c, _ := p.Estate.Circuit(n)
				_, joined := p.Estate.Connection(gw, n)
				if up, known := p.sessions(c.ID); len(want) == 0 || !joined || known != [2]bool{true, true} || up == [2]bool{} {
					continue
				}
				have, read := p.announcedTo(c.ID)
				there := executor.NewPrefixSet(have)
				missing := slices.DeleteFunc(slices.Clone(want), func(prefix string) bool { return there.Holder(prefix) != "" })
				if read && len(missing) > 0 {
					p.add(g.Name, n, "it does not announce networks of %s to on-premises: %s", name(gw), few(missing))
				}
			}
		}
	}
}

// announcedTo returns what Azure announces over a circuit; read is false unless both
// tables were read. Nothing announced is an answer.
func (p *posture) announcedTo(circuit string) (list []string, read bool) {
	for _, link := range links {
		if p.look(executor.AskTable, circuit, link) == nil {
			return nil, false
		}
	}
	list, _ = p.table(circuit, executor.FromAzure)
	return list, true
}

func nearLimit(p *posture) {
	for _, c := range p.Estate.Circuits {
		for _, link := range links {
			if a := p.look(executor.AskTable, c.ID, link); a != nil {
				most := fromSite
				if strings.EqualFold(c.Tier, "Premium") {
					most = fromSitePremium
				}
				p.near(c.Name, "on-premises announces", " over its "+string(link)+" link; the circuit takes", executor.OnPremises(a.Routes), most, fromSiteIPv6)
			}
		}
	}
	for _, g := range p.Estate.Gateways {
		p.near(name(g.ID), "it announces", " to on-premises; a connection takes", p.advertised(g.ID), fromNetwork, fromNetworkIPv6)
	}
}

// near tells when a list is near a limit, each sort of address for itself.
func (p *posture) near(who, announces, takes string, list []string, most, mostIPv6 int) {
	six := 0
	for _, prefix := range list {
		if strings.Contains(prefix, ":") {
			six++
		}
	}
	if four := len(list) - six; four*100 >= most*nearPercent {
		p.add("", who, "%s %d IPv4 prefixes%s %d", announces, four, takes, most)
	}
	if six*100 >= mostIPv6*nearPercent {
		p.add("", who, "%s %d IPv6 prefixes%s %d", announces, six, takes, mostIPv6)
	}
}

// routesDiffer finds gateways that learn more over one circuit than over another. Route
// sets name the prefixes; without them the counts of the gateway's sessions are
// compared, which do not tell which circuit they belong to.
func routesDiffer(p *posture) {
	for _, g := range p.Estate.Groups {
		for _, gw := range g.Gateways {
			sets := p.look(executor.AskSets, gw, "")
			if sets == nil || len(sets.Sets) == 0 {
				p.countsDiffer(g, gw)
				continue
			}
			over := map[string][]string{} // circuit ID: prefixes
			for _, prefix := range slices.Sorted(maps.Keys(sets.Sets)) {
				for _, id := range sets.Sets[prefix] {
					over[id] = append(over[id], prefix)
				}
			}
			for _, h := range g.Circuits() {
				for _, o := range g.Circuits() {
					p.setsDiffer(g, gw, h, o, over)
				}
			}
		}
	}
}

// setsDiffer compares two circuits of a gateway. What the other circuit does not
// announce at all is told as such, by another rule.
func (p *posture) setsDiffer(g topology.Group, gw, more, less string, over map[string][]string) {
	_, joined := p.Estate.Connection(gw, more)
	_, too := p.Estate.Connection(gw, less)
	a, _ := p.Estate.Circuit(more)
	b, _ := p.Estate.Circuit(less)
	if more == less || !joined || !too {
		return
	}
	table, known := p.table(b.ID, executor.OnPremises)
	announced, learned := executor.NewPrefixSet(table), executor.NewPrefixSet(over[b.ID])
	var missing []string
	for _, prefix := range over[a.ID] {
		if !learned.Has(prefix) && (!known || announced.Has(prefix)) {
			missing = append(missing, prefix)
		}
	}
	if len(missing) > 0 {
		p.add(g.Name, name(gw), "it learns %d prefixes over %s and %d over %s; missing there: %s", len(over[a.ID]), more, len(over[b.ID]), less, few(missing))
	}
}

func (p *posture) countsDiffer(g topology.Group, gw string) {
	a := p.look(executor.AskPeers, gw, "")
	if a == nil {
		return
	}
	var told []string
	least, most := -1, 0
	for _, peer := range a.Peers {
		if peer.Established {
			told = append(told, fmt.Sprintf("%s %d", peer.Neighbor, peer.Prefixes))
			most = max(most, peer.Prefixes)
			if least < 0 || peer.Prefixes < least {
				least = peer.Prefixes
			}
		}
	}
	if least >= 0 && least != most {
		p.add(g.Name, name(gw), "its sessions bring different numbers of routes: %s", few(told))
	}
}
