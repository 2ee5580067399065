package armnet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
)

// counted returns how many requests of a kind were sent, by their last segment.
func counted(f *sim.Fabric, kind sim.Kind) map[string]int {
	out := map[string]int{}
	for _, r := range f.Requests() {
		if r.Kind == kind {
			out[r.Path[strings.LastIndexByte(r.Path, '/')+1:]]++
		}
	}
	return out
}

func TestAvailabilityOfCircuits(t *testing.T) {
	e := newEstate(t, sim.Options{})
	e.Fabric.Cut(e.Circuits["er-ashburn"], someTime.Add(time.Minute))
	e.arm.SetWord(e.Circuits["er-newark"], &sim.Word{State: "", Occurred: someTime, Cause: "UserInitiated"})
	e.arm.SetWord(e.Circuits["er-chicago"], &sim.Word{Silent: true})
	_ = e.clk.Sleep(t.Context(), 5*time.Minute)
	ids := []string{e.Circuits["er-ashburn"], e.Circuits["er-newark"], e.Circuits["er-chicago"], e.Gateways["gw-east-1"]}
	got := e.net.Availability(t.Context(), ids)
	if h := got[0]; h.Err != nil || !h.Found || h.State != "Unavailable" || h.Reason != "Unplanned" || h.Chronicity != "Persistent" ||
		!h.Occurred.Equal(someTime.Add(time.Minute)) || !h.Reported.Equal(someTime.Add(5*time.Minute)) || h.Resource != ids[0] {
		t.Errorf("ashburn: %+v", h)
	}
	if h := got[1]; h.Err != nil || !h.Found || h.State != "" || h.Cause != "UserInitiated" {
		t.Errorf("newark: %+v", h)
	}
	if h := got[2]; h.Err != nil || h.Found {
		t.Errorf("chicago: %+v", h)
	}
	if f := asFault(t, got[3].Err); f.Kind != fault.Invalid {
		t.Errorf("a gateway: %+v", got[3])
	}
}

// Many circuits of one subscription are one list, through its pages; those that it does
// not tell of, and all of them where it is refused, are asked one by one.
func TestAvailabilityInAList(t *testing.T) {
	for name, refused := range map[string]bool{"taken": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, sim.Options{PageSize: 4, NoLimits: true}, func(s *sim.Spec) {
				for i := range 30 {
					c := s.Circuits[0]
					c.ID = fmt.Sprintf("%s-%d", c.ID, i)
					s.Circuits = append(s.Circuits, c)
				}
			})
			ids := e.Fabric.Circuits()
			e.Fabric.Cut(ids[7], someTime)
			e.arm.SetWord(ids[9], &sim.Word{Silent: true})
			if refused {
				e.arm.Inject(sim.Rule{Match: sim.Match{Path: "^/subscriptions/[^/]*/providers/Microsoft.ResourceHealth", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
			}
			for i, h := range e.net.Availability(t.Context(), ids) {
				want := map[int]string{7: "Unavailable", 9: ""}
				state, special := want[i]
				if !special {
					state = "Available"
				}
				if h.Err != nil || h.State != state || h.Resource != ids[i] || h.Found != (i != 9) {
					t.Errorf("%d: %+v", i, h)
				}
			}
			sent := counted(e.Fabric, sim.KindHealth)
			if lists, singles := sent["availabilityStatuses"], sent["current"]; !refused && (lists != 9 || singles != 1) || refused && (lists != 1 || singles != 36) {
				t.Errorf("sent %v", sent)
			}
		})
	}
}

func TestAnswersOfResourceHealth(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"null", `{"properties":{"availabilityState":null,"occuredTime":"2026-01-02T03:04:05.6Z"}}`, "state= at=03:04:05 reported=00:00:00"},
		{"two r", `{"properties":{"availabilityState":"Degraded","occurredTime":"2026-01-02T03:04:05Z","reportedTime":"2026-01-02T05:05:05+01:00"}}`, "state=Degraded at=03:04:05 reported=04:05:05"},
		{"a word from tomorrow", `{"properties":{"availabilityState":"Flickering"}}`, "state=Flickering at=00:00:00 reported=00:00:00"},
		{"no properties", `{}`, "properties: is missing"},
		{"no time", `{"properties":{"occuredTime":"yesterday"}}`, "occuredTime"},
		{"a number", `{"properties":{"availabilityState":1}}`, "json"},
	} {
		h, err := parseHealth([]byte(tt.body))
		got := fmt.Sprintf("state=%s at=%s reported=%s", h.State, h.Occurred.Format("15:04:05"), h.Reported.Format("15:04:05"))
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzResourceHealth(f *testing.F) {
	f.Add([]byte(`{"properties":{"availabilityState":"Available","occuredTime":"2026-01-02T03:04:05Z"}}`))
	f.Add([]byte(`{"name":"X-1","properties":{"eventType":"PlannedMaintenance","impact":[{"impactedService":"ExpressRoute","impactedRegions":[{"impactedRegion":"East US"}]}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if h, err := parseHealth(raw); err == nil && !h.Found {
			t.Fatal("an answer that was read was found")
		}
		if w, planned, err := parseWork(raw); err == nil && planned && !trackingID(w.Tracking) {
			t.Fatalf("tracking %q goes into an address", w.Tracking)
		}
	})
}

// Planned work is that of the subscription, with the circuits that it names; a role on
// the circuits alone finds what names them.
func TestPlannedWork(t *testing.T) {
	for name, refused := range map[string]bool{"taken": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, sim.Options{PageSize: 2})
			start := someTime.Add(24 * time.Hour)
			named := sim.Work{Subscription: sim.DemoSubscription, Tracking: "ABCD-1", Region: "East US 2", Start: start, End: start.Add(4 * time.Hour), Updated: someTime,
				Circuits: []string{e.Circuits["er-newark"], e.Circuits["er-ashburn"] + "/peerings/AzurePrivatePeering", e.Circuits["er-dallas"]}}
			others := named
			others.Tracking, others.Circuits = "ABCD-2", []string{e.Circuits["er-dallas"]}
			nothing := named
			nothing.Tracking, nothing.Circuits, nothing.Status = "ABCD-3", nil, "Resolved"
			e.arm.SetWork(named, others, nothing)
			if refused {
				e.arm.Inject(sim.Rule{Match: sim.Match{Path: "^/subscriptions/[^/]*/providers/Microsoft.ResourceHealth", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
			}
			got := e.net.PlannedWork(t.Context(), []string{e.Circuits["er-ashburn"], e.Circuits["er-newark"]})
			if len(got) != 1 || got[0].Err != nil || got[0].Subscription != sim.DemoSubscription {
				t.Fatalf("got %+v", got)
			}
			first := got[0].Work[0]
			want := []string{events.Canonical(e.Circuits["er-newark"]), events.Canonical(e.Circuits["er-ashburn"])}
			if refused {
				want = want[:1] // the circuit itself is named; Azure's own match is not ours to widen
			}
			if first.Tracking != "ABCD-1" || !first.Named || !slices.Equal(first.Circuits, want) || !first.Start.Equal(start) || !first.End.Equal(start.Add(4*time.Hour)) ||
				!slices.Equal(first.Regions, []string{"East US 2"}) || !slices.Equal(first.Services, []string{"ExpressRoute"}) || !first.Updated.Equal(someTime) {
				t.Errorf("got %+v", first)
			}
			if refused {
				if len(got[0].Work) != 1 {
					t.Errorf("got %+v", got[0].Work)
				}
				return
			}
			if w := got[0].Work[1]; !w.Named || len(w.Circuits) != 0 {
				t.Errorf("others' work: %+v", w)
			}
			if w := got[0].Work[2]; w.Named || w.Status != "Resolved" {
				t.Errorf("work that names nothing: %+v", w)
			}
		})
	}
}

// What is asked at once does not wait for what is dead, nor hide behind it.
func TestLookWithADeadPart(t *testing.T) {
	m := newMonitored(t)
	m.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindHealth, Times: -1}, Fault: sim.Fault{Kind: sim.DropBefore}})
	m.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindPlanned, Times: -1}, Fault: sim.Fault{Kind: sim.Throttled, RetryAfter: "60"}})
	_ = m.clk.Sleep(t.Context(), 5*time.Minute)
	id := m.Circuits["er-ashburn"]
	seen := m.net.Look(t.Context(), executor.Look{Metrics: []executor.MetricQuery{m.sessions("er-ashburn")}, Health: []string{id}, Planned: []string{id}})
	if a := seen.Metrics[0][0]; a.Err != nil || len(a.Series) != 4 {
		t.Errorf("metrics: %+v", a)
	}
	if f := asFault(t, seen.Health[0].Err); f.Kind != fault.Unavailable {
		t.Errorf("health: %+v", seen.Health[0])
	}
	if f := asFault(t, seen.Planned[0].Err); f.Kind != fault.Throttled || f.RetryAfter != time.Minute {
		t.Errorf("planned: %+v", seen.Planned[0])
	}
}
