//go:build unix

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/executor"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/sim"
	"erfailover/handlers"
)

// Sleep makes the estate's clock the engine's.
func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(time.Duration(float64(d) / c.speed))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// tokens gives tokens that the ARM face takes.
type tokens struct{ *sim.ARM }

// GetToken implements azcore.TokenCredential.
func (t tokens) GetToken(context.Context, azpolicy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: t.Token(), ExpiresOn: time.Now().Add(24 * time.Hour)}, nil
}

// ice holds the requests that fit until it melts, like a process that is paused
// between two instructions.
type ice struct {
	fits   func(*http.Request) bool
	melted chan struct{}

	mu   sync.Mutex
	held int
}

// hold waits for the ice to melt if the request fits.
func (i *ice) hold(req *http.Request) {
	if i.fits(req) {
		i.mu.Lock()
		i.held++
		i.mu.Unlock()
		<-i.melted
	}
}

// frozen marks an instance's requests, and holds some before they leave.
type frozen struct {
	next http.RoundTripper
	ice  *ice
}

// mark is the header by which the face knows the frozen instance.
const mark = "X-Test-Instance"

// RoundTrip implements http.RoundTripper.
func (f frozen) RoundTrip(req *http.Request) (*http.Response, error) {
	f.ice.hold(req)
	req = req.Clone(req.Context())
	req.Header.Set(mark, "first")
	return f.next.RoundTrip(req)
}

// holding returns how many requests have been held.
func (i *ice) holding() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.held
}

// newEngine makes one instance over a store, with the real SDK to the estate.
func (r *rig) newEngine(name string, store *recordtest.Memory, wrap func(http.RoundTripper) http.RoundTripper) *failover.Engine {
	r.Helper()
	cfg, _, err := config.Parse([]byte(configText(r.face.URL, r.file("unused.db"))))
	if err != nil {
		r.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(r.face.Certificate())
	tr := armnet.NewTransport(roots, nil)
	r.Cleanup(tr.CloseIdleConnections)
	net, err := armnet.New(armnet.Config{
		Cloud: armnet.Custom, Endpoint: r.face.URL, Audience: "https://management.azure.com", Authority: "https://login.example",
		Credential: tokens{r.arm}, Now: r.clock.Now, Sleep: r.clock.Sleep, Transport: wrap(tr),
	})
	if err != nil {
		r.Fatal(err)
	}
	rule := cfg.PolicyRule(group)
	rule.SettleAfter = cfg.Timing.SettleAfter
	timing := failover.DefaultTiming()
	timing.SendDeadline, timing.Landing, timing.PollDoubt = cfg.Timing.SendDeadline, cfg.Timing.Landing, cfg.Timing.Poll.Doubt
	log := zerolog.New(writer(func(text string) { r.hear(name + " " + text) })).Level(zerolog.InfoLevel)
	return failover.New(failover.Settings{
		Store: store, Network: executor.Network(net), Clock: r.clock, Log: log, ID: func() string { return strings.ToLower(rand.Text()) },
		Owner: name, Topology: cfg.Topology(), Hash: cfg.Hash(), Limits: cfg.Limits(), Timing: timing,
		Rules: map[string]failover.GroupRules{group: {Policy: rule, Health: cfg.HealthRule(group)}},
	})
}

// writer is an io.Writer of lines.
type writer func(string)

// Write implements io.Writer.
func (w writer) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}

// handle gives bodies to an engine.
func (r *rig) handle(e *failover.Engine, bodies ...[]byte) {
	r.Helper()
	if _, err := e.Handle(context.Background(), r.parse(bodies...)); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) parse(bodies ...[]byte) (signals []events.Signal) {
	for _, b := range bodies {
		signals = append(signals, handlers.ParseEvents(b, r.clock.Now()).Signals...)
	}
	return signals
}

// beats ticks an engine until something has happened.
func (r *rig) beats(e *failover.Engine, what string, happened func() bool) {
	r.Helper()
	r.loop(what, happened, func() {
		if err := e.Tick(context.Background()); err != nil {
			r.Fatal(err)
		}
	})
}

// TestFrozen: an instance is frozen between its intent and its sends, for longer
// than any deadline. A second one carries on, and when the first target dies too it
// decides anew. Thawed, the first instance's requests land or are refused; in no
// case does any gateway leave the circuit of the second decision.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		method string // of the requests that are held
		wire   bool   // they have left the process, past its last check, and lie in the network
	}{
		{"its PUTs lie in the network", http.MethodPut, true},
		{"at its PUTs before they leave", http.MethodPut, false},
		{"at the reads before its PUTs", http.MethodGet, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			store := recordtest.NewMemory()
			fits := func(req *http.Request) bool {
				return req.Method == c.method && isConnection(req.URL.Path) && strings.HasSuffix(req.URL.Path, "-chicago") && r.decided() > 0
			}
			cold := &ice{fits: fits, melted: make(chan struct{})}
			within := cold
			if c.wire {
				within = &ice{fits: func(*http.Request) bool { return false }}
				r.at(func(_ int, req *http.Request) bool {
					if req.Header.Get(mark) != "" {
						cold.hold(req)
					}
					return false
				})
			}
			first := r.newEngine("first", store, func(rt http.RoundTripper) http.RoundTripper { return frozen{rt, within} })
			second := r.newEngine("second", store, func(rt http.RoundTripper) http.RoundTripper { return rt })
			r.beats(second, "all is well", func() bool { return r.says("second", "well") })

			// The first instance decides, stores its intents, and freezes.
			// It may do so while it handles, if the hold-down is over by then.
			signals := r.parse(r.outage("ashburn")...)
			thawed := make(chan error, 1)
			go func() {
				_, err := first.Handle(context.Background(), signals)
				thawed <- errors.Join(err, r.tickWhile(first, func() bool { return cold.holding() == 0 }))
			}()
			r.await("the first instance is frozen in all its writes", func() bool { return cold.holding() == len(gateways()) })

			// The second one's writes to chicago are refused, until chicago is dead too.
			r.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindConnectionPut, Path: "chicago", Times: -1}, Fault: sim.Fault{Kind: sim.Conflict}})
			r.handle(second, r.outage("chicago")...)
			r.beats(second, "the second instance has moved to dallas", func() bool { return r.ended("failover") == 1 })
			r.carries("dallas")
			want := r.weights()
			until := r.clock.Now().Add(time.Minute) // the send deadline is 40 s
			r.beats(second, "the first instance's deadline is long past", func() bool { return r.clock.Now().After(until) })
			r.arm.ClearFaults()
			sent := len(r.written())

			close(cold.melted)
			if err := <-thawed; err != nil {
				t.Logf("the thawed instance: %v", err)
			}
			late := r.written()[sent:]
			if got := len(late); c.wire && got != len(gateways()) || !c.wire && got != 0 {
				t.Errorf("%d late PUTs arrived", got)
			}
			until = r.clock.Now().Add(2 * time.Minute)
			r.beats(second, "everything has landed", func() bool { return r.clock.Now().After(until) })
			r.beats(first, "the first instance sees it too", func() bool { return true })
			r.carries("dallas")
			for id, w := range r.weights() {
				if chicago := strings.HasSuffix(id, "-chicago"); chicago && c.wire {
					if w != 201 {
						t.Errorf("%s has weight %d, the late write said 201", id, w)
					}
				} else if w != want[id] {
					t.Errorf("%s has weight %d, want %d", id, w, want[id])
				}
			}
			r.neverLeft("dallas")
		})
	}
}

// tickWhile ticks an engine for as long as cond holds, and returns its last error.
func (r *rig) tickWhile(e *failover.Engine, cond func() bool) (err error) {
	for ok := true; ok; ok = cond() {
		err = e.Tick(context.Background())
	}
	return err
}

// decided counts the decisions in the log.
func (r *rig) decided() int {
	return r.times(func(l said) bool { return l.Event == "operation.decided" })
}

// says reports whether an instance logged a verdict with that reason.
func (r *rig) says(instance, reason string) bool {
	return slices.ContainsFunc(r.heard(), func(line string) bool {
		return strings.HasPrefix(line, instance+" ") && strings.Contains(line, "verdict.changed") && strings.Contains(line, `"`+reason+`"`)
	})
}

// neverLeft replays every landing: once a gateway prefers a circuit, it goes on to
// prefer it.
func (r *rig) neverLeft(circuit string) {
	r.Helper()
	now := map[string]map[string]int32{}
	for _, g := range gateways() {
		now[g] = map[string]int32{"ashburn": 200, "chicago": 100, "dallas": 50}
	}
	arrived := map[string]bool{}
	for _, l := range r.fabric.Landings(r.clock.Now()) {
		for _, g := range gateways() {
			for _, c := range circuits() {
				if strings.EqualFold(l.Connection, connectionID(g, c)) {
					now[g][c] = l.To
				}
			}
			best := true
			for _, c := range circuits() {
				best = best && (c == circuit || now[g][c] < now[g][circuit])
			}
			if arrived[g] && !best {
				r.Errorf("at %s, after %+v, %s no longer prefers %s: %v", l.At, l, g, circuit, now[g])
			}
			arrived[g] = arrived[g] || best
		}
	}
	if len(arrived) != len(gateways()) {
		r.Errorf("some gateways never preferred %s", circuit)
	}
}
