package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/eventhub"
	"erfailover/failover/fault"
	"erfailover/failover/probe"
	"erfailover/handlers"
)

// serveOptions are the flags of the command.
type serveOptions struct {
	config string
	listen string
	hub    string
	group  string
	folder string

	started func(address string) // told when it listens; nil for nobody
}

// serveCommand runs the program without the Functions host.
func serveCommand() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run without the Functions host: the API on a port, timers, Event Hubs",
		Long: `Run without the Functions host, in Container Apps, a cluster or a virtual machine.

The same engine: the API on a port, a tick every 15 seconds, the drills' calendar,
and, with --hub, the events of an event hub, checkpointed after each save. Several
replicas share the work when the record is on Azure Blob.`,
		Example: `  erfailover serve --config erfailover.yaml --hub ns.servicebus.windows.net/circuit-events`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(o.config, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "the configuration (default: ERFAILOVER_CONFIG)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the API; auth.mode loopback refuses others than loopback")
	f.StringVar(&o.hub, "hub", "", "NAMESPACE/HUB to consume, under the identity of the configuration")
	f.StringVar(&o.group, "consumer-group", "erfailover", "consumer group of the hub; give the program one of its own")
	f.StringVar(&o.folder, "archive", "", archiveUsage)
	return c
}

// serve runs until the context ends, and then lets what is in flight finish.
func serve(ctx context.Context, cfg config.Config, o serveOptions) error {
	if err := o.check(cfg); err != nil {
		return &exitError{exitUsage, err}
	}
	p, err := wire(cfg, newLog(os.Stdout, time.Now))
	if err != nil {
		return err
	}
	p.logging()
	if err := p.withArchive(o.folder); err != nil {
		return errors.Join(err, p.close())
	}
	face, err := handlers.NewStandalone(p.options())
	if err != nil {
		return errors.Join(err, p.close())
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), p.close())
	}
	server := &http.Server{Handler: face, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	all.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stop(err)
		}
	})
	all.Go(func() { warm(ctx, p) })
	all.Go(func() { tellIdentityLater(ctx, p) })
	all.Go(func() { p.every(ctx, 15*time.Second, "tick", p.noticed(p.withDrills(p.carded(faced(p.engine)).Tick))) })
	all.Go(func() { p.every(ctx, time.Minute, "drills", p.minutely) })
	if p.prober != nil {
		all.Go(func() { p.every(ctx, probe.DefaultEvery, "probe", p.probes) })
	}
	if o.hub != "" {
		all.Go(func() {
			if err := p.consume(ctx, o, face); err != nil {
				stop(err)
			}
		})
	}
	if o.started != nil {
		o.started(listener.Addr().String())
	}
	p.log.Info().Str("event", "serve.started").Str("listen", listener.Addr().String()).Msg("serving")
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err = server.Shutdown(drain)
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, p.close())
}

// check refuses flags that do not fit the configuration.
func (o serveOptions) check(cfg config.Config) error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen: got %q, want HOST:PORT", o.listen)
	}
	if ip := net.ParseIP(host); cfg.Auth.Mode == config.AuthLoopback && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen: got %q; auth.mode loopback serves loopback addresses only, set another mode", o.listen)
	}
	if o.hub != "" {
		if ns, hub, ok := strings.Cut(o.hub, "/"); !ok || ns == "" || hub == "" {
			return fmt.Errorf("--hub: got %q, want NAMESPACE/HUB, ns.servicebus.windows.net/circuit-events", o.hub)
		}
	}
	return nil
}

// every calls work now and then until the context ends. A call that fails is logged,
// and the next one comes at its time.
func (p *parts) every(ctx context.Context, span time.Duration, what string, work func(context.Context) error) {
	for {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			p.log.Error().Str("event", what+".failed").Str("hint", fault.HintOf(err)).Err(err).Msg("a turn failed; the next one comes at its time")
		}
		if p.clock.Sleep(ctx, span) != nil {
			return
		}
	}
}

// consume takes the events of a hub in.
func (p *parts) consume(ctx context.Context, o serveOptions, face *handlers.Standalone) error {
	ns, hub, _ := strings.Cut(o.hub, "/")
	cred, err := armnet.NewCredential(armnet.Identity(p.config.Azure.Identity.String()), cloudOf(p.config.Azure))
	if err != nil {
		return err
	}
	return eventhub.Run(ctx, eventhub.Options{
		Namespace: ns, Hub: hub, Group: o.group, Credential: cred, Store: p.store, Now: time.Now, Nonce: randomID,
		Report: func(what string, err error) {
			p.log.Warn().Str("event", "hub.trouble").Str("what", what).Str("hint", fault.HintOf(err)).Err(err).Msg("the event hub is tried again")
		},
	}, account(face))
}

// account delivers to the face, and hands on what became of the events.
func account(face *handlers.Standalone) eventhub.Deliver {
	return func(ctx context.Context, partition string, bodies [][]byte) (eventhub.Account, error) {
		d, err := face.Deliver(ctx, partition, bodies)
		r := d.Receipt
		return eventhub.Account{
			Events: int64(d.Events), Taken: int64(d.Taken), Foreign: int64(d.Foreign), Broken: int64(d.Broken), Signals: int64(d.Signals),
			Applied: int64(r.Applied), Repeated: int64(r.Repeated), SetAside: int64(r.SetAside), Refused: int64(r.Refused), Unknown: int64(r.Unknown),
		}, err
	}
}
