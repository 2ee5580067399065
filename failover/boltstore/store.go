package boltstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// lockWait is how long Open waits for another process to let go of the file: a
// restart of our own overlaps by less than this.
const lockWait = time.Second

var (
	documentsBucket = []byte("documents")
	rowsBucket      = []byte("rows")
	metaBucket      = []byte("meta")
	formatKey       = []byte("format")
	formatOne       = []byte("erfailover-record 1")
)

// Store is a record.Store on one file.
type Store struct {
	path string
	db   *bbolt.DB
	file *os.File    // db's own; held to let its lock go when db cannot
	sick atomic.Bool // bbolt panicked over bad pages: its locks and pages are not to be trusted
}

var _ record.Store = (*Store)(nil)

// Open opens the file at path, or creates it with mode 0600. Errors: Busy when
// another process has it open, Denied when it may not be written, Corrupt when it
// is not a whole file of ours, NotFound when its folder is missing, Unavailable
// when the disk fails or is full.
func Open(path string) (*Store, error) {
	s := &Store{path: path}
	err := guard(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:      lockWait,
			FreelistType: bbolt.FreelistMapType,
			NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				s.file = f
				return f, err
			},
		})
		return err
	})
	if err == nil {
		err = guard(s.prepare)
	}
	if err == nil {
		err = syncFolder(path)
	}
	if err == nil {
		return s, nil
	}
	if s.db != nil && !errors.Is(err, errPages) {
		err = errors.Join(err, s.db.Close())
	} else if s.file != nil {
		s.abandon()
	}
	return nil, s.fail("open record file", path, err)
}

// prepare makes the buckets of a new file and knows ours from another's.
func (s *Store) prepare() error {
	if err := s.whole(); err != nil {
		return err
	}
	ready := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: it holds %q and no %q", errForeign, name, metaBucket)
			}
			return nil
		}
		if format := meta.Get(formatKey); string(format) != string(formatOne) {
			return fmt.Errorf("%w: its format is %q, this version knows %q", errForeign, format, formatOne)
		}
		ready = tx.Bucket(documentsBucket) != nil && tx.Bucket(rowsBucket) != nil
		return nil
	})
	if err != nil || ready {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{documentsBucket, rowsBucket, metaBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(formatKey, formatOne)
	})
}

// whole reports a file that is shorter than its own head page says.
func (s *Store) whole() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: it has %d bytes and should have %d", errShort, info.Size(), tx.Size())
		}
		return nil
	})
}

// Path returns the name of the file.
func (s *Store) Path() string { return s.path }

// Close lets go of the file. Calls that are under way are waited for; later ones
// fail with Unavailable.
func (s *Store) Close() error {
	if s.sick.Load() {
		s.abandon()
		return nil
	}
	if err := s.db.Close(); err != nil {
		return s.fail("close record file", s.path, err)
	}
	return nil
}

// abandon lets the file go without bbolt, whose own locks may be held for ever
// after a panic. The file's pages stay mapped until the process ends. Where bbolt
// has closed the file already, nothing happens.
func (s *Store) abandon() {
	unlock(s.file)
	_ = s.file.Close()
}

// WriteTo writes a backup to w while the store stays in use: a record file of its
// own, as it was at one instant. It implements io.WriterTo.
func (s *Store) WriteTo(w io.Writer) (int64, error) {
	var n int64
	err := s.view(context.Background(), func(tx *bbolt.Tx) (err error) {
		n, err = tx.WriteTo(w)
		return err
	})
	if err != nil {
		return n, s.fail("back up record file", s.path, err)
	}
	return n, nil
}

// Check reads everything and reports the first value whose checksum does not
// hold, as a Corrupt error.
func (s *Store) Check(ctx context.Context) error {
	key := s.path
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{documentsBucket, rowsBucket} {
			cursor := tx.Bucket(name).Cursor()
			for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
				if err := ctx.Err(); err != nil {
					return err
				}
				if _, err := unseal(k, v); err != nil {
					key = string(k)
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return s.fail("check record file", key, err)
	}
	return nil
}

// view runs a read transaction.
func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	return s.run(ctx, func() error { return s.db.View(read) })
}

// update runs a write transaction. ctx is looked at again once the writer's turn
// has come; after that the write is finished.
func (s *Store) update(ctx context.Context, write func(*bbolt.Tx) error) error {
	return s.run(ctx, func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return write(tx)
		})
	})
}

func (s *Store) run(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.sick.Load() {
		return fmt.Errorf("%w: found by an earlier call", errPages)
	}
	err := guard(do)
	if errors.Is(err, errPages) {
		s.sick.Store(true)
	}
	return err
}

// guard turns bbolt's panics over bad pages, and reads past the end of a file
// that was cut while it is mapped, into errPages.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPages, p)
		}
	}()
	return do()
}

// syncFolder makes the file's name durable, which fsync of the file does not.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// newETag returns a random ETag. It is not a counter: after a restore from a
// backup a counter would give an old ETag to a new text.
func newETag() string { return rand.Text() }

// fail turns err into the error that callers see.
func (s *Store) fail(op, target string, err error) error {
	var ours *fault.Error
	if errors.As(err, &ours) {
		return err
	}
	kind, code, hint := classify(s.path, err)
	return &fault.Error{Op: op, Target: target, Kind: kind, Code: code, Hint: hint, Err: err}
}
