package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"erfailover/events"
)

// TestTable prints what every state does on every class of input. A new state, or
// a changed arm of the machine, shows as a difference in testdata/table.
func TestTable(t *testing.T) {
	datadriven.RunTest(t, "testdata/table", func(t *testing.T, d *datadriven.TestData) string {
		r := DefaultRule()
		for _, a := range d.CmdArgs {
			if a.Key == "degraded" {
				r.Degraded = Degrade(a.Vals[0])
			}
		}
		var b strings.Builder
		for _, in := range inputs() {
			fmt.Fprintf(&b, "%s\n", in.name)
			for _, s := range starts() {
				fmt.Fprintf(&b, "  %-22s %s\n", s.name, outcome(s.track(in), in, r))
			}
		}
		return b.String()
	})
}

// outcome steps a track over one input and says where it goes.
func outcome(tr Track, in input, r Rule) string {
	next, changes := Step(tr, Memory{Circuit: "ashburn", Evidence: in.evidence}, "east", r, tableNow)
	text := string(next.State)
	for i := len(changes) - 1; i >= 0; i-- {
		if i < len(changes)-1 {
			text = string(changes[i].To) + ", " + text
		}
	}
	if len(changes) == 0 {
		text = "-"
	} else {
		text += ": " + changes[len(changes)-1].Why
	}
	if next.Penalty > tr.Penalty {
		text += " (a flap)"
	}
	return text
}

var tableNow = night.Add(3 * time.Hour)

// input is one class of evidence. bad tells since when it is bad.
type input struct {
	name     string
	bad      time.Duration
	evidence []Evidence
}

func inputs() []input {
	ev := func(o events.Observer, l events.Link, s events.State, ago time.Duration) Evidence {
		x := tableNow.Add(-ago)
		return Evidence{Observer: o, Link: l, State: s, Plane: events.ControlPlane, At: x, Since: x}
	}
	user := func(e Evidence) Evidence { e.UserAction = true; return e }
	const now, held = 10 * time.Second, time.Minute
	return []input{
		{name: "silence"},
		{name: "one link up, the other not told", evidence: []Evidence{
			ev(events.Metric, events.Primary, events.Up, now)}},
		{name: "both links up", evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Up, now)}},
		{name: "one link down, the other up", bad: now, evidence: []Evidence{
			ev(events.Metric, events.Primary, events.Down, now), ev(events.Metric, events.Secondary, events.Up, now)}},
		{name: "one link down, the other not told", bad: now, evidence: []Evidence{
			ev(events.Metric, events.Primary, events.Down, now)}},
		{name: "loss on the whole circuit, by two observers, past the hold-down", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Degraded, held), ev(events.ResourceHealth, events.BothLinks, events.Degraded, held)}},
		{name: "down, by one observer, past the hold-down", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, held)}},
		{name: "down, by two observers, within the hold-down", bad: now, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, now), ev(events.ResourceHealth, events.BothLinks, events.Down, now)}},
		{name: "down, by two observers, past the hold-down", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, held), ev(events.Probe, events.BothLinks, events.Down, held)}},
		{name: "down, by Azure's own word twice, past the hold-down", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, held), ev(events.ResourceHealth, events.BothLinks, events.Down, held)}},
		{name: "down, by Azure's own word twice, past the hold-down, and a read that told nothing", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, held), ev(events.Read, events.BothLinks, events.Unknown, 0),
			ev(events.ResourceHealth, events.BothLinks, events.Down, held)}},
		{name: "down, by two observers, a third says up", bad: held, evidence: []Evidence{
			ev(events.Metric, events.BothLinks, events.Down, held), ev(events.Probe, events.BothLinks, events.Up, now),
			ev(events.ResourceHealth, events.BothLinks, events.Down, held)}},
		{name: "sessions down, rebutted by a read", evidence: []Evidence{
			ev(events.Gateway, events.BothLinks, events.Down, held), ev(events.Metric, events.BothLinks, events.Down, held),
			ev(events.Read, events.BothLinks, events.Up, now)}},
		{name: "down, by the customer's own act", evidence: []Evidence{
			user(ev(events.ResourceHealth, events.BothLinks, events.Down, held))}},
	}
}

// start is one state of the machine, with the track that leads there.
type start struct {
	name  string
	track func(input) Track
}

func starts() []start {
	past := tableNow.Add(-time.Hour)
	plain := func(tr Track) func(input) Track { return func(input) Track { return tr } }
	return []start{
		{"unknown", plain(Track{State: Unknown, Since: past})},
		{"unknown, fell", plain(Track{State: Unknown, Since: past, Fell: true})},
		{"healthy", plain(Track{State: Healthy, Since: past, GoodSince: past})},
		{"degraded", plain(Track{State: Degraded, Since: past})},
		{"degraded, fell", plain(Track{State: Degraded, Since: past, Fell: true})},
		{"suspect", func(in input) Track {
			return Track{State: Suspect, Since: tableNow.Add(-2 * time.Minute), BadSince: tableNow.Add(-in.bad)}
		}},
		{"suspect, fell", func(in input) Track {
			return Track{State: Suspect, Since: tableNow.Add(-2 * time.Minute), BadSince: tableNow.Add(-in.bad), Fell: true}
		}},
		{"down", plain(Track{State: Down, Since: past, BadSince: past, Confirmed: past, Fell: true})},
		{"recovering, young", plain(Track{State: Recovering, Since: tableNow.Add(-time.Minute), GoodSince: tableNow.Add(-time.Minute), Fell: true})},
		{"recovering, long good", plain(Track{State: Recovering, Since: past, GoodSince: past, Fell: true})},
	}
}
