package armnet

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// Versions of Azure Monitor: of the regional data plane, and of the read of one
// resource through Resource Manager.
const (
	batchVersion   = "2024-02-01"
	metricsVersion = "2023-10-01"
)

// Bounds of a question about metrics.
const (
	batchSize   = 50   // resources of one call: the published limit
	maxMetrics  = 20   // names of one call: the published limit
	maxSingles  = 100  // resources of one question that are read one by one
	maxSplits   = 3    // dimensions
	seriesAsked = 1000 // series of one resource; Azure gives 10 when it is told nothing
	metricsTry  = 6 * time.Second
)

const opMetrics = "read metrics"

// Metrics reads metrics of resources of one type from Azure Monitor, one answer for
// each resource in the order asked; an item's failure is in its answer.
//
// Resources of one subscription and region are asked together, fifty a call, at the
// region's data plane (metrics:getBatch). Where that is not configured, refuses or is
// dead, each resource is read through Resource Manager instead, a hundred of one
// question at the most, and the data plane is left alone for a while. A throttled data
// plane is not gone round: the answer is fault.Throttled with the wait.
//
// Azure Monitor has a new number of a circuit once a minute at best, so the same
// question within a minute is answered from memory. Nothing waits longer than a few
// seconds, whatever ctx allows.
func (c *Client) Metrics(ctx context.Context, q executor.MetricQuery) []executor.MetricAnswer {
	out := make([]executor.MetricAnswer, len(q.Resources))
	form, err := metricForm(q)
	groups := map[region][]int{}
	for i, r := range q.Resources {
		out[i] = executor.MetricAnswer{Resource: r.ID, At: c.cfg.Now(), Err: err}
		if err != nil {
			continue
		}
		id, bad := events.ParseResourceID(r.ID)
		if bad != nil || id.Subscription == "" || len(id.Types) == 0 {
			out[i].Err = badMetrics(clip(clean(r.ID), 300), fmt.Errorf("resources: %q is no ID of a resource", clip(clean(r.ID), 300)))
			continue
		}
		where := region{id.Subscription, regionName(r.Region)}
		groups[where] = append(groups[where], i)
	}
	var g errgroup.Group
	g.SetLimit(abreast)
	for where, all := range groups {
		for part := range slices.Chunk(all, batchSize) {
			g.Go(func() error {
				c.metricsOf(ctx, form, where, part, out)
				return nil
			})
		}
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// region is where metrics of resources are asked together.
type region struct{ subscription, name string }

// regionName returns a region as a host name spells it, or "" for what is none. It
// comes from an answer of Azure's and becomes part of a host that sees our token.
func regionName(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, " ", ""))
	if len(s) < 2 || len(s) > 40 || s == "global" {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	return s
}

// metricsOf answers for some resources of one subscription and region.
func (c *Client) metricsOf(ctx context.Context, form metricsForm, where region, part []int, out []executor.MetricAnswer) {
	ids := make([]string, len(part))
	for k, i := range part {
		ids[k] = events.Canonical(out[i].Resource)
	}
	told, err := c.batch(ctx, form, where, ids)
	if err == nil {
		for k, i := range part {
			out[i].At = c.cfg.Now()
			a, known := told[ids[k]]
			if !known {
				a.err = &fault.Error{Op: opMetrics, Target: ids[k], Kind: fault.NotFound, Hint: "Azure Monitor tells nothing of this resource"}
			}
			out[i].Series = a.series
			if a.err != nil {
				out[i].Err = a.err
			}
		}
		return
	}
	if err.Kind == fault.Throttled || ctx.Err() != nil {
		for _, i := range part {
			out[i].Err = err
		}
		return
	}
	var g errgroup.Group
	g.SetLimit(abreast)
	for k, i := range part {
		if i >= maxSingles {
			out[i].Err = err
			continue
		}
		g.Go(func() error {
			a := c.single(ctx, form, ids[k])
			out[i].At, out[i].Series = c.cfg.Now(), a.series
			if a.err != nil {
				out[i].Err = a.err
			}
			return nil
		})
	}
	_ = g.Wait()
}

// single reads the metrics of one resource through Resource Manager.
func (c *Client) single(ctx context.Context, form metricsForm, id string) told {
	q := form.query("$filter", metricsVersion)
	q.Set("timespan", form.from+"/"+form.to)
	r, err := c.get(ctx, opMetrics, id, c.base.String()+id+"/providers/Microsoft.Insights/metrics?"+q.Encode())
	if err != nil {
		return told{err: requestFault(opMetrics, id, err)}
	}
	a, err := decodeMetrics(r.body, form.aggregation)
	if err != nil {
		return told{err: unreadable(opMetrics, id, err)}
	}
	return a.of(id)
}

// metricsForm is a question about metrics as both interfaces spell it.
type metricsForm struct {
	namespace, names, filter string
	from, to, interval       string
	aggregation              executor.Aggregation
}

// query returns what both interfaces want in the address.
func (f metricsForm) query(filter, version string) url.Values {
	q := url.Values{"api-version": {version}, "metricnamespace": {f.namespace}, "metricnames": {f.names},
		"interval": {f.interval}, "aggregation": {string(f.aggregation)}}
	if f.filter != "" {
		q.Set(filter, f.filter)
		q.Set("top", strconv.Itoa(seriesAsked))
	}
	return q
}

// metricForm checks a question. What is wrong is fault.Invalid and names the field.
func metricForm(q executor.MetricQuery) (metricsForm, error) {
	bad := func(format string, args ...any) (metricsForm, error) {
		return metricsForm{}, badMetrics("", fmt.Errorf(format, args...))
	}
	name := metricName()
	if !name.MatchString(q.Namespace) {
		return bad("namespace: %q is no resource type", clip(clean(q.Namespace), 100))
	}
	if len(q.Names) == 0 || len(q.Names) > maxMetrics {
		return bad("names: %d metrics, want 1 to %d", len(q.Names), maxMetrics)
	}
	if len(q.SplitBy) > maxSplits {
		return bad("split by: %d dimensions, want at most %d", len(q.SplitBy), maxSplits)
	}
	for _, n := range slices.Concat(q.Names, q.SplitBy) {
		if !name.MatchString(n) {
			return bad("names: %q is no name of a metric or a dimension", clip(clean(n), 100))
		}
	}
	interval, ok := isoInterval(q.Interval)
	if !ok {
		return bad("interval: %s is none of 1m, 5m, 15m, 30m, 1h, 6h, 12h, 24h", q.Interval)
	}
	switch q.Aggregation {
	case executor.ByAverage, executor.ByMinimum, executor.ByMaximum, executor.ByTotal, executor.ByCount:
	default:
		return bad("aggregation: %q is none of average, minimum, maximum, total, count", clip(clean(string(q.Aggregation)), 40))
	}
	from, to := q.From.UTC().Truncate(q.Interval), q.To.UTC().Truncate(q.Interval)
	if !from.Before(to) {
		return bad("from: %s is not an interval before to, %s", q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	each := make([]string, len(q.SplitBy))
	for i, d := range q.SplitBy {
		each[i] = d + " eq '*'"
	}
	return metricsForm{namespace: q.Namespace, names: strings.Join(q.Names, ","), filter: strings.Join(each, " and "),
		from: from.Format(time.RFC3339), to: to.Format(time.RFC3339), interval: interval, aggregation: q.Aggregation}, nil
}

func badMetrics(target string, err error) error {
	return &fault.Error{Op: opMetrics, Target: target, Kind: fault.Invalid, Err: err}
}

// metricName matches names that need no quoting in an address or a filter.
func metricName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 ._/-]{0,99}$`) }

// isoInterval spells an interval as Azure wants it.
func isoInterval(d time.Duration) (string, bool) {
	switch d {
	case time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute:
		return fmt.Sprintf("PT%dM", int(d.Minutes())), true
	case time.Hour, 6 * time.Hour, 12 * time.Hour:
		return fmt.Sprintf("PT%dH", int(d.Hours())), true
	case 24 * time.Hour:
		return "P1D", true
	}
	return "", false
}
