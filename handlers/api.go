package handlers

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// request is one call of the API by a caller who is known.
type request struct {
	*http.Request
	w      http.ResponseWriter
	caller Caller
}

// answer is a reply that is not an error.
type answer struct {
	status   int
	location string
	body     any
	tag      any    // what the ETag is made of; nil: of the body
	text     []byte // sent as it is, with this media type, when it is set
	media    string
}

// ok answers a read.
func ok(body any, err error) (answer, error) { return answer{status: http.StatusOK, body: body}, err }

// apiRoutes builds the public face.
func (s *server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	paths := map[string][]route{}
	for _, rt := range s.routes() {
		paths[rt.path] = append(paths[rt.path], rt)
	}
	for p, rs := range paths { // order-free: each registers itself
		mux.Handle(base+p, s.endpoint(base+p, rs))
	}
	mux.HandleFunc("/", s.unknown)
	// A page of another origin may send a simple POST without asking first.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem{Status: http.StatusForbidden, Title: "A page of another origin may not do this"})
	}))
	whole := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if path.Clean(r.URL.Path) != strings.TrimSuffix(r.URL.Path, "/") { // the mux would redirect
			writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
			return
		}
		whole.ServeHTTP(w, r)
	})
}

// secure sets the headers that every reply of the public face carries. A page may
// set a wider Content-Security-Policy of its own.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Strict-Transport-Security", "max-age=31536000")
}

// unknown passes on what is not ours, to callers who may read, or says that there
// is nothing.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	if s.API == nil || r.URL.Path == base || strings.HasPrefix(r.URL.Path, base+"/") {
		writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
		return
	}
	caller, err := s.caller(r, Reader)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	s.API.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
}

// callerKey is where the caller of a page is found.
type callerKey struct{}

// CallerOf returns who asks for a page.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// endpoint wraps the routes of one path: method, caller, role, rate, deadline,
// panic, log line. The log names the pattern and never the query, which holds
// function keys.
func (s *server) endpoint(pattern string, rs []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		log := s.Log.With().Str("route", pattern).Str("method", r.Method).Str("invocation", invocationID(r)).Logger()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.Limits.Request)
		defer cancel()
		ctx, done := s.traceRequest(ctx, r, pattern)
		req := request{Request: r.WithContext(log.WithContext(ctx)), w: w}
		var a answer
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = panicError(log, p)
				}
			}()
			rt, err := s.choose(w, r, rs)
			if err != nil {
				return err
			}
			leave, err := s.admit(&req, rt)
			if err != nil {
				return err
			}
			defer leave()
			a, err = rt.do(req.Context(), req)
			return err
		}()
		status := a.status
		if err != nil {
			p := problemOf(err)
			status = p.Status
			writeProblem(w, p)
		} else {
			status = s.reply(w, r, a)
		}
		s.counts.request(pattern, status)
		done(status, err)
		line := log.Info()
		if status >= http.StatusInternalServerError {
			line = log.Error().Err(err)
		}
		line.Str("event", "api.request").Int("status", status).Str("caller", req.caller.Name).
			Int64("took_ms", s.Now().Sub(start).Milliseconds()).Msg("API request")
	})
}

// choose finds the route of the request's method.
func (s *server) choose(w http.ResponseWriter, r *http.Request, rs []route) (route, error) {
	var known []string
	for _, rt := range rs {
		if r.Method == rt.method || (r.Method == http.MethodHead && rt.method == http.MethodGet) {
			return rt, nil
		}
		known = append(known, rt.method)
	}
	w.Header().Set("Allow", strings.Join(known, ", "))
	return route{}, &requestError{problem{Status: http.StatusMethodNotAllowed, Title: "Only " + strings.Join(known, ", ") + " is known here"}}
}

// admit checks who calls and what the caller may do, then waits for a free place.
// leave gives the place back.
func (s *server) admit(r *request, rt route) (leave func(), err error) {
	if rt.role == "" {
		return func() {}, nil
	}
	if r.caller, err = s.caller(r.Request, rt.role); err != nil {
		return nil, err
	}
	if rt.method == http.MethodPost && rt.role != Signaler && !deliberate(r.Request) {
		return nil, &requestError{problem{Status: http.StatusUnsupportedMediaType, Title: "This could be a form of another page",
			Detail: "send Content-Type: application/json, or the header " + keyHeader + " or " + userHeader}}
	}
	if err := s.within(r, rt); err != nil {
		return nil, err
	}
	return s.gate.enter(r.Context(), r.caller.Name, s.Now())
}

// deliberate says whether a POST carries what a form of another page cannot send
// without asking first.
func deliberate(r *http.Request) bool {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && mt == "application/json" {
		return true
	}
	for _, h := range []string{keyHeader, userHeader, "Authorization", "X-Functions-Key"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}

// caller names who calls, if they may act in a role.
func (s *server) caller(r *http.Request, role Role) (Caller, error) {
	c, err := s.auth(r)
	if err != nil {
		return Caller{}, err
	}
	c.scope = scopeOf(s.Auth.Grants, c)
	if c.has(role) {
		return c, nil
	}
	p := problem{Status: http.StatusForbidden, Title: "Your roles do not allow this",
		Detail: fmt.Sprintf("the role %q is needed", role)}
	if s.Auth.Mode == ModeFunctionKey {
		p.Detail = "a shared key does not say who you are: name yourself in the header " + userHeader
	}
	return c, &requestError{p}
}

func (s *server) getHealthz(context.Context, request) (answer, error) {
	return ok(liveness{s.Now().UTC(), "ok"}, nil)
}

func (s *server) getReadyz(ctx context.Context, _ request) (answer, error) {
	if err := s.ready(ctx); err != nil {
		return answer{}, &fault.Error{Op: "reach the record store and Azure", Kind: fault.Unavailable, Err: err}
	}
	return ok(liveness{s.Now().UTC(), "ready"}, nil)
}

// received is the reply to events that were taken. Nothing disappears: every part
// of the body is a signal, foreign or broken.
type received struct {
	Signals int      `json:"signals"`
	Foreign int      `json:"foreign"`
	Broken  int      `json:"broken"`
	Reasons []string `json:"reasons,omitempty"` // why parts were broken
	Receipt Receipt  `json:"receipt"`
}

// postSignals takes any event body, the same way as CircuitEvents. A body of which
// nothing could be read is stored and refused, so that its sender learns why.
func (s *server) postSignals(ctx context.Context, r request) (answer, error) {
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, s.Limits.Signals))
	if err != nil {
		return answer{}, bodyError(err)
	}
	log := s.Log.With().Str("invocation", invocationID(r.Request)).Str("caller", r.caller.Name).Logger()
	t, err := s.deliver(ctx, log, []item{{payload: body}}, s.Now().UTC())
	if err != nil {
		return answer{}, err
	}
	if t.Broken > 0 && t.Signals == 0 && t.Foreign == 0 {
		p := problem{Status: http.StatusUnprocessableEntity, Title: "The event cannot be read",
			Detail: "it was stored as a dead letter", Kind: fault.Invalid}
		for _, reason := range t.Reasons {
			p.Fields = append(p.Fields, fieldError{Field: "", Want: reason})
		}
		return answer{}, &requestError{p}
	}
	return answer{status: http.StatusAccepted, body: received{
		Signals: t.Signals, Foreign: t.Foreign, Broken: t.Broken, Reasons: t.Reasons, Receipt: t.Receipt,
	}}, nil
}

// decodeStrict reads a JSON body into v: bounded, of the right media type, without
// unknown fields. No body at all leaves v as it is.
func decodeStrict(r request, limit int64, v any) error {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return &requestError{problem{Status: http.StatusUnsupportedMediaType, Title: "The body must not be compressed"}}
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, limit))
	if err != nil {
		return bodyError(err)
	}
	if len(body) == 0 {
		return nil
	}
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return &requestError{problem{Status: http.StatusUnsupportedMediaType, Title: "The body must be JSON",
			Detail: "send Content-Type: application/json"}}
	}
	if err := checkDepth(body, 16); err == nil {
		err = json.Unmarshal(body, v, json.RejectUnknownMembers(true))
		if err == nil {
			return nil
		}
		return badField(problemField{"body", "", plain(err).Error()})
	}
	return badField(problemField{"body", "", "at most 16 levels of nesting"})
}

// problemField is one wrong field with what was found and the rule.
type problemField struct{ field, got, want string }

// badField makes one error of all wrong fields.
func badField(fields ...problemField) error {
	p := problem{Status: http.StatusBadRequest, Title: "The request is not usable", Kind: fault.Invalid}
	for _, f := range fields {
		got := f.got
		if !printable(got, 64) {
			got = ""
		}
		p.Fields = append(p.Fields, fieldError{Field: f.field, Got: got, Want: f.want})
	}
	p.Fields = slices.Clip(p.Fields)
	return &requestError{p}
}

// isName says whether s can name a group, a circuit, a plan or an operation.
func isName(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
