package handlers

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/trace"
)

// Engine is the loop that decides and acts. Handle returns an error only when
// something could not be saved: the caller then asks for another delivery.
type Engine interface {
	Handle(ctx context.Context, signals []events.Signal) (Receipt, error)
	Tick(ctx context.Context) error
}

// Receipt says what became of the signals of one call. It has the fields of
// failover.Receipt, so that one converts to the other.
type Receipt struct {
	Applied    int      `json:"applied"`              // changed what is remembered
	Repeated   int      `json:"repeated"`             // known already
	SetAside   int      `json:"set_aside"`            // an update record that betters nothing by itself
	Refused    int      `json:"refused"`              // no event time, or one too far in the future
	Unknown    int      `json:"unknown"`              // about resources that are not configured
	Orders     int      `json:"orders"`               // accepted
	Groups     []string `json:"groups,omitempty"`     // groups that were looked at
	Operations []string `json:"operations,omitempty"` // operations that run or wait in those groups
}

// EngineFuncs makes an Engine of two functions.
type EngineFuncs struct {
	HandleFunc func(ctx context.Context, signals []events.Signal) (Receipt, error)
	TickFunc   func(ctx context.Context) error
}

// Handle calls HandleFunc.
func (f EngineFuncs) Handle(ctx context.Context, signals []events.Signal) (Receipt, error) {
	return f.HandleFunc(ctx, signals)
}

// Tick calls TickFunc.
func (f EngineFuncs) Tick(ctx context.Context) error { return f.TickFunc(ctx) }

// DeadLetters keeps what could not be read. Put is repeated with the same bytes
// when an invocation is delivered again, so it stores equal bytes once.
type DeadLetters interface {
	Put(ctx context.Context, reason string, raw []byte, at time.Time) error
}

// Parsed is what one event body holds.
type Parsed struct {
	Signals []events.Signal
	Foreign int // well-formed, but not about circuits
	Broken  []Broken
}

// Broken is a part of a body that could not be read.
type Broken struct {
	Class  string // format and field, for the log: never a value from the event
	Reason string // field, value found, rule; kept with the dead letter
	Raw    []byte // the bytes, for the dead letter; nil means the whole body
}

// Parser turns one event body into signals. It must be pure.
type Parser func(raw []byte, received time.Time) Parsed

// Limits bounds what one request may cost. A zero field takes its default.
type Limits struct {
	Invocation time.Duration // one event or timer invocation; default 90 s, below functionTimeout
	Request    time.Duration // one API request; default 60 s, below the front end's 230 s
	Drain      time.Duration // wait for requests in flight at the end; default Invocation + 5 s
	Body       int64         // bytes of an internal invocation; default 64 MiB, a full batch of the largest events
	Event      int64         // bytes of one event; default 2 MiB
	Events     int           // events in one invocation; default 5000, the most that Event Grid batches
	Order      int64         // bytes of an order; default 256 KiB
	Signals    int64         // bytes of POST /api/v1/signals; default 1 MiB
	AtOnce     int           // internal invocations that hold a body in memory; default 8
	Depth      int           // nesting of the envelope; default 64
	Requests   int           // API requests at once; more wait for half of Request; default 64
	Rate       int           // API requests of one caller in a second, over time; default 100
	Burst      int           // API requests that one caller may send at once; default 2000
	Panics     int           // deliveries after which a batch that makes us panic is dead-lettered; default 5
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	d := Limits{
		Invocation: 90 * time.Second, Request: 60 * time.Second,
		Body: 64 << 20, Event: 2 << 20, Events: 5000, Order: 256 << 10, Signals: 1 << 20,
		AtOnce: 8, Depth: 64, Panics: 5, Requests: 64, Rate: 100, Burst: 2000,
	}
	set(&l.Invocation, d.Invocation)
	set(&l.Request, d.Request)
	set(&l.Drain, l.Invocation+5*time.Second)
	set(&l.Body, d.Body)
	set(&l.Event, d.Event)
	set(&l.Events, d.Events)
	set(&l.Order, d.Order)
	set(&l.Signals, d.Signals)
	set(&l.AtOnce, d.AtOnce)
	set(&l.Depth, d.Depth)
	set(&l.Panics, d.Panics)
	set(&l.Requests, d.Requests)
	set(&l.Rate, d.Rate)
	set(&l.Burst, d.Burst)
	return l
}

// set gives *v the value d when it has none.
func set[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Options are the parts of a handler.
type Options struct {
	Engine  Engine
	Letters DeadLetters
	Parse   Parser
	Auth    Auth
	Log     zerolog.Logger
	Limits  Limits

	// Port is the loopback port that the host calls. 0: Serve takes it from
	// FUNCTIONS_CUSTOMHANDLER_PORT; New takes the port that the request came to.
	Port int
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Getenv reads the environment; default os.Getenv.
	Getenv func(string) string

	// Probe and Drills run at their timers. nil: there is nothing to do.
	Probe  func(ctx context.Context) error
	Drills func(ctx context.Context) error
	// Calendar answers what is asked and ordered about drills. nil: there are none.
	Calendar Drills
	// LinkKey signs the links of announcements. nil: no link is good.
	LinkKey []byte
	// Archive keeps the messages that gave a signal, after they were handled and
	// before they are acknowledged; an error asks for them again. nil: nothing is kept.
	Archive func(ctx context.Context, at time.Time, bodies [][]byte) error
	// Views answers reads, and tells the outcome of orders. nil: reads are 404 and
	// every order is answered as accepted.
	Views *Views
	// Ready says whether the parts behind us can be reached. nil: always.
	Ready func(ctx context.Context) error
	// Trace follows invocations and orders. nil: off.
	Trace trace.Tracer
	// Dropped tells how many spans were dropped. nil: nobody traces.
	Dropped func() int64
	// API answers callers who may read what the routes here do not know, under /api:
	// the pages. nil: 404.
	API http.Handler
}

// complete fills the defaults and names every part that is missing.
func (o Options) complete() (Options, error) {
	var missing []error
	if o.Engine == nil {
		missing = append(missing, errors.New("handlers: Options.Engine is missing"))
	}
	if o.Letters == nil {
		missing = append(missing, errors.New("handlers: Options.Letters is missing"))
	}
	if o.Parse == nil {
		missing = append(missing, errors.New("handlers: Options.Parse is missing"))
	}
	if o.Trace == nil {
		o.Trace = trace.Off()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	o.Limits = o.Limits.withDefaults()
	return o, errors.Join(missing...)
}
