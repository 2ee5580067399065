package telemetry

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of opentelemetry-proto 1.x (trace.proto, metrics.proto, common.proto),
// as far as this program fills them. The test decodes them with the published types.

// message is a protobuf message that is being written.
type message []byte

func (m *message) nest(n protowire.Number, fill func(*message)) {
	var inner message
	fill(&inner)
	*m = protowire.AppendTag(*m, n, protowire.BytesType)
	*m = protowire.AppendBytes(*m, inner)
}

func (m *message) bytes(n protowire.Number, b []byte) {
	*m = protowire.AppendTag(*m, n, protowire.BytesType)
	*m = protowire.AppendBytes(*m, b)
}

func (m *message) text(n protowire.Number, s string) {
	if s != "" {
		m.bytes(n, []byte(s))
	}
}

func (m *message) whole(n protowire.Number, v uint64) {
	*m = protowire.AppendTag(*m, n, protowire.VarintType)
	*m = protowire.AppendVarint(*m, v)
}

func (m *message) fixed(n protowire.Number, v uint64) {
	*m = protowire.AppendTag(*m, n, protowire.Fixed64Type)
	*m = protowire.AppendFixed64(*m, v)
}

func (m *message) double(n protowire.Number, v float64) { m.fixed(n, math.Float64bits(v)) }

func (m *message) instant(n protowire.Number, t time.Time) {
	if !t.IsZero() {
		m.fixed(n, uint64(t.UnixNano())) //nolint:gosec // after 1970
	}
}

func (m *message) attributes(n protowire.Number, list []attribute.KeyValue) {
	for _, kv := range list {
		m.nest(n, func(m *message) {
			m.text(1, string(kv.Key))
			m.nest(2, func(m *message) {
				switch kv.Value.Type() {
				case attribute.BOOL:
					m.whole(2, protowire.EncodeBool(kv.Value.AsBool()))
				case attribute.INT64:
					m.whole(3, uint64(kv.Value.AsInt64())) //nolint:gosec // two's complement is the format
				case attribute.FLOAT64:
					m.double(4, kv.Value.AsFloat64())
				default:
					m.bytes(1, []byte(kv.Value.Emit()))
				}
			})
		})
	}
}

func (m *message) resource(r *resource.Resource) {
	m.nest(1, func(m *message) { m.attributes(1, r.Attributes()) })
}

func (m *message) scope(s instrumentation.Scope) {
	m.nest(1, func(m *message) {
		m.text(1, s.Name)
		m.text(2, s.Version)
	})
}

// encodeSpans writes an ExportTraceServiceRequest. All spans are of one resource and
// one scope: there is one tracer.
func encodeSpans(spans []sdktrace.ReadOnlySpan) []byte {
	var out message
	if len(spans) == 0 {
		return out
	}
	out.nest(1, func(m *message) {
		m.resource(spans[0].Resource())
		m.nest(2, func(m *message) {
			m.scope(spans[0].InstrumentationScope())
			for _, s := range spans {
				m.nest(2, func(m *message) { m.span(s) })
			}
		})
	})
	return out
}

// Kinds and states of a span in OTLP.
const (
	kindInternal, kindServer, kindClient, kindConsumer = 1, 2, 3, 5
	statusError                                        = 2
)

func (m *message) span(s sdktrace.ReadOnlySpan) {
	id := s.SpanContext()
	tid, sid := id.TraceID(), id.SpanID()
	m.bytes(1, tid[:])
	m.bytes(2, sid[:])
	if p := s.Parent(); p.SpanID().IsValid() {
		up := p.SpanID()
		m.bytes(4, up[:])
	}
	m.text(5, s.Name())
	kind := uint64(kindInternal)
	switch s.SpanKind() {
	case oteltrace.SpanKindServer:
		kind = kindServer
	case oteltrace.SpanKindClient:
		kind = kindClient
	case oteltrace.SpanKindConsumer:
		kind = kindConsumer
	case oteltrace.SpanKindInternal, oteltrace.SpanKindProducer, oteltrace.SpanKindUnspecified:
	}
	m.whole(6, kind)
	m.instant(7, s.StartTime())
	m.instant(8, s.EndTime())
	m.attributes(9, s.Attributes())
	for _, l := range s.Links() {
		m.nest(13, func(m *message) {
			tid, sid := l.SpanContext.TraceID(), l.SpanContext.SpanID()
			m.bytes(1, tid[:])
			m.bytes(2, sid[:])
			m.attributes(4, l.Attributes)
		})
	}
	if s.Status().Code == codes.Error {
		m.nest(15, func(m *message) {
			m.text(2, s.Status().Description)
			m.whole(3, statusError)
		})
	}
}

// encodeMetrics writes an ExportMetricsServiceRequest.
func encodeMetrics(rm *metricdata.ResourceMetrics) []byte {
	var out message
	out.nest(1, func(m *message) {
		m.resource(rm.Resource)
		for _, sm := range rm.ScopeMetrics {
			m.nest(2, func(m *message) {
				m.scope(sm.Scope)
				for _, one := range sm.Metrics {
					m.nest(2, func(m *message) { m.metric(one) })
				}
			})
		}
	})
	return out
}

func (m *message) metric(one metricdata.Metrics) {
	m.text(1, one.Name)
	m.text(2, one.Description)
	m.text(3, one.Unit)
	switch d := one.Data.(type) {
	case metricdata.Gauge[float64]:
		m.nest(5, func(m *message) { m.points(d.DataPoints) })
	case metricdata.Sum[float64]:
		m.nest(7, func(m *message) {
			m.points(d.DataPoints)
			m.whole(2, temporality(d.Temporality))
			m.whole(3, protowire.EncodeBool(d.IsMonotonic))
		})
	case metricdata.Histogram[float64]:
		m.nest(9, func(m *message) {
			for _, p := range d.DataPoints {
				m.nest(1, func(m *message) { m.spread(p) })
			}
			m.whole(2, temporality(d.Temporality))
		})
	}
}

func temporality(t metricdata.Temporality) uint64 {
	if t == metricdata.DeltaTemporality {
		return 1
	}
	return 2
}

func (m *message) points(list []metricdata.DataPoint[float64]) {
	for _, p := range list {
		m.nest(1, func(m *message) {
			m.instant(2, p.StartTime)
			m.instant(3, p.Time)
			m.double(4, p.Value)
			m.attributes(7, p.Attributes.ToSlice())
		})
	}
}

func (m *message) spread(p metricdata.HistogramDataPoint[float64]) {
	m.instant(2, p.StartTime)
	m.instant(3, p.Time)
	m.fixed(4, p.Count)
	m.double(5, p.Sum)
	var counts, bounds []byte
	for _, n := range p.BucketCounts {
		counts = protowire.AppendFixed64(counts, n)
	}
	for _, b := range p.Bounds {
		bounds = protowire.AppendFixed64(bounds, math.Float64bits(b))
	}
	m.bytes(6, counts)
	m.bytes(7, bounds)
	m.attributes(9, p.Attributes.ToSlice())
	if low, ok := p.Min.Value(); ok {
		m.double(11, low)
	}
	if high, ok := p.Max.Value(); ok {
		m.double(12, high)
	}
}
