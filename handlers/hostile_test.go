package handlers

import (
	"bytes"
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

var hostile = flag.Int("hostile", 1500, "how many malformed requests are sent")

// TestHostileInput sends malformed requests to the real endpoint over a socket:
// signals, invocations of the host, orders, dry runs. Every one gets a verdict, none
// an answer of 500 and above, and nothing panics. The full count is -hostile 20000.
func TestHostileInput(t *testing.T) {
	e := newEstate(t)
	e.limit = Limits{Burst: 1 << 30}
	h, eng := e.instance("a")
	e.healthy(eng)
	trouble := &watched{Handler: h}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: trouble, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)

	seeds := hostileSeeds(t)
	verdicts := map[string]int{}
	rng := rand.New(rand.NewPCG(7, uint64(*hostile)))
	for n := range *hostile {
		req := hostileRequest(t, rng, seeds, listener.Addr().String())
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("request %d, %s %s: no verdict: %v", n, req.Method, req.URL, err)
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if resp.StatusCode >= 500 {
			t.Errorf("request %d, %s %s: %d %s", n, req.Method, req.URL, resp.StatusCode, body)
		}
		if req.Method != http.MethodHead && strings.Contains(resp.Header.Get("Content-Type"), "json") && !jsontext.Value(body).IsValid() {
			t.Errorf("request %d, %s %s: %d with what is no JSON: %.200s", n, req.Method, req.URL, resp.StatusCode, body)
		}
		if len(body) == 0 && resp.StatusCode != http.StatusNoContent && req.Method != http.MethodHead {
			t.Errorf("request %d, %s %s: %d and not a word", n, req.Method, req.URL, resp.StatusCode)
		}
		verdicts[fmt.Sprintf("%s %d", req.Header.Get("X-Door"), resp.StatusCode)]++
	}
	if n := trouble.count(); n > 0 {
		t.Errorf("%d panics, the first: %s", n, trouble.first)
	}
	if w := ask(h, "GET", "/api/v1/status", ""); w.Code != http.StatusOK {
		t.Errorf("afterwards the status is %d", w.Code)
	}
	if e.wires.puts != 0 && e.store.Effects() == 0 {
		t.Error("something was written without being recorded")
	}
	t.Logf("%d requests, verdicts %v", *hostile, verdicts)
}

// watched counts panics that reach the server.
type watched struct {
	http.Handler
	mu    sync.Mutex
	n     int
	first string
}

// ServeHTTP implements http.Handler. The Host is that of the handler's own port,
// which a request must name.
func (w *watched) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.n++; w.n == 1 {
				w.first = fmt.Sprint(p)
			}
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}()
	r.Host = "127.0.0.1:7071"
	w.Handler.ServeHTTP(rw, r)
}

func (w *watched) count() int { w.mu.Lock(); defer w.mu.Unlock(); return w.n }

// hostileSeeds are bodies that are well formed, by door.
func hostileSeeds(t *testing.T) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob("../events/testdata/bodies/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bodies: %v", len(files), err)
	}
	out := map[string][][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out["signals"] = append(out["signals"], b)
		out["hub"] = append(out["hub"], fmt.Appendf(nil, `{"Data":{"events":%q},"Metadata":{"sys":{"MethodName":"CircuitEvents"}}}`, fmt.Sprintf("[%q]", base64.StdEncoding.EncodeToString(b))))
		if jsontext.Value(b).IsValid() {
			out["grid"] = append(out["grid"], fmt.Appendf(nil, `{"Data":{"event":%s},"Metadata":{}}`, b))
		}
	}
	for _, b := range []string{`{}`, `{"to":"chicago","reason":"x"}`, `{"to":"chicago","overrides":["cool-down"],"break":true}`, `{"until":"2026-02-12T00:00:00Z","reason":"work"}`, `{"from":"Location 0"}`} {
		out["order"] = append(out["order"], []byte(b))
	}
	return out
}

// hostileRequest makes one request that is not as it should be.
func hostileRequest(t *testing.T, rng *rand.Rand, seeds map[string][][]byte, address string) *http.Request {
	t.Helper()
	door := []string{"signals", "hub", "grid", "order"}[rng.IntN(4)]
	list := seeds[door]
	body := spoil(rng, bytes.Clone(list[rng.IntN(len(list))]))
	verbs := []string{"failover", "switchover", "failback", "plan", "pause", "resume", "acknowledge", "approve", "cancel", "drill", "nothing"}
	place := map[string]string{
		"signals": "/api/v1/signals", "hub": "/CircuitEvents", "grid": "/HealthEvents",
		"order": "/api/v1/groups/" + []string{"east", "west", "%00", "..%2f..", "e%0aast", strings.Repeat("g", 300)}[min(rng.IntN(12), 5)] + "/" + verbs[rng.IntN(len(verbs))],
	}[door]
	if door == "order" && rng.IntN(2) == 0 {
		place = "/api/v1/groups/east/" + verbs[rng.IntN(len(verbs))]
	}
	if rng.IntN(50) == 0 {
		place += []string{"/", "?x=%zz", "/../../status", "//", "%2e%2e"}[rng.IntN(5)]
	}
	method := http.MethodPost
	if rng.IntN(40) == 0 {
		method = []string{"GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"}[rng.IntN(7)]
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+address+place, bytes.NewReader(body))
	if err != nil {
		req, err = http.NewRequestWithContext(context.Background(), method, "http://"+address+"/api/v1/signals", bytes.NewReader(body))
	}
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Door", door)
	if rng.IntN(20) == 0 {
		h := [][2]string{{"Content-Type", "text/html"}, {"Content-Type", "application/json; charset=utf-7"}, {"Content-Encoding", "gzip"}, {"Idempotency-Key", strings.Repeat("k", 5000)},
			{"X-MS-CLIENT-PRINCIPAL", "eyJ9"}, {"Authorization", "Bearer x.y.z"}, {"If-None-Match", "\"\""}, {"X-Azure-Functions-InvocationId", "a\tb"}}[rng.IntN(8)]
		req.Header.Set(h[0], h[1])
	}
	return req
}

// spoil damages a body in one to three ways.
func spoil(rng *rand.Rand, b []byte) []byte {
	junk := []string{"\x00", "\xff\xfe", `"`, `{`, `[`, `}`, `,`, `null`, `1e999`, `-0`, `"\ud800"`, `99999999999999999999999`, "\u202e", "\r\n", `{"a":1,"a":2}`, `${jndi:ldap://x}`, `<script>`, `%00`, `../../`,
		strings.Repeat("[", 2000), strings.Repeat("A", 5000), `"/subscriptions/x/../y"`, `{{.}}`, `'; DROP TABLE`}
	for range 1 + rng.IntN(3) {
		if len(b) == 0 {
			break
		}
		i := rng.IntN(len(b))
		switch rng.IntN(7) {
		case 0:
			b = b[:i]
		case 1:
			b[i] ^= 1 << rng.IntN(8)
		case 2:
			b = append(b[:i:i], append([]byte(junk[rng.IntN(len(junk))]), b[i:]...)...)
		case 3:
			j := i + rng.IntN(len(b)-i)
			b = append(b[:i:i], b[j:]...)
		case 4:
			j := min(len(b), i+rng.IntN(200))
			b = append(b[:j:j], append(bytes.Clone(b[i:j]), b[j:]...)...)
		case 5:
			b = append(b, b[:i]...)
		case 6:
			b = bytes.Replace(b, []byte(`":`), []byte(`":`+junk[rng.IntN(len(junk))]+`,"x":`), 1)
		}
	}
	return b
}
