package config

import (
	"time"

	"erfailover/events"
	"erfailover/failover/health"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// Version is the only version of the file's form that there is.
const Version = 1

// Config is the whole file with defaults filled in. Resource IDs are canonical.
// It is read only once it is made.
type Config struct {
	Version      int
	Azure        Azure
	Record       Record
	Circuits     map[string]Circuit // by our name
	Groups       map[string]Group   // by name
	EstateLimits policy.Limits      // key limits
	Drills       map[string]Drill   // by name
	Notify       []Notify
	Auth         Auth
	Timing       Timing
}

// Cloud names the Azure cloud whose endpoints are used.
type Cloud string

const (
	CloudPublic     Cloud = "public"
	CloudGovernment Cloud = "government"
	CloudChina      Cloud = "china"
	CloudCustom     Cloud = "custom" // endpoints from azure.custom
)

// Azure says how Azure is reached.
type Azure struct {
	Cloud    Cloud
	Custom   *CustomCloud // nil unless Cloud is custom
	Identity Identity
	Budget   Budget
}

// CustomCloud holds the endpoints of a cloud that is none of the known ones. All
// are https.
type CustomCloud struct {
	ResourceManager string // Azure Resource Manager endpoint
	Audience        string // what tokens for it are asked for
	Authority       string // Entra authority host

	Metrics         string // Azure Monitor's data plane, {region} stands for a region's name; "" reads metrics one circuit at a time
	MetricsAudience string // what tokens for it are asked for; set where Metrics is
}

// IdentityKind says where our Azure token comes from.
type IdentityKind string

const (
	IdentityManaged   IdentityKind = "managed"   // the host's managed identity
	IdentityWorkload  IdentityKind = "workload"  // Kubernetes workload identity
	IdentityDeveloper IdentityKind = "developer" // the signed-in developer
)

// Identity is the identity that talks to Azure.
type Identity struct {
	Kind     IdentityKind
	ClientID string // managed only: a user-assigned identity; "" means the system-assigned one
}

// String returns the form of the file: "managed", "managed:<client id>", ...
func (i Identity) String() string {
	if i.ClientID != "" {
		return string(i.Kind) + ":" + i.ClientID
	}
	return string(i.Kind)
}

// Budget is the share of the published request buckets that we may use, each
// above 0 and at most 1.
type Budget struct {
	Writes float64
	Reads  float64
}

// Record says where the record is kept: exactly one of the two is set.
type Record struct {
	Bolt string // path of the embedded file
	Blob *Blob
}

// Blob is a container in an Azure storage account.
type Blob struct {
	Account   string // https URL of the blob endpoint
	Container string
}

// Circuit is one ExpressRoute circuit as configured.
type Circuit struct {
	ID       string           // canonical resource ID
	Site     string           // on-premises site that it ends in; "" if not told
	Shares   []string         // what it shares with other circuits: conduits, buildings
	Monitors []string         // Connection Monitor resource ID, or "ID#test group"
	Probes   []topology.Probe // canary targets that only this circuit reaches
}

// Group is one failover group as configured.
type Group struct {
	Mode                   policy.Mode
	Gateways               []string   // canonical resource IDs
	Preference             [][]string // circuit names in tiers, best first; tier 0 is home
	Baseline               map[string]int32
	Objective              time.Duration // recovery-time target; 0 means none
	Health                 health.Rule
	CoolDown               time.Duration
	CandidateFresh         time.Duration // policy.Rule.Fresh
	Failback               policy.Failback
	Drift                  policy.Drift
	Approval               policy.Approval
	Levers                 []policy.Lever
	AcceptWhenDown         []policy.Reason // guards about a standby that do not hold the automation once what it leaves is down
	PeeringWithoutApproval bool            // the peering lever may be pulled in mode automatic
}

// DrillKind says what a drill does.
type DrillKind string

const (
	DrillMove       DrillKind = "move"       // weights to the standby, hold, and back
	DrillDisconnect DrillKind = "disconnect" // the gateway's site failover test
	DrillLink       DrillKind = "link"       // one link of two
	DrillTabletop   DrillKind = "tabletop"   // decide and plan, write nothing
	DrillEvacuate   DrillKind = "evacuate"   // everything off the location of the home circuit
)

// Drill is one scheduled drill.
type Drill struct {
	Group    string
	Kind     DrillKind
	Schedule string        // cron, five fields
	Timezone string        // IANA name
	Hold     time.Duration // time on the standby
	Limit    time.Duration // the drill is over and undone after this; longer than Hold
	Announce time.Duration // notice ahead of the start; 0 means none
	Blackout []Dates       // days on which it does not run

	Windows   []policy.Window // hours that it must fit into, up to its limit; none means always
	Blocked   []policy.Window // hours that it must not touch
	Calendars []Secret        // blackout calendars: a file, an https URL, or a reference to one
	Link      events.Link     // kind link: which of the two is cut; "" is the primary
	Jitter    time.Duration   // the start is put off by up to this, by drill and date
	Objective time.Duration   // recovery-time target; 0 means the group's
	Block     []DrillSignal   // evidence that stops a start
	Abort     []DrillSignal   // evidence that ends a run at once
}

// DrillSignal describes evidence about a circuit that matters to a drill. What is
// left out matches everything.
type DrillSignal struct {
	Circuit  string          // "" means every circuit of the group
	Observer events.Observer //
	Source   string          // the rule, metric or monitor as it names itself
	State    events.State    // degraded (or worse) or down
	Above    *float64        // the measured value is above this
	Below    *float64        // the measured value is below this
}

// Dates is a span of calendar days in the drill's time zone, both ends included.
type Dates struct {
	First, Last string // YYYY-MM-DD
}

// Channel is a way to tell people.
type Channel string

const (
	ChannelTeams     Channel = "teams"
	ChannelSlack     Channel = "slack"
	ChannelPagerDuty Channel = "pagerduty" // a routing key
	ChannelWebhook   Channel = "webhook"   // CloudEvents by POST
	ChannelEventHub  Channel = "eventHub"  // "namespace.servicebus.windows.net/hub", by our identity
)

// Topic is what a notice is about.
type Topic string

const (
	TopicOperation Topic = "operation" // one began, ended
	TopicRefusal   Topic = "refusal"   // a guard said no
	TopicApproval  Topic = "approval"  // a person must agree
	TopicDrill     Topic = "drill"     // announced, began, ended
	TopicFailure   Topic = "failure"   // an operation failed, or we cannot work
)

// Notify is one place that is told.
type Notify struct {
	Channel Channel
	To      Secret // URL, key, or event hub; or a reference to it
	For     []Topic
}

// AuthMode says how callers of the HTTP API are known.
type AuthMode string

const (
	AuthEntra       AuthMode = "entra"       // Entra tokens, verified here
	AuthEasyAuth    AuthMode = "easyauth"    // App Service authentication in front of us
	AuthFunctionKey AuthMode = "functionKey" // the Functions host has checked a key
	AuthLoopback    AuthMode = "loopback"    // only callers on this machine
)

// Auth says who may call the HTTP API.
type Auth struct {
	Mode     AuthMode
	Tenant   string // entra: tenant GUID, required; easyauth: optional
	Audience string // entra: the token's aud, required; easyauth: optional
	Grants   []Grant
}

// Grant narrows what roles allow to some groups. Without any grant a role holds for
// every group; with grants a caller may do what both a role and a grant allow, and
// groups that no grant shows are as unknown.
type Grant struct {
	Who    []string // object IDs, "role:NAME" and "group:ID" of a token, or "*"
	May    []string // actions, see grantActions
	Groups []string // names of groups, or "*" for all and the estate as a whole
}

// Timing holds the waits of the engine itself.
type Timing struct {
	Linger       time.Duration // a tick stays this long with a running operation
	SendDeadline time.Duration // a write is sent within this after its decision, or not at all
	Landing      time.Duration // a write of unknown outcome may land this long after it was sent
	ReadDeadline time.Duration // a slow read is given up after this
	Poll         Poll
	SettleAfter  time.Duration // quiet time at home before the baseline is put back
}

// Poll says how often Azure is read when nobody signals.
type Poll struct {
	Doubt time.Duration // circuits that are in doubt
	All   time.Duration // all circuits and connections

	Monitor bool // Azure Monitor, Resource Health and Service Health are asked at that pace, too
}

// Default returns what a file that says nothing would mean: a careful operator's
// choice, without circuits and groups.
func Default() Config {
	return Config{
		Version: Version,
		Azure: Azure{
			Cloud: CloudPublic, Identity: Identity{Kind: IdentityManaged},
			Budget: Budget{Writes: 0.8, Reads: 0.5},
		},
		Record:       Record{Bolt: "./erfailover.db"},
		EstateLimits: policy.Limits{OperationsAtOnce: 2, OperationsPerHour: 6},
		Auth:         Auth{Mode: AuthLoopback},
		Timing:       DefaultTiming(),
	}
}

// DefaultTiming returns the waits of an engine that ticks every 15 s.
func DefaultTiming() Timing {
	return Timing{
		Linger: 12 * time.Second, SendDeadline: time.Minute, Landing: 5 * time.Minute,
		ReadDeadline: 2 * time.Minute, SettleAfter: time.Minute,
		Poll: Poll{Doubt: time.Minute, All: 5 * time.Minute, Monitor: true},
	}
}

// DefaultGroup returns a group that decides and never acts: mode observe, manual
// failback, a candidate proven within 2 minutes.
func DefaultGroup() Group {
	return Group{
		Mode: policy.Observe, Health: health.DefaultRule(),
		CoolDown: 30 * time.Minute, CandidateFresh: 2 * time.Minute,
		Failback: policy.Failback{Mode: policy.FailbackManual, After: 30 * time.Minute},
		Drift:    policy.DriftAsk,
		Approval: policy.Approval{Approvers: 1, Distinct: true, Expires: 15 * time.Minute},
		Levers:   []policy.Lever{policy.LeverWeight},
	}
}

// DefaultDrill returns a drill without group, kind and schedule.
func DefaultDrill() Drill {
	return Drill{Timezone: "UTC", Hold: 20 * time.Minute, Limit: 45 * time.Minute, Announce: 24 * time.Hour}
}

// DefaultProbe returns a probe without a target: every 5 s, 1 s to answer.
func DefaultProbe() topology.Probe {
	return topology.Probe{Every: 5 * time.Second, Timeout: time.Second}
}
