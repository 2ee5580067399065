package armnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v11"
	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/clock"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/planner"
	"erfailover/failover/topology"
)

const opWrite = "set connection weight"

// Response types of the writes: they name the resume tokens.
type (
	vnetWrite = armnetwork.VirtualNetworkGatewayConnectionsClientCreateOrUpdateResponse
	vwanWrite = armnetwork.ExpressRouteConnectionsClientCreateOrUpdateResponse
)

// Begin implements executor.Network. Gateways go in parallel. The writes of one
// gateway go one after the other, and only until one of them leaves an operation
// open: Azure takes one write at a time on a gateway, so what follows is answered
// as not applied and busy, without being sent.
func (c *Client) Begin(ctx context.Context, writes []executor.Write) []executor.Begun {
	out := make([]executor.Begun, len(writes))
	var order []string
	queues := map[string][]int{}
	for i, w := range writes {
		gw := gatewayKey(w)
		if _, ok := queues[gw]; !ok {
			order = append(order, gw)
		}
		queues[gw] = append(queues[gw], i)
	}
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, gw := range order {
		g.Go(func() error {
			open := false
			for _, i := range queues[gw] {
				if open {
					out[i] = notApplied(&fault.Error{Op: opWrite, Target: writes[i].Connection, Kind: fault.Busy,
						Err: errors.New("another write on this gateway is under way")})
					continue
				}
				if writes[i].Kind == planner.SetWeight {
					out[i] = c.begin(ctx, writes[i])
				} else {
					out[i] = c.beginLever(ctx, writes[i])
				}
				open = out[i].Outcome == executor.Unknown
			}
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// gatewayKey names the queue of a write. A write that names no gateway has its own.
func gatewayKey(w executor.Write) string {
	if id := events.Canonical(w.Gateway); id != "" {
		return id
	}
	return "connection " + strings.ToLower(w.Connection)
}

func notApplied(f *fault.Error) executor.Begun {
	return executor.Begun{Outcome: executor.NotApplied, Err: f, RetryAfter: f.RetryAfter}
}

// begin carries out one write up to the answer of its PUT.
func (c *Client) begin(ctx context.Context, w executor.Write) executor.Begun {
	id, f := checkWrite(w)
	if f != nil {
		return notApplied(f)
	}
	if f := c.pace.full(id.Subscription); f != nil {
		return notApplied(requestFault(opWrite, w.Connection, f))
	}
	r, err := c.get(ctx, opWrite, w.Connection, c.address(id.String()))
	if err != nil {
		return notApplied(requestFault(opWrite, w.Connection, err))
	}
	conn, err := parseConnection(id, r.body)
	if err != nil {
		return notApplied(unreadable(opWrite, w.Connection, err))
	}
	before := conn.state
	answer := func(b executor.Begun) executor.Begun {
		b.Before = &before
		return b
	}
	if f := compare(w, before); f != nil {
		return answer(notApplied(f))
	}
	if asWanted(w, conn) {
		return answer(executor.Begun{Outcome: executor.Applied, NoOp: true})
	}
	if f := changed(w, before); f != nil {
		return answer(notApplied(f))
	}
	return answer(c.put(ctx, w, conn))
}

// checkWrite refuses a write that could not be meant.
func checkWrite(w executor.Write) (events.ResourceID, *fault.Error) {
	bad := func(format string, args ...any) (events.ResourceID, *fault.Error) {
		return events.ResourceID{}, &fault.Error{Op: opWrite, Target: clip(clean(w.Connection), 300), Kind: fault.Invalid, Err: fmt.Errorf(format, args...)}
	}
	id, err := events.ParseResourceID(w.Connection)
	if err != nil {
		return bad("connection: %w", err)
	}
	if t := id.Type(); t != events.TypeConnection && t != events.TypeVWANConnection {
		return bad("connection: %q is no type of an ExpressRoute connection", t)
	}
	if w.To < 0 || w.To > topology.MaxWeight {
		return bad("to: %d is not between 0 and %d", w.To, topology.MaxWeight)
	}
	if len(w.Epoch) > 200 || strings.ContainsFunc(w.Epoch, func(r rune) bool { return r < 0x20 || r > 0x7e || strings.ContainsRune(`"\{}`, r) }) {
		return bad("epoch: is longer than 200 bytes or holds characters that a tag must not hold")
	}
	if strings.ContainsFunc(w.ID, func(r rune) bool { return r < 0x21 || r > 0x7e }) || len(w.ID) > 200 {
		return bad("id: is longer than 200 bytes or holds characters that a header must not hold")
	}
	return id, nil
}

// compare refuses what must not be written at all, or not now.
func compare(w executor.Write, now executor.ConnectionState) *fault.Error {
	if gw := events.Canonical(w.Gateway); gw != "" && now.Gateway != "" && gw != now.Gateway {
		return &fault.Error{Op: opWrite, Target: w.Connection, Kind: fault.Conflict, Code: "OtherGateway",
			Hint: "the connection was made anew on another gateway; refresh the topology",
			Err:  errors.New("the connection belongs to gateway " + now.Gateway)}
	}
	switch strings.ToLower(now.Provisioning) {
	case "updating", "deleting", "creating", "accepted", "inprogress":
		return &fault.Error{Op: opWrite, Target: w.Connection, Kind: fault.Busy, Code: now.Provisioning,
			Hint: "another operation runs on the connection; it is tried again by itself",
			Err:  errors.New("the connection is " + strings.ToLower(now.Provisioning))}
	}
	return nil
}

// asWanted reports whether there is nothing to change. A PUT that changes nothing
// makes an operation that Azure never ends.
func asWanted(w executor.Write, c *connection) bool {
	return c.state.Weight == w.To && (c.vwan || c.state.Epoch == w.Epoch)
}

// changed refuses to write over what others wrote.
func changed(w executor.Write, now executor.ConnectionState) *fault.Error {
	f := &fault.Error{Op: opWrite, Target: w.Connection, Kind: fault.Conflict, Code: "ChangedByOthers",
		Hint: "someone else wrote to the connection since the plan was made; read again and decide again"}
	switch {
	case now.Weight != w.From:
		f.Err = fmt.Errorf("changed by others: the weight is %d, the plan was made from %d", now.Weight, w.From)
	case w.Rest != "" && now.Rest != w.Rest:
		f.Err = errors.New("changed by others: something else than the weight and our tag differs from when the plan was made")
	default:
		return nil
	}
	return f
}

// put sends the changed body, once, and reads the answer.
func (c *Client) put(ctx context.Context, w executor.Write, conn *connection) executor.Begun {
	req, err := runtime.NewRequest(ctx, http.MethodPut, c.address(conn.path))
	if err != nil {
		return notApplied(requestFault(opWrite, w.Connection, err))
	}
	body := conn.edited(w.To, w.Epoch)
	if err := req.SetBody(streaming.NopCloser(bytes.NewReader(body)), "application/json"); err != nil {
		return notApplied(requestFault(opWrite, w.Connection, err))
	}
	return c.send(ctx, opWrite, w, req, func(resp *http.Response) executor.Begun { return c.wrote(w, conn, resp) })
}

// send sends a request that changes something, once, not after the write's deadline, and
// has its first answer read. What is known of it is three-way: a request that never left
// is not applied, one whose answer is lost is unknown, and the answer tells the rest.
func (c *Client) send(ctx context.Context, op string, w executor.Write, req *policy.Request, read func(*http.Response) executor.Begun) executor.Begun {
	req.Raw().Header.Set("Accept", "application/json")
	if w.ID != "" {
		req.Raw().Header.Set("x-ms-client-request-id", w.ID)
	}
	try := &attempt{notAfter: w.NotAfter}
	defer try.end()
	resp, err := c.pipe.Do(req.WithContext(withAttempt(ctx, try)))
	if err != nil {
		f := requestFault(op, w.Connection, err)
		if !try.left() {
			return notApplied(f)
		}
		return executor.Begun{Outcome: executor.Unknown, Err: f, Sent: true}
	}
	b := read(resp)
	b.Sent = true
	b.Correlation = clip(clean(resp.Header.Get("x-ms-correlation-request-id")), 100)
	return b
}

// wrote reads the answer to a PUT. It is three-way: a definite refusal is not
// applied, a finished body is applied, and everything else is unknown.
func (c *Client) wrote(w executor.Write, conn *connection, resp *http.Response) executor.Begun {
	switch status := resp.StatusCode; {
	case status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted:
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return notApplied(c.answerFault(opWrite, w.Connection, resp))
	default:
		f := c.answerFault(opWrite, w.Connection, resp)
		return executor.Begun{Outcome: executor.Unknown, Err: f, RetryAfter: f.RetryAfter}
	}
	var s started
	var err error
	if conn.vwan {
		s, err = start[vwanWrite](c, resp)
	} else {
		s, err = start[vnetWrite](c, resp)
	}
	if err != nil {
		return executor.Begun{Outcome: executor.Unknown, Err: requestFault(opWrite, w.Connection, err)}
	}
	if !s.done {
		return executor.Begun{Outcome: executor.Unknown, Token: s.token, RetryAfter: clock.RetryAfter(resp.Header, c.cfg.Now())}
	}
	if f := failedState(opWrite, w.Connection, s.body); f != nil {
		return executor.Begun{Outcome: executor.Unknown, Err: f}
	}
	if !succeeded(s.body) { // a success that says nothing of the connection proves nothing
		return executor.Begun{Outcome: executor.Unknown, Err: unreadable(opWrite, w.Connection, errors.New("the answer is not the connection in the Succeeded state"))}
	}
	return executor.Begun{Outcome: executor.Applied}
}

// succeeded reports whether a body is that of a resource that is as it was asked to
// be.
func succeeded(body []byte) bool {
	var b struct {
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	return json.Unmarshal(body, &b) == nil && strings.EqualFold(b.Properties.ProvisioningState, "Succeeded")
}

func unreadable(op, target string, err error) *fault.Error {
	return &fault.Error{Op: op, Target: target, Kind: fault.Unavailable, Code: "UnreadableAnswer",
		Hint: "Azure's answer has a form that is not understood; what it did is read back before anything else is done",
		Err:  errors.New("the answer cannot be read: " + scrub(firstLine(err.Error())))}
}
