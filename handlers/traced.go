package handlers

import (
	"context"
	"net/http"
	"slices"

	"erfailover/failover/trace"
)

// triggers says what makes the host call a function, in the words of the semantic
// conventions.
var triggers = map[string]string{fnCircuitEvents: "pubsub", fnHealthEvents: "pubsub", fnTick: "timer", fnProbe: "timer", fnDrills: "timer"}

// traceInvocation begins the span of one call by the host.
func (s *server) traceInvocation(ctx context.Context, function, id string) (context.Context, func(error)) {
	start := s.Now()
	kind := trace.Server
	if triggers[function] == "pubsub" {
		kind = trace.Consumer
	}
	about := []trace.Attr{trace.Text("faas.name", function), trace.Text("faas.trigger", triggers[function])}
	ctx, span := s.Trace.Begin(ctx, trace.Work{Name: function, Kind: kind, Attrs: append(about, trace.Text("faas.invocation_id", id))})
	return ctx, func(err error) {
		s.Trace.Measure(ctx, trace.Invocation, s.Now().Sub(start).Seconds(), about...)
		span.End(err)
	}
}

// methods are the methods that have a name of their own in metrics.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// traceRequest begins the span of one request to the API, with the route and never
// the path. Reads have no span: pages ask every few seconds.
func (s *server) traceRequest(ctx context.Context, r *http.Request, pattern string) (context.Context, func(status int, err error)) {
	start := s.Now()
	method := r.Method
	if !slices.Contains(methods, method) {
		method = "_OTHER"
	}
	about := []trace.Attr{trace.Text("http.request.method", method), trace.Text("http.route", pattern)}
	span := trace.Span(nil)
	if method != http.MethodGet && method != http.MethodHead {
		ctx, span = s.Trace.Begin(ctx, trace.Work{Name: method + " " + pattern, Kind: trace.Server, Attrs: append(slices.Clone(about), trace.Text("faas.invocation_id", invocationID(r)))})
	}
	return ctx, func(status int, err error) {
		code := trace.Number("http.response.status_code", int64(status))
		s.Trace.Measure(ctx, trace.Requests, s.Now().Sub(start).Seconds(), append(slices.Clone(about), code)...)
		if span == nil {
			return
		}
		span.Set(code)
		if status < http.StatusInternalServerError { // a refusal is the caller's, not ours
			err = nil
		}
		span.End(err)
	}
}
