package failover

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// errAgain says that the group must be looked at again from the start: what was
// looked at has changed.
var errAgain = errors.New("look again")

// work is one group in one call: its document, what is believed of its circuits,
// and what has been changed but not saved.
type work struct {
	*run
	topo     topology.Group
	rules    GroupRules
	g        record.Group
	etag     string
	memories map[string]health.Memory
	view     health.View
	now      time.Time
	dirty    bool
}

func stream(group string) string { return "group." + group }

func short(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// advance takes one group one beat further. Losing a save to another instance, or
// finding that something changed, starts the beat again from what is stored.
func (r *run) advance(ctx context.Context, name string) (record.Group, error) {
	for range casAttempts {
		w, err := r.open(ctx, name)
		if err != nil {
			return record.Group{}, err
		}
		err = w.beat(ctx)
		if conflict(err) || errors.Is(err, errAgain) {
			continue
		}
		return w.g, err
	}
	return record.Group{}, contended(record.GroupKey(name))
}

// change changes a group's document by compare-and-swap. change says whether there
// is anything to save; it may run several times.
func (r *run) change(ctx context.Context, name string, change func(*record.Group, time.Time) bool) error {
	for range casAttempts {
		g, etag, err := r.loadGroup(ctx, name)
		if err != nil {
			return err
		}
		if !change(&g, r.Clock.Now()) {
			return nil
		}
		if _, err = r.save(ctx, record.GroupKey(name), etag, stream(name), &g, &g.Trail); !conflict(err) {
			return err
		}
	}
	return contended(record.GroupKey(name))
}

// loadGroup reads a group's document and brings out journal entries that a crash
// may have left behind.
func (r *run) loadGroup(ctx context.Context, name string) (record.Group, string, error) {
	g := record.Group{Schema: record.Schema, Name: name}
	etag, err := r.load(ctx, record.GroupKey(name), "group", &g)
	if err != nil {
		return g, "", err
	}
	if err := r.flush(ctx, stream(name), &g.Trail); err != nil {
		return g, "", err
	}
	r.settled(stream(name), &g.Trail)
	return g, etag, nil
}

// open loads a group and its circuits, and advances the beliefs to now.
func (r *run) open(ctx context.Context, name string) (*work, error) {
	topo, ok := r.estate.Facts.Group(name)
	if !ok {
		return nil, &fault.Error{Op: "advance", Target: name, Kind: fault.NotFound, Hint: "the group is not in the configuration"}
	}
	w := &work{run: r, topo: topo, rules: r.Rules[name], memories: map[string]health.Memory{}}
	var err error
	if w.g, w.etag, err = r.loadGroup(ctx, name); err != nil {
		return nil, err
	}
	return w, w.believe(ctx)
}

// believe loads the memories of the group's circuits, advances them, saves those
// that changed by time alone, and folds them into a view.
func (w *work) believe(ctx context.Context) error {
	for _, name := range w.topo.Circuits() {
		m, err := w.recall(ctx, name)
		if err != nil {
			return err
		}
		w.memories[name] = m
	}
	w.now = w.Clock.Now()
	w.view = health.Fold(w.topo, &w.estate.Facts, w.memories, w.rules.Health, w.now)
	return nil
}

// recall loads one circuit's memory and steps every group's belief about it.
func (w *work) recall(ctx context.Context, name string) (health.Memory, error) {
	key, stream := record.CircuitKey(name), "circuit."+name
	for range casAttempts {
		doc := record.Circuit{Schema: record.Schema, Memory: health.Memory{Circuit: name}}
		etag, err := w.load(ctx, key, "circuit", &doc)
		if err != nil {
			return health.Memory{}, err
		}
		if err := w.flush(ctx, stream, &doc.Trail); err != nil {
			return health.Memory{}, err
		}
		next, changes := w.step(doc.Memory, w.Clock.Now())
		if len(changes) == 0 {
			return next, nil
		}
		w.settled(stream, &doc.Trail)
		doc.Memory = next
		doc.Add(stream, changes...)
		if _, err = w.save(ctx, key, etag, stream, &doc, &doc.Trail); !conflict(err) {
			return next, err
		}
	}
	return health.Memory{}, contended(key)
}

// keep saves the group's document.
func (w *work) keep(ctx context.Context) error {
	etag, err := w.save(ctx, record.GroupKey(w.g.Name), w.etag, stream(w.g.Name), &w.g, &w.g.Trail)
	if err != nil {
		return err
	}
	w.etag, w.dirty = etag, false
	w.settled(stream(w.g.Name), &w.g.Trail)
	return nil
}

// note journals something about the group with its next save.
func (w *work) note(e record.Entry) {
	e.At, e.Group = w.Clock.Now(), w.g.Name
	if op := w.g.Operation; op != nil && e.Operation == "" {
		e.Operation, e.Plan, e.Epoch = op.ID, op.Plan.ID, op.Plan.Epoch
	}
	w.g.Add(stream(w.g.Name), e)
	w.dirty = true
}

// beat is one beat of a group, in the order of the duties.
func (w *work) beat(ctx context.Context) error {
	if err := w.resumeReads(ctx); err != nil {
		return err
	}
	w.lookAtWeights(ctx, w.stale())
	w.closeIntents(ctx)
	w.expire()
	if err := w.approvals(ctx); err != nil {
		return err
	}
	var order *events.Order
	if len(w.g.Orders) > 0 {
		order = &w.g.Orders[0].Order
	}
	v, err := w.judge(ctx, order)
	if err != nil {
		return err
	}
	if order != nil || v.Action != policy.Hold || !w.running() {
		w.remember(v, order) // a hold because something runs already is no news
	}
	switch {
	case v.Action != policy.Hold:
		return w.decide(ctx, v, order)
	case order != nil:
		answer(&w.g, "refused: "+strings.Join(v.Codes(), ", "), "", w.now)
		if err := w.keep(ctx); err != nil {
			return err
		}
		return errAgain // the next order, or the automation's own judgement
	}
	if w.running() {
		return w.operate(ctx)
	}
	w.ask(ctx, v.Reads)
	if w.dirty {
		return w.keep(ctx)
	}
	return nil
}

// stale reports whether the weights must be read again: now and then in peace, more
// often while others' changes wait for an answer, and not beside our own writes.
func (w *work) stale() bool {
	age := w.Timing.Reread
	if len(w.g.Drift) > 0 {
		age = min(age, time.Minute)
	}
	return !w.running() && w.now.After(w.g.ReadAt.Add(age))
}

// running reports whether an operation is being carried out.
func (w *work) running() bool {
	return w.g.Operation != nil && w.g.Operation.Status != record.AwaitingApproval
}

// weights returns the newest read of the group's weights.
func (w *work) weights() map[string]planner.Weight {
	out := make(map[string]planner.Weight, len(w.g.Actual))
	for id, c := range w.g.Actual {
		out[id] = planner.Weight{Weight: c.Weight, Epoch: c.Epoch}
	}
	return out
}

// lookAtWeights reads every connection of the group when it must, and takes in what
// it finds: weights at rest, weights that others changed, which circuits carry.
func (w *work) lookAtWeights(ctx context.Context, must bool) {
	conns := w.estate.Facts.ConnectionsOf(w.topo)
	if len(conns) == 0 || (!must && !w.g.ReadAt.IsZero()) {
		w.carry()
		return
	}
	refs := make([]executor.Ref, len(conns))
	for i, c := range conns {
		refs[i] = executor.Ref{Kind: executor.RefConnection, ID: c.ID}
	}
	complete := true
	for _, got := range w.Network.Read(ctx, refs) {
		switch {
		case got.Err != nil:
			complete = false
			w.log.Warn().Str("event", "weights.unread").Str("group", w.g.Name).Str("connection", got.Ref.ID).Str("hint", fault.HintOf(got.Err)).Err(got.Err).Msg("a weight could not be read")
		case !got.Found || got.Connection == nil:
			complete = false
			w.log.Warn().Str("event", "weights.missing").Str("group", w.g.Name).Str("connection", got.Ref.ID).Msg("a connection does not exist any more")
		default:
			w.take(*got.Connection)
		}
	}
	if complete {
		w.g.ReadAt = w.Clock.Now()
	}
	w.dirty = true
	w.carry()
}

// take takes in one connection as it was read.
func (w *work) take(c executor.ConnectionState) {
	if w.g.Actual == nil {
		w.g.Actual = map[string]executor.ConnectionState{}
	}
	before, known := w.g.Actual[c.ID]
	w.g.Actual[c.ID] = c
	found := planner.Weight{Weight: c.Weight, Epoch: c.Epoch}
	if !known {
		w.capture(c, found)
		return
	}
	ours := planner.Weight{Weight: before.Weight, Epoch: before.Epoch}
	if kept, drifted := w.g.Drift[c.ID]; drifted {
		ours = kept
		if found == ours {
			delete(w.g.Drift, c.ID)
			return
		}
	}
	if found == ours || w.expected(c.ID, found) {
		return
	}
	if _, told := w.g.Drift[c.ID]; told && before.Weight == c.Weight {
		return
	}
	if w.lateLanding(c) {
		w.note(record.Entry{Code: CodeLate, Text: "an old write of ours to " + short(c.ID) + " landed late; its lower weight changes nothing", Fields: map[string]string{"connection": c.ID, "weight": weight(c.Weight), "epoch": c.Epoch}})
		w.log.Warn().Str("event", CodeLate).Str("group", w.g.Name).Str("connection", c.ID).Str("epoch", c.Epoch).Msg("a write landed later than it should have been able to")
		return
	}
	fields := map[string]string{"connection": c.ID, "was": strconv.Itoa(int(ours.Weight)), "is": strconv.Itoa(int(found.Weight))}
	if w.rules.Policy.Drift == policy.DriftAccept && w.g.Operation == nil {
		w.baseline(c.ID, planner.Weight{Weight: found.Weight, Epoch: ""})
		w.note(record.Entry{Code: CodeDrift, Reasons: []string{string(policy.Drifted)}, Text: "others changed the weight of " + short(c.ID) + "; it is accepted as the weight at rest", Fields: fields})
		return
	}
	if w.g.Drift == nil {
		w.g.Drift = map[string]planner.Weight{}
	}
	w.g.Drift[c.ID] = ours
	w.note(record.Entry{Code: CodeDrift, Reasons: []string{string(policy.Drifted)}, Text: "others changed the weight of " + short(c.ID), Fields: fields})
}

// lateLanding reports whether a connection carries the very weight and tag of an
// earlier decision of ours.
func (w *work) lateLanding(c executor.ConnectionState) bool {
	n, err := strconv.ParseInt(c.Epoch, 10, 64)
	base := planner.Base(&w.estate.Facts, w.topo, c.Gateway, w.g.Baseline, nil)
	return err == nil && n > 0 && n <= w.g.Epoch && int64(c.Weight) == int64(base)+n
}

// expected reports whether a weight that was found is one that we sent: a step of
// the running operation or an open intent that landed.
func (w *work) expected(conn string, found planner.Weight) bool {
	if op := w.g.Operation; op != nil {
		for _, s := range op.Steps {
			if s.Connection == conn && s.To == found {
				return true
			}
		}
	}
	return slices.ContainsFunc(w.g.Intents, func(i record.OpenIntent) bool { return i.Connection == conn && i.To == found })
}

// capture takes a weight at rest from the first read. One that carries a tag of
// ours is not at rest: its weight at rest was lost with the record.
func (w *work) capture(c executor.ConnectionState, found planner.Weight) {
	if _, known := w.g.Baseline[c.ID]; known || found.Epoch != "" {
		return
	}
	w.baseline(c.ID, found)
	w.note(record.Entry{Code: CodeBaseline, Text: "the weight at rest of " + short(c.ID) + " is " + strconv.Itoa(int(found.Weight)),
		Fields: map[string]string{"connection": c.ID, "weight": strconv.Itoa(int(found.Weight))}})
}

func (w *work) baseline(conn string, weight planner.Weight) {
	if w.g.Baseline == nil {
		w.g.Baseline = map[string]planner.Weight{}
	}
	w.g.Baseline[conn] = weight
	w.g.BaselineAt = w.now
	w.dirty = true
}

// carry notes which circuits carry the group's traffic, and since when all has been
// quiet at home.
func (w *work) carry() {
	active := planner.Carrying(&w.estate.Facts, w.topo, w.weights())
	if !slices.Equal(active, w.g.Active) {
		w.g.Active, w.g.ActiveSince, w.dirty = active, w.now, true
	}
	quiet := w.g.Operation == nil && slices.Equal(slices.Sorted(slices.Values(active)), slices.Sorted(slices.Values(w.topo.Home())))
	for _, name := range w.topo.Home() {
		quiet = quiet && w.view.Circuits[name].State == health.Healthy
	}
	switch {
	case quiet && w.g.QuietSince.IsZero():
		w.g.QuietSince, w.dirty = w.now, true
	case !quiet && !w.g.QuietSince.IsZero():
		w.g.QuietSince, w.dirty = time.Time{}, true
	}
}

// remember journals a verdict that differs from the last one. The same hold, beat
// after beat, is written down once.
func (w *work) remember(v policy.Verdict, order *events.Order) {
	switch {
	case order != nil: // an order's verdict is journaled, and does not become the group's
	case same(v, w.g.Verdict):
		return
	default:
		w.g.Verdict, w.g.VerdictAt = v, w.now
	}
	texts := make([]string, len(v.Reasons))
	for i, f := range v.Reasons {
		texts[i] = f.Text
	}
	actor := ""
	if order != nil {
		actor = order.By
	}
	w.note(record.Entry{Code: CodeVerdict, Actor: actor, Reasons: v.Codes(), Text: string(v.Action) + ": " + strings.Join(texts, "; "),
		Fields: map[string]string{"action": string(v.Action), "kind": string(v.Kind), "from": strings.Join(v.From, ","), "to": strings.Join(v.To, ",")}})
	ev := w.log.Info()
	if v.Action == policy.Hold && len(v.From) > 0 {
		ev = w.log.Warn()
	}
	ev.Str("event", CodeVerdict).Str("group", w.g.Name).Str("action", string(v.Action)).Str("kind", string(v.Kind)).
		Strs("from", v.From).Strs("to", v.To).Strs("reasons", v.Codes()).Msg("the verdict changed")
}

// same compares verdicts by what they want and why, not by their wording.
func same(a, b policy.Verdict) bool {
	return a.Action == b.Action && a.Kind == b.Kind && slices.Equal(a.From, b.From) && slices.Equal(a.To, b.To) && slices.Equal(a.Codes(), b.Codes())
}

// judge asks the policy, with what the record says.
func (w *work) judge(ctx context.Context, order *events.Order) (policy.Verdict, error) {
	in := policy.Input{
		Now: w.now, Group: w.topo, Estate: &w.estate.Facts, View: w.view, Rule: w.rules.Policy, Health: w.rules.Health,
		Limits: w.Limits, History: w.history(), Order: order,
	}
	v := policy.Judge(in)
	if v.Action == policy.Hold || v.Kind == policy.KindSettle {
		return v, nil
	}
	var err error
	if in.History.AtOnce, in.History.LastHour, err = w.radius(ctx); err != nil {
		return policy.Verdict{}, err
	}
	return policy.Judge(in), nil
}

// radius counts operations that run in other groups, and those begun in the estate
// in the last hour.
func (w *work) radius(ctx context.Context) (atOnce, lastHour int, err error) {
	for _, name := range w.groups {
		g := w.g
		if name != w.g.Name {
			if g, _, err = w.loadGroup(ctx, name); err != nil {
				return 0, 0, err
			}
			if op := g.Operation; op != nil && op.Status != record.AwaitingApproval {
				atOnce++
			}
		}
		since := w.now.Add(-time.Hour)
		if op := g.Operation; op != nil && op.Kind != policy.KindSettle && op.Stamps.Decide.After(since) {
			lastHour++
		}
		for _, s := range g.Recent {
			if s.Kind != policy.KindSettle && s.Begun.After(since) {
				lastHour++
			}
		}
	}
	return atOnce, lastHour, nil
}

// history gathers what the policy needs from the record.
func (w *work) history() policy.History {
	g, actual := &w.g, w.weights()
	h := policy.History{
		Active: g.Active, ActiveSince: g.ActiveSince, LastMove: g.LastMove, FailedAt: g.FailedAt, Undone: g.Undone, Acked: g.Acked,
		Paused: g.Pause, Killed: w.estate.Killed, Drift: slices.Sorted(maps.Keys(g.Drift)), QuietSince: g.QuietSince, Epoch: g.Epoch,
	}
	h.Open = len(g.Intents)
	for _, i := range g.Intents {
		h.OpenUntil = later(h.OpenUntil, i.Until)
		if i.Epoch < g.Epoch || i.Settle {
			h.OldIntents, h.OldUntil = h.OldIntents+1, later(h.OldUntil, i.Until)
		}
	}
	if op := g.Operation; op != nil && op.Status == record.AwaitingApproval {
		h.Awaiting, h.AwaitingUntil = op.ID, op.Expires
	} else if op != nil {
		h.Running, h.RunningTo, h.RunningKind = op.ID, op.Plan.To, op.Kind
		if op.Plan.Settle {
			h.OldIntents += executor.Count(op.Steps, w.now).Open
		}
	}
	for _, c := range w.estate.Facts.ConnectionsOf(w.topo) {
		rest, known := g.Baseline[c.ID]
		h.NoBaseline = h.NoBaseline || !known
		if now, read := actual[c.ID]; read && known && now != rest {
			h.Unsettled = true
		}
	}
	for _, gw := range w.topo.Gateways {
		h.MaxBase = max(h.MaxBase, planner.Base(&w.estate.Facts, w.topo, gw, g.Baseline, actual))
	}
	home := slices.Sorted(slices.Values(w.topo.Home()))
	h.BaseHome = slices.Equal(home, slices.Sorted(slices.Values(planner.Carrying(&w.estate.Facts, w.topo, g.Baseline))))
	return h
}
