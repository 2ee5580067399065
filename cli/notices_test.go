package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover/config"
	"erfailover/failover/notify"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

const noticeCanary = "canary-9876543210"

// noticeRig is a configuration with two webhooks, one of which is dead, on loopback.
func noticeRig(t *testing.T) (config.Config, func(string) (string, bool), notify.Guard, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/dead" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got = append(got, string(body))
	}))
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	cfg, _, err := config.Parse([]byte(drillGroups + drillMonthly + `notify:
  - {webhook: "env:HOOK_URL", for: [operation, refusal, approval, drill, failure]}
  - {slack: "env:SLACK_URL", for: [failure, operation]}
`))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOOK_URL": s.URL + "/hook?sig=" + noticeCanary, "SLACK_URL": s.URL + "/dead?sig=" + noticeCanary, "WEBSITE_HOSTNAME": "er.example"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	guard := notify.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return cfg, lookup, guard, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(got) }
}

// TestNotices sends what a group's journal says through the configuration, and finds
// no address in the record.
func TestNotices(t *testing.T) {
	cfg, lookup, guard, got := noticeRig(t)
	p := &parts{config: cfg, store: recordtest.NewMemory(), clock: &clock{at: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }}}
	n, err := p.notifier(lookup, guard)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, _ := record.Chain(record.Head{}, "group.east", []record.Entry{{At: p.clock.Now(), Code: "verdict.changed", Group: "east", Reasons: []string{"headroom"},
		Text: "hold: chicago has not enough bandwidth left", Fields: map[string]string{"action": "hold", "from": "ashburn"}},
		{At: p.clock.Now(), Code: "operation.decided", Group: "east", Operation: "op-1", Text: "failover from ashburn to chicago"}})
	rows, err := record.Rows(entries)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.store.Append(t.Context(), "group.east", rows); err != nil {
		t.Fatal(err)
	}
	err = n.Run(t.Context())
	if err == nil || strings.Contains(err.Error(), noticeCanary) {
		t.Errorf("the dead channel's error: %v", err)
	}
	all := strings.Join(got(), "\n")
	for _, want := range []string{`"headroom"`, "erfailover explain east", "https://er.example/api/?group=east", "reduce the load", "failover from ashburn to chicago"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in what was sent:\n%s", want, all)
		}
	}
	for key, body := range p.store.(*recordtest.Memory).Dump() {
		if strings.Contains(body, noticeCanary) || strings.Contains(key, noticeCanary) {
			t.Errorf("%s holds the address of a channel", key)
		}
	}
	for _, key := range []string{"notify/webhook-hook_url", "notify/slack-slack_url"} {
		if _, err := p.store.Load(t.Context(), key); err != nil {
			t.Errorf("cursor: %v", err)
		}
	}
}

// TestNotifyTest runs the command's work: one channel takes the message, one is dead,
// one is not set, and each is said, without an address.
func TestNotifyTest(t *testing.T) {
	cfg, lookup, guard, got := noticeRig(t)
	cfg.Notify = append(cfg.Notify, config.Notify{Channel: config.ChannelTeams, To: "env:NOT_SET", For: []config.Topic{config.TopicDrill}})
	var out bytes.Buffer
	err := notifyTest(t.Context(), cfg, lookup, guard, &out)
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != exitFailed || len(got()) != 1 {
		t.Errorf("%v, %d messages", err, len(got()))
	}
	for _, want := range []string{"webhook-hook_url                 taken", "slack-slack_url                  failed", "teams-not_set", "set NOT_SET", "503"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), noticeCanary) {
		t.Errorf("an address is shown:\n%s", out.String())
	}
	guard.Allow = nil
	out.Reset()
	if err := notifyTest(t.Context(), cfg, lookup, guard, &out); err == nil || !strings.Contains(out.String(), "not public") || len(got()) != 1 {
		t.Errorf("an inner address: %v\n%s", err, out.String())
	}
}

// TestTickIsNotHarmed holds that the channels' trouble is no trouble of the tick, and
// that the tick's own error is handed on.
func TestTickIsNotHarmed(t *testing.T) {
	t.Setenv("SLACK_URL", "https://127.0.0.1:1/"+noticeCanary)
	t.Setenv("HOOK_URL", "")
	cfg, _, _, _ := noticeRig(t)
	var log bytes.Buffer
	store := recordtest.NewMemory()
	p := &parts{config: cfg, store: store, clock: &clock{}, log: zerolog.New(&log)}
	own := errors.New("the tick's own")
	tick := p.noticed(func(context.Context) error { return own })
	if err := tick(t.Context()); !errors.Is(err, own) {
		t.Fatal(err)
	}
	entries, _ := record.Chain(record.Head{}, "group.east", []record.Entry{{At: time.Now(), Code: "operation.decided", Group: "east", Operation: "op-1", Text: "failover from ashburn to chicago"}})
	rows, err := record.Rows(entries)
	if err == nil {
		err = store.Append(t.Context(), "group.east", rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := tick(t.Context()); !errors.Is(err, own) {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "notify.failed") || !strings.Contains(log.String(), "HOOK_URL") || strings.Contains(log.String(), noticeCanary) {
		t.Errorf("the log says %s", log.String())
	}
}

// silent lists the journal codes that people are not told of, each with its reason.
var silent = map[string]string{
	"order.due":         "what becomes of it is told: begun, waiting or refused",
	"estate.discovered": "what exists was read; `check` tells of faults",
	"signal.noted":      "an input, not a decision",
	"circuit.state":     "an input: the verdict that follows is told",
	"signal.unknown":    "an input",
	"baseline.captured": "a read in peace",
	"intent.closed":     "bookkeeping of a write",
	"read.asked":        "bookkeeping of a read",
	"watch.failed":      "nothing is decided by it: messages still arrive; log and journal say it",
	"watch.back":        "as watch.failed",
}

// TestEveryCodeIsConsidered reads the engine's closed list of codes and holds that
// each is told, or is silent for a reason.
func TestEveryCodeIsConsidered(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../failover/codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{"claim.changed": "no plan: x", "order.answered": "failover: refused: headroom", "step.ended": "gw1 was not written: 403"}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		codes++
		group := "east"
		if strings.HasPrefix(code, "estate.") {
			group = ""
		}
		e := record.Entry{Code: code, Group: group, Text: text[code], Operation: "op-1", Fields: map[string]string{"action": "hold", "from": "ashburn", "verb": "failover"}}
		if _, quiet := silent[code]; notify.Tells(e) == quiet {
			t.Errorf("%s: told %v, listed as silent %v", code, notify.Tells(e), quiet)
		}
		return true
	})
	if codes < 20 {
		t.Errorf("only %d codes found", codes)
	}
}

// TestAllowedNetworks reads the variable that allows inner networks.
func TestAllowedNetworks(t *testing.T) {
	for text, want := range map[string]int{"": 0, "10.1.2.0/24": 1, " 10.1.2.0/24, fd00::/8 ": 2, "10.1.2.3": -1, "x": -1} {
		got, err := allowedNetworks(func(string) (string, bool) { return text, true })
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}

// heard is a channel that keeps what it is sent.
type heard struct{ got []notify.Message }

func (h *heard) Send(_ context.Context, m []notify.Message) (int, error) {
	h.got = append(h.got, m...)
	return len(m), nil
}

// words holds that the engine's journal is understood by the notices: where each
// operation goes, and how it ended.
type words struct {
	begun, ended, drills int
	n                    *notify.Notifier
	channel              *heard
}

// listen begins to read the journal of a world.
func (k *words) listen(t *testing.T, w *drillWorld) {
	t.Helper()
	k.channel = &heard{}
	k.n = notify.New(notify.Options{Store: w.store, Owner: "a", Nonce: randomID, Now: func() time.Time { return w.now }, Streams: noticeStreams(w.p.config),
		Targets: []notify.Target{{Key: "c", Topics: []notify.Topic{notify.Operation, notify.Drill}, Limits: notify.Machines(), Channel: k.channel}}})
	if err := k.n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// hold reads what was written since.
func (k *words) hold(t *testing.T) {
	t.Helper()
	if err := k.n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range k.channel.got {
		switch m.Code {
		case "operation.decided":
			k.begun++
			if m.Operation == "" || m.Epoch == 0 || m.Kind == "" || m.Kind != "settle" && (len(m.From) == 0 || len(m.To) == 0) {
				t.Errorf("%q is not understood: %+v", m.Text, m)
			}
		case "operation.ended":
			k.ended++
			if m.Operation == "" || m.Kind == "" || m.Result == "" {
				t.Errorf("%q is not understood: %+v", m.Text, m)
			}
		}
		if m.Topic == notify.Drill {
			k.drills++
		}
	}
}
