package failover

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// load reads a document into v and returns its ETag; "" and no error when there is
// none.
func (e *Engine) load(ctx context.Context, key string, v any) (string, error) {
	doc, err := e.Store.Load(ctx, key)
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return doc.ETag, record.Decode(key, doc.Body, v)
}

// save writes v under key by compare-and-swap, then brings its journal entries
// out.
func (e *Engine) save(ctx context.Context, key, etag, stream string, v any, t *record.Trail) (string, error) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return "", &fault.Error{Op: "write record", Target: key, Kind: fault.Internal, Err: err}
	}
	next, err := e.Store.Save(ctx, record.Document{Key: key, ETag: etag, Nonce: e.ID(), Body: body})
	if err != nil {
		return "", err
	}
	return e.flush(ctx, key, next, stream, v, t)
}

// flush appends a trail's pending entries to the journal and returns the ETag of
// the document v that holds the trail. It is repeated after a crash: rows are
// numbered, and one that is there already is passed over. A record or a journal that
// came back from an older copy fits no more: it is rejoined, and the document is
// saved for that.
func (e *Engine) flush(ctx context.Context, key, etag, stream string, v any, t *record.Trail) (string, error) {
	for attempt := range casAttempts {
		rows, err := e.unflushed(stream, t)
		if err != nil || len(rows) == 0 {
			return etag, err
		}
		err = e.Store.Append(ctx, stream, rows)
		if err == nil {
			end := rows[len(rows)-1].Seq
			e.mu.Lock()
			e.flushed[stream] = record.Head{Seq: end, Hash: t.Pending[len(t.Pending)-1].Hash}
			e.mu.Unlock()
			return etag, nil
		}
		if !conflict(err) && !errors.Is(err, fault.Invalid) {
			return "", err
		}
		rejoined, again := record.Rejoin(ctx, e.Store, stream, t, record.Entry{At: e.Clock.Now(), Code: CodeRejoined})
		if again != nil {
			return "", again
		}
		switch {
		case !rejoined && attempt == 0:
			continue // another instance has just appended these rows
		case !rejoined:
			return "", err
		}
		e.Log.Error().Str("event", CodeRejoined).Str("stream", stream).Uint64("head", t.Head.Seq).Err(err).Msg("the record and its journal are not of one instant: an older copy came back; the chain goes on behind what is there")
		if g, ok := v.(*record.Group); ok {
			if err := e.adoptLevers(ctx, stream, g); err != nil {
				return "", err
			}
		}
		body, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			return "", &fault.Error{Op: "write record", Target: key, Kind: fault.Internal, Err: err}
		}
		if etag, err = e.Store.Save(ctx, record.Document{Key: key, ETag: etag, Nonce: e.ID(), Body: body}); err != nil {
			return "", err
		}
	}
	return "", contended(key)
}

// unflushed returns the pending entries that are not known to be stored. What was
// known is forgotten when the chain is another one: the record went back.
func (e *Engine) unflushed(stream string, t *record.Trail) ([]record.Row, error) {
	e.mu.Lock()
	known := e.flushed[stream]
	if other(known, t) {
		known = record.Head{}
		delete(e.flushed, stream)
	}
	e.mu.Unlock()
	var rows []record.Row
	for _, entry := range t.Pending {
		if entry.Seq <= known.Seq {
			continue
		}
		row, err := entry.Row()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// other reports whether a trail is not the continuation of the chain whose end is
// known to be stored, as far as the trail can tell.
func other(known record.Head, t *record.Trail) bool {
	if t.Head.Seq < known.Seq {
		return true
	}
	for _, entry := range t.Pending {
		if (entry.Seq == known.Seq && entry.Hash != known.Hash) || (entry.Seq == known.Seq+1 && entry.Prev != known.Hash) {
			return true
		}
	}
	return false
}

// settled drops the entries that are known to be in the journal, so that they are
// not stored again.
func (e *Engine) settled(stream string, t *record.Trail) {
	e.mu.Lock()
	known := e.flushed[stream]
	e.mu.Unlock()
	if !other(known, t) {
		t.Pending = slices.DeleteFunc(t.Pending, func(entry record.Entry) bool { return entry.Seq <= known.Seq })
	}
}

// loadEstate reads the estate document, and discovers what is not known yet. A
// discovery that fails keeps what was known: circuits are configured, so detection
// goes on.
func (r *run) loadEstate(ctx context.Context) error {
	for range casAttempts {
		r.estate = record.Estate{Schema: record.Schema}
		etag, err := r.load(ctx, record.EstateKey, &r.estate)
		if err != nil {
			return err
		}
		if r.etag, err = r.flush(ctx, record.EstateKey, etag, record.EstateKey, &r.estate, &r.estate.Trail); conflict(err) {
			continue
		} else if err != nil {
			return err
		}
		now := r.Clock.Now()
		same := r.estate.Config == r.Hash
		if same && now.Before(r.estate.At.Add(r.again())) {
			return nil
		}
		rest := same && now.Before(r.estate.FullAt.Add(r.Timing.Discover))
		facts, missing := r.discover(ctx, rest)
		r.settled(record.EstateKey, &r.estate.Trail)
		if !rest || len(missing) != len(r.estate.Missing) {
			r.estate.Add(record.EstateKey, record.Entry{At: now, Code: CodeDiscovered, Text: describe(facts, len(missing))})
		}
		if !rest {
			r.estate.FullAt = now
		}
		if r.estate.Orphans, err = r.orphans(ctx); err != nil {
			return err
		}
		r.estate.Facts, r.estate.Missing, r.estate.Config, r.estate.At = facts, missing, r.Hash, now
		etag, err = r.save(ctx, record.EstateKey, r.etag, record.EstateKey, &r.estate, &r.estate.Trail)
		if conflict(err) {
			continue
		}
		r.etag = etag
		return err
	}
	return &fault.Error{Op: "load the estate", Kind: fault.Conflict, Hint: "another instance writes it all the time; it is tried again"}
}

// again returns how long a discovery stands: less long when something could not be
// read.
func (r *run) again() time.Duration {
	if len(r.estate.Missing) > 0 {
		return min(r.Timing.Discover, time.Minute)
	}
	return r.Timing.Discover
}

// discover reads what the configuration does not say: circuits' providers and
// locations, gateways, and the connections that join them. With rest, only what the
// discovery before could not read. What cannot be read keeps what was known of it,
// and is returned.
func (r *run) discover(ctx context.Context, rest bool) (topology.Estate, []string) {
	est := clone(r.Topology)
	keep(&est, r.estate.Facts)
	var refs []executor.Ref
	add := func(kind executor.RefKind, id string) {
		if !rest || slices.Contains(r.estate.Missing, id) {
			refs = append(refs, executor.Ref{Kind: kind, ID: id})
		}
	}
	for _, c := range est.Circuits {
		add(executor.RefCircuit, c.ID)
	}
	for _, g := range est.Gateways {
		add(executor.RefGateway, g.ID)
		add(executor.RefConnections, g.ID)
	}
	var missing []string
	for _, got := range r.Network.Read(ctx, refs) {
		err := got.Err
		if err == nil && !got.Found {
			err = &fault.Error{Op: "discover", Target: got.Ref.ID, Kind: fault.NotFound, Hint: "correct the ID in the configuration, or give the identity read access"}
		}
		if err == nil {
			learn(&est, got)
			continue
		}
		r.log.Warn().Str("event", "discovery.failed").Str("resource", got.Ref.ID).Str("hint", fault.HintOf(err)).Err(err).Msg("a resource could not be read; what was known of it stays")
		if !slices.Contains(missing, got.Ref.ID) {
			missing = append(missing, got.Ref.ID)
		}
	}
	est.Sort()
	return est, missing
}

// keep takes what was known before into a new estate, for circuits and gateways that
// are still configured.
func keep(est *topology.Estate, before topology.Estate) {
	for _, c := range est.Circuits {
		if known, ok := before.Circuit(c.Name); ok && known.ID == c.ID {
			learn(est, executor.Reading{Ref: executor.Ref{Kind: executor.RefCircuit, ID: c.ID}, Circuit: &executor.CircuitState{Circuit: known}})
		}
	}
	for _, g := range est.Gateways {
		if known, ok := before.Gateway(g.ID); ok {
			learn(est, executor.Reading{Ref: executor.Ref{Kind: executor.RefGateway, ID: g.ID}, Gateway: &known})
		}
	}
	for _, c := range before.Connections {
		if _, ok := est.Gateway(c.Gateway); ok {
			est.Connections = append(est.Connections, c)
		}
	}
}

// learn adds one reading to the estate.
func learn(est *topology.Estate, got executor.Reading) {
	switch got.Ref.Kind {
	case executor.RefCircuit:
		for i, c := range est.Circuits {
			if c.ID == got.Ref.ID && got.Circuit != nil {
				found := got.Circuit.Circuit
				found.Name, found.ID, found.Site, found.Shares, found.Monitors, found.Probes = c.Name, c.ID, c.Site, c.Shares, c.Monitors, c.Probes
				est.Circuits[i] = found
			}
		}
	case executor.RefGateway:
		for i, g := range est.Gateways {
			if g.ID == got.Ref.ID && got.Gateway != nil {
				est.Gateways[i] = *got.Gateway
				est.Gateways[i].ID, est.Gateways[i].Kind = g.ID, g.Kind
			}
		}
	case executor.RefConnections:
		est.Connections = slices.DeleteFunc(est.Connections, func(c topology.Connection) bool { return c.Gateway == got.Ref.ID })
		for _, c := range got.Connections {
			est.Connections = append(est.Connections, topology.Connection{ID: c.ID, Gateway: got.Ref.ID, Circuit: c.Circuit})
		}
	case executor.RefConnection, executor.RefTraffic:
	}
}

func clone(e topology.Estate) topology.Estate {
	e.Circuits, e.Gateways = slices.Clone(e.Circuits), slices.Clone(e.Gateways)
	e.Connections, e.Groups = slices.Clone(e.Connections), slices.Clone(e.Groups)
	return e
}

// circuitsFor returns the configured circuits that a signal speaks about: the
// circuit itself, those on a Direct port, those a Connection Monitor watches.
func circuitsFor(est *topology.Estate, s events.Signal) []string {
	id, err := events.ParseResourceID(s.Resource)
	if err != nil {
		return nil
	}
	if c, ok := id.Up(events.TypeCircuit); ok {
		if name := est.CircuitOf(c.String()); name != "" {
			return []string{name}
		}
		return nil
	}
	port, isPort := id.Up(events.TypePort)
	var out []string
	for _, c := range est.Circuits {
		if isPort && c.Port == port.String() {
			out = append(out, c.Name)
		}
		if slices.ContainsFunc(c.Monitors, func(m string) bool { return watches(m, s) }) {
			out = append(out, c.Name)
		}
	}
	return out
}

// watches reports whether a configured monitor, "ID" or "ID#test group", is the
// source of a signal.
func watches(monitor string, s events.Signal) bool {
	id, group, some := cut(monitor)
	return id == s.Resource && (!some || containsFold("/"+s.Source+"/", "/"+group+"/"))
}
