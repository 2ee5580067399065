//go:build unix

// Package e2e runs the real program, as the Functions host starts it, against an
// estate in memory that speaks Azure Resource Manager's REST over TLS:
//
//	sim.Source ─▶ hosttest.Host ─▶ erfailover handler ─▶ Azure SDK ─▶ sim.ARM ─▶ sim.Fabric
//
// It holds tests only. The estate's clock runs faster than ours, and the program
// follows it; no test waits for a span of time, each waits for something to happen.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"erfailover/cli"
)

// childVariable makes this test binary serve the host in the program's place, with
// a disk that can be filled. See disk_test.go.
const childVariable = "E2E_DISK"

// binary is the program under test, built once by TestMain.
var binary string

// root is the module's folder.
const root = "../.."

func TestMain(m *testing.M) {
	if marker := os.Getenv(childVariable); marker != "" {
		os.Exit(serveOnSmallDisk(marker))
	}
	os.Exit(runAll(m))
}

// runAll builds the program and runs the tests. They mostly wait, so more of them
// run at once than there are processors.
func runAll(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "erfailover-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "erfailover")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// assets reads the root files that are built into the program.
func assets() (cli.Assets, error) {
	manifest, err := os.ReadFile(filepath.Join(root, "function.json"))
	if err != nil {
		return cli.Assets{}, err
	}
	host, err := os.ReadFile(filepath.Join(root, "host.json"))
	return cli.Assets{Manifest: manifest, Host: host}, err
}
