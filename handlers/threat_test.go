package handlers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/record"
)

// forgedInvocation is an event of the small generic form, as a monitor of one's own would send
// it, in an invocation of the host.
func forgedInvocation(resource, state string, at time.Time, source string) string {
	body := fmt.Sprintf(`{"erfailover":"v1","source":%q,"resource":%q,"state":%q,"at":%q}`, source, resource, state, at.UTC().Format(time.RFC3339))
	inner, _ := json.Marshal([]string{base64.StdEncoding.EncodeToString([]byte(body))})
	outer, _ := json.Marshal(string(inner))
	return `{"Data":{"events":` + string(outer) + `},"Metadata":{}}`
}

// T9: whoever may send events may say that a healthy circuit is down, over and over,
// under many names. Nothing moves: it is one observer, and our own read says otherwise.
func TestForgedHealthMovesNothing(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	c, _ := e.facts.Circuit("ashburn")
	for n := range 40 {
		e.clock.ns.Add(int64(15 * time.Second))
		if n%4 == 0 {
			e.say(eng, events.Up, []string{"ashburn", "chicago", "dallas"}, events.Metric)
		}
		body := fmt.Sprintf(`{"erfailover":"v1","resource":%q,"state":"down","at":%q,"source":"monitor-%d"}`, c.ID, e.clock.Now().Format(time.RFC3339), n)
		if w := ask(h, "POST", "/api/v1/signals", body); w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := ask(h, "POST", "/CircuitEvents", forgedInvocation(c.ID, "down", e.clock.Now(), fmt.Sprint("monitor-", n))); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if err := eng.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if e.wires.puts != 0 {
		t.Errorf("%d writes on forged events", e.wires.puts)
	}
}

// T11: no spelling of a resource ID leads to another resource: what is taken is one
// of the configured ones, everything else is counted and asked of nobody.
func TestForeignResourceIDs(t *testing.T) {
	e := newEstate(t)
	h, eng := e.instance("a")
	e.healthy(eng)
	c, _ := e.facts.Circuit("ashburn")
	hostile := []string{
		c.ID + "/../er-other", c.ID + "%2f..%2fer-other", c.ID + "%00", c.ID + "\x00", c.ID + "?api-version=1", c.ID + "#x", c.ID + "/peerings/../../../x",
		strings.Replace(c.ID, "expressroutecircuits", "virtualmachines", 1), strings.Replace(c.ID, "/subscriptions/", "/subscriptions/ffffffff-", 1),
		strings.Replace(c.ID, "er-ashburn", "er-аshburn", 1), // a Cyrillic letter
		strings.Replace(c.ID, "er-ashburn", "er-ashburn\u202e", 1), strings.Repeat(c.ID, 50), "https://evil.example" + c.ID, "//evil.example" + c.ID, "..", "", "%", "/subscriptions//resourceGroups//",
	}
	for _, id := range hostile {
		quoted, err := jsontext.AppendQuote(nil, id)
		if err != nil {
			t.Fatal(err)
		}
		before := e.wires.puts
		w := ask(h, "POST", "/api/v1/signals", fmt.Sprintf(`{"erfailover":"v1","resource":%s,"state":"down","at":%q,"source":"x"}`, quoted, e.clock.Now().Format(time.RFC3339)))
		if w.Code >= 500 || e.wires.puts != before {
			t.Errorf("%q: %d %s, %d writes", id, w.Code, w.Body, e.wires.puts-before)
		}
		parsed, err := events.ParseResourceID(id)
		if err != nil {
			continue
		}
		if again, err := events.ParseResourceID(parsed.String()); err != nil || again.String() != parsed.String() {
			t.Errorf("%q is read as %q, and that as %q: %v", id, parsed, again, err)
		}
		if s := parsed.String(); strings.ContainsAny(s, "?#%\\\x00") || strings.Contains(s, "..") || strings.Contains(s, "//") {
			t.Errorf("%q is read as %q, which is no plain path", id, s)
		}
	}
	for _, name := range []string{"ashburn", "chicago", "dallas"} {
		doc, err := e.store.Load(t.Context(), record.CircuitKey(name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(doc.Body, []byte(`"state":"down"`)) {
			t.Errorf("%s is called down by an ID that is not its own: %s", name, doc.Body)
		}
	}
}

// T12: one event gives whole lines of JSON in the log, whatever it holds: no line
// break, escape sequence or change of direction comes through.
func TestLogInjection(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t)
	b.options.Log = zerolog.New(&log)
	h := b.handler()
	pieces := []string{"\n", "\r\n", "\x1b[2J", "\u202e", "\u2028", "\u0085", "\x00", `","level":"fatal","x":"`, "${jndi:ldap://x}", "{{.}}", "%s%n", "| where 1==1", "\u2066", "\ufeff", "<script>"}
	for n := range hostileLines() {
		text := ""
		for k := n + 1; k > 0; k /= len(pieces) {
			text += "a" + pieces[k%len(pieces)]
		}
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Count(log.Bytes(), []byte("\n"))
		w := ask(h, "POST", "/CircuitEvents", hub("down "+text), "X-Azure-Functions-InvocationId: "+strings.Map(inHeader, text))
		if w.Code >= 500 {
			t.Fatalf("%s: %d", quoted, w.Code)
		}
		if n%97 == 0 { // the lines of one event, now and then: all of them at the end
			if lines := bytes.Count(log.Bytes(), []byte("\n")) - before; lines > 6 {
				t.Errorf("%s: %d lines", quoted, lines)
			}
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(log.Bytes(), []byte("\n")), []byte("\n"))
	for _, line := range lines {
		if !jsontext.Value(line).IsValid() {
			t.Fatalf("a line is no JSON: %q", line)
		}
		if i := bytes.IndexFunc(line, func(r rune) bool {
			return r < 0x20 || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
		}); i >= 0 {
			t.Fatalf("a line holds %q at %d: %q", line[i], i, line)
		}
		var level struct {
			Level string `json:"level"`
		}
		if err := json.Unmarshal(line, &level); err != nil || level.Level == "fatal" {
			t.Fatalf("%v: %q", err, line)
		}
	}
	if len(lines) < hostileLines() {
		t.Errorf("%d lines", len(lines))
	}
}

// hostileLines is how many strings are tried: 10,000 with -hostile 10000 and above.
func hostileLines() int { return min(*hostile, 10_000) }

// inHeader keeps what a header may hold.
func inHeader(r rune) rune {
	if r < 0x20 || r > 0x7e {
		return -1
	}
	return r
}
