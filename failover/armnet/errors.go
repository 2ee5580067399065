package armnet

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/clock"
	"erfailover/failover/fault"
)

// armError is the error of an ARM answer: {"error": {...}} or bare.
type armError struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Details []armError `json:"details"`
}

// codes returns the code and those of its details.
func (e armError) codes() []string {
	out := []string{e.Code}
	for _, d := range e.Details {
		out = append(out, d.codes()...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// text returns the messages, cleaned and scrubbed of anything secret.
func (e armError) text() string {
	text := e.Message
	for _, d := range e.Details {
		if d.Message != "" && !strings.Contains(text, d.Message) {
			text += "; " + d.Message
		}
	}
	return scrub(strings.TrimPrefix(text, "; "))
}

// errorOf reads the error in an answer. An answer without one, or with something
// that is not JSON, gives an error without code.
func errorOf(resp *http.Response) armError {
	body, err := runtime.Payload(resp)
	if err != nil {
		return armError{}
	}
	e := errorIn(body)
	if e.Code == "" {
		e.Code = clip(clean(resp.Header.Get("x-ms-error-code")), 100)
	}
	return e
}

func errorIn(body []byte) armError {
	var wrapped struct {
		Error *armError `json:"error"`
		armError
	}
	lax := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := json.Unmarshal(body, &wrapped, lax); err != nil {
		return armError{}
	}
	e := wrapped.armError
	if wrapped.Error != nil {
		e = *wrapped.Error
	}
	e.Code = clip(clean(e.Code), 100)
	return e
}

// answerFault turns an answer that is not a success into a fault.
func (c *Client) answerFault(op, target string, resp *http.Response) *fault.Error {
	e := errorOf(resp)
	f := classify(resp.StatusCode, e)
	f.Op, f.Target = op, target
	f.RetryAfter = clock.RetryAfter(resp.Header, c.cfg.Now())
	if f.RetryAfter == 0 && (f.Kind == fault.Busy || f.Kind == fault.Throttled) {
		f.RetryAfter = waitIn(e.text())
	}
	return f
}

// classify gives status and code their meaning. The code decides where it can:
// a failed long-running operation comes with status 200.
func classify(status int, e armError) *fault.Error {
	f := &fault.Error{Kind: fault.Unavailable, Code: e.Code}
	text := e.text()
	if text == "" {
		text = "answer " + strconv.Itoa(status)
	}
	f.Err = errors.New(text)
	codes := e.codes()
	has := func(names ...string) bool {
		return slices.ContainsFunc(codes, func(c string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, c) })
		})
	}
	switch {
	case busyCode(codes):
		f.Kind = fault.Busy
		f.Hint = "the gateway runs another operation; it is tried again by itself. If it lasts, look for a deployment, a resize or a migration of the gateway"
	case has("LinkedAuthorizationFailed", "LinkedAccessCheckFailed"):
		f.Kind, f.Hint = fault.Denied, linkedHint(text)
	case has("RequestDisallowedByPolicy", "ScopeLocked", "DenyAssignmentAuthorizationFailed"):
		f.Kind, f.Hint = fault.Denied, "an Azure Policy, a resource lock or a deny assignment forbids the change; exempt the connections from it"
	case has("MissingSubscriptionRegistration"):
		f.Kind, f.Hint = fault.Denied, "the subscription is not registered for Microsoft.Network; an owner registers it once with: az provider register --namespace Microsoft.Network"
	case has("SubscriptionNotFound", "InvalidSubscriptionId"):
		f.Kind, f.Hint = fault.Denied, "the subscription does not exist, or the identity may not see it"
	case canceledCode(codes):
		f.Kind, f.Hint = fault.Conflict, "another change of the same resource took its place; read again and decide again"
	case has("ReferencedResourceNotProvisioned"):
		f.Hint = "the gateway or the circuit is not in the Succeeded state; repair it first"
	default:
		byStatus(f, status, text)
	}
	return f
}

// byStatus classifies what its code did not.
func byStatus(f *fault.Error, status int, text string) {
	switch status {
	case http.StatusUnauthorized:
		f.Kind, f.Hint = fault.Denied, "Azure does not take our token; check the identity, its tenant and the cloud in the configuration"
	case http.StatusForbidden:
		f.Kind, f.Hint = fault.Denied, roleHint(text)
	case http.StatusNotFound, http.StatusGone:
		f.Kind = fault.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		f.Kind, f.Hint = fault.Conflict, "others changed the resource; read again and decide again"
	case http.StatusLocked:
		f.Kind = fault.Busy
	case http.StatusTooManyRequests:
		f.Kind, f.Hint = fault.Throttled, "the subscription's request limit is used up, by us or by others"
	case http.StatusRequestTimeout:
		f.Kind = fault.Unavailable
	default:
		if status >= 400 && status < 500 {
			f.Kind = fault.Invalid
		}
	}
}

// busyCode reports whether a code says that the resource runs another operation.
// Such an answer may come as 409 or as 429, which is then no quota.
func busyCode(codes []string) bool {
	return slices.ContainsFunc(codes, func(c string) bool {
		c = strings.ToLower(c)
		return strings.HasPrefix(c, "retryableerror") || c == "anotheroperationinprogress" || c == "operationinprogress"
	})
}

func canceledCode(codes []string) bool {
	return slices.ContainsFunc(codes, func(c string) bool {
		c = strings.ToLower(c)
		return strings.HasPrefix(c, "canceled") || strings.HasPrefix(c, "cancelled") || c == "operationpreempted"
	})
}

// roleHint names the action that the identity lacks, when the answer tells it.
func roleHint(text string) string {
	if action := actionIn(text); action != "" {
		return "the identity lacks " + action + "; give it the role ExpressRoute Failover Operator on that scope. A new assignment takes some minutes to count"
	}
	return "the identity may not do this; give it the role ExpressRoute Failover Operator. A new assignment takes some minutes to count"
}

func linkedHint(text string) string {
	action := actionIn(text)
	if action == "" {
		action = "Microsoft.Network/virtualNetworkGateways/join/action or Microsoft.Network/expressRouteCircuits/join/action"
	}
	return "the identity lacks " + action + " on a resource that the connection refers to: its gateway, or its circuit in another subscription"
}

// requestFault turns an error of the transport, the credential or a policy into a
// fault. It never carries an address: their queries are signed.
func requestFault(op, target string, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		out := *f
		out.Op, out.Target = op, target
		return &out
	}
	out := &fault.Error{Op: op, Target: target, Kind: fault.Unavailable}
	var auth *azidentity.AuthenticationFailedError
	var missing interface{ NonRetriable() }
	var outer *url.Error
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &auth):
		out.Kind, out.Code = fault.Denied, "AuthenticationFailed"
		out.Hint = "no token for the identity; check that it is assigned to this app and named rightly in azure.identity"
		out.Err = errors.New("the identity service refused to give a token" + statusText(auth.RawResponse))
		if auth.RawResponse != nil && (auth.RawResponse.StatusCode == http.StatusTooManyRequests || auth.RawResponse.StatusCode >= 500) {
			out.Kind, out.Hint = fault.Unavailable, "the identity service is ill; it is tried again by itself"
		}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		out.Err = errors.New("gave up waiting for an answer")
	case errors.As(err, &unknownCA), errors.As(err, &wrongName):
		out.Kind, out.Hint = fault.Denied, "the endpoint's certificate is not trusted; check the endpoint, a proxy in between, and SSL_CERT_FILE"
		out.Err = errors.New("the certificate of the endpoint is not trusted")
	case errors.As(err, &tooBig):
		out.Err = errors.New("the answer is longer than " + strconv.Itoa(maxAnswer>>20) + " MiB")
	case errors.As(err, &outer):
		out.Err = errors.New(scrub(outer.Err.Error()))
	case errors.As(err, &missing):
		out.Kind, out.Err = fault.Denied, errors.New(scrub(firstLine(err.Error())))
		out.Hint = "no token for the identity; check azure.identity"
	default:
		out.Err = errors.New(scrub(firstLine(err.Error())))
	}
	return out
}

func statusText(resp *http.Response) string {
	if resp == nil {
		return ""
	}
	return " (answer " + strconv.Itoa(resp.StatusCode) + ")"
}
