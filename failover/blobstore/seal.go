package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"erfailover/failover/record"
)

// Names of our metadata. A service may give them back in other cases.
const (
	nonceMeta = "nonce"
	sumMeta   = "sum"
)

// Reasons why a blob is not taken for what it says. Their kind is Corrupt.
var (
	errSum   = errors.New("the blob is not what this program wrote: its checksum does not match")
	errUnder = errors.New("the blob was not written by this program: it has no checksum")
	errOrder = errors.New("the container is not listed in byte order")
	errGone  = errors.New("the container is gone")
)

// seal returns the checksum of a blob: SHA-256 over its key, nonce and body, which
// are apart because neither key nor nonce has a zero byte.
func seal(key, nonce string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(key + "\x00" + nonce + "\x00"))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// unseal checks what was read and returns its nonce.
func unseal(key string, metadata map[string]*string, body []byte) (string, error) {
	sum, nonce := meta(metadata, sumMeta), meta(metadata, nonceMeta)
	switch {
	case sum == "":
		return "", errUnder
	case len(body) > record.MaxBody:
		return "", fmt.Errorf("%w: it has over %d bytes", errSum, record.MaxBody)
	case sum != seal(key, nonce, body):
		return "", errSum
	}
	return nonce, nil
}

// meta returns one value of a blob's metadata, or "".
func meta(metadata map[string]*string, name string) string {
	for k, v := range metadata {
		if v != nil && strings.EqualFold(k, name) {
			return *v
		}
	}
	return ""
}

// upload sends one Put Blob and returns the new ETag.
func (s *Store) upload(ctx context.Context, key, nonce string, body []byte, conditions *blob.ModifiedAccessConditions) (string, error) {
	metadata := map[string]*string{sumMeta: to.Ptr(seal(key, nonce, body))}
	if nonce != "" {
		metadata[nonceMeta] = &nonce
	}
	done, err := s.client.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(body)), &blockblob.UploadOptions{
		Metadata:         metadata,
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentType: to.Ptr("application/json")},
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: conditions},
	})
	if err != nil {
		return "", err
	}
	if done.ETag == nil || *done.ETag == "" {
		return "", errors.New("the answer to a write has no ETag")
	}
	return string(*done.ETag), nil
}
