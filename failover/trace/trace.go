// Package trace is the port through which the program says what it does, how long
// that took and how often, to whoever watches it from outside. Nothing rests on it:
// the record is the truth, and with Off every call here does nothing.
//
//	invocation ─▶ handle ─▶ decide ─▶ operate ─▶ write weight
//	                │          │         ▲
//	                │          └─ traceparent, stored with the operation:
//	                │             a later tick's operate links to it
//	                └─ traceparent, stored with the circuit:
//	                   a decision after the hold-down links to it
package trace

import "context"

// Kind is the side of a span, as OpenTelemetry has it.
type Kind string

const (
	Internal Kind = "internal"
	Server   Kind = "server"   // a request or a call of the host came in
	Consumer Kind = "consumer" // a message came in
	Client   Kind = "client"   // a request went out
)

// Attr is one fact about a span or a measurement: a text or a whole number.
type Attr struct {
	Key    string // of the semantic conventions, or one of ours: erfailover.*
	Text   string
	Number int64
	Whole  bool // Number is meant
}

// Text returns a fact that is a text.
func Text(key, value string) Attr { return Attr{Key: key, Text: value} }

// Number returns a fact that is a whole number.
func Number(key string, value int64) Attr { return Attr{Key: key, Number: value, Whole: true} }

// Work says what is begun.
type Work struct {
	Name  string // a fixed word or two, never an ID
	Kind  Kind
	Links []string // traceparents of what led here in other traces; what is no traceparent is passed over
	Attrs []Attr
}

// Span is work that goes on.
type Span interface {
	// Set adds facts.
	Set(attrs ...Attr)
	// End ends the work; err says that it failed. Only the first End counts.
	End(err error)
}

// Tracer takes in what is done. It never blocks and never fails: what it cannot
// keep up with is dropped and counted.
type Tracer interface {
	// Begin begins work, as a part of the work that ctx carries.
	Begin(ctx context.Context, w Work) (context.Context, Span)
	// Carry returns the W3C traceparent of the work that ctx carries, for a link;
	// "" when there is none.
	Carry(ctx context.Context) string
	// Measure adds to an instrument of the closed list.
	Measure(ctx context.Context, i Instrument, value float64, attrs ...Attr)
}

// Instrument is a metric that is fed by the program's own code.
type Instrument string

// The closed list of instruments. Names, units and attributes follow the semantic
// conventions; each attribute's values are a closed list or names of the
// configuration.
const (
	Signals    Instrument = "erfailover.signals"           // counter, {signal}: outcome
	Operations Instrument = "erfailover.operations"        // counter, {operation}: group, kind, result
	Recovery   Instrument = "erfailover.recovery.duration" // histogram, s, first bad evidence to proven: group, kind, result
	Writes     Instrument = "erfailover.write.duration"    // histogram, s, one request to Azure: outcome
	Invocation Instrument = "faas.invoke_duration"         // histogram, s: faas.name, error.type
	Requests   Instrument = "http.server.request.duration" // histogram, s: method, route, status
	Dropped    Instrument = "erfailover.telemetry.dropped" // counter, {span}: what the queue or the collector refused
)

// Keys of attributes that are ours.
const (
	KeyGroup      = "erfailover.group"
	KeyOperation  = "erfailover.operation.id"
	KeyPlan       = "erfailover.plan.id"
	KeyEpoch      = "erfailover.epoch"
	KeyAction     = "erfailover.verdict.action"
	KeyKind       = "erfailover.operation.kind"
	KeyResult     = "erfailover.operation.result"
	KeyStatus     = "erfailover.operation.status"
	KeyWrite      = "erfailover.write.id"
	KeyConnection = "erfailover.connection"
	KeyFrom       = "erfailover.weight.from"
	KeyTo         = "erfailover.weight.to"
	KeyLever      = "erfailover.lever"
	KeyCut        = "erfailover.lever.cut"
	KeyOutcome    = "erfailover.outcome"
	KeyCount      = "erfailover.count"
	KeyRequest    = "erfailover.azure.correlation_id" // x-ms-correlation-request-id of the answer
)

// Off returns the tracer that does nothing.
func Off() Tracer { return off{} }

type off struct{}

func (off) Begin(ctx context.Context, _ Work) (context.Context, Span) { return ctx, off{} }
func (off) Carry(context.Context) string                              { return "" }
func (off) Measure(context.Context, Instrument, float64, ...Attr)     {}
func (off) Set(...Attr)                                               {}
func (off) End(error)                                                 {}
