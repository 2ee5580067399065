package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/drill"
)

// drillOrder is an order about a drill as the API takes it.
type drillOrder struct {
	Reason     string    `json:"reason,omitzero"`
	Accelerate bool      `json:"accelerate,omitzero"`
	InMS       int64     `json:"in_ms,omitzero"`
	Overrides  []string  `json:"overrides,omitempty"`
	Run        string    `json:"run,omitzero"`
	Start      time.Time `json:"start,omitzero"`
}

// drillFlags are what a person may say to a drill.
type drillFlags struct {
	body   drillOrder
	in     time.Duration
	start  string
	report string
	key    string
	yes    bool
	noWait bool
}

// drillCommands are the commands about configured drills, below the one that drills a
// group by hand.
func drillCommands() []*cobra.Command {
	return []*cobra.Command{drillListCommand(), drillShowCommand(), drillRunCommand(),
		drillOrderCommand("stop", "Stop a run: what is away goes home at once", func(c *cobra.Command, f *drillFlags) {
			c.Flags().StringVar(&f.body.Run, "run", "", "the run meant (default: the one that is on)")
		}),
		drillOrderCommand("cancel", "Call the next start off", func(c *cobra.Command, f *drillFlags) {
			c.Flags().StringVar(&f.start, "start", "", "the start meant, 2026-03-01T07:00:00Z (default: the next one)")
		}),
	}
}

func drillPath(name string) string { return "/drills/" + url.PathEscape(name) }

func drillListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Every drill of the configuration: when it is next, what it does, how it ended last", Args: wantArgs(0, 0)}
	r := remoteFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var v struct {
			Items []drill.View `json:"items"`
		}
		return show(cmd, r, "/drills", &v, func(s screen) {
			rows := [][]cell{{plainCell("DRILL"), plainCell("GROUP"), plainCell("KIND"), plainCell("NOW"), plainCell("LAST"), plainCell("RECOVERY")}}
			for _, d := range v.Items {
				last, took := cell{"never", yellow}, ""
				if d.Last != nil {
					last = cell{fmt.Sprintf("%s %s", d.Last.Result, d.Last.Ended.UTC().Format("2006-01-02")), resultColour(d.Last.Result)}
					if d.Last.RecoveryMS > 0 {
						took = (time.Duration(d.Last.RecoveryMS) * time.Millisecond).Round(time.Second).String()
					}
				}
				rows = append(rows, []cell{plainCell(d.Name), plainCell(d.Group), plainCell(string(d.Kind)), plainCell(d.Says), last, plainCell(took)})
			}
			s.table(rows)
		})
	}
	return c
}

func resultColour(r drill.Result) string {
	switch r {
	case drill.Passed:
		return green
	case drill.Failed:
		return red
	case drill.Refused, drill.Aborted, drill.Overtaken, drill.Stopped, drill.Cancelled:
	}
	return yellow
}

func drillShowCommand() *cobra.Command {
	var report string
	c := &cobra.Command{Use: "show DRILL", Short: "One drill: its checks, its run, its history; with --report, a run's report", Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	c.Flags().StringVar(&report, "report", "", "write the report of the newest run to this file: .html, .md or .json")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if report != "" {
			cl, err := r.dial()
			if err != nil {
				return err
			}
			return saveDrillReport(cmd.Context(), cl, args[0], "", report, newScreen(cmd.OutOrStdout()))
		}
		var v drill.View
		return show(cmd, r, drillPath(args[0]), &v, func(s screen) { showDrill(s, v) })
	}
	return c
}

// showDrill writes one drill for a person.
func showDrill(s screen, v drill.View) {
	s.line("%s: %s of %s, %s", clean(v.Name), v.Kind, clean(v.Group), clean(v.Says))
	s.line("  schedule   %s (%s)", clean(v.Schedule), clean(v.Timezone))
	s.line("  hold %s, limit %s, notice %s", ms(v.HoldMS), ms(v.LimitMS), ms(v.AnnounceMS))
	if v.Calendars != "" {
		s.line("  %s", s.paint(red, "blackout calendars: "+clean(v.Calendars)))
	}
	for _, f := range v.Blocked {
		s.line("  %s", s.paint(yellow, "blocked by "+clean(f.By)+": "+clean(f.Reason)))
	}
	if v.Run != nil {
		for _, c := range v.Run.Checks {
			word := s.paint(green, "passed")
			if !c.OK {
				word = s.paint(red, "HELD")
			}
			s.line("  check      %s  %s: %s", word, clean(c.Name), clean(c.Text))
		}
		for _, l := range v.Run.Legs {
			s.line("  leg        %s: %s %s %s", clean(l.Group), l.State, clean(strings.Join(l.To, ", ")), clean(l.Said))
		}
	}
	for _, o := range v.History {
		s.line("  %s  %s  %s  %s", o.Ended.UTC().Format("2006-01-02 15:04Z"), s.paint(resultColour(o.Result), string(o.Result)), clean(o.ID), clean(o.Why))
	}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// drillOrderCommand makes the command of an order about a drill that waits for nothing.
func drillOrderCommand(verb, short string, more func(c *cobra.Command, f *drillFlags)) *cobra.Command {
	var f drillFlags
	c := &cobra.Command{Use: verb + " DRILL", Short: short, Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	f.asking(c)
	more(c, &f)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if f.start != "" {
			var err error
			if f.body.Start, err = time.Parse(time.RFC3339, f.start); err != nil {
				return usage("--start: got %q, want 2026-03-01T07:00:00Z", clean(f.start))
			}
		}
		cl, v, err := f.give(cmd, r, verb, args[0])
		if err != nil {
			return err
		}
		if cl.output != "json" {
			newScreen(cmd.OutOrStdout()).line("%s: %s", clean(v.Name), clean(v.Says))
		}
		return nil
	}
	return c
}

func (f *drillFlags) asking(c *cobra.Command) {
	c.Flags().StringVar(&f.body.Reason, "reason", "", "why, for the journal")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask for the name of the drill")
	c.Flags().StringVar(&f.key, "idempotency-key", "", "the same key with the same run is the same order (default: a fresh one)")
}

// give asks for the drill's name and sends the order.
func (f *drillFlags) give(cmd *cobra.Command, r *remote, verb, name string) (*client, drill.View, error) {
	var v drill.View
	cl, err := r.dial()
	if err != nil {
		return nil, v, err
	}
	if !f.yes {
		in := cmd.InOrStdin()
		if cl.output == "json" || (!terminal(in) && isStdin(in)) {
			return nil, v, usage("nobody can be asked here: add --yes")
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Type %s to %s it: ", clean(name), verb)
		text, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
		if (err != nil && text == "") || strings.TrimSpace(text) != name {
			return nil, v, &exitError{exitFailed, errors.New("that is not its name; nothing was ordered")}
		}
	}
	got, err := cl.post(cmd.Context(), drillPath(name)+"/"+verb, f.body, &v, firstOf(f.key, newKey()))
	if err != nil {
		return nil, v, wrongOrRefused(err)
	}
	if cl.output == "json" && (verb != "run" || f.noWait) {
		return cl, v, newScreen(cmd.OutOrStdout()).json(got.body)
	}
	return cl, v, nil
}

func drillRunCommand() *cobra.Command {
	var f drillFlags
	c := &cobra.Command{
		Use:   "run DRILL",
		Short: "Run a configured drill now and follow it to its end; exit 0 passed, 1 failed, 3 refused",
		Long: `Run a configured drill now and follow it to its end.

Every check is asked first. What is away goes home at the drill's limit by itself,
whether this command, this machine or the calendar lives or not.

Exit codes: 0 passed; 3 refused by a check or a guard; 1 for every other ending.`,
		Example: `  erfailover drill run monthly-east --accelerate --report drill.html`,
		Args:    wantArgs(1, 1),
	}
	r := remoteFlags(c)
	f.asking(c)
	c.Flags().BoolVar(&f.body.Accelerate, "accelerate", false, "no notice, and a hold of a minute at most: to see a drill whole; its report says so")
	c.Flags().DurationVar(&f.in, "in", 0, "notice until the start")
	c.Flags().StringSliceVar(&f.body.Overrides, "override", nil, "codes of the calendar's own checks to go past: drill-hours, drill-blackout, drill-calendar, drill-signal, drill-last")
	c.Flags().StringVar(&f.report, "report", "", "write the report to this file at the end: .html, .md or .json")
	c.Flags().BoolVar(&f.noWait, "no-wait", false, "do not follow it to its end")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		f.body.InMS = f.in.Milliseconds()
		cl, v, err := f.give(cmd, r, "run", args[0])
		if err != nil || f.noWait {
			return err
		}
		return followDrill(cmd.Context(), cl, v, f.report, newScreen(cmd.OutOrStdout()))
	}
	return c
}

// followEvery is the pace at which a run is looked at.
const followEvery = time.Second

// followDrill tells what a run does until it has ended.
func followDrill(ctx context.Context, cl *client, v drill.View, report string, s screen) error {
	said := ""
	for {
		if v.Says != said && cl.output != "json" {
			said = v.Says
			s.line("%s  %-9s  %s", time.Now().UTC().Format("15:04:05Z"), v.Phase, clean(v.Says))
		}
		if v.Run == nil { // what was ordered has ended
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no longer followed; it goes on: erfailover drill show %s", clean(v.Name))
		case <-time.After(followEvery):
		}
		var next drill.View
		if _, err := cl.look(ctx, drillPath(v.Name), &next); err != nil {
			continue // the link is bad; it is looked at again
		}
		v = next
	}
	return toldEnd(ctx, cl, v, report, s)
}

// toldEnd tells how a run ended and maps it to the exit code.
func toldEnd(ctx context.Context, cl *client, v drill.View, report string, s screen) error {
	o := v.Last
	if o == nil {
		return fmt.Errorf("drill %s has no run that ended", clean(v.Name))
	}
	if report != "" {
		if err := saveDrillReport(ctx, cl, v.Name, o.ID, report, s); err != nil {
			return err
		}
	}
	if cl.output == "json" {
		got, err := cl.call(ctx, "GET", drillPath(v.Name)+"/report?run="+url.QueryEscape(o.ID), nil, nil)
		if err != nil {
			return wrongOrRefused(err)
		}
		if err := s.json(got.body); err != nil {
			return err
		}
	} else {
		text := strings.ToUpper(string(o.Result))
		if o.RecoveryMS > 0 {
			text += fmt.Sprintf(", recovery %s", ms(o.RecoveryMS).Round(time.Second))
		}
		s.line("%s  %s %s", s.paint(resultColour(o.Result), text), clean(o.ID), clean(o.Why))
		if says := o.Weights.Says(); says != "" {
			s.line("%s", says)
		}
	}
	switch o.Result {
	case drill.Passed:
		return nil
	case drill.Refused:
		return &exitError{exitRefused, fmt.Errorf("refused: %s", clean(o.Why))}
	case drill.Failed, drill.Aborted, drill.Overtaken, drill.Stopped, drill.Cancelled:
	}
	return &exitError{exitFailed, fmt.Errorf("%s: %s", o.Result, clean(o.Why))}
}

// saveDrillReport writes the report of a run to a file, in the form that its name asks
// for.
func saveDrillReport(ctx context.Context, cl *client, name, run, file string, s screen) error {
	q := url.Values{"format": {formatOf(file)}}
	if run != "" {
		q.Set("run", run)
	}
	got, err := cl.call(ctx, "GET", drillPath(name)+"/report?"+q.Encode(), nil, nil)
	if err != nil {
		return wrongOrRefused(err)
	}
	if err := os.WriteFile(file, got.body, 0o644); err != nil {
		return err
	}
	if cl.output != "json" {
		s.line("%s: the report", clean(file))
	}
	return nil
}
