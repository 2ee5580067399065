package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"erfailover/failover/sim"
)

// handsSpeed is how fast the estate's clock runs when a person plays, unless told
// otherwise: a minute of the estate is six seconds.
const handsSpeed = 10

// play hands the estate to a person: nothing happens until it is typed, and every
// group asks before it moves.
func (d *demo) play(ctx context.Context, in io.Reader) error {
	stream, stop := context.WithCancel(ctx)
	streamed := make(chan struct{})
	go func() { defer close(streamed); d.streamMetrics(stream) }()
	defer func() { stop(); <-streamed }()
	d.opening()
	if err := d.atRest(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, `The estate is at rest, and yours. Every group asks a person before it moves.
  bad    and Enter: ashburn loses 35 %% of its packets while BGP stays up
  good   and Enter: ashburn is repaired
  Ctrl-C ends it.

  in another terminal:
  export ERFAILOVER_URL=%[1]s ERFAILOVER_KEY=function ERFAILOVER_USER=ana
  erfailover status --watch
  erfailover failover east            (approve as somebody else: --user ben)
  curl -H 'x-functions-key: function' %[1]s/api/v1/groups/east/explain

`, d.host.URL())
	words := make(chan string)
	go func() { // ends with its input, or with the process
		defer close(words)
		for sc := bufio.NewScanner(in); sc.Scan(); {
			select {
			case words <- strings.TrimSpace(sc.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.host.Down():
			return d.host.Err()
		case word, ok := <-words:
			if !ok {
				words = nil // nobody types; the estate stays up
				continue
			}
			d.obey(word)
		}
	}
}

// obey does in the world what was typed.
func (d *demo) obey(word string) {
	id, now := d.est.Circuits[storyCircuit], d.clock.Now()
	switch word {
	case "bad":
		d.grey = now
		d.est.Fabric.Grey(id, 0.35, now)
		d.monitor(35, now, time.Time{})
		d.resourceHealth(sim.StepActivated, sim.HealthAvailable, sim.HealthUnavailable, now)
		d.say("ashburn goes grey: 35 %% of packets are lost, BGP stays up. A monitor and Resource Health say so.")
	case "good":
		d.est.Fabric.Heal(id, now)
		d.monitor(0, d.grey, now)
		d.resourceHealth(sim.StepResolved, sim.HealthUnavailable, sim.HealthAvailable, now)
		d.say("ashburn is repaired.")
	case "":
	default:
		fmt.Fprintln(d.out, "type bad or good")
	}
}
