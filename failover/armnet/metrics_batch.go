package armnet

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// How long the data plane of a region is left alone, and answers are remembered.
const (
	deadFor     = 5 * time.Minute // it cannot be reached, or does not know us
	refusedFor  = time.Hour       // it refuses our identity: a role assignment takes a person
	refreshed   = time.Minute     // Azure Monitor has no newer number before
	rememberFor = 64              // answers
)

// anyRegion stands in the address of a data plane for the name of a region.
const anyRegion = "{region}"

// dataPlane is Azure Monitor's own interface in each region of a cloud.
type dataPlane struct {
	address  string // https, with anyRegion where the region's name goes, or without
	audience string // what tokens are asked for
	pipe     runtime.Pipeline

	mu    sync.Mutex
	alone map[region]refusal    // regions that are left alone
	memo  map[string]remembered // answers by what was asked
}

// refusal is why a region is left alone, and until when.
type refusal struct {
	until time.Time
	why   *fault.Error
}

type remembered struct {
	until time.Time
	told  map[string]told
}

// dataPlaneOf returns where a cloud has its data plane and its audience; both are ""
// when it has none that is known.
func dataPlaneOf(cfg Config) (address, audience string) {
	switch cfg.Cloud {
	case Public, "":
		return "https://" + anyRegion + ".metrics.monitor.azure.com", "https://metrics.monitor.azure.com"
	case Government:
		return "https://" + anyRegion + ".metrics.monitor.azure.us", "https://metrics.monitor.azure.us"
	case China:
		return "https://" + anyRegion + ".metrics.monitor.azure.cn", "https://metrics.monitor.azure.cn"
	case Custom:
		return strings.TrimRight(cfg.Metrics, "/"), cfg.MetricsAudience
	}
	return "", ""
}

// newDataPlane makes the client of the data plane; nil when the cloud has none. Its
// limits are its own, so it is paced apart from Resource Manager.
func newDataPlane(cfg Config, conf cloud.Configuration, transport policy.Transporter) (*dataPlane, error) {
	address, audience := dataPlaneOf(cfg)
	if address == "" {
		if audience != "" {
			return nil, invalidConfig("Metrics", "", "must be set where MetricsAudience is")
		}
		return nil, nil
	}
	if _, err := endpointURL("Metrics", strings.Replace(address, anyRegion, "region", 1)); err != nil {
		return nil, err
	}
	if audience == "" {
		return nil, invalidConfig("MetricsAudience", "", "must be set where Metrics is")
	}
	d := &dataPlane{address: address, audience: audience, alone: map[region]refusal{}, memo: map[string]remembered{}}
	d.pipe = runtime.NewPipeline("erfailover", "v1.0.0", runtime.PipelineOptions{
		PerCall:  []policy.Policy{newPacer(cfg)},
		PerRetry: []policy.Policy{runtime.NewBearerTokenPolicy(cfg.Credential, []string{strings.TrimRight(audience, "/") + "/.default"}, nil)},
	}, &azcore.ClientOptions{Cloud: conf, Retry: policy.RetryOptions{MaxRetries: -1}, Telemetry: policy.TelemetryOptions{ApplicationID: "erfailover"}, Transport: transport})
	return d, nil
}

// host returns the base URL of a region, and whether there is one.
func (d *dataPlane) host(name string) (string, bool) {
	if !strings.Contains(d.address, anyRegion) {
		return d.address, true
	}
	return strings.Replace(d.address, anyRegion, name, 1), name != ""
}

// batch asks the data plane about resources of one subscription and region. The
// answers are by canonical ID.
func (c *Client) batch(ctx context.Context, form metricsForm, where region, ids []string) (map[string]told, *fault.Error) {
	target := "/subscriptions/" + where.subscription
	none := &fault.Error{Op: opMetrics, Target: target, Kind: fault.Refused, Code: "NoDataPlane", Err: errors.New("no data plane of Azure Monitor is known for the region")}
	if c.metrics == nil {
		return nil, none
	}
	base, known := c.metrics.host(where.name)
	if !known {
		return nil, none
	}
	q := form.query("filter", batchVersion)
	q.Set("starttime", form.from)
	q.Set("endtime", form.to)
	address := base + target + "/metrics:getBatch?" + q.Encode()
	asked := address + "\n" + strings.Join(slices.Sorted(slices.Values(ids)), "\n")
	now := c.cfg.Now()
	if got, f := c.metrics.known(where, asked, now); got != nil || f != nil {
		return got, f
	}
	got, f := c.batchOnce(ctx, form, target, address, ids)
	if f == nil || ctx.Err() == nil { // who gave up himself has learned nothing
		c.metrics.learn(where, asked, got, f, c.cfg.Now())
	}
	return got, f
}

// batchOnce makes the one try: what is polled comes round again.
func (c *Client) batchOnce(ctx context.Context, form metricsForm, target, address string, ids []string) (map[string]told, *fault.Error) {
	ctx, cancel := context.WithTimeout(ctx, metricsTry)
	defer cancel()
	body, err := json.Marshal(struct {
		IDs []string `json:"resourceids"`
	}{ids})
	if err != nil {
		return nil, &fault.Error{Op: opMetrics, Target: target, Kind: fault.Internal, Err: err}
	}
	req, err := runtime.NewRequest(ctx, http.MethodPost, address)
	if err != nil {
		return nil, requestFault(opMetrics, target, err)
	}
	req.Raw().Header.Set("Accept", "application/json")
	if err := req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/json"); err != nil {
		return nil, requestFault(opMetrics, target, err)
	}
	resp, err := c.metrics.pipe.Do(req)
	if err != nil {
		return nil, requestFault(opMetrics, target, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.metricsFault(target, resp)
	}
	raw, err := runtime.Payload(resp)
	if err != nil {
		return nil, requestFault(opMetrics, target, err)
	}
	got, err := decodeBatch(raw, form.aggregation)
	if err != nil {
		return nil, unreadable(opMetrics, target, err)
	}
	return got, nil
}

// metricsFault reads a refusal of the data plane.
func (c *Client) metricsFault(target string, resp *http.Response) *fault.Error {
	f := c.answerFault(opMetrics, target, resp)
	if f.Kind == fault.Denied {
		f.Hint = "give the identity Monitoring Reader, or the role ExpressRoute Failover Observer, on the subscription: metrics are asked for in batches. Meanwhile each circuit is read by itself"
	}
	return f
}

// known returns what is remembered of a question, or why it is not asked.
func (d *dataPlane) known(where region, asked string, now time.Time) (map[string]told, *fault.Error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.memo[asked]; ok && now.Before(r.until) {
		return r.told, nil
	}
	if r, ok := d.alone[where]; ok && now.Before(r.until) {
		return nil, r.why
	}
	return nil, nil
}

// learn remembers an answer, or leaves a region alone that gave none. What is
// throttled is kept away by the pacing.
func (d *dataPlane) learn(where region, asked string, got map[string]told, f *fault.Error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f == nil {
		delete(d.alone, where)
		for k, r := range d.memo {
			if !now.Before(r.until) {
				delete(d.memo, k)
			}
		}
		if len(d.memo) < rememberFor {
			d.memo[asked] = remembered{now.Add(refreshed), got}
		}
		return
	}
	switch f.Kind {
	case fault.Denied:
		d.alone[where] = refusal{now.Add(refusedFor), f}
	case fault.Unavailable, fault.NotFound, fault.Invalid:
		d.alone[where] = refusal{now.Add(deadFor), f}
	case fault.Throttled, fault.Busy, fault.Conflict, fault.Refused, fault.Corrupt, fault.Internal:
	}
}
