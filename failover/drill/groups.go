package drill

import (
	"slices"
	"strings"
)

// Location returns the peering location that an evacuation leaves: that of the home
// circuit; "" when it is not known.
func Location(in Input) string {
	g, _ := in.Estate.Group(in.Spec.Group)
	for _, name := range g.Home() {
		if c, ok := in.Estate.Circuit(name); ok && c.Location != "" {
			return c.Location
		}
	}
	return ""
}

// Groups returns the groups that a drill concerns: its own, and with an evacuation
// every other one that has traffic at the location that is left.
func Groups(s Spec, in Input) []string {
	if s.Kind != Evacuate {
		return []string{s.Group}
	}
	where := Location(in)
	if where == "" {
		return nil
	}
	var out []string
	for _, g := range in.Status.Groups {
		if slices.ContainsFunc(g.Active, func(name string) bool {
			c, ok := in.Estate.Circuit(name)
			return ok && strings.EqualFold(c.Location, where)
		}) {
			out = append(out, g.Name)
		}
	}
	slices.Sort(out)
	return out
}
