//go:build unix

package e2e

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/sim"
	"erfailover/handlers/appzip"
	"erfailover/handlers/hosttest"
)

// patience is how long anything may take, in our time. Only a failing test waits
// that long.
const patience = 30 * time.Second

// said is one line of the program's log.
type said struct {
	Level    string   `json:"level"`
	Event    string   `json:"event"`
	Group    string   `json:"group"`
	Kind     string   `json:"kind"`
	Action   string   `json:"action"`
	Result   string   `json:"result"`
	Function string   `json:"function"`
	Did      string   `json:"did"`
	Hint     string   `json:"hint"`
	Reasons  []string `json:"reasons"`
}

// write is one PUT of a connection, with the GET that it was made from.
type write struct {
	Path      string
	Read, Put []byte
}

// rig is an estate, the program, and the host between them.
type rig struct {
	testing.TB
	clock    *clock
	fabric   *sim.Fabric
	arm      *sim.ARM
	face     *httptest.Server
	identity *sim.Identity
	source   sim.Source
	dir      string
	host     *hosttest.Host
	program  string   // the binary that the host starts
	extraEnv []string // for the program

	mu     sync.Mutex
	lines  []said
	text   []string          // stdout and stderr of the program and notes of the host
	count  int               // requests that reached the face
	reads  map[string][]byte // newest GET of a connection, by path
	writes []write

	acting sync.RWMutex // held for reading while on runs
	on     func(n int, r *http.Request) (drop bool)
}

// newRig makes an estate at rest. The program is not started.
func newRig(t testing.TB) *rig {
	t.Helper()
	c := newClock()
	r := &rig{TB: t, clock: c, fabric: newFabric(t, c.Now()), dir: t.TempDir(), program: binary, reads: map[string][]byte{}}
	r.arm = sim.NewARM(r.fabric, sim.Options{Now: c.Now, RetryAfter: time.Second})
	r.face = httptest.NewUnstartedServer(http.HandlerFunc(r.serveARM))
	r.face.EnableHTTP2 = true
	r.face.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that a killed program leaves behind
	r.face.StartTLS()
	var err error
	if r.identity, err = sim.NewIdentity(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.end()
		r.face.CloseClientConnections()
		r.face.Close()
		_ = r.arm.Close()
		_ = r.identity.Close()
		if t.Failed() {
			t.Log("the program's log, its ticks left out:\n" + strings.Join(slices.DeleteFunc(r.heard(), dull), "\n"))
		}
	})
	manifest, err1 := assets()
	app, err2 := appzip.Read(manifest.Manifest, manifest.Host, appzip.Options{})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.face.Certificate().Raw})
	if err := errors.Join(err1, err2, app.WriteDir(r.dir), os.WriteFile(r.file("ca.pem"), ca, 0o600)); err != nil {
		t.Fatal(err)
	}
	r.configure()
	return r
}

func (r *rig) file(name string) string { return filepath.Join(r.dir, name) }

// configure writes the configuration; change holds pairs of texts, old and new.
func (r *rig) configure(change ...string) {
	r.Helper()
	text := configText(r.face.URL, r.file("record.db"))
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			r.Fatalf("the configuration has no %q", change[i])
		}
		text = strings.Replace(text, change[i], change[i+1], 1)
	}
	if err := os.WriteFile(r.file("erfailover.yaml"), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
}

// env returns the settings of the program.
func (r *rig) env() []string {
	return append(append(r.identity.Env(), r.extraEnv...), "SSL_CERT_FILE="+r.file("ca.pem"), "ERFAILOVER_CONFIG="+r.file("erfailover.yaml"), r.clock.env(),
		"EventHubConnection__fullyQualifiedNamespace=test.servicebus.example", "EVENTHUB_NAME=circuit-events", "EVENTHUB_CONSUMER_GROUP=erfailover", "WEBSITE_SITE_NAME=")
}

// start starts a host with the program on the record that is there.
func (r *rig) start() {
	r.Helper()
	var err error
	r.host, err = hosttest.Start(hosttest.Options{
		AppDir: r.dir, Binary: r.program, Args: []string{"handler"}, Env: r.env(), Speed: r.clock.speed, NoTimers: true,
		Stdout: r.hear, Stderr: func(s string) { r.note("stderr: " + s) }, Note: func(s string) { r.note("host: " + s) },
	})
	if err != nil {
		r.Fatal(err)
	}
}

// end drains the program and ends the host. It may be called twice.
func (r *rig) end() {
	if r.host == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if code, err := r.host.Drain(ctx); err == nil && code != 0 {
		r.Errorf("drained, the program ended with code %d", code)
	}
	r.host.Stop()
	r.host = nil
}

// hear takes in a line of the program's log.
func (r *rig) hear(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, text)
	var l said
	if json.Unmarshal([]byte(text[max(strings.IndexByte(text, '{'), 0):]), &l) == nil {
		r.lines = append(r.lines, l)
	}
}

// dull reports whether a line of the log says only that a tick was made, or warns
// of a test's short waits.
func dull(line string) bool {
	return line == "host: Tick: done" || strings.HasPrefix(line, "warning: ") || strings.Contains(line, `"function":"Tick"`) && strings.Contains(line, "invocation.done")
}

func (r *rig) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, text)
}

// heard returns everything that was printed.
func (r *rig) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.text)
}

// times counts the lines of the log that fit.
func (r *rig) times(fits func(said) bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, l := range r.lines {
		if fits(l) {
			n++
		}
	}
	return n
}

// ended counts the operations of a kind that ended proven or applied.
func (r *rig) ended(kind string) int {
	return r.times(func(l said) bool {
		return l.Event == "operation.ended" && l.Kind == kind && (l.Result == "proven" || l.Result == "applied")
	})
}

// holds reports whether the log has a verdict with that reason.
func (r *rig) holds(reason string) bool {
	return r.times(func(l said) bool { return l.Event == "verdict.changed" && slices.Contains(l.Reasons, reason) }) > 0
}

// await waits until something has happened.
func (r *rig) await(what string, happened func() bool) {
	r.Helper()
	r.loop(what, happened, func() {})
}

// tick lets the timer fire again and again until something has happened.
func (r *rig) tick(what string, happened func() bool) {
	r.Helper()
	r.loop(what, happened, func() { _ = r.host.Fire("Tick", false) }) // a failed tick is followed by the next one
}

func (r *rig) loop(what string, happened func() bool, do func()) {
	r.Helper()
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for deadline := time.Now().Add(patience); !happened(); <-pace.C {
		if time.Now().After(deadline) {
			r.Fatalf("never happened: %s", what)
		}
		do()
	}
}

// pass lets ticks fire for a span of the estate's time.
func (r *rig) pass(span time.Duration) {
	r.Helper()
	until := r.clock.Now().Add(span)
	r.tick("time passes", func() bool { return r.clock.Now().After(until) })
}

// settled waits until every event that was sent is done with.
func (r *rig) settled() {
	r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.host.Settle(ctx); err != nil {
		r.Fatal(err)
	}
	if err := r.host.Err(); err != nil {
		r.Fatal(err)
	}
}

// atRest starts the program and waits until it knows that all is well.
func (r *rig) atRest() {
	r.Helper()
	r.start()
	r.tick("all is well", func() bool { return r.holds("well") })
}

// send sends events into one partition of the event hub.
func (r *rig) send(bodies ...[]byte) {
	for _, b := range bodies {
		r.host.Send("0", b)
	}
}

// run runs a command of the program and returns what it printed and its exit code.
func (r *rig) run(args ...string) (stdout, stderr string, code int) {
	r.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), r.env()...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		r.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// journal ends the program and returns a stream of its journal, verified.
func (r *rig) journal(stream string) string {
	r.Helper()
	r.end()
	if out, errs, code := r.run("journal", "verify"); code != 0 || !strings.Contains(out, "chain intact") {
		r.Errorf("journal verify: code %d, %s%s", code, out, errs)
	}
	out, errs, code := r.run("journal", "show", stream)
	if code != 0 {
		r.Errorf("journal show %s: code %d, %s", stream, code, errs)
	}
	return out
}

// weights returns every connection's weight in effect.
func (r *rig) weights() map[string]int32 {
	out := map[string]int32{}
	for _, id := range r.fabric.Connections("") {
		out[id], _ = r.fabric.Weight(id, r.clock.Now())
	}
	return out
}

// api asks the program's API through the host's front.
func (r *rig) api(path string) (int, string) {
	r.Helper()
	req, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("x-functions-key", "function")
	res, err := r.host.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.StatusCode, string(body)
}
