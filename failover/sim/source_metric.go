package sim

import (
	"strconv"
	"strings"
	"time"
)

// Names of the metrics that are written here.
const (
	BGPAvailability = "BgpAvailability"     // percent
	ARPAvailability = "ArpAvailability"     // percent
	BitsIn          = "BitsInPerSecond"     //
	BitsOut         = "BitsOutPerSecond"    //
	ChecksFailed    = "ChecksFailedPercent" // of a Connection Monitor
)

// essentials returns what all common-schema alerts have. The alert ID stands for
// one firing of one time series: its Fired and its Resolved message share it.
func (s Source) essentials(resource, rule, series, incident string) fields {
	sub := subscriptionOf(resource)
	return fields{
		"alertId":             "/subscriptions/" + sub + "/providers/Microsoft.AlertsManagement/alerts/" + s.guid("alert", rule, series, incident),
		"alertRule":           rule,
		"alertTargetIDs":      []string{strings.ToLower(resource)},
		"configurationItems":  []string{lastOf(resource)},
		"description":         "",
		"essentialsVersion":   "1.0",
		"alertContextVersion": "1.0",
	}
}

// MetricAlert is one message of a metric alert rule on a circuit.
type MetricAlert struct {
	Circuit string // resource ID
	Metric  string // BGPAvailability or ARPAvailability
	Link    Link   // the time series; "" is a rule that does not split by Peer
	Peering string // dimension PeeringType; "" is Private
	Rule    string // name of the rule; "" is the metric's name
	Value   float64
	FiredAt time.Time // when the series fired; Resolved repeats it
	EndedAt time.Time // when it resolved; zero is a Fired message
}

// MetricAlert writes a Fired or Resolved message in the common schema, for a rule
// "average below 90 over 5 minutes".
func (s Source) MetricAlert(a MetricAlert) []byte {
	if a.Peering == "" {
		a.Peering = "Private"
	}
	if a.Rule == "" {
		a.Rule = a.Metric
	}
	dims := []fields{{"name": "PeeringType", "value": a.Peering}}
	if a.Link != "" {
		dims = append(dims, fields{"name": "Peer", "value": capital(string(a.Link))})
	}
	return s.alert(metricRule{
		resource: a.Circuit, rule: a.Rule, series: a.Metric + a.Peering + string(a.Link), metric: a.Metric,
		operator: "LessThan", threshold: "90", aggregation: "Average", dimensions: dims,
		value: a.Value, fired: a.FiredAt, ended: a.EndedAt,
	})
}

// MonitorAlert is one message of a rule on a Connection Monitor. Its target is
// the monitor: which circuit that speaks for is configuration.
type MonitorAlert struct {
	Monitor     string // resource ID
	Group       string // test group
	Source      string // name of the source endpoint
	Destination string // name of the destination endpoint
	Failed      float64
	FiredAt     time.Time
	EndedAt     time.Time // zero is a Fired message
}

// MonitorAlert writes a message of a rule "checks failed above 20 percent".
func (s Source) MonitorAlert(a MonitorAlert) []byte {
	return s.alert(metricRule{
		resource: a.Monitor, rule: "probe-" + lastOf(a.Monitor), series: a.Group + "/" + a.Source + "/" + a.Destination,
		metric: ChecksFailed, operator: "GreaterThan", threshold: "20", aggregation: "Average",
		dimensions: []fields{
			{"name": "TestGroupName", "value": a.Group},
			{"name": "SourceName", "value": a.Source},
			{"name": "DestinationName", "value": a.Destination},
		},
		value: a.Failed, fired: a.FiredAt, ended: a.EndedAt,
	})
}

// metricRule is what the metric alerts have in common.
type metricRule struct {
	resource, rule, series, metric   string
	operator, threshold, aggregation string
	dimensions                       []fields
	value                            float64
	fired, ended                     time.Time
}

// alert writes one metric alert. Azure leaves the window out of a Resolved one.
func (s Source) alert(a metricRule) []byte {
	essentials := s.essentials(a.resource, a.rule, a.series, at(a.fired))
	essentials["severity"] = "Sev1"
	essentials["signalType"] = "Metric"
	essentials["monitoringService"] = "Platform"
	essentials["monitorCondition"] = "Fired"
	essentials["firedDateTime"] = at(a.fired)
	essentials["originAlertId"] = s.guid("origin", a.resource, a.rule, a.series)
	condition := fields{
		"windowSize": "PT5M",
		"allOf": []fields{{
			"metricName":      a.metric,
			"metricNamespace": typeOf(a.resource),
			"operator":        a.operator,
			"threshold":       a.threshold,
			"timeAggregation": a.aggregation,
			"dimensions":      a.dimensions,
			"metricValue":     a.value,
			"webTestName":     nil,
		}},
	}
	if a.ended.IsZero() {
		condition["windowStartTime"] = at(a.fired.Add(-5 * time.Minute))
		condition["windowEndTime"] = at(a.fired)
	} else {
		essentials["monitorCondition"] = "Resolved"
		essentials["resolvedDateTime"] = at(a.ended)
	}
	return wire(fields{
		"schemaId": "azureMonitorCommonAlertSchema",
		"data": fields{
			"essentials": essentials,
			"alertContext": fields{
				"properties":    nil,
				"conditionType": "SingleResourceMultipleMetricCriteria",
				"condition":     condition,
			},
			"customProperties": nil,
		},
	})
}

// capital writes a word with a capital: "Primary".
func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// LinkMeasure is what one link's edge router reports for one minute.
type LinkMeasure struct {
	BGP, ARP float64 // percent, 0 to 100
	In, Out  float64 // bits per second
	Silent   bool    // the router reports nothing
}

// HealthyLink is a link with both sessions up and the given traffic each way.
func HealthyLink(bits float64) LinkMeasure {
	return LinkMeasure{BGP: 100, ARP: 100, In: bits, Out: bits}
}

// CircuitMinute is one minute of one circuit.
type CircuitMinute struct {
	Circuit            string // resource ID
	Primary, Secondary LinkMeasure
	At                 time.Time // start of the minute
}

// Metrics writes the metric records that a diagnostic setting streams. Such a
// record has no dimensions: the two links are folded into count, minimum, maximum
// and average. A circuit whose two links are silent has no record at all.
func (s Source) Metrics(minutes ...CircuitMinute) []byte {
	var rs []fields
	for _, m := range minutes {
		for _, metric := range []string{ARPAvailability, BGPAvailability, BitsIn, BitsOut} {
			if r := m.record(metric); r != nil {
				rs = append(rs, r)
			}
		}
	}
	return envelope(rs)
}

// record folds the two links into one record, or nil.
func (m CircuitMinute) record(metric string) fields {
	var values []float64
	for _, l := range []LinkMeasure{m.Primary, m.Secondary} {
		if !l.Silent {
			values = append(values, l.value(metric))
		}
	}
	if len(values) == 0 {
		return nil
	}
	low, high, total := values[0], values[0], 0.0
	for _, v := range values {
		low, high, total = min(low, v), max(high, v), total+v
	}
	return fields{
		"count": len(values), "total": total, "minimum": low, "maximum": high, "average": total / float64(len(values)),
		"resourceId": strings.ToUpper(m.Circuit),
		"time":       at(m.At),
		"metricName": metric,
		"timeGrain":  "PT1M",
	}
}

// value returns one metric of a link.
func (m LinkMeasure) value(metric string) float64 {
	switch metric {
	case BGPAvailability:
		return m.BGP
	case ARPAvailability:
		return m.ARP
	case BitsIn:
		return m.In
	case BitsOut:
		return m.Out
	}
	panic("sim: no such metric: " + strconv.Quote(metric))
}
