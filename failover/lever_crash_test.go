package failover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
)

// playDrill tells the story of a drill of kind disconnect that nobody ends, so that
// its deadline must, and dies at the effects numbered in deaths.
func playDrill(t *testing.T, deaths ...int) (*scene, []string) {
	s := newScene(t)
	var effects []string
	s.watch(&effects, deaths)
	s.azure.levers.onStart = func(w executor.Write) { // the promise: what stops it is stored before it is started
		g, _, err := (&run{Engine: s.engine("reader")}).loadGroup(context.Background(), "east")
		if err != nil {
			t.Fatalf("deaths %v: %v", deaths, err)
		}
		for _, c := range g.Cuts {
			if c.Pull.Connection == w.Connection && c.Pull.Phase == executor.Intent && !c.Deadline.IsZero() {
				return
			}
		}
		t.Errorf("deaths %v: at %s the test of %s is started and nothing that is stored would stop it", deaths, s.clock.stamp(), short(w.Connection))
	}
	s.azure.levers.onCut = func(w executor.Write) {
		for _, gw := range s.est.Groups[0].Gateways {
			if len(s.azure.preferred(gw)) == 0 {
				t.Errorf("deaths %v: at %s %s has no path left", deaths, s.clock.stamp(), short(gw))
			}
		}
	}
	deliver := func(sigs ...events.Signal) {
		for range 4 {
			if s.survives(func(e *Engine) error { _, err := e.Handle(context.Background(), sigs); return err }) {
				return
			}
		}
		t.Fatalf("deaths %v: never delivered", deaths)
	}
	tick := func(span time.Duration) {
		for end := s.clock.now.Add(span); s.clock.now.Before(end); {
			next := s.clock.now.Add(15 * time.Second)
			deliver(slices.Concat(s.good("ashburn"), s.good("chicago"), s.good("dallas"))...)
			s.survives(func(e *Engine) error { return e.Tick(context.Background()) })
			if s.clock.now.Before(next) {
				s.clock.now = next
			}
		}
	}
	deliver(slices.Concat(s.good("ashburn"), s.good("chicago"), s.good("dallas"))...)
	order := &events.Order{Verb: events.OrderDrill, Group: "east", By: "calendar", Operation: "d-1", Lever: events.LeverDisconnect, Until: s.clock.now.Add(2 * time.Minute), Key: "k-1"}
	deliver(events.Signal{ID: "s-order", Kind: events.Command, Observer: events.Person, Source: "calendar", At: s.clock.now, Order: order})
	tick(90 * time.Second)
	tick(12 * time.Minute)
	return s, effects
}

// TestDrillCrashAnywhere kills the process before and after every effect of a drill by
// disconnection. Whatever the instant: each test is started once and stopped once,
// never before its stop is stored, and in the end nothing is cut, nothing is
// remembered as cut, and the drill is over.
func TestDrillCrashAnywhere(t *testing.T) {
	calm, effects := playDrill(t)
	puts := calm.azure.puts
	if len(puts) != 4 || calm.azure.cuts() != "nothing is cut\n" {
		t.Fatalf("the undisturbed drill ended with %v\n%s", puts, calm.azure.cuts())
	}
	deaths := deadly(effects, 61)
	for _, n := range deaths {
		s, _ := playDrill(t, n)
		s.store.OnEffect(nil)
		g, _, err := (&run{Engine: s.engine("reader")}).loadGroup(context.Background(), "east")
		if err != nil {
			t.Fatal(err)
		}
		if cuts := s.azure.cuts(); cuts != "nothing is cut\n" || len(g.Cuts) > 0 || g.Drill != "" || g.Operation != nil {
			t.Errorf("death at effect %d of %d: %sremembered cuts %d, drill %q, operation %v", n, len(effects), cuts, len(g.Cuts), g.Drill, g.Operation)
		}
		if !maps.Equal(s.azure.puts, puts) {
			t.Errorf("death at effect %d of %d: %v, want %v", n, len(effects), s.azure.puts, puts)
		}
		s.verify(t, fmt.Sprintf("death at effect %d", n))
	}
	t.Logf("%d effects, killed at %d of them", len(effects), len(deaths))
}
