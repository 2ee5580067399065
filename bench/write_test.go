package bench

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"erfailover/failover/sim"
)

// apiVersion is one that connections are written with.
const apiVersion = "?api-version=2024-05-01"

// hub wraps one event as the host sends it.
func hub(body []byte) string {
	return `{"Data":{"events":"[\"` + base64.StdEncoding.EncodeToString(body) + `\"]"},"Metadata":{}}`
}

// prepare starts the program and brings it to the point where one more event about
// any home circuit decides: all is known and well, and a probe has said, longer ago
// than the hold-down, that packets are lost. Only the second observer is missing.
func prepare(t testing.TB, e *estate, p *process, groups int) {
	t.Helper()
	source := sim.Source{Seed: 7}
	minutes := func() string {
		var all []sim.CircuitMinute
		for i := range groups {
			for _, which := range []string{"home", "spare"} {
				all = append(all, sim.CircuitMinute{Circuit: circuitID(i, which), At: time.Now().Truncate(time.Second), Primary: sim.HealthyLink(1e8), Secondary: sim.HealthyLink(1e8)})
			}
		}
		return hub(source.Metrics(all...))
	}
	for deadline := time.Now().Add(patience); wellCount(p) < groups; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d groups became well\n%s", wellCount(p), groups, p.printed())
		}
		p.post(t, "CircuitEvents", minutes())
		p.post(t, "Tick", `{"Data":{},"Metadata":{}}`)
	}
	for i := range groups {
		p.post(t, "CircuitEvents", hub(source.MonitorAlert(sim.MonitorAlert{Monitor: monitorID(i), Group: "to-dc", Source: "vm", Destination: "dc", Failed: 100, FiredAt: time.Now()})))
	}
	time.Sleep(1500 * time.Millisecond) // the hold-down
	for i := range groups {
		if at := e.firstPut(i); !at.IsZero() {
			t.Fatalf("group %d was moved on the word of one observer", i)
		}
	}
}

// wellCount counts the groups whose verdict is that all is well.
func wellCount(p *process) int {
	well := map[string]bool{}
	for line := range strings.Lines(p.printed()) {
		var l struct {
			Event, Group string
			Reasons      []string
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Event == "verdict.changed" {
			well[l.Group] = fmt.Sprint(l.Reasons) == "[well]"
		}
	}
	n := 0
	for _, ok := range well {
		if ok {
			n++
		}
	}
	return n
}

// eventToPut sends the deciding event about a pair and returns how long after that
// its first PUT reached Azure.
func eventToPut(t testing.TB, e *estate, p *process, pair int) time.Duration {
	t.Helper()
	body := hub(sim.Source{Seed: 7}.ResourceHealth(sim.HealthEvent{Circuit: circuitID(pair, "home"), Step: sim.StepActivated, From: sim.HealthAvailable, To: sim.HealthUnavailable, At: time.Now()}))
	began := time.Now()
	p.post(t, "CircuitEvents", body)
	at := e.firstPut(pair)
	if at.IsZero() {
		t.Fatalf("the event about pair %d moved nothing\n%s", pair, p.printed())
	}
	return at.Sub(began)
}

// bareWrite reads a connection and writes it back with another weight, by net/http
// over a connection that is open already, and returns when the PUT reached Azure.
func bareWrite(t testing.TB, e *estate, c *http.Client, token string, pair int) time.Duration {
	t.Helper()
	url := e.arm.URL() + connectionID(pair, "spare") + apiVersion
	send := func(method string, body []byte) []byte {
		req, err := http.NewRequest(method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= http.StatusMultipleChoices {
			t.Fatalf("%s: %s %v: %s", method, resp.Status, err, raw)
		}
		return raw
	}
	began := time.Now()
	raw := send(http.MethodGet, nil)
	raw = bytes.Replace(raw, []byte(`"routingWeight":100`), []byte(`"routingWeight":201`), 1)
	send(http.MethodPut, raw)
	return e.firstPut(pair).Sub(began)
}

// measureWrites returns the medians of both, taken in turns. Pairs from groups on
// are not the program's: the bare client writes those.
func measureWrites(t testing.TB, bin string, groups int) (program, plain time.Duration) {
	t.Helper()
	e := newEstate(t, 2*groups)
	p := start(t, bin, []string{"handler"}, e.env(t, "writes", groups))
	defer p.stop()
	prepare(t, e, p, groups)
	client, token := e.arm.Client(), e.arm.Token()
	defer client.CloseIdleConnections()
	var ours, theirs []time.Duration
	for i := range groups {
		took := bareWrite(t, e, client, token, groups+i)
		if i > 0 { // the first opens the connection
			theirs = append(theirs, took)
		}
		ours = append(ours, eventToPut(t, e, p, i))
	}
	return median(ours), median(theirs)
}
