package handlers

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/report"
)

// Codes of Invalid errors that have an HTTP status of their own.
const (
	codeTooLarge  = "BodyTooLarge"           // ours
	codeKeyReused = "idempotency-key-reused" // the engine's: the key was used for another order
)

// problem is an RFC 9457 body. It tells what was tried and what to do next; it
// never tells a cause, which may name things the caller may not see.
type problem struct {
	Type       string        `json:"type"`
	Title      string        `json:"title"`
	Status     int           `json:"status"`
	Detail     string        `json:"detail,omitzero"`
	Kind       fault.Kind    `json:"kind,omitzero"`
	Fields     []fieldError  `json:"errors,omitempty"`
	RetryAfter time.Duration `json:"-"`

	// Of an order that was refused.
	Order     string         `json:"order,omitzero"`     // its idempotency key
	Group     string         `json:"group,omitzero"`     //
	Operation string         `json:"operation,omitzero"` // the one in the way
	Codes     []string       `json:"codes,omitempty"`    // reason codes of the guards that said no
	Reasons   []report.Guard `json:"reasons,omitempty"`  // the same with sentences, as far as they hold still
}

// fieldError is one unusable field of a body.
type fieldError struct {
	Field string `json:"field"` // JSON pointer or header name
	Got   string `json:"got,omitzero"`
	Want  string `json:"want"`
}

// statusOf is the one table from kinds to HTTP. An internal call by the host sees
// the same numbers: all of them mean "deliver again".
func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Busy:
		return http.StatusServiceUnavailable
	case fault.Denied:
		return http.StatusBadGateway // Azure or the store refused us; the caller did nothing wrong
	case fault.Refused:
		return http.StatusUnprocessableEntity
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Corrupt, fault.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// titleOf says what a kind means to a caller.
func titleOf(k fault.Kind) string {
	switch k {
	case fault.Invalid:
		return "The request is not usable"
	case fault.NotFound:
		return "There is no such thing"
	case fault.Conflict:
		return "Somebody else changed this first"
	case fault.Throttled:
		return "Too many requests"
	case fault.Busy:
		return "Another operation is running"
	case fault.Denied:
		return "The service behind this refused our credentials"
	case fault.Refused:
		return "A guard refused this"
	case fault.Unavailable:
		return "The service behind this cannot be reached"
	case fault.Corrupt:
		return "Stored data cannot be trusted"
	case fault.Internal:
		return "This program failed"
	}
	return "This program failed"
}

// requestError is an error about the request itself: who sent it or what is in it.
type requestError struct{ problem problem }

// Error returns the title and the detail.
func (e *requestError) Error() string {
	if e.problem.Detail == "" {
		return e.problem.Title
	}
	return e.problem.Title + ": " + e.problem.Detail
}

// problemOf makes the reply to an error.
func problemOf(err error) problem {
	var req *requestError
	if errors.As(err, &req) {
		return req.problem
	}
	k := fault.KindOf(err)
	p := problem{Status: statusOf(k), Title: titleOf(k), Kind: k, Detail: fault.HintOf(err)}
	var f *fault.Error
	if errors.As(err, &f) {
		p.RetryAfter = f.RetryAfter
		if f.Code == codeTooLarge {
			p.Status, p.Title = http.StatusRequestEntityTooLarge, "The body is too large"
		}
		if f.Code == codeKeyReused {
			p.Status, p.Title = http.StatusUnprocessableEntity, "The Idempotency-Key was used for another order"
		}
		if p.Detail == "" && f.Op != "" {
			p.Detail = "could not " + f.Op
		}
	}
	return p
}

// writeProblem sends a problem.
func writeProblem(w http.ResponseWriter, p problem) {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="erfailover"`)
	}
	write(w, p.Status, "application/problem+json", p)
}

// writeJSON sends a body that is not a problem.
func writeJSON(w http.ResponseWriter, status int, v any) {
	write(w, status, "application/json", v)
}

// write sends v whole, or a plain 500: a reply is never half a JSON text.
func write(w http.ResponseWriter, status int, contentType string, v any) {
	var b bytes.Buffer
	if err := json.MarshalWrite(&b, v, json.Deterministic(true)); err != nil {
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		b.Reset()
		b.WriteString(`{"type":"about:blank","title":"This program failed","status":500,"detail":"the reply could not be written"}`)
	}
	writeBytes(w, status, contentType, b.Bytes())
}

// writeBytes sends a body as it is.
func writeBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller is gone when this fails
}
