package proof

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/topology"
)

// azure is the model of Azure Resource Manager behind the Network port: weights
// that land late, one operation at a time on a gateway, old answers, lost answers,
// operations that fail and land all the same.
type azure struct {
	w      *world
	conns  map[string]*conn
	order  []string
	ops    map[string]*operation
	busy   map[string]string    // gateway → token of its running operation
	hold   map[string]time.Time // gateway → throttled until
	flying map[string]*flight   // by write ID: past the deadline check, not known to be over
	levers *levers
	sends  int
	lands  int
}

type conn struct {
	id, gateway, circuit string // circuit is a name
	circuitID            string
	weight               int32
	epoch                string
	rest                 string
	updating             string // token of the operation that says Updating
	history              []version
}

type version struct {
	at     time.Time
	weight int32
	epoch  string
	rest   string
}

// flight is a PUT on its way, and what became of it.
type flight struct {
	write    executor.Write
	inst     *instance
	intentAt time.Time // true time
	rest     string    // the body that was read before
	arrives  time.Time
	lands    time.Time // zero: not accepted yet, or never
	over     bool      // landed, refused, or never will
	clobbers bool      // Azure changes something else with it
	answer   executor.Begun
}

type operation struct {
	token  string
	f      *flight
	ends   time.Time
	final  string // "", failed, cancelled, hangs
	gone   bool   // a look at it finds nothing
	hangs  bool   // it takes effect, and says for ever that it runs
	answer *executor.Answer
}

func newAzure(w *world, weights map[string]int32) *azure {
	a := &azure{w: w, conns: map[string]*conn{}, ops: map[string]*operation{}, busy: map[string]string{}, hold: map[string]time.Time{}, flying: map[string]*flight{}, levers: newLevers()}
	for _, k := range w.est.Connections {
		c := &conn{id: k.ID, gateway: k.Gateway, circuitID: k.Circuit, circuit: w.est.CircuitOf(k.Circuit), weight: weights[k.ID], rest: "rest"}
		c.history = []version{{w.now, c.weight, "", c.rest}}
		a.conns[k.ID] = c
		a.order = append(a.order, k.ID)
	}
	return a
}

func (c *conn) set(now time.Time, weight int32, epoch, rest string) {
	c.weight, c.epoch, c.rest = weight, epoch, rest
	c.history = append(c.history, version{now, weight, epoch, rest})
}

// was returns a connection as it was at an instant.
func (c *conn) was(at time.Time) version {
	v := c.history[0]
	for _, h := range c.history {
		if h.at.After(at) {
			break
		}
		v = h
	}
	return v
}

func (c *conn) state(v version) executor.ConnectionState {
	s := executor.ConnectionState{ID: c.id, Gateway: c.gateway, Circuit: c.circuitID, Weight: v.weight, Epoch: v.epoch, Rest: v.rest, Provisioning: "Succeeded", Status: "Connected"}
	if c.updating != "" {
		s.Provisioning = "Updating"
	}
	return s
}

// preferred returns the circuits that a group's weights send a gateway's traffic
// over.
func (a *azure) preferred(g topology.Group, gateway string) []string {
	best, out := int32(-1), []string(nil)
	for _, id := range a.order {
		c := a.conns[id]
		switch {
		case c.gateway != gateway || g.Rank(c.circuit) < 0 || c.weight < best || a.left(gateway, c.circuit):
		case c.weight > best:
			best, out = c.weight, []string{c.circuit}
		default:
			out = append(out, c.circuit)
		}
	}
	slices.Sort(out)
	return out
}

func (a *azure) read(ref executor.Ref, out *executor.Reading, stale time.Duration) {
	switch ref.Kind {
	case executor.RefConnection:
		c, ok := a.conns[ref.ID]
		if out.Found = ok; ok {
			s := c.state(c.was(a.w.now.Add(-stale)))
			if stale > 0 {
				s.Provisioning = "Succeeded"
			}
			out.Connection = &s
		}
	case executor.RefConnections:
		for _, id := range a.order {
			if c := a.conns[id]; c.gateway == ref.ID {
				out.Connections = append(out.Connections, c.state(c.history[len(c.history)-1]))
			}
		}
	case executor.RefCircuit:
		c, ok := a.w.est.Circuit(a.w.est.CircuitOf(ref.ID))
		out.Found, out.Circuit = ok, &executor.CircuitState{Circuit: c, Enabled: true, Provisioned: true, Peering: "Enabled"}
		if a.levers.off[ref.ID] != "" {
			out.Circuit.Peering = "Disabled"
		}
	case executor.RefGateway:
		g, ok := a.w.est.Gateway(ref.ID)
		out.Found, out.Gateway = ok, &g
	case executor.RefTraffic:
		n := a.w.now.Unix()
		if !a.counts(a.w.est.CircuitOf(ref.ID)) {
			n = 0
		}
		out.Traffic = &executor.Traffic{In: [2]int64{n, n}, Out: [2]int64{n, n}}
	}
}

func refusal(kind fault.Kind, code string, after time.Duration, target string) *fault.Error {
	return &fault.Error{Op: "set connection weight", Target: target, Kind: kind, Code: code, RetryAfter: after}
}

// prepare is what the adapter does before a PUT leaves: read, compare, look at the
// deadline. A write that leaves is a flight.
func (a *azure) prepare(i *instance, n int, wr executor.Write) (executor.Begun, *flight) {
	if wr.Kind != planner.SetWeight {
		return a.prepareLever(i, n, wr)
	}
	w := a.w
	w.judge.asked(i, wr)
	no := func(kind fault.Kind, code string, after time.Duration) (executor.Begun, *flight) {
		return executor.Begun{Outcome: executor.NotApplied, RetryAfter: after, Err: refusal(kind, code, after, wr.Connection)}, nil
	}
	if w.fault("arm-5xx-before", i.name, n) {
		return no(fault.Unavailable, "503", 0)
	}
	c, ok := a.conns[wr.Connection]
	if !ok {
		return no(fault.NotFound, "ResourceNotFound", 0)
	}
	v := c.was(w.now)
	if w.fault("stale-get", i.name, n) {
		v = c.was(w.now.Add(-w.span(i.name, n, "stale-by", time.Second, 30*time.Second)))
	}
	before := c.state(v)
	switch {
	case before.Provisioning != "Succeeded":
		return no(fault.Busy, "Updating", 0)
	case v.weight == wr.To && v.epoch == wr.Epoch:
		return executor.Begun{Outcome: executor.Applied, NoOp: true, Before: &before}, nil
	case v.weight != wr.From, wr.Rest != "" && wr.Rest != v.rest:
		return no(fault.Conflict, "ChangedByOthers", 0)
	case i.Now().After(wr.NotAfter) && !w.mutant.ignoresDeadline():
		return no(fault.Unavailable, executor.CodeSendDeadline, 0)
	}
	t := w.swarm.timing()
	f := &flight{write: wr, inst: i, rest: v.rest, intentAt: wr.NotAfter.Add(-i.offset).Add(-t.SendDeadline)}
	f.answer.Before = &before
	flight := w.span(i.name, n, "flight", 20*time.Millisecond, 400*time.Millisecond)
	if room := f.intentAt.Add(t.Landing).Sub(w.now) / 2; room > time.Second && w.fault("slow-flight", i.name, n) {
		flight = w.span(i.name, n, "slow-flight-for", time.Second, room)
	}
	f.arrives = w.now.Add(flight)
	a.flying[wr.ID] = f
	a.sends++
	w.trace.mark(mark{lane: i.name, what: "flight", to: short(wr.Gateway), end: f.arrives, text: f.String()})
	w.judge.sent(i, f)
	w.at(f.arrives, func() { a.arrive(f, n) })
	return executor.Begun{}, f
}

// arrive is Azure taking a PUT, or not.
func (a *azure) arrive(f *flight, n int) {
	w, wr := a.w, f.write
	who := f.inst.name
	refuse := func(outcome executor.Outcome, kind fault.Kind, code string, after time.Duration) {
		f.over = true
		f.answer.Outcome, f.answer.RetryAfter, f.answer.Sent = outcome, after, true
		f.answer.Err = refusal(kind, code, after, wr.Connection)
		w.trace.note("azure refuses %s=%d: %s", short(wr.Connection), wr.To, code)
	}
	w.judge.arrived(f)
	switch {
	case w.now.Before(a.hold[wr.Gateway]):
		refuse(executor.NotApplied, fault.Throttled, "TooManyRequests", a.hold[wr.Gateway].Sub(w.now))
		return
	case w.fault("arm-throttled", who, n):
		a.hold[wr.Gateway] = w.now.Add(w.span(who, n, "retry-after", 5*time.Second, 60*time.Second))
		refuse(executor.NotApplied, fault.Throttled, "TooManyRequests", a.hold[wr.Gateway].Sub(w.now))
		return
	case a.busy[wr.Gateway] != "", w.fault("arm-busy", who, n):
		refuse(executor.NotApplied, fault.Busy, "AnotherOperationInProgress", 0)
		return
	case w.fault("arm-denied", who, n):
		refuse(executor.NotApplied, fault.Denied, "AuthorizationFailed", 0)
		return
	case w.fault("arm-5xx-unapplied", who, n):
		refuse(executor.Unknown, fault.Unavailable, "500", 0)
		return
	}
	a.accept(f, n)
}

// accept begins the operation of a PUT.
func (a *azure) accept(f *flight, n int) {
	w, wr, who := a.w, f.write, f.inst.name
	budget := f.intentAt.Add(w.swarm.timing().Landing).Sub(w.now)
	land := w.span(who, n, "land", 2*time.Second, 25*time.Second)
	op := &operation{token: "t-" + strconv.Itoa(len(a.ops)+1), f: f}
	if w.fault("land-late", who, n) {
		land = w.span(who, n, "land-late-for", 20*time.Second, max(budget, 21*time.Second))
	}
	land = min(land, budget*19/20)
	end := land + w.span(who, n, "end", 0, 3*time.Second)
	switch {
	case w.fault("land-beyond-d", who, n):
		land = budget + w.span(who, n, "beyond-for", time.Second, w.swarm.timing().Landing)
		end, op.final = w.span(who, n, "end", time.Second, 30*time.Second), "failed"
	case w.fault("op-failed", who, n):
		land, op.final = -1, "failed"
	case w.fault("op-cancelled", who, n):
		land, op.final = -1, "cancelled"
	case w.fault("op-failed-yet-applied", who, n):
		op.final = "failed"
	case w.fault("op-failed-lands-later", who, n):
		end, op.final = min(end, 5*time.Second), "failed"
		land = w.span(who, n, "lands-later", 5*time.Second, max(budget*19/20, 6*time.Second))
	case w.fault("op-fails-slowly", who, n):
		end, op.final = w.span(who, n, "fails-after", 5*time.Second, budget*2/3), "failed"
		land = max(end, budget*19/20)
	case w.fault("op-succeeds-unapplied", who, n):
		land = -1
	case w.fault("op-expired", who, n):
		op.gone = true
	case w.fault("op-hangs", who, n):
		op.hangs = true
	}
	f.clobbers = w.fault("write-clobbers", who, n)
	op.ends = w.now.Add(end)
	a.ops[op.token] = op
	a.busy[wr.Gateway] = op.token
	c := a.conns[wr.Connection]
	c.updating = op.token
	w.trace.note("azure takes %s=%d from %s, lands in %s%s", short(wr.Connection), wr.To, who, land.Truncate(time.Millisecond), op.final)
	w.at(op.ends, func() {
		if a.busy[wr.Gateway] == op.token {
			delete(a.busy, wr.Gateway)
		}
		if c.updating == op.token {
			c.updating = ""
		}
	})
	if land >= 0 {
		f.lands = w.now.Add(land)
		w.at(f.lands, func() { a.land(f) })
	} else {
		w.at(op.ends, func() { f.over = true })
	}
	f.answer.Outcome, f.answer.Sent = executor.Unknown, true
	switch {
	case w.fault("arm-5xx-applied", who, n), w.fault("arm-lost-reply", who, n):
		f.answer.Err = unavailable("set connection weight", wr.Connection)
	default:
		f.answer.Token, f.answer.RetryAfter = executor.Token(op.token), w.span(who, n, "pace", 0, 10*time.Second)
	}
}

// land is a weight taking effect: the whole body as it was sent.
func (a *azure) land(f *flight) {
	w, wr := a.w, f.write
	c := a.conns[wr.Connection]
	f.over = true
	a.lands++
	before := w.judge.picture(c.gateway)
	old := *c
	rest := w.mutant.rest(f.rest)
	if f.clobbers {
		rest += "~"
	}
	c.set(w.now, wr.To, wr.Epoch, rest)
	w.trace.note("%s=%d epoch %q lands (was %d)", short(c.id), wr.To, wr.Epoch, old.weight)
	w.trace.mark(mark{lane: short(c.gateway), what: "land", text: fmt.Sprintf("%s=%d", c.circuit, wr.To)})
	w.judge.landed(f, old, before)
}

// foreign is somebody else writing a connection.
func (a *azure) foreign(id string, weight int32, epoch, rest string) {
	c := a.conns[id]
	if rest == "" {
		rest = c.rest
	}
	c.set(a.w.now, weight, epoch, rest)
	a.w.trace.note("others write %s=%d epoch %q rest %s", short(id), weight, epoch, rest)
	a.w.trace.mark(mark{lane: short(c.gateway), what: "fault", text: fmt.Sprintf("others write %s=%d", c.circuit, weight)})
	a.w.judge.others(id)
}

func (a *azure) ask(q executor.Question) executor.Begun {
	op := &operation{token: "t-" + strconv.Itoa(len(a.ops)+1), ends: a.w.now.Add(5 * time.Second), answer: &executor.Answer{Question: q}}
	a.ops[op.token] = op
	return executor.Begun{Outcome: executor.Unknown, Token: executor.Token(op.token), RetryAfter: 5 * time.Second}
}

func (a *azure) poll(i *instance, r executor.Running) executor.Polled {
	op, known := a.ops[string(r.Token)]
	switch {
	case !known || op.gone:
		return executor.Polled{Done: true, Outcome: executor.Unknown, Err: &fault.Error{Op: "poll", Kind: fault.NotFound, Code: "OperationNotFound"}}
	case a.w.now.Before(op.ends), op.hangs:
		return executor.Polled{Token: r.Token, Outcome: executor.Unknown, RetryAfter: 5 * time.Second}
	case op.answer != nil:
		ans := a.fill(*op.answer)
		ans.At = i.Now()
		return executor.Polled{Done: true, Outcome: executor.Applied, Answer: &ans}
	case op.final != "":
		return executor.Polled{Done: true, Outcome: executor.Unknown, Err: &fault.Error{Op: "poll", Kind: fault.Unavailable, Code: op.final}}
	}
	return executor.Polled{Done: true, Outcome: executor.Applied}
}

// fill answers a slow read from the truth.
func (a *azure) fill(ans executor.Answer) executor.Answer {
	switch q := ans.Question; q.Kind {
	case executor.AskBGP:
		name := a.w.est.CircuitOf(q.Target)
		p := executor.Peer{Neighbor: "172.16.0.1", ASN: 65001, State: "Idle"}
		if a.w.truth.session(name, events.Link(q.Link), a.w.now) {
			p.Established, p.Prefixes, p.State = true, 12, "12"
			if a.w.truth.session(name, other(events.Link(q.Link)), a.w.now) {
				a.w.judge.sample(name, a.w.now, true)
			}
		} else if !a.w.truth.session(name, other(events.Link(q.Link)), a.w.now) {
			a.w.judge.sample(name, a.w.now, false)
		}
		ans.Peers = []executor.Peer{p}
	case executor.AskRoutes:
		ans.Routes = []executor.Route{{Network: "10.0.0.0/8", Origin: "EBgp"}}
	case executor.AskTable:
		ans.Routes = []executor.Route{{Network: "10.0.0.0/8", ASPath: "65001"}}
	case executor.AskTests:
		ans.Tests = a.details(q.Target)
	case executor.AskARP:
	}
	return ans
}

func other(l events.Link) events.Link {
	if l == events.Primary {
		return events.Secondary
	}
	return events.Primary
}

func short(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func (f *flight) String() string {
	return fmt.Sprintf("%s=%d epoch %q by %s", short(f.write.Connection), f.write.To, f.write.Epoch, f.inst.name)
}
