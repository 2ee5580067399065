package contest

import (
	"container/heap"
	"time"
)

// rival is one policy. It sees observations, never the world.
type rival interface {
	name() string
	// about says in a line what it does.
	about() string
	// senses says what it wants to hear.
	senses() senses
	// hear takes in what arrived at one instant.
	hear(c *control, heard []sighting)
	// probe takes in a round of probes, one for each circuit.
	probe(c *control, round [count]probe)
	// beat is called when it asked for, with control.wake.
	beat(c *control)
	// resting reports whether it has nothing under way and nothing in mind.
	resting() bool
}

// senses says what a rival listens to.
type senses struct {
	records bool          // metrics, connection checks, Resource Health, announcements
	probes  time.Duration // pace of probes; 0 none
}

// probe is one try.
type probe struct{ ok, told bool }

// control is what a rival can do.
type control struct {
	now  time.Duration
	lane *lane
}

// weight writes one connection's weight; it lands later. done is called then.
func (c *control) weight(circuit int, weight int32, done func(*control)) {
	l := c.lane
	l.score.writes++
	land := c.now + between(l.world.params.Land, roll(l.world.seed, drawLand, uint64(circuit), uint64(c.now)))
	l.at(land.Truncate(time.Second), func(c *control) {
		l.path.weights[circuit] = weight
		l.moved(c.now, true)
		done(c)
	})
}

// disconnect takes the gateway off one circuit, or puts it back.
func (c *control) disconnect(circuit int, off bool, done func(*control)) {
	l := c.lane
	l.score.writes++
	land := c.now + between(l.world.params.Land, roll(l.world.seed, drawLand, uint64(circuit), uint64(c.now)))
	l.at(land.Truncate(time.Second), func(c *control) {
		l.path.off[circuit] = off
		l.moved(c.now, true)
		done(c)
	})
}

// read asks for a circuit's sessions; the answer is heard later.
func (c *control) read(circuit int) {
	l := c.lane
	if l.sleeps(c.now) {
		return
	}
	took := between(l.world.params.Read, roll(l.world.seed, drawRead, uint64(circuit), uint64(c.now))).Truncate(time.Second)
	l.at(c.now+took, func(c *control) {
		up := l.world.sessionsUp(circuit, c.now)
		var heard []sighting
		for i, ok := range up {
			heard = append(heard, sighting{arrive: c.now, at: c.now, circuit: circuit, link: i + 1, from: fromRead, state: sessionState(ok)})
		}
		l.rival.hear(c, heard)
	})
}

// wake asks for a beat, and reports whether it will come.
func (c *control) wake(at time.Duration) bool {
	if c.lane.sleeps(c.now) {
		return false
	}
	c.lane.at(max(at, c.now), c.lane.rival.beat)
	return true
}

// decided tells the score that traffic is about to be moved off a circuit, or back.
func (c *control) decided(from, to int) { c.lane.score.decided(c.lane.world, c.now, from, to) }

// event is something that happens in a lane.
type event struct {
	at  time.Duration
	seq uint64
	do  func(*control)
}

// queue is a heap of events by time, then by the order in which they were made.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// lane is one policy in one year.
type lane struct {
	world  *world
	rival  rival
	path   path
	score  score
	queue  queue
	seq    uint64
	asleep time.Duration // until then nothing is wrong anywhere, and time is passed over
	word   int           // next of world.health
	note   int           // next of world.announced
}

// at makes an event.
func (l *lane) at(t time.Duration, do func(*control)) {
	l.seq++
	heap.Push(&l.queue, event{t, l.seq, do})
}

// Margins around changes of the world within which a lane is played minute by minute.
const (
	lead = 8 * time.Minute  // before: evidence at rest
	tail = 20 * time.Minute // after: news that comes late
)

// run plays the year.
func (l *lane) run() {
	l.path = path{weights: weightsAtRest()}
	l.moved(0, false)
	for _, t := range l.world.edges {
		l.at(t, func(c *control) { l.moved(c.now, false) })
	}
	l.at(0, l.minute)
	for len(l.queue) > 0 {
		e := heap.Pop(&l.queue).(event)
		if e.at > year {
			break
		}
		l.score.until(e.at)
		e.do(&control{now: e.at, lane: l})
	}
	l.score.until(year)
}

// sleeps reports whether time is passed over, as nothing is wrong and nothing under
// way.
func (l *lane) sleeps(now time.Duration) bool { return now < l.asleep && l.rival.resting() }

// minute makes a minute's records and probes, and passes over quiet time.
func (l *lane) minute(c *control) {
	next := c.now + time.Minute
	if quiet := l.world.quietUntil(c.now, tail, lead); quiet > c.now && l.rival.resting() {
		next = quiet.Truncate(time.Minute)
		next = max(next, c.now+time.Minute)
		l.asleep = next
	}
	if next < year {
		l.at(next, l.minute)
	}
	s := l.rival.senses()
	if s.records {
		l.records(c)
	}
	if s.probes > 0 {
		for t := c.now; t < c.now+time.Minute; t += s.probes {
			l.at(t, l.round)
		}
	}
}

// records queues what is recorded of this minute, and what Resource Health says and
// Azure announces until the next.
func (l *lane) records(c *control) {
	for _, s := range l.world.minute(c.now) {
		l.at(s.arrive.Truncate(time.Second), func(c *control) { l.rival.hear(c, []sighting{s}) })
	}
	for ; l.word < len(l.world.health) && l.world.health[l.word].arrive < c.now+time.Minute; l.word++ {
		s := l.world.health[l.word]
		l.at(max(s.arrive, c.now), func(c *control) { l.rival.hear(c, []sighting{s}) })
	}
	for ; l.note < len(l.world.announced) && l.world.announced[l.note].arrive < c.now+time.Minute; l.note++ {
		if n, ok := l.rival.(listener); ok {
			n.announce(c, l.world.announced[l.note])
		}
	}
}

// listener is a rival that reads announcements.
type listener interface{ announce(*control, notice) }

// round sends one probe over each circuit.
func (l *lane) round(c *control) {
	var out [count]probe
	for i := range count {
		out[i].ok, out[i].told = l.world.try(i, c.now)
	}
	l.rival.probe(c, out)
}
