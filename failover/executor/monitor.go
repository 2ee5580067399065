package executor

import "time"

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
