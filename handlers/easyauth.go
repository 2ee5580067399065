package handlers

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Claim types of the principal that App Service Authentication makes of an Entra
// token.
const (
	claimObject = "http://schemas.microsoft.com/identity/claims/objectidentifier"
	claimTenant = "http://schemas.microsoft.com/identity/claims/tenantid"
)

// maxPrincipal bounds the principal's header, in bytes.
const maxPrincipal = 16 << 10

// principal is what the platform says of a caller that it has authenticated.
type principal struct {
	Kind     string `json:"auth_typ"`
	RoleType string `json:"role_typ"`
	Claims   []struct {
		Type  string `json:"typ"`
		Value string `json:"val"`
	} `json:"claims"`
}

// easyAuth reads the principal that App Service Authentication sets. The platform
// strips that header from requests only while the feature is on, so it is read only
// when the operator chose this mode and the platform says that it is on.
func easyAuth(a Auth, getenv func(string) string) authenticator {
	return func(r *http.Request) (Caller, error) {
		if !strings.EqualFold(getenv("WEBSITE_AUTH_ENABLED"), "true") {
			return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "The API is closed",
				Detail: "auth.mode is easyauth and App Service Authentication is off (WEBSITE_AUTH_ENABLED is not true): turn it on, or set auth.mode"}}
		}
		v := r.Header.Values("X-MS-CLIENT-PRINCIPAL")
		if len(v) != 1 || v[0] == "" || len(v[0]) > maxPrincipal {
			return Caller{}, unauthorized("sign in: the platform named no caller")
		}
		raw, err := base64.StdEncoding.DecodeString(v[0])
		var p principal
		if err != nil || json.Unmarshal(raw, &p) != nil {
			return Caller{}, unauthorized("the platform's principal cannot be read")
		}
		return p.caller(a)
	}
}

// caller names the caller of a principal.
func (p principal) caller(a Auth) (Caller, error) {
	values := func(types ...string) (out []string) {
		for _, c := range p.Claims {
			if slices.Contains(types, c.Type) {
				out = append(out, c.Value)
			}
		}
		return out
	}
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	object, tenant := first(values(claimObject, "oid")), first(values(claimTenant, "tid"))
	switch {
	case p.Kind != "aad":
		return Caller{}, unauthorized("the caller signed in with another provider than Entra")
	case !guid(object):
		return Caller{}, unauthorized("the principal names no object")
	case a.Tenant != "" && !strings.EqualFold(tenant, a.Tenant):
		return Caller{}, unauthorized("the caller is of another tenant")
	case a.Audience != "" && !slices.Equal(values("aud"), []string{a.Audience}):
		return Caller{}, unauthorized("the sign-in was made for another audience")
	}
	types := []string{"roles"}
	if p.RoleType != "" {
		types = append(types, p.RoleType)
	}
	c := Caller{Name: callerName(claims{Object: object, Name: first(values("preferred_username", "upn"))}), Subject: strings.ToLower(object), Roles: known(values(types...)), Tags: tags(values(types...), values("groups"))}
	if len(c.Roles) == 0 {
		return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "The sign-in carries no role of this program",
			Detail: "assign one of the app roles reader, operator, approver, signaler"}}
	}
	return c, nil
}
