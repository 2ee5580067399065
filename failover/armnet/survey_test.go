package armnet

import (
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/sim"
	"erfailover/failover/topology"
)

var sweep = flag.Bool("sweep", false, "play every cell of the reply matrix; survey 10,000 circuits and 50,000 connections, and measure the heap")

// harvest is all that a survey told.
type harvest struct {
	circuits []executor.CircuitState
	gateways []topology.Gateway
	conns    []executor.ConnectionState
	done     int
	errs     []error
	waits    int
	pages    int
}

func (h *harvest) take(f Found) {
	h.circuits, h.gateways, h.conns = append(h.circuits, f.Circuits...), append(h.gateways, f.Gateways...), append(h.conns, f.Connections...)
	h.pages++
	if f.Done {
		h.done++
	}
	if f.Err != nil {
		h.errs = append(h.errs, f.Err)
	}
	if f.Waiting != nil {
		h.waits++
	}
}

// The demo estate is found whole, page by page, through the real client, and what is
// found of a connection is what a read of it tells.
func TestSurveyOfTheDemoEstate(t *testing.T) {
	e := newEstate(t, sim.Options{PageSize: 2})
	subs, err := e.net.Subscriptions(t.Context())
	if err != nil || len(subs) != 1 || subs[0].ID != sim.DemoSubscription || subs[0].Name == "" {
		t.Fatalf("subscriptions: %+v %v", subs, err)
	}
	var h harvest
	e.net.Survey(t.Context(), []string{strings.ToUpper(subs[0].ID)}, h.take)
	if len(h.circuits) != 6 || len(h.gateways) != 9 || len(h.conns) != 27 || h.done != 1 || len(h.errs) != 0 {
		t.Fatalf("found %d circuits, %d gateways, %d connections, %d done, %v", len(h.circuits), len(h.gateways), len(h.conns), h.done, h.errs)
	}
	for _, c := range h.circuits {
		if got := e.read(executor.RefCircuit, c.ID); fmt.Sprint(*got.Circuit) != fmt.Sprint(c) {
			t.Errorf("the list and the read differ: %+v, %+v", c, *got.Circuit)
		}
	}
	for _, g := range h.gateways {
		if got := e.read(executor.RefGateway, g.ID); *got.Gateway != g {
			t.Errorf("the list and the read differ: %+v, %+v", g, *got.Gateway)
		}
	}
	for _, k := range h.conns {
		got := e.read(executor.RefConnection, k.ID)
		got.Connection.Rest = ""
		if *got.Connection != k {
			t.Errorf("the list and the read differ: %+v, %+v", k, *got.Connection)
		}
	}
}

// A survey gives out a page once, whatever happens to it on its way, and waits as long
// as Azure asks.
func TestSurveyIsPatient(t *testing.T) {
	for _, f := range []sim.Fault{{Kind: sim.DropBefore}, {Kind: sim.DropAfter}, {Kind: sim.NotAvailable}, {Kind: sim.Throttled, RetryAfter: "90"}, {Kind: sim.ServerError}} {
		t.Run(string(f.Kind), func(t *testing.T) {
			e := newEstate(t, sim.Options{PageSize: 4})
			e.arm.Inject(sim.Rule{Match: sim.Match{Kind: sim.KindList, Nth: 2, Times: 3}, Fault: f})
			begun := e.clk.Now()
			var h harvest
			e.net.Survey(t.Context(), []string{sim.DemoSubscription}, h.take)
			if len(h.circuits) != 6 || len(h.gateways) != 9 || len(h.conns) != 27 || len(h.errs) != 0 {
				t.Fatalf("found %d circuits, %d gateways, %d connections, %v", len(h.circuits), len(h.gateways), len(h.conns), h.errs)
			}
			if f.Kind == sim.Throttled && (h.waits == 0 || e.clk.Now().Sub(begun) < 4*time.Minute) {
				t.Errorf("told of %d waits, waited %s", h.waits, e.clk.Now().Sub(begun))
			}
		})
	}
}

// What cannot be read of one subscription is told and hides nothing else; a next page
// elsewhere is not followed; no key that a list shows is kept.
func TestSurveyTrouble(t *testing.T) {
	e := newEstate(t, sim.Options{})
	e.arm.Inject(sim.Rule{Match: sim.Match{Path: "/expressRouteCircuits$", Times: -1}, Fault: sim.Fault{Kind: sim.Forbidden, Code: "AuthorizationFailed"}})
	var h harvest
	e.net.Survey(t.Context(), []string{sim.DemoSubscription}, h.take)
	if len(h.circuits) != 0 || len(h.gateways) != 9 || len(h.conns) != 27 || len(h.errs) != 1 || asFault(t, h.errs[0]).Kind != fault.Denied {
		t.Errorf("found %d circuits, %d gateways, %d connections, %v", len(h.circuits), len(h.gateways), len(h.conns), h.errs)
	}

	evil := newAzure(t)
	const circuits = "/subscriptions/00000000-0000-0000-0000-000000000001/providers/microsoft.network/expressroutecircuits"
	entry := func(id string) string { return strings.Replace(circuitBody, `"id":"x"`, `"id":"`+id+`"`, 1) }
	for _, tt := range []struct{ name, body, want string }{
		{"next page elsewhere", `{"value":[],"nextLink":"` + evil.srv.URL + `/x"}`, "is not the configured endpoint"},
		{"no list", `[]`, "not a JSON object"},
		{"no value", `{"nextLink":""}`, "has no value"},
		{"not JSON", `<html>`, "cannot be read"},
		{"a name twice", `{"value":[{"id":"a","id":"b"}]}`, "duplicate"},
		{"something else in it", `{"value":[` + entry(testConn) + `]}`, "the list holds"},
		{"a name outside ASCII", `{"value":[` + entry("/subscriptions/1/resourceGroups/bücher/providers/Microsoft.Network/expressRouteCircuits/x") + `,` + entry(testER) + `]}`, "outside ASCII"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAzure(t).on("GET", circuits, answer{200, nil, tt.body})
			var h harvest
			a.client().Survey(t.Context(), []string{sim.DemoSubscription}, h.take)
			if !slices.ContainsFunc(h.errs, func(err error) bool { return strings.Contains(err.Error(), tt.want) }) {
				t.Errorf("told %v, want %q", h.errs, tt.want)
			}
			if strings.Contains(fmt.Sprint(h), "key-secret") {
				t.Error("a service key was kept")
			}
			if tt.name == "a name outside ASCII" && len(h.circuits) != 1 {
				t.Errorf("the other circuit is missing: %+v", h.circuits)
			}
		})
	}
	if n := len(evil.requests("GET")); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
	a := newAzure(t)
	a.on("GET", circuits, answer{200, nil, `{"value":[],"nextLink":"` + a.srv.URL + circuits + "?api-version=" + DefaultAPIVersion + `"}`})
	var again harvest
	a.client().Survey(t.Context(), []string{sim.DemoSubscription}, again.take)
	if !slices.ContainsFunc(again.errs, func(err error) bool { return strings.Contains(err.Error(), "the same page") }) {
		t.Errorf("a list that goes in a circle: %v", again.errs)
	}
}

// crowd is an estate of any size behind a paging face over TLS, made of numbers as it
// is asked for. It holds Azure's read limit for each subscription and answers 429
// beyond it.
type crowd struct {
	subs, groups, circuits, gateways, conns int // groups and what follows are for each subscription
	page                                    int
	now                                     func() time.Time

	mu      sync.Mutex
	reads   map[string]*bucket
	served  map[string]int
	refused int
}

func (k *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, q := strings.ToLower(r.URL.Path), r.URL.Query()
	sub := subscriptionOf(path)
	k.mu.Lock()
	if k.reads[sub] == nil {
		k.reads[sub] = &bucket{burst: armReadBurst, rate: armReadRate}
	}
	b := k.reads[sub]
	b.fill(k.now())
	empty := b.level < 1
	if empty {
		k.refused++
	} else {
		b.level--
		k.served[sub]++
	}
	k.mu.Unlock()
	if empty {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	n, entry := k.list(sub, path)
	from, _ := strconv.Atoi(q.Get("$skipToken"))
	upto := min(from+k.page, n)
	_, _ = io.WriteString(w, `{"value":[`)
	for i := from; i < upto; i++ {
		if i > from {
			_, _ = io.WriteString(w, ",")
		}
		_, _ = io.WriteString(w, entry(i))
	}
	_, _ = io.WriteString(w, `]`)
	if upto < n {
		q.Set("$skipToken", strconv.Itoa(upto))
		_, _ = fmt.Fprintf(w, `,"nextLink":"https://%s%s?%s"`, r.Host, r.URL.EscapedPath(), q.Encode())
	}
	_, _ = io.WriteString(w, `}`)
}

// list returns a list's length and its entries.
func (k *crowd) list(sub, path string) (int, func(int) string) {
	id := func(typ string, group, i int) string {
		return fmt.Sprintf("/subscriptions/%s/resourceGroups/rg-%d/providers/Microsoft.Network/%s/%s-%d", sub, group, typ, typ[:7], i)
	}
	within := func(total int) (int, int, func(int) int) { // one resource group's share
		at := strings.Index(path, "/resourcegroups/rg-")
		g, _ := strconv.Atoi(strings.SplitN(path[at+len("/resourcegroups/rg-"):], "/", 2)[0])
		return (total - g + k.groups - 1) / k.groups, g, func(i int) int { return i*k.groups + g }
	}
	pad := `"ipsecPolicies":[],"trafficSelectorPolicies":[],"authorizationKey":"key-secret","resourceGuid":"` + strings.Repeat("0", 36) + `","padding":"` + strings.Repeat("x", 600) + `"`
	switch {
	case path == "/subscriptions":
		return k.subs, func(i int) string {
			return fmt.Sprintf(`{"subscriptionId":"%08d-0000-0000-0000-000000000000","displayName":"network %d"}`, i, i)
		}
	case strings.HasSuffix(path, "/resources"):
		return k.gateways + k.conns, func(i int) string {
			if i < k.gateways {
				return fmt.Sprintf(`{"id":%q}`, id("virtualNetworkGateways", i%k.groups, i))
			}
			return fmt.Sprintf(`{"id":%q}`, id("connections", (i-k.gateways)%k.groups, i-k.gateways))
		}
	case strings.HasSuffix(path, "/expressroutecircuits"):
		return k.circuits, func(i int) string {
			return fmt.Sprintf(`{"id":%q,"location":"eastus","sku":{"tier":"Premium","family":"MeteredData"},"properties":{"provisioningState":"Succeeded","circuitProvisioningState":"Enabled","serviceProviderProvisioningState":"Provisioned","serviceProviderProperties":{"serviceProviderName":"P%d","peeringLocation":"L%d","bandwidthInMbps":1000},"peerings":[{"name":"AzurePrivatePeering","properties":{"state":"Enabled"}}],%s}}`,
				id("expressRouteCircuits", i%k.groups, i), i%5, i%7, pad)
		}
	case strings.HasSuffix(path, "/virtualnetworkgateways"):
		n, g, global := within(k.gateways)
		return n, func(i int) string {
			return fmt.Sprintf(`{"id":%q,"location":"eastus","properties":{"gatewayType":"ExpressRoute","sku":{"name":"ErGw1AZ"},%s}}`, id("virtualNetworkGateways", g, global(i)), pad)
		}
	case strings.HasSuffix(path, "/connections"):
		n, g, global := within(k.conns)
		return n, func(i int) string {
			j := global(i)
			gw, c := j%k.gateways, (j%k.gateways+j/k.gateways)%k.circuits
			return fmt.Sprintf(`{"id":%q,"properties":{"provisioningState":"Succeeded","connectionType":"ExpressRoute","connectionStatus":"Connected","routingWeight":%d,"virtualNetworkGateway1":{"id":%q},"peer":{"id":%q},%s}}`,
				id("connections", g, j), 100+j/k.gateways, id("virtualNetworkGateways", gw%k.groups, gw), id("expressRouteCircuits", c%k.groups, c), pad)
		}
	}
	return 0, nil
}

// serve starts the crowd and returns a client of it.
func (k *crowd) serve(tb testing.TB, clk *stepClock) *Client {
	tb.Helper()
	k.now, k.reads, k.served = clk.Now, map[string]*bucket{}, map[string]int{}
	srv := httptest.NewUnstartedServer(k)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	tb.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	tr := NewTransport(roots, nil)
	tb.Cleanup(tr.CloseIdleConnections)
	c, err := New(Config{Cloud: Custom, Endpoint: srv.URL, Audience: srv.URL, Authority: "https://login.test", Credential: staticToken("x"), Transport: tr, Now: clk.Now, Sleep: clk.Sleep})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// A large estate is surveyed inside the read limits: Azure never has to refuse a
// request, and half of the limit is left to others. Run with -sweep for 10,000
// circuits and 50,000 connections and the heap at its highest.
func TestSurveyOfALargeEstate(t *testing.T) {
	tests := []struct {
		name  string
		crowd *crowd
	}{
		{"many subscriptions", &crowd{subs: 20, groups: 5, circuits: 50, gateways: 25, conns: 250, page: 100}},
		{"one subscription of many resource groups", &crowd{subs: 1, groups: 150, circuits: 1000, gateways: 500, conns: 5000, page: 100}},
	}
	if *sweep {
		tests[0].crowd.subs = 200
		tests[1].crowd = &crowd{subs: 1, groups: 980, circuits: 10_000, gateways: 5000, conns: 50_000, page: 100}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clk := &stepClock{now: someTime}
			k := tt.crowd
			c := k.serve(t, clk)
			subs, err := c.Subscriptions(t.Context())
			if err != nil || len(subs) != k.subs {
				t.Fatalf("%d subscriptions: %v", len(subs), err)
			}
			var ids []string
			for _, s := range subs {
				ids = append(ids, s.ID)
			}
			var h harvest
			most, real := peak(h.conns), time.Now()
			c.Survey(t.Context(), ids, func(f Found) {
				h.take(f)
				if *sweep && h.pages%50 == 0 {
					most = max(most, peak(h.conns))
				}
			})
			if len(h.circuits) != k.subs*k.circuits || len(h.gateways) != k.subs*k.gateways || len(h.conns) != k.subs*k.conns || len(h.errs) != 0 {
				t.Fatalf("found %d circuits, %d gateways, %d connections, %v", len(h.circuits), len(h.gateways), len(h.conns), h.errs)
			}
			if k.refused != 0 {
				t.Errorf("Azure refused %d requests", k.refused)
			}
			total := 0
			for sub, n := range k.served {
				total += n
				spent := clk.Now().Sub(someTime).Seconds()
				if allowed := 0.5*(armReadBurst+armReadRate*spent) + 1; float64(n) > math.Ceil(allowed) {
					t.Errorf("%s: %d reads in %.0f s, our half is %.0f", sub, n, spent, allowed)
				}
			}
			t.Logf("%d circuits, %d gateways, %d connections: %d requests, %s of waiting inside the limits, %s of real time",
				len(h.circuits), len(h.gateways), len(h.conns), total, clk.Now().Sub(someTime).Round(time.Second), time.Since(real).Round(time.Millisecond))
			if *sweep {
				t.Logf("live heap at its highest: %d MiB; what was found is %d MiB of it", most>>20, peak(h.conns)>>20)
				if limit := uint64(128 << 20); most > limit {
					t.Errorf("the heap held %d MiB", most>>20)
				}
			}
			if got := events.Canonical(h.conns[0].ID); got != h.conns[0].ID || h.conns[0].Circuit == "" || h.conns[0].Gateway == "" {
				t.Errorf("a connection is incomplete: %+v", h.conns[0])
			}
		})
	}
}

// peak returns the live heap in bytes. What it is given stays alive.
func peak(keep any) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(keep)
	return m.HeapAlloc
}
