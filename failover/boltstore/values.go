package boltstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Load implements record.Store. A row is loaded under its RowKey.
func (s *Store) Load(ctx context.Context, key string) (record.Document, error) {
	const op = "load document"
	if err := record.CheckKey(op, key); err != nil {
		return record.Document{}, err
	}
	var doc record.Document
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		stored := tx.Bucket(documentsBucket).Get([]byte(key))
		if stored == nil {
			stored = tx.Bucket(rowsBucket).Get([]byte(key))
		}
		if stored == nil {
			return &fault.Error{Op: op, Target: key, Kind: fault.NotFound}
		}
		v, err := unseal([]byte(key), stored)
		if err != nil {
			return err
		}
		// The pages are bbolt's and end with the transaction.
		doc = record.Document{Key: key, ETag: v.etag, Nonce: v.nonce, Body: bytes.Clone(v.body)}
		return nil
	})
	if err != nil {
		return record.Document{}, s.fail(op, key, err)
	}
	return doc, nil
}

// Save implements record.Store.
func (s *Store) Save(ctx context.Context, doc record.Document) (string, error) {
	const op = "save document"
	if err := record.CheckDocument(doc); err != nil {
		return "", err
	}
	key := []byte(doc.Key)
	etag := newETag()
	err := s.update(ctx, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(documentsBucket)
		var old value
		if stored := bucket.Get(key); stored != nil {
			var err error
			if old, err = unseal(key, stored); err != nil {
				return err
			}
		}
		if old.etag != doc.ETag {
			if old.nonce == doc.Nonce {
				etag = old.etag
				return errSame
			}
			return &fault.Error{Op: op, Target: doc.Key, Kind: fault.Conflict, Hint: "load it again and decide again"}
		}
		return bucket.Put(key, seal(key, value{etag: etag, nonce: doc.Nonce, body: doc.Body}))
	})
	if err != nil && err != errSame {
		return "", s.fail(op, doc.Key, err)
	}
	return etag, nil
}

// Append implements record.Store. All rows are written, or none.
func (s *Store) Append(ctx context.Context, stream string, rows []record.Row) error {
	const op = "append rows"
	if err := record.CheckRows(stream, rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		return s.fail0(op, stream, ctx.Err())
	}
	err := s.update(ctx, func(tx *bbolt.Tx) error {
		bucket, fresh := tx.Bucket(rowsBucket), 0
		for i, row := range rows {
			name := record.RowKey(stream, row.Seq)
			key := []byte(name)
			stored := bucket.Get(key)
			switch {
			case stored != nil:
				old, err := unseal(key, stored)
				if err != nil {
					return err
				}
				if !bytes.Equal(old.body, row.Body) {
					return &fault.Error{Op: op, Target: name, Kind: fault.Conflict, Hint: "another row has this number; load the stream's head again"}
				}
				continue
			case i == 0 && row.Seq > 1 && bucket.Get([]byte(record.RowKey(stream, row.Seq-1))) == nil:
				return &fault.Error{Op: op, Target: name, Kind: fault.Invalid, Hint: fmt.Sprintf("row %d is not there; rows are added without a gap", row.Seq-1)}
			}
			if err := bucket.Put(key, seal(key, value{body: row.Body})); err != nil {
				return err
			}
			fresh++
		}
		if fresh == 0 {
			return errSame
		}
		return nil
	})
	if err != nil && err != errSame {
		return s.fail(op, stream, err)
	}
	return nil
}

// List implements record.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	if err := record.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	var keys []string
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{documentsBucket, rowsBucket} {
			cursor, found := tx.Bucket(name).Cursor(), 0
			k, _ := cursor.Seek([]byte(max(prefix, after)))
			if k != nil && string(k) == after {
				k, _ = cursor.Next()
			}
			for ; k != nil && found < limit && bytes.HasPrefix(k, []byte(prefix)); k, _ = cursor.Next() {
				keys = append(keys, string(k))
				found++
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], nil
}

// fail0 is fail for an error that may be nil.
func (s *Store) fail0(op, target string, err error) error {
	if err == nil {
		return nil
	}
	return s.fail(op, target, err)
}
