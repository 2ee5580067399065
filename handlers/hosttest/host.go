package hosttest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options say what to start.
type Options struct {
	AppDir string   // the app root: host.json and a folder for each function
	Binary string   // the program; "" takes host.json's defaultExecutablePath
	Args   []string // its arguments; nil takes host.json's
	Env    []string // "NAME=value", on top of this process's environment: the app settings
	Speed  float64  // how much faster timers and retries run; 0 means 1

	NoTimers        bool              // timers run by Fire only
	FrontEnd        bool              // mark HTTP requests as App Service's front end does
	FunctionTimeout time.Duration     // overrides host.json
	MasterKey       string            // opens everything; "" takes "master"
	FunctionKey     string            // opens functions of level function; "" takes "function"
	Stdout          func(line string) // every line of the handler's stdout; nil drops them
	Stderr          func(line string) // the same for stderr
	Note            func(line string) // what the host itself would log; nil drops it
}

// Counters count what happened since Start.
type Counters struct {
	Starts      int // processes started
	Invocations int // internal calls, retries included
	Successes   int
	Failures    int
	Retries     int
	Checkpoints int // batches that were left behind, failed ones included
	Lost        int // events in batches that failed for good
	Timers      int // timer firings
	Requests    int // HTTP requests to the front
}

// Host is a running emulator.
type Host struct {
	o               Options
	app             app
	client          *http.Client
	target          string // http://127.0.0.1:<port of the handler>
	port            int
	speed           float64
	functionTimeout time.Duration
	initTimeout     time.Duration
	started         time.Time
	front           *http.Server
	frontURL        string
	all             sync.WaitGroup

	mu         sync.Mutex
	life       context.Context // ends when the host instance stops or crashes
	end        context.CancelFunc
	proc       *process
	deaths     []time.Time   // error exits within the rolling gap
	err        error         // the first thing that may never happen
	down       error         // why no more invocations are possible
	dead       chan struct{} // closed when down is set
	stopping   bool
	counters   Counters
	partitions map[string]*partition
}

// Start loads the app, starts the handler and returns when it is ready.
func Start(o Options) (*Host, error) {
	h := &Host{o: o, speed: o.Speed, started: time.Now(), partitions: map[string]*partition{}, dead: make(chan struct{})}
	if h.speed <= 0 {
		h.speed = 1
	}
	if h.o.MasterKey == "" {
		h.o.MasterKey = "master"
	}
	if h.o.FunctionKey == "" {
		h.o.FunctionKey = "function"
	}
	var err error
	if h.app, err = loadApp(o.AppDir, h.setting); err != nil {
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	if err := h.limits(); err != nil {
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	if h.port, err = freePort(); err != nil {
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	h.target = fmt.Sprintf("http://127.0.0.1:%d", h.port)
	h.client = &http.Client{Transport: &http.Transport{Proxy: nil, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 64}}
	h.newLife()
	if err := h.spawn(nil); err != nil {
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	if err := h.awaitReady(h.life); err != nil {
		h.Stop()
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	if err := h.listen(); err != nil {
		h.Stop()
		return nil, fmt.Errorf("hosttest: %w", err)
	}
	h.startTimers()
	return h, nil
}

// limits reads the times of host.json.
func (h *Host) limits() (err error) {
	h.initTimeout, h.functionTimeout = 30*time.Second, 30*time.Minute
	if s := h.app.config.CustomHandler.InitializationTimeout; s != "" {
		if h.initTimeout, err = timeSpan(s); err != nil {
			return fmt.Errorf("host.json: initializationTimeout: %w", err)
		}
	}
	if s := h.app.config.FunctionTimeout; s != "" && s != "-1" {
		if h.functionTimeout, err = timeSpan(s); err != nil {
			return fmt.Errorf("host.json: functionTimeout: %w", err)
		}
	}
	if h.o.FunctionTimeout > 0 {
		h.functionTimeout = h.o.FunctionTimeout
	}
	return nil
}

// setting reads an app setting: the emulator's own first, then the environment.
func (h *Host) setting(name string) string {
	for _, kv := range h.o.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return os.Getenv(name)
}

// program returns the path and arguments of the handler. A relative path is taken
// below the app root when a file is there, else as a command.
func (h *Host) program() (string, []string) {
	d := h.app.config.CustomHandler.Description
	name, args := h.o.Binary, h.o.Args
	if name == "" {
		name = os.Expand(d.Path, h.setting)
		if at := filepath.Join(h.o.AppDir, name); !filepath.IsAbs(name) {
			if _, err := os.Stat(at); err == nil {
				name = at
			}
		}
	}
	if args == nil {
		args = d.Args
	}
	return name, args
}

// newLife begins the life of a host instance.
func (h *Host) newLife() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.life, h.end = context.WithCancel(context.Background())
}

// URL is the base of the public front, http://127.0.0.1:<port>.
func (h *Host) URL() string { return h.frontURL }

// HandlerURL is the base of the handler itself, for tests that go behind the
// host's back.
func (h *Host) HandlerURL() string { return h.target }

// Counters returns what was counted so far.
func (h *Host) Counters() Counters {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counters
}

// Err returns the first thing that the handler may never do, or why the host is
// down; nil when all is well.
func (h *Host) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.err, h.down)
}

// Stop ends the host. As the real one does, it kills the handler with SIGKILL.
func (h *Host) Stop() {
	h.mu.Lock()
	h.stopping = true
	p, end := h.proc, h.end
	h.mu.Unlock()
	end()
	if h.front != nil {
		_ = h.front.Close()
	}
	if p != nil {
		p.kill()
		<-p.done
	}
	h.all.Wait()
	h.client.CloseIdleConnections()
}

// Crash ends this host instance as a lost machine would: the handler is killed,
// nothing in flight is checkpointed. A new instance starts and delivers again all
// that was not checkpointed.
func (h *Host) Crash() error {
	h.mu.Lock()
	p := h.proc
	if h.proc, h.deaths = nil, nil; h.down != nil {
		h.down, h.dead = nil, make(chan struct{})
	}
	h.end()
	h.mu.Unlock()
	if p != nil {
		p.kill()
		<-p.done
	}
	h.client.CloseIdleConnections()
	h.newLife()
	if err := h.spawn(nil); err != nil {
		return err
	}
	h.resumePartitions()
	h.startTimers()
	return h.awaitReady(h.context())
}

// context returns the life of the present instance.
func (h *Host) context() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life
}

// Down is closed when the handler is gone for good: it exited with 0, or with an
// error for the third time.
func (h *Host) Down() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dead
}

// giveUp notes why no more invocations are possible. mu is held.
func (h *Host) giveUp(err error) {
	if h.down == nil {
		h.down = err
		close(h.dead)
	}
}

// count changes the counters.
func (h *Host) count(f func(c *Counters)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.counters)
}

// note passes on what the host would log.
func (h *Host) note(line string) {
	if h.o.Note != nil {
		h.o.Note(line)
	}
}

// protocol keeps the first thing that may never happen.
func (h *Host) protocol(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
}

// freePort finds a port on loopback that nobody uses. It lies below those that systems
// give to connections: while a handler that was killed is not back yet, nobody is given
// its port.
func freePort() (port int, err error) {
	for range 100 {
		port = 20000 + rand.IntN(12000)
		ln, bad := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if bad == nil {
			return port, ln.Close()
		}
		err = bad
	}
	return 0, err
}
