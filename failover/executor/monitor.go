package executor

import (
	"context"
	"time"
)

// Aggregation is how Azure Monitor makes one number of what it measured in one step
// of time.
type Aggregation string

const (
	ByAverage Aggregation = "average"
	ByMinimum Aggregation = "minimum"
	ByMaximum Aggregation = "maximum"
	ByTotal   Aggregation = "total"
	ByCount   Aggregation = "count"
)

// MetricQuery asks for metrics of resources of one type over one span of time.
type MetricQuery struct {
	Namespace   string // the resource type, "Microsoft.Network/expressRouteCircuits"
	Names       []string
	Resources   []Measurable
	From, To    time.Time     // [From, To), cut to whole intervals
	Interval    time.Duration // 1, 5, 15 or 30 min, 1, 6, 12 or 24 h
	Aggregation Aggregation
	SplitBy     []string // dimensions, each combination of values a series of its own; all names must have them
}

// Measurable is a resource whose metrics are asked for.
type Measurable struct {
	ID     string // canonical resource ID
	Region string // where the resource is, as Azure writes it: metrics live there. "" if it is not known
}

// MetricAnswer is what Azure Monitor told of one resource.
type MetricAnswer struct {
	Resource string
	At       time.Time // when the answer came
	Series   []Series  // may be there beside Err, when some of the metrics were told
	Err      error     // a fault.Error: why it is not known, or not all of it
}

// Series is one metric over time.
type Series struct {
	Metric string            // as Azure spells it
	Labels map[string]string // values of the dimensions by their name in lower case; nil when not split
	Points []Point           // in order of time. A step without a value is left out: it is nothing, never 0
}

// Point is one step of a series.
type Point struct {
	At    time.Time // when the step began
	Value float64
}

// Monitor is Azure's own monitoring as the engine sees it. Like Network it takes
// batches and runs their parts in parallel; what could not be learned is in the
// answers. A Look is bounded by its context and changes nothing.
type Monitor interface {
	Look(ctx context.Context, l Look) Seen
}

// Look says what is asked. Empty parts are not asked.
type Look struct {
	Metrics []MetricQuery
	Health  []string // circuits whose Resource Health is asked for
	Planned []string // circuits about which planned work is asked for
}

// Seen is what was told, in the order of what was asked.
type Seen struct {
	Metrics [][]MetricAnswer
	Health  []Health
	Planned []Planned // one for each subscription that circuits of Look.Planned stand in, by its ID
}

// Health is what Resource Health says of a resource.
type Health struct {
	Resource   string
	Found      bool // false with a nil Err: Resource Health says nothing of it
	Err        error
	State      string // Available, Unavailable, Degraded, Unknown; "" is nothing said
	Reason     string // why it is not available: text without a published list
	Chronicity string // Transient, Persistent
	Cause      string // PlatformInitiated, UserInitiated
	Context    string // "Platform Initiated", "Customer Initiated"
	Text       string
	Occurred   time.Time // since when; zero is not told
	Reported   time.Time // when it was last looked at; zero is not told
}

// Planned is the planned work that concerns circuits of one subscription.
type Planned struct {
	Subscription string
	Work         []Work
	Err          error // a fault.Error: why it is not known, or not all of it
}

// Work is one announcement of planned work.
type Work struct {
	Tracking string
	Status   string // Active, Resolved
	Title    string
	Services []string
	Regions  []string
	Start    time.Time
	End      time.Time // zero is not told
	Updated  time.Time
	Circuits []string // those asked for that it names; empty with Named is none of them
	Named    bool     // it names resources at all; otherwise it is about whatever stands in its regions
}
