package handlers

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestMetricsPage: the page is in the text format, its names follow the conventions
// of Prometheus, and whatever callers send, the number of series stays that of the
// configuration and the closed lists.
func TestMetricsPage(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	for i := range 300 {
		ask(h, "GET", fmt.Sprintf("/api/v1/groups/g%d", i), "")
		ask(h, "GET", fmt.Sprintf("/api/v1/operations/op-%d/x%d", i, i), "")
		ask(h, fmt.Sprintf("ODD%d", i), "/api/v1/status", "")
		ask(h, "POST", fmt.Sprintf("/api/v1/groups/east/v%d", i), `{}`)
		ask(h, "POST", fmt.Sprintf("/api/v1/groups/g%d/failover", i), `{}`, fmt.Sprintf("Idempotency-Key: k%d", i))
	}
	w := ask(h, http.MethodGet, "/api/v1/metrics", "")
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	sample := regexp.MustCompile(`^(erfailover_[a-z]+(?:_[a-z]+)*)(?:\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9eE.+-]+$`)
	kind, series := map[string]string{}, 0
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSuffix(line, "\n")
		if name, found := strings.CutPrefix(line, "# TYPE "); found {
			name, k, _ := strings.Cut(name, " ")
			if kind[name] != "" || (k == "counter") != strings.HasSuffix(name, "_total") {
				t.Errorf("%s: a family twice, or a counter without _total: %s", name, k)
			}
			kind[name] = k
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || kind[m[1]] == "" {
			t.Errorf("no sample of a family that was begun: %q", line)
		}
		series++
	}
	routes := 0
	server := &server{}
	for range server.routes() {
		routes++
	}
	groups, circuits := 1, 3
	if most := 2 + groups*(7+2*circuits) + routes*5 + 40; series > most || series < 15 {
		t.Errorf("%d series, want at most %d:\n%s", series, most, w.Body)
	}
}
