package hosttest

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// gridKey is the system key of the Event Grid webhook.
const gridKey = "eventgrid_extension"

// listen opens the public front on a port of its own.
func (h *Host) listen() error {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	for _, f := range h.app.functions {
		if f.trigger.Type == "httpTrigger" && (!h.app.config.CustomHandler.Proxying || len(f.outputs) != 1 || f.outputs[0].Type != "http") {
			return errors.Join(ln.Close(), fmt.Errorf("%s: only HTTP functions that are proxied are emulated: one httpTrigger, one http output, enableProxyingHttpRequest", f.name))
		}
	}
	target, err := url.Parse(h.target)
	if err != nil {
		return errors.Join(ln.Close(), err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: retryDial{h.client.Transport},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host, p.Out.URL.RawQuery = p.In.Host, p.In.URL.RawQuery
			id := guid()
			p.Out.Header.Set("X-Azure-Functions-HostVersion", hostVersion)
			p.Out.Header.Set("X-Azure-Functions-InvocationId", id)
			p.Out.Header.Set("x-ms-invocation-id", id)
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := p.In.Header[name]; ok {
					p.Out.Header[name] = v
				}
			}
			if h.o.FrontEnd {
				p.Out.Header.Set("X-Forwarded-For", p.In.RemoteAddr)
				p.Out.Header.Set("X-ARR-LOG-ID", id)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			h.note("forwarding failed: " + err.Error())
			w.WriteHeader(http.StatusInternalServerError)
		},
	}
	h.front = &http.Server{Handler: h.routes(proxy), ReadHeaderTimeout: 10 * time.Second}
	h.frontURL = "http://" + ln.Addr().String()
	h.all.Go(func() { _ = h.front.Serve(ln) }) // it ends by Close
	return nil
}

// routes answers as the host does: its own paths first, then the functions.
func (h *Host) routes(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.count(func(c *Counters) { c.Requests++ })
		switch {
		case r.URL.Path == "/runtime/webhooks/eventgrid":
			h.grid(w, r)
		case strings.HasPrefix(r.URL.Path, "/admin/") || strings.HasPrefix(r.URL.Path, "/runtime/"):
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/":
			_, _ = io.WriteString(w, "Your Functions app is up and running")
		default:
			f, status := h.match(r)
			if status == 0 && !h.opens(f, r) {
				status = http.StatusUnauthorized
			}
			if status == 0 && h.awaitReady(r.Context()) != nil {
				status = http.StatusInternalServerError
			}
			if status != 0 {
				w.WriteHeader(status)
				return
			}
			proxy.ServeHTTP(w, r)
		}
	})
}

// match finds the first function, by name, whose route and methods fit.
func (h *Host) match(r *http.Request) (function, int) {
	prefix := "api"
	if p := h.app.config.Extensions.HTTP.RoutePrefix; p != nil {
		prefix = *p
	}
	status := http.StatusNotFound
	for _, f := range h.app.functions {
		if f.trigger.Type != "httpTrigger" {
			continue
		}
		route := f.name
		if f.trigger.Route != nil {
			route = *f.trigger.Route
		}
		if !routeFits(strings.Trim(prefix+"/"+route, "/"), strings.Trim(r.URL.Path, "/")) {
			continue
		}
		if len(f.trigger.Methods) == 0 || slices.ContainsFunc(f.trigger.Methods, func(m string) bool { return strings.EqualFold(m, r.Method) }) {
			return f, 0
		}
		status = http.StatusMethodNotAllowed
	}
	return function{}, status
}

// routeFits matches a path with a template: text, {name}, {name?}, {*rest}.
func routeFits(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "{*"):
			return true
		case strings.HasPrefix(w, "{") && i >= len(have):
			return strings.HasSuffix(w, "?}") && i == len(want)-1
		case i >= len(have):
			return false
		case !strings.HasPrefix(w, "{") && !strings.EqualFold(w, have[i]):
			return false
		}
	}
	return len(want) == len(have)
}

// opens checks the key of a request: the header wins over the query.
func (h *Host) opens(f function, r *http.Request) bool {
	key := r.Header.Get("x-functions-key")
	if key == "" {
		key = r.URL.Query().Get("code")
	}
	same := func(k string) bool { return subtle.ConstantTimeCompare([]byte(key), []byte(k)) == 1 }
	switch f.trigger.AuthLevel {
	case "anonymous":
		return true
	case "admin":
		return same(h.o.MasterKey)
	default:
		return same(h.o.FunctionKey) || same(h.o.MasterKey)
	}
}

// retryDial tries again when the handler cannot be reached, as the host does for
// up to ten times: a request may come after a crash and before the restart.
type retryDial struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t retryDial) RoundTrip(r *http.Request) (*http.Response, error) {
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		res, err := t.next.RoundTrip(r)
		again := errors.Is(err, syscall.ECONNREFUSED) || (err != nil && (r.Body == nil || r.Body == http.NoBody))
		if !again || try == 10 {
			return res, err
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, 250*time.Millisecond)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// Do sends a request to the public front. A URL without a host is taken there.
func (h *Host) Do(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "" {
		base, err := url.Parse(h.frontURL)
		if err != nil {
			return nil, err
		}
		req.URL.Scheme, req.URL.Host = base.Scheme, base.Host
	}
	return h.client.Transport.RoundTrip(req)
}

// EventGrid delivers a body, one event or an array, to a function, and returns the
// status that Event Grid would see.
func (h *Host) EventGrid(fn string, body []byte) (int, error) {
	at := h.frontURL + "/runtime/webhooks/eventgrid?functionName=" + url.QueryEscape(fn) + "&code=" + gridKey
	req, err := http.NewRequestWithContext(h.context(), http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("aeg-event-type", "Notification")
	req.Header.Set("Content-Type", "application/json")
	res, err := h.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// grid is the webhook of Event Grid. The handshake is the host's own affair: the
// handler never sees it.
func (h *Host) grid(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	i := slices.IndexFunc(h.app.functions, func(f function) bool {
		return f.name == r.URL.Query().Get("functionName") && f.trigger.Type == "eventGridTrigger"
	})
	switch {
	case r.URL.Query().Get("code") != gridKey && r.URL.Query().Get("code") != h.o.MasterKey:
		w.WriteHeader(http.StatusUnauthorized)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case i < 0:
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("aeg-event-type") == "SubscriptionValidation":
		handshake(w, body)
	case r.Header.Get("aeg-event-type") == "Unsubscribe":
		w.WriteHeader(http.StatusAccepted)
	case r.Header.Get("aeg-event-type") == "Notification":
		w.WriteHeader(h.notify(h.context(), h.app.functions[i], body))
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// gridEvents splits a delivery: an array, or one CloudEvent.
func gridEvents(body []byte) ([]jsontext.Value, error) {
	var list []jsontext.Value
	if jsontext.Value(body).Kind() == '[' {
		return list, json.Unmarshal(body, &list)
	}
	if !jsontext.Value(body).IsValid() {
		return nil, errors.New("not JSON")
	}
	return []jsontext.Value{body}, nil
}

// handshake answers a validation with its code.
func handshake(w http.ResponseWriter, body []byte) {
	list, err := gridEvents(body)
	var e struct {
		Data struct {
			Code string `json:"validationCode"`
		} `json:"data"`
	}
	if err != nil || len(list) == 0 || json.Unmarshal(list[0], &e) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text(map[string]string{"validationResponse": e.Data.Code}))
}

// notify invokes the function for every event of a delivery, in parallel. One
// failure fails the whole delivery, and Event Grid sends all of it again.
func (h *Host) notify(ctx context.Context, f function, body []byte) int {
	list, err := gridEvents(body)
	if err != nil {
		return http.StatusBadRequest
	}
	var wait sync.WaitGroup
	failed := make([]error, len(list))
	for i, e := range list {
		wait.Go(func() { failed[i] = h.execute(ctx, f, gridEnvelope(f, e, h.now())) })
	}
	wait.Wait()
	if errors.Join(failed...) != nil {
		return http.StatusInternalServerError
	}
	return http.StatusAccepted
}
