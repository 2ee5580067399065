package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// collector posts encoded messages. A batch is tried once: it is not the record.
type collector struct {
	Settings
	http *http.Client
}

func newCollector(s Settings) *collector {
	t := http.DefaultTransport.(*http.Transport).Clone()
	return &collector{Settings: s, http: &http.Client{Transport: t, Timeout: s.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// post sends one body. The error names neither header nor body.
func (c *collector) post(ctx context.Context, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return errors.New("the collector's address cannot be used")
	}
	for k, v := range c.Headers {
		req.Header.Set(k, v)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("reach the collector: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection is kept
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %d", res.StatusCode)
	}
	return nil
}

// queue stands before the SDK's batches and bounds what waits and travels. It is
// both ends: spans come in at OnEnd, and leave at ExportSpans, sent or not.
type queue struct {
	*collector
	batches sdktrace.SpanProcessor
	held    atomic.Int64 // spans that wait or travel
	lost    atomic.Int64 // spans refused by the queue or the collector, ever
}

func newQueue(c *collector) *queue {
	q := &queue{collector: c}
	q.batches = sdktrace.NewBatchSpanProcessor(q.out(), sdktrace.WithMaxQueueSize(c.Queue), sdktrace.WithExportTimeout(c.Timeout))
	return q
}

// OnStart passes a span on.
func (q *queue) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) { q.batches.OnStart(ctx, s) }

// OnEnd takes a span in, or drops it when the queue is full.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if q.held.Add(1) > int64(q.Queue) {
		q.held.Add(-1)
		q.lost.Add(1)
		return
	}
	q.batches.OnEnd(s)
}

// Shutdown sends what waits, as long as ctx allows.
func (q *queue) Shutdown(ctx context.Context) error { return q.batches.Shutdown(ctx) }

// ForceFlush sends what waits.
func (q *queue) ForceFlush(ctx context.Context) error { return q.batches.ForceFlush(ctx) }

// out returns the far end of the queue.
func (q *queue) out() sdktrace.SpanExporter { return spanExporter{q} }

type spanExporter struct{ *queue }

// ExportSpans sends a batch. It tells no error to the SDK, whose handler is one for
// the whole process: what was lost is counted and reported here.
func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.post(ctx, "/v1/traces", encodeSpans(spans))
	e.held.Add(int64(-len(spans)))
	if err != nil {
		e.lost.Add(int64(len(spans)))
		if e.Trouble != nil {
			e.Trouble(len(spans), err)
		}
	}
	return nil
}

// Shutdown has nothing to do.
func (spanExporter) Shutdown(context.Context) error { return nil }

// metricExporter sends metrics. They are cumulative: one that is lost is made good
// by the next.
type metricExporter struct {
	*collector
}

// Temporality is cumulative for every instrument.
func (metricExporter) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

// Aggregation is the SDK's default.
func (metricExporter) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

// Export sends one reading of every instrument.
func (e metricExporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if err := e.post(ctx, "/v1/metrics", encodeMetrics(rm)); err != nil && e.Trouble != nil {
		e.Trouble(0, err)
	}
	return nil
}

// ForceFlush has nothing to do.
func (metricExporter) ForceFlush(context.Context) error { return nil }

// Shutdown has nothing to do.
func (metricExporter) Shutdown(context.Context) error { return nil }
