package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// lookCommands are the commands that only read.
func lookCommands() []*cobra.Command {
	return []*cobra.Command{statusCommand(), explainCommand(), readinessCommand(), shadowCommand(), alarmsCommand(), historyCommand(), operationCommand(), breakGlassCommand()}
}

// groupArgs completes the names of groups from the API.
func groupArgs(r *remote) func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := r.dial()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		var st report.Status
		if _, err := c.get(ctx, "/status", &st); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, g := range st.Groups {
			names = append(names, clean(g.Name))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// groupPath returns the path of a group.
func groupPath(group string) string { return "/groups/" + url.PathEscape(group) }

func statusCommand() *cobra.Command {
	var watch bool
	var every time.Duration
	c := &cobra.Command{Use: "status [GROUP]", Short: "What is wrong, where traffic flows, what the automation does or waits for", Args: wantArgs(0, 1)}
	r := remoteFlags(c)
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it anew whenever it changes, until interrupted; goes on over a bad link")
	c.Flags().DurationVar(&every, "interval", 2*time.Second, "how often --watch asks")
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := r.dial()
		if err != nil {
			return err
		}
		only := ""
		if len(args) > 0 {
			only = args[0]
		}
		if watch {
			return watchStatus(cmd.Context(), cl, newScreen(cmd.OutOrStdout()), only, max(every, 200*time.Millisecond))
		}
		var st report.Status
		got, err := cl.get(cmd.Context(), "/status", &st)
		if err != nil {
			return err
		}
		return showStatus(newScreen(cmd.OutOrStdout()), cl, got, st, only)
	}
	return c
}

// watchStatus shows the status whenever it changes. Trouble on the way is said, and
// ends nothing.
func watchStatus(ctx context.Context, cl *client, s screen, only string, every time.Duration) error {
	tag, lost := "", time.Time{}
	for {
		head := http.Header{}
		if tag != "" {
			head.Set("If-None-Match", tag)
		}
		got, _, err := cl.once(ctx, http.MethodGet, "/status", nil, head)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !again(err):
			return err
		case err != nil:
			if lost.IsZero() {
				lost = time.Now()
			}
			s.line("%s", s.paint(red, fmt.Sprintf("STALE for %s: %s", time.Since(lost).Round(time.Second), clean(err.Error()))))
		default:
			if !lost.IsZero() {
				s.line("%s", s.paint(green, "the program answers again"))
				lost = time.Time{}
			}
			if got.status != http.StatusNotModified {
				var st report.Status
				if err := decode(got.body, &st); err != nil {
					return err
				}
				tag = got.etag
				if s.colour && cl.output == "table" {
					fmt.Fprint(s.w, "\x1b[H\x1b[2J")
				}
				if err := showStatus(s, cl, got, st, only); err != nil {
					return err
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// showStatus writes a status.
func showStatus(s screen, cl *client, got reply, st report.Status, only string) error {
	if cl.output == "json" {
		return s.json(got.body)
	}
	if st.Killed != nil {
		s.line("%s", s.paint(red, "KILL SWITCH set by "+clean(st.Killed.By)+" at "+stamp(st.Killed.At)+": nothing is written. "+clean(st.Killed.Reason)))
	}
	rows := [][]cell{{plainCell("GROUP"), plainCell("TRAFFIC ON"), plainCell("HOME"), plainCell("MODE"), plainCell("NOW")}}
	circuits := [][]cell{{plainCell("GROUP"), plainCell("CIRCUIT"), plainCell("STATE"), plainCell("SINCE"), plainCell("AGAINST"), plainCell("UNTIL")}}
	found := only == ""
	for _, g := range st.Groups {
		if only != "" && g.Name != only {
			continue
		}
		found = true
		on := cell{strings.Join(g.Active, ", "), green}
		if !g.AtHome {
			on.code = yellow
		}
		rows = append(rows, []cell{plainCell(g.Name), on, plainCell(strings.Join(g.Home, ", ")), plainCell(string(g.Mode)), doing(g, st.At)})
		for _, b := range g.Circuits {
			state := string(b.State)
			if state == "" {
				state = "unknown"
			}
			circuits = append(circuits, []cell{plainCell(g.Name), plainCell(b.Circuit), {state, stateColour(state)}, plainCell(stamp(b.Since)),
				plainCell(fmt.Sprintf("%d of %d", b.Observers, b.Needed)), plainCell(stamp(b.HoldUntil))})
		}
	}
	if !found {
		return usage("there is no group %q", clean(only))
	}
	s.table(rows)
	s.line("")
	s.table(circuits)
	showScheduled(s, st, only)
	s.line("\nat %s; why? erfailover explain GROUP", st.At.UTC().Format("2006-01-02 15:04:05Z"))
	return nil
}

// showScheduled writes the moves that were ordered for a time to come.
func showScheduled(s screen, st report.Status, only string) {
	rows := [][]cell{{plainCell("SCHEDULED"), plainCell("GROUP"), plainCell("ORDER"), plainCell("BY"), plainCell("TO CANCEL IT")}}
	for _, g := range st.Groups {
		if only != "" && g.Name != only {
			continue
		}
		for _, o := range g.Scheduled {
			rows = append(rows, []cell{{o.NotBefore.UTC().Format("2006-01-02 15:04:05Z"), yellow}, plainCell(g.Name),
				plainCell(strings.TrimSpace(string(o.Verb) + " " + firstOf(o.To, o.From))), plainCell(o.By), plainCell("erfailover cancel " + g.Name + " " + o.ID)})
		}
	}
	if len(rows) > 1 {
		s.line("")
		s.table(rows)
	}
}

// doing says what the automation does or waits for.
func doing(g report.GroupStatus, now time.Time) cell {
	switch {
	case g.Operation != nil && g.Operation.Status == record.AwaitingApproval:
		return cell{"WAITS FOR APPROVAL: " + string(g.Operation.Kind) + " to " + strings.Join(g.Operation.To, ", ") + ", " + g.Operation.ID + ", until " + stamp(g.Operation.Expires), yellow}
	case g.Operation != nil:
		done := 0
		for _, st := range g.Operation.Steps {
			if !st.DoneAt.IsZero() {
				done++
			}
		}
		return cell{fmt.Sprintf("%s to %s: %s, %d of %d writes done, %s", g.Operation.Kind, strings.Join(g.Operation.To, ", "), g.Operation.Status, done, len(g.Operation.Steps), g.Operation.ID), yellow}
	case len(g.Levers) > 0:
		return cell{"LEVER: " + g.Levers[0].Text(), yellow}
	case g.Paused.Holds(now):
		return cell{"paused by " + g.Paused.By + ": " + g.Paused.Reason, yellow}
	case len(g.Verdict.From) > 0 && g.Verdict.Action == "hold":
		return cell{"HOLDS: " + strings.Join(g.Verdict.Codes(), ", "), red}
	}
	return cell{strings.Join(g.Verdict.Codes(), ", "), ""}
}

// stamp renders an instant; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05Z")
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{Use: "explain GROUP", Short: "Why it did not fail over, or why it did: every guard, what would change it, and when", Args: wantArgs(1, 1)}
	r := remoteFlags(c)
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var e report.Explanation
		return show(cmd, r, groupPath(args[0])+"/explain", &e, func(s screen) { s.line("%s", strings.TrimRight(cleanLines(e.Text()), "\n")) })
	}
	return c
}

// show reads a path and writes it as JSON or by text.
func show(cmd *cobra.Command, r *remote, path string, v any, text func(s screen)) error {
	cl, err := r.dial()
	if err != nil {
		return err
	}
	got, err := cl.get(cmd.Context(), path, v)
	if err != nil {
		return wrongOrRefused(err)
	}
	s := newScreen(cmd.OutOrStdout())
	if cl.output == "json" {
		return s.json(got.body)
	}
	text(s)
	return nil
}

func readinessCommand() *cobra.Command {
	c := &cobra.Command{Use: "readiness", Short: "Which groups could fail over now, and how ready each is, of 100, with what was taken off; exit 1 when one could not", Args: wantArgs(0, 0)}
	r := remoteFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var v report.Readiness
		err := show(cmd, r, "/readiness", &v, func(s screen) {
			rows := [][]cell{{plainCell("GROUP"), plainCell("CHECK"), plainCell("OK"), plainCell("WHAT WAS FOUND")}}
			for _, g := range v.Groups {
				for _, k := range g.Checks {
					ok := cell{"yes", green}
					if !k.OK {
						ok = cell{"NO", red}
					}
					rows = append(rows, []cell{plainCell(g.Group), plainCell(k.Name), ok, plainCell(k.Text)})
				}
			}
			s.table(rows)
			if v.Score != nil {
				s.line("\n%s", strings.TrimRight(cleanLines(v.Text()), "\n"))
			}
		})
		if err == nil && !v.Ready {
			return &exitError{exitFailed, fmt.Errorf("not every group could fail over now")}
		}
		return err
	}
	return c
}

func historyCommand() *cobra.Command {
	var limit int
	var before uint64
	var stream string
	var stats bool
	c := &cobra.Command{Use: "history [GROUP]", Short: "What was decided, refused and done: the journal, newest first", Args: wantArgs(0, 1)}
	r := remoteFlags(c)
	c.Flags().IntVarP(&limit, "limit", "n", 30, "entries, 1 to 200")
	c.Flags().Uint64Var(&before, "before", 0, "entries before this number")
	c.Flags().BoolVar(&stats, "stats", false, "instead: p50 and p95 of every stage of the recoveries, and the trend by drill age")
	c.Flags().StringVar(&stream, "stream", "", "estate, group.NAME or circuit.NAME instead of a group")
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if stats {
			var st report.Statistics
			return show(cmd, r, "/statistics"+ofGroup(args), &st, func(s screen) { s.line("%s", strings.TrimRight(cleanLines(st.Text()), "\n")) })
		}
		name := firstOf(stream, "estate")
		if len(args) > 0 {
			if stream != "" {
				return usage("name a group or a --stream, not both")
			}
			name = "group." + args[0]
		}
		q := url.Values{"stream": {name}, "limit": {strconv.Itoa(limit)}}
		if before > 0 {
			q.Set("before", strconv.FormatUint(before, 10))
		}
		var page handlers.Page
		return show(cmd, r, "/journal?"+q.Encode(), &page, func(s screen) {
			rows := [][]cell{{plainCell("NO"), plainCell("AT"), plainCell("CODE"), plainCell("BY"), plainCell("WHAT")}}
			for _, e := range page.Entries {
				rows = append(rows, []cell{plainCell(strconv.FormatUint(e.Seq, 10)), plainCell(e.At.UTC().Format("2006-01-02 15:04:05Z")), plainCell(e.Code), plainCell(e.Actor), plainCell(e.Text)})
			}
			s.table(rows)
			if page.Next > 0 {
				s.line("older: --before %d", page.Next)
			}
		})
	}
	return c
}
