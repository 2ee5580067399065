package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/topology"
)

// lab is a prober whose targets answer or not as the test says; time is the test's.
type lab struct {
	t        *testing.T
	p        *Prober
	now      time.Time
	dead     map[string]bool
	circuits []topology.Circuit
}

func newLab(t *testing.T, targets map[string][]string) *lab {
	l := &lab{t: t, p: New(), now: time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC), dead: map[string]bool{}}
	l.p.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		if l.dead[address] {
			return nil, errors.New("no route")
		}
		a, b := net.Pipe()
		b.Close()
		return a, nil
	}
	for _, name := range []string{"a", "b"} {
		c := topology.Circuit{Name: name, ID: "/c/" + name}
		for _, tcp := range targets[name] {
			c.Probes = append(c.Probes, topology.Probe{TCP: tcp, Timeout: time.Second})
		}
		l.circuits = append(l.circuits, c)
	}
	return l
}

// rounds lets rounds of five seconds pass and returns the last claim about a circuit,
// and how many claims there were.
func (l *lab) rounds(n int, circuit string) (last events.Signal, claims int) {
	for range n {
		for _, s := range l.p.Round(l.t.Context(), l.circuits, func() time.Time { return l.now }) {
			if s.Resource == "/c/"+circuit {
				last, claims = s, claims+1
			}
		}
		l.now = l.now.Add(5 * time.Second)
	}
	return last, claims
}

func TestKOfN(t *testing.T) {
	l := newLab(t, map[string][]string{"a": {"10.0.0.1:179"}, "b": {"10.0.0.2:179"}})
	if _, n := l.rounds(enough-1, "a"); n != 0 {
		t.Fatal("too few tries, and it spoke")
	}
	if s, n := l.rounds(1, "a"); n != 1 || s.State != events.Up || s.Observer != events.Probe || s.Plane != events.DataPlane {
		t.Fatalf("after enough good tries: %d claims, %+v", n, s)
	}
	if _, n := l.rounds(5, "a"); n != 0 {
		t.Error("an unchanged claim was repeated within half a minute")
	}
	if s, n := l.rounds(2, "a"); n != 1 || s.State != events.Up {
		t.Errorf("an unchanged claim was not refreshed: %d", n)
	}
	l.dead["10.0.0.1:179"] = true
	if s, n := l.rounds(enough-1, "a"); n != 0 {
		t.Errorf("one try short of enough it spoke: %+v", s)
	}
	if s, n := l.rounds(1, "a"); n != 1 || s.State != events.Down || s.Value == nil || *s.Value < 60 {
		t.Fatalf("after enough lost tries: %d claims, %+v", n, s)
	}
	delete(l.dead, "10.0.0.1:179")
	if s, _ := l.rounds(enough, "a"); s.State != events.Up {
		t.Errorf("after recovery: %+v", s)
	}
}

func TestOneTargetOfTwoIsDegraded(t *testing.T) {
	l := newLab(t, map[string][]string{"a": {"10.0.0.1:179", "10.0.0.3:179"}, "b": {"10.0.0.2:179"}})
	l.dead["10.0.0.3:179"] = true
	if s, _ := l.rounds(enough, "a"); s.State != events.Degraded {
		t.Errorf("got %+v", s)
	}
}

// When nothing anywhere answers, our own network is the likelier cause: no circuit is
// called down.
func TestBlind(t *testing.T) {
	l := newLab(t, map[string][]string{"a": {"10.0.0.1:179"}, "b": {"10.0.0.2:179"}})
	l.rounds(enough, "a")
	l.dead["10.0.0.1:179"], l.dead["10.0.0.2:179"] = true, true
	s, _ := l.rounds(window, "a")
	if s.State != events.Unknown {
		t.Fatalf("blind, and it says %+v", s)
	}
	delete(l.dead, "10.0.0.2:179")
	if s, _ := l.rounds(1, "a"); s.State != events.Down {
		t.Errorf("b answers again, so a's silence is a's own: %+v", s)
	}
}

// With one probed circuit there is nothing to compare with: its silence counts.
func TestOneCircuitAlone(t *testing.T) {
	l := newLab(t, map[string][]string{"a": {"10.0.0.1:179"}})
	l.dead["10.0.0.1:179"] = true
	if s, _ := l.rounds(enough, "a"); s.State != events.Down {
		t.Errorf("got %+v", s)
	}
	if !Any(l.circuits) || Any([]topology.Circuit{{Name: "x"}}) {
		t.Error("Any")
	}
}

// A round that is cut short says nothing: a process that ends is no outage.
func TestCutShort(t *testing.T) {
	l := newLab(t, map[string][]string{"a": {"10.0.0.1:179"}})
	l.dead["10.0.0.1:179"] = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range window {
		if got := l.p.Round(ctx, l.circuits, time.Now); got != nil {
			t.Fatalf("got %+v", got)
		}
	}
}

// TestHTTP tries real servers on loopback: an answer counts, a redirect is an answer
// and is not followed, a server's error is none, and neither is silence.
func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/broken", http.StatusFound) })
	mux.HandleFunc("/denied", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	p := New()
	for path, want := range map[string]bool{"/ok": true, "/moved": true, "/denied": true, "/broken": false, "/silent": false} {
		if got := p.try(t.Context(), topology.Probe{HTTP: srv.URL + path, Timeout: 300 * time.Millisecond}); got.ok != want {
			t.Errorf("%s: answered %t, want %t", path, got.ok, want)
		}
	}
	addr := srv.Listener.Addr().String()
	if !p.try(t.Context(), topology.Probe{TCP: addr, Timeout: time.Second}).ok {
		t.Error("a listening port does not answer")
	}
	srv.Close()
	if p.try(t.Context(), topology.Probe{TCP: addr, Timeout: time.Second}).ok {
		t.Error("a closed port answers")
	}
}
