package blobstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Append implements record.Store. Rows are written one after the other, each only
// if its number is free, so a call that stops half way leaves a stream without a
// gap, and the same call again finishes it. Of two calls that want one number with
// other bytes, one gets a Conflict at that number; where both started at the same
// row, the loser has written nothing.
func (s *Store) Append(ctx context.Context, stream string, rows []record.Row) error {
	const op = "append rows"
	if err := record.CheckRows(stream, rows); err != nil {
		return err
	}
	if err := checkKey(op, record.RowKey(stream, 0)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || len(rows) == 0 {
		return s.fail(op, stream, err)
	}
	return s.ask(ctx, op, stream, func() error {
		if err := s.follows(ctx, stream, rows[0].Seq); err != nil {
			return err
		}
		for _, row := range rows {
			if err := s.appendRow(ctx, record.RowKey(stream, row.Seq), row.Body); err != nil {
				return err
			}
		}
		return nil
	})
}

// follows reports a row before number seq that is not there. Rows are never
// deleted, so one that is there stays.
func (s *Store) follows(ctx context.Context, stream string, seq uint64) error {
	if seq == 1 {
		return nil
	}
	_, err := s.client.NewBlobClient(record.RowKey(stream, seq-1)).GetProperties(ctx, nil)
	if !bloberror.HasCode(err, bloberror.BlobNotFound) {
		return err
	}
	return &fault.Error{Op: "append rows", Target: record.RowKey(stream, seq), Kind: fault.Invalid,
		Hint: fmt.Sprintf("row %d is not there; rows are added without a gap", seq-1)}
}

// appendRow writes one row, or finds it written.
func (s *Store) appendRow(ctx context.Context, key string, body []byte) error {
	_, err := s.put(ctx, key, "", "", body)
	if !bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
		return err
	}
	stored, err := s.client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return err
	}
	switch meta(stored.Metadata, sumMeta) {
	case seal(key, "", body):
		return nil
	case "":
		return fmt.Errorf("%s: %w", key, errUnder)
	}
	return &fault.Error{Op: "append rows", Target: key, Kind: fault.Conflict, Hint: "another row has this number; load the stream's head again"}
}

// mark names the place where a list stopped: what was listed, and its last key.
type mark struct{ prefix, after string }

// maxMarks bounds how many places are remembered.
const maxMarks = 64

// List implements record.Store. Azure can start a list only at its beginning or at
// a mark that it gave, so the store remembers where its last lists stopped: going
// on from there costs one request, any other start reads all names before it,
// 5,000 a request. Blobs whose name is no key are passed over.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	const op = "list"
	if err := record.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	var keys []string
	err := s.ask(ctx, op, prefix, func() (err error) {
		at := s.recall(mark{prefix, after})
		keys, err = s.list(ctx, prefix, after, limit, at)
		if at != nil && bloberror.HasCode(err, bloberror.OutOfRangeInput, bloberror.OutOfRangeQueryParameterValue, bloberror.InvalidQueryParameterValue) {
			keys, err = s.list(ctx, prefix, after, limit, nil) // the mark is too old
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func (s *Store) list(ctx context.Context, prefix, after string, limit int, at *string) ([]string, error) {
	size := int32(limit)
	if at == nil && after >= prefix && after != "" {
		size = record.MaxList // most of it will be passed over
	}
	pager := s.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Marker: at, MaxResults: to.Ptr(size)})
	var keys []string
	last := ""
	for pager.More() && len(keys) < limit {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if page.Segment == nil {
			return nil, errors.New("a list without its names")
		}
		for i, item := range page.Segment.BlobItems {
			if item == nil || item.Name == nil {
				return nil, errors.New("a list with a name missing")
			}
			key := *item.Name
			if key <= last || !strings.HasPrefix(key, prefix) {
				return nil, fmt.Errorf("%w: %q comes after %q", errOrder, key, last)
			}
			last = key
			if key <= after || checkKey("list", key) != nil {
				continue
			}
			if keys = append(keys, key); len(keys) == limit {
				if i == len(page.Segment.BlobItems)-1 && page.NextMarker != nil {
					s.remember(mark{prefix, key}, *page.NextMarker)
				}
				break
			}
		}
	}
	return keys, nil
}

func (s *Store) recall(m mark) *string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, found := s.marks[m]; found {
		return &at
	}
	return nil
}

func (s *Store) remember(m mark, at string) {
	if at == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.marks) >= maxMarks {
		clear(s.marks) // each costs one longer list, when it is missed
	}
	s.marks[m] = at
}
