package handlers

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// TestTokenEdges: forms that go-oidc or go-jose would take and we do not, and the
// very instants.
func TestTokenEdges(t *testing.T) {
	e := newEstate(t)
	issuer := newTenant(t)
	e.auth = issuer.auth()
	h, _ := e.instance("a")
	now := e.clock.Now()
	ask := func(token string) int {
		return ask(h, "GET", "/api/v1/operations", "", "Authorization: Bearer "+token).Code
	}
	if got := ask(issuer.token(now, ana, []string{"reader"}, nil)); got != 200 {
		t.Fatalf("a good token: got %d", got)
	}
	reads := issuer.reads
	for name, c := range map[string]struct {
		change func(head, body object)
		status int
	}{
		"the last second":           {func(_, b object) { b["exp"] = now.Add(time.Second - skew).Unix() }, 200},
		"the very end":              {func(_, b object) { b["exp"] = now.Add(-skew).Unix() }, 401},
		"the end as text":           {func(_, b object) { b["exp"] = fmt.Sprint(now.Add(time.Hour).Unix()) }, 401},
		"just within nbf":           {func(_, b object) { b["nbf"] = now.Add(skew).Unix() }, 200},
		"a second before nbf":       {func(_, b object) { b["nbf"] = now.Add(skew + time.Second).Unix() }, 401},
		"no issuer and no version":  {func(_, b object) { delete(b, "iss"); delete(b, "ver") }, 401},
		"no issuer":                 {func(_, b object) { delete(b, "iss") }, 401},
		"version 1's issuer in 2":   {func(_, b object) { b["iss"] = "https://sts.windows.net/" + tenantID + "/" }, 401},
		"an empty list of audience": {func(_, b object) { b["aud"] = []string{} }, 401},
		"the audience twice":        {func(_, b object) { b["aud"] = []string{audience, audience} }, 401},
		"the audience in capitals":  {func(_, b object) { b["aud"] = strings.ToUpper(audience) }, 401},
		"a certificate of its own": {func(h, _ object) {
			h["x5c"] = []string{base64.StdEncoding.EncodeToString(issuer.server.Certificate().Raw)}
		}, 401},
		"a whole key of its own": {func(h, _ object) {
			k := signing()[2]
			h["jwk"] = object{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
		}, 401},
		"a payload that is not base64": {func(h, _ object) { h["b64"] = false }, 401},
		"critical":                     {func(h, _ object) { h["crit"] = []string{"b64"} }, 401},
		"a type that is a number":      {func(h, _ object) { h["typ"] = 1 }, 401},
		"an access token's own type":   {func(h, _ object) { h["typ"] = "at+jwt" }, 200},
		"no type":                      {func(h, _ object) { delete(h, "typ") }, 200},
		"a key with a number for name": {func(h, _ object) { h["kid"] = 1 }, 401},
		"a very long name of a key":    {func(h, _ object) { h["kid"] = strings.Repeat("k", 257) }, 401},
	} {
		if got := ask(issuer.token(now, ana, []string{"reader"}, c.change)); got != c.status {
			t.Errorf("%s: got %d, want %d", name, got, c.status)
		}
	}
	good := issuer.token(now, ana, []string{"reader"}, nil)
	p := strings.Split(good, ".")
	whole, _ := json.Marshal(object{"protected": p[0], "payload": p[1], "signature": p[2]})
	for name, token := range map[string]string{"JSON": string(whole), "a space inside": good[:40] + " " + good[40:], "no header": "." + p[1] + "." + p[2], "no claims": p[0] + ".." + p[2]} {
		if got := ask(token); got != 401 {
			t.Errorf("%s: got %d, want 401", name, got)
		}
	}
	head, _ := json.Marshal(object{"alg": "RS256", "kid": "k1", "b64": false})
	claims, _ := base64.RawURLEncoding.DecodeString(p[1])
	sum := sha256.Sum256([]byte(b64(head) + "." + string(claims)))
	sig, err := rsa.SignPKCS1v15(nil, signing()[0], crypto.SHA256, sum[:])
	if got := ask(b64(head) + "." + p[1] + "." + b64(sig)); err != nil || got != 401 {
		t.Errorf("signed over the bare claims: got %d, want 401; error %v", got, err)
	}
	e.clock.ns.Add(int64(6 * time.Minute))
	for name, v := range map[string]any{"alg": "RS512", "kid": strings.Repeat("k", 257), "jku": "https://evil.example/keys", "typ": "JOSE"} {
		bad := issuer.token(now, ana, []string{"reader"}, func(h, _ object) { h["kid"] = "new"; h[name] = v })
		if got := ask(bad); got != 401 {
			t.Errorf("a wrong %s: got %d, want 401", name, got)
		}
	}
	if issuer.reads != reads {
		t.Errorf("%d reads of the keys for tokens that need none", issuer.reads-reads)
	}
}

// TestKeyFlood: 10,000 unknown keys from many callers in five minutes cost one read,
// and so does everybody's first token.
func TestKeyFlood(t *testing.T) {
	issuer, clock := newTenant(t), &hands{}
	clock.ns.Store(at.UnixNano())
	ring := newKeyring(issuer.server.URL+"/"+tenantID+"/discovery/v2.0/keys", issuer.server.Client(), clock.Now)
	flood := func(n int, name func(int) string) (found int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for from := range 50 {
			wg.Go(func() {
				for i := from; i < n; i += 50 {
					if key, err := ring.key(t.Context(), name(i)); err == nil && key != nil {
						mu.Lock()
						found++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		return found
	}
	if found := flood(100, func(int) string { return "k1" }); found != 100 || issuer.reads != 1 {
		t.Fatalf("100 first tokens: %d found their key after %d reads, want all after 1", found, issuer.reads)
	}
	for turn := range 3 {
		clock.ns.Add(int64(5 * time.Minute)) // since the last read was begun, at least
		unknown := func(i int) string {
			clock.ns.Add(int64(29 * time.Millisecond)) // 4 min 50 s for all
			return fmt.Sprintf("x%d-%d", turn, i)
		}
		if found := flood(10_000, unknown); found != 0 || issuer.reads != turn+2 {
			t.Fatalf("10,000 unknown keys: %d found, %d reads in all, want %d", found, issuer.reads, turn+2)
		}
	}
}

// TestParseKeys: which keys of a set are kept.
func TestParseKeys(t *testing.T) {
	k := signing()[0]
	jwk := func(change object) object {
		o := object{"kty": "RSA", "use": "sig", "kid": "k1", "n": b64(k.N.Bytes()), "e": "AQAB"}
		for name, v := range change {
			o[name] = v
		}
		return o
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  object
		kept bool
	}{
		"good":                {jwk(nil), true},
		"for RS256":           {jwk(object{"alg": "RS256"}), true},
		"no use":              {jwk(object{"use": ""}), true},
		"for RS512":           {jwk(object{"alg": "RS512"}), false},
		"for encryption":      {jwk(object{"use": "enc"}), false},
		"no name":             {jwk(object{"kid": ""}), false},
		"1024 bits":           {jwk(object{"n": b64(weak.N.Bytes())}), false},
		"too many bits":       {jwk(object{"n": b64(new(big.Int).Lsh(big.NewInt(1), 8192).Bytes())}), false},
		"exponent 1":          {jwk(object{"e": "AQ"}), false},
		"an even exponent":    {jwk(object{"e": "BA"}), false},
		"a long exponent":     {jwk(object{"e": b64([]byte{1, 0, 0, 0, 1})}), false},
		"no modulus":          {jwk(object{"n": ""}), false},
		"symmetric":           {object{"kty": "oct", "kid": "k1", "k": "AAAA"}, false},
		"of a kind to come":   {object{"kty": "ML-DSA", "kid": "k1"}, false},
		"another certificate": {jwk(object{"x5c": []string{"AAAA"}}), false},
	} {
		body, _ := json.Marshal(object{"keys": []object{c.key}})
		if got, err := parseKeys(body); (err == nil) != c.kept || (got["k1"] != nil) != c.kept {
			t.Errorf("%s: got %d keys and error %v, want kept %t", name, len(got), err, c.kept)
		}
		body, _ = json.Marshal(object{"keys": []object{c.key, jwk(object{"kid": "k2"})}})
		if got, err := parseKeys(body); err != nil || got["k2"] == nil {
			t.Errorf("a good key after one that is %q: got %d keys and error %v", name, len(got), err)
		}
	}
	var many []object
	for i := range 2 * maxKeys {
		many = append(many, jwk(object{"kid": fmt.Sprint(i)}))
	}
	body, _ := json.Marshal(object{"keys": many})
	if got, err := parseKeys(body); err != nil || len(got) != maxKeys {
		t.Errorf("got %d keys and error %v, want %d", len(got), err, maxKeys)
	}
	for _, bad := range []string{"", "{}", "[]", `{"keys":[]}`, `{"keys":{}}`, `{"keys":[1]}`, `{"keys":[`} {
		if got, err := parseKeys([]byte(bad)); err == nil {
			t.Errorf("%q: got %d keys, want an error", bad, len(got))
		}
	}
}
