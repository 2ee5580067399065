package armnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v11"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/clock"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
)

const opLever = "pull lever"

// Response types of the levers: they name the resume tokens. Only the names are used:
// the SDK cannot read the results of the tests, which are bare strings and arrays.
type (
	siteStart  = armnetwork.VirtualNetworkGatewaysClientStartExpressRouteSiteFailoverSimulationResponse
	linkStart  = armnetwork.ExpressRouteCircuitsClientStartCircuitLinkFailoverTestResponse
	peeringPut = armnetwork.ExpressRouteCircuitPeeringsClientCreateOrUpdateResponse
	testsRead  = armnetwork.VirtualNetworkGatewaysClientGetFailoverAllTestDetailsResponse
)

// linkCategory is the sort of link test that takes the session away; the other one
// only lengthens AS paths.
const linkCategory = "BgpDisconnect"

// privatePeering is the last part of the address of a circuit's private peering.
const privatePeering = "/peerings/AzurePrivatePeering"

// beginLever carries out one cut, or one way back, up to the first answer.
func (c *Client) beginLever(ctx context.Context, w executor.Write) executor.Begun {
	id, f := checkLever(w)
	if f != nil {
		return notApplied(f)
	}
	if f := c.pace.full(id.Subscription); f != nil {
		return notApplied(requestFault(opLever, w.Connection, f))
	}
	req, b := c.leverRequest(ctx, w, id)
	if req == nil {
		return b
	}
	return c.send(ctx, opLever, w, req, func(resp *http.Response) executor.Begun { return c.pulled(w, resp) })
}

// checkLever refuses a lever that could not be meant.
func checkLever(w executor.Write) (events.ResourceID, *fault.Error) {
	bad := func(format string, args ...any) (events.ResourceID, *fault.Error) {
		return events.ResourceID{}, &fault.Error{Op: opLever, Target: clip(clean(w.Connection), 300), Kind: fault.Invalid, Err: fmt.Errorf(format, args...)}
	}
	id, err := events.ParseResourceID(w.Connection)
	if err != nil {
		return bad("target: %w", err)
	}
	if strings.ContainsFunc(w.ID, func(r rune) bool { return r < 0x21 || r > 0x7e }) || len(w.ID) > 200 {
		return bad("id: is longer than 200 bytes or holds characters that a header must not hold")
	}
	gateway := id.Type() == events.TypeVNetGateway || id.Type() == events.TypeVWANGateway
	switch w.Kind {
	case planner.Disconnect:
		if !gateway {
			return bad("target: %q is no type of a gateway", id.Type())
		}
		if w.Location == "" || len(w.Location) > 200 || clean(w.Location) != w.Location {
			return bad("location: is empty, longer than 200 bytes or holds control characters")
		}
		return id, nil
	case planner.CutLink:
		if w.Link != string(events.Primary) && w.Link != string(events.Secondary) {
			return bad("link: %q is neither primary nor secondary", clip(clean(w.Link), 40))
		}
	case planner.CutPeering:
	case planner.SetWeight:
		return bad("kind: a weight is no lever")
	default:
		return bad("kind: %q is not known", w.Kind)
	}
	if id.Type() != events.TypeCircuit {
		return bad("target: %q is no type of a circuit", id.Type())
	}
	return id, nil
}

// leverRequest makes the request; a nil one has its answer in the Begun.
func (c *Client) leverRequest(ctx context.Context, w executor.Write, id events.ResourceID) (*policy.Request, executor.Begun) {
	path, query, body := "", url.Values{}, any(nil)
	switch {
	case w.Kind == planner.CutPeering:
		return c.peeringRequest(ctx, w, id)
	case w.Kind == planner.Disconnect && w.Cut:
		path, query = "/startSiteFailoverTest", url.Values{"peeringLocation": {w.Location}}
	case w.Kind == planner.Disconnect:
		path, body = "/stopSiteFailoverTest", struct {
			Location   string `json:"peeringLocation"`
			Successful bool   `json:"wasSimulationSuccessful"`
		}{w.Location, true}
	case w.Cut:
		path, query = "/startCircuitLinkFailoverTest", url.Values{"circuitTestCategory": {linkCategory}, "linkType": {linkType(w.Link)}}
	default:
		path, body = "/stopCircuitLinkFailoverTest", struct {
			Link       string `json:"linkType"`
			Category   string `json:"circuitTestCategory"`
			Successful bool   `json:"wasSimulationSuccessful"`
			Verified   bool   `json:"isVerified"`
		}{linkType(w.Link), linkCategory, true, true}
	}
	address := c.address(id.String() + path)
	if len(query) > 0 {
		address += "&" + strings.ReplaceAll(query.Encode(), "+", "%20")
	}
	req, err := runtime.NewRequest(ctx, http.MethodPost, address)
	if err == nil && body != nil {
		var text []byte
		if text, err = json.Marshal(body, json.Deterministic(true)); err == nil {
			err = req.SetBody(streaming.NopCloser(bytes.NewReader(text)), "application/json")
		}
	}
	if err != nil {
		return nil, notApplied(requestFault(opLever, w.Connection, err))
	}
	return req, executor.Begun{}
}

// linkType spells a link as Azure does.
func linkType(link string) string {
	if link == string(events.Secondary) {
		return "Secondary"
	}
	return "Primary"
}

// peeringRequest reads the private peering and makes the PUT that changes its state
// and nothing else. A peering that its provider keeps, or whose MD5 key a read hides,
// is not disabled: the PUT would overwrite what we cannot see.
func (c *Client) peeringRequest(ctx context.Context, w executor.Write, id events.ResourceID) (*policy.Request, executor.Begun) {
	address := c.address(id.String() + privatePeering)
	r, err := c.get(ctx, opLever, w.Connection, address)
	if err != nil {
		return nil, notApplied(requestFault(opLever, w.Connection, err))
	}
	top, err := parseObject(r.body)
	if err != nil {
		return nil, notApplied(unreadable(opLever, w.Connection, err))
	}
	props, err := parseObject(top.get("properties"))
	if err != nil {
		return nil, notApplied(unreadable(opLever, w.Connection, fmt.Errorf("properties: %w", err)))
	}
	text := func(name string) (s string) {
		_ = json.Unmarshal(props.get(name), &s) // what is no string is no name
		return s
	}
	refuse := func(hint, format string, args ...any) (*policy.Request, executor.Begun) {
		return nil, notApplied(&fault.Error{Op: opLever, Target: w.Connection, Kind: fault.Refused, Hint: hint, Err: fmt.Errorf(format, args...)})
	}
	state := "Enabled"
	if w.Cut {
		state = "Disabled"
		if by := text("lastModifiedBy"); by != "" && !strings.EqualFold(by, "Customer") {
			return refuse("ask the provider to withdraw the routes", "the peering was last changed by %q: a write would overwrite the provider's settings", clip(clean(by), 60))
		}
		if masked(props.get("sharedKey")) {
			return refuse("disable it by hand, with the key at hand", "the peering has an MD5 key, which Azure does not show: a write would lose it")
		}
	}
	if strings.EqualFold(text("state"), state) {
		return nil, executor.Begun{Outcome: executor.Applied, NoOp: true}
	}
	switch strings.ToLower(text("provisioningState")) {
	case "", "succeeded", "failed", "canceled":
	default:
		return nil, notApplied(&fault.Error{Op: opLever, Target: w.Connection, Kind: fault.Busy, Err: errors.New("the peering is " + clip(clean(text("provisioningState")), 40))})
	}
	props = props.set("state", quote(state)).drop(func(m member) bool { return peeringReadOnly(m.name) || masked(m.value) })
	top = top.set("properties", jsontext.Value(props.bytes())).drop(func(m member) bool { return strings.EqualFold(m.name, "etag") || strings.EqualFold(m.name, "type") })
	req, err := runtime.NewRequest(ctx, http.MethodPut, address)
	if err == nil {
		err = req.SetBody(streaming.NopCloser(bytes.NewReader(top.bytes())), "application/json")
	}
	if err != nil {
		return nil, notApplied(requestFault(opLever, w.Connection, err))
	}
	return req, executor.Begun{}
}

// peeringReadOnly names the properties of a peering that only Azure sets.
func peeringReadOnly(name string) bool {
	switch strings.ToLower(name) {
	case "provisioningstate", "lastmodifiedby", "connections", "peeredconnections", "expressrouteconnection", "stats", "gatewaymanageretag":
		return true
	}
	return false
}

// pulled reads the first answer: a definite refusal is not applied, everything else
// that is not finished is unknown.
func (c *Client) pulled(w executor.Write, resp *http.Response) executor.Begun {
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300:
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return notApplied(c.answerFault(opLever, w.Connection, resp))
	default:
		f := c.answerFault(opLever, w.Connection, resp)
		return executor.Begun{Outcome: executor.Unknown, Err: f, RetryAfter: f.RetryAfter}
	}
	var s started
	var err error
	switch w.Kind {
	case planner.CutPeering:
		s, err = start[peeringPut](c, resp)
	case planner.CutLink:
		s, err = start[linkStart](c, resp)
	case planner.Disconnect, planner.SetWeight:
		s, err = start[siteStart](c, resp)
	}
	switch {
	case err != nil: // it was taken, and cannot be followed: the details tell
		return executor.Begun{Outcome: executor.Unknown, Err: requestFault(opLever, w.Connection, err)}
	case !s.done:
		return executor.Begun{Outcome: executor.Unknown, Token: s.token, RetryAfter: clock.RetryAfter(resp.Header, c.cfg.Now())}
	}
	if f := failedState(opLever, w.Connection, s.body); f != nil {
		return executor.Begun{Outcome: executor.Unknown, Err: f}
	}
	return executor.Begun{Outcome: executor.Applied}
}

// resumeLever rebuilds the poller of a lever's operation, and looks once.
func (c *Client) resumeLever(ctx context.Context, kind planner.StepKind, token string) (look, error) {
	switch kind {
	case planner.Disconnect:
		return lookOnce[siteStart](ctx, c, token)
	case planner.CutLink:
		return lookOnce[linkStart](ctx, c, token)
	case planner.CutPeering:
		return lookOnce[peeringPut](ctx, c, token)
	case planner.SetWeight:
	}
	return look{}, errors.New("a weight is no lever")
}

// testsPath returns the path and query that list all tests of a gateway or a circuit.
func testsPath(id events.ResourceID) (string, string, error) {
	switch id.Type() {
	case events.TypeVNetGateway, events.TypeVWANGateway:
		return id.String() + "/getFailoverAllTestsDetails", "&fetchLatest=true&type=All", nil
	case events.TypeCircuit:
		return id.String() + "/getCircuitLinkFailoverAllTestsDetails", "&failoverTestType=LinkFailover&fetchLatest=true", nil
	}
	return "", "", fmt.Errorf("target: %q has no failover tests", id.Type())
}

// decodeTests reads the tests' details: an array by the specification, or one in an
// object's value.
func decodeTests(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Location    string `json:"peeringLocation"`
		Link        string `json:"linkType"`
		Start       string `json:"startTime"`
		Status      string `json:"status"`
		ID          string `json:"testGuid"`
		Connections []struct {
			Status string `json:"status"`
		} `json:"connections"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		t := executor.Test{ID: clip(clean(r.ID), 60), Location: clip(clean(r.Location), 200), Link: strings.ToLower(clip(clean(r.Link), 20)), Status: clip(clean(r.Status), 40)}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "01/02/2006 15:04:05", "1/2/2006 3:04:05 PM"} {
			if at, err := time.Parse(layout, r.Start); err == nil {
				t.Start = at.UTC()
				break
			}
		}
		off := false
		for _, k := range r.Connections {
			off = off || strings.EqualFold(k.Status, "Disconnected")
		}
		t.State = testState(t.Status, off)
		a.Tests = append(a.Tests, t)
	}
	return nil
}

// testState gives Azure's word its meaning. What Expired means is not written
// anywhere, and a word may be new: then the test's own connections tell.
func testState(status string, disconnected bool) executor.TestState {
	switch strings.ToLower(status) {
	case "running", "stopfailed":
		return executor.TestOn
	case "starting", "stopping":
		return executor.TestChanging
	case "notstarted", "startfailed", "completed", "invalid":
		return executor.TestOff
	}
	if disconnected {
		return executor.TestOn
	}
	return executor.TestOff
}
