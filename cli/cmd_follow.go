package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// lostLimit is how long a lost connection is waited for while an operation is
// followed. The operation itself goes on without us.
const lostLimit = 10 * time.Minute

// isStdin reports whether a stream is the process's own input.
func isStdin(in io.Reader) bool { return in == os.Stdin }

func operationCommand() *cobra.Command {
	var follow bool
	c := &cobra.Command{Use: "operation ID", Short: "One operation, step by step, with its recovery ledger", Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	c.Flags().BoolVarP(&follow, "watch", "w", false, "follow it to its end")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if follow {
			cl, err := r.dial()
			if err != nil {
				return err
			}
			return followOperation(cmd.Context(), cl, newScreen(cmd.OutOrStdout()), args[0])
		}
		var op report.Operation
		return show(cmd, r, "/operations/"+args[0], &op, func(s screen) { showOperation(s, op) })
	}
	return c
}

// showOperation writes an operation.
func showOperation(s screen, op report.Operation) {
	s.line("%s %s: %s from %s to %s, %s %s", clean(op.Group), clean(op.ID), op.Kind, clean(strings.Join(op.From, ", ")), clean(strings.Join(op.To, ", ")), op.Status, op.Result)
	s.line("plan %s, epoch %d%s", clean(op.Plan), op.Epoch, byWhom(op))
	for _, f := range op.Why {
		s.line("why: %s", clean(f.Text))
	}
	rows := [][]cell{{plainCell("CONNECTION"), plainCell("CIRCUIT"), plainCell("FROM"), plainCell("TO"), plainCell("STEP"), plainCell("TROUBLE")}}
	for _, st := range op.Steps {
		rows = append(rows, []cell{plainCell(st.Connection[strings.LastIndexByte(st.Connection, '/')+1:]), plainCell(st.Circuit), plainCell(fmt.Sprint(st.From)), plainCell(fmt.Sprint(st.To)),
			plainCell(string(st.Phase)), {strings.TrimSpace(st.Error + " " + st.Hint), red}})
	}
	s.table(rows)
	if len(op.Ledger.Stages) > 0 {
		s.line("\nwhere the time went")
		s.line("%s", strings.TrimRight(cleanLines(op.Ledger.Text()), "\n"))
	}
	for _, n := range op.Notes {
		s.line("note: %s", clean(n))
	}
}

func byWhom(op report.Operation) string {
	text := ""
	if op.By != "" {
		text += ", ordered by " + clean(op.By)
	}
	if len(op.Approved) > 0 {
		text += ", approved by " + clean(strings.Join(op.Approved, ", "))
	}
	if op.Status == record.AwaitingApproval {
		text += ", waits for approval until " + stampAfter(op.Begun, op.Expires)
	}
	return text
}

// stampAfter renders an instant that lies after another one; half a day and more after
// it, with its date.
func stampAfter(from, t time.Time) string {
	if t.Sub(from) < 12*time.Hour {
		return stamp(t)
	}
	return t.UTC().Format("Mon 2 Jan 15:04:05Z")
}

// followOperation writes what an operation does until it has ended. A lost
// connection is said and waited for.
func followOperation(ctx context.Context, cl *client, s screen, id string) error {
	said, lost := map[string]bool{}, time.Time{}
	say := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !said[text] && cl.output == "table" {
			said[text] = true
			s.line("%s  %s", time.Now().UTC().Format("15:04:05Z"), text)
		}
	}
	for {
		var op report.Operation
		got, err := cl.look(ctx, "/operations/"+id, &op)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("no longer followed; operation %s goes on: erfailover operation --watch %s", clean(id), clean(id))
		case err != nil && !again(err):
			return err
		case err != nil:
			if lost.IsZero() {
				lost = time.Now()
				say("%s", s.paint(red, "connection lost; the operation goes on without us, still trying"))
			}
			if time.Since(lost) > lostLimit {
				return err
			}
		default:
			lost = time.Time{}
			for _, st := range op.Steps {
				say("%s to %d: %s", clean(st.Connection[strings.LastIndexByte(st.Connection, '/')+1:]), st.To, st.Phase)
				if st.Error != "" {
					say("%s", s.paint(yellow, clean(st.Error+" "+st.Hint)))
				}
			}
			say("operation is %s", op.Status)
			if op.Status == record.Ended {
				return ended(cl, s, got, op)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// ended writes how an operation ended and makes the exit code of it.
func ended(cl *client, s screen, got reply, op report.Operation) error {
	if cl.output == "json" {
		if err := s.json(got.body); err != nil {
			return err
		}
	} else {
		colour := green
		if op.Result != record.Proven && op.Result != record.AppliedOK {
			colour = red
		}
		s.line("\n%s", s.paint(colour, strings.ToUpper(string(op.Result))))
		if len(op.Ledger.Stages) > 0 {
			s.line("%s", strings.TrimRight(cleanLines(op.Ledger.Text()), "\n"))
		}
		for _, n := range op.Notes {
			s.line("note: %s", clean(n))
		}
	}
	switch op.Result {
	case record.Proven, record.AppliedOK:
		return nil
	case record.FailedOp, record.Cancelled, record.Overtaken:
	}
	return &exitError{exitFailed, errors.New("the operation ended: " + clean(string(op.Result)))}
}

// breakGlassCommand prints the card.
func breakGlassCommand() *cobra.Command {
	var file, config string
	var every time.Duration
	c := &cobra.Command{Use: "break-glass", Short: "A card with the exact commands that move traffic by hand, for when this program is down",
		Long: `A card with the exact az commands that move traffic by hand, for the present state.

Keep one where it can be read while everything else is down: --keep FILE writes it
anew whenever the state changes. With --config it is made from the record itself, so
that it can be had while the program is down.`, Args: wantArgs(0, 0)}
	r := remoteFlags(c)
	c.Flags().StringVar(&file, "keep", "", "write it to this file whenever the state changes, until interrupted")
	c.Flags().DurationVar(&every, "interval", 15*time.Second, "how often --keep looks")
	c.Flags().StringVar(&config, "config", "", "make it from the record of this configuration, without the program")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if config != "" {
			return cardFromRecord(cmd, config, r.output)
		}
		if file == "" {
			var card report.Card
			return show(cmd, r, "/card", &card, func(s screen) { s.line("%s", strings.TrimRight(cleanLines(card.Text()), "\n")) })
		}
		cl, err := r.dial()
		if err != nil {
			return err
		}
		return keepCard(cmd.Context(), cl, newScreen(cmd.ErrOrStderr()), file, max(every, time.Second))
	}
	return c
}

// keepCard writes the card whenever it changes. Trouble keeps the last one.
func keepCard(ctx context.Context, cl *client, s screen, file string, every time.Duration) error {
	last := ""
	for {
		var card report.Card
		if _, err := cl.get(ctx, "/card", &card); err == nil {
			at := card.At
			card.At = time.Time{} // the state makes the card, not the hour
			text := card.Text()
			card.At = at
			if text != last {
				if err := replaceFile(file, cleanLines(card.Text())); err != nil {
					return err
				}
				last = text
				s.line("%s  card written to %s", time.Now().UTC().Format("15:04:05Z"), file)
			}
		} else if ctx.Err() == nil {
			s.line("%s  the last card is kept: %s", time.Now().UTC().Format("15:04:05Z"), clean(err.Error()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// replaceFile writes a file whole or not at all.
func replaceFile(name, text string) error {
	tmp := name + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// cardFromRecord makes the card from the record, while the program is down.
func cardFromRecord(cmd *cobra.Command, path, output string) error {
	cfg, err := readConfig(path, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	p, err := wire(cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	card, err := handlers.NewViews(p.engine).Card(cmd.Context())
	if err = errors.Join(err, p.close()); err != nil {
		return err
	}
	s := newScreen(cmd.OutOrStdout())
	if output == "json" {
		text, err := json.Marshal(card, json.Deterministic(true))
		if err != nil {
			return err
		}
		return s.json(text)
	}
	s.line("%s", strings.TrimRight(cleanLines(card.Text()), "\n"))
	return nil
}
