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
		s.estateMetrics(x, st)
	}
	s.counts.write(x)
	return answer{status: http.StatusOK, text: x.Bytes(), media: "text/plain; version=0.0.4; charset=utf-8"}, nil
}

// estateMetrics writes what the record says. There is one series a group, circuit
// and state, so their number is that of the configuration.
func (s *server) estateMetrics(x *exposition, st report.Status) {
	now := s.Now()
	x.family("erfailover_killed", "gauge", "1 while the kill switch holds.")
	x.sample("erfailover_killed", one(st.Killed.Holds(now)))
	x.family("erfailover_unknown_signals_total", "counter", "Signals about resources that are not configured.")
	x.sample("erfailover_unknown_signals_total", float64(st.Unknown))
	for _, m := range []struct {
		name, help string
		value      func(report.GroupStatus) float64
	}{
		{"erfailover_group_at_home", "1 while exactly the home circuits carry the group's traffic.", func(g report.GroupStatus) float64 { return one(g.AtHome) }},
		{"erfailover_group_paused", "1 while the group is paused.", func(g report.GroupStatus) float64 { return one(g.Paused.Holds(now)) }},
		{"erfailover_group_holding", "1 while trouble is seen and guards hold the move.", func(g report.GroupStatus) float64 { return one(g.Verdict.Action == "hold" && len(g.Verdict.From) > 0) }},
		{"erfailover_group_operation", "1 while an operation runs or waits for approval.", func(g report.GroupStatus) float64 { return one(g.Operation != nil) }},
		{"erfailover_group_epoch", "Number of the group's last decision.", func(g report.GroupStatus) float64 { return float64(g.Epoch) }},
		{"erfailover_group_open_intents", "Writes of unknown outcome.", func(g report.GroupStatus) float64 { return float64(g.OpenIntents) }},
		{"erfailover_group_drifted_connections", "Connections whose weight others changed.", func(g report.GroupStatus) float64 { return float64(len(g.Drifted)) }},
	} {
		x.family(m.name, "gauge", m.help)
		for _, g := range st.Groups {
			x.sample(m.name, m.value(g), "group", g.Name)
		}
	}
	x.family("erfailover_circuit_state", "gauge", "1 for the state in which a group believes a circuit to be.")
	for _, g := range st.Groups {
		for _, b := range g.Circuits {
			state := string(b.State)
			if state == "" {
				state = "unknown"
			}
			x.sample("erfailover_circuit_state", 1, "group", g.Name, "circuit", b.Circuit, "state", state)
		}
	}
	x.family("erfailover_circuit_active", "gauge", "1 while a circuit carries a group's traffic.")
	for _, g := range st.Groups {
		for _, b := range g.Circuits {
			x.sample("erfailover_circuit_active", one(slices.Contains(g.Active, b.Circuit)), "group", g.Name, "circuit", b.Circuit)
		}
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
