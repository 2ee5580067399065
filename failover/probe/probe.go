// Package probe sends canary traffic: to targets that only one circuit reaches, a
// loopback that is advertised over it alone. What arrives, and what does not, is
// evidence of the data plane, which no read of BGP sessions can rebut.
//
//	round ──▶ try each target once ──▶ k of the last n ──▶ a claim per circuit
//	                   │ nothing anywhere answers
//	                   ▼
//	                 blind: our own network, no evidence about any circuit
package probe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"erfailover/events"
	"erfailover/failover/topology"
)

const (
	// window is how many tries are remembered of each target, and enough is how many
	// of them must agree.
	window = 6
	enough = 4
	// again is how often a claim that has not changed is repeated, so that it stays
	// fresh.
	again = 30 * time.Second
	// sockets bounds tries at once.
	sockets = 32
	// maxAnswer bounds what is read of an HTTP answer.
	maxAnswer = 4 << 10
)

// DefaultEvery is the pace of rounds.
const DefaultEvery = 5 * time.Second

// Prober tries targets round by round. It remembers the last few tries in memory:
// after a restart it says nothing until it has tried often enough.
type Prober struct {
	client *http.Client
	dial   func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	tries map[string][]try
	said  map[string]claim
}

// try is one attempt.
type try struct {
	ok   bool
	took time.Duration
}

// claim is what was said last about a circuit.
type claim struct {
	state events.State
	at    time.Time
}

// New returns a prober that has tried nothing. It follows no redirect and uses no
// proxy: the way to the target is what is measured.
func New() *Prober {
	d := &net.Dialer{}
	return &Prober{
		dial: d.DialContext,
		client: &http.Client{
			Transport:     &http.Transport{Proxy: nil, DialContext: d.DialContext, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tries: map[string][]try{}, said: map[string]claim{},
	}
}

// job is one target of one circuit.
type job struct {
	circuit string
	probe   topology.Probe
	key     string
}

// Round tries every target of every circuit once, in parallel, and returns what is
// worth saying: a claim that changed, or one that would soon be too old. With
// nothing to probe it returns nothing.
func (p *Prober) Round(ctx context.Context, circuits []topology.Circuit, now func() time.Time) []events.Signal {
	var jobs []job
	for _, c := range circuits {
		for _, t := range c.Probes {
			jobs = append(jobs, job{c.Name, t, c.Name + " " + t.TCP + t.HTTP})
		}
	}
	results := make([]try, len(jobs))
	slots := make(chan struct{}, sockets)
	var all sync.WaitGroup
	for i, j := range jobs {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = p.try(ctx, j.probe)
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil // a round that was cut short says nothing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answered := map[string]bool{}
	for i, j := range jobs {
		p.tries[j.key] = append(p.tries[j.key], results[i])
		p.tries[j.key] = p.tries[j.key][max(0, len(p.tries[j.key])-window):]
		if results[i].ok {
			answered[j.circuit] = true
		}
	}
	return p.claims(circuits, jobs, len(answered) == 0, now())
}

// claims turns the remembered tries into signals.
func (p *Prober) claims(circuits []topology.Circuit, jobs []job, nothing bool, at time.Time) []events.Signal {
	probed := map[string]bool{}
	for _, j := range jobs {
		probed[j.circuit] = true
	}
	blind := nothing && len(probed) > 1
	var out []events.Signal
	for _, c := range circuits {
		if !probed[c.Name] {
			continue
		}
		state, detail, loss := p.judge(c, jobs)
		last, spoken := p.said[c.Name]
		switch {
		case blind && state == events.Down:
			state, detail = events.Unknown, "nothing anywhere answers: our own network may be down"
		case state == events.Unknown:
			continue // between two minds: the last claim stands until it is too old
		}
		if state == events.Unknown && (!spoken || last.state == events.Unknown) {
			continue
		}
		if spoken && last.state == state && at.Sub(last.at) < again {
			continue
		}
		p.said[c.Name] = claim{state, at}
		sum := sha256.Sum256(fmt.Appendf(nil, "probe %s %s %d", c.ID, state, at.UnixNano()))
		out = append(out, events.Signal{ID: "s-" + hex.EncodeToString(sum[:10]), Kind: events.Health, Observer: events.Probe, Source: "canary",
			Resource: c.ID, Peering: events.Private, Plane: events.DataPlane, State: state, At: at.UTC(), Value: &loss, Detail: detail})
	}
	return out
}

// judge adds up a circuit's targets: down when each of them fails, degraded when one
// does or when tries are lost, up when all answer. Fewer tries than enough say
// nothing.
func (p *Prober) judge(c topology.Circuit, jobs []job) (state events.State, detail string, loss float64) {
	failing, well, targets, tried, lost := 0, 0, 0, 0, 0
	var slowest time.Duration
	for _, j := range jobs {
		if j.circuit != c.Name {
			continue
		}
		targets++
		good := 0
		for _, t := range p.tries[j.key] {
			tried++
			if t.ok {
				good++
				slowest = max(slowest, t.took)
			} else {
				lost++
			}
		}
		switch bad := len(p.tries[j.key]) - good; {
		case bad >= enough:
			failing++
		case good >= enough:
			well++
		}
	}
	if tried > 0 {
		loss = float64(lost) / float64(tried) * 100
	}
	detail = fmt.Sprintf("%d of %d canary tries answered, slowest %s", tried-lost, tried, slowest.Round(time.Millisecond))
	switch {
	case failing == targets:
		return events.Down, detail, loss
	case failing > 0:
		return events.Degraded, detail, loss
	case well == targets:
		return events.Up, detail, loss
	}
	return events.Unknown, detail, loss
}

// try makes one attempt. An answer of any kind is an answer, but for an HTTP error
// of the server.
func (p *Prober) try(ctx context.Context, t topology.Probe) try {
	ctx, cancel := context.WithTimeout(ctx, max(t.Timeout, 100*time.Millisecond))
	defer cancel()
	began := time.Now()
	var err error
	if t.TCP != "" {
		err = p.tcp(ctx, t.TCP)
	} else {
		err = p.http(ctx, t.HTTP)
	}
	return try{ok: err == nil, took: time.Since(began)}
}

func (p *Prober) tcp(ctx context.Context, address string) error {
	conn, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (p *Prober) http(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 500 {
		err = errors.Join(err, fmt.Errorf("status %d", resp.StatusCode))
	}
	return errors.Join(err, resp.Body.Close())
}

// Any reports whether any circuit has a target.
func Any(circuits []topology.Circuit) bool {
	return slices.ContainsFunc(circuits, func(c topology.Circuit) bool { return len(c.Probes) > 0 })
}
