package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/config"
	"erfailover/failover/fault"
	"erfailover/handlers"
)

// handlerCommand serves the Functions host.
func handlerCommand() *cobra.Command {
	var path, archive string
	c := &cobra.Command{
		Use:   "handler",
		Short: "Serve the Azure Functions host as its custom handler",
		Long: `Serve the Azure Functions host as its custom handler.

The host starts this command and tells the port in FUNCTIONS_CUSTOMHANDLER_PORT.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(path, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return serveHandler(cmd.Context(), cfg, archive)
		},
	}
	c.Flags().StringVar(&path, "config", "", "the configuration (default: ERFAILOVER_CONFIG)")
	c.Flags().StringVar(&archive, "archive", "", archiveUsage)
	return c
}

// serveHandler runs until the context ends.
func serveHandler(ctx context.Context, cfg config.Config, archive string) error {
	log := newLog(os.Stdout, time.Now)
	p, err := wire(cfg, log)
	if err != nil {
		return err
	}
	p.logging()
	if err := p.withArchive(archive); err != nil {
		return errors.Join(err, p.close())
	}
	go warm(ctx, p)
	go tellIdentityLater(ctx, p)
	err = handlers.Serve(ctx, p.options())
	if closed := p.close(); err == nil {
		err = closed
	}
	return err
}

// logging gives the parts their loggers, on the parts' own clock.
func (p *parts) logging() {
	p.log = newLog(os.Stdout, p.clock.Now).With().Str("component", "engine").Logger()
	p.engine.Log = p.log
}

// options are what the handlers are made of.
func (p *parts) options() handlers.Options {
	views := handlers.NewViews(p.engine)
	key, err := linkKey(os.LookupEnv)
	if err != nil {
		p.log.Error().Str("event", "link.off").Str("hint", fault.HintOf(err)).Err(err).Msg("announcements of drills carry no link to call them off until this is put right")
	}
	return p.withPage(handlers.Options{
		Engine: p.told(p.carded(faced(p.engine))), Letters: handlers.NewRecordLetters(p.store), Parse: handlers.ParseEvents,
		Auth: handlers.Auth{Mode: handlers.Mode(p.config.Auth.Mode), Tenant: p.config.Auth.Tenant, Audience: p.config.Auth.Audience, Authority: authority(p.config.Azure), Grants: granted(p.config.Auth)},
		Log:  newLog(os.Stdout, p.clock.Now).With().Str("component", "handlers").Logger(),
		Now:  p.clock.Now, Views: views, Ready: views.Ready, Drills: p.minutely, Calendar: drillDesk{p}, Probe: p.probing(), LinkKey: key, Trace: p.trace, Dropped: p.dropped, Archive: p.archive,
	})
}

// granted gives the handlers the configuration's grants.
func granted(a config.Auth) []handlers.Grant {
	var out []handlers.Grant
	for _, g := range a.Grants {
		out = append(out, handlers.Grant{Who: g.Who, May: g.May, Groups: g.Groups})
	}
	return out
}

// authority returns who signs the tokens of a cloud's tenants.
func authority(a config.Azure) string {
	switch a.Cloud {
	case config.CloudGovernment:
		return "https://login.microsoftonline.us"
	case config.CloudChina:
		return "https://login.partner.microsoftonline.cn"
	case config.CloudCustom:
		if a.Custom != nil {
			return a.Custom.Authority
		}
	case config.CloudPublic:
	}
	return "https://login.microsoftonline.com"
}

// warm fetches a token and opens the connection to Azure, so that the first write
// does not pay for them.
func warm(ctx context.Context, p *parts) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := p.net.Warm(ctx); err != nil && ctx.Err() == nil {
		p.log.Warn().Str("event", "azure.unreachable").Str("hint", fault.HintOf(err)).Err(err).Msg("Azure could not be reached at start; it is tried again when it is needed")
	}
}
