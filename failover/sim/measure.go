package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Gauge tells a metric of a link in the step that begins at an instant; false where
// nothing was measured.
type Gauge func(l Link, at time.Time) (float64, bool)

// SetMetric scripts a metric of a circuit or a gateway, in place of what the estate
// itself knows: BgpAvailability and ArpAvailability of circuits. A nil gauge ends it.
func (a *ARM) SetMetric(resource, metric string, g Gauge) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gauges == nil {
		a.gauges = map[string]Gauge{}
	}
	a.gauges[key(resource)+" "+strings.ToLower(metric)] = g
}

const (
	batchSuffix   = "/metrics:getbatch"
	metricsSuffix = "/providers/microsoft.insights/metrics"
	batchMost     = 50
)

// isBatch says whether a path is that of Azure Monitor's own interface. It stands on a
// host of its own in Azure: it has no part in Resource Manager's request limits.
func isBatch(path string) bool { return strings.HasSuffix(strings.ToLower(path), batchSuffix) }

// measure answers for Azure Monitor's metrics: of many resources at once, or of one.
func (a *ARM) measure(c *call) reply {
	form, refused := a.metricsForm(c)
	if refused != nil {
		return refuse(refused)
	}
	if !isBatch(c.URL.Path) {
		list, refused := a.metricsOf(c.where.id, form, c.now)
		if refused != nil {
			return refuse(refused)
		}
		return ok(object("cost", 59, "timespan", form.from.Format(time.RFC3339)+"/"+form.to.Format(time.RFC3339), "interval", form.interval,
			"value", list, "namespace", form.namespace, "resourceregion", "eastus2").raw())
	}
	var asked struct {
		IDs []string `json:"resourceids"`
	}
	if err := json.Unmarshal(c.body, &asked); err != nil || len(asked.IDs) == 0 || len(asked.IDs) > batchMost {
		return refuse(&Refusal{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf("resourceids: 1 to %d resource IDs are wanted.", batchMost)})
	}
	out := []body{}
	for _, id := range asked.IDs {
		if locate(id).subscription != c.where.subscription {
			return refuse(&Refusal{Status: http.StatusBadRequest, Code: "BadRequest", Message: "All resources must be of the subscription in the address."})
		}
		list, refused := a.metricsOf(id, form, c.now)
		if refused != nil {
			return refuse(refused)
		}
		out = append(out, object("starttime", form.from.Format(time.RFC3339), "endtime", form.to.Format(time.RFC3339), "interval", form.interval,
			"namespace", form.namespace, "resourceregion", "eastus2", "resourceid", id, "value", list))
	}
	return ok(object("values", out).raw())
}

// metricsForm is what an address asks for.
type metricsForm struct {
	namespace, interval, aggregation string
	names, split                     []string
	from, to                         time.Time
	step                             time.Duration
}

func (a *ARM) metricsForm(c *call) (metricsForm, *Refusal) {
	bad := func(why string) (metricsForm, *Refusal) {
		return metricsForm{}, &Refusal{Status: http.StatusBadRequest, Code: "BadRequest", Message: why}
	}
	q := c.URL.Query()
	f := metricsForm{namespace: q.Get("metricnamespace"), interval: q.Get("interval"), aggregation: strings.ToLower(q.Get("aggregation"))}
	if f.namespace == "" || q.Get("metricnames") == "" {
		return bad("metricnamespace and metricnames are wanted.")
	}
	f.names = strings.Split(q.Get("metricnames"), ",")
	from, to := q.Get("starttime"), q.Get("endtime")
	filter := q.Get("filter")
	if !isBatch(c.URL.Path) {
		from, to, _ = strings.Cut(q.Get("timespan"), "/")
		filter = q.Get("$filter")
	}
	var err1, err2 error
	f.from, err1 = time.Parse(time.RFC3339, from)
	f.to, err2 = time.Parse(time.RFC3339, to)
	f.step = map[string]time.Duration{"PT1M": time.Minute, "PT5M": 5 * time.Minute, "PT15M": 15 * time.Minute, "PT30M": 30 * time.Minute,
		"PT1H": time.Hour, "PT6H": 6 * time.Hour, "PT12H": 12 * time.Hour, "P1D": 24 * time.Hour}[f.interval]
	if err1 != nil || err2 != nil || f.step == 0 || !f.from.Before(f.to) {
		return bad("The time span or the interval is not valid.")
	}
	for part := range strings.SplitSeq(filter, " and ") {
		if name, _, is := strings.Cut(part, " eq '*'"); is {
			f.split = append(f.split, strings.TrimSpace(name))
		}
	}
	return f, nil
}

// metricsOf answers for one resource.
func (a *ARM) metricsOf(id string, form metricsForm, now time.Time) ([]body, *Refusal) {
	out := []body{}
	for _, name := range form.names {
		gauge, refused := a.gauge(id, name)
		if refused != nil {
			return nil, refused
		}
		series := []body{}
		links := Links()
		byLink := slices.ContainsFunc(form.split, func(d string) bool { return strings.EqualFold(d, "Peer") || strings.EqualFold(d, "DeviceRole") })
		if !byLink {
			links = links[:1]
		}
		for _, l := range links {
			var labels []body
			for _, d := range form.split {
				value := "Private"
				if !strings.EqualFold(d, "PeeringType") {
					value = capital(string(l))
				}
				labels = append(labels, object("name", object("value", strings.ToLower(d), "localizedValue", strings.ToLower(d)), "value", value))
			}
			series = append(series, object("metadatavalues", append([]body{}, labels...), "data", form.steps(gauge, l, byLink, now)))
		}
		out = append(out, object("id", id+"/providers/Microsoft.Insights/metrics/"+name, "type", "Microsoft.Insights/metrics",
			"name", object("value", name, "localizedValue", name), "displayDescription", "Simulated.", "unit", "Percent",
			"timeseries", series, "errorCode", "Success"))
	}
	return out, nil
}

// steps writes the data of one series. A step that has not ended has no value, and
// neither has one in which nothing was measured; unsplit, the links are averaged.
func (f metricsForm) steps(gauge Gauge, l Link, byLink bool, now time.Time) []body {
	out := []body{}
	for at := f.from; at.Before(f.to); at = at.Add(f.step) {
		step := object("timeStamp", at.UTC().Format(time.RFC3339))
		if !at.Add(f.step).After(now) {
			value, n := 0.0, 0.0
			for _, link := range Links() {
				if byLink && link != l {
					continue
				}
				if v, told := gauge(link, at); told {
					value, n = value+v, n+1
				}
			}
			if n > 0 {
				step = step.with(f.aggregation, value/n)
			}
		}
		out = append(out, step)
	}
	return out
}

// gauge returns what tells a metric of a resource.
func (a *ARM) gauge(id, metric string) (Gauge, *Refusal) {
	a.mu.Lock()
	scripted := a.gauges[key(id)+" "+strings.ToLower(metric)]
	a.mu.Unlock()
	if scripted != nil {
		return scripted, nil
	}
	a.fabric.mu.Lock()
	known := a.fabric.circuits[key(id)] != nil
	a.fabric.mu.Unlock()
	switch {
	case !known:
		return nil, notFound(id)
	case strings.EqualFold(metric, BGPAvailability):
		return func(l Link, at time.Time) (float64, bool) {
			return a.fabric.session(id, l, "bgp", at.Add(time.Minute)), true
		}, nil
	case strings.EqualFold(metric, ARPAvailability):
		return func(l Link, at time.Time) (float64, bool) {
			return a.fabric.session(id, l, "line", at.Add(time.Minute)), true
		}, nil
	}
	return nil, &Refusal{Status: http.StatusBadRequest, Code: "BadRequest",
		Message: "Failed to find metric configuration for provider: Microsoft.Network, resource Type: expressRouteCircuits, metric: " + metric + "."}
}

// session tells 100 while a link's session stood at an instant, 0 while it did not:
// what changes told of it since. A failover test's cut is seen while it lasts.
func (f *Fabric) session(id string, l Link, what string, at time.Time) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.circuits[key(id)]
	if c != nil && c.cut(l) && what == "bgp" {
		return 0
	}
	up := 100.0
	for _, change := range f.changes {
		if change.At.After(at) {
			break
		}
		if key(change.Resource) != key(id) || change.Link != l {
			continue
		}
		switch change.What {
		case "line-up", what + "-up":
			up = 100
		case "line-down", what + "-down":
			up = 0
		}
	}
	return up
}

// audience tells whom a token was made for.
func audience(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	b, err := parseBody(jsontext.Value(claims(parts[1])))
	if err != nil {
		return ""
	}
	return b.text("aud")
}
