package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover/fault"
)

// Names of the functions, as in function.json.
const (
	fnCircuitEvents = "CircuitEvents"
	fnHealthEvents  = "HealthEvents"
	fnTick          = "Tick"
	fnProbe         = "Probe"
	fnDrills        = "Drills"
)

// call is one invocation by the host.
type call struct {
	body     []byte
	received time.Time
	log      zerolog.Logger
}

// invocation does the work of one function and returns a line for people. An
// error asks the host for another delivery.
type invocation func(ctx context.Context, c call) (string, error)

// reply is what the host wants to see after a success. An empty body would hang
// the invocation for ever, so there is always an object with members.
type reply struct {
	Outputs map[string]string `json:"Outputs"`
	Logs    []string          `json:"Logs"` // the host logs each under the invocation
}

// invocations lists what the host may call, by exact path.
func (s *server) invocations() map[string]invocation {
	return map[string]invocation{
		"/" + fnCircuitEvents: s.circuitEvents,
		"/" + fnHealthEvents:  s.healthEvents,
		"/" + fnTick:          timer(s.Engine.Tick),
		"/" + fnProbe:         timer(s.Probe),
		"/" + fnDrills:        timer(s.Drills),
	}
}

// invoke runs one invocation: it checks the sender, takes a slot, bounds body and
// time, survives a panic, and answers in the one form that the host takes.
func (s *server) invoke(w http.ResponseWriter, r *http.Request, inv invocation) {
	start := s.Now()
	log := s.Log.With().Str("function", r.URL.Path[1:]).Str("invocation", invocationID(r)).Logger()
	if !s.fromHost(r) {
		log.Warn().Str("event", "invocation.refused").Msg("an internal path was called by somebody who is not the host")
		writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeProblem(w, problem{Status: http.StatusMethodNotAllowed, Title: "Only POST is known here"})
		return
	}
	// The host does not cancel what it no longer waits for, and work that has begun
	// must reach its saves. So only our own deadline ends it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.Limits.Invocation)
	defer cancel()
	ctx, done := s.traceInvocation(ctx, r.URL.Path[1:], invocationID(r))
	line, err := s.run(ctx, w, r, inv, call{received: start.UTC(), log: log})
	done(err)
	ms := s.Now().Sub(start).Milliseconds()
	if err != nil {
		log.Error().Str("event", "invocation.failed").Int64("took_ms", ms).Str("kind", string(fault.KindOf(err))).Str("hint", fault.HintOf(err)).Err(err).
			Msg("the host is asked to deliver this again")
		writeProblem(w, problemOf(err))
		return
	}
	log.Info().Str("event", "invocation.done").Int64("took_ms", ms).Str("did", line).Msg("invocation done")
	writeJSON(w, http.StatusOK, reply{Outputs: map[string]string{}, Logs: []string{line}})
}

// run reads the body and does the work. It turns a panic into an error, so that
// one bad input never ends the process.
func (s *server) run(ctx context.Context, w http.ResponseWriter, r *http.Request, inv invocation, c call) (line string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(c.log, p)
		}
	}()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return "", &fault.Error{Op: "wait for a free slot", Kind: fault.Unavailable, Err: ctx.Err()}
	}
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= s.Limits.Body {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err = body.ReadFrom(http.MaxBytesReader(w, r.Body, s.Limits.Body))
	c.body = body.Bytes()
	if err != nil {
		return "", bodyError(err)
	}
	return inv(ctx, c)
}

// errPanic marks an error that was a panic.
var errPanic = errors.New("panic")

// panicError logs where a panic came from and makes an error of it. The value is
// not logged: it may quote an input.
func panicError(log zerolog.Logger, p any) error {
	log.Error().Str("event", "panic").Str("type", fmt.Sprintf("%T", p)).Bytes("stack", debug.Stack()).
		Msg("a panic was caught; the process goes on")
	return &fault.Error{Op: "handle a request", Kind: fault.Internal, Err: errPanic}
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return &fault.Error{Op: "read the body", Kind: fault.Invalid, Code: codeTooLarge,
			Hint: fmt.Sprintf("the body may have %d bytes", big.Limit)}
	}
	return &fault.Error{Op: "read the body", Kind: fault.Unavailable, Err: err}
}

// invocationID returns the host's id of this invocation, or "" when it is none.
// A retry carries the id of the first try.
func invocationID(r *http.Request) string {
	id := r.Header.Get("X-Azure-Functions-InvocationId")
	if len(id) > 64 {
		return ""
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return ""
		}
	}
	return id
}

// timer wraps the work of a timer. The body says only when the timer was due, and
// the loop asks the time itself, so it is not read.
func timer(work func(ctx context.Context) error) invocation {
	return func(ctx context.Context, _ call) (string, error) {
		if work == nil {
			return "nothing is configured for this timer", nil
		}
		if err := work(ctx); err != nil {
			return "", err
		}
		return "done", nil
	}
}
