package replay

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// memory is a record that lives as long as one replay.
type memory struct {
	docs map[string]record.Document
	rows map[string][]record.Row
	tag  int
}

var _ record.Store = (*memory)(nil)

func newMemory() *memory {
	return &memory{docs: map[string]record.Document{}, rows: map[string][]record.Row{}}
}

// Load implements record.Store.
func (m *memory) Load(_ context.Context, key string) (record.Document, error) {
	doc, ok := m.docs[key]
	if !ok {
		return record.Document{}, &fault.Error{Op: "load", Target: key, Kind: fault.NotFound}
	}
	return doc, nil
}

// Save implements record.Store.
func (m *memory) Save(_ context.Context, doc record.Document) (string, error) {
	if err := record.CheckDocument(doc); err != nil {
		return "", err
	}
	if m.docs[doc.Key].ETag != doc.ETag {
		return "", &fault.Error{Op: "save", Target: doc.Key, Kind: fault.Conflict}
	}
	m.tag++
	doc.ETag = strconv.Itoa(m.tag)
	m.docs[doc.Key] = doc
	return doc.ETag, nil
}

// Append implements record.Store.
func (m *memory) Append(_ context.Context, stream string, rows []record.Row) error {
	if err := record.CheckRows(stream, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Seq > uint64(len(m.rows[stream])) {
			m.rows[stream] = append(m.rows[stream], r)
		}
	}
	return nil
}

// List implements record.Store, for documents.
func (m *memory) List(_ context.Context, prefix, after string, limit int) ([]string, error) {
	var keys []string
	for k := range m.docs { // order-free: sorted below
		if strings.HasPrefix(k, prefix) && k > after {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys[:min(len(keys), limit)], nil
}

// entries returns the entries of the streams of one kind: "group" or "circuit".
func (m *memory) entries(stream string) ([]record.Entry, error) {
	out := make([]record.Entry, 0, len(m.rows[stream]))
	for _, r := range m.rows[stream] {
		e, err := record.ParseEntry(r.Body)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
