package cli

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/topology"
)

const drillConfig = `version: 1
circuits:
  ashburn: {id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn}
  chicago: {id: /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-chicago}
groups:
  east:
    mode: automatic
    gateways: [/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw1]
    preference: [ashburn, chicago]
    objective: 3m
drills:
  monthly: {group: east, kind: move, schedule: "0 2 1 * *", timezone: America/New_York, hold: 20m, limit: 45m, announce: 1h, blackout: [2026-02-01/2026-02-01]}
`

// TestDrills tells drills from the calendar to the outcome, with the engine, the
// configuration and the record as they are; only Azure is small.
func TestDrills(t *testing.T) {
	datadriven.Walk(t, "testdata/drills", func(t *testing.T, file string) {
		w := newDrillWorld(t)
		datadriven.RunTest(t, file, w.run)
	})
}

// drillWorld is one group with its engine and its calendar.
type drillWorld struct {
	t       testing.TB
	p       *parts
	now     time.Time
	store   *recordtest.Memory
	azure   *oneGateway
	printed int
	bad     map[string]bool
	noTimer bool // the calendar's timer is dead
	ids     int
}

func newDrillWorld(t *testing.T) *drillWorld {
	cfg, _, err := config.Parse([]byte(drillConfig))
	if err != nil {
		t.Fatal(err)
	}
	w := &drillWorld{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), store: recordtest.NewMemory(), bad: map[string]bool{}}
	w.azure = &oneGateway{w: w, weights: map[string]*executor.ConnectionState{}}
	w.p = &parts{config: cfg, store: w.store, clock: &clock{}}
	w.restart()
	return w
}

// restart makes a new process on the same record.
func (w *drillWorld) restart() {
	topo := w.p.config.Topology()
	for _, c := range topo.Circuits {
		id := topo.Gateways[0].ID + "-" + c.Name
		if w.azure.weights[id] == nil {
			weight := int32(100)
			if c.Name == "ashburn" {
				weight = 200
			}
			w.azure.weights[id] = &executor.ConnectionState{ID: id, Gateway: topo.Gateways[0].ID, Circuit: c.ID, Weight: weight, Provisioning: "Succeeded", Rest: "r"}
		}
	}
	rules := map[string]failover.GroupRules{"east": {Policy: w.p.config.PolicyRule("east"), Health: health.DefaultRule()}}
	rule := rules["east"]
	rule.Policy.SettleAfter = time.Minute
	rules["east"] = rule
	w.p.engine = failover.New(failover.Settings{Store: w.store, Network: w.azure, Clock: w, Log: zerolog.Nop(), Owner: "a", Topology: topo, Hash: "c", Rules: rules,
		ID: func() string { w.ids++; return fmt.Sprintf("id-%d", w.ids) }, Limits: w.p.config.Limits(), Timing: failover.DefaultTiming()})
	w.p.clock = &clock{at: func() time.Time { return w.now }}
}

// Now and Sleep are the engine's clock.
func (w *drillWorld) Now() time.Time { return w.now }

func (w *drillWorld) Sleep(_ context.Context, d time.Duration) error {
	w.now = w.now.Add(d)
	return nil
}

func (w *drillWorld) run(t *testing.T, d *datadriven.TestData) string {
	w.t = t
	switch d.Cmd {
	case "until": // until 2026-02-01T06:00:00Z: minutes pass, with ticks and healthy metrics
		end, err := time.Parse(time.RFC3339, d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		if end.Sub(w.now) > 3*time.Hour { // quiet days are skipped
			w.now = end.Add(-3 * time.Hour)
		}
		for w.now.Before(end) {
			w.minute()
		}
		return w.news()
	case "bad", "good": // bad chicago: from now on its metrics and probes say so
		w.bad[d.CmdArgs[0].Key] = d.Cmd == "bad"
		return "ok"
	case "order": // order pause by=ana
		o := &events.Order{Verb: events.Verb(d.CmdArgs[0].Key), Group: "east", By: "ana"}
		if _, err := w.p.engine.Handle(context.Background(), []events.Signal{{ID: "s-" + d.Pos, Kind: events.Command, Observer: events.Person, At: w.now, Order: o}}); err != nil {
			return "error: " + err.Error()
		}
		return w.news()
	case "calendar": // calendar dead | alive
		w.noTimer = d.CmdArgs[0].Key == "dead"
		return "ok"
	case "restart":
		w.restart()
		return "ok"
	case "weights":
		var b strings.Builder
		for _, name := range []string{"ashburn", "chicago"} {
			for id, c := range w.azure.weights {
				if strings.HasSuffix(id, "-"+name) {
					fmt.Fprintf(&b, "%s %d %s\n", name, c.Weight, c.Epoch)
				}
			}
		}
		return b.String()
	case "outcome":
		var doc drill.Document
		if _, err := w.p.drillLoad(context.Background(), "monthly", &doc); err != nil {
			return "error: " + err.Error()
		}
		if doc.Last == nil {
			return fmt.Sprintf("%s, next %s", doc.Phase, doc.Next.Format(time.RFC3339))
		}
		return fmt.Sprintf("%s (%s), restored %t, recovery %d s, %s; next %s", doc.Last.Result, doc.Phase, doc.Last.Restored, doc.Last.RecoveryMS/1000, doc.Last.Why, doc.Next.Format(time.RFC3339))
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

// minute lets one minute pass: metrics, four ticks, the calendar.
func (w *drillWorld) minute() {
	ctx := context.Background()
	var sigs []events.Signal
	for _, c := range w.p.config.Topology().Circuits {
		for _, o := range []events.Observer{events.Metric, events.Probe} {
			s := events.Signal{ID: fmt.Sprintf("s-%s-%s-%d-%t", o, c.Name, w.now.Unix(), w.bad[c.Name]), Kind: events.Health, Observer: o, Source: "x", Resource: c.ID, Plane: events.DataPlane, State: events.Up, At: w.now}
			if w.bad[c.Name] {
				s.State = events.Down
			}
			sigs = append(sigs, s)
		}
	}
	if _, err := w.p.engine.Handle(ctx, sigs); err != nil {
		w.t.Fatal(err)
	}
	end := w.now.Add(time.Minute)
	for w.now.Before(end) {
		if err := w.p.engine.Tick(ctx); err != nil {
			w.t.Fatal(err)
		}
		w.now = w.now.Add(15 * time.Second)
	}
	if !w.noTimer {
		if err := w.p.drills(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *drillWorld) news() string {
	var b strings.Builder
	rows := w.store.Rows(drill.Stream("monthly"))
	for _, row := range rows[w.printed:] {
		e, err := record.ParseEntry(row.Body)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, "%s %s: %s\n", e.At.UTC().Format("01-02 15:04"), e.Code, e.Text)
	}
	w.printed = len(rows)
	return b.String()
}

// oneGateway is an Azure of one gateway whose writes land at once.
type oneGateway struct {
	w       *drillWorld
	weights map[string]*executor.ConnectionState
}

func (a *oneGateway) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	out := make([]executor.Reading, len(refs))
	for i, r := range refs {
		out[i] = executor.Reading{Ref: r, At: a.w.now, Found: true}
		switch r.Kind {
		case executor.RefConnection:
			c := *a.weights[r.ID]
			out[i].Connection = &c
		case executor.RefConnections:
			for _, name := range sortedKeys(a.weights) {
				out[i].Connections = append(out[i].Connections, *a.weights[name])
			}
		case executor.RefCircuit:
			out[i].Circuit = &executor.CircuitState{Circuit: topology.Circuit{Tier: "Premium"}}
		case executor.RefGateway:
			out[i].Gateway = &topology.Gateway{ID: r.ID}
		case executor.RefTraffic:
			n := a.w.now.Unix()
			out[i].Traffic = &executor.Traffic{Out: [2]int64{n, n}}
		}
	}
	return out
}

func (a *oneGateway) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	out := make([]executor.Begun, len(writes))
	for i, w := range writes {
		c := a.weights[w.Connection]
		before := *c
		c.Weight, c.Epoch = w.To, w.Epoch
		out[i] = executor.Begun{Outcome: executor.Applied, Sent: true, Before: &before}
	}
	return out
}

func (a *oneGateway) Ask(_ context.Context, qs []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(qs))
	for i, q := range qs {
		out[i] = executor.Begun{Outcome: executor.Applied, Answer: &executor.Answer{Question: q, At: a.w.now,
			Peers: []executor.Peer{{Established: true, Prefixes: 3}}, Routes: []executor.Route{{Network: "10.0.0.0/8", Origin: "EBgp"}}}}
	}
	return out
}

func (a *oneGateway) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	out := make([]executor.Polled, len(running))
	for i := range out {
		out[i] = executor.Polled{Done: true, Outcome: executor.Unknown}
	}
	return out
}
