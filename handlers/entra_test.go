package handlers

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/policy"
)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	audience = "api://erfailover"
	ana      = "aaaaaaaa-0000-0000-0000-000000000001"
	ben      = "bbbbbbbb-0000-0000-0000-000000000002"
)

// tenant is an Entra tenant that signs tokens and serves its keys over TLS.
type tenant struct {
	t      testing.TB
	mu     sync.Mutex
	keys   map[string]*rsa.PrivateKey
	down   bool
	reads  int
	server *httptest.Server
}

// signing is made once: keys of this size take a moment.
var signing = sync.OnceValue(func() [3]*rsa.PrivateKey {
	var out [3]*rsa.PrivateKey
	for i := range out {
		out[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return out
})

func newTenant(t testing.TB) *tenant {
	e := &tenant{t: t, keys: map[string]*rsa.PrivateKey{"k1": signing()[0]}}
	e.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.reads++
		if e.down || r.URL.Path != "/"+tenantID+"/discovery/v2.0/keys" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var keys []object
		for kid, k := range e.keys {
			keys = append(keys, object{"kty": "RSA", "use": "sig", "kid": kid, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())})
		}
		_ = json.MarshalWrite(w, object{"keys": append(keys, object{"kty": "EC", "kid": "other"})})
	}))
	t.Cleanup(e.server.Close)
	return e
}

func (e *tenant) auth() Auth {
	return Auth{Mode: ModeEntra, Tenant: tenantID, Audience: audience, Authority: e.server.URL, Client: e.server.Client()}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token signs claims; change may spoil them or the header.
func (e *tenant) token(now time.Time, oid string, roles []string, change func(head, body object)) string {
	head := object{"alg": "RS256", "typ": "JWT", "kid": "k1"}
	body := object{"iss": e.server.URL + "/" + tenantID + "/v2.0", "aud": audience, "tid": tenantID, "ver": "2.0", "exp": now.Add(time.Hour).Unix(),
		"nbf": now.Add(-time.Minute).Unix(), "iat": now.Add(-time.Minute).Unix(), "oid": oid, "roles": roles, "azp": "client", "preferred_username": oid[:3] + "@example.com", "idtyp": "user"}
	if change != nil {
		change(head, body)
	}
	h, _ := json.Marshal(head)
	c, _ := json.Marshal(body)
	text := b64(h) + "." + b64(c)
	sum := sha256.Sum256([]byte(text))
	e.mu.Lock()
	key := e.keys[fmt.Sprint(head["kid"])]
	e.mu.Unlock()
	if key == nil {
		key = signing()[2]
	}
	switch head["alg"] {
	case "none":
		return text + "."
	case "HS256": // keyed with the public key, which everybody knows
		mac := hmac.New(sha256.New, key.N.Bytes())
		mac.Write([]byte(text))
		return text + "." + b64(mac.Sum(nil))
	}
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		e.t.Fatal(err)
	}
	return text + "." + b64(sig)
}

// TestTokens: what is wrong with a token, one thing at a time.
func TestTokens(t *testing.T) {
	e := newEstate(t)
	issuer := newTenant(t)
	e.auth = issuer.auth()
	h, _ := e.instance("a")
	now := e.clock.Now()
	set := func(k string, v any) func(object, object) { return func(_, b object) { b[k] = v } }
	head := func(k string, v any) func(object, object) { return func(h, _ object) { h[k] = v } }
	drop := func(k string) func(object, object) { return func(_, b object) { delete(b, k) } }
	for name, c := range map[string]struct {
		change func(head, body object)
		status int
	}{
		"good": {nil, 200},
		"version 1": {func(_, b object) {
			b["ver"], b["iss"] = "1.0", "https://sts.windows.net/"+tenantID+"/"
			delete(b, "azp")
			b["appid"] = "x"
		}, 200},
		"an app":                    {set("idtyp", "app"), 200},
		"audience in a list":        {set("aud", []string{audience}), 200},
		"expired within the skew":   {set("exp", now.Add(-30*time.Second).Unix()), 200},
		"expired":                   {set("exp", now.Add(-61*time.Second).Unix()), 401},
		"never expires":             {drop("exp"), 401},
		"expires as text":           {set("exp", "tomorrow"), 401},
		"not yet":                   {set("nbf", now.Add(2*time.Minute).Unix()), 401},
		"issued in the future":      {set("iat", now.Add(2*time.Minute).Unix()), 401},
		"other audience":            {set("aud", "api://other"), 401},
		"two audiences":             {set("aud", []string{audience, "api://other"}), 401},
		"no audience":               {drop("aud"), 401},
		"other tenant":              {set("tid", ana), 401},
		"no tenant":                 {drop("tid"), 401},
		"other issuer":              {set("iss", "https://evil.example/"+tenantID+"/v2.0"), 401},
		"issuer of another version": {set("ver", "1.0"), 401},
		"no version":                {drop("ver"), 401},
		"an ID token":               {drop("azp"), 401},
		"no object":                 {drop("oid"), 401},
		"an object that is no GUID": {set("oid", "ana"), 401},
		"unknown type of identity":  {set("idtyp", "device"), 401},
		"no roles":                  {drop("roles"), 403},
		"roles of other programs":   {set("roles", []string{"Admin.All"}), 403},
		"roles as text":             {set("roles", "operator"), 401},
		"alg none":                  {head("alg", "none"), 401},
		"alg HS256":                 {head("alg", "HS256"), 401},
		"alg RS512":                 {head("alg", "RS512"), 401},
		"alg in lower case":         {head("alg", "rs256"), 401},
		"a key of its own":          {head("jwk", object{"kty": "RSA"}), 401},
		"a key elsewhere":           {head("jku", "https://evil.example/keys"), 401},
		"a certificate elsewhere":   {head("x5u", "https://evil.example/cert"), 401},
		"critical":                  {head("crit", []string{"exp"}), 401},
		"compressed":                {head("zip", "DEF"), 401},
		"another type":              {head("typ", "JOSE"), 401},
		"no key":                    {head("kid", ""), 401},
		"a path as key":             {head("kid", "../../k1"), 401},
		"an unknown key":            {head("kid", "k9"), 401},
	} {
		w := ask(h, "GET", "/api/v1/operations", "", "Authorization: Bearer "+issuer.token(now, ana, []string{"reader"}, c.change))
		if w.Code != c.status || (c.status == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
	good := issuer.token(now, ana, []string{"reader"}, nil)
	parts := strings.Split(good, ".")
	other := strings.Split(issuer.token(now, ben, []string{"operator"}, nil), ".")
	for name, line := range map[string]string{
		"claims of another token": "Authorization: Bearer " + parts[0] + "." + other[1] + "." + parts[2], "no signature": "Authorization: Bearer " + parts[0] + "." + parts[1] + ".",
		"two parts": "Authorization: Bearer " + parts[0] + "." + parts[1], "four parts": "Authorization: Bearer " + good + ".x", "padded": "Authorization: Bearer " + good + "=",
		"basic": "Authorization: Basic " + good, "nothing": "Authorization: Bearer ", "huge": "Authorization: Bearer " + strings.Repeat("a", maxToken+1), "spaces": "Authorization: Bearer  " + good,
	} {
		if w := ask(h, "GET", "/api/v1/operations", "", line); w.Code != 401 {
			t.Errorf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
}

// TestKeysRotate: a new key is found, a flood of unknown ones costs one read in five
// minutes, and an outage of the authority locks nobody out.
func TestKeysRotate(t *testing.T) {
	e := newEstate(t)
	issuer := newTenant(t)
	e.auth = issuer.auth()
	e.limit = Limits{Burst: 20_000}
	h, _ := e.instance("a")
	code := func(kid string) int {
		return ask(h, "GET", "/api/v1/operations", "", "Authorization: Bearer "+issuer.token(e.clock.Now(), ana, []string{"reader"}, func(h, _ object) { h["kid"] = kid })).Code
	}
	issuer.down = true
	if got := code("k1"); got != 503 {
		t.Errorf("before any key was read: got %d, want 503", got)
	}
	issuer.down = false
	e.clock.ns.Add(int64(6 * time.Second))
	if got := code("k1"); got != 200 || issuer.reads != 2 {
		t.Fatalf("got %d after %d reads", got, issuer.reads)
	}
	e.clock.ns.Add(int64(6 * time.Minute))
	for i := range 300 {
		if got := code(fmt.Sprintf("x%d", i)); got != 401 {
			t.Fatalf("an unknown key: got %d", got)
		}
	}
	if issuer.reads != 3 {
		t.Errorf("300 unknown keys cost %d reads, want 1", issuer.reads-2)
	}
	issuer.mu.Lock()
	issuer.keys = map[string]*rsa.PrivateKey{"k2": signing()[1]}
	issuer.mu.Unlock()
	if got := code("k2"); got != 401 {
		t.Errorf("a new key within five minutes of a read: got %d", got)
	}
	e.clock.ns.Add(int64(6 * time.Minute))
	if a, b := code("k2"), code("k1"); a != 200 || b != 401 {
		t.Errorf("after the rotation: got %d for the new key and %d for the one that is gone", a, b)
	}
	issuer.down = true
	e.clock.ns.Add(int64(48 * time.Hour))
	reads := issuer.reads
	for range 3 {
		if got := code("k2"); got != 200 {
			t.Errorf("two days into an outage of the authority: got %d", got)
		}
	}
	if issuer.reads != reads+1 {
		t.Errorf("an outage cost %d reads at once, want 1", issuer.reads-reads)
	}
}

// TestOnePersonIsOnePerson: another spelling of the requester's name does not make a
// second person.
func TestOnePersonIsOnePerson(t *testing.T) {
	e := newEstate(t)
	e.rule.Policy.Mode = policy.Approve
	issuer := newTenant(t)
	e.auth = issuer.auth()
	h, eng := e.instance("a")
	e.healthy(eng)
	by := func(oid, name string, roles ...string) string {
		return "Authorization: Bearer " + issuer.token(e.clock.Now(), oid, roles, func(_, b object) { b["preferred_username"] = name })
	}
	o := outcomeOf(t, ask(h, "POST", "/api/v1/groups/east/failover", `{}`, by(ana, "ana@example.com", "operator")).Body.Bytes())
	if o.State != Waits {
		t.Fatalf("got %+v", o)
	}
	body := `{"operation":"` + o.Operation + `","plan":"` + o.Plan + `"}`
	for _, name := range []string{"ana@example.com", "a.other@example.com", ""} {
		if w := ask(h, "POST", "/api/v1/groups/east/approve", body, by(ana, name, "approver")); w.Code != 409 {
			t.Errorf("%q: got %d %s", name, w.Code, w.Body)
		}
	}
	if w := ask(h, "POST", "/api/v1/groups/east/approve", body, by(ben, "ana@example.com", "approver")); w.Code != 202 {
		t.Errorf("another person of that name: got %d %s", w.Code, w.Body)
	}
}

// FuzzToken: no text makes the parser panic or lets anybody in.
func FuzzToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.AA")
	ring := newKeyring("https://127.0.0.1:1/keys", nil, func() time.Time { return at })
	ring.keys, ring.read, ring.tried = map[string]*rsa.PublicKey{"k1": &signing()[0].PublicKey}, at, at
	e := &entra{tenant: tenantID, audience: audience, authority: "https://login.example", keys: ring, now: func() time.Time { return at }}
	f.Fuzz(func(t *testing.T, token string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + token}
		if c, err := e.verify(r); err == nil {
			t.Fatalf("let in %+v", c)
		}
	})
}
