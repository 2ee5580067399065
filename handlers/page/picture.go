package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"erfailover/failover/health"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// The picture's grid, in units of the drawing. It is drawn for a screen that is
// 360 units wide and grows with the screen.
const (
	wide      = 360
	siteX     = 4
	siteW     = 62
	circuitX  = 104
	circuitW  = 112
	circuitH  = 62
	gatewayX  = 266
	gatewayW  = 90
	portStep  = 15 // between two connections of a gateway
	gap       = 10
	headRoom  = 18
	maxDrawn  = 16 // circuits or gateways in one picture
	nameChars = 15
)

// picture is a drawing, laid out.
type picture struct {
	H        int
	Title    string
	Sites    []box
	Circuits []circuitBox
	Gateways []gatewayBox
	Links    []line // site to circuit: two each
	Lines    []line // circuit to gateway, the carrying ones last
	Left     int    // what did not fit
}

// box is a named rectangle.
type box struct {
	X, Y, W, H, Mid int
	Name            string
}

// circuitBox is one circuit.
type circuitBox struct {
	box
	Provider, Location string
	State, Mark        string
	Carries            bool
}

// gatewayBox is one gateway.
type gatewayBox struct {
	box
	Group string
}

// line is one link or connection.
type line struct {
	X1, Y1, X2, Y2 int
	Class          string // carries, standby, drained, dead; up, down, unknown
	Label          string
	LX, LY         int
	Means          string
}

// drawGroup draws one group.
func drawGroup(look Look, g report.GroupStatus) *picture {
	return draw(look, []report.GroupStatus{g})
}

// drawEstate draws all groups.
func drawEstate(look Look) *picture { return draw(look, look.Status.Groups) }

// drawing is what draw works on.
type drawing struct {
	*picture
	look   Look
	groups []report.GroupStatus
	port   map[string]box // gateway ID to its box
	at     map[string]int // circuit name to its place among Circuits
}

// draw lays out sites on the left, circuits in the middle by location and provider,
// gateways on the right. nil when there is nothing to draw.
func draw(look Look, groups []report.GroupStatus) *picture {
	d := &drawing{picture: &picture{}, look: look, groups: groups, port: map[string]box{}, at: map[string]int{}}
	beliefs := map[string]health.Belief{}
	active := map[string]bool{}
	for _, g := range groups {
		for _, b := range g.Circuits {
			if old, seen := beliefs[b.Circuit]; !seen || grave(b.State) < grave(old.State) {
				beliefs[b.Circuit] = b
			}
		}
		for _, name := range g.Active {
			active[name] = true
		}
	}
	circuits := d.circuits(beliefs)
	if len(circuits) == 0 {
		return nil
	}
	d.gateways()
	high := max(len(circuits)*(circuitH+gap), d.bottom()-headRoom)
	step := high / len(circuits)
	for i, c := range circuits {
		b := beliefs[c.Name]
		d.at[c.Name] = i
		y := headRoom + i*step + (step-circuitH)/2
		d.Circuits = append(d.Circuits, circuitBox{
			box:      box{circuitX, y, circuitW, circuitH, y + circuitH/2, clip(c.Name, nameChars)},
			Provider: clip(orElse(c.Provider, "Direct"), 19), Location: clip(orElse(c.Location, "location not read"), 19),
			State: word(b.State), Mark: mark(b.State), Carries: active[c.Name],
		})
	}
	d.H = headRoom + high + 4
	d.sites(circuits, beliefs)
	d.connect(beliefs)
	d.Title = d.sentence()
	return d.picture
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// circuits returns the circuits of the groups by site, location and provider.
func (d *drawing) circuits(beliefs map[string]health.Belief) []topology.Circuit {
	var out []topology.Circuit
	for name := range beliefs {
		c, ok := d.look.Estate.Circuit(name)
		if !ok {
			c = topology.Circuit{Name: name}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b topology.Circuit) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Location, b.Location), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Name, b.Name))
	})
	if len(out) > maxDrawn {
		d.Left += len(out) - maxDrawn
		slices.SortStableFunc(out, func(a, b topology.Circuit) int {
			return cmp.Compare(grave(beliefs[a.Name].State), grave(beliefs[b.Name].State))
		})
		out = out[:maxDrawn]
	}
	return out
}

// gateways places the gateways of the groups, with a port for each connection.
func (d *drawing) gateways() {
	y := headRoom
	for _, g := range d.groups {
		var ids []string
		ports := map[string]int{}
		for _, w := range g.Weights {
			if ports[w.Gateway]++; ports[w.Gateway] == 1 {
				ids = append(ids, w.Gateway)
			}
		}
		for _, id := range ids {
			if len(d.Gateways) == maxDrawn {
				d.Left++
				continue
			}
			h := 34 + max(0, min(ports[id], maxDrawn)-1)*portStep
			b := box{gatewayX, y, gatewayW, h, y + h/2, clip(id[strings.LastIndexByte(id, '/')+1:], 13)}
			v := gatewayBox{box: b}
			if len(d.groups) > 1 {
				v.Group = clip(g.Name, 13)
			}
			d.Gateways = append(d.Gateways, v)
			d.port[id] = b
			y += h + gap
		}
	}
}

func (d *drawing) bottom() int {
	if len(d.Gateways) == 0 {
		return headRoom
	}
	last := d.Gateways[len(d.Gateways)-1]
	return last.Y + last.H + gap
}

// sites places the sites beside their circuits and draws both links of each.
func (d *drawing) sites(circuits []topology.Circuit, beliefs map[string]health.Belief) {
	for i := 0; i < len(circuits); {
		k := i
		for k < len(circuits) && circuits[k].Site == circuits[i].Site {
			k++
		}
		top, end := d.Circuits[i].box, d.Circuits[k-1].box
		b := box{X: siteX, Y: top.Y, W: siteW, H: end.Y + end.H - top.Y, Name: clip(orElse(circuits[i].Site, "on-prem"), 9)}
		b.Mid = b.Y + b.H/2
		d.Sites = append(d.Sites, b)
		i = k
	}
	for i, c := range circuits {
		for n, name := range []string{"P", "S"} {
			state := beliefs[c.Name].Links[n]
			y := d.Circuits[i].Y + 20 + n*22
			l := line{X1: siteX + siteW, Y1: y, X2: circuitX, Y2: y, LX: (siteX + siteW + circuitX) / 2, LY: y - 3, Class: "unknown", Label: name + "?"}
			switch state {
			case health.Healthy, health.Recovering:
				l.Class, l.Label = "up", name
			case health.Down, health.Suspect:
				l.Class, l.Label = "down", name+" ✖"
			case health.Degraded:
				l.Class, l.Label = "down", name+" ◐"
			case health.Unknown:
			}
			l.Means = []string{"primary", "secondary"}[n] + " link of " + label(c.Name) + ": " + word(state)
			d.Links = append(d.Links, l)
		}
	}
}

// connect draws the connections: the carrying ones thick and last, so that nothing
// lies over them.
func (d *drawing) connect(beliefs map[string]health.Belief) {
	used := map[string]int{}
	for _, g := range d.groups {
		for _, w := range g.Weights {
			gw, ok := d.port[w.Gateway]
			i, known := d.at[w.Circuit]
			if !ok || !known || used[w.Gateway] == maxDrawn {
				continue
			}
			c := d.Circuits[i]
			y := gw.Y + 25 + used[w.Gateway]*portStep
			used[w.Gateway]++
			l := line{X1: circuitX + circuitW, Y1: c.Mid, X2: gatewayX, Y2: y, Label: strconv.Itoa(int(w.Now)), LX: gatewayX - 3, LY: y + 4}
			dead := beliefs[w.Circuit].State == health.Down
			switch {
			case w.Carries && dead:
				l.Class, l.Label = "carries dead", "✖ "+l.Label
			case w.Carries:
				l.Class, l.Label = "carries", "▶ "+l.Label
			case dead:
				l.Class, l.Label = "dead", "✖ "+l.Label
			case slices.Contains(g.Home, w.Circuit) && !g.AtHome:
				l.Class = "drained"
			default:
				l.Class = "standby"
			}
			l.Means = label(w.Circuit) + " to " + short(w.Gateway) + ", weight " + strconv.Itoa(int(w.Now)) + ": " + l.Class
			d.Lines = append(d.Lines, l)
		}
	}
	slices.SortStableFunc(d.Lines, func(a, b line) int {
		return cmp.Compare(strings.Index(a.Class, "carries"), strings.Index(b.Class, "carries"))
	})
}

// sentence says the picture in words.
func (d *drawing) sentence() string {
	var parts []string
	for i, g := range d.groups {
		if i == 4 {
			parts = append(parts, "and others")
			break
		}
		parts = append(parts, "traffic of "+label(g.Name)+" flows over "+carries(g))
	}
	return capital(strings.Join(parts, "; ")) + "."
}
