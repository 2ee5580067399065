package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

// soundLooks answers every slow read of the sound estate as it should be.
func soundLooks(p *Posture) {
	answer := func(q executor.Question) *executor.Answer {
		a := &executor.Answer{Question: q}
		switch q.Kind {
		case executor.AskBGP:
			a.Peers = []executor.Peer{{Established: true, Prefixes: 2, State: "2"}}
		case executor.AskARP:
			a.ARP = []executor.ARP{{Interface: "On-Prem", MAC: "aa"}, {Interface: "Microsoft", MAC: "bb"}}
		case executor.AskTable:
			a.Routes = []executor.Route{{Network: "10.1.0.0/16", ASPath: "65001"}, {Network: "10.2.0.0/16", ASPath: "65001"}, {Network: "10.200.0.0/16", ASPath: "65515"}}
		case executor.AskPeers:
			a.Peers = []executor.Peer{{Neighbor: "10.0.0.4", Established: true, Prefixes: 2}, {Neighbor: "10.0.0.5", Established: true, Prefixes: 2}}
		case executor.AskRoutes:
			a.Routes = []executor.Route{{Network: "10.1.0.0/16", ASPath: "12076-65001", Source: "10.0.0.4"}}
		case executor.AskAdvertised:
			a.Routes = []executor.Route{{Network: "10.200.0.0/16"}}
		case executor.AskSets:
			a.Sets = map[string][]string{"10.1.0.0/16": {"/c/a", "/c/b"}, "10.2.0.0/16": {"/c/a", "/c/b"}}
		case executor.AskTests:
		}
		return a
	}
	for _, lane := range p.Questions() {
		for _, q := range lane {
			p.Looks = append(p.Looks, Look{Question: q, Answer: answer(q)})
			for _, q := range Further(p.Looks[len(p.Looks)-1].Answer) {
				p.Looks = append(p.Looks, Look{Question: q, Answer: answer(q)})
			}
		}
	}
}

// seen harms the answers to one question; with an empty link on both links.
func seen(kind executor.QuestionKind, target, link string, change func(*executor.Answer)) func(*Posture) {
	return func(p *Posture) {
		soundLooks(p)
		for i, l := range p.Looks {
			if l.Question.Kind == kind && l.Question.Target == target && (link == "" || l.Question.Link == link) {
				change(p.Looks[i].Answer)
			}
		}
	}
}

// deepHarm has one way to harm what slow reads show, for each rule that needs them.
func deepHarm() map[string]func(*Posture) {
	idle := func(a *executor.Answer) { a.Peers = []executor.Peer{{State: "Idle"}} }
	add := func(routes ...executor.Route) func(*executor.Answer) {
		return func(a *executor.Answer) { a.Routes = append(a.Routes, routes...) }
	}
	return map[string]func(*Posture){
		"no-session":             seen(executor.AskBGP, "/c/a", "", idle),
		"one-session":            seen(executor.AskBGP, "/c/b", "secondary", func(a *executor.Answer) { a.Peers = nil }),
		"arp-missing":            seen(executor.AskARP, "/c/a", "primary", func(a *executor.Answer) { a.ARP = a.ARP[:1] }),
		"prefixes-not-covered":   seen(executor.AskTable, "/c/a", "secondary", add(executor.Route{Network: "10.3.0.0/16", ASPath: "65001"})),
		"longer-prefix":          seen(executor.AskTable, "/c/b", "primary", add(executor.Route{Network: "10.1.7.0/24", ASPath: "65001"})),
		"networks-not-announced": seen(executor.AskTable, "/c/b", "", func(a *executor.Answer) { a.Routes = a.Routes[:2] }),
		"routes-near-limit": seen(executor.AskAdvertised, "/g/1", "", func(a *executor.Answer) {
			for i := range 799 {
				a.Routes = append(a.Routes, executor.Route{Network: fmt.Sprintf("10.200.%d.%d/32", i/256, i%256)})
			}
		}),
		"gateway-routes-differ": seen(executor.AskSets, "/g/1", "", func(a *executor.Answer) { a.Sets["10.2.0.0/16"] = []string{"/c/a"} }),
		"gateway-session-down":  seen(executor.AskPeers, "/g/1", "", func(a *executor.Answer) { a.Peers[1].Established = false }),
		"maintenance-prepended": seen(executor.AskTable, "/c/a", "primary", func(a *executor.Answer) { a.Routes[2].ASPath = strings.Repeat("12076 ", 8) + "65515" }),
		"could-not-look": func(p *Posture) {
			soundLooks(p)
			p.Looks[0].Answer, p.Looks[0].Err = nil, &fault.Error{Op: "read bgp", Kind: fault.Denied, Hint: "give it the role", Err: errors.New("refused")}
		},
	}
}

// A sound estate is told nothing new when it is looked at deeply, and every question
// has been asked: three of each link, four of a gateway.
func TestSoundInDepth(t *testing.T) {
	p := sound()
	soundLooks(&p)
	if len(p.Looks) != 4*3+4 {
		t.Errorf("%d looks", len(p.Looks))
	}
	for _, i := range CheckPosture(p) {
		if i.Rule != "reverse-unproven" {
			t.Errorf("told %s: %s", i.Rule, i.Fact)
		}
	}
}

// Limits are those of the circuit's SKU and of each sort of address.
func TestLimitsOfRoutes(t *testing.T) {
	table := func(n int, format string) func(*executor.Answer) {
		return func(a *executor.Answer) {
			for i := range n {
				a.Routes = append(a.Routes, executor.Route{Network: fmt.Sprintf(format, i/256, i%256), ASPath: "65001"})
			}
		}
	}
	for _, tt := range []struct {
		name, tier string
		harm       func(*executor.Answer)
		want       string // "": nothing is told
	}{
		{"standard, below", "Standard", table(3197, "172.%d.%d.0/24"), ""},
		{"standard, at four fifths", "Standard", table(3198, "172.%d.%d.0/24"), "on-premises announces 3200 IPv4 prefixes over its primary link; the circuit takes 4000"},
		{"premium, the same", "Premium", table(3198, "172.%d.%d.0/24"), ""},
		{"premium", "premium", table(7998, "172.%d.%d.0/24"), "on-premises announces 8000 IPv4 prefixes over its primary link; the circuit takes 10000"},
		{"over the limit", "Standard", table(4000, "172.%d.%d.0/24"), "on-premises announces 4002 IPv4 prefixes over its primary link; the circuit takes 4000"},
		{"IPv6", "Premium", table(80, "fd00:%d:%d::/48"), "on-premises announces 80 IPv6 prefixes over its primary link; the circuit takes 100"},
	} {
		p := sound()
		p.Estate.Circuits[1].Tier = tt.tier
		seen(executor.AskTable, "/c/b", "primary", tt.harm)(&p)
		got := ""
		for _, i := range CheckPosture(p) {
			if i.Rule == "routes-near-limit" {
				got += i.Fact
			}
		}
		if got != tt.want {
			t.Errorf("%s: told %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Without route sets the counts of sessions are compared; a Virtual WAN gateway is asked
// for its route sets only; what is not known is no finding of another rule.
func TestDepthWithLess(t *testing.T) {
	p := sound()
	seen(executor.AskSets, "/g/1", "", func(a *executor.Answer) { a.Sets = nil })(&p)
	for i, l := range p.Looks {
		if l.Question.Kind == executor.AskPeers {
			p.Looks[i].Answer.Peers[1].Prefixes = 1
		}
	}
	if got := told(p); got != "gateway-routes-differ: its sessions bring different numbers of routes: 10.0.0.4 2, 10.0.0.5 1\n" {
		t.Errorf("told %s", got)
	}
	p = sound()
	p.Estate.Gateways[0].Kind = topology.VWAN
	soundLooks(&p)
	if n := len(p.Looks); n != 4*3+1 {
		t.Errorf("%d looks at an estate on Virtual WAN", n)
	}
	p = sound()
	soundLooks(&p)
	for i := range p.Looks {
		p.Looks[i].Answer, p.Looks[i].Err = nil, errors.New("timed out")
	}
	if got := told(p); strings.Count(got, "\n") != len(p.Looks) || strings.Count(got, "could-not-look") != len(p.Looks) {
		t.Errorf("when nothing can be read, told %s", got)
	}
	p = sound()
	seen(executor.AskPeers, "/g/1", "", func(a *executor.Answer) {
		for i := range a.Peers {
			a.Peers[i] = executor.Peer{Neighbor: "10.0.0.4", State: "Idle"}
		}
	})(&p)
	if got := told(p); !strings.Contains(got, "could-not-look: the networks that it announces could not be read: none of its sessions is up\n") {
		t.Errorf("with no session, told %s", got)
	}
}

func told(p Posture) string {
	var out strings.Builder
	for _, i := range CheckPosture(p) {
		if i.Rule != "reverse-unproven" {
			fmt.Fprintf(&out, "%s: %s\n", i.Rule, i.Fact)
		}
	}
	return out.String()
}
