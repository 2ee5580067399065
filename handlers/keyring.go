package handlers

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
)

// Bounds of tokens and keys.
const (
	maxToken     = 16 << 10        // bytes of a token
	maxKeySet    = 1 << 20         // bytes of the tenant's keys
	maxKeys      = 64              // keys that are kept
	minKeyBits   = 2048            // of an RSA key
	maxKeyBits   = 8192            // a check with a larger one takes too long
	keysLast     = 24 * time.Hour  // keys are read anew after this
	readAgain    = 5 * time.Minute // an unknown key makes us read the keys at most this often
	readAtStart  = 5 * time.Second // the same while no keys are known at all
	keysDeadline = 5 * time.Second // one read of the keys
)

// keyring holds a tenant's signing keys. Keys that were read once are kept while
// the tenant cannot be reached: an outage of the identity provider must not lock
// the on-call engineer out. A token that names an unknown key makes us read the
// keys anew, at most every five minutes, however many such tokens come.
type keyring struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex // held over a read: others wait for it, and none is sent twice
	keys  map[string]*rsa.PublicKey
	read  time.Time // when keys were read
	tried time.Time // when a read was last begun
}

func newKeyring(url string, client *http.Client, now func() time.Time) *keyring {
	if client == nil {
		client = &http.Client{Timeout: keysDeadline, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &keyring{url: url, client: client, now: now}
}

// signed is one token whose signature go-oidc asks for: its oidc.KeySet. go-oidc
// makes plain text of a key set's error, so the error is kept here.
type signed struct {
	ring *keyring
	jws  *jose.JSONWebSignature
	err  error
}

// VerifySignature checks the token against the tenant's key that it names and
// returns its payload.
func (s *signed) VerifySignature(ctx context.Context, _ string) (payload []byte, err error) {
	defer func() { s.err = err }()
	key, err := s.ring.key(ctx, s.jws.Signatures[0].Header.KeyID)
	if err != nil {
		return nil, err
	}
	if payload, err = s.jws.Verify(key); err != nil {
		return nil, unauthorized("the token's signature is wrong")
	}
	return payload, nil
}

// parseToken reads a compact JWS that is signed with RS256. Members of its header
// that could bring a key of the sender's own, or change how the rest is read, are
// refused by name. The signature is not checked yet.
func parseToken(token string) (*jose.JSONWebSignature, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	var alg *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &alg):
		return nil, unauthorized("the token is not signed with RS256")
	case err != nil || len(jws.Signatures) != 1:
		return nil, unauthorized("the token is not a signed JWT")
	}
	h := jws.Signatures[0].Header
	if _, err := h.Certificates(x509.VerifyOptions{}); h.JSONWebKey != nil || !errors.Is(err, jose.ErrMissingX5cHeader) {
		return nil, unauthorized("the token's header carries a key")
	}
	for _, name := range []jose.HeaderKey{"jwk", "jku", "x5u", "x5c", "crit", "zip", "b64"} {
		if _, ok := h.ExtraHeaders[name]; ok {
			return nil, unauthorized("the token's header carries what is not allowed")
		}
	}
	if v, ok := h.ExtraHeaders[jose.HeaderType]; ok {
		if typ, _ := v.(string); !strings.EqualFold(typ, "JWT") && !strings.EqualFold(typ, "at+jwt") {
			return nil, unauthorized("the token is of another type")
		}
	}
	if h.KeyID == "" || len(h.KeyID) > 256 {
		return nil, unauthorized("the token names no key")
	}
	return jws, nil
}

// key returns the key of that name.
func (k *keyring) key(ctx context.Context, name string) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	key, known := k.keys[name]
	if known && now.Before(k.read.Add(keysLast)) {
		return key, nil
	}
	pause := readAgain
	if k.keys == nil {
		pause = readAtStart
	}
	var failed error
	if k.tried.IsZero() || !now.Before(k.tried.Add(pause)) {
		k.tried = now
		fresh, err := k.fetch(ctx)
		if err == nil {
			k.keys, k.read = fresh, now
		}
		failed = err
		key, known = k.keys[name]
	}
	switch {
	case known:
		return key, nil
	case k.keys == nil:
		return nil, &fault.Error{Op: "read the tenant's signing keys", Kind: fault.Unavailable, RetryAfter: readAtStart, Hint: "check the way to the authority; nobody can be let in until they are read", Err: failed}
	}
	return nil, unauthorized("the token is signed with a key that the tenant does not have")
}

// fetch reads the tenant's keys.
func (k *keyring) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysDeadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the authority answered %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySet {
		return nil, errors.New("the authority sent too much")
	}
	return parseKeys(body)
}

// parseKeys reads a JWK set. Keys of other kinds are passed over; a set without one
// usable key is an error, so that it never replaces a good one.
func parseKeys(body []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"` // one by one: go-jose gives up a set for one strange key
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the authority sent no key set")
	}
	out := map[string]*rsa.PublicKey{}
	for _, raw := range set.Keys {
		var j jose.JSONWebKey
		if len(out) == maxKeys || j.UnmarshalJSON(raw) != nil {
			continue
		}
		key, isRSA := j.Key.(*rsa.PublicKey)
		if !isRSA || j.KeyID == "" || (j.Use != "" && j.Use != "sig") || (j.Algorithm != "" && j.Algorithm != string(jose.RS256)) {
			continue
		}
		if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits || key.E < 3 || key.E > math.MaxInt32 || key.E%2 == 0 {
			continue
		}
		out[j.KeyID] = key
	}
	if len(out) == 0 {
		return nil, errors.New("the authority sent no usable key")
	}
	return out, nil
}
