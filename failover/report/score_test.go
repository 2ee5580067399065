package report

import (
	"strings"
	"testing"
	"time"

	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/shadow"
	"erfailover/failover/topology"
)

// ready is a group at which nothing is wrong: drilled, seen in both directions, with
// room, and with alarms that came in time.
func ready() ScoreInput {
	est := &topology.Estate{Circuits: []topology.Circuit{
		{Name: "a", Provider: "P1", Location: "L1", Bandwidth: 1000}, {Name: "b", Provider: "P2", Location: "L2", Bandwidth: 1000}, {Name: "c", Provider: "P3", Location: "L3", Bandwidth: 1000},
	}}
	op := func(id, to string, days int) Operation {
		return Operation{ID: id, Group: "east", Kind: policy.KindDrill, To: []string{to}, Result: record.Proven, Symmetry: record.Symmetric, Ended: night.AddDate(0, 0, -days)}
	}
	return ScoreInput{
		Now: night, Estate: est, Group: topology.Group{Name: "east", Tiers: [][]string{{"a"}, {"b"}, {"c"}}},
		Status: GroupStatus{Circuits: []health.Belief{{Circuit: "a", State: health.Healthy}, {Circuit: "b", State: health.Healthy}, {Circuit: "c", State: health.Healthy}}},
		Checks: []Check{{Name: "can-move", OK: true}}, Operations: []Operation{op("1", "b", 20), op("2", "c", 30)},
		Loads:  loads(map[string]int64{"a": 400_000_000, "b": 100_000_000, "c": 0}),
		Alarms: shadow.Quality{Incidents: []shadow.Incident{{Circuit: "a", Alarms: []shadow.Alarm{{Observer: "metric", Said: shadow.First}}}}},
	}
}

func loads(bits map[string]int64) *Loads {
	l := &Loads{At: night, Circuits: map[string]Load{}}
	for name, n := range bits {
		l.Circuits[name] = Load{Bits: n, Hour: night.Add(-5 * time.Hour), Hours: 600, At: night}
	}
	return l
}

// TestScore: each thing that can be wrong costs what it costs, and is told.
func TestScore(t *testing.T) {
	if got, d := Score(ready()); got != 100 || len(d) != 0 {
		t.Fatalf("a group at which nothing is wrong has %d: %+v", got, d)
	}
	for _, c := range []struct {
		name  string
		spoil func(*ScoreInput)
		score int
		codes string
	}{
		{"a check", func(in *ScoreInput) {
			in.Checks = []Check{{Name: "can-move", Text: "no"}, {Name: "no-drift", Text: "x"}, {Name: "unheard of"}}
		}, 50, "cannot-move drifted-weights"},
		{"a sick standby", func(in *ScoreInput) { in.Status.Circuits[1].State = health.Down }, 90, "standby-health"},
		{"never drilled", func(in *ScoreInput) { in.Operations = in.Operations[:1] }, 92, "drill-age"},
		{"a failed drill proves nothing", func(in *ScoreInput) { in.Operations[1].Result = record.FailedOp }, 92, "drill-age"},
		{"drilled 36 days ago", func(in *ScoreInput) { in.Operations[1].Ended = night.AddDate(0, 0, -36) }, 98, "drill-age"},
		{"drilled 101 days ago", func(in *ScoreInput) { in.Operations[1].Ended = night.AddDate(0, 0, -101) }, 95, "drill-age"},
		{"shared provider", func(in *ScoreInput) { in.Estate.Circuits[1].Provider = "P1" }, 92, "shared-fate"},
		{"three things shared cost as two", func(in *ScoreInput) {
			for i := range 2 {
				in.Estate.Circuits[i].Provider, in.Estate.Circuits[i].Site, in.Estate.Circuits[i].Shares = "P", "S", []string{"duct"}
			}
		}, 84, "shared-fate shared-fate shared-fate"},
		{"not measured", func(in *ScoreInput) { in.Loads = nil }, 95, "headroom-not-measured"},
		{"one of two not measured", func(in *ScoreInput) { delete(in.Loads.Circuits, "a") }, 95, "headroom-not-measured"},
		{"measured long ago", func(in *ScoreInput) { in.Now = in.Now.Add(73 * time.Hour) }, 95, "headroom-not-measured"},
		{"measured for a few hours", func(in *ScoreInput) { in.Loads.Circuits["a"] = Load{Hours: 23, At: in.Now} }, 95, "headroom-not-measured"},
		{"bandwidth unknown", func(in *ScoreInput) { in.Estate.Circuits[1].Bandwidth = 0 }, 95, "headroom-not-measured"},
		{"full", func(in *ScoreInput) { in.Loads = loads(map[string]int64{"a": 950_000_000, "b": 100_000_000}) }, 85, "headroom"},
		{"the other way", func(in *ScoreInput) { in.Operations[0].Symmetry = record.Asymmetric }, 90, "reverse-path"},
		{"the other way unseen", func(in *ScoreInput) { in.Operations[0].Symmetry = record.Unproven }, 95, "reverse-path"},
		{"an alarm that never came", func(in *ScoreInput) { in.Alarms.Untested = []string{"b", "elsewhere"} }, 95, "alarm-never-fired"},
		{"a silent observer, once", func(in *ScoreInput) {
			in.Alarms.Incidents = append(in.Alarms.Incidents, shadow.Incident{Circuit: "a", Alarms: []shadow.Alarm{{Observer: "probe", Said: shadow.Mute}}})
		}, 96, "alarm-quality"},
		{"mended since", func(in *ScoreInput) {
			in.Alarms.Incidents = append([]shadow.Incident{{Circuit: "a", Alarms: []shadow.Alarm{{Observer: "probe", Said: shadow.Mute}}}}, in.Alarms.Incidents...)
		}, 100, ""},
		{"nowhere to go", func(in *ScoreInput) { in.Group.Tiers = in.Group.Tiers[:1] }, 60, "no-standby"},
	} {
		in := ready()
		c.spoil(&in)
		score, deductions := Score(in)
		var codes []string
		sum := 100
		for _, d := range deductions {
			codes, sum = append(codes, d.Code), sum-d.Points
			if d.Text == "" || d.Lift == "" {
				t.Errorf("%s: %+v does not say what and what to do", c.name, d)
			}
		}
		if score != c.score || strings.Join(codes, " ") != c.codes || sum != score {
			t.Errorf("%s: %d by %v, want %d by %q", c.name, score, deductions, c.score, c.codes)
		}
	}
}

// TestScoreIsNeverBelowZero: an estate in ruins is 0.
func TestScoreIsNeverBelowZero(t *testing.T) {
	in := ready()
	in.Operations, in.Loads = nil, nil
	for _, name := range []string{"can-move", "acts", "not-stopped", "evidence", "weights-at-rest", "no-drift", "discovered"} {
		in.Checks = append(in.Checks, Check{Name: name, Text: "bad"})
	}
	if score, _ := Score(in); score != 0 {
		t.Errorf("got %d", score)
	}
}

// TestStatistics adds three operations up: p50 and p95 of each stage by everything that
// they have in common, and the trend by drill age.
func TestStatistics(t *testing.T) {
	est := &topology.Estate{Circuits: []topology.Circuit{{Name: "a", Provider: "P1", Location: "L1"}, {Name: "b", Provider: "P1", Location: "L2"}}}
	op := func(id string, kind policy.Kind, from string, days int, took ...time.Duration) Operation {
		begun := night.AddDate(0, 0, -days)
		s := record.Stamps{Signal: begun, Decide: begun.Add(took[0]), Apply: begun.Add(took[1]), Verify: begun.Add(took[2])}
		return Operation{ID: id, Group: "east", Kind: kind, From: []string{from}, Status: record.Ended, Result: record.Proven, Begun: begun, Ended: begun.Add(took[2]), Ledger: MakeLedger(s, 0)}
	}
	s := time.Second
	ops := []Operation{
		op("1", policy.KindFailover, "a", 200, 30*s, 60*s, 70*s),
		op("2", policy.KindDrill, "a", 150, 0, 20*s, 30*s),
		op("3", policy.KindFailover, "b", 140, 40*s, 90*s, 100*s),
		op("4", policy.KindFailover, "a", 10, 60*s, 61*s, 62*s),
		op("4", policy.KindFailover, "a", 10, 60*s, 61*s, 62*s), // told twice
		op("5", policy.KindSettle, "a", 9, 0, s, s),
	}
	running := op("6", policy.KindFailover, "a", 1, s, s, s)
	running.Status = record.Applying
	got := MakeStatistics(append(ops, running), est, night)
	if got.Operations != 4 || !got.Oldest.Equal(night.AddDate(0, 0, -200)) {
		t.Errorf("%d operations since %s", got.Operations, got.Oldest)
	}
	want := map[string]string{
		"group east":    "4: decide 30s 1m0s, apply 20s 50s, verify 10s 10s, recovery 1m2s 1m40s",
		"kind failover": "3: decide 40s 1m0s, apply 30s 50s, verify 10s 10s, recovery 1m10s 1m40s",
		"kind drill":    "1: decide 0s 0s, apply 20s 20s, verify 10s 10s, recovery 30s 30s",
		"provider P1":   "4: decide 30s 1m0s, apply 20s 50s, verify 10s 10s, recovery 1m2s 1m40s",
		"location L1":   "3: decide 30s 1m0s, apply 20s 30s, verify 10s 10s, recovery 1m2s 1m10s",
		"location L2":   "1: decide 40s 40s, apply 50s 50s, verify 10s 10s, recovery 1m40s 1m40s",
	}
	for _, l := range got.Lines {
		var parts []string
		for _, st := range l.Stages {
			parts = append(parts, st.Stage+" "+(time.Duration(st.P50MS)*time.Millisecond).String()+" "+(time.Duration(st.P95MS)*time.Millisecond).String())
		}
		text := string(rune('0'+l.Operations)) + ": " + strings.Join(parts, ", ")
		if text != want[l.By+" "+l.Name] {
			t.Errorf("%s %s: got %q, want %q", l.By, l.Name, text, want[l.By+" "+l.Name])
		}
	}
	if len(got.Lines) != len(want) {
		t.Errorf("%d lines, want %d", len(got.Lines), len(want))
	}
	var ages []string
	for _, a := range got.DrillAge {
		ages = append(ages, a.Age)
	}
	if strings.Join(ages, "; ") != "up to 35 days; over 100 days; no drill before" {
		t.Errorf("ages %q", ages)
	}
}
