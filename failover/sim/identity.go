package sim

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Identity is a stand-in for the managed identity endpoint of a function app
// (api-version 2019-08-01), on loopback over plain HTTP. Its tokens are junk that
// only this package's ARM face takes.
type Identity struct {
	url, secret string
	server      *http.Server

	mu      sync.Mutex
	refuse  bool
	served  int
	clients []string
}

// NewIdentity starts a stand-in. The caller closes it.
func NewIdentity() (*Identity, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &Identity{url: "http://" + ln.Addr().String() + "/msi/token", secret: rand.Text()}
	i.server = &http.Server{Handler: i, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = i.server.Serve(ln) }()
	return i, nil
}

// Env returns IDENTITY_ENDPOINT and IDENTITY_HEADER as "NAME=value".
func (i *Identity) Env() []string {
	return []string{"IDENTITY_ENDPOINT=" + i.url, "IDENTITY_HEADER=" + i.secret}
}

// Refuse lets every later request for a token fail with 401, or ends that.
func (i *Identity) Refuse(on bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refuse = on
}

// Served returns how many tokens were given out.
func (i *Identity) Served() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.served
}

// Clients returns the client_id of each token given out, "" for the system's own
// identity.
func (i *Identity) Clients() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.clients...)
}

// Close stops it.
func (i *Identity) Close() error {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if i.server.Shutdown(ctx) == nil {
		return nil
	}
	return i.server.Close()
}

// ServeHTTP answers one request for a token.
func (i *Identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	q := r.URL.Query()
	status, why := 0, ""
	switch {
	case i.refuse:
		status, why = http.StatusUnauthorized, "the identity is refused"
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("X-IDENTITY-HEADER")), []byte(i.secret)) != 1:
		status, why = http.StatusUnauthorized, "the X-IDENTITY-HEADER is wrong"
	case r.Method != http.MethodGet || r.URL.Path != "/msi/token":
		status, why = http.StatusNotFound, "GET /msi/token is all there is"
	case q.Get("api-version") != "2019-08-01":
		status, why = http.StatusBadRequest, "api-version 2019-08-01 is wanted"
	case q.Get("resource") == "":
		status, why = http.StatusBadRequest, "resource is missing"
	}
	w.Header().Set("Content-Type", "application/json")
	if status != 0 {
		w.WriteHeader(status)
		_, _ = w.Write(object("statusCode", status, "message", why).raw())
		return
	}
	i.served++
	i.clients = append(i.clients, q.Get("client_id"))
	expires := time.Now().Add(24 * time.Hour).Unix() // real time: credentials compare it with their own clock
	_, _ = w.Write(object("access_token", mint(q.Get("resource"), i.served, expires), "expires_on", fmt.Sprint(expires),
		"resource", q.Get("resource"), "token_type", "Bearer", "client_id", q.Get("client_id")).raw())
}
