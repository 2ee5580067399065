package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"erfailover/events"
	"erfailover/failover/policy"
)

func (d *Drill) read(v node) {
	v.object("a mapping with group, kind and schedule", fields{
		"group":    func(v node) { d.Group, _ = v.text("a group's name") },
		"kind":     func(v node) { enum(v, &d.Kind, drillKinds()...) },
		"schedule": func(v node) { d.Schedule, _ = v.text(wantCron) },
		"timezone": func(v node) { d.Timezone, _ = v.text("an IANA time zone name") },
		"hold":     func(v node) { v.duration(&d.Hold) },
		"limit":    func(v node) { v.duration(&d.Limit) },
		"announce": func(v node) { v.duration(&d.Announce) },
		"link":     func(v node) { enum(v, &d.Link, events.Primary, events.Secondary) },
		"jitter":   func(v node) { v.duration(&d.Jitter) },
		"objective": func(v node) {
			if v.duration(&d.Objective) && d.Objective == 0 {
				v.fail(v.got(), "1s to 24h; without the key the group's objective counts")
			}
		},
		"blackout": func(v node) {
			for _, s := range v.texts("a list of dates", wantDates) {
				first, last, ranged := strings.Cut(s, "/")
				if !ranged {
					last = first
				}
				d.Blackout = append(d.Blackout, Dates{first, last})
			}
		},
		"calendars": func(v node) {
			v.secret = true
			for _, s := range v.texts("a list of calendars", wantCalendar) {
				d.Calendars = append(d.Calendars, Secret(s))
			}
		},
		"windows": func(v node) { d.Windows = v.windows() },
		"blocked": func(v node) { d.Blocked = v.windows() },
		"block":   func(v node) { d.Block = v.drillSignals() },
		"abort":   func(v node) { d.Abort = v.drillSignals() },
	})
}

func (n node) drillSignals() []DrillSignal {
	var out []DrillSignal
	for _, item := range n.items("a list of signals") {
		var s DrillSignal
		item.object("a mapping like {circuit: chicago, state: degraded}", fields{
			"circuit":  func(v node) { s.Circuit, _ = v.text("a circuit's name") },
			"observer": func(v node) { enum(v, &s.Observer, observers()...) },
			"source":   func(v node) { s.Source, _ = v.text("the name of a rule, metric or monitor") },
			"state":    func(v node) { enum(v, &s.State, badStates()...) },
			"above":    func(v node) { s.Above = new(float64); v.number(s.Above) },
			"below":    func(v node) { s.Below = new(float64); v.number(s.Below) },
		})
		out = append(out, s)
	}
	return out
}

const wantWindow = `a window like "Mon-Fri 20:00-06:00 America/New_York"`

// windows reads one window or a list of them.
func (n node) windows() []policy.Window {
	items := []node{n}
	if n.yaml.Kind == yaml.SequenceNode {
		items = n.items("a list of windows")
	}
	var out []policy.Window
	for _, item := range items {
		s, ok := item.text(wantWindow)
		if !ok {
			continue
		}
		w, err := policy.ParseWindow(s)
		if err != nil {
			item.fail(item.got(), wantWindow+"; "+strings.TrimPrefix(err.Error(), "window: "))
			continue
		}
		out = append(out, w)
	}
	return out
}
