package sim

import (
	"strconv"
	"strings"
	"time"
)

// Availability is what Resource Health says of a resource. "" leaves the field
// out, which Azure does too.
type Availability string

// The four published values.
const (
	HealthAvailable   Availability = "Available"
	HealthUnavailable Availability = "Unavailable"
	HealthDegraded    Availability = "Degraded"
	HealthUnknown     Availability = "Unknown"
)

// HealthStep is where in its life a Resource Health event stands.
type HealthStep string

// The steps, with the resultType that each is sent with.
const (
	StepActivated  HealthStep = "Activated"  // Active
	StepInProgress HealthStep = "InProgress" // InProgress
	StepUpdated    HealthStep = "Updated"    // Updated
	StepResolved   HealthStep = "Resolved"   // Resolved
)

// result returns the resultType of a step.
func (s HealthStep) result() string {
	if s == StepActivated {
		return "Active"
	}
	return string(s)
}

// RecordShape tells the two layouts of a Resource Health record apart. Both are sent.
type RecordShape bool

const (
	ShapeFlat   RecordShape = false // properties.currentHealthStatus
	ShapeNested RecordShape = true  // properties.eventProperties.currentHealthStatus
)

// HealthEvent is one Resource Health record about a circuit.
type HealthEvent struct {
	Circuit  string // resource ID
	Step     HealthStep
	From, To Availability
	Cause    string // PlatformInitiated or UserInitiated; "" is PlatformInitiated
	At       time.Time
	Shape    RecordShape
}

// properties returns the part that all layouts of e have.
func (e HealthEvent) properties() fields {
	p := fields{"title": "Simulated: " + lastOf(e.Circuit), "details": nil, "type": "Downtime", "cause": e.cause()}
	if e.To != "" {
		p["currentHealthStatus"] = string(e.To)
	}
	if e.From != "" {
		p["previousHealthStatus"] = string(e.From)
	}
	return p
}

// cause returns e.Cause or its default.
func (e HealthEvent) cause() string {
	if e.Cause == "" {
		return "PlatformInitiated"
	}
	return e.Cause
}

// operation returns the operation name of e.
func (e HealthEvent) operation() string {
	return "Microsoft.Resourcehealth/healthevent/" + string(e.Step) + "/action"
}

// ResourceHealth writes records as the activity log streams them to Event Hubs.
// Such a record carries no ID of its own.
func (s Source) ResourceHealth(events ...HealthEvent) []byte {
	var rs []fields
	for _, e := range events {
		p := e.properties()
		if e.Shape == ShapeNested {
			p = fields{"eventCategory": "ResourceHealth", "eventProperties": p}
		}
		rs = append(rs, fields{
			"time":          at(e.At),
			"resourceId":    strings.ToUpper(e.Circuit),
			"correlationId": s.guid("health", e.Circuit, string(e.Step), at(e.At)),
			"operationName": e.operation(),
			"category":      "ResourceHealth",
			"resultType":    e.Step.result(),
			"level":         "Informational",
			"location":      "global",
			"properties":    p,
		})
	}
	return envelope(rs)
}

// Outage writes the records of one whole outage of a circuit: down at from, back
// at to. A zero to leaves it open. In between stands what Azure was seen to send:
// an update of the very same instant that says that all is well.
func (s Source) Outage(circuit string, from, to time.Time) []byte {
	es := []HealthEvent{
		{Circuit: circuit, Step: StepActivated, From: HealthAvailable, To: HealthUnavailable, At: from},
		{Circuit: circuit, Step: StepUpdated, From: HealthAvailable, To: HealthAvailable, At: from},
	}
	if !to.IsZero() {
		es = append(es, HealthEvent{Circuit: circuit, Step: StepResolved, From: HealthUnavailable, To: HealthAvailable, At: to})
	}
	return s.ResourceHealth(es...)
}

// HealthAlert writes the same news as an activity-log alert in the common schema.
// Such an alert is always Fired, a recovery too, and names the circuit only among
// its targets, in lower case.
func (s Source) HealthAlert(e HealthEvent) []byte {
	id := s.guid("event", e.Circuit, string(e.Step), at(e.At))
	essentials := s.essentials(e.Circuit, "circuit-health", "health-alert", id)
	essentials["monitoringService"] = "ResourceHealth"
	essentials["signalType"] = "Activity Log"
	essentials["severity"] = "Sev4"
	essentials["monitorCondition"] = "Fired"
	essentials["firedDateTime"] = at(e.At)
	essentials["originAlertId"] = id
	return wire(fields{
		"schemaId": "azureMonitorCommonAlertSchema",
		"data": fields{
			"essentials": essentials,
			"alertContext": fields{
				"channels":            "Admin, Operation",
				"correlationId":       s.guid("health", e.Circuit, string(e.Step), at(e.At)),
				"eventSource":         "ResourceHealth",
				"eventTimestamp":      e.At.UTC().Format(contextTime),
				"eventDataId":         id,
				"level":               "Informational",
				"operationName":       e.operation(),
				"operationId":         s.guid("operation", id),
				"properties":          e.properties(),
				"status":              e.Step.result(),
				"submissionTimestamp": e.At.Add(2 * time.Minute).UTC().Format(contextTime),
			},
		},
	})
}

// MaintenanceStage is where an announced maintenance stands.
type MaintenanceStage string

// The stages of a maintenance.
const (
	StagePlanned     MaintenanceStage = "Planned"
	StageRunning     MaintenanceStage = "InProgress"
	StageComplete    MaintenanceStage = "Complete"
	StageCanceled    MaintenanceStage = "Canceled"
	StageRescheduled MaintenanceStage = "Rescheduled"
)

// Maintenance is one Service Health announcement. Azure addresses it to a
// subscription and never names a circuit.
type Maintenance struct {
	Subscription string // GUID
	Tracking     string // the same for all announcements of one maintenance; "" derives one
	Region       string
	Stage        MaintenanceStage
	Start, End   time.Time
	Emergency    bool // level Warning
	At           time.Time
}

// ServiceHealth writes an announcement as the activity log streams it.
func (s Source) ServiceHealth(m Maintenance) []byte {
	title := "Simulated maintenance of ExpressRoute in " + m.Region
	level, status := "Informational", "Active"
	if m.Emergency {
		level = "Warning"
	}
	if m.Stage == StageComplete || m.Stage == StageCanceled {
		status = "Resolved"
	}
	tracking := m.Tracking
	if tracking == "" {
		tracking = strings.ToUpper(s.guid("maintenance", m.Subscription, m.Region, at(m.Start))[:8])
	}
	impacted := wire([]fields{{
		"ServiceName":     "ExpressRoute",
		"ImpactedRegions": []fields{{"RegionName": m.Region}},
	}})
	return envelope([]fields{{
		"time":              at(m.At),
		"resourceId":        "/subscriptions/" + m.Subscription,
		"operationName":     "Microsoft.ServiceHealth/maintenance/action",
		"category":          "ServiceHealth",
		"resultType":        status,
		"resultDescription": title,
		"correlationId":     s.guid("announcement", tracking, string(m.Stage), at(m.At)),
		"level":             level,
		"location":          "global",
		"properties": fields{
			"title":                  title,
			"service":                `ExpressRoute \ ExpressRoute Circuits`,
			"region":                 m.Region,
			"communication":          "<p>" + title + "</p>",
			"defaultLanguageTitle":   title,
			"defaultLanguageContent": title,
			"incidentType":           "Maintenance",
			"trackingId":             tracking,
			"impactStartTime":        nullTime(m.Start),
			"impactMitigationTime":   nullTime(m.End),
			"impactedServices":       string(impacted), // JSON inside a string, as Azure sends it
			"stage":                  string(m.Stage),
			"communicationId":        strconv.FormatInt(m.At.Unix(), 10),
			"maintenanceId":          tracking,
			"maintenanceType":        "",
			"isHIR":                  "false",
			"IsSynthetic":            "False",
			"impactType":             "SubscriptionList",
			"impactCategory":         "Other",
			"version":                "1",
		},
	}})
}

// WriteResult is how a write stands when its record is sent.
type WriteResult string

// A write is recorded when it starts and when it ends.
const (
	WriteStarted   WriteResult = "Start"
	WriteSucceeded WriteResult = "Success"
	WriteFailed    WriteResult = "Failure"
)

// signature returns the resultSignature that goes with r.
func (r WriteResult) signature() string {
	switch r {
	case WriteStarted:
		return "Started."
	case WriteSucceeded:
		return "Succeeded.OK"
	case WriteFailed:
		return "Failed.Conflict"
	}
	panic("sim: no such result of a write: " + string(r))
}

// ConnectionWrite is one record about somebody's write of a connection: drift
// when others did it, an echo when we did.
type ConnectionWrite struct {
	Connection string // resource ID
	By         string // object ID of the writer
	App        string // application ID of the writer; "" leaves it out
	Weight     *int32 // routing weight in the request; nil sends an empty request body
	Result     WriteResult
	Operation  string // what joins start and end of one write; "" derives it from the rest
	At         time.Time
}

// Write writes one record of the activity log about a connection.
func (s Source) Write(w ConnectionWrite) []byte {
	claims := fields{"http://schemas.microsoft.com/identity/claims/objectidentifier": w.By}
	if w.App != "" {
		claims["appid"] = w.App
	}
	request := ""
	if w.Weight != nil {
		request = string(wire(fields{"properties": fields{"routingWeight": *w.Weight}}))
	}
	operation := w.Operation
	if operation == "" {
		operation = at(w.At)
	}
	action := typeOf(w.Connection) + "/write"
	if strings.Contains(strings.ToLower(w.Connection), "/expressrouteconnections/") {
		action = typeOf(w.Connection) + "/expressRouteConnections/write"
	}
	return envelope([]fields{{
		"time":            at(w.At),
		"resourceId":      strings.ToUpper(w.Connection),
		"operationName":   strings.ToUpper(action),
		"category":        "Administrative",
		"resultType":      string(w.Result),
		"resultSignature": w.Result.signature(),
		"durationMs":      "0",
		"callerIpAddress": "192.0.2.10",
		"correlationId":   s.guid("write", w.Connection, w.By, operation),
		"level":           "Information",
		"location":        "global",
		"identity": fields{
			"authorization": fields{"scope": w.Connection, "action": action},
			"claims":        claims,
		},
		"properties": fields{"eventCategory": "Administrative", "entity": w.Connection, "requestbody": request},
	}})
}
