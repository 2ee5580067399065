package handlers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"erfailover/events"
	"erfailover/failover/report"
)

// counts are what this process has served. Their labels are routes of the table,
// classes of status, verbs and states of orders: closed lists.
type counts struct {
	mu       sync.Mutex
	requests map[[2]string]int64 // route, status class
	orders   map[[2]string]int64 // verb, state
}

func newCounts() *counts {
	return &counts{requests: map[[2]string]int64{}, orders: map[[2]string]int64{}}
}

func (c *counts) request(pattern string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[[2]string{pattern, strconv.Itoa(status/100) + "xx"}]++
}

func (c *counts) order(verb events.Verb, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders[[2]string{string(verb), state}]++
}

// exposition writes the text format of Prometheus, version 0.0.4.
type exposition struct{ bytes.Buffer }

// family begins a metric.
func (x *exposition) family(name, kind, help string) {
	fmt.Fprintf(x, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value. Labels come as name, value, name, value.
func (x *exposition) sample(name string, value float64, labels ...string) {
	x.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := ","
		if i == 0 {
			sep = "{"
		}
		v := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(labels[i+1])
		fmt.Fprintf(x, `%s%s="%s"`, sep, labels[i], v)
	}
	if len(labels) > 0 {
		x.WriteByte('}')
	}
	x.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// one is 1 for true.
func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *server) getMetrics(ctx context.Context, _ request) (answer, error) {
	x := &exposition{}
	if s.Views != nil {
		st, err := s.Views.Status(ctx)
		if err != nil {
			return answer{}, err
		}
		x.gauges(Gauges(st, s.Now()))
	}
	s.counts.write(x)
	if s.Dropped != nil {
		x.family("erfailover_telemetry_dropped_total", "counter", "Spans that the queue or the collector refused, since the start of this process.")
		x.sample("erfailover_telemetry_dropped_total", float64(s.Dropped()))
	}
	return answer{status: http.StatusOK, text: x.Bytes(), media: "text/plain; version=0.0.4; charset=utf-8"}, nil
}

// Gauge is one value of the record, under its OpenTelemetry name. There is one series
// a group, circuit and state, so their number is that of the configuration.
type Gauge struct {
	Name   string   // erfailover.group.at_home; with underscores on the metrics page
	Kind   string   // gauge or counter
	Help   string   //
	Labels []string // name, value, name, value
	Value  float64
}

// Gauges returns what the record says, families together.
func Gauges(st report.Status, now time.Time) []Gauge {
	out := []Gauge{
		{"erfailover.killed", "gauge", "1 while the kill switch holds.", nil, one(st.Killed.Holds(now))},
		{"erfailover.unknown_signals", "counter", "Signals about resources that are not configured.", nil, float64(st.Unknown)},
	}
	for _, m := range []struct {
		name, help string
		value      func(report.GroupStatus) float64
	}{
		{"at_home", "1 while exactly the home circuits carry the group's traffic.", func(g report.GroupStatus) float64 { return one(g.AtHome) }},
		{"paused", "1 while the group is paused.", func(g report.GroupStatus) float64 { return one(g.Paused.Holds(now)) }},
		{"holding", "1 while trouble is seen and guards hold the move.", func(g report.GroupStatus) float64 { return one(g.Verdict.Action == "hold" && len(g.Verdict.From) > 0) }},
		{"operation", "1 while an operation runs or waits for approval.", func(g report.GroupStatus) float64 { return one(g.Operation != nil) }},
		{"epoch", "Number of the group's last decision.", func(g report.GroupStatus) float64 { return float64(g.Epoch) }},
		{"open_intents", "Writes of unknown outcome.", func(g report.GroupStatus) float64 { return float64(g.OpenIntents) }},
		{"drifted_connections", "Connections whose weight others changed.", func(g report.GroupStatus) float64 { return float64(len(g.Drifted)) }},
	} {
		for _, g := range st.Groups {
			out = append(out, Gauge{"erfailover.group." + m.name, "gauge", m.help, []string{"group", g.Name}, m.value(g)})
		}
	}
	for _, g := range st.Groups {
		for _, b := range g.Circuits {
			state := string(b.State)
			if state == "" {
				state = "unknown"
			}
			out = append(out, Gauge{"erfailover.circuit.state", "gauge", "1 for the state in which a group believes a circuit to be.", []string{"group", g.Name, "circuit", b.Circuit, "state", state}, 1})
		}
	}
	for _, g := range st.Groups {
		for _, b := range g.Circuits {
			out = append(out, Gauge{"erfailover.circuit.active", "gauge", "1 while a circuit carries a group's traffic.", []string{"group", g.Name, "circuit", b.Circuit}, one(slices.Contains(g.Active, b.Circuit))})
		}
	}
	return out
}

// gauges writes what the record says.
func (x *exposition) gauges(list []Gauge) {
	last := ""
	for _, g := range list {
		name := strings.ReplaceAll(g.Name, ".", "_")
		if g.Kind == "counter" {
			name += "_total"
		}
		if name != last {
			x.family(name, g.Kind, g.Help)
			last = name
		}
		x.sample(name, g.Value, g.Labels...)
	}
}

// write writes what this process has counted.
func (c *counts) write(x *exposition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	order := func(a, b [2]string) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) }
	x.family("erfailover_api_requests_total", "counter", "Requests of the API since the start of this process.")
	for _, k := range slices.SortedFunc(maps.Keys(c.requests), order) {
		x.sample("erfailover_api_requests_total", float64(c.requests[k]), "route", k[0], "status", k[1])
	}
	x.family("erfailover_orders_total", "counter", "Orders since the start of this process, by how far they came.")
	for _, k := range slices.SortedFunc(maps.Keys(c.orders), order) {
		x.sample("erfailover_orders_total", float64(c.orders[k]), "verb", k[0], "state", k[1])
	}
}
