package replay

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
)

func TestFrame(t *testing.T) {
	at := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct{ name, body, want string }{
		{"plain", `{"a":[1,{"b":"c"}],"d":null}`, `{"at":"2026-01-12T03:00:00Z","body":{"a":[1,{"b":"c"}],"d":null}}`},
		{"by name", `{"properties":{"serviceKey":"0b1c","n":{"authorizationKey":"x"}}}`, `{"at":"2026-01-12T03:00:00Z","body":{"properties":{"serviceKey":"(secret)","n":{"authorizationKey":"(secret)"}}}}`},
		{"a list of them", `{"password":["a","b"],"x":"y"}`, `{"at":"2026-01-12T03:00:00Z","body":{"password":["(secret)","(secret)"],"x":"y"}}`},
		{"by look", `["https://h/?sig=abc","fine"]`, `{"at":"2026-01-12T03:00:00Z","body":["(secret)","fine"]}`},
		{"no JSON", `down!`, `{"at":"2026-01-12T03:00:00Z","lost":"it is not one JSON text","bytes":5}`},
		{"two", `{} {}`, `{"at":"2026-01-12T03:00:00Z","lost":"it is not one JSON text","bytes":5}`},
	} {
		if got := string(Frame(at, []byte(c.body))); got != c.want+"\n" {
			t.Errorf("%s:\ngot  %swant %s", c.name, got, c.want)
		}
	}
}

// TestRead takes lines of every kind, and says which line cannot be read.
func TestRead(t *testing.T) {
	const alone = `{"erfailover":"v1","resource":"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn","state":"down","at":"2026-01-12T03:05:00Z"}`
	var r Recording
	text := "\n" + `{"at":"2026-01-12T03:07:00Z","body":{"x":1}}` + "\n" + alone + "\n" + `{"nothing":"of ours"}` + "\n" + `{"at":"2026-01-12T03:06:00Z","lost":"it is not one JSON text","bytes":3}` + "\n"
	if err := r.Read("a.ndjson", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if len(r.Messages) != 2 || r.Skipped != 1 || string(r.Messages[0].Body) != alone || r.Messages[0].At.Minute() != 5 {
		t.Errorf("got %d messages, %d skipped: %+v", len(r.Messages), r.Skipped, r.Messages)
	}
	for _, bad := range []string{`{"at":`, `{"body":{}}`, `{} {}`} {
		err := new(Recording).Read("b.ndjson", strings.NewReader("\n"+bad))
		if err == nil || !strings.Contains(err.Error(), "b.ndjson line 2") {
			t.Errorf("%s: got %v, want an error that names the line", bad, err)
		}
	}
}

// FuzzFrame: a recorded message is one line, holds no secret, and says what the
// message said, unless it was no JSON.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"a":"sig=1","b":{"token":"x"}}`))
	f.Add([]byte("{\"a\":\"\\ud800\"}"))
	f.Add([]byte(`[[[]]]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		at := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
		text := Frame(at, body)
		if bytes.Count(text, []byte("\n")) != 1 || !jsontext.Value(bytes.TrimSpace(text)).IsValid() {
			t.Fatalf("not one line of JSON: %q", text)
		}
		if bytes.Contains(text, []byte("sig=")) {
			t.Fatalf("a secret: %q", text)
		}
		var r Recording
		if err := r.Read("fuzz", bytes.NewReader(text)); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if again := Frame(at, body); !bytes.Equal(again, text) {
			t.Fatalf("%q, then %q", text, again)
		}
		if len(r.Messages) == 1 && !bytes.Contains(text, []byte(secretWord)) {
			a, b := events.Parse(body, at), events.Parse(r.Messages[0].Body, at)
			if len(a.Signals) != len(b.Signals) {
				t.Fatalf("%d signals, recorded %d: %q", len(a.Signals), len(b.Signals), text)
			}
		}
	})
}
