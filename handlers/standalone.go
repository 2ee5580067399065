package handlers

import (
	"context"
	"net/http"
	"strings"
)

// Standalone is the API and the taking in of events without the Functions host.
type Standalone struct{ s *server }

// NewStandalone returns the parts, or an error that names what is missing or refused.
func NewStandalone(o Options) (*Standalone, error) {
	h, err := New(o)
	if err != nil {
		return nil, err
	}
	return &Standalone{h.(*server)}, nil
}

// ServeHTTP answers the API and nothing else: the paths of the host's invocations do
// not exist here, whatever Host a request names.
func (a *Standalone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		a.s.ping(w, r)
		return
	}
	if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
		a.s.api.ServeHTTP(w, r)
		return
	}
	writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
}

// Deliver takes event bodies in, as an invocation of the host does: it returns nil
// only after the last save, and an error asks for the same bodies again. What it
// returns accounts for every one of them.
func (a *Standalone) Deliver(ctx context.Context, partition string, bodies [][]byte) (Delivered, error) {
	list := make([]item, len(bodies))
	for i, b := range bodies {
		list[i] = item{payload: b}
	}
	log := a.s.Log.With().Str("partition", partition).Logger()
	ctx, done := a.s.traceInvocation(ctx, fnCircuitEvents, "")
	t, err := a.s.deliver(ctx, log, list, a.s.Now())
	done(err)
	if err != nil {
		return Delivered{}, err
	}
	log.Info().Str("event", "batch.done").Str("did", t.String()).Msg("events were taken in")
	return Delivered{Events: t.Events, Taken: t.Taken, Foreign: t.Strange, Broken: t.Kept, Signals: t.Signals, Receipt: t.Receipt}, nil
}

// Delivered says what became of the events of one delivery: each is counted once in
// Events and once in Taken, Foreign or Broken.
type Delivered struct {
	Events, Taken, Foreign, Broken int
	Signals                        int
	Receipt                        Receipt
}
