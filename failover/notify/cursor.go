package notify

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// cursor is the document of one channel: how far it has been told. It holds no
// address and no key.
type cursor struct {
	Schema    int             `json:"schema"`
	Marks     map[string]mark `json:"marks"`              // by journal stream
	Ordinary  time.Time       `json:"ordinary,omitzero"`  // the channel's allowance of ordinary messages is used up to this time
	Urgent    time.Time       `json:"urgent,omitzero"`    // and that of urgent ones
	NotBefore time.Time       `json:"notBefore,omitzero"` // nothing is sent before this
	Failures  int             `json:"failures,omitzero"`  // in a row
	Trouble   string          `json:"trouble,omitzero"`   // kind of the newest failure
	Owner     string          `json:"owner,omitzero"`     // who is sending now
	Until     time.Time       `json:"until,omitzero"`     // and until when that counts
}

// mark is how far a channel has been told of one stream.
type mark struct {
	Seq      uint64    `json:"seq"` // the newest entry that was told, counted or of no interest
	Ordinary time.Time `json:"ordinary,omitzero"`
	Memory   memory    `json:"memory,omitzero"`
	Held     held      `json:"held,omitzero"`
}

// held counts ordinary entries that wait for a summary.
type held struct {
	Count    int            `json:"count,omitzero"`
	Since    time.Time      `json:"since,omitzero"` // of the pass that held the first
	Topics   map[Topic]int  `json:"topics,omitempty"`
	Severity Severity       `json:"severity,omitzero"` // the loudest
	Newest   string         `json:"newest,omitzero"`
	Codes    map[string]int `json:"codes,omitempty"`
	Resolves []string       `json:"resolves,omitempty"`
}

// DocumentKey returns the key of a channel's cursor in the record.
func DocumentKey(channel string) string { return "notify/" + channel }

// lane is a channel during one pass: its cursor as it was loaded.
type lane struct {
	target Target
	etag   string
	fresh  bool // the channel has never been told anything
	cursor cursor
}

// load reads a channel's cursor.
func (n *Notifier) load(ctx context.Context, t Target) (*lane, error) {
	l := &lane{target: t, cursor: cursor{Schema: record.Schema, Marks: map[string]mark{}}}
	doc, err := n.o.Store.Load(ctx, DocumentKey(t.Key))
	if errors.Is(err, fault.NotFound) {
		l.fresh = true
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	const hint = "delete the document; the channel is told of the last minutes again"
	if err := json.Unmarshal(doc.Body, &l.cursor); err != nil {
		return nil, &fault.Error{Op: "read notification cursor", Target: doc.Key, Kind: fault.Corrupt, Hint: hint, Err: err}
	}
	if l.cursor.Schema > record.Schema {
		return nil, &fault.Error{Op: "read notification cursor", Target: doc.Key, Kind: fault.Refused, Hint: "a newer program wrote it; run that one"}
	}
	if l.cursor.Marks == nil {
		l.cursor.Marks = map[string]mark{}
	}
	l.etag = doc.ETag
	return l, nil
}

// save stores a channel's cursor. A Conflict means that another instance tells the
// channel.
func (n *Notifier) save(ctx context.Context, l *lane) error {
	body, err := json.Marshal(l.cursor, json.Deterministic(true))
	if err != nil {
		return &fault.Error{Op: "save notification cursor", Target: l.target.Key, Kind: fault.Internal, Err: err}
	}
	etag, err := n.o.Store.Save(ctx, record.Document{Key: DocumentKey(l.target.Key), ETag: l.etag, Nonce: n.o.Nonce(), Body: body})
	if err != nil {
		return err
	}
	l.etag = etag
	return nil
}
