package events

import "strings"

// record reads one JSON object that is no envelope: it builds the tree, sorts it
// by its content and files the reader's answer.
func (p *parser) record(v []byte, offset int) {
	n, err := readNode(v, p.limits.Depth)
	if err != nil {
		p.settle(v, offset, "json", nil, err)
		return
	}
	format, read := recognize(n)
	signals, err := read(p, n)
	p.settle(v, offset, format, signals, err)
}

// reader turns one record of one format into signals. It answers notOurs for a
// sound record that we leave alone and a *ParseError for a broken one.
type reader func(*parser, node) ([]Signal, error)

// recognize tells the format of a record by what only that format has.
func recognize(n node) (string, reader) {
	data := n.get("data")
	schema := strings.ToLower(n.get("schemaId").str())
	switch {
	case n.get("erfailover").is():
		return "generic", readGeneric
	case n.get("specversion").is() && n.get("type").is():
		return "cloud-event", readCloudEvent
	case n.get("eventType").is() && (n.get("eventTime").is() || n.get("topic").is()):
		return "event-grid", readGridEvent
	case schema == "azuremonitorcommonalertschema", data.get("essentials").is():
		return "common-alert", func(p *parser, n node) ([]Signal, error) { return readCommonAlert(p, n.get("data")) }
	case n.get("alertContext").is() || n.get("essentials").is():
		return "common-alert", readCommonAlert
	case schema == "microsoft.insights/activitylogs", data.get("context", "activityLog").is():
		return "activity-log-alert", readActivityLogAlert
	case schema == "azuremonitormetricalert", data.get("context", "condition").is():
		return "metric-alert", func(p *parser, n node) ([]Signal, error) { return readOldMetricAlert(p, n.get("data")) }
	case n.get("context").is() && n.get("status").is():
		return "classic-alert", readOldMetricAlert
	case n.get("metricName").is():
		return "metric-record", readMetricRecord
	case n.get("eventTimestamp").is() && n.get("operationName").is():
		return "activity-log-rest", readActivityLogREST
	case n.get("operationName").is(), n.get("category").is():
		return "activity-log", readActivityLog
	case schema != "":
		return "alert", func(*parser, node) ([]Signal, error) { return nil, notOurs("an alert of another schema") }
	}
	return "unknown", func(*parser, node) ([]Signal, error) {
		names := make([]string, 0, len(n.fields))
		for _, f := range n.fields[:min(len(n.fields), 8)] {
			names = append(names, f.name)
		}
		return nil, broken("", "an object with the keys "+strings.Join(names, " "), "a format that is known")
	}
}
