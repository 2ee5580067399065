package armnet

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"erfailover/failover/executor"
)

var _ executor.Monitor = (*Client)(nil)

// lookFor is how long a look takes at the most: less than the 15 s between ticks.
const lookFor = 10 * time.Second

// Look implements executor.Monitor: metrics, Resource Health and planned work are asked
// for at once.
func (c *Client) Look(ctx context.Context, l executor.Look) executor.Seen {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	seen := executor.Seen{Metrics: make([][]executor.MetricAnswer, len(l.Metrics))}
	var g errgroup.Group
	for i, q := range l.Metrics {
		g.Go(func() error { seen.Metrics[i] = c.Metrics(ctx, q); return nil })
	}
	g.Go(func() error { seen.Health = c.Availability(ctx, l.Health); return nil })
	g.Go(func() error { seen.Planned = c.PlannedWork(ctx, l.Planned); return nil })
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return seen
}
