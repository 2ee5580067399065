package replay

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/sim"
	"erfailover/failover/topology"
)

var writeWeek = flag.Bool("write-week", false, "write testdata/week.ndjson.gz anew")

// monday is when the recorded week begins.
func monday() time.Time { return time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC) }

// week is one week of the demo estate as its sources tell it: a monitor on-premises
// and the streamed metrics speak every eight minutes, alerts come when something
// happens, the activity log comes late. The seed moves everything by up to a minute.
type week struct {
	d      sim.Demo
	source sim.Source
	rng    *rand.Rand
	lines  []Line
	spells []spoil
}

// spoil is something bad that happens to one circuit.
type spoil struct {
	circuit  string
	from, to time.Time
	state    string // what the monitor says: down or degraded
	session  bool   // its BGP sessions are lost
	link     sim.Link
}

func (w *week) say(at time.Time, body []byte) {
	w.lines = append(w.lines, Line{At: at, Body: jsontext.Value(body)})
}

// after is a delay of at least d and at most a minute more.
func (w *week) after(d time.Duration) time.Duration {
	return d + time.Duration(w.rng.IntN(60))*time.Second
}

// spell lets a circuit be bad. What speaks of it depends on what is bad about it.
func (w *week) spell(name string, day int, clock string, lasts time.Duration, state string, session, health bool, links ...sim.Link) {
	at, err := time.Parse("15:04", clock)
	if err != nil {
		panic(err)
	}
	from := monday().AddDate(0, 0, day).Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute).Add(w.after(0))
	to, id := from.Add(lasts), w.d.Circuits[name]
	s := spoil{circuit: name, from: from, to: to, state: state, session: session}
	if len(links) == 0 {
		links = sim.Links()[:]
	} else {
		s.link = links[0]
	}
	w.spells = append(w.spells, s)
	if session {
		for _, l := range links {
			a := sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: l, FiredAt: from.Add(20 * time.Second)}
			w.say(a.FiredAt.Add(10*time.Second), w.source.MetricAlert(a))
			a.Value, a.EndedAt = 100, to
			w.say(to.Add(15*time.Second), w.source.MetricAlert(a))
		}
	}
	if state == "down" {
		w.report(name, state, s.link, from.Add(25*time.Second))
		w.report(name, "up", s.link, to.Add(5*time.Second))
	}
	if health {
		late := w.after(2 * time.Minute)
		w.say(from.Add(late), w.source.ResourceHealth(sim.HealthEvent{Circuit: id, Step: sim.StepActivated, From: sim.HealthAvailable, To: sim.HealthUnavailable, At: from.Add(40 * time.Second)}))
		w.say(to.Add(late), w.source.ResourceHealth(sim.HealthEvent{Circuit: id, Step: sim.StepResolved, From: sim.HealthUnavailable, To: sim.HealthAvailable, At: to}))
	}
}

func (w *week) report(name, state string, link sim.Link, at time.Time) {
	body := w.source.OnPremises(sim.MonitorReport{Resource: w.d.Circuits[name], State: state, Link: link, Monitor: "noc", At: at})
	_, rest, _ := bytes.Cut(body, []byte(`"correlation":"`)) // this monitor tells none: they would be most of the packed file
	_, rest, _ = bytes.Cut(rest, []byte(`",`))
	head, _, _ := bytes.Cut(body, []byte(`"correlation"`))
	w.say(at.Add(2*time.Second), append(bytes.Clone(head), rest...))
}

// ofCircuit returns what is bad about a circuit at an instant.
func (w *week) ofCircuit(name string, at time.Time) (spoil, bool) {
	for _, s := range w.spells {
		if s.circuit == name && !at.Before(s.from) && at.Before(s.to) {
			return s, true
		}
	}
	return spoil{}, false
}

// steady is what speaks all the time.
func (w *week) steady() {
	names := []string{"er-ashburn", "er-chicago", "er-chicago-2", "er-dallas", "er-dallas-2", "er-newark"}
	for at := monday(); at.Before(monday().AddDate(0, 0, 7)); at = at.Add(8 * time.Minute) {
		var minutes []sim.CircuitMinute
		for _, name := range names {
			m := sim.CircuitMinute{Circuit: w.d.Circuits[name], At: at, Primary: sim.HealthyLink(1e8), Secondary: sim.HealthyLink(1e8)}
			s, bad := w.ofCircuit(name, at)
			state := "up"
			if bad {
				state = s.state
				if s.session && s.link != sim.Secondary {
					m.Primary.BGP = 0
				}
				if s.session && s.link != sim.Primary {
					m.Secondary.BGP = 0
				}
			}
			minutes = append(minutes, m)
			w.report(name, state, s.link, at.Add(30*time.Second))
		}
		w.say(at.Add(70*time.Second), w.source.Metrics(minutes...))
	}
}

// makeWeek makes the recording.
func makeWeek(t *testing.T) []byte {
	w := &week{d: sim.DemoEstate(), source: sim.Source{Seed: 7}, rng: rand.New(rand.NewPCG(7, 7))}
	w.spell("er-ashburn", 0, "03:12", 24*time.Minute, "down", false, true)               // grey: packets are lost, the sessions stay
	w.spell("er-chicago", 1, "11:40", 41*time.Minute, "down", true, true)                // cut
	w.spell("er-dallas", 2, "02:30", 15*time.Minute, "down", true, false)                // announced work
	w.spell("er-ashburn", 2, "16:05", 25*time.Second, "degraded", true, false)           // three blips that one metric alone sees
	w.spell("er-ashburn", 2, "16:12", 25*time.Second, "degraded", true, false)           //
	w.spell("er-ashburn", 2, "16:21", 25*time.Second, "degraded", true, false)           //
	w.spell("er-ashburn", 3, "09:30", 2*time.Hour, "degraded", true, false, sim.Primary) // one link of two
	w.spell("er-dallas", 4, "19:00", 7*time.Minute, "down", true, false)                 // short, and real
	w.spell("er-chicago", 5, "05:00", 3*time.Hour, "degraded", false, false)             // loses packets for three hours
	w.spell("er-ashburn", 6, "14:00", 32*time.Minute, "down", true, true)                // one provider, two circuits
	w.spell("er-dallas", 6, "14:00", 31*time.Minute, "down", true, true)                 //
	work := monday().AddDate(0, 0, 2).Add(2 * time.Hour)
	for _, stage := range []sim.MaintenanceStage{sim.StagePlanned, sim.StageRunning, sim.StageComplete} {
		at := map[sim.MaintenanceStage]time.Time{sim.StagePlanned: work.Add(-26 * time.Hour), sim.StageRunning: work, sim.StageComplete: work.Add(2 * time.Hour)}[stage]
		w.say(at, w.source.ServiceHealth(sim.Maintenance{Subscription: sim.DemoSubscription, Tracking: "WRK1-TUE", Region: "South Central US", Stage: stage, Start: work, End: work.Add(2 * time.Hour), At: at}))
	}
	w.steady()
	estate := estateOf(w.d)
	w.lines = append(w.lines, Line{At: monday(), Estate: &estate})
	var b bytes.Buffer
	rec := Recording{}
	for _, l := range w.lines {
		if l.Body != nil {
			rec.Messages = append(rec.Messages, Message{l.At, l.Body})
		}
	}
	rec.Add()
	write := func(l Line) {
		text, err := json.Marshal(l, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	write(w.lines[len(w.lines)-1])
	for _, m := range rec.Messages {
		write(Line{At: m.At, Body: m.Body})
	}
	return b.Bytes()
}

// estateOf returns the demo estate as discovery would record it.
func estateOf(d sim.Demo) topology.Estate {
	var e topology.Estate
	id := func(s string) string {
		r, err := events.ParseResourceID(s)
		if err != nil {
			panic(err)
		}
		return r.String()
	}
	for _, c := range d.Spec.Circuits {
		e.Circuits = append(e.Circuits, topology.Circuit{Name: c.ID[len(c.ID)-3:], ID: id(c.ID), Provider: c.Provider, Location: c.Location, Region: c.Region, Bandwidth: int(c.Bandwidth), Tier: c.Tier})
	}
	for _, g := range d.Spec.Gateways {
		e.Gateways = append(e.Gateways, topology.Gateway{ID: id(g.ID), Kind: topology.GatewayKind(g.Kind), Region: g.Region, SKU: g.SKU})
	}
	for _, c := range d.Spec.Connections {
		e.Connections = append(e.Connections, topology.Connection{ID: id(c.ID), Gateway: id(c.Gateway), Circuit: id(c.Circuit)})
	}
	e.Sort()
	return e
}

// TestWeekIsMade holds the committed recording against its generator, so that it is
// known what happened in it. To write it anew: go test ./failover/replay -write-week
func TestWeekIsMade(t *testing.T) {
	want := makeWeek(t)
	const name = "testdata/week.ndjson.gz"
	if *writeWeek {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = z.Write(want)
		_ = z.Close()
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes, %d packed", len(want), b.Len())
	}
	if got := readWeek(t); !bytes.Equal(got, want) {
		t.Error("testdata/week.ndjson.gz is not what its generator makes: go test ./failover/replay -write-week")
	}
}

func readWeek(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/week.ndjson.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
