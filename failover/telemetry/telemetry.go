package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"erfailover/failover/fault"
	"erfailover/failover/trace"
)

// scope is the name of everything that this program measures.
const scope = "erfailover"

// mostSeries bounds the sets of attributes of one instrument; what is more is
// gathered under otel.metric.overflow.
const mostSeries = 500

// Gauges reads what the record says now.
type Gauges func(ctx context.Context) ([]Gauge, error)

// Gauge is one value of the record.
type Gauge struct {
	Name   string   // erfailover.group.at_home
	Help   string   //
	Labels []string // name, value, name, value
	Value  float64
}

// Telemetry is a trace.Tracer over the OpenTelemetry SDK. Nothing of it is global.
type Telemetry struct {
	spans       *sdktrace.TracerProvider
	meters      *sdkmetric.MeterProvider
	tracer      oteltrace.Tracer
	queue       *queue
	instruments map[trace.Instrument]func(context.Context, float64, attribute.Set)
}

// Open makes the parts. It sends nothing yet and reaches nobody.
func Open(s Settings) (*Telemetry, error) {
	if s.Queue <= 0 {
		s.Queue = defaultQueue
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	ours := resource.NewSchemaless(attribute.String("service.name", scope), attribute.String("service.version", s.Version), attribute.String("service.instance.id", s.Instance))
	res, err := resource.Merge(ours, resource.Environment()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	if err != nil {
		return nil, err
	}
	c := newCollector(s)
	t := &Telemetry{queue: newQueue(c), instruments: map[trace.Instrument]func(context.Context, float64, attribute.Set){}}
	t.spans = sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithSpanProcessor(t.queue))
	t.tracer = t.spans.Tracer(scope, oteltrace.WithInstrumentationVersion(s.Version))
	options := []sdkmetric.PeriodicReaderOption{sdkmetric.WithTimeout(s.Timeout)}
	if s.Gauges != nil {
		options = append(options, sdkmetric.WithProducer(producer{s.Gauges}))
	}
	t.meters = sdkmetric.NewMeterProvider(sdkmetric.WithResource(res), sdkmetric.WithCardinalityLimit(mostSeries),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter{c}, options...)))
	return t, t.register(t.meters.Meter(scope, metric.WithInstrumentationVersion(s.Version)))
}

// register makes the instruments of the closed list.
func (t *Telemetry) register(m metric.Meter) error {
	var errs []error
	count := func(name trace.Instrument, unit, what string) {
		c, err := m.Float64Counter(string(name), metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		t.instruments[name] = func(ctx context.Context, v float64, a attribute.Set) { c.Add(ctx, v, metric.WithAttributeSet(a)) }
	}
	span := func(name trace.Instrument, what string, bounds ...float64) {
		h, err := m.Float64Histogram(string(name), metric.WithUnit("s"), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		t.instruments[name] = func(ctx context.Context, v float64, a attribute.Set) { h.Record(ctx, v, metric.WithAttributeSet(a)) }
	}
	count(trace.Signals, "{signal}", "Signals by what became of them.")
	count(trace.Operations, "{operation}", "Operations that ended.")
	span(trace.Recovery, "From the first bad evidence, or the order, to the end of the operation.", 5, 10, 30, 60, 120, 180, 300, 600, 1800, 3600)
	span(trace.Writes, "One request that changes a weight, until Azure answered it.", .1, .25, .5, 1, 2.5, 5, 10, 30, 60)
	span(trace.Invocation, "One call by the Functions host.", .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 90)
	span(trace.Requests, "One request to the API.", .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10)
	dropped, err := m.Float64ObservableCounter(string(trace.Dropped), metric.WithUnit("{span}"), metric.WithDescription("Spans that the queue or the collector refused."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(t.Dropped()))
			return nil
		}))
	_ = dropped
	return errors.Join(append(errs, err)...)
}

// Dropped returns how many spans were refused by the queue or the collector.
func (t *Telemetry) Dropped() int64 { return t.queue.lost.Load() }

// Close sends what waits, as long as ctx allows, and ends.
func (t *Telemetry) Close(ctx context.Context) error {
	return errors.Join(t.spans.Shutdown(ctx), t.meters.Shutdown(ctx))
}

// Begin begins a span as a child of the one in ctx.
func (t *Telemetry) Begin(ctx context.Context, w trace.Work) (context.Context, trace.Span) {
	options := []oteltrace.SpanStartOption{oteltrace.WithSpanKind(kindOf(w.Kind)), oteltrace.WithAttributes(pairs(w.Attrs)...)}
	own := oteltrace.SpanContextFromContext(ctx)
	for _, parent := range w.Links {
		from := oteltrace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": parent}))
		if from.IsValid() && from.SpanID() != own.SpanID() {
			options = append(options, oteltrace.WithLinks(oteltrace.Link{SpanContext: from}))
		}
	}
	ctx, s := t.tracer.Start(ctx, w.Name, options...)
	return ctx, span{s}
}

func kindOf(k trace.Kind) oteltrace.SpanKind {
	switch k {
	case trace.Server:
		return oteltrace.SpanKindServer
	case trace.Consumer:
		return oteltrace.SpanKindConsumer
	case trace.Client:
		return oteltrace.SpanKindClient
	case trace.Internal:
	}
	return oteltrace.SpanKindInternal
}

// Carry returns the traceparent of the span in ctx.
func (t *Telemetry) Carry(ctx context.Context) string {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	return m["traceparent"]
}

// Measure adds to an instrument. One that is not in the list is passed over.
func (t *Telemetry) Measure(ctx context.Context, i trace.Instrument, value float64, attrs ...trace.Attr) {
	if add := t.instruments[i]; add != nil {
		add(ctx, value, attribute.NewSet(pairs(attrs)...))
	}
}

func pairs(attrs []trace.Attr) []attribute.KeyValue {
	out := make([]attribute.KeyValue, len(attrs))
	for i, a := range attrs {
		out[i] = attribute.String(a.Key, a.Text)
		if a.Whole {
			out[i] = attribute.Int64(a.Key, a.Number)
		}
	}
	return out
}

type span struct{ oteltrace.Span }

// Set adds facts.
func (s span) Set(attrs ...trace.Attr) { s.SetAttributes(pairs(attrs)...) }

// End ends the span. An error shows its kind and its operation, never its cause: a
// cause may quote what a caller sent.
func (s span) End(err error) {
	if err != nil {
		kind := string(fault.KindOf(err))
		if kind == "" {
			kind = "_OTHER"
		}
		s.SetAttributes(attribute.String("error.type", kind))
		s.SetStatus(codes.Error, kind)
	}
	s.Span.End()
}

// producer turns the record's values into metrics, once an export.
type producer struct{ read Gauges }

// Produce reads the record. One that cannot be read brings no values.
func (p producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	list, err := p.read(ctx)
	if err != nil || len(list) == 0 {
		return nil, nil //nolint:nilerr // the record's trouble is told elsewhere
	}
	now := time.Now()
	out := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: scope}}
	at := map[string]int{}
	for _, g := range list {
		i, known := at[g.Name]
		if !known {
			i = len(out.Metrics)
			at[g.Name] = i
			out.Metrics = append(out.Metrics, metricdata.Metrics{Name: g.Name, Description: g.Help, Data: metricdata.Gauge[float64]{}})
		}
		d, _ := out.Metrics[i].Data.(metricdata.Gauge[float64])
		if len(d.DataPoints) >= mostSeries {
			continue
		}
		var attrs []attribute.KeyValue
		for k := 0; k+1 < len(g.Labels); k += 2 {
			attrs = append(attrs, attribute.String("erfailover."+g.Labels[k], g.Labels[k+1]))
		}
		d.DataPoints = append(d.DataPoints, metricdata.DataPoint[float64]{Attributes: attribute.NewSet(attrs...), Time: now, Value: g.Value})
		out.Metrics[i].Data = d
	}
	return []metricdata.ScopeMetrics{out}, nil
}
