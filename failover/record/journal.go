package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// Entry is one line of a journal: something decided, refused, done or seen.
//
// Entries of a stream are chained: each carries the hash of the one before it, and
// its own hash covers everything in it, the stream's name included. So an edited,
// dropped, swapped or foreign line shows at once. The chain is evidence against
// accidents and quiet edits; who can rewrite both the whole stream and the
// document that holds its Head can forge it.
//
// Values reach a journal only through Chain, which cleans them.
type Entry struct {
	Seq       uint64            `json:"seq"` // from 1, without a gap
	At        time.Time         `json:"at"`  // UTC
	Stream    string            `json:"stream"`
	Code      string            `json:"code"` // closed list of the engine
	Group     string            `json:"group,omitzero"`
	Circuit   string            `json:"circuit,omitzero"`
	Operation string            `json:"operation,omitzero"`
	Plan      string            `json:"plan,omitzero"`
	Epoch     int64             `json:"epoch,omitzero"`
	Reasons   []string          `json:"reasons,omitempty"`
	Actor     string            `json:"actor,omitzero"` // who ordered it; "" for the engine itself
	Text      string            `json:"text,omitzero"`  // one sentence for a person
	Fields    map[string]string `json:"fields,omitempty"`
	Prev      string            `json:"prev,omitzero"` // Hash of entry Seq-1; "" for the first
	Hash      string            `json:"hash,omitzero"` // SHA-256 of this entry's row with Hash "", hex
}

// Head is the end of a chain. It is stored inside the document whose changes the
// stream tells, so that one compare-and-swap moves the state and the chain.
// The zero value is the end of an empty chain.
type Head struct {
	Seq  uint64 `json:"seq,omitzero"`
	Hash string `json:"hash,omitzero"`
}

// Chain cleans entries, numbers them after head, links them, and returns them
// with the new head. What it is given is not changed. The same arguments give
// the same bytes, so a retried append finds its rows already there.
func Chain(head Head, stream string, entries []Entry) ([]Entry, Head) {
	chained := make([]Entry, 0, len(entries))
	for _, e := range entries {
		e = clean(e)
		e.Seq, e.Stream, e.Prev = head.Seq+1, stream, head.Hash
		e.Hash = e.sum()
		head = Head{Seq: e.Seq, Hash: e.Hash}
		chained = append(chained, e)
	}
	return chained, head
}

// Row returns the entry as a row for Append. An entry that did not come out of
// Chain, or was changed since, is an Invalid error.
func (e Entry) Row() (Row, error) {
	if e.Seq == 0 || e.Hash == "" || e.Hash != e.sum() {
		return Row{}, invalid("write journal entry", e.Stream, fmt.Sprintf("entry %d was not chained, was changed afterwards, or has a time outside the years 0 to 9999", e.Seq))
	}
	body, err := e.encode()
	if err != nil {
		return Row{}, &fault.Error{Op: "write journal entry", Target: e.Stream, Kind: fault.Invalid, Err: err}
	}
	return Row{Seq: e.Seq, Body: body}, nil
}

// Rows returns chained entries as rows for Append.
func Rows(entries []Entry) ([]Row, error) {
	rows := make([]Row, 0, len(entries))
	for _, e := range entries {
		row, err := e.Row()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// ParseEntry reads a row's body. It takes only the exact bytes that Row writes:
// an unknown or repeated field, another order or a space is a Corrupt error, for
// then the bytes are not those that were hashed.
func ParseEntry(body []byte) (Entry, error) {
	corrupt := func(err error) error {
		return &fault.Error{Op: "read journal entry", Kind: fault.Corrupt, Err: err,
			Hint: "the row is not what was written; compare it with a backup"}
	}
	var e Entry
	if err := json.Unmarshal(body, &e, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, corrupt(err)
	}
	again, err := e.encode()
	if err != nil {
		return Entry{}, corrupt(err)
	}
	if !bytes.Equal(again, body) {
		return Entry{}, corrupt(fmt.Errorf("row of %d bytes is not in the form that was hashed", len(body)))
	}
	return e, nil
}

// Verify follows the chain of stream through rows, which come right after from,
// and returns the head that they lead to. The error is Corrupt and names the
// first row that is edited, dropped, swapped or cut short. Rows missing at the
// end cannot be seen from the rows alone: compare the returned head with the
// stored one, or use VerifyTo.
func Verify(stream string, from Head, rows []Row) (Head, error) {
	head := from
	for _, row := range rows {
		next := head.Seq + 1
		e, err := ParseEntry(row.Body)
		switch {
		case row.Seq != next && row.Seq > next:
			return head, broken(stream, next, fmt.Sprintf("is missing: row %d follows row %d", row.Seq, head.Seq), nil)
		case row.Seq != next:
			return head, broken(stream, next, fmt.Sprintf("is out of place: found number %d", row.Seq), nil)
		case err != nil:
			return head, broken(stream, next, "cannot be read: it was edited or cut short", err)
		case e.Stream != stream:
			return head, broken(stream, next, fmt.Sprintf("belongs to stream %q", e.Stream), nil)
		case e.Seq != next:
			return head, broken(stream, next, fmt.Sprintf("was swapped: its text has number %d", e.Seq), nil)
		case e.Prev != head.Hash:
			return head, broken(stream, next, "does not follow the row before it: one of the two was replaced", nil)
		case e.Hash != e.sum():
			return head, broken(stream, next, "was edited: its hash does not match its text", nil)
		}
		head = Head{Seq: e.Seq, Hash: e.Hash}
	}
	return head, nil
}

// VerifyTo is Verify for a whole stream: rows must lead to exactly the head that
// is stored beside the state. Rows after that head were never decided.
func VerifyTo(stream string, want Head, rows []Row) error {
	head, err := Verify(stream, Head{}, rows)
	switch {
	case err != nil:
		return err
	case head.Seq < want.Seq:
		return broken(stream, head.Seq+1, fmt.Sprintf("is missing: the stream ends at row %d, the record says %d", head.Seq, want.Seq), nil)
	case head.Seq > want.Seq:
		return broken(stream, want.Seq+1, fmt.Sprintf("is too much: the record says that the stream ends at row %d", want.Seq), nil)
	case head != want:
		return broken(stream, head.Seq, "is not the one that the record names: the whole stream was rewritten, or the record was", nil)
	}
	return nil
}

func broken(stream string, seq uint64, what string, cause error) error {
	return &fault.Error{Op: "verify journal", Target: stream, Kind: fault.Corrupt, Err: &BrokenRow{Seq: seq, What: what, Err: cause},
		Hint: "the journal is not what was written; keep it as evidence and compare it with a backup"}
}

// BrokenRow names the first row at which a chain does not hold.
type BrokenRow struct {
	Seq  uint64 // the number that the row should have
	What string // what is wrong with it
	Err  error  // why it could not be read; nil otherwise
}

// Error returns "row 7 was edited: ...".
func (b *BrokenRow) Error() string {
	text := fmt.Sprintf("row %d %s", b.Seq, b.What)
	if b.Err != nil {
		text += ": " + b.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (b *BrokenRow) Unwrap() error { return b.Err }

// encode returns the one form that an entry has in a stream.
func (e Entry) encode() ([]byte, error) { return json.Marshal(e, json.Deterministic(true)) }

// sum returns the hash of the entry, or "" if it has no form (see Row).
func (e Entry) sum() string {
	e.Hash = ""
	body, err := e.encode()
	if err != nil {
		return ""
	}
	hash := sha256.Sum256(body)
	return hex.EncodeToString(hash[:])
}
