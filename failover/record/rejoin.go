package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"erfailover/failover/fault"
)

// Rejoin repairs a trail whose pending entries do not fit the stored stream any
// more. That happens when a storage account fails over to its copy, or a backup is
// put back: documents and rows come back from different instants.
//
//   - The journal is longer than the record: a state that is lost wrote rows that
//     the document has not heard of. They stay, as evidence.
//   - The journal is shorter: rows that the document counted are gone.
//
// Either way the pending entries are linked behind the last row that is there, after
// note, which is given a text that says what was lost. Nothing is written: the
// caller saves the document that holds the trail, then appends. A trail that fits is
// left as it is, and rejoined is false.
//
// A row is never replaced, so this hides nothing; whoever reads the stream sees the
// note. Without it an audit that has a hole would stop the automation for ever.
func Rejoin(ctx context.Context, s Store, stream string, t *Trail, note Entry) (rejoined bool, err error) {
	rest := t.Pending
	before := t.Head.Seq - uint64(len(rest)) // the document counts rows up to here as stored
	last, err := lastRow(ctx, s, stream, before)
	if err != nil {
		return false, err
	}
	counted := before
	for len(rest) > 0 && rest[0].Seq <= last { // those that were stored, their answer lost
		row, err := rest[0].Row()
		if err != nil {
			return false, err
		}
		doc, err := s.Load(ctx, RowKey(stream, row.Seq))
		if err != nil {
			return false, err
		}
		if !bytes.Equal(doc.Body, row.Body) {
			break
		}
		rest, counted = rest[1:], row.Seq
	}
	if last == counted {
		return false, nil
	}
	head, err := headAt(ctx, s, stream, last)
	if err != nil {
		return false, err
	}
	text, from, to := "the record went back in time: %s written by a state that is lost", counted+1, last
	if last < counted {
		text, from, to = "the journal went back in time: %s counted by the record and gone", last+1, counted
	}
	which := fmt.Sprintf("rows %d to %d were", from, to)
	if from == to {
		which = fmt.Sprintf("row %d was", from)
	}
	note.Text = fmt.Sprintf(text, which)
	note.Fields = map[string]string{"first": strconv.FormatUint(from, 10), "last": strconv.FormatUint(to, 10)}
	t.Pending, t.Head = Chain(head, stream, append([]Entry{note}, rest...))
	return true, nil
}

// headAt returns the end of the chain at a row that is stored.
func headAt(ctx context.Context, s Store, stream string, seq uint64) (Head, error) {
	if seq == 0 {
		return Head{}, nil
	}
	doc, err := s.Load(ctx, RowKey(stream, seq))
	if err != nil {
		return Head{}, err
	}
	e, err := ParseEntry(doc.Body)
	if err != nil {
		return Head{Seq: seq}, nil // it cannot be read: the chain is broken there, and verifying it says so
	}
	return Head{Seq: seq, Hash: e.Hash}, nil
}

// lastRow returns the number of a stream's last row, 0 for none, in about twice the
// logarithm of its distance from near in loads. Rows have no gap.
func lastRow(ctx context.Context, s Store, stream string, near uint64) (uint64, error) {
	stored := func(seq uint64) (bool, error) {
		if seq == 0 {
			return true, nil
		}
		_, err := s.Load(ctx, RowKey(stream, seq))
		if errors.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	}
	there, err := stored(near)
	if err != nil {
		return 0, err
	}
	low, high := near, near // low is stored, high is not
	for step := uint64(1); ; step *= 2 {
		if there {
			high = low + step
		} else {
			low = high - min(step, high)
		}
		at := map[bool]uint64{true: high, false: low}[there]
		found, err := stored(at)
		if err != nil {
			return 0, err
		}
		if found != there {
			break
		}
		low, high = at, at
	}
	for low+1 < high {
		mid := low + (high-low)/2
		found, err := stored(mid)
		if err != nil {
			return 0, err
		}
		if found {
			low = mid
		} else {
			high = mid
		}
	}
	return low, nil
}
