package failover

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

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

// take takes in one connection as it was read. A weight at rest that the
// configuration sets counts from the first read on.
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
	n, decided := w.decidedBy(c)
	if decided && n > w.g.Epoch {
		delete(w.g.Drift, c.ID)
		w.rebase(c, n)
		return
	}
	if _, told := w.g.Drift[c.ID]; told && before.Weight == c.Weight {
		return
	}
	if decided && w.lost() {
		return // another write of what the record has lost
	}
	if decided {
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
	if w.restores() {
		w.g.Restored = w.now
		w.note(record.Entry{Code: CodeDrift, Reasons: []string{string(policy.Drifted)}, Text: "others changed the weight of " + short(c.ID) + "; it is put back when all is quiet", Fields: fields})
		return
	}
	if w.g.Drift == nil {
		w.g.Drift = map[string]planner.Weight{}
	}
	w.g.Drift[c.ID] = ours
	w.note(record.Entry{Code: CodeDrift, Reasons: []string{string(policy.Drifted)}, Text: "others changed the weight of " + short(c.ID), Fields: fields})
}

// tugPause is the least time between two times that others' weights are put back:
// whoever writes them again within it is asked, not fought.
const tugPause = time.Hour

// restores reports whether a weight that others changed is put back. What one read
// finds on several connections counts as one change.
func (w *work) restores() bool {
	if w.rules.Policy.Drift != policy.DriftRestore || w.g.Operation != nil {
		return false
	}
	return w.g.Restored.IsZero() || w.g.Restored.Equal(w.now) || !w.now.Before(w.g.Restored.Add(tugPause))
}

// decidedBy returns the epoch of the decision of ours whose very weight and tag a
// connection carries, and whether there is one.
func (w *work) decidedBy(c executor.ConnectionState) (epoch int64, ok bool) {
	n, err := strconv.ParseInt(c.Epoch, 10, 64)
	base := planner.Base(&w.estate.Facts, w.topo, c.Gateway, w.g.Baseline, nil)
	return n, err == nil && n > 0 && int64(c.Weight) == int64(base)+n
}

// rebase takes in a decision of ours that the record does not know: an older copy of
// the record came back, after a failover of the storage account or from a backup. The
// network is the newer witness. What the record thinks is running is older than what
// stands, so it ends; and since the writes of what was lost are lost too, nothing new
// is decided until none of them can land any more.
func (w *work) rebase(c executor.ConnectionState, epoch int64) {
	now := w.Clock.Now()
	w.note(record.Entry{Code: CodeRebased, Epoch: epoch, Reasons: []string{string(policy.IntentOpen)},
		Text:   short(c.ID) + " carries a decision of ours, epoch " + strconv.FormatInt(epoch, 10) + ", that the record has lost; it is taken over",
		Fields: map[string]string{"connection": c.ID, "weight": weight(c.Weight), "epoch": c.Epoch, "known": strconv.FormatInt(w.g.Epoch, 10)}})
	w.log.Error().Str("event", CodeRebased).Str("group", w.g.Name).Str("connection", c.ID).Int64("epoch", epoch).Int64("known", w.g.Epoch).Msg("the record is older than the network: a copy of it came back; what stands in Azure is taken over")
	if op := w.g.Operation; op != nil {
		result := record.Overtaken
		if op.Status == record.AwaitingApproval {
			result = record.Cancelled
		}
		w.g.Intents = append(w.g.Intents, openIntents(op, now, w.Timing.Landing)...)
		w.heed(op.Steps)
		w.putAllBack(func(c record.Cut) bool { return c.Operation == op.ID }, "its operation is older than what stands")
		w.archive(op, result)
		w.g.Operation, w.g.Lease = nil, record.Lease{}
	}
	w.g.Intents = append(w.g.Intents, record.OpenIntent{WriteID: lostWrite + c.Epoch, Connection: c.ID, Epoch: w.g.Epoch,
		To: planner.Weight{Weight: c.Weight, Epoch: c.Epoch}, At: now, Until: now.Add(w.Timing.Landing), Doubt: true})
	w.g.Epoch = epoch
}

// lost reports whether the record was found to be older than the network a short
// while ago.
func (w *work) lost() bool {
	return slices.ContainsFunc(w.g.Intents, func(i record.OpenIntent) bool { return strings.HasPrefix(i.WriteID, lostWrite) })
}

// lostWrite begins the ID of an intent that stands for all that a lost record held.
const lostWrite = "lost-"

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
	if set, configured := w.rules.Baseline[w.estate.Facts.CircuitOf(c.Circuit)]; configured {
		found = planner.Weight{Weight: set}
	}
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
	active := planner.Carrying(&w.estate.Facts, w.topo, w.effective())
	if !slices.Equal(active, w.g.Active) {
		w.g.Active, w.g.ActiveSince, w.dirty = active, w.now, true
	}
	quiet := w.g.Operation == nil && len(w.g.Cuts) == 0 && slices.Equal(slices.Sorted(slices.Values(active)), slices.Sorted(slices.Values(w.topo.Home())))
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
