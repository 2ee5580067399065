package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"erfailover/failover/report"
)

// ready is the screen of a scene with two groups and two drills.
func ready(t *testing.T, sees func(string) bool, fail error) (int, string) {
	sc := failoverScene()
	o := sc.options()
	low, high := 57, 92
	o.Ready = func(_ context.Context, sees func(string) bool) (report.Readiness, error) {
		var out report.Readiness
		for _, g := range []report.GroupReadiness{
			{Group: "west", Ready: true, Score: &high, Deductions: []report.Deduction{{Points: 8, Text: "dallas was never drilled", Lift: "run a drill"}}},
			{Group: "east", Score: &low, Deductions: []report.Deduction{{Points: 40, Text: "<script>alert(1)</script>", Lift: "erfailover explain east"}}},
		} {
			if sees(g.Group) {
				out.Groups = append(out.Groups, g)
			}
		}
		return out, fail
	}
	o.Drills = func(context.Context) ([]Drill, error) {
		return []Drill{{Name: "monthly-east", Group: "east", Kind: "move", Says: "next at 2026-03-01 02:00:00Z", Last: "passed, recovery 46s", LastAt: at.Add(-time.Hour), Good: true},
			{Name: "secret-west", Group: "west", Kind: "tabletop", Says: "no start is in sight"}}, nil
	}
	if sees != nil {
		o.Sees = func(*http.Request) func(string) bool { return sees }
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/?ready=1", nil))
	return w.Code, w.Body.String()
}

// TestReady: the weakest group stands first, with everything that was taken off it and
// what lifts it; drills tell how the last one ended; nothing becomes markup.
func TestReady(t *testing.T) {
	code, body := ready(t, nil, nil)
	for _, want := range []string{"Not every group could fail over", "57 of 100", "−40", "erfailover explain east", "92 of 100", "monthly-east", "✓ <bdi>passed, recovery 46s</bdi>", "never run", "&lt;script&gt;"} {
		if !strings.Contains(body, want) {
			t.Errorf("the screen does not say %q", want)
		}
	}
	if code != 200 || strings.Index(body, "57 of 100") > strings.Index(body, "92 of 100") || strings.Contains(body, "<script>alert") {
		t.Errorf("status %d, or the wrong order, or markup:\n%s", code, body)
	}
	if _, body := ready(t, func(g string) bool { return g == "east" }, nil); strings.Contains(body, "west") {
		t.Error("a group that the caller may not see is shown")
	}
	if code, _ := ready(t, nil, errors.New("no answer")); code < 500 {
		t.Errorf("a failure is answered with %d", code)
	}
}
