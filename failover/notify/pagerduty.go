package notify

import (
	"net/http"

	"erfailover/failover/fault"
)

// PagerDutyEvents is where PagerDuty takes Events v2.
const PagerDutyEvents = "https://events.pagerduty.com/v2/enqueue"

// NewPagerDuty returns the channel of a PagerDuty service's routing key; address is
// PagerDutyEvents.
//
// What is worth a look opens an incident, whose key is the trouble's; the message
// that the trouble is over resolves it. A message that is only information opens
// nothing: a page is for what a person must look at.
func NewPagerDuty(address, routingKey string, client *http.Client) (Channel, error) {
	if routingKey == "" || len(routingKey) > 128 {
		return nil, &fault.Error{Op: "read the routing key of", Target: "pagerduty", Kind: fault.Invalid, Hint: "the integration key of a service, Events API v2"}
	}
	return newWeb("pagerduty", address, client, func(m Message) ([]request, error) {
		var out []request
		for _, e := range pagerEvents(m, routingKey) {
			r, err := posted(e)
			if err != nil {
				return nil, err
			}
			out = append(out, r...)
		}
		return out, nil
	})
}

// pagerEvents makes the events of one message, resolutions first.
func pagerEvents(m Message, routingKey string) []object {
	var out []object
	resolve := func(key string) {
		out = append(out, object{"routing_key": routingKey, "event_action": "resolve", "dedup_key": dedup(key)})
	}
	for _, key := range m.Resolves {
		if key != m.Key {
			resolve(key)
		}
	}
	switch m.Severity {
	case Resolved:
		if m.Count == 1 {
			resolve(m.Key)
		}
	case Info:
		if m.Code == codeTest { // shows that the key is taken, and pages nobody for long
			out = append(out, trigger(m, routingKey))
			resolve(m.Key)
		}
	case Warning, Critical:
		out = append(out, trigger(m, routingKey))
	}
	return out
}

// trigger makes the event that opens an incident.
func trigger(m Message, routingKey string) object {
	e := object{
		"routing_key": routingKey, "event_action": "trigger", "dedup_key": dedup(m.Key), "client": "erfailover",
		"payload": object{
			"summary": cutTo(m.Title+": "+m.Text, 1024), "source": "erfailover", "severity": string(m.Severity), "timestamp": m.At.UTC(),
			"component": m.Circuit, "group": m.Group, "class": m.Code,
			"custom_details": object{"text": m.Text, "why": m.Why, "next": m.Next, "operation": m.Operation, "from": m.From, "to": m.To, "entries": m.Count},
		},
	}
	if m.Link != "" {
		e["client_url"] = m.Link
		e["links"] = []object{{"href": m.Link, "text": "Open the page"}}
	}
	return e
}

// dedup bounds a key to the 255 characters that PagerDuty takes.
func dedup(key string) string { return cutTo(key, 255) }

// cutTo returns at most limit bytes of s, whole characters.
func cutTo(s string, limit int) string {
	for i := range s {
		if i > limit-4 && len(s) > limit {
			return s[:i]
		}
	}
	return s
}
