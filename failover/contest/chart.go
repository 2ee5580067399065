package contest

import (
	"fmt"
	"html"
	"strings"
)

// Measures of the chart, in pixels.
const (
	panelWide   = 300
	nameWide    = 190
	barHigh     = 18
	barGap      = 6
	panelAcross = 2
)

// SVG draws the table: a panel for each figure that tells policies apart, a bar for
// each policy. Shorter is better in every panel.
func (r Result) SVG() string {
	var shown []figure
	for _, f := range figures() {
		if f.title != "failovers" && f.unit != "min, 95 %" {
			shown = append(shown, f)
		}
	}
	rowHigh := barHigh + barGap
	panelHigh := 40 + rowHigh*len(r.Scores) + 16
	rows := (len(shown) + panelAcross - 1) / panelAcross
	wide, high := panelAcross*(nameWide+panelWide+60)+20, 64+rows*panelHigh
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="DejaVu Sans, sans-serif" font-size="12">`+"\n", wide, high, wide, high)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", wide, high)
	fmt.Fprintf(&b, `<text x="20" y="28" font-size="17" font-weight="bold" fill="#1a1a2e">Failover policies head to head, %d simulated years, seed %d</text>`+"\n", r.Years, r.Seed)
	fmt.Fprintf(&b, `<text x="20" y="48" fill="#555555">The same incidents and the same observations for every policy. Shorter is better in every panel.</text>`+"\n")
	for i, f := range shown {
		x, y := 20+(i%panelAcross)*(nameWide+panelWide+60), 64+(i/panelAcross)*panelHigh
		r.panel(&b, f, x, y)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws one figure.
func (r Result) panel(b *strings.Builder, f figure, x, y int) {
	most := 0.0
	for _, s := range r.Scores {
		if v, ok := f.of(s, r.Years); ok {
			most = max(most, v)
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold" fill="#1a1a2e">%s <tspan font-weight="normal" fill="#777777">%s</tspan></text>`+"\n", x, y+24, html.EscapeString(f.title), html.EscapeString(f.unit))
	for k, s := range r.Scores {
		top := y + 36 + k*(barHigh+barGap)
		v, ok := f.of(s, r.Years)
		long := 0
		if ok && most > 0 {
			long = int(v / most * (panelWide - 50))
		}
		colour := "#9aa5b1"
		if strings.HasPrefix(s.Name, "erfailover") {
			colour = "#2563eb"
		}
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#333333">%s</text>`, x+nameWide-8, top+13, html.EscapeString(s.Name))
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" rx="2" fill="%s"/>`, x+nameWide, top, max(long, 1), barHigh, colour)
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="#333333">%s</text>`+"\n", x+nameWide+max(long, 1)+6, top+13, r.cell(f, s))
	}
}
