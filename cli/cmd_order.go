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

	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// orderFlags are what a person may say in an order.
type orderFlags struct {
	to        string
	from      string
	makeHome  bool
	overrides []string
	breakIt   bool
	reason    string
	plan      string
	span      time.Duration
	yes       bool
	noWait    bool
	key       string
}

// body is the order as the API takes it.
type body struct {
	Verb      string    `json:"verb,omitzero"` // in a plan only
	To        string    `json:"to,omitzero"`
	From      string    `json:"from,omitzero"`
	MakeHome  bool      `json:"make_home,omitzero"`
	Operation string    `json:"operation,omitzero"`
	Plan      string    `json:"plan,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	Overrides []string  `json:"overrides,omitempty"`
	Break     bool      `json:"break,omitzero"`
	Until     time.Time `json:"until,omitzero"`
}

func (o orderFlags) body() body {
	b := body{To: o.to, From: o.from, MakeHome: o.makeHome, Reason: o.reason, Overrides: o.overrides, Break: o.breakIt, Plan: o.plan}
	if o.span > 0 {
		b.Until = time.Now().Add(o.span).UTC().Truncate(time.Second)
	}
	return b
}

// moving adds the flags of the orders that move traffic.
func (o *orderFlags) moving(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.to, "to", "", "the circuit to move to (default: the policy chooses)")
	f.StringSliceVar(&o.overrides, "override", nil, "guards to override, by name, for this one operation; explain names them")
	f.BoolVar(&o.breakIt, "break", false, "break-glass: may override last-path too; needs --reason")
}

// asking adds the flags that every order has.
func (o *orderFlags) asking(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.reason, "reason", "", "why, for the journal")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask for the name of the group")
	f.StringVar(&o.key, "idempotency-key", "", "the same key with the same order is the same order for 24 hours (default: a fresh one)")
}

// orderCommands are the commands that give orders.
func orderCommands() []*cobra.Command {
	move := func(verb, short string) *cobra.Command { return groupOrder(verb, verb+" GROUP", short, true, nil) }
	span := func(name, about string) func(c *cobra.Command, o *orderFlags) {
		return func(c *cobra.Command, o *orderFlags) { c.Flags().DurationVar(&o.span, name, 0, about) }
	}
	switchover := groupOrder("switchover", "switchover GROUP", "Move as planned work; every guard applies", true, func(c *cobra.Command, o *orderFlags) {
		c.Flags().BoolVar(&o.makeHome, "make-home", false, "the new circuit becomes home for good")
	})
	return []*cobra.Command{
		planCommand(), move("failover", "The circuit is bad: move away from it"), switchover, move("failback", "Move home"),
		groupOrder("drill", "drill GROUP", "Rehearse a failover; failback ends it, and so does its deadline", true, span("limit", "it is undone after this")),
		evacuateCommand(),
		groupOrder("pause", "pause GROUP", "No automatic decision for this group", false, span("for", "how long; 0: until resumed")),
		groupOrder("resume", "resume GROUP", "End a pause", false, nil),
		groupOrder("acknowledge", "ack GROUP", "The last move was seen; lifts the cool-down", false, nil),
		waitingOrder("approve", "Let an operation that waits run", true), waitingOrder("cancel", "End an operation that waits for approval", false),
		estateOrder("kill", "stop", "Kill switch: no write anywhere in the estate", span("for", "how long; 0: until started")),
		estateOrder("unkill", "start", "Lift the kill switch", nil),
	}
}

// groupOrder makes the command of an order for one group.
func groupOrder(verb, use, short string, moves bool, more func(c *cobra.Command, o *orderFlags)) *cobra.Command {
	var o orderFlags
	c := &cobra.Command{Use: use, Short: short, Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	o.asking(c)
	if moves {
		o.moving(c)
		c.Flags().BoolVar(&o.noWait, "no-wait", false, "do not follow the operation to its end")
	}
	if more != nil {
		more(c, &o)
	}
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		g := giver{cmd: cmd, flags: o, verb: verb, group: args[0], moves: moves}
		return g.run(r, groupPath(args[0])+"/"+verb, o.body())
	}
	return c
}

// evacuateCommand leaves a location or provider, in one group or in all.
func evacuateCommand() *cobra.Command {
	var o orderFlags
	var group string
	c := &cobra.Command{Use: "evacuate LOCATION|PROVIDER", Short: "Move every group, or one, off a peering location or a provider", Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	o.asking(c)
	o.moving(c)
	c.Flags().StringVar(&group, "group", "", "this group only")
	c.Flags().BoolVar(&o.noWait, "no-wait", false, "do not follow the operation to its end")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o.from = args[0]
		g := giver{cmd: cmd, flags: o, verb: "evacuate", group: group, moves: group != "", confirm: firstOf(group, args[0])}
		path := "/evacuate"
		if group != "" {
			path = groupPath(group) + "/evacuate"
		}
		return g.run(r, path, o.body())
	}
	return c
}

// waitingOrder makes approve and cancel: without an operation, the one that waits is
// looked up and shown.
func waitingOrder(verb, short string, plan bool) *cobra.Command {
	var o orderFlags
	c := &cobra.Command{Use: verb + " GROUP [OPERATION]", Short: short, Args: wantArgs(1, 2)}
	r := remoteFlags(c)
	o.asking(c)
	if plan {
		c.Flags().StringVar(&o.plan, "plan", "", "the plan that was read; another one that waits is refused")
		c.Flags().BoolVar(&o.noWait, "no-wait", false, "do not follow the operation to its end")
	}
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		b := o.body()
		if len(args) > 1 {
			b.Operation = args[1]
		} else {
			cl, err := r.dial()
			if err != nil {
				return err
			}
			var g report.GroupStatus
			if _, err := cl.get(cmd.Context(), groupPath(args[0]), &g); err != nil {
				return err
			}
			if g.Operation == nil || g.Operation.Status != record.AwaitingApproval {
				return &exitError{exitRefused, fmt.Errorf("nothing waits for approval in %s", clean(args[0]))}
			}
			b.Operation = g.Operation.ID
			if plan && b.Plan == "" {
				b.Plan = g.Operation.Plan
			}
			if cl.output == "table" {
				showOperation(newScreen(cmd.ErrOrStderr()), *g.Operation)
			}
		}
		g := giver{cmd: cmd, flags: o, verb: verb, group: args[0]}
		return g.run(r, groupPath(args[0])+"/"+verb, b)
	}
	return c
}

// estateOrder makes stop and start.
func estateOrder(verb, use, short string, more func(c *cobra.Command, o *orderFlags)) *cobra.Command {
	var o orderFlags
	c := &cobra.Command{Use: use, Short: short, Args: wantArgs(0, 0)}
	r := remoteFlags(c)
	o.asking(c)
	if more != nil {
		more(c, &o)
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		g := giver{cmd: cmd, flags: o, verb: verb, confirm: use}
		return g.run(r, "/"+verb, o.body())
	}
	return c
}

// planCommand shows what an order would do.
func planCommand() *cobra.Command {
	var o orderFlags
	c := &cobra.Command{Use: "plan GROUP [failover|switchover|failback|evacuate|drill]", Short: "What an order would write now, without writing it; without an order: the automation's own judgement",
		Args: wantArgs(1, 2)}
	r := remoteFlags(c)
	o.moving(c)
	c.Flags().StringVar(&o.from, "from", "", "evacuate: the peering location or provider")
	c.Flags().BoolVar(&o.makeHome, "make-home", false, "switchover: the new circuit becomes home for good")
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := r.dial()
		if err != nil {
			return err
		}
		b := o.body()
		b.Plan = ""
		if b.Break {
			b.Reason = "plan"
		}
		if len(args) > 1 {
			b.Verb = args[1]
		}
		var p report.Planned
		got, err := cl.post(cmd.Context(), groupPath(args[0])+"/plan", b, &p, "")
		if err != nil {
			return wrongOrRefused(err)
		}
		s := newScreen(cmd.OutOrStdout())
		if cl.output == "json" {
			err = s.json(got.body)
		} else {
			showPlan(s, p)
		}
		if err == nil && p.Would == report.WouldRefuse {
			return &exitError{exitRefused, errors.New("it would be refused")}
		}
		return err
	}
	return c
}

// showPlan writes a dry run.
func showPlan(s screen, p report.Planned) {
	s.line("%s", clean(p.Explanation.Answer))
	if p.Would == report.WouldRefuse {
		for _, g := range p.Explanation.Guards {
			if g.Answer == report.Held {
				s.line("  %s %s", s.paint(red, clean(string(g.Code))+":"), clean(g.Text))
				s.line("      to change this, %s", clean(g.Lift))
			}
		}
		return
	}
	if len(p.Plan.Steps) == 0 {
		return
	}
	rows := [][]cell{{plainCell("CONNECTION"), plainCell("CIRCUIT"), plainCell("WEIGHT NOW"), plainCell("TO")}}
	for _, st := range p.Plan.Steps {
		rows = append(rows, []cell{plainCell(st.Connection[strings.LastIndexByte(st.Connection, '/')+1:]), plainCell(st.Circuit), plainCell(fmt.Sprint(st.From.Weight)), {fmt.Sprint(st.To.Weight), bold}})
	}
	s.table(rows)
	s.line("plan %s, epoch %d, %d writes", clean(p.Plan.ID), p.Plan.Epoch, len(p.Plan.Steps))
}

// wantArgs bounds the number of arguments; wrong use has an exit code of its own.
func wantArgs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch n := len(args); {
		case n < least:
			return usage("%d arguments are missing; see %s --help", least-n, cmd.CommandPath())
		case n > most:
			return usage("got %q, which is too much; see %s --help", args[most], cmd.CommandPath())
		}
		return nil
	}
}

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
		b.Verb, b.Until = g.verb, time.Time{}
		var p report.Planned
		if _, err := cl.post(ctx, groupPath(g.group)+"/plan", b, &p, ""); err != nil {
			return wrongOrRefused(err)
		}
		showPlan(newScreen(w), p)
		if p.Would == report.WouldRefuse {
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
