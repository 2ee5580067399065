package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Bounds on what one pass reads.
const (
	maxEntries = 10_000           // of all streams together
	recent     = 15 * time.Minute // a channel that is new hears of what is younger than this
	maxBack    = 1000             // and of no more entries of one stream than this
	readers    = 8                // rows are loaded so many at a time
)

// recentMark returns where a channel that is new begins to read a stream.
func (n *Notifier) recentMark(ctx context.Context, stream string, now time.Time) (uint64, error) {
	const page = 1000
	last, after := uint64(0), ""
	for {
		keys, err := n.o.Store.List(ctx, "journal/"+stream+"/", after, page)
		if err != nil {
			return 0, err
		}
		last += uint64(len(keys)) // rows are numbered without a gap
		if len(keys) < page {
			break
		}
		after = keys[len(keys)-1]
	}
	for back := 0; last > 0 && back < maxBack; back++ {
		e, err := n.entry(ctx, stream, last)
		if err != nil || now.Sub(e.At) > recent {
			return last, err
		}
		last--
	}
	return last, nil
}

// read returns the entries of a stream after seq, at most limit of them. What was
// read before ctx ended is returned without an error.
func (n *Notifier) read(ctx context.Context, stream string, seq uint64, limit int) ([]record.Entry, error) {
	var out []record.Entry
	for size := 1; len(out) < limit; size = min(size*4, 256) { // in peace one look says that there is nothing new
		got, end, err := n.wave(ctx, stream, seq+uint64(len(out)), min(size, limit-len(out)))
		out = append(out, got...)
		if err != nil && ctx.Err() == nil {
			return out, err
		}
		if end || ctx.Err() != nil {
			break
		}
	}
	return out, nil
}

// wave loads count rows after seq, some at a time, and returns those up to the first
// that is not there; end reports that there was such a one.
func (n *Notifier) wave(ctx context.Context, stream string, seq uint64, count int) (got []record.Entry, end bool, err error) {
	rows, errs := make([]record.Entry, count), make([]error, count)
	var all sync.WaitGroup
	for worker := range min(readers, count) {
		all.Go(func() {
			for i := worker; i < count; i += readers {
				rows[i], errs[i] = n.entry(ctx, stream, seq+1+uint64(i))
			}
		})
	}
	all.Wait()
	for i, err := range errs {
		switch {
		case errors.Is(err, fault.NotFound):
			return rows[:i], true, nil
		case err != nil:
			return rows[:i], false, err
		}
	}
	return rows, false, nil
}

// entry loads one row. A row that is not what was written is told, not passed over.
func (n *Notifier) entry(ctx context.Context, stream string, seq uint64) (record.Entry, error) {
	doc, err := n.o.Store.Load(ctx, record.RowKey(stream, seq))
	if err != nil {
		return record.Entry{}, err
	}
	e, err := record.ParseEntry(doc.Body)
	if err != nil || e.Seq != seq || e.Stream != stream {
		return record.Entry{Seq: seq, Stream: stream, Code: codeUnreadable, At: n.o.Now(), Text: fmt.Sprintf("row %d of %s is not what was written", seq, stream)}, nil
	}
	return e, nil
}
