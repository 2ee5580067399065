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

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// skew is how far two clocks may differ.
const skew = time.Minute

// keySet checks the signature of a compact JWS and returns its payload. It is the
// interface of the same name in go-oidc.
type keySet interface {
	VerifySignature(ctx context.Context, jwt string) (payload []byte, err error)
}

// entra checks the bearer tokens of one Entra tenant.
type entra struct {
	tenant    string
	audience  string
	authority string // "https://login.microsoftonline.com"
	keys      keySet
	now       func() time.Time
}

// claims are what is read of a token. Everything else in it is ignored.
type claims struct {
	Issuer    string         `json:"iss"`
	Audience  jsontext.Value `json:"aud"`
	Tenant    string         `json:"tid"`
	Version   string         `json:"ver"`
	Expires   float64        `json:"exp"`
	NotBefore float64        `json:"nbf"`
	IssuedAt  float64        `json:"iat"`
	Object    string         `json:"oid"`
	Roles     []string       `json:"roles"`
	AppID     string         `json:"appid"` // version 1
	Party     string         `json:"azp"`   // version 2
	Name      string         `json:"preferred_username"`
	UPN       string         `json:"upn"`
	Type      string         `json:"idtyp"` // "user" or "app"
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
	payload, err := e.keys.VerifySignature(r.Context(), token)
	if err != nil {
		return Caller{}, err
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Caller{}, unauthorized("the token's claims cannot be read")
	}
	if why := e.wrong(c); why != "" {
		return Caller{}, unauthorized(why)
	}
	caller := Caller{Name: callerName(c), Roles: known(c.Roles)}
	if len(caller.Roles) == 0 {
		return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "The token carries no role of this program",
			Detail: "assign one of the app roles reader, operator, approver, signaler"}}
	}
	return caller, nil
}

// wrong says what is wrong with the claims of a token whose signature is good.
func (e *entra) wrong(c claims) string {
	issuer := ""
	switch c.Version {
	case "2.0":
		issuer = e.authority + "/" + e.tenant + "/v2.0"
	case "1.0":
		issuer = "https://sts.windows.net/" + e.tenant + "/"
	}
	now := e.now()
	at := func(sec float64) time.Time { return time.Unix(int64(sec), 0) }
	switch {
	case !strings.EqualFold(c.Tenant, e.tenant):
		return "the token is of another tenant"
	case issuer == "" || c.Issuer != issuer:
		return "the token was issued by somebody else"
	case !oneAudience(c.Audience, e.audience):
		return "the token is made for another audience"
	case c.Expires <= 0 || !now.Before(at(c.Expires).Add(skew)):
		return "the token has expired"
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

// oneAudience says whether aud is exactly the wanted one: a string, or a list of
// that one string.
func oneAudience(raw jsontext.Value, want string) bool {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one == want && want != ""
	}
	var many []string
	return json.Unmarshal(raw, &many) == nil && len(many) == 1 && many[0] == want && want != ""
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

// identity is what makes two names the same person: the object, where the name has
// one. A person's name may be spelled differently in two tokens.
func identity(name string) string {
	if i := strings.LastIndex(name, " ("); i >= 0 && strings.HasSuffix(name, ")") && guid(name[i+2:len(name)-1]) {
		return strings.ToLower(name[i+2 : len(name)-1])
	}
	return strings.ToLower(name)
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
