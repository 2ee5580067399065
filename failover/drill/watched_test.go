package drill

import (
	"strings"
	"testing"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/report"
)

// TestUnwatched: a drill does not begin whose way home would be held, for too few
// observers speak for the circuit that it leaves.
func TestUnwatched(t *testing.T) {
	from := func(who ...events.Observer) Input {
		b := health.Belief{Circuit: "ashburn", State: health.Healthy}
		for _, o := range who {
			b.Good = append(b.Good, health.Evidence{Observer: o})
		}
		return Input{Returns: map[string]int{"east": 2}, Previews: map[string]Preview{"east": {Verdict: policy.Verdict{From: []string{"ashburn"}}}},
			Status: report.Status{Groups: []report.GroupStatus{{Name: "east", Circuits: []health.Belief{b}}}}}
	}
	for _, in := range []Input{from(), from(events.Read), from(events.Read, events.Read)} {
		if text := unwatched(in, "east"); !strings.Contains(text, "speak for ashburn, and its traffic goes home by 2") {
			t.Errorf("got %q", text)
		}
	}
	if text := unwatched(from(events.Read, events.Metric), "east"); text != "" {
		t.Errorf("two observers: %q", text)
	}
	if NoReturn.Overridable() {
		t.Error("a person may go past it, and traffic would be held away")
	}
}
