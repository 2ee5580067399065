package telemetry

import (
	"context"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/trace"
)

// Network returns net with a span for each write, from its send to the answer, and
// one for each batch of reads, questions and looks.
func Network(net executor.Network, t trace.Tracer) executor.Network { return network{net, t} }

type network struct {
	executor.Network
	t trace.Tracer
}

// Begin sends writes. All spans of a batch begin together, as the writes do.
func (n network) Begin(ctx context.Context, writes []executor.Write) []executor.Begun {
	began := time.Now()
	spans := make([]trace.Span, len(writes))
	for i, w := range writes {
		name := "write weight"
		if w.Kind != planner.SetWeight {
			name = "pull lever"
		}
		_, spans[i] = n.t.Begin(ctx, trace.Work{Name: name, Kind: trace.Client, Attrs: about(w)})
	}
	out := n.Network.Begin(ctx, writes)
	for i, b := range out {
		spans[i].Set(trace.Text(trace.KeyOutcome, outcome(b.Outcome, b.Token)))
		if b.Correlation != "" {
			spans[i].Set(trace.Text(trace.KeyRequest, b.Correlation))
		}
		spans[i].End(b.Err)
		n.t.Measure(ctx, trace.Writes, time.Since(began).Seconds(), trace.Text(trace.KeyOutcome, outcome(b.Outcome, b.Token)))
	}
	return out
}

// about names a write: the connection, or what a lever is pulled on, by its name and
// not its whole ID.
func about(w executor.Write) []trace.Attr {
	if w.Kind != planner.SetWeight {
		return []trace.Attr{trace.Text(trace.KeyConnection, short(w.Connection)), trace.Text(trace.KeyWrite, w.ID), trace.Text(trace.KeyLever, string(w.Kind)), trace.Text(trace.KeyCut, strconv.FormatBool(w.Cut))}
	}
	return []trace.Attr{trace.Text(trace.KeyConnection, short(w.Connection)), trace.Text(trace.KeyWrite, w.ID),
		trace.Number(trace.KeyFrom, int64(w.From)), trace.Number(trace.KeyTo, int64(w.To))}
}

func short(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// outcome names where a write stands.
func outcome(o executor.Outcome, t executor.Token) string {
	if t != "" {
		return "running"
	}
	return string(o)
}

// Poll looks at what runs: one span for each write, one for all questions.
func (n network) Poll(ctx context.Context, running []executor.Running) []executor.Polled {
	spans := make([]trace.Span, len(running))
	for i, r := range running {
		if r.Write != nil {
			_, spans[i] = n.t.Begin(ctx, trace.Work{Name: "follow write", Kind: trace.Client, Attrs: about(*r.Write)})
		}
	}
	ctx, all := n.t.Begin(ctx, trace.Work{Name: "poll", Kind: trace.Client, Attrs: []trace.Attr{trace.Number(trace.KeyCount, int64(len(running)))}})
	out := n.Network.Poll(ctx, running)
	all.End(nil)
	for i, p := range out {
		if spans[i] == nil {
			continue
		}
		state := executor.Token("goes on")
		if p.Done {
			state = ""
		}
		spans[i].Set(trace.Text(trace.KeyOutcome, outcome(p.Outcome, state)))
		spans[i].End(p.Err)
	}
	return out
}

// Read reads resources.
func (n network) Read(ctx context.Context, refs []executor.Ref) []executor.Reading {
	ctx, s := n.t.Begin(ctx, trace.Work{Name: "read", Kind: trace.Client, Attrs: []trace.Attr{trace.Number(trace.KeyCount, int64(len(refs)))}})
	out := n.Network.Read(ctx, refs)
	s.End(nil)
	return out
}

// Ask asks slow questions.
func (n network) Ask(ctx context.Context, questions []executor.Question) []executor.Begun {
	ctx, s := n.t.Begin(ctx, trace.Work{Name: "ask", Kind: trace.Client, Attrs: []trace.Attr{trace.Number(trace.KeyCount, int64(len(questions)))}})
	out := n.Network.Ask(ctx, questions)
	s.End(nil)
	return out
}
