package armnet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
)

// monitored is the demo estate with Azure Monitor's data plane beside it, whose tokens
// are of an audience of their own.
type monitored struct {
	*estate
	net *Client
}

func newMonitored(t *testing.T) *monitored {
	audience := "https://metrics.test/" + t.Name()
	m := &monitored{estate: newEstate(t, sim.Options{MetricsAudience: audience})}
	cfg := m.cfg
	cfg.Metrics, cfg.MetricsAudience, cfg.MaxElapsed = m.arm.URL(), audience+"/", -1
	var err error
	if m.net, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return m
}

// sessions asks for the sessions of circuits in the last minutes.
func (m *monitored) sessions(circuits ...string) executor.MetricQuery {
	q := executor.MetricQuery{Namespace: "Microsoft.Network/expressRouteCircuits", Names: []string{"BgpAvailability", "ArpAvailability"},
		From: m.clk.Now().Add(-4 * time.Minute), To: m.clk.Now().Add(time.Minute), Interval: time.Minute,
		Aggregation: executor.ByAverage, SplitBy: []string{"Peer", "PeeringType"}}
	for _, name := range circuits {
		q.Resources = append(q.Resources, executor.Measurable{ID: events.Canonical(m.Circuits[name]), Region: "eastus2"})
	}
	return q
}

// asked counts requests: in batches, and one by one.
func (m *monitored) asked() (batches, singles int) {
	for _, r := range m.Fabric.Requests() {
		switch {
		case r.Kind != sim.KindMetrics:
		case strings.HasSuffix(r.Path, "getBatch"):
			batches++
		default:
			singles++
		}
	}
	return batches, singles
}

func show(a executor.MetricAnswer) string {
	var b strings.Builder
	for _, s := range a.Series {
		fmt.Fprintf(&b, "%s", s.Metric)
		for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
			fmt.Fprintf(&b, " %s=%s", k, s.Labels[k])
		}
		for _, p := range s.Points {
			fmt.Fprintf(&b, " %s=%g", p.At.Format("15:04"), p.Value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// One call asks about many circuits, the links apart; the minute that goes on has no
// number, and the same question is not sent twice in a minute.
func TestMetricsInOneBatch(t *testing.T) {
	m := newMonitored(t)
	m.Fabric.SetBGP(m.Circuits["er-ashburn"], sim.Primary, false, someTime)
	_ = m.clk.Sleep(t.Context(), 2*time.Minute+20*time.Second)
	got := m.net.Metrics(t.Context(), m.sessions("er-ashburn", "er-newark"))
	t0 := someTime.Format("15:04")
	if len(got) != 2 || got[0].Err != nil || got[1].Err != nil || got[0].At != m.clk.Now() {
		t.Fatalf("got %+v", got)
	}
	lines := strings.Split(show(got[0]), "\n")
	if len(lines) != 5 || !strings.Contains(lines[0], "BgpAvailability peer=Primary peeringtype=Private") || !strings.Contains(lines[0], t0+"=0") ||
		!strings.HasSuffix(lines[0], "=0") || strings.Contains(lines[1], "=0") || len(got[0].Series[0].Points) != 4 {
		t.Errorf("ashburn:\n%s", show(got[0]))
	}
	if strings.Contains(show(got[1]), "=0") {
		t.Errorf("newark:\n%s", show(got[1]))
	}
	if batches, singles := m.asked(); batches != 1 || singles != 0 {
		t.Errorf("%d batches, %d singles", batches, singles)
	}
	m.net.Metrics(t.Context(), m.sessions("er-newark", "er-ashburn"))
	if batches, _ := m.asked(); batches != 1 {
		t.Errorf("the same question was sent again: %d", batches)
	}
	_ = m.clk.Sleep(t.Context(), time.Minute)
	m.net.Metrics(t.Context(), m.sessions("er-ashburn", "er-newark"))
	if batches, _ := m.asked(); batches != 2 {
		t.Errorf("%d batches a minute later, want 2", batches)
	}
}

// What was not measured is nothing.
func TestMetricsThatWereNotMeasured(t *testing.T) {
	m := newMonitored(t)
	_ = m.clk.Sleep(t.Context(), 10*time.Minute)
	m.arm.SetMetric(m.Circuits["er-ashburn"], "BgpAvailability", func(l sim.Link, at time.Time) (float64, bool) { return 0, l == sim.Secondary && at.Minute()%2 == 0 })
	got := m.net.Metrics(t.Context(), m.sessions("er-ashburn"))[0]
	if got.Err != nil || len(got.Series[0].Points) != 0 || len(got.Series[1].Points) != 2 {
		t.Errorf("got %v\n%s", got.Err, show(got))
	}
}

// A data plane that refuses us, or is dead, is gone round and left alone for a while.
func TestMetricsWithoutTheDataPlane(t *testing.T) {
	for _, tt := range []struct {
		fault sim.FaultKind
		alone time.Duration
	}{{sim.Forbidden, time.Hour}, {sim.DropBefore, 5 * time.Minute}, {sim.NotFound, 5 * time.Minute}, {sim.BadBody, 5 * time.Minute}, {sim.ServerError, 5 * time.Minute}} {
		t.Run(string(tt.fault), func(t *testing.T) {
			m := newMonitored(t)
			m.arm.Inject(sim.Rule{Match: sim.Match{Path: "getBatch", Times: -1}, Fault: sim.Fault{Kind: tt.fault, Code: "AuthorizationFailed"}})
			_ = m.clk.Sleep(t.Context(), 5*time.Minute)
			for range 2 {
				for _, a := range m.net.Metrics(t.Context(), m.sessions("er-ashburn", "er-newark")) {
					if a.Err != nil || len(a.Series) != 4 || len(a.Series[0].Points) != 4 {
						t.Fatalf("got %v\n%s", a.Err, show(a))
					}
				}
			}
			if batches, singles := m.asked(); batches != 1 || singles != 4 {
				t.Errorf("%d batches, %d singles", batches, singles)
			}
			m.arm.ClearFaults()
			_ = m.clk.Sleep(t.Context(), tt.alone)
			m.net.Metrics(t.Context(), m.sessions("er-ashburn"))
			if batches, singles := m.asked(); batches != 2 || singles != 4 {
				t.Errorf("later: %d batches, %d singles", batches, singles)
			}
		})
	}
}

// With both ways dead there is no number and a reason.
func TestMetricsOfADeadMonitor(t *testing.T) {
	m := newMonitored(t)
	m.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindMetrics, Times: -1}, Fault: sim.Fault{Kind: sim.DropBefore}})
	got := m.net.Metrics(t.Context(), m.sessions("er-ashburn"))[0]
	if f := asFault(t, got.Err); f.Kind != fault.Unavailable || len(got.Series) != 0 {
		t.Errorf("got %+v", got)
	}
	if f := asFault(t, m.net.Metrics(t.Context(), executor.MetricQuery{Resources: []executor.Measurable{{ID: "x"}}})[0].Err); f.Kind != fault.Invalid {
		t.Errorf("got %+v", f)
	}
}

// A throttled data plane is neither gone round nor asked before its time.
func TestMetricsThrottled(t *testing.T) {
	m := newMonitored(t)
	m.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindMetrics}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "120"}})
	for i, want := range []time.Duration{2 * time.Minute, 90 * time.Second} {
		f := asFault(t, m.net.Metrics(t.Context(), m.sessions("er-ashburn"))[0].Err)
		if f.Kind != fault.Throttled || f.RetryAfter != want {
			t.Errorf("%d: got %+v", i, f)
		}
		_ = m.clk.Sleep(t.Context(), 30*time.Second)
	}
	if batches, singles := m.asked(); batches != 1 || singles != 0 {
		t.Errorf("%d batches, %d singles", batches, singles)
	}
	_ = m.clk.Sleep(t.Context(), time.Minute)
	if got := m.net.Metrics(t.Context(), m.sessions("er-ashburn"))[0]; got.Err != nil {
		t.Errorf("after the wait: %v", got.Err)
	}
}

// 120 circuits of one region are three calls; another region is another.
func TestMetricsAreAskedFiftyAtATime(t *testing.T) {
	m := newMonitored(t)
	q := m.sessions()
	q.Names = q.Names[:1]
	for i := range 121 {
		id := fmt.Sprintf("/subscriptions/s/resourcegroups/net/providers/microsoft.network/expressroutecircuits/c%d", i)
		m.arm.SetMetric(id, "BgpAvailability", func(sim.Link, time.Time) (float64, bool) { return float64(i), true })
		q.Resources = append(q.Resources, executor.Measurable{ID: id, Region: map[bool]string{false: "East US 2", true: "westus"}[i == 120]})
	}
	_ = m.clk.Sleep(t.Context(), 5*time.Minute)
	for i, a := range m.net.Metrics(t.Context(), q) {
		if a.Err != nil || a.Resource != q.Resources[i].ID || len(a.Series) != 2 || a.Series[1].Points[0].Value != float64(i) {
			t.Fatalf("%d: %v\n%s", i, a.Err, show(a))
		}
	}
	if batches, singles := m.asked(); batches != 4 || singles != 0 {
		t.Errorf("%d batches, %d singles", batches, singles)
	}
}

// The region becomes part of a host that sees our token.
func TestHostsOfTheDataPlane(t *testing.T) {
	for _, tt := range []struct {
		cloud        Cloud
		region, host string
	}{
		{Public, "East US 2", "eastus2.metrics.monitor.azure.com"},
		{Government, "usgovvirginia", "usgovvirginia.metrics.monitor.azure.us"},
		{China, "chinaeast2", "chinaeast2.metrics.monitor.azure.cn"},
		{Public, "evil.example/", ""}, {Public, "", ""}, {Public, "global", ""}, {Public, "a@b", ""}, {Public, "x#", ""}, {Public, "eastus２", ""},
	} {
		c, err := New(Config{Cloud: tt.cloud, Credential: staticToken("x")})
		if err != nil {
			t.Fatal(err)
		}
		host, known := c.metrics.host(regionName(tt.region))
		if got := strings.TrimPrefix(host, "https://"); known && got != tt.host || known != (tt.host != "") {
			t.Errorf("%s in %q: got %q", tt.cloud, tt.region, got)
		}
	}
	for field, cfg := range map[string]Config{
		"Metrics":         {Metrics: "http://plain.test", MetricsAudience: "x"},
		"MetricsAudience": {Metrics: "https://m.test"},
		"Metrics:":        {MetricsAudience: "x"},
	} {
		cfg.Cloud, cfg.Endpoint, cfg.Audience, cfg.Authority, cfg.Credential = Custom, "https://arm.test", "a", "https://login.test", staticToken("x")
		if _, err := New(cfg); asFault(t, err).Kind != fault.Invalid || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestQuestionsAboutMetricsThatAreRefused(t *testing.T) {
	m := newMonitored(t)
	for field, change := range map[string]func(*executor.MetricQuery){
		"namespace":   func(q *executor.MetricQuery) { q.Namespace = "a&b=c" },
		"names":       func(q *executor.MetricQuery) { q.Names = nil },
		"name":        func(q *executor.MetricQuery) { q.Names = []string{"Bgp,Arp"} },
		"dimension":   func(q *executor.MetricQuery) { q.SplitBy = []string{"Peer eq 'x' or"} },
		"split by":    func(q *executor.MetricQuery) { q.SplitBy = []string{"a", "b", "c", "d"} },
		"interval":    func(q *executor.MetricQuery) { q.Interval = 2 * time.Minute },
		"aggregation": func(q *executor.MetricQuery) { q.Aggregation = "median" },
		"from":        func(q *executor.MetricQuery) { q.From = q.To },
		"resources":   func(q *executor.MetricQuery) { q.Resources[0].ID = "/subscriptions/x" },
	} {
		q := m.sessions("er-ashburn")
		change(&q)
		a := m.net.Metrics(t.Context(), q)[0]
		if f := asFault(t, a.Err); f.Kind != fault.Invalid || !strings.Contains(a.Err.Error(), field) {
			t.Errorf("%s: got %v", field, a.Err)
		}
	}
	if batches, singles := m.asked(); batches+singles != 0 {
		t.Errorf("%d requests were sent", batches+singles)
	}
}

func TestAnswersAboutMetrics(t *testing.T) {
	const point = `{"values":[{"resourceid":"/subscriptions/S/resourceGroups/g/providers/Microsoft.Network/expressRouteCircuits/C","value":[
		{"name":{"value":"BgpAvailability"},"errorCode":"Success","timeseries":[{"metadatavalues":[{"name":{"value":"Peer"},"value":"Primary"}],"data":[%s]}]}]}]}`
	const id = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/expressroutecircuits/c"
	for _, tt := range []struct{ name, body, want string }{
		{"a number", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z","average":99.5}`), "BgpAvailability peer=Primary 03:04=99.5\n"},
		{"zero is a number", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z","average":0}`), "BgpAvailability peer=Primary 03:04=0\n"},
		{"null", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z","average":null}`), "BgpAvailability peer=Primary\n"},
		{"absent", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z"}`), "BgpAvailability peer=Primary\n"},
		{"another number than asked for", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z","count":2}`), "BgpAvailability peer=Primary\n"},
		{"out of order", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:05:00Z","average":2},{"timeStamp":"2026-01-02T03:04:00+00:00","average":1}`), "BgpAvailability peer=Primary 03:04=1 03:05=2\n"},
		{"no time", fmt.Sprintf(point, `{"timeStamp":"yesterday","average":1}`), "error timeStamp"},
		{"a text", fmt.Sprintf(point, `{"timeStamp":"2026-01-02T03:04:00Z","average":"100"}`), "error"},
		{"no values", `{"error":{}}`, "error values"},
		{"no value", `{"values":[{"resourceid":"` + id + `"}]}`, "error value"},
		{"no resource", `{"values":[{"value":[]}]}`, "error resourceid"},
		{"a metric that failed", `{"values":[{"resourceid":"` + id + `","value":[{"name":{"value":"X"},"errorCode":"InternalServerError","timeseries":[]}]}]}`, "fault X (InternalServerError)"},
		{"not JSON", `<html>`, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeBatch([]byte(tt.body), executor.ByAverage)
			text := show(executor.MetricAnswer{Series: got[id].series})
			switch {
			case err != nil:
				text = "error " + err.Error()
			case got[id].err != nil:
				text = "fault " + got[id].err.Error()
			}
			if !strings.Contains(text, strings.TrimPrefix(strings.TrimPrefix(tt.want, "error "), "fault ")) || strings.HasPrefix(tt.want, "error") != (err != nil) {
				t.Errorf("got %q", text)
			}
		})
	}
}

// FuzzMetrics: no answer breaks the reader, and what it takes has times in order.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte(`{"values":[{"resourceid":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/expressRouteCircuits/c","value":[{"name":{"value":"B"},"timeseries":[{"data":[{"timeStamp":"2026-01-02T03:04:00Z","average":1e308}]}]}]}]}`))
	f.Add([]byte(`{"value":[{"name":{"value":"B"},"errorCode":"Throttled"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeBatch(raw, executor.ByAverage)
		if err != nil {
			return
		}
		for id, a := range got {
			if id == "" || id != events.Canonical(id) {
				t.Fatalf("resource %q", id)
			}
			for _, s := range a.series {
				if !slices.IsSortedFunc(s.Points, func(a, b executor.Point) int { return a.At.Compare(b.At) }) {
					t.Fatalf("out of order: %v", s.Points)
				}
			}
		}
	})
}
