package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	"erfailover/failover/sim"
	"erfailover/handlers/appzip"
	"erfailover/handlers/hosttest"
)

// recordFile is the demo's record, in its folder.
const recordFile = "record.db"

// demoStart is when the story begins on the estate's clock: a Monday at 3 a.m.
func demoStart() time.Time { return time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC) }

// demo is the estate, the program and the stand-ins between them.
type demo struct {
	clock    *clock
	est      sim.Demo
	arm      *sim.ARM
	identity *sim.Identity
	host     *hosttest.Host
	source   sim.Source
	dir      string
	out      io.Writer
	asks     bool              // every group waits for a person
	before   map[string][]byte // connection bodies at rest, by ID
	logs     *os.File

	mu     sync.Mutex
	told   []line // what the program said, parsed
	sent   int
	grey   time.Time // when the circuit first went bad
	healed time.Time // when it was good for good
	damped bool
}

// startDemo starts everything. The program under it is this very binary, started
// by the host's stand-in as the host would.
func startDemo(assets Assets, o demoOptions, dir string, out io.Writer) (*demo, error) {
	d := &demo{clock: newClock(demoStart(), o.speed), dir: dir, out: out, asks: o.hands, before: map[string][]byte{}}
	d.est = sim.DemoEstateAt(demoStart(), sim.Timing{Land: 20 * time.Second, End: 30 * time.Second, Read: 8 * time.Second})
	d.arm = sim.NewARM(d.est.Fabric, sim.Options{Now: d.clock.Now, RetryAfter: 5 * time.Second})
	if err := d.arm.Start(); err != nil {
		return nil, err
	}
	var err error
	if d.identity, err = sim.NewIdentity(); err != nil {
		return nil, errors.Join(err, d.arm.Close())
	}
	for _, id := range d.est.Fabric.Connections("") {
		body, _ := d.est.Fabric.Get(id, false, sim.KeyMasked, d.clock.Now())
		d.before[id] = body
	}
	if err := d.startHost(assets, o.speed); err != nil {
		d.stop()
		return nil, err
	}
	return d, nil
}

// startHost writes the app's folder and configuration and starts the host.
func (d *demo) startHost(assets Assets, speed float64) error {
	app, err := appzip.Read(assets.Manifest, assets.Host, appzip.Options{})
	if err != nil {
		return err
	}
	root := filepath.Join(d.dir, "app")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := app.WriteDir(root); err != nil {
		return err
	}
	ca, cfg := filepath.Join(d.dir, "ca.pem"), filepath.Join(d.dir, "erfailover.yaml")
	text, err := d.config()
	if err != nil {
		return err
	}
	if err := errors.Join(d.arm.WriteCA(ca), os.WriteFile(cfg, text, 0o600)); err != nil {
		return err
	}
	if d.logs, err = os.Create(filepath.Join(d.dir, "handler.log")); err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	env := append(d.identity.Env(), "SSL_CERT_FILE="+ca, "ERFAILOVER_CONFIG="+cfg, clockVariable+"="+d.clock.String(),
		"EventHubConnection__fullyQualifiedNamespace=demo.servicebus.example", "EVENTHUB_NAME=circuit-events", "EVENTHUB_CONSUMER_GROUP=erfailover", "WEBSITE_SITE_NAME=")
	d.host, err = hosttest.Start(hosttest.Options{
		AppDir: root, Binary: binary, Args: []string{"handler"}, Env: env, Speed: speed, Stdout: d.hear,
		Stderr: func(text string) { fmt.Fprintln(d.logs, "stderr:", text) },
		Note:   func(text string) { fmt.Fprintln(d.logs, "host:", text) },
	})
	return err
}

// stop ends everything that was started, in the order in which it is used.
func (d *demo) stop() {
	if d.host != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_, _ = d.host.Drain(ctx) // a handler that does not end is killed below
		cancel()
		d.host.Stop()
	}
	_ = d.identity.Close()
	_ = d.arm.Close()
	if d.logs != nil {
		_ = d.logs.Close()
	}
}

// monitorOf returns the Connection Monitor that probes through a circuit.
func monitorOf(circuit string) string {
	return "/subscriptions/" + sim.DemoSubscription + "/resourceGroups/net/providers/Microsoft.Network/networkWatchers/watcher/connectionMonitors/cm-" + circuit
}

// demoConfig is the demo's configuration: the same file as anybody's, with shorter
// waits so that the story fits in a minute.
const demoConfig = `# The demo's estate. Waits are shorter than a careful operator's, so that the
# story fits in a minute.
version: 1
azure:
  cloud: custom
  custom:
    resourceManager: {{.ARM}}
    audience: https://management.azure.com
    authority: https://login.example
  identity: managed
record:
  bolt: {{.Record}}
circuits:
{{- range .Circuits}}
  {{.Name}}: {id: {{.ID}}, site: {{.Site}}, monitors: [{{.Monitor}}]}
{{- end}}
groups:
{{- range .Groups}}
  {{.Name}}:
    mode: {{$.Mode}}
    gateways:
{{- range .Gateways}}
      - {{.}}
{{- end}}
    preference: [{{.Preference}}]
    objective: 5m
    health: {holdDown: 30s, holdUp: 2m, observers: 2, confirmByRead: true, degraded: alert, damping: {halfLife: 4m, suppress: 2400}}
    coolDown: 5m
    failback: {mode: {{$.Return}}, after: 8m}
    approval: {approvers: 1, distinct: true, expires: 24h}
{{- end}}
drills:
  monthly-east: {group: east, kind: move, schedule: "0 2 1 * *", timezone: America/New_York, hold: 20m, limit: 45m, announce: 24h}
  quarterly-evacuate: {group: east, kind: evacuate, schedule: "0 3 15 */3 *", timezone: America/New_York, hold: 20m, limit: 1h}
  paper-south: {group: south, kind: tabletop, schedule: "0 9 * * MON", timezone: America/Chicago}
timing: {settleAfter: 1m, poll: {monitor: false}} # the story is told by messages, at many times the pace of a minute's metric
auth:
  mode: loopback
`

// config renders the configuration.
func (d *demo) config() ([]byte, error) {
	type circuit struct{ Name, ID, Site, Monitor string }
	type group struct {
		Name, Preference string
		Gateways         []string
	}
	var data struct {
		ARM, Record string
		Mode        string
		Return      string
		Circuits    []circuit
		Groups      []group
	}
	data.Mode, data.Return = "automatic", "automatic"
	if d.asks {
		data.Mode, data.Return = "approve", "manual"
	}
	data.ARM, data.Record = d.arm.URL(), filepath.Join(d.dir, recordFile)
	for _, name := range sortedKeys(d.est.Circuits) {
		data.Circuits = append(data.Circuits, circuit{short(name), d.est.Circuits[name], d.est.Sites[name], monitorOf(name)})
	}
	for _, name := range sortedKeys(d.est.Regions) {
		g := group{Name: name}
		for _, c := range d.est.Preference[name] {
			g.Preference = strings.TrimPrefix(g.Preference+", "+short(c), ", ")
		}
		for _, gw := range d.est.Regions[name] {
			g.Gateways = append(g.Gateways, d.est.Gateways[gw])
		}
		data.Groups = append(data.Groups, g)
	}
	var b bytes.Buffer
	err := template.Must(template.New("config").Parse(demoConfig)).Execute(&b, data)
	return b.Bytes(), err
}

// short drops the "er-" of a circuit resource's name.
func short(name string) string { return strings.TrimPrefix(name, "er-") }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// get reads a page of the program's API through the host's front.
func (d *demo) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("x-functions-key", "function")
	resp, err := d.host.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return body, err
}
