package page

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// hostile is what an attacker would put into a name or an event.
var hostile = []string{
	`<script>window.owned=1</script>`, `"><img src=x onerror=window.owned=1>`, "safe\u202Egnp.exe", "a\u2066b\u200Bc\u0000d\u001be", "javascript:window.owned=1",
	`{{.}}`, `</title><script>window.owned=1</script>`, `' onmouseover='window.owned=1`, "\xff\xfe", "line\u2028break", strings.Repeat("x", 10<<10),
}

// hostileTexts shows hostile names and texts as text, on every screen.
func hostileTexts(t *testing.T, b tab) {
	sc := failoverScene()
	g := &sc.look.Status.Groups[0]
	for i, text := range hostile {
		name := fmt.Sprint(i, text)
		g.Circuits = append(g.Circuits, health.Belief{Circuit: name, State: health.Down, Since: at, Bad: []health.Evidence{{Observer: events.Observer(text), Source: text, Detail: text, State: events.State(text), At: at}}})
		g.Weights = append(g.Weights, report.Weight{Connection: text, Gateway: text, Circuit: name})
		g.Verdict.Reasons = append(g.Verdict.Reasons, policy.Finding{Code: policy.Reason(text), Circuit: name, Text: text})
		g.Recent = append(g.Recent, record.Summary{ID: text, Kind: policy.Kind(text), From: []string{text}, To: []string{text}, Result: record.Result(text)})
		g.Operation.Notes = append(g.Operation.Notes, text)
		g.Operation.Steps[0].Error += text
		sc.look.Estate.Circuits = append(sc.look.Estate.Circuits, topology.Circuit{Name: name, Site: text, Provider: text, Location: text})
		sc.tell("east", text, text)
	}
	evil := group(hostile[0], hostile[1], hostile[3])
	evil.Paused = &policy.Pause{By: hostile[0], Reason: hostile[1], At: at}
	sc.look.Status.Groups = append(sc.look.Status.Groups, evil)
	sc.look.Status.Killed = &policy.Pause{By: hostile[1], Reason: hostile[0], At: at}
	sc.look.Estate.Sort()
	srv := sc.serve(t)
	b.size(360, 740)
	for _, q := range []string{"", "?group=east", "?group=" + url.QueryEscape(hostile[0]), "?operation=op-0011223344556677", "?journal=group.east", "?do=failover&group=east", "?q=" + url.QueryEscape(hostile[1]), "?do=" + url.QueryEscape(hostile[0]), "?code=" + url.QueryEscape(hostile[1])} {
		b.open(srv.URL + "/api/" + q)
		if eval[bool](b, `"owned" in window || document.querySelectorAll("main script, main img, [onerror], [onmouseover]").length > 0`) {
			t.Errorf("%s: a text became markup", q)
		}
		if eval[bool](b, `/[\u202a-\u202e\u2066-\u2069\u200b\u0000-\u0008\u001b\u2028]/.test(document.documentElement.textContent)`) {
			t.Errorf("%s: a control or direction mark is shown", q)
		}
		if n := eval[int](b, `Math.max(0, ...[...document.querySelectorAll("bdi")].map(e => e.textContent.length))`); n > maxProse {
			t.Errorf("%s: a text of %d characters is shown", q, n)
		}
		if n := eval[int](b, `document.documentElement.outerHTML.length`); n > 100<<10 {
			t.Errorf("%s: the page grew to %d bytes", q, n)
		}
		b.narrow(q)
	}
	b.open(srv.URL + "/api/?group=east")
	b.holds("#health", "<script>window.owned=1</script>", "safe gnp.exe")
	b.shot("hostile-360")
}
