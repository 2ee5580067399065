package armnet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"golang.org/x/sync/errgroup"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// DefaultAPIVersion is the Microsoft.Network version that the linked SDK speaks.
const DefaultAPIVersion = "2025-09-01"

// Bounds of one client.
const (
	dialTimeout   = 2 * time.Second  // to reach ARM at all; with one more try a dead endpoint is reported in under 5 s
	answerTimeout = 30 * time.Second // from the request to the first byte of the answer
	tryTimeout    = 10 * time.Second // one try of a read, beside the wait for its turn
	maxAnswer     = 32 << 20         // bytes of one answer
	parallel      = 32               // requests of one batch at once
)

// Cloud names an Azure cloud.
type Cloud string

const (
	Public     Cloud = "public"
	Government Cloud = "government"
	China      Cloud = "china"
	Custom     Cloud = "custom" // Endpoint, Audience and Authority are all set
)

// Config says how to reach Azure. The zero value of every field but Credential
// has a default.
type Config struct {
	Cloud     Cloud  // "" is Public
	Endpoint  string // custom only: base URL of Resource Manager, https
	Audience  string // custom only: what tokens are asked for
	Authority string // custom only: base URL of the token service, https

	Metrics         string // custom only: base URL of Azure Monitor's data plane, https, {region} stands for a region's name; "" reads metrics one resource at a time
	MetricsAudience string // custom only: what its tokens are asked for

	Credential azcore.TokenCredential // see NewCredential; never nil
	APIVersion string                 // of Microsoft.Network; "" is DefaultAPIVersion. Sovereign clouds may lag
	Budget     Budget                 // share of the published request limits; the zero value is 0.8 and 0.5

	MaxWait    time.Duration // longest wait inside a call, for pacing a write or before a repeated read; reads are paced up to five times as long; 0 is 2 s
	MaxElapsed time.Duration // longest time spent on repeating one read, from the first try to the last one's begin; 0 is 3 s, negative means one try

	Now       func() time.Time                                 // nil is time.Now
	Sleep     func(ctx context.Context, d time.Duration) error // nil sleeps on the real clock
	Transport http.RoundTripper                                // nil is NewTransport(nil, nil)
	Listen    func(http.RoundTripper) http.RoundTripper        // nil, or put around the transport: see clock.Transport
}

// Budget is the share of the published limits that one process may use, above 0
// and at most 1. The rest is for other callers of the same subscription. The
// default, 0.8 and 0.5, leaves a fifth of the writes and half of the reads to them.
type Budget struct {
	Writes, Reads float64
}

// Client is executor.Network on Azure. It is safe for concurrent use.
type Client struct {
	cfg   Config
	base  *url.URL // ARM endpoint
	cloud cloud.Configuration
	pipe  runtime.Pipeline
	http  *http.Client
	pace  *pacer

	metrics *dataPlane // nil: the cloud has none that is known
}

var _ executor.Network = (*Client)(nil)

// New checks the configuration and makes a client. It sends nothing. A wrong
// configuration is fault.Invalid and names the field.
func New(cfg Config) (*Client, error) {
	conf, err := cloudConfig(cfg)
	if err != nil {
		return nil, err
	}
	base, err := endpointURL("Endpoint", conf.Services[cloud.ResourceManager].Endpoint)
	if err != nil {
		return nil, err
	}
	if cfg.Credential == nil {
		return nil, invalidConfig("Credential", "", "must be set")
	}
	if cfg, err = withDefaults(cfg); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, base: base, cloud: conf, pace: newPacer(cfg)}
	c.http = &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client, err := arm.NewClient("erfailover", "v1.0.0", cfg.Credential, &arm.ClientOptions{
		DisableRPRegistration: true,
		ClientOptions: azcore.ClientOptions{
			Cloud:           conf,
			Retry:           policy.RetryOptions{MaxRetries: -1},
			Telemetry:       policy.TelemetryOptions{ApplicationID: "erfailover"},
			Transport:       &lastCheck{next: c.http, now: cfg.Now},
			PerCallPolicies: []policy.Policy{hostCheck{base: base}, c.pace},
		},
	})
	if err != nil {
		return nil, &fault.Error{Op: "make Azure client", Kind: fault.Invalid, Err: err}
	}
	c.pipe = client.Pipeline()
	if c.metrics, err = newDataPlane(cfg, conf, &lastCheck{next: c.http, now: cfg.Now}); err != nil {
		return nil, err
	}
	return c, nil
}

func withDefaults(cfg Config) (Config, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	if cfg.Transport == nil {
		cfg.Transport = NewTransport(nil, nil)
	}
	if cfg.Listen != nil {
		cfg.Transport = cfg.Listen(cfg.Transport)
	}
	if cfg.APIVersion == "" {
		cfg.APIVersion = DefaultAPIVersion
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = 2 * time.Second
	}
	if cfg.MaxElapsed == 0 {
		cfg.MaxElapsed = 3 * time.Second // a last try may begin then, wait a second for its turn and dial: still under 5 s
	}
	if cfg.Budget == (Budget{}) {
		cfg.Budget = Budget{Writes: 0.8, Reads: 0.5}
	}
	for name, share := range map[string]float64{"Budget.Writes": cfg.Budget.Writes, "Budget.Reads": cfg.Budget.Reads} {
		if !(share > 0 && share <= 1) {
			return cfg, invalidConfig(name, "", "must be above 0 and at most 1")
		}
	}
	return cfg, nil
}

// NewTransport makes a transport with short time-outs and TLS 1.2 or later. A nil
// roots trusts what the system trusts (SSL_CERT_FILE included); a nil proxy goes
// straight, whatever the environment says.
func NewTransport(roots *x509.CertPool, proxy *url.URL) *http.Transport {
	t := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   dialTimeout,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ResponseHeaderTimeout: answerTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost:   parallel,
		IdleConnTimeout:       90 * time.Second,
	}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// Warm fetches a token and opens a TLS connection, both at once, so that the first
// write does not pay for them. A failure is worth a warning, not a stop.
func (c *Client) Warm(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error {
		scope := c.cloud.Services[cloud.ResourceManager].Audience + "/.default"
		_, err := c.cfg.Credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true})
		if err != nil {
			return requestFault("fetch Azure token", "", err)
		}
		return nil
	})
	g.Go(func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.base.String()+"/", nil)
		if err != nil {
			return &fault.Error{Op: "reach Azure", Kind: fault.Internal, Err: err}
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return requestFault("reach Azure", c.base.Host, err)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close() // the connection is what we wanted
		return nil
	})
	return g.Wait()
}

// cloudConfig turns the cloud's name, or the three custom fields, into the SDK's
// form.
func cloudConfig(cfg Config) (cloud.Configuration, error) {
	custom := cfg.Endpoint + cfg.Audience + cfg.Authority + cfg.Metrics + cfg.MetricsAudience
	if cfg.Cloud != Custom && custom != "" {
		return cloud.Configuration{}, invalidConfig("Cloud", string(cfg.Cloud), "must be custom when Endpoint, Audience, Authority, Metrics or MetricsAudience is set")
	}
	switch cfg.Cloud {
	case Public, "":
		return cloud.AzurePublic, nil
	case Government:
		return cloud.AzureGovernment, nil
	case China:
		return cloud.AzureChina, nil
	case Custom:
		if cfg.Audience == "" {
			return cloud.Configuration{}, invalidConfig("Audience", "", "must be set for a custom cloud")
		}
		if _, err := endpointURL("Endpoint", cfg.Endpoint); err != nil {
			return cloud.Configuration{}, err
		}
		if _, err := endpointURL("Authority", cfg.Authority); err != nil {
			return cloud.Configuration{}, err
		}
		return cloud.Configuration{
			ActiveDirectoryAuthorityHost: cfg.Authority,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: strings.TrimRight(cfg.Endpoint, "/"), Audience: cfg.Audience},
			},
		}, nil
	}
	return cloud.Configuration{}, invalidConfig("Cloud", string(cfg.Cloud), "must be public, government, china or custom")
}

// endpointURL reads a base URL: https, a host, and nothing after it.
func endpointURL(field, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return nil, invalidConfig(field, "", "must be set")
	case err != nil:
		return nil, invalidConfig(field, "", "is not a URL")
	case u.Scheme != "https":
		return nil, invalidConfig(field, s, "must be an https URL: a bearer token never goes over plain http")
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, invalidConfig(field, u.Redacted(), "must be a scheme, a host and nothing else")
	case strings.Trim(u.Path, "/") != "":
		return nil, invalidConfig(field, s, "must have no path")
	}
	u.Path = ""
	return u, nil
}

func invalidConfig(field, value, rule string) error {
	return &fault.Error{Op: "check Azure configuration", Target: field, Kind: fault.Invalid,
		Err: ruleError{value: value, rule: rule}}
}

// ruleError names the value that broke a rule.
type ruleError struct{ value, rule string }

func (e ruleError) Error() string {
	if e.value == "" {
		return e.rule
	}
	return `"` + scrub(e.value) + `" ` + e.rule
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
