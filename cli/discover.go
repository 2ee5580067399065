package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/failover/topology"
)

// discoverOptions are the flags of discover.
type discoverOptions struct {
	subscriptions         []string
	config                string
	cloud, identity       string
	endpoint, aud, signer string
	out, picture          string
	force                 bool
}

// discoverCommand reads what is in Azure and proposes a configuration.
func discoverCommand() *cobra.Command {
	var o discoverOptions
	c := &cobra.Command{
		Use:   "discover",
		Short: "Find circuits, gateways and connections in Azure, and write a configuration to begin with",
		Long: `Find circuits, gateways and connections in Azure, and write a configuration to begin with.

Reads only. Gateways that use the same circuits in the same order of weights become a
group, in mode observe. The configuration goes to --out, or to stdout; progress goes to
stderr. It needs Reader on the subscriptions, once; running needs less.`,
		Example: `  erfailover discover --out erfailover.yaml --picture estate.svg
  erfailover discover --identity managed --subscription 00000000-0000-0000-0000-000000000001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			az, err := o.azure(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			clk, err := clockFrom("")
			if err != nil {
				return err
			}
			net, err := dial(az, clk)
			if err != nil {
				return err
			}
			return discover(cmd.Context(), net, az, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringSliceVar(&o.subscriptions, "subscription", nil, "search this one; may be repeated (default: all that the identity may see)")
	f.StringVar(&o.config, "config", "", "take cloud and identity from this configuration")
	f.StringVar(&o.cloud, "cloud", "public", "public, government or china")
	f.StringVar(&o.identity, "identity", "developer", "developer (az login), managed, managed:CLIENT-ID or workload")
	f.StringVar(&o.endpoint, "resource-manager", "", "endpoint of a custom cloud; with --audience and --authority")
	f.StringVar(&o.aud, "audience", "", "what tokens of a custom cloud are asked for")
	f.StringVar(&o.signer, "authority", "", "token service of a custom cloud")
	f.StringVar(&o.out, "out", "", "write the configuration here (default: stdout)")
	f.StringVar(&o.picture, "picture", "", "draw the estate into this SVG file")
	f.BoolVar(&o.force, "force", false, "write over files that exist")
	return c
}

// azure says how Azure is reached, from the flags or from a configuration.
func (o discoverOptions) azure(warn io.Writer) (config.Azure, error) {
	if o.config != "" {
		cfg, err := readConfig(o.config, warn)
		return cfg.Azure, err
	}
	az := config.Default().Azure
	az.Cloud = config.Cloud(o.cloud)
	if o.endpoint+o.aud+o.signer != "" {
		az.Cloud, az.Custom = config.CloudCustom, &config.CustomCloud{ResourceManager: o.endpoint, Audience: o.aud, Authority: o.signer}
	}
	kind, client, _ := strings.Cut(o.identity, ":")
	az.Identity = config.Identity{Kind: config.IdentityKind(kind), ClientID: client}
	return az, nil
}

// discover surveys Azure and writes what it found.
func discover(ctx context.Context, net *armnet.Client, az config.Azure, o discoverOptions, stdout, stderr io.Writer) error {
	for _, path := range []string{o.out, o.picture} {
		if _, err := os.Stat(path); path != "" && err == nil && !o.force {
			return &exitError{exitUsage, fmt.Errorf("%s exists already; --force writes over it", path)}
		}
	}
	s, err := lookFor(ctx, net, o.subscriptions, stderr)
	if err != nil {
		return err
	}
	est := topology.Propose(s.estate, s.weights)
	if len(est.Groups) == 0 {
		return &fault.Error{Op: "discover", Kind: fault.NotFound, Hint: "name the right subscriptions, and give the identity Reader there",
			Err: fmt.Errorf("%d circuits, %d gateways and %d connections were found: no gateway with an ExpressRoute connection", len(est.Circuits), len(est.Gateways), len(est.Connections))}
	}
	text := config.Draft{Azure: az, Estate: est, Weights: s.weights, Notes: s.notes(est)}.Text()
	if _, _, err := config.Parse(text); err != nil {
		return fmt.Errorf("the proposed configuration is not usable, which is a fault of this program: %w", err)
	}
	drawing := report.Drawing{Estate: est, Weights: s.weights}
	told := stdout
	if o.out == "" {
		told = stderr
		if _, err := stdout.Write(text); err != nil {
			return err
		}
	} else if err := os.WriteFile(o.out, text, 0o600); err != nil {
		return err
	}
	if o.picture != "" {
		if err := os.WriteFile(o.picture, drawing.SVG(), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprint(told, "\n", drawing.Text())
	fmt.Fprintf(told, "%d circuits, %d gateways, %d connections, %d groups\n", len(est.Circuits), len(est.Gateways), len(est.Connections), len(est.Groups))
	if o.out != "" {
		fmt.Fprintf(told, "written: %s. Edit it, then: erfailover check --config %s\n", o.out, o.out)
	}
	return nil
}

// survey is what was found.
type survey struct {
	estate  topology.Estate
	weights map[string]int32 // by connection ID
	unread  map[string]bool  // what could not be read, in words
	left    map[string]bool  // connections that carry a decision's tag
}

// lookFor surveys subscriptions and tells how far it is.
func lookFor(ctx context.Context, net *armnet.Client, only []string, stderr io.Writer) (*survey, error) {
	if len(only) == 0 {
		subs, err := net.Subscriptions(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range subs {
			only = append(only, s.ID)
		}
		fmt.Fprintf(stderr, "subscriptions that the identity may see: %d\n", len(subs))
	}
	s := &survey{weights: map[string]int32{}, unread: map[string]bool{}, left: map[string]bool{}}
	done, told := 0, time.Time{}
	net.Survey(ctx, only, func(f armnet.Found) {
		s.take(f)
		if f.Waiting != nil {
			fmt.Fprintf(stderr, "waiting: %v\n", f.Waiting)
		}
		if f.Done {
			done++
		}
		if now := time.Now(); now.Sub(told) >= time.Second || f.Done && done == len(only) {
			told = now
			fmt.Fprintf(stderr, "%d of %d subscriptions: %d circuits, %d gateways, %d connections\n", done, len(only), len(s.estate.Circuits), len(s.estate.Gateways), len(s.estate.Connections))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.strangers(ctx, net)
	for _, line := range slices.Sorted(maps.Keys(s.unread)) {
		fmt.Fprintln(stderr, "not read:", line)
	}
	return s, nil
}

// take keeps one page of a survey.
func (s *survey) take(f armnet.Found) {
	for _, c := range f.Circuits {
		s.estate.Circuits = append(s.estate.Circuits, c.Circuit)
	}
	s.estate.Gateways = append(s.estate.Gateways, f.Gateways...)
	for _, k := range f.Connections {
		s.estate.Connections = append(s.estate.Connections, topology.Connection{ID: k.ID, Gateway: k.Gateway, Circuit: k.Circuit})
		s.weights[k.ID] = k.Weight
		if k.Epoch != "" {
			s.left[k.ID] = true
		}
	}
	if f.Err != nil {
		text := f.Err.Error()
		if hint := fault.HintOf(f.Err); hint != "" {
			text += ": " + hint
		}
		s.unread[text] = true
	}
}

// strangers reads the circuits that connections name and no list has shown: those of
// subscriptions that were not searched.
func (s *survey) strangers(ctx context.Context, net *armnet.Client) {
	known := map[string]bool{"": true}
	for _, c := range s.estate.Circuits {
		known[c.ID] = true
	}
	var refs []executor.Ref
	for _, k := range s.estate.Connections {
		if !known[k.Circuit] {
			known[k.Circuit] = true
			refs = append(refs, executor.Ref{Kind: executor.RefCircuit, ID: k.Circuit})
		}
	}
	for _, got := range net.Read(ctx, refs) {
		switch {
		case got.Circuit != nil:
			s.estate.Circuits = append(s.estate.Circuits, got.Circuit.Circuit)
		case got.Err != nil:
			s.unread[fmt.Sprintf("circuit %s: %v", got.Ref.ID, got.Err)] = true
		default:
			s.unread[fmt.Sprintf("circuit %s: it does not exist, or may not be seen", got.Ref.ID)] = true
		}
	}
}

// notes says at the top of the draft what its reader must know.
func (s *survey) notes(est topology.Estate) []string {
	var out []string
	for _, line := range slices.Sorted(maps.Keys(s.unread)) {
		out = append(out, "not read: "+line)
	}
	if n := len(s.left); n > 0 {
		out = append(out, fmt.Sprintf("%d connections carry the tag of a failover that is not settled: their weights now are not those at rest", n))
	}
	if body, err := json.Marshal(est); err == nil && len(body) > record.MaxBody {
		out = append(out, fmt.Sprintf("this estate fits no single record: it is %d KiB and one holds %d. Give each part of the groups a configuration and a record of its own", len(body)>>10, record.MaxBody>>10))
	}
	return out
}
