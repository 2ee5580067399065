package armnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// Bounds of what is kept of an answer.
const (
	maxSeries = 1000   // of one resource
	maxPoints = 50_000 // of one series: 28 days by the minute are 40,320
)

// told is what was told of one resource.
type told struct {
	series []executor.Series
	err    *fault.Error
}

// metricsBody is the part of an answer that is used; the two interfaces share it.
type metricsBody struct {
	Resource string       `json:"resourceid"`
	Value    *[]metricOne `json:"value"`
}

// metricOne is one metric of one resource.
type metricOne struct {
	Name struct {
		Value string `json:"value"`
	} `json:"name"`
	Code    string `json:"errorCode"`
	Message string `json:"errorMessage"`
	Series  []struct {
		Labels []struct {
			Name struct {
				Value string `json:"value"`
			} `json:"name"`
			Value string `json:"value"`
		} `json:"metadatavalues"`
		Data []metricStep `json:"data"`
	} `json:"timeseries"`
}

// metricStep is one step of a series: only what was asked for is there, and that is
// missing or null where nothing was measured.
type metricStep struct {
	At      string   `json:"timeStamp"`
	Average *float64 `json:"average"`
	Minimum *float64 `json:"minimum"`
	Maximum *float64 `json:"maximum"`
	Total   *float64 `json:"total"`
	Count   *float64 `json:"count"`
}

// value returns the number asked for, nil when there is none.
func (s metricStep) value(a executor.Aggregation) *float64 {
	switch a {
	case executor.ByAverage:
		return s.Average
	case executor.ByMinimum:
		return s.Minimum
	case executor.ByMaximum:
		return s.Maximum
	case executor.ByTotal:
		return s.Total
	case executor.ByCount:
		return s.Count
	}
	return nil
}

// metricsRead is an answer about one resource, read.
type metricsRead struct {
	resource string // canonical; "" if the answer does not name it
	series   []executor.Series
	trouble  []string // metrics that Azure could not tell, with its code
}

// of turns what was read into what is told of a resource.
func (r metricsRead) of(id string) told {
	out := told{series: r.series}
	if len(r.trouble) > 0 {
		out.err = &fault.Error{Op: opMetrics, Target: id, Kind: fault.Unavailable, Code: "MetricsNotTold",
			Err: errors.New("Azure Monitor does not tell " + scrub(strings.Join(r.trouble, ", ")))}
	}
	return out
}

// decodeMetrics reads the metrics of one resource.
func decodeMetrics(body []byte, a executor.Aggregation) (metricsRead, error) {
	var b metricsBody
	if err := json.Unmarshal(body, &b); err != nil {
		return metricsRead{}, err
	}
	return b.read(a)
}

// decodeBatch reads the metrics of many resources, by canonical ID.
func decodeBatch(body []byte, a executor.Aggregation) (map[string]told, error) {
	var b struct {
		Values *[]metricsBody `json:"values"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.Values == nil {
		return nil, errors.New("values: is missing")
	}
	out := make(map[string]told, len(*b.Values))
	for _, v := range *b.Values {
		r, err := v.read(a)
		if err != nil {
			return nil, err
		}
		if r.resource == "" {
			return nil, fmt.Errorf("resourceid: %q is no ID of a resource", clip(clean(v.Resource), 100))
		}
		out[r.resource] = r.of(r.resource)
	}
	return out, nil
}

// read takes the series out of an answer about one resource.
func (b metricsBody) read(a executor.Aggregation) (metricsRead, error) {
	out := metricsRead{resource: events.Canonical(b.Resource)}
	if b.Value == nil {
		return out, errors.New("value: is missing")
	}
	for _, m := range *b.Value {
		name := clip(clean(m.Name.Value), 100)
		if m.Code != "" && !strings.EqualFold(m.Code, "Success") {
			out.trouble = append(out.trouble, name+" ("+clip(clean(m.Code), 60)+")")
		}
		for _, s := range m.Series {
			if len(out.series) == maxSeries {
				return out, fmt.Errorf("timeseries: more than %d", maxSeries)
			}
			series := executor.Series{Metric: name}
			for _, l := range s.Labels {
				if series.Labels == nil {
					series.Labels = map[string]string{}
				}
				series.Labels[strings.ToLower(clip(clean(l.Name.Value), 60))] = clip(clean(l.Value), 100)
			}
			var err error
			if series.Points, err = points(s.Data, a); err != nil {
				return out, err
			}
			out.series = append(out.series, series)
		}
	}
	return out, nil
}

// points returns the steps that have a value, in order of time.
func points(data []metricStep, a executor.Aggregation) ([]executor.Point, error) {
	if len(data) > maxPoints {
		return nil, fmt.Errorf("data: more than %d steps", maxPoints)
	}
	var out []executor.Point
	for _, d := range data {
		v := d.value(a)
		if v == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339, d.At)
		if err != nil {
			return nil, fmt.Errorf("timeStamp: %q is no time", clip(clean(d.At), 40))
		}
		out = append(out, executor.Point{At: at.UTC(), Value: *v})
	}
	slices.SortStableFunc(out, func(a, b executor.Point) int { return a.At.Compare(b.At) })
	return out, nil
}
