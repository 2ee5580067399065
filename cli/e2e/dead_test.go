//go:build unix

package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate stands before the ARM face and can die: it cuts what is open, and what comes then
// is taken and never answered, as by an address that nobody is behind any more.
type gate struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	open []net.Conn
	dead bool
	held int // connections that came while it was dead
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: l, to: to}
	go g.serve()
	t.Cleanup(func() { _ = l.Close(); g.die() })
	return g
}

func (g *gate) serve() {
	for {
		in, err := g.listener.Accept()
		if err != nil {
			return
		}
		if !g.keep(in) {
			continue
		}
		out, err := net.Dial("tcp", g.to)
		if err != nil || !g.keep(out) {
			_ = in.Close()
			continue
		}
		go pipe(in, out)
		go pipe(out, in)
	}
}

// keep remembers a connection, and reports whether it is let through.
func (g *gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = append(g.open, c)
	if g.dead {
		g.held++
	}
	return !g.dead
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}

func (g *gate) die() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead = true
	for _, c := range g.open {
		_ = c.Close()
	}
	g.open = nil
}

// live lets what comes from now on through, and drops what waited.
func (g *gate) live() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dead = false
	for _, c := range g.open {
		_ = c.Close()
	}
	g.open = nil
}

func (g *gate) knocked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

// TestDeadEndpoint: Azure's endpoint dies at the first write of a failover. The program
// answers the host all the same, has stored why and not before when it looks again, and
// is stopped. The next process goes on from what is stored, and nothing is written twice.
// How long a tick took against a dead endpoint is printed; the promise of five seconds is
// held on virtual time, in failover/armnet.
func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := newGate(t, r.face.Listener.Addr().String())
	r.configure(r.face.URL, "https://"+g.listener.Addr().String())
	r.atRest()
	r.onFirstPut(g.die)
	r.send(r.outage("ashburn")...)
	r.tick("somebody has knocked at the dead endpoint", func() bool { return g.knocked() > 0 })
	began := time.Now()
	r.tick("a tick is answered meanwhile", func() bool { return r.host.Fire("Tick", false) == nil })
	t.Logf("a tick against a dead endpoint took %s", time.Since(began).Round(time.Millisecond))
	doc := r.record()["group/"+group]
	for _, want := range []string{`"not_before":"20`, `"error":`, `"phase":`} {
		if !strings.Contains(doc, want) {
			t.Errorf("the stored operation has no %s: %s", want, doc)
		}
	}
	if n := r.ended("failover"); n != 0 {
		t.Fatalf("%d failovers ended while nobody answered", n)
	}
	r.at(nil)
	g.live()
	r.start()
	r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
	r.carries("chicago")
	puts := map[string]int{}
	for _, p := range r.fabric.Puts("") {
		if puts[strings.ToLower(p.Path)]++; puts[strings.ToLower(p.Path)] > 1 {
			t.Errorf("%s was written %d times", p.Path, puts[strings.ToLower(p.Path)])
		}
	}
}
