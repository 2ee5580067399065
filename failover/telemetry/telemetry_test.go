package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	collectormetrics "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"erfailover/failover/fault"
	"erfailover/failover/trace"
)

func TestFromEnv(t *testing.T) {
	const end = "https://collector.example:4318"
	for _, c := range []struct {
		env  map[string]string
		on   bool
		want string // in the error
	}{
		{map[string]string{}, false, ""},
		{map[string]string{varEndpoint: end, varDisabled: "true"}, false, ""},
		{map[string]string{varEndpoint: end + "/"}, true, ""},
		{map[string]string{varEndpoint: end, varHeaders: "api-key=a%20b, x=1", varTimeout: "500", varProtocol: "http/protobuf"}, true, ""},
		{map[string]string{varEndpoint: "collector:4318"}, false, varEndpoint},
		{map[string]string{varEndpoint: "https://user:secret@collector"}, false, varEndpoint},
		{map[string]string{varEndpoint: end, varProtocol: "grpc"}, false, "http/protobuf"},
		{map[string]string{varEndpoint: end, varTimeout: "5s"}, false, varTimeout},
		{map[string]string{varEndpoint: end, varTimeout: "99999999"}, false, varTimeout},
		{map[string]string{varEndpoint: end, varHeaders: "secret"}, false, varHeaders},
		{map[string]string{varEndpoint: end, varHeaders: "a b=secret"}, false, varHeaders},
		{map[string]string{varEndpoint: end, varHeaders: "a=secret%0d%0ax: y"}, false, varHeaders},
	} {
		s, err := FromEnv(func(k string) string { return c.env[k] })
		if s.On() != c.on || (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%v: on %t, error %v", c.env, s.On(), err)
		}
	}
}

// gate is a collector that answers when it is let.
func gate(t *testing.T) (url string, taken *atomic.Int64, open chan struct{}) {
	open, taken = make(chan struct{}), &atomic.Int64{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case <-open:
		case <-r.Context().Done():
		}
		var m collectortrace.ExportTraceServiceRequest
		if r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &m) == nil {
			for _, rs := range m.GetResourceSpans() {
				taken.Add(int64(len(rs.GetScopeSpans()[0].GetSpans())))
			}
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, taken, open
}

// TestQueueIsBounded: while the collector hangs, no span waits for it, the queue keeps
// what it may, and every span that is not sent is counted.
func TestQueueIsBounded(t *testing.T) {
	url, taken, open := gate(t)
	const queue, spans = 100, 5000
	p, err := Open(Settings{Endpoint: url, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	for range spans {
		_, s := p.Begin(context.Background(), trace.Work{Name: "work"})
		s.End(nil)
	}
	if got := p.Dropped(); got < spans-queue {
		t.Errorf("%d of %d spans were dropped, with a queue of %d", got, spans, queue)
	}
	close(open)
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if lost := p.Dropped(); taken.Load()+lost != spans || taken.Load() == 0 {
		t.Errorf("%d spans: %d arrived and %d were counted as dropped", spans, taken.Load(), lost)
	}
}

// TestErrorsAreKinds: a span shows the kind of an error and nothing that it quotes.
func TestErrorsAreKinds(t *testing.T) {
	var body atomic.Pointer[[]byte]
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); r.URL.Path == "/v1/traces" {
			body.Store(&b)
		}
	}))
	defer srv.Close()
	p, err := Open(Settings{Endpoint: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, s := p.Begin(context.Background(), trace.Work{Name: "work", Kind: trace.Client, Links: []string{"nonsense", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
	s.End(&fault.Error{Op: "read", Kind: fault.Denied, Err: errors.New("secret")})
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var m collectortrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(*body.Load(), &m); err != nil {
		t.Fatal(err)
	}
	got := m.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0]
	if got.GetStatus().GetCode().Number() != statusError || got.GetStatus().GetMessage() != "denied" || strings.Contains(got.String(), "secret") || got.GetKind().Number() != kindClient {
		t.Errorf("the span is %v", got)
	}
	if len(got.GetLinks()) != 1 || fmt.Sprintf("%x", got.GetLinks()[0].GetSpanId()) != "b7ad6b7169203331" {
		t.Errorf("links: %v", got.GetLinks())
	}
	if len(got.ProtoReflect().GetUnknown()) > 0 || len(m.ProtoReflect().GetUnknown()) > 0 {
		t.Error("fields that the published types do not know")
	}
}

// TestSeriesAreBounded: whatever an attribute is given, an instrument and a gauge
// keep to their bound.
func TestSeriesAreBounded(t *testing.T) {
	most := 0
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var m collectormetrics.ExportMetricsServiceRequest
		if r.URL.Path != "/v1/metrics" {
			return
		}
		if err := proto.Unmarshal(b, &m); err != nil {
			t.Error(err)
		}
		for _, sm := range m.GetResourceMetrics()[0].GetScopeMetrics() {
			for _, one := range sm.GetMetrics() {
				most = max(most, len(one.GetSum().GetDataPoints()), len(one.GetGauge().GetDataPoints()), len(one.GetHistogram().GetDataPoints()))
			}
		}
	}))
	defer srv.Close()
	var gauges []Gauge
	for i := range 3 * mostSeries {
		gauges = append(gauges, Gauge{Name: "erfailover.group.epoch", Labels: []string{"group", fmt.Sprint(i)}, Value: 1})
	}
	p, err := Open(Settings{Endpoint: srv.URL, Gauges: func(context.Context) ([]Gauge, error) { return gauges, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * mostSeries {
		p.Measure(context.Background(), trace.Signals, 1, trace.Text(trace.KeyOutcome, fmt.Sprint(i)))
		p.Measure(context.Background(), trace.Writes, 1, trace.Text(trace.KeyOutcome, fmt.Sprint(i)))
	}
	if err := p.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	srv.Close()
	if most != mostSeries {
		t.Errorf("an instrument has %d series, want the bound %d", most, mostSeries)
	}
}

// TestNamesFollowTheConventions: a name is either one of the semantic conventions or
// in our own namespace, lower case, dotted, with the unit kept out of it.
func TestNamesFollowTheConventions(t *testing.T) {
	known := map[string]bool{
		string(semconv.FaaSInvocationIDKey): true, string(semconv.FaaSNameKey): true, string(semconv.FaaSTriggerKey): true,
		string(semconv.HTTPRequestMethodKey): true, string(semconv.HTTPRouteKey): true, string(semconv.HTTPResponseStatusCodeKey): true,
		string(semconv.ErrorTypeKey): true,
		"faas.invoke_duration":       true, "http.server.request.duration": true, // metrics of the conventions
	}
	form := regexp.MustCompile(`^erfailover(\.[a-z]+(_[a-z]+)*)+$`)
	unit := regexp.MustCompile(`(seconds|_s|total|count|ms)$`)
	for _, name := range names(t) {
		if known[name] {
			continue
		}
		if !form.MatchString(name) || unit.MatchString(name) && name != trace.KeyCount {
			t.Errorf("%s is no name of the conventions and not in our form", name)
		}
	}
	if _, err := Open(Settings{Endpoint: "http://127.0.0.1:1"}); err != nil { // the SDK checks names of instruments
		t.Error(err)
	}
}
