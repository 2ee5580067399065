package infratest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"erfailover/events"
)

// alertBody is what Azure Monitor sends for a metric rule of ours, in the common
// schema that the action group asks for.
func alertBody(condition, id, namespace, metric, operator, threshold, aggregation, dimensions, value string) []byte {
	return fmt.Appendf(nil, `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.AlertsManagement/alerts/a1",
"alertRule":"ma","severity":"Sev0","signalType":"Metric","monitorCondition":"%s","monitoringService":"Platform","alertTargetIDs":["%s"],"originAlertId":"o1",
"firedDateTime":"2026-01-31T10:00:00Z","resolvedDateTime":"2026-01-31T10:09:00Z","essentialsVersion":"1.0","alertContextVersion":"1.0"},
"alertContext":{"properties":null,"conditionType":"SingleResourceMultipleMetricCriteria","condition":{"windowSize":"PT1M","allOf":[{"metricName":"%s","metricNamespace":"%s",
"operator":"%s","threshold":"%s","timeAggregation":"%s","dimensions":[%s],"metricValue":%s,"webTestName":null}],
"windowStartTime":"2026-01-31T09:58:00Z","windowEndTime":"2026-01-31T09:59:00Z"}}}}`, condition, id, metric, namespace, operator, threshold, aggregation, dimensions, value)
}

// What our rules send is what the events package reads: the worst value is bad news
// about the right part, and recovery is good news.
func TestOurRulesAreUnderstood(t *testing.T) {
	const at = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/"
	for _, c := range []struct {
		module, id, dimensions string
		bad, good              map[string]string // value by rule key, "" for the others
		state                  map[string]events.State
	}{
		{"circuit", at + "expressRouteCircuits/er-ashburn", `{"name":"PeeringType","value":"AzurePrivatePeering"},{"name":"Peer","value":"Primary-IPv4"}`,
			map[string]string{"": "0", "bgp-degraded": "50", "arp-degraded": "50"}, map[string]string{"": "100"},
			map[string]events.State{"": events.Down, "bgp-degraded": events.Degraded, "arp-degraded": events.Degraded}},
		{"gateway", at + "virtualNetworkGateways/gw-east-1", `{"name":"BgpPeerAddress","value":"10.0.0.4"}`,
			map[string]string{"": "0"}, map[string]string{"": "12"}, map[string]events.State{"": events.Degraded}},
		{"port", at + "expressRoutePorts/port1", `{"name":"Link","value":"link1"}`,
			map[string]string{"line": "0", "rx-low": "-20", "tx-low": "-20", "": "3"}, map[string]string{"line": "1", "": "-5"},
			map[string]events.State{"line": events.Down, "": events.Degraded}},
	} {
		body := text(t, "../modules/"+c.module+".bicep")
		namespace := regexp.MustCompile(`metricNamespace: '([^']+)'`).FindStringSubmatch(body)[1]
		aggregation := regexp.MustCompile(`timeAggregation: '(\w+)'`).FindStringSubmatch(body)[1]
		rules := regexp.MustCompile(`\{ metric: '(\w+)', key: '([\w-]+)'(?:, operator: '(\w+)')?(?:, threshold: (-?\d+))?`).FindAllStringSubmatch(body, -1)
		if len(rules) == 0 {
			t.Fatal(c.module, "has no rules")
		}
		for _, m := range rules {
			operator, threshold := m[3], m[4]
			if operator == "" {
				operator = "LessThan"
			}
			if threshold == "" {
				threshold = "1"
			}
			for condition, values := range map[string]map[string]string{"Fired": c.bad, "Resolved": c.good} {
				want := events.Up
				if condition == "Fired" {
					want = pick(c.state, m[2])
				}
				got := events.Parse(alertBody(condition, strings.ToLower(c.id), namespace, m[1], operator, threshold, aggregation, c.dimensions, pick(values, m[2])), time.Date(2026, 1, 31, 10, 10, 0, 0, time.UTC))
				if len(got.Signals) != 1 || len(got.Broken)+len(got.Foreign) > 0 {
					t.Errorf("%s %s %s: %+v", c.module, m[2], condition, got)
					continue
				}
				s := got.Signals[0]
				if s.Kind != events.Health || s.State != want || !strings.EqualFold(s.Resource, c.id) {
					t.Errorf("%s %s %s: %s %s of %s (%s), want %s", c.module, m[2], condition, s.Kind, s.State, s.Resource, s.Detail, want)
				}
				if c.module == "circuit" && s.Link != events.Primary {
					t.Errorf("%s %s: link %q", m[2], condition, s.Link)
				}
			}
		}
	}
}

// pick returns the value of a key, or the one for all the others.
func pick[T any](values map[string]T, key string) T {
	if v, ok := values[key]; ok {
		return v
	}
	return values[""]
}
