package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
)

// Bounds of a page of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// openAPI is the document of this API. It is written from the route table by
// `go test ./handlers -run OpenAPI -rewrite`.
//
//go:embed openapi.json
var openAPI []byte

// views returns the reads, or says that there are none.
func (s *server) views() (*Views, error) {
	if s.Views == nil {
		return nil, &fault.Error{Op: "read the record", Kind: fault.NotFound, Hint: "this program serves no reads"}
	}
	return s.Views, nil
}

func (s *server) getOpenAPI(context.Context, request) (answer, error) {
	return answer{status: http.StatusOK, text: openAPI, media: "application/openapi+json"}, nil
}

func (s *server) getStatus(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	st, err := v.Status(ctx)
	st = r.caller.status(st)
	same := st
	same.At = time.Time{} // a status that says the same a second later is the same
	return answer{status: http.StatusOK, body: st, tag: same}, err
}

func (s *server) getReadiness(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	return ok(v.Readiness(ctx, r.caller.Sees))
}

func (s *server) getCard(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	st, err := v.Status(ctx)
	c := report.MakeCard(r.caller.status(st))
	same := c
	same.At = time.Time{}
	return answer{status: http.StatusOK, body: c, tag: same}, err
}

func (s *server) getGroups(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	st, err := v.Status(ctx)
	if err != nil {
		return answer{}, err
	}
	st = r.caller.status(st)
	names := make([]string, len(st.Groups))
	for i := range st.Groups {
		names[i] = st.Groups[i].Name
	}
	return page(r, st.Groups, names)
}

func (s *server) getGroup(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	return ok(v.Group(ctx, r.PathValue("group")))
}

func (s *server) getExplain(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	return ok(v.Explain(ctx, r.PathValue("group")))
}

func (s *server) getCircuits(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	all, err := v.Circuits(ctx, r.caller)
	if err != nil {
		return answer{}, err
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return page(r, all, names)
}

func (s *server) getGateways(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	all, err := v.Gateways(ctx, r.caller)
	if err != nil {
		return answer{}, err
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].ID
	}
	return page(r, all, names)
}

func (s *server) getOperations(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	group := r.URL.Query().Get("group")
	if group != "" && !r.caller.Sees(group) {
		return answer{}, noGroup(group)
	}
	all, err := v.Operations(ctx, group)
	if err != nil {
		return answer{}, err
	}
	all = slices.DeleteFunc(all, func(o report.OperationLine) bool { return !r.caller.Sees(o.Group) })
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return page(r, all, ids)
}

func (s *server) getOperation(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	op, err := v.Operation(ctx, r.PathValue("id"))
	if err == nil && !r.caller.Sees(op.Group) {
		err = noOperation()
	}
	return ok(op, err)
}

func (s *server) getJournal(ctx context.Context, r request) (answer, error) {
	v, err := s.views()
	if err != nil {
		return answer{}, err
	}
	n, err := limitOf(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	stream, before := q.Get("stream"), uint64(0)
	if stream == "" {
		stream = record.EstateKey
	}
	if text := q.Get("before"); text != "" {
		if before, err = strconv.ParseUint(text, 10, 63); err != nil || before == 0 {
			return answer{}, badField(problemField{"before", text, "a number from 1"})
		}
	}
	return ok(s.journal(ctx, v, r.caller, stream, before, n))
}

// limitOf reads how many entries a caller wants.
func limitOf(r request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, badField(problemField{"limit", text, "a number from 1 to " + strconv.Itoa(maxLimit)})
	}
	return n, nil
}

// page cuts one page out of a list. Entries are named by their keys; a key that is
// no longer there begins at the start.
func page[T any](r request, all []T, keys []string) (answer, error) {
	n, err := limitOf(r)
	if err != nil {
		return answer{}, err
	}
	from := 0
	if after := r.URL.Query().Get("after"); after != "" {
		from = slices.Index(keys, after) + 1
	}
	to := min(from+n, len(all))
	out := list[T]{Items: append([]T{}, all[from:to]...)}
	if to < len(all) {
		out.Next = keys[to-1]
	}
	return ok(out, nil)
}

// reply sends an answer with its ETag; 304 when the caller has it already. It
// returns the status that was sent.
func (s *server) reply(w http.ResponseWriter, r *http.Request, a answer) int {
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	text, media := a.text, a.media
	if media == "" {
		var b bytes.Buffer
		if err := json.MarshalWrite(&b, a.body, json.Deterministic(true)); err != nil {
			writeProblem(w, problem{Status: http.StatusInternalServerError, Title: titleOf(fault.Internal), Detail: "the reply could not be written"})
			return http.StatusInternalServerError
		}
		text, media = b.Bytes(), "application/json"
	}
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && a.status == http.StatusOK {
		if tag := tagOf(a, text); tag != "" {
			w.Header().Set("ETag", tag)
			if matches(r.Header.Get("If-None-Match"), tag) {
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusNotModified)
				return http.StatusNotModified
			}
		}
	}
	writeBytes(w, a.status, media, text)
	return a.status
}

// tagOf returns the weak ETag of an answer.
func tagOf(a answer, text []byte) string {
	if a.tag != nil {
		var err error
		if text, err = json.Marshal(a.tag, json.Deterministic(true)); err != nil {
			return ""
		}
	}
	sum := sha256.Sum256(text)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// matches says whether an If-None-Match header names a tag.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
