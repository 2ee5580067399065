package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"erfailover/events"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// condition is what a circuit really is.
type condition string

const (
	fine condition = "fine"
	dead condition = "dead" // no session, no packet
	grey condition = "grey" // sessions up, packets lost
	lame condition = "lame" // one link of two
)

// weather is the truth about every circuit, over all time.
type weather struct {
	w     *world
	spans map[string][]spell
}

type spell struct {
	from time.Time
	is   condition
}

// drawTruth makes the truth of a run: flips in the chaos, then rest.
func drawTruth(w *world) *weather {
	h := &weather{w: w, spans: map[string][]spell{}}
	end := origin.Add(w.swarm.chaos)
	for k, c := range w.est.Circuits {
		spells := []spell{{origin.Add(-24 * time.Hour), fine}}
		for n, t := 0, origin.Add(90*time.Second); ; n++ {
			t = t.Add(w.span(c.Name, n, "flip", 5*time.Second, 3*w.swarm.flip))
			if !t.Before(end) {
				break
			}
			is := fine
			if spells[len(spells)-1].is == fine {
				is = []condition{dead, dead, dead, grey, lame}[w.draw(c.Name, n, "how")%5]
			}
			key := "truth-" + c.Name + "/" + strconv.Itoa(n) + "/flip"
			if w.allow != nil && !w.allow[key] {
				is = fine
			} else if is != fine {
				w.fired = append(w.fired, key)
				w.kinds["circuit-"+string(is)]++
			}
			spells = append(spells, spell{t, is})
		}
		rest := fine
		if w.swarm.lame && k == int(w.draw("truth", 0, "lame")%uint64(len(w.est.Circuits))) {
			rest = dead
		}
		h.spans[c.Name] = append(spells, spell{end, rest})
	}
	return h
}

func (h *weather) at(circuit string, t time.Time) condition {
	is := fine
	for _, s := range h.spans[circuit] {
		if s.from.After(t) {
			break
		}
		is = s.is
	}
	return is
}

// ok reports whether a circuit carries traffic.
func (h *weather) ok(circuit string, t time.Time) bool {
	is := h.at(circuit, t)
	return is == fine && !(h.cut(circuit, events.Primary) && h.cut(circuit, events.Secondary)) || is == lame && !h.cut(circuit, events.Primary)
}

// force changes the truth from an instant on, for a while.
func (h *weather) force(circuit string, from, to time.Time, is condition) {
	if end := origin.Add(h.w.swarm.chaos); to.After(end) {
		to = end
	}
	if !from.Before(to) {
		return
	}
	after := h.at(circuit, to)
	var spells []spell
	for _, s := range h.spans[circuit] {
		if s.from.Before(from) || s.from.After(to) {
			spells = append(spells, s)
		}
	}
	spells = append(spells, spell{from, is}, spell{to, after})
	slices.SortStableFunc(spells, func(a, b spell) int { return a.from.Compare(b.from) })
	h.spans[circuit] = spells
}

// fate is the worst luck that a decision can have: its target dies, or what it left
// comes back, or an instance stalls, just then.
func (w *world) fate(i *instance, d *decision) {
	n := int(d.epoch)
	end := func(purpose string, from time.Time) time.Time {
		return from.Add(w.span("fate", n, purpose, 20*time.Second, 5*time.Minute))
	}
	if w.fault("target-dies", "fate", n) {
		for _, c := range d.to {
			from := w.now.Add(w.span("fate", n, "dies-in", time.Second, 60*time.Second))
			w.truth.force(c, from, end("dead-for", from), dead)
			w.trace.note("%s will be dead in %s", c, from.Sub(w.now))
		}
	}
	if w.fault("others-recover", "fate", n) {
		for _, c := range w.est.Groups[0].Circuits() {
			if !slices.Contains(d.to, c) {
				from := w.now.Add(w.span("fate", n, "back-in"+c, time.Second, 60*time.Second))
				w.truth.force(c, from, end("fine-for"+c, from), fine)
			}
		}
	}
}

// claimed is the worst luck that a claim can have: the kill switch is set just then,
// and whoever claimed stalls until it is.
func (w *world) claimed(i *instance, g, before record.Group) {
	if g.Lease.Owner != i.name || g.Lease.Until.Equal(before.Lease.Until) || g.Operation != nil || !w.fault("kill-at-claim", i.name, i.seq) {
		return
	}
	w.stall = w.span(i.name, i.seq, "killed-for", 8*time.Second, 40*time.Second)
	w.order1(400000+w.points, events.Order{Verb: events.OrderKill})
	w.after(w.stall+w.span(i.name, i.seq, "killed-until", 30*time.Second, 3*time.Minute), func() {
		w.order1(500000+w.points, events.Order{Verb: events.OrderUnkill})
	})
}

// okWithin reports whether a circuit carried traffic at some time in a span.
func (h *weather) okWithin(circuit string, from, to time.Time) bool {
	if h.ok(circuit, from) {
		return true
	}
	for _, s := range h.spans[circuit] {
		if s.from.After(from) && !s.from.After(to) && (s.is == fine || s.is == lame) {
			return true
		}
	}
	return false
}

// cut reports whether a lever holds one link of a circuit down now.
func (h *weather) cut(circuit string, l events.Link) bool {
	return h.w.azure != nil && h.w.azure.cutLink(circuit, l)
}

func (h *weather) session(circuit string, l events.Link, t time.Time) bool {
	if h.cut(circuit, l) {
		return false
	}
	switch h.at(circuit, t) {
	case dead:
		return false
	case lame:
		return l == events.Primary
	case fine, grey:
	}
	return true
}

// delivery is one batch of signals on its way to an instance.
type delivery struct {
	n     int
	sigs  []events.Signal
	tries int
}

// newRun makes a world and fills its agenda.
func newRun(seed uint64, tweak func(*world)) *world {
	w := &world{seed: seed, now: origin, kinds: map[string]int{}, silent: map[string]time.Time{}, store: recordtest.NewMemory()}
	w.trace = &trace{w: w}
	w.swarm = drawSwarm(w)
	if tweak != nil {
		tweak(w)
	}
	var weights map[string]int32
	w.est, weights = w.swarm.estate()
	w.truth = drawTruth(w)
	w.azure = newAzure(w, weights)
	w.judge = newOracles(w)
	for n := range w.swarm.instances {
		i := &instance{w: w, name: string(rune('a' + n))}
		if w.swarm.skewMax > 0 {
			i.offset = time.Duration((2*share(w.draw(i.name, 0, "skew")) - 1) * float64(w.swarm.skewMax)).Round(time.Millisecond)
		}
		w.instances = append(w.instances, i)
		w.boot(i)
	}
	w.samples()
	w.ticks()
	w.people()
	w.strangers()
	w.testers()
	w.watchLevers()
	w.copies()
	return w
}

// samples lays out what the observers see: metrics and probes now and then, Resource
// Health when something changed.
func (w *world) samples() {
	n := 0
	var round func()
	round = func() {
		n++
		if w.closing {
			return
		}
		var sigs []events.Signal
		for k, c := range w.est.Circuits {
			if w.fault("observers-silent", "observers", n*8+k) {
				w.silent[c.Name] = w.now.Add(w.span("observers", n*8+k, "silent-for", time.Minute, 9*time.Minute))
			}
			if !w.now.Before(w.silent[c.Name]) && !w.fault("silence", "observers", n*8+k) {
				sigs = append(sigs, w.look(c.Name, c.ID, n)...)
			}
		}
		w.send(n, sigs)
		w.after(w.swarm.every, round)
	}
	w.at(origin.Add(time.Second), round)
	for k, c := range w.est.Circuits {
		for j, s := range w.truth.spans[c.Name] {
			id := 100000 + k*1000 + j
			at := s.from.Add(w.span("resource-health", id, "lag", 5*time.Second, 60*time.Second))
			w.at(at, func() {
				state := events.Up
				if w.truth.at(c.Name, w.now) == dead {
					state = events.Down
				}
				w.send(id, []events.Signal{w.signal(events.ResourceHealth, c.Name, c.ID, events.BothLinks, "", state, id)})
			})
		}
	}
}

// look returns what metrics and probes say about a circuit now.
func (w *world) look(name, id string, n int) []events.Signal {
	up := func(ok bool) events.State {
		if ok {
			return events.Up
		}
		return events.Down
	}
	var out []events.Signal
	for _, l := range []events.Link{events.Primary, events.Secondary} {
		out = append(out, w.signal(events.Metric, name, id, l, events.ControlPlane, up(w.truth.session(name, l, w.now)), n))
	}
	out = append(out, w.signal(events.Probe, name, id, events.BothLinks, events.DataPlane, up(w.truth.ok(name, w.now)), n))
	if w.truth.at(name, w.now) == grey {
		out = append(out, w.signal(events.Gateway, name, id, events.BothLinks, events.DataPlane, events.Degraded, n))
	} else {
		out = append(out, w.signal(events.Gateway, name, id, events.BothLinks, events.DataPlane, up(w.truth.ok(name, w.now)), n))
	}
	return out
}

func (w *world) signal(o events.Observer, name, resource string, l events.Link, p events.Plane, state events.State, n int) events.Signal {
	if state == events.Up {
		w.judge.sample(name, w.now, true)
	}
	if state == events.Down {
		w.judge.sample(name, w.now, false)
	}
	at, ahead := w.now, w.fault("event-future", string(o)+name, n)
	ahead = ahead && o != events.ResourceHealth // it speaks once a change: bad news from ahead would outshout its own good news until it ages
	if ahead {
		at = at.Add(10 * time.Minute) // a source whose clock is wrong
	}
	id := fmt.Sprintf("s-%s-%s-%s-%s-%d", o, name, l, state, at.UnixNano())
	if ahead {
		w.judge.future[id] = true
	}
	return events.Signal{ID: id, Kind: events.Health, Observer: o, Source: string(o) + " rule", Resource: resource, Link: l, Plane: p, State: state, At: at}
}

// send puts signals on their way, once or more, soon or late, or never.
func (w *world) send(n int, sigs []events.Signal) {
	if len(sigs) == 0 || w.fault("event-lost", "bus", n) {
		return
	}
	lag := w.span("bus", n, "lag", 50*time.Millisecond, 3*time.Second)
	if w.fault("event-late", "bus", n) {
		lag += w.span("bus", n, "late-for", 5*time.Second, 6*time.Minute)
	}
	w.owed++
	w.after(lag, func() { w.deliver(&delivery{n: n, sigs: sigs}) })
	if w.fault("event-duplicate", "bus", n) {
		w.owed++
		w.after(lag+w.span("bus", n, "again-after", 10*time.Millisecond, 2*time.Minute), func() { w.deliver(&delivery{n: n + 1<<20, sigs: slices.Clone(sigs)}) })
	}
}

// deliver hands a batch to an instance; what is not answered well comes again, as
// from an event hub.
func (w *world) deliver(d *delivery) {
	d.tries++
	again := func() {
		w.after(w.span("bus", d.n*100+d.tries, "retry", time.Second, 20*time.Second), func() { w.deliver(d) })
	}
	i := w.pick("bus", d.n*100+d.tries)
	if i == nil {
		again()
		return
	}
	answered := false
	c := w.start(i, "handle", func() {
		began := w.now
		w.judge.received(d.sigs)
		r, err := i.engine.Handle(context.Background(), w.mutant.delivered(d.sigs, i.Now()))
		answered = true
		if err != nil && !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.NotFound) {
			again()
			return
		}
		w.owed--
		if err == nil {
			w.judge.acknowledged(d.sigs, r, began)
		}
	})
	// A process that dies gives no answer: the batch comes again.
	var watch func()
	watch = func() {
		switch {
		case answered:
		case c.dead:
			again()
		default:
			w.after(5*time.Second, watch)
		}
	}
	watch()
}

// ticks lays out the timer: every 15 s one instance, now and then a second one.
func (w *world) ticks() {
	n := 0
	tick := func(i *instance) {
		if i == nil || !i.up || slices.ContainsFunc(i.calls, func(c *invocation) bool { return c.name == "tick" }) {
			return
		}
		w.start(i, "tick", func() {
			if err := i.engine.Tick(context.Background()); err != nil && w.trace.keep { // it is tried again by the next tick
				w.trace.text = append(w.trace.text, w.now.Sub(origin).String()+" "+i.name+" ticks: "+err.Error())
			}
		})
	}
	var round func()
	round = func() {
		n++
		if !w.fault("tick-skipped", "timer", n) {
			tick(w.pick("timer", n))
		}
		if w.fault("tick-doubled", "timer", n) {
			w.after(w.span("timer", n, "second", 0, 14*time.Second), func() { tick(w.pick("timer2", n)) })
		}
		w.after(w.swarm.beat, round)
	}
	w.at(origin.Add(3*time.Second), round)
}
