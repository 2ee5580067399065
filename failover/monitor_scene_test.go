package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// monitor is Azure's monitoring as a story tells it: metrics by the minute, what
// Resource Health says, what is announced. At rest all is well.
type monitor struct {
	clock *clock
	start time.Time
	down  map[string][]time.Time // by circuit, link and metric: when the session fell and came back, in turn
	gone  map[string]bool        // circuits of which no metric is told
	word  map[string]executor.Health
	work  []executor.Work
	dead  map[string]error // by what is asked
	looks int
	asked []string // circuits of the newest look
}

// turn is what the timer does: a tick, and a look at Azure's monitoring beside it.
func (s *scene) turn() error {
	e := s.engine(s.who)
	return errors.Join(e.Tick(context.Background()), e.Watch(context.Background()))
}

// monitor on | off
// monitor session=ashburn state=down|up [link=primary] [only=BgpAvailability]   by the metrics, from now on
// monitor gone=ashburn                                     no metric is told of it
// monitor health=ashburn state=Unavailable [since=2m] [looked=10m] [cause=UserInitiated]
// monitor work=T-1 on=(ashburn) from=1h for=4h [status=Resolved] [updated=10m]
// monitor dead=(metrics,resource-health,planned-work) [denied] | alive
// monitor evidence=ashburn                                 what Resource Health is remembered to say
// monitor looks                                            how often it was asked, and of what last
func (s *scene) cmdMonitor(d *datadriven.TestData) string {
	span := func(key, usual string) time.Duration {
		text := usual
		if d.HasArg(key) {
			d.ScanArgs(s.t, key, &text)
		}
		n, err := time.ParseDuration(text)
		if err != nil {
			d.Fatalf(s.t, "%s: %v", key, err)
		}
		return n
	}
	word := func(key string) string {
		var text string
		if d.HasArg(key) {
			d.ScanArgs(s.t, key, &text)
		}
		return text
	}
	id := func(name string) string {
		if c, ok := s.est.Circuit(name); ok {
			return c.ID
		}
		return sub + "expressroutecircuits/er-" + name
	}
	now := s.clock.now
	switch a := d.CmdArgs[0]; a.Key {
	case "on":
		s.monitor = &monitor{clock: s.clock, start: now.Add(-time.Hour), down: map[string][]time.Time{}, gone: map[string]bool{}, word: map[string]executor.Health{}, dead: map[string]error{}}
		clear(s.engines)
	case "off":
		s.monitor = nil
		clear(s.engines)
	case "session":
		for _, link := range []string{"Primary", "Secondary"} {
			for _, metric := range []string{"BgpAvailability", "ArpAvailability"} {
				key := id(a.Vals[0]) + " " + link + " " + metric
				if word("link") != "" && !strings.EqualFold(word("link"), link) || word("only") != "" && word("only") != metric {
					continue
				}
				if (word("state") == "down") == (len(s.monitor.down[key])%2 == 0) {
					s.monitor.down[key] = append(s.monitor.down[key], now)
				}
			}
		}
	case "gone":
		s.monitor.gone[id(a.Vals[0])] = true
	case "health":
		h := executor.Health{Resource: id(a.Vals[0]), Found: true, State: word("state"), Cause: word("cause"), Occurred: now.Add(-span("since", "0s"))}
		if d.HasArg("looked") {
			h.Reported = now.Add(-span("looked", "0s"))
		}
		s.monitor.word[id(a.Vals[0])] = h
	case "work":
		w := executor.Work{Tracking: a.Vals[0], Status: "Active", Title: "work", Services: []string{"ExpressRoute"}, Regions: []string{"East US"},
			Start: now.Add(span("from", "0s")), Updated: now.Add(-span("updated", "0s")), Named: true}
		w.End = w.Start.Add(span("for", "4h"))
		if status := word("status"); status != "" {
			w.Status = status
		}
		for _, arg := range d.CmdArgs[1:] {
			if arg.Key == "on" {
				for _, name := range arg.Vals {
					w.Circuits = append(w.Circuits, id(name))
				}
			}
		}
		s.monitor.work = slices.DeleteFunc(s.monitor.work, func(o executor.Work) bool { return o.Tracking == w.Tracking })
		s.monitor.work = append(s.monitor.work, w)
	case "dead":
		for _, what := range a.Vals {
			kind, why := fault.Unavailable, "gave up waiting for an answer"
			if d.HasArg("denied") {
				kind, why = fault.Denied, "the identity may not do this"
			}
			s.monitor.dead[what] = &fault.Error{Op: "read", Target: what, Kind: kind, Err: errors.New(why)}
		}
	case "alive":
		clear(s.monitor.dead)
	case "evidence":
		var doc record.Circuit
		if _, err := s.engine(s.who).load(context.Background(), record.CircuitKey(a.Vals[0]), &doc); err != nil {
			return "error: " + err.Error()
		}
		var b strings.Builder
		for _, e := range doc.Memory.Evidence {
			if e.Observer == events.ResourceHealth {
				fmt.Fprintf(&b, "%s since %s, said newest at %s\n", e.State, e.Since.Sub(s.clock.start), e.At.Sub(s.clock.start))
			}
		}
		return b.String()
	case "looks":
		return fmt.Sprintf("%d looks, last at %s", s.monitor.looks, strings.Join(s.monitor.asked, " "))
	default:
		d.Fatalf(s.t, "monitor %s?", a.Key)
	}
	return "ok"
}

// Look implements executor.Monitor.
func (m *monitor) Look(_ context.Context, l executor.Look) executor.Seen {
	m.looks++
	m.asked = nil
	var seen executor.Seen
	for _, q := range l.Metrics {
		var answers []executor.MetricAnswer
		for _, r := range q.Resources {
			m.asked = append(m.asked, short(r.ID))
			a := executor.MetricAnswer{Resource: r.ID, At: m.clock.now, Err: m.dead[askMetrics]}
			if a.Err == nil && !m.gone[r.ID] {
				a.Series = m.series(q, r.ID)
			}
			answers = append(answers, a)
		}
		seen.Metrics = append(seen.Metrics, answers)
	}
	for _, id := range l.Health {
		h, told := m.word[id]
		if !told {
			h = executor.Health{Resource: id, Found: true, State: "Available", Occurred: m.start}
		}
		if h.Reported.IsZero() {
			h.Reported = m.clock.now
		}
		if err := m.dead[askHealth]; err != nil {
			h = executor.Health{Resource: id, Err: err}
		}
		seen.Health = append(seen.Health, h)
	}
	if len(l.Planned) > 0 {
		p := executor.Planned{Subscription: "00000000-0000-0000-0000-000000000001", Err: m.dead[askPlanned]}
		if p.Err == nil {
			for _, w := range m.work {
				w.Circuits = slices.DeleteFunc(slices.Clone(w.Circuits), func(id string) bool { return !slices.Contains(l.Planned, id) })
				p.Work = append(p.Work, w)
			}
		}
		seen.Planned = []executor.Planned{p}
	}
	return seen
}

// series tells both links of a circuit apart, by the minute: 0 when the session was
// down at the minute's end.
func (m *monitor) series(q executor.MetricQuery, id string) []executor.Series {
	var out []executor.Series
	for _, name := range q.Names {
		for _, link := range []string{"Primary", "Secondary"} {
			s := executor.Series{Metric: name, Labels: map[string]string{"peeringtype": "Private", "peer": link}}
			for at := q.From.Truncate(q.Interval); at.Add(q.Interval).Before(q.To) || at.Add(q.Interval).Equal(q.To); at = at.Add(q.Interval) {
				n := 0
				for _, change := range m.down[id+" "+link+" "+name] {
					if change.Before(at.Add(q.Interval)) {
						n++
					}
				}
				s.Points = append(s.Points, executor.Point{At: at, Value: float64(100 * (1 - n%2))})
			}
			out = append(out, s)
		}
	}
	return out
}
