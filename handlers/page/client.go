package page

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
)

// reply is what the API answered.
type reply struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// problem is the API's RFC 9457 body.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Fields []struct {
		Field string `json:"field"`
		Want  string `json:"want"`
	} `json:"errors"`
}

// call sends a request to the API as the caller of r: same peer, same host, same
// proofs of who it is. user is the name that the caller gave itself; key makes a
// repeated order one order.
func (s *server) call(ctx context.Context, r *http.Request, path, user, key string, body any) (*reply, error) {
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	out := r.Clone(ctx)
	out.Method, out.URL, out.RequestURI = http.MethodPost, &url.URL{Path: path}, path
	out.Form, out.PostForm, out.MultipartForm = nil, nil, nil
	out.Body, out.ContentLength = nopCloser{bytes.NewReader(text)}, int64(len(text))
	for name := range out.Header {
		if strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "If-") || name == "Accept-Encoding" {
			out.Header.Del(name)
		}
	}
	out.Header.Set("Content-Type", "application/json")
	if user != "" {
		out.Header.Set("X-Erfailover-User", user)
	}
	if key != "" {
		out.Header.Set("Idempotency-Key", key)
	}
	rep := &reply{header: http.Header{}}
	s.API.ServeHTTP(rep, out)
	return rep, nil
}

// nopCloser is a body that needs no closing.
type nopCloser struct{ *bytes.Reader }

// Close does nothing.
func (nopCloser) Close() error { return nil }

// ok says whether the API took the request.
func (r *reply) ok() bool { return r.status >= 200 && r.status < 300 }

// problem returns what the API had against a request, fit to be shown.
func (r *reply) problem() *problemView {
	var p problem
	if json.Unmarshal(r.body.Bytes(), &p) != nil || p.Title == "" {
		p.Title = "The API answered in a way that cannot be read"
	}
	v := &problemView{Status: r.status, Title: prose(p.Title), Detail: prose(p.Detail)}
	for i, f := range p.Fields {
		if i == 10 {
			break
		}
		v.Fields = append(v.Fields, prose(strings.TrimPrefix(f.Field, "/")+": "+f.Want))
	}
	return v
}
