package record

import (
	"context"
	"fmt"
)

// Store keeps documents and journals. The only write is compare-and-swap: a
// document is saved against the ETag that it was loaded with, and an answer that
// was lost on the way is found again by the random Nonce inside the body.
//
// Errors are fault.Errors: NotFound, Conflict (someone else won), Unavailable,
// Denied, Corrupt. Every implementation passes recordtest.Conformance.
type Store interface {
	// Load returns the document under key, or NotFound.
	Load(ctx context.Context, key string) (Document, error)
	// Save writes doc.Body under doc.Key if the stored ETag is still doc.ETag
	// ("" means that nothing may be stored yet) and returns the new ETag, or
	// Conflict. A Save that was applied but whose answer was lost reports
	// success: the stored nonce is doc.Nonce.
	Save(ctx context.Context, doc Document) (etag string, err error)
	// Append adds rows to a stream. Rows are numbered by the caller without a
	// gap; a row that is already there with the same bytes is passed over, one
	// with other bytes is a Conflict and nothing is written.
	Append(ctx context.Context, stream string, rows []Row) error
	// List returns up to limit keys that begin with prefix and come after the key
	// named by after, in byte order. Rows are listed and loaded under RowKey.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)
}

// Document is one stored value.
type Document struct {
	Key   string // "circuit/ashburn", "group/east", "deadletter/..."; segments of [a-z0-9._-]
	ETag  string // opaque; "" for a document that is not stored yet
	Nonce string // random, new for every Save
	Body  []byte // JSON, at most 1 MiB
}

// Row is one line of a journal stream.
type Row struct {
	Seq  uint64 // from 1, without a gap
	Body []byte // one JSON object, at most 64 KiB
}

// RowKey returns the key under which a stream's row is listed and loaded. Keys of
// one stream sort by number.
func RowKey(stream string, seq uint64) string { return fmt.Sprintf("journal/%s/%020d", stream, seq) }
