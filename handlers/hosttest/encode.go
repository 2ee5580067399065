package hosttest

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// envelope is the body of a non-HTTP invocation.
type envelope struct {
	Data     map[string]jsontext.Value
	Metadata map[string]jsontext.Value
}

// value encodes a CLR value as the host does, by five rules in this order.
func value(v any) jsontext.Value {
	switch t := v.(type) {
	case []byte: // 1: base64, one layer
		return text(t)
	case time.Time: // 2 and 3: the fraction is lost; UTC is told only by an offset
		if t.Location() == time.UTC {
			return text(t.Format("2006-01-02T15:04:05"))
		}
		return text(t.Format("2006-01-02T15:04:05-07:00"))
	}
	raw := text(v)
	if raw.Kind() == '{' { // 4: an object is nested
		return raw
	}
	return text(string(raw)) // 5: all else is JSON inside a JSON string
}

// text is the compact JSON of v.
func text(v any) jsontext.Value {
	raw, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic("hosttest: a value cannot be encoded: " + err.Error()) // our own values only
	}
	return raw
}

// metadata encodes what the host knows about an invocation. Keys that end in
// "trigger" and null values are left out.
func metadata(function string, now time.Time, known map[string]any) map[string]jsontext.Value {
	out := map[string]jsontext.Value{}
	for k, v := range known {
		if v == nil || strings.HasSuffix(strings.ToLower(k), "trigger") {
			continue
		}
		out[k] = value(v)
	}
	out["sys"] = text(map[string]string{
		"MethodName": function, "UtcNow": now.UTC().Format("2006-01-02T15:04:05.0000000Z"), "RandGuid": guid(),
	})
	return out
}

// retryContext is the part of Metadata that a retry policy adds, on the first try
// too.
func retryContext(count, most int, failed bool) jsontext.Value {
	rc := map[string]any{"RetryCount": count, "MaxRetryCount": most, "Exception": nil, "Instance": nil, "State": map[string]any{}}
	if failed {
		rc["Exception"] = map[string]string{"ClassName": "System.Net.Http.HttpRequestException"}
	}
	return text(rc)
}

// guid returns a random GUID in the form "D".
func guid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// hubEvent is one event in a partition.
type hubEvent struct {
	body     []byte
	sequence int64
	enqueued time.Time
}

// hubEnvelope builds the invocation of a batch.
func hubEnvelope(f function, partition string, batch []hubEvent, now time.Time) envelope {
	var data any
	place := map[string]any{
		"IsCheckpointingAfterInvocation": true, "FullyQualifiedNamespace": "emulated.servicebus.windows.net",
		"EventHubName": f.trigger.EventHubName, "ConsumerGroup": f.trigger.ConsumerGroup, "PartitionId": partition,
	}
	known := map[string]any{"TriggerPartitionContext": place, "PartitionContext": place}
	if f.trigger.Cardinality != "many" {
		e := batch[0]
		if data = any(string(e.body)); f.trigger.DataType == "binary" {
			data = e.body
		}
		known["SequenceNumber"], known["EnqueuedTimeUtc"] = e.sequence, e.enqueued.UTC()
		known["Offset"], known["Properties"] = offset(e), map[string]any{}
		return envelope{Data: map[string]jsontext.Value{f.trigger.Name: value(data)}, Metadata: metadata(f.name, now, known)}
	}
	var bodies, keys, offsets, sequences, times, props, system []any
	for _, e := range batch {
		switch f.trigger.DataType {
		case "binary":
			bodies = append(bodies, e.body)
		case "string":
			bodies = append(bodies, strings.ToValidUTF8(string(e.body), "\ufffd"))
		default:
			bodies = append(bodies, jsontext.Value(e.body))
		}
		at := e.enqueued.UTC().Format("2006-01-02T15:04:05.000")
		keys, offsets, sequences = append(keys, nil), append(offsets, offset(e)), append(sequences, e.sequence)
		times, props = append(times, at), append(props, map[string]any{})
		system = append(system, map[string]any{"SequenceNumber": e.sequence, "OffsetString": offset(e), "PartitionKey": nil, "EnqueuedTimeUtc": at})
	}
	known["PartitionKeyArray"], known["OffsetArray"], known["OffsetStringArray"] = keys, offsets, offsets
	known["SequenceNumberArray"], known["EnqueuedTimeUtcArray"] = sequences, times
	known["PropertiesArray"], known["SystemPropertiesArray"] = props, system
	return envelope{Data: map[string]jsontext.Value{f.trigger.Name: value(bodies)}, Metadata: metadata(f.name, now, known)}
}

// offset is the text of an event's offset.
func offset(e hubEvent) string { return string(text(4294967296 + 80*e.sequence)) }

// gridEnvelope builds the invocation of one Event Grid event, an object that is
// nested as it is.
func gridEnvelope(f function, event jsontext.Value, now time.Time) envelope {
	known := map[string]any{}
	var body struct {
		Data jsontext.Value `json:"data"`
	}
	if json.Unmarshal(event, &body) == nil && body.Data != nil && body.Data.Kind() != 'n' {
		known["data"] = body.Data
	}
	return envelope{Data: map[string]jsontext.Value{f.trigger.Name: value(event)}, Metadata: metadata(f.name, now, known)}
}

// timerEnvelope builds the invocation of a timer.
func timerEnvelope(f function, last, next, now time.Time, monitored, pastDue bool) envelope {
	const layout = "2006-01-02T15:04:05.9999999-07:00"
	info := map[string]any{"Schedule": map[string]bool{"AdjustForDST": true}, "ScheduleStatus": nil, "IsPastDue": pastDue}
	if monitored {
		info["ScheduleStatus"] = map[string]string{
			"Last": last.UTC().Format(layout), "Next": next.UTC().Format(layout), "LastUpdated": last.UTC().Format(layout),
		}
	}
	return envelope{Data: map[string]jsontext.Value{f.trigger.Name: value(info)}, Metadata: metadata(f.name, now, nil)}
}
