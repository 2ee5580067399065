package events

import (
	"slices"
	"strings"
	"testing"
)

func TestTrap10_FiredMayMeanRecovery(t *testing.T) {
	body := func(current, status, cause string) string {
		return `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"a1","alertRule":"r1","signalType":"Activity Log","monitoringService":"Resource Health",` +
			`"monitorCondition":"Fired","alertTargetIDs":["` + trapCircuit + `"]},"alertContext":{"eventTimestamp":"2026-01-31T10:00:00Z","operationName":"Microsoft.Resourcehealth/healthevent/x/action",` +
			`"properties":{"currentHealthStatus":"` + current + `","cause":"` + cause + `"},"status":"` + status + `"}}}`
	}
	wantState(t, parseOne(t, body("Available", "Resolved", "PlatformInitiated")), Up)
	wantState(t, parseOne(t, body("Unavailable", "Active", "PlatformInitiated")), Down)
	if s := parseOne(t, body("Unavailable", "Active", "UserInitiated")); !s.UserAction {
		t.Error("what the customer did himself is not an outage")
	}
}

func TestTrap11_OneLinkOfTwo(t *testing.T) {
	private, peer := dim("PeeringType", "AzurePrivatePeering"), dim("Peer", "primary-ipv4")
	s := parseOne(t, metricAlertBody("Fired", "BGPAVAILABILITY", "0", private+","+peer))
	wantState(t, s, Down)
	if s.Link != Primary || s.Peering != Private {
		t.Errorf("link %q, peering %q", s.Link, s.Peering)
	}
	wantState(t, parseOne(t, metricAlertBody("Fired", "BgpAvailability", "50", "")), Degraded)
	wantState(t, parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", "")), Down)
	if s := parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", dim("PeeringType", "MicrosoftPeering"))); s.Peering != Microsoft {
		t.Errorf("peering %q must not pass for private", s.Peering)
	}
	for _, odd := range []string{dim("PeeringType", "Lunar"), dim("Peer", "Tertiary"), dim("Peer", "Primary,Secondary")} {
		wantState(t, parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", odd)), Degraded)
	}
	for minmax, want := range map[string]State{`"minimum":0,"maximum":100`: Degraded, `"minimum":0,"maximum":0`: Down, `"minimum":100,"maximum":100`: Up} {
		wantState(t, parseOne(t, `{"resourceId":"`+trapCircuit+`","time":"2026-01-31T10:00:00Z","metricName":"BgpAvailability","count":4,`+minmax+`}`), want)
	}
}

func TestTrap12_EveryMetricKeepsItsName(t *testing.T) {
	// Whether BGP down is explained by maintenance or by ARP is for health to
	// judge; it can only if the two metrics never pass for one another.
	bgp := parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", ""))
	arp := parseOne(t, metricAlertBody("Fired", "arpavailability", "100", ""))
	if !strings.HasPrefix(bgp.Source, "BgpAvailability") || !strings.HasPrefix(arp.Source, "ArpAvailability") || bgp.ID == arp.ID {
		t.Errorf("%s\n%s", printSignal(bgp), printSignal(arp))
	}
	if bgp.Observer != arp.Observer || bgp.Plane != ControlPlane || arp.Plane != ControlPlane {
		t.Error("two metrics of a circuit are one observer, of the control plane")
	}
	s := parseOne(t, maintenanceBody)
	if s.Kind != Maintenance || s.Window == nil || s.Correlation != "T1" || s.State != Unknown {
		t.Errorf("maintenance is not an outage: %s", printSignal(s))
	}
}

func TestTrap13_LocalisedTextIsNeverRead(t *testing.T) {
	s := parseOne(t, maintenanceBody)
	if !strings.Contains(s.Detail, "Planned work") || strings.Contains(s.Detail, "Wartung") {
		t.Errorf("detail %q, want the English title", s.Detail)
	}
	rest := `{"eventTimestamp":"2026-01-31T10:00:00Z","eventDataId":"e1","category":{"value":"ResourceHealth","localizedValue":"Zdrowie"},"resourceId":"` + trapCircuit + `",` +
		`"operationName":{"value":"Microsoft.Resourcehealth/healthevent/Resolved/action","localizedValue":"X"},"status":{"value":"Resolved","localizedValue":"Rozwiązano"},` +
		`"properties":{"healthStatus":"Available","title":"Niedostępny"}}`
	wantState(t, parseOne(t, rest), Up)
}

func TestTrap14_TestActionsAndStrangersAreCounted(t *testing.T) {
	common := func(essentials, context string) string {
		return `{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{` + essentials + `},"alertContext":{` + context + `}}}`
	}
	for name, body := range map[string]string{
		"test action": common(`"alertId":"x","alertRule":"test-metricAlertRule","monitoringService":"Platform","signalType":"Metric","monitorCondition":"Fired",`+
			`"alertTargetIDs":["`+trapSub+`/resourcegroups/test-RG/providers/microsoft.network/expressroutecircuits/c1"]`, ``),
		"synthetic":   strings.Replace(maintenanceBody, `"IsSynthetic":false`, `"IsSynthetic":"True"`, 1),
		"TEST-TTT":    strings.Replace(maintenanceBody, `"T1"`, `"TEST-TTT"`, 1),
		"budget":      common(`"monitoringService":"CostAlerts","alertRule":null,"alertTargetIDs":null`, `"AlertCategory":"budgets"`),
		"smart":       common(`"monitoringService":"SmartDetector","monitorCondition":"Fired"`, ``),
		"prometheus":  common(`"monitoringService":"Prometheus","monitorCondition":"Fired"`, ``),
		"log search":  common(`"monitoringService":"Log Alerts V2","monitorCondition":"Fired"`, `"conditionType":"LogQueryCriteria"`),
		"route table": `{"time":"2026-01-31T10:00:00Z","category":"PeeringRouteLog","resourceId":"` + trapCircuit + `","properties":{}}`,
	} {
		b := Parse([]byte(body), testNow)
		if b.Records != 1 || len(b.Foreign) != 1 || b.Foreign[0].Why == "" || !b.Foreign[0].At.Equal(testNow) {
			t.Errorf("%s: %s", name, printBatch(b))
		}
	}
	// A real circuit in a group of that name is no test.
	real := strings.ReplaceAll(metricAlertBody("Fired", "BgpAvailability", "0", ""), "rg-er", "test-RG")
	wantState(t, parseOne(t, real), Down)
}

func TestTrap15_HandshakesAndDeadLetters(t *testing.T) {
	b := Parse([]byte(`[{"id":"1","topic":"t","subject":"","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","eventTime":"2026-01-31T10:00:00Z","data":{"validationCode":"x"}}]`), testNow)
	if len(b.Foreign) != 1 {
		t.Errorf("handshake: %s", printBatch(b))
	}
	event := `{"id":"1","source":"` + trapSub + `","type":"Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged","specversion":"1.0","time":"2026-01-31T10:00:00Z",` +
		`"data":{"resourceInfo":{"id":"` + trapSub + `","properties":{"targetResourceId":"` + trapCircuit + `","availabilityState":"Unavailable"}}}`
	plain, dead := parseOne(t, event+"}"), parseOne(t, event+`,"deadLetterReason":"MaxDeliveryAttemptsExceeded","deliveryAttempts":30}`)
	if plain.ID != dead.ID || plain.State != Down || plain.Resource != trapCircuit {
		t.Errorf("a dead letter is the same event:\n%s\n%s", printSignal(plain), printSignal(dead))
	}
}

func TestTrap16_OlderAlertsNameTheRule(t *testing.T) {
	body := func(status, at, resource string) string {
		return `{"schemaId":"AzureMonitorMetricAlert","data":{"version":"2.0","status":"` + status + `","properties":null,"context":{"timestamp":"` + at + `","id":"` + trapSub +
			`/providers/microsoft.insights/metricAlerts/BGP%20low","name":"BGP low","resourceId":"` + trapCircuit + `","condition":{"allOf":[{"metricName":"BgpAvailability","metricValue":0,` +
			`"threshold":"90","operator":"LessThan","timeAggregation":"Average","dimensions":[` + dim("microsoft.resourceId", resource) + `,` + dim("microsoft.resourceType", "x") + `]}]}}}}`
	}
	if s := parseOne(t, body("Activated", "2026-01-31T10:00:00Z", strings.ToUpper(trapCircuit)+"2")); s.Resource != trapCircuit+"2" {
		t.Errorf("the rule covers several circuits, %s fired: %s", trapCircuit+"2", s.Resource)
	}
	first := parseOne(t, body("Activated", "2026-01-31T10:00:00Z", strings.ToUpper(trapCircuit)))
	again := parseOne(t, body("Activated", "2026-01-31T10:00:00Z", trapCircuit))
	later := parseOne(t, body("Activated", "2026-01-31T10:06:00Z", trapCircuit))
	if first.ID != again.ID {
		t.Error("the case of a dimension changes the ID")
	}
	if first.ID == later.ID {
		t.Error("the rule's id is no alert's id: a later firing is other news")
	}
	if first.Resource != trapCircuit || first.State != Down {
		t.Error(printSignal(first))
	}
}

func TestTrap17_CircuitsThatNobodyConfigured(t *testing.T) {
	// The package knows no configuration: every circuit is read, whatever its
	// subscription, and none is mistaken for another.
	other := strings.Replace(trapCircuit, "e001", "e002", 1)
	a, b := parseOne(t, down(trapCircuit)), parseOne(t, down(other))
	if a.Resource == b.Resource || a.ID == b.ID || b.Resource != other {
		t.Errorf("%s\n%s", printSignal(a), printSignal(b))
	}
}

func TestTrap18_OwnWritesComeBack(t *testing.T) {
	record := func(result, oid string) string {
		return `{"time":"2026-01-31T10:00:00Z","resourceId":"` + strings.ToUpper(trapSub) + `/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.NETWORK/CONNECTIONS/K1","operationName":"MICROSOFT.NETWORK/CONNECTIONS/WRITE",` +
			`"category":"Administrative","resultType":"` + result + `","correlationId":"w1","identity":{"claims":{"http://schemas.microsoft.com/identity/claims/objectidentifier":"` + oid + `","appid":"app"}},` +
			`"properties":{"requestbody":"{\"properties\":{\"routingWeight\":201,\"authorizationKey\":\"s3cr3t-key\",\"sharedKey\":\"s3cr3t-key\"}}"}}`
	}
	start, end := parseOne(t, record("Start", "me")), parseOne(t, record("Success", "me"))
	if start.Kind != Write || start.Actor != "me" || start.Weight == nil || *start.Weight != 201 || start.Correlation != end.Correlation || start.ID == end.ID {
		t.Errorf("%s\n%s", printSignal(start), printSignal(end))
	}
	if start.State != Unknown || !strings.HasSuffix(start.Resource, "/connections/k1") {
		t.Error(printSignal(start))
	}
	if text := printSignal(start); strings.Contains(text, "s3cr3t") {
		t.Errorf("a key leaked: %s", text)
	}
	delete := strings.Replace(record("Success", ""), "CONNECTIONS/WRITE", "CONNECTIONS/DELETE", 1)
	if s := parseOne(t, delete); s.Actor != "app" || !slices.Contains(strings.Split(s.Source, "/"), "delete") {
		t.Error(printSignal(s))
	}
}
