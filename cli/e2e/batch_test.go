//go:build unix

package e2e

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/armnet"
	"erfailover/failover/sim"
)

// outage takes a circuit down, and returns what Azure sends about it: the activity
// log's Resource Health records and a metric alert for each link.
func (r *rig) outage(circuit string) [][]byte {
	now := r.clock.Now()
	id := circuitID(circuit)
	r.fabric.Cut(id, now)
	return [][]byte{
		r.source.Outage(id, now, time.Time{}),
		r.source.MetricAlert(sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: sim.Primary, FiredAt: now}),
		r.source.MetricAlert(sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: sim.Secondary, FiredAt: now}),
	}
}

// recovery brings a circuit back, and returns what Azure sends about it.
func (r *rig) recovery(circuit string, since time.Time) [][]byte {
	now := r.clock.Now()
	id := circuitID(circuit)
	r.fabric.Heal(id, now)
	return [][]byte{
		r.source.ResourceHealth(sim.HealthEvent{Circuit: id, Step: sim.StepResolved, From: sim.HealthUnavailable, To: sim.HealthAvailable, At: now}),
		r.source.MetricAlert(sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: sim.Primary, Value: 100, FiredAt: since, EndedAt: now}),
		r.source.MetricAlert(sim.MetricAlert{Circuit: id, Metric: sim.BGPAvailability, Link: sim.Secondary, Value: 100, FiredAt: since, EndedAt: now}),
	}
}

// bodies returns every connection as a GET shows it, the entity tag left out.
func (r *rig) bodies() map[string]string {
	out := map[string]string{}
	for _, id := range r.fabric.Connections("") {
		raw, _ := r.fabric.Get(id, false, sim.KeyMasked, r.clock.Now())
		out[id] = etag.ReplaceAllString(string(raw), "")
	}
	return out
}

var etag = regexp.MustCompile(`"etag":"(\\.|[^"\\])*",?`)

// TestBatch is the whole life of one outage, from a batch as the host posts it to
// the weights at rest.
func TestBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.configure("doubt: 30s", "doubt: 1h") // no reads of our own while the batch is repeated
	rest := r.bodies()
	r.atRest()
	since := r.clock.Now()
	batch := r.outage("ashburn")
	r.send(batch...)
	r.tick("the failover has ended", func() bool { return r.ended("failover") == 1 })
	oneWriteEach(t, r, "chicago")
	for _, w := range r.written() {
		onlyWeightAndTag(t, w)
	}
	moved := r.weights()

	// The same batch five more times, shuffled. Time stands nearly still meanwhile.
	r.tick("the group rests on the standby, past every gate that time opens", func() bool {
		return r.times(func(l said) bool {
			return l.Event == "verdict.changed" && slices.Contains(l.Reasons, "on-standby") && !slices.Contains(l.Reasons, "standby-time")
		}) > 0
	})
	r.pass(5 * time.Second) // what it asked of Azure is answered
	r.settled()
	before := r.record()
	r.clock.setSpeed(1)
	r.start()
	for i := range 5 {
		again := slices.Concat(batch)
		rand.New(rand.NewPCG(uint64(i), 1)).Shuffle(len(again), func(a, b int) { again[a], again[b] = again[b], again[a] })
		r.send(again...)
		r.settled()
	}
	sameRecord(t, before, r.record())
	oneWriteEach(t, r, "chicago")

	// The circuit comes back: failback through its gates, then settle.
	r.clock.setSpeed(fast)
	r.start()
	r.send(r.recovery("ashburn", since)...)
	r.tick("the failback has ended", func() bool { return r.ended("failback") == 1 })
	r.tick("the weights at rest are back", func() bool { return r.ended("settle") == 1 })
	for id, want := range rest {
		if got := r.bodies()[id]; got != want {
			t.Errorf("%s is not byte for byte what it was:\n got %s\nwant %s", id, got, want)
		}
	}
	for _, w := range r.written() {
		onlyWeightAndTag(t, w)
	}
	for _, g := range gateways() {
		if got := moved[connectionID(g, "chicago")]; got != 201 {
			t.Errorf("%s: chicago had weight %d during the failover, want 201", g, got)
		}
	}
	rows := r.journal("group." + group)
	if n := strings.Count(rows, "operation.decided"); n != 3 {
		t.Errorf("%d operations were decided, want 3: failover, failback, settle\n%s", n, rows)
	}
}

// oneWriteEach checks that each gateway got exactly one PUT, for its connection to
// that circuit.
func oneWriteEach(t *testing.T, r *rig, circuit string) {
	t.Helper()
	want := map[string]int{}
	for _, g := range gateways() {
		want[strings.ToLower(connectionID(g, circuit))] = 1
	}
	got := map[string]int{}
	for _, w := range r.written() {
		got[w.Path]++
	}
	for path, n := range got {
		if n != want[path] {
			t.Errorf("%d PUTs of %s, want %d", n, path, want[path])
		}
	}
	if len(got) != len(want) {
		t.Errorf("PUTs of %d connections, want %d: %v", len(got), len(want), got)
	}
}

// members are the parts of a JSON object.
type members map[string]jsontext.Value

func parse(t *testing.T, raw []byte) members {
	t.Helper()
	m := members{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return m
}

// onlyWeightAndTag compares a PUT with the GET that it was made from: all is there
// to the byte but the weight, our tag and what only Azure sets.
func onlyWeightAndTag(t *testing.T, w write) {
	t.Helper()
	get, put := parse(t, w.Read), parse(t, w.Put)
	mayGo := []string{"id", "name", "type", "etag"}
	compare(t, w, get, put, []string{"properties", "tags"}, mayGo)
	compare(t, w, parse(t, get["properties"]), parse(t, put["properties"]), []string{"routingWeight"},
		[]string{"provisioningState", "resourceGuid", "connectionStatus", "ingressBytesTransferred", "egressBytesTransferred", "authorizationKey"})
	if strings.Contains(w.Path, "expressrouteconnections") {
		if put["tags"] != nil {
			t.Errorf("%s: a Virtual WAN connection has no tags, the PUT has %s", w.Path, put["tags"])
		}
	} else {
		compare(t, w, parse(t, get["tags"]), parse(t, put["tags"]), []string{armnet.EpochTag}, []string{armnet.EpochTag})
	}
	if !bytes.Contains(w.Put, []byte("9007199254740993")) {
		t.Errorf("%s: the unknown property did not survive: %s", w.Path, w.Put)
	}
}

// compare checks that put holds what get holds, to the byte, and nothing more.
// mayDiffer may have another value or be new; mayGo may be left out.
func compare(t *testing.T, w write, get, put members, mayDiffer, mayGo []string) {
	t.Helper()
	for name, v := range get {
		have, there := put[name]
		switch {
		case slices.Contains(mayDiffer, name), !there && slices.Contains(mayGo, name):
		case !there:
			t.Errorf("%s: the PUT lacks %s", w.Path, name)
		case !bytes.Equal(have, v):
			t.Errorf("%s: %s is %s in the PUT and was %s", w.Path, name, have, v)
		}
	}
	for name := range put {
		if _, was := get[name]; !was && !slices.Contains(mayDiffer, name) {
			t.Errorf("%s: the PUT has %s, which was not there", w.Path, name)
		}
	}
}
