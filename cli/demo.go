package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// demoOptions are the flags of the demo.
type demoOptions struct {
	speed float64
	stay  bool
	json  bool
	keep  string
	hands bool
	in    io.Reader
}

// demoCommand shows the whole program on a simulated estate.
func demoCommand(assets Assets) *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole outage on a simulated estate; no account, no set-up",
		Long: `Show a whole outage on a simulated estate.

Three Azure regions, two data centres, six circuits of four providers, nine
gateways. The estate answers the real REST calls over TLS; events arrive in the
shapes that Azure sends, through a stand-in for the Functions host, at this same
program; weights are written with the Azure SDK. Nothing leaves this machine.

The estate's clock runs faster than yours (--speed).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.in = cmd.InOrStdin(); o.hands && !cmd.Flags().Changed("speed") {
				o.speed = handsSpeed
			}
			return runDemo(cmd.Context(), assets, o, cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.Float64Var(&o.speed, "speed", 60, "estate seconds in a real second, 1 to 200")
	f.BoolVar(&o.stay, "stay", false, "keep the estate and the program up after the story, until interrupted")
	f.BoolVar(&o.hands, "hands-on", false, "no story: the estate is yours, every group asks before it moves; ten times as fast as you")
	f.BoolVar(&o.json, "json", false, "print the result as one JSON object instead of the story")
	f.StringVar(&o.keep, "keep", "", "keep the record, the logs and the configuration in this folder")
	return c
}

// demoResult is what the demo found out.
type demoResult struct {
	RealSeconds float64          `json:"real_seconds"`
	Operations  []jsontext.Value `json:"operations"` // as the API shows them, oldest first
	Writes      map[string]int   `json:"writes"`     // PUTs that reached Azure, by connection
	OtherPUTs   int              `json:"puts_of_other_connections"`
	Damped      bool             `json:"failback_held_by_damping"`
	Restored    bool             `json:"weights_at_rest_restored"`
	Differences []string         `json:"differences,omitempty"` // bodies that are not byte for byte what they were
	DeadSeconds float64          `json:"seconds_of_loss_on_the_busiest_gateway"`
	LongSeconds float64          `json:"seconds_that_the_circuit_was_bad"`
	Events      int              `json:"events_sent"`
	Invocations int              `json:"invocations"`
}

// runDemo sets the estate up, tells the story and judges its ending.
func runDemo(ctx context.Context, assets Assets, o demoOptions, w io.Writer) error {
	if o.speed < 1 || o.speed > 200 {
		return &exitError{exitUsage, fmt.Errorf("--speed: got %g, want 1 to 200", o.speed)}
	}
	began := time.Now()
	story := w
	if o.json {
		story = io.Discard
	}
	dir := o.keep
	if dir == "" {
		tmp, err := os.MkdirTemp("", "erfailover-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	}
	if err := os.Remove(filepath.Join(dir, recordFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // an earlier demo's record tells another story
	}
	d, err := startDemo(assets, o, dir, story)
	if err != nil {
		return err
	}
	defer d.stop()
	if o.hands {
		return d.play(ctx, o.in)
	}
	err = d.tell(ctx)
	if ctx.Err() != nil {
		fmt.Fprintln(story, "\ninterrupted; everything is stopped and removed")
		return nil
	}
	if err != nil {
		return err
	}
	result, err := d.judge(ctx)
	if err != nil {
		return err
	}
	result.RealSeconds = time.Since(began).Seconds()
	if o.json {
		if err := json.MarshalWrite(w, result, jsontext.Multiline(true), json.Deterministic(true)); err != nil {
			return err
		}
		fmt.Fprintln(w)
	} else {
		d.ending(result)
	}
	if o.stay {
		fmt.Fprintf(story, "\nThe estate stays up. The page: %s/api/?code=function   Ctrl-C ends it.\n", d.host.URL())
		d.stay(ctx)
	}
	if !result.Restored {
		return errors.New("the estate is not as it was before")
	}
	return nil
}
