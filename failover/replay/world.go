package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/topology"
)

// Times of the network in memory.
const (
	landing = 20 * time.Second // from a write to its landing
	reading = 5 * time.Second  // from a slow question to its answer
)

// virtual is time that moves when somebody sleeps.
type virtual struct{ now time.Time }

// Now implements failover.Clock.
func (v *virtual) Now() time.Time { return v.now }

// Sleep implements failover.Clock.
func (v *virtual) Sleep(_ context.Context, d time.Duration) error {
	v.now = v.now.Add(max(d, 0))
	return nil
}

// world is the network as it was recorded: circuits are as bad as somebody called
// them, and weights are as the replay has written them. It reaches nothing.
type world struct {
	clock   *virtual
	est     topology.Estate
	weights map[string]executor.ConnectionState // by connection ID
	claims  map[claim]events.Signal             // the newest of each source
	running map[executor.Token]*pending
	rest    map[string]int32 // weights at rest, by connection ID
	badAt   time.Time        // when somebody last called something bad
	serial  int
	writes  int
}

// claim names one source's word about one link.
type claim struct {
	circuit, observer, source, resource string
	link                                events.Link
}

// pending is something that was begun.
type pending struct {
	at       time.Time
	write    *executor.Write
	question *executor.Question
	landed   bool
}

var _ executor.Network = (*world)(nil)

func newWorld(clock *virtual, est topology.Estate, weights map[string]int32) *world {
	w := &world{clock: clock, est: est, weights: map[string]executor.ConnectionState{}, claims: map[claim]events.Signal{}, rest: weights, running: map[executor.Token]*pending{}}
	for _, c := range est.Connections {
		w.weights[c.ID] = executor.ConnectionState{ID: c.ID, Gateway: c.Gateway, Circuit: c.Circuit, Weight: weights[c.ID], Provisioning: "Succeeded", Status: "Connected", Rest: "recorded"}
	}
	return w
}

// hear takes recorded signals as the facts that the circuits follow: what was said
// about private traffic, the newest of each source.
func (w *world) hear(signals []events.Signal) {
	for _, s := range signals {
		if s.Kind != events.Health || s.Peering == events.Microsoft || s.Peering == events.Public || s.State == events.Unknown || s.Tentative && s.State == events.Up {
			continue
		}
		for _, c := range w.est.Circuits {
			if !speaksOf(c, s) {
				continue
			}
			if s.State != events.Up {
				w.badAt = latest(w.badAt, w.clock.now)
			}
			k := claim{c.Name, string(s.Observer), s.Source, s.Resource, s.Link}
			if known, ok := w.claims[k]; !ok || !s.At.Before(known.At) {
				w.claims[k] = s
			}
		}
	}
}

// speaksOf reports whether a signal is about a circuit or what it rests on.
func speaksOf(c topology.Circuit, s events.Signal) bool {
	if s.Resource == c.ID || strings.HasPrefix(s.Resource, c.ID+"/") || (c.Port != "" && s.Resource == c.Port) {
		return true
	}
	return slices.ContainsFunc(c.Monitors, func(m string) bool {
		id, _, _ := strings.Cut(m, "#")
		return id == s.Resource
	})
}

// session reports whether a link's session stands: the newest word of the control
// plane about it decides.
func (w *world) session(circuit string, link events.Link) bool {
	newest, up := time.Time{}, true
	for k, s := range w.claims { // order-free: a maximum, and of two at one instant the bad one
		if k.circuit != circuit || s.Plane != events.ControlPlane || (k.link != link && k.link != events.BothLinks) || w.clock.now.Sub(s.At) > remembered {
			continue
		}
		if down := s.State == events.Down; s.At.After(newest) || (s.At.Equal(newest) && down) {
			newest, up = s.At, !down
		}
	}
	return up
}

// remembered is how long a word stands that nobody took back.
const remembered = 24 * time.Hour

// bad reports whether somebody calls a circuit down as a whole, or both its links.
func (w *world) bad(circuit string) bool {
	var links [2]bool
	for k, s := range w.claims { // order-free: it sets flags
		if k.circuit != circuit || s.State != events.Down || s.UserAction || w.clock.now.Sub(s.At) > remembered {
			continue
		}
		switch k.link {
		case events.Primary:
			links[0] = true
		case events.Secondary:
			links[1] = true
		default:
			links = [2]bool{true, true}
		}
	}
	return links[0] && links[1]
}

// due returns when the next thing that was begun has its answer, and whether a write
// is among them. What nobody has asked after for a while is forgotten: its asker gave
// it up.
func (w *world) due() (at time.Time, writes bool) {
	const patience = 2 * time.Minute
	for token, p := range w.running { // order-free: a minimum
		if w.clock.now.Sub(p.at) > patience && (p.write == nil || p.landed) {
			delete(w.running, token)
			continue
		}
		if at.IsZero() || p.at.Before(at) {
			at = p.at
		}
		writes = writes || p.write != nil
	}
	return at, writes
}

// calm reports whether nothing is wrong: the weights are at rest, nobody calls
// anything bad, and nobody has for a quarter of an hour.
func (w *world) calm() bool {
	const quiet = 15 * time.Minute
	if w.clock.now.Before(w.badAt.Add(quiet)) {
		return false
	}
	for id, c := range w.weights { // order-free: any one decides
		if c.Weight != w.rest[id] || c.Epoch != "" {
			return false
		}
	}
	for _, s := range w.claims { // order-free: any one decides
		if s.State != events.Up && w.clock.now.Sub(s.At) < remembered {
			return false
		}
	}
	return true
}

// settle lets what is due land.
func (w *world) settle() {
	for _, p := range w.running { // order-free: one write at a time on a connection
		if p.write == nil || p.landed || w.clock.now.Before(p.at) {
			continue
		}
		p.landed = true
		c := w.weights[p.write.Connection]
		c.Weight, c.Epoch, c.Provisioning = p.write.To, p.write.Epoch, "Succeeded"
		w.weights[p.write.Connection] = c
	}
}

// Read implements executor.Network.
func (w *world) Read(_ context.Context, refs []executor.Ref) []executor.Reading {
	w.settle()
	out := make([]executor.Reading, len(refs))
	for i, ref := range refs {
		out[i] = executor.Reading{Ref: ref, At: w.clock.now, Found: true}
		switch ref.Kind {
		case executor.RefConnection:
			c, ok := w.weights[ref.ID]
			out[i].Found, out[i].Connection = ok, &c
		case executor.RefConnections:
			for _, k := range w.est.Connections {
				if k.Gateway == ref.ID {
					out[i].Connections = append(out[i].Connections, w.weights[k.ID])
				}
			}
		case executor.RefCircuit:
			c, ok := w.est.Circuit(w.est.CircuitOf(ref.ID))
			out[i].Found, out[i].Circuit = ok, &executor.CircuitState{Circuit: c, Provisioning: "Succeeded", Enabled: true, Provisioned: true, Peering: "Enabled"}
		case executor.RefGateway:
			g, ok := w.est.Gateway(ref.ID)
			out[i].Found, out[i].Gateway = ok, &g
		case executor.RefTraffic:
			n := w.clock.now.Unix()
			if name := w.est.CircuitOf(ref.ID); !w.session(name, events.Primary) && !w.session(name, events.Secondary) {
				n = 0
			}
			out[i].Traffic = &executor.Traffic{In: [2]int64{n, n}, Out: [2]int64{n, n}}
		}
	}
	return out
}

// Begin implements executor.Network.
func (w *world) Begin(_ context.Context, writes []executor.Write) []executor.Begun {
	w.settle()
	out := make([]executor.Begun, len(writes))
	for i := range writes {
		write := writes[i]
		before := w.weights[write.Connection]
		if before.Weight == write.To && before.Epoch == write.Epoch {
			out[i] = executor.Begun{Outcome: executor.Applied, NoOp: true, Before: &before}
			continue
		}
		w.writes++
		out[i] = executor.Begun{Outcome: executor.Unknown, Token: w.begin(pending{at: w.clock.now.Add(landing), write: &write}), RetryAfter: reading, Sent: true, Before: &before}
	}
	return out
}

// Ask implements executor.Network.
func (w *world) Ask(_ context.Context, questions []executor.Question) []executor.Begun {
	out := make([]executor.Begun, len(questions))
	for i := range questions {
		q := questions[i]
		out[i] = executor.Begun{Outcome: executor.Unknown, Token: w.begin(pending{at: w.clock.now.Add(reading), question: &q}), RetryAfter: reading}
	}
	return out
}

func (w *world) begin(p pending) executor.Token {
	w.serial++
	token := executor.Token(fmt.Sprintf("replay-%d", w.serial))
	w.running[token] = &p
	return token
}

// Poll implements executor.Network. What has ended is forgotten: nobody asks twice.
func (w *world) Poll(_ context.Context, running []executor.Running) []executor.Polled {
	w.settle()
	out := make([]executor.Polled, len(running))
	for i, r := range running {
		p, known := w.running[r.Token]
		switch {
		case !known:
			out[i] = executor.Polled{Done: true, Outcome: executor.Unknown}
		case w.clock.now.Before(p.at):
			out[i] = executor.Polled{Token: r.Token, Outcome: executor.Unknown, RetryAfter: p.at.Sub(w.clock.now)}
		default:
			out[i] = executor.Polled{Done: true, Outcome: executor.Applied}
			if p.question != nil {
				out[i].Answer = w.answer(*p.question)
			}
			delete(w.running, r.Token)
		}
	}
	return out
}

// answer says what a look at the network would have shown.
func (w *world) answer(q executor.Question) *executor.Answer {
	a := &executor.Answer{Question: q, At: w.clock.now}
	switch q.Kind {
	case executor.AskBGP:
		p := executor.Peer{Neighbor: "recorded", State: "Idle"}
		if w.session(w.est.CircuitOf(q.Target), events.Link(q.Link)) {
			p.Established, p.Prefixes, p.State = true, 1, "1"
		}
		a.Peers = []executor.Peer{p}
	case executor.AskRoutes:
		a.Routes = []executor.Route{{Network: "recorded", Origin: "EBgp"}}
	case executor.AskARP:
	}
	return a
}

// carrying returns the circuits with the highest weight on a gateway.
func (w *world) carrying(gateway string) []string {
	best, out := int32(-1), []string(nil)
	for _, k := range w.est.Connections {
		c := w.weights[k.ID]
		switch {
		case k.Gateway != gateway || c.Weight < best:
		case c.Weight > best:
			best, out = c.Weight, []string{w.est.CircuitOf(k.Circuit)}
		default:
			out = append(out, w.est.CircuitOf(k.Circuit))
		}
	}
	return out
}
