package archtest

// row says what one package may do. Tests are free: the table is about the code
// that ships.
type row struct {
	ours   []string // packages of this module, relative to its root
	others []string // modules outside the standard library, by import path prefix
	std    []string // standard packages that the row's kind forbids but this one needs, each with its reason beside it
	kind   kind
	plan   bool // no code yet; the test fails once there is, so that the mark is taken away
}

// kind says how much of the world a package may touch.
type kind int

const (
	// pure code takes values and returns values: no clock, network, environment,
	// log, random number, goroutine or map order.
	pure kind = iota
	// sequential code blocks on ports that are handed to it: no goroutine, no
	// network, clock, environment or random number of its own.
	sequential
	// free code is where the world is.
	free
)

// Modules that more than one row names.
const (
	azure     = "github.com/Azure/azure-sdk-for-go/sdk"
	backoff   = "github.com/cenkalti/backoff/v4"
	bbolt     = "go.etcd.io/bbolt"
	cron      = "github.com/robfig/cron/v3"
	ical      = "github.com/emersion/go-ical"
	jose      = "github.com/go-jose/go-jose/v4"
	jsonv2    = "github.com/go-json-experiment/json"
	oidc      = "github.com/coreos/go-oidc/v3"
	porcupine = "github.com/anishathalye/porcupine"
	promet    = "github.com/prometheus/client_golang"
	rrule     = "github.com/teambition/rrule-go"
	schema    = "github.com/santhosh-tekuri/jsonschema/v6"
	xsync     = "golang.org/x/sync"
	otel      = "go.opentelemetry.io/otel"
	protowire = "google.golang.org/protobuf/encoding/protowire"
	tracing   = "failover/trace"
	clocking  = "failover/clock"
	yamlv3    = "go.yaml.in/yaml/v3"
	zerolog   = "github.com/rs/zerolog"
	cobra     = "github.com/spf13/cobra"
	fault     = "failover/fault"
	topology  = "failover/topology"
	health    = "failover/health"
	policy    = "failover/policy"
	planner   = "failover/planner"
	executor  = "failover/executor"
	record    = "failover/record"
	report    = "failover/report"
	config    = "failover/config"
	shadow    = "failover/shadow"
)

// everything, as the list of a row, allows all packages or all modules.
const everything = "*"

// table is the arrow of docs/architecture.md, row by row:
//
//	events -> health -> policy -> planner -> executor -> record -> report
//
// A package may import what stands left of it, and only what its row names.
// .golangci.yml says the same in the editor; TestDepguardAgrees compares them.
var table = map[string]row{
	"events":   {others: []string{jsonv2}},
	fault:      {},
	topology:   {ours: []string{"events", fault}, others: []string{jsonv2}},
	health:     {ours: []string{topology, "events", fault}, others: []string{jsonv2}},
	policy:     {ours: []string{topology, health, "events", fault}, others: []string{jsonv2}},
	planner:    {ours: []string{topology, policy, health, fault}, others: []string{jsonv2}},
	executor:   {kind: sequential, ours: []string{topology, planner, fault}, others: []string{backoff, jsonv2}},
	record:     {ours: []string{topology, health, policy, planner, executor, "events", fault}, others: []string{jsonv2}, std: []string{"context"}}, // context: the Store port
	shadow:     {ours: []string{record}},
	report:     {ours: []string{shadow, record, executor, planner, policy, health, topology, "events", fault}, others: []string{jsonv2}},
	config:     {ours: []string{topology, health, policy, "events", fault}, others: []string{jsonv2, yamlv3, schema, cron}},
	"failover": {kind: sequential, ours: []string{"events", topology, health, policy, planner, executor, record, report, config, tracing, fault}, others: []string{zerolog, jsonv2}, std: []string{"sync"}}, // sync: guards memory that only saves work, never held over a port call

	"failover/armnet":    {kind: free, ours: []string{topology, planner, executor, "events", clocking, fault}, others: []string{azure, backoff, jsonv2, xsync}},
	clocking:             {kind: free},
	"failover/boltstore": {kind: free, ours: []string{record, fault}, others: []string{bbolt, jsonv2}},
	"failover/sim":       {kind: free, ours: []string{"events", topology, health, policy, planner, executor, record, config, fault}, others: []string{jsonv2}},

	// Contract suites: test code that every implementation of a port runs.
	"failover/record/recordtest": {kind: free, ours: []string{record, fault}, others: []string{porcupine}},
	"failover/archtest":          {kind: pure},
	"failover/drill":             {ours: []string{topology, health, policy, planner, executor, record, report, "events", fault}, others: []string{cron, ical, rrule, jsonv2}},
	"failover/replay":            {kind: sequential, ours: []string{"failover", shadow, topology, policy, executor, record, "events", fault}, others: []string{jsonv2}}, // the engine itself, on virtual time
	"failover/blobstore":         {kind: free, ours: []string{record, clocking, fault}, others: []string{azure, backoff, jsonv2}},
	"failover/eventhub":          {kind: free, ours: []string{record, fault}, others: []string{azure, backoff, jsonv2}},
	"failover/contest":           {ours: []string{topology, health, policy, planner, "events"}},
	"failover/probe":             {kind: free, ours: []string{topology, "events"}},
	"failover/notify":            {kind: free, ours: []string{record, report, "events", fault}, others: []string{azure, backoff, jsonv2}},
	tracing:                      {std: []string{"context"}}, // context: the Tracer port
	"failover/telemetry":         {kind: free, ours: []string{tracing, executor, planner, fault}, others: []string{otel, protowire}},
	"handlers":                   {kind: free, ours: []string{"failover", "failover/drill", "events", record, report, shadow, config, tracing, fault}, others: []string{zerolog, jsonv2, oidc, jose, promet}},
	"handlers/page":              {kind: free, ours: []string{record, report, policy, planner, health, executor, topology, "events", fault}, others: []string{jsonv2}},
	"handlers/appzip":            {kind: free, others: []string{jsonv2}},
	"handlers/hosttest":          {kind: free, others: []string{jsonv2, cron}},
	"cli":                        {kind: free, ours: []string{everything}, others: []string{everything}},
	".":                          {kind: free, ours: []string{everything}, others: []string{everything}},
}

// owners names the only packages that may import a module, whatever else a row
// may say one day.
var owners = map[string][]string{
	zerolog: {"failover", "handlers", "cli", "."},
	azure:   {"failover/armnet", "failover/blobstore", "failover/eventhub", "failover/notify", "cli", "."},
	bbolt:   {"failover/boltstore", "cli", "."},
	cobra:   {"cli", "."},
	otel:    {"failover/telemetry", "cli", "."},
	backoff: {executor, "failover/armnet", "failover/blobstore", "failover/eventhub", "failover/notify", "cli", "."},
}
