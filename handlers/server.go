package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// portVariable is where the host says which loopback port it will call.
const portVariable = "FUNCTIONS_CUSTOMHANDLER_PORT"

// server answers the host and the public API.
type server struct {
	Options
	auth  authenticator
	slots chan struct{} // one per internal invocation that holds a body
	inner map[string]invocation
	api   http.Handler

	gate   *gate
	counts *counts
}

// New returns the handler, or an error that names what is missing or refused.
func New(o Options) (http.Handler, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	auth, err := o.Auth.authenticator(o.Getenv, o.Now)
	if err != nil {
		return nil, err
	}
	s := &server{Options: o, auth: auth, slots: make(chan struct{}, o.Limits.AtOnce), gate: newGate(o.Limits), counts: newCounts()}
	s.inner = s.invocations()
	s.api = s.apiRoutes()
	return s, nil
}

// ServeHTTP sends a request to its face. Only exact paths are known: a mux would
// answer "//Tick" with a redirect, which the host follows with a GET.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		s.ping(w, r)
		return
	}
	if inv, ok := s.inner[r.URL.Path]; ok {
		s.invoke(w, r, inv)
		return
	}
	if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
		s.api.ServeHTTP(w, r)
		return
	}
	writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
}

// ping answers the host's readiness check at once. Any answer means ready.
func (s *server) ping(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeProblem(w, problem{Status: http.StatusMethodNotAllowed, Title: "Only GET is known here"})
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Service string `json:"service"`
	}{"erfailover"})
}

// Serve answers the host until ctx ends: then it accepts nothing more, finishes
// what is in flight and returns nil. Any other end is an error, and the process
// must exit with a code that is not 0: the host never restarts after 0.
func Serve(ctx context.Context, o Options) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	if o.Port == 0 {
		port, err := portFrom(o.Getenv(portVariable))
		if err != nil {
			return err
		}
		o.Port = port
	}
	h, err := New(o)
	if err != nil {
		return err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port))
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", addr)
	if err != nil {
		return fmt.Errorf("listen for the Functions host: %w", err)
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
		// The host keeps idle connections for a minute. Ours must live longer, or it
		// sends an invocation into a connection that we are closing.
		IdleTimeout: 3 * time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	o.Log.Info().Str("event", "handler.started").Int("port", o.Port).Msg("ready for the Functions host")
	select {
	case err := <-ended:
		return fmt.Errorf("serve the Functions host: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Limits.Drain)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("finish the requests in flight: %w", err), srv.Close())
	}
	o.Log.Info().Str("event", "handler.stopped").Msg("all requests in flight are finished")
	return nil
}

// portFrom reads the port that the host chose.
func portFrom(text string) (int, error) {
	if text == "" {
		return 0, fmt.Errorf("%s: got nothing, want the port that the Functions host calls; use \"erfailover serve\" outside of Functions", portVariable)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("%s: got %q, want a port from 1 to 65535", portVariable, text)
	}
	return n, nil
}

// fromHost says whether a request came from the host itself. A public request
// that reached an internal path would carry the site's own Host, or the marks of
// a front end.
func (s *server) fromHost(r *http.Request) bool {
	for _, h := range []string{"X-Forwarded-For", "X-ARR-LOG-ID"} {
		if _, ok := r.Header[http.CanonicalHeaderKey(h)]; ok {
			return false
		}
	}
	port := s.Port
	if port == 0 {
		a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if !ok {
			return false
		}
		port = a.Port
	}
	p := strconv.Itoa(port)
	return r.Host == "127.0.0.1:"+p || strings.EqualFold(r.Host, "localhost:"+p)
}

// ready asks the parts behind us, within two seconds.
func (s *server) ready(ctx context.Context) error {
	if s.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return s.Ready(ctx)
}
