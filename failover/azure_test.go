package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/topology"
)

// azure is a small Azure in memory for the engine's own tests: weights, one write
// at a time on a gateway, operations that land after a while, and faults by name.
// It stands behind the executor's port; the REST face is tested elsewhere.
type azure struct {
	clock    *clock
	est      topology.Estate
	conns    map[string]*executor.ConnectionState
	land     time.Duration // from an accepted write to its landing
	running  map[string]*landing
	puts     map[string]int
	log      []string
	sessions map[string]bool // "circuit link" → BGP up; missing means up
	stalled  map[string]bool // circuits on which no traffic is counted
	noRoutes map[string]bool // gateways that learn nothing
	drained  map[string]bool // "ashburn primary": AS 12076 stands eight times before its routes
	asks     map[executor.QuestionKind]int
	untold   bool                // links' tables do not show that a link is drained; gateways do
	prefixes map[string][]string // what a circuit announces; unless told, 10.0.0.0/8
	mbps     map[string]int64    // what a circuit carries; unless told, next to nothing
	faults   []string            // taken one by one, by the writes that begin
	down     bool                // Azure answers nothing
	held     []executor.Write
	freeze   bool // hold what is sent: it lands by thaw, as from a process that was paused
	reads    int
	levers   levers
	onLand   func(w executor.Write, before []string)
	onBegin  func(after bool) // called around each write that begins; may panic like a crash
}

type landing struct {
	write   executor.Write
	at      time.Time
	outcome string // "", "failed", "cancelled", "failed-yet-applied"
	answer  *executor.Answer
	over    bool // landed, or never will
	unseen  bool // a start or stop that no look shows and that refuses no second one
}

var _ executor.Network = (*azure)(nil)

func newAzure(c *clock, est topology.Estate, weights map[string]int32) *azure {
	a := &azure{clock: c, est: est, conns: map[string]*executor.ConnectionState{}, running: map[string]*landing{}, puts: map[string]int{},
		sessions: map[string]bool{}, stalled: map[string]bool{}, noRoutes: map[string]bool{}, prefixes: map[string][]string{}, drained: map[string]bool{}, asks: map[executor.QuestionKind]int{}, mbps: map[string]int64{}, land: 20 * time.Second}
	for _, k := range est.Connections {
		a.conns[k.ID] = &executor.ConnectionState{ID: k.ID, Gateway: k.Gateway, Circuit: k.Circuit, Weight: weights[k.ID], Provisioning: "Succeeded", Status: "Connected", Rest: "r-" + short(k.ID)}
	}
	return a
}

// settle lets everything that is due land, oldest first.
func (a *azure) settle() {
	ids := slices.Collect(maps.Keys(a.running))
	slices.SortFunc(ids, func(x, y string) int { return a.running[x].at.Compare(a.running[y].at)*2 + strings.Compare(x, y) })
	for _, id := range ids {
		l := a.running[id]
		if l.answer != nil || l.write.Connection == "" || a.clock.now.Before(l.at) || l.outcome == "done" || l.over {
			continue
		}
		lever := l.write.Kind != planner.SetWeight
		if l.outcome == "" || l.outcome == "failed-yet-applied" {
			if lever {
				a.landLever(l.write)
			} else {
				a.apply(l.write)
			}
		}
		l.over = true
		if !lever {
			a.conns[l.write.Connection].Provisioning = "Succeeded"
		}
		switch l.outcome {
		case "":
			l.outcome = "done"
		case "failed-yet-applied":
			l.outcome = "failed"
		}
	}
}

func (a *azure) apply(w executor.Write) {
	c := a.conns[w.Connection]
	if a.onLand != nil {
		defer a.onLand(w, a.preferred(w.Gateway))
	}
	a.log = append(a.log, fmt.Sprintf("%s %s lands %d", a.clock.stamp(), short(w.Connection), w.To))
	c.Weight, c.Epoch, c.Provisioning = w.To, w.Epoch, "Succeeded"
}

// preferred returns the circuits that carry a gateway's traffic.
func (a *azure) preferred(gateway string) []string {
	best, out := int32(-1), []string(nil)
	for _, id := range slices.Sorted(maps.Keys(a.conns)) {
		c := a.conns[id]
		switch {
		case c.Gateway != gateway || c.Weight < best || a.off(gateway, a.est.CircuitOf(c.Circuit)):
		case c.Weight > best:
			best, out = c.Weight, []string{a.est.CircuitOf(c.Circuit)}
		default:
			out = append(out, a.est.CircuitOf(c.Circuit))
		}
	}
	return out
}

func (a *azure) busy(gateway string) bool {
	for _, l := range a.running {
		if l.write.Gateway == gateway && l.write.Connection != "" && a.clock.now.Before(l.at) {
			return true
		}
	}
	return false
}

func (a *azure) unavailable() error {
	return &fault.Error{Op: "call Azure", Kind: fault.Unavailable, Hint: "check the way to Azure Resource Manager"}
}

func (a *azure) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	a.settle()
	a.reads += len(refs)
	out := make([]executor.Reading, len(refs))
	for i, ref := range refs {
		out[i] = executor.Reading{Ref: ref, At: a.clock.now, Found: true}
		if a.down {
			out[i].Found, out[i].Err = false, a.unavailable()
			continue
		}
		a.read(ref, &out[i])
	}
	return out
}

func (a *azure) read(ref executor.Ref, out *executor.Reading) {
	switch ref.Kind {
	case executor.RefConnection:
		c, ok := a.conns[ref.ID]
		if out.Found = ok; ok {
			state := *c
			out.Connection = &state
		}
	case executor.RefConnections:
		for _, k := range a.est.Connections {
			if k.Gateway == ref.ID {
				out.Connections = append(out.Connections, *a.conns[k.ID])
			}
		}
	case executor.RefCircuit:
		name := a.est.CircuitOf(ref.ID)
		c, ok := a.est.Circuit(name)
		out.Found, out.Circuit = ok, &executor.CircuitState{Circuit: c, Enabled: true, Provisioned: true, Peering: "Enabled"}
		if a.levers.disabled[ref.ID] {
			out.Circuit.Peering = "Disabled"
		}
	case executor.RefGateway:
		g, ok := a.est.Gateway(ref.ID)
		out.Found, out.Gateway = ok, &g
	case executor.RefTraffic:
		name := a.est.CircuitOf(ref.ID)
		n := a.clock.now.Unix() * max(1, a.mbps[name]*1e6/8/2) // half of it on each link
		if a.stalled[name] || !a.carries(name) {
			n = 0
		}
		out.Traffic = &executor.Traffic{In: [2]int64{n, n}, Out: [2]int64{n, n}}
	}
}

// carries reports whether a circuit has the highest weight of some gateway.
func (a *azure) carries(name string) bool {
	for _, g := range a.est.Gateways {
		on := a.preferred(g.ID)
		if s := a.levers.stuck; s != "" && !a.off(g.ID, s) {
			on = []string{s}
		}
		if slices.Contains(on, name) {
			return true
		}
	}
	return false
}

func (a *azure) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	out := make([]executor.Begun, len(writes))
	for i, w := range writes {
		a.settle()
		if a.freeze {
			a.held = append(a.held, w)
			out[i] = executor.Begun{Outcome: executor.Unknown, Err: a.unavailable(), Sent: true}
			continue
		}
		if a.onBegin != nil {
			a.onBegin(false)
		}
		if w.Kind == planner.SetWeight {
			out[i] = a.begin(w)
		} else {
			out[i] = a.beginLever(w)
		}
		if a.onBegin != nil {
			a.onBegin(true)
		}
	}
	return out
}

func (a *azure) begin(w executor.Write) executor.Begun {
	refuse := func(kind fault.Kind, code string, after time.Duration) executor.Begun {
		a.log = append(a.log, fmt.Sprintf("%s %s refused %s", a.clock.stamp(), short(w.Connection), code))
		return executor.Begun{Outcome: executor.NotApplied, Sent: true, Err: &fault.Error{Op: "set connection weight", Target: w.Connection, Kind: kind, Code: code, Hint: "give the identity the Operator role on this connection", RetryAfter: after}}
	}
	fail := ""
	if len(a.faults) > 0 {
		fail, a.faults = a.faults[0], a.faults[1:]
	}
	c := a.conns[w.Connection]
	before := *c
	switch {
	case a.down:
		return executor.Begun{Outcome: executor.Unknown, Err: a.unavailable(), Sent: true}
	case a.clock.now.After(w.NotAfter):
		return executor.Begun{Outcome: executor.NotApplied, Err: &fault.Error{Op: "set connection weight", Target: w.Connection, Kind: fault.Unavailable, Code: "send-deadline"}}
	case c.Weight == w.To && c.Epoch == w.Epoch:
		return executor.Begun{Outcome: executor.Applied, NoOp: true, Before: &before}
	case c.Weight != w.From:
		return refuse(fault.Conflict, "changed by others", 0)
	case fail == "denied":
		return refuse(fault.Denied, "AuthorizationFailed", 0)
	case fail == "throttled":
		return refuse(fault.Throttled, "TooManyRequests", 40*time.Second)
	case a.busy(w.Gateway), fail == "busy":
		return refuse(fault.Busy, "AnotherOperationInProgress", 0)
	}
	a.puts[w.Connection]++
	a.log = append(a.log, fmt.Sprintf("%s %s PUT %d", a.clock.stamp(), short(w.Connection), w.To))
	token := "t-" + strconv.Itoa(len(a.running)+1)
	l := &landing{write: w, at: a.clock.now.Add(a.land)}
	switch fail {
	case "failed", "cancelled", "failed-yet-applied":
		l.outcome = fail
	}
	a.running[token] = l
	c.Provisioning = "Updating"
	if fail == "lost-reply" {
		return executor.Begun{Outcome: executor.Unknown, Sent: true, Err: a.unavailable()}
	}
	return executor.Begun{Outcome: executor.Unknown, Token: executor.Token(token), RetryAfter: 10 * time.Second, Sent: true, Before: &before, Correlation: "c-" + token}
}

func (a *azure) Ask(_ context.Context, qs []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(qs))
	for i, q := range qs {
		a.asks[q.Kind]++
		if a.down {
			out[i] = executor.Begun{Outcome: executor.Unknown, Err: a.unavailable()}
			continue
		}
		token := "t-" + strconv.Itoa(len(a.running)+1)
		a.running[token] = &landing{at: a.clock.now.Add(5 * time.Second), answer: a.answer(q)}
		out[i] = executor.Begun{Outcome: executor.Unknown, Token: executor.Token(token), RetryAfter: 5 * time.Second}
	}
	return out
}

func (a *azure) answer(q executor.Question) *executor.Answer {
	ans := &executor.Answer{Question: q}
	switch q.Kind {
	case executor.AskBGP:
		up, told := a.sessions[a.est.CircuitOf(q.Target)+" "+q.Link]
		p := executor.Peer{Neighbor: "172.16.0.1", ASN: 65001, State: "Idle"}
		if up || !told {
			p.Established, p.Prefixes, p.State = true, 12, "12"
		}
		ans.Peers = []executor.Peer{p}
	case executor.AskRoutes:
		if !a.noRoutes[short(q.Target)] {
			ans.Routes = []executor.Route{{Network: "10.0.0.0/8", Origin: "EBgp", ASPath: "12076-65001"}}
			for range a.drained {
				ans.Routes = append(ans.Routes, executor.Route{Network: "10.0.0.0/8", Origin: "EBgp", ASPath: strings.Repeat("12076-", 9) + "65001"})
			}
		}
	case executor.AskTable:
		name := a.est.CircuitOf(q.Target)
		list, told := a.prefixes[name]
		if !told {
			list = []string{"10.0.0.0/8"}
		}
		if up, told := a.sessions[name+" "+q.Link]; told && !up {
			list = nil
		}
		ans.Routes = []executor.Route{{Network: "10.200.0.0/16", ASPath: "65515"}}
		if a.drained[name+" "+q.Link] && !a.untold {
			ans.Routes[0].ASPath = strings.Repeat("12076 ", 8) + "65515"
		}
		for _, p := range list {
			ans.Routes = append(ans.Routes, executor.Route{Network: p, ASPath: "65001"})
		}
	case executor.AskARP, executor.AskTests:
	}
	return ans
}

func (a *azure) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	a.settle()
	out := make([]executor.Polled, len(running))
	for i, r := range running {
		l, known := a.running[string(r.Token)]
		switch {
		case a.down:
			out[i] = executor.Polled{Outcome: executor.Unknown, Err: a.unavailable()}
		case !known:
			out[i] = executor.Polled{Done: true, Outcome: executor.Unknown, Err: &fault.Error{Op: "poll", Kind: fault.NotFound, Code: "OperationNotFound"}}
		case a.clock.now.Before(l.at):
			out[i] = executor.Polled{Token: r.Token, Outcome: executor.Unknown, RetryAfter: 5 * time.Second}
		case l.answer != nil:
			ans := *l.answer
			ans.At = a.clock.now
			if ans.Question.Kind == executor.AskTests {
				ans.Tests = a.testsOf(ans.Question.Target)
			}
			out[i] = executor.Polled{Done: true, Outcome: executor.Applied, Answer: &ans}
		case l.outcome == "done":
			out[i] = executor.Polled{Done: true, Outcome: executor.Applied}
		default:
			out[i] = executor.Polled{Done: true, Outcome: executor.Unknown, Err: &fault.Error{Op: "poll", Kind: fault.Unavailable, Code: l.outcome}}
		}
	}
	return out
}

// clock is virtual time: sleeping moves it.
type clock struct {
	start, now time.Time
}

func newClock() *clock {
	t := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	return &clock{start: t, now: t}
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

func (c *clock) stamp() string { return c.now.Sub(c.start).Truncate(time.Second).String() }
