package failover

import (
	"context"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/record"
	"erfailover/failover/trace"
)

// What Azure's monitoring is asked for: the keys of troubles, and the words for them.
const (
	askMetrics = "metrics"
	askHealth  = "resource-health"
	askPlanned = "planned-work"
)

// metricsBack is how far back metrics are read: an older number is too old to speak.
const metricsBack = 10 * time.Minute

// Watch asks Azure's own monitoring what its messages may not have told us: circuits in
// doubt every minute, all every five. What it says comes in through Handle, as the same
// signals as the messages make. So a lost message costs minutes.
//
// It is no third door and stands in nobody's way: it holds no group's turn while it
// waits for Azure, and is meant to run beside Tick. What cannot be read is no evidence,
// and is said once.
func (e *Engine) Watch(ctx context.Context) (err error) {
	if e.Monitor == nil || e.Timing.PollAll <= 0 {
		return nil
	}
	r := &run{Engine: e, log: e.Log.With().Str("run", e.ID()).Str("door", "watch").Logger(), estate: record.Estate{Schema: record.Schema}}
	if r.etag, err = r.load(ctx, record.EstateKey, &r.estate); err != nil {
		return err
	}
	if r.etag == "" || r.estate.Config != r.Hash {
		return nil // a tick discovers it first
	}
	look, names, err := r.claimLook(ctx)
	if err != nil || (len(look.Health) == 0 && len(look.Planned) == 0) {
		return err
	}
	ctx, span := e.Trace.Begin(ctx, trace.Work{Name: "watch", Attrs: []trace.Attr{trace.Number(trace.KeyCount, int64(len(names)))}})
	defer func() { span.End(err) }()
	seen := e.Monitor.Look(ctx, look)
	signals, failed, err := r.hear(ctx, seen)
	if err != nil {
		return err
	}
	if len(signals) > 0 {
		if _, err := e.Handle(ctx, signals); err != nil {
			return err
		}
	}
	return r.tellTrouble(ctx, look, failed)
}

// claimLook returns what is to be asked now, saved as asked; nothing when nothing is due
// or another instance asks.
func (r *run) claimLook(ctx context.Context) (executor.Look, []string, error) {
	now := r.Clock.Now().UTC().Round(0)
	doc := record.Watch{Schema: record.Schema}
	etag, err := r.load(ctx, record.WatchKey, &doc)
	if err != nil {
		return executor.Look{}, nil, err
	}
	var look executor.Look
	var names []string
	metrics := executor.MetricQuery{Namespace: "Microsoft.Network/expressRouteCircuits", Names: []string{"BgpAvailability", "ArpAvailability"},
		From: now.Add(-metricsBack), To: now, Interval: time.Minute, Aggregation: executor.ByAverage, SplitBy: []string{"PeeringType", "Peer"}}
	asked := map[string]time.Time{}
	for _, c := range r.estate.Facts.Circuits {
		last := doc.Asked[c.Name]
		wait := r.Timing.PollAll
		if r.inDoubt(c.Name) {
			wait = min(wait, r.Timing.PollDoubt)
		}
		if now.Before(last.Add(wait)) {
			asked[c.Name] = last
			continue
		}
		asked[c.Name] = now
		names = append(names, c.Name)
		look.Health = append(look.Health, c.ID)
		metrics.Resources = append(metrics.Resources, executor.Measurable{ID: c.ID, Region: c.Region})
	}
	if len(names) > 0 {
		look.Metrics = []executor.MetricQuery{metrics}
	}
	if !now.Before(doc.Planned.Add(r.Timing.PollAll)) {
		doc.Planned = now
		for _, c := range r.estate.Facts.Circuits {
			look.Planned = append(look.Planned, c.ID)
		}
	}
	if len(names) == 0 && len(look.Planned) == 0 {
		return executor.Look{}, nil, nil
	}
	doc.Asked = asked
	if _, err = r.save(ctx, record.WatchKey, etag, "", &doc, &record.Trail{}); conflict(err) {
		return executor.Look{}, nil, nil // another instance asks
	}
	return look, names, err
}

// inDoubt reports whether the newest beat of any group in this process took a circuit
// for anything but healthy.
func (e *Engine) inDoubt(circuit string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, names := range e.doubts {
		if names[circuit] {
			return true
		}
	}
	return false
}

// doubt remembers which circuits a group does not take for healthy.
func (e *Engine) doubt(group string, v health.View) {
	names := map[string]bool{}
	for name, b := range v.Circuits {
		if b.State != health.Healthy {
			names[name] = true
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.doubts[group] = names
}

// hear turns what was seen into signals.
func (r *run) hear(ctx context.Context, seen executor.Seen) ([]events.Signal, failures, error) {
	failed := failures{}
	var out []events.Signal
	for _, answers := range seen.Metrics {
		for _, a := range answers {
			if a.Err != nil {
				failed.add(askMetrics, a.Err)
			}
			for _, s := range a.Series {
				sigs, err := events.Signals(samples(a.Resource, s))
				if err != nil {
					failed.add(askMetrics, strange(askMetrics, a.Resource, err))
				}
				out = append(out, sigs...)
			}
		}
	}
	for _, h := range seen.Health {
		if h.Err != nil {
			failed.add(askHealth, h.Err)
		}
		if h.Err != nil || !h.Found {
			continue
		}
		sigs, err := r.standing(ctx, h)
		if fault.KindOf(err) != fault.Invalid && err != nil {
			return nil, nil, err // the record could not be read
		}
		if err != nil {
			failed.add(askHealth, err)
		}
		out = append(out, sigs...)
	}
	for _, p := range seen.Planned {
		if p.Err != nil {
			failed.add(askPlanned, p.Err)
		}
		for _, w := range p.Work {
			sigs, err := planned(p.Subscription, w)
			if err != nil {
				failed.add(askPlanned, strange(askPlanned, w.Tracking, err))
			}
			out = append(out, sigs...)
		}
	}
	old := r.Clock.Now().Add(-health.Keep)
	return slices.DeleteFunc(out, func(s events.Signal) bool {
		return s.Kind == events.Health && !s.At.After(old) || len(r.speaksOf(s)) == 0 // what was asked about others is no message that somebody sent us
	}), failed, nil
}

// strange is an answer that was read and makes no sense.
func strange(what, target string, err error) error {
	return &fault.Error{Op: "understand " + what, Target: target, Kind: fault.Invalid, Err: err}
}

// samples are the steps of a series.
func samples(resource string, s executor.Series) []events.Sample {
	out := make([]events.Sample, len(s.Points))
	for i, p := range s.Points {
		out[i] = events.Sample{Resource: resource, Metric: s.Metric, Labels: s.Labels, At: p.At, Value: p.Value}
	}
	return out
}

// standing turns what Resource Health says into signals, given what it said before.
func (r *run) standing(ctx context.Context, h executor.Health) ([]events.Signal, error) {
	name := r.estate.Facts.CircuitOf(events.Canonical(h.Resource))
	doc := record.Circuit{Schema: record.Schema}
	if _, err := r.load(ctx, record.CircuitKey(name), &doc); err != nil {
		return nil, err
	}
	var known, still events.Signal
	for _, e := range doc.Memory.Evidence {
		to := &known
		if e.Source == events.StillSource {
			to = &still
		}
		if e.Observer == events.ResourceHealth && e.Link == events.BothLinks && !e.At.Before(to.At) {
			*to = events.Signal{State: e.State, At: e.At, UserAction: e.UserAction}
		}
	}
	sigs, err := events.Standing{Resource: h.Resource, State: h.State, Reason: h.Reason, Cause: h.Cause, Context: h.Context, Text: h.Text,
		Occurred: h.Occurred, Reported: h.Reported}.Signals(known, still)
	if err != nil {
		return nil, strange(askHealth, h.Resource, err)
	}
	return sigs, nil
}

// planned turns an announcement into signals: about each circuit that it names, or,
// where it names nothing, about those in its regions.
func planned(subscription string, w executor.Work) ([]events.Signal, error) {
	on := w.Circuits
	if !w.Named {
		on = []string{"/subscriptions/" + subscription}
	}
	var out []events.Signal
	for _, id := range on {
		s, ours, err := events.Announced{Tracking: w.Tracking, Status: w.Status, Services: w.Services, Regions: w.Regions, Title: w.Title,
			Start: w.Start, End: w.End, Updated: w.Updated, On: id}.Signal()
		if err != nil {
			return out, err
		}
		if ours {
			out = append(out, s)
		}
	}
	return out, nil
}
