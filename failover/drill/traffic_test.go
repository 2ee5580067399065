package drill

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/record"
)

// TestTrafficSlices: the counters of hours are kept within bounds, and drawn so that
// the traffic is seen to leave one circuit and to come back.
func TestTrafficSlices(t *testing.T) {
	began := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	r := Run{Plans: []Plan{{Group: "east", From: []string{"ashburn"}, To: []string{"chicago"}}}}
	var old, standby int64
	for i := range 400 {
		now := began.Add(time.Duration(i) * 15 * time.Second)
		if i >= 100 && i < 300 {
			standby += 15_000_000
		} else {
			old += 15_000_000
		}
		switch i {
		case 100:
			r.HeldAt = now
		case 300:
			r.ReturnAt = now
		}
		r.Traffic = sampled(r.Traffic, r, map[string]record.TrafficReading{
			"ashburn": {At: now, Bytes: executor.Traffic{In: [2]int64{old, 0}, Out: [2]int64{old, 0}}},
			"chicago": {At: now, Bytes: executor.Traffic{In: [2]int64{0, standby}, Out: [2]int64{standby, 0}}},
		})
		if again := sampled(r.Traffic, r, map[string]record.TrafficReading{"ashburn": {At: now}}); len(again) != len(r.Traffic) {
			t.Fatal("the same look counts twice")
		}
	}
	if n := len(r.Traffic); n < keptSamples || n > 2*keptSamples {
		t.Errorf("%d looks are kept, want at most %d", n, 2*keptSamples)
	}
	rep := Report{Run: r}
	got := rep.slices()
	if len(got) != 2 {
		t.Fatalf("%d circuits are drawn", len(got))
	}
	for i, want := range [][3]float64{{16e6, 0, 16e6}, {0, 16e6, 0}} {
		before, during, after := rated(t, got[i].Text)
		for k, rate := range [3]float64{before, during, after} {
			if math.Abs(rate-want[k]) > 1.6e6 { // a look every minute or two blurs the edges
				t.Errorf("%s: want about %v", got[i].Text, want)
			}
		}
		for _, b := range got[i].Bars {
			if b.X < 0 || b.X+b.W > sliceWide+1 || b.Y < -0.001 || b.H > sliceHigh+0.001 {
				t.Errorf("a bar leaves the picture: %+v", b)
			}
		}
	}
	page, err := rep.HTML()
	if err != nil || !strings.Contains(string(page), "Traffic on each circuit") || !strings.Contains(string(page), "<rect") {
		t.Errorf("the page does not draw it: %v", err)
	}
}

// rated reads the three rates of a text.
func rated(t *testing.T, text string) (before, during, after float64) {
	t.Helper()
	var rates [3]float64
	var units [3]string
	_, rest, _ := strings.Cut(text, ": ")
	if _, err := fmt.Sscanf(rest, "%f %s before traffic was held, %f %s while it was, %f %s after", &rates[0], &units[0], &rates[1], &units[1], &rates[2], &units[2]); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for i, u := range units {
		rates[i] *= map[string]float64{"bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}[u]
	}
	return rates[0], rates[1], rates[2]
}
