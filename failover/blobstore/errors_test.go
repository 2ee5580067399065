package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// canary stands for everything secret that an answer or a token may hold.
const canary = "eyJhbGciOiJub25lIn0.secret-canary"

// credential gives tokens without asking anybody.
type credential struct {
	err   error
	asked []string
}

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked = append(c.asked, o.Scopes...)
	return azcore.AccessToken{Token: canary, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// scripted answers requests itself: the last answer repeats.
type scripted struct {
	answers []scriptedAnswer
	seen    []*http.Request
}

type scriptedAnswer struct {
	status int
	code   string
	head   map[string]string
	body   string
	err    error
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	a := s.answers[min(len(s.seen), len(s.answers)-1)]
	s.seen = append(s.seen, r)
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{}
	if a.code != "" {
		h.Set("x-ms-error-code", a.code)
	}
	h.Set("x-ms-request-id", "11111111-2222-3333-4444-555555555555")
	for k, v := range a.head {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: a.status, Status: fmt.Sprint(a.status), Header: h, Request: r, Body: io.NopCloser(strings.NewReader(a.body + canary))}, nil
}

func scriptedStore(t *testing.T, cred azcore.TokenCredential, answers ...scriptedAnswer) (*Store, *scripted) {
	t.Helper()
	wire := &scripted{answers: answers}
	s, err := New(Config{Account: "https://acct.blob.test", Container: "record", Credential: cred, Create: true, Transport: wire})
	if err != nil {
		t.Fatal(err)
	}
	return s, wire
}

// TestAnswers gives every answer that storage is known for to a Save, and looks at
// the error that comes out, and at how often the request was made.
func TestAnswers(t *testing.T) {
	t.Parallel()
	type row struct {
		answer scriptedAnswer
		kind   fault.Kind
		after  time.Duration
		tries  int
		hint   string
	}
	busy := map[string]string{"Retry-After": "60"}
	for name, c := range map[string]row{
		"no role":             {scriptedAnswer{status: 403, code: "AuthorizationPermissionMismatch"}, fault.Denied, 0, 1, "Storage Blob Data Contributor"},
		"firewall":            {scriptedAnswer{status: 403, code: "AuthorizationFailure"}, fault.Denied, 0, 1, "firewall"},
		"403 of a proxy":      {scriptedAnswer{status: 403}, fault.Denied, 0, 1, "Storage Blob Data Contributor"},
		"account disabled":    {scriptedAnswer{status: 403, code: "AccountIsDisabled"}, fault.Denied, 0, 1, "disabled"},
		"throttled, long":     {scriptedAnswer{status: 503, code: "ServerBusy", head: busy}, fault.Throttled, time.Minute, 1, "limits"},
		"throttled":           {scriptedAnswer{status: 503, code: "ServerBusy"}, fault.Throttled, 0, 3, "limits"},
		"throttled by number": {scriptedAnswer{status: 429, head: map[string]string{"x-ms-retry-after-ms": "2500"}}, fault.Throttled, 2500 * time.Millisecond, 1, "limits"},
		"slow":                {scriptedAnswer{status: 500, code: "OperationTimedOut", head: busy}, fault.Throttled, time.Minute, 1, "limits"},
		"ill":                 {scriptedAnswer{status: 500, code: "InternalError", head: busy}, fault.Unavailable, time.Minute, 1, "again"},
		"gateway":             {scriptedAnswer{status: 502}, fault.Unavailable, 0, 3, "again"},
		"no container now":    {scriptedAnswer{status: 409, code: "ContainerBeingDeleted"}, fault.Unavailable, 0, 1, "deleted"},
		"worm":                {scriptedAnswer{status: 409, code: "BlobImmutableDueToPolicy"}, fault.Denied, 0, 1, "immutability"},
		"leased":              {scriptedAnswer{status: 412, code: "LeaseIdMissing"}, fault.Busy, 0, 1, "lease"},
		"another 409":         {scriptedAnswer{status: 409, code: "SomethingNew"}, fault.Unavailable, 0, 1, "again"},
		"404 of a proxy":      {scriptedAnswer{status: 404}, fault.Unavailable, 0, 1, "no answer of a storage account"},
		"wrong account path":  {scriptedAnswer{status: 404, code: "ResourceNotFound"}, fault.Unavailable, 0, 1, "record.blob.account"},
		"redirected":          {scriptedAnswer{status: 302, head: map[string]string{"Location": "https://thief.example/"}}, fault.Unavailable, 0, 1, "record.blob.account"},
		"old service":         {scriptedAnswer{status: 400, code: "InvalidHeaderValue"}, fault.Invalid, 0, 1, "version"},
		"hostile code":        {scriptedAnswer{status: 400, code: "<b>\u2028"}, fault.Invalid, 0, 1, "version"},
		"no line":             {scriptedAnswer{err: errors.New("connection refused")}, fault.Unavailable, 0, 3, "record.blob.account"},
		"no etag":             {scriptedAnswer{status: 201}, fault.Unavailable, 0, 1, ""},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s, wire := scriptedStore(t, &credential{}, c.answer)
			etag, err := s.Save(t.Context(), record.Document{Key: "group/east", ETag: `"0x1"`, Nonce: "n", Body: []byte(`1`)})
			var f *fault.Error
			if !errors.As(err, &f) || etag != "" {
				t.Fatalf("%q, %v", etag, err)
			}
			if f.Kind != c.kind || f.RetryAfter != c.after || len(wire.seen) != c.tries || !strings.Contains(f.Hint, c.hint) || f.Op == "" || f.Target != "group/east" {
				t.Errorf("%v, after %s, %d tries, hint %q\nwant %s, after %s, %d tries, hint with %q", err, f.RetryAfter, len(wire.seen), f.Hint, c.kind, c.after, c.tries, c.hint)
			}
			if text := err.Error() + f.Hint; strings.Contains(text, "canary") || strings.ContainsAny(text, "<\u2028\n") || strings.Contains(text, "thief") {
				t.Errorf("it shows too much: %s", text)
			}
		})
	}
}

// TestNotFoundIsNeverGuessed: only storage's own word that a blob is not there
// makes a document absent. Anything else would let the engine start from nothing.
func TestNotFoundIsNeverGuessed(t *testing.T) {
	for _, a := range []scriptedAnswer{{status: 404}, {status: 404, code: "ResourceNotFound"}, {status: 404, code: "ContainerNotFound"}, {status: 200, body: "<html>"}, {status: 204}} {
		s, _ := scriptedStore(t, &credential{}, a)
		s.create = false
		if _, err := s.Load(t.Context(), "group/east"); err == nil || errors.Is(err, fault.NotFound) {
			t.Errorf("%d %s: %v", a.status, a.code, err)
		}
	}
	s, _ := scriptedStore(t, &credential{}, scriptedAnswer{status: 404, code: "BlobNotFound"})
	if _, err := s.Load(t.Context(), "group/east"); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

// TestContainerMayNotBeCreated: the role is on a container that is not there.
func TestContainerMayNotBeCreated(t *testing.T) {
	s, wire := scriptedStore(t, &credential{}, scriptedAnswer{status: 404, code: "ContainerNotFound"}, scriptedAnswer{status: 403, code: "AuthorizationPermissionMismatch"})
	_, err := s.Load(t.Context(), "group/east")
	if !errors.Is(err, fault.Denied) || !strings.HasPrefix(err.Error(), "create container https://acct.blob.test/record: denied") || len(wire.seen) != 2 {
		t.Errorf("%v, %d requests", err, len(wire.seen))
	}
}

// TestConflictNeedsALook: a refused condition whose cause cannot be looked at is
// not called a conflict.
func TestConflictNeedsALook(t *testing.T) {
	refused := scriptedAnswer{status: 412, code: "ConditionNotMet"}
	doc := record.Document{Key: "group/east", ETag: `"0x1"`, Nonce: "mine", Body: []byte(`1`)}
	for name, c := range map[string]struct {
		second scriptedAnswer
		kind   fault.Kind
	}{
		"ill":    {scriptedAnswer{status: 503, code: "ServerBusy", head: map[string]string{"Retry-After": "60"}}, fault.Throttled},
		"other":  {scriptedAnswer{status: 200, head: map[string]string{"ETag": `"0x2"`, "x-ms-meta-nonce": "other"}}, fault.Conflict},
		"absent": {scriptedAnswer{status: 404, code: "BlobNotFound"}, fault.Conflict},
		"ours":   {scriptedAnswer{status: 200, head: map[string]string{"ETag": `"0x2"`, "X-Ms-Meta-Nonce": "mine"}}, ""},
	} {
		for _, first := range []scriptedAnswer{refused, {status: 409, code: "BlobAlreadyExists"}, {status: 404, code: "BlobNotFound"}} {
			s, _ := scriptedStore(t, &credential{}, first, c.second)
			if _, err := s.Save(t.Context(), doc); fault.KindOf(err) != c.kind {
				t.Errorf("%s, then %s: %v, want %s", first.code, name, err, c.kind)
			}
		}
	}
}

// TestConditionsOnTheWire: a change carries the loaded ETag, a creation *; an ETag
// that would match more than one text is never sent.
func TestConditionsOnTheWire(t *testing.T) {
	absent := scriptedAnswer{status: 404, code: "BlobNotFound"}
	for etag, want := range map[string]string{
		"":           "PUT match= none-match=*",
		`"0x1"`:      `PUT match="0x1" none-match=`,
		`W/"0x1"`:    `PUT match=W/"0x1" none-match=`,
		"*":          "HEAD match= none-match=",
		`"a","b"`:    "HEAD match= none-match=",
		"0x1":        "HEAD match= none-match=",
		`"*"`:        "HEAD match= none-match=",
		"\"a\"\r\nX": "HEAD match= none-match=",
	} {
		s, wire := scriptedStore(t, &credential{}, absent)
		_, _ = s.Save(t.Context(), record.Document{Key: "a", ETag: etag, Nonce: "n", Body: []byte(`1`)})
		r := wire.seen[0]
		if got := r.Method + " match=" + r.Header.Get("If-Match") + " none-match=" + r.Header.Get("If-None-Match"); got != want {
			t.Errorf("etag %q: %s, want %s", etag, got, want)
		}
	}
}

// TestTokensAreForStorageOnly: the endpoint may not name another audience.
func TestTokensAreForStorageOnly(t *testing.T) {
	cred := &credential{}
	s, wire := scriptedStore(t, cred, scriptedAnswer{status: 401, head: map[string]string{
		"WWW-Authenticate": "Bearer authorization_uri=https://login.test/t/oauth2/authorize resource_id=https://management.azure.com"}})
	_, err := s.Load(t.Context(), "group/east")
	if !errors.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "record.blob.account") {
		t.Errorf("%v: %s", err, fault.HintOf(err))
	}
	if !slices.Equal(cred.asked, []string{"https://storage.azure.com/.default"}) || len(wire.seen) != 1 {
		t.Errorf("asked for %q, %d requests", cred.asked, len(wire.seen))
	}
}

func TestNoToken(t *testing.T) {
	ill := &http.Response{StatusCode: 500, Body: http.NoBody, Request: &http.Request{}}
	for _, c := range []struct {
		err  error
		kind fault.Kind
	}{
		{&azidentity.AuthenticationFailedError{}, fault.Denied},
		{&azidentity.AuthenticationFailedError{RawResponse: ill}, fault.Unavailable},
		{&foreignScope{}, fault.Denied},
	} {
		s, wire := scriptedStore(t, &credential{err: c.err}, scriptedAnswer{status: 200})
		_, err := s.Load(t.Context(), "group/east")
		if fault.KindOf(err) != c.kind || fault.HintOf(err) == "" || len(wire.seen) != 0 {
			t.Errorf("%T: %v, %d requests", c.err, err, len(wire.seen))
		}
	}
}

// TestOldMark: a mark that the account no longer takes costs a longer list.
func TestOldMark(t *testing.T) {
	s, wire := scriptedStore(t, &credential{}, scriptedAnswer{status: 400, code: "OutOfRangeInput"}, scriptedAnswer{status: 200,
		body: `<?xml version="1.0"?><EnumerationResults><Blobs><Blob><Name>a</Name></Blob><Blob><Name>b</Name></Blob></Blobs><NextMarker/></EnumerationResults>`})
	wire.answers[1].body += "<!--" // the canary behind it
	s.remember(mark{"", "a"}, "old")
	keys, err := s.List(t.Context(), "", "a", 5)
	if err != nil || !slices.Equal(keys, []string{"b"}) || len(wire.seen) != 2 || wire.seen[0].URL.Query().Get("marker") != "old" {
		t.Errorf("%q, %v, %d requests", keys, err, len(wire.seen))
	}
}

// TestOrderIsChecked: an account with a hierarchical namespace lists folders before
// files; taking that for byte order would hide keys from pages.
func TestOrderIsChecked(t *testing.T) {
	s, _ := scriptedStore(t, &credential{}, scriptedAnswer{status: 200,
		body: `<EnumerationResults><Blobs><Blob><Name>group/a</Name></Blob><Blob><Name>group-x</Name></Blob></Blobs></EnumerationResults><!--`})
	if _, err := s.List(t.Context(), "", "", 5); !errors.Is(err, fault.Invalid) || !strings.Contains(fault.HintOf(err), "hierarchical") {
		t.Error(err)
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	good := Config{Account: "https://acct.blob.core.windows.net/", Container: "erfailover", Credential: &credential{}}
	if s, err := New(good); err != nil || s.target != "https://acct.blob.core.windows.net/erfailover" {
		t.Errorf("%v", err)
	}
	for field, change := range map[string]func(*Config){
		"Account 1":   func(c *Config) { c.Account = "http://acct.blob.core.windows.net" },
		"Account 2":   func(c *Config) { c.Account = "https://acct.blob.core.windows.net/?sv=1&sig=" + canary },
		"Account 3":   func(c *Config) { c.Account = "" },
		"Account 4":   func(c *Config) { c.Account = "https://u:" + canary + "@acct.blob.core.windows.net" },
		"Container 1": func(c *Config) { c.Container = "Er" },
		"Container 2": func(c *Config) { c.Container = "er--failover" },
		"Container 3": func(c *Config) { c.Container = "-er" },
		"Credential":  func(c *Config) { c.Credential = nil },
	} {
		c := good
		change(&c)
		_, err := New(c)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.HasPrefix(field, f.Target) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestKeysThatAzureCannotName(t *testing.T) {
	s, wire := scriptedStore(t, &credential{}, scriptedAnswer{status: 200})
	for _, key := range []string{"group/east.", "group./east", strings.Repeat("a/", 254) + "a"} {
		if _, err := s.Load(t.Context(), key); !errors.Is(err, fault.Invalid) {
			t.Errorf("%.20s: %v", key, err)
		}
	}
	if len(wire.seen) != 0 {
		t.Errorf("%d requests", len(wire.seen))
	}
}
