package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover"
	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/probe"
	"erfailover/failover/record"
	"erfailover/failover/trace"
	"erfailover/handlers"
)

// parts is everything that a serving process is made of.
type parts struct {
	config config.Config
	engine *failover.Engine
	store  record.Store
	cards  *cardKeeper
	net    *armnet.Client
	clock  *clock
	log    zerolog.Logger
	prober *probe.Prober // nil when no circuit has canary targets
	close  func() error

	trace     trace.Tracer
	dropped   func() int64 // nil: nobody traces
	wired     atomic.Bool  // engine is set: the record can be read for an export
	calendars calendars    // of blackout days, for drills

	archive func(ctx context.Context, at time.Time, bodies [][]byte) error // nil: messages are not kept
}

// readConfig reads and checks the configuration. Warnings go to w.
func readConfig(path string, w io.Writer) (config.Config, error) {
	if path == "" {
		path = os.Getenv("ERFAILOVER_CONFIG")
	}
	if path == "" {
		return config.Config{}, &exitError{exitUsage, errors.New("no configuration: name one with --config or ERFAILOVER_CONFIG")}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return config.Config{}, &exitError{exitUsage, fmt.Errorf("read the configuration: %w", err)}
	}
	cfg, warnings, err := config.Parse(text)
	for _, warn := range warnings {
		fmt.Fprintln(w, "warning:", warn)
	}
	if err != nil {
		return config.Config{}, &exitError{exitUsage, err}
	}
	return cfg, nil
}

// wire makes the parts that a configuration asks for.
func wire(cfg config.Config, log zerolog.Logger) (*parts, error) {
	demo := os.Getenv(clockVariable)
	if demo != "" && os.Getenv("WEBSITE_SITE_NAME") != "" {
		return nil, &exitError{exitUsage, fmt.Errorf("%s is for the demo and is refused in a function app", clockVariable)}
	}
	if os.Getenv("WEBSITE_SITE_NAME") != "" && cfg.Record.Blob == nil {
		return nil, &exitError{exitUsage, &fault.Error{Op: "open the record", Target: cfg.Record.Bolt, Kind: fault.Invalid,
			Hint: "set record.blob: in a function app every function may run on its own instance, and a local file is not shared", Err: errors.New("a function app needs a shared record")}}
	}
	clk, err := clockFrom(demo)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	clk.follow(log)
	store, closeStore, err := openStore(cfg, clk)
	if err != nil {
		return nil, err
	}
	net, err := dial(cfg.Azure, clk)
	if err != nil {
		return nil, errors.Join(err, closeStore())
	}
	saves := &groupSaves{Store: store}
	p := &parts{config: cfg, store: saves, net: net, clock: clk, log: log, close: closeStore}
	p.watch(os.Getenv)
	p.engine = failover.New(settings(cfg, p))
	p.cards = newCardKeeper(p, saves)
	p.wired.Store(true)
	p.withProber()
	return p, nil
}

// dial makes the client of Azure Resource Manager. It sends nothing.
func dial(a config.Azure, clk *clock) (*armnet.Client, error) {
	c := armnet.Config{Cloud: armnet.Cloud(a.Cloud), Budget: armnet.Budget{Writes: a.Budget.Writes, Reads: a.Budget.Reads}, Now: clk.Now, Sleep: clk.Sleep, Listen: clk.listen()}
	if a.Custom != nil {
		c.Endpoint, c.Audience, c.Authority = a.Custom.ResourceManager, a.Custom.Audience, a.Custom.Authority
		c.Metrics, c.MetricsAudience = a.Custom.Metrics, a.Custom.MetricsAudience
	}
	cred, err := armnet.NewCredential(armnet.Identity(a.Identity.String()), c)
	if err != nil {
		return nil, err
	}
	c.Credential = cred
	return armnet.New(c)
}

// settings turns the configuration into the engine's settings.
func settings(cfg config.Config, p *parts) failover.Settings {
	var monitor executor.Monitor
	if cfg.Timing.Poll.Monitor {
		monitor = p.net
	}
	return failover.Settings{
		Monitor: monitor,
		Store:   p.store, Network: p.network(), Trace: p.trace, Clock: p.clock, Log: p.log, ID: randomID, Owner: owner(),
		Topology: cfg.Topology(), Hash: cfg.Hash(), Rules: rulesOf(cfg), Limits: cfg.Limits(), Timing: timingOf(cfg),
	}
}

// rulesOf returns what a configuration says of each group.
func rulesOf(cfg config.Config) map[string]failover.GroupRules {
	rules := map[string]failover.GroupRules{}
	for name, g := range cfg.Groups {
		rule := cfg.PolicyRule(name)
		rule.SettleAfter = cfg.Timing.SettleAfter
		rules[name] = failover.GroupRules{Policy: rule, Health: cfg.HealthRule(name), Baseline: g.Baseline}
	}
	return rules
}

// timingOf returns the loop's bounds of a configuration.
func timingOf(cfg config.Config) failover.Timing {
	t := failover.DefaultTiming()
	t.Linger, t.SendDeadline, t.Landing, t.ReadDeadline = cfg.Timing.Linger, cfg.Timing.SendDeadline, cfg.Timing.Landing, cfg.Timing.ReadDeadline
	t.Reread, t.PollAll, t.PollDoubt, t.Measure = cfg.Timing.Poll.All, cfg.Timing.Poll.All, cfg.Timing.Poll.Doubt, cfg.Timing.Poll.All
	return t
}

// randomID returns 16 random hex digits.
func randomID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the system has no randomness: nothing can be fenced
	}
	return hex.EncodeToString(b[:])
}

// owner names this process for leases and logs.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	return strings.ToLower(host) + "-" + randomID()[:6]
}

// faced shows the engine to the handlers.
func faced(e *failover.Engine) handlers.Engine {
	return handlers.EngineFuncs{
		HandleFunc: func(ctx context.Context, signals []events.Signal) (handlers.Receipt, error) {
			r, err := e.Handle(ctx, signals)
			return handlers.Receipt{Applied: r.Applied, Repeated: r.Repeated + r.SetAside, Unknown: r.Unknown + r.Refused, Groups: r.Groups, Operations: r.Operations}, err
		},
		TickFunc: func(ctx context.Context) error {
			watched := make(chan error, 1)
			go func() { watched <- e.Watch(ctx) }() // beside the tick: it waits for Azure, and no failover waits for it
			err := e.Tick(ctx)
			return errors.Join(err, <-watched)
		},
	}
}

// newLog returns the process's logger: one JSON object a line, to stdout, since the
// host takes stderr for errors.
func newLog(w io.Writer, now func() time.Time) zerolog.Logger {
	return zerolog.New(w).Level(zerolog.InfoLevel).Hook(zerolog.HookFunc(func(e *zerolog.Event, _ zerolog.Level, _ string) { e.Time("time", now()) }))
}
