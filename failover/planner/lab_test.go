package planner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"erfailover/failover/topology"
)

// lab is one group with its weights, drawn as a table: a row a gateway, a column a
// circuit, "-" where there is no connection. Gateways named vwan... are Virtual WAN.
type lab struct {
	est      *topology.Estate
	group    topology.Group
	baseline map[string]Weight
	actual   map[string]Weight
	open     map[string]int32 // what writes that were lost may still bring
	recorded int64
	last     Plan
}

// newLab reads a table. home is how many of the circuits share tier 0.
func newLab(table string, home int) (*lab, error) {
	rows := strings.Split(strings.TrimSpace(table), "\n")
	names := strings.Fields(rows[0])[1:]
	l := &lab{est: &topology.Estate{}, group: topology.Group{Name: "east"}, baseline: map[string]Weight{}, actual: map[string]Weight{}, open: map[string]int32{}}
	for i, n := range names {
		l.est.Circuits = append(l.est.Circuits, topology.Circuit{Name: n, ID: "/circuits/" + n})
		if i > 0 && i < home {
			l.group.Tiers[0] = append(l.group.Tiers[0], n)
			continue
		}
		l.group.Tiers = append(l.group.Tiers, []string{n})
	}
	for _, row := range rows[1:] {
		f := strings.Fields(row)
		kind := topology.VNet
		if strings.HasPrefix(f[0], "vwan") {
			kind = topology.VWAN
		}
		gw := "/gateways/" + f[0]
		l.est.Gateways = append(l.est.Gateways, topology.Gateway{ID: gw, Kind: kind})
		l.group.Gateways = append(l.group.Gateways, gw)
		for i, text := range f[1:] {
			if text == "-" {
				continue
			}
			w, err := parseWeight(text)
			if err != nil {
				return nil, err
			}
			id := l.conn(f[0], names[i])
			l.est.Connections = append(l.est.Connections, topology.Connection{ID: id, Gateway: gw, Circuit: "/circuits/" + names[i]})
			l.actual[id] = w
			if w.Epoch == "" {
				l.baseline[id] = w
			}
		}
	}
	l.est.Groups = []topology.Group{l.group}
	l.est.Sort()
	return l, nil
}

func (l *lab) conn(gateway, circuit string) string { return "/connections/" + gateway + "-" + circuit }

// parseWeight reads "201" or "201/1", a weight and the epoch in its tag.
func parseWeight(text string) (Weight, error) {
	n, tag, _ := strings.Cut(text, "/")
	v, err := strconv.ParseInt(n, 10, 32)
	if err != nil {
		return Weight{}, fmt.Errorf("weight %q: %w", text, err)
	}
	return Weight{Weight: int32(v), Epoch: tag}, nil
}

func (w Weight) text() string {
	if w.Epoch == "" {
		return strconv.Itoa(int(w.Weight))
	}
	return strconv.Itoa(int(w.Weight)) + "/" + w.Epoch
}

// table draws the weights; a star marks what carries a gateway's traffic.
func (l *lab) table(weights map[string]Weight) string {
	var b strings.Builder
	for _, gw := range l.group.Gateways {
		top := Preferred(l.est, l.group, gw, weights)
		fmt.Fprintf(&b, "%-6s", short(gw))
		for _, name := range l.group.Circuits() {
			text := "-"
			if c, ok := l.est.Connection(gw, name); ok {
				if w, read := weights[c.ID]; read {
					text = w.text()
				} else {
					text = "?"
				}
			}
			if slices.Contains(top, name) {
				text += "*"
			}
			fmt.Fprintf(&b, " %s %-8s", name, text)
		}
		b.WriteString("\n")
	}
	return strings.ReplaceAll(trimLines(b.String()), "\n\n", "\n")
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// stepTable draws steps in the order in which they are stored.
func stepTable(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "wave %d  %s %s: %s to %s\n", s.Wave, short(s.Gateway), s.Circuit, s.From.text(), s.To.text())
	}
	return b.String()
}

// after returns the weights once steps have landed on them.
func after(weights map[string]Weight, steps ...Step) map[string]Weight {
	out := maps.Clone(weights)
	for _, s := range steps {
		out[s.Connection] = s.To
	}
	return out
}
