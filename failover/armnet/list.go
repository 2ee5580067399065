package armnet

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// maxPages bounds a list: a gateway has at most some dozens of connections.
const maxPages = 100

// listConnections lists a gateway's ExpressRoute connections, sorted by ID. What a
// list tells is taken where it names the circuit and the weight, and each other
// connection is read. Rest stays empty for what was listed: a list leaves
// properties out, so its hash could not be compared with that of a read.
func (c *Client) listConnections(ctx context.Context, op string, gw events.ResourceID) ([]executor.ConnectionState, error) {
	out, err := c.listPages(ctx, op, gw)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range out {
		if out[i].Circuit != "" {
			continue
		}
		id := mustCanonical(out[i].ID)
		g.Go(func() error {
			state, err := c.readConnection(ctx, op, id)
			if errors.Is(err, fault.NotFound) { // it went away in between
				out[i] = executor.ConnectionState{}
				return nil
			}
			if err == nil {
				out[i] = *state
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(s executor.ConnectionState) bool { return s.ID == "" })
	slices.SortFunc(out, func(a, b executor.ConnectionState) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// listPages reads a list page by page. A connection that it tells too little of
// has an ID and nothing else.
func (c *Client) listPages(ctx context.Context, op string, gw events.ResourceID) ([]executor.ConnectionState, error) {
	child := "/connections"
	if gw.Type() == events.TypeVWANGateway {
		child = "/expressRouteConnections"
	}
	var out []executor.ConnectionState
	next := c.address(gw.String() + child)
	for page := 0; next != ""; page++ {
		if page == maxPages {
			return nil, unreadable(op, gw.String(), fmt.Errorf("the list has more than %d pages", maxPages))
		}
		r, err := c.get(ctx, op, gw.String(), next)
		if err != nil {
			return nil, err
		}
		var list struct {
			Value []jsontext.Value `json:"value"`
			Next  string           `json:"nextLink"`
		}
		if err := json.Unmarshal(r.body, &list); err != nil {
			return nil, unreadable(op, gw.String(), err)
		}
		for _, v := range list.Value {
			s, keep, err := listed(gw, v)
			if err != nil {
				return nil, unreadable(op, gw.String(), err)
			}
			if keep {
				out = append(out, s)
			}
		}
		if next = list.Next; next != "" {
			if f := c.checkNext(op, gw.String(), next); f != nil {
				return nil, f
			}
		}
	}
	return out, nil
}

// checkNext refuses the address of a next page that is not on the endpoint.
func (c *Client) checkNext(op, target, next string) error {
	u, err := url.Parse(next)
	if err != nil {
		return unreadable(op, target, errors.New("the address of the next page cannot be read"))
	}
	if !sameHost(c.base, u) {
		return requestFault(op, target, foreignHost(u))
	}
	return nil
}

// listed reads one entry of a list. A VPN or network-to-network connection of a
// coexisting gateway is not kept.
func listed(gw events.ResourceID, v jsontext.Value) (s executor.ConnectionState, keep bool, err error) {
	var entry struct {
		ID         string `json:"id"`
		Properties struct {
			Type   string `json:"connectionType"`
			Weight *int32 `json:"routingWeight"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(v, &entry); err != nil {
		return s, false, err
	}
	if t := entry.Properties.Type; t != "" && !strings.EqualFold(t, "ExpressRoute") {
		return s, false, nil
	}
	want := events.TypeConnection
	if gw.Type() == events.TypeVWANGateway {
		want = events.TypeVWANConnection
	}
	id, err := events.ParseResourceID(entry.ID)
	if err != nil || id.Type() != want {
		return s, false, errors.New("the list holds something else than connections")
	}
	s.ID = id.String()
	conn, err := parseConnection(id, v)
	if err != nil || entry.Properties.Weight == nil || conn.state.Circuit == "" || conn.state.Gateway == "" {
		return s, true, nil // told too little: it is read
	}
	s = conn.state
	s.Rest = ""
	return s, true, nil
}

// mustCanonical reads an ID that was made by ResourceID.String.
func mustCanonical(s string) events.ResourceID {
	id, err := events.ParseResourceID(s)
	if err != nil {
		panic("armnet: a canonical ID cannot be read: " + err.Error())
	}
	return id
}
