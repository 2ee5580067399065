package armnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
)

// EpochTag is the name of the tag that carries the epoch of the last decision on a
// virtual network gateway's connection.
const EpochTag = "erfailover-epoch"

// emptyTags is put behind the epoch when the connection had an empty tags object,
// so that settling can tell it from none at all. The caller never sees it.
const emptyTags = " {}"

// weightName is the one property that we change.
const weightName = "routingWeight"

// member is one member of a JSON object, in raw form.
type member struct {
	name  string
	raw   jsontext.Value // the name as it was spelled, with its quotes
	value jsontext.Value
}

// object is a JSON object whose members keep their order and their spelling:
// number literals and escapes go back as they came.
type object []member

// parseObject reads one object. It refuses duplicate names and broken UTF-8:
// what two readers may understand differently is never written back.
func parseObject(b []byte) (object, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errors.New("is not a JSON object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	o := object{}
	for dec.PeekKind() != '}' {
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m := member{raw: raw.Clone()}
		if err := json.Unmarshal(m.raw, &m.name); err != nil {
			return nil, err
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m.value = value.Clone()
		o = append(o, m)
	}
	_, err := dec.ReadToken()
	return o, err
}

func (o object) index(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

// get returns the value of a member, nil if there is none.
func (o object) get(name string) jsontext.Value {
	if i := o.index(name); i >= 0 {
		return o[i].value
	}
	return nil
}

// set replaces the value of a member in its place, or adds the member at the end.
func (o object) set(name string, v jsontext.Value) object {
	if i := o.index(name); i >= 0 {
		o[i].value = v
		return o
	}
	return append(o, member{name: name, raw: quote(name), value: v})
}

// drop removes the members that the function picks.
func (o object) drop(pick func(member) bool) object { return slices.DeleteFunc(o, pick) }

// bytes writes the object out, compact.
func (o object) bytes() jsontext.Value {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(m.raw)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func quote(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic("armnet: quote of checked text: " + err.Error()) // names and epochs are checked ASCII
	}
	return b
}

// connection is the body of one connection, taken apart for editing.
type connection struct {
	id    events.ResourceID
	path  string // the ID as Azure spells it, for the address of a PUT
	vwan  bool   // its properties and rules are those of expressRouteConnections
	top   object
	props object
	tags  object // nil: there is no tags object
	state executor.ConnectionState
}

// parseConnection reads the body of a connection.
func parseConnection(id events.ResourceID, body []byte) (*connection, error) {
	c := &connection{id: id, path: id.String(), vwan: id.Type() == events.TypeVWANConnection}
	compact := jsontext.Value(body).Clone()
	if err := compact.Compact(); err != nil {
		return nil, err
	}
	var err error
	if c.top, err = parseObject(compact); err != nil {
		return nil, err
	}
	if c.props, err = parseObject(c.top.get("properties")); err != nil {
		return nil, fmt.Errorf("properties: %w", err)
	}
	if raw := c.top.get("tags"); raw != nil && raw.Kind() != 'n' {
		if c.tags, err = parseObject(raw); err != nil {
			return nil, fmt.Errorf("tags: %w", err)
		}
	}
	var spelled string
	if json.Unmarshal(c.top.get("id"), &spelled) == nil && events.Canonical(spelled) == c.path {
		c.path = "/" + strings.Trim(spelled, "/")
	}
	return c, c.readState(compact)
}

// readState fills the narrow view.
func (c *connection) readState(body []byte) error {
	var b struct {
		Properties struct {
			RoutingWeight     *int32    `json:"routingWeight"`
			ProvisioningState string    `json:"provisioningState"`
			ConnectionStatus  string    `json:"connectionStatus"`
			FastPath          bool      `json:"expressRouteGatewayBypass"`
			PrivateLink       bool      `json:"enablePrivateLinkFastPath"`
			Gateway           reference `json:"virtualNetworkGateway1"`
			Peer              reference `json:"peer"`
			Peering           reference `json:"expressRouteCircuitPeering"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	p := b.Properties
	c.state = executor.ConnectionState{
		ID: c.id.String(), Provisioning: p.ProvisioningState, Status: p.ConnectionStatus, FastPath: p.FastPath, PrivateLink: p.PrivateLink, Owner: c.owner(),
		Gateway: events.Canonical(p.Gateway.ID), Circuit: events.Canonical(p.Peer.ID),
	}
	if c.vwan {
		if gw, ok := c.id.Up(events.TypeVWANGateway); ok {
			c.state.Gateway = gw.String()
		}
		c.state.Circuit = circuitOf(p.Peering.ID)
	}
	if p.RoutingWeight != nil { // none and null are Azure's default, 0
		c.state.Weight = *p.RoutingWeight
	}
	if i := c.tag(); i >= 0 {
		var epoch string
		if err := json.Unmarshal(c.tags[i].value, &epoch); err != nil {
			return fmt.Errorf("tag %s: %w", EpochTag, err)
		}
		c.state.Epoch = strings.TrimSuffix(epoch, emptyTags)
	}
	var err error
	c.state.Rest, err = c.rest()
	return err
}

// owner returns the tool that a tag names as the connection's owner.
func (c *connection) owner() string {
	tags := map[string]string{}
	for _, m := range c.tags {
		var value string
		if json.Unmarshal(m.value, &value) == nil {
			tags[m.name] = value
		}
	}
	return ownerOf(tags)
}

// reference is a link to another resource.
type reference struct {
	ID string `json:"id"`
}

// circuitOf returns the circuit of a peering's ID, canonical, or "".
func circuitOf(peering string) string {
	id, err := events.ParseResourceID(peering)
	if err != nil {
		return ""
	}
	if circuit, ok := id.Up(events.TypeCircuit); ok {
		return circuit.String()
	}
	return ""
}

// tag returns the place of our tag, or -1. Azure compares tag names without case.
func (c *connection) tag() int {
	return slices.IndexFunc(c.tags, func(m member) bool { return strings.EqualFold(m.name, EpochTag) })
}

// edited returns the body to send: what was read, less what is read-only or
// secret, with the new weight and our tag. An epoch of "" removes the tag, and
// with it a tags object that exists for its sake alone.
func (c *connection) edited(weight int32, epoch string) []byte {
	props := slices.Clone(c.props).set(weightName, jsontext.Value(strconv.Itoa(int(weight))))
	props = props.drop(func(m member) bool { return readOnlyProperty(m.name) || secret(m) })
	top := slices.Clone(c.top).set("properties", props.bytes())
	if !c.vwan {
		top = c.tagged(top, epoch)
	}
	top = top.drop(func(m member) bool { return c.readOnly(m.name) })
	return top.bytes()
}

// tagged puts our tag into the body or takes it out.
func (c *connection) tagged(top object, epoch string) object {
	tags, at := slices.Clone(c.tags), c.tag()
	switch {
	case epoch != "" && at >= 0:
		if bytes.HasSuffix(tags[at].value, []byte(emptyTags+`"`)) {
			epoch += emptyTags
		}
		tags[at].value = quote(epoch)
	case epoch != "":
		if c.tags != nil && len(c.tags) == 0 {
			epoch += emptyTags
		}
		tags = tags.set(EpochTag, quote(epoch))
	case at >= 0:
		marked := bytes.HasSuffix(tags[at].value, []byte(emptyTags+`"`))
		tags = slices.Delete(tags, at, at+1)
		if len(tags) == 0 && !marked {
			return top.drop(func(m member) bool { return m.name == "tags" })
		}
	default:
		return top
	}
	return top.set("tags", tags.bytes())
}

// readOnly names the members of the body that only Azure sets. The name of a
// Virtual WAN connection is a required part of its body.
func (c *connection) readOnly(name string) bool {
	switch name {
	case "id", "type", "etag", "systemData":
		return true
	case "name":
		return !c.vwan
	}
	return false
}

func readOnlyProperty(name string) bool {
	switch name {
	case "provisioningState", "connectionStatus", "resourceGuid", "tunnelConnectionStatus",
		"ingressBytesTransferred", "egressBytesTransferred":
		return true
	}
	return false
}

// secret picks what must not be sent back: a shared key, which Azure refuses on an
// ExpressRoute connection, and the mask that a read shows for the authorization key.
func secret(m member) bool {
	if m.name == "sharedKey" {
		return true
	}
	return m.name == "authorizationKey" && masked(m.value)
}

func masked(v jsontext.Value) bool {
	s := strings.Trim(string(v), `"`)
	return v.Kind() == '"' && strings.Trim(s, "*") == ""
}

// rest hashes what of the body must stay as it is.
func (c *connection) rest() (string, error) {
	props := slices.Clone(c.props).drop(func(m member) bool {
		return m.name == weightName || m.name == "authorizationKey" || readOnlyProperty(m.name) || secret(m)
	})
	top := slices.Clone(c.top).set("properties", props.bytes()).drop(func(m member) bool {
		return m.name == "tags" || m.name == "name" || c.readOnly(m.name)
	})
	tags := slices.Clone(c.tags).drop(func(m member) bool { return strings.EqualFold(m.name, EpochTag) })
	if len(tags) > 0 {
		top = top.set("tags", tags.bytes())
	}
	plain, err := canonical(top.bytes())
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:]), nil
}

// canonical writes a value in one way: members sorted, no white space, resource
// IDs in lower case (Azure spells them as it likes), and without the etags and
// provisioning states of embedded resources, which change by themselves. Numbers
// stay as they are spelled: a float64 would make large ones equal.
func canonical(v jsontext.Value) (jsontext.Value, error) {
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	enc := jsontext.NewEncoder(&out)
	for dec.PeekKind() != 0 {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		if tok.Kind() == '"' {
			s := tok.String()
			kind, length := dec.StackIndex(dec.StackDepth())
			isName := kind == '{' && length%2 == 1
			if isName && (s == "etag" || s == "provisioningState" || s == "resourceGuid") {
				if err := dec.SkipValue(); err != nil {
					return nil, err
				}
				continue
			}
			if !isName && len(s) > 15 && strings.EqualFold(s[:15], "/subscriptions/") {
				s = strings.ToLower(s)
			}
			tok = jsontext.String(s)
		}
		if err := enc.WriteToken(tok); err != nil {
			return nil, err
		}
	}
	sorted := jsontext.Value(out.Bytes())
	err := sorted.Compact(jsontext.ReorderRawObjects(true))
	return sorted, err
}
