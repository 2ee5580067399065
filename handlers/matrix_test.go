package handlers

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// may says what a role may do: the table of the documentation.
func may(has, needs Role) bool {
	return has == needs || (needs == Reader && (has == Operator || has == Approver))
}

// forged is the principal that a caller could send by itself.
func forged(roles ...string) string {
	claims := []object{{"typ": claimObject, "val": ana}, {"typ": claimTenant, "val": tenantID}, {"typ": "preferred_username", "val": "ana@example.com"}, {"typ": "aud", "val": audience}}
	for _, r := range roles {
		claims = append(claims, object{"typ": "roles", "val": r})
	}
	b, _ := json.Marshal(object{"auth_typ": "aad", "role_typ": "roles", "claims": claims})
	return "X-MS-CLIENT-PRINCIPAL: " + base64.StdEncoding.EncodeToString(b)
}

// TestAuthorisationMatrix asks every operation of the document as every kind of
// caller. It is generated from the document, so a new route cannot be forgotten.
func TestAuthorisationMatrix(t *testing.T) {
	issuer := newTenant(t)
	token := func(roles []string, change func(head, body object)) []string {
		return []string{"Authorization: Bearer " + issuer.token(at, ana, roles, change)}
	}
	everything := []string{"reader", "operator", "approver", "signaler"}
	const refused, notYours, depends = 401, 403, 0
	easy, keys, loopback := Auth{Mode: ModeEasyAuth, Tenant: tenantID, Audience: audience}, Auth{Mode: ModeFunctionKey}, Auth{Mode: ModeLoopback}
	on := map[string]string{"WEBSITE_AUTH_ENABLED": "True", "WEBSITE_SITE_NAME": "erfailover"}
	for _, who := range []struct {
		name    string
		auth    Auth
		env     map[string]string
		headers []string
		want    int // depends: on roles
		roles   []Role
	}{
		{"entra: no token", issuer.auth(), nil, nil, refused, nil},
		{"entra: expired", issuer.auth(), nil, token(everything, func(_, b object) { b["exp"] = at.Add(-time.Hour).Unix() }), refused, nil},
		{"entra: wrong audience", issuer.auth(), nil, token(everything, func(_, b object) { b["aud"] = "api://other" }), refused, nil},
		{"entra: wrong tenant", issuer.auth(), nil, token(everything, func(_, b object) { b["tid"] = ana }), refused, nil},
		{"entra: alg none", issuer.auth(), nil, token(everything, func(h, _ object) { h["alg"] = "none" }), refused, nil},
		{"entra: forged Easy Auth", issuer.auth(), on, []string{forged(everything...)}, refused, nil},
		{"entra: function key", issuer.auth(), nil, []string{"X-Functions-Key: k", "X-Erfailover-User: ana"}, refused, nil},
		{"entra: no role", issuer.auth(), nil, token([]string{}, nil), notYours, nil},
		{"entra: reader", issuer.auth(), nil, token([]string{"reader"}, nil), depends, []Role{Reader}},
		{"entra: operator", issuer.auth(), nil, token([]string{"operator"}, nil), depends, []Role{Operator}},
		{"entra: approver", issuer.auth(), nil, token([]string{"approver"}, nil), depends, []Role{Approver}},
		{"entra: signaler", issuer.auth(), nil, token([]string{"signaler"}, nil), depends, []Role{Signaler}},
		{"entra: all roles", issuer.auth(), nil, token(everything, nil), depends, all[:]},
		{"easyauth: off, forged", easy, nil, []string{forged(everything...)}, notYours, nil},
		{"easyauth: no principal", easy, on, nil, refused, nil},
		{"easyauth: not base64", easy, on, []string{"X-MS-CLIENT-PRINCIPAL: %"}, refused, nil},
		{"easyauth: a token only", easy, on, token(everything, nil), refused, nil},
		{"easyauth: reader", easy, on, []string{forged("reader"), "Idempotency-Key: k"}, depends, []Role{Reader}},
		{"easyauth: operator", easy, on, []string{forged("operator"), "Idempotency-Key: k"}, depends, []Role{Operator}},
		{"easyauth: no role", easy, on, []string{forged()}, notYours, nil},
		{"key: named", keys, nil, []string{"X-Functions-Key: k", "X-Erfailover-User: ana"}, depends, all[:]},
		{"key: nobody", keys, nil, []string{"X-Functions-Key: k"}, depends, []Role{Reader, Signaler}},
		{"key: forged Easy Auth", keys, on, []string{forged(everything...)}, depends, []Role{Reader, Signaler}},
		{"loopback", loopback, nil, []string{"Idempotency-Key: k"}, depends, all[:]},
		{"loopback: through a proxy", loopback, nil, []string{"X-Forwarded-For: 192.0.2.1", "Idempotency-Key: k"}, notYours, nil},
		{"nothing configured", Auth{}, on, append(token(everything, nil), forged(everything...)), notYours, nil},
		{"entra without tenant", Auth{Mode: ModeEntra, Audience: audience}, nil, token(everything, nil), notYours, nil},
		{"entra without audience", Auth{Mode: ModeEntra, Tenant: tenantID}, nil, token(everything, nil), notYours, nil},
	} {
		t.Run(who.name, func(t *testing.T) {
			e := newEstate(t)
			e.auth, e.env = who.auth, who.env
			h, _ := e.instance("a")
			operations(t, func(method, path string, op object) {
				before := e.store.Effects()
				target := strings.NewReplacer("{group}", "east", "{id}", "op-1", "{order}", "k").Replace(path)
				body := ""
				if method == "POST" {
					body = `{"operation":"op-1"}`
				}
				w := ask(h, method, target, body, who.headers...)
				role, _ := op["x-role"].(string)
				switch {
				case op["x-proof"] != nil: // whoever asks: the address proves nothing
					if w.Code != 403 || strings.Contains(w.Body.String(), "ashburn") {
						t.Errorf("%s %s: got %d %s, want 403 for everybody", method, path, w.Code, w.Body)
					}
				case role == "":
					if w.Code != 200 {
						t.Errorf("%s %s: got %d, want 200 for everybody", method, path, w.Code)
					}
				case who.want != depends:
					refusedWith(t, w, who.want, method+" "+path)
				default:
					allowed := false
					for _, r := range who.roles {
						allowed = allowed || may(r, Role(role))
					}
					if !allowed {
						refusedWith(t, w, 403, method+" "+path)
					} else if w.Code == 401 || w.Code == 403 || w.Code >= 500 {
						t.Errorf("%s %s: got %d %s, want to be let in", method, path, w.Code, w.Body)
					}
				}
				if (w.Code == 401 || w.Code == 403) && e.store.Effects() != before {
					t.Errorf("%s %s: something was saved for a caller who was refused", method, path)
				}
			})
		})
	}
}

// refusedWith checks that a refusal tells nothing of the estate.
func refusedWith(t *testing.T, w *httptest.ResponseRecorder, want int, what string) {
	t.Helper()
	if w.Code != want || w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), "ashburn") {
		t.Errorf("%s: got %d %s, want %d", what, w.Code, w.Body, want)
	}
}
