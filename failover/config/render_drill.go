package config

import (
	"strings"

	"erfailover/failover/policy"
)

func (d Drill) tree(secret func(Secret) string) tree {
	t := tree{
		"group": d.Group, "kind": string(d.Kind), "schedule": d.Schedule, "timezone": d.Timezone,
		"hold": formatDuration(d.Hold), "limit": formatDuration(d.Limit), "announce": formatDuration(d.Announce), "jitter": formatDuration(d.Jitter),
	}
	if len(d.Blackout) > 0 {
		var days []any
		for _, b := range d.Blackout {
			days = append(days, b.String())
		}
		t["blackout"] = days
	}
	if d.Link != "" {
		t["link"] = string(d.Link)
	}
	if d.Objective != 0 {
		t["objective"] = formatDuration(d.Objective)
	}
	windows(t, "windows", d.Windows)
	windows(t, "blocked", d.Blocked)
	if len(d.Calendars) > 0 {
		var texts []any
		for _, c := range d.Calendars {
			if strings.Contains(string(c), "://") { // its query may be a key
				texts = append(texts, secret(c))
			} else {
				texts = append(texts, string(c))
			}
		}
		t["calendars"] = texts
	}
	signals(t, "block", d.Block)
	signals(t, "abort", d.Abort)
	return t
}

func windows(t tree, key string, list []policy.Window) {
	var texts []any
	for _, w := range list {
		texts = append(texts, w.Text)
	}
	if texts != nil {
		t[key] = texts
	}
}

func signals(t tree, key string, list []DrillSignal) {
	var trees []any
	for _, s := range list {
		trees = append(trees, s.tree())
	}
	if trees != nil {
		t[key] = trees
	}
}

func (s DrillSignal) tree() tree {
	t := tree{}
	for _, f := range []struct{ key, text string }{{"circuit", s.Circuit}, {"observer", string(s.Observer)}, {"source", s.Source}, {"state", string(s.State)}} {
		if f.text != "" {
			t[f.key] = f.text
		}
	}
	if s.Above != nil {
		t["above"] = *s.Above
	}
	if s.Below != nil {
		t["below"] = *s.Below
	}
	return t
}
