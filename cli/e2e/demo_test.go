//go:build unix

package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// TestDemo runs the demo for machines and reads what it found out.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tmp := t.TempDir()
	cmd := exec.CommandContext(ctx, binary, "demo", "--json", "--speed", "120")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	var got struct {
		RealSeconds float64 `json:"real_seconds"`
		Operations  []struct {
			Kind, Result, Group string
		} `json:"operations"`
		Writes      map[string]int `json:"writes"`
		OtherPUTs   int            `json:"puts_of_other_connections"`
		Damped      bool           `json:"failback_held_by_damping"`
		Restored    bool           `json:"weights_at_rest_restored"`
		Differences []string       `json:"differences"`
	}
	if err := json.Unmarshal(out, &got, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.RealSeconds <= 0 || got.RealSeconds >= 60 || !got.Restored || !got.Damped || got.OtherPUTs != 0 || len(got.Differences) != 0 {
		t.Errorf("%.1f s, restored %v, damped %v, PUTs of others %d, differences %v", got.RealSeconds, got.Restored, got.Damped, got.OtherPUTs, got.Differences)
	}
	var story []string
	for _, op := range got.Operations {
		story = append(story, op.Group+" "+op.Kind+" "+op.Result)
	}
	if text := strings.Join(story, ", "); text != "east failover proven, east failback proven, east settle applied" {
		t.Errorf("the story is %q", text)
	}
	// Each gateway of the group: one PUT to the standby and one home, and settle takes
	// the raise back from both.
	want := map[string]int{}
	for _, gw := range []string{"east-1", "east-2", "east-3"} {
		want["cn-"+gw+"-ashburn"], want["cn-"+gw+"-chicago"] = 2, 2
	}
	for name, n := range want {
		if got.Writes[name] != n {
			t.Errorf("%d PUTs of %s, want %d", got.Writes[name], name, n)
		}
	}
	if len(got.Writes) != len(want) {
		t.Errorf("PUTs of %v", got.Writes)
	}
	empty(t, tmp)
}

// TestDemoInterrupted stops the demo in the middle of its story: with ctrl-C in a
// terminal, which tells the child too, and with a signal to the demo alone.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(pid int) error{
		"ctrl-C":        func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
		"SIGINT to it":  func(pid int) error { return syscall.Kill(pid, syscall.SIGINT) },
		"SIGTERM to it": func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			interrupt(t, send)
		})
	}
}

// interrupt starts the demo, sends it a signal in the middle and looks at what is
// left.
func interrupt(t *testing.T, send func(pid int) error) {
	tmp := t.TempDir()
	cmd := exec.Command(binary, "demo", "--speed", "60")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ours is not interrupted
	out := &story{told: make(chan struct{}), until: "ashburn goes grey"}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }() // it has ended, if all is well
	select {
	case <-out.told:
	case err := <-ended:
		t.Fatalf("the demo ended early: %v\n%s", err, out.text())
	case <-time.After(patience):
		t.Fatalf("the demo does not come to its point:\n%s", out.text())
	}
	children := childrenOf(t, cmd.Process.Pid)
	if len(children) != 1 {
		t.Errorf("the demo has the children %v, want one: the program under the host", children)
	}
	if err := send(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%v\n%s", err, out.text())
		}
	case <-time.After(patience):
		t.Fatalf("the demo does not end:\n%s", out.text())
	}
	for _, pid := range children {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("the child %d is still there", pid)
		}
	}
	if !strings.Contains(out.text(), "interrupted") {
		t.Errorf("the demo does not say that it was interrupted:\n%s", out.text())
	}
	empty(t, tmp)
}

// empty checks that a folder holds nothing.
func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v were left behind (%v)", left, err)
	}
}

// story collects what a demo tells and notices one sentence.
type story struct {
	until string
	told  chan struct{}
	mu    sync.Mutex
	buf   bytes.Buffer
	seen  bool
}

// Write implements io.Writer.
func (s *story) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Write(p)
	if !s.seen && strings.Contains(s.buf.String(), s.until) {
		s.seen = true
		close(s.told)
	}
	return len(p), nil
}

func (s *story) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // after the name come the state and the parent
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, child)
		}
	}
	return out
}
