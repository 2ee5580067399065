package report

import (
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// TestPulledLever: a lever that is pulled is named with its deadline, and why when it
// is put back; its steps are cuts, not weights.
func TestPulledLever(t *testing.T) {
	pull := executor.StepState{Step: planner.Step{Kind: planner.Disconnect, Connection: "/x/virtualnetworkgateways/gw1", Gateway: "/x/virtualnetworkgateways/gw1", Circuit: "ashburn", Location: "Oslo", Cut: true}, Phase: executor.Done}
	cut := record.Cut{ID: "c-1", Lever: policy.LeverDisconnect, Circuits: []string{"ashburn"}, Survivors: []string{"chicago"}, At: night, Deadline: night.Add(time.Hour), Pull: pull}
	gone, due, stuck := cut, cut, cut
	gone.Gone, due.Due, due.Why = night, night, "ordered by ana"
	stuck.Due, stuck.Stuck = night, night.Add(time.Minute)
	in := NewInput(night, record.Estate{})
	in.Groups = []record.Group{{Name: "east", Cuts: []record.Cut{cut, gone, due, stuck}}}
	got := MakeStatus(in).Groups[0].Levers
	if len(got) != 3 {
		t.Fatalf("%d levers, want 3: %+v", len(got), got)
	}
	for i, want := range []string{
		"gw1 has left the location of ashburn; it is put back at 2026-01-12 04:04:05Z, whatever happens",
		"gw1 has left the location of ashburn; it is being put back: ordered by ana",
		"gw1 has left the location of ashburn, and does not go back since 03:04:05Z: a person must look",
	} {
		if got[i].Text() != want {
			t.Errorf("got  %s\nwant %s", got[i].Text(), want)
		}
	}
	op := MakeOperation(record.Operation{ID: "op-1", Kind: policy.KindDrill, Group: "east", Steps: []executor.StepState{pull}}, 0)
	if text := op.Steps[0].Change(); text != "cut by disconnect" {
		t.Errorf("the step says %q", text)
	}
	if c := op.changes()[0].Changes[0]; c.Before != "in use" || c.After != "cut" || c.BeforeBar != 90 || c.AfterBar != 0 {
		t.Errorf("a path that is cut is drawn from %s (%g) to %s (%g)", c.Before, c.BeforeBar, c.After, c.AfterBar)
	}
	if text := op.Markdown(); !strings.Contains(text, "| gw1 | ashburn | in use | cut |") {
		t.Errorf("the report says\n%s", text)
	}
}
