package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/report"
)

// How a check looks deep. A slow read takes Azure tens of seconds; nobody has published
// more.
const (
	deepAbreast  = 8 // lanes at once: one lane is one link of a circuit, or one gateway
	deepPatience = 2 * time.Minute
	deepPause    = 2 * time.Second // between two looks, when Azure tells no pace
)

// asker is the half of executor.Network that slow reads take.
type asker interface {
	Ask(ctx context.Context, questions []executor.Question) []executor.Begun
	Poll(ctx context.Context, running []executor.Running) []executor.Polled
}

// deepReader asks slow reads, lane by lane.
type deepReader struct {
	net      asker
	patience time.Duration        // longest wait for one slow read, from its first request
	pause    time.Duration        // between two looks at it, when Azure tells no longer one
	tell     func(done, left int) // progress; from one goroutine at a time

	mu         sync.Mutex
	looks      []report.Look
	done, left int
}

// read asks everything that a check in depth asks. Each question has its answer or the
// reason why there is none, in the order in which the lanes stand.
func (d *deepReader) read(ctx context.Context, lanes [][]executor.Question) []report.Look {
	for _, lane := range lanes {
		d.left += len(lane)
	}
	d.looks = []report.Look{}
	found := make([][]report.Look, len(lanes))
	var g errgroup.Group
	g.SetLimit(deepAbreast)
	for i, lane := range lanes {
		g.Go(func() error {
			for n := 0; n < len(lane); n++ {
				l := d.one(ctx, lane[n])
				more := report.Further(l.Answer)
				lane = append(lane, more...)
				found[i] = append(found[i], l)
				d.count(len(more))
			}
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	for _, list := range found {
		d.looks = append(d.looks, list...)
	}
	return d.looks
}

// count tells that one read has ended, and how many it leads to.
func (d *deepReader) count(more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done, d.left = d.done+1, d.left-1+more
	d.tell(d.done, d.left)
}

// one asks one question and waits for its answer until its deadline. What Azure refuses
// for now is asked again.
func (d *deepReader) one(ctx context.Context, q executor.Question) report.Look {
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	out := report.Look{Question: q}
	var running executor.Running
	for last := error(nil); ; {
		var after time.Duration
		if running.Token == "" {
			b := d.net.Ask(ctx, []executor.Question{q})[0]
			out.Answer, out.Err, after = b.Answer, b.Err, b.RetryAfter
			running = executor.Running{Token: b.Token, Question: &q}
			if b.Answer == nil && b.Token == "" && !passing(b.Err) {
				out.Err = cmp.Or(b.Err, error(noAnswer(q, "Azure gave no answer", nil)))
				return out
			}
		} else {
			p := d.net.Poll(ctx, []executor.Running{running})[0]
			out.Answer, out.Err, after = p.Answer, p.Err, p.RetryAfter
			if p.Token != "" {
				running.Token = p.Token
			}
			if p.Answer == nil && (p.Done || p.Err != nil && !passing(p.Err)) {
				out.Err = cmp.Or(p.Err, error(noAnswer(q, "Azure ended the read without an answer", nil)))
				return out
			}
		}
		if out.Answer != nil {
			out.Err = nil
			return out
		}
		if out.Err != nil && ctx.Err() == nil {
			last = out.Err
		}
		if !rest(ctx, max(after, d.pause)) {
			out.Err = noAnswer(q, fmt.Sprintf("no answer within %s", d.patience), last)
			return out
		}
	}
}

// passing reports whether a refusal is one of the moment.
func passing(err error) bool {
	return errors.Is(err, fault.Throttled) || errors.Is(err, fault.Busy) || errors.Is(err, fault.Unavailable)
}

// noAnswer says that a deadline passed, and what Azure last said.
func noAnswer(q executor.Question, text string, last error) *fault.Error {
	err := errors.New(text)
	if last != nil {
		err = fmt.Errorf("%s; last: %w", text, last)
	}
	return &fault.Error{Op: "read " + string(q.Kind), Target: q.Target, Kind: fault.Unavailable, Hint: "check again, or give it longer with --patience", Err: err}
}

// rest waits, and reports whether there is still time.
func rest(ctx context.Context, d time.Duration) bool {
	if by, ok := ctx.Deadline(); ok && time.Until(by) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
