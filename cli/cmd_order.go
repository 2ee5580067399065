package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/record"
	"erfailover/failover/report"
)

// orderFlags are what a person may say in an order.
type orderFlags struct {
	to        string
	from      string
	lever     string
	link      string
	makeHome  bool
	overrides []string
	breakIt   bool
	reason    string
	plan      string
	span      time.Duration
	at        string
	yes       bool
	noWait    bool
	key       string
}

// body is the order as the API takes it.
type body struct {
	Verb      string    `json:"verb,omitzero"` // in a plan only
	To        string    `json:"to,omitzero"`
	From      string    `json:"from,omitzero"`
	Lever     string    `json:"lever,omitzero"`
	Link      string    `json:"link,omitzero"`
	MakeHome  bool      `json:"make_home,omitzero"`
	Operation string    `json:"operation,omitzero"`
	Plan      string    `json:"plan,omitzero"`
	Reason    string    `json:"reason,omitzero"`
	Overrides []string  `json:"overrides,omitempty"`
	Break     bool      `json:"break,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
}

func (o orderFlags) body() body {
	return body{To: o.to, From: o.from, Lever: o.lever, Link: o.link, MakeHome: o.makeHome, Reason: o.reason, Overrides: o.overrides, Break: o.breakIt, Plan: o.plan}
}

// moving adds the flags of the orders that move traffic.
func (o *orderFlags) moving(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.to, "to", "", "the circuit to move to (default: the policy chooses)")
	f.StringSliceVar(&o.overrides, "override", nil, "guards to override, by name, for this one operation; explain names them")
	f.BoolVar(&o.breakIt, "break", false, "break-glass: may override last-path too; needs --reason")
}

// levers adds the flags of the orders that may cut a path instead of moving weights.
func (o *orderFlags) levers(c *cobra.Command, names string) {
	f := c.Flags()
	f.StringVar(&o.lever, "lever", "", "pull this lever instead of moving weights: "+names)
	f.StringVar(&o.from, "cut", "", "with --lever: the circuit to cut (default: the first that carries)")
}

// later adds the flag of the orders that may be given for a time to come.
func (o *orderFlags) later(c *cobra.Command) {
	c.Flags().StringVar(&o.at, "at", "", "not now but then, by the guards of then: "+wantWhen)
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
	failover := groupOrder("failover", "failover GROUP", "The circuit is bad: move away from it", true, func(c *cobra.Command, o *orderFlags) {
		o.levers(c, "disconnect, peering")
	})
	drill := groupOrder("drill", "drill GROUP", "Rehearse a failover; failback ends it, and so does its deadline. For configured drills: drill list, show, run, stop, cancel", true, func(c *cobra.Command, o *orderFlags) {
		o.levers(c, "disconnect, link")
		c.Flags().StringVar(&o.link, "link", "", "with --lever link: the link to cut, primary or secondary")
		c.Flags().DurationVar(&o.span, "limit", 0, "it is undone after this")
	})
	drill.AddCommand(drillCommands()...)
	return []*cobra.Command{
		planCommand(), failover, switchover, move("failback", "Move home, and put back what a lever cut"),
		drill,
		evacuateCommand(),
		groupOrder("pause", "pause GROUP", "No automatic decision for this group", false, span("for", "how long; 0: until resumed")),
		groupOrder("resume", "resume GROUP", "End a pause", false, nil),
		groupOrder("acknowledge", "ack GROUP", "The last move was seen; lifts the cool-down", false, nil),
		waitingOrder("approve", "Let an operation that waits run", true), waitingOrder("cancel", "End an operation that waits for approval, or a scheduled move", false),
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
		if verb != "failover" {
			o.later(c)
		}
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
	o.later(c)
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
	if !plan {
		c.Use = verb + " GROUP [OPERATION|SCHEDULED]"
	}
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
		}
		if b.Operation == "" || (plan && b.Plan == "") {
			if err := lookUpWaiting(cmd, r, args[0], plan, &b); err != nil {
				return err
			}
		}
		g := giver{cmd: cmd, flags: o, verb: verb, group: args[0]}
		return g.run(r, groupPath(args[0])+"/"+verb, b)
	}
	return c
}

// lookUpWaiting finds and shows the operation that waits in a group, and names it and
// its plan in an order. Nothing is approved that was not shown, or named whole.
func lookUpWaiting(cmd *cobra.Command, r *remote, group string, plan bool, b *body) error {
	cl, err := r.dial()
	if err != nil {
		return err
	}
	var g report.GroupStatus
	if _, err := cl.get(cmd.Context(), groupPath(group), &g); err != nil {
		return wrongOrRefused(err)
	}
	op := g.Operation
	if op == nil || op.Status != record.AwaitingApproval || (b.Operation != "" && b.Operation != op.ID) {
		hint := ""
		if !plan && len(g.Scheduled) > 0 {
			hint = "; scheduled: " + g.Scheduled[0].ID + " (" + string(g.Scheduled[0].Verb) + " at " + g.Scheduled[0].NotBefore.UTC().Format(time.RFC3339) + ")"
		}
		return &exitError{exitRefused, fmt.Errorf("nothing waits for approval in %s%s", clean(group), clean(hint))}
	}
	b.Operation = op.ID
	if plan && b.Plan == "" {
		b.Plan = op.Plan
	}
	if cl.output == "table" {
		showOperation(newScreen(cmd.ErrOrStderr()), *op)
	}
	return nil
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
