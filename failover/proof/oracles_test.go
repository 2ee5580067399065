package proof

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// oracles look at every save, send and landing. What they know comes from the
// truth of the world and from what was stored, never from an engine's memory.
//
// Each group has its own; the first is the root, which the world talks to. What is
// known by circuit, gateway, connection or write is shared by all.
type oracles struct {
	w                *world
	root             *oracles
	peers            []*oracles // root only: all of them, the root first
	group            topology.Group
	rec              record.Group           // as last stored
	stopped          bool                   // the kill switch is stored
	killed           time.Time              // when somebody was told so; zero when it is not
	resuming         int                    // resumes on their way
	heard            map[string][]time.Time // bad news that was acknowledged, by event time
	lifted           time.Time              // when a resume was ordered last
	paused           time.Time
	decided          map[int64]*decision
	last             int64 // epoch of the last decision
	intents          map[string]intent
	auto             []time.Time // automatic moves
	ordered          map[string]int64
	waiting          map[string]waiting   // operations that were proposed
	proposed         []string             // their IDs, oldest first
	approvals        []approval           // root only: every approval that a person gave
	pulled           map[string]pulled    // by write
	claims           map[string]time.Time // when an instance last saved the group with its lease
	looks            map[string]time.Time // when an instance last looked at a document or a connection
	good             map[string][]time.Time
	bad              map[string][]time.Time
	ours             map[string]version  // what we wrote last
	forced           map[string]memory   // a hand-made record
	past             map[string][]stored // circuits' documents, newest last
	future           map[string]bool     // signals of a source whose clock is far ahead
	memories         map[string]memory
	alien            map[string]*stranger
	taint            map[string]bool      // gateways whose weights others moved, or that the world broke beyond what the protocol assumes
	told             map[string]time.Time // gateway → not before, as Azure said and the record knows
	toldAt           map[string]time.Time // since when the record knows it
	telling          map[string]map[string]time.Time
	resting          bool
	backAt           time.Time              // when the record went back, in this run
	heads            map[string]record.Head // of the documents then, by stream
	checks           map[string]int
	found            []finding
	received_, acked int
	worst            time.Duration // longest flight from intent to landing
}

type finding struct {
	oracle, text string
	at           time.Time
}

func (f finding) String() string {
	return fmt.Sprintf("%s at %s: %s", f.oracle, f.at.Sub(origin), f.text)
}

// decision is an operation that was stored with its intents.
type decision struct {
	epoch  int64
	op     string
	kind   policy.Kind
	at     time.Time // stored, true time
	look   time.Time // looked at, true time
	to     []string
	by     string
	settle bool
	lever  policy.Lever
	over   []policy.Reason
	steps  []planner.Step
}

// intent is a write that was stored before it was sent.
type intent struct {
	epoch  int64
	conn   string
	to     int32
	tag    string
	settle bool
	at     time.Time
	group  string
	killed bool // stored while the kill switch was stored
	lost   bool // the record went back behind it
}

type stranger struct {
	at, seen time.Time
	weight   int32
}

func newOracles(w *world) *oracles {
	root := &oracles{w: w, group: w.est.Groups[0], decided: map[int64]*decision{}, intents: map[string]intent{}, ordered: map[string]int64{}, waiting: map[string]waiting{}, pulled: map[string]pulled{}, claims: map[string]time.Time{}, looks: map[string]time.Time{},
		good: map[string][]time.Time{}, bad: map[string][]time.Time{}, alien: map[string]*stranger{}, memories: map[string]memory{}, future: map[string]bool{}, heard: map[string][]time.Time{}, ours: map[string]version{}, taint: map[string]bool{}, told: map[string]time.Time{}, toldAt: map[string]time.Time{},
		telling: map[string]map[string]time.Time{}, checks: map[string]int{}}
	root.past = map[string][]stored{}
	root.root, root.peers = root, []*oracles{root}
	for _, g := range w.est.Groups[1:] {
		peer := *root
		peer.group, peer.decided, peer.ordered, peer.peers = g, map[int64]*decision{}, map[string]int64{}, nil
		peer.waiting, peer.claims = map[string]waiting{}, map[string]time.Time{}
		root.peers = append(root.peers, &peer)
	}
	return root
}

// of returns the oracles of the group that a gateway belongs to.
func (o *oracles) of(gateway string) *oracles {
	for _, p := range o.root.peers {
		if slices.Contains(p.group.Gateways, gateway) {
			return p
		}
	}
	return o.root
}

// named returns the oracles of a group.
func (o *oracles) named(group string) *oracles {
	for _, p := range o.root.peers {
		if p.group.Name == group {
			return p
		}
	}
	return nil
}

// decisions counts those of all groups.
func (o *oracles) decisions() (n int) {
	for _, p := range o.root.peers {
		n += len(p.decided)
	}
	return n
}

// mine reports whether a connection is one of the group's.
func (o *oracles) mine(id string) bool {
	c := o.w.azure.conns[id]
	return c != nil && slices.Contains(o.group.Gateways, c.gateway)
}

// must notes a check and what it found.
func (o *oracles) must(id string, ok bool, format string, args ...any) {
	o.root.checks[id]++
	if ok {
		return
	}
	f := finding{id, fmt.Sprintf(format, args...), o.w.now}
	o.root.found = append(o.root.found, f)
	o.w.trace.note("VIOLATED %s: %s", id, f.text)
	o.w.trace.mark(mark{lane: "world", what: "violated", text: id + ": " + f.text})
	if len(o.root.found) > 20 {
		o.w.over = true
	}
}

func (o *oracles) sample(circuit string, at time.Time, good bool) {
	if good {
		o.good[circuit] = append(o.good[circuit], at)
		return
	}
	o.bad[circuit] = append(o.bad[circuit], at)
}

// within reports whether a sample of that sort was made in a span.
func within(list []time.Time, from, to time.Time) bool {
	return slices.ContainsFunc(list, func(t time.Time) bool { return !t.Before(from) && !t.After(to) })
}

// saved looks at a document that has just been stored.
func (o *oracles) saved(i *instance, doc record.Document) {
	switch doc.Key {
	case record.CircuitKey(strings.TrimPrefix(doc.Key, record.CircuitKey(""))):
		kept := append(o.past[doc.Key], stored{o.w.now, doc.Body})
		o.past[doc.Key] = kept[max(0, len(kept)-16):]
	case record.EstateKey:
		var e record.Estate
		if json.Unmarshal(doc.Body, &e) != nil {
			return
		}
		if o.root.stopped = e.Killed != nil; !o.root.stopped {
			o.root.killed = time.Time{}
		}
	default:
		p := o.named(strings.TrimPrefix(doc.Key, record.GroupKey("")))
		if p == nil {
			return
		}
		var g record.Group
		if err := json.Unmarshal(doc.Body, &g); err != nil {
			o.must("record", false, "the group's document cannot be read: %v", err)
			return
		}
		p.saveGroup(i, g)
	}
}

func (o *oracles) saveGroup(i *instance, g record.Group) {
	o.must("S3", g.Epoch >= o.rec.Epoch, "the epoch went back from %d to %d", o.rec.Epoch, g.Epoch)
	o.model(g)
	op := g.Operation
	if op != nil && op.Status == record.AwaitingApproval {
		o.proposes(i, op)
	}
	if op != nil && op.Status != record.AwaitingApproval {
		if d, known := o.decided[op.Plan.Epoch]; known {
			o.must("S3", d.op == op.ID, "epoch %d names %s and %s", op.Plan.Epoch, d.op, op.ID)
		} else {
			o.agreed(i, op)
			o.lookedAgain(i, op)
			o.decide(i, g, op)
		}
		o.steps(i, g, op)
		o.oneAtATime(op)
	}
	o.strangers(g)
	o.cuts(i, g)
	o.w.unlucky(i, g)
	o.w.claimed(i, g, o.rec)
	if g.Lease.Owner == i.name {
		o.claims[i.name] = o.w.now
	}
	for gw, until := range o.telling[i.name] {
		o.told[gw], o.toldAt[gw] = until, o.w.now
	}
	delete(o.telling, i.name)
	o.rec = g
}

// strangers looks at weights that are newly taken for somebody else's: what carries
// our own tag and stands as we wrote it is ours, whatever the record remembers.
func (o *oracles) strangers(g record.Group) {
	for _, id := range sortedKeys(g.Drift) {
		if _, told := o.rec.Drift[id]; told {
			continue
		}
		c, seen, ours := o.w.azure.conns[id], g.Actual[id], o.ours[id]
		mine := c.epoch != "" && c.weight == ours.weight && c.epoch == ours.epoch
		o.must("S25", !mine || seen.Weight != c.weight, "%s=%d epoch %q is ours and is taken for a stranger's", short(id), c.weight, c.epoch)
	}
}

// decide looks at a decision when it is stored.
func (o *oracles) decide(i *instance, g record.Group, op *record.Operation) {
	w := o.w
	d := &decision{epoch: op.Plan.Epoch, op: op.ID, kind: op.Kind, at: w.now, look: op.Stamps.Decide.Add(-i.offset), to: op.Plan.To, by: op.By, settle: op.Plan.Settle, lever: op.Plan.Lever, over: op.Verdict.Overridden}
	for _, s := range op.Plan.Steps {
		if s.Kind == planner.SetWeight {
			d.steps = append(d.steps, s)
		}
	}
	if !op.Stamps.Approve.IsZero() {
		d.look = op.Stamps.Approve.Add(-i.offset)
	}
	previous := o.last
	o.decided[d.epoch], o.last = d, d.epoch
	w.trace.note("%s decides %s to %v, epoch %d, %s", i.name, d.kind, d.to, d.epoch, op.ID)
	w.trace.mark(mark{lane: i.name, what: "decide", text: fmt.Sprintf("decides %s to %v, epoch %d", d.kind, d.to, d.epoch)})
	o.must("S3", d.epoch > previous && g.Epoch == d.epoch, "a decision of epoch %d follows %d, the record says %d", d.epoch, previous, g.Epoch)
	for _, id := range sortedKeys(w.azure.flying) {
		f := w.azure.flying[id]
		in, known := o.intents[id]
		if !known || in.lost || in.group != o.group.Name || f.over || (!f.lands.IsZero() && f.lands.After(f.intentAt.Add(w.swarm.pace.Landing))) {
			continue
		}
		o.must("S6", in.epoch >= previous && !in.settle, "epoch %d is decided while %s of epoch %d may still land (the last decision was %d)", d.epoch, f, in.epoch, previous)
	}
	o.must("S13", o.root.killed.IsZero(), "epoch %d is decided %s after the kill switch was acknowledged", d.epoch, w.now.Sub(o.root.killed))
	automatic := d.by == "" && d.kind != policy.KindSettle
	if automatic {
		o.must("S13", o.paused.IsZero() || o.paused.After(o.w.now.Add(-time.Second)), "epoch %d is decided although the group is paused", d.epoch)
	}
	w.fate(i, d)
	w.killAfter(d.epoch)
	o.tidies(d)
	w.inertWeights(d, op.Plan.From)
	if d.kind == policy.KindSettle {
		return
	}
	if op.Order != nil {
		_, twice := o.ordered[op.Order.Key]
		o.must("S18", !twice, "the order %s of %s is carried out twice", op.Order.Key, op.By)
		o.ordered[op.Order.Key] = d.epoch
	}
	for _, to := range d.to {
		if !slices.Contains(d.over, policy.CandidateUnproven) {
			o.must("S10", within(o.good[to], d.look.Add(-w.swarm.fresh-time.Second), d.look.Add(time.Second)), "%s to %s without a good sample in the %s before", d.kind, to, w.swarm.fresh)
		}
		if d.kind == policy.KindFailback && automatic {
			from := d.look.Add(-w.swarm.rule.HoldUp + 2*w.swarm.skewMax)
			o.must("S11", !o.saidBad(to, from, d.look) && (!o.fell(to) || !within(o.heard[to], from.Add(time.Second), d.look)), "failback to %s, which was said to be bad in the %s before", to, w.swarm.rule.HoldUp)
		}
	}
	if !automatic {
		return
	}
	o.must("S12", d.kind == policy.KindFailback || op.Verdict.Undo || d.lever != "" || o.rec.LastMove.IsZero() || !o.rec.Acked.Before(o.rec.LastMove) || d.look.After(o.rec.LastMove.Add(w.swarm.coolDown-2*w.swarm.skewMax-time.Second)),
		"epoch %d is decided %s after the last move", d.epoch, d.look.Sub(o.rec.LastMove))
	o.auto = append(o.auto, w.now)
	recent := 0
	for _, t := range o.auto {
		if t.After(w.now.Add(-time.Hour)) {
			recent++
		}
	}
	o.must("S12", recent <= w.swarm.limits(w.quiet).OperationsPerHour, "%d automatic moves in an hour, %d are allowed", recent, w.swarm.perHour)
	for _, p := range o.root.peers { // one that began a moment ago may not have been seen
		other := p.rec.Operation
		o.must("S12", p == o || w.quiet || w.swarm.groups < 2 || other == nil || other.Status == record.AwaitingApproval || other.Stamps.Decide.After(d.look.Add(-time.Minute)),
			"epoch %d is decided while an operation of group %s runs, one at once is allowed", d.epoch, p.group.Name)
	}
	alive := false
	for _, c := range o.group.Circuits() {
		alive = alive || within(o.good[c], d.look.Add(-10*time.Minute), w.now)
	}
	o.must("S15", alive, "epoch %d is decided although nothing good was heard of any circuit for 10 minutes", d.epoch)
	for _, id := range sortedKeys(o.alien) {
		s := o.alien[id]
		if o.mine(id) && w.swarm.drift == policy.DriftAsk && !slices.Contains(d.over, policy.Drifted) && w.azure.conns[id].weight == s.weight {
			o.must("S16", s.seen.IsZero() || d.look.Before(s.seen.Add(2*time.Minute)), "epoch %d is decided over the weight %d that others gave %s", d.epoch, s.weight, short(id))
		}
	}
}

// fell reports whether a circuit was given up in this run: its way back leads over
// the hold-up.
func (o *oracles) fell(circuit string) bool {
	return slices.ContainsFunc(o.w.store.Rows("circuit."+circuit), func(r record.Row) bool { return bytes.Contains(r.Body, []byte(`"to":"down"`)) })
}

// stored is a document as it was saved.
type stored struct {
	at   time.Time
	body []byte
}

// saidBad reports whether bad news about a circuit, of that span, was in the record at
// its end: what is saved between a look and its save, no look can see.
func (o *oracles) saidBad(circuit string, from, to time.Time) bool {
	evidence := o.memory(circuit)
	for _, d := range slices.Backward(o.past[record.CircuitKey(circuit)]) {
		var c record.Circuit
		if !d.at.After(to) && json.Unmarshal(d.body, &c) == nil {
			evidence = c.Memory.Evidence
			break
		}
	}
	for _, e := range evidence {
		if e.State == events.Down && e.Link == events.BothLinks && e.At.After(from) && !e.At.After(to) {
			return true
		}
	}
	return false
}

// steps looks at the writes of a stored operation.
func (o *oracles) steps(i *instance, g record.Group, op *record.Operation) {
	w := o.w
	for k, s := range op.Steps {
		if s.Kind != planner.SetWeight {
			continue
		}
		if s.Phase == executor.Intent {
			if _, known := o.intents[s.WriteID]; !known {
				o.spared(i, op, s)
				o.intents[s.WriteID] = intent{epoch: op.Plan.Epoch, conn: s.Connection, to: s.To.Weight, tag: s.To.Epoch, settle: op.Plan.Settle, at: w.now, group: o.group.Name, killed: !o.root.killed.IsZero()}
			}
		}
		before := o.step(op.ID, k)
		if s.Phase != executor.Done || (before != nil && before.Phase == executor.Done) {
			continue
		}
		c := w.azure.conns[s.Connection]
		stood := slices.ContainsFunc(c.history, func(v version) bool { return v.weight == s.To.Weight && v.epoch == s.To.Epoch })
		o.must("S24", stood, "%s is called done, and never had weight %d", short(s.Connection), s.To.Weight)
		kept := s.Rest == "" || slices.ContainsFunc(c.history, func(v version) bool { return v.weight == s.To.Weight && v.epoch == s.To.Epoch && v.rest == s.Rest })
		o.must("S8", !stood || kept, "%s is called done, and something else than the weight changed with it", short(s.Connection))
	}
}

func (o *oracles) step(op string, k int) *executor.StepState {
	if o.rec.Operation == nil || o.rec.Operation.ID != op || k >= len(o.rec.Operation.Steps) {
		return nil
	}
	return &o.rec.Operation.Steps[k]
}
