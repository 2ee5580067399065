package failover

import (
	"context"
	"errors"
	"maps"
	"slices"
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
	heard    map[string]string // by circuit: where the newest signals that changed its memory were traced
	now      time.Time
	dirty    bool
}

func stream(group string) string { return "group." + group }

func short(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// advance takes one group one beat further. Losing a save to another instance, or
// finding that something changed, starts the beat again from what is stored.
func (r *run) advance(ctx context.Context, name string) (record.Group, error) {
	turn := r.turn(name)
	turn.Lock()
	defer turn.Unlock()
	for range casAttempts {
		w, err := r.open(ctx, name)
		if err == nil {
			err = w.beat(ctx)
		}
		if conflict(err) || errors.Is(err, errAgain) {
			continue
		}
		if err != nil {
			return record.Group{}, err
		}
		return w.g, nil
	}
	return record.Group{}, contended(record.GroupKey(name))
}

// change changes a group's document by compare-and-swap. change says whether there
// is anything to save; it may run several times.
func (r *run) change(ctx context.Context, name string, change func(*record.Group, time.Time) bool) error {
	for range casAttempts {
		g, etag, err := r.loadGroup(ctx, name)
		if conflict(err) {
			continue
		}
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
	etag, err := r.load(ctx, record.GroupKey(name), &g)
	if err != nil {
		return g, "", err
	}
	if etag, err = r.flush(ctx, record.GroupKey(name), etag, stream(name), &g, &g.Trail); err != nil {
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
	w := &work{run: r, topo: topo, rules: r.Rules[name], memories: map[string]health.Memory{}, heard: map[string]string{}}
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
	w.doubt(w.topo.Name, w.view)
	return nil
}

// recall loads one circuit's memory and steps every group's belief about it.
func (w *work) recall(ctx context.Context, name string) (health.Memory, error) {
	key, stream := record.CircuitKey(name), "circuit."+name
	for range casAttempts {
		doc := record.Circuit{Schema: record.Schema, Memory: health.Memory{Circuit: name}}
		etag, err := w.load(ctx, key, &doc)
		if err != nil {
			return health.Memory{}, err
		}
		if etag, err = w.flush(ctx, key, etag, stream, &doc, &doc.Trail); conflict(err) {
			continue
		} else if err != nil {
			return health.Memory{}, err
		}
		w.heard[name] = doc.Trace
		next, changes := w.step(doc.Memory, w.Clock.Now())
		if maps.Equal(next.Tracks, doc.Memory.Tracks) {
			return next, nil // a track may change without a change of state: when a spell began
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
	if err := w.resumeDrains(ctx); err != nil {
		return err
	}
	if w.stale() {
		w.lookAhead(ctx)
	}
	w.lookAtWeights(ctx, w.stale())
	w.closeIntents(ctx)
	w.expire()
	w.due()
	if err := w.levers(ctx); err != nil {
		return err
	}
	w.watchDrill()
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
	case order != nil && w.putBackByOrder(order), order == nil && w.homeIsReady(v):
		return w.keepAndAgain(ctx)
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
	w.askDrain(ctx, v.Reads)
	w.ask(ctx, append(v.Reads, w.unread()...))
	if err := w.measure(ctx); err != nil {
		return err
	}
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
	fields := map[string]string{"action": string(v.Action), "kind": string(v.Kind), "from": strings.Join(v.From, ","), "to": strings.Join(v.To, ",")}
	if v.Lever != "" {
		fields["lever"] = string(v.Lever)
	}
	w.note(record.Entry{Code: CodeVerdict, Actor: actor, Reasons: v.Codes(), Text: string(v.Action) + ": " + strings.Join(texts, "; "),
		Fields: fields})
	ev := w.log.Info()
	if v.Action == policy.Hold && len(v.From) > 0 {
		ev = w.log.Warn()
	}
	ev.Str("event", CodeVerdict).Str("group", w.g.Name).Str("action", string(v.Action)).Str("kind", string(v.Kind)).
		Strs("from", v.From).Strs("to", v.To).Strs("reasons", v.Codes()).Msg("the verdict changed")
}

// same compares verdicts by what they want and why, not by their wording.
func same(a, b policy.Verdict) bool {
	return a.Action == b.Action && a.Kind == b.Kind && a.Lever == b.Lever && slices.Equal(a.From, b.From) && slices.Equal(a.To, b.To) && slices.Equal(a.Codes(), b.Codes())
}

// judge asks the policy, with what the record says.
func (w *work) judge(ctx context.Context, order *events.Order) (policy.Verdict, error) {
	in := policy.Input{
		Now: w.now, Group: w.topo, Estate: &w.estate.Facts, View: w.view, Rule: w.rules.Policy, Health: w.rules.Health,
		Limits: w.Limits, History: w.history(), Order: order,
	}
	w.leverHistory(&in.History, order)
	v := policy.Judge(in)
	if v.Action == policy.Hold || v.Kind == policy.KindSettle {
		return v, nil
	}
	var err error
	if in.Facts, err = w.measured(ctx); err != nil {
		return policy.Verdict{}, err
	}
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
		Drill: g.Drill, DrillOver: g.Drill != "" && !w.now.Before(g.DrillUntil), DrillEnds: w.endsDrill(), Paused: g.Pause, Killed: w.estate.Killed, Drift: slices.Sorted(maps.Keys(g.Drift)), QuietSince: g.QuietSince, Epoch: g.Epoch,
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
		for _, i := range openIntents(op, w.now, w.Timing.Landing) { // a plan that lowers weights waits for these, too
			h.Open, h.OpenUntil = h.Open+1, later(h.OpenUntil, i.Until)
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
