package topology

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxName is the longest name of a circuit or a group, as the configuration takes it.
const maxName = 40

// Propose names circuits and puts gateways into groups, by what was found: gateways
// that use the same circuits in the same order of weights move together, the highest
// weight is home, and equal weights share a tier. weights is by connection ID; a
// connection without one has Azure's default, 0. Circuits that connections name and
// that are not in e are added with their ID alone. Gateways without a connection are
// in no group. The same input gives the same answer.
func Propose(e Estate, weights map[string]int32) Estate {
	out := Estate{Circuits: slices.Clone(e.Circuits), Gateways: slices.Clone(e.Gateways), Connections: slices.Clone(e.Connections)}
	addStrangers(&out)
	slices.SortFunc(out.Circuits, func(a, b Circuit) int { return compare(a.ID, b.ID) })
	nameCircuits(out.Circuits)
	names := map[string]string{}
	for _, c := range out.Circuits {
		names[c.ID] = c.Name
	}
	uses := map[string][]Connection{} // by gateway
	for _, k := range out.Connections {
		uses[k.Gateway] = append(uses[k.Gateway], k)
	}
	groups := map[string]*Group{} // by order of preference
	regions := map[string][]string{}
	slices.SortFunc(out.Gateways, func(a, b Gateway) int { return compare(a.ID, b.ID) })
	for _, gw := range out.Gateways {
		if len(uses[gw.ID]) == 0 {
			continue
		}
		tiers := tiersOf(uses[gw.ID], names, weights)
		key := fmt.Sprint(tiers)
		if groups[key] == nil {
			groups[key] = &Group{Tiers: tiers}
		}
		groups[key].Gateways = append(groups[key].Gateways, gw.ID)
		if !slices.Contains(regions[key], gw.Region) {
			regions[key] = append(regions[key], gw.Region)
		}
	}
	taken := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		g.Name = g.Tiers[0][0]
		if r := regions[key]; len(r) == 1 && r[0] != "" {
			g.Name = plainName(r[0])
		}
		g.Name = unique(g.Name, taken)
		out.Groups = append(out.Groups, *g)
	}
	out.Sort()
	return out
}

// addStrangers adds the circuits that connections name and nobody has listed: of
// subscriptions that were not searched.
func addStrangers(e *Estate) {
	known := map[string]bool{"": true}
	for _, c := range e.Circuits {
		known[c.ID] = true
	}
	for _, k := range e.Connections {
		if !known[k.Circuit] {
			known[k.Circuit] = true
			e.Circuits = append(e.Circuits, Circuit{ID: k.Circuit})
		}
	}
}

// tiersOf orders a gateway's circuits by weight, the highest first.
func tiersOf(conns []Connection, names map[string]string, weights map[string]int32) [][]string {
	type use struct {
		circuit string
		weight  int32
	}
	var uses []use
	for _, k := range conns {
		uses = append(uses, use{names[k.Circuit], weights[k.ID]})
	}
	slices.SortFunc(uses, func(a, b use) int { return cmp.Or(cmp.Compare(b.weight, a.weight), compare(a.circuit, b.circuit)) })
	var tiers [][]string
	for i, u := range uses {
		if i > 0 && u == uses[i-1] {
			continue
		}
		if i > 0 && u.weight == uses[i-1].weight {
			last := &tiers[len(tiers)-1]
			*last = append(*last, u.circuit)
			continue
		}
		tiers = append(tiers, []string{u.circuit})
	}
	return tiers
}

// nameCircuits names circuits after their resources, less what all names begin with:
// er-ashburn and er-chicago are ashburn and chicago.
func nameCircuits(circuits []Circuit) {
	var names []string
	for _, c := range circuits {
		names = append(names, plainName(c.ID[strings.LastIndexByte(c.ID, '/')+1:]))
	}
	cut := sharedPrefix(names)
	taken := map[string]bool{}
	for i := range circuits {
		circuits[i].Name = unique(plainName(names[i][cut:]), taken)
	}
}

// sharedPrefix returns the length of the longest beginning that all names share, that
// ends in a hyphen or underscore, and that leaves something of each.
func sharedPrefix(names []string) int {
	if len(names) < 2 {
		return 0
	}
	first := names[0]
	for n := len(first) - 1; n > 0; n-- {
		if first[n-1] != '-' && first[n-1] != '_' {
			continue
		}
		if !slices.ContainsFunc(names, func(s string) bool { return len(s) <= n || s[:n] != first[:n] }) {
			return n
		}
	}
	return 0
}

// plainName makes a text fit for a name: small letters, digits, - and _, at most 40.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
	s = strings.Trim(s[:min(len(s), maxName)], "-_")
	if s == "" {
		return "unnamed"
	}
	return s
}

// unique returns name, or name-2, name-3 and so on when it is taken.
func unique(name string, taken map[string]bool) string {
	out := name
	for n := 2; taken[out]; n++ {
		end := fmt.Sprintf("-%d", n)
		out = name[:min(len(name), maxName-len(end))] + end
	}
	taken[out] = true
	return out
}
