package blobstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"erfailover/failover/clock"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// role is what the identity needs.
const role = "Storage Blob Data Contributor"

// checkKey is record.CheckKey, and what Azure asks of a name beyond that.
func checkKey(op, key string) error {
	if err := record.CheckKey(op, key); err != nil {
		return err
	}
	if strings.HasSuffix(key, ".") || strings.Contains(key, "./") || strings.Count(key, "/") > 253 {
		return &fault.Error{Op: op, Target: key, Kind: fault.Invalid, Hint: "in Azure Blob Storage no segment of a key ends with a dot, and there are at most 254"}
	}
	return nil
}

// ask makes one call. A container that is not there is created if it may be, once,
// and the call made again. What comes out is a fault.Error.
func (s *Store) ask(ctx context.Context, op, target string, call func() error) error {
	if err := ctx.Err(); err != nil {
		return s.fail(op, target, err)
	}
	err := call()
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		switch {
		case s.seen.Load():
			err = errGone
		case s.create:
			_, err = s.client.Create(ctx, nil)
			if err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
				return s.fail("create container", s.target, err)
			}
			err = call()
		}
	}
	if err == nil || errors.Is(err, fault.Conflict) || bloberror.HasCode(err, bloberror.BlobNotFound) {
		s.seen.Store(true)
	}
	return s.fail(op, target, err)
}

// fail turns err into the error that callers see; nil stays nil.
func (s *Store) fail(op, target string, err error) error {
	var ours *fault.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	f := &fault.Error{Op: op, Target: target, Kind: fault.Unavailable, Err: err}
	var answer *azcore.ResponseError
	var auth *azidentity.AuthenticationFailedError
	var final interface{ NonRetriable() }
	var sent *url.Error
	var unknownCA x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	switch {
	case errors.As(err, &auth):
		identity(f, auth.RawResponse)
	case errors.As(err, &answer):
		s.answered(f, answer)
	case errors.Is(err, errSum), errors.Is(err, errUnder):
		f.Kind, f.Hint = fault.Corrupt, "other hands wrote this blob, or it is damaged; keep it, and put an earlier version of it in its place"
	case errors.Is(err, errGone):
		f.Kind, f.Hint = fault.Corrupt, s.target+" was there and is not any more; restore it (soft delete of containers), or start again to begin an empty record: epochs are found again from the tags in Azure"
	case errors.Is(err, errOrder):
		f.Kind, f.Hint = fault.Invalid, "use a storage account without hierarchical namespace"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Err, f.Hint = fmt.Errorf("gave up waiting for an answer: %w", cause(err)), "the call may be repeated"
	case errors.As(err, &unknownCA), errors.As(err, &wrongName):
		f.Kind, f.Hint = fault.Denied, "the endpoint's certificate is not trusted; check record.blob.account, a proxy in between, and SSL_CERT_FILE"
		f.Err = errors.New("the certificate of the endpoint is not trusted")
	case errors.As(err, &sent):
		f.Err, f.Hint = sent.Err, "check record.blob.account, the name's resolution, and the private endpoint or firewall in between"
	case errors.As(err, &final):
		f.Kind, f.Err = fault.Denied, errors.New("no token for storage")
		f.Hint = "check azure.identity, and that record.blob.account is a storage account"
	}
	return f
}

// cause returns the context's own error, without an address around it.
func cause(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return context.DeadlineExceeded
}

// identity fills in f when no token was to be had.
func identity(f *fault.Error, resp *http.Response) {
	f.Kind, f.Code, f.Err = fault.Denied, "AuthenticationFailed", errors.New("the identity service refused to give a token for storage")
	f.Hint = "check that the identity is assigned to this app and named rightly in azure.identity"
	if resp != nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500) {
		f.Kind, f.Hint = fault.Unavailable, "the identity service is ill; it is tried again by itself"
	}
}

// requestID is the form of the number by which Azure finds a request again.
var requestID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`) })

// answered fills in f from an answer that is not a success. Nothing of its body is
// passed on but the code.
func (s *Store) answered(f *fault.Error, answer *azcore.ResponseError) {
	f.Code = code(answer.ErrorCode)
	text := "answer " + strconv.Itoa(answer.StatusCode)
	if answer.RawResponse != nil {
		f.RetryAfter = clock.RetryAfter(answer.RawResponse.Header, time.Now())
		if id := answer.RawResponse.Header.Get("x-ms-request-id"); requestID().MatchString(id) {
			text += ", request " + id
		}
	}
	f.Err = errors.New(text)
	switch bloberror.Code(answer.ErrorCode) {
	case bloberror.BlobNotFound:
		f.Kind = fault.NotFound
	case bloberror.ContainerNotFound:
		f.Kind, f.Hint = fault.Invalid, s.target+" does not exist; create the container, or name another in record.blob"
	case bloberror.ContainerBeingDeleted:
		f.Hint = s.target + " is being deleted; name another container, or wait some minutes and create it again"
	case bloberror.ServerBusy, bloberror.OperationTimedOut:
		f.Kind, f.Hint = fault.Throttled, "the storage account is over its limits, by us or by others; it is tried again by itself"
	case bloberror.AuthorizationPermissionMismatch, bloberror.InsufficientAccountPermissions:
		f.Kind, f.Hint = fault.Denied, "give the identity the role "+role+" on "+s.target+". A new assignment takes some minutes to count"
	case bloberror.AuthorizationFailure, bloberror.AuthorizationSourceIPMismatch:
		f.Kind, f.Hint = fault.Denied, "the account's firewall refuses this network, or the identity lacks the role "+role+" on "+s.target
	case bloberror.AccountIsDisabled:
		f.Kind, f.Hint = fault.Denied, "the storage account is disabled; look at its subscription"
	case bloberror.BlobImmutableDueToPolicy:
		f.Kind, f.Hint = fault.Denied, "an immutability policy or a legal hold covers the container; documents of the record change, so name a container without one"
	case bloberror.LeaseIDMissing, bloberror.LeaseAlreadyPresent:
		f.Kind, f.Hint = fault.Busy, "somebody holds a lease on the blob; this program takes none: break the lease"
	default:
		byStatus(f, answer.StatusCode)
	}
}

// byStatus classifies what its code did not.
func byStatus(f *fault.Error, status int) {
	switch {
	case status == http.StatusUnauthorized:
		f.Kind, f.Hint = fault.Denied, "storage does not take our token; check the identity and its tenant"
	case status == http.StatusForbidden:
		f.Kind, f.Hint = fault.Denied, "give the identity the role "+role+"; check the account's firewall too"
	case status == http.StatusTooManyRequests:
		f.Kind, f.Hint = fault.Throttled, "the storage account is over its limits; it is tried again by itself"
	case status == http.StatusNotFound, status >= 300 && status < 400:
		// Not NotFound: only BlobNotFound says that nothing is stored.
		f.Hint = "this is no answer of a storage account; check record.blob.account and a proxy in between"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed, status == http.StatusRequestTimeout, status >= 500:
		f.Hint = "it is tried again by itself"
	default:
		f.Kind, f.Hint = fault.Invalid, "storage does not understand the request; if the cloud is not the public one, it may not have this version of the service yet"
	}
}

// code returns the other side's code, as far as it looks like one.
func code(s string) string {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			return ""
		}
	}
	return s[:min(len(s), 100)]
}
