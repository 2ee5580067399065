package events

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Batch is what one message body held. Every record in it is counted once:
// Records == Read + len(Foreign) + len(Broken).
type Batch struct {
	Signals []Signal      // in the order of the input; one record may give several
	Foreign []Foreign     // sound records that are not for us
	Broken  []*ParseError // records that could not be read
	Records int           // all records found
	Read    int           // records that gave at least one signal
}

// Foreign is one sound record that we leave alone: a budget alert, a test
// action, another resource type, a route table log.
type Foreign struct {
	Format string    // as in ParseError
	Why    string    // the reason, for a counter's label and for people
	At     time.Time // when it was received
}

// Limits bound the work that one message can ask for. A zero field takes its
// default.
type Limits struct {
	Bytes   int           // longest message; default 16 MiB
	Records int           // most records in one message; default 100,000
	Depth   int           // deepest nesting of a record; default and ceiling 64
	Ahead   time.Duration // how far an event's own clock may run ahead of ours; default 10 minutes
}

// Defaults of Limits.
const (
	defaultBytes   = 16 << 20
	defaultRecords = 100_000
	maxDepth       = 64
	defaultAhead   = 10 * time.Minute
	maxWrapping    = 6 // envelopes and strings around a record
)

// Parse reads one message body of any envelope and format, with the default
// limits. The received time stamps what carries no time of its own; a zero time
// turns the check for events from the future off. Parse never fails whole.
func Parse(raw []byte, received time.Time) Batch {
	return ParseLimited(raw, received, Limits{})
}

// ParseLimited is Parse within limits. What lies beyond a limit is reported as
// broken, with its size and its first bytes.
func ParseLimited(raw []byte, received time.Time, limits Limits) Batch {
	limits = limits.withDefaults()
	p := newParser(received, limits)
	if len(raw) > limits.Bytes {
		p.fail(raw, 0, &ParseError{Format: "json", Got: sizeText(len(raw)), Want: "a message of at most " + sizeText(limits.Bytes)})
		return p.batch
	}
	p.allowed = 8*len(raw) + 1<<16
	p.sequence(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")), 0)
	return p.batch
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	if l.Records <= 0 {
		l.Records = defaultRecords
	}
	if l.Depth <= 0 || l.Depth > maxDepth {
		l.Depth = maxDepth
	}
	if l.Ahead <= 0 {
		l.Ahead = defaultAhead
	}
	return l
}

// newParser starts one Parse call.
func newParser(received time.Time, limits Limits) *parser {
	return &parser{
		received: received.UTC(), limits: limits,
		dec:     jsontext.NewDecoder(bytes.NewBuffer(nil)),
		targets: map[string]*target{}, metrics: map[string]namedMetric{},
	}
}

// parser is the state of one Parse call.
type parser struct {
	received time.Time
	limits   Limits
	batch    Batch

	dec     *jsontext.Decoder  // reset for every record
	buf     bytes.Buffer       // what dec reads
	targets map[string]*target // resource IDs as written, already resolved
	stamp   string             // the last time text read
	when    time.Time          // its value
	printed []byte             // and how IDs write that
	scratch []byte             // content of the signal ID being made
	spent   int                // bytes scanned to get past broken text
	allowed int                // and how many may be
	floats  []float64          // numbers that signals point to, allocated together
	metrics map[string]namedMetric
	ids     strings.Builder // signal IDs, allocated together

	fields     metricFields
	measure    measure
	lastRaw    string  // the resource ID of the last flat metric record, as written
	lastTarget *target // what it means
	lastGrain  string  // and its time grain
}

// full tells whether the record limit is reached.
func (p *parser) full() bool { return p.batch.Records >= p.limits.Records }

// fail counts a broken record.
func (p *parser) fail(raw []byte, offset int, e *ParseError) {
	e.Offset, e.Size = int64(offset), len(raw)
	e.Raw = bytes.Clone(raw[:min(len(raw), maxKeptRaw)])
	if e.Got == "" {
		e.Got = "missing"
	}
	p.batch.Records++
	p.batch.Broken = append(p.batch.Broken, e)
}

// settle files the answer of a reader.
func (p *parser) settle(raw []byte, offset int, format string, signals []Signal, err error) {
	switch e := err.(type) {
	case nil:
		if len(signals) == 0 {
			p.foreign(format, "says nothing that we use")
			return
		}
		p.batch.Records++
		p.batch.Read++
		p.batch.Signals = append(p.batch.Signals, signals...)
	case notOurs:
		p.foreign(format, string(e))
	case *ParseError:
		e.Format = format
		p.fail(raw, offset, e)
	default:
		p.fail(raw, offset, &ParseError{Format: format, Got: clean(err.Error(), maxShown), Want: "a readable record"})
	}
}

// foreign counts a record that is not for us.
func (p *parser) foreign(format, why string) {
	p.batch.Records++
	p.batch.Foreign = append(p.batch.Foreign, Foreign{Format: format, Why: why, At: p.received})
}
