package events

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const askedCircuit = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/expressRouteCircuits/C1"

var minute0 = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// series makes one sample a minute; a dash is a minute without a number.
func series(metric string, labels map[string]string, values ...string) []Sample {
	var out []Sample
	for i, text := range values {
		var v float64
		if _, err := fmt.Sscan(text, &v); err != nil {
			continue
		}
		out = append(out, Sample{Resource: askedCircuit, Metric: metric, Labels: labels, At: minute0.Add(time.Duration(i) * time.Minute), Value: v})
	}
	return out
}

func told(sigs []Signal, err error) string {
	if err != nil {
		return "error " + err.Error()
	}
	var b strings.Builder
	for _, s := range sigs {
		state := string(s.State)
		if state == "" {
			state = "unknown"
		}
		fmt.Fprintf(&b, "%s %s", s.At.Format("15:04"), state)
		if s.Link != "" {
			fmt.Fprintf(&b, " %s", s.Link)
		}
		if s.Peering != "" {
			fmt.Fprintf(&b, " %s", s.Peering)
		}
		if s.UserAction {
			b.WriteString(" user")
		}
		if s.Source == StillSource {
			b.WriteString(" still")
		}
		if s.Window != nil {
			fmt.Fprintf(&b, " window %s-%s cancelled=%t", s.Window.Start.Format("15:04"), s.Window.End.Format("15:04"), s.Window.Cancelled)
		}
		b.WriteString("; ")
	}
	return b.String()
}

func TestMetricsThatWereAskedFor(t *testing.T) {
	primary := map[string]string{"peer": "Primary", "peeringtype": "Private"}
	for _, tt := range []struct {
		name   string
		series []Sample
		want   string
	}{
		{"good", series("BgpAvailability", primary, "100", "100", "100"), "03:00 up primary private; 03:02 up primary private; "},
		{"down for two minutes", series("BgpAvailability", primary, "100", "0", "0"), "03:01 down primary private; 03:02 down primary private; "},
		{"down just now", series("bgpavailability", primary, "100", "100", "0"), "03:02 down primary private; "},
		{"half", series("ArpAvailability", primary, "100", "50"), "03:01 degraded primary private; "},
		{"back again", series("BgpAvailability", primary, "0", "0", "100"), "03:02 up primary private; "},
		{"nothing is nothing", series("BgpAvailability", primary, "-", "-"), ""},
		{"the newest number counts", series("BgpAvailability", primary, "0", "-", "-"), "03:00 down primary private; "},
		{"another peering", series("BgpAvailability", map[string]string{"Peer": "Secondary-IPv4", "PeeringType": "Microsoft"}, "0"), "03:00 down secondary microsoft; "},
		{"a link that nobody knows", series("BgpAvailability", map[string]string{"Peer": "Tertiary"}, "0"), "03:00 degraded; "},
		{"traffic claims nothing", series("BitsInPerSecond", nil, "0"), ""},
		{"out of range", series("BgpAvailability", primary, "101"), "error"},
		{"another's", []Sample{{Resource: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v", Metric: "x"}}, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(Signals(tt.series)); got != tt.want && (tt.want != "error" || !strings.HasPrefix(got, "error")) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Promise: a minute that was asked for and the same minute as an exported record with
// dimensions are the same news, ID and all.
func TestAskedAndSentAreTheSameNews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]float64{0, 33, 50, 100}).Draw(t, "value")
		link := rapid.SampledFrom([]string{"Primary", "Secondary"}).Draw(t, "link")
		labels := map[string]string{"Peer": link, "PeeringType": "Private"}
		sent := Parse(fmt.Appendf(nil, `{"records":[{"resourceId":%q,"metricName":"BgpAvailability","time":"2026-01-02T03:00:00Z","timeGrain":"PT1M","average":%g,"dimension":{"Peer":%q,"PeeringType":"Private"}}]}`,
			strings.ToUpper(askedCircuit), v, link), minute0)
		asked, err := Signals([]Sample{{Resource: askedCircuit, Metric: "BgpAvailability", Labels: labels, At: minute0, Value: v}})
		if err != nil || len(asked) != 1 || len(sent.Signals) != 1 {
			t.Fatalf("%v %+v %+v", err, asked, sent)
		}
		a, s := asked[0], sent.Signals[0]
		if a.ID != s.ID || a.Source != s.Source || a.Link != s.Link || a.Peering != s.Peering || a.State != s.State || !a.At.Equal(s.At) || a.Resource != s.Resource || a.Observer != s.Observer || a.Plane != s.Plane {
			t.Errorf("asked %+v\nsent  %+v", a, s)
		}
	})
}

func TestResourceHealthThatWasAskedFor(t *testing.T) {
	at := func(min int) time.Time { return minute0.Add(time.Duration(min) * time.Minute) }
	down := func(min int) Signal { return Signal{State: Down, At: at(min)} }
	up := func(min int) Signal { return Signal{State: Up, At: at(min)} }
	none := Signal{}
	for _, tt := range []struct {
		name         string
		asked        Standing
		known, still Signal
		want         string
	}{
		{"an outage, first heard", Standing{State: "Unavailable", Occurred: at(1), Reported: at(5)}, none, none, "03:01 down; "},
		{"one of an hour ago, first heard", Standing{State: "Unavailable", Occurred: at(-60), Reported: at(5)}, none, none, "02:00 down; 03:05 down still; "},
		{"the same as was sent", Standing{State: "Unavailable", Occurred: at(1), Reported: at(5)}, down(1), none, ""},
		{"the same, for long", Standing{State: "Unavailable", Occurred: at(1), Reported: at(15)}, down(1), none, "03:15 down still; "},
		{"the same, not looked at since", Standing{State: "Unavailable", Occurred: at(1)}, down(1), none, ""},
		{"good for long is no news", Standing{State: "Available", Occurred: at(1), Reported: at(50)}, up(1), none, ""},
		{"a recovery that was not sent", Standing{State: "Available", Occurred: at(3), Reported: at(5)}, down(1), none, "03:03 up; "},
		{"it takes back that the outage still stands", Standing{State: "Available", Occurred: at(18), Reported: at(20)}, down(1), down(15), "03:18 up; 03:20 unknown still; "},
		{"so does one that was sent", Standing{State: "Unavailable", Occurred: at(1), Reported: at(20)}, up(18), down(15), "03:01 down; 03:20 unknown still; "},
		{"a look of before it does not", Standing{State: "Available", Occurred: at(3), Reported: at(14)}, down(1), down(15), "03:03 up; "},
		{"older than what was sent", Standing{State: "Available", Occurred: at(-60), Reported: at(5)}, down(1), none, "02:00 up; "},
		{"an old outage after a recovery was sent", Standing{State: "Unavailable", Occurred: at(1), Reported: at(30)}, up(4), none, "03:01 down; "},
		{"unknown takes back a good word", Standing{State: "Unknown", Occurred: at(3), Reported: at(5)}, up(1), none, "03:03 unknown; "},
		{"unknown clears nothing", Standing{State: "Unknown", Occurred: at(3), Reported: at(5)}, down(1), down(2), ""},
		{"null is unknown", Standing{Occurred: at(3)}, none, none, "03:03 unknown; "},
		{"a word from tomorrow", Standing{State: "Flickering", Occurred: at(3)}, none, none, "03:03 unknown; "},
		{"the customer's own act", Standing{State: "Unavailable", Cause: "UserInitiated", Occurred: at(3)}, none, none, "03:03 down user; "},
		{"the same by its reason", Standing{State: "Degraded", Reason: "User Initiated", Occurred: at(3)}, none, none, "03:03 degraded user; "},
		{"the same by its context", Standing{State: "Unavailable", Context: "Customer Initiated", Occurred: at(3)}, none, none, "03:03 down user; "},
		{"then an outage of Azure's", Standing{State: "Unavailable", Occurred: at(4), Reported: at(5)}, Signal{State: Down, At: at(3), UserAction: true}, none, "03:04 down; "},
		{"no time", Standing{State: "Available"}, none, none, "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.asked.Resource = askedCircuit
			if got := told(tt.asked.Signals(tt.known, tt.still)); got != tt.want && (tt.want != "error" || !strings.HasPrefix(got, "error")) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlannedWorkThatWasAskedFor(t *testing.T) {
	base := Announced{Tracking: "ABCD-1", Status: "Active", Services: []string{"ExpressRoute"}, Regions: []string{"East US"}, Start: minute0.Add(time.Hour), End: minute0.Add(3 * time.Hour), Updated: minute0, On: askedCircuit}
	for name, tt := range map[string]struct {
		change func(*Announced)
		want   string
	}{
		"announced":         {func(*Announced) {}, "03:00 unknown window 04:00-06:00 cancelled=false; "},
		"over early":        {func(a *Announced) { a.Status, a.Updated = "Resolved", minute0.Add(2*time.Hour) }, "05:00 unknown window 04:00-05:00 cancelled=false; "},
		"called off":        {func(a *Announced) { a.Status = "Resolved" }, "03:00 unknown window 04:00-06:00 cancelled=true; "},
		"another service's": {func(a *Announced) { a.Services = []string{"Virtual Machines"} }, ""},
		"no service":        {func(a *Announced) { a.Services = nil }, "03:00 unknown window 04:00-06:00 cancelled=false; "},
		"no start":          {func(a *Announced) { a.Start = time.Time{} }, "error"},
		"ends before it":    {func(a *Announced) { a.End = minute0 }, "error"},
		"no time":           {func(a *Announced) { a.Updated = time.Time{} }, "error"},
	} {
		a := base
		tt.change(&a)
		s, ours, err := a.Signal()
		var all []Signal
		if ours {
			all = append(all, s)
		}
		if got := told(all, err); got != tt.want && (tt.want != "error" || !strings.HasPrefix(got, "error")) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// FuzzAsked: nothing that Azure answers breaks the reading of it.
func FuzzAsked(f *testing.F) {
	f.Add(askedCircuit, "Unavailable", "User Initiated", int64(0), 50.0, "peer", "Primary")
	f.Fuzz(func(t *testing.T, resource, state, reason string, at int64, value float64, label, labelled string) {
		when := time.Unix(at, 0)
		sigs, err := Standing{Resource: resource, State: state, Reason: reason, Occurred: when, Reported: when.Add(time.Minute)}.Signals(Signal{}, Signal{})
		more, err2 := Signals([]Sample{{Resource: resource, Metric: state, Labels: maps.Clone(map[string]string{label: labelled}), At: when, Value: value}})
		if err == nil && len(sigs) == 0 || err2 != nil && len(more) > 0 {
			t.Fatalf("%v %v", sigs, more)
		}
		for _, s := range append(sigs, more...) {
			if s.ID == "" || s.Resource == "" || len(s.Detail) > maxDetail {
				t.Fatalf("%+v", s)
			}
		}
	})
}
