package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/fault"
)

// Names of the bindings, as in function.json.
const (
	bindingEvents = "events"
	bindingEvent  = "event"
)

// circuitEvents takes a batch from Event Hubs.
func (s *server) circuitEvents(ctx context.Context, c call) (string, error) {
	return s.batch(ctx, c, bindingEvents, encodedBytes)
}

// healthEvents takes one event from Event Grid, or a batch.
func (s *server) healthEvents(ctx context.Context, c call) (string, error) {
	return s.batch(ctx, c, bindingEvent, encodedObject)
}

// batch unpacks an invocation and delivers it. A body that cannot be unpacked is
// dead-lettered whole: another delivery would bring the same bytes.
func (s *server) batch(ctx context.Context, c call, binding string, enc encoding) (string, error) {
	env, err := parseEnvelope(c.body, s.Limits.Depth)
	var list []item
	if err == nil {
		if binding == bindingEvent && env.Data[bindingEvent] == nil {
			binding = bindingEvents
		}
		list, err = env.items(binding, enc, s.Limits.Events)
	}
	if err != nil {
		c.log.Error().Str("event", "envelope.broken").Err(err).Int("bytes", len(c.body)).
			Msg("the invocation cannot be read; is function.json the one that belongs to this program?")
		if err := s.Letters.Put(ctx, err.Error(), c.body, c.received); err != nil {
			return "", saveError(err)
		}
		return "the invocation could not be read and was stored as a dead letter", nil
	}
	partition, sequence := env.place()
	c.log = c.log.With().Str("partition", partition).Str("sequence", sequence).Logger()

	t, err := s.deliver(ctx, c.log, list, c.received)
	if errors.Is(err, errPanic) && env.retryCount() >= s.Limits.Panics {
		return s.giveUp(ctx, c, list)
	}
	if err != nil {
		return "", err
	}
	return t.String(), nil
}

// giveUp dead-letters a batch that made us panic on every delivery. Without this
// it would block its partition for ever.
func (s *server) giveUp(ctx context.Context, c call, list []item) (string, error) {
	for _, it := range list {
		raw := it.payload
		if it.why != nil {
			raw = it.raw
		}
		if err := s.Letters.Put(ctx, "handling this batch failed by a panic on every delivery", raw, c.received); err != nil {
			return "", saveError(err)
		}
	}
	c.log.Error().Str("event", "batch.given_up").Int("events", len(list)).Msg("a batch that makes us panic was dead-lettered")
	return fmt.Sprintf("%d events were stored as dead letters after repeated panics", len(list)), nil
}

// mostGuessed bounds the room that is made for signals before they are read.
const mostGuessed = 1 << 15

// tally counts what became of the events of one delivery.
type tally struct {
	Events, Signals, Foreign, Broken int
	Receipt                          Receipt
	Taken, Strange, Kept             int      // whole events: that gave signals, that were foreign, that were kept as dead letters
	Reasons                          []string // why parts were broken; at most 20
}

// String says it in one line.
func (t tally) String() string {
	return fmt.Sprintf("events=%d signals=%d foreign=%d broken=%d applied=%d repeated=%d set_aside=%d refused=%d unknown=%d",
		t.Events, t.Signals, t.Foreign, t.Broken,
		t.Receipt.Applied, t.Receipt.Repeated, t.Receipt.SetAside, t.Receipt.Refused, t.Receipt.Unknown)
}

// deliver parses every payload, stores what is broken, and hands all signals to
// the engine in one call. It returns nil only after the last save.
func (s *server) deliver(ctx context.Context, log zerolog.Logger, list []item, received time.Time) (t tally, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(log, p)
		}
	}()
	t.Events = len(list)
	var signals []events.Signal
	var told [][]byte // the messages that gave them
	for i, it := range list {
		p := s.parse(log, it, received)
		t.Foreign += p.Foreign
		if len(p.Signals) > 0 && s.Archive != nil {
			told = append(told, it.payload)
		}
		switch {
		case len(p.Signals) > 0:
			t.Taken++
		case len(p.Broken) > 0:
			t.Kept++
		default:
			t.Strange++
		}
		if left := len(list) - i; cap(signals)-len(signals) < len(p.Signals) { // guess that the others hold as many
			signals = slices.Grow(signals, min(left*len(p.Signals), mostGuessed))
		}
		signals = append(signals, p.Signals...)
		for _, b := range p.Broken {
			if t.Broken++; len(t.Reasons) < 20 {
				t.Reasons = append(t.Reasons, b.Reason)
			}
			log.Warn().Str("event", "event.broken").Str("class", b.Class).Int("bytes", len(b.Raw)).Msg("an event was stored as a dead letter")
			if err := s.Letters.Put(ctx, b.Reason, b.Raw, received); err != nil {
				return t, saveError(err)
			}
		}
	}
	t.Signals = len(signals)
	if len(signals) == 0 {
		return t, nil
	}
	if t.Receipt, err = s.Engine.Handle(ctx, signals); err != nil || len(told) == 0 {
		return t, err
	}
	return t, s.archive(ctx, received, told)
}

// archive keeps messages that were handled. Nothing waits for it but the
// acknowledgement.
func (s *server) archive(ctx context.Context, received time.Time, told [][]byte) error {
	if err := s.Archive(ctx, received, told); err != nil {
		return &fault.Error{Op: "archive the messages", Kind: fault.Unavailable, Err: err,
			Hint: "give the archive's folder room and rights, or start without --archive; the events are delivered again, and handled once"}
	}
	return nil
}

// parse reads one payload. Whatever it holds, the result accounts for all of it: a
// payload that yields nothing at all is broken.
func (s *server) parse(log zerolog.Logger, it item, received time.Time) (out Parsed) {
	whole := func(class, reason string) Parsed {
		raw := it.payload
		if it.why != nil {
			raw = it.raw
		}
		return Parsed{Broken: []Broken{{Class: class, Reason: reason, Raw: raw}}}
	}
	defer func() {
		if p := recover(); p != nil {
			_ = panicError(log, p)
			out = whole("panic", "the parser failed on this event by a panic")
		}
	}()
	switch {
	case it.why != nil:
		return whole("element", it.why.Error())
	case int64(len(it.payload)) > s.Limits.Event:
		return whole("size", fmt.Sprintf("event: got %d bytes, want at most %d", len(it.payload), s.Limits.Event))
	case len(bytes.TrimSpace(it.payload)) == 0:
		return whole("size", "event: got no bytes, want JSON")
	}
	p := s.Parse(it.payload, received)
	for i := range p.Broken {
		if p.Broken[i].Raw == nil {
			p.Broken[i].Raw = it.payload
		}
	}
	// An order comes from a person who was authenticated, never from a payload.
	ordered := func(sig events.Signal) bool { return sig.Kind == events.Command || sig.Order != nil }
	if before := len(p.Signals); slices.ContainsFunc(p.Signals, ordered) {
		p.Signals = slices.DeleteFunc(p.Signals, ordered)
		for range before - len(p.Signals) {
			p.Broken = append(p.Broken, Broken{Class: "order", Reason: "event: got an order, want facts only", Raw: it.payload})
		}
	}
	return p
}

// saveError says that a dead letter could not be stored, so that the host
// delivers again.
func saveError(err error) error {
	kind := fault.KindOf(err)
	if kind == fault.Internal || kind == fault.Invalid {
		kind = fault.Unavailable
	}
	return &fault.Error{Op: "store a dead letter", Kind: kind, Err: err,
		Hint: "check the record store; the events are delivered again"}
}
