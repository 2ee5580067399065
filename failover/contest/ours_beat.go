package contest

import (
	"slices"
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
)

// beat is one beat of the engine: look, judge, and either begin an operation or ask
// for reads.
func (o *ours) beat(c *control) {
	delete(o.wakes, c.now)
	now := wall(c.now)
	view := o.believe(now)
	o.carry(view, now)
	o.intents = slices.DeleteFunc(o.intents, func(i intent) bool { return !now.Before(i.until) })
	v := policy.Judge(o.input(view, now))
	switch {
	case v.Action != policy.Hold:
		o.begin(c, v)
	case o.op == nil:
		o.ask(c, append(v.Reads, o.unread(now)...))
	}
	o.again(c, v, now)
}

// again asks for the beat at which time alone may change something, at the pace of
// the timer.
func (o *ours) again(c *control, v policy.Verdict, now time.Time) {
	next := v.Wake()
	for _, m := range o.memories { // order-free: the earliest
		if at := health.Next(m.Tracks[o.group.Name], m, o.health, now); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return
	}
	at := max(next.Sub(epochOfYear()), c.now+time.Second)
	at = (at + tick - 1) / tick * tick
	if !o.wakes[at] && c.wake(at) {
		o.wakes[at] = true
	}
}

// carry notes what carries by weight, and since when all has been quiet at home.
func (o *ours) carry(view health.View, now time.Time) {
	active := planner.Carrying(o.est, o.group, o.actual)
	if !slices.Equal(active, o.active) {
		o.active, o.activeSince = active, now
	}
	quiet := o.op == nil && slices.Equal(active, o.group.Home())
	for _, name := range o.group.Home() {
		quiet = quiet && view.Circuits[name].State == health.Healthy
	}
	switch {
	case quiet && o.quietSince.IsZero():
		o.quietSince = now
	case !quiet:
		o.quietSince = time.Time{}
	}
}

// input gathers what the policy is asked about.
func (o *ours) input(view health.View, now time.Time) policy.Input {
	o.begun = slices.DeleteFunc(o.begun, func(t time.Time) bool { return !t.After(now.Add(-time.Hour)) })
	h := policy.History{
		Active: o.active, ActiveSince: o.activeSince, LastMove: o.lastMove, Undone: o.undone, QuietSince: o.quietSince,
		LastHour: len(o.begun), Unsettled: o.unsettled(), BaseHome: true, Epoch: o.epoch,
		MaxBase: planner.Base(o.est, o.group, o.group.Gateways[0], o.baseline, o.actual), Open: len(o.intents),
	}
	for _, i := range o.intents {
		if i.until.After(h.OpenUntil) {
			h.OpenUntil = i.until
		}
		if i.epoch < o.epoch || i.settle {
			h.OldIntents++
			if i.until.After(h.OldUntil) {
				h.OldUntil = i.until
			}
		}
	}
	if op := o.op; op != nil {
		h.Running, h.RunningTo, h.RunningKind = op.plan.ID, op.plan.To, op.kind
		if op.plan.Settle {
			h.OldIntents += op.waiting
		}
	}
	return policy.Input{
		Now: now, Group: o.group, Estate: o.est, View: view, Rule: o.policy, Health: o.health,
		Limits: policy.Limits{OperationsAtOnce: 2, OperationsPerHour: 6}, History: h,
	}
}

// begin plans what a verdict wants and sends its first wave. An operation that runs
// is overtaken: its writes may still land.
func (o *ours) begin(c *control, v policy.Verdict) {
	open := map[string]int32{}
	for _, i := range o.intents {
		open[i.conn] = max(open[i.conn], i.weight)
	}
	p, err := planner.Make(planner.Input{
		Estate: o.est, Group: o.group, Actual: o.actual, Baseline: o.baseline, Verdict: v, Open: open,
		Epoch: planner.NextEpoch(o.epoch, o.est, o.group, o.baseline, o.actual),
	})
	if err != nil || len(p.Steps) == 0 {
		return
	}
	if o.op != nil {
		for _, s := range o.op.plan.Steps {
			if s.Wave == o.op.wave && o.op.waiting > 0 {
				o.intents = append(o.intents, intent{s.Connection, o.op.plan.Epoch, o.op.plan.Settle, s.To.Weight, wall(c.now).Add(landing)})
			}
		}
	}
	o.op = &operation{plan: p, kind: v.Kind, undo: v.Undo}
	o.epoch, o.quietSince = p.Epoch, time.Time{}
	if v.Kind != policy.KindSettle {
		o.begun = append(o.begun, wall(c.now))
		c.decided(number(v.From[0]), number(v.To[0]))
	}
	o.send(c)
}

// number returns a circuit's number.
func number(name string) int {
	names := circuitNames()
	return slices.Index(names[:], name)
}

// send sends a wave of the running operation.
func (o *ours) send(c *control) {
	op := o.op
	for _, s := range op.plan.Steps {
		if s.Wave != op.wave {
			continue
		}
		op.waiting++
		c.weight(number(s.Circuit), s.To.Weight, func(c *control) {
			o.actual[s.Connection] = s.To
			o.intents = slices.DeleteFunc(o.intents, func(i intent) bool { return i.conn == s.Connection && i.epoch == op.plan.Epoch })
			if op.waiting--; op.waiting == 0 {
				c.lane.at(c.now+proving, func(c *control) { o.advance(c, op) })
			}
		})
	}
}

// advance goes on to the next wave, or ends the operation.
func (o *ours) advance(c *control, op *operation) {
	if o.op != op {
		return // overtaken
	}
	op.wave++
	if slices.ContainsFunc(op.plan.Steps, func(s planner.Step) bool { return s.Wave == op.wave }) {
		o.send(c)
		return
	}
	if op.kind != policy.KindSettle {
		o.lastMove, o.undone = wall(c.now), op.undo
	}
	o.op = nil
	o.beat(c)
}

// ask begins reads, unless they run or were answered a moment ago.
func (o *ours) ask(c *control, names []string) {
	for _, name := range names {
		i := number(name)
		if o.asked[i] > 0 && c.now < o.asked[i]+pollDoubt {
			continue
		}
		o.asked[i] = c.now
		c.read(i)
	}
}

// unread returns the circuits whose sessions were not read for a while.
func (o *ours) unread(now time.Time) []string {
	var out []string
	for _, name := range o.group.Circuits() {
		newest := time.Time{}
		for _, e := range o.memories[name].Evidence {
			if e.Observer == events.Read && e.At.After(newest) {
				newest = e.At
			}
		}
		if !now.Before(newest.Add(pollAll - pollDoubt)) {
			out = append(out, name)
		}
	}
	return out
}

// prober turns probes into claims, after the rule of failover/probe: four of the last
// six, said when it changes and every 30 s; when nothing anywhere answers, nothing is
// known.
type prober struct {
	last [count][6]int8 // 0 not tried, 1 answered, -1 lost
	next int
	said [count]events.State
	at   [count]time.Duration
}

func (p *prober) round(now time.Duration, round [count]probe) []sighting {
	anything := false
	for i, r := range round {
		p.last[i][p.next] = 0
		switch {
		case r.told && r.ok:
			p.last[i][p.next], anything = 1, true
		case r.told:
			p.last[i][p.next] = -1
		}
	}
	p.next = (p.next + 1) % len(p.last[0])
	var out []sighting
	for i := range round {
		state, told := p.judge(i)
		if !anything && state == events.Down {
			state = events.Unknown
		}
		if !told || p.said[i] == state && now-p.at[i] < 30*time.Second {
			continue
		}
		p.said[i], p.at[i] = state, now
		out = append(out, sighting{arrive: now, at: now, circuit: i, from: fromCanary, state: state})
	}
	return out
}

func (p *prober) judge(c int) (events.State, bool) {
	good, bad := 0, 0
	for _, x := range p.last[c] {
		switch {
		case x > 0:
			good++
		case x < 0:
			bad++
		}
	}
	switch {
	case bad >= 4:
		return events.Down, true
	case good >= 4:
		return events.Up, true
	}
	return events.Unknown, false
}
