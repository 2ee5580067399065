package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

// maxLine bounds one line of a recording, in bytes: a message of 16 MiB and its frame.
const maxLine = 17 << 20

// Message is one message body as it arrived.
type Message struct {
	At   time.Time // when it arrived
	Body []byte
}

// Recording is what was recorded, in the order of arrival.
type Recording struct {
	Messages []Message
	Estate   *topology.Estate // as it was discovered then; nil when the recording does not tell
	Skipped  int              // lines without a time of which nothing could be read
}

// Line is one line of a recording: a message, or the estate that it is about.
type Line struct {
	At     time.Time        `json:"at,omitzero"`    // when it arrived, or was discovered
	Body   jsontext.Value   `json:"body,omitempty"` // the message, with what looks like a secret taken out
	Lost   string           `json:"lost,omitzero"`  // why the body is not here: it could not be read, and is a dead letter
	Bytes  int              `json:"bytes,omitzero"` // of a body that is not here
	Estate *topology.Estate `json:"estate,omitempty"`
}

// Read adds the lines of one file to the recording. A line is a Line, or a message
// body alone, which then arrived when the newest of its events happened. The error
// is Invalid and names the file and the line.
func (r *Recording) Read(name string, from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := r.add(text); err != nil {
			return &fault.Error{Op: "read recording", Target: fmt.Sprintf("%s line %d", name, n), Kind: fault.Invalid, Err: err,
				Hint: `one JSON text a line: {"at":"2026-01-12T03:00:00Z","body":{...}}, or a message body alone`}
		}
	}
	if err := lines.Err(); err != nil {
		return &fault.Error{Op: "read recording", Target: fmt.Sprintf("%s line %d", name, n+1), Kind: fault.Invalid, Err: err}
	}
	slices.SortStableFunc(r.Messages, func(a, b Message) int { return a.At.Compare(b.At) })
	return nil
}

// add takes one line in.
func (r *Recording) add(text []byte) error {
	if !jsontext.Value(text).IsValid() {
		return errors.New("this is not one JSON text")
	}
	var l Line
	err := json.Unmarshal(text, &l, json.RejectUnknownMembers(true))
	framed := err == nil && (l.Body != nil || l.Estate != nil || l.Lost != "")
	switch {
	case !framed:
		r.bare(bytes.Clone(text))
	case l.At.IsZero():
		return errors.New(`at: got nothing, want when it arrived`)
	case l.Estate != nil:
		l.Estate.Sort()
		r.Estate = l.Estate
	case l.Body != nil:
		r.Messages = append(r.Messages, Message{l.At.UTC(), bytes.Clone(l.Body)})
	}
	return nil
}

// bare takes a message in that tells no time of arrival.
func (r *Recording) bare(body []byte) {
	var newest time.Time
	for _, s := range events.Parse(body, time.Time{}).Signals {
		if s.At.After(newest) {
			newest = s.At
		}
	}
	if newest.IsZero() {
		r.Skipped++
		return
	}
	r.Messages = append(r.Messages, Message{newest.UTC(), body})
}

// Add adds messages that were read elsewhere, and puts all into the order of arrival.
func (r *Recording) Add(messages ...Message) {
	r.Messages = append(r.Messages, messages...)
	slices.SortStableFunc(r.Messages, func(a, b Message) int { return cmp.Or(a.At.Compare(b.At), bytes.Compare(a.Body, b.Body)) })
}

// Between keeps what arrived from one instant up to another; a zero one is open.
func (r *Recording) Between(from, to time.Time) {
	r.Messages = slices.DeleteFunc(r.Messages, func(m Message) bool {
		return (!from.IsZero() && m.At.Before(from)) || (!to.IsZero() && !m.At.Before(to))
	})
}
