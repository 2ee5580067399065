package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// drillSpecs returns the configured drills, by name.
func drillSpecs(cfg config.Config) ([]drill.Spec, error) {
	var out []drill.Spec
	var errs []error
	for _, name := range sortedKeys(cfg.Drills) {
		d := cfg.Drills[name]
		var closed []drill.Dates
		for _, b := range d.Blackout {
			closed = append(closed, drill.Dates{First: b.First, Last: b.Last})
		}
		cal, err := drill.ParseCalendar(d.Schedule, d.Timezone, closed)
		if err != nil {
			errs = append(errs, fmt.Errorf("drills.%s: %w", name, err))
			continue
		}
		out = append(out, drill.Spec{Name: name, Group: d.Group, Kind: drill.Kind(d.Kind), Calendar: cal, Hold: d.Hold, Limit: d.Limit, Announce: d.Announce, Objective: cfg.PolicyRule(d.Group).Objective})
	}
	return out, errors.Join(errs...)
}

// drills takes every drill one beat further. One that fails does not keep the others
// from their turn.
func (p *parts) drills(ctx context.Context) error {
	specs, err := drillSpecs(p.config)
	errs := []error{err}
	for _, spec := range specs {
		if err := p.drillBeat(ctx, spec); err != nil && !errors.Is(err, fault.Conflict) { // another instance took the beat
			errs = append(errs, fmt.Errorf("drill %s: %w", spec.Name, err))
		}
	}
	return errors.Join(errs...)
}

// drillBeat takes one drill one beat further: its document is stored first, then the
// orders are given. An order is given again by the next beat until it is answered;
// its key makes that one order.
func (p *parts) drillBeat(ctx context.Context, spec drill.Spec) error {
	var d drill.Document
	etag, err := p.drillLoad(ctx, spec.Name, &d)
	if err != nil {
		return err
	}
	in := drill.Input{Spec: spec, Now: p.clock.Now(), Group: record.Group{Name: spec.Group}}
	if _, err := readDocument(ctx, p.store, record.GroupKey(spec.Group), "group", &in.Group); err != nil {
		return err
	}
	if in.Out, err = p.endedOperation(ctx, d.Out); err != nil {
		return err
	}
	before, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		return err
	}
	next, orders := drill.Step(d, in)
	if after, err := json.Marshal(next, json.Deterministic(true)); err != nil || string(after) != string(before) {
		if err != nil {
			return err
		}
		if err := p.drillSave(ctx, &next, etag, after); err != nil {
			return err
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
func (p *parts) drillLoad(ctx context.Context, name string, d *drill.Document) (string, error) {
	doc, err := p.store.Load(ctx, drill.Key(name))
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(doc.Body, d); err != nil {
		return "", &fault.Error{Op: "read drill", Target: name, Kind: fault.Corrupt, Hint: "delete the document; the drill is planned anew", Err: err}
	}
	rows, err := record.Rows(d.Pending)
	if err != nil || len(rows) == 0 {
		return doc.ETag, err
	}
	return doc.ETag, p.store.Append(ctx, drill.Stream(name), rows)
}

// drillSave stores a drill's document and brings its journal entries out. Entries
// that were brought out before are there already and passed over.
func (p *parts) drillSave(ctx context.Context, d *drill.Document, etag string, body []byte) error {
	const kept = 16 // entries that stay in the document, so that a crash loses none
	if n := len(d.Pending); n > kept {
		d.Pending = d.Pending[n-kept:]
		var err error
		if body, err = json.Marshal(d, json.Deterministic(true)); err != nil {
			return err
		}
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
