package sim

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// bench is the demo estate with its face, a client and a clock that a test turns.
type bench struct {
	*testing.T
	Demo
	arm    *ARM
	client *http.Client
	token  string
	mu     sync.Mutex
	now    time.Time
}

var benchStart = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	b := &bench{T: t, Demo: DemoEstateAt(benchStart, Timing{}), now: benchStart}
	o.Now = b.clock
	b.arm = NewARM(b.Fabric, o)
	if err := b.arm.Start(); err != nil {
		t.Fatal(err)
	}
	b.client, b.token = b.arm.Client(), b.arm.Token()
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		if err := b.arm.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   body
}

func (a answer) code() string   { return a.body.sub("error").text("code") }
func (a answer) weight() string { return string(a.body.sub("properties").get("routingWeight")) }
func (a answer) state() string  { return a.body.sub("properties").text("provisioningState") }

// try sends one request; path may be an absolute address.
func (b *bench) try(method, path string, sent []byte, headers ...string) (answer, error) {
	b.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = b.arm.URL() + path
		if !strings.Contains(path, "api-version") {
			path += "?api-version=2025-09-01"
		}
	}
	r, err := http.NewRequestWithContext(b.Context(), method, path, bytes.NewReader(sent))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	parsed, _ := parseBody(raw)
	return answer{res.StatusCode, res.Header, raw, parsed}, nil
}

// do is try for requests that get an answer.
func (b *bench) do(method, path string, sent []byte, headers ...string) answer {
	b.Helper()
	out, err := b.try(method, path, sent, headers...)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bench) get(path string) answer { b.Helper(); return b.do("GET", path, nil) }

// raise reads a connection and sends it back with another weight.
func (b *bench) raise(id string, weight int) answer {
	b.Helper()
	return b.do("PUT", id, withWeight(b.get(id).body, weight))
}

func withWeight(b body, weight int) []byte {
	p := b.sub("properties").without("authorizationKey").with("routingWeight", weight)
	return b.with("properties", p).raw()
}

func (b *bench) want(what string, got, want any) {
	b.Helper()
	if got != want {
		b.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func TestWriteLandsThenEnds(t *testing.T) {
	b := newBench(t, Options{})
	id, gw := b.Connections["gw-east-1/er-chicago"], b.Gateways["gw-east-1"]
	b.want("carrying at rest", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits["er-ashburn"])

	put := b.raise(id, 201)
	b.want("status", put.status, 200)
	b.want("state", put.state(), "Updating")
	b.want("retry-after", put.header.Get("Retry-After"), "10")
	op := put.header.Get("Azure-AsyncOperation")
	b.want("weight before landing", b.get(id).weight(), "100")
	b.want("operation", b.get(op).body.text("status"), "InProgress")

	b.pass(25 * time.Second)
	b.want("weight after landing", b.get(id).weight(), "201")
	b.want("state after landing", b.get(id).state(), "Updating")
	b.want("carrying", strings.Join(b.Fabric.Carrying(gw, b.clock()), ","), b.Circuits["er-chicago"])
	b.want("operation", b.get(op).body.text("status"), "InProgress")

	b.pass(20 * time.Second)
	b.want("operation", b.get(op).body.text("status"), "Succeeded")
	b.want("state", b.get(id).state(), "Succeeded")
	b.want("puts", len(b.Fabric.Puts(id)), 1)
	b.want("landings", len(b.Fabric.Landings(b.clock())), 1)

	b.pass(2 * time.Hour)
	b.want("expired operation", b.get(op).status, 404)
}
