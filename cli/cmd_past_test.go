package cli

import (
	"strings"
	"testing"
)

// TestThePastOnTheCommandLine shows what the API answers, for people and for machines,
// and asks about the group that is named.
func TestThePastOnTheCommandLine(t *testing.T) {
	const grades = `{"at":"2026-01-12T04:00:00Z","groups":[{"group":"east","mode":"observe","move_takes_ms":60000,"move_measured":false,"worth_ms":300000,"cases":[{"group":"east","from":["ashburn"],"to":["chicago"],"bad_at":"2026-01-12T03:00:00Z","named_at":"2026-01-12T03:00:00Z","grade":"saved","gain_ms":1320000,"says":"would have saved 22 min\u001b[31m"}],"regrets":[{"code":"observe-only","guard":true,"cases":1,"harmful":0,"cost_ms":1410000,"worth_ms":0,"regret_ms":1410000}]}]}`
	a := newAPI(t, map[string][]string{
		"GET /shadow":     {"200 " + grades},
		"GET /alarms":     {`200 {"incidents":[],"observers":[],"untested":["dallas"]}`},
		"GET /statistics": {`200 {"at":"2026-01-12T04:00:00Z","operations":0,"lines":[],"drill_age":[]}`},
		"GET /readiness":  {`200 {"at":"2026-01-12T04:00:00Z","ready":true,"score":92,"groups":[{"group":"east","ready":true,"checks":[],"score":92,"deductions":[{"code":"drill-age","points":8,"text":"never proven over Chicago","lift":"drill it"}]}]}`},
	})
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"shadow", "east"}, []string{"east (observe): 1 move was named", "would have saved 22 min", "+23.5 min"}},
		{[]string{"shadow", "-o", "json"}, []string{`"gain_ms"`}},
		{[]string{"alarms"}, []string{"no alarm about dallas has ever arrived"}},
		{[]string{"history", "--stats", "east"}, []string{"nothing is measured"}},
		{[]string{"readiness"}, []string{"readiness of the estate: 92 of 100", "-8 ", "never proven over Chicago"}},
	} {
		code, out, errs := a.run(t, "", c.args...)
		for _, want := range c.says {
			if code != exitDone || !strings.Contains(out, want) || strings.Contains(out, "\x1b[31m") {
				t.Errorf("%v: exit %d, want %q in\n%s%s", c.args, code, want, out, errs)
			}
		}
	}
	if q := a.got[0].URL.RawQuery; q != "group=east" {
		t.Errorf("asked %q", q)
	}
}
