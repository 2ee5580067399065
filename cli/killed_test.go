package cli

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/record"
	"erfailover/failover/sim"
)

// TestKilledInstancesOneContainer runs two processes over one container on Azurite.
// Each gets its events about one outage, half of them the same, and both are killed
// with SIGKILL again and again, at a moment of chance, and started anew: what was not
// acknowledged is delivered again, as a hub does. The record is consistent, every
// chain verifies, there is one operation and one write a gateway, and nothing is lost.
// The full count, 1,000 events each and eight deaths, is -sweep.
func TestKilledInstancesOneContainer(t *testing.T) {
	each, deaths := 80, 2
	if *sweep {
		each, deaths = 1000, 8
	}
	dir := t.TempDir()
	blob := startAzurite(t, dir)
	clk := &clock{start: time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC), base: time.Now(), speed: 10}
	demo := sim.DemoEstateAt(clk.Now(), sim.Timing{Land: 4 * time.Second, End: 6 * time.Second, Read: 2 * time.Second})
	arm := sim.NewARM(demo.Fabric, sim.Options{Now: clk.Now, RetryAfter: time.Second})
	if err := arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = arm.Close() })
	env := append(identityFor(t), "SSL_CERT_FILE="+filepath.Join(dir, "ca.pem"), "ERFAILOVER_CONFIG="+filepath.Join(dir, "config.yaml"), clockVariable+"="+clk.String(), "WEBSITE_SITE_NAME=")
	writeFile(t, dir, "ca.pem", append(blob.ca, arm.CAPEM()...))
	writeFile(t, dir, "config.yaml", []byte(blobConfig(demo, arm.URL(), blob.url)))
	demo.Fabric.Cut(demo.Circuits["er-ashburn"], clk.Now())

	both := outageEvents(demo, clk.Now(), "er-ashburn", each/2)
	want := map[string]health.Memory{"ashburn": {Circuit: "ashburn"}, "chicago": {Circuit: "chicago"}, "dallas": {Circuit: "dallas"}}
	var lives []*life
	for i, own := range []string{"er-chicago", "er-dallas"} {
		var lines bytes.Buffer
		for k, theirs := range healthyEvents(demo, clk.Now(), own, each/2) {
			for _, body := range [][]byte{both[k], theirs} {
				fmt.Fprintln(&lines, base64.StdEncoding.EncodeToString(body))
				remember(t, want, demo, body, clk.Now())
			}
		}
		writeFile(t, dir, own, lines.Bytes())
		lives = append(lives, &life{t: t, env: env, file: filepath.Join(dir, own), events: each, rng: rand.New(rand.NewPCG(11, uint64(i))), deaths: deaths / 2})
	}
	ended := make(chan error, len(lives))
	for _, l := range lives {
		go func() { ended <- l.live() }()
	}
	for range lives {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
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
	died := 0
	for _, l := range lives {
		died += l.died
		if err := l.end(); err != nil {
			t.Error(err)
		}
	}
	if died < deaths {
		t.Errorf("%d deaths, want %d", died, deaths)
	}
	to := g.Recent[len(g.Recent)-1].To
	if len(g.Recent) != 1 || len(to) != 1 || len(demo.Fabric.Puts("")) != len(demo.Regions["east"]) {
		t.Errorf("%d operations, the last to %v; %d writes, want one for each of %d gateways", len(g.Recent), to, len(demo.Fabric.Puts("")), len(demo.Regions["east"]))
	}
	verifyAll(t, store, "group.east")
	for name, m := range want {
		doc, err := store.Load(t.Context(), record.CircuitKey(name))
		if err != nil {
			t.Fatal(err)
		}
		var c record.Circuit
		if err := json.Unmarshal(doc.Body, &c); err != nil {
			t.Fatal(err)
		}
		if lost := missing(m, c.Memory); len(lost) > 0 {
			t.Errorf("%s: of %d claims the record lacks %d, such as %+v", name, len(m.Evidence), len(lost), lost[0])
		}
	}
	t.Logf("%d events to each of two instances, %d deaths, %d rows", each, died, len(g.Recent))
}

// remember folds an event into what must be known at the end.
func remember(t *testing.T, want map[string]health.Memory, d sim.Demo, body []byte, now time.Time) {
	t.Helper()
	batch := events.Parse(body, now)
	for _, s := range batch.Signals {
		for name, m := range want {
			if id, err := events.ParseResourceID(s.Resource); err == nil {
				if c, ok := id.Up(events.TypeCircuit); ok && c.String() == events.Canonical(d.Circuits["er-"+name]) {
					want[name], _ = health.Observe(m, []events.Signal{s}, nil, now.Add(time.Minute))
				}
			}
		}
	}
}

// missing returns the claims of want that another memory has neither so nor newer.
func missing(want, have health.Memory) []health.Evidence {
	var out []health.Evidence
	for _, e := range want.Evidence {
		found := false
		for _, o := range have.Evidence {
			found = found || o.Observer == e.Observer && o.Source == e.Source && o.Resource == e.Resource && o.Link == e.Link && o.Peering == e.Peering && !o.At.Before(e.At)
		}
		if !found {
			out = append(out, e)
		}
	}
	return out
}

// life is one instance with its deaths.
type life struct {
	t      *testing.T
	env    []string
	file   string
	events int
	rng    *rand.Rand
	deaths int

	died int
	end  func() error
}

// live runs the instance, kills it at a moment of chance, starts it anew from what
// was acknowledged, and returns when all is handled. The last one goes on ticking.
func (l *life) live() error {
	acknowledged := 0
	for n := 0; n <= l.deaths; n++ {
		at := l.events
		if n < l.deaths {
			at = acknowledged + 1 + l.rng.IntN(max(1, (l.events-acknowledged)/(l.deaths-n+1)))
		}
		got, err := l.once(acknowledged, at, n == l.deaths)
		if err != nil {
			return err
		}
		acknowledged = got
	}
	return nil
}

// once runs the instance until it has handled so many events, and kills it a moment
// later; the last one is left running.
func (l *life) once(from, at int, last bool) (int, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), l.env...), instanceVariable+"="+l.file, fromVariable+"="+strconv.Itoa(from))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return 0, err
	}
	l.end = func() error {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w\n%.3000s", err, complaints.String())
		}
		return nil
	}
	if last {
		l.t.Cleanup(func() { _ = cmd.Process.Kill() })
	}
	handled, doomed := from, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "handled" {
			return handled, nil
		}
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			continue
		}
		handled = n
		if !last && handled >= at && !doomed {
			doomed = true
			time.AfterFunc(time.Duration(l.rng.IntN(30))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait()
	if !doomed {
		return handled, fmt.Errorf("the instance of %s ended: %.3000s", filepath.Base(l.file), complaints.String())
	}
	l.died++
	return handled, nil
}
