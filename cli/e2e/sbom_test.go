//go:build unix

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSBOMCommand looks at the real program: a program of tests lists no modules.
// What it says of itself, what is said of its file, and what is written are the same.
func TestSBOMCommand(t *testing.T) {
	t.Parallel()
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(binary, append([]string{"sbom"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	file := filepath.Join(t.TempDir(), "bom.json")
	if text := run("--binary", binary, "--out", file); text != "" {
		t.Errorf("got %q beside the file", text)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if own := run(); !bytes.Equal([]byte(own), text) || own != run("--binary", binary) {
		t.Error("what a program says of itself and what its file says differ")
	}
	for _, module := range []string{"github.com/spf13/cobra", "go.etcd.io/bbolt", "stdlib"} {
		if !strings.Contains(string(text), `"pkg:golang/`+module+"@") {
			t.Errorf("%s is not in the list", module)
		}
	}
}
