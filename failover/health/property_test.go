package health

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/events"
)

// drawRule draws a rule with short and long waits.
func drawRule(t *rapid.T) Rule {
	r := DefaultRule()
	r.HoldDown = rapid.SampledFrom([]time.Duration{0, 10 * time.Second, 30 * time.Second, 2 * time.Minute}).Draw(t, "hold-down")
	r.HoldUp = r.HoldDown + rapid.SampledFrom([]time.Duration{0, time.Minute, 5 * time.Minute}).Draw(t, "hold-up")
	r.Observers = rapid.IntRange(1, 3).Draw(t, "observers")
	r.ConfirmByRead = rapid.Bool().Draw(t, "read")
	r.Degraded = rapid.SampledFrom([]Degrade{DegradeIgnore, DegradeMove}).Draw(t, "degraded")
	r.Damping.Max = rapid.SampledFrom([]time.Duration{40 * time.Minute, 4 * time.Hour}).Draw(t, "damped")
	return r
}

// drawSignal draws a claim of few sources, so that claims meet, or a maintenance
// window. Some are late, some ahead of the clock.
func drawSignal(t *rapid.T, now time.Time, id int) events.Signal {
	s := events.Signal{ID: fmt.Sprintf("s-%06d", id), Kind: events.Health}
	s.At = now.Add(-time.Duration(rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(-400, 1200)).Draw(t, "ago")) * time.Second)
	if rapid.IntRange(0, 19).Draw(t, "kind") == 0 {
		s.Kind, s.Observer, s.Correlation = events.Maintenance, events.ServiceHealth, rapid.SampledFrom([]string{"A", "B"}).Draw(t, "tracking")
		start := now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "start")) * time.Minute)
		s.Window = &events.Window{Start: start, End: start.Add(20 * time.Minute), Cancelled: rapid.Bool().Draw(t, "cancelled")}
		return s
	}
	s.Observer = rapid.SampledFrom(voters).Draw(t, "observer")
	s.Source = rapid.SampledFrom([]string{"x", "x", "y"}).Draw(t, "source")
	s.Link = rapid.SampledFrom([]events.Link{events.BothLinks, events.BothLinks, events.Primary, events.Secondary}).Draw(t, "link")
	s.State = rapid.SampledFrom([]events.State{events.Up, events.Up, events.Down, events.Down, events.Degraded, events.Unknown}).Draw(t, "state")
	s.Plane = rapid.SampledFrom([]events.Plane{events.ControlPlane, events.ControlPlane, events.DataPlane}).Draw(t, "plane")
	rare := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
	s.Tentative, s.UserAction = rare("tentative"), rare("user")
	if rare("microsoft") {
		s.Peering = events.Microsoft
	}
	if rare("value") {
		v := 50.0
		s.Value = &v
	}
	return s
}

func drawBatch(t *rapid.T, now time.Time, id *int) []events.Signal {
	batch := make([]events.Signal, rapid.IntRange(0, 5).Draw(t, "signals"))
	for i := range batch {
		*id++
		batch[i] = drawSignal(t, now, *id)
	}
	return batch
}

// plain returns a memory without its counters, which count deliveries.
func plain(m Memory) Memory {
	m.Applied, m.Repeated = 0, 0
	return m
}

// TestBeliefKeepsItsPromises runs random histories and checks every promise of the
// package comment at every step, against the naive twin where there is a figure.
func TestBeliefKeepsItsPromises(t *testing.T) {
	rapid.Check(t, promises)
}

// FuzzPromises searches for a history that breaks a promise.
func FuzzPromises(f *testing.F) {
	f.Add([]byte("a circuit goes down and comes back"))
	f.Fuzz(rapid.MakeFuzz(promises))
}

func promises(t *rapid.T) {
	r, now, id := drawRule(t), night.Add(3*time.Hour), 0
	m, twin := Memory{Circuit: "ashburn"}, naive{}
	var track Track
	var heard []arrival
	var goodFrom time.Time // first of the steps that found all good
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.OneOf(rapid.IntRange(0, 60), rapid.IntRange(0, 1000)).Draw(t, "wait")) * time.Second)
		batch := drawBatch(t, now, &id)
		m, _ = Observe(m, batch, nil, now)
		twin.fold(batch, now)
		want := twin.weigh(m, r, now)
		checkWeight(t, weigh(track, m, r, now), want)
		next, changes := Step(track, m, "east", r, now)
		for _, s := range batch {
			heard = append(heard, arrival{s.State == events.Down || s.State == events.Degraded, s.At, now})
		}
		if want.level != good {
			goodFrom = time.Time{}
		} else if goodFrom.IsZero() {
			goodFrom = now
		}
		if track.Fell && next.State == Healthy && now.Before(goodFrom.Add(r.HoldUp)) {
			t.Fatalf("trusted at %s, seen good from %s on", clock(now), clock(goodFrom))
		}
		checkStep(t, track, next, changes, heard, r, want, now)
		track = next
		checkQuiet(t, track, m, r, now)
	}
}

// arrival is one claim, when it happened and when we heard of it.
type arrival struct {
	bad     bool
	at, now time.Time
}

func checkWeight(t *rapid.T, s sum, want verdict) {
	got := verdict{
		level: s.level, saying: s.saying, counts: s.counts, calm: s.calm,
		rebutted: s.rebutted, fresh: len(s.bad)+len(s.good) > 0, proven: s.proven,
	}
	if got != want {
		t.Fatalf("weighed %+v, the twin says %+v", got, want)
	}
}

func checkStep(t *rapid.T, from, to Track, changes []Change, heard []arrival, r Rule, want verdict, now time.Time) {
	needed := max(1, r.Observers)
	if !want.fresh && to.State != Unknown {
		t.Fatalf("silence gives %s", to.State)
	}
	if to.State == Healthy && want.level != good {
		t.Fatalf("healthy on evidence of level %d", want.level)
	}
	for _, c := range changes {
		switch {
		case c.To == Down && want.saying < needed:
			t.Fatalf("down by %d observers of %d", want.saying, needed)
		case c.To == Down && c.From != Suspect && c.From != Recovering:
			t.Fatalf("down from %s", c.From)
		case c.To == Down && c.From == Suspect && now.Before(to.BadSince.Add(r.HoldDown)):
			t.Fatalf("down at %s, bad since %s", clock(now), clock(to.BadSince))
		case c.To == Down && !to.BadSince.Equal(to.BadUntil) && !slices.ContainsFunc(heard, func(h arrival) bool {
			return h.bad && (h.at.Equal(to.BadSince) || !h.now.After(to.BadSince) && to.BadSince.Before(h.at))
		}):
			t.Fatalf("bad since %s, which nobody said", clock(to.BadSince))
		case c.To == Healthy && from.Fell && c.From != Recovering:
			t.Fatalf("healthy from %s without a hold-up", c.From)
		case c.From == Recovering && c.To == Healthy && now.Before(to.GoodSince.Add(r.HoldUp)):
			t.Fatalf("healthy at %s, good since %s", clock(now), clock(to.GoodSince))
		case c.From == Unknown && from.Fell && c.To == Healthy:
			t.Fatal("healthy after down without a hold-up")
		}
	}
	if p := r.Damping.penalty(to, now); p > r.Damping.ceiling() {
		t.Fatalf("penalty %f is over the ceiling", p)
	}
	if to.Damped && (r.Damping.penalty(to, now) < r.Damping.Reuse || now.After(to.PenaltyAt.Add(r.Damping.Max))) {
		t.Fatalf("still damped at penalty %f, %s after the last flap", r.Damping.penalty(to, now), now.Sub(to.PenaltyAt))
	}
	if to.BadSince.After(now) || to.GoodSince.After(now) {
		t.Fatalf("bad since %s, good since %s, in the future", clock(to.BadSince), clock(to.GoodSince))
	}
}

// checkQuiet checks that a second step changes nothing, nor does any step before
// Next, and that the belief stays the same but for the clock.
func checkQuiet(t *rapid.T, track Track, m Memory, r Rule, now time.Time) {
	end := Next(track, m, r, now)
	span := 48 * time.Hour
	if !end.IsZero() {
		span = end.Sub(now) - 1
	}
	if span < 0 {
		t.Fatalf("next is %s, now is %s", clock(end), clock(now))
	}
	was := Believe(track, m, r, now)
	for _, at := range []time.Time{now, now.Add(span / 2), now.Add(span)} {
		again, changes := Step(track, m, "east", r, at)
		if again != track || len(changes) > 0 {
			t.Fatalf("a step at %s, before next %s, moved %+v to %+v", clock(at), clock(end), track, again)
		}
		is := Believe(track, m, r, at)
		is.Penalty, is.ReuseAt = was.Penalty, was.ReuseAt
		if !reflect.DeepEqual(is, was) {
			t.Fatalf("the belief at %s, before next %s: %+v, was %+v", clock(at), clock(end), is, was)
		}
	}
}

// TestSlicesOfTime checks what holds when time is cut differently: as long as no
// evidence grows too old in between, steps in between change neither the state
// nor what it rests on. (When evidence does, a step in between may see a Down that
// a later one does not: Tick runs far more often than evidence ages.)
func TestSlicesOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, now, id := drawRule(t), night.Add(3*time.Hour), 0
		m := Memory{Circuit: "ashburn"}
		var track Track
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "wait")) * time.Second)
			m, _ = Observe(m, drawBatch(t, now, &id), nil, now)
			track, _ = Step(track, m, "east", r, now)
		}
		end := now.Add(time.Hour)
		for i := range m.Evidence {
			if x := r.expires(&m.Evidence[i]); x.After(now) {
				end = first(end, x)
			}
		}
		span := end.Sub(now) - 1
		whole, _ := Step(track, m, "east", r, now.Add(span))
		cut := track
		for i := range 7 {
			cut, _ = Step(cut, m, "east", r, now.Add(span*time.Duration(i)/6))
		}
		cut.Since, whole.Since, cut.Confirmed, whole.Confirmed = now, now, now, now
		cut.BadUntil, whole.BadUntil = now, now
		if cut != whole {
			t.Fatalf("in slices %+v, at once %+v", cut, whole)
		}
	})
}

// TestObserveIgnoresOrder checks that the order within a batch, repeats in it and
// a second delivery change nothing but the counters, and the input not at all.
func TestObserveIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, id := night.Add(3*time.Hour), 0
		m, _ := Observe(Memory{Circuit: "ashburn", Tracks: map[string]Track{"east": {State: Down}}}, drawBatch(t, now, &id), nil, now)
		batch := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) events.Signal {
			return drawSignal(t, now, rapid.IntRange(1, 1_000_000).Draw(t, "id"))
		}), 0, 12).Draw(t, "batch")
		before, sent := m.clone(), slices.Clone(batch)
		once, n := Observe(m, batch, nil, now)
		if !reflect.DeepEqual(m, before) || !reflect.DeepEqual(batch, sent) {
			t.Fatal("the input was changed")
		}
		if n.Applied+n.Repeated+n.Late+n.Tentative+n.Future+n.Full+n.Foreign != len(batch) {
			t.Fatalf("%+v does not account for %d signals", n, len(batch))
		}
		twice := append(rapid.Permutation(batch).Draw(t, "order"), batch...)
		if got, _ := Observe(m, twice, nil, now); !reflect.DeepEqual(plain(got), plain(once)) {
			t.Fatalf("in another order, doubled: %+v, want %+v", got, once)
		}
		again, n := Observe(once, batch, nil, now)
		if n.Applied > 0 || !reflect.DeepEqual(plain(again), plain(once)) {
			t.Fatalf("delivered again: %+v, memory %+v, want %+v", n, again, once)
		}
	})
}

// TestObserveInPieces checks that it does not matter for the claims that stand how
// signals were cut into batches, nor which batch came first. Only Since may be
// later, when the older claim came last.
func TestObserveInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := night.Add(3 * time.Hour)
		batch := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) events.Signal {
			return drawSignal(t, now, rapid.IntRange(1, 1_000_000).Draw(t, "id"))
		}), 0, 12).Draw(t, "batch")
		whole, _ := Observe(Memory{}, batch, nil, now)
		pieces := Memory{}
		for _, s := range rapid.Permutation(batch).Draw(t, "order") {
			pieces, _ = Observe(pieces, []events.Signal{s}, nil, now)
		}
		for _, m := range []*Memory{&whole, &pieces} {
			*m = plain(*m)
			for i := range m.Evidence {
				m.Evidence[i].Since = m.Evidence[i].At
			}
		}
		if !reflect.DeepEqual(whole, pieces) {
			t.Fatalf("in pieces %+v, at once %+v", pieces, whole)
		}
	})
}
