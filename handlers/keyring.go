package handlers

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

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

// header is the part of a token that says how it is signed. Members that could
// bring a key of the sender's own are refused by name.
type header struct {
	Algorithm string         `json:"alg"`
	Key       string         `json:"kid"`
	Type      string         `json:"typ"`
	JWK       jsontext.Value `json:"jwk"`
	JKU       jsontext.Value `json:"jku"`
	X5U       jsontext.Value `json:"x5u"`
	X5C       jsontext.Value `json:"x5c"`
	Critical  jsontext.Value `json:"crit"`
	Zip       jsontext.Value `json:"zip"`
}

// VerifySignature checks an RS256 token against the tenant's keys.
func (k *keyring) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, unauthorized("the token is not a signed JWT")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return nil, unauthorized("the token is not a signed JWT")
		}
	}
	var h header
	if err := json.Unmarshal(raw[0], &h); err != nil {
		return nil, unauthorized("the token's header cannot be read")
	}
	switch {
	case h.Algorithm != "RS256":
		return nil, unauthorized("the token is not signed with RS256")
	case h.JWK != nil || h.JKU != nil || h.X5U != nil || h.X5C != nil || h.Critical != nil || h.Zip != nil:
		return nil, unauthorized("the token's header carries what is not allowed")
	case h.Type != "" && !strings.EqualFold(h.Type, "JWT") && !strings.EqualFold(h.Type, "at+jwt"):
		return nil, unauthorized("the token is of another type")
	case h.Key == "" || len(h.Key) > 256:
		return nil, unauthorized("the token names no key")
	}
	key, err := k.key(ctx, h.Key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw[2]) != nil {
		return nil, unauthorized("the token's signature is wrong")
	}
	return raw[1], nil
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
		Keys []struct {
			Kind string `json:"kty"`
			Use  string `json:"use"`
			Alg  string `json:"alg"`
			ID   string `json:"kid"`
			N    string `json:"n"`
			E    string `json:"e"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the authority sent no key set")
	}
	out := map[string]*rsa.PublicKey{}
	for _, j := range set.Keys {
		if j.Kind != "RSA" || j.ID == "" || (j.Use != "" && j.Use != "sig") || (j.Alg != "" && j.Alg != "RS256") || len(out) == maxKeys {
			continue
		}
		n, err1 := base64.RawURLEncoding.DecodeString(j.N)
		e, err2 := base64.RawURLEncoding.DecodeString(j.E)
		if err1 != nil || err2 != nil || len(e) == 0 || len(e) > 4 {
			continue
		}
		key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if key.N.BitLen() < minKeyBits || key.N.BitLen() > 8192 || key.E < 3 || key.E%2 == 0 {
			continue
		}
		out[j.ID] = key
	}
	if len(out) == 0 {
		return nil, errors.New("the authority sent no usable key")
	}
	return out, nil
}
