package hosttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	restartCode = 200              // "please restart": not counted as an error
	maxDeaths   = 3                // the third error exit brings the host down
	deathGap    = 30 * time.Minute // a longer gap between two deaths forgives the first
)

// errDead is what an invocation meets when the handler ended with code 0.
var errDead = errors.New("connection refused: the handler exited with code 0 and the host does not restart it")

// process is one run of the handler.
type process struct {
	cmd    *exec.Cmd
	ready  chan struct{} // closed when GET / was answered
	done   chan struct{} // closed when the process has ended
	code   int           // exit code; 128+n for signal n; valid after done
	wanted bool          // the host itself ended it; guarded by Host.mu
}

// kill sends SIGKILL.
func (p *process) kill() { _ = p.cmd.Process.Kill() } // it may have ended already

// spawn starts the handler in the place of prev, nil for none, with the environment
// that the host gives it. Who ended prev for reasons of its own (Crash, Stop) has
// taken that place: then nothing is started, for a second handler would be nobody's.
// The look and the start are one step under the lock.
func (h *Host) spawn(prev *process) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proc != prev || h.stopping {
		return nil
	}
	name, args := h.program()
	cmd := exec.Command(name, args...)
	cmd.Dir = h.o.AppDir
	port, id := strconv.Itoa(h.port), guid()
	cmd.Env = append(append(os.Environ(), h.o.Env...),
		"FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_HTTPWORKER_PORT="+port,
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+id, "FUNCTIONS_HTTPWORKER_ID="+id,
		"FUNCTIONS_APP_ROOT_PATH="+h.o.AppDir)
	out, err1 := cmd.StdoutPipe()
	errs, err2 := cmd.StderrPipe()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, ready: make(chan struct{}), done: make(chan struct{})}
	h.proc = p
	h.counters.Starts++
	life := h.life

	var pipes sync.WaitGroup
	pipes.Go(func() { lines(out, h.o.Stdout) })
	pipes.Go(func() { lines(errs, h.o.Stderr) })
	h.all.Go(func() {
		pipes.Wait()
		_ = cmd.Wait() // the exit code says it all
		p.code = exitCode(cmd.ProcessState)
		close(p.done)
		h.exited(p)
	})
	h.all.Go(func() { h.poll(life, p) })
	return nil
}

// lines passes on a stream by line.
func lines(r io.Reader, to func(string)) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if to != nil {
			to(s.Text())
		}
	}
	_, _ = io.Copy(io.Discard, r) // after a line that is too long, keep the pipe empty
}

// exitCode returns the code, or 128+n after signal n.
func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// exited applies the host's rules to the end of a process.
func (h *Host) exited(p *process) {
	h.mu.Lock()
	if h.proc != p || p.wanted || h.stopping {
		h.mu.Unlock()
		return
	}
	switch p.code {
	case 0:
		h.giveUp(errDead)
		h.mu.Unlock()
		return
	case restartCode:
	default:
		now := time.Now()
		if n := len(h.deaths); n > 0 && now.Sub(h.deaths[n-1]) > deathGap {
			h.deaths = nil
		}
		if h.deaths = append(h.deaths, now); len(h.deaths) >= maxDeaths {
			h.giveUp(fmt.Errorf("exceeded worker restart retry count: the host shuts down (last exit code %d)", p.code))
			h.mu.Unlock()
			return
		}
	}
	h.mu.Unlock()
	h.note(fmt.Sprintf("the handler exited with code %d and is started again", p.code))
	h.respawn(p)
}

// respawn starts the handler again in the place of p, if that is still p's; a
// failure brings the host down.
func (h *Host) respawn(p *process) {
	err := h.spawn(p)
	if err == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proc == p && !h.stopping {
		h.giveUp(err)
	}
}

// timedOut kills the handler after a function timeout and starts it anew, which
// is not counted as an error. All other invocations in flight fail too.
func (h *Host) timedOut() {
	h.mu.Lock()
	p := h.proc
	if p == nil || p.wanted || h.stopping {
		h.mu.Unlock()
		return
	}
	p.wanted = true
	h.mu.Unlock()
	p.kill()
	<-p.done
	h.respawn(p)
}

// poll asks GET / every 25 ms until anything is answered.
func (h *Host) poll(life context.Context, p *process) {
	limit, cancel := context.WithTimeout(life, h.initTimeout)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(limit, http.MethodGet, h.target+"/", nil)
		if err != nil {
			return
		}
		if res, err := h.client.Transport.RoundTrip(req); err == nil {
			_ = res.Body.Close()
			close(p.ready)
			return
		}
		select {
		case <-tick.C:
		case <-p.done:
			return
		case <-limit.Done():
			if life.Err() == nil {
				h.note("Initializing HttpWorker timed out.")
				p.kill() // counts as an error
			}
			return
		}
	}
}

// awaitReady waits until the handler answers. It fails when the host is down or
// ctx ends.
func (h *Host) awaitReady(ctx context.Context) error {
	_, err := h.running(ctx)
	return err
}

// running is awaitReady, and returns the process that answered.
func (h *Host) running(ctx context.Context) (*process, error) {
	limit, cancel := context.WithTimeout(ctx, 4*h.initTimeout)
	defer cancel()
	for {
		h.mu.Lock()
		p, down := h.proc, h.down
		h.mu.Unlock()
		if down != nil {
			return nil, down
		}
		if p == nil {
			return nil, errGone
		}
		select {
		case <-p.done: // wait for its successor, or for the host to be down
			select {
			case <-time.After(5 * time.Millisecond):
			case <-limit.Done():
				return nil, limit.Err()
			}
			continue
		default:
		}
		select {
		case <-p.ready:
			return p, nil
		case <-p.done:
		case <-limit.Done():
			return nil, fmt.Errorf("the handler does not answer: %w", limit.Err())
		}
	}
}

// Kill ends the handler with SIGKILL, as a crash would. The host counts an error
// and starts it again, up to its limit.
func (h *Host) Kill() {
	h.mu.Lock()
	p := h.proc
	h.mu.Unlock()
	if p != nil {
		p.kill()
		<-p.done
	}
}

// Drain sends SIGTERM and waits until the handler has ended by itself. It returns
// the exit code; a handler that behaves finishes its requests and ends with 0. A
// handler that is just being started again is waited for: before it answers, it
// would die of the signal.
func (h *Host) Drain(ctx context.Context) (int, error) {
	for {
		p, err := h.running(ctx)
		if err != nil {
			return 0, err
		}
		err = p.cmd.Process.Signal(syscall.SIGTERM)
		if errors.Is(err, os.ErrProcessDone) {
			continue // it ended meanwhile: its successor is drained
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-p.done:
			return p.code, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
