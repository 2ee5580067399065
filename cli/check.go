package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/policy"
	"erfailover/failover/report"
)

// checkCommand looks at the estate at rest.
func checkCommand() *cobra.Command {
	var path, format string
	var rights bool
	var deep depth
	c := &cobra.Command{
		Use:   "check",
		Short: "Say what is wrong or weak about the estate at rest, and how to mend it",
		Long: `Say what is wrong or weak about the estate at rest, and how to mend it.

Reads circuits, gateways and connections; writes nothing. With --deep it also reads what
takes Azure tens of seconds: BGP sessions, ARP and route tables of both links of each
circuit; sessions, learned and announced routes and route sets of each gateway. A read
that fails is a finding. Exit code 1 when something critical was found, or with
--permissions when a right is missing that this configuration needs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rights && deep.on {
				return &exitError{exitUsage, errors.New("--deep and --permissions are two different checks: give one of them")}
			}
			cfg, err := readConfig(path, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			clk, err := clockFrom("")
			if err != nil {
				return err
			}
			net, err := dial(cfg.Azure, clk)
			if err != nil {
				return err
			}
			if rights {
				return permissions(cmd.Context(), cfg, net, format, cmd.OutOrStdout())
			}
			if deep.pause, deep.progress = deepPause, cmd.ErrOrStderr(); deep.patience <= deep.pause {
				return &exitError{exitUsage, fmt.Errorf("--patience: got %s, want more than %s: a slow read takes Azure tens of seconds", deep.patience, deep.pause)}
			}
			return check(cmd.Context(), cfg, net, deep, format, cmd.OutOrStdout())
		},
	}
	c.Flags().StringVar(&path, "config", "", "the configuration (default: ERFAILOVER_CONFIG)")
	c.Flags().BoolVar(&rights, "permissions", false, "say instead which actions the identity holds, why each is needed, and the role that gives it")
	c.Flags().BoolVar(&deep.on, "deep", false, "also look at sessions, ARP, route tables and route sets, which takes Azure a minute or more")
	c.Flags().DurationVar(&deep.patience, "patience", deepPatience, "with --deep: the longest wait for one slow read")
	c.Flags().StringVar(&format, "format", "text", "text, markdown, json or sarif")
	return c
}

// depth says how deep a check looks.
type depth struct {
	on       bool
	patience time.Duration
	pause    time.Duration // between two looks at a slow read
	progress io.Writer
}

// check reads the estate and prints the findings.
func check(ctx context.Context, cfg config.Config, net *armnet.Client, deep depth, format string, w io.Writer) error {
	var err error
	found := lookAround(ctx, cfg, net)
	if deep.on {
		lookDeep(ctx, &found, net, deep)
	}
	issues := report.CheckPosture(found)
	switch format {
	case "text":
		issuesText(w, issues)
	case "markdown":
		issuesMarkdown(w, issues)
	case "json":
		err = json.MarshalWrite(w, struct {
			Issues []report.Issue `json:"issues"`
		}{issues}, jsontext.Multiline(true))
	case "sarif":
		err = json.MarshalWrite(w, sarif(issues), jsontext.Multiline(true), json.Deterministic(true))
	default:
		return &exitError{exitUsage, fmt.Errorf("--format: got %q, want text, markdown, json or sarif", format)}
	}
	if err != nil {
		return err
	}
	for _, i := range issues {
		if i.Severity == report.Critical {
			return &exitError{exitFailed, errors.New("something critical was found")}
		}
	}
	return nil
}

// lookAround reads everything that the configuration names, and the connections that
// it finds.
func lookAround(ctx context.Context, cfg config.Config, net *armnet.Client) report.Posture {
	p := report.Posture{Estate: cfg.Topology(), Circuits: map[string]executor.CircuitState{}, Connections: map[string]executor.ConnectionState{}, Unread: map[string]string{}, WrongType: map[string]string{}, Policy: map[string]policy.Rule{}}
	for _, g := range p.Estate.Groups {
		p.Policy[g.Name] = cfg.PolicyRule(g.Name)
	}
	var refs []executor.Ref
	for _, c := range p.Estate.Circuits {
		refs = append(refs, executor.Ref{Kind: executor.RefCircuit, ID: c.ID})
	}
	for _, g := range p.Estate.Gateways {
		refs = append(refs, executor.Ref{Kind: executor.RefGateway, ID: g.ID}, executor.Ref{Kind: executor.RefConnections, ID: g.ID})
	}
	var conns []executor.Ref
	for _, got := range net.Read(ctx, refs) {
		switch {
		case errors.Is(got.Err, fault.Invalid) && got.Ref.Kind == executor.RefGateway:
			p.WrongType[got.Ref.ID] = "it is not a gateway for ExpressRoute"
		case got.Err != nil:
			p.Unread[got.Ref.ID] = string(fault.KindOf(got.Err))
		case !got.Found:
			p.Unread[got.Ref.ID] = "it does not exist"
		default:
			conns = append(conns, p.Learn(got)...)
		}
	}
	for _, got := range net.Read(ctx, conns) {
		if got.Err != nil || !got.Found {
			p.Unread[got.Ref.ID] = "the connection could not be read"
			continue
		}
		p.Connections[got.Ref.ID] = *got.Connection
	}
	p.Estate.Sort()
	return p
}

// lookDeep adds the slow reads to what was read, and says how far it is.
func lookDeep(ctx context.Context, p *report.Posture, net asker, deep depth) {
	began, told := time.Now(), -1
	d := &deepReader{net: net, patience: deep.patience, pause: deep.pause, tell: func(done, left int) {
		if tenth := 10 * done / (done + left); tenth > told {
			told = tenth
			fmt.Fprintf(deep.progress, "%d of %d slow reads have ended\n", done, done+left)
		}
	}}
	p.Looks = d.read(ctx, p.Questions())
	answered := 0
	for _, l := range p.Looks {
		if l.Answer != nil {
			answered++
		}
	}
	fmt.Fprintf(deep.progress, "%d of %d slow reads were answered, in %s\n", answered, len(p.Looks), time.Since(began).Round(time.Second))
}

func issuesText(w io.Writer, issues []report.Issue) {
	if len(issues) == 0 {
		fmt.Fprintln(w, "nothing to report")
		return
	}
	count := map[report.Severity]int{}
	for _, i := range issues {
		count[i.Severity]++
		where := i.Subject
		if i.Group != "" && i.Group != i.Subject {
			where = i.Group + "/" + i.Subject
		}
		fmt.Fprintf(w, "%-8s  %s: %s (%s)\n          why: %s\n          fix: %s\n", strings.ToUpper(string(i.Severity)), where, i.Fact, i.Rule, i.Why, i.Fix)
	}
	fmt.Fprintf(w, "\n%d critical, %d warnings, %d notes\n", count[report.Critical], count[report.Warning], count[report.Note])
}

func issuesMarkdown(w io.Writer, issues []report.Issue) {
	fmt.Fprint(w, "# Posture of the estate\n\n| severity | group | subject | fact | why it matters | fix | rule |\n|---|---|---|---|---|---|---|\n")
	esc := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;")
	for _, i := range issues {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | `%s` |\n", i.Severity, esc.Replace(i.Group), esc.Replace(i.Subject), esc.Replace(i.Fact), i.Why, i.Fix, i.Rule)
	}
}

// sarif renders findings in the Static Analysis Results Interchange Format 2.1.0.
func sarif(issues []report.Issue) any {
	type object = map[string]any
	level := map[report.Severity]string{report.Critical: "error", report.Warning: "warning", report.Note: "note"}
	var rules, results []object
	for _, r := range report.PostureRules() {
		rules = append(rules, object{"id": r.Code, "shortDescription": object{"text": r.Why}, "help": object{"text": r.Fix}})
	}
	for _, i := range issues {
		results = append(results, object{"ruleId": i.Rule, "level": level[i.Severity], "message": object{"text": i.Subject + ": " + i.Fact + ". " + i.Fix + "."},
			"locations": []object{{"logicalLocations": []object{{"fullyQualifiedName": strings.Trim(i.Group+"/"+i.Subject, "/")}}}}})
	}
	return object{"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"runs": []object{{"tool": object{"driver": object{"name": "erfailover check", "rules": rules}}, "results": results}}}
}
