package sim

import (
	"strings"
	"testing"
	"time"
)

func TestOneWriteAtATimeOnAGateway(t *testing.T) {
	b := newBench(t, Options{})
	b.want("first", b.raise(b.Connections["gw-east-1/er-chicago"], 201).status, 200)
	second := b.raise(b.Connections["gw-east-1/er-dallas"], 60)
	b.want("second", second.status, 409)
	b.want("code", second.code(), "AnotherOperationInProgress")
	b.want("other gateway", b.raise(b.Connections["gw-east-2/er-chicago"], 201).status, 200)
	b.pass(44 * time.Second)
	b.want("a second too soon", b.raise(b.Connections["gw-east-1/er-dallas"], 60).status, 409)
	b.pass(time.Second)
	b.want("after the end", b.raise(b.Connections["gw-east-1/er-dallas"], 60).status, 200)
	b.Fabric.Hold(b.Gateways["gw-south-1"], time.Minute, b.clock())
	b.want("held by others", b.raise(b.Connections["gw-south-1/er-ashburn"], 201).status, 409)
	b.want("gateway", b.get(b.Gateways["gw-south-1"]).state(), "Updating")
}

func TestPutReplacesEverything(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-east-1/er-chicago"]
	before := b.get(id).body
	b.raise(id, 201)
	b.pass(time.Minute)
	after := b.get(id).body
	strip := func(x body) string {
		return string(x.without("etag").with("properties", x.sub("properties").without("routingWeight")).raw())
	}
	b.want("all but the weight, byte for byte", strip(after), strip(before))
	if after.text("etag") == before.text("etag") {
		t.Fatal("the entity tag did not change")
	}
	if raw := string(after.raw()); !strings.Contains(raw, `"serial":9007199254740993,"Zeta":null,"alpha":[3,1,2]`) {
		t.Fatalf("the unknown property was bent: %s", raw)
	}

	// A body built by hand loses what it leaves out, FastPath and tags too.
	poor := object("location", "eastus2", "properties", before.sub("properties").only("virtualNetworkGateway1", "peer", "connectionType").with("routingWeight", 202))
	b.want("poor write", b.do("PUT", id, poor.raw()).status, 200)
	b.pass(time.Minute)
	after = b.get(id).body
	b.want("fast path", string(after.sub("properties").get("expressRouteGatewayBypass")), "false")
	b.want("routing configuration", after.sub("properties").get("routingConfiguration") == nil, true)
	b.want("tags", after.get("tags") == nil, true)
	b.want("guid kept", after.sub("properties").text("resourceGuid"), before.sub("properties").text("resourceGuid"))
}

func TestPutIsChecked(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-east-1/er-chicago"]
	was := b.get(id).body
	p := was.sub("properties")
	for name, c := range map[string]struct {
		sent string
		code string
	}{
		"not JSON":      {`{"properties":`, "InvalidRequestContent"},
		"an array":      {`[]`, "InvalidRequestContent"},
		"doubled name":  {`{"location":"a","location":"b"}`, "InvalidRequestContent"},
		"no properties": {`{"location":"eastus2"}`, "InvalidRequestFormat"},
		"no location":   {string(was.without("location").raw()), "LocationRequired"},
		"too heavy":     {string(withWeight(was, 32001)), "InvalidRequestFormat"},
		"negative":      {string(withWeight(was, -1)), "InvalidRequestFormat"},
		"masked key":    {string(was.with("properties", p.with("authorizationKey", "*****************")).raw()), "AuthorizationKeyInvalid"},
		"shared key":    {string(was.with("properties", p.with("sharedKey", "abc")).raw()), "SharedKeyCannotBeSetForExpressRouteConnection"},
		"other peer":    {string(was.with("properties", p.with("peer", object("id", b.Circuits["er-dallas"]))).raw()), "ExpressRouteConnectionPeerCannotBeChanged"},
		"no gateway":    {string(was.with("properties", p.without("virtualNetworkGateway1")).raw()), "InvalidRequestFormat"},
		"gone circuit":  {string(was.with("properties", p.with("peer", object("id", b.Circuits["er-dallas"]+"x"))).raw()), "InvalidResourceReference"},
	} {
		got := b.do("PUT", id, []byte(c.sent))
		if got.status != 400 || got.code() != c.code {
			t.Errorf("%s: got %d %s, want 400 %s", name, got.status, got.code(), c.code)
		}
	}
	b.want("nothing landed", len(b.Fabric.Landings(b.clock().Add(time.Hour))), 0)
}

func TestAuthorizationKeyIsNeverShown(t *testing.T) {
	spec := DemoEstateAt(benchStart, Timing{}).Spec
	const secret = "6f1c2a34-0000-4000-8000-5ec2e7000001"
	spec.Connections[0].Key = secret
	f, err := NewFabric(spec)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Options{})
	b.arm.fabric = f
	id := spec.Connections[0].ID
	got := b.get(id)
	b.want("masked", got.body.sub("properties").text("authorizationKey"), "*****************")
	b.arm.Inject(Rule{Match{}, Fault{Kind: AbsentKey}})
	b.want("absent", b.get(id).body.sub("properties").get("authorizationKey") == nil, true)
	b.want("put without it", b.raise(id, 300).status, 200)
	b.pass(time.Minute)
	b.arm.opts.Key = KeyAbsent
	b.arm.Inject(Rule{Match{}, Fault{Kind: MaskedKey}})
	b.want("kept", b.get(id).body.sub("properties").text("authorizationKey"), "*****************")
	b.want("absent by option", b.get(id).body.sub("properties").get("authorizationKey") == nil, true)
	if strings.Contains(string(got.raw), secret) {
		t.Fatal("the key is shown")
	}
}

func TestVirtualWAN(t *testing.T) {
	b := newBench(t, Options{})
	id := b.Connections["gw-south-hub/er-ashburn"]
	was := b.get(id).body
	b.want("tags", was.get("tags") == nil, true)
	put := b.do("PUT", id, withWeight(was.with("tags", object("x", "y")), 201))
	b.want("put", put.status, 200)
	b.want("second on the hub", b.raise(b.Connections["gw-south-hub/er-chicago-2"], 9).status, 409)
	b.pass(time.Minute)
	now := b.get(id)
	b.want("weight", now.weight(), "201")
	b.want("no tags", now.body.get("tags") == nil, true)
	b.want("carrying", strings.Join(b.Fabric.Carrying(b.Gateways["gw-south-hub"], b.clock()), ","), b.Circuits["er-ashburn"])
	b.want("patch", b.do("PATCH", id, []byte(`{"tags":{}}`)).status, 400)
}

func TestTagsCreateDeleteAndForeignWriters(t *testing.T) {
	b := newBench(t, Options{HonorIfMatch: true})
	id := b.Connections["gw-east-1/er-chicago"]
	was := b.get(id)
	b.want("patch", b.do("PATCH", id, []byte(`{"tags":{"a":"b"}}`)).status, 200)
	b.want("tags", string(b.get(id).body.get("tags")), `{"a":"b"}`)
	b.want("old tag", b.do("PUT", id, withWeight(was.body, 300), "If-Match", was.body.text("etag")).status, 412)
	b.Fabric.ForeignWrite(id, 777, b.clock())
	b.want("foreign weight", b.get(id).weight(), "777")
	b.Fabric.ForeignField(id, "enableBgp", true, b.clock())
	b.want("foreign field", string(b.get(id).body.sub("properties").get("enableBgp")), "true")
	b.Fabric.Delete(id, b.clock())
	b.want("deleted", b.get(id).status, 404)
	b.want("recreated", b.do("PUT", id, withWeight(was.body, 250)).status, 201)
	b.want("not yet carrying", strings.Join(b.Fabric.Carrying(b.Gateways["gw-east-1"], b.clock()), ","), b.Circuits["er-ashburn"])
	b.pass(time.Minute)
	b.want("carrying", strings.Join(b.Fabric.Carrying(b.Gateways["gw-east-1"], b.clock()), ","), b.Circuits["er-chicago"])
	b.want("weight", b.get(id).weight(), "250")
	b.want("changes", len(b.Fabric.Changes(0)), 3)
}
