package hosttest

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// partition is one partition of the event hub with this app's place in it.
type partition struct {
	name string

	mu    sync.Mutex
	log   []hubEvent
	place int           // index of the first event that is not checkpointed
	moved chan struct{} // closed and replaced whenever log or place changes
}

// changed wakes everybody who waits. mu is held.
func (p *partition) changed() {
	close(p.moved)
	p.moved = make(chan struct{})
}

// Send puts an event into a partition. It is delivered by itself, in order.
func (h *Host) Send(name string, body []byte) {
	h.mu.Lock()
	p, ok := h.partitions[name]
	if !ok {
		p = &partition{name: name, moved: make(chan struct{})}
		h.partitions[name] = p
	}
	life := h.life
	h.mu.Unlock()
	p.mu.Lock()
	p.log = append(p.log, hubEvent{body: append([]byte(nil), body...), sequence: int64(len(p.log)), enqueued: h.now()})
	p.changed()
	p.mu.Unlock()
	if !ok {
		h.all.Go(func() { h.pump(life, p) })
	}
}

// resumePartitions starts the delivery of all partitions from their checkpoints.
func (h *Host) resumePartitions() {
	h.mu.Lock()
	defer h.mu.Unlock()
	life := h.life
	for _, p := range h.partitions {
		h.all.Go(func() { h.pump(life, p) })
	}
}

// pump delivers one partition: one batch at a time, in order. The checkpoint moves
// on whether a batch succeeded or not; only the end of the host holds it back.
func (h *Host) pump(life context.Context, p *partition) {
	var f *function
	for i := range h.app.functions {
		if h.app.functions[i].trigger.Type == "eventHubTrigger" {
			f = &h.app.functions[i]
		}
	}
	if f == nil {
		h.protocol(fmt.Errorf("an event was sent, but no function has an eventHubTrigger"))
		return
	}
	most := 1
	if f.trigger.Cardinality == "many" {
		if most = h.app.config.Extensions.EventHubs.MaxEventBatchSize; most <= 0 {
			most = 100
		}
	}
	for life.Err() == nil {
		p.mu.Lock()
		batch, moved := p.log[p.place:], p.moved
		p.mu.Unlock()
		if len(batch) == 0 {
			select {
			case <-moved:
			case <-life.Done():
			}
			continue
		}
		batch = batch[:min(len(batch), most)]
		err := h.execute(life, *f, hubEnvelope(*f, p.name, batch, h.now()))
		if life.Err() != nil {
			return
		}
		h.count(func(c *Counters) {
			c.Checkpoints++
			if err != nil {
				c.Lost += len(batch)
			}
		})
		p.mu.Lock()
		p.place += len(batch)
		p.changed()
		p.mu.Unlock()
	}
}

// Settle waits until every event that was sent is checkpointed.
func (h *Host) Settle(ctx context.Context) error {
	h.mu.Lock()
	var all []*partition
	for _, p := range h.partitions {
		all = append(all, p)
	}
	h.mu.Unlock()
	for _, p := range all {
		for {
			p.mu.Lock()
			left, moved := len(p.log)-p.place, p.moved
			p.mu.Unlock()
			if left == 0 {
				break
			}
			select {
			case <-moved:
			case <-ctx.Done():
				return fmt.Errorf("partition %s: %d events are not delivered: %w", p.name, left, ctx.Err())
			}
		}
	}
	return nil
}

// now is the emulator's time: it runs faster by the speed.
func (h *Host) now() time.Time {
	return h.started.Add(time.Duration(float64(time.Since(h.started)) * h.speed)).UTC()
}
