package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// maxReport bounds what verify reads, in bytes.
const maxReport = 16 << 20

// reportFlags say where reports get their facts from.
type reportFlags struct {
	config  string
	url     string
	timeout time.Duration
}

// reportCommand writes the report of an operation, and holds one against the journal.
func reportCommand() *cobra.Command {
	var f reportFlags
	var format, out string
	c := &cobra.Command{
		Use:   "report OPERATION",
		Short: "The recovery report of one operation, with its evidence: for an auditor, or the morning after",
		Long: `The recovery report of one operation, with its evidence.

The page (html) stands alone: it can be mailed, filed and printed. The JSON form is
what "report verify" holds against the journal later. Facts come from the record
that the configuration names, or from a running program with --url (its key from
ERFAILOVER_KEY).`,
		Args: wantArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format == "" {
				format = formatOf(out)
			}
			if !slices.Contains([]string{"html", "markdown", "json"}, format) {
				return usage("--format: got %q, want html, markdown or json", clean(format))
			}
			got, err := f.facts(cmd.Context(), args[0], "", cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if got.Operation == nil {
				return &fault.Error{Op: "find the operation", Target: clean(args[0]), Kind: fault.NotFound, Hint: "erfailover history GROUP and erfailover status name operations"}
			}
			e, err := report.MakeEvidence(*got.Operation, got.Rows, got.Head, time.Now())
			if err != nil {
				return err
			}
			return writeReport(e, format, out, cmd.OutOrStdout())
		},
	}
	p := c.PersistentFlags()
	p.StringVar(&f.config, "config", "", "the configuration that names the record (default: ERFAILOVER_CONFIG)")
	p.StringVar(&f.url, "url", "", "ask a running program instead of the record: where it answers, without /api (default, where no configuration is named: ERFAILOVER_URL)")
	p.DurationVar(&f.timeout, "timeout", 20*time.Second, "for one try of one call, with --url")
	c.Flags().StringVar(&format, "format", "", "html, markdown or json (default: as the name of --out ends, else html)")
	c.Flags().StringVar(&out, "out", "", "write to this file instead of the screen")
	c.AddCommand(&cobra.Command{Use: "verify FILE", Short: "Hold a report (its JSON form) against the journal; exit 1 and say what differs", Args: wantArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return verifyReport(cmd.Context(), f, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		}})
	return c
}

// formatOf guesses the format by a file's name.
func formatOf(out string) string {
	switch filepath.Ext(out) {
	case ".md":
		return "markdown"
	case ".json":
		return "json"
	}
	return "html"
}

// writeReport writes one form of a report to a file or to the screen.
func writeReport(e report.Evidence, format, out string, screen io.Writer) error {
	var body []byte
	var err error
	switch format {
	case "json":
		body, err = e.JSON()
	case "markdown":
		body = []byte(e.Markdown())
	default:
		body, err = e.HTML()
	}
	if err != nil {
		return err
	}
	if out == "" {
		_, err = screen.Write(body)
		return err
	}
	if err := os.WriteFile(out, body, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(screen, "%s: %s, %d journal entries, chain intact to entry %d\n", clean(out), clean(e.Operation.ID), len(e.Entries), e.Head.Seq)
	return err
}

// verifyReport holds a file against the journal and says what differs.
func verifyReport(ctx context.Context, f reportFlags, name string, w, warn io.Writer) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxReport+1))
	if err != nil {
		return err
	}
	if len(body) > maxReport {
		return fmt.Errorf("%s: more than %d bytes, no report", clean(name), maxReport)
	}
	if r, ours, err := drill.ParseReport(body); err != nil || ours {
		return f.verifyDrill(ctx, r, err, name, w, warn)
	}
	e, err := report.ParseEvidence(body)
	if err != nil {
		return err
	}
	truth, err := f.facts(ctx, e.Operation.ID, e.Operation.Group, warn)
	if err != nil {
		return err
	}
	c := report.CheckEvidence(e, truth)
	if err := tellChecked(c, name, w); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s holds: operation %s, %d entries in %s, chain followed to entry %d\n", clean(name), clean(e.Operation.ID), c.Entries, clean(e.Stream), truth.Head.Seq)
	return nil
}

// tellChecked prints what a check found; an error when the report does not hold.
func tellChecked(c report.Checked, name string, w io.Writer) error {
	for _, d := range c.Differences {
		fmt.Fprintf(w, "DIFFERS  %s\n", clean(d))
	}
	for _, n := range c.Notes {
		fmt.Fprintf(w, "note     %s\n", clean(n))
	}
	if !c.OK() {
		return &exitError{exitFailed, fmt.Errorf("%s does not hold: %d differences", clean(name), len(c.Differences))}
	}
	return nil
}

// verifyDrill holds the report of a drill against the record and its journal.
func (f reportFlags) verifyDrill(ctx context.Context, got drill.Report, err error, name string, w, warn io.Writer) error {
	if err != nil {
		return err
	}
	f.url = f.asks()
	var truth drill.Report
	var rows []record.Row
	if f.url != "" {
		c, err := (&remote{url: f.url, timeout: f.timeout, output: "table"}).dial()
		if err != nil {
			return err
		}
		if _, err := c.get(ctx, "/drills/"+url.PathEscape(got.Name)+"/report?run="+url.QueryEscape(got.Outcome.ID), &truth); err != nil {
			return err
		}
	} else {
		if _, err := readConfig(f.config, warn); err != nil {
			return err
		}
		err = withStore(f.config, io.Discard, func(s record.Store) error {
			truth, rows, err = storedDrill(ctx, s, got)
			return err
		})
		if err != nil {
			return err
		}
	}
	c := drill.CheckReport(got, truth, rows)
	if err := tellChecked(c, name, w); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s holds: run %s of drill %s, %d entries in %s, chain followed to entry %d\n", clean(name), clean(got.Outcome.ID), clean(got.Name), c.Entries, drill.Stream(clean(got.Name)), truth.Head.Seq)
	return nil
}

// storedDrill makes the report of the same run anew, from a record.
func storedDrill(ctx context.Context, s record.Store, got drill.Report) (drill.Report, []record.Row, error) {
	lost := &fault.Error{Op: "find the run", Target: clean(got.Outcome.ID), Kind: fault.NotFound, Hint: "a run is kept when it has ended; erfailover drill show NAME names them"}
	if record.CheckKey("read run", drill.RunKey(got.Outcome.ID)) != nil || record.CheckKey("read drill", drill.Key(got.Name)) != nil {
		return drill.Report{}, nil, lost
	}
	var ended drill.Ended
	doc, err := s.Load(ctx, drill.RunKey(got.Outcome.ID))
	switch {
	case errors.Is(err, fault.NotFound):
		return drill.Report{}, nil, lost
	case err != nil:
		return drill.Report{}, nil, err
	}
	if err := json.Unmarshal(doc.Body, &ended); err != nil || ended.Name != got.Name {
		return drill.Report{}, nil, lost
	}
	return drillReport(ctx, s, ended, record.Head{}, got.Made)
}

// asks returns the running program that is asked, "" for the record.
func (f reportFlags) asks() string {
	if f.url == "" && f.config == "" && os.Getenv("ERFAILOVER_CONFIG") == "" {
		return os.Getenv("ERFAILOVER_URL") // as for every other command
	}
	return f.url
}

// facts loads an operation with the whole journal of its group. Without such an
// operation, the journal is that of group, if it is named.
func (f reportFlags) facts(ctx context.Context, id, group string, warn io.Writer) (report.Truth, error) {
	if f.url = f.asks(); f.url != "" {
		return f.remoteFacts(ctx, id, group)
	}
	cfg, err := readConfig(f.config, warn)
	if err != nil {
		return report.Truth{}, err
	}
	var t report.Truth
	err = withStore(f.config, io.Discard, func(s record.Store) error {
		t, err = storedFacts(ctx, s, cfg, id, group)
		return err
	})
	return t, err
}

// storedFacts reads them from a record.
func storedFacts(ctx context.Context, s record.Store, cfg config.Config, id, group string) (report.Truth, error) {
	var t report.Truth
	op, err := findOperation(ctx, s, id)
	if err != nil {
		return t, err
	}
	if op != nil {
		group = op.Group
		shown := report.MakeOperation(*op, cfg.PolicyRule(group).Objective)
		t.Operation = &shown
	}
	if group == "" || record.CheckKey("read journal", record.GroupKey(group)) != nil {
		return t, nil
	}
	var g record.Group
	if _, err := readDocument(ctx, s, record.GroupKey(group), "group", &g); err != nil {
		return t, err
	}
	stream := report.StreamOf(group)
	if t.Rows, err = readRows(ctx, s, stream); err != nil {
		return t, err
	}
	for _, e := range g.Pending { // saved with the state, maybe not yet in the journal
		if e.Seq == uint64(len(t.Rows))+1 {
			row, err := e.Row()
			if err != nil {
				return t, err
			}
			t.Rows = append(t.Rows, row)
		}
	}
	t.Head = g.Head
	return t, nil
}

// findOperation looks among the ended operations, then at those that run; nil when
// there is none.
func findOperation(ctx context.Context, s record.Store, id string) (*record.Operation, error) {
	if record.CheckKey("read operation", record.OperationKey(id)) != nil {
		return nil, nil
	}
	var ended struct {
		Schema    int              `json:"schema"`
		Operation record.Operation `json:"operation"`
	}
	if found, err := readDocument(ctx, s, record.OperationKey(id), "operation", &ended); err != nil || found {
		return &ended.Operation, err
	}
	keys, err := listAll(ctx, s, "group/")
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		var g record.Group
		if _, err := readDocument(ctx, s, k, "group", &g); err != nil {
			return nil, err
		}
		if g.Operation != nil && g.Operation.ID == id {
			return g.Operation, nil
		}
	}
	return nil, nil
}

// remoteFacts asks a running program. The head is where the entries lead to, for the
// API names only its number.
func (f reportFlags) remoteFacts(ctx context.Context, id, group string) (report.Truth, error) {
	var t report.Truth
	c, err := (&remote{url: f.url, timeout: f.timeout, output: "table"}).dial()
	if err != nil {
		return t, err
	}
	var op report.Operation
	_, err = c.get(ctx, "/operations/"+url.PathEscape(id), &op)
	var p *refusal
	switch {
	case err == nil:
		t.Operation, group = &op, op.Group
	case !errors.As(err, &p) || p.Status != http.StatusNotFound:
		return t, err
	}
	if group == "" {
		return t, nil
	}
	var entries []record.Entry
	for before := uint64(0); ; {
		q := url.Values{"stream": {report.StreamOf(group)}, "limit": {"200"}}
		if before > 0 {
			q.Set("before", strconv.FormatUint(before, 10))
		}
		var page handlers.Page
		if _, err := c.get(ctx, "/journal?"+q.Encode(), &page); err != nil {
			return t, err
		}
		entries = append(entries, page.Entries...)
		if page.Next == 0 || page.Next == before {
			break
		}
		before = page.Next
	}
	slices.Reverse(entries)
	if t.Rows, err = record.Rows(entries); err != nil {
		return t, err
	}
	t.Head, err = record.Verify(report.StreamOf(group), record.Head{}, t.Rows)
	return t, err
}
