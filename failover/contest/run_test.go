package contest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestIncidents plays single incidents for every policy: testdata/incidents.
//
//	play
//	grey home 10h 2h          kind, circuit, when, how long
//	----
//	policy  moves, what was wrong with them, minutes on a dead path, ...
func TestIncidents(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w := newWorld(Default(), 7, incidents(t, d.Input))
			var out strings.Builder
			for _, r := range rivals() {
				s := play(w, r)
				fmt.Fprintf(&out, "%-28s moves %d, back %d, writes %d", s.Name, s.Moves, s.Returns, s.Writes)
				for _, c := range []struct {
					n    int
					text string
				}{{s.Wrong, "WRONG"}, {s.Needless, "NEEDLESS"}, {s.Late, "late"}, {s.Early, "home too early"}, {s.Missed, "MISSED"}} {
					if c.n > 0 {
						fmt.Fprintf(&out, ", %s %d", c.text, c.n)
					}
				}
				fmt.Fprintf(&out, "; dead %s, other way %s, asymmetric %s", s.Dead.Round(time.Second), s.OtherDead.Round(time.Second), s.Asymmetric.Round(time.Second))
				if len(s.ToMove) > 0 {
					fmt.Fprintf(&out, "; moved in %s", s.ToMove[0].Round(time.Second))
				}
				if len(s.ToReturn) > 0 {
					fmt.Fprintf(&out, "; home after %s", s.ToReturn[0].Round(time.Second))
				}
				out.WriteString("\n")
			}
			return out.String()
		})
	})
}

// incidents reads a schedule.
func incidents(t *testing.T, text string) []Incident {
	t.Helper()
	kinds := map[string]Kind{
		"hard": Hard, "grey": Grey, "one-way": OneWay, "kept": Kept, "flap": Flap, "blip": Blip, "one-link": OneLink, "maintenance": Maintenance,
		"false-alarm": FalseAlarm, "two-wrong": Platform, "silence": Silence, "provider": Provider, "vantage": Vantage, "blackout": Blackout,
	}
	names := circuitNames()
	var out []Incident
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || kinds[f[0]] == "" || slices.Index(names[:], f[1]) < 0 {
			t.Fatalf("%q: want KIND CIRCUIT WHEN HOWLONG", line)
		}
		from, err := time.ParseDuration(f[2])
		if err != nil {
			t.Fatal(err)
		}
		long, err := time.ParseDuration(f[3])
		if err != nil {
			t.Fatal(err)
		}
		k := kinds[f[0]]
		out = append(out, Incident{Kind: k, Circuits: circuitsOf(k, slices.Index(names[:], f[1])), From: from, To: from + long, id: roll(uint64(i+1), uint64(len(line)))})
	}
	return out
}

// A year is the same whoever plays it and however often.
func TestYearIsTheSame(t *testing.T) {
	p := calm(0.1)
	a, b := Run(p, 42, 2), Run(p, 42, 2)
	if a.Text() != b.Text() || a.SVG() != b.SVG() {
		t.Errorf("the same seed gave\n%s\nand\n%s", a.Text(), b.Text())
	}
	alone := Run(p, 42, 2, a.Scores[2].Name)
	if got, want := fmt.Sprint(alone.Scores[0]), fmt.Sprint(a.Scores[2]); got != want {
		t.Errorf("alone it scored %s, in company %s", got, want)
	}
	if other := Run(p, 43, 2); other.Text() == a.Text() {
		t.Error("another seed gave the same table")
	}
}

// calm returns the parameters with fewer incidents.
func calm(share float64) Params {
	p := Default()
	p.Rates = slices.Clone(p.Rates)
	for i := range p.Rates {
		p.Rates[i].PerYear *= share
	}
	return p
}

// A year without incidents asks nothing of anybody.
func TestNothingHappens(t *testing.T) {
	w := newWorld(Default(), 1, nil)
	for _, r := range rivals() {
		s := play(w, r)
		if s.Moves+s.Returns+s.Writes != 0 || s.Dead+s.OtherDead+s.Asymmetric+s.Away != 0 {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

// The score counts what it says it counts: hand-made lanes.
func TestScore(t *testing.T) {
	w := newWorld(Default(), 1, []Incident{{Kind: Kept, Circuits: []int{home}, From: time.Hour, To: 2 * time.Hour, id: 3}})
	t.Run("sat out", func(t *testing.T) {
		s := play(w, nothing{})
		if s.Missed != 1 || s.Dead != time.Hour || s.OtherDead != time.Hour {
			t.Errorf("%+v", s)
		}
	})
	mover := func(at, back time.Duration) Score {
		l := &lane{world: w, rival: nothing{}}
		l.score = score{spell: -1}
		l.at(at, func(c *control) {
			c.decided(home, standby)
			c.weight(standby, 40, func(*control) {})
		})
		l.at(back, func(c *control) {
			c.decided(standby, home)
			c.weight(standby, 20, func(*control) {})
		})
		l.run()
		return l.score.Score
	}
	if s := mover(30*time.Minute, 3*time.Hour); s.Needless != 1 || s.Missed != 0 || s.Dead != 0 {
		t.Errorf("moved before anything was wrong: %+v", s)
	}
	if s := mover(61*time.Minute, 3*time.Hour); s.False() != 0 || s.Dead < time.Minute || s.Dead > 3*time.Minute || len(s.ToMove) != 1 || len(s.ToReturn) != 1 {
		t.Errorf("moved in time, and back in time: %+v", s)
	}
	if s := mover(61*time.Minute, 90*time.Minute); s.Wrong != 1 || s.Early != 1 {
		t.Errorf("back on the dead path: %+v", s)
	}
	if s := mover(2*time.Hour+time.Minute, 3*time.Hour); s.Late != 1 || s.Missed != 1 {
		t.Errorf("moved after the repair: %+v", s)
	}
}
