package handlers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// fakeDrills is a calendar of one drill that keeps what it was asked.
type fakeDrills struct {
	verb DrillVerb
	ask  drill.Ask
	err  error
}

func (f *fakeDrills) view() drill.View {
	return drill.View{Name: "monthly", Group: "east", Kind: drill.Move, Phase: drill.Holding, Running: true, Run: &drill.Run{ID: "d-1", Checks: []drill.Check{{Name: "hours", OK: true}}, Legs: []drill.Leg{{Group: "east", State: drill.LegHolding}}},
		Last: &drill.Outcome{ID: "d-0", Result: drill.Passed, Ended: time.Unix(0, 0).UTC()}}
}

func (f *fakeDrills) List(context.Context) ([]drill.View, error) {
	return []drill.View{f.view()}, f.err
}

func (f *fakeDrills) Show(_ context.Context, name string) (drill.View, error) {
	if name != "monthly" {
		return drill.View{}, &fault.Error{Op: "find the drill", Kind: fault.NotFound}
	}
	return f.view(), f.err
}

func (f *fakeDrills) Order(ctx context.Context, name string, verb DrillVerb, ask drill.Ask) (drill.View, error) {
	f.verb, f.ask = verb, ask
	return f.Show(ctx, name)
}

func (f *fakeDrills) Report(context.Context, string, string) (drill.Report, error) {
	return drill.MakeReport(drill.ReportInput{Ended: drill.Ended{Name: "monthly", Group: "east", Outcome: drill.Outcome{ID: "d-1", Kind: drill.Move, Result: drill.Passed, Ended: time.Unix(0, 0).UTC()},
		Run: drill.Run{ID: "d-1", Undo: []drill.Rest{{Group: "east", Connection: "/x/gw1-<b>", Weight: 1}}}}, Rows: []record.Row{}})
}

// drillDocument walks over the routes of drills for the checks of the document.
func drillDocument(c *checker) {
	c.check("GET", "/api/v1/drills", "", 200)
	c.check("GET", "/api/v1/drills/monthly", "", 200)
	c.check("GET", "/api/v1/drills/weekly", "", 404)
	c.check("GET", "/api/v1/drills/monthly/report", "", 200)
	c.check("GET", "/api/v1/drills/monthly/report?format=pdf", "", 400)
	for _, verb := range []string{"run", "stop", "cancel", "block", "clear"} {
		c.check("POST", "/api/v1/drills/monthly/"+verb, `{"reason":"quarterly"}`, 202)
	}
	link := AnnouncementPath("monthly") + "?" + drill.CancelLink{Drill: "monthly", Start: time.Unix(1, 0), Until: time.Unix(1<<33, 0)}.Query(linkKeyOfTests)
	c.check("GET", link, "", 200)
	c.check("POST", link, "", 200) // the one that is on is another one: nothing to call off
	c.check("POST", "/api/v1/drills/monthly/signal", `{"signal":"stop"}`, 202)
}

// TestDrillOrders: what is said with an order arrives, and a field that an order does
// not take is refused by name.
func TestDrillOrders(t *testing.T) {
	e := newEstate(t)
	h, _ := e.instance("a")
	for _, c := range []struct {
		target, body string
		code         int
		want         string
	}{
		{"run", `{"accelerate":true,"in_ms":60000,"overrides":["drill-hours"],"reason":"before the audit"}`, 202, ""},
		{"run", `{"run":"d-1"}`, 400, "/run"},
		{"stop", `{"accelerate":true}`, 400, "/accelerate"},
		{"stop", `{"run":"d 1"}`, 400, "/run"},
		{"cancel", `{"until":"2030-01-01T00:00:00Z"}`, 400, "/until"},
		{"block", `{"until":"2001-01-01T00:00:00Z"}`, 400, "a time to come"},
		{"run", `{"in_ms":-1}`, 400, "/in_ms"},
		{"run", `{"nonsense":1}`, 400, "nonsense"},
		{"signal", `{"signal":"run"}`, 400, "stop, block or clear"},
		{"signal", `{"signal":"stop","reason":"loss on the monitor"}`, 202, ""},
	} {
		e.drills.ask = drill.Ask{}
		w := ask(h, "POST", "/api/v1/drills/monthly/"+c.target, c.body, "Idempotency-Key: k1", "X-Erfailover-User: ana")
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: got %d %s, want %d with %q", c.target, c.body, w.Code, w.Body, c.code, c.want)
		}
		if c.code != 202 && e.drills.ask.By != "" {
			t.Errorf("%s %s: it was refused and given all the same", c.target, c.body)
		}
	}
	if a := e.drills.ask; e.drills.verb != DrillStop || a.Reason != "loss on the monitor" || a.By == "" || a.Key != "k1" {
		t.Errorf("got %s %+v", e.drills.verb, a)
	}
	e.drills.err = &fault.Error{Op: "order drill", Kind: fault.Refused, Err: errors.New("drill monthly runs already")}
	if w := ask(h, "POST", "/api/v1/drills/monthly/run", `{}`, "X-Erfailover-User: ana"); w.Code != 409 || !strings.Contains(w.Body.String(), "runs already") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	for format, want := range map[string]string{"html": "text/html", "markdown": "text/markdown"} {
		e.drills.err = nil
		w := ask(h, "GET", "/api/v1/drills/monthly/report?format="+format, "")
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), want) || strings.Contains(w.Body.String(), "<b>") {
			t.Errorf("%s: got %d %s, or markup from a name", format, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
