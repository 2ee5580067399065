package blobstore

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Bounds of one call. A dead endpoint is reported in under 10 s, and a slow one in
// under 35 s.
const (
	retries     = 2                      // after the first try
	retryDelay  = 200 * time.Millisecond // before the first repeat; doubled, with jitter
	retryMost   = 2 * time.Second        // longest wait between tries; a longer Retry-After is handed to the caller
	tryTimeout  = 10 * time.Second       // one try, its body included
	dialTimeout = 2 * time.Second
)

// audience is what tokens for storage are asked for, in every cloud.
const audience = "https://storage.azure.com"

// Config says where the record is. Account, Container and Credential are needed.
type Config struct {
	Account    string                 // https URL of the account's blob endpoint
	Container  string                 // 3 to 63 of a-z, 0-9 and single hyphens
	Credential azcore.TokenCredential // asked for storage tokens only
	Create     bool                   // create the container when it has never been seen and is not there
	Transport  http.RoundTripper      // nil is one with short time-outs that trusts what the system trusts

	Listen func(http.RoundTripper) http.RoundTripper // nil, or put around the transport: see clock.Transport
}

// Store is a record.Store on a container. It is safe for many goroutines and many
// processes.
type Store struct {
	client *container.Client
	target string // for errors: "https://account/container"
	create bool
	seen   atomic.Bool // the container has answered: from now on, its absence is a loss
	idle   func()      // closes idle connections

	mu    sync.Mutex
	marks map[mark]string // where lists can go on
}

var _ record.Store = (*Store)(nil)

// New checks cfg and makes a store. It sends nothing: a container that is missing,
// or may not be used, shows with the first call. Errors are Invalid and name the
// field.
func New(cfg Config) (*Store, error) {
	where, err := containerURL(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Credential == nil {
		return nil, badConfig("Credential", "", "must be set")
	}
	opts := clientOptions(cfg.Transport, cfg.Listen)
	client, err := container.NewClient(where, storageOnly{cfg.Credential}, opts)
	if err != nil {
		return nil, badConfig("Account", cfg.Account, "cannot be used: "+err.Error())
	}
	return newStore(client, where, cfg.Create, opts), nil
}

func newStore(client *container.Client, where string, create bool, opts *container.ClientOptions) *Store {
	s := &Store{client: client, target: where, create: create, marks: map[mark]string{}}
	if h, ok := opts.Transport.(*http.Client); ok {
		s.idle = h.CloseIdleConnections
	}
	return s
}

// Close lets idle connections go. Calls that are under way are not disturbed.
func (s *Store) Close() error {
	s.idle()
	return nil
}

var containerName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`) })

func containerURL(cfg Config) (string, error) {
	u, err := url.Parse(cfg.Account)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", badConfig("Account", "", "must be the https URL of the account's blob endpoint, without user, query and fragment")
	}
	if len(cfg.Container) < 3 || len(cfg.Container) > 63 || !containerName().MatchString(cfg.Container) {
		return "", badConfig("Container", cfg.Container, "must be 3 to 63 small letters, digits and single hyphens")
	}
	return u.JoinPath(cfg.Container).String(), nil
}

// badConfig names a wrong field. The account's URL is not shown: one that is wrong
// may hold a key.
func badConfig(field, got, rule string) error {
	if got != "" && field != "Account" {
		rule += ", got " + got
	}
	return &fault.Error{Op: "open blob store", Target: field, Kind: fault.Invalid, Hint: "correct record.blob in the configuration", Err: errors.New(rule)}
}

func clientOptions(transport http.RoundTripper, listen func(http.RoundTripper) http.RoundTripper) *container.ClientOptions {
	if transport == nil {
		transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
			ResponseHeaderTimeout: tryTimeout,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
		}
	}
	if listen != nil {
		transport = listen(transport)
	}
	o := &container.ClientOptions{}
	o.Retry = policy.RetryOptions{MaxRetries: retries, RetryDelay: retryDelay, MaxRetryDelay: retryMost, TryTimeout: tryTimeout}
	o.Telemetry = policy.TelemetryOptions{ApplicationID: "erfailover"}
	o.Transport = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return o
}

// storageOnly asks its credential for storage tokens and for nothing else: a 401
// of the endpoint names the audience that the SDK asks for next, and a token for
// Resource Manager must not be had that way.
type storageOnly struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (c storageOnly) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	for _, scope := range o.Scopes {
		if strings.TrimRight(strings.TrimSuffix(scope, ".default"), "/") != audience {
			return azcore.AccessToken{}, &foreignScope{}
		}
	}
	return c.TokenCredential.GetToken(ctx, o)
}

type foreignScope struct{}

// Error implements error.
func (*foreignScope) Error() string {
	return "the endpoint asked for a token that is not for storage"
}

// NonRetriable tells azcore that trying again is of no use.
func (*foreignScope) NonRetriable() {}

// Load implements record.Store. A row is loaded under its RowKey.
func (s *Store) Load(ctx context.Context, key string) (record.Document, error) {
	const op = "load document"
	if err := checkKey(op, key); err != nil {
		return record.Document{}, err
	}
	var doc record.Document
	err := s.ask(ctx, op, key, func() error {
		got, err := s.client.NewBlobClient(key).DownloadStream(ctx, nil)
		if err != nil {
			return err
		}
		// azcore repeats a request, not the reading of its answer: a body that
		// breaks off goes on where it stopped, under If-Match of the same ETag.
		body := got.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: retries})
		text, err := io.ReadAll(io.LimitReader(body, record.MaxBody+1))
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
		nonce, err := unseal(key, got.Metadata, text)
		if err != nil {
			return err
		}
		doc = record.Document{Key: key, Nonce: nonce, Body: text}
		if got.ETag != nil {
			doc.ETag = string(*got.ETag)
		}
		return nil
	})
	if err != nil {
		return record.Document{}, err
	}
	return doc, nil
}

// Save implements record.Store.
func (s *Store) Save(ctx context.Context, doc record.Document) (string, error) {
	const op = "save document"
	if err := record.CheckDocument(doc); err != nil {
		return "", err
	}
	if err := checkKey(op, doc.Key); err != nil {
		return "", err
	}
	var etag string
	err := s.ask(ctx, op, doc.Key, func() (err error) {
		etag, err = s.save(ctx, doc)
		return err
	})
	if err != nil {
		return "", err
	}
	return etag, nil
}

// oneETag is the form of an ETag that If-Match may be given. "*" and lists would
// match what the caller has not loaded.
var oneETag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(W/)?"[^"*,\s]+"$`) })

func (s *Store) save(ctx context.Context, doc record.Document) (string, error) {
	if doc.ETag == "" || oneETag().MatchString(doc.ETag) {
		etag, err := s.put(ctx, doc.Key, doc.ETag, doc.Nonce, doc.Body)
		if err == nil || !bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet, bloberror.BlobNotFound) {
			return etag, err
		}
	}
	// The condition did not hold: we were too late, or a first try of ours was
	// done and its answer lost.
	stored, err := s.client.NewBlobClient(doc.Key).GetProperties(ctx, nil)
	switch {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
	case err != nil:
		return "", err
	case meta(stored.Metadata, nonceMeta) == doc.Nonce && stored.ETag != nil:
		return string(*stored.ETag), nil
	}
	return "", &fault.Error{Op: "save document", Target: doc.Key, Kind: fault.Conflict, Hint: "load it again and decide again"}
}

// put writes a blob: over the one with etag, or a new one if etag is "".
func (s *Store) put(ctx context.Context, key, etag, nonce string, body []byte) (string, error) {
	conditions := &blob.ModifiedAccessConditions{}
	if etag == "" {
		conditions.IfNoneMatch = to.Ptr(azcore.ETagAny)
	} else {
		conditions.IfMatch = to.Ptr(azcore.ETag(etag))
	}
	return s.upload(ctx, key, nonce, body, conditions)
}
