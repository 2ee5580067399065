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

// base is where version 1 of the API lives.
const base = "/api/v1"

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
}

// route is one thing the API does. An empty role means that nobody is asked.
type route struct {
	method string
	role   Role
	do     func(ctx context.Context, r request) (answer, error)
}

// apiRoutes builds the public face.
func (s *server) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, rt := range map[string]route{
		base + "/healthz":                    {http.MethodGet, "", s.getHealthz},
		base + "/readyz":                     {http.MethodGet, "", s.getReadyz},
		base + "/status":                     {http.MethodGet, Reader, s.getStatus},
		base + "/operations/{id}":            {http.MethodGet, Reader, s.getOperation},
		base + "/signals":                    {http.MethodPost, Signaler, s.postSignals},
		base + "/groups/{group}/failover":    {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/switchover":  {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/failback":    {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/pause":       {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/resume":      {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/acknowledge": {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/cancel":      {http.MethodPost, Operator, s.postOrder},
		base + "/groups/{group}/approve":     {http.MethodPost, Approver, s.postOrder},
	} {
		mux.Handle(pattern, s.endpoint(pattern, rt))
	}
	mux.HandleFunc("/", s.unknown)
	// A page of another origin may send a simple POST without asking first.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem{Status: http.StatusForbidden, Title: "A page of another origin may not do this"})
	}))
	whole := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) != strings.TrimSuffix(r.URL.Path, "/") { // the mux would redirect
			writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
			return
		}
		whole.ServeHTTP(w, r)
	})
}

// unknown passes on what is not ours, or says that there is nothing.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	if s.API != nil {
		s.API.ServeHTTP(w, r)
		return
	}
	writeProblem(w, problem{Status: http.StatusNotFound, Title: "There is nothing at this path"})
}

// endpoint wraps a route: method, caller, role, deadline, panic, log line. The log
// names the pattern and never the query, which holds function keys.
func (s *server) endpoint(pattern string, rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.Now()
		log := s.Log.With().Str("route", pattern).Str("method", r.Method).Str("invocation", invocationID(r)).Logger()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.Limits.Request)
		defer cancel()
		req := request{Request: r.WithContext(log.WithContext(ctx)), w: w}
		var a answer
		err := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = panicError(log, p)
				}
			}()
			if req.caller, err = s.admit(r, rt); err != nil {
				return err
			}
			a, err = rt.do(req.Context(), req)
			return err
		}()
		status := a.status
		if err != nil {
			p := problemOf(err)
			status = p.Status
			if status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", rt.method)
			}
			writeProblem(w, p)
		} else {
			if a.location != "" {
				w.Header().Set("Location", a.location)
			}
			writeJSON(w, a.status, a.body)
		}
		line := log.Info()
		if status >= http.StatusInternalServerError {
			line = log.Error().Err(err)
		}
		line.Str("event", "api.request").Int("status", status).Str("caller", req.caller.Name).
			Int64("took_ms", s.Now().Sub(start).Milliseconds()).Msg("API request")
	})
}

// admit checks the method, then who calls, then what the caller may do.
func (s *server) admit(r *http.Request, rt route) (Caller, error) {
	if r.Method != rt.method && (r.Method != http.MethodHead || rt.method != http.MethodGet) {
		return Caller{}, &requestError{problem{Status: http.StatusMethodNotAllowed, Title: "Only " + rt.method + " is known here"}}
	}
	if rt.role == "" {
		return Caller{}, nil
	}
	c, err := s.auth(r)
	if err != nil {
		return Caller{}, err
	}
	if c.has(rt.role) {
		return c, nil
	}
	p := problem{Status: http.StatusForbidden, Title: "Your roles do not allow this",
		Detail: fmt.Sprintf("the role %q is needed", rt.role)}
	if s.Auth.Mode == ModeFunctionKey {
		p.Detail = "a shared key does not say who you are: name yourself in the header " + userHeader
	}
	return c, &requestError{p}
}

func (s *server) getHealthz(context.Context, request) (answer, error) {
	return answer{status: http.StatusOK, body: map[string]string{"status": "ok"}}, nil
}

func (s *server) getReadyz(ctx context.Context, _ request) (answer, error) {
	if err := s.ready(ctx); err != nil {
		return answer{}, &fault.Error{Op: "reach the record store and Azure", Kind: fault.Unavailable, Err: err}
	}
	return answer{status: http.StatusOK, body: map[string]string{"status": "ready"}}, nil
}

func (s *server) getStatus(ctx context.Context, _ request) (answer, error) {
	if s.Status == nil {
		return answer{}, &fault.Error{Op: "show the status", Kind: fault.NotFound}
	}
	v, err := s.Status(ctx)
	return answer{status: http.StatusOK, body: v}, err
}

func (s *server) getOperation(ctx context.Context, r request) (answer, error) {
	id := r.PathValue("id")
	if s.Operation == nil || !isName(id) {
		return answer{}, &fault.Error{Op: "find the operation", Kind: fault.NotFound}
	}
	v, err := s.Operation(ctx, id)
	return answer{status: http.StatusOK, body: v}, err
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
