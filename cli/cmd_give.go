package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/report"
	"erfailover/handlers"
)

// giver gives one order.
type giver struct {
	cmd     *cobra.Command
	flags   orderFlags
	verb    string
	group   string
	confirm string // what has to be typed; "" for the group
	moves   bool   // it has a plan to show first
}

// run shows what the order will do, asks, gives it, and follows its operation.
func (g giver) run(r *remote, path string, b body) error {
	cl, err := r.dial()
	if err != nil {
		return err
	}
	ctx := g.cmd.Context()
	if err := g.flags.timed(ctx, cl, &b); err != nil {
		return err
	}
	if !g.flags.yes {
		if err := g.ask(ctx, cl, b); err != nil {
			return err
		}
	}
	key := firstOf(g.flags.key, newKey())
	var out handlers.Outcome
	got, err := cl.post(ctx, path, b, &out, key)
	s := newScreen(g.cmd.OutOrStdout())
	if err != nil {
		var p *refusal
		if errors.As(err, &p) && cl.output == "json" {
			_ = s.json(p.raw) // the error itself is said below
		}
		return wrongOrRefused(err)
	}
	if out, err = g.judged(ctx, cl, out); err != nil {
		return wrongOrRefused(err)
	}
	follow := out.State == handlers.Begun && out.Operation != "" && !g.flags.noWait && (g.moves || g.verb == "approve")
	if cl.output == "json" && !follow {
		if err := s.json(got.body); err != nil {
			return err
		}
	} else if cl.output != "json" {
		s.line("%s: %s %s", clean(g.verb), clean(out.Answer), clean(out.Operation))
	}
	if len(out.Groups) > 0 {
		return everyGroup(s, cl, out)
	}
	switch {
	case out.State == handlers.Waits:
		return &exitError{exitWaiting, fmt.Errorf("operation %s waits for approval: erfailover approve %s", clean(out.Operation), clean(g.group))}
	case out.State == handlers.Refused:
		return &exitError{exitRefused, errors.New(clean(out.Answer))}
	case follow:
		return followOperation(ctx, cl, s, out.Operation)
	}
	return nil
}

// everyGroup writes what an order for the whole estate became in each group. A group
// that had nothing to move has refused nothing.
func everyGroup(s screen, cl *client, out handlers.Outcome) error {
	var waits, refused []string
	for _, g := range out.Groups {
		if cl.output != "json" {
			s.line("  %s: %s %s", clean(g.Group), clean(g.Answer), clean(g.Operation))
		}
		switch {
		case g.State == handlers.Waits:
			waits = append(waits, clean(g.Group))
		case g.State == handlers.Refused && !slices.Equal(g.Codes, []string{"already-there"}):
			refused = append(refused, clean(g.Group))
		}
	}
	switch {
	case len(refused) > 0:
		return &exitError{exitRefused, fmt.Errorf("refused in %s", strings.Join(refused, ", "))}
	case len(waits) > 0:
		return &exitError{exitWaiting, fmt.Errorf("waits for approval in %s", strings.Join(waits, ", "))}
	}
	return nil
}

// judged waits for the answer to an order that was accepted and not judged yet.
func (g giver) judged(ctx context.Context, cl *client, out handlers.Outcome) (handlers.Outcome, error) {
	if out.Group == "" {
		return out, nil
	}
	for range 30 {
		if out.State != handlers.Accepted {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(time.Second):
		}
		if _, err := cl.get(ctx, groupPath(out.Group)+"/orders/"+out.Order, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// ask shows the plan and asks for the name of the group.
func (g giver) ask(ctx context.Context, cl *client, b body) error {
	in, w := g.cmd.InOrStdin(), g.cmd.ErrOrStderr()
	if cl.output == "json" || (!terminal(in) && isStdin(in)) {
		return usage("nobody can be asked here: add --yes")
	}
	if g.moves {
		at := b.NotBefore
		b.Verb, b.Until, b.NotBefore = g.verb, time.Time{}, time.Time{}
		var p report.Planned
		if _, err := cl.post(ctx, groupPath(g.group)+"/plan", b, &p, ""); err != nil {
			return wrongOrRefused(err)
		}
		showPlan(newScreen(w), p)
		if !at.IsZero() {
			fmt.Fprintf(w, "\nThis is how it would go now. It is judged anew, by every guard, at %s.\n", at.Format("2006-01-02 15:04:05Z"))
		} else if p.Would == report.WouldRefuse {
			return &exitError{exitRefused, errors.New("a guard says no; nothing was ordered")}
		}
	}
	want := firstOf(g.confirm, g.group)
	fmt.Fprintf(w, "\nType %s to order this %s: ", clean(want), g.verb)
	text, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
	if err != nil && text == "" {
		return usage("nobody answered: add --yes to order without being asked")
	}
	if strings.TrimSpace(text) != want {
		return &exitError{exitFailed, errors.New("that is not the name; nothing was ordered")}
	}
	return nil
}

// wrongOrRefused gives a problem its exit code.
func wrongOrRefused(err error) error {
	var p *refusal
	if !errors.As(err, &p) {
		return err
	}
	switch p.Status {
	case 409:
		return &exitError{exitRefused, p}
	case 400, 404, 413, 415, 422:
		return &exitError{exitUsage, p}
	}
	return p
}
