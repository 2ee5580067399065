//go:build unix

package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is a stand-in for an OpenTelemetry collector: it reads OTLP with the
// published types.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	spans   map[string]*tracepb.Span // by span ID
	service string
	metrics map[string][]*common.KeyValue // attributes of the first point, by metric
}

func newCollector(t *testing.T) *collector {
	c := &collector{spans: map[string]*tracepb.Span{}, metrics: map[string][]*common.KeyValue{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s came as %q", r.URL.Path, r.Header.Get("Content-Type"))
		}
		switch r.URL.Path {
		case "/v1/traces":
			c.takeSpans(t, body)
		case "/v1/metrics":
			c.takeMetrics(t, body)
		default:
			t.Errorf("%s was asked for", r.URL.Path)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) takeSpans(t *testing.T, body []byte) {
	var m collectortrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &m); err != nil {
		t.Errorf("no OTLP spans: %v", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range m.GetResourceSpans() {
		c.service = attr(rs.GetResource().GetAttributes(), "service.name")
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans[hex.EncodeToString(s.GetSpanId())] = s
			}
		}
	}
}

func (c *collector) takeMetrics(t *testing.T, body []byte) {
	var m collectormetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &m); err != nil {
		t.Errorf("no OTLP metrics: %v", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rm := range m.GetResourceMetrics() {
		for _, sm := range rm.GetScopeMetrics() {
			for _, one := range sm.GetMetrics() {
				points := one.GetSum().GetDataPoints()
				points = append(points, one.GetGauge().GetDataPoints()...)
				var attrs []*common.KeyValue
				for _, p := range points {
					attrs = p.GetAttributes()
				}
				for _, p := range one.GetHistogram().GetDataPoints() {
					attrs = p.GetAttributes()
					if p.GetCount() == 0 || len(p.GetBucketCounts()) != len(p.GetExplicitBounds())+1 {
						t.Errorf("%s: a broken histogram: %v", one.GetName(), p)
					}
				}
				c.metrics[one.GetName()] = attrs
			}
		}
	}
}

func attr(list []*common.KeyValue, key string) string {
	for _, kv := range list {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

// up returns the names from a span to the root of its trace, itself first.
func (c *collector) up(s *tracepb.Span) (names []string, root *tracepb.Span) {
	for root = s; ; {
		names = append(names, s.GetName())
		root = s
		up := c.spans[hex.EncodeToString(s.GetParentSpanId())]
		if up == nil {
			return names, root
		}
		s = up
	}
}

// TestTraces follows one failover at a collector that knows nothing of us, from the
// batch of events to the write of each weight: in one trace when an event decides,
// and by links when a tick decides after the hold-down. Beats of later ticks link
// back to the decision.
func TestTraces(t *testing.T) {
	t.Parallel()
	for _, decider := range []string{"CircuitEvents", "Tick"} {
		t.Run(decider, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			r := newRig(t)
			r.extraEnv = append(r.extraEnv, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_BSP_SCHEDULE_DELAY=50")
			r.atRest()
			first := r.clock.Now()
			r.send(r.outage("ashburn")...)
			r.settled()
			if decider == "CircuitEvents" {
				r.await("the hold-down passes", func() bool { return r.clock.Now().After(first.Add(6 * time.Second)) })
				r.send(r.outage("ashburn")...)
				r.settled()
			}
			r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
			r.end() // what waits is sent
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.service != "erfailover" {
				t.Errorf("the service is %q", c.service)
			}
			c.checkSpans(t, decider)
			for name, key := range map[string]string{"erfailover.operations": "erfailover.operation.result", "erfailover.recovery.duration": "erfailover.group",
				"erfailover.write.duration": "erfailover.outcome", "erfailover.signals": "erfailover.outcome", "faas.invoke_duration": "faas.trigger", "erfailover.group.at_home": "erfailover.group"} {
				if attrs, sent := c.metrics[name]; !sent || attr(attrs, key) == "" {
					t.Errorf("metric %s: sent %t with %v, want %s", name, sent, attrs, key)
				}
			}
		})
	}
}

// checkSpans checks every write's way up, and the links of later beats.
func (c *collector) checkSpans(t *testing.T, decider string) {
	t.Helper()
	writes, linked := 0, 0
	for _, s := range c.spans {
		names, root := c.up(s)
		switch s.GetName() {
		case "write weight":
			writes++
			if !slices.Contains(names, "operate") || !slices.Contains(names, "decide") || root.GetName() != decider {
				t.Errorf("a write is part of %v, want operate, decide and %s", names, decider)
			}
			if len(attr(root.GetAttributes(), "faas.invocation_id")) < 32 {
				t.Errorf("%s, the root of a write, names no invocation: %v", root.GetName(), root.GetAttributes())
			}
			if decider == "Tick" && !c.heard(names, s) {
				t.Errorf("no link from the write of %s back to an event: %v", attr(s.GetAttributes(), "erfailover.connection"), names)
			}
		case "operate":
			for _, l := range s.GetLinks() {
				from := c.spans[hex.EncodeToString(l.GetSpanId())]
				if from.GetName() == "decide" && !slices.Contains(names, "decide") {
					linked++ // a later tick's
				}
			}
		}
	}
	if writes != len(gateways()) || linked == 0 {
		t.Errorf("%d writes and %d later beats linked to their decision, of %d spans", writes, linked, len(c.spans))
	}
}

// heard reports whether the decision above a write links to a batch of events.
func (c *collector) heard(names []string, s *tracepb.Span) bool {
	for range names {
		for _, l := range s.GetLinks() {
			if from := c.spans[hex.EncodeToString(l.GetSpanId())]; from != nil {
				if up, _ := c.up(from); slices.Contains(up, "CircuitEvents") {
					return true
				}
			}
		}
		if s = c.spans[hex.EncodeToString(s.GetParentSpanId())]; s == nil {
			return false
		}
	}
	return false
}

// TestDeadCollector: the collector answers nothing, then errors. The failover is as
// ever, what was dropped is counted on the metrics page and told in the log.
func TestDeadCollector(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
			w.WriteHeader(http.StatusServiceUnavailable)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(dead.Close)
	r := newRig(t)
	r.extraEnv = append(r.extraEnv, "OTEL_EXPORTER_OTLP_ENDPOINT="+dead.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_TIMEOUT=2000")
	r.atRest()
	r.send(r.outage("ashburn")...)
	r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
	close(hang)
	r.tick("it is told", func() bool { return r.times(func(l said) bool { return l.Event == "telemetry.trouble" }) > 0 })
	code, page := r.api("/api/v1/metrics")
	if i := strings.Index(page, "\nerfailover_telemetry_dropped_total "); code != http.StatusOK || i < 0 || strings.HasPrefix(page[i:], "\nerfailover_telemetry_dropped_total 0\n") {
		t.Errorf("metrics: %d, %q", code, page)
	}
	began := time.Now()
	r.end()
	if took := time.Since(began); took > patience {
		t.Errorf("the end took %s", took)
	}
}
