package proof

import (
	"slices"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

const (
	longestLever = 4 * time.Hour    // that trouble pulls
	backWithin   = 20 * time.Minute // after its deadline, whatever happens
	backInQuiet  = 8 * time.Minute  // after its deadline or the last fault, whichever is later
)

// pulled is a request of a lever as it was stored before it was sent.
type pulled struct {
	cut, back bool
	target    string
	deadline  time.Time // true time
	at        time.Time
	killed    bool
	epoch     int64
}

// cuts looks at the levers of a stored document.
func (o *oracles) cuts(i *instance, g record.Group) {
	note := func(c record.Cut, s executor.StepState, back bool) {
		if s.Phase != executor.Intent || s.WriteID == "" {
			return
		}
		if _, known := o.pulled[s.WriteID]; !known {
			o.pulled[s.WriteID] = pulled{cut: s.Cut, back: back, target: s.Connection, deadline: c.Deadline.Add(-i.offset), at: o.w.now, killed: !o.root.killed.IsZero(), epoch: g.Epoch}
		}
	}
	for _, c := range g.Cuts {
		note(c, c.Pull, false)
		note(c, c.Back, true)
	}
	for _, was := range o.rec.Cuts {
		gone := !slices.ContainsFunc(g.Cuts, func(c record.Cut) bool { return c.ID == was.ID })
		if on := o.ourTest(was); gone && on != "" {
			o.must("S28", false, "%s is forgotten while %s runs", was.ID, on)
		}
	}
}

// ourTest names what still cuts of a stored cut; "" when nothing does.
func (o *oracles) ourTest(c record.Cut) string {
	l := o.w.azure.levers
	if t := l.going(c.Pull.Connection); t != nil && t.by != "" && t.by == c.Pull.WriteID && t.state == executor.TestOn {
		return t.id
	}
	if c.Pull.Kind == planner.CutPeering && l.off[c.Pull.Connection] != "" && l.off[c.Pull.Connection] == c.Pull.WriteID {
		return "the disabled peering"
	}
	return ""
}

// pulls is S28: what puts a lever back, and by when, is stored before it is pulled; and
// nothing is put back but by a stored way back.
func (o *oracles) pulls(i *instance, wr executor.Write) {
	p, known := o.pulled[wr.ID]
	o.must("S28", known && p.cut == wr.Cut && p.target == wr.Connection, "%s asks for %s of %s, cut %t, and nothing that is stored says so", i.name, wr.Kind, short(wr.Connection), wr.Cut)
	if known && wr.Cut {
		o.must("S28", !p.back && p.deadline.Before(p.at.Add(longestLever+time.Minute)), "%s is to be pulled until %s", short(wr.Connection), p.deadline.Sub(origin))
	}
}

// sentLever looks at a lever's request that leaves.
func (o *oracles) sentLever(f *flight) {
	p := o.pulled[f.write.ID]
	o.must("S4", o.w.now.Sub(p.at) <= o.w.swarm.pace.SendDeadline+time.Second, "%s of %s leaves %s after its intent", f.write.Kind, short(f.write.Connection), o.w.now.Sub(p.at))
	o.must("L1", !o.root.resting, "%s of %s leaves although all is quiet", f.write.Kind, short(f.write.Connection))
	if f.write.Cut {
		o.must("S13", !p.killed, "%s of %s is pulled, its intent was stored after the kill switch", f.write.Kind, short(f.write.Connection))
	}
}

// stops is S30: a test that others started is left alone.
func (o *oracles) stops(f *flight, t *test) {
	o.must("S30", t.by != "", "%s stops the test %s of %s, which is somebody else's", f.inst.name, t.id, short(t.target))
}

// cut is S29: a lever that takes effect leaves no gateway on dead circuits that was on
// a live one, unless what is left was alive when it was decided.
func (o *oracles) cut(f *flight, before map[string][]string) {
	w := o.w
	d := o.decided[o.pulled[f.write.ID].epoch]
	if d == nil {
		return
	}
	for _, gw := range o.group.Gateways {
		if o.taint[gw] || !o.allOK(before[gw]) {
			continue
		}
		after := o.picture(gw)
		excused := len(after) > 0
		for _, c := range after {
			excused = excused && (w.truth.ok(c, w.now) || w.truth.okWithin(c, d.look.Add(-w.swarm.fresh-time.Minute), d.at) || slices.Contains(d.over, policy.CandidateUnproven))
		}
		o.must("S29", excused, "%s of %s leaves %s on %v, which is dead; it was on %v", f.write.Kind, short(f.write.Connection), short(gw), after, before[gw])
	}
}

// watchLevers is L7: a lever that we pulled is back by its deadline, though every
// process dies.
func (w *world) watchLevers() {
	if !w.swarm.levers {
		return
	}
	var round func()
	round = func() {
		o := w.judge
		look := func(by, what string) {
			p, known := o.pulled[by]
			if !known {
				return
			}
			end := p.deadline.Add(backWithin)
			if w.quiet {
				end = later(p.deadline, origin.Add(w.swarm.chaos)).Add(backInQuiet)
			}
			o.must("L7", !w.now.After(end), "%s still cuts, %s after its deadline", what, w.now.Sub(p.deadline).Truncate(time.Second))
		}
		for _, target := range sortedKeys(w.azure.levers.tests) {
			if t := w.azure.levers.going(target); t != nil && t.by != "" {
				look(t.by, "the test "+t.id+" of "+short(target))
			}
		}
		for _, c := range sortedKeys(w.azure.levers.off) {
			look(w.azure.levers.off[c], "the disabled peering of "+short(c))
		}
		if !w.closing {
			w.after(time.Minute, round)
		}
	}
	w.at(origin.Add(time.Minute), round)
}

// leversBack looks at the end: nothing is cut that does not have to be, and nothing is
// remembered as cut that is not.
func (o *oracles) leversBack(homeOK bool) {
	if !o.w.swarm.levers {
		return
	}
	for _, target := range sortedKeys(o.w.azure.levers.tests) {
		if t := o.w.azure.levers.going(target); t != nil {
			o.must("L7", !homeOK, "the test %s of %s still runs though home is well", t.id, short(target))
			o.must("L7", slices.ContainsFunc(o.rec.Cuts, func(c record.Cut) bool { return c.Pull.Connection == target }), "the test %s of %s runs and is not remembered", t.id, short(target))
		}
	}
	o.must("L7", !homeOK || len(o.rec.Cuts) == 0, "%d levers are remembered as pulled though home is well", len(o.rec.Cuts))
	o.must("L7", !homeOK || o.rec.Drill == "", "drill %s has not ended", o.rec.Drill)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
