package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// How often the circuits' load is asked for, and how many circuits one question names:
// 28 days of hours by link and peering are some hundred kilobytes a circuit.
const (
	loadEvery = 6 * time.Hour
	loadAsked = 4
)

// minutely does what is due by the minute: the drills, then the load of the circuits.
func (p *parts) minutely(ctx context.Context) error {
	return errors.Join(p.drills(ctx), p.loads(ctx))
}

// metered tells metrics of resources.
type metered interface {
	Metrics(ctx context.Context, q executor.MetricQuery) []executor.MetricAnswer
}

// loads asks Azure Monitor for the circuits' load of the last 28 days when that is due,
// and keeps the busiest hour of each. What cannot be read is kept with the reason, and
// is no trouble of the caller's.
func (p *parts) loads(ctx context.Context) error {
	if p.net == nil {
		return nil
	}
	return p.loadsFrom(ctx, p.net)
}

func (p *parts) loadsFrom(ctx context.Context, net metered) error {
	kept := report.Loads{}
	doc, err := p.store.Load(ctx, report.LoadKey)
	switch {
	case errors.Is(err, fault.NotFound):
	case err != nil:
		return err
	case json.Unmarshal(doc.Body, &kept) != nil:
		kept = report.Loads{} // it is measured anew
	}
	now := p.clock.Now()
	if now.Sub(kept.At) < loadEvery || kept.Schema > record.Schema {
		return nil
	}
	var estate record.Estate
	if found, err := readDocument(ctx, p.store, record.EstateKey, "estate", &estate); err != nil || !found || len(estate.Facts.Circuits) == 0 {
		return err // nothing was discovered yet
	}
	next := report.Loads{Schema: record.Schema, At: now, Circuits: map[string]report.Load{}}
	for some := range slices.Chunk(estate.Facts.Circuits, loadAsked) {
		for name, one := range loadsOf(ctx, net, some, now) {
			if old := kept.Circuits[name]; one.At.IsZero() && !old.At.IsZero() {
				old.Why = one.Why
				one = old
			}
			next.Circuits[name] = one
		}
	}
	body, err := json.Marshal(next, json.Deterministic(true))
	if err != nil || bytes.Equal(body, doc.Body) {
		return err
	}
	_, err = p.store.Save(ctx, record.Document{Key: report.LoadKey, ETag: doc.ETag, Nonce: randomID(), Body: body})
	if errors.Is(err, fault.Conflict) {
		return nil // another instance has measured
	}
	return err
}

// loadsOf asks about some circuits: by link and peering, or by peering alone where
// Azure knows no links of these metrics.
func loadsOf(ctx context.Context, net metered, circuits []topology.Circuit, now time.Time) map[string]report.Load {
	q := executor.MetricQuery{Namespace: "Microsoft.Network/expressRouteCircuits", Names: []string{"BitsInPerSecond", "BitsOutPerSecond"},
		From: now.Add(-report.LoadSpan), To: now, Interval: report.LoadGrain, Aggregation: executor.ByAverage, SplitBy: []string{"PeeringType", "DeviceRole"}}
	for _, c := range circuits {
		q.Resources = append(q.Resources, executor.Measurable{ID: c.ID, Region: c.Region})
	}
	answers := net.Metrics(ctx, q)
	again := q
	again.SplitBy, again.Resources = q.SplitBy[:1], nil
	var which []int
	for i, a := range answers {
		if errors.Is(a.Err, fault.Invalid) {
			which, again.Resources = append(which, i), append(again.Resources, q.Resources[i])
		}
	}
	if len(which) > 0 {
		for i, a := range net.Metrics(ctx, again) {
			answers[which[i]] = a
		}
	}
	out := map[string]report.Load{}
	for i, a := range answers {
		one := report.Load{}
		switch {
		case a.Err != nil:
			one.Why = record.Clean(fmt.Sprintf("%v; %s", a.Err, fault.HintOf(a.Err)), 300)
		default:
			one = report.Busiest(a.Series, a.At)
		}
		out[circuits[i].Name] = one
	}
	return out
}
