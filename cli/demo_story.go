package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"erfailover/failover/sim"
)

// The circuit that fails in the story, and the group whose home it is.
const (
	storyCircuit = "er-ashburn"
	storyGroup   = "east"
)

// tell plays the story: grey failure, failover, flapping, recovery, failback, rest.
func (d *demo) tell(ctx context.Context) error {
	d.opening()
	stream, stopStream := context.WithCancel(ctx)
	defer stopStream()
	streamed := make(chan struct{})
	go func() {
		defer close(streamed)
		d.streamMetrics(stream)
	}()
	defer func() { stopStream(); <-streamed }()
	steps := []func(context.Context) error{d.atRest, d.goGrey, d.flap, d.recover}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
		if err := d.host.Err(); err != nil {
			return err
		}
	}
	return nil
}

// atRest waits until the program knows the estate.
func (d *demo) atRest(ctx context.Context) error {
	return d.await(ctx, 5*time.Minute, "every group is well", func() bool { return d.count("verdict.changed", "", "well") >= len(d.est.Regions) })
}

// goGrey lets the circuit lose packets while BGP stays up, and waits until traffic
// is proven elsewhere.
func (d *demo) goGrey(ctx context.Context) error {
	now := d.clock.Now()
	d.grey = now
	d.est.Fabric.Grey(d.est.Circuits[storyCircuit], 0.35, now)
	d.say("ashburn goes grey: 35 %% of packets are lost, BGP stays up. Azure moves nothing by itself.")
	if err := d.pause(ctx, 70*time.Second); err != nil {
		return err
	}
	d.monitor(35, d.clock.Now(), time.Time{})
	d.say("Connection Monitor fires: 35 %% of its checks fail.")
	if err := d.pause(ctx, 50*time.Second); err != nil {
		return err
	}
	d.resourceHealth(sim.StepActivated, sim.HealthAvailable, sim.HealthUnavailable, d.grey.Add(40*time.Second))
	d.say("Resource Health follows through the activity log: Unavailable.")
	return d.await(ctx, 10*time.Minute, "the failover is proven", func() bool { return d.count("operation.ended", "failover", "") > 0 })
}

// flap lets the circuit come and go until failback is damped.
func (d *demo) flap(ctx context.Context) error {
	id := d.est.Circuits[storyCircuit]
	for range 3 {
		if err := d.pause(ctx, 25*time.Second); err != nil {
			return err
		}
		now := d.clock.Now()
		d.est.Fabric.Heal(id, now)
		d.monitor(0, d.grey, now)
		d.resourceHealth(sim.StepResolved, sim.HealthUnavailable, sim.HealthAvailable, now)
		d.say("ashburn looks well again ...")
		if err := d.pause(ctx, 30*time.Second); err != nil {
			return err
		}
		now = d.clock.Now()
		d.est.Fabric.Grey(id, 0.35, now)
		d.monitor(35, now, time.Time{})
		d.resourceHealth(sim.StepActivated, sim.HealthAvailable, sim.HealthUnavailable, now)
		d.say("... and is bad again. It flaps.")
	}
	return d.pause(ctx, time.Minute)
}

// recover heals the circuit for good and waits for failback and rest.
func (d *demo) recover(ctx context.Context) error {
	now := d.clock.Now()
	d.healed = now
	d.est.Fabric.Heal(d.est.Circuits[storyCircuit], now)
	d.monitor(0, d.grey, now)
	d.resourceHealth(sim.StepResolved, sim.HealthUnavailable, sim.HealthAvailable, now)
	d.say("ashburn is repaired. Failback has four gates: time on the standby, health, two fresh observers, damping.")
	if err := d.await(ctx, 40*time.Minute, "the failback is proven", func() bool { return d.count("operation.ended", "failback", "") > 0 }); err != nil {
		return err
	}
	return d.await(ctx, 15*time.Minute, "the weights at rest are back", func() bool { return d.count("operation.ended", "settle", "") > 0 })
}

// monitor sends an alert of the circuit's Connection Monitor; a zero end is a fired
// one.
func (d *demo) monitor(failed float64, fired, ended time.Time) {
	d.send("1", d.source.MonitorAlert(sim.MonitorAlert{Monitor: monitorOf(storyCircuit), Group: "to-dc1", Source: "vm-probe-east", Destination: "dc1", Failed: failed, FiredAt: fired, EndedAt: ended}))
}

func (d *demo) resourceHealth(step sim.HealthStep, from, to sim.Availability, at time.Time) {
	d.send("2", d.source.ResourceHealth(sim.HealthEvent{Circuit: d.est.Circuits[storyCircuit], Step: step, From: from, To: to, At: at}))
}

func (d *demo) send(partition string, body []byte) {
	d.mu.Lock()
	d.sent++
	d.mu.Unlock()
	d.host.Send(partition, body)
}

// streamMetrics sends, every minute of the estate's time, what the diagnostic
// settings of the circuits stream.
func (d *demo) streamMetrics(ctx context.Context) {
	for {
		now := d.clock.Now()
		var minutes []sim.CircuitMinute
		for _, name := range sortedKeys(d.est.Circuits) {
			m := sim.CircuitMinute{Circuit: d.est.Circuits[name], At: now.Truncate(time.Second)}
			for _, l := range sim.Links() {
				state, _ := d.est.Fabric.Link(d.est.Circuits[name], l, now)
				measure := sim.HealthyLink(1e8)
				if !state.BGP {
					measure.BGP = 0
				}
				if !state.Up {
					measure.ARP = 0
				}
				if l == sim.Primary {
					m.Primary = measure
				} else {
					m.Secondary = measure
				}
			}
			minutes = append(minutes, m)
		}
		d.send("0", d.source.Metrics(minutes...))
		if d.clock.Sleep(ctx, time.Minute) != nil {
			return
		}
	}
}

// pause waits for a span of the estate's time.
func (d *demo) pause(ctx context.Context, span time.Duration) error { return d.clock.Sleep(ctx, span) }

// await waits until something has happened, at most for a span of the estate's
// time.
func (d *demo) await(ctx context.Context, span time.Duration, what string, happened func() bool) error {
	deadline := d.clock.Now().Add(span)
	for !happened() {
		if d.clock.Now().After(deadline) {
			return fmt.Errorf("waited %s of the estate's time: %s never happened; see handler.log with --keep", span, what)
		}
		select {
		case <-d.host.Down():
			return errors.Join(errors.New("the handler is gone"), d.host.Err())
		default:
		}
		if err := d.clock.Sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// stay keeps everything up until the context ends.
func (d *demo) stay(ctx context.Context) { d.streamMetrics(ctx) }
