package shadow

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"erfailover/failover/record"
)

// Spans around an incident in which an alarm still belongs to it.
const (
	alarmBefore = 10 * time.Minute // an event time may lie before we believed
	alarmAfter  = 15 * time.Minute // the activity log is that late
)

// lateAfter is how long after the first alarm another one is late.
const lateAfter = time.Minute

// Said is what one observer did in one incident.
type Said string

const (
	First  Said = "first"  // it was the first to call the circuit bad
	Prompt Said = "prompt" // within a minute of the first
	Late   Said = "late"   //
	Wrong  Said = "wrong"  // it called the circuit good more than a minute before it was
	Mute   Said = "silent" // it watches the circuit and said nothing
)

// Alarm is what one observer said in one incident.
type Alarm struct {
	Observer string    `json:"observer"`
	Said     Said      `json:"said"`
	At       time.Time `json:"at,omitzero"`      // event time of its first bad news; of its good news when it was wrong
	LateMS   int64     `json:"late_ms,omitzero"` // after the first alarm; wrong: before the circuit was back
	Source   string    `json:"source,omitzero"`
}

// Incident is one confirmed outage of a circuit: some group believed it down.
type Incident struct {
	Circuit string    `json:"circuit"`
	BadAt   time.Time `json:"bad_at"`
	DownAt  time.Time `json:"down_at"`          // when it was first believed down
	BackAt  time.Time `json:"back_at,omitzero"` // zero: not yet
	Alarms  []Alarm   `json:"alarms"`           // by observer

	groups map[string]bool // that believe it is bad
}

// Observer is how one kind of source did over all incidents.
type Observer struct {
	Observer  string `json:"observer"`
	Incidents int    `json:"incidents"` // in which it could have spoken
	First     int    `json:"first"`
	Prompt    int    `json:"prompt"`
	Late      int    `json:"late"`
	Wrong     int    `json:"wrong"`
	Silent    int    `json:"silent"`
	False     int    `json:"false_alarms"` // bad news that no incident followed
	LateP50MS int64  `json:"late_p50_ms,omitzero"`
}

// Quality is the quality of the alarms about an estate.
type Quality struct {
	Incidents []Incident `json:"incidents"` // oldest first
	Observers []Observer `json:"observers"` // by name
	Untested  []string   `json:"untested"`  // circuits about which no alarm has ever arrived: nobody knows that their alert rules work
}

// Watch says who is known to watch each circuit: observers by circuit.
type Watch map[string][]string

// Alarms judges who spoke in each incident, from the entries of the circuits'
// streams. An observer that has ever spoken about a circuit watches it, and so does
// whom watch names. Our own read is asked and raises no alarm: it is left out.
func Alarms(entries []record.Entry, watch Watch) Quality {
	about := map[string][]record.Entry{}
	for _, e := range entries {
		if e.Circuit != "" {
			about[e.Circuit] = append(about[e.Circuit], e)
		}
	}
	for name := range watch { // order-free: fills a map
		if _, known := about[name]; !known {
			about[name] = nil
		}
	}
	q := Quality{Incidents: []Incident{}, Observers: []Observer{}, Untested: []string{}}
	sums, lates := map[string]*Observer{}, map[string][]int64{}
	sum := func(o string) *Observer {
		if sums[o] == nil {
			sums[o] = &Observer{Observer: o}
		}
		return sums[o]
	}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		of := about[name]
		slices.SortStableFunc(of, func(a, b record.Entry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq)) })
		incidents := incidentsOf(name, of)
		bad := news(of, "down", "degraded")
		if len(bad) == 0 {
			q.Untested = append(q.Untested, name)
		}
		watching := watchers(of, watch[name])
		taken := map[string]bool{}
		for i := range incidents {
			incidents[i].hear(bad, news(of, "up"), watching, taken)
			for _, a := range incidents[i].Alarms {
				sum(a.Observer).count(a)
				if a.Said == Late {
					lates[a.Observer] = append(lates[a.Observer], a.LateMS)
				}
			}
		}
		for _, n := range bad {
			if !taken[n.id] {
				sum(n.observer).False++
			}
		}
		q.Incidents = append(q.Incidents, incidents...)
	}
	slices.SortStableFunc(q.Incidents, func(a, b Incident) int { return a.BadAt.Compare(b.BadAt) })
	for _, o := range slices.Sorted(maps.Keys(sums)) {
		s := *sums[o]
		if l := lates[o]; len(l) > 0 {
			slices.Sort(l)
			s.LateP50MS = l[(len(l)-1)/2]
		}
		q.Observers = append(q.Observers, s)
	}
	return q
}

func (o *Observer) count(a Alarm) {
	o.Incidents++
	switch a.Said {
	case First:
		o.First++
	case Prompt:
		o.Prompt++
	case Late:
		o.Late++
	case Wrong:
		o.Wrong++
	case Mute:
		o.Silent++
	}
}

// incidentsOf finds the spells in which a circuit was believed down, over all groups
// together.
func incidentsOf(name string, of []record.Entry) []Incident {
	var out []Incident
	cur := Incident{Circuit: name, groups: map[string]bool{}}
	for _, e := range of {
		if e.Code != codeState {
			continue
		}
		to := e.Fields["to"]
		switch {
		case troubled(to):
			if len(cur.groups) == 0 {
				cur = Incident{Circuit: name, BadAt: e.At, groups: map[string]bool{}}
			}
			cur.groups[e.Group] = true
			if to == "down" && cur.DownAt.IsZero() {
				cur.DownAt = e.At
			}
		case cur.groups[e.Group]:
			delete(cur.groups, e.Group)
			if len(cur.groups) == 0 && !cur.DownAt.IsZero() {
				cur.BackAt = e.At
				out = append(out, cur)
			}
		}
	}
	if len(cur.groups) > 0 && !cur.DownAt.IsZero() {
		out = append(out, cur)
	}
	return out
}

// piece is one piece of news.
type piece struct {
	id, observer, source string
	at                   time.Time
}

// news picks the news of some states, in the order of their event times.
func news(of []record.Entry, states ...string) []piece {
	var out []piece
	for _, e := range of {
		if e.Code != codeSignal || !slices.Contains(states, e.Fields["state"]) || e.Fields["observer"] == "read" || skipped(e.Reasons) {
			continue
		}
		p := piece{e.Fields["signal"], e.Fields["observer"], e.Fields["source"], e.At}
		if at, err := time.Parse(time.RFC3339Nano, e.Fields["at"]); err == nil {
			p.at = at
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b piece) int { return a.at.Compare(b.at) })
	return out
}

// skipped reports whether news moves nothing by its nature: another peering, the
// customer's own act, announced work.
func skipped(reasons []string) bool {
	return slices.ContainsFunc(reasons, func(r string) bool {
		return r == "other-peering" || r == "user-initiated" || r == "maintenance" || r == "foreign-write"
	})
}

// watchers returns who watches a circuit, sorted.
func watchers(of []record.Entry, known []string) []string {
	out := slices.Clone(known)
	for _, e := range of {
		if o := e.Fields["observer"]; e.Code == codeSignal && o != "" {
			out = append(out, o)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(o string) bool { return o == "read" || o == "service-health" })
}

// hear files what each watcher said in the incident, and marks the bad news that
// belong to it.
func (i *Incident) hear(bad, good []piece, watching []string, taken map[string]bool) {
	until := i.BackAt
	if !until.IsZero() {
		until = until.Add(alarmAfter)
	}
	within := func(p piece) bool {
		return !p.at.Before(i.BadAt.Add(-alarmBefore)) && (until.IsZero() || !p.at.After(until))
	}
	first := map[string]piece{}
	var earliest time.Time
	for _, p := range bad {
		if !within(p) {
			continue
		}
		taken[p.id] = true
		if _, known := first[p.observer]; !known {
			first[p.observer] = p
		}
		if earliest.IsZero() {
			earliest = p.at
		}
	}
	led := false
	for _, o := range watching {
		p, spoke := first[o]
		a := Alarm{Observer: o, Said: Mute}
		if spoke {
			a = Alarm{Observer: o, At: p.at, Source: p.source, LateMS: p.at.Sub(earliest).Milliseconds()}
			switch {
			case a.LateMS == 0 && !led:
				a.Said, led = First, true
			case p.at.Sub(earliest) <= lateAfter:
				a.Said = Prompt
			default:
				a.Said = Late
			}
			if early, wrong := i.early(p, good); wrong {
				a.Said, a.At, a.LateMS = Wrong, early.at, i.BackAt.Sub(early.at).Milliseconds()
			}
		}
		i.Alarms = append(i.Alarms, a)
	}
}

// early returns good news of the same source that came more than a minute before the
// circuit was back, after the source had called it bad.
func (i *Incident) early(p piece, good []piece) (piece, bool) {
	for _, g := range good {
		if g.observer == p.observer && g.source == p.source && g.at.After(p.at) && !i.BackAt.IsZero() && i.BackAt.Sub(g.at) > lateAfter {
			return g, true
		}
	}
	return piece{}, false
}
