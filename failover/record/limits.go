package record

import (
	"fmt"
	"strings"

	"erfailover/failover/fault"
)

// Bounds that every Store holds, so that what one of them takes, all of them take.
const (
	MaxBody  = 1 << 20  // bytes of a document's body
	MaxRow   = 64 << 10 // bytes of a row
	MaxKey   = 512      // bytes of a key, and of the key of a row
	MaxNonce = 128      // bytes of a nonce, printable ASCII without spaces
	MaxList  = 5000     // keys that one List can be asked for
)

// rowPrefix begins the key of every row, and of nothing else.
const rowPrefix = "journal/"

// CheckKey reports whether key can name a document, a row or (as a stream) the
// middle of a row's key. A bad one is an Invalid error. Keys are segments of
// [a-z0-9._-] joined by "/"; no segment is empty, "." or "..".
func CheckKey(op, key string) error {
	if len(key) > MaxKey {
		return invalid(op, key[:64]+"...", fmt.Sprintf("a key has at most %d bytes, this one has %d", MaxKey, len(key)))
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return invalid(op, fmt.Sprintf("%q", key), `a segment of a key is not empty, "." or ".."`)
		}
		for _, c := range []byte(segment) {
			if !keyByte(c) {
				return invalid(op, fmt.Sprintf("%q", key), fmt.Sprintf("a key is made of a-z 0-9 . _ - and /, not %q", c))
			}
		}
	}
	return nil
}

// CheckPrefix reports whether s can begin a key: any run of key bytes, or "".
func CheckPrefix(op, s string) error {
	if len(s) > MaxKey {
		return invalid(op, s[:64]+"...", fmt.Sprintf("a prefix has at most %d bytes", MaxKey))
	}
	for _, c := range []byte(s) {
		if c != '/' && !keyByte(c) {
			return invalid(op, fmt.Sprintf("%q", s), fmt.Sprintf("a prefix is made of a-z 0-9 . _ - and /, not %q", c))
		}
	}
	return nil
}

// CheckList reports whether List can be asked this. The limit is 1 to MaxList.
func CheckList(prefix, after string, limit int) error {
	if limit < 1 || limit > MaxList {
		return invalid("list", fmt.Sprintf("%q", prefix), fmt.Sprintf("limit is 1 to %d, not %d", MaxList, limit))
	}
	if err := CheckPrefix("list", prefix); err != nil {
		return err
	}
	return CheckPrefix("list", after)
}

// CheckDocument reports whether doc can be saved at all. Rows have their own keys,
// so a document's key never begins with "journal/".
func CheckDocument(doc Document) error {
	const op = "save document"
	if err := CheckKey(op, doc.Key); err != nil {
		return err
	}
	if strings.HasPrefix(doc.Key+"/", rowPrefix) {
		return invalid(op, doc.Key, "keys under journal/ belong to rows; use Append")
	}
	if doc.Nonce == "" || len(doc.Nonce) > MaxNonce {
		return invalid(op, doc.Key, fmt.Sprintf("a nonce of 1 to %d bytes, new for every Save", MaxNonce))
	}
	for _, c := range []byte(doc.Nonce) {
		if c <= ' ' || c > '~' {
			return invalid(op, doc.Key, "a nonce is printable ASCII without spaces")
		}
	}
	if len(doc.Body) == 0 || len(doc.Body) > MaxBody {
		return invalid(op, doc.Key, fmt.Sprintf("a body has 1 to %d bytes, this one has %d", MaxBody, len(doc.Body)))
	}
	return nil
}

// CheckRows reports whether rows can be appended to stream at all: a fit stream
// name, sizes in bounds, and numbers from 1 without a gap among themselves.
func CheckRows(stream string, rows []Row) error {
	const op = "append rows"
	if err := CheckKey(op, stream); err != nil {
		return err
	}
	if n := len(RowKey(stream, 0)); n > MaxKey {
		return invalid(op, stream, fmt.Sprintf("the key of a row has at most %d bytes, this one would have %d", MaxKey, n))
	}
	for i, row := range rows {
		if row.Seq == 0 || row.Seq != rows[0].Seq+uint64(i) {
			return invalid(op, stream, fmt.Sprintf("rows are numbered from 1 without a gap, row %d of this call is number %d", i+1, row.Seq))
		}
		if len(row.Body) == 0 || len(row.Body) > MaxRow {
			return invalid(op, stream, fmt.Sprintf("a row has 1 to %d bytes, row %d has %d", MaxRow, row.Seq, len(row.Body)))
		}
	}
	return nil
}

func keyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

func invalid(op, target, rule string) error {
	return &fault.Error{Op: op, Target: target, Kind: fault.Invalid, Hint: rule}
}
