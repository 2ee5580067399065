package sim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// KeyMode says how a GET shows a connection's authorization key.
type KeyMode string

const (
	KeyMasked KeyMode = "masked" // "*****************"; the default
	KeyAbsent KeyMode = "absent" // the property is left out
)

// Options set the ARM face. The zero value is a face like Azure's.
type Options struct {
	Now          func() time.Time // the estate's time; nil is time.Now
	RetryAfter   time.Duration    // the pace told to pollers, whole seconds; 0 is 10s, negative leaves the header out
	PageSize     int              // items on a page of a list; 0 is 20
	Key          KeyMode          // "" is KeyMasked
	NoLimits     bool             // no token buckets
	WriteBudget  int              // size of a subscription's write bucket; 0 is 200
	ReadBudget   int              // size of a subscription's read bucket; 0 is 250
	NoAuth       bool             // requests need no bearer token
	HonorIfMatch bool             // a PUT with another entity tag is answered 412; whether Azure does so is not known
	ListenerAddr string           // "" is 127.0.0.1:0

	MetricsAudience string // what tokens for metrics in batches are made for, and no others; "" takes any
}

// ARM is the REST face of a fabric: an http.Handler that can also listen by
// itself, over TLS on loopback, with a certificate authority of its own.
type ARM struct {
	fabric *Fabric
	opts   Options

	mu     sync.Mutex
	rules  []*armed
	limits *limits
	serial int
	grants []Grant // nil: everything
	gauges map[string]Gauge
	word   map[string]Word
	work   []Work

	server *http.Server
	url    string
	ca     []byte
	closed chan struct{}
	once   sync.Once
}

// NewARM returns the face of f. It does not listen yet.
func NewARM(f *Fabric, o Options) *ARM {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = 10 * time.Second
	}
	if o.PageSize <= 0 {
		o.PageSize = 20
	}
	if o.Key == "" {
		o.Key = KeyMasked
	}
	if o.ListenerAddr == "" {
		o.ListenerAddr = "127.0.0.1:0"
	}
	return &ARM{fabric: f, opts: o, limits: newLimits(o), closed: make(chan struct{})}
}

// Fabric returns the estate behind the face.
func (a *ARM) Fabric() *Fabric { return a.fabric }

// Now returns the time of the estate.
func (a *ARM) Now() time.Time { return a.opts.Now() }

// Start makes a certificate authority and listens.
func (a *ARM) Start() error {
	if a.server != nil {
		return errors.New("sim: the ARM face listens already")
	}
	ca, cert, err := authority()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", a.opts.ListenerAddr)
	if err != nil {
		return err
	}
	a.ca, a.url = ca, "https://"+ln.Addr().String()
	a.server = &http.Server{
		Handler: a, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go func(s *http.Server) { _ = s.ServeTLS(ln, "", "") }(a.server)
	return nil
}

// Close stops listening and frees hanging requests. It may be called twice.
func (a *ARM) Close() error {
	a.once.Do(func() { close(a.closed) })
	if a.server == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if a.server.Shutdown(ctx) == nil {
		return nil
	}
	return a.server.Close()
}

// URL returns "https://127.0.0.1:port", or "" before Start.
func (a *ARM) URL() string { return a.url }

// CAPEM returns the authority's certificate, PEM encoded; nil before Start.
func (a *ARM) CAPEM() []byte { return a.ca }

// WriteCA writes the authority's certificate to a file, for SSL_CERT_FILE.
func (a *ARM) WriteCA(path string) error { return os.WriteFile(path, a.ca, 0o600) }

// TLS returns a client configuration that trusts the authority and nothing else.
func (a *ARM) TLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.ca)
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// Client returns an HTTP client that trusts the authority. It sends no token. The
// caller closes its idle connections.
func (a *ARM) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: a.TLS(), ForceAttemptHTTP2: true}}
}

// Token returns a bearer token that the face takes.
func (a *ARM) Token() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	return mint("https://management.azure.com", a.serial, a.opts.Now().Add(24*time.Hour).Unix())
}

// Inject adds a rule. Every rule counts the requests that it matches; of those
// that hit, the oldest rule decides. A path that is no regular expression panics.
func (a *ARM) Inject(r Rule) {
	ready := arm(r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules = append(a.rules, ready)
}

// ClearFaults forgets every rule.
func (a *ARM) ClearFaults() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rules = nil
}

// pick returns the fault for a request; a zero Fault is none.
func (a *ARM) pick(method, path string, kind Kind) Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out Fault
	for _, r := range a.rules {
		if r.hits(method, path, kind) && out.Kind == "" {
			out = r.Fault
		}
	}
	return out
}
