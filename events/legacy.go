package events

// readActivityLogAlert reads the older activity-log alert: the record stands
// under data.context.activityLog and names its resource itself. Its status is
// always Activated and says nothing.
func readActivityLogAlert(p *parser, n node) ([]Signal, error) {
	log := n.get("data", "context", "activityLog")
	if !log.is() {
		return nil, broken("data.context.activityLog", "", "an activity-log record")
	}
	r := activity{channel: "activity-log-alert", body: log, resource: log.get("resourceId").str(), field: "activityLog.resourceId"}
	if r.resource == "" && log.get("subscriptionId").is() {
		r.resource = "/subscriptions/" + log.get("subscriptionId").str()
	}
	return r.read(p)
}

// readOldMetricAlert reads a metric alert of the older schema, {status, context},
// and of the oldest, whose condition is flat. The id names the rule.
func readOldMetricAlert(p *parser, n node) ([]Signal, error) {
	ctx := n.get("context")
	a := metricAlert{
		channel: "metric-alert",
		id:      ctx.get("id").str(),
		rule:    ctx.get("name").str(),
		targets: ctx.get("resourceId").strings(),
		field:   "context.resourceId",
		text:    ctx.get("description").str(),
		allOf:   ctx.get("condition", "allOf"),
	}
	var err error
	if a.resolved, err = condition("status", firstWord(n.get("status").str()), "Activated", "Deactivated"); err != nil {
		return nil, err
	}
	if a.at, err = p.eventTime("context.timestamp", ctx.get("timestamp").str()); err != nil {
		return nil, err
	}
	if flat := ctx.get("condition"); len(a.allOf.items) == 0 && flat.get("metricName").is() {
		if !flat.get("operator").is() {
			return nil, broken("context.condition.operator", "", "an operator")
		}
		a.allOf = node{kind: '[', items: []node{flat}}
	}
	return a.read(p)
}

// firstWord maps the other words of old senders to the documented two.
func firstWord(status string) string {
	switch squeeze(status) {
	case "resolved":
		return "Deactivated"
	case "fired":
		return "Activated"
	}
	return status
}
