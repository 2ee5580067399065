package infratest

import (
	"bufio"
	"errors"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v11"
	"github.com/go-json-experiment/json"
)

// The API version of armnetwork v11, as its clients send it; TestNetworkVersion reads it.
const networkVersion = "2025-09-01"

// network are the SDK's own types, so that a name in a template is a name that the
// SDK knows.
var network = map[string]any{
	"Microsoft.Network/expressRouteCircuits":                         armnetwork.ExpressRouteCircuit{},
	"Microsoft.Network/expressRouteCircuits/peerings":                armnetwork.ExpressRouteCircuitPeering{},
	"Microsoft.Network/expressRoutePorts":                            armnetwork.ExpressRoutePort{},
	"Microsoft.Network/expressRouteGateways":                         armnetwork.ExpressRouteGateway{},
	"Microsoft.Network/expressRouteGateways/expressRouteConnections": armnetwork.ExpressRouteConnection{},
	"Microsoft.Network/virtualNetworkGateways":                       armnetwork.VirtualNetworkGateway{},
	"Microsoft.Network/connections":                                  armnetwork.VirtualNetworkGatewayConnection{},
	"Microsoft.Network/virtualNetworks":                              armnetwork.VirtualNetwork{},
	"Microsoft.Network/publicIPAddresses":                            armnetwork.PublicIPAddress{},
	"Microsoft.Network/privateEndpoints":                             armnetwork.PrivateEndpoint{},
	"Microsoft.Network/privateEndpoints/privateDnsZoneGroups":        armnetwork.PrivateDNSZoneGroup{},
	"Microsoft.Network/virtualHubs":                                  armnetwork.VirtualHub{},
	"Microsoft.Network/virtualWans":                                  armnetwork.VirtualWAN{},
}

// language are the names that belong to Bicep, not to the resource.
var language = []string{"name", "parent", "scope", "dependsOn"}

// sent notes the version that a client asks for, and lets nothing out.
type sent string

func (s *sent) Do(r *http.Request) (*http.Response, error) {
	*s = sent(r.URL.Query().Get("api-version"))
	return nil, errors.New("nothing is sent here")
}

func TestNetworkVersion(t *testing.T) {
	var got sent
	options := &arm.ClientOptions{ClientOptions: policy.ClientOptions{Transport: &got, Retry: policy.RetryOptions{MaxRetries: -1}}}
	client, err := armnetwork.NewExpressRouteCircuitsClient("sub", &fake.TokenCredential{}, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), "group", "circuit", nil); err == nil {
		t.Fatal("an answer from nowhere")
	}
	if got != networkVersion {
		t.Errorf("the SDK asks for %s, the templates for %s", got, networkVersion)
	}
}

// listed are the types of testdata/resources.txt: type@version to its names, as
// "sku" and "properties.serverFarmId".
func listed(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("testdata/resources.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]string{}
	var now string
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, " "):
			now = line
			all[now] = nil
		case strings.HasPrefix(line, "  from "):
		default:
			all[now] = append(all[now], strings.Fields(line)...)
		}
	}
	return all
}

func TestEveryTypeAndNameIsAzures(t *testing.T) {
	list, used := listed(t), map[string]bool{}
	for path, f := range templates(t) {
		for _, r := range f.Resources {
			typ, version, _ := strings.Cut(r.Type, "@")
			if sdk, ok := network[typ]; ok {
				if version != networkVersion {
					t.Errorf("%s: %s has version %s, want %s, the SDK's", path, r.Symbol, version, networkVersion)
				}
				for _, name := range unknown(r.Names, known(t, sdk), "", 0) {
					t.Errorf("%s: %s (%s): no such name: %s", path, r.Symbol, typ, name)
				}
				continue
			}
			names, ok := list[r.Type]
			if !ok {
				t.Errorf("%s: %s: %s is not in testdata/resources.txt", path, r.Symbol, r.Type)
				continue
			}
			used[r.Type] = true
			for _, name := range flat(r.Names) {
				if !slices.Contains(language, name) && !slices.Contains(names, name) {
					t.Errorf("%s: %s (%s): no such name: %s", path, r.Symbol, r.Type, name)
				}
			}
		}
	}
	for typ := range list {
		if !used[typ] {
			t.Errorf("testdata/resources.txt: %s is used nowhere", typ)
		}
	}
}

// flat lists the top names and those directly under properties.
func flat(names tree) []string {
	out := slices.Collect(maps.Keys(names))
	for k := range names["properties"] {
		out = append(out, "properties."+k)
	}
	slices.Sort(out)
	return out
}

// unknown lists the names of a template that the SDK's type does not write.
func unknown(have tree, sdk map[string]any, at string, depth int) []string {
	var out []string
	for name, below := range have {
		if depth == 0 && slices.Contains(language, name) {
			continue
		}
		value, ok := sdk[name]
		if !ok {
			out = append(out, at+name)
			continue
		}
		if list, isList := value.([]any); isList && len(list) > 0 {
			value = list[0]
		}
		if object, isObject := value.(map[string]any); isObject {
			if name == "tags" || name == "userAssignedIdentities" {
				continue
			}
			out = append(out, unknown(below, object, at+name+".", depth+1)...)
		} else if len(below) > 0 {
			out = append(out, at+name+" is not an object")
		}
	}
	slices.Sort(out)
	return out
}

// known is what the SDK writes when every field of the type is set.
func known(t *testing.T, typ any) map[string]any {
	t.Helper()
	v := reflect.New(reflect.TypeOf(typ))
	fill(v.Elem(), 0)
	body, err := v.Interface().(interface{ MarshalJSON() ([]byte, error) }).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fill sets every field, to a depth that the templates do not reach.
func fill(v reflect.Value, depth int) {
	if depth > 14 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem() == reflect.TypeFor[time.Time]() {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		if narrow[v.Type().Name()] && depth > 8 {
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, depth+1)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	default:
	}
}

// narrow are types that name each other in circles.
var narrow = map[string]bool{"Subnet": true, "PublicIPAddress": true, "NetworkInterface": true, "IPConfiguration": true, "PrivateEndpoint": true, "SecurityGroup": true, "RouteTable": true, "NatGateway": true, "FrontendIPConfiguration": true, "InterfaceIPConfiguration": true}

// The checks above have to notice a slip of the pen.
func TestSlipsAreNoticed(t *testing.T) {
	have := tree{"name": nil, "properties": {"routingWeigth": nil, "peer": {"idd": nil}, "routingWeight": nil}}
	want := []string{"properties.peer.idd", "properties.routingWeigth"}
	if got := unknown(have, known(t, armnetwork.VirtualNetworkGatewayConnection{}), "", 0); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	names := listed(t)["Microsoft.Web/sites@2024-04-01"]
	if !slices.Contains(names, "properties.httpsOnly") || slices.Contains(names, "properties.httpOnly") {
		t.Errorf("sites: %q", names)
	}
}
