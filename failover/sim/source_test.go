package sim

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"erfailover/events"
)

// sourceStart is second 0 of every script.
var sourceStart = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

const (
	sourceSub  = "00000000-0000-0000-0000-000000000001"
	sourceNet  = "/subscriptions/" + sourceSub + "/resourceGroups/net/providers/Microsoft.Network/"
	monitorsAt = sourceNet + "networkWatchers/watch/connectionMonitors/"
)

// TestSource runs the scripts in testdata/source: each command writes one message,
// shows it, and shows what events.Parse makes of it. To accept new output, run
// `go test ./failover/sim -run TestSource -rewrite` and read the diff.
func TestSource(t *testing.T) {
	datadriven.Walk(t, "testdata/source", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			raw := sourceBody(t, d)
			if again := sourceBody(t, d); !bytes.Equal(raw, again) {
				d.Fatalf(t, "two calls give two bodies:\n%s\n%s", raw, again)
			}
			v := jsontext.Value(raw)
			if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
				d.Fatalf(t, "not JSON: %v\n%s", err, raw)
			}
			return string(v) + "\n" + sourceRead(raw)
		})
	})
}

// sourceRead shows what the parser makes of a body.
func sourceRead(raw []byte) string {
	var b strings.Builder
	batch := events.Parse(raw, sourceStart.Add(48*time.Hour))
	for _, s := range batch.Signals {
		fmt.Fprintf(&b, "%s by %s at %s", s.Kind, s.Observer, s.At.Format("2Jan15:04:05"))
		show := func(name, v string) {
			if v != "" {
				fmt.Fprintf(&b, " %s=%s", name, v)
			}
		}
		show("on", s.Resource[strings.LastIndexByte(s.Resource, '/')+1:])
		show("link", string(s.Link))
		show("peering", string(s.Peering))
		show("plane", string(s.Plane))
		show("state", string(s.State))
		if s.Kind == events.Health && s.State == events.Unknown {
			show("state", "unknown")
		}
		if s.Tentative {
			show("tentative", "yes")
		}
		if s.UserAction {
			show("user-action", "yes")
		}
		if s.Value != nil {
			show("value", strconv.FormatFloat(*s.Value, 'g', -1, 64))
		}
		if w := s.Window; w != nil {
			show("window", w.Start.Format("2Jan15:04")+"-"+w.End.Format("2Jan15:04"))
			show("region", w.Region)
			show("cancelled", map[bool]string{true: "yes"}[w.Cancelled])
		}
		show("actor", s.Actor)
		if s.Weight != nil {
			show("weight", fmt.Sprint(*s.Weight))
		}
		b.WriteByte('\n')
	}
	for _, f := range batch.Foreign {
		fmt.Fprintf(&b, "foreign: %s: %s\n", f.Format, f.Why)
	}
	for _, e := range batch.Broken {
		fmt.Fprintf(&b, "broken: %v\n", e)
	}
	if b.Len() == 0 {
		return "no signals\n"
	}
	return b.String()
}

// sourceArgs reads the arguments of one command.
type sourceArgs struct {
	t *testing.T
	d *datadriven.TestData
}

func (a sourceArgs) text(key string) string {
	a.t.Helper()
	var s string
	a.d.MaybeScanArgs(a.t, key, &s)
	return s
}

func (a sourceArgs) id(key, typ string) string {
	if name := a.text(key); name != "" {
		return sourceNet + typ + "/" + name
	}
	return ""
}

func (a sourceArgs) time(key string) time.Time {
	a.t.Helper()
	s := a.text(key)
	if s == "" {
		return time.Time{}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		a.d.Fatalf(a.t, "%s: %v", key, err)
	}
	return sourceStart.Add(d)
}

func (a sourceArgs) number(key string) float64 {
	a.t.Helper()
	v, err := strconv.ParseFloat(a.text(key), 64)
	if err != nil {
		a.d.Fatalf(a.t, "%s: %v", key, err)
	}
	return v
}

// measure reads "100/100/5e8/5e8" (BGP, ARP, in, out) or "silent".
func (a sourceArgs) measure(key string) LinkMeasure {
	a.t.Helper()
	if a.text(key) == "silent" {
		return LinkMeasure{Silent: true}
	}
	if a.text(key) == "" {
		return HealthyLink(5e8)
	}
	var m LinkMeasure
	text := strings.ReplaceAll(a.text(key), "/", " ")
	if n, err := fmt.Sscan(text, &m.BGP, &m.ARP, &m.In, &m.Out); n != 4 {
		a.d.Fatalf(a.t, "%s: want bgp/arp/in/out: %v", key, err)
	}
	return m
}

// sourceBody writes the message that a command asks for.
func sourceBody(t *testing.T, d *datadriven.TestData) []byte {
	t.Helper()
	a := sourceArgs{t, d}
	s := Source{Seed: 1}
	circuit := a.id("circuit", "expressRouteCircuits")
	switch d.Cmd {
	case "resource-health", "health-alert":
		e := HealthEvent{
			Circuit: circuit, Step: HealthStep(a.text("step")), At: a.time("at"), Cause: a.text("cause"),
			From: Availability(a.text("from")), To: Availability(a.text("to")), Shape: RecordShape(d.HasArg("nested")),
		}
		if d.Cmd == "health-alert" {
			return s.HealthAlert(e)
		}
		return s.ResourceHealth(e)
	case "outage":
		return s.Outage(circuit, a.time("from"), a.time("to"))
	case "metric-alert":
		return s.MetricAlert(MetricAlert{
			Circuit: circuit, Metric: a.text("metric"), Link: Link(a.text("link")), Peering: a.text("peering"),
			Value: a.number("value"), FiredAt: a.time("fired"), EndedAt: a.time("ended"),
		})
	case "monitor-alert":
		return s.MonitorAlert(MonitorAlert{
			Monitor: monitorsAt + a.text("monitor"), Group: "canary", Source: "dc1-host", Destination: "east-vm",
			Failed: a.number("failed"), FiredAt: a.time("fired"), EndedAt: a.time("ended"),
		})
	case "maintenance":
		return s.ServiceHealth(Maintenance{
			Subscription: sourceSub, Region: "East US", Stage: MaintenanceStage(a.text("stage")),
			Start: a.time("start"), End: a.time("end"), At: a.time("at"), Emergency: d.HasArg("emergency"),
		})
	case "metrics":
		return s.Metrics(CircuitMinute{Circuit: circuit, Primary: a.measure("primary"), Secondary: a.measure("secondary"), At: a.time("at")})
	case "write":
		w := ConnectionWrite{Connection: a.id("connection", "connections"), By: a.text("by"), Result: WriteResult(a.text("result")), At: a.time("at")}
		if a.text("weight") != "" {
			n := int32(a.number("weight"))
			w.Weight = &n
		}
		return s.Write(w)
	case "on-premises":
		return s.OnPremises(MonitorReport{Resource: circuit, State: a.text("state"), Link: Link(a.text("link")), Monitor: a.text("monitor"), At: a.time("at")})
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return nil
}

// TestSourceIDs checks what must be equal and what must differ: the two messages
// of one firing share an alert ID, the two links and two seeds do not.
func TestSourceIDs(t *testing.T) {
	fired := MetricAlert{Circuit: sourceNet + "expressRouteCircuits/er-a", Metric: BGPAvailability, Link: Primary, FiredAt: sourceStart}
	ended, other := fired, fired
	ended.EndedAt = sourceStart.Add(10 * time.Minute)
	other.Link = Secondary
	id := func(s Source, a MetricAlert) string {
		_, rest, ok := strings.Cut(string(s.MetricAlert(a)), `"alertId":"`)
		if !ok {
			t.Fatal("no alertId")
		}
		text, _, _ := strings.Cut(rest, `"`)
		return text
	}
	if id(Source{}, fired) != id(Source{}, ended) {
		t.Error("Fired and Resolved of one series have two alert IDs")
	}
	if id(Source{}, fired) == id(Source{}, other) {
		t.Error("the two links share an alert ID")
	}
	if id(Source{}, fired) == id(Source{Seed: 2}, fired) {
		t.Error("the seed changes nothing")
	}
}

// TestSourceIsUnderstood writes whatever can be asked for and lets events.Parse
// read it: nothing is broken, nothing is foreign, and the state is the one meant.
func TestSourceIsUnderstood(t *testing.T) {
	circuit := sourceNet + "expressRouteCircuits/er-a"
	rapid.Check(t, func(t *rapid.T) {
		s := Source{Seed: rapid.Uint64().Draw(t, "seed")}
		when := sourceStart.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "at")))
		link := rapid.SampledFrom([]Link{"", Primary, Secondary}).Draw(t, "link")
		state := rapid.SampledFrom([]events.State{events.Up, events.Degraded, events.Down}).Draw(t, "state")
		said := map[events.State]Availability{events.Up: HealthAvailable, events.Degraded: HealthDegraded, events.Down: HealthUnavailable}[state]
		health := HealthEvent{
			Circuit: circuit, To: said, At: when,
			Step:  rapid.SampledFrom([]HealthStep{StepActivated, StepInProgress, StepUpdated, StepResolved}).Draw(t, "step"),
			From:  rapid.SampledFrom([]Availability{"", HealthAvailable, HealthUnavailable, HealthDegraded, HealthUnknown}).Draw(t, "from"),
			Shape: RecordShape(rapid.Bool().Draw(t, "nested")),
			Cause: rapid.SampledFrom([]string{"", "PlatformInitiated", "UserInitiated"}).Draw(t, "cause"),
		}
		for what, raw := range map[string][]byte{
			"stream":      s.ResourceHealth(health),
			"alert":       s.HealthAlert(health),
			"on-premises": s.OnPremises(MonitorReport{Resource: circuit, State: string(state), Link: link, At: when}),
		} {
			b := events.Parse(raw, sourceStart.Add(48*time.Hour))
			if len(b.Signals) != 1 || b.Read != 1 || len(b.Broken)+len(b.Foreign) != 0 {
				t.Fatalf("%s: %d signals, foreign %v, broken %v\n%s", what, len(b.Signals), b.Foreign, b.Broken, raw)
			}
			got := b.Signals[0]
			if got.State != state || !strings.EqualFold(got.Resource, circuit) || got.UserAction != (what != "on-premises" && health.Cause == "UserInitiated") {
				t.Fatalf("%s: read as %+v\n%s", what, got, raw)
			}
			if d := got.At.Sub(when).Abs(); d >= time.Microsecond {
				t.Fatalf("%s: time is off by %v", what, d)
			}
		}
	})
}
