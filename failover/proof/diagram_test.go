package proof

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var drawing = flag.String("svg", "", "with -seed: draw what happened into this file")

// mark is one thing that happened, for the diagram.
type mark struct {
	at, end time.Time
	lane    string // an instance, a gateway, "world"
	what    string // "effect", "stall", "dead", "flight", "land", "decide", "fault", "violated"
	text    string
	to      string // flights end on this lane
}

// mark keeps something for the diagram when a trace is kept.
func (t *trace) mark(m mark) {
	if !t.keep {
		return
	}
	if m.at.IsZero() {
		m.at = t.w.now
	}
	if m.end.IsZero() {
		m.end = m.at
	}
	t.marks = append(t.marks, m)
}

const (
	gutter  = 150 // pixels for the names of the lanes
	perSec  = 4   // pixels of a second
	laneGap = 48
)

// diagram draws a run as space against time: a line for each circuit (red dead, orange
// grey, yellow lame), each instance and each gateway, effects as ticks, writes as arrows from who sent them to where they land.
func (w *world) diagram() []byte {
	var lanes []string
	lanes = append(lanes, "world")
	for _, c := range w.est.Circuits {
		lanes = append(lanes, c.Name)
	}
	for _, i := range w.instances {
		lanes = append(lanes, i.name)
	}
	for _, gw := range w.est.Gateways {
		lanes = append(lanes, short(gw.ID))
	}
	x := func(at time.Time) float64 { return gutter + at.Sub(origin).Seconds()*perSec }
	y := func(lane string) int { return 50 + laneGap*max(0, slices.Index(lanes, lane)) }
	width, height := int(x(w.now))+40, 50+laneGap*len(lanes)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", width, height)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for _, lane := range lanes {
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="bold">%s</text><line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#bbb"/>`+"\n", y(lane)+4, escaped(lane), gutter, y(lane), width, y(lane))
	}
	for at := origin; !at.After(w.now); at = at.Add(30 * time.Second) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="24" x2="%.1f" y2="%d" stroke="#eee"/><text x="%.1f" y="18" fill="#666">%s</text>`+"\n", x(at), x(at), height, x(at), at.Sub(origin))
	}
	for _, name := range sortedKeys(w.truth.spans) {
		for k, span := range w.truth.spans[name] {
			until := w.now
			if k+1 < len(w.truth.spans[name]) {
				until = w.truth.spans[name][k+1].from
			}
			if span.is != fine && until.After(origin) {
				fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="14" fill="%s"><title>%s %s</title></rect>`+"\n", x(span.from), y(name)-7, max(x(until)-x(span.from), 1), colours(span.is), escaped(name), span.is)
			}
		}
	}
	for k, m := range w.trace.marks {
		b.WriteString(m.draw(x, y, k))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw returns one mark; k staggers the words so that neighbours can be read.
func (m mark) draw(x func(time.Time) float64, y func(string) int, k int) string {
	at, end, lane := x(m.at), x(m.end), y(m.lane)
	words := func(colour string) string {
		return fmt.Sprintf(`<text x="%.1f" y="%d" fill="%s">%s</text>`+"\n", at+3, lane-6-12*(k%3), colour, escaped(m.text))
	}
	title := "<title>" + escaped(m.at.Sub(origin).String()+" "+m.text) + "</title>"
	switch m.what {
	case "effect":
		return fmt.Sprintf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#467">%s</line>`+"\n", at, lane-4, at, lane+4, title)
	case "stall":
		return fmt.Sprintf(`<rect x="%.1f" y="%d" width="%.1f" height="10" fill="#fd8">%s</rect>`+"\n", at, lane-5, end-at, title)
	case "dead":
		return fmt.Sprintf(`<rect x="%.1f" y="%d" width="%.1f" height="10" fill="#999">%s</rect>`+"\n", at, lane-5, max(end-at, 2), title) + words("#555")
	case "flight":
		return fmt.Sprintf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#27b" stroke-width="1.5">%s</line><circle cx="%.1f" cy="%d" r="3" fill="#27b"/>`+"\n", at, lane, end, y(m.to), title, end, y(m.to))
	case "land":
		return fmt.Sprintf(`<circle cx="%.1f" cy="%d" r="5" fill="#184">%s</circle>`+"\n", at, lane, title) + words("#184")
	case "violated":
		return fmt.Sprintf(`<line x1="%.1f" y1="24" x2="%.1f" y2="4000" stroke="#c00" stroke-width="2">%s</line>`+"\n", at, at, title) + words("#c00")
	}
	return fmt.Sprintf(`<circle cx="%.1f" cy="%d" r="3" fill="#a50">%s</circle>`+"\n", at, lane, title) + words("#a50")
}

// colours returns what a circuit's condition is drawn in.
func colours(is condition) string {
	switch is {
	case dead:
		return "#c33"
	case grey:
		return "#e83"
	case lame:
		return "#ec4"
	case fine:
	}
	return "none"
}

func escaped(s string) string {
	var b strings.Builder
	if xml.EscapeText(&b, []byte(s)) != nil {
		return "?"
	}
	return b.String()
}

// write draws the run into the file of -svg.
func (w *world) write(t *testing.T) {
	if *drawing == "" {
		return
	}
	if err := os.WriteFile(*drawing, w.diagram(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("drawn into %s", *drawing)
}

// TestDiagram: a run that breaks a promise is drawn with every send, every landing
// and what was broken, as one well-formed picture.
func TestDiagram(t *testing.T) {
	w := newRun(50001, func(w *world) { w.mutant, w.trace.keep = mutant{clobber: true}, true })
	w.play()
	if len(w.judge.found) == 0 {
		t.Fatal("nothing was found")
	}
	picture := w.diagram()
	d := xml.NewDecoder(bytes.NewReader(picture))
	for {
		tok, err := d.Token()
		if tok == nil {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(what string) int {
		return len(slices.Collect(func(yield func(mark) bool) {
			for _, m := range w.trace.marks {
				if m.what == what && !yield(m) {
					return
				}
			}
		}))
	}
	if got := count("flight"); got == 0 || got < w.azure.lands {
		t.Errorf("%d sends drawn, %d landed", got, w.azure.lands)
	}
	if got := count("land"); got != w.azure.lands {
		t.Errorf("%d landings drawn, of %d", got, w.azure.lands)
	}
	if got := count("violated"); got != len(w.judge.found) {
		t.Errorf("%d findings drawn, of %d", got, len(w.judge.found))
	}
}

// FuzzSim plays the story of one outage with deaths and faults that the bytes choose,
// so that coverage leads to rare branches.
func FuzzSim(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 40, 1, 90, 0, 3, 7})
	f.Add([]byte{2, 120, 1, 200, 1, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		var plan []death
		for range next() % 4 {
			plan = append(plan, death{80 + next()*5, next()%2 == 1})
		}
		s := tales()[next()%len(tales())]
		w := newRun(uint64(77+next()), func(w *world) {
			s.world(w)
			for _, kind := range sortedKeys(kinds()) {
				if b := next(); b%4 == 1 {
					w.swarm.rates[kind] = kinds()[kind] * float64(b) / 255
				}
			}
		})
		w.kill = plan
		w.truth.force("ashburn", origin.Add(70*time.Second), origin.Add(150*time.Second), dead)
		w.play()
		for _, found := range w.judge.found {
			t.Errorf("%s", found)
		}
	})
}
