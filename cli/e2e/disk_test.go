//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"erfailover/cli"
)

// serveOnSmallDisk is the program's handler in this test binary, on a disk that is
// full for as long as the marker file exists: no file may grow. A limit on the size
// of files does that, which a process can only set for itself. The kernel also sends
// a signal then, which a full disk does not.
func serveOnSmallDisk(marker string) int {
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		was := false
		for range time.Tick(time.Millisecond) {
			_, err := os.Stat(marker)
			if full := err == nil; full != was {
				limit := free
				if full {
					limit.Cur = 1
				}
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				was = full
				fmt.Printf("full disk: %v\n", full)
			}
		}
	}()
	return cli.Main(cli.Assets{}, []string{"handler"}, os.Stdout, os.Stderr)
}

// onSmallDisk makes the host start this test binary in the program's place.
func (r *rig) onSmallDisk() {
	r.Helper()
	self, err := os.Executable()
	if err != nil {
		r.Fatal(err)
	}
	r.program, r.extraEnv = self, []string{childVariable + "=" + r.file("disk.full")}
}

// fill fills the disk or frees it.
func (r *rig) fill(full bool) {
	r.Helper()
	said := func() int { return strings.Count(strings.Join(r.heard(), "\n"), fmt.Sprintf("full disk: %v", full)) }
	before := said()
	var err error
	if full {
		err = os.WriteFile(r.file("disk.full"), nil, 0o600)
	} else {
		err = os.Remove(r.file("disk.full"))
	}
	if err != nil {
		r.Fatal(err)
	}
	r.await("the disk changes", func() bool { return said() > before })
}

// fullDisk reports whether the log blames the disk and names the file.
func (r *rig) fullDisk(function string) func() bool {
	return func() bool {
		for _, line := range r.heard() {
			if strings.Contains(line, "invocation.failed") && strings.Contains(line, function) && strings.Contains(line, "file too large") {
				return true
			}
		}
		return false
	}
}

// TestFullDiskAtTheEvent: the disk is full when the event comes. The host gets an
// error and delivers again, until there is room; then the failover is carried out.
func TestFullDiskAtTheEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.onSmallDisk()
	r.atRest()
	r.fill(true)
	r.send(r.outage("ashburn")...)
	r.await("a delivery fails", func() bool { return r.fullDisk("CircuitEvents")() && r.host.Counters().Retries > 2 })
	r.blamesDisk()
	if status, body := r.api("/api/v1/status"); status != 200 {
		t.Errorf("the status cannot be read on a full disk: %d %s", status, body)
	}
	if n := r.fabric.Puts(""); len(n) != 0 {
		t.Errorf("%d PUTs that the record knows nothing of", len(n))
	}
	r.fill(false)
	r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
	r.settled()
	if n := r.host.Counters(); n.Lost != 0 {
		t.Errorf("%d events were lost", n.Lost)
	}
	oneWriteEach(t, r, "chicago")
	r.carries("chicago")
	r.journal("group." + group)
}

// TestFullDiskHalfWay: the disk fills when the first write has been answered, so its
// outcome cannot be saved. With room again the operation goes on where it was: no
// connection is written twice.
func TestFullDiskHalfWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.onSmallDisk()
	r.atRest()
	filled := make(chan struct{})
	r.onFirstPut(func() {
		r.fill(true)
		close(filled)
	})
	r.send(r.outage("ashburn")...)
	r.tick("a tick fails", func() bool {
		select {
		case <-filled:
			return r.fullDisk("Tick")()
		default:
			return false
		}
	})
	r.blamesDisk()
	r.fill(false)
	r.tick("the failover is proven", func() bool { return r.ended("failover") == 1 })
	oneWriteEach(t, r, "chicago")
	r.carries("chicago")
	r.journal("group." + group)
}

// blamesDisk checks that the log says what is wrong and what to do.
func (r *rig) blamesDisk() {
	r.Helper()
	for _, line := range r.heard() {
		if strings.Contains(line, "invocation.failed") && !strings.Contains(line, r.file("record.db")) {
			r.Errorf("the log does not name the file: %s", line)
		}
		if strings.Contains(line, "invocation.failed") && !strings.Contains(line, "full") {
			r.Errorf("the log does not say what to do: %s", line)
		}
	}
}
