package cli

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/telemetry"
	"erfailover/failover/trace"
	"erfailover/handlers"
)

const (
	telemetryDrain = 3 * time.Second // the end of the process waits this long for what was not sent yet
	troubleEvery   = time.Minute     // one log line about the collector in this time
)

// watch opens what sends spans and metrics, when the environment names a collector.
// Trouble with it never keeps the program from starting.
func (p *parts) watch(getenv func(string) string) {
	p.trace = trace.Off()
	s, err := telemetry.FromEnv(getenv)
	if err == nil && !s.On() {
		return
	}
	s.Version, s.Instance, s.Gauges, s.Trouble = buildVersion(), owner(), p.gauges, p.collectorTrouble()
	var t *telemetry.Telemetry
	if err == nil {
		t, err = telemetry.Open(s)
	}
	if err != nil {
		p.log.Error().Str("event", "telemetry.off").Err(err).Msg("no spans and no metrics are sent until this is put right")
		return
	}
	p.trace, p.dropped = t, t.Dropped
	closeRest := p.close
	p.close = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), telemetryDrain)
		defer cancel()
		_ = t.Close(ctx) // what could not be sent is lost; it is not the record
		return closeRest()
	}
}

// network returns the way to Azure, watched when somebody watches.
func (p *parts) network() executor.Network {
	if p.dropped == nil {
		return p.net
	}
	return telemetry.Network(p.net, p.trace)
}

// gauges reads the record's values for an export.
func (p *parts) gauges(ctx context.Context) ([]telemetry.Gauge, error) {
	if !p.wired.Load() {
		return nil, errors.New("not wired yet")
	}
	st, err := handlers.NewViews(p.engine).Status(ctx)
	if err != nil {
		return nil, err
	}
	var out []telemetry.Gauge
	for _, g := range handlers.Gauges(st, p.clock.Now()) {
		out = append(out, telemetry.Gauge{Name: g.Name, Help: g.Help, Labels: g.Labels, Value: g.Value})
	}
	return out, nil
}

// collectorTrouble returns what logs the collector's trouble, now and then.
func (p *parts) collectorTrouble() func(int, error) {
	var last atomic.Int64
	return func(lost int, err error) {
		now, before := time.Now().UnixNano(), last.Load()
		if time.Duration(now-before) < troubleEvery || !last.CompareAndSwap(before, now) {
			return
		}
		p.log.Warn().Str("event", "telemetry.trouble").Int("lost", lost).Err(err).Msg("the collector was not reached; spans are dropped, failovers go on")
	}
}
