package sim

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The states of a failover test, as Azure spells them.
const (
	testStarting    = "Starting"
	testRunning     = "Running"
	testStartFailed = "StartFailed"
	testStopping    = "Stopping"
	testStopFailed  = "StopFailed"
	testCompleted   = "Completed"
)

// failoverTest is one failover test: of a gateway, which leaves a peering location,
// or of a circuit, which loses one link. It runs until it is stopped.
type failoverTest struct {
	id, location, category string
	link                   Link
	status                 string
	start, end             time.Time
}

// cuts reports whether a test takes a path away now.
func (t *failoverTest) cuts() bool {
	return t.status == testRunning || t.status == testStopping || t.status == testStopFailed
}

// over reports whether nothing of a test goes on.
func (t *failoverTest) over() bool { return t.status == testCompleted || t.status == testStartFailed }

// left reports whether a site failover test holds the gateway off a circuit.
func (g *gateway) left(c *circuit) bool {
	for _, t := range g.tests {
		if t.cuts() && strings.EqualFold(t.location, c.Location) {
			return true
		}
	}
	return false
}

// cut reports whether a link failover test holds one link of the circuit down.
func (c *circuit) cut(l Link) bool {
	for _, t := range c.tests {
		if t.cuts() && t.link == l && t.category == "BgpDisconnect" {
			return true
		}
	}
	return false
}

// going returns the test that is not over, nil when there is none.
func going(tests []*failoverTest) *failoverTest {
	for _, t := range tests {
		if !t.over() {
			return t
		}
	}
	return nil
}

// testRows returns the details of tests, oldest first: an array, not an object with
// a value, as Azure's specification has it.
func testRows(tests []*failoverTest) []body {
	rows := []body{}
	for _, t := range tests {
		b := object("status", t.status, "testGuid", t.id, "startTime", t.start.UTC().Format(time.RFC3339), "issues", []string{})
		if !t.end.IsZero() {
			b = b.with("endTime", t.end.UTC().Format(time.RFC3339))
		}
		if t.link != "" {
			b = b.with("testType", "LinkFailover").with("linkType", word(t.link == Secondary, "Secondary", "Primary")).with("circuitTestCategory", t.category)
		} else {
			b = b.with("testType", "SingleSiteFailover").with("peeringLocation", t.location)
		}
		rows = append(rows, b)
	}
	return rows
}

// testCall is a request to start or stop a test.
type testCall struct {
	start          bool
	location       string // of a gateway's test
	link, category string // of a circuit's
}

// changeTest starts or stops a failover test and returns its operation. What Azure refuses
// is refused at once: a second test, a gateway with one peering location, a Metro
// location, a location in maintenance, the stop of a test that does not run.
func (f *Fabric) changeTest(target string, q testCall, e Effect, now time.Time) (string, error) {
	f.lock(now)
	defer f.mu.Unlock()
	g, c := f.gateways[key(target)], f.circuits[key(target)]
	tests := func() []*failoverTest { return nil }
	var t *failoverTest
	switch {
	case g != nil:
		tests = func() []*failoverTest { return g.tests }
	case c != nil:
		tests = func() []*failoverTest { return c.tests }
	default:
		return "", notFound(target)
	}
	if q.start {
		no := f.mayStart(g, c, q, tests())
		if no != nil {
			return "", no
		}
		t = &failoverTest{id: f.guid(), location: q.location, link: Link(strings.ToLower(q.link)), category: q.category, status: testStarting, start: f.now}
		if g != nil {
			g.tests = append(g.tests, t)
		} else {
			c.tests = append(c.tests, t)
		}
	} else {
		t = going(tests())
		if t == nil || !strings.EqualFold(t.location, q.location) || !strings.EqualFold(string(t.link), q.link) {
			return "", &Refusal{Status: 400, Code: "FailoverTestNotFound", Message: "No failover test of that kind is running."}
		}
		if t.status != testRunning && t.status != testStopFailed {
			return "", &Refusal{Status: 409, Code: "AnotherOperationInProgress", Message: "The failover test is " + t.status + "."}
		}
		t.status = testStopping
	}
	return f.beginTest(c, t, q.start, e), nil
}

// mayStart refuses what Azure refuses.
func (f *Fabric) mayStart(g *gateway, c *circuit, q testCall, tests []*failoverTest) *Refusal {
	bad := func(format string, args ...any) *Refusal {
		return &Refusal{Status: 400, Code: "FailoverTestNotAllowed", Message: fmt.Sprintf(format, args...)}
	}
	if t := going(tests); t != nil {
		return &Refusal{Status: 409, Code: "FailoverTestInProgress", Message: "Another failover test is running: " + t.id + "."}
	}
	if c != nil {
		l := Link(strings.ToLower(q.link))
		switch {
		case l != Primary && l != Secondary:
			return bad("linkType must be Primary or Secondary.")
		case q.category != "BgpDisconnect" && q.category != "ASPathPrepend":
			return bad("circuitTestCategory must be BgpDisconnect or ASPathPrepend.")
		case !c.enabled || !c.provisioned:
			return bad("The circuit is not provisioned.")
		}
		return nil
	}
	if f.busy(key(g.ID)) {
		return &Refusal{Status: 409, Code: "AnotherOperationInProgress", RetryAfter: "10", Message: "Another operation on this or dependent resource is in progress."}
	}
	at := map[string]bool{}
	for _, k := range f.of(g.ID) {
		to := f.circuits[k.circuit]
		at[key(to.Location)] = true
		if strings.EqualFold(to.Location, q.location) && (to.links[0].Prepended || to.links[1].Prepended) {
			return bad("Circuit %s is under maintenance.", lastName(to.ID))
		}
	}
	switch {
	case strings.Contains(key(q.location), "metro"):
		return bad("Failover tests are not available at Metro locations.")
	case !at[key(q.location)] || len(at) < 2:
		return bad("Two peering locations are needed, one of them the one named.")
	}
	return nil
}

// beginTest makes the operation of a start or a stop.
func (f *Fabric) beginTest(c *circuit, t *failoverTest, start bool, e Effect) string {
	op := f.leverOperation(e, func() {
		switch {
		case start:
			t.status = testRunning
		default:
			t.status, t.end = testCompleted, f.now
		}
		if c != nil {
			c.applyTest(f, t)
		}
	})
	op.answer = func(*Fabric) encoded {
		if !op.landed {
			t.status = word(start, testStartFailed, testStopFailed)
		}
		return encoded(encode(t.id)) // a bare string: the clients of several SDKs cannot read it
	}
	return op.id
}

// applyTest brings the session of the tested link down, or back as its line allows.
func (c *circuit) applyTest(f *Fabric, t *failoverTest) {
	l := &c.links[t.link.index()]
	what := ""
	switch {
	case t.category == "ASPathPrepend":
		l.Prepended = t.cuts()
		what = word(t.cuts(), "drain", "undrain")
	default:
		l.BGP = !t.cuts() && l.Up
		c.changed = f.now
		what = word(l.BGP, "bgp-up", "bgp-down")
	}
	f.changes = append(f.changes, Change{f.now, c.ID, t.link, what, 0})
}

// leverOperation makes an operation whose landing does something.
func (f *Fabric) leverOperation(e Effect, act func()) *operation {
	op := &operation{id: f.guid(), begun: f.now, final: succeeded, code: e.Code, lost: e.Forgotten, noStatus: e.NoStatus, location: "eastus", act: act}
	if e.Final != "" {
		op.final = e.Final
	}
	if op.code != "" {
		op.message = "The operation did not succeed."
	}
	op.lands, op.ends = f.now.Add(f.timing.Land), f.now.Add(f.timing.Land)
	switch {
	case e.Land < 0:
		op.lands = time.Time{}
	case e.Land > 0:
		op.lands = f.now.Add(e.Land)
	}
	if e.End < 0 {
		op.ends = time.Time{}
	}
	f.operations[op.id] = op
	f.open = append(f.open, op)
	return op
}

// test answers a start or a stop of a failover test.
func (a *ARM) test(c *call) reply {
	segs := strings.Split(c.where.types, "/")
	action, query := segs[len(segs)-1], c.URL.Query()
	q := testCall{start: strings.HasPrefix(action, "start"), location: query.Get("peeringLocation"), link: query.Get("linkType"), category: query.Get("circuitTestCategory")}
	if !q.start {
		b, err := parseBody(c.body)
		if err != nil {
			return refuse(&Refusal{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid: " + err.Error()})
		}
		q.location, q.link, q.category = b.text("peeringLocation"), b.text("linkType"), b.text("circuitTestCategory")
	}
	op, err := a.fabric.changeTest(c.where.id, q, c.fault.effect(a.fabric.timing), c.now)
	if err != nil {
		return failure(err)
	}
	out := reply{status: http.StatusAccepted, header: http.Header{}, operation: op}
	out.header.Set("Location", c.operationURL("operationResults", "eastus", op))
	a.pace(out.header)
	return out
}

// putPeering answers a PUT of a circuit's peering. Of what it may change, the estate
// changes the state; the other required properties must be there.
func (a *ARM) putPeering(c *call) reply {
	b, err := parseBody(c.body)
	if err != nil {
		return refuse(&Refusal{Status: 400, Code: "InvalidRequestContent", Message: "The request content was invalid: " + err.Error()})
	}
	op, err := a.fabric.putPeering(c.where.upTo("expressRouteCircuits"), c.where.names[1], b, c.fault.effect(a.fabric.timing), c.now)
	if err != nil {
		return failure(err)
	}
	out := ok(b.with("properties", b.sub("properties").with("provisioningState", updating)).raw())
	out.operation = op
	out.header.Set("Azure-AsyncOperation", c.operationURL("operations", "eastus", op))
	a.pace(out.header)
	return out
}

// putPeering replaces a circuit's private peering and returns the operation.
func (f *Fabric) putPeering(circuitID, name string, in body, e Effect, now time.Time) (string, error) {
	f.lock(now)
	defer f.mu.Unlock()
	c := f.circuits[key(circuitID)]
	if c == nil || !strings.EqualFold(name, "AzurePrivatePeering") {
		return "", notFound(circuitID)
	}
	p := in.sub("properties")
	for _, required := range []string{"peerASN", "vlanId", "primaryPeerAddressPrefix", "secondaryPeerAddressPrefix", "state"} {
		if p.get(required) == nil {
			return "", &Refusal{Status: 400, Code: "InvalidRequestFormat", Message: "The property " + required + " is required."}
		}
	}
	if c.provisioning == updating {
		return "", &Refusal{Status: 409, Code: "AnotherOperationInProgress", RetryAfter: "10", Message: "Another operation on this or dependent resource is in progress."}
	}
	var vlan, want int
	asIs, _ := parseBody(f.peeringBody(c, name).sub("properties").raw())
	if json.Unmarshal(p.get("vlanId"), &vlan) != nil || json.Unmarshal(asIs.get("vlanId"), &want) != nil || vlan != want {
		return "", &Refusal{Status: 400, Code: "VlanIdChanged", Message: "The VLAN of a peering in use cannot be changed."}
	}
	c.provisioning = updating
	op := f.leverOperation(e, func() {
		c.private.enabled, c.private.by, c.etag = strings.EqualFold(p.text("state"), "Enabled"), "Customer", f.etag()
		f.changes = append(f.changes, Change{f.now, c.ID, "", word(c.private.enabled, "peering-on", "peering-off"), 0})
	})
	op.answer = func(*Fabric) encoded {
		c.provisioning = succeeded
		return encoded(jsontext.Value(f.peeringBody(c, name).raw()))
	}
	return op.id, nil
}
