package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"erfailover/failover/fault"
	"erfailover/failover/report"
)

// Bounds of one call of the API.
const (
	maxReply  = 16 << 20 // bytes
	callTries = 4
)

// remote says how the commands reach a running program.
type remote struct {
	url     string
	key     string // function key
	token   string // bearer token
	user    string // who we say that we are
	timeout time.Duration
	output  string // "table" or "json"
}

// remoteFlags adds the flags that every command of the API has. Secrets have no
// flag of their own value in the help: they come from the environment.
func remoteFlags(c *cobra.Command) *remote {
	r := &remote{}
	f := c.Flags()
	f.StringVar(&r.url, "url", "", "where the program answers, without /api (default: ERFAILOVER_URL, else http://127.0.0.1:8080)")
	f.StringVar(&r.key, "key", "", "function key (better: ERFAILOVER_KEY, which no process list shows)")
	f.StringVar(&r.user, "user", "", "your name for the journal, where a shared key opens the door (default: ERFAILOVER_USER, else USER)")
	f.DurationVar(&r.timeout, "timeout", 20*time.Second, "for one try of one call")
	f.StringVarP(&r.output, "output", "o", "table", "table for people, json for machines")
	return r
}

// client calls the API.
type client struct {
	remote
	base string
	http *http.Client
}

// dial checks the flags and makes a client. It sends nothing.
func (r *remote) dial() (*client, error) {
	c := &client{remote: *r}
	c.url = firstOf(r.url, os.Getenv("ERFAILOVER_URL"), "http://127.0.0.1:8080")
	c.key = firstOf(r.key, os.Getenv("ERFAILOVER_KEY"))
	c.token = os.Getenv("ERFAILOVER_TOKEN")
	c.user = firstOf(r.user, os.Getenv("ERFAILOVER_USER"), os.Getenv("USER"))
	u, err := url.Parse(c.url)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return nil, usage("--url: got %q, want https://HOST", clean(c.url))
	case u.User != nil || u.RawQuery != "":
		return nil, usage("--url: want no user and no query; a key goes into ERFAILOVER_KEY")
	case u.Scheme == "http" && !local(u.Hostname()) && (c.key != "" || c.token != ""):
		return nil, usage("--url: a key or token is only sent over https, or to this machine")
	case r.output != "table" && r.output != "json":
		return nil, usage("--output: got %q, want table or json", r.output)
	case r.timeout <= 0:
		return nil, usage("--timeout: want more than 0")
	}
	c.base = strings.TrimSuffix(strings.TrimSuffix(c.url, "/"), "/api") + "/api/v1"
	c.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// usage is an error of wrong use.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// local says whether a host is this machine.
func local(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

// refusal is a problem (RFC 9457) that the API answered with.
type refusal struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail"`
	Operation string         `json:"operation"`
	Codes     []string       `json:"codes"`
	Reasons   []report.Guard `json:"reasons"`
	Errors    []struct {
		Field string `json:"field"`
		Got   string `json:"got"`
		Want  string `json:"want"`
	} `json:"errors"`
	raw []byte
}

// Error says it in a few lines.
func (r *refusal) Error() string {
	var b strings.Builder
	b.WriteString(clean(r.Title))
	if len(r.Codes) > 0 {
		b.WriteString(" (" + clean(strings.Join(r.Codes, ", ")) + ")")
	}
	if r.Detail != "" {
		b.WriteString(": " + clean(r.Detail))
	}
	for _, g := range r.Reasons {
		fmt.Fprintf(&b, "\n  %s: to change this, %s", clean(string(g.Code)), clean(g.Lift))
		if !g.Until.IsZero() {
			b.WriteString(" (time lifts it at " + g.Until.UTC().Format("15:04:05Z") + ")")
		}
		if g.Overridable {
			b.WriteString("; a person may: --override " + clean(string(g.Code)))
		}
	}
	for _, f := range r.Errors {
		fmt.Fprintf(&b, "\n  %s: got %q, want %s", clean(f.Field), clean(f.Got), clean(f.Want))
	}
	return b.String()
}

// reply is a good answer.
type reply struct {
	status int
	etag   string
	body   []byte
}

// get reads a path of the API into v.
func (c *client) get(ctx context.Context, path string, v any) (reply, error) {
	r, err := c.call(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return r, err
	}
	return r, decode(r.body, v)
}

// look reads a path into v with one try, for callers that look again by themselves.
func (c *client) look(ctx context.Context, path string, v any) (reply, error) {
	r, _, err := c.once(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return r, err
	}
	return r, decode(r.body, v)
}

// post sends an order or a question. The key makes a repeat harmless, so that a
// call over a bad link is tried again like a read.
func (c *client) post(ctx context.Context, path string, body, v any, key string) (reply, error) {
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return reply{}, err
	}
	head := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		head.Set("Idempotency-Key", key)
	}
	r, err := c.call(ctx, http.MethodPost, path, text, head)
	if err != nil {
		return r, err
	}
	return r, decode(r.body, v)
}

func decode(body []byte, v any) error {
	if v == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the program's answer cannot be read; is it of another version? %w", err)
	}
	return nil
}

// call sends one request, and again after trouble on the way: the wait doubles, and
// the server's own Retry-After is kept.
func (c *client) call(ctx context.Context, method, path string, body []byte, head http.Header) (reply, error) {
	wait := 500 * time.Millisecond
	for try := 1; ; try++ {
		r, after, err := c.once(ctx, method, path, body, head)
		if err == nil || !again(err) || try == callTries || ctx.Err() != nil {
			return r, err
		}
		t := time.NewTimer(min(max(wait, after), 10*time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			return r, err
		case <-t.C:
		}
		wait *= 2
	}
}

// again reports whether another try may help.
func again(err error) bool {
	var p *refusal
	if errors.As(err, &p) {
		return p.Status == http.StatusTooManyRequests || p.Status == http.StatusBadGateway || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
	}
	return errors.Is(err, fault.Unavailable)
}

func (c *client) once(ctx context.Context, method, path string, body []byte, head http.Header) (reply, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, 0, err
	}
	for k, v := range head {
		req.Header[k] = v
	}
	if c.user != "" {
		req.Header.Set("X-Erfailover-User", c.user)
	}
	if c.key != "" {
		req.Header.Set("X-Functions-Key", c.key)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return reply{}, 0, &fault.Error{Op: "reach", Target: c.base, Kind: fault.Unavailable, Err: plainly(err), Hint: "check --url and the way there; while it is down, use the card of erfailover break-glass"}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	if err != nil || len(text) > maxReply {
		return reply{}, 0, &fault.Error{Op: "read the answer of", Target: c.base, Kind: fault.Unavailable, Err: err}
	}
	r := reply{status: res.StatusCode, etag: res.Header.Get("ETag"), body: text}
	if res.StatusCode < 300 || res.StatusCode == http.StatusNotModified {
		return r, 0, nil
	}
	p := &refusal{Title: res.Status, raw: text}
	if json.Unmarshal(text, p) != nil || p.Title == "" {
		p = &refusal{Title: "the server answered " + res.Status + ", which is not from this program", raw: text}
	}
	p.Status = res.StatusCode
	sec, _ := strconv.Atoi(res.Header.Get("Retry-After")) // an unreadable one is none
	return r, time.Duration(max(sec, 0)) * time.Second, p
}

// plainly drops the URL from a client's error: it may hold what is secret.
func plainly(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// newKey returns a fresh idempotency key.
func newKey() string { return "cli-" + strings.ToLower(rand.Text()) }
