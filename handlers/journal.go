package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Page is one page of a journal stream, newest first.
type Page struct {
	Stream  string         `json:"stream"`
	Newest  uint64         `json:"newest"`        // number of the newest entry of the stream
	Entries []record.Entry `json:"entries"`       // newest first
	Next    uint64         `json:"next,omitzero"` // ask for the page before this number; 0: there is none
}

// Journal returns up to limit entries of a stream that come before a number, newest
// first; 0 begins at the end. Streams are "estate", "group.NAME" and "circuit.NAME".
func (v *Views) Journal(ctx context.Context, stream string, before uint64, limit int) (Page, error) {
	page := Page{Stream: stream, Entries: []record.Entry{}}
	head, err := v.head(ctx, stream)
	if err != nil {
		return page, err
	}
	page.Newest = head
	at := head
	if before > 0 && before <= head {
		at = before - 1
	}
	for ; at > 0 && len(page.Entries) < limit; at-- {
		e, err := v.entry(ctx, stream, at)
		if errors.Is(err, fault.NotFound) {
			continue // saved with the document, not yet in the journal
		}
		if err != nil {
			return page, err
		}
		page.Entries = append(page.Entries, e)
	}
	if at > 0 {
		page.Next = at + 1
	}
	return page, nil
}

// entry loads one line.
func (v *Views) entry(ctx context.Context, stream string, seq uint64) (record.Entry, error) {
	doc, err := v.engine.Store.Load(ctx, record.RowKey(stream, seq))
	if err != nil {
		return record.Entry{}, err
	}
	return record.ParseEntry(doc.Body)
}

// head returns the number of a stream's newest entry, from the document that the
// stream tells about.
func (v *Views) head(ctx context.Context, stream string) (uint64, error) {
	kind, name, _ := strings.Cut(stream, ".")
	key := ""
	switch kind {
	case "estate":
		if name == "" {
			key = record.EstateKey
		}
	case "group":
		if _, ok := v.engine.Topology.Group(name); ok {
			key = record.GroupKey(name)
		}
	case "circuit":
		if _, ok := v.engine.Topology.Circuit(name); ok {
			key = record.CircuitKey(name)
		}
	}
	if key == "" {
		return 0, noStream()
	}
	var doc struct {
		Head record.Head `json:"head"`
	}
	_, err := v.load(ctx, key, kind, &doc)
	return doc.Head.Seq, err
}

func noStream() error {
	return &fault.Error{Op: "find the stream", Kind: fault.NotFound, Hint: "name a stream: estate, group.NAME or circuit.NAME"}
}

// told are the codes that answer "what was decided and refused lately?".
var told = []string{"verdict.changed", "order.accepted", "order.answered", "operation.decided", "operation.waiting", "operation.ended", "claim.changed", "group.paused", "group.resumed", "group.acknowledged"}

// lately returns the newest entries about decisions of a group. It looks at no more
// than the last 60.
func (v *Views) lately(ctx context.Context, group string, head uint64) ([]record.Entry, error) {
	page, err := v.Journal(ctx, "group."+group, head+1, 60)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(page.Entries, func(e record.Entry) bool { return !slices.Contains(told, e.Code) })
	return out[:min(len(out), 10)], nil
}
