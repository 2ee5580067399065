package failover

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
	"erfailover/failover/trace"
)

// Clock is the engine's time. Readings keep their monotonic part.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// GroupRules is what one group's configuration says.
type GroupRules struct {
	Policy   policy.Rule
	Health   health.Rule
	Baseline map[string]int32 // weights at rest by circuit name, where the configuration sets them
}

// Timing bounds the loop.
type Timing struct {
	executor.Timing
	Linger       time.Duration // Tick stays this long while an operation runs
	Lease        time.Duration // a claim lasts this long
	ReadDeadline time.Duration // a slow read is given up after this
	Discover     time.Duration // the estate is discovered anew after this
	Reread       time.Duration // weights at rest are read anew after this
	PollDoubt    time.Duration // sessions of circuits in doubt are read at most this often
	PollAll      time.Duration // sessions of every circuit are read when no read is newer; 0 never
	Measure      time.Duration // byte counters of every circuit are read this often, route tables every hour; 0 never
}

// DefaultTiming returns 12 s linger, 30 s lease, 2 min for slow reads, discovery
// every hour, weights and sessions every 5 min, sessions in doubt every minute.
func DefaultTiming() Timing {
	return Timing{
		Timing: executor.DefaultTiming(), Linger: 12 * time.Second, Lease: 30 * time.Second,
		ReadDeadline: 2 * time.Minute, Discover: time.Hour, Reread: 5 * time.Minute,
		PollDoubt: time.Minute, PollAll: 5 * time.Minute, Measure: 5 * time.Minute,
	}
}

// Settings is everything that an Engine is made of.
type Settings struct {
	Store    record.Store
	Network  executor.Network
	Monitor  executor.Monitor // nil: Azure's monitoring is not asked, and only its messages count
	Clock    Clock
	Log      zerolog.Logger
	ID       func() string // a new random ID, at least 64 bits, of [a-z0-9-]
	Owner    string        // this instance's name, for leases and logs
	Topology topology.Estate
	Hash     string // of the configuration; a new one discovers anew
	Rules    map[string]GroupRules
	Limits   policy.Limits
	Timing   Timing
	Trace    trace.Tracer // nil: off
}

// Engine is the loop. It keeps nothing in memory that a new instance would miss:
// what it remembers only saves work.
type Engine struct {
	Settings
	mu        sync.Mutex
	flushed   map[string]record.Head     // end of what is known to be stored of the journal, by stream
	turns     map[string]*sync.Mutex     // one call at a time takes a group further, by group
	measureAt map[string]time.Time       // when a circuit is measured next, by name
	doubts    map[string]map[string]bool // circuits that a group does not take for healthy, by group
}

// New returns an engine over the settings.
func New(s Settings) *Engine {
	if s.Trace == nil {
		s.Trace = trace.Off()
	}
	return &Engine{Settings: s, flushed: map[string]record.Head{}, turns: map[string]*sync.Mutex{}, measureAt: map[string]time.Time{}, doubts: map[string]map[string]bool{}}
}

// turn returns the lock of a group. It keeps the calls of one process from taking
// the same beat twice; between processes the lease does.
func (e *Engine) turn(group string) *sync.Mutex {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.turns[group] == nil {
		e.turns[group] = &sync.Mutex{}
	}
	return e.turns[group]
}

// Receipt says what became of the signals of one Handle. Every signal is counted
// once for each circuit that it speaks about; none disappears.
type Receipt struct {
	Applied    int      `json:"applied"`              // changed what is remembered
	Repeated   int      `json:"repeated"`             // known already, or older than what is known
	SetAside   int      `json:"set_aside"`            // an update record that betters nothing by itself
	Refused    int      `json:"refused"`              // no event time, or one too far in the future
	Unknown    int      `json:"unknown"`              // about resources that are not configured
	Orders     int      `json:"orders"`               // accepted
	Groups     []string `json:"groups,omitempty"`     // groups that were looked at
	Operations []string `json:"operations,omitempty"` // operations that run or wait in those groups
}

// run is one call of Handle or Tick: one instant's view of the estate document.
type run struct {
	*Engine
	tick   bool // the timer called: there is time to measure
	log    zerolog.Logger
	estate record.Estate
	etag   string
	groups []string
}

// Handle takes signals in, saves what they say, and takes every group that they
// touch one beat further. It returns after the last save. An error means that
// something was not saved and that the same signals must be delivered again;
// trouble with Azure is no error, it is recorded and tried again by Tick.
func (e *Engine) Handle(ctx context.Context, signals []events.Signal) (receipt Receipt, err error) {
	ctx, span := e.Trace.Begin(ctx, trace.Work{Name: "handle", Attrs: []trace.Attr{trace.Number(trace.KeyCount, int64(len(signals)))}})
	defer func() { span.End(err); e.measure(ctx, receipt) }()
	r, err := e.begin(ctx, "handle")
	if err != nil {
		return Receipt{}, err
	}
	receipt, touched, err := r.detect(ctx, signals)
	if err != nil {
		return Receipt{}, err
	}
	for _, name := range touched {
		g, err := r.advance(ctx, name)
		if err != nil {
			return Receipt{}, err
		}
		receipt.Groups = append(receipt.Groups, name)
		if g.Operation != nil {
			receipt.Operations = append(receipt.Operations, g.Operation.ID)
		}
	}
	return receipt, nil
}

// Tick takes every group one beat further, and lingers while an operation runs so
// that no step pays a whole interval. Groups take turns: one that fails does not
// keep the others from their turn.
func (e *Engine) Tick(ctx context.Context) (err error) {
	ctx, span := e.Trace.Begin(ctx, trace.Work{Name: "tick"})
	defer func() { span.End(err) }()
	r, err := e.begin(ctx, "tick")
	if err != nil {
		return err
	}
	deadline := e.Clock.Now().Add(e.Timing.Linger)
	due := map[string]time.Time{}
	var errs []error
	for _, name := range slices.Clone(r.estate.Orphans) {
		if err := r.release(ctx, name); err != nil {
			errs = append(errs, err)
		}
	}
	for {
		var next time.Time
		for _, name := range r.groups {
			if at, known := due[name]; known && (at.IsZero() || at.After(e.Clock.Now())) {
				next = sooner(next, at)
				continue
			}
			at, err := r.beat(ctx, name)
			if err != nil {
				errs, at = append(errs, err), time.Time{}
			}
			due[name] = at
			next = sooner(next, at)
		}
		now := e.Clock.Now()
		if next.IsZero() || next.After(deadline) || !now.Before(deadline) || ctx.Err() != nil {
			return errors.Join(errs...)
		}
		if err := e.Clock.Sleep(ctx, max(next.Sub(now), leastSleep)); err != nil {
			return errors.Join(errs...)
		}
	}
}

// leastSleep is the least time between two beats of one Tick.
const leastSleep = 250 * time.Millisecond

// sooner returns the earlier of two instants; zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// beat advances a group and says when it wants the next beat within this call; zero
// means that the next tick will do.
func (r *run) beat(ctx context.Context, name string) (time.Time, error) {
	g, err := r.advance(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	now := r.Clock.Now()
	at := wants(g, now)
	if !at.IsZero() && g.Lease.HeldByOther(r.Owner, now) {
		at = later(at, g.Lease.Until)
	}
	return at, nil
}

// wants returns when a group with something running wants attention.
func wants(g record.Group, now time.Time) time.Time {
	var at time.Time
	for _, s := range slices.Concat(g.Reads, g.Drains) {
		at = sooner(at, later(s.NotBefore, now))
	}
	if len(g.Scheduled) > 0 {
		at = sooner(at, later(g.Scheduled[0].Order.NotBefore, now))
	}
	at = sooner(at, cutsWant(g.Cuts, now))
	op := g.Operation
	if op == nil {
		return at
	}
	switch op.Status {
	case record.AwaitingApproval, record.Ended:
		return at
	case record.Applying:
		return sooner(at, later(executor.Next(op.Steps, now), now))
	case record.Converging:
		for _, c := range op.Checks {
			if !c.Done {
				at = sooner(at, later(c.NotBefore, now))
			}
		}
	case record.Verifying:
		if op.Traffic != nil {
			at = sooner(at, later(op.Traffic.NotBefore, now))
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// begin loads the estate, discovering it when it is unknown, old or configured
// anew.
func (e *Engine) begin(ctx context.Context, door string) (*run, error) {
	r := &run{Engine: e, tick: door == "tick", log: e.Log.With().Str("run", e.ID()).Str("door", door).Logger()}
	if err := r.loadEstate(ctx); err != nil {
		return nil, err
	}
	for _, g := range e.Topology.Groups {
		r.groups = append(r.groups, g.Name)
	}
	slices.Sort(r.groups)
	return r, nil
}

// conflict reports whether an error says that somebody else won a save.
func conflict(err error) bool { return errors.Is(err, fault.Conflict) }
