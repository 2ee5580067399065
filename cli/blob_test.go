package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/record"
	"erfailover/failover/sim"
)

// instanceVariable makes this test binary one instance of the program: it takes the
// events of the file that it names, then ticks until its stdin ends.
const instanceVariable = "CLI_TEST_INSTANCE"

// fromVariable says how many events of the file were handled in earlier lives; when it
// is set, an instance prints how many are.
const fromVariable = "CLI_TEST_FROM"

func TestMain(m *testing.M) {
	if file := os.Getenv(instanceVariable); file != "" {
		if err := instance(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if address := os.Getenv(hubVariable); address != "" {
		if err := consumer(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// instance wires the program as it is wired in production, its configuration and
// its identity included.
func instance(file string) error {
	cfg, err := readConfig("", io.Discard)
	if err != nil {
		return err
	}
	p, err := wire(cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(cmp.Or(os.Getenv(fromVariable), "0"))
	if err != nil {
		return err
	}
	for i, line := range strings.Fields(string(text)) {
		if i < from {
			continue // handled in an earlier life
		}
		body, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		if err := deliver(ctx, p, body); err != nil {
			return err
		}
		if os.Getenv(fromVariable) != "" {
			fmt.Println(i + 1)
		}
	}
	fmt.Println("handled")
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for ctx.Err() == nil {
		if err := p.engine.Tick(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "tick:", err)
		}
		<-pace.C
	}
	return p.close()
}

// deliver hands one event in, again and again until it is saved, as a host does.
func deliver(ctx context.Context, p *parts, body []byte) error {
	batch := events.Parse(body, p.clock.Now())
	if len(batch.Broken) > 0 || len(batch.Signals) == 0 {
		return fmt.Errorf("an event without signals: %+v", batch.Broken)
	}
	var err error
	for range 20 {
		if _, err = p.engine.Handle(ctx, batch.Signals); err == nil {
			return nil
		}
	}
	return err
}

// TestTwoInstancesOneContainer runs two processes over one container, with managed
// identity and TLS on every line. Each gets 200 events about one outage, half of
// them the same. There is one operation, one write a gateway, and every journal
// verifies.
func TestTwoInstancesOneContainer(t *testing.T) {
	dir := t.TempDir()
	blob := startAzurite(t, dir)
	clk := &clock{start: time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC), base: time.Now(), speed: 10}
	demo := sim.DemoEstateAt(clk.Now(), sim.Timing{Land: 4 * time.Second, End: 6 * time.Second, Read: 2 * time.Second})
	arm := sim.NewARM(demo.Fabric, sim.Options{Now: clk.Now, RetryAfter: time.Second})
	if err := arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = arm.Close() })
	identity := identityFor(t)
	env := append(identity, "SSL_CERT_FILE="+filepath.Join(dir, "ca.pem"), "ERFAILOVER_CONFIG="+filepath.Join(dir, "config.yaml"), clockVariable+"="+clk.String(), "WEBSITE_SITE_NAME=")
	writeFile(t, dir, "ca.pem", append(blob.ca, arm.CAPEM()...))
	writeFile(t, dir, "config.yaml", []byte(blobConfig(demo, arm.URL(), blob.url)))
	demo.Fabric.Cut(demo.Circuits["er-ashburn"], clk.Now())

	both := outageEvents(demo, clk.Now(), "er-ashburn", 100)
	var stops []func() error
	for _, own := range []string{"er-chicago", "er-dallas"} {
		var lines bytes.Buffer
		for i, theirs := range healthyEvents(demo, clk.Now(), own, 100) {
			fmt.Fprintln(&lines, base64.StdEncoding.EncodeToString(both[i]))
			fmt.Fprintln(&lines, base64.StdEncoding.EncodeToString(theirs))
		}
		writeFile(t, dir, own, lines.Bytes())
		stops = append(stops, startInstance(t, env, filepath.Join(dir, own)))
	}
	store := blob.open(t)
	var g record.Group
	waitFor(t, "the operation has ended", func() bool {
		doc, err := store.Load(t.Context(), record.GroupKey("east"))
		if err != nil {
			return false
		}
		g = record.Group{}
		if err := json.Unmarshal(doc.Body, &g); err != nil {
			t.Fatal(err)
		}
		return g.Operation == nil && len(g.Recent) > 0
	})
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	// Whoever is proven first takes the traffic: each instance brings the proof of one.
	to := g.Recent[len(g.Recent)-1].To
	if len(to) != 1 || (to[0] != "chicago" && to[0] != "dallas") {
		t.Fatalf("the operation went to %v", to)
	}
	for _, name := range demo.Regions["east"] {
		id := demo.Connections[name+"/er-"+to[0]]
		if w, _ := demo.Fabric.Weight(id, clk.Now()); w != 201 || len(demo.Fabric.Puts(id)) != 1 {
			t.Errorf("%s: %s has weight %d after %d writes, want 201 after one; ended: %+v", name, to[0], w, len(demo.Fabric.Puts(id)), g.Recent)
		}
	}
	if n := len(demo.Fabric.Puts("")); n != 3 {
		t.Errorf("%d writes in all, want 3", n)
	}
	verifyAll(t, store, "group.east")
}

// verifyAll checks the chain of every journal, and that the group's journal tells
// of one operation and leads to the head that its document names.
func verifyAll(t *testing.T, store record.Store, group string) {
	t.Helper()
	var out bytes.Buffer
	if err := verifyJournal(t.Context(), store, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	rows, err := readRows(t.Context(), store, group)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := store.Load(t.Context(), record.GroupKey(strings.TrimPrefix(group, "group.")))
	if err != nil {
		t.Fatal(err)
	}
	var g record.Group
	if err := json.Unmarshal(doc.Body, &g); err != nil {
		t.Fatal(err)
	}
	if err := record.VerifyTo(group, g.Head, rows); err != nil {
		t.Error(err)
	}
	codes := map[string]int{}
	for _, row := range rows {
		e, err := record.ParseEntry(row.Body)
		if err != nil {
			t.Fatal(err)
		}
		codes[e.Code]++
	}
	if codes[failover.CodeDecided] != 1 || codes[failover.CodeEnded] != 1 {
		t.Errorf("the journal tells of %d decisions and %d ends, want one of each: %v", codes[failover.CodeDecided], codes[failover.CodeEnded], codes)
	}
}

// outageEvents are n events that say that a circuit is down, no two the same.
func outageEvents(d sim.Demo, now time.Time, circuit string, n int) [][]byte {
	id, s := d.Circuits[circuit], sim.Source{}
	out := [][]byte{s.Outage(id, now, time.Time{})}
	for i := 1; len(out) < n; i++ {
		link := []sim.Link{sim.Primary, sim.Secondary}[i%2]
		out = append(out, s.MetricAlert(sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: link, FiredAt: now.Add(time.Duration(i) * 100 * time.Millisecond)}))
	}
	return out
}

// healthyEvents are n minutes in which a circuit was well, the newest first.
func healthyEvents(d sim.Demo, now time.Time, circuit string, n int) [][]byte {
	var out [][]byte
	well := sim.HealthyLink(1e9)
	for i := range n {
		out = append(out, sim.Source{}.Metrics(sim.CircuitMinute{Circuit: d.Circuits[circuit], Primary: well, Secondary: well, At: now.Add(time.Duration(-1-i) * time.Minute)}))
	}
	return out
}

func blobConfig(d sim.Demo, arm, account string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `version: 1
azure:
  cloud: custom
  custom: {resourceManager: %q, audience: "https://management.azure.com", authority: "https://login.example"}
  identity: managed
record: {blob: {account: %q, container: the-record}}
circuits:
`, arm, account)
	for _, c := range d.Preference["east"] {
		fmt.Fprintf(&b, "  %s: {id: %s}\n", strings.TrimPrefix(c, "er-"), d.Circuits[c])
	}
	b.WriteString("groups:\n  east:\n    mode: automatic\n    preference: [ashburn, chicago, dallas]\n    gateways:\n")
	for _, g := range d.Regions["east"] {
		fmt.Fprintf(&b, "      - %s\n", d.Gateways[g])
	}
	b.WriteString(`    health: {holdDown: 5s, holdUp: 20s, observers: 2, confirmByRead: true, maxAge: {metric: 4h, resource-health: 4h, read: 4h}}
    coolDown: 30s
    candidateFresh: 1h
    failback: {mode: manual}
timing: {sendDeadline: 60s, landing: 1m, settleAfter: 10s, poll: {doubt: 30s, all: 1h}}
auth: {mode: loopback}
`)
	return b.String()
}

// patience is how long anything may take. Only a failing test waits that long.
const patience = 90 * time.Second

// startInstance starts a process. What it returns waits until all events have been
// handled, and ends it.
func startInstance(t *testing.T, env []string, events string) func() error {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), instanceVariable+"="+events)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var ended error
	stop := func() error {
		once.Do(func() {
			late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			lines := bufio.NewReader(out)
			said, _ := lines.ReadString('\n') // all events have been handled, or it has ended
			_ = stdin.Close()
			_, _ = io.Copy(io.Discard, lines)
			if err := cmd.Wait(); err != nil || said != "handled\n" {
				ended = fmt.Errorf("instance of %s: %w, said %q", filepath.Base(events), err, said)
			}
		})
		return ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Log(err)
		}
		if t.Failed() && complaints.Len() > 0 {
			t.Logf("instance of %s complained:\n%.4000s", filepath.Base(events), complaints.String())
		}
	})
	return stop
}

func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for deadline := time.Now().Add(patience); !happened(); <-pace.C {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func writeFile(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// storageToken has the shape of a token for storage. Nobody signed it.
func storageToken() string {
	enc, now := base64.RawURLEncoding.EncodeToString, time.Now().Unix()
	return enc([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc(fmt.Appendf(nil,
		`{"aud":"https://storage.azure.com","iss":"https://sts.windows.net/00000000-0000-0000-0000-000000000009/","nbf":%d,"iat":%d,"exp":%d,"oid":"o","tid":"00000000-0000-0000-0000-000000000009"}`, now-60, now-60, now+3600)) + ".junk"
}

// identityFor starts a stand-in for the managed identity endpoint, which knows the
// simulated Azure and storage, and returns the environment that names it.
func identityFor(t *testing.T) []string {
	t.Helper()
	id, err := sim.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Query().Get("resource"), "https://storage.azure.com") {
			id.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","resource":"https://storage.azure.com","token_type":"Bearer"}`, storageToken(), time.Now().Add(time.Hour).Unix())
	}))
	t.Cleanup(func() { server.Close(); _ = id.Close() })
	return append(id.Env(), "IDENTITY_ENDPOINT="+server.URL+"/msi/token")
}
