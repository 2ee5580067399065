package failover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// How the sign of maintenance counts. Microsoft drains a link for planned work by
// prepending AS 12076 eight times; nothing tells since when, and nothing tells the end.
const (
	drainBefore = 15 * time.Minute     // older claims of the control plane say nothing any more
	drainGood   = 5 * time.Minute      // as long as any read of ours speaks; then the sign is looked for again
	drainSource = "as-path"            // of the signal
	drainWindow = "as-12076-prepended" // tracking: a newer look replaces an older one
)

// askDrain begins reads that show whether a circuit in doubt is being drained: the route
// tables of its links, and what one gateway has learned. Slow reads cost Azure's routers,
// so it goes with the read that confirms an outage and never by itself.
func (w *work) askDrain(ctx context.Context, circuits []string) {
	var questions []executor.Question
	var about []string
	for _, name := range circuits {
		c, ok := w.estate.Facts.Circuit(name)
		if !ok || !w.view.Circuits[name].WantsRead || w.reading(name) || slices.Contains(about, name) {
			continue
		}
		add := func(q executor.Question) {
			if !slices.ContainsFunc(w.g.Drains, func(s record.SlowRead) bool { return s.Question == q && s.Circuit == name }) {
				questions, about = append(questions, q), append(about, name)
			}
		}
		for _, link := range []events.Link{events.Primary, events.Secondary} {
			add(executor.Question{Kind: executor.AskTable, Target: c.ID, Link: string(link)})
		}
		if gw := w.learner(name); gw != "" {
			add(executor.Question{Kind: executor.AskRoutes, Target: gw})
		}
	}
	if len(questions) == 0 {
		return
	}
	for i, b := range w.Network.Ask(ctx, questions) {
		if b.Token == "" { // not begun: the outage is judged without it
			w.log.Warn().Str("event", CodeAsked).Str("group", w.g.Name).Str("circuit", about[i]).Err(b.Err).Msg("whether the circuit is drained for maintenance could not be asked")
			continue
		}
		w.g.Drains = append(w.g.Drains, record.SlowRead{Question: questions[i], Circuit: about[i], Token: b.Token, AskedAt: w.now, NotBefore: w.now.Add(max(b.RetryAfter, time.Second))})
		w.dirty = true
	}
}

// resumeDrains looks at the reads that run, after those of sessions, and takes signs of
// maintenance in. The answer about a link's table is kept as any other is.
func (w *work) resumeDrains(ctx context.Context) error {
	answers := map[string][]events.Signal{}
	if err := w.resume(ctx, &w.g.Drains, func(s record.SlowRead, a executor.Answer) error {
		if s.Question.Kind == executor.AskTable {
			if err := w.learnTable(ctx, s.Circuit, a); err != nil {
				return err
			}
		}
		if sig, drained := w.drainSignal(s, a); drained && len(answers[s.Circuit]) == 0 { // one sign is enough, the tables' first
			answers[s.Circuit] = append(answers[s.Circuit], sig)
		}
		return nil
	}); err != nil {
		return err
	}
	return w.takeAnswers(ctx, answers)
}

// learner returns a gateway of the group that tells what it has learned and is joined to
// a circuit; "" when there is none: Virtual WAN gateways do not tell.
func (w *work) learner(circuit string) string {
	for _, gw := range w.topo.Gateways {
		g, known := w.estate.Facts.Gateway(gw)
		if _, joined := w.estate.Facts.Connection(gw, circuit); known && joined && g.Kind == topology.VNet {
			return gw
		}
	}
	return ""
}

// drainSignal returns what an answer says of maintenance, and false when it says nothing.
// A link's table speaks of its circuit. What a gateway has learned does not tell whose
// peer a route came from: it is held to be the circuit's that was asked about when that
// one alone is spoken ill of and still has a session, without which it could bring no
// route at all.
func (w *work) drainSignal(s record.SlowRead, a executor.Answer) (events.Signal, bool) {
	if !slices.ContainsFunc(a.Routes, executor.Route.Drained) || s.Question.Kind == executor.AskRoutes && !w.alone(s.Circuit, s.AskedAt) {
		return events.Signal{}, false
	}
	c, _ := w.estate.Facts.Circuit(s.Circuit)
	sum := sha256.Sum256(fmt.Appendf(nil, "drain %s %s %s %d", s.Question.Kind, s.Question.Target, s.Question.Link, a.At.UnixNano()))
	return events.Signal{ID: "s-" + hex.EncodeToString(sum[:10]), Kind: events.Maintenance, Observer: events.Read, Source: drainSource, Resource: c.ID, Link: events.Link(s.Question.Link),
		Peering: events.Private, Correlation: drainWindow, At: a.At, Window: &events.Window{Start: a.At.Add(-drainBefore), End: a.At.Add(drainGood)}}, true
}

// alone reports whether a circuit alone, of those of the group, has evidence against it,
// and our own read since then found a session of it up.
func (w *work) alone(circuit string, since time.Time) bool {
	for name, b := range w.view.Circuits { // order-free: any other one decides
		if name != circuit && len(b.Bad) > 0 {
			return false
		}
	}
	return slices.ContainsFunc(w.view.Circuits[circuit].Good, func(e health.Evidence) bool {
		return e.Observer == events.Read && !e.At.Before(since)
	})
}
