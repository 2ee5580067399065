package events

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The tests of this file are the ways in which these formats have misled others,
// one test each.

const (
	trapSub     = "/subscriptions/0a1b2c3d-0000-4000-8000-00000000e001"
	trapCircuit = trapSub + "/resourcegroups/rg-er/providers/microsoft.network/expressroutecircuits/c1"
)

// healthRecord is a Resource Health record of the stream.
func healthRecord(resource, at, op, status, current, previous, cause string) string {
	quote := func(s string) string {
		if s == "null" {
			return s
		}
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf(`{"time":%q,"resourceId":%s,"operationName":"Microsoft.Resourcehealth/healthevent/%s/action","category":"ResourceHealth",`+
		`"resultType":%q,"correlationId":"k1","properties":{"currentHealthStatus":%s,"previousHealthStatus":%s,"cause":%s}}`,
		at, quote(resource), op, status, quote(current), quote(previous), quote(cause))
}

// metricAlertBody is a common-schema metric alert with one criterion.
func metricAlertBody(condition, metric, value, dims string) string {
	return fmt.Sprintf(`{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"a1","alertRule":"r1","signalType":"Metric",`+
		`"monitoringService":"Platform","monitorCondition":%q,"alertTargetIDs":[%q],"firedDateTime":"2026-01-31T10:00:00Z","resolvedDateTime":"2026-01-31T10:20:00Z"},`+
		`"alertContext":{"condition":{"allOf":[{"metricName":%q,"operator":"LessThan","threshold":"90","timeAggregation":"Average","metricValue":%s,"dimensions":[%s]}]}}}}`,
		condition, trapCircuit, metric, value, dims)
}

func dim(name, value string) string { return fmt.Sprintf(`{"name":%q,"value":%q}`, name, value) }

// parseOne parses a body that must give exactly one signal.
func parseOne(t *testing.T, body string) Signal {
	t.Helper()
	b := Parse([]byte(body), testNow)
	if len(b.Signals) != 1 || len(b.Foreign)+len(b.Broken) > 0 {
		t.Fatalf("want one signal, got\n%sfrom %s", printBatch(b), body)
	}
	return b.Signals[0]
}

func wantState(t *testing.T, s Signal, want State) {
	t.Helper()
	if s.State != want {
		t.Errorf("state is %q, want %q: %s", s.State, want, printSignal(s))
	}
}

const trapTime = "2026-01-31T10:00:00Z"

func down(resource string) string {
	return healthRecord(resource, trapTime, "Activated", "Active", "Unavailable", "Available", "PlatformInitiated")
}

func TestTrap01_ResourceIDsInEverySpelling(t *testing.T) {
	ids := map[string]bool{}
	for _, spelling := range []string{
		trapCircuit,
		strings.ToUpper(trapCircuit),
		strings.ReplaceAll(trapCircuit, "resourcegroups", "resourceGroups"),
		strings.ToUpper(strings.TrimSuffix(trapCircuit, "c1")) + "c1",
		trapCircuit + "/",
		"/" + trapCircuit,
		strings.ReplaceAll(trapCircuit, "/", "%2F"),
		strings.Replace(trapCircuit, "microsoft.network/express", "Microsoft.Network//express", 1),
	} {
		s := parseOne(t, down(spelling))
		if s.Resource != trapCircuit {
			t.Errorf("%s read as %s", spelling, s.Resource)
		}
		ids[s.ID] = true
	}
	if len(ids) != 1 {
		t.Errorf("the spellings give %d IDs, want one", len(ids))
	}
	for resource, why := range map[string]string{
		trapSub: "names no resource",
		trapSub + "/providers/Microsoft.domainRegistration": "names no resource",
		"/TeNaNtS/ffff/PrOvIdErS/Microsoft.aadiam":          "another resource type",
	} {
		b := Parse([]byte(down(resource)), testNow)
		if len(b.Foreign) != 1 || b.Foreign[0].Why != why {
			t.Errorf("%s: %s", resource, printBatch(b))
		}
	}
	if b := Parse([]byte(down("null")), testNow); len(b.Broken) != 1 || b.Broken[0].Field != "resourceId" {
		t.Errorf("null: %s", printBatch(b))
	}
}

func TestTrap02_SubResourcesMatchOnSegments(t *testing.T) {
	for sub, want := range map[string]struct {
		resource string
		peering  Peering
	}{
		trapCircuit + "/peerings/AzurePrivatePeering":                                    {trapCircuit, Private},
		trapCircuit + "/peerings/MicrosoftPeering/connections/y":                         {trapCircuit, Microsoft},
		trapCircuit + "/providers/Microsoft.ResourceHealth/availabilityStatuses/current": {trapCircuit, AnyPeering},
		trapCircuit + "0": {trapCircuit + "0", AnyPeering},
		trapCircuit + "/peerings/AzurePrivatePeering/providers/Microsoft.ResourceHealth/events/e1": {trapCircuit, Private},
	} {
		if s := parseOne(t, down(sub)); s.Resource != want.resource || s.Peering != want.peering {
			t.Errorf("%s read as %s, peering %q", sub, s.Resource, s.Peering)
		}
	}
}

func TestTrap03_TimesInEverySpelling(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31T09:41:00Z":           "2026-01-31T09:41:00Z",
		"2026-01-31T09:41:00.22Z":        "2026-01-31T09:41:00.22Z",
		"2026-01-31T09:41:00.220Z":       "2026-01-31T09:41:00.22Z",
		"2026-01-31T09:41:00.992099Z":    "2026-01-31T09:41:00.992099Z",
		"2026-01-31T09:41:00.6816663Z":   "2026-01-31T09:41:00.6816663Z",
		"2026-01-31T09:41:00.535404056Z": "2026-01-31T09:41:00.535404056Z",
		"2026-01-31T09:41:00+00:00":      "2026-01-31T09:41:00Z",
		"2026-01-31T11:41:00.5+02:00":    "2026-01-31T09:41:00.5Z",
		"2026-01-31T09:41:00":            "2026-01-31T09:41:00Z",
		"1/31/2026 1:36:31 PM":           "2026-01-31T13:36:31Z",
		"01/31/2026 09:41:00":            "2026-01-31T09:41:00Z",
		"1/31/2026 10:41:00 AM +01:00":   "2026-01-31T09:41:00Z",
		"2009-01-09T09:41:00Z":           "2009-01-09T09:41:00Z", // old news is news; its age is for others to judge
	} {
		s := parseOne(t, healthRecord(trapCircuit, text, "Activated", "Active", "Unavailable", "Available", "null"))
		if got := s.At.Format(time.RFC3339Nano); got != want {
			t.Errorf("%s read as %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "soon", "1769853660", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-02-02T00:10:01Z"} {
		b := Parse([]byte(healthRecord(trapCircuit, text, "Activated", "Active", "Unavailable", "Available", "null")), testNow)
		if len(b.Broken) != 1 || b.Broken[0].Field != "time" {
			t.Errorf("time %q: %s", text, printBatch(b))
		}
	}
}

func TestTrap04_NumbersAndBoolsInDisguise(t *testing.T) {
	for value, want := range map[string]State{`0`: Down, `"0"`: Down, `0e0`: Down, `-0.0`: Down, `5.0E1`: Degraded, `"50.0"`: Degraded, `null`: Unknown, `""`: Unknown} {
		wantState(t, parseOne(t, metricAlertBody("Fired", "BgpAvailability", value, "")), want)
	}
	for _, value := range []string{`"zero"`, `true`, `1e999`, `"0x0"`, `"NaN"`, `{}`} {
		b := Parse([]byte(metricAlertBody("Fired", "BgpAvailability", value, "")), testNow)
		if len(b.Broken) != 1 || b.Broken[0].Field != "metricValue" {
			t.Errorf("metricValue %s: %s", value, printBatch(b))
		}
	}
	for synthetic, foreign := range map[string]int{`true`: 1, `"True"`: 1, `1`: 1, `"1"`: 1, `false`: 0, `"False"`: 0, `0`: 0, `null`: 0} {
		body := strings.Replace(maintenanceBody, `"IsSynthetic":false`, `"IsSynthetic":`+synthetic, 1)
		if b := Parse([]byte(body), testNow); len(b.Foreign) != foreign || len(b.Broken) != 0 {
			t.Errorf("IsSynthetic %s: %s", synthetic, printBatch(b))
		}
	}
}

// maintenanceBody is an announcement whose enums are numbers.
const maintenanceBody = `{"time":"2026-01-31T10:00:00Z","resourceId":"` + trapSub + `","operationName":"Microsoft.ServiceHealth/maintenance/action","category":"ServiceHealth",` +
	`"level":3,"channels":1,"properties":{"IsSynthetic":false,"service":"ExpressRoute \\ ExpressRoute Circuits","trackingId":"T1","incidentType":"Maintenance","stage":"Planned",` +
	`"title":"Geplante Wartung","communication":"Wartung","defaultLanguageTitle":"Planned work","impactStartTime":"2026-02-01T04:00:00Z","impactedServices":[]}}`

func TestTrap05_MissingIsNothing(t *testing.T) {
	for _, current := range []string{"null", "", "Unknown"} {
		wantState(t, parseOne(t, healthRecord(trapCircuit, trapTime, "Activated", "Active", current, "null", "null")), Unknown)
	}
	for _, numbers := range []string{``, `"average":null,"maximum":null,"minimum":null,`, `"count":0,`} {
		s := parseOne(t, `{`+numbers+`"resourceId":"`+trapCircuit+`","time":"2026-01-31T10:00:00Z","metricName":"BgpAvailability","timeGrain":"PT1M"}`)
		wantState(t, s, Unknown)
		if s.Value != nil {
			t.Errorf("a missing average became %g", *s.Value)
		}
	}
	for _, gone := range []string{`"alertTargetIDs":["` + trapCircuit + `"],`, `"dimensions":[]`} {
		body := metricAlertBody("Fired", "BgpAvailability", "0", "")
		name, _, _ := strings.Cut(gone, ":")
		with := name + ":null"
		if strings.HasSuffix(gone, ",") {
			with += ","
		}
		b := Parse([]byte(strings.Replace(body, gone, with, 1)), testNow)
		if b.Records != 1 {
			t.Errorf("%s: %s", with, printBatch(b))
		}
		if strings.Contains(gone, "Target") != (len(b.Broken) == 1) {
			t.Errorf("%s: %s", with, printBatch(b))
		}
	}
}

func TestTrap06_JSONInsideStrings(t *testing.T) {
	record := func(body string) string {
		return `{"time":"2026-01-31T10:00:00Z","resourceId":"` + trapSub + `/resourceGroups/g/providers/Microsoft.Network/connections/k","operationName":"MICROSOFT.NETWORK/CONNECTIONS/WRITE",` +
			`"category":"Administrative","resultType":"Start","properties":{"requestbody":` + body + `}}`
	}
	for body, want := range map[string]int32{
		`"{\"properties\":{\"routingWeight\":300}}"`:   300,
		`{"properties":{"routingWeight":300}}`:         300,
		`{"properties":{"routingWeight":"300"}}`:       300,
		`"{\"properties\":{\"routingWeight\":0}}"`:     0,
		`"{\"properties\":{\"routingWeight\":null}}"`:  -1,
		`"{\"properties\":{\"routingWeight\":32001}}"`: -1,
		`"{\"properties\":{\"routingWeight\":1.5}}"`:   -1,
		`"plain text"`: -1,
		`"{not json"`:  -1,
		`["a"]`:        -1,
		`""`:           -1,
		`null`:         -1,
	} {
		s := parseOne(t, record(body))
		got := int32(-1)
		if s.Weight != nil {
			got = *s.Weight
		}
		if got != want {
			t.Errorf("%s: weight %d, want %d", body, got, want)
		}
	}
	for _, services := range []string{`[{"ServiceName":"ExpressRoute"}]`, `"[{\"ServiceName\":\"ExpressRoute\"}]"`} {
		body := strings.Replace(maintenanceBody, `"impactedServices":[]`, `"impactedServices":`+services, 1)
		body = strings.Replace(body, `"ExpressRoute \\ ExpressRoute Circuits"`, `"Network"`, 1)
		if s := parseOne(t, body); s.Kind != Maintenance {
			t.Errorf("%s: %s", services, printSignal(s))
		}
	}
}

func TestTrap07_KeysThatDifferByCase(t *testing.T) {
	head := `"resourceId":"` + trapCircuit + `","time":"2026-01-31T10:00:00Z","metricName":"BgpAvailability","count":2,`
	for _, keys := range []string{
		`"minimum":100,"maximum":100,"average":100,"Average":0,"Maximum":0,"Minimum":0`,
		`"Average":0,"Maximum":0,"Minimum":0,"minimum":100,"maximum":100,"average":100`,
		`"Minimum":100,"Maximum":100,"Average":100`,
		`"minimum":100,"maximum":100,"average":100,"a key with spaces":{"x":[1,2]},"EventProcessedUtcTime":"x"`,
	} {
		wantState(t, parseOne(t, "{"+head+keys+"}"), Up)
	}
	if b := Parse([]byte("{"+head+`"maximum":100,"maximum":0}`), testNow); len(b.Broken) != 1 {
		t.Errorf("the same key twice must be refused: %s", printBatch(b))
	}
}

func TestTrap08_HealthThatDidNotChangeAndUnknownWords(t *testing.T) {
	for _, c := range []struct {
		op, status, current, previous string
		want                          State
		tentative                     bool
	}{
		{"Updated", "Updated", "Unknown", "Unknown", Unknown, true},
		{"Updated", "Updated", "Available", "Available", Up, true},
		{"Activated", "Active", "Unavailable", "Unavailable", Down, false},
		{"Activated", "In Progress", "Unavailable", "Unknown", Down, false},
		{"Activated", "InProgress", "Degraded", "Available", Degraded, false},
		{"Activated", "Active", "Degraded", "Unavailable", Degraded, false},
		{"Resolved", "Resolved", "Available", "Unavailable", Up, false},
		{"Activated", "Active", "Impaired", "Available", Unknown, false},
	} {
		s := parseOne(t, healthRecord(trapCircuit, trapTime, c.op, c.status, c.current, c.previous, "null"))
		wantState(t, s, c.want)
		if s.Tentative != c.tentative {
			t.Errorf("%+v: tentative is %v", c, s.Tentative)
		}
		if c.current == "Impaired" && !strings.Contains(s.Detail, "Impaired") {
			t.Errorf("the unknown word is lost: %q", s.Detail)
		}
	}
}

func TestTrap09_FiredAndResolvedInAnyOrder(t *testing.T) {
	fired := parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", dim("Peer", "Primary-IPv4")))
	resolved := parseOne(t, metricAlertBody("Resolved", "BgpAvailability", "100", dim("Peer", "Primary-IPv4")))
	wantState(t, fired, Down)
	wantState(t, resolved, Up)
	if !resolved.At.After(fired.At) {
		t.Errorf("fired at %v, resolved at %v: the order must be in the times", fired.At, resolved.At)
	}
	if fired.ID == resolved.ID || fired.Source != resolved.Source || fired.Correlation != resolved.Correlation {
		t.Errorf("one alert's two ends must share source and correlation, not the ID:\n%s\n%s", printSignal(fired), printSignal(resolved))
	}
	if again := parseOne(t, metricAlertBody("Fired", "BgpAvailability", "0", dim("Peer", "Primary-IPv4"))); again.ID != fired.ID {
		t.Error("the same alert delivered twice has two IDs")
	}
	still := parseOne(t, metricAlertBody("Resolved", "BgpAvailability", "50", ""))
	if wantState(t, still, Up); !still.Tentative {
		t.Error("a resolved alert whose value still breaks the rule must be tentative")
	}
}
