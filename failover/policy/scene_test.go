package policy

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/topology"
)

// now is a Monday, 03:00 UTC.
var now = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// calm is the input of a group at home in which all is well: ashburn is home,
// chicago and dallas stand by, every circuit was proven 20 s ago.
func calm() Input {
	in := Input{Now: now, Health: health.DefaultRule(), Limits: Limits{OperationsAtOnce: 2, OperationsPerHour: 6},
		Group: topology.Group{Name: "east", Gateways: []string{"/gw1", "/gw2"}, Tiers: [][]string{{"ashburn"}, {"chicago"}, {"dallas"}}},
		Rule: Rule{Mode: Automatic, CoolDown: 30 * time.Minute, Fresh: 2 * time.Minute, SettleAfter: 10 * time.Minute,
			Failback: Failback{Mode: FailbackAutomatic, After: 30 * time.Minute}, Drift: DriftAsk},
		View:    health.View{Circuits: map[string]health.Belief{}},
		History: History{Active: []string{"ashburn"}, BaseHome: true, MaxBase: 200},
		Facts:   Facts{Load: map[string]int64{}, Prefixes: map[string][]string{}},
	}
	est := &topology.Estate{Gateways: []topology.Gateway{{ID: "/gw1", Kind: topology.VNet, Region: "eastus"}, {ID: "/gw2", Kind: topology.VNet, Region: "eastus2"}}}
	for i, name := range []string{"ashburn", "chicago", "dallas"} {
		est.Circuits = append(est.Circuits, topology.Circuit{Name: name, ID: "/c/" + name, Provider: []string{"Equinix", "Megaport", "Lumen"}[i],
			Location: []string{"Washington DC", "Chicago", "Dallas"}[i], Region: "eastus", Bandwidth: 1000, Tier: "Standard"})
		for _, gw := range in.Group.Gateways {
			est.Connections = append(est.Connections, topology.Connection{ID: gw + "-" + name, Gateway: gw, Circuit: "/c/" + name})
		}
		in.View.Circuits[name] = believed(name, health.Healthy)
	}
	est.Groups = []topology.Group{in.Group}
	est.Sort()
	in.Estate = est
	return in
}

// believed returns a belief as health would give it for a state.
func believed(name string, s health.State) health.Belief {
	b := health.Belief{Circuit: name, State: s, Needed: 2, Links: [2]health.State{s, s}}
	say := func(who ...events.Observer) (out []health.Evidence) {
		for _, o := range who {
			out = append(out, health.Evidence{Observer: o, At: now.Add(-20 * time.Second)})
		}
		return out
	}
	switch s {
	case health.Healthy:
		b.Good, b.Proven = say(events.Metric, events.Probe), now.Add(-20*time.Second)
	case health.Degraded:
		b.Good, b.Bad, b.Proven, b.Links[1] = say(events.Metric), say(events.Metric), now.Add(-20*time.Second), health.Down
	case health.Suspect:
		b.Bad, b.Observers, b.BadSince, b.HoldUntil = say(events.Metric), 1, now.Add(-10*time.Second), now.Add(20*time.Second)
	case health.Down:
		b.Bad, b.Observers, b.BadSince = say(events.Metric, events.Probe), 2, now.Add(-time.Minute)
	case health.Recovering:
		b.Good, b.HoldUntil = say(events.Metric, events.Probe), now.Add(4*time.Minute)
	case health.Unknown:
	}
	return b
}

// outage is calm with home down.
func outage() Input {
	in := calm()
	in.View.Circuits["ashburn"] = believed("ashburn", health.Down)
	return in
}

// away is calm with the traffic on chicago for an hour.
func away() Input {
	in := calm()
	in.History.Active, in.History.ActiveSince, in.History.LastMove, in.History.Unsettled = []string{"chicago"}, now.Add(-time.Hour), now.Add(-time.Hour), true
	return in
}

// TestScenarios runs the files in testdata/scenarios. To accept new output run
// `go test ./failover/policy -run TestScenarios -rewrite` and read the difference.
//
//	calm | outage | away                    start anew from one of these
//	circuit ashburn STATE [proven=3m] [damped] [explained] [maintenance=(-10m,50m)] [observers=1] [hold=20s] [links=good]
//	facts chicago [location=..] [provider=..] [port=..] [share=..] [tier=..] [region=..] [load=900] [bandwidth=1000] [prefixes=(10.0.0.0/8)]
//	rule [mode=approve] [cool-down=..] [failback=manual] [failback-after=..] [degraded=move] [window="Sat 00:00-24:00 UTC"]
//	past [active=(..)] [since=40m] [last-move=10m] [undone] [acked=1m] [running=op-1 to=chicago] ...
//	home 2                                  the first two circuits are one tier
//	blind | fails location Chicago
//	unplug gw1-chicago                      that connection does not exist
//	judge                                   the automation's own verdict
//	order VERB [by=ana] [to=..] [from=..] [override=(..)] [break]
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, file string) {
		in := calm()
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			switch d.Cmd {
			case "calm":
				in = calm()
			case "outage":
				in = outage()
			case "away":
				in = away()
			case "judge":
				return print(Judge(in))
			case "order":
				with := in
				with.Order = anOrder(d)
				return print(Judge(with))
			default:
				set(t, d, &in)
			}
			return "ok\n"
		})
	})
}

// set changes one thing of the input.
func set(t *testing.T, d *datadriven.TestData, in *Input) {
	t.Helper()
	switch d.Cmd {
	case "circuit":
		name := d.CmdArgs[0].Key
		in.View.Circuits[name] = belief(t, d, name)
	case "facts":
		setFacts(t, d, in)
	case "rule":
		setRule(t, d, in)
	case "past":
		setPast(t, d, in)
	case "home":
		in.Group.Tiers = [][]string{{"ashburn", "chicago"}, {"dallas"}}
	case "blind":
		in.View.Blind = true
		for name := range in.View.Circuits {
			in.View.Circuits[name] = believed(name, health.Unknown)
		}
	case "fails":
		in.View.Locations, in.View.Providers = map[string]bool{}, map[string]bool{}
		map[string]map[string]bool{"location": in.View.Locations, "provider": in.View.Providers}[d.CmdArgs[0].Key][d.CmdArgs[1].Key] = true
	case "unplug":
		unplug(in, "/"+d.CmdArgs[0].Key)
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
}

func unplug(in *Input, id string) {
	var left []topology.Connection
	for _, c := range in.Estate.Connections {
		if c.ID != id {
			left = append(left, c)
		}
	}
	in.Estate.Connections = left
}

func span(t *testing.T, d *datadriven.TestData, s string) time.Duration {
	t.Helper()
	v, err := time.ParseDuration(s)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}

func belief(t *testing.T, d *datadriven.TestData, name string) health.Belief {
	t.Helper()
	b := believed(name, health.State(d.CmdArgs[1].Key))
	for _, a := range d.CmdArgs[2:] {
		switch a.Key {
		case "proven":
			b.Proven = now.Add(-span(t, d, a.Vals[0]))
		case "damped":
			b.Damped, b.Penalty, b.ReuseAt = true, 3000, now.Add(30*time.Minute)
		case "explained":
			b.Explained = true
		case "maintenance":
			b.Maintenance = &events.Window{Start: now.Add(span(t, d, a.Vals[0])), End: now.Add(span(t, d, a.Vals[1]))}
		case "observers":
			n, err := strconv.Atoi(a.Vals[0])
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			b.Observers = n
			b.Good = b.Good[:min(n, len(b.Good))]
		case "hold":
			b.HoldUntil = now.Add(span(t, d, a.Vals[0]))
		case "links":
			b.Links = [2]health.State{health.Degraded, health.Degraded}
		default:
			d.Fatalf(t, "unknown %q", a.Key)
		}
	}
	return b
}

func setFacts(t *testing.T, d *datadriven.TestData, in *Input) {
	t.Helper()
	name := d.CmdArgs[0].Key
	for i := range in.Estate.Circuits {
		c := &in.Estate.Circuits[i]
		if c.Name != name {
			continue
		}
		for _, a := range d.CmdArgs[1:] {
			switch a.Key {
			case "location":
				c.Location = a.Vals[0]
			case "provider":
				c.Provider = a.Vals[0]
			case "port":
				c.Port = a.Vals[0]
			case "share":
				c.Shares = a.Vals
			case "tier":
				c.Tier = a.Vals[0]
			case "region":
				c.Region = a.Vals[0]
			case "prefixes":
				in.Facts.Prefixes[name] = a.Vals
			case "load":
				n, err := strconv.ParseInt(a.Vals[0], 10, 64)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				in.Facts.Load[name] = n * 1e6
			default:
				d.Fatalf(t, "unknown %q", a.Key)
			}
		}
	}
}

func setRule(t *testing.T, d *datadriven.TestData, in *Input) {
	t.Helper()
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "mode":
			in.Rule.Mode = Mode(a.Vals[0])
		case "cool-down":
			in.Rule.CoolDown = span(t, d, a.Vals[0])
		case "failback":
			in.Rule.Failback.Mode = FailbackMode(a.Vals[0])
		case "failback-after":
			in.Rule.Failback.After = span(t, d, a.Vals[0])
		case "accept":
			for _, v := range a.Vals {
				in.Rule.AcceptWhenDown = append(in.Rule.AcceptWhenDown, Reason(v))
			}
		case "degraded":
			in.Health.Degraded = health.Degrade(a.Vals[0])
		case "window":
			w, err := ParseWindow(strings.ReplaceAll(a.Vals[0], "_", " "))
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			in.Rule.Failback.Windows = append(in.Rule.Failback.Windows, w)
		default:
			d.Fatalf(t, "unknown %q", a.Key)
		}
	}
}

func setPast(t *testing.T, d *datadriven.TestData, in *Input) {
	t.Helper()
	h := &in.History
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "active":
			h.Active = a.Vals
		case "since":
			h.ActiveSince = now.Add(-span(t, d, a.Vals[0]))
		case "last-move":
			h.LastMove = now.Add(-span(t, d, a.Vals[0]))
		case "failed":
			h.FailedAt = now.Add(-span(t, d, a.Vals[0]))
		case "acked":
			h.Acked = now.Add(-span(t, d, a.Vals[0]))
		case "quiet":
			h.QuietSince = now.Add(-span(t, d, a.Vals[0]))
		case "undone":
			h.Undone = true
		case "unsettled":
			h.Unsettled = true
		case "baseline-not-home":
			h.BaseHome = false
		case "running":
			h.Running = a.Vals[0]
		case "running-to":
			h.RunningTo = a.Vals
		case "drill":
			h.Drill = a.Vals[0]
		case "drill-over":
			h.DrillOver = true
		default:
			d.Fatalf(t, "unknown %q", a.Key)
		}
	}
}

func anOrder(d *datadriven.TestData) *events.Order {
	o := &events.Order{Verb: events.Verb(d.CmdArgs[0].Key), Group: "east", By: "ana"}
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "to":
			o.To = a.Vals[0]
		case "from":
			o.From = a.Vals[0]
		case "override":
			o.Overrides = a.Vals
		case "break":
			o.Break = true
		}
	}
	return o
}

// print draws a verdict as a person reads it.
func print(v Verdict) string {
	var b strings.Builder
	b.WriteString(strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", v.Action, v.Kind, strings.Join(v.From, ","))), " "))
	if len(v.To) > 0 {
		b.WriteString(" to " + strings.Join(v.To, ","))
	}
	if len(v.Overridden) > 0 {
		fmt.Fprintf(&b, ", overridden %v", v.Overridden)
	}
	b.WriteString("\n")
	for _, f := range v.Reasons {
		fmt.Fprintf(&b, "  %s: %s", f.Code, f.Text)
		if !f.Until.IsZero() {
			fmt.Fprintf(&b, " (until %s)", clock(f.Until))
		}
		b.WriteString("\n")
	}
	for _, c := range v.Candidates {
		fmt.Fprintf(&b, "  candidate %s", c.Circuit)
		if c.Chosen {
			b.WriteString(", chosen")
		}
		if len(c.Fate) > 0 {
			fmt.Fprintf(&b, ", shares %s", strings.Join(c.Fate, ", "))
		}
		for _, f := range c.Against {
			fmt.Fprintf(&b, ", %s", f.Code)
		}
		b.WriteString("\n")
	}
	if len(v.Reads) > 0 {
		fmt.Fprintf(&b, "  reads wanted: %s\n", strings.Join(v.Reads, ", "))
	}
	return b.String()
}
