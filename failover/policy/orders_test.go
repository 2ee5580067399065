package policy

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/topology"
)

var sweep = flag.Bool("sweep", false, "every order of six events with every set of duplicates, not four sets")

// Six events arrive late, in any order, some of them twice. When all have arrived and
// time has passed, the belief and the verdict are those of the orderly arrival:
// 720 orders times 64 sets of duplicates for each scenario.
func TestAllOrdersOfSixEvents(t *testing.T) {
	sets := []int{0, 63, 21, 42}
	if *sweep {
		sets = nil
		for s := range 64 {
			sets = append(sets, s)
		}
	}
	for _, s := range orderScenes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if len(s.events) != 6 {
				t.Fatalf("%d events", len(s.events))
			}
			want := s.play([]int{0, 1, 2, 3, 4, 5}, 0)
			if want != s.want {
				t.Fatalf("in order:\n got %s\nwant %s", want, s.want)
			}
			runs, differ := 0, 0
			permute([]int{0, 1, 2, 3, 4, 5}, func(order []int) {
				for _, twice := range sets {
					runs++
					if got := s.play(order, twice); got != want {
						if differ++; differ < 4 {
							t.Errorf("order %v, twice %06b:\n got %s\nwant %s", order, twice, got, want)
						}
					}
				}
			})
			if differ > 0 {
				t.Errorf("%d of %d runs differ", differ, runs)
			}
			if least := 720 * len(sets); runs != least {
				t.Errorf("%d runs, want %d", runs, least)
			}
		})
	}
}

// permute hands over every order of a list.
func permute(list []int, do func([]int)) {
	if len(list) == 1 {
		do(list)
		return
	}
	var rec func(k int)
	rec = func(k int) {
		if k == len(list) {
			do(list)
			return
		}
		for i := k; i < len(list); i++ {
			list[k], list[i] = list[i], list[k]
			rec(k + 1)
			list[k], list[i] = list[i], list[k]
		}
	}
	rec(0)
}

// orderScene is six events about home and standby, with what they must lead to.
type orderScene struct {
	name   string
	events []events.Signal
	want   string
}

// sixth is the instant of the first event; all happen within five minutes of it.
var sixth = time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)

// claimed makes a health signal.
func claimed(second int, circuit string, o events.Observer, state events.State, change ...func(*events.Signal)) events.Signal {
	s := events.Signal{
		ID: fmt.Sprintf("s-%s-%s-%s-%d", circuit, o, state, second), Kind: events.Health, Observer: o, Source: string(o), Resource: "/circuits/" + circuit,
		Peering: events.Private, Plane: events.ControlPlane, State: state, At: sixth.Add(time.Duration(second) * time.Second),
	}
	if o == events.Probe {
		s.Plane = events.DataPlane
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func onLink(l events.Link) func(*events.Signal) { return func(s *events.Signal) { s.Link = l } }

func onlyUpdated(s *events.Signal) { s.Tentative = true }

// announced makes an announcement of maintenance of home, from then on for an hour.
func announced(second int, tracking string, from int, cancelled bool) events.Signal {
	start := sixth.Add(time.Duration(from) * time.Second)
	return events.Signal{
		ID: fmt.Sprintf("m-%s-%d", tracking, second), Kind: events.Maintenance, Observer: events.ServiceHealth, Source: "service-health", Resource: "/circuits/home",
		At: sixth.Add(time.Duration(second) * time.Second), Correlation: tracking, Window: &events.Window{Start: start, End: start.Add(time.Hour), Cancelled: cancelled},
	}
}

func orderScenes() []orderScene {
	const home, standby = "home", "standby"
	return []orderScene{
		{"two observers say down, the standby is proven", []events.Signal{
			claimed(0, home, events.Metric, events.Up), claimed(60, home, events.Metric, events.Down), claimed(70, home, events.ResourceHealth, events.Down),
			claimed(80, standby, events.Metric, events.Up), claimed(120, home, events.Probe, events.Down), claimed(240, standby, events.Probe, events.Up),
		}, "home down, standby healthy: move failover to standby because circuit-down"},
		{"down and well again", []events.Signal{
			claimed(0, home, events.Metric, events.Down), claimed(10, home, events.Probe, events.Down), claimed(60, home, events.Metric, events.Up),
			claimed(70, home, events.Probe, events.Up), claimed(80, standby, events.Probe, events.Up), claimed(90, standby, events.Metric, events.Up),
		}, "home healthy, standby healthy: hold because well"},
		{"maintenance announced, moved and cancelled under an alarm", []events.Signal{
			announced(0, "T1", 0, false), announced(10, "T1", 60, false), announced(20, "T1", 60, true),
			claimed(100, home, events.Metric, events.Down), claimed(110, home, events.ResourceHealth, events.Down), claimed(240, standby, events.Probe, events.Up),
		}, "home down, standby healthy: move failover to standby because circuit-down"},
		// The claims are so new that the announcement comes within their hold-down; one
		// that came later would find the circuit down, and rightly so.
		{"maintenance explains what the sessions say", []events.Signal{
			announced(0, "T1", 0, false), claimed(298, home, events.Metric, events.Down), claimed(299, home, events.Gateway, events.Down),
			claimed(80, home, events.Probe, events.Up), claimed(90, standby, events.Probe, events.Up), claimed(100, standby, events.Metric, events.Up),
		}, "home suspect, standby healthy: hold failover to standby because unconfirmed maintenance"},
		{"one link of two, and the other peering", []events.Signal{
			claimed(0, home, events.Metric, events.Up, onLink(events.Primary)), claimed(1, home, events.Metric, events.Up, onLink(events.Secondary)),
			claimed(60, home, events.Metric, events.Down, onLink(events.Secondary)), claimed(70, home, events.Probe, events.Up),
			claimed(80, home, events.ResourceHealth, events.Down, func(s *events.Signal) { s.Peering = events.Microsoft }), claimed(90, standby, events.Probe, events.Up),
		}, "home degraded, standby healthy: hold because one-link well"},
		{"an update that betters nothing", []events.Signal{
			claimed(0, home, events.Probe, events.Down), claimed(30, home, events.ResourceHealth, events.Down), claimed(60, home, events.ResourceHealth, events.Up, onlyUpdated),
			claimed(90, home, events.Probe, events.Down), claimed(200, standby, events.Metric, events.Up), claimed(240, standby, events.Probe, events.Up),
		}, "home down, standby healthy: move failover to standby because circuit-down"},
	}
}

// play lets the events arrive in an order, those of the set twice (the second time
// after all others), a second apart, all of them late; the circuits' beliefs are
// stepped at each arrival and each minute after.
func (s orderScene) play(order []int, twice int) string {
	est := &topology.Estate{
		Circuits:    []topology.Circuit{{Name: "home", ID: "/circuits/home", Provider: "one"}, {Name: "standby", ID: "/circuits/standby", Provider: "two"}},
		Gateways:    []topology.Gateway{{ID: "/gateways/g"}},
		Connections: []topology.Connection{{ID: "/k/h", Gateway: "/gateways/g", Circuit: "/circuits/home"}, {ID: "/k/s", Gateway: "/gateways/g", Circuit: "/circuits/standby"}},
	}
	group := topology.Group{Name: "east", Gateways: []string{"/gateways/g"}, Tiers: [][]string{{"home"}, {"standby"}}}
	est.Groups = []topology.Group{group}
	rule := health.DefaultRule()
	for o := range rule.MaxAge {
		rule.MaxAge[o] = time.Hour
	}
	memories := map[string]health.Memory{"home": {Circuit: "home"}, "standby": {Circuit: "standby"}}
	step := func(now time.Time) {
		for name, m := range memories {
			track, _ := health.Step(m.Tracks["east"], m, "east", rule, now)
			m.Tracks = map[string]health.Track{"east": track}
			memories[name] = m
		}
	}
	now := sixth.Add(5 * time.Minute)
	arrive := func(e events.Signal) {
		now = now.Add(time.Second)
		name := est.CircuitOf(e.Resource)
		memories[name], _ = health.Observe(memories[name], []events.Signal{e}, est, now)
		step(now)
	}
	for _, i := range order {
		arrive(s.events[i])
	}
	for i := range s.events {
		if twice>>i&1 == 1 {
			arrive(s.events[i])
		}
	}
	end := sixth.Add(12 * time.Minute)
	for at := sixth.Add(6 * time.Minute); !at.After(end); at = at.Add(time.Minute) {
		step(at)
	}
	view := health.Fold(group, est, memories, rule, end)
	v := Judge(Input{
		Now: end, Group: group, Estate: est, View: view, Health: rule,
		Rule:    Rule{Mode: Automatic, CoolDown: 30 * time.Minute, Fresh: time.Hour, SettleAfter: time.Minute, Failback: Failback{Mode: FailbackAutomatic}},
		History: History{Active: []string{"home"}, ActiveSince: sixth, BaseHome: true, Epoch: 1, MaxBase: 200},
	})
	codes := slices.Compact(v.Codes())
	return fmt.Sprintf("home %s, standby %s: %s because %s", view.Circuits["home"].State, view.Circuits["standby"].State, told(v), joined(codes))
}

func told(v Verdict) string {
	text := string(v.Action)
	if v.Kind != "" {
		text += " " + string(v.Kind)
	}
	if len(v.To) > 0 {
		text += " to " + joined(v.To)
	}
	return text
}

func joined(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += " "
		}
		out += s
	}
	return out
}
