package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// drills takes every drill one beat further. One that fails does not keep the others
// from their turn.
func (p *parts) drills(ctx context.Context) error { return p.eachDrill(ctx, false) }

// runningDrills takes the drills that have begun one beat further: they are looked at
// with every tick, so that a bad sign ends one at once.
func (p *parts) runningDrills(ctx context.Context) error { return p.eachDrill(ctx, true) }

// withDrills returns tick with a look at the drills that run after it. Their trouble
// is logged and is no trouble of the tick.
func (p *parts) withDrills(tick func(context.Context) error) func(context.Context) error {
	if len(p.config.Drills) == 0 {
		return tick
	}
	return func(ctx context.Context) error {
		err := tick(ctx)
		if trouble := p.runningDrills(ctx); trouble != nil && ctx.Err() == nil {
			p.log.Error().Str("event", "drills.failed").Str("hint", fault.HintOf(trouble)).Err(trouble).Msg("a drill could not be taken further; it is tried again with the next tick")
		}
		return err
	}
}

func (p *parts) eachDrill(ctx context.Context, begun bool) error {
	if len(p.config.Drills) == 0 {
		return nil
	}
	specs, err := p.drillSpecs(ctx)
	errs := []error{err}
	for _, spec := range specs {
		if err := p.drillBeat(ctx, spec, begun); err != nil && !errors.Is(err, fault.Conflict) { // another instance took the beat
			errs = append(errs, fmt.Errorf("drill %s: %w", spec.Name, err))
		}
	}
	return errors.Join(errs...)
}

// drillBeat takes one drill one beat further: its document is stored first, then the
// orders are given. An order is given again by the next beat until it is answered;
// its key makes that one order.
func (p *parts) drillBeat(ctx context.Context, spec drill.Spec, begun bool) error {
	d, etag, err := p.drillLoad(ctx, spec.Name)
	if err != nil || (begun && !drill.Running(d)) {
		return err
	}
	in, err := p.drillInput(ctx, spec, d)
	if err != nil {
		return err
	}
	before, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return err
	}
	next, orders, ended := drill.Step(d, in)
	if ended != nil {
		if err := p.drillEnded(ctx, *ended); err != nil {
			return err
		}
	}
	after, err := json.Marshal(next, json.Deterministic(true))
	if err != nil {
		return err
	}
	if string(after) != string(before) {
		if err := p.drillSave(ctx, &next, etag); err != nil {
			return err
		}
		if ended != nil {
			if err := p.drillKeep(ctx, *ended); err != nil {
				return err
			}
		}
	}
	for i := range orders {
		s := events.Signal{ID: "s-" + orders[i].Key, Kind: events.Command, Observer: events.Person, Source: orders[i].By, At: in.Now, Order: &orders[i]}
		if _, err := p.engine.Handle(ctx, []events.Signal{s}); err != nil {
			return err
		}
	}
	return nil
}

// drillLoad reads a drill's document and brings its journal entries out.
func (p *parts) drillLoad(ctx context.Context, name string) (drill.Document, string, error) {
	d := drill.Document{Phase: drill.Idle}
	doc, err := p.store.Load(ctx, drill.Key(name))
	if errors.Is(err, fault.NotFound) {
		return d, "", nil
	}
	if err != nil {
		return d, "", err
	}
	if err := record.Decode(doc.Key, doc.Body, &d); err != nil {
		return d, "", err
	}
	rows, err := record.Rows(d.Pending)
	if err != nil || len(rows) == 0 {
		return d, doc.ETag, err
	}
	return d, doc.ETag, p.store.Append(ctx, drill.Stream(name), rows)
}

// keptEntries is how many entries stay in a drill's document, so that a crash loses
// none.
const keptEntries = 16

// drillSave stores a drill's document and brings its journal entries out. Entries
// that were brought out before are there already and passed over.
func (p *parts) drillSave(ctx context.Context, d *drill.Document, etag string) error {
	if n := len(d.Pending); n > keptEntries {
		d.Pending = d.Pending[n-keptEntries:]
	}
	body, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return err
	}
	if _, err := p.store.Save(ctx, record.Document{Key: drill.Key(d.Name), ETag: etag, Nonce: randomID(), Body: body}); err != nil {
		return err
	}
	rows, err := record.Rows(d.Pending)
	if err != nil || len(rows) == 0 {
		return err
	}
	return p.store.Append(ctx, drill.Stream(d.Name), rows)
}

// drillEnded keeps a finished run whole, before the document forgets it. A run that
// was kept by an instance that stopped right after it stays as it is.
func (p *parts) drillEnded(ctx context.Context, e drill.Ended) error {
	if e.Run.ID == "" {
		return nil
	}
	body, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = p.store.Save(ctx, record.Document{Key: drill.RunKey(e.Run.ID), Nonce: randomID(), Body: body})
	if errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// drillKeep makes the kept run the one that the journal tells of: another instance may
// have kept its own of the same run, and then lost the race for the end of it.
func (p *parts) drillKeep(ctx context.Context, e drill.Ended) error {
	if e.Run.ID == "" {
		return nil
	}
	body, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		return err
	}
	doc, err := p.store.Load(ctx, drill.RunKey(e.Run.ID))
	if err != nil || bytes.Equal(doc.Body, body) {
		return err
	}
	_, err = p.store.Save(ctx, record.Document{Key: doc.Key, ETag: doc.ETag, Nonce: randomID(), Body: body})
	return err
}

// readDocument loads a document into v and reports whether there is one.
func readDocument(ctx context.Context, store record.Store, key, kind string, v any) (bool, error) {
	doc, err := store.Load(ctx, key)
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	body, err := record.Migrate(kind, doc.Body)
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(body, v)
}

// endedOperation loads an operation that has ended; nil when there is none.
func (p *parts) endedOperation(ctx context.Context, id string) (*record.Operation, error) {
	if id == "" {
		return nil, nil
	}
	var ended struct {
		Schema    int              `json:"schema"`
		Operation record.Operation `json:"operation"`
	}
	found, err := readDocument(ctx, p.store, record.OperationKey(id), "operation", &ended)
	if err != nil || !found {
		return nil, err
	}
	return &ended.Operation, nil
}
