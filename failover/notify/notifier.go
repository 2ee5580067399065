package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Target is one channel of the configuration.
type Target struct {
	Key     string // names its cursor: [a-z0-9._-]
	Topics  []Topic
	Limits  Limits
	Channel Channel
}

// Options are what a Notifier is made of.
type Options struct {
	Store   record.Store
	Streams []string // of the journal: "group.east", "drill.monthly", "estate"
	Targets []Target
	Voice   Voice
	Owner   string           // names this process
	Now     func() time.Time // the clock
	Nonce   func() string    // random, for the record; called from many goroutines
}

// Notifier tells channels what the journal says. One Run at a time.
type Notifier struct{ o Options }

// New returns a Notifier. It sends nothing.
func New(o Options) *Notifier { return &Notifier{o} }

const (
	claimTime = 30 * time.Second // an instance that died while sending is waited for so long
	saveTime  = 3 * time.Second  // a cursor is saved even when the pass is out of time
	patience  = 6                // failures, after which a message that is refused as such is put aside
)

// Run makes one pass: what is new in the journal is sent to each channel that is due.
// Channels do not wait for each other. The error joins what went wrong; what was not
// sent is sent by a later pass.
func (n *Notifier) Run(ctx context.Context) error {
	now := n.o.Now()
	var lanes []*lane
	var errs []error
	for _, t := range n.o.Targets {
		l, err := n.load(ctx, t)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if now.Before(l.cursor.NotBefore) || now.Before(l.cursor.Until) && l.cursor.Owner != n.o.Owner {
			continue
		}
		lanes = append(lanes, l)
	}
	entries, err := n.gather(ctx, lanes, now)
	errs = append(errs, err)
	results := make([]error, len(lanes))
	var all sync.WaitGroup
	for i, l := range lanes {
		all.Go(func() { results[i] = n.deliver(ctx, l, entries, now) })
	}
	all.Wait()
	return errors.Join(append(errs, results...)...)
}

// gather reads what is new to any of the lanes, each stream once. A stream that
// cannot be read does not keep the others back.
func (n *Notifier) gather(ctx context.Context, lanes []*lane, now time.Time) (map[string][]record.Entry, error) {
	entries, left := map[string][]record.Entry{}, maxEntries
	var errs []error
	for _, stream := range n.o.Streams {
		from, any, begin := uint64(0), false, int64(-1)
		for _, l := range lanes {
			m, known := l.cursor.Marks[stream]
			if !known {
				if begin < 0 {
					seq, err := n.recentMark(ctx, stream, now)
					if err != nil {
						errs, any = append(errs, err), false
						break
					}
					begin = int64(seq)
				}
				m = mark{Seq: uint64(begin)}
				l.cursor.Marks[stream], l.fresh = m, true
			}
			if !any || m.Seq < from {
				from, any = m.Seq, true
			}
		}
		if !any || left == 0 || ctx.Err() != nil {
			continue
		}
		got, err := n.read(ctx, stream, from, left)
		errs = append(errs, err)
		left -= len(got)
		if len(got) > 0 {
			entries[stream] = got
		}
	}
	return entries, errors.Join(errs...)
}

// deliver tells one channel. The cursor is claimed before anything is sent, so that
// two instances do not send the same, and moved after.
func (n *Notifier) deliver(ctx context.Context, l *lane, entries map[string][]record.Entry, now time.Time) error {
	steps, tail := fold(n.o.Voice, l.target, l.cursor, entries, now)
	if len(steps) == 0 {
		if len(tail.marks) == 0 && !l.fresh {
			return nil
		}
		l.cursor.apply(tail)
		return ignoreLost(n.save(ctx, l))
	}
	l.cursor.Owner, l.cursor.Until = n.o.Owner, now.Add(claimTime)
	if err := n.save(ctx, l); err != nil {
		return ignoreLost(err)
	}
	messages := make([]Message, len(steps))
	for i, s := range steps {
		messages[i] = s.message
	}
	sent, failed := l.target.Channel.Send(ctx, messages)
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer stop()
	if failed != nil && sent < len(steps) && l.cursor.Failures >= patience && errors.Is(failed, fault.Invalid) {
		if err := n.putAside(last, messages[sent], now); err != nil {
			return errors.Join(failed, err)
		}
		sent++
	}
	for _, s := range steps[:sent] {
		l.cursor.apply(s.change)
	}
	l.cursor.Owner, l.cursor.Until = "", time.Time{}
	if failed == nil {
		l.cursor.apply(tail)
		l.cursor.NotBefore, l.cursor.Failures, l.cursor.Trouble = time.Time{}, 0, ""
	} else {
		if sent > 0 {
			l.cursor.Failures = 0
		}
		l.cursor.Failures++
		l.cursor.Trouble = string(fault.KindOf(failed))
		l.cursor.NotBefore = now.Add(pause(l.cursor.Failures, failed))
	}
	return errors.Join(failed, n.save(last, l))
}

// putAside keeps a message that its target refuses again and again as a dead letter,
// so that it does not block those behind it.
func (n *Notifier) putAside(ctx context.Context, m Message, now time.Time) error {
	body, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return &fault.Error{Op: "put a notification aside", Kind: fault.Internal, Err: err}
	}
	letter, err := record.DeadLetter(now, "notification refused by its target", body, map[string]string{"format": "notification"})
	if err != nil {
		return err
	}
	_, err = n.o.Store.Save(ctx, letter)
	return err
}

// pause returns how long a channel rests after so many failures in a row: 5 s, then
// twice as long each time, up to 10 minutes, and never less than it asked for.
func pause(failures int, err error) time.Duration {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(5*time.Second), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0),
		backoff.WithMaxInterval(10*time.Minute), backoff.WithMaxElapsedTime(0))
	wait := b.NextBackOff()
	for range min(failures-1, 10) {
		wait = b.NextBackOff()
	}
	var e *fault.Error
	if errors.As(err, &e) {
		wait = max(wait, min(e.RetryAfter, time.Hour))
	}
	return wait
}

// ignoreLost drops a lost race: the instance that won it tells the channel.
func ignoreLost(err error) error {
	if errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Check sends a test message to each channel and returns what happened, by key.
func (n *Notifier) Check(ctx context.Context) map[string]error {
	out := map[string]error{}
	for _, t := range n.o.Targets {
		_, out[t.Key] = t.Channel.Send(ctx, []Message{Probe(n.o.Now(), n.o.Voice.link(""))})
	}
	return out
}

// Keys returns the channels' keys, sorted.
func (n *Notifier) Keys() []string {
	keys := map[string]bool{}
	for _, t := range n.o.Targets {
		keys[t.Key] = true
	}
	return slices.Sorted(maps.Keys(keys))
}
