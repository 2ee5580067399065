package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/eventhub"
	"erfailover/failover/fault"
	"erfailover/failover/replay"
)

// replayOptions are the flags of the command.
type replayOptions struct {
	configs  []string
	hub      string
	group    string
	from, to string
	save     string
	output   string

	now  func() time.Time
	past func(ctx context.Context, o eventhub.Options, from, to time.Time, take func(eventhub.Event) error) error
}

// replayCommand shows what would have been decided about recorded events.
func replayCommand() *cobra.Command {
	o := replayOptions{now: time.Now, past: eventhub.Past}
	c := &cobra.Command{
		Use:   "replay [FILE...]",
		Short: "What would have been decided about recorded events, and what another configuration flips; exit 1 when it flips something",
		Long: `What would have been decided about recorded events.

Recorded messages run through the same code that runs in production, on virtual
time, against a network in memory: nothing is written, and Azure is not asked.
Messages come from files (one JSON text a line, gzip is fine), or from an event hub,
which is read without a checkpoint.

With two configurations it shows which decisions the second one flips. With one, and
another in ERFAILOVER_CONFIG, that one is the old.
Exit codes: 0 nothing differs, 1 something does, 2 wrong use.`,
		Example: `  erfailover replay week.ndjson.gz --config old.yaml --config new.yaml
  erfailover replay --hub ns.servicebus.windows.net/circuit-events --from -24h --config erfailover.yaml --save day.ndjson`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.configs, "config", nil, "a configuration; give it twice to compare (default: ERFAILOVER_CONFIG)")
	f.StringVar(&o.hub, "hub", "", "NAMESPACE/HUB to read, under the identity of the last configuration")
	f.StringVar(&o.group, "consumer-group", "", "consumer group for --hub (default: $Default)")
	f.StringVar(&o.from, "from", "", "only what arrived from this time on: RFC 3339, or -24h from now")
	f.StringVar(&o.to, "to", "", "only what arrived before this time")
	f.StringVar(&o.save, "save", "", "keep what was read as a recording in this file; secrets are taken out")
	f.StringVarP(&o.output, "output", "o", "table", "table for people, json for machines")
	return c
}

// run reads, replays and compares.
func (o replayOptions) run(ctx context.Context, files []string, w, warn io.Writer) error {
	from, err := o.instant("--from", o.from)
	if err != nil {
		return err
	}
	to, err := o.instant("--to", o.to)
	if err != nil {
		return err
	}
	setups, last, err := o.setups(warn)
	if err != nil {
		return err
	}
	var rec replay.Recording
	switch {
	case (o.hub == "") == (len(files) == 0):
		return usage("name files, or an event hub with --hub")
	case o.hub != "":
		err = o.fromHub(ctx, last, from, to, &rec)
	default:
		err = fromFiles(files, &rec)
	}
	if err != nil {
		return err
	}
	rec.Between(from, to)
	if rec.Skipped > 0 {
		fmt.Fprintf(warn, "warning: %d lines tell no time and hold no event; they were left out\n", rec.Skipped)
	}
	if o.save != "" {
		if err := saveRecording(o.save, rec); err != nil {
			return err
		}
	}
	results := make([]replay.Result, len(setups))
	for i, s := range setups {
		if results[i], err = replay.Run(ctx, rec, s); err != nil {
			return err
		}
	}
	return o.show(w, results)
}

// show writes one result, or the difference of two.
func (o replayOptions) show(w io.Writer, results []replay.Result) error {
	var body any = results[0]
	text, flips, total := results[0].Text(), 0, 0
	if len(results) == 2 {
		d := replay.Compare(results[0], results[1])
		body, text, flips, total = d, d.Text(), len(d.Flips), len(d.Flips)+d.Same
	}
	if o.output == "json" {
		if err := json.MarshalWrite(w, body, jsontext.Multiline(true), json.Deterministic(true)); err != nil {
			return err
		}
		fmt.Fprintln(w)
	} else if _, err := fmt.Fprint(w, cleanLines(text)); err != nil {
		return err
	}
	if flips > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d of %d decisions differ", flips, total)}
	}
	return nil
}

// setups reads the configurations, the old one first, and returns the last as well.
func (o replayOptions) setups(warn io.Writer) ([]replay.Setup, config.Config, error) {
	if o.output != "table" && o.output != "json" {
		return nil, config.Config{}, usage("--output: got %q, want table or json", clean(o.output))
	}
	paths := o.configs
	if env := os.Getenv("ERFAILOVER_CONFIG"); env != "" && len(paths) < 2 && (len(paths) == 0 || paths[0] != env) {
		paths = append([]string{env}, paths...)
	}
	if len(paths) > 2 {
		return nil, config.Config{}, usage("--config: got %d, want one or two", len(paths))
	}
	if len(paths) == 0 {
		paths = []string{""} // readConfig says what is missing
	}
	var out []replay.Setup
	var last config.Config
	for _, path := range paths {
		cfg, err := readConfig(path, warn)
		if err != nil {
			return nil, last, err
		}
		topo, timing := cfg.Topology(), timingOf(cfg)
		out, last = append(out, replay.Setup{Name: path, Estate: topo, Rules: rulesOf(cfg), Limits: cfg.Limits(), Timing: timing}), cfg
	}
	return out, last, nil
}

// instant reads a time: RFC 3339, or a span before now.
func (o replayOptions) instant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if back, err := time.ParseDuration(text); err == nil && back <= 0 {
		return o.now().Add(back).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage("%s: got %q, want 2026-01-12T03:00:00Z, or -24h from now", flag, clean(text))
	}
	return at.UTC(), nil
}

// fromHub reads a time range of an event hub.
func (o replayOptions) fromHub(ctx context.Context, cfg config.Config, from, to time.Time, rec *replay.Recording) error {
	ns, hub, ok := strings.Cut(o.hub, "/")
	if !ok || ns == "" || hub == "" {
		return usage("--hub: got %q, want NAMESPACE/HUB", clean(o.hub))
	}
	cred, err := armnet.NewCredential(armnet.Identity(cfg.Azure.Identity.String()), cloudOf(cfg.Azure))
	if err != nil {
		return err
	}
	var got []replay.Message
	err = o.past(ctx, eventhub.Options{Namespace: ns, Hub: hub, Group: o.group, Credential: cred, Now: o.now}, from, to, func(e eventhub.Event) error {
		got = append(got, replay.Message{At: e.At, Body: bytes.Clone(e.Body)})
		return nil
	})
	rec.Add(got...)
	return err
}

// fromFiles reads recordings.
func fromFiles(files []string, rec *replay.Recording) error {
	for _, name := range files {
		if err := fromFile(name, rec); err != nil {
			return err
		}
	}
	return nil
}

func fromFile(name string, rec *replay.Recording) error {
	f, err := os.Open(name)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer f.Close()
	b := bufio.NewReader(f)
	magic, err := b.Peek(2)
	if err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return &fault.Error{Op: "read recording", Target: clean(name), Kind: fault.Invalid, Err: err}
		}
		return rec.Read(clean(name), z)
	}
	return rec.Read(clean(name), b)
}

// saveRecording keeps what was read.
func saveRecording(name string, rec replay.Recording) error {
	var b bytes.Buffer
	if rec.Estate != nil && len(rec.Messages) > 0 {
		b.Write(replay.FrameEstate(rec.Messages[0].At, *rec.Estate))
	}
	for _, m := range rec.Messages {
		b.Write(replay.Frame(m.At, m.Body))
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}
