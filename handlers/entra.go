package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-json-experiment/json"
)

// skew is how far two clocks may differ.
const skew = time.Minute

// entra checks the bearer tokens of one Entra tenant. Form, signature, issuer,
// audience and expiry are go-oidc's to judge; what Entra adds to them is judged here.
type entra struct {
	tenant    string
	audience  string
	authority string // "https://login.microsoftonline.com"
	keys      *keyring
	now       func() time.Time
}

// claims are what is read of a token besides what go-oidc reads. Everything else
// in it is ignored.
type claims struct {
	Issuer    string   `json:"iss"`
	Tenant    string   `json:"tid"`
	Version   string   `json:"ver"`
	Expires   float64  `json:"exp"` // a number: go-oidc takes text too
	NotBefore float64  `json:"nbf"`
	IssuedAt  float64  `json:"iat"`
	Object    string   `json:"oid"`
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	AppID     string   `json:"appid"` // version 1
	Party     string   `json:"azp"`   // version 2
	Name      string   `json:"preferred_username"`
	UPN       string   `json:"upn"`
	Type      string   `json:"idtyp"` // "user" or "app"
}

// verify names the caller of a request by its bearer token.
func (e *entra) verify(r *http.Request) (Caller, error) {
	v := r.Header.Values("Authorization")
	if len(v) == 0 {
		return Caller{}, unauthorized("send a token of the tenant: Authorization: Bearer TOKEN")
	}
	scheme, token, _ := strings.Cut(v[0], " ")
	if len(v) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return Caller{}, unauthorized("send one header Authorization: Bearer TOKEN")
	}
	c, err := e.read(r.Context(), token)
	if err != nil {
		return Caller{}, err
	}
	if why := e.wrong(c); why != "" {
		return Caller{}, unauthorized(why)
	}
	caller := Caller{Name: callerName(c), Subject: strings.ToLower(c.Object), Roles: known(c.Roles), Tags: tags(c.Roles, c.Groups)}
	if len(caller.Roles) == 0 {
		return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "The token carries no role of this program",
			Detail: "assign one of the app roles reader, operator, approver, signaler"}}
	}
	return caller, nil
}

// read has go-oidc check a token and returns its claims.
func (e *entra) read(ctx context.Context, token string) (claims, error) {
	jws, err := parseToken(token)
	if err != nil {
		return claims{}, err
	}
	// What is not verified yet decides only which of the two issuers is demanded.
	var c claims
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &c) != nil {
		return claims{}, unauthorized("the token's claims cannot be read")
	}
	issuer := e.issuer(c.Version)
	if issuer == "" { // go-oidc would take a token without an issuer for it
		return claims{}, unauthorized("the token is of an unknown version")
	}
	keys := &signed{ring: e.keys, jws: jws}
	id, err := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: e.audience, SupportedSigningAlgs: []string{oidc.RS256}, Now: e.expiry}).Verify(ctx, token)
	var late *oidc.TokenExpiredError
	switch {
	case keys.err != nil:
		return claims{}, keys.err
	case errors.As(err, &late):
		return claims{}, unauthorized("the token has expired")
	case err != nil && c.Issuer != issuer:
		return claims{}, unauthorized("the token was issued by somebody else")
	case err != nil:
		return claims{}, unauthorized("the token is made for another audience, or is not valid yet")
	case len(id.Audience) != 1:
		return claims{}, unauthorized("the token is made for another audience too")
	}
	return c, nil
}

// issuer is who signs tokens of that version for the tenant; "" when there is no
// such version.
func (e *entra) issuer(version string) string {
	switch version {
	case "2.0":
		return e.authority + "/" + e.tenant + "/v2.0"
	case "1.0":
		return "https://sts.windows.net/" + e.tenant + "/"
	}
	return ""
}

// expiry is the instant that go-oidc holds against the end of a token. go-oidc lets
// in at the very end, RFC 7519 section 4.1.4 does not: hence the nanosecond.
func (e *entra) expiry() time.Time { return e.now().Add(time.Nanosecond - skew) }

// wrong says what is wrong with the claims of a token that go-oidc let pass. Its
// leeway before nbf is five minutes, and it does not look at iat.
func (e *entra) wrong(c claims) string {
	now := e.now()
	at := func(sec float64) time.Time { return time.Unix(int64(sec), 0) }
	switch {
	case !strings.EqualFold(c.Tenant, e.tenant):
		return "the token is of another tenant"
	case c.NotBefore > 0 && now.Before(at(c.NotBefore).Add(-skew)), c.IssuedAt > 0 && now.Before(at(c.IssuedAt).Add(-skew)):
		return "the token is not valid yet"
	case c.Party == "" && c.AppID == "":
		return "an ID token is no access token"
	case !guid(c.Object):
		return "the token names no object"
	case c.Type != "" && c.Type != "user" && c.Type != "app":
		return "the token is of an unknown type"
	}
	return ""
}

// callerName is the name in the journal: what a person reads, and the object that
// the tenant vouches for.
func callerName(c claims) string {
	name := c.Name
	if name == "" {
		name = c.UPN
	}
	if !printable(name, maxName-40) {
		return strings.ToLower(c.Object)
	}
	return name + " (" + strings.ToLower(c.Object) + ")"
}

// known keeps the roles that mean something here.
func known(roles []string) []Role {
	var out []Role
	for _, r := range roles {
		if role := Role(strings.ToLower(r)); slices.Contains(all[:], role) && !slices.Contains(out, role) {
			out = append(out, role)
		}
	}
	return out
}

// tags are the words by which grants may name a caller besides its object.
func tags(roles, groups []string) []string {
	var out []string
	for _, r := range roles {
		out = append(out, "role:"+r)
	}
	for _, g := range groups {
		out = append(out, "group:"+g)
	}
	return out
}

// unauthorized refuses a caller whose token is missing or wrong.
func unauthorized(why string) error {
	return &requestError{problem{Status: http.StatusUnauthorized, Title: "Who are you?", Detail: why}}
}

// guidForm is how a GUID is written.
var guidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

func guid(s string) bool { return guidForm.MatchString(s) }

// newEntra returns the check of a tenant's tokens, with the tenant's own keys.
func newEntra(a Auth, now func() time.Time) (*entra, error) {
	authority := strings.TrimSuffix(a.Authority, "/")
	if authority == "" {
		authority = "https://login.microsoftonline.com"
	}
	switch {
	case !guid(a.Tenant):
		return nil, errors.New("auth.tenant: want the tenant's GUID")
	case a.Audience == "":
		return nil, errors.New("auth.audience: want what our tokens are made for")
	case !strings.HasPrefix(authority, "https://"):
		return nil, fmt.Errorf("the authority is %q, want https", authority)
	}
	tenant := strings.ToLower(a.Tenant)
	return &entra{tenant: tenant, audience: a.Audience, authority: authority, now: now,
		keys: newKeyring(authority+"/"+tenant+"/discovery/v2.0/keys", a.Client, now)}, nil
}
