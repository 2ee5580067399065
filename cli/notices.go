package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"erfailover/failover/armnet"
	"erfailover/failover/config"
	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/notify"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/report"
	"erfailover/handlers"
)

// noticeBudget is how long one pass over the channels may take. It comes after the
// tick, never inside it.
const noticeBudget = 5 * time.Second

// Environment variables of the notices, beside those that the configuration names.
const (
	webhookKeyVariable = "ERFAILOVER_WEBHOOK_KEY"  // signs what is posted to webhooks
	linkKeyVariable    = "ERFAILOVER_LINK_KEY"     // signs the links that call an announced drill off
	allowVariable      = "ERFAILOVER_NOTIFY_ALLOW" // inner networks that webhooks may be in: 10.1.2.0/24,10.9.0.7/32
)

// noticed returns tick with a pass over the channels after it, whatever became of the
// tick. A channel's trouble is logged and is no trouble of the tick.
func (p *parts) noticed(tick func(context.Context) error) func(context.Context) error {
	if len(p.config.Notify) == 0 {
		return tick
	}
	n, err := p.notifier(os.LookupEnv, notify.Guard{})
	if err != nil {
		p.log.Error().Str("event", "notify.off").Str("hint", fault.HintOf(err)).Err(err).Msg("nobody is notified until this is put right")
		return tick
	}
	return func(ctx context.Context) error {
		err := tick(ctx)
		pass, cancel := context.WithTimeout(ctx, noticeBudget)
		defer cancel()
		if trouble := n.Run(pass); trouble != nil && ctx.Err() == nil {
			p.log.Warn().Str("event", "notify.failed").Str("hint", fault.HintOf(trouble)).Err(trouble).Msg("a channel could not be told; it is tried again")
		}
		return err
	}
}

// told returns an engine that notifies after each tick.
func (p *parts) told(e handlers.Engine) handlers.Engine {
	return handlers.EngineFuncs{HandleFunc: e.Handle, TickFunc: p.noticed(p.withDrills(e.Tick))}
}

// notifier makes what tells the channels of the configuration. guard is extended by
// the networks that the environment allows.
func (p *parts) notifier(lookup func(string) (string, bool), guard notify.Guard) (*notify.Notifier, error) {
	allowed, err := allowedNetworks(lookup)
	if err != nil {
		return nil, err
	}
	guard.Allow = append(guard.Allow, allowed...)
	o := notify.Options{
		Store: p.store, Owner: owner(), Now: p.clock.Now, Nonce: randomID, Streams: noticeStreams(p.config),
		Voice: notify.Voice{Base: pageBase(lookup), Lift: func(code string) string { return report.Describe(policy.Reason(code)).Lift }},
	}
	if key, err := linkKey(lookup); err == nil && key != nil {
		o.Voice.Cancel = func(e record.Entry) string { return cancelAddress(e, key, p.clock.Now()) }
	}
	used := map[string]int{}
	for _, c := range p.config.Notify {
		t := notify.Target{Key: channelKey(c, used), Limits: notify.People()}
		for _, topic := range c.For {
			t.Topics = append(t.Topics, notify.Topic(topic))
		}
		if c.Channel == config.ChannelEventHub {
			t.Limits = notify.Machines()
		}
		if t.Channel, err = p.channel(c, lookup, guard); err != nil {
			t.Channel = broken{err} // its cursor waits until this is put right
		}
		o.Targets = append(o.Targets, t)
	}
	return notify.New(o), nil
}

// linkKey returns the key that signs the links of announcements; nil when there is
// none, and then announcements carry none.
func linkKey(lookup func(string) (string, bool)) ([]byte, error) {
	text, _ := lookup(linkKeyVariable)
	if n := len(text); n > 0 && n < drill.MinLinkKey {
		return nil, &fault.Error{Op: "read environment variable", Target: linkKeyVariable, Kind: fault.Invalid, Hint: fmt.Sprintf("%d random characters or more", drill.MinLinkKey), Err: fmt.Errorf("got %d characters", n)}
	}
	if text == "" {
		return nil, nil
	}
	return []byte(text), nil
}

// cancelAddress returns where the drill that an entry announces is called off, as long
// as there is time for it.
func cancelAddress(e record.Entry, key []byte, now time.Time) string {
	l, ok := drill.CancelLinkOf(e)
	if !ok || !now.Before(l.Until) {
		return ""
	}
	return handlers.AnnouncementPath(l.Drill) + "?" + l.Query(key)
}

// channel makes one channel. It sends nothing.
func (p *parts) channel(c config.Notify, lookup func(string) (string, bool), guard notify.Guard) (notify.Channel, error) {
	to, err := c.To.Resolve(lookup)
	if err != nil {
		return nil, err
	}
	client := guard.Client()
	switch c.Channel {
	case config.ChannelTeams:
		return notify.NewTeams(to, client)
	case config.ChannelSlack:
		return notify.NewSlack(to, client)
	case config.ChannelPagerDuty:
		return notify.NewPagerDuty(notify.PagerDutyEvents, to, client)
	case config.ChannelWebhook:
		key, _ := lookup(webhookKeyVariable)
		return notify.NewWebhook(to, []byte(key), client, time.Now)
	case config.ChannelEventHub:
		cred, err := armnet.NewCredential(armnet.Identity(p.config.Azure.Identity.String()), cloudOf(p.config.Azure))
		if err != nil {
			return nil, err
		}
		return notify.NewHub(notify.HubOptions{Address: to, Credential: cred})
	}
	return nil, &fault.Error{Op: "open channel", Target: string(c.Channel), Kind: fault.Invalid, Err: errors.New("there is no such channel")}
}

// broken is a channel that cannot be used as it is configured.
type broken struct{ err error }

// Send says why.
func (b broken) Send(context.Context, []notify.Message) (int, error) { return 0, b.err }

// noticeStreams lists the journal streams of the configuration that people hear of.
func noticeStreams(cfg config.Config) []string {
	out := []string{record.EstateKey}
	for _, name := range sortedKeys(cfg.Groups) {
		out = append(out, "group."+name)
	}
	for _, name := range sortedKeys(cfg.Drills) {
		out = append(out, drill.Stream(name))
	}
	return out
}

// channelKey names a channel's cursor: by its kind and the variable that holds its
// address. The address itself is in no key, and neither is a hash of it.
func channelKey(c config.Notify, used map[string]int) string {
	key := strings.ToLower(string(c.Channel))
	if env := c.To.Env(); env != "" {
		key += "-" + strings.ToLower(env)
	}
	used[key]++
	if n := used[key]; n > 1 {
		key += fmt.Sprintf("-%d", n)
	}
	return key
}

// pageBase returns where the page is, as far as the environment says it.
func pageBase(lookup func(string) (string, bool)) string {
	if url, ok := lookup("ERFAILOVER_URL"); ok && strings.HasPrefix(url, "http") {
		return strings.TrimSuffix(url, "/")
	}
	if host, ok := lookup("WEBSITE_HOSTNAME"); ok && host != "" { // set by Azure Functions
		return "https://" + host
	}
	return ""
}

// allowedNetworks reads the inner networks that webhooks may be in.
func allowedNetworks(lookup func(string) (string, bool)) ([]netip.Prefix, error) {
	text, _ := lookup(allowVariable)
	var out []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, &fault.Error{Op: "read environment variable", Target: allowVariable, Kind: fault.Invalid, Hint: "networks with their bits, 10.1.2.0/24,10.9.0.7/32", Err: fmt.Errorf("got %q", part)}
		}
		out = append(out, network.Masked())
	}
	return out, nil
}

// notifyCommand tries the channels.
func notifyCommand() *cobra.Command {
	var path string
	c := &cobra.Command{Use: "notify", Short: "Try the channels that are notified"}
	test := &cobra.Command{
		Use: "test", Short: "Send a test message to each channel and say what happened", Args: cobra.NoArgs,
		Example: `  erfailover notify test --config erfailover.yaml`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(path, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return notifyTest(cmd.Context(), cfg, os.LookupEnv, notify.Guard{}, cmd.OutOrStdout())
		},
	}
	test.Flags().StringVar(&path, "config", "", "the configuration (default: ERFAILOVER_CONFIG)")
	c.AddCommand(test)
	return c
}

// notifyTest sends a test message to each channel. The record is not touched.
func notifyTest(ctx context.Context, cfg config.Config, lookup func(string) (string, bool), guard notify.Guard, w io.Writer) error {
	if len(cfg.Notify) == 0 {
		fmt.Fprintln(w, "no channels are configured: see notify in docs/configuration.md")
		return nil
	}
	p := &parts{config: cfg, clock: &clock{}}
	n, err := p.notifier(lookup, guard)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	failed := 0
	results := n.Check(ctx)
	for _, key := range n.Keys() {
		if err := results[key]; err != nil {
			failed++
			fmt.Fprintf(w, "%-32s failed: %v\n", key, err)
			if hint := fault.HintOf(err); hint != "" {
				fmt.Fprintf(w, "%-32s what to do: %s\n", "", hint)
			}
			continue
		}
		fmt.Fprintf(w, "%-32s taken\n", key)
	}
	if failed > 0 {
		return &exitError{exitFailed, fmt.Errorf("%d of %d channels failed", failed, len(results))}
	}
	return nil
}
