package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

// Look is one slow read of a check that looks deep.
type Look struct {
	Question executor.Question
	Answer   *executor.Answer // nil when Err is set
	Err      error            // a fault.Error: why there is none
}

// Questions lists the slow reads of a check that looks deep, in lanes: what one lane
// asks, it asks one after the other, so that no router and no gateway gets two
// questions at once. What a gateway announces is asked later: it takes the address of a
// peer, which Further tells.
func (p *Posture) Questions() [][]executor.Question {
	var out [][]executor.Question
	for _, c := range p.Estate.Circuits {
		if _, read := p.Circuits[c.ID]; !read {
			continue // said already: it cannot be read at all
		}
		for _, link := range links {
			at := func(k executor.QuestionKind) executor.Question {
				return executor.Question{Kind: k, Target: c.ID, Link: string(link)}
			}
			out = append(out, []executor.Question{at(executor.AskBGP), at(executor.AskARP), at(executor.AskTable)})
		}
	}
	for _, g := range p.Estate.Gateways {
		if _, lost := p.Unread[g.ID]; lost || p.WrongType[g.ID] != "" {
			continue
		}
		lane := []executor.Question{{Kind: executor.AskSets, Target: g.ID}}
		if g.Kind == topology.VNet { // a Virtual WAN gateway tells its route sets only
			lane = append(lane, executor.Question{Kind: executor.AskRoutes, Target: g.ID}, executor.Question{Kind: executor.AskPeers, Target: g.ID})
		}
		out = append(out, lane)
	}
	return out
}

// Further returns what an answer leads to: a gateway announces the same networks to all
// its peers, so one that is connected is asked about.
func Further(a *executor.Answer) []executor.Question {
	if a == nil || a.Question.Kind != executor.AskPeers {
		return nil
	}
	for _, peer := range a.Peers {
		if peer.Established {
			return []executor.Question{{Kind: executor.AskAdvertised, Target: a.Question.Target, Peer: peer.Neighbor}}
		}
	}
	return nil
}

var links = []events.Link{events.Primary, events.Secondary}

// deepRules are the rules that need slow reads. They say nothing when nobody has looked.
func deepRules() []PostureRule {
	return []PostureRule{
		{"no-session", Critical, "a circuit without a BGP session carries nothing", "compare addresses, VLAN, AS numbers and MD5 of the private peering on both routers", noSession},
		{"prefixes-not-covered", Critical, "after a move nothing in Azure reaches them, so the circuit is refused as a target", "announce the same prefixes over it", notCovered},
		{"networks-not-announced", Critical, "after a move on-premises has no way back to them", "look at route maps on the connection, and at the circuit's limit of prefixes", notAnnounced},
		{"could-not-look", Warning, "what could not be looked at is not known to be sound", "mend what the finding names, then check again", couldNotLook},
		{"one-session", Warning, "the circuit has lost half of what it was bought for: the next failure of the other link, or work on it, takes it down", "have the provider bring that link's session up", oneSession},
		{"arp-missing", Warning, "without an ARP entry the line or its VLAN is broken below BGP", "look at the router's interface, its address and the VLAN, then ask the provider", arpMissing},
		{"longer-prefix", Warning, "the longest prefix wins before any weight, so this traffic does not follow a move", "announce the same lengths over both circuits", longerPrefix},
		{"routes-near-limit", Warning, "beyond the limit Azure drops the BGP session, or the connection, with all its routes", "summarise the prefixes, or upgrade the circuit to Premium", nearLimit},
		{"gateway-routes-differ", Warning, "a gateway that learns less over one circuit loses the rest when it moves there", "look at route maps on the connection, and whether one link's session is young", routesDiffer},
		{"gateway-session-down", Warning, "each circuit has two sessions with a gateway; with one, its next failure cuts the path", "look whether Microsoft works there (Service Health), then open a support case", gatewaySession},
		{"maintenance-prepended", Warning, "AS 12076 prepended eight times is how Microsoft drains a link for planned work", "plan no move onto this circuit before the work is over; Service Health has its hours", prepended},
	}
}

// look returns the answer to a question, nil when there is none.
func (p *posture) look(kind executor.QuestionKind, target string, link events.Link) *executor.Answer {
	for _, l := range p.Looks {
		if q := l.Question; q.Kind == kind && q.Target == target && q.Link == string(link) {
			return l.Answer
		}
	}
	return nil
}

// subject says in words what a question looks at.
func (p *posture) subject(q executor.Question) (who, what string) {
	who = name(q.Target)
	if c := p.Estate.CircuitOf(q.Target); c != "" {
		who = c
	}
	switch q.Kind {
	case executor.AskBGP:
		return who, "the BGP sessions of its " + q.Link + " link"
	case executor.AskARP:
		return who, "the ARP table of its " + q.Link + " link"
	case executor.AskTable:
		return who, "the route table of its " + q.Link + " link"
	case executor.AskRoutes:
		return who, "the routes that it has learned"
	case executor.AskPeers:
		return who, "its BGP sessions"
	case executor.AskAdvertised:
		return who, "the networks that it announces"
	case executor.AskSets:
		return who, "its route sets"
	case executor.AskTests:
		return who, "its failover tests"
	}
	return who, string(q.Kind)
}

func couldNotLook(p *posture) {
	for _, l := range p.Looks {
		who, what := p.subject(l.Question)
		switch {
		case l.Err != nil:
			p.add("", who, "%s could not be read: %s", what, strings.TrimSuffix(strings.Join([]string{l.Err.Error(), fault.HintOf(l.Err)}, "; "), "; "))
		case l.Answer == nil:
			p.add("", who, "%s could not be read: there was no answer", what)
		case l.Question.Kind == executor.AskPeers && len(Further(l.Answer)) == 0:
			p.add("", who, "the networks that it announces could not be read: none of its sessions is up")
		}
	}
}

// sessions returns on which links of a circuit a session is up, and on which its state
// is known.
func (p *posture) sessions(circuit string) (up, known [2]bool) {
	for i, link := range links {
		a := p.look(executor.AskBGP, circuit, link)
		if known[i] = a != nil; a == nil {
			continue
		}
		up[i] = slices.ContainsFunc(a.Peers, func(peer executor.Peer) bool { return peer.Established })
	}
	return up, known
}

func noSession(p *posture) {
	for _, c := range p.Estate.Circuits {
		if up, known := p.sessions(c.ID); known == [2]bool{true, true} && up == [2]bool{} {
			p.add("", c.Name, "no BGP session is up: its primary link is %s, its secondary link %s", p.state(c.ID, events.Primary), p.state(c.ID, events.Secondary))
		}
	}
}

func oneSession(p *posture) {
	for _, c := range p.Estate.Circuits {
		up, known := p.sessions(c.ID)
		for i, link := range links {
			if known[i] && !up[i] && (up[1-i] || !known[1-i]) {
				p.add("", c.Name, "the BGP session of its %s link is not up: %s", link, p.state(c.ID, link))
			}
		}
	}
}

// state says in Azure's words how a link's session stands.
func (p *posture) state(circuit string, link events.Link) string {
	for _, peer := range p.look(executor.AskBGP, circuit, link).Peers {
		return peer.State
	}
	return "without a neighbour"
}

func arpMissing(p *posture) {
	for _, c := range p.Estate.Circuits {
		for _, link := range links {
			a := p.look(executor.AskARP, c.ID, link)
			if a == nil {
				continue
			}
			for side, words := range map[string]string{"On-Prem": "on-premises", "Microsoft": "Microsoft's edge"} { // order-free: findings are sorted
				if !slices.ContainsFunc(a.ARP, func(e executor.ARP) bool { return strings.EqualFold(e.Interface, side) && e.MAC != "" }) {
					p.add("", c.Name, "the ARP table of its %s link has no entry of %s", link, words)
				}
			}
		}
	}
}

func gatewaySession(p *posture) {
	for _, g := range p.Estate.Gateways {
		if a := p.look(executor.AskPeers, g.ID, ""); a != nil {
			for _, peer := range a.Peers {
				if !peer.Established {
					p.add("", name(g.ID), "its session with %s is %s", peer.Neighbor, peer.State)
				}
			}
		}
	}
}

// prepended finds the sign of maintenance in the tables of circuits' links, and in what
// gateways have learned. A gateway does not tell to which circuit a peer belongs.
func prepended(p *posture) {
	for _, c := range p.Estate.Circuits {
		for _, link := range links {
			if a := p.look(executor.AskTable, c.ID, link); a != nil {
				if n := drained(a.Routes); n > 0 {
					p.add("", c.Name, "%d routes of its %s link carry AS 12076 eight times", n, link)
				}
			}
		}
	}
	for _, g := range p.Estate.Gateways {
		a := p.look(executor.AskRoutes, g.ID, "")
		if a == nil {
			continue
		}
		from := map[string]int{}
		for _, r := range a.Routes {
			if r.Drained() {
				from[r.Source]++
			}
		}
		for _, peer := range slices.Sorted(maps.Keys(from)) {
			p.add("", name(g.ID), "%d routes that it learned from %s carry AS 12076 eight times", from[peer], peer)
		}
	}
}

func drained(routes []executor.Route) int {
	n := 0
	for _, r := range routes {
		if r.Drained() {
			n++
		}
	}
	return n
}

// few names the first of a list and counts the rest.
func few(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
