package armnet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"erfailover/events"
)

func mustID(t testing.TB, s string) events.ResourceID {
	t.Helper()
	id, err := events.ParseResourceID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustParse(t testing.TB, id, body string) *connection {
	t.Helper()
	c, err := parseConnection(mustID(t, id), []byte(body))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return c
}

func TestEditedBody(t *testing.T) {
	tests := []struct{ name, id, body, epoch, want string }{
		{"virtual network", testConn, connBody, "7",
			`{"location":"eastus","tags":{"owner":"net\u0077ork","erfailover-epoch":"7"},"properties":{` +
				`"virtualNetworkGateway1":{"id":"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw1"},` +
				`"connectionType":"ExpressRoute","routingWeight":201,"enableBgp":false,` +
				`"peer":{"id":"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn"},` +
				`"expressRouteGatewayBypass":true,"futureThing":{"big":12345678901234567890,"odd":1.50e+2}}}`},
		{"virtual WAN: no tags, its name stays", testVCon, vwanBody, "7",
			`{"name":"er-ashburn","properties":{"routingWeight":201,"enableInternetSecurity":true,` +
				`"expressRouteCircuitPeering":{"id":"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/er-ashburn/peerings/AzurePrivatePeering"},` +
				`"routingConfiguration":{"associatedRouteTable":{"id":"x"}}}}`},
		{"no tags yet", testConn, `{"properties":{"routingWeight":1}}`, "7", `{"properties":{"routingWeight":201},"tags":{"erfailover-epoch":"7"}}`},
		{"null tags", testConn, `{"tags":null,"properties":{"routingWeight":1}}`, "7", `{"tags":{"erfailover-epoch":"7"},"properties":{"routingWeight":201}}`},
		{"empty tags are remembered", testConn, `{"tags":{},"properties":{"routingWeight":1}}`, "7", `{"tags":{"erfailover-epoch":"7 {}"},"properties":{"routingWeight":201}}`},
		{"a second epoch keeps that memory", testConn, `{"tags":{"erfailover-epoch":"7 {}"},"properties":{"routingWeight":1}}`, "8", `{"tags":{"erfailover-epoch":"8 {}"},"properties":{"routingWeight":201}}`},
		{"settle leaves empty tags", testConn, `{"tags":{"erfailover-epoch":"7 {}"},"properties":{"routingWeight":1}}`, "", `{"tags":{},"properties":{"routingWeight":201}}`},
		{"settle takes our own tags object away", testConn, `{"tags":{"erfailover-epoch":"7"},"properties":{"routingWeight":1}}`, "", `{"properties":{"routingWeight":201}}`},
		{"settle leaves the tags of others", testConn, `{"tags":{"a":"b","ERFailover-Epoch":"7"},"properties":{"routingWeight":1}}`, "", `{"tags":{"a":"b"},"properties":{"routingWeight":201}}`},
		{"no weight yet", testConn, `{"properties":{"enableBgp":true}}`, "", `{"properties":{"enableBgp":true,"routingWeight":201}}`},
		{"null weight", testConn, `{"properties":{"routingWeight":null,"enableBgp":true}}`, "", `{"properties":{"routingWeight":201,"enableBgp":true}}`},
		{"a real key goes back, a shared key never", testConn, `{"properties":{"authorizationKey":"k-1","sharedKey":"x","routingWeight":1}}`, "", `{"properties":{"authorizationKey":"k-1","routingWeight":201}}`},
		{"an empty key is a mask of no length", testConn, `{"properties":{"authorizationKey":"","routingWeight":1}}`, "", `{"properties":{"routingWeight":201}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(mustParse(t, tt.id, tt.body).edited(201, tt.epoch))
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestConnectionState(t *testing.T) {
	s := mustParse(t, testConn, connBody).state
	if s.Gateway != testGW || s.Circuit != testER || s.Weight != 100 || s.Epoch != "" || s.Provisioning != "Succeeded" || s.Status != "Connected" || !s.FastPath || s.ID != testConn {
		t.Errorf("virtual network: %+v", s)
	}
	v := mustParse(t, testVCon, vwanBody).state
	if v.Gateway != testVGW || v.Circuit != testER || v.Weight != 0 {
		t.Errorf("virtual WAN: %+v", v)
	}
	if p := mustParse(t, testConn, connBody).path; !strings.HasSuffix(p, "/resourceGroups/Net/providers/Microsoft.Network/connections/ER-Ashburn-GW1") {
		t.Errorf("the address of a PUT must be spelled as Azure spells it: %s", p)
	}
	if p := mustParse(t, testConn, strings.Replace(connBody, "ER-Ashburn-GW1", "other", 1)).path; p != testConn {
		t.Errorf("an ID of something else must not become an address: %s", p)
	}
}

// What may change by itself leaves the hash alone; anything else does not.
func TestRestHash(t *testing.T) {
	base := mustParse(t, testConn, connBody).state.Rest
	same := map[string][2]string{
		"weight":            {`"routingWeight": 100`, `"routingWeight": 32000`},
		"our tag":           {`"owner"`, `"erfailover-epoch":"9","owner"`},
		"spelling of a tag": {`net\u0077ork`, `network`},
		"state":             {`"Succeeded"`, `"Updating"`},
		"status":            {`"Connected"`, `"NotConnected"`},
		"etag":              {`W/\"1\"`, `W/\"2\"`},
		"bytes":             {`: 7,`, `: 9,`},
		"mask":              {`"authorizationKey": "*****************",`, ``},
		"key shown":         {`"*****************"`, `"key-secret"`},
		"case of an ID":     {`resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways`, `resourcegroups/NET/providers/microsoft.network/VirtualNetworkGateways`},
		"order":             {`"location": "eastus",`, ``},
	}
	for name, r := range same {
		body := strings.ReplaceAll(connBody, r[0], r[1])
		if name == "order" {
			body = strings.Replace(body, `"tags"`, `"location":"eastus","tags"`, 1)
		}
		if body == connBody && name != "order" {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if got := mustParse(t, testConn, body).state.Rest; got != base {
			t.Errorf("%s: the hash must not change", name)
		}
	}
	other := map[string][2]string{
		"fast path":      {`"expressRouteGatewayBypass": true`, `"expressRouteGatewayBypass": false`},
		"unknown":        {`1.50e+2`, `151`},
		"large number":   {`12345678901234567890`, `12345678901234567891`},
		"tag of others":  {`"owner"`, `"owner2"`},
		"another peer":   {`expressRouteCircuits/er-ashburn`, `expressRouteCircuits/er-chicago`},
		"location":       {`"eastus"`, `"westus"`},
		"property added": {`"enableBgp"`, `"new":1,"enableBgp"`},
	}
	for name, r := range other {
		body := strings.ReplaceAll(connBody, r[0], r[1])
		if got := mustParse(t, testConn, body).state.Rest; got == base {
			t.Errorf("%s: the hash must change", name)
		}
	}
	if a, b := mustParse(t, testConn, `{"tags":{},"properties":{}}`).state.Rest, mustParse(t, testConn, `{"properties":{}}`).state.Rest; a != b {
		t.Error("no tags and empty tags are the same to Azure")
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"properties":null}`, `{"properties":{}`, `{"properties":{}} x`,
		`{"properties":{"routingWeight":1,"routingWeight":2}}`, `{"tags":[],"properties":{}}`,
		`{"properties":{"routingWeight":"100"}}`, `{"properties":{"routingWeight":99999999999}}`,
		`{"tags":{"erfailover-epoch":5},"properties":{}}`, "{\"properties\":{\"a\":\"\xff\"}}",
	} {
		if _, err := parseConnection(mustID(t, testConn), []byte(body)); err == nil {
			t.Errorf("%q must be refused", body)
		}
	}
}

// drawBody draws the body of a connection as some Azure may show it.
func drawBody(t *rapid.T) string {
	value := rapid.SampledFrom([]string{`1`, `1.0`, `1e3`, `-0`, `12345678901234567890`, `0.1000`, `"a\u0041\/b"`, `""`, `true`, `null`,
		`[]`, `{}`, `[{"id":"/subscriptions/X"},2]`, `{"z":1,"a":{"etag":"q","provisioningState":"Failed"}}`})
	var props []string
	for i := range rapid.IntRange(0, 6).Draw(t, "properties") {
		props = append(props, fmt.Sprintf(`"p%d":%s`, i, value.Draw(t, "value")))
	}
	props = append(props, fmt.Sprintf(`"routingWeight":%d`, rapid.IntRange(0, 32000).Draw(t, "weight")))
	props = append(props, rapid.SampledFrom([]string{`"x":1`, `"authorizationKey":"***"`, `"authorizationKey":"real"`, `"sharedKey":"s"`, `"expressRouteGatewayBypass":true`}).Draw(t, "key"))
	top := []string{`"properties":{` + strings.Join(rapid.Permutation(props).Draw(t, "order"), ",") + `}`, `"location":"eastus"`, `"zones":["1"]`}
	if tags := rapid.SampledFrom([]string{"", `{}`, `{"a":"b"}`, `{"b":"1","a":"2"}`, `{"Owner":"\u00e9"}`}).Draw(t, "tags"); tags != "" {
		top = append(top, `"tags":`+tags)
	}
	return `{` + strings.Join(rapid.Permutation(top).Draw(t, "top"), ",") + `}`
}

// stored is what a server shows of a body that it took: read-only fields appear.
func stored(body []byte) string {
	s := strings.Replace(string(body), `"properties":{`, `"properties":{"provisioningState":"Succeeded","resourceGuid":"g",`, 1)
	return `{"name":"n","id":"i","etag":"W/1","type":"t",` + s[1:]
}

// Promise: the body that goes back differs from the body that came in the weight
// and our tag alone; and a raise that is settled restores every byte.
func TestRaiseAndSettleRestoreEveryByte(t *testing.T) {
	id := mustID(t, testConn)
	rapid.Check(t, func(t *rapid.T) {
		body := drawBody(t)
		first, err := parseConnection(id, []byte(stored([]byte(body))))
		if err != nil {
			t.Fatal(err)
		}
		// What a write of nothing new sends: the body less read-only fields and secrets.
		plain := string(first.edited(first.state.Weight, ""))
		now := first
		epochs := rapid.SliceOfN(rapid.StringMatching(`[1-9][0-9]{0,5}`), 1, 3).Draw(t, "epochs")
		for i, epoch := range epochs {
			to := min(first.state.Weight+int32(i)+1, 32000)
			sent := now.edited(to, epoch)
			onlyWeightAndTag(t, plain, sent, to, epoch)
			if now, err = parseConnection(id, []byte(stored(sent))); err != nil {
				t.Fatal(err)
			}
			if now.state.Weight != to || now.state.Epoch != epoch || now.state.Rest != first.state.Rest {
				t.Fatalf("read back %+v", now.state)
			}
		}
		if settled := string(now.edited(first.state.Weight, "")); settled != plain {
			t.Fatalf("settled\n%s\nwant\n%s", settled, plain)
		}
	})
}

// onlyWeightAndTag compares two bodies by another decoder than the code's own.
func onlyWeightAndTag(t *rapid.T, plain string, sent []byte, weight int32, epoch string) {
	read := func(b []byte) map[string]any {
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var m map[string]any
		if err := dec.Decode(&m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := read([]byte(plain)), read(sent)
	if got := fmt.Sprint(b["properties"].(map[string]any)[weightName]); got != fmt.Sprint(weight) {
		t.Fatalf("weight %s, want %d", got, weight)
	}
	tags, _ := b["tags"].(map[string]any)
	if got := fmt.Sprint(tags[EpochTag]); got != epoch && got != epoch+emptyTags {
		t.Fatalf("tag %q, want %q", got, epoch)
	}
	for _, m := range []map[string]any{a, b} {
		delete(m["properties"].(map[string]any), weightName)
		if tags, ok := m["tags"].(map[string]any); ok {
			if delete(tags, EpochTag); len(tags) == 0 {
				delete(m, "tags")
			}
		}
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if !bytes.Equal(x, y) {
		t.Fatalf("more than the weight and our tag changed\n%s\n%s", x, y)
	}
}

func FuzzParseConnection(f *testing.F) {
	f.Add([]byte(connBody))
	f.Add([]byte(vwanBody))
	f.Add([]byte(`{"tags":{"erfailover-epoch":"7 {}"},"properties":{"routingWeight":null}}`))
	id := mustID(f, testConn)
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseConnection(id, body)
		if err != nil {
			return
		}
		sent := c.edited(201, "7")
		if !jsontext.Value(sent).IsValid() {
			t.Fatalf("not JSON: %s", sent)
		}
		again, err := parseConnection(id, sent)
		if err != nil {
			t.Fatalf("%v: %s", err, sent)
		}
		if again.state.Weight != 201 || again.state.Epoch != "7" || again.state.Rest != c.state.Rest {
			t.Fatalf("%+v, was %+v", again.state, c.state)
		}
	})
}
