package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"erfailover/failover/config"
	"erfailover/failover/record"
)

// configCommand looks at configuration files without starting anything.
func configCommand() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check a configuration, show it with its defaults, or print its schema"}
	c.AddCommand(
		&cobra.Command{Use: "check FILE", Short: "Say every problem of a configuration at once", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := readConfig(args[0], cmd.OutOrStdout())
				if err != nil {
					return err
				}
				topo := cfg.Topology()
				fmt.Fprintf(cmd.OutOrStdout(), "%s: usable, %d circuits, %d gateways, %d groups (%s)\n", args[0], len(topo.Circuits), len(topo.Gateways), len(topo.Groups), cfg.Hash())
				return nil
			}},
		&cobra.Command{Use: "show FILE", Short: "Print a configuration with every default; secrets stay hidden", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				cfg, err := readConfig(args[0], cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(cfg.Render())
				return err
			}},
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of a configuration", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(config.Schema())
				return err
			}},
	)
	return c
}

// journalCommand reads the journal of an embedded record.
func journalCommand() *cobra.Command {
	var path string
	c := &cobra.Command{Use: "journal", Short: "Read the journal, or verify that nobody has edited it"}
	c.PersistentFlags().StringVar(&path, "config", "", "the configuration that names the record (default: ERFAILOVER_CONFIG)")
	c.AddCommand(
		&cobra.Command{Use: "verify", Short: "Check every chain of the journal against its document", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withStore(path, cmd.ErrOrStderr(), func(s record.Store) error { return verifyJournal(cmd.Context(), s, cmd.OutOrStdout()) })
			}},
		countCommand(&path),
		&cobra.Command{Use: "show STREAM", Short: "Print one stream, oldest first: estate, group.NAME or circuit.NAME", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withStore(path, cmd.ErrOrStderr(), func(s record.Store) error {
					rows, err := readRows(cmd.Context(), s, args[0])
					if err != nil {
						return err
					}
					for _, r := range rows {
						e, err := record.ParseEntry(r.Body)
						if err != nil {
							return err
						}
						fmt.Fprintf(cmd.OutOrStdout(), "%6d  %s  %-22s  %s  %s\n", e.Seq, e.At.UTC().Format("2006-01-02T15:04:05Z"), e.Code, e.Text, strings.Join(e.Reasons, " "))
					}
					return nil
				})
			}},
	)
	return c
}

// withStore opens the record of a configuration for one command.
func withStore(path string, warn io.Writer, use func(record.Store) error) error {
	cfg, err := readConfig(path, warn)
	if err != nil {
		return err
	}
	store, closeStore, err := openStore(cfg, &clock{})
	if err != nil {
		return err
	}
	return errors.Join(use(store), closeStore())
}

// verifyJournal checks every stream that has rows.
func verifyJournal(ctx context.Context, s record.Store, w io.Writer) error {
	keys, err := listAll(ctx, s, "journal/")
	if err != nil {
		return err
	}
	var streams []string
	for _, k := range keys {
		name := strings.Split(k, "/")[1]
		if len(streams) == 0 || streams[len(streams)-1] != name {
			streams = append(streams, name)
		}
	}
	for _, name := range streams {
		rows, err := readRows(ctx, s, name)
		if err != nil {
			return err
		}
		head, err := record.Verify(name, record.Head{}, rows)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-24s %6d entries, chain intact, head %s\n", name, head.Seq, head.Hash)
	}
	return nil
}

// readRows loads a whole stream.
func readRows(ctx context.Context, s record.Store, stream string) ([]record.Row, error) {
	keys, err := listAll(ctx, s, "journal/"+stream+"/")
	if err != nil {
		return nil, err
	}
	rows := make([]record.Row, len(keys))
	for i, k := range keys {
		doc, err := s.Load(ctx, k)
		if err != nil {
			return nil, err
		}
		rows[i] = record.Row{Seq: uint64(i) + 1, Body: doc.Body}
	}
	return rows, nil
}

// listAll pages through every key that begins with prefix.
func listAll(ctx context.Context, s record.Store, prefix string) ([]string, error) {
	const page = 500
	var out []string
	after := ""
	for {
		keys, err := s.List(ctx, prefix, after, page)
		if err != nil {
			return nil, err
		}
		out = append(out, keys...)
		if len(keys) < page {
			return out, nil
		}
		after = keys[len(keys)-1]
	}
}

// versionCommand says what this program was built from.
func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Say what this program was built from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return errors.New("this program carries no build information")
			}
			b := readBuild(info)
			fmt.Fprintf(cmd.OutOrStdout(), "erfailover %s, commit %s of %s, %s %s/%s\n", b.version, b.commit, b.date, info.GoVersion, b.os, b.arch)
			return nil
		}}
}

// build says what a binary was built from. The date is the commit's: a date of the
// build itself would make two builds of one commit differ.
type build struct{ version, commit, date, os, arch string }

func readBuild(info *debug.BuildInfo) build {
	b := build{version: info.Main.Version, commit: "unknown", date: "an unknown date"}
	changed := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.commit = s.Value
		case "vcs.time":
			b.date = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		case "GOOS":
			b.os = s.Value
		case "GOARCH":
			b.arch = s.Value
		}
	}
	if changed {
		b.commit += " and changes that are not committed"
	}
	return b
}

// buildVersion returns this program's version; "(devel)" when it has none.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
