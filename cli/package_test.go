package cli

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeProgram writes the head of a static Linux program for a machine.
func fakeProgram(t *testing.T, machine uint16) string {
	t.Helper()
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2) // executable
	le.PutUint16(b[18:], machine)
	le.PutUint32(b[20:], 1)
	le.PutUint16(b[52:], 64) // size of this header
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// runPackage runs the command and returns what it printed.
func runPackage(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := packageCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(append([]string{"--app", ".."}, args...))
	err := c.Execute()
	return out.String(), err
}

func TestPackage(t *testing.T) {
	const amd64 = 62
	dir, program := t.TempDir(), fakeProgram(t, amd64)
	config := filepath.Join(dir, "my.yaml")
	if err := os.WriteFile(config, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(dir, "a.zip"), filepath.Join(dir, "b.zip")
	for _, name := range []string{first, second} {
		out, err := runPackage(t, "--out", name, "--binary", program, "--config", config)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, "7 functions") || !strings.Contains(out, "off (--enable Probe)") {
			t.Errorf("got %q, want the functions with their state", out)
		}
	}
	a, err1 := os.ReadFile(first)
	b, err2 := os.ReadFile(second)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("two runs differ (%v, %v)", err1, err2)
	}
	z, err := zip.OpenReader(first)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if f, err := z.Open("erfailover.yaml"); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

func TestPackageRefuses(t *testing.T) {
	const arm64 = 183
	out := filepath.Join(t.TempDir(), "app.zip")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--binary", fakeProgram(t, arm64)}, "GOARCH=amd64"},
		{[]string{"--binary", "package.go"}, "GOOS=linux"},
		{[]string{"--binary", "no such file"}, "no such file"},
		{[]string{"--app", t.TempDir()}, "--app"},
		{[]string{"--enable", "Nothing"}, `"Nothing"`},
		{[]string{"extra"}, "extra"},
	} {
		if _, err := runPackage(t, append([]string{"--out", out}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.args, err, c.want)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
			t.Errorf("%v: left %v behind", c.args, left)
		}
	}
}
