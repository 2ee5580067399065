package config

import (
	"fmt"
	"slices"
	"strings"

	"erfailover/failover/topology"
)

// Draft is a configuration to begin with: what was found in Azure, with the groups
// that topology.Propose makes of it. Every group is in mode observe.
type Draft struct {
	Azure   Azure
	Estate  topology.Estate
	Weights map[string]int32 // by connection ID
	Notes   []string         // what the reader must know, told at the top
}

// Text renders the draft as a file for a person to edit, with comments. Parse takes
// it as it is.
func (d Draft) Text() []byte {
	w := &draftWriter{Draft: d, circuits: map[string]topology.Circuit{}, gateways: map[string]topology.Gateway{}}
	for _, c := range d.Estate.Circuits {
		w.circuits[c.Name] = c
	}
	for _, g := range d.Estate.Gateways {
		w.gateways[g.ID] = g
	}
	w.head()
	w.listCircuits()
	w.listGroups()
	w.leftOut()
	return []byte(w.String())
}

// draftWriter writes a draft, line by line.
type draftWriter struct {
	strings.Builder
	Draft
	circuits map[string]topology.Circuit
	gateways map[string]topology.Gateway
}

func (w *draftWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.Builder, format+"\n", args...)
}

func (w *draftWriter) head() {
	w.line("# A configuration to begin with, from what is in Azure now. It decides and never acts")
	w.line("# until you set a group's mode. Next:")
	w.line("#   erfailover config check FILE       is it usable")
	w.line("#   erfailover check --config FILE     what is wrong or weak about this estate")
	w.line("# Every key with its default is in docs/configuration.md.")
	for _, u := range w.Notes {
		w.line("# NOTE: %s", oneLine(u))
	}
	w.line("version: 1")
	w.line("")
	w.line("azure:")
	w.line("  cloud: %s", w.Azure.Cloud)
	if c := w.Azure.Custom; c != nil {
		w.line("  custom:")
		w.line("    resourceManager: %s", quoted(c.ResourceManager))
		w.line("    audience: %s", quoted(c.Audience))
		w.line("    authority: %s", quoted(c.Authority))
		if c.Metrics != "" {
			w.line("    metrics: %s", quoted(c.Metrics))
			w.line("    metricsAudience: %s", quoted(c.MetricsAudience))
		}
	}
	w.line("  identity: %s # who acts: managed, managed:<client id>, workload or developer", quoted(w.Azure.Identity.String()))
	w.line("")
	w.line("record:")
	w.line("  bolt: ./erfailover.db # one process; for several, and in a function app:")
	w.line("  # blob: {account: https://ACCOUNT.blob.core.windows.net, container: erfailover}")
}

func (w *draftWriter) listCircuits() {
	used := map[string]bool{}
	for _, g := range w.Estate.Groups {
		for _, c := range g.Circuits() {
			used[c] = true
		}
	}
	w.line("")
	w.line("# Names are yours to change, here and in preference below. Add to each circuit what Azure")
	w.line("# does not know: site: where it ends on your side; shares: [conduit or building that it")
	w.line("# shares with another circuit].")
	w.line("circuits:")
	for _, c := range w.Estate.Circuits {
		if !used[c.Name] {
			continue
		}
		w.line("  # %s", describe(c))
		w.line("  %s: {id: %s}", quoted(c.Name), quoted(c.ID))
	}
}

func (w *draftWriter) listGroups() {
	w.line("")
	w.line("# The gateways of a group move together. These use the same circuits in the same order of weights.")
	w.line("groups:")
	weights := map[[2]string]int32{} // gateway and circuit ID
	for _, k := range w.Estate.Connections {
		weights[[2]string{k.Gateway, k.Circuit}] = w.Weights[k.ID]
	}
	for _, g := range w.Estate.Groups {
		w.line("  %s:", quoted(g.Name))
		w.line("    mode: observe # then approve, then automatic, as its verdicts earn trust")
		if len(g.Circuits()) < 2 {
			w.line("    # There is nothing to fail over to: connect these gateways to a second circuit.")
		}
		w.line("    gateways:")
		for _, id := range g.Gateways {
			gw := w.gateways[id]
			w.line("      - %s # %s", quoted(id), oneLine(known(gw.SKU, "SKU not read")+", "+known(gw.Region, "region not read")))
		}
		w.line("    preference: # best first, by the weights now")
		for _, tier := range g.Tiers {
			var names, says []string
			for _, name := range tier {
				c := w.circuits[name]
				names, says = append(names, quoted(name)), append(says, brief(c)+", weight "+spread(g, c, weights))
			}
			text := names[0]
			if len(names) > 1 {
				text = "[" + strings.Join(names, ", ") + "]"
				says = append(says, "equal weights share the traffic")
			}
			w.line("      - %s # %s", text, oneLine(strings.Join(says, "; ")))
		}
	}
}

// leftOut says what was found and is in no group.
func (w *draftWriter) leftOut() {
	in := map[string]bool{}
	for _, g := range w.Estate.Groups {
		for _, id := range append(slices.Clone(g.Gateways), g.Circuits()...) {
			in[id] = true
		}
	}
	w.line("")
	for _, gw := range w.Estate.Gateways {
		if !in[gw.ID] {
			w.line("# Left out: %s has no ExpressRoute connection.", gw.ID)
		}
	}
	for _, c := range w.Estate.Circuits {
		if !in[c.Name] {
			w.line("# Left out: %s, %s, has no connection.", c.ID, describe(c))
		}
	}
}

// spread tells the weight of a circuit's connections in a group, or the span of them.
func spread(g topology.Group, c topology.Circuit, weights map[[2]string]int32) string {
	var all []int32
	for _, gw := range g.Gateways {
		all = append(all, weights[[2]string{gw, c.ID}])
	}
	low, high := slices.Min(all), slices.Max(all)
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d to %d", low, high)
}

// describe says all that was found about a circuit.
func describe(c topology.Circuit) string {
	if c.Provider+c.Port+c.Region+c.Location == "" && c.Bandwidth == 0 {
		return "not read: it is in a subscription that was not searched, or may not be read"
	}
	parts := []string{brief(c)}
	for _, s := range []string{c.Tier, c.Family, c.Region} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return oneLine(strings.Join(parts, ", "))
}

// brief says who carries a circuit, where, and how much it takes.
func brief(c topology.Circuit) string {
	who := c.Provider
	if c.Port != "" {
		who = "ExpressRoute Direct"
	}
	return oneLine(known(who, "provider not read") + ", " + known(c.Location, "location not read") + ", " + c.Speed())
}

func known(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// oneLine makes a text of others fit for a comment.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd {
			return ' '
		}
		return r
	}, s)
}

// quoted writes a scalar so that it is read back as the same text.
func quoted(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/_.()-:", r))
	}) < 0
	letter := s != "" && (s[0] == '/' || 'a' <= s[0] && s[0] <= 'z')
	if plain && letter && !strings.HasSuffix(s, ":") && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
