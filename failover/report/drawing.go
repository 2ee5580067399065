package report

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// Drawing is an estate as a picture: its groups, which circuits they use, and at what
// weight.
type Drawing struct {
	Estate  topology.Estate
	Weights map[string]int32 // by connection ID
}

// drawn is one group of a drawing.
type drawn struct {
	name     string
	gateways []string
	circuits []drawnCircuit
}

type drawnCircuit struct {
	name, what string
	weight     string
	home       bool
}

// groups prepares the groups, with what is said of each circuit.
func (d Drawing) groups() []drawn {
	weights, circuits := map[[2]string]int32{}, map[string]topology.Circuit{}
	for _, k := range d.Estate.Connections {
		weights[[2]string{k.Gateway, k.Circuit}] = d.Weights[k.ID]
	}
	for _, c := range d.Estate.Circuits {
		circuits[c.Name] = c
	}
	var out []drawn
	for _, g := range d.Estate.Groups {
		one := drawn{name: g.Name}
		for _, id := range g.Gateways {
			one.gateways = append(one.gateways, record.Clean(name(id), 60))
		}
		for _, n := range g.Circuits() {
			c := circuits[n]
			var all []int32
			for _, gw := range g.Gateways {
				all = append(all, weights[[2]string{gw, c.ID}])
			}
			slices.Sort(all)
			text := fmt.Sprint(all[0])
			if last := all[len(all)-1]; last != all[0] {
				text = fmt.Sprintf("%d-%d", all[0], last)
			}
			one.circuits = append(one.circuits, drawnCircuit{name: n, what: whatItIs(c), weight: text, home: slices.Contains(g.Home(), n)})
		}
		out = append(out, one)
	}
	return out
}

func whatItIs(c topology.Circuit) string {
	who := c.Provider
	if c.Port != "" {
		who = "Direct"
	}
	var parts []string
	for _, s := range []string{who, c.Location, c.Speed()} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return record.Clean(strings.Join(parts, ", "), 60)
}

// mostDrawn is how many groups a drawing for the terminal shows.
const mostDrawn = 40

// Text draws for a terminal, 72 columns wide.
func (d Drawing) Text() string {
	var b strings.Builder
	groups := d.groups()
	for i, g := range groups {
		if i == mostDrawn {
			fmt.Fprintf(&b, "and %d more groups\n", len(groups)-mostDrawn)
			break
		}
		fmt.Fprintf(&b, "%s\n", g.name)
		for _, line := range wrapped(g.gateways, 66) {
			fmt.Fprintf(&b, "  │ %s\n", line)
		}
		for j, c := range g.circuits {
			corner := "├──"
			if j == len(g.circuits)-1 {
				corner = "└──"
			}
			role := ""
			if c.home {
				role = "  home"
			}
			fmt.Fprintf(&b, "  %s %5s ── %s%s\n", corner, c.weight, c.name, role)
			rail := "│"
			if j == len(g.circuits)-1 {
				rail = " "
			}
			fmt.Fprintf(&b, "  %s           %s\n", rail, c.what)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// wrapped joins words by commas into lines of at most width columns.
func wrapped(words []string, width int) []string {
	var lines []string
	line := ""
	for _, w := range words {
		switch {
		case line == "":
			line = w
		case len(line)+2+len(w) > width:
			lines, line = append(lines, line+","), w
		default:
			line += ", " + w
		}
	}
	return append(lines, line)
}

// Measures of the SVG, in its units.
const (
	svgWidth = 760
	svgRow   = 46
	svgHead  = 40
)

// SVG draws for a browser or a document.
func (d Drawing) SVG() []byte {
	var b, out strings.Builder
	y := 20
	for _, g := range d.groups() {
		y = g.svg(&b, y)
	}
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="system-ui, sans-serif" font-size="14">`+"\n", svgWidth, y)
	out.WriteString("<title>Gateways, circuits and routing weights</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n")
	out.WriteString(b.String())
	out.WriteString("</svg>\n")
	return []byte(out.String())
}

// svg draws one group from y on and returns where the next one begins.
func (g drawn) svg(b *strings.Builder, y int) int {
	text := func(x, y int, attrs, s string) {
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" %s>%s</text>\n", x, y, attrs, html.EscapeString(s))
	}
	box := func(x, y, w int, fill string) {
		fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"36\" rx=\"6\" fill=\"%s\" stroke=\"#556\"/>\n", x, y, w, fill)
	}
	text(20, y+18, `font-weight="700" font-size="16"`, g.name)
	top := y + svgHead
	middle := func(i, n, rows int) int { return top + (rows-n)*svgRow/2 + i*svgRow }
	rows := max(len(g.gateways), len(g.circuits))
	for i := range g.gateways {
		for j, c := range g.circuits {
			stroke := `stroke="#99a" stroke-width="1.2"`
			if c.home {
				stroke = `stroke="#06c" stroke-width="2.5"`
			}
			fmt.Fprintf(b, "<line x1=\"240\" y1=\"%d\" x2=\"440\" y2=\"%d\" %s/>\n", middle(i, len(g.gateways), rows)+18, middle(j, len(g.circuits), rows)+18, stroke)
		}
	}
	for i, gw := range g.gateways {
		at := middle(i, len(g.gateways), rows)
		box(20, at, 220, "#eef2f7")
		squeeze := "" // a long name is drawn narrower, so that it stays in its box
		if len(gw) > 26 {
			squeeze = `textLength="196" lengthAdjust="spacingAndGlyphs"`
		}
		text(32, at+23, squeeze, gw)
	}
	for j, c := range g.circuits {
		at := middle(j, len(g.circuits), rows)
		fill, weight := "#fff", "weight "+c.weight
		if c.home {
			fill, weight = "#dcebff", weight+", home"
		}
		box(440, at, 300, fill)
		text(452, at+15, `font-weight="600"`, c.name+" · "+weight)
		text(452, at+31, `font-size="11" fill="#445"`, c.what)
	}
	return top + rows*svgRow + 24
}
