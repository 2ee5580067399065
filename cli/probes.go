package cli

import (
	"context"

	"erfailover/failover/probe"
)

// probes tries the canary targets once and takes in what is worth saying.
func (p *parts) probes(ctx context.Context) error {
	signals := p.prober.Round(ctx, p.config.Topology().Circuits, p.clock.Now)
	if len(signals) == 0 {
		return nil
	}
	_, err := p.engine.Handle(ctx, signals)
	return err
}

// probing is what the Probe timer runs; nil when there is nothing to try.
func (p *parts) probing() func(context.Context) error {
	if p.prober == nil {
		return nil
	}
	return p.probes
}

// withProber makes the prober when there is anything to try.
func (p *parts) withProber() {
	if probe.Any(p.config.Topology().Circuits) {
		p.prober = probe.New()
	}
}
