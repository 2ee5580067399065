package proof

import (
	"context"
	"errors"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// store is the record as one instance sees it.
type store struct {
	w *world
	i *instance
}

func lost(op, key string) error {
	return &fault.Error{Op: op, Target: key, Kind: fault.Unavailable, Err: errors.New("no answer")}
}

func (s store) latency(what string) time.Duration {
	return s.w.span(s.i.name, s.i.seq, what, 3*time.Millisecond, 60*time.Millisecond)
}

func (s store) Load(ctx context.Context, key string) (doc record.Document, err error) {
	s.w.effect("load", key, s.latency("load"), func() {
		if s.w.fault("store-unavailable", s.i.name, s.i.seq) {
			err = lost("load", key)
			return
		}
		s.w.judge.looked(s.i, key)
		doc, err = s.w.store.Load(ctx, key)
		if err == nil {
			s.w.mutant.loaded(s.w, &doc)
		}
	})
	return doc, err
}

func (s store) Save(ctx context.Context, doc record.Document) (etag string, err error) {
	w := s.w
	w.effect("save", doc.Key, s.latency("save"), func() {
		n := s.i.seq
		switch {
		case w.fault("store-unavailable", s.i.name, n):
			err = w.mutant.saveFailed(doc, lost("save", doc.Key))
			return
		case w.fault("store-conflict", s.i.name, n):
			err = &fault.Error{Op: "save", Target: doc.Key, Kind: fault.Conflict}
			return
		}
		if i := s.i; i.newer {
			doc.Body = news(doc.Body)
		}
		tag, handled := w.mutant.save(w, &doc)
		if handled {
			etag = tag
			return
		}
		w.judge.keepsNews(s.i, doc)
		etag, err = w.store.Save(ctx, doc)
		if err == nil {
			w.judge.saved(s.i, doc)
		}
		if w.fault("store-lost-answer", s.i.name, n) {
			etag, err = "", lost("save", doc.Key)
		}
	})
	if err != nil {
		w.judge.unsaved(s.i)
	}
	return etag, err
}

func (s store) Append(ctx context.Context, stream string, rows []record.Row) (err error) {
	w := s.w
	w.effect("append", stream, s.latency("append"), func() {
		if w.fault("store-unavailable", s.i.name, s.i.seq) {
			err = lost("append", stream)
			return
		}
		if w.mutant.append(w, stream, &rows) {
			return
		}
		err = w.store.Append(ctx, stream, rows)
		if w.fault("store-lost-answer", s.i.name, s.i.seq) {
			err = lost("append", stream)
		}
	})
	return err
}

func (s store) List(ctx context.Context, prefix, after string, limit int) (keys []string, err error) {
	s.w.effect("list", prefix, s.latency("list"), func() { keys, err = s.w.store.List(ctx, prefix, after, limit) })
	return keys, err
}

// network is Azure as one instance sees it.
type network struct {
	w *world
	i *instance
}

func executorNetwork(n network) executor.Network { return n }

func (n network) latency(what string) time.Duration {
	return n.w.span(n.i.name, n.i.seq, what, 30*time.Millisecond, 900*time.Millisecond)
}

func unavailable(op, target string) error {
	return &fault.Error{Op: op, Target: target, Kind: fault.Unavailable, Err: errors.New("503")}
}

func (n network) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	out := make([]executor.Reading, len(refs))
	w := n.w
	w.effect("read", "", n.latency("read"), func() {
		for k, ref := range refs {
			out[k] = executor.Reading{Ref: ref, At: n.i.Now(), Found: true}
			w.judge.looked(n.i, ref.ID)
			if w.fault("arm-5xx-read", n.i.name, n.i.seq*64+k) {
				out[k].Found, out[k].Err = false, unavailable("read", ref.ID)
				continue
			}
			stale := time.Duration(0)
			if ref.Kind == executor.RefConnection && w.fault("stale-get", n.i.name, n.i.seq*64+k) {
				stale = w.span(n.i.name, n.i.seq*64+k, "stale-by", time.Second, 30*time.Second)
			}
			w.azure.read(ref, &out[k], stale)
			if c := out[k].Connection; c != nil {
				w.judge.seen(c.ID, c.Weight, stale)
			}
		}
	})
	return out
}

func (n network) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	out := make([]executor.Begun, len(writes))
	w := n.w
	sent := make([]*flight, len(writes))
	w.effect("begin", "", n.latency("begin"), func() {
		for k, wr := range writes {
			out[k], sent[k] = w.azure.prepare(n.i, n.i.seq*64+k, wr)
		}
	})
	// The requests are on the wire: they arrive whatever becomes of this process.
	var longest time.Duration
	for _, f := range sent {
		if f != nil {
			longest = max(longest, f.arrives.Sub(w.now)+time.Millisecond)
		}
	}
	if longest == 0 {
		return out
	}
	w.wait(longest)
	w.effect("reply", "", n.latency("reply"), func() {})
	for k, f := range sent {
		if f != nil {
			out[k] = f.answer
			w.judge.tell(n.i, f)
		}
	}
	return out
}

func (n network) Ask(_ context.Context, qs []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(qs))
	n.w.effect("ask", "", n.latency("ask"), func() {
		for k, q := range qs {
			if n.w.fault("arm-5xx-read", n.i.name, n.i.seq*64+k) {
				out[k] = executor.Begun{Outcome: executor.Unknown, Err: unavailable("ask", q.Target)}
				continue
			}
			out[k] = n.w.azure.ask(q)
		}
	})
	return out
}

func (n network) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	out := make([]executor.Polled, len(running))
	n.w.effect("poll", "", n.latency("poll"), func() {
		for k, r := range running {
			if n.w.fault("arm-5xx-read", n.i.name, n.i.seq*64+k) {
				out[k] = executor.Polled{Outcome: executor.Unknown, Err: unavailable("poll", "")}
				continue
			}
			out[k] = n.w.azure.poll(n.i, r)
		}
	})
	return out
}
