package cli

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"erfailover/failover/shadow"
)

// ofGroup returns the query that asks about one group, or "".
func ofGroup(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return "?" + url.Values{"group": {args[0]}}.Encode()
}

func shadowCommand() *cobra.Command {
	c := &cobra.Command{Use: "shadow [GROUP]", Short: "What past decisions were worth: moves that were made or held, graded by what the circuits then did, and the regret of every guard", Args: wantArgs(0, 1)}
	r := remoteFlags(c)
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var v shadow.Report
		return show(cmd, r, "/shadow"+ofGroup(args), &v, func(s screen) { s.line("%s", strings.TrimRight(cleanLines(v.Text()), "\n")) })
	}
	return c
}

func alarmsCommand() *cobra.Command {
	c := &cobra.Command{Use: "alarms [GROUP]", Short: "Who raised the alarm: which observer was first, late, wrong or silent in each incident", Args: wantArgs(0, 1)}
	r := remoteFlags(c)
	c.ValidArgsFunction = groupArgs(r)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		var v shadow.Quality
		return show(cmd, r, "/alarms"+ofGroup(args), &v, func(s screen) { s.line("%s", strings.TrimRight(cleanLines(v.Text()), "\n")) })
	}
	return c
}
