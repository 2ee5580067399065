package failover

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// A lost row that names a lever, its place and its deadline is taken up; one that was put
// back, one that the copy knows and one that tells too little are not, and the last is told.
func TestLostLevers(t *testing.T) {
	const gw = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworkgateways/"
	at := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	row := func(code, op, resource string, fields ...string) record.Entry {
		e := record.Entry{At: at, Code: code, Group: "east", Operation: op, Circuit: "ashburn", Fields: map[string]string{"resource": resource}}
		for i := 0; i < len(fields); i += 2 {
			e.Fields[fields[i]] = fields[i+1]
		}
		return e
	}
	until := []string{"lever", "disconnect", "location", "Oslo", "deadline", "2026-01-12T03:20:00Z"}
	link := []string{"lever", "link", "deadline", "2026-01-12T03:20:00Z", "link"}
	entries, _ := record.Chain(record.Head{}, "group.east", []record.Entry{
		row(CodeLeverArmed, "op-1", gw+"taken", until...),
		row(CodeLeverArmed, "op-1", gw+"back", until...), row(CodeLeverBack, "op-1", gw+"back", "lever", "disconnect"),
		row(CodeLeverArmed, "op-2", gw+"known", until...),
		row(CodeLeverArmed, "op-3", gw+"bare", "lever", "disconnect", "deadline", "2026-01-12T03:20:00Z"),
		row(CodeLeverArmed, "op-4", "/c/a", append(link, "primary")...), row(CodeLeverArmed, "op-4", "/c/a", append(link, "secondary")...),
		row(CodeLeverBack, "op-4", "/c/a", "lever", "link", "link", "primary"),
	})
	store := recordtest.NewMemory()
	var rows []record.Row
	for _, e := range entries {
		r, err := e.Row()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if err := store.Append(t.Context(), "group.east", rows); err != nil {
		t.Fatal(err)
	}
	e := New(Settings{Store: store, Clock: newClock(), Log: zerolog.Nop()})
	known := record.Cut{Operation: "op-2", Lever: policy.LeverDisconnect}
	known.Pull.Connection = gw + "known"
	g := &record.Group{Name: "east", Cuts: []record.Cut{known}}
	g.Add("group.east", record.Entry{At: at, Code: CodeRejoined, Fields: map[string]string{"first": "1", "last": "8"}})
	if err := e.adoptLevers(t.Context(), "group.east", g); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, p := range g.Pending[1:] {
		told = append(told, p.Code+" "+p.Text)
	}
	if len(g.Cuts) != 3 || g.Cuts[1].Pull.Connection != gw+"taken" || !g.Cuts[1].Held(at) || g.Cuts[1].Deadline.Minute() != 20 || g.Cuts[2].Link != "secondary" {
		t.Errorf("cuts %+v", g.Cuts)
	}
	if len(told) != 3 || !strings.Contains(told[1], "tells too little") || !strings.Contains(told[0], "taken from Oslo was armed by a state that is lost; it is put back at 2026-01-12T03:20:00Z") {
		t.Errorf("told:\n%s", strings.Join(told, "\n"))
	}
}
