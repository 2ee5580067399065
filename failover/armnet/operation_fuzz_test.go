package armnet

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
)

// FuzzOperation: whatever an answer's headers and body say of its operation, nothing
// panics, no wait is negative or longer than an hour, what is stored to be followed
// leads to the configured endpoint, and a foreign host gets no request.
func FuzzOperation(f *testing.F) {
	for _, s := range []string{matrixHost + testOp, "https://evil.example/op", "//evil.example/x", "https://arm.test@evil.example/", "https://arm.test:443/x", "https://arm.test.evil.example/", "http://arm.test/x", "::", "", "/relative", "https://ARM.test/x", "https://arm.test\\@evil.example/"} {
		f.Add(202, s, "", "10", `{"status":"InProgress"}`)
		f.Add(201, "", s, "-1", `{"properties":{"provisioningState":"Updating"}}`)
		f.Add(200, s, s, "Fri, 31 Dec 9999 23:59:59 GMT", `{"error":{"code":"x"}}`)
	}
	f.Fuzz(func(t *testing.T, status int, operation, location, wait, body string) {
		if status < 200 || status > 599 || strings.ContainsAny(operation+location+wait, "\r\n\x00") {
			return
		}
		answers := map[string]http.Response{
			"GET " + strings.ToLower(testConn): inMemory(200, nil, connBody),
			"PUT " + strings.ToLower(testConn): inMemory(status, map[string]string{"Azure-AsyncOperation": operation, "Location": location, "Retry-After": wait}, body),
		}
		only := &onlyHere{fixed{answers}, nil}
		c, err := New(Config{Cloud: Custom, Endpoint: matrixHost, Audience: matrixHost + "/", Authority: "https://login.test", Credential: staticToken("tok-secret"),
			Transport: only, Now: func() time.Time { return someTime }, MaxElapsed: -1})
		if err != nil {
			t.Fatal(err)
		}
		b := c.Begin(t.Context(), []executor.Write{raise()})[0]
		if b.RetryAfter < 0 || b.RetryAfter > time.Hour {
			t.Fatalf("wait %v", b.RetryAfter)
		}
		if b.Token != "" {
			if f := c.checkToken(string(b.Token)); f != nil {
				t.Fatalf("a token is stored that leads elsewhere: %v", f)
			}
			w := raise()
			if p := c.Poll(t.Context(), []executor.Running{{Token: b.Token, Write: &w}})[0]; p.RetryAfter < 0 || p.RetryAfter > time.Hour {
				t.Fatalf("wait %v", p.RetryAfter)
			}
		}
		if b.Err != nil && strings.Contains(b.Err.Error(), "tok-secret") {
			t.Fatal(b.Err)
		}
		if len(only.strangers) > 0 {
			t.Fatalf("asked %v", only.strangers)
		}
	})
}

// onlyHere notes the hosts that get a request and should not.
type onlyHere struct {
	fixed
	strangers []*url.URL
}

// RoundTrip implements http.RoundTripper.
func (o *onlyHere) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || !strings.EqualFold(req.URL.Host, "arm.test") && !strings.EqualFold(req.URL.Host, "arm.test:443") {
		o.strangers = append(o.strangers, req.URL)
	}
	if _, known := o.answers[req.Method+" "+strings.ToLower(req.URL.Path)]; !known {
		r := inMemory(404, nil, "")
		r.Request = req
		return &r, nil
	}
	return o.fixed.RoundTrip(req)
}
