package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"erfailover/failover/config"
	"erfailover/failover/sim"
)

// serveConfig renders the demo's configuration against an estate on loopback.
func serveConfig(t *testing.T) config.Config {
	t.Helper()
	d := &demo{clock: &clock{}, est: sim.DemoEstateAt(time.Now(), sim.Timing{}), dir: t.TempDir()}
	d.arm = sim.NewARM(d.est.Fabric, sim.Options{NoLimits: true})
	identity, err := sim.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.arm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = d.arm.Close(), identity.Close() })
	for _, pair := range identity.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	text, err := d.config()
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Record.Bolt = filepath.Join(t.TempDir(), "record.db")
	return cfg
}

// TestServe runs the program without the Functions host: the API answers, the host's
// own paths do not exist whatever Host a request names, an event is taken in, and the
// end of the context is a clean end.
func TestServe(t *testing.T) {
	cfg := serveConfig(t)
	ctx, stop := context.WithCancel(t.Context())
	at, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, cfg, serveOptions{listen: "127.0.0.1:0", started: func(a string) { at <- a }})
	}()
	var base string
	select {
	case a := <-at:
		base = "http://" + a
	case err := <-ended:
		t.Fatalf("it ended at once: %v", err)
	}
	ask := func(method, path, host, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	if code, text := ask("GET", "/api/v1/healthz", "", ""); code != http.StatusOK {
		t.Errorf("healthz: %d %s", code, text)
	}
	for _, path := range []string{"/CircuitEvents", "/HealthEvents", "/Tick", "/Drills", "/Probe"} {
		for _, host := range []string{"", "127.0.0.1", "localhost"} {
			if code, text := ask("POST", path, host, `{"Data":{},"Metadata":{}}`); code != http.StatusNotFound {
				t.Errorf("%s with Host %q: %d %s", path, host, code, text)
			}
		}
	}
	event := sim.Source{}.OnPremises(sim.MonitorReport{Resource: cfg.Topology().Circuits[0].ID, State: "down", At: time.Now()})
	if code, text := ask("POST", "/api/v1/signals", "", string(event)); code/100 != 2 {
		t.Errorf("signals: %d %s", code, text)
	}
	if code, text := ask("GET", "/api/v1/status", "", ""); code != http.StatusOK || !strings.Contains(text, `"suspect"`) {
		t.Errorf("status: %d %s", code, text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestServeRefusesWhatDoesNotFit(t *testing.T) {
	cfg := config.Default()
	for listen, want := range map[string]string{"0.0.0.0:8080": "loopback", "8080": "HOST:PORT", "[::]:80": "loopback"} {
		if err := (serveOptions{listen: listen}).check(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %s", listen, err, want)
		}
	}
	if err := (serveOptions{listen: "127.0.0.1:80", hub: "no-hub"}).check(cfg); err == nil {
		t.Error("a hub without a namespace was taken")
	}
	if err := (serveOptions{listen: "[::1]:80", hub: "ns/hub"}).check(cfg); err != nil {
		t.Error(err)
	}
}

// TestFunctionAppNeedsASharedRecord: instances of a function app share no disk.
func TestFunctionAppNeedsASharedRecord(t *testing.T) {
	t.Setenv("WEBSITE_SITE_NAME", "app")
	_, err := wire(config.Default(), newLog(&bytes.Buffer{}, time.Now))
	if err == nil || !strings.Contains(err.Error(), "shared record") || exitCode(err) != exitUsage {
		t.Errorf("got %v, exit code %d", err, exitCode(err))
	}
}
