package report

import (
	"slices"
	"strings"

	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// Narrow leaves of one look at the estate the groups that are seen and what belongs
// to them. sees is asked for names of groups; nil leaves everything.
func Narrow(st Status, e topology.Estate, sees func(group string) bool) (Status, topology.Estate) {
	if sees == nil {
		return st, e
	}
	st.Groups = slices.DeleteFunc(slices.Clone(st.Groups), func(g GroupStatus) bool { return !sees(g.Name) })
	st.Unknown = 0
	var out topology.Estate
	for _, g := range e.Groups {
		if sees(g.Name) {
			out.Groups = append(out.Groups, g)
		}
	}
	circuits, gateways := map[string]bool{}, map[string]bool{}
	for _, g := range out.Groups {
		for _, c := range g.Circuits() {
			circuits[c] = true
		}
		for _, gw := range g.Gateways {
			gateways[gw] = true
		}
	}
	for _, c := range e.Circuits {
		if circuits[c.Name] {
			out.Circuits = append(out.Circuits, c)
		}
	}
	for _, gw := range e.Gateways {
		if gateways[gw.ID] {
			out.Gateways = append(out.Gateways, gw)
		}
	}
	for _, cn := range e.Connections {
		if gateways[cn.Gateway] {
			out.Connections = append(out.Connections, cn)
		}
	}
	return st, out
}

// NarrowEntries leaves of journal entries those that are about no group or about one
// that is seen. nil leaves all.
func NarrowEntries(list []record.Entry, sees func(group string) bool) []record.Entry {
	if sees == nil {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(e record.Entry) bool { return e.Group != "" && !sees(e.Group) })
}

// SeesStream reports whether a journal stream may be read by whoever sees those
// groups: a group's own, and those of its circuits. The estate's is for those who
// see everything (nil).
func SeesStream(e topology.Estate, stream string, sees func(group string) bool) bool {
	if sees == nil {
		return true
	}
	kind, name, _ := strings.Cut(stream, ".")
	return slices.ContainsFunc(e.Groups, func(g topology.Group) bool {
		return sees(g.Name) && (kind == "group" && g.Name == name || kind == "circuit" && slices.Contains(g.Circuits(), name))
	})
}
