// Package cli holds the commands: it is the one place that sees every part, and
// wires them together.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"erfailover/failover/fault"
)

// Exit codes, a contract with scripts.
const (
	exitDone    = 0 // done
	exitFailed  = 1 // failed
	exitUsage   = 2 // wrong use: an unknown flag, an unusable configuration
	exitRefused = 3 // a guard said no
	exitWaiting = 4 // waits for approval
)

// Assets are the root files that are built into the program.
type Assets struct {
	Manifest []byte // function.json: the manifest of all functions
	Host     []byte // host.json
}

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Main runs one command line and returns the exit code.
func Main(assets Assets, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(assets)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "erfailover:", err)
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintln(stderr, "what to do:", h)
	}
	return exitCode(err)
}

// exitCode maps an error to the exit code of the contract.
func exitCode(err error) int {
	var e *exitError
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, fault.Refused):
		return exitRefused
	}
	return exitFailed
}

// Commands returns the tree of commands, so that tests can hold what is written
// about them against what there is. Main is what runs one.
func Commands() *cobra.Command { return newRoot(Assets{}) }

func newRoot(assets Assets) *cobra.Command {
	root := &cobra.Command{
		Use:   "erfailover",
		Short: "ExpressRoute failover that an on-call engineer can trust",
		Long: `erfailover watches ExpressRoute circuits, moves traffic off a bad one by raising
routing weights, proves that it moved, and brings it home when home is healthy.

  erfailover demo       see all of it on a simulated estate, no account needed`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q", clean(args[0]))
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return &exitError{exitUsage, errors.New(text)}
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	root.AddCommand(demoCommand(assets), handlerCommand(), serveCommand(), checkCommand(), configCommand(), discoverCommand(), journalCommand(), notifyCommand(), packageCommand(), replayCommand(), reportCommand(), sbomCommand(), simCommand(), versionCommand())
	root.AddCommand(lookCommands()...)
	root.AddCommand(orderCommands()...)
	return root
}
