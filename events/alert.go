package events

import (
	"strings"
	"time"
)

// readCommonAlert reads the body of a common-schema alert: {essentials,
// alertContext}.
func readCommonAlert(p *parser, n node) ([]Signal, error) {
	ess, ctx := n.get("essentials"), n.get("alertContext")
	service := squeeze(ess.get("monitoringService").str())
	if testAction(ess) {
		return nil, notOurs("a test action")
	}
	switch {
	case service == "costalerts" || ctx.get("AlertCategory").str() == "budgets":
		return nil, notOurs("a cost alert")
	case ctx.get("operationName").is() || strings.HasPrefix(service, "activitylog") || service == "resourcehealth" || service == "servicehealth":
		r := activity{channel: "activity-log-alert", body: ctx, resource: ess.get("alertTargetIDs").firstString(), field: "alertTargetIDs"}
		return r.read(p)
	case strings.HasPrefix(service, "log") || strings.HasPrefix(service, "simplelog") || service == "applicationinsights" ||
		ctx.get("SearchQuery").is() || strings.EqualFold(ctx.get("conditionType").str(), "LogQueryCriteria"):
		return readLogAlert(p, ess, ctx)
	case service == "platform" || strings.EqualFold(ess.get("signalType").str(), "Metric") || ctx.get("condition", "allOf").is():
		return readMetricAlert(p, ess, ctx)
	case service == "":
		return nil, broken("essentials.monitoringService", "", "the name of a monitoring service")
	}
	return nil, notOurs("an alert of another service")
}

// readMetricAlert reads a common-schema metric alert.
func readMetricAlert(p *parser, ess, ctx node) ([]Signal, error) {
	a := metricAlert{
		channel: "common-alert",
		id:      ess.get("alertId").str(),
		rule:    ess.get("alertRule").str(),
		targets: ess.get("alertTargetIDs").strings(),
		field:   "essentials.alertTargetIDs",
		text:    ess.get("description").str(),
		allOf:   ctx.get("condition", "allOf"),
	}
	var err error
	if a.resolved, err = condition("essentials.monitorCondition", ess.get("monitorCondition").str(), "Fired", "Resolved"); err != nil {
		return nil, err
	}
	field := "firedDateTime"
	if a.resolved && ess.get("resolvedDateTime").is() {
		field = "resolvedDateTime"
	}
	if a.at, err = p.eventTime("essentials."+field, ess.get(field).str()); err != nil {
		return nil, err
	}
	return a.read(p)
}

// condition reads whether an alert fired or was resolved.
func condition(field, got, fired, resolved string) (bool, error) {
	switch {
	case strings.EqualFold(got, fired):
		return false, nil
	case strings.EqualFold(got, resolved):
		return true, nil
	}
	return false, broken(field, got, fired+" or "+resolved)
}

// metricAlert is a metric alert of any schema.
type metricAlert struct {
	channel  string
	id       string   // alert (common schema) or rule (older schemas)
	rule     string   // the rule's name
	targets  []string // resource IDs as written
	field    string   // where the targets stand
	text     string   // the rule's description
	resolved bool
	at       time.Time
	allOf    node
}

// read makes one signal for each criterion of each target.
func (a *metricAlert) read(p *parser) ([]Signal, error) {
	if len(a.allOf.items) == 0 {
		return nil, broken("condition.allOf", kindName(a.allOf.kind), "at least one criterion")
	}
	if len(a.targets) == 0 {
		return nil, broken(a.field, "", "the resource that the alert is about")
	}
	var out []Signal
	var other error
	seen := map[string]bool{}
	for _, raw := range a.targets {
		for _, c := range a.allOf.items {
			s, err := a.criterion(p, raw, c)
			if _, foreign := err.(notOurs); foreign {
				other = err
				continue
			}
			if err != nil {
				return nil, err
			}
			if !seen[s.ID] {
				seen[s.ID] = true
				out = append(out, s)
			}
		}
	}
	if len(out) == 0 {
		return nil, other
	}
	return out, nil
}

// criterion makes the signal of one criterion.
func (a *metricAlert) criterion(p *parser, raw string, c node) (Signal, error) {
	m := measure{metric: c.get("metricName").str(), agg: lower(c.get("timeAggregation").str())}
	var names []string
	for _, d := range c.get("dimensions").items {
		name, value := d.get("name").str(), d.get("value").str()
		if strings.EqualFold(name, "microsoft.resourceId") {
			raw = value // the rule covers several; this one fired
			continue
		}
		m.dimension(name, value)
		names = append(names, lower(name)+"="+lower(value))
	}
	t := p.resolve(a.field, raw)
	if t.err != nil {
		return Signal{}, t.err
	}
	if t.typ == "" {
		return Signal{}, notOurs("names no resource")
	}
	if m.metric == "" {
		return Signal{}, notOurs("names no metric")
	}
	if m.link == BothLinks {
		m.link = t.link
	}
	if m.peering == AnyPeering {
		m.peering = t.peering
	}
	var err error
	if m.value, err = c.get("metricValue").num("metricValue"); err != nil {
		return Signal{}, err
	}
	named := p.metricOf(m.metric)
	name, kind := named.name, named.kind
	s := Signal{Kind: Health, Observer: observerOf(t.typ), Resource: t.id, Link: m.link, Peering: m.peering, Plane: planeOf(kind),
		At: a.at, Value: m.value, Correlation: clean(a.id, maxShortKey)}
	s.Source = join(maxSource, " ", name, paren(a.rule))
	if t.typ == TypeMonitor { // without the rule, whose name might hold that of another test group
		s.Source = join(maxSource, " ", monitorSource(t, c.get("dimensions")), name)
	}
	why := ""
	if a.resolved {
		s.State, s.Tentative, why = a.resolvedState(m, kind, c)
	} else {
		operator := lower(c.get("operator").str())
		s.State, why = firedState(m, kind, strings.HasPrefix(operator, "greater"))
	}
	s.Detail = join(maxDetail, "; ", name, why, m.vague, a.text)
	verb := "fired"
	if a.resolved {
		verb = "resolved"
	}
	p.identify(&s, a.channel, lower(a.id), verb, lower(a.rule), lower(name), strings.Join(names, ","))
	return s, nil
}

// resolvedState is what the end of an alert claims. The end of a rule on traffic
// or of a test without data claims nothing; a value that still breaks the rule
// makes the claim tentative.
func (a *metricAlert) resolvedState(m measure, kind metricKind, c node) (State, bool, string) {
	if kind == traffic {
		return Unknown, false, ""
	}
	if kind == testResult && m.value != nil && *m.value < 1 {
		return Unknown, false, "the test has no data"
	}
	if m.vague != "" {
		return Unknown, false, ""
	}
	limit, err := c.get("threshold").num("threshold")
	if err != nil || limit == nil || m.value == nil {
		return Up, false, ""
	}
	still := false
	switch lower(c.get("operator").str()) {
	case "lessthan":
		still = *m.value < *limit
	case "lessthanorequal":
		still = *m.value <= *limit
	case "greaterthan":
		still = *m.value > *limit
	case "greaterthanorequal":
		still = *m.value >= *limit
	}
	if still {
		return Up, true, "resolved, though the value still breaks the rule"
	}
	return Up, false, ""
}

// monitorSource names the test of a Connection Monitor: monitor, test group and
// the two ends, in the order of the portal.
func monitorSource(t target, dims node) string {
	var group, from, to, test string
	for _, d := range dims.items {
		v := d.get("value").str()
		switch lower(d.get("name").str()) {
		case "testgroupname":
			group = v
		case "sourcename":
			from = v
		case "destinationname":
			to = v
		case "testconfigurationname":
			test = v
		}
	}
	ends := ""
	if from != "" || to != "" {
		ends = from + ">" + to
	}
	return join(maxSource, "/", t.name, group, test, ends)
}

// readLogAlert reads a log-search alert. Its query is free text, so it says
// nothing about a circuit unless it is the alert of a Connection Monitor.
func readLogAlert(_ *parser, _, _ node) ([]Signal, error) {
	return nil, notOurs("a log-search alert")
}

// testAction tells an alert that somebody sent with the portal's test button.
func testAction(ess node) bool {
	id := lower(ess.get("alertId").str())
	rule := ess.get("alertRule").str()
	if strings.HasSuffix(id, "/test_alert") {
		return true
	}
	if !strings.HasPrefix(rule, "test-") || !strings.HasSuffix(strings.TrimSuffix(lower(rule), "rule"), "alert") {
		return false
	}
	for _, raw := range ess.get("alertTargetIDs").strings() {
		if strings.Contains(lower(raw), "/resourcegroups/test-rg/") {
			return true
		}
	}
	return false
}

// strings returns the strings of an array; a lone string counts as one.
func (n node) strings() []string {
	if n.kind == '"' && n.text != "" {
		return []string{n.text}
	}
	var out []string
	for _, item := range n.items {
		if s := item.str(); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// firstString returns the first of strings, or "".
func (n node) firstString() string {
	if all := n.strings(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// lower is strings.ToLower without the white space around.
func lower(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// squeeze lowers s and drops what separates words: "Resource Health" and
// "ResourceHealth", "In Progress" and "InProgress" are spelled both ways.
func squeeze(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(s))
}

// paren puts s in parentheses, if there is one.
func paren(s string) string {
	if s = clean(s, maxSource); s == "" {
		return ""
	}
	return "(" + s + ")"
}
