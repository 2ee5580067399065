package handlers

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"erfailover/events"
)

// at is the instant of every test.
var at = time.Date(2026, 2, 11, 3, 4, 5, 0, time.UTC)

// fakeEngine keeps what it was told and answers as it is told.
type fakeEngine struct {
	mu      sync.Mutex
	got     []events.Signal
	calls   int
	ticks   int
	err     error
	receipt Receipt
	during  func(ctx context.Context)
}

func (e *fakeEngine) Handle(ctx context.Context, signals []events.Signal) (Receipt, error) {
	if e.during != nil {
		e.during(ctx)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	if e.err != nil {
		return Receipt{}, e.err
	}
	e.got = append(e.got, signals...)
	return e.receipt, nil
}

func (e *fakeEngine) Tick(ctx context.Context) error {
	if e.during != nil {
		e.during(ctx)
	}
	e.ticks++
	return e.err
}

// fakeLetters keeps dead letters.
type fakeLetters struct {
	mu      sync.Mutex
	reasons []string
	raw     []string
	err     error
}

func (l *fakeLetters) Put(_ context.Context, reason string, raw []byte, _ time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.reasons, l.raw = append(l.reasons, reason), append(l.raw, string(raw))
	return nil
}

// wordParser reads a small language: "down NAME" is a signal, "foreign" is
// foreign, "order" tries to smuggle an order in, "panic" panics, all else is
// broken.
func wordParser(raw []byte, received time.Time) Parsed {
	word, name, _ := strings.Cut(string(raw), " ")
	switch word {
	case "down":
		return Parsed{Signals: []events.Signal{{ID: "s-" + name, Kind: events.Health, Observer: events.Probe, State: events.Down, Resource: name, At: received}}}
	case "foreign":
		return Parsed{Foreign: 1}
	case "order":
		return Parsed{Signals: []events.Signal{{ID: "s-x", Kind: events.Command, Order: &events.Order{Verb: events.OrderKill, By: "mallory"}}}}
	case "panic":
		panic("parser: " + name)
	}
	return Parsed{Broken: []Broken{{Class: "word", Reason: "event: got an unknown word"}}}
}

// bench is a handler with its fakes around it.
type bench struct {
	t       *testing.T
	engine  *fakeEngine
	letters *fakeLetters
	log     *strings.Builder
	env     map[string]string
	options Options
}

// newBench returns a bench on the port 7071 in mode functionKey.
func newBench(t *testing.T) *bench {
	b := &bench{t: t, engine: &fakeEngine{}, letters: &fakeLetters{}, log: &strings.Builder{}, env: map[string]string{}}
	b.options = Options{
		Engine: b.engine, Letters: b.letters, Parse: wordParser, Port: 7071, Log: zerolog.New(b.log),
		Now: func() time.Time { return at }, Getenv: func(k string) string { return b.env[k] },
		Auth: Auth{Mode: ModeFunctionKey},
	}
	return b
}

// handler builds the handler.
func (b *bench) handler() http.Handler {
	b.t.Helper()
	h, err := New(b.options)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

// do sends a request. Headers come as "Name: value"; Host sets the host.
func (b *bench) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:7071", "127.0.0.1:50000"
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Add(k, v)
	}
	w := httptest.NewRecorder()
	b.handler().ServeHTTP(w, r)
	return w
}

// hub is the body of a batch of Event Hubs.
func hub(payloads ...string) string {
	var list []string
	for _, p := range payloads {
		list = append(list, base64.StdEncoding.EncodeToString([]byte(p)))
	}
	inner, _ := json.Marshal(list)
	outer, _ := json.Marshal(string(inner))
	return `{"Data":{"events":` + string(outer) + `},"Metadata":{}}`
}
