package health

import (
	"fmt"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/topology"
)

// benchEstate returns one group of n circuits with what is remembered of them:
// two metrics per link, Resource Health and a probe each, one in ten bad.
func benchEstate(n int) (topology.Group, *topology.Estate, map[string]Memory) {
	now, est, memories := night.Add(3*time.Hour), &topology.Estate{}, map[string]Memory{}
	var names []string
	for i := range n {
		name := fmt.Sprintf("circuit-%05d", i)
		names = append(names, name)
		est.Circuits = append(est.Circuits, topology.Circuit{
			Name: name, ID: circuitID(name), Provider: fmt.Sprint("provider ", i%7), Location: fmt.Sprint("location ", i%31),
		})
		state := events.Up
		if i%10 == 0 {
			state = events.Down
		}
		m, _ := Observe(Memory{Circuit: name}, benchBatch(state, now), est, now)
		track, _ := Step(Track{}, m, "east", DefaultRule(), now)
		m.Tracks = map[string]Track{"east": track}
		memories[name] = m
	}
	return topology.Group{Name: "east", Tiers: [][]string{names}}, est, memories
}

func benchBatch(state events.State, now time.Time) []events.Signal {
	var out []events.Signal
	for i, s := range []struct {
		observer events.Observer
		source   string
		link     events.Link
	}{
		{events.Metric, "ArpAvailability", events.Primary}, {events.Metric, "ArpAvailability", events.Secondary},
		{events.Metric, "BgpAvailability", events.Primary}, {events.Metric, "BgpAvailability", events.Secondary},
		{events.Probe, "canary", events.BothLinks}, {events.ResourceHealth, "circuit", events.BothLinks},
	} {
		out = append(out, events.Signal{
			ID: fmt.Sprint("s-", i), Kind: events.Health, Observer: s.observer, Source: s.source, Link: s.link,
			Plane: events.ControlPlane, State: state, At: now.Add(-time.Minute),
		})
	}
	return out
}

func BenchmarkFold(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			group, est, memories := benchEstate(n)
			rule, now := DefaultRule(), night.Add(3*time.Hour)
			b.ReportAllocs()
			for b.Loop() {
				if v := Fold(group, est, memories, rule, now); v.Blind {
					b.Fatal("blind")
				}
			}
		})
	}
}

func BenchmarkObserve(b *testing.B) {
	now := night.Add(3 * time.Hour)
	m, _ := Observe(Memory{Circuit: "ashburn"}, benchBatch(events.Up, now), nil, now)
	batch := benchBatch(events.Down, now.Add(time.Minute))
	b.ReportAllocs()
	for b.Loop() {
		if _, n := Observe(m, batch, nil, now.Add(time.Minute)); n.Applied != len(batch) {
			b.Fatal(n)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	now, rule := night.Add(3*time.Hour), DefaultRule()
	m, _ := Observe(Memory{Circuit: "ashburn"}, benchBatch(events.Down, now), nil, now)
	b.ReportAllocs()
	for b.Loop() {
		if t, _ := Step(Track{}, m, "east", rule, now); t.State != Down {
			b.Fatal(t.State)
		}
	}
}
