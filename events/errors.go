package events

import (
	"strconv"
	"strings"
)

// Bounds of the text that leaves this package.
const (
	maxDetail   = 512      // Signal.Detail, bytes
	maxSource   = 256      // Signal.Source, bytes
	maxShown    = 120      // a value inside an error text, bytes
	maxKeptRaw  = 64 << 10 // ParseError.Raw, bytes
	maxShortKey = 256      // correlation ids, actors, regions, bytes
)

// ParseError is one record that could not be read. It keeps the bytes, so that
// the record can be set aside and looked at by a person.
type ParseError struct {
	Format string // the format that it was read as, "metric-record"; "json" when it is not even JSON
	Field  string // the field at fault, "properties.time"; "" for the record as a whole
	Got    string // the value found there, cleaned and clipped to 120 bytes; "missing" when there was none
	Want   string // the rule that it breaks
	Offset int64  // where the record begins in the text that held it, bytes; inside a string-in-a-string it counts from that inner text
	Size   int    // the whole length of the record, bytes
	Raw    []byte // the record's own bytes, at most the first 64 KiB
}

// Error names the field, the value and the rule. It never shows the record.
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString("event " + e.Format)
	if e.Field != "" {
		b.WriteString(": field " + e.Field)
	}
	b.WriteString(": got " + strconv.QuoteToASCII(clean(e.Got, maxShown)))
	b.WriteString(", want " + e.Want)
	b.WriteString(" (at byte " + strconv.FormatInt(e.Offset, 10) + ")")
	return b.String()
}

// broken makes the error of a reader. The splitter adds format, place and bytes.
func broken(field, got, want string) error {
	if got == "" {
		got = "missing"
	}
	return &ParseError{Field: field, Got: clean(got, maxShown), Want: want}
}

// notOurs is the answer of a reader to a sound record that is not for us. Its
// text is the reason.
type notOurs string

// Error returns the reason.
func (n notOurs) Error() string { return string(n) }
