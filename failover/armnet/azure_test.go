package armnet

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// What the tests talk about.
const (
	testSub  = "/subscriptions/00000000-0000-0000-0000-000000000001"
	testNet  = testSub + "/resourcegroups/net/providers/microsoft.network"
	testConn = testNet + "/connections/er-ashburn-gw1"
	testGW   = testNet + "/virtualnetworkgateways/gw1"
	testER   = testNet + "/expressroutecircuits/er-ashburn"
	testVGW  = testNet + "/expressroutegateways/hub1"
	testVCon = testVGW + "/expressrouteconnections/er-ashburn"
	testOp   = testSub + "/providers/microsoft.network/locations/eastus/operations/op1"
)

// connBody is a connection as Azure shows it, with what the SDK does not know.
const connBody = `{
  "name": "er-ashburn-gw1",
  "id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/Net/providers/Microsoft.Network/connections/ER-Ashburn-GW1",
  "etag": "W/\"1\"", "type": "Microsoft.Network/connections", "location": "eastus",
  "tags": {"owner": "net\u0077ork"},
  "properties": {
    "provisioningState": "Succeeded", "resourceGuid": "g", "connectionStatus": "Connected",
    "virtualNetworkGateway1": {"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw1"},
    "connectionType": "ExpressRoute", "routingWeight": 100, "enableBgp": false, "authorizationKey": "*****************",
    "peer": {"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn"},
    "expressRouteGatewayBypass": true, "futureThing": {"big": 12345678901234567890, "odd": 1.50e+2},
    "ingressBytesTransferred": 7, "egressBytesTransferred": 8
  }
}`

const vwanBody = `{
  "name": "er-ashburn", "etag": "W/\"1\"", "type": "Microsoft.Network/expressRouteGateways/expressRouteConnections",
  "id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteGateways/hub1/expressRouteConnections/er-ashburn",
  "properties": {"provisioningState": "Succeeded", "routingWeight": 0, "enableInternetSecurity": true,
    "expressRouteCircuitPeering": {"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn/peerings/AzurePrivatePeering"},
    "routingConfiguration": {"associatedRouteTable": {"id": "x"}}}}`

// answer is one scripted answer.
type answer struct {
	status int
	head   map[string]string // a value that begins with "/" in an address header gets the server's own host
	body   string
}

// request is one request that the server saw.
type request struct {
	method, path, query, body string
	head                      http.Header
}

// azure is a scripted server over TLS on loopback. Answers are given in order and
// the last one repeats; what is not scripted is 404.
type azure struct {
	t      *testing.T
	srv    *httptest.Server
	mu     sync.Mutex
	script map[string][]answer
	hooks  map[string]func(http.ResponseWriter, *http.Request) // before the script
	seen   []request
}

func newAzure(t *testing.T) *azure {
	a := &azure{t: t, script: map[string][]answer{}, hooks: map[string]func(http.ResponseWriter, *http.Request){}}
	a.srv = httptest.NewUnstartedServer(a)
	a.srv.EnableHTTP2 = true
	a.srv.Config.ErrorLog = nil
	a.srv.StartTLS()
	t.Cleanup(a.srv.Close)
	return a
}

func (a *azure) on(method, path string, answers ...answer) *azure {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.script[method+" "+strings.ToLower(path)] = answers
	return a
}

func (a *azure) hook(method, path string, f func(http.ResponseWriter, *http.Request)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hooks[method+" "+strings.ToLower(path)] = f
}

// ServeHTTP implements http.Handler.
func (a *azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Method + " " + strings.ToLower(r.URL.Path)
	a.mu.Lock()
	a.seen = append(a.seen, request{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Clone()})
	hook := a.hooks[key]
	next := answer{status: 404, body: `{"error":{"code":"ResourceNotFound","message":"not there"}}`}
	if q := a.script[key]; len(q) > 0 {
		next = q[0]
		if len(q) > 1 {
			a.script[key] = q[1:]
		}
	}
	a.mu.Unlock()
	if hook != nil {
		hook(w, r)
		return
	}
	for k, v := range next.head {
		if strings.HasPrefix(v, "/") && (k == "Location" || k == "Azure-AsyncOperation") {
			v = a.srv.URL + v
		}
		w.Header().Set(k, v)
	}
	w.Header().Set("x-ms-correlation-request-id", "corr-1")
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

// requests returns what came in by one method.
func (a *azure) requests(method string) []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []request
	for _, r := range a.seen {
		if r.method == method {
			out = append(out, r)
		}
	}
	return out
}

func (a *azure) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.srv.Certificate().Raw}))
	return pool
}

// config returns a configuration for this server that never sleeps.
func (a *azure) config() Config {
	tr := NewTransport(a.roots(), nil)
	a.t.Cleanup(tr.CloseIdleConnections)
	return Config{
		Cloud: Custom, Endpoint: a.srv.URL, Audience: "https://management.test", Authority: "https://login.test/",
		Credential: staticToken("tok-secret"), Transport: tr,
		Sleep: func(context.Context, time.Duration) error { return nil },
	}
}

func (a *azure) client(change ...func(*Config)) *Client {
	a.t.Helper()
	cfg := a.config()
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// staticToken is a credential that always has the same token.
type staticToken string

// GetToken implements azcore.TokenCredential.
func (s staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(s), ExpiresOn: time.Now().Add(time.Hour)}, nil
}
