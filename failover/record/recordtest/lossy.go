package recordtest

import (
	"context"
	"errors"
	"sync"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Loss says what becomes of one call on its way.
type Loss string

// The three things that can become of a call.
const (
	Deliver     Loss = ""             // it is done, and the caller learns of it
	LoseRequest Loss = "lose-request" // it is not done, the caller gets Unavailable
	LoseReply   Loss = "lose-reply"   // it is done, the caller gets Unavailable
)

// Lossy wraps store with a bad line. script is asked once for each call, in the
// order of the calls, with the number of the call from 1; it may be asked by one
// goroutine at a time only.
func Lossy(store record.Store, script func(n int, op Op, key string) Loss) record.Store {
	return &lossy{store: store, script: script}
}

type lossy struct {
	store  record.Store
	script func(int, Op, string) Loss
	mu     sync.Mutex
	n      int
}

var errLost = &fault.Error{Op: "reach the store", Kind: fault.Unavailable, Err: errors.New("the line was cut by the test")}

func (l *lossy) next(op Op, key string) Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	return l.script(l.n, op, key)
}

// over carries one call over the line.
func over[T any](loss Loss, call func() (T, error)) (T, error) {
	var zero T
	if loss == LoseRequest {
		return zero, errLost
	}
	answer, err := call()
	if loss == LoseReply {
		return zero, errLost
	}
	return answer, err
}

func (l *lossy) Load(ctx context.Context, key string) (record.Document, error) {
	return over(l.next(Load, key), func() (record.Document, error) { return l.store.Load(ctx, key) })
}

func (l *lossy) Save(ctx context.Context, doc record.Document) (string, error) {
	return over(l.next(Save, doc.Key), func() (string, error) { return l.store.Save(ctx, doc) })
}

func (l *lossy) Append(ctx context.Context, stream string, rows []record.Row) error {
	_, err := over(l.next(Append, stream), func() (struct{}, error) { return struct{}{}, l.store.Append(ctx, stream, rows) })
	return err
}

func (l *lossy) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	return over(l.next(List, prefix), func() ([]string, error) { return l.store.List(ctx, prefix, after, limit) })
}
