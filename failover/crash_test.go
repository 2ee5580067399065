package failover

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

var sweep = flag.Bool("sweep", false, "kill the process at every effect, not at the first of each sort and at every 61st")

// crash is what a dying process panics with.
type crash struct{}

// play tells one whole story, from the outage to the weights at rest, and dies at
// the effects numbered in deaths. Effects are counted over the whole story: every
// save, every append and every write to Azure, before and after. After a death a new
// process starts on the same record, and what was being delivered is delivered
// again, as the host does.
func play(t *testing.T, deaths ...int) (*scene, []string) {
	s := newStory(t)
	var effects []string
	s.watch(&effects, deaths)
	bad := map[string]bool{}
	s.azure.onLand = func(w executor.Write, before []string) {
		after := s.azure.preferred(w.Gateway)
		if !dead(before, bad) && dead(after, bad) {
			t.Errorf("deaths %v: at %s the landing of %d on %s moved %s from %v to %v, which is dead", deaths, s.clock.stamp(), w.To, short(w.Connection), short(w.Gateway), before, after)
		}
	}
	s.story(t, bad)
	return s, effects
}

// watch counts effects by their sort, and ends the process at the effects numbered in
// deaths. The sort says what is written, on which side of it we are, and, of the group
// and of writes to Azure, how the operation stands: that is what a new process finds.
func (s *scene) watch(effects *[]string, deaths []int) {
	effect := func(sort string) {
		*effects = append(*effects, sort)
		if slices.Contains(deaths, len(*effects)) {
			panic(crash{})
		}
	}
	s.store.OnEffect(func(w recordtest.When, _ int, op recordtest.Op, key string) {
		what, _, _ := strings.Cut(key, "/")
		sort := fmt.Sprint(w, " ", op, " ", what)
		if len(deaths) == 0 && key == record.GroupKey("east") && op == recordtest.Save {
			sort += " " + where(s.t, s.store)
		}
		effect(sort)
	})
	s.azure.onBegin = func(after bool) { effect(fmt.Sprint("begin ", after, " ", where(s.t, s.store))) }
}

// deadly returns the numbers of the effects to die at: the first of each sort, and
// every so many of the others; all of them with -sweep.
func deadly(effects []string, stride int) []int {
	seen, out := map[string]bool{}, []int{}
	for i, sort := range effects {
		if *sweep || !seen[sort] || i%stride == 0 {
			out = append(out, i+1)
		}
		seen[sort] = true
	}
	return out
}

// newStory is the scene of the story, with short waits.
func newStory(t *testing.T) *scene {
	s := newScene(t)
	r := s.rules["east"]
	r.Policy.Failback.After, r.Health.HoldUp, r.Policy.SettleAfter = 3*time.Minute, time.Minute, 30*time.Second
	s.rules["east"] = r
	return s
}

// story tells it: the outage, the failover, the repair, the way home. bad gets the
// circuits that are dead.
func (s *scene) story(t *testing.T, bad map[string]bool) {
	deliver := func(sigs ...events.Signal) {
		for range 4 {
			if s.survives(func(e *Engine) error { _, err := e.Handle(context.Background(), sigs); return err }) {
				return
			}
		}
		t.Fatal("never delivered")
	}
	tick := func(span time.Duration, healthy ...string) {
		for end := s.clock.now.Add(span); s.clock.now.Before(end); {
			next := s.clock.now.Add(15 * time.Second)
			for _, name := range healthy {
				deliver(s.good(name)...)
			}
			s.survives(func(e *Engine) error { return e.Tick(context.Background()) })
			if s.clock.now.Before(next) {
				s.clock.now = next
			}
		}
	}
	deliver(slices.Concat(s.good("ashburn"), s.good("chicago"), s.good("dallas"))...)
	bad["ashburn"] = true
	outage := []events.Signal{s.make(events.ResourceHealth, "ashburn", events.Down, "", 0), s.make(events.Probe, "ashburn", events.Down, "", 0)}
	deliver(outage...)
	tick(3*time.Minute, "chicago", "dallas")
	deliver(outage...)
	delete(bad, "ashburn")
	deliver(s.make(events.ResourceHealth, "ashburn", events.Up, "", 0))
	tick(12*time.Minute, "ashburn", "chicago", "dallas")
}

func dead(circuits []string, bad map[string]bool) bool {
	return slices.ContainsFunc(circuits, func(c string) bool { return bad[c] })
}

// survives runs one call and reports whether the process lived through it. A call
// that failed to save counts as not survived: it is delivered again.
func (s *scene) survives(call func(*Engine) error) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, planned := p.(crash); !planned {
				panic(p)
			}
			s.engines = map[string]*Engine{}
			s.clock.now = s.clock.now.Add(time.Second)
			ok = false
		}
	}()
	return call(s.engine(s.who)) == nil
}

// TestCrashAnywhere kills the process before and after every effect of the story.
// Whatever the instant, the estate ends with the weights at rest, by exactly the
// writes of the undisturbed story: none is lost and none is sent twice.
func TestCrashAnywhere(t *testing.T) {
	calm, effects := play(t)
	want, puts := calm.weights(), calm.azure.puts
	if want != "gw1: ashburn 200 chicago 100 dallas 50\ngw2: ashburn 200 chicago 100 dallas 50\n" || len(puts) != 4 {
		t.Fatalf("the undisturbed story ended with\n%s%v", want, puts)
	}
	deaths := deadly(effects, 61)
	for _, n := range deaths {
		s, _ := play(t, n)
		if got := s.weights(); got != want {
			t.Errorf("death at effect %d of %d: the weights are\n%swant\n%s", n, len(effects), got, want)
		}
		if !maps.Equal(s.azure.puts, puts) {
			t.Errorf("death at effect %d of %d: PUTs %v, want %v", n, len(effects), s.azure.puts, puts)
		}
		s.verify(t, fmt.Sprintf("death at effect %d", n))
	}
	t.Logf("%d effects, killed at %d of them", len(effects), len(deaths))
}

// verify checks the chains of every journal.
func (s *scene) verify(t *testing.T, when string) {
	t.Helper()
	for _, stream := range s.store.Streams() {
		if _, err := record.Verify(stream, record.Head{}, s.store.Rows(stream)); err != nil {
			t.Errorf("%s: journal %s: %v", when, stream, err)
		}
	}
}

// TestNoTokenIsShown looks for resume tokens in everything that people read.
func TestNoTokenIsShown(t *testing.T) {
	s, _ := play(t)
	for _, stream := range s.store.Streams() {
		for _, row := range s.store.Rows(stream) {
			if strings.Contains(string(row.Body), `"t-`) {
				t.Fatalf("a token in the journal: %s", row.Body)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", executor.Token("secret"), executor.StepState{Token: "secret"}, record.SlowRead{Token: "secret"}, executor.Token("secret")); strings.Contains(text, "secret") {
		t.Fatalf("a token is formatted: %s", text)
	}
}
