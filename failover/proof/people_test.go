package proof

import (
	"slices"
	"strconv"
	"time"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// people lays out the orders of persons, each by somebody else and with a key of
// its own.
func (w *world) people() {
	if w.swarm.orders == 0 && w.swarm.mode != policy.Approve {
		return
	}
	n := 0
	var round func()
	round = func() {
		n++
		o := w.drawOrder(n)
		key := "person/" + strconv.Itoa(n) + "/order"
		if w.quiet {
			return
		}
		if o.Verb != "" && (w.allow == nil || w.allow[key]) {
			w.fired = append(w.fired, key)
			w.kinds["order-"+string(o.Verb)]++
			w.order1(n, o)
		}
		w.after(w.span("people", n, "next", 5*time.Second, 2*max(w.swarm.orders, time.Minute)), round)
	}
	w.at(origin.Add(2*time.Minute), round)
}

func (w *world) order1(n int, o events.Order) {
	if o.Verb == events.OrderResume {
		w.judge.resumed(o.Group)
	}
	w.trace.note("p%d orders %s", n, o.Verb)
	if o.Key = "key-" + strconv.Itoa(n); o.By == "" {
		o.By = "p" + strconv.Itoa(n)
	}
	if o.Verb == events.OrderApprove {
		w.judge.approvals = append(w.judge.approvals, approval{o.By, o.Operation, o.Plan, w.now})
	}
	w.send(200000+n, []events.Signal{{ID: "s-order-" + strconv.Itoa(n), Kind: events.Command, Observer: events.Person, Source: o.By, At: w.now, Order: &o}})
}

func (w *world) drawOrder(n int) events.Order {
	groups := w.est.Groups
	o := events.Order{Group: groups[w.draw("people", n, "group")%uint64(len(groups))].Name}
	if w.swarm.mode == policy.Approve && w.draw("people", n, "approve")%2 == 0 {
		return w.approve(n, o.Group)
	}
	if w.swarm.orders == 0 {
		return events.Order{}
	}
	if op := w.judge.named(o.Group).rec.Operation; w.swarm.levers && op != nil && op.Status == record.AwaitingApproval && w.draw("people", n, "agrees")%2 == 0 {
		o.Verb = events.OrderApprove
		return o
	}
	if w.swarm.levers && w.draw("people", n, "pulls")%3 == 0 {
		return w.leverOrder(n, o)
	}
	verbs := []events.Verb{events.OrderFailover, events.OrderSwitchover, events.OrderFailback, events.OrderFailback, events.OrderPause, events.OrderResume, events.OrderResume,
		events.OrderAcknowledge, events.OrderKill, events.OrderUnkill, events.OrderUnkill, events.OrderUnkill, events.OrderDrill, events.OrderCancel, events.OrderApprove}
	o.Verb = verbs[w.draw("people", n, "verb")%uint64(len(verbs))]
	if w.swarm.mode == policy.Approve {
		o.By = w.asker(n)
	}
	switch o.Verb {
	case events.OrderKill, events.OrderUnkill:
		o.Group = ""
	case events.OrderFailover, events.OrderSwitchover, events.OrderDrill:
		if k := w.draw("people", n, "to") % 4; k < uint64(len(w.est.Circuits)) && w.draw("people", n, "named")%2 == 0 {
			o.To = w.est.Circuits[k].Name
		}
		if w.draw("people", n, "override")%4 == 0 {
			o.Overrides = []string{"drift", "damped", "cool-down"}
		}
	}
	return o
}

// strangers lays out what others write: a person who changes a weight, a tool that
// puts back what it knows, a change of something else.
func (w *world) strangers() {
	if w.swarm.foreign == 0 {
		return
	}
	n := 0
	var round func()
	round = func() {
		n++
		if w.quiet {
			return
		}
		key := "stranger/" + strconv.Itoa(n) + "/write"
		if w.allow == nil || w.allow[key] {
			w.fired = append(w.fired, key)
			id := w.azure.order[w.draw("stranger", n, "which")%uint64(len(w.azure.order))]
			c := w.azure.conns[id]
			switch w.draw("stranger", n, "how") % 3 {
			case 0:
				w.kinds["foreign-weight"]++
				w.azure.foreign(id, int32(w.draw("stranger", n, "weight")%400), c.epoch, "")
			case 1:
				w.kinds["foreign-reset"]++
				rest := c.history[0]
				w.azure.foreign(id, rest.weight, "", "")
			case 2:
				w.kinds["foreign-field"]++
				w.azure.foreign(id, c.weight, c.epoch, "rest-"+strconv.Itoa(n))
			}
		}
		w.after(w.span("stranger", n, "next", 30*time.Second, 2*w.swarm.foreign), round)
	}
	w.at(origin.Add(3*time.Minute), round)
}

// play runs a world to its end: chaos, then quiet, then the last judgement.
func (w *world) play() *world {
	w.until(origin.Add(w.swarm.chaos))
	w.calm()
	w.until(w.now.Add(w.swarm.quiet))
	w.judge.resting = true
	w.until(w.now.Add(w.swarm.rest))
	w.closing = true
	w.until(w.now.Add(time.Minute))
	w.judge.final()
	for _, i := range w.instances { // no coroutine is left behind
		for _, c := range slices.Clone(i.calls) {
			c.dead = true
			c.stop()
		}
	}
	return w
}

// calm ends the faults: people lift what they had stopped, others put back what
// they changed, and every process starts anew with a wide blast radius.
func (w *world) calm() {
	w.quiet = true
	clear(w.silent)
	w.trace.note("quiet")
	for _, i := range w.instances {
		if i.up {
			w.crash(i)
		}
	}
	n := 300000
	lift := func(verb events.Verb, group string) {
		n++
		w.order1(n, events.Order{Verb: verb, Group: group})
	}
	w.after(2*time.Minute+30*time.Second, func() {
		lift(events.OrderUnkill, "")
		for _, g := range w.est.Groups {
			lift(events.OrderResume, g.Name)
			lift(events.OrderAcknowledge, g.Name)
		}
	})
	var tidy func()
	tidy = func() {
		if w.judge.resting {
			return
		}
		for _, p := range w.judge.peers {
			g := p.rec
			for _, id := range sortedKeys(g.Drift) {
				w.azure.foreign(id, g.Drift[id].Weight, g.Drift[id].Epoch, "")
			}
			if op := g.Operation; op != nil && op.Status == "waiting" {
				lift(events.OrderApprove, p.group.Name)
			}
			if g.Operation == nil && (w.swarm.manual || g.Drill != "") && !slices.Equal(g.Active, p.group.Home()) && w.truth.ok(p.group.Home()[0], w.now) {
				lift(events.OrderFailback, p.group.Name)
			}
		}
		w.after(time.Minute, tidy)
	}
	w.after(4*time.Minute, tidy)
}

var _ failover.Clock = (*instance)(nil)
