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
	"erfailover/failover/record"
)

// ask begins slow reads of circuits' BGP sessions, one for each link, unless they
// run already or were answered a moment ago.
func (w *work) ask(ctx context.Context, circuits []string) {
	var questions []executor.Question
	var about []string
	for _, name := range circuits {
		c, ok := w.estate.Facts.Circuit(name)
		if !ok || slices.Contains(about, name) || w.reading(name) {
			continue
		}
		for _, link := range []events.Link{events.Primary, events.Secondary} {
			questions = append(questions, executor.Question{Kind: executor.AskBGP, Target: c.ID, Link: string(link)})
			about = append(about, name)
		}
	}
	if len(questions) == 0 {
		return
	}
	now := w.Clock.Now()
	for i, b := range w.Network.Ask(ctx, questions) {
		read := record.SlowRead{Question: questions[i], Circuit: about[i], Token: b.Token, AskedAt: now, NotBefore: now.Add(max(b.RetryAfter, time.Second))}
		if b.Err != nil {
			w.log.Warn().Str("event", CodeAsked).Str("group", w.g.Name).Str("circuit", about[i]).Err(b.Err).Msg("a read of the sessions could not be begun")
		}
		if b.Token == "" {
			read.NotBefore = now.Add(w.Timing.PollDoubt) // not begun: not asked again before this
		}
		w.g.Reads = append(w.g.Reads, read)
	}
	w.dirty = true
	w.log.Debug().Str("event", CodeAsked).Str("group", w.g.Name).Strs("circuits", slices.Compact(about)).Msg("the circuits' sessions are read")
}

// reading reports whether a circuit's sessions are being read, or were read a
// moment ago.
func (w *work) reading(name string) bool {
	for _, s := range w.g.Reads {
		if s.Circuit == name && s.Question.Kind == executor.AskBGP {
			return true
		}
	}
	for _, e := range w.memories[name].Evidence {
		if e.Observer == events.Read && w.now.Before(e.At.Add(w.Timing.PollDoubt)) {
			return true
		}
	}
	return false
}

// unread returns the circuits whose sessions have not been read for a while, so
// that a lost event costs minutes and never an outage missed.
func (w *work) unread() []string {
	if w.Timing.PollAll <= 0 {
		return nil
	}
	var out []string
	for _, name := range w.topo.Circuits() {
		newest := time.Time{}
		for _, e := range w.memories[name].Evidence {
			if e.Observer == events.Read && e.At.After(newest) {
				newest = e.At
			}
		}
		if !w.now.Before(newest.Add(w.Timing.PollAll - w.Timing.PollDoubt)) { // early: an answer takes a while, and the last one ages
			out = append(out, name)
		}
	}
	return out
}

// resumeReads looks at the slow reads that run, and takes answers in as signals of
// the observer "read".
func (w *work) resumeReads(ctx context.Context) error {
	answers := map[string][]events.Signal{}
	if err := w.resume(ctx, &w.g.Reads, func(s record.SlowRead, a executor.Answer) error {
		if s.Question.Kind == executor.AskTable {
			return w.learnTable(ctx, s.Circuit, a)
		}
		answers[s.Circuit] = append(answers[s.Circuit], sessionSignal(s.Question, a))
		return nil
	}); err != nil {
		return err
	}
	return w.takeAnswers(ctx, answers)
}

// resume looks at the slow reads of a list that are due, hands over what was answered,
// and drops what has ended, took too long, or was not begun and may be asked again.
func (w *work) resume(ctx context.Context, list *[]record.SlowRead, take func(record.SlowRead, executor.Answer) error) error {
	var running []executor.Running
	var at []int
	drop := map[int]bool{}
	for i := range *list {
		s := &(*list)[i]
		switch {
		case !w.now.Before(s.AskedAt.Add(w.Timing.ReadDeadline)), s.Token == "" && !w.now.Before(s.NotBefore):
			drop[i] = true
		case s.Token != "" && !w.now.Before(s.NotBefore):
			running, at = append(running, executor.Running{Token: s.Token, Question: &s.Question}), append(at, i)
		}
	}
	if len(drop) == 0 && len(running) == 0 {
		return nil
	}
	if len(running) > 0 {
		for k, p := range w.Network.Poll(ctx, running) {
			s := &(*list)[at[k]]
			s.NotBefore = w.Clock.Now().Add(max(p.RetryAfter, time.Second))
			if p.Token != "" {
				s.Token = p.Token
			}
			if p.Answer != nil {
				if err := take(*s, *p.Answer); err != nil {
					return err
				}
			}
			if p.Done {
				drop[at[k]] = true
			}
		}
	}
	w.dirty = true
	var left []record.SlowRead
	for i, s := range *list {
		if !drop[i] {
			left = append(left, s)
		}
	}
	*list = left
	return nil
}

// takeAnswers folds answers into the circuits' memories.
func (w *work) takeAnswers(ctx context.Context, answers map[string][]events.Signal) error {
	for _, name := range w.topo.Circuits() {
		if len(answers[name]) == 0 {
			continue
		}
		if _, err := w.observe(ctx, name, answers[name]); err != nil {
			return err
		}
	}
	if len(answers) == 0 {
		return nil
	}
	return w.believe(ctx)
}

// sessionSignal turns a link's BGP summary into a claim of the control plane: up
// when a session is established and carries prefixes.
func sessionSignal(q executor.Question, a executor.Answer) events.Signal {
	s := events.Signal{Kind: events.Health, Observer: events.Read, Source: "bgp", Resource: q.Target, Link: events.Link(q.Link),
		Peering: events.Private, Plane: events.ControlPlane, State: events.Down, At: a.At}
	for _, p := range a.Peers {
		if p.Established && p.Prefixes > 0 {
			s.State = events.Up
			n := float64(p.Prefixes)
			s.Value = &n
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "read %s %s %s %d", q.Kind, q.Target, q.Link, a.At.UnixNano()))
	s.ID = "s-" + hex.EncodeToString(sum[:10])
	return s
}

// closeIntents reads back the open intents of superseded operations. One is closed
// when its operation is known to have ended, when it is seen to have landed, or
// when it can land no more.
func (w *work) closeIntents(ctx context.Context) {
	if len(w.g.Intents) == 0 {
		return
	}
	var running []executor.Running
	for _, i := range w.g.Intents {
		if i.Token != "" {
			running = append(running, executor.Running{Token: i.Token, Write: &executor.Write{ID: i.WriteID, Connection: i.Connection, To: i.To.Weight, Epoch: i.To.Epoch}})
		}
	}
	ended := map[string]bool{}
	if len(running) > 0 {
		for k, p := range w.Network.Poll(ctx, running) {
			ended[running[k].Write.ID] = p.Done && p.Err == nil
		}
	}
	w.lookAtWeights(ctx, slices.ContainsFunc(w.g.Intents, func(i record.OpenIntent) bool { return !i.Doubt }))
	var left []record.OpenIntent
	for _, i := range w.g.Intents {
		c := w.g.Actual[i.Connection]
		landed := c.Weight == i.To.Weight && c.Epoch == i.To.Epoch && c.Provisioning == "Succeeded"
		if !w.now.Before(i.Until) || (!i.Doubt && (ended[i.WriteID] || landed)) {
			w.note(record.Entry{Code: CodeIntentClosed, Operation: i.Operation, Epoch: i.Epoch, Text: "the outcome of an older write of " + short(i.Connection) + " is known"})
			continue
		}
		left = append(left, i)
	}
	w.g.Intents = left
}
