// Package proof runs the production engine, unchanged, in a world that is made to
// break it: two to four instances over one record and one Azure, on virtual time,
// with every call of a port a place where a process may die, stall or be lied to.
//
//	script (seed) ──▶ truth of circuits ──▶ signals, orders, foreign writes
//	                                             │
//	      instances: failover.New(ports) ◀───────┘  each call is a coroutine
//	          │ every port call is a yield: an effect, a crash point
//	          ▼
//	      record (recordtest.Memory)   Azure (weights, operations)
//	          └────────── oracles look at every save, send and landing
//
// Randomness is keyed by hash(seed, actor, sequence, purpose): taking one fault
// away does not shift the others, so a failing seed can be made small.
package proof

import (
	"container/heap"
	"context"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/topology"
)

// maxPoints bounds a run: more effects than that are a loop.
const maxPoints = 150000

// origin is when every run begins.
var origin = time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)

// world is one run: everything that happens in it follows from the script, the
// seed and the set of faults that are allowed.
type world struct {
	seed   uint64
	swarm  swarm
	now    time.Time // true time; instances see it through clocks that may be wrong
	events agenda
	order  uint64
	ids    int

	est       topology.Estate // as configured, connections included
	store     *recordtest.Memory
	azure     *azure
	instances []*instance
	cur       *invocation
	quiet     bool // faults have stopped
	over      bool
	closing   bool // no new events: what was sent is to be answered

	allow  map[string]bool // nil: every fault that is drawn happens
	kill   []death         // planned deaths of a sweep
	fired  []string        // faults that happened, in order
	kinds  map[string]int  // by kind
	points int             // effects so far
	trace  *trace
	judge  *oracles
	mutant mutant
	owed   int // deliveries that have not been answered yet
	truth  *weather
	silent map[string]time.Time // circuits that nobody speaks of until then
	stall  time.Duration        // of the process at work, after the effect that it is in
}

// death is a planned crash: of the instance that is at work, at the n-th effect.
type death struct {
	point int
	after bool
}

// instance is one process: an engine with what it remembers, and a clock.
type instance struct {
	w      *world
	name   string
	offset time.Duration // its clock minus the true time
	engine *failover.Engine
	seq    int // effects, over all its lives
	up     bool
	calls  []*invocation
	lives  int
	newer  bool // it runs a newer version of the same schema
}

// invocation is one call of Handle or Tick, as a coroutine.
type invocation struct {
	inst  *instance
	name  string
	yield func(time.Duration) bool
	next  func() (time.Duration, bool)
	stop  func()
	dead  bool
	done  bool
}

// crashed is what a dying process panics with.
type crashed struct{}

// agenda is what is to come, soonest first.
type agenda []*entry

type entry struct {
	at    time.Time
	order uint64
	do    func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*entry)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// at lays something on the agenda; what is due already happens next.
func (w *world) at(when time.Time, do func()) {
	if when.Before(w.now) {
		when = w.now
	}
	w.order++
	heap.Push(&w.events, &entry{when, w.order, do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// until runs the world to an instant.
func (w *world) until(end time.Time) {
	for len(w.events) > 0 && !w.events[0].at.After(end) && !w.over {
		e := heap.Pop(&w.events).(*entry)
		w.now = e.at
		e.do()
	}
	if !w.over {
		w.now = end
	}
}

// draw returns the random number of one purpose of one step of one actor.
func (w *world) draw(actor string, seq int, purpose string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d/%s", w.seed, actor, seq, purpose)
	x := h.Sum64()
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// share turns a draw into a number from 0 to 1.
func share(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// span draws a duration between two bounds, short ones more often.
func (w *world) span(actor string, seq int, purpose string, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	s := share(w.draw(actor, seq, purpose))
	return least + time.Duration(s*s*float64(most-least))
}

// fault reports whether a fault happens at a step, and notes that it did.
func (w *world) fault(kind, actor string, seq int) bool {
	rate := w.swarm.rate(kind)
	if w.quiet || rate == 0 || share(w.draw(actor, seq, kind)) >= rate {
		return false
	}
	key := actor + "/" + strconv.Itoa(seq) + "/" + kind
	if w.allow != nil && !w.allow[key] {
		return false
	}
	w.fired = append(w.fired, key)
	w.kinds[kind]++
	return true
}

// Now implements failover.Clock.
func (i *instance) Now() time.Time { return i.w.now.Add(i.offset) }

// Sleep implements failover.Clock.
func (i *instance) Sleep(_ context.Context, d time.Duration) error {
	i.w.effect("sleep", "", d, func() {})
	return nil
}

// boot starts an instance's process anew.
func (w *world) boot(i *instance) {
	i.lives++
	i.up = true
	i.newer = w.swarm.mixed && w.draw(i.name, i.lives, "version")%2 == 0
	configured := w.est
	configured.Connections = nil
	net := executorNetwork(network{w, i})
	i.engine = failover.New(failover.Settings{
		Store: store{w, i}, Network: w.mutant.network(w, net), Clock: i, Log: zerolog.Nop(), Owner: i.name, Topology: configured, Hash: "cfg",
		ID:    func() string { w.ids++; return "id-" + strconv.Itoa(w.ids) },
		Rules: w.mutant.rules(w.swarm.rules()), Limits: w.mutant.limits(w.swarm.limits(w.quiet)), Timing: w.mutant.timing(w.swarm.timing()),
	})
}

// start begins a call on an instance. An engine takes a group one beat further in
// one call at a time, so the calls of one process wait for each other.
func (w *world) start(i *instance, name string, body func()) *invocation {
	c := &invocation{inst: i, name: name}
	c.next, c.stop = iter.Pull(func(yield func(time.Duration) bool) {
		defer func() {
			if p := recover(); p != nil {
				if _, planned := p.(crashed); !planned {
					panic(p)
				}
			}
		}()
		c.yield = yield
		body()
	})
	i.calls = append(i.calls, c)
	if len(i.calls) == 1 {
		w.resume(c)
	}
	return c
}

// resume runs a call until its next yield.
func (w *world) resume(c *invocation) {
	if c.dead || c.done {
		return
	}
	w.cur = c
	wait, more := c.next()
	w.cur = nil
	if !more {
		c.done = true
		i := c.inst
		i.calls = slices.DeleteFunc(i.calls, func(o *invocation) bool { return o == c })
		if len(i.calls) > 0 && !c.dead {
			next := i.calls[0]
			w.at(w.now, func() { w.resume(next) })
		}
		return
	}
	w.after(wait, func() { w.resume(c) })
}

// wait hands control back for a while. A process that died meanwhile never
// returns from it.
func (w *world) wait(d time.Duration) {
	c := w.cur
	if c.dead || !c.yield(d) {
		panic(crashed{})
	}
}

// die ends the process that is at work, from within.
func (w *world) die() {
	c := w.cur
	c.dead = true
	i := c.inst
	w.at(w.now, func() { w.crash(i) })
	panic(crashed{})
}

// crash ends a process with all its calls, and starts it anew a while later.
func (w *world) crash(i *instance) {
	if !i.up {
		return
	}
	i.up = false
	w.trace.note("%s crashes", i.name)
	down := w.span(i.name, i.lives, "down-for", time.Second, 2*time.Minute)
	w.trace.mark(mark{lane: i.name, what: "dead", end: w.now.Add(down), text: "crashes"})
	for _, c := range slices.Clone(i.calls) {
		c.dead = true
		c.stop()
	}
	i.calls = nil
	w.after(down, func() {
		w.trace.note("%s starts", i.name)
		w.boot(i)
	})
}

// effect is one call of a port: latency, perhaps a stall or a death, on either side
// of what it does.
func (w *world) effect(kind, target string, latency time.Duration, do func()) {
	c := w.cur
	if c == nil || c.dead {
		panic(crashed{})
	}
	i := c.inst
	i.seq++
	w.points++
	n, point := i.seq, w.points
	if w.points > maxPoints {
		w.judge.must("bound", false, "more than %d effects", maxPoints)
		w.over = true
	}
	w.deaths(point, false)
	if w.fault("crash-before", i.name, n) {
		w.die()
	}
	d := latency
	if w.fault("pause", i.name, n) || kind == "begin" && w.fault("pause-before-begin", i.name, n) {
		d += w.span(i.name, n, "pause-for", 5*time.Second, w.swarm.pauseMax)
		w.trace.note("%s stalls for %s before %s %s", i.name, d.Truncate(time.Second), kind, target)
		w.trace.mark(mark{lane: i.name, what: "stall", end: w.now.Add(d), text: "stalls before " + kind})
	}
	w.wait(d)
	w.trace.mark(mark{lane: i.name, what: "effect", text: kind + " " + target})
	do()
	w.deaths(point, true)
	if w.fault("crash-after", i.name, n) {
		w.die()
	}
	d, w.stall = w.stall+time.Millisecond, 0
	if w.fault("pause-after", i.name, n) {
		d += w.span(i.name, n, "pause-after-for", 5*time.Second, w.swarm.pauseMax)
		w.trace.note("%s stalls for %s after %s %s", i.name, d.Truncate(time.Second), kind, target)
		w.trace.mark(mark{lane: i.name, what: "stall", end: w.now.Add(d), text: "stalls after " + kind})
	}
	w.wait(d)
}

// deaths carries out the planned deaths of a sweep.
func (w *world) deaths(point int, after bool) {
	if slices.Contains(w.kill, death{point, after}) {
		w.kinds["planned-death"]++
		w.die()
	}
}

// pick chooses an instance that is up, or nil.
func (w *world) pick(actor string, seq int) *instance {
	var up []*instance
	for _, i := range w.instances {
		if i.up {
			up = append(up, i)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[w.draw(actor, seq, "instance")%uint64(len(up))]
}

// trace is what happened, hashed always and kept as text when asked.
type trace struct {
	w    *world
	hash uint64
	keep bool
	text []string

	marks []mark
}

func (t *trace) note(format string, args ...any) {
	line := t.w.now.Sub(origin).String() + " " + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", t.hash, line)
	t.hash = h.Sum64()
	if t.keep {
		t.text = append(t.text, line)
	}
}
