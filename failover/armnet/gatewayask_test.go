package armnet

import (
	"strings"
	"testing"
	"time"

	"erfailover/failover/executor"
)

// The shape of route sets is that of the example in Azure's specification: circuits by
// keys of the answer's own, which its metadata explain.
func TestRouteSetsAreRead(t *testing.T) {
	const circuit = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg1/providers/Microsoft.Network/expressRouteCircuits/"
	whole := `{"lastComputedTime":"8/22/2025 5:57:28 PM UTC","routeSetVersion":"1","routeSets":[{"name":"Set-1","locations":["Washington DC","London2"],"details":{
		"10.11.0.0/24":[{"circuit":"x0","pri":"1","sec":"1"},{"circuit":"x1","pri":"2","sec":"2"},{"circuit":"x0"}],"10.57.0.0/16":[{"circuit":"x0"}]}}],
		"circuitsMetadataMap":{"x0":{"name":"circuit1","link":"` + circuit + `Circuit1"},"x1":{"link":"` + circuit + `circuit2"}}}`
	q := executor.Question{Kind: executor.AskSets}
	for name, body := range map[string]string{"bare": whole, "in the operation's own body": `{"status":"Succeeded","properties":{"output":` + whole + `}}`} {
		a, err := decodeAnswer(q, []byte(body), time.Time{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := a.Sets["10.11.0.0/24"]; len(got) != 2 || !strings.HasSuffix(got[0], "/circuit1") || !strings.HasSuffix(got[1], "/circuit2") || len(a.Sets["10.57.0.0/16"]) != 1 {
			t.Errorf("%s: %v", name, a.Sets)
		}
	}
	for body, want := range map[string]string{
		`{}`: "routeSets: is missing",
		`{"routeSets":[{"details":{"10.0.0.0/8":[{"circuit":"x9"}]}}]}`: `circuit "x9" is not in circuitsMetadataMap`,
	} {
		if _, err := decodeAnswer(q, []byte(body), time.Time{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// A session of a gateway counts when its state is Connected, and not by its routes.
func TestGatewayPeersAreRead(t *testing.T) {
	a, err := decodeAnswer(executor.Question{Kind: executor.AskPeers}, []byte(`{"value":[
		{"neighbor":"10.0.0.4","asn":12076,"state":"Connected","routesReceived":12},{"neighbor":"10.0.0.5","asn":12076,"state":"Idle","routesReceived":12}]}`), time.Time{})
	if err != nil || len(a.Peers) != 2 || !a.Peers[0].Established || a.Peers[0].Prefixes != 12 || a.Peers[1].Established || a.Peers[1].Prefixes != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
}
