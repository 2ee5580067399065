//go:build unix

package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// childVar names what this test binary does when a test starts it again: things
// that a process can only do to itself, such as living with a full disk.
const childVar = "BOLTSTORE_TEST_CHILD"

func TestMain(m *testing.M) {
	children := map[string]func(path string) error{"fill": fillDisk, "open": justOpen, "read-only": openReadOnly, "die": dieWriting}
	if name, path, found := strings.Cut(os.Getenv(childVar), ":"); found {
		if err := children[name](path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child runs this test binary as the named child and returns what it printed.
func child(t *testing.T, name, path string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVar+"="+name+":"+path)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestFullDisk fills a disk, by a limit on the size of files, which the kernel
// refuses in the middle of a write just as a full disk does. The failed writes
// must leave nothing behind, and the file must be whole and usable afterwards.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.db")
	out, err := child(t, "fill", path)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var saved, appended int
	if _, err := fmt.Sscanf(out, "saved %d, appended %d", &saved, &appended); err != nil || saved < 2 {
		t.Fatalf("%v: %s", err, out)
	}
	s := openAt(t, path)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	keys, err := s.List(t.Context(), "", "", record.MaxList)
	if err != nil || len(keys) != saved+appended {
		t.Errorf("%d documents and rows are there, %d were answered with success (%v)", len(keys), saved+appended, err)
	}
	// The disk has room again.
	if _, err := s.Save(t.Context(), fat(saved)); err != nil {
		t.Error(err)
	}
}

func fat(i int) record.Document {
	return record.Document{Key: fmt.Sprintf("doc/%03d", i), Nonce: "n", Body: bytes.Repeat([]byte("x"), 40000)}
}

// fillDisk writes until the disk is full, and then some.
func fillDisk(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = 400000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	ctx, saved := context.Background(), 0
	for ; err == nil; saved++ {
		_, err = s.Save(ctx, fat(saved))
	}
	saved--
	full := func(what string, err error) error {
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Unavailable || f.Code != "EFBIG" || !strings.Contains(f.Hint, "full") || !strings.Contains(f.Hint, path) {
			return fmt.Errorf("%s on a full disk: %w (hint %q)", what, err, fault.HintOf(err))
		}
		return nil
	}
	if err := full("save", err); err != nil {
		return err
	}
	// Again and again: a failed write must not use anything up.
	for range 5 {
		_, err := s.Save(ctx, fat(saved))
		if err := full("save", err); err != nil {
			return err
		}
		rows := []record.Row{{Seq: 1, Body: fat(0).Body}, {Seq: 2, Body: fat(0).Body}, {Seq: 3, Body: fat(0).Body}}
		if err := full("append", s.Append(ctx, "east", rows)); err != nil {
			return err
		}
	}
	// What is there can be read, in the same process.
	for i := range saved {
		doc, err := s.Load(ctx, fat(i).Key)
		if err != nil || !bytes.Equal(doc.Body, fat(i).Body) {
			return fmt.Errorf("document %d: %d bytes, %w", i, len(doc.Body), err)
		}
	}
	if err := s.Check(ctx); err != nil {
		return err
	}
	fmt.Printf("saved %d, appended 0\n", saved)
	return s.Close()
}

// TestSecondProcessIsBusy: the lock holds between processes, and ends with them.
func TestSecondProcessIsBusy(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "record.db"))
	out, err := child(t, "open", s.Path())
	if err == nil || !strings.Contains(out, "busy") {
		t.Errorf("second process: %v\n%s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, "open", s.Path()); err != nil {
		t.Errorf("after the first has closed: %v\n%s", err, out)
	}
}

func justOpen(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	return s.Close()
}

// TestReadOnlyFile opens a file without the right to write it.
func TestReadOnlyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "record.db")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{path: 0o444, dir: 0o755, filepath.Dir(dir): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := child(t, "read-only", path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// openReadOnly opens path as a user who may only read it. Root may do everything,
// so root becomes nobody first.
func openReadOnly(path string) error {
	if os.Getuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	for _, name := range []string{path, filepath.Join(filepath.Dir(path), "new.db")} {
		_, err := Open(name)
		if os.Getuid() == 65534 || name == path {
			if fault.KindOf(err) != fault.Denied || !strings.Contains(fault.HintOf(err), "writable") {
				return fmt.Errorf("open %s: %w (hint %q)", name, err, fault.HintOf(err))
			}
		}
	}
	return nil
}

// TestKilledWriter kills a process in the middle of its writes. Every write that
// it was told of is there.
func TestKilledWriter(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "record.db")
		out, err := child(t, "die", path)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child was not killed: %v\n%s", err, out)
		}
		told := strings.Count(out, "\n")
		s := openAt(t, path)
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		keys, err := s.List(t.Context(), "doc/", "", record.MaxList)
		if err != nil || len(keys) < told || told < 20 {
			t.Errorf("%d documents after %d answers (%v)", len(keys), told, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// dieWriting writes, prints a line for each write that was done, and is killed by
// itself while four writers are at work.
func dieWriting(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	failed, done := make(chan error), make(chan struct{}, 100)
	for w := range 4 {
		go func() {
			for i := range 1000 {
				doc := record.Document{Key: fmt.Sprintf("doc/%d-%d", w, i), Nonce: "n", Body: bytes.Repeat([]byte("x"), 3000)}
				if _, err := s.Save(context.Background(), doc); err != nil {
					failed <- err
					return
				}
				if _, err := os.Stdout.WriteString(doc.Key + "\n"); err != nil {
					failed <- err
					return
				}
				done <- struct{}{}
			}
		}()
	}
	for range 20 {
		select {
		case err := <-failed:
			return err
		case <-done:
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
