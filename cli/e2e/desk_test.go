//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"erfailover/failover/sim"
)

// desk runs the program's commands as somebody at a desk does, against the demo estate.
type desk struct {
	testing.TB
	est sim.Demo
	arm *sim.ARM
	dir string
	env []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{TB: t, est: sim.DemoEstateAt(time.Now(), sim.Timing{}), dir: t.TempDir()}
	d.arm = sim.NewARM(d.est.Fabric, sim.Options{PageSize: 5})
	identity, err := sim.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = identity.Close(); _ = d.arm.Close() })
	ca := filepath.Join(d.dir, "ca.pem")
	if err := errors.Join(d.arm.Start(), d.arm.WriteCA(ca)); err != nil {
		t.Fatal(err)
	}
	d.env = append(append(os.Environ(), identity.Env()...), "SSL_CERT_FILE="+ca, "SSL_CERT_DIR=", "ERFAILOVER_CONFIG=", "WEBSITE_SITE_NAME=")
	return d
}

// run runs one command and returns what it printed and its exit code.
func (d *desk) run(args ...string) (stdout, stderr string, code int) {
	d.Helper()
	var out, errs bytes.Buffer
	c := exec.CommandContext(d.Context(), binary, args...)
	c.Env, c.Dir, c.Stdout, c.Stderr = d.env, d.dir, &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// From nothing but an address to a configuration, a picture and a report of the estate,
// with the program as it is shipped. Run with -v to read them.
func TestDiscoverAndCheckTheDemoEstate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	out, errs, code := d.run("discover", "--identity", "managed", "--resource-manager", d.arm.URL(), "--audience", "https://management.azure.com",
		"--authority", "https://login.example", "--out", "erfailover.yaml", "--picture", "estate.svg")
	if code != 0 || !strings.Contains(out, "6 circuits, 9 gateways, 27 connections, 3 groups") {
		t.Fatalf("discover: exit %d\n%s\n%s", code, out, errs)
	}
	text, err := os.ReadFile(filepath.Join(d.dir, "erfailover.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("discover\n%s%s\nerfailover.yaml\n%s", errs, out, text)
	for format, want := range map[string]string{"text": "0 critical", "markdown": "# Posture of the estate", "json": `"issues"`, "sarif": `"2.1.0"`} {
		out, errs, code := d.run("check", "--config", "erfailover.yaml", "--format", format)
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("check --format %s: exit %d, without %q\n%s\n%s", format, code, want, out, errs)
		}
		if format == "text" {
			t.Logf("check\n%s", out)
		}
	}
}

// What the identity may do, by the program as it is shipped: an owner holds everything, a
// reader lacks what moves traffic and is told the role that gives it. What only a check
// in depth needs is named and never missed.
func TestCheckPermissionsAtTheDesk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.discover()
	out, errs, code := d.run("check", "--permissions", "--config", "erfailover.yaml")
	if code != 0 || strings.Contains(out, "NOT held") || !strings.Contains(out, "identity: managed identity, system-assigned") {
		t.Errorf("an owner: exit %d\n%s%s", code, out, errs)
	}
	text, err := os.ReadFile(filepath.Join(d.dir, "erfailover.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	automatic := strings.ReplaceAll(string(text), "mode: observe", "mode: automatic")
	if err := os.WriteFile(filepath.Join(d.dir, "automatic.yaml"), []byte(automatic), 0o600); err != nil {
		t.Fatal(err)
	}
	d.arm.SetGrants(sim.Grant{Scope: "/subscriptions/" + sim.DemoSubscription + "/resourceGroups/net", Actions: []string{"*/read", "Microsoft.Network/virtualNetworkGateways/getlearnedroutes/action"}})
	if out, errs, code := d.run("check", "--permissions", "--config", "erfailover.yaml"); code != 0 || !strings.Contains(out, "NOT held     Microsoft.Network/virtualNetworkGateways/getbgppeerstatus/action\n             for check --deep") {
		t.Errorf("a reader who only observes: exit %d\n%s%s", code, out, errs)
	}
	out, errs, code = d.run("check", "--permissions", "--config", "automatic.yaml")
	for _, want := range []string{"NOT held     Microsoft.Network/connections/write\n             to raise a weight, which is the move itself\n", "role ExpressRoute Failover Operator\n"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("a reader who is to move: exit %d, want %q\n%s%s", code, want, out, errs)
		}
	}
	if !strings.Contains(errs, "actions that the configuration needs are not held") {
		t.Errorf("a reader who is to move is told %s", errs)
	}
	if out, errs, code := d.run("check", "--permissions", "--deep", "--config", "erfailover.yaml"); code != 2 {
		t.Errorf("both at once: exit %d\n%s%s", code, out, errs)
	}
}

// discover writes a configuration of the demo estate into the desk's folder.
func (d *desk) discover() {
	d.Helper()
	out, errs, code := d.run("discover", "--identity", "managed", "--resource-manager", d.arm.URL(), "--audience", "https://management.azure.com",
		"--authority", "https://login.example", "--out", "erfailover.yaml")
	if code != 0 {
		d.Fatalf("discover: exit %d\n%s\n%s", code, out, errs)
	}
}
