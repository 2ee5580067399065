package failover

import (
	"context"

	"erfailover/failover/executor"
	"erfailover/failover/record"
)

// verify looks for traffic on the new circuits: byte counters that move.
func (w *work) verify(ctx context.Context, op *record.Operation) error {
	t := op.Traffic
	now := w.Clock.Now()
	if t == nil || now.Before(t.NotBefore) {
		return nil
	}
	w.dirty = true
	t.After = w.traffic(ctx, op.Plan.To)
	t.Seen = moved(t.Before, t.After)
	if !t.Seen && now.Before(t.Deadline) {
		t.NotBefore = now.Add(w.Timing.Poll)
		return nil
	}
	op.Status, op.Result = record.Ended, record.AppliedOK
	if !t.Seen && op.Plan.Lever == "" {
		if t.Stayed = moved(t.Left, w.traffic(ctx, op.Plan.From)); t.Stayed {
			op.Notes = append(op.Notes, "the weights are in place and the traffic still leaves over "+list(op.Plan.From))
		}
	}
	if !t.Seen {
		op.Notes = append(op.Notes, "no traffic was seen on "+list(op.Plan.To)+" in time")
		return nil
	}
	op.Stamps.Verify = now
	if !op.Stamps.Converge.IsZero() {
		op.Result = record.Proven
	}
	return nil
}

// traffic reads byte counters; circuits whose counters cannot be read are left out.
func (w *work) traffic(ctx context.Context, circuits []string) map[string]record.TrafficReading {
	var refs []executor.Ref
	for _, name := range circuits {
		if c, ok := w.estate.Facts.Circuit(name); ok {
			refs = append(refs, executor.Ref{Kind: executor.RefTraffic, ID: c.ID})
		}
	}
	out := map[string]record.TrafficReading{}
	for _, got := range w.Network.Read(ctx, refs) {
		if got.Err == nil && got.Traffic != nil {
			out[w.estate.Facts.CircuitOf(got.Ref.ID)] = record.TrafficReading{At: got.At, Bytes: *got.Traffic}
		}
	}
	return out
}

// only returns the readings of some circuits.
func only(all map[string]record.TrafficReading, circuits []string) map[string]record.TrafficReading {
	out := map[string]record.TrafficReading{}
	for _, name := range circuits {
		if r, ok := all[name]; ok {
			out[name] = r
		}
	}
	return out
}

// moved reports whether, on every circuit, bytes from Azure were counted since the
// first look.
func moved(before, after map[string]record.TrafficReading) bool {
	for name, b := range before {
		a, ok := after[name]
		if !ok || a.Bytes.Out[0]+a.Bytes.Out[1] <= b.Bytes.Out[0]+b.Bytes.Out[1] {
			return false
		}
	}
	return len(before) > 0
}
