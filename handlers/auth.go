package handlers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Mode says how callers of the API prove who they are.
type Mode string

const (
	ModeLoopback    Mode = "loopback"    // whoever can reach the loopback port; refused inside App Service
	ModeFunctionKey Mode = "functionKey" // the host has checked a function key; the caller names itself
	ModeEntra       Mode = "entra"       // a bearer token of the tenant, verified here
	ModeEasyAuth    Mode = "easyauth"    // App Service Authentication in front of us, once the platform says that it is on
)

// Role says what a caller may do.
type Role string

const (
	Reader   Role = "reader"   // see everything
	Operator Role = "operator" // give orders
	Approver Role = "approver" // approve what waits
	Signaler Role = "signaler" // send events
)

// userHeader is where a caller names itself when a shared key opened the door.
const userHeader = "X-Erfailover-User"

// maxName bounds the name of a caller, in bytes.
const maxName = 128

// Caller is who sent a request.
type Caller struct {
	Name    string // for the journal; "" only for a signaler
	Subject string // the directory's object ID, which tells people apart; "" where nobody vouches for one
	Roles   []Role
	Tags    []string // "role:NAME" and "group:ID" of the token, which grants may name
	scope   scope
}

// has says whether the caller may act in a role. Whoever may order or approve may
// read; whoever may only send events may not.
func (c Caller) has(want Role) bool {
	for _, r := range c.Roles {
		if r == want || (want == Reader && (r == Operator || r == Approver)) {
			return true
		}
	}
	return false
}

// Auth is the configured way in.
type Auth struct {
	Mode      Mode
	Tenant    string       // GUID of the tenant whose tokens are taken; easyauth: optional
	Audience  string       // what the tokens must be made for; easyauth: optional
	Authority string       // https URL of the authority; default https://login.microsoftonline.com
	Grants    []Grant      // what roles allow is narrowed to these; none: every role holds everywhere
	Client    *http.Client // for the tenant's keys; nil: one with a deadline that follows no redirect
	// Verify takes the place of the checks of the modes entra and easyauth. nil: they
	// stand.
	Verify func(r *http.Request) (Caller, error)
}

// authenticator names the caller of a request, or refuses.
type authenticator func(r *http.Request) (Caller, error)

// all are the roles of somebody whom we cannot tell from anybody else.
var all = [...]Role{Reader, Operator, Approver, Signaler}

// authenticator returns the way in for the mode. What is not known or not whole is
// closed: every request is refused with a hint at what to set. Only loopback
// inside App Service is an error at once, since it would open the door to all.
func (a Auth) authenticator(getenv func(string) string, now func() time.Time) (authenticator, error) {
	switch a.Mode {
	case ModeLoopback:
		if getenv("WEBSITE_SITE_NAME") != "" {
			return nil, errors.New(`auth.mode: got "loopback" inside App Service (WEBSITE_SITE_NAME is set), want entra, easyauth or functionKey`)
		}
		return loopback, nil
	case ModeFunctionKey:
		return functionKey, nil
	case ModeEntra:
		if a.Verify != nil {
			return a.Verify, nil
		}
		e, err := newEntra(a, now)
		if err != nil {
			return closed("auth.mode entra needs auth.tenant and auth.audience: " + err.Error()), nil
		}
		return e.verify, nil
	case ModeEasyAuth:
		if a.Verify != nil {
			return a.Verify, nil
		}
		return easyAuth(a, getenv), nil
	}
	return closed("no way in is configured: set auth.mode to entra, easyauth, functionKey, or, on your own machine, loopback"), nil
}

// closed refuses everybody and says what to set.
func closed(hint string) authenticator {
	return func(*http.Request) (Caller, error) {
		return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "The API is closed", Detail: hint}}
	}
}

// loopback lets in who connects over loopback, under a loopback name. The name
// matters: a page that has rebound its own name to 127.0.0.1 sends that name.
func loopback(r *http.Request) (Caller, error) {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !isLoopback(peer) || !isLoopback(hostOnly(r.Host)) || r.Header.Get("X-Forwarded-For") != "" {
		return Caller{}, &requestError{problem{Status: http.StatusForbidden, Title: "Loopback only",
			Detail: "auth.mode is loopback: call http://127.0.0.1 on the same machine, or set auth.mode"}}
	}
	name, err := selfNamed(r)
	if err != nil {
		return Caller{}, err
	}
	if name == "" {
		name = "loopback"
	}
	return Caller{Name: name, Roles: all[:]}, nil
}

// functionKey lets in whom the host let in: it answers 401 itself to a wrong key.
// Keys are shared, so whoever gives orders says who it is.
func functionKey(r *http.Request) (Caller, error) {
	name, err := selfNamed(r)
	if err != nil {
		return Caller{}, err
	}
	if name == "" {
		return Caller{Roles: []Role{Reader, Signaler}}, nil
	}
	return Caller{Name: name, Roles: all[:]}, nil
}

// selfNamed reads the name that a caller gives itself; "" when it gives none.
func selfNamed(r *http.Request) (string, error) {
	v := r.Header.Values(userHeader)
	if len(v) == 0 {
		return "", nil
	}
	if len(v) > 1 || !printable(v[0], maxName) {
		return "", &requestError{problem{Status: http.StatusBadRequest, Title: "The request is not usable",
			Fields: []fieldError{{Field: userHeader, Want: fmt.Sprintf("one name of 1 to %d printable ASCII characters", maxName)}}}}
	}
	return v[0], nil
}

// printable says whether s is 1 to max printable ASCII characters without a space
// at either end.
func printable(s string, max int) bool {
	if s == "" || len(s) > max || strings.TrimSpace(s) != s {
		return false
	}
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// hostOnly cuts the port off a Host header.
func hostOnly(h string) string {
	if name, _, err := net.SplitHostPort(h); err == nil {
		return name
	}
	return strings.Trim(h, "[]")
}

// isLoopback says whether a name or address is this machine.
func isLoopback(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}
