package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"erfailover/failover/contest"
)

// simCommand holds what runs on simulated time.
func simCommand() *cobra.Command {
	c := &cobra.Command{Use: "sim", Short: "Simulations, on virtual time"}
	c.AddCommand(compareCommand())
	return c
}

func compareCommand() *cobra.Command {
	var seed uint64
	var years int
	var only []string
	var svg string
	var asJSON, markdown bool
	c := &cobra.Command{
		Use: "compare", Short: "Failover policies head to head on the same simulated years", Args: wantArgs(0, 0),
		Long: `compare lets this program's policy, three rivals written from their described rules, and
routing alone live through the same simulated years: the same incidents, the same
observations, late, wrong or missing. The same seed gives the same table everywhere.`,
		Example: "  erfailover sim compare --seed 1 --years 10 --svg compare.svg",
	}
	c.Flags().Uint64Var(&seed, "seed", 1, "which years")
	c.Flags().IntVar(&years, "years", 1, "how many; one takes some seconds")
	c.Flags().StringSliceVar(&only, "policy", nil, "only this policy; may be given again")
	c.Flags().StringVar(&svg, "svg", "", "write the chart to this file")
	c.Flags().BoolVar(&asJSON, "json", false, "print the result for machines")
	c.Flags().BoolVar(&markdown, "markdown", false, "print the table as Markdown")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkCompare(years, only); err != nil {
			return err
		}
		begin := time.Now()
		r, err := compare(cmd.Context(), seed, years, only)
		if err != nil {
			return err
		}
		if svg != "" {
			if err := os.WriteFile(svg, []byte(r.SVG()), 0o644); err != nil {
				return fmt.Errorf("write the chart: %w", err)
			}
		}
		out := cmd.OutOrStdout()
		switch {
		case asJSON:
			if err := json.MarshalWrite(out, r, jsontext.WithIndent("  "), json.Deterministic(true), json.WithMarshalers(seconds())); err != nil {
				return fmt.Errorf("print the result: %w", err)
			}
			fmt.Fprintln(out)
		case markdown:
			fmt.Fprint(out, r.Markdown())
		default:
			tellContest(out, r, time.Since(begin))
		}
		return nil
	}
	return c
}

// seconds writes durations as seconds.
func seconds() *json.Marshalers {
	return json.MarshalToFunc(func(enc *jsontext.Encoder, d time.Duration) error {
		return enc.WriteToken(jsontext.Float(d.Seconds()))
	})
}

// checkCompare refuses what cannot be compared.
func checkCompare(years int, only []string) error {
	if years < 1 {
		return &exitError{exitUsage, fmt.Errorf("--years %d: at least 1", years)}
	}
	var names []string
	for _, p := range contest.Policies() {
		names = append(names, p.Name)
	}
	for _, n := range only {
		if !slices.Contains(names, n) {
			return &exitError{exitUsage, errors.New("--policy " + clean(n) + ": there are " + strings.Join(names, "; "))}
		}
	}
	return nil
}

// compare plays the years on all cores and adds them up in their order, so that the
// result does not hang on the machine. An interrupt ends it after the years that are
// being played.
func compare(ctx context.Context, seed uint64, years int, only []string) (contest.Result, error) {
	results := make([]contest.Result, years)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), years) {
		wg.Go(func() {
			for y := range next {
				results[y] = contest.Year(contest.Default(), seed, y, only...)
			}
		})
	}
	for y := 0; y < years && ctx.Err() == nil; y++ {
		next <- y
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return contest.Result{}, errors.New("interrupted")
	}
	sum := contest.Result{Seed: seed, Years: years, Incidents: map[contest.Kind]int{}}
	for _, r := range results {
		sum = sum.Add(r)
	}
	return sum, nil
}

// tellContest prints the table for people.
func tellContest(out io.Writer, r contest.Result, took time.Duration) {
	fmt.Fprintf(out, "%d simulated years, seed %d, in %s. The same incidents and observations for every policy:\n", r.Years, r.Seed, took.Round(100*time.Millisecond))
	var kinds []string
	for _, rate := range contest.Default().Rates {
		kinds = append(kinds, fmt.Sprintf("%s %d", rate.Kind, r.Incidents[rate.Kind]))
	}
	fmt.Fprintf(out, "  %s\n\n%s\n", strings.Join(kinds, ", "), r.Text())
	for _, p := range contest.Policies() {
		fmt.Fprintf(out, "  %s: %s\n", p.Name, p.About)
	}
	for _, l := range append([]string{""}, r.Misled()...) {
		fmt.Fprintf(out, "  %s\n", l)
	}
	fmt.Fprintln(out)
	for _, l := range contest.Legend() {
		fmt.Fprintf(out, "  %s\n", l)
	}
}
