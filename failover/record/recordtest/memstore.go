package recordtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Op names a call of record.Store.
type Op string

// The four calls of a store.
const (
	Load   Op = "load"
	Save   Op = "save"
	Append Op = "append"
	List   Op = "list"
)

// When says on which side of an effect a hook is called.
type When string

// The two sides of an effect.
const (
	Before When = "before" // nothing has been written yet
	After  When = "after"  // it has been written, the caller does not know yet
)

// Memory is a correct record.Store in memory, with hooks that make it fail on
// purpose. It is safe for many goroutines and has no clock and no randomness:
// the same calls give the same ETags.
//
// A plan of faults is laid before the calls that it should hit:
//
//	m := recordtest.NewMemory()
//	m.Fail(recordtest.Save, "group/east", fault.Conflict) // the next such Save does nothing and says Conflict
//	m.LoseAnswer(recordtest.Save, "")                     // the next Save of any key is done and says Unavailable
//	m.FullDisk(true)                                      // writes do nothing and say Unavailable until FullDisk(false)
//	m.OnEffect(func(w recordtest.When, n int, op recordtest.Op, key string) { ... })
//
// An effect is a Save or an Append that changes something. To test a crash, panic
// with a value of your own in the OnEffect hook at effect n, recover it around the
// engine, and start a new engine on the same Memory: Before means that the effect
// is lost, After that it is durable though its caller never learned of it.
type Memory struct {
	mu      sync.Mutex
	docs    map[string]record.Document
	rows    map[string][]record.Row
	version int // last ETag given
	effects int
	calls   map[Op]int
	faults  []planned
	full    bool
	hook    func(When, int, Op, string)
}

// planned is a fault that waits for its call.
type planned struct {
	op   Op
	key  string // "" for any
	kind fault.Kind
	lose bool // do it, then say kind
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{docs: map[string]record.Document{}, rows: map[string][]record.Row{}, calls: map[Op]int{}}
}

// Fail makes the next call of op on key fail with kind and do nothing. The key of
// an Append is its stream, that of a List its prefix; "" stands for any. Faults
// for the same call are used up in the order in which they were laid.
func (m *Memory) Fail(op Op, key string, kind fault.Kind) {
	m.plan(planned{op: op, key: key, kind: kind})
}

// LoseAnswer makes the next call of op on key take effect and then fail with
// Unavailable, as if the answer was lost on the way.
func (m *Memory) LoseAnswer(op Op, key string) {
	m.plan(planned{op: op, key: key, kind: fault.Unavailable, lose: true})
}

// FullDisk makes every later write fail with Unavailable, until it is called
// with false. Reads go on.
func (m *Memory) FullDisk(full bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = full
}

// OnEffect sets a hook that is called before and after each effect, with the
// number of the effect counted from 1 over the store's life. It is called without
// a lock held, so it may use the store and it may panic. An effect that a race
// turned into a conflict after its Before has no After. nil removes the hook.
func (m *Memory) OnEffect(hook func(w When, n int, op Op, key string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// Effects returns how many writes have changed something.
func (m *Memory) Effects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.effects
}

// Calls returns how often op was called, failed calls included.
func (m *Memory) Calls(op Op) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[op]
}

// Clone returns a store with the same contents and no hooks: a backup that can be
// taken back, or one branch of a search.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	c.version = m.version
	for key, doc := range m.docs {
		doc.Body = bytes.Clone(doc.Body)
		c.docs[key] = doc
	}
	for stream, rows := range m.rows {
		for _, row := range rows {
			c.rows[stream] = append(c.rows[stream], record.Row{Seq: row.Seq, Body: bytes.Clone(row.Body)})
		}
	}
	return c
}

// Restore puts the contents of an earlier Clone back, as a restored backup does.
// ETags go on from where they were, so that no ETag names two contents.
func (m *Memory) Restore(backup *Memory) {
	c := backup.Clone()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.docs, m.rows = c.docs, c.rows
}

// RestoreParts puts documents and journals back from different instants, as a
// storage account that fails over to its copy does: the copy was made blob by blob.
// A nil part stays as it is.
func (m *Memory) RestoreParts(docs, rows *Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if docs != nil {
		m.docs = docs.Clone().docs
	}
	if rows != nil {
		m.rows = rows.Clone().rows
	}
}

// Dump returns everything stored, by key, rows included: to compare two ends of
// one story.
func (m *Memory) Dump() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]string{}
	for key, doc := range m.docs {
		all[key] = string(doc.Body)
	}
	for stream, rows := range m.rows {
		for _, row := range rows {
			all[record.RowKey(stream, row.Seq)] = string(row.Body)
		}
	}
	return all
}

// Rows returns the rows of a stream.
func (m *Memory) Rows(stream string) []record.Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows[stream])
}

// Load implements record.Store.
func (m *Memory) Load(ctx context.Context, key string) (record.Document, error) {
	lost, err := m.enter(ctx, Load, "load document", key)
	if err != nil {
		return record.Document{}, err
	}
	if err := record.CheckKey("load document", key); err != nil {
		return record.Document{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	doc, found := m.docs[key]
	if !found {
		doc, found = m.row(key)
	}
	if !found {
		return record.Document{}, &fault.Error{Op: "load document", Target: key, Kind: fault.NotFound}
	}
	doc.Body = bytes.Clone(doc.Body)
	return doc, lost
}

// Save implements record.Store.
func (m *Memory) Save(ctx context.Context, doc record.Document) (string, error) {
	lost, err := m.enter(ctx, Save, "save document", doc.Key)
	if err != nil {
		return "", err
	}
	if err := record.CheckDocument(doc); err != nil {
		return "", err
	}
	etag, done, err := m.trySave(doc, false)
	if done || err != nil {
		return answer(etag, err, lost)
	}
	n, hook := m.before(Save, doc.Key)
	etag, done, err = m.trySave(doc, true)
	if err == nil && !done && hook != nil {
		hook(After, n, Save, doc.Key)
	}
	return answer(etag, err, lost)
}

// trySave says what saving doc leads to, and does it if write is set. done means
// that the stored document is this very Save already.
func (m *Memory) trySave(doc record.Document, write bool) (etag string, done bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.docs[doc.Key]
	if stored.ETag != doc.ETag {
		if stored.Nonce == doc.Nonce {
			return stored.ETag, true, nil
		}
		return "", false, &fault.Error{Op: "save document", Target: doc.Key, Kind: fault.Conflict, Hint: "load it again and decide again"}
	}
	if m.full {
		return "", false, fullDisk("save document", doc.Key)
	}
	if write {
		m.version++
		m.effects++
		doc.ETag, doc.Body = fmt.Sprintf("e%d", m.version), bytes.Clone(doc.Body)
		m.docs[doc.Key] = doc
	}
	return doc.ETag, false, nil
}

// Append implements record.Store.
func (m *Memory) Append(ctx context.Context, stream string, rows []record.Row) error {
	lost, err := m.enter(ctx, Append, "append rows", stream)
	if err != nil {
		return err
	}
	if err := record.CheckRows(stream, rows); err != nil {
		return err
	}
	fresh, err := m.tryAppend(stream, rows, false)
	if err != nil || fresh == 0 {
		_, err = answer("", err, lost)
		return err
	}
	n, hook := m.before(Append, stream)
	fresh, err = m.tryAppend(stream, rows, true)
	if err == nil && fresh > 0 && hook != nil {
		hook(After, n, Append, stream)
	}
	_, err = answer("", err, lost)
	return err
}

// tryAppend returns how many of rows are new, and adds them if write is set.
func (m *Memory) tryAppend(stream string, rows []record.Row, write bool) (fresh int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored := m.rows[stream]
	for i, row := range rows {
		switch last := uint64(len(stored)); {
		case row.Seq <= last && !bytes.Equal(stored[row.Seq-1].Body, row.Body):
			return 0, &fault.Error{Op: "append rows", Target: record.RowKey(stream, row.Seq), Kind: fault.Conflict, Hint: "another row has this number; load the stream's head again"}
		case row.Seq <= last:
		case i == 0 && row.Seq > last+1:
			return 0, &fault.Error{Op: "append rows", Target: record.RowKey(stream, row.Seq), Kind: fault.Invalid, Hint: fmt.Sprintf("the stream ends at row %d; rows are added without a gap", last)}
		default:
			fresh++
		}
	}
	if fresh > 0 && m.full {
		return 0, fullDisk("append rows", stream)
	}
	if write && fresh > 0 {
		m.effects++
		for _, row := range rows[len(rows)-fresh:] {
			m.rows[stream] = append(m.rows[stream], record.Row{Seq: row.Seq, Body: bytes.Clone(row.Body)})
		}
	}
	return fresh, nil
}

// List implements record.Store.
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	lost, err := m.enter(ctx, List, "list", prefix)
	if err != nil {
		return nil, err
	}
	if err := record.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.docs {
		keys = append(keys, key)
	}
	for stream, rows := range m.rows {
		for _, row := range rows {
			keys = append(keys, record.RowKey(stream, row.Seq))
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, prefix) || key <= after })
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], lost
}

// Streams returns the names of all streams, sorted.
func (m *Memory) Streams() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.rows))
}

// row finds the row that key names. Its ETag never changes: rows are never rewritten.
func (m *Memory) row(key string) (record.Document, bool) {
	for stream, rows := range m.rows {
		for _, row := range rows {
			if record.RowKey(stream, row.Seq) == key {
				return record.Document{Key: key, ETag: "row", Body: row.Body}, true
			}
		}
	}
	return record.Document{}, false
}

// enter counts a call and meets the fault that waits for it. err means: do
// nothing and say so. lost is what to say after a call that was done.
func (m *Memory) enter(ctx context.Context, op Op, verb, key string) (lost, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[op]++
	if ctx.Err() != nil {
		return nil, &fault.Error{Op: verb, Target: key, Kind: fault.Unavailable, Err: ctx.Err()}
	}
	for i, f := range m.faults {
		if f.op == op && (f.key == "" || f.key == key) {
			m.faults = slices.Delete(m.faults, i, i+1)
			said := &fault.Error{Op: verb, Target: key, Kind: f.kind, Hint: "planned by the test"}
			if f.lose {
				return said, nil
			}
			return nil, said
		}
	}
	return nil, nil
}

// before calls the hook ahead of an effect and returns its number.
func (m *Memory) before(op Op, key string) (int, func(When, int, Op, string)) {
	m.mu.Lock()
	n, hook := m.effects+1, m.hook
	m.mu.Unlock()
	if hook != nil {
		hook(Before, n, op, key)
	}
	return n, hook
}

func (m *Memory) plan(f planned) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, f)
}

// answer puts a lost answer in the place of a good one.
func answer(etag string, err, lost error) (string, error) {
	if err == nil && lost != nil {
		return "", lost
	}
	return etag, err
}

func fullDisk(op, target string) error {
	return &fault.Error{Op: op, Target: target, Kind: fault.Unavailable, Code: "ENOSPC", Hint: "the disk is full; free some space"}
}
