package hosttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/handlers"
	"erfailover/handlers/appzip"
)

// roleVariable makes the test binary a custom handler.
const roleVariable = "ERFAILOVER_HOSTTEST_ROLE"

// TestMain runs the tests, or, as a child of a test, the handler.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "handler" {
		os.Exit(serve())
	}
	os.Exit(m.Run())
}

// serve is the handler of the tests: the real package handlers around an engine
// that does what the events say.
func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	engine := handlers.EngineFuncs{
		HandleFunc: func(_ context.Context, signals []events.Signal) (handlers.Receipt, error) {
			for _, s := range signals {
				verb := s.Source
				if s.Order != nil {
					verb = "order"
				}
				if err := act(ctx, verb, s.Resource); err != nil {
					return handlers.Receipt{}, err
				}
			}
			return handlers.Receipt{Applied: len(signals)}, nil
		},
		TickFunc: func(context.Context) error { return act(ctx, "say", "tick") },
	}
	err := handlers.Serve(ctx, handlers.Options{
		Engine: engine, Letters: letters{}, Parse: parse, Log: zerolog.New(os.Stdout),
		Auth: handlers.Auth{Mode: handlers.ModeFunctionKey},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// act does what one event says, and prints it.
func act(ctx context.Context, verb, what string) error {
	switch verb {
	case "fail":
		fmt.Println("fail " + what)
		return errors.New("told to fail")
	case "exit":
		code, _ := strconv.Atoi(what)
		os.Exit(code)
	case "finish": // ends only after SIGTERM came
		fmt.Println("begin finish")
		<-ctx.Done()
	case "stuck": // for ever, unless the file is there
		if _, err := os.Stat(what); err != nil {
			_ = os.WriteFile(what, nil, 0o600)
			fmt.Println("begin stuck")
			<-make(chan struct{})
		}
	case "exit-once":
		if _, err := os.Stat(what); err != nil {
			_ = os.WriteFile(what, nil, 0o600)
			os.Exit(3)
		}
	}
	fmt.Println("did " + verb + " " + filepath.Base(what))
	return nil
}

// parse reads "verb what", bare or as the subject of an Event Grid event.
func parse(raw []byte, at time.Time) handlers.Parsed {
	text := string(raw)
	if _, rest, ok := strings.Cut(text, `"subject":"`); ok {
		text, _, _ = strings.Cut(rest, `"`)
	}
	verb, what, ok := strings.Cut(text, " ")
	if !ok {
		return handlers.Parsed{Broken: []handlers.Broken{{Class: "test", Reason: "no verb"}}}
	}
	return handlers.Parsed{Signals: []events.Signal{{Kind: events.Health, Source: verb, Resource: what, At: at}}}
}

// letters prints dead letters.
type letters struct{}

func (letters) Put(_ context.Context, _ string, raw []byte, _ time.Time) error {
	fmt.Printf("dead letter %q\n", raw)
	return nil
}

// output keeps what the handler printed.
type output struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) add(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
	close(o.more)
	o.more = make(chan struct{})
}

// did returns the lines with a prefix, the prefix cut off.
func (o *output) did(prefix string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, l := range o.lines {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

// await waits for n lines with a prefix.
func (o *output) await(t *testing.T, prefix string, n int) []string {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		more := o.more
		o.mu.Unlock()
		if got := o.did(prefix); len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("got %q, want %d lines with %q", o.did(""), n, prefix)
		}
	}
}

// start runs the handler under the emulator, with this checkout's own app. Timers
// run by hand unless the change says otherwise.
func start(t *testing.T, change func(o *Options, manifest *string)) (*Host, *output) {
	t.Helper()
	manifest, err1 := os.ReadFile("../../function.json")
	host, err2 := os.ReadFile("../../host.json")
	self, err3 := os.Executable()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	out := newOutput()
	o := Options{
		AppDir: t.TempDir(), Binary: self, Args: []string{}, Speed: 200, NoTimers: true, Stdout: out.add,
		Stderr: func(l string) { out.add("stderr " + l) },
		Env:    []string{roleVariable + "=handler", "EVENTHUB_NAME=circuit-events", "EVENTHUB_CONSUMER_GROUP=$Default", "EventHubConnection=x"},
	}
	text := string(manifest)
	if change != nil {
		change(&o, &text)
	}
	app, err := appzip.Read([]byte(text), host, appzip.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.WriteDir(o.AppDir); err != nil {
		t.Fatal(err)
	}
	h, err := Start(o)
	if err != nil {
		t.Fatal(err, out.did(""))
	}
	t.Cleanup(h.Stop)
	return h, out
}

// settle waits until all events are delivered.
func settle(t *testing.T, h *Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.Settle(ctx); err != nil {
		t.Fatal(err, h.Err())
	}
}
