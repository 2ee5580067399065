package sim

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
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
	Now          func() time.Time // nil is time.Now
	RetryAfter   time.Duration    // the pace told to pollers, whole seconds; 0 is 10s, negative leaves the header out
	PageSize     int              // items on a page of a list; 0 is 20
	Key          KeyMode          // "" is KeyMasked
	NoLimits     bool             // no token buckets
	WriteBudget  int              // size of the subscription's write bucket; 0 is 200
	ReadBudget   int              // size of the subscription's read bucket; 0 is 250
	NoAuth       bool             // requests need no bearer token
	ListenerAddr string           // "" is 127.0.0.1:0
}

// ARM is the REST face of a fabric: an http.Handler that can also listen by
// itself, over TLS on loopback, with a certificate authority of its own.
type ARM struct {
	fabric *Fabric
	opts   Options
}

// NewARM returns the face of f. It does not listen yet.
func NewARM(f *Fabric, o Options) *ARM { return &ARM{fabric: f, opts: o} }

// Fabric returns the estate behind the face.
func (a *ARM) Fabric() *Fabric { return a.fabric }

// Now returns the time of the estate.
func (a *ARM) Now() time.Time { return a.opts.Now() }

// Start makes a certificate authority and listens.
func (a *ARM) Start() error { return nil }

// Close stops listening and frees hanging requests.
func (a *ARM) Close() error { return nil }

// URL returns "https://127.0.0.1:port", or "" before Start.
func (a *ARM) URL() string { return "" }

// CAPEM returns the authority's certificate, PEM encoded; nil before Start.
func (a *ARM) CAPEM() []byte { return nil }

// WriteCA writes the authority's certificate to a file, for SSL_CERT_FILE.
func (a *ARM) WriteCA(path string) error { return nil }

// TLS returns a client configuration that trusts the authority.
func (a *ARM) TLS() *tls.Config { return &tls.Config{RootCAs: x509.NewCertPool()} }

// Client returns an HTTP client that trusts the authority. It sends no token.
func (a *ARM) Client() *http.Client { return &http.Client{} }

// Token returns a bearer token that the face takes.
func (a *ARM) Token() string { return "" }

// Inject adds a rule. Rules are asked in the order they came; the first that hits
// a request decides.
func (a *ARM) Inject(r Rule) {}

// ClearFaults forgets every rule.
func (a *ARM) ClearFaults() {}

// ServeHTTP answers one request as Azure Resource Manager would.
func (a *ARM) ServeHTTP(w http.ResponseWriter, r *http.Request) {}
