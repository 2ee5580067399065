package health

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
)

// TestMemoryIsBounded checks that a flood of sources keeps the newest claims, that
// what has no room is counted, and that a second delivery changes nothing.
func TestMemoryIsBounded(t *testing.T) {
	now := night.Add(3 * time.Hour)
	var flood []events.Signal
	for i := range 2 * maxEvidence {
		flood = append(flood, events.Signal{
			ID: fmt.Sprintf("s-%d", i), Kind: events.Health, Observer: events.Probe, Source: fmt.Sprintf("probe-%04d", i),
			State: events.Down, At: now.Add(-time.Duration(i) * time.Second),
		})
	}
	m, n := Observe(Memory{Circuit: "ashburn"}, flood, nil, now)
	if len(m.Evidence) != maxEvidence || n.Applied != len(flood) {
		t.Fatalf("%d claims are kept, %+v", len(m.Evidence), n)
	}
	for _, e := range m.Evidence {
		if now.Sub(e.At) >= maxEvidence*time.Second {
			t.Fatalf("%s is kept, newer ones are not", e.Source)
		}
	}
	again, n := Observe(m, flood, nil, now)
	if !reflect.DeepEqual(plain(again), plain(m)) || n.Full != maxEvidence || n.Repeated != maxEvidence {
		t.Fatalf("delivered again: %+v", n)
	}
	var windows []events.Signal
	for i := range 2 * maxWindows {
		windows = append(windows, events.Signal{
			Kind: events.Maintenance, Correlation: fmt.Sprint(i), At: now,
			Window: &events.Window{Start: now, End: now.Add(time.Hour)},
		})
	}
	if m, n = Observe(m, windows, nil, now); len(m.Maintenance) != maxWindows || n.Full != maxWindows {
		t.Fatalf("%d windows are kept, %+v", len(m.Maintenance), n)
	}
}

// TestOldThingsAreForgotten checks that a memory does not grow with age.
func TestOldThingsAreForgotten(t *testing.T) {
	now := night.Add(3 * time.Hour)
	m, _ := Observe(Memory{}, []events.Signal{
		{ID: "a", Kind: events.Health, Observer: events.Metric, State: events.Up, At: now},
		{Kind: events.Maintenance, Correlation: "ended", At: now, Window: &events.Window{Start: now, End: now.Add(time.Hour)}},
		{Kind: events.Maintenance, Correlation: "open", At: now, Window: &events.Window{Start: now}},
	}, nil, now)
	for _, step := range []struct {
		after             time.Duration
		evidence, windows int
	}{{0, 1, 2}, {Keep - 1, 1, 2}, {Keep, 0, 2}, {Keep + time.Hour, 0, 1}, {30 * Keep, 0, 1}, {30*Keep + 1, 0, 0}} {
		if m, _ = Observe(m, nil, nil, now.Add(step.after)); len(m.Evidence) != step.evidence || len(m.Maintenance) != step.windows {
			t.Fatalf("after %s: %d claims, %d windows, want %d and %d", step.after, len(m.Evidence), len(m.Maintenance), step.evidence, step.windows)
		}
	}
}

// TestObserveCopiesDeeply checks that the memory that comes out shares nothing
// with the one that went in, nor with the signals.
func TestObserveCopiesDeeply(t *testing.T) {
	now, v, w := night.Add(3*time.Hour), 1.0, 2.0
	in := Memory{
		Evidence:    []Evidence{{Observer: events.Metric, Source: "a", State: events.Up, At: now, Since: now, Value: &v}},
		Maintenance: []MaintenanceWindow{{Tracking: "a", Start: now, End: now.Add(time.Hour), At: now}},
		Tracks:      map[string]Track{"east": {State: Healthy}},
	}
	sig := events.Signal{Kind: events.Health, Observer: events.Metric, Source: "b", State: events.Down, At: now, Value: &w}
	out, _ := Observe(in, []events.Signal{sig}, nil, now)
	out.Evidence[0].State, *out.Evidence[0].Value, *out.Evidence[1].Value = events.Down, 7, 7
	out.Maintenance[0].Cancelled = true
	out.Tracks["east"] = Track{State: Down}
	if in.Evidence[0].State != events.Up || v != 1 || w != 2 || in.Maintenance[0].Cancelled || in.Tracks["east"].State != Healthy {
		t.Fatalf("the input was changed: %+v, values %v %v", in, v, w)
	}
}

// TestMemoryIsStorable checks that what is stored comes back the same.
func TestMemoryIsStorable(t *testing.T) {
	now, v := night.Add(3*time.Hour), 50.0
	m, _ := Observe(Memory{Circuit: "ashburn"}, []events.Signal{
		{ID: "a", Kind: events.Health, Observer: events.Metric, Source: "x", Link: events.Primary, State: events.Down, At: now, Value: &v, Tentative: true},
		{ID: "b", Kind: events.Health, Observer: events.Read, Source: "x", State: events.Up, At: now, Peering: events.Private, Resource: "/r"},
		{ID: "c", Kind: events.Maintenance, Correlation: "t", At: now, Window: &events.Window{Start: now, Cancelled: true}},
	}, nil, now)
	track, _ := Step(Track{}, m, "east", DefaultRule(), now)
	m.Tracks = map[string]Track{"east": track}
	raw, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	var back Memory
	if err := json.Unmarshal(raw, &back, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, back) {
		t.Fatalf("stored %+v, came back %+v", m, back)
	}
	if _, err := json.Marshal(Believe(track, m, DefaultRule(), now)); err != nil {
		t.Fatal(err)
	}
}

// FuzzHostileSignals folds signals of any content: no panic, every signal is
// accounted for, the memory stays sorted and bounded.
func FuzzHostileSignals(f *testing.F) {
	f.Add([]byte("metric down everywhere and always"), int64(0))
	f.Add(slices.Repeat([]byte{1, 2, 3, 0, 1, 2, 0, 0}, 40), int64(1<<40))
	f.Add(slices.Repeat([]byte{0, 9, 7, 255, 3, 1, 7, 1}, 300), int64(-1<<40))
	f.Fuzz(func(t *testing.T, raw []byte, shift int64) {
		now := night.Add(time.Duration(shift))
		m, track, r := Memory{Circuit: "ashburn"}, Track{}, DefaultRule()
		for len(raw) >= 8 {
			var batch []events.Signal
			for len(raw) >= 8 && len(batch) < 300 {
				batch = append(batch, hostile(raw[:8], now))
				raw = raw[8:]
			}
			var n Tally
			m, n = Observe(m, batch, nil, now)
			if n.Applied+n.Repeated+n.Late+n.Tentative+n.Future+n.Full+n.Foreign != len(batch) {
				t.Fatalf("%+v does not account for %d signals", n, len(batch))
			}
			if !slices.IsSortedFunc(m.Evidence, compareSlots) || len(m.Evidence) > maxEvidence || len(m.Maintenance) > maxWindows {
				t.Fatalf("the memory is unsorted or too large: %d claims, %d windows", len(m.Evidence), len(m.Maintenance))
			}
			track, _ = Step(track, m, "east", r, now)
			if again, changes := Step(track, m, "east", r, now); again != track || len(changes) > 0 {
				t.Fatalf("a second step moved %+v to %+v", track, again)
			}
			if at := Next(track, m, r, now); !at.IsZero() && !at.After(now) {
				t.Fatalf("next %s is not after %s", at, now)
			}
			Believe(track, m, r, now)
			now = now.Add(time.Minute)
		}
	})
}

// hostile makes a signal of eight bytes, with values that no parser lets through.
func hostile(b []byte, now time.Time) events.Signal {
	observers := append([]events.Observer{events.ServiceHealth, events.Person, "oracle"}, voters...)
	return events.Signal{
		ID:        fmt.Sprint(b[0] % 7),
		Kind:      []events.Kind{events.Health, events.Health, events.Health, events.Maintenance, events.Write, "gossip"}[b[0]%6],
		Observer:  observers[int(b[1])%len(observers)],
		Source:    fmt.Sprint(binary.LittleEndian.Uint16(b[1:]) % 400),
		Resource:  []string{"", "/subscriptions/s", "%zz"}[b[2]%3],
		Link:      []events.Link{events.BothLinks, events.Primary, events.Secondary, "tertiary"}[b[3]%4],
		Peering:   []events.Peering{events.AnyPeering, events.Private, events.Microsoft, "other"}[b[3]/4%4],
		Plane:     []events.Plane{"", events.ControlPlane, events.DataPlane, "astral"}[b[4]%4],
		State:     []events.State{events.Unknown, events.Up, events.Degraded, events.Down, "sideways"}[b[5]%5],
		At:        []time.Time{{}, now, now.Add(time.Hour), now.Add(-time.Duration(b[6]) * time.Second), night.AddDate(-300, 0, 0)}[b[6]%5],
		Tentative: b[7]&1 > 0, UserAction: b[7]&2 > 0,
		Window: []*events.Window{nil, {}, {Start: now, End: now.Add(-time.Hour)}, {Start: now, Cancelled: true}}[b[7]/4%4],
	}
}
