package armnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

// Read implements executor.Network: it reads resources in parallel.
func (c *Client) Read(ctx context.Context, refs []executor.Ref) []executor.Reading {
	out := make([]executor.Reading, len(refs))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, ref := range refs {
		g.Go(func() error {
			out[i] = c.readOne(ctx, ref)
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are in the answers
	return out
}

// readOne reads one resource. That it does not exist is an answer, no error.
func (c *Client) readOne(ctx context.Context, ref executor.Ref) executor.Reading {
	out := executor.Reading{Ref: ref}
	op := "read " + string(ref.Kind)
	id, err := events.ParseResourceID(ref.ID)
	if err == nil {
		err = fits(ref.Kind, id.Type())
	}
	if err != nil {
		out.At = c.cfg.Now()
		out.Err = &fault.Error{Op: op, Target: clip(clean(ref.ID), 300), Kind: fault.Invalid, Err: err}
		return out
	}
	switch ref.Kind {
	case executor.RefConnection:
		out.Connection, err = c.readConnection(ctx, op, id)
	case executor.RefConnections:
		out.Connections, err = c.listConnections(ctx, op, id)
	case executor.RefCircuit:
		out.Circuit, err = c.readCircuit(ctx, op, id)
	case executor.RefGateway:
		out.Gateway, err = c.readGateway(ctx, op, id)
	case executor.RefTraffic:
		out.Traffic, err = c.readTraffic(ctx, op, id)
	}
	out.At = c.cfg.Now()
	switch {
	case err == nil:
		out.Found = true
	case errors.Is(err, fault.NotFound):
	default:
		out.Err = err
	}
	return out
}

// fits checks a resource's type against what is to be read.
func fits(kind executor.RefKind, typ string) error {
	want := map[executor.RefKind][]string{
		executor.RefConnection:  {events.TypeConnection, events.TypeVWANConnection},
		executor.RefConnections: {events.TypeVNetGateway, events.TypeVWANGateway},
		executor.RefCircuit:     {events.TypeCircuit},
		executor.RefGateway:     {events.TypeVNetGateway, events.TypeVWANGateway},
		executor.RefTraffic:     {events.TypeCircuit},
	}
	types, ok := want[kind]
	if !ok {
		return fmt.Errorf("kind: %q is not known", kind)
	}
	if !slices.Contains(types, typ) {
		return fmt.Errorf("id: type %q is not %s", typ, strings.Join(types, " or "))
	}
	return nil
}

func (c *Client) readConnection(ctx context.Context, op string, id events.ResourceID) (*executor.ConnectionState, error) {
	r, err := c.get(ctx, op, id.String(), c.address(id.String()))
	if err != nil {
		return nil, err
	}
	conn, err := parseConnection(id, r.body)
	if err != nil {
		return nil, unreadable(op, id.String(), err)
	}
	state := conn.state // not a pointer into the body, which would be kept alive
	return &state, nil
}

// readCircuit reads a circuit, and the port of an ExpressRoute Direct circuit,
// which alone knows the peering location. A port that may not be read leaves the
// location unknown.
func (c *Client) readCircuit(ctx context.Context, op string, id events.ResourceID) (*executor.CircuitState, error) {
	r, err := c.get(ctx, op, id.String(), c.address(id.String()))
	if err != nil {
		return nil, err
	}
	s, err := parseCircuit(id, r.body)
	if err != nil {
		return nil, unreadable(op, id.String(), err)
	}
	if s.Port == "" || s.Location != "" {
		return s, nil
	}
	r, err = c.get(ctx, op, s.Port, c.address(s.Port))
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Denied) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Location, err = portLocation(r.body); err != nil {
		return nil, unreadable(op, s.Port, err)
	}
	return s, nil
}

// portLocation reads the peering location of an ExpressRoute Direct port.
func portLocation(body []byte) (string, error) {
	var port struct {
		Properties struct {
			Location string `json:"peeringLocation"`
		} `json:"properties"`
	}
	err := json.Unmarshal(body, &port)
	return port.Properties.Location, err
}

// parseCircuit reads the body of a circuit.
func parseCircuit(id events.ResourceID, body []byte) (*executor.CircuitState, error) {
	var b struct {
		Location string `json:"location"`
		SKU      struct {
			Tier   string `json:"tier"`
			Family string `json:"family"`
		} `json:"sku"`
		Properties struct {
			Provisioning string `json:"provisioningState"`
			Circuit      string `json:"circuitProvisioningState"`
			Provider     string `json:"serviceProviderProvisioningState"`
			Service      struct {
				Name      string `json:"serviceProviderName"`
				Location  string `json:"peeringLocation"`
				Bandwidth int    `json:"bandwidthInMbps"`
			} `json:"serviceProviderProperties"`
			Port     reference `json:"expressRoutePort"`
			Gbps     float64   `json:"bandwidthInGbps"`
			Peerings []peering `json:"peerings"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	p := b.Properties
	s := &executor.CircuitState{
		Circuit: topology.Circuit{ID: id.String(), Provider: p.Service.Name, Location: p.Service.Location, Region: b.Location,
			Bandwidth: p.Service.Bandwidth, Tier: b.SKU.Tier, Family: b.SKU.Family, Port: events.Canonical(p.Port.ID)},
		Provisioning: p.Provisioning,
		Enabled:      strings.EqualFold(p.Circuit, "Enabled"),
		Provisioned:  strings.EqualFold(p.Provider, "Provisioned"),
	}
	if s.Port != "" { // ExpressRoute Direct: no provider provisions anything
		s.Provisioned = true
		if s.Bandwidth == 0 && p.Gbps > 0 && p.Gbps <= 10_000 {
			s.Bandwidth = int(p.Gbps*1000 + 0.5)
		}
	}
	for _, peering := range p.Peerings {
		peering.add(s)
	}
	return s, nil
}

// readGateway reads an ExpressRoute gateway of either kind.
func (c *Client) readGateway(ctx context.Context, op string, id events.ResourceID) (*topology.Gateway, error) {
	r, err := c.get(ctx, op, id.String(), c.address(id.String()))
	if err != nil {
		return nil, err
	}
	return parseGateway(op, id, r.body)
}

// parseGateway reads the body of a gateway of either kind. A gateway that is not for
// ExpressRoute is fault.Invalid.
func parseGateway(op string, id events.ResourceID, body []byte) (*topology.Gateway, error) {
	var b struct {
		Location   string `json:"location"`
		Properties struct {
			Type string `json:"gatewayType"`
			SKU  struct {
				Name string `json:"name"`
			} `json:"sku"`
			Scale struct {
				Bounds struct {
					Min int `json:"min"`
					Max int `json:"max"`
				} `json:"bounds"`
			} `json:"autoScaleConfiguration"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, unreadable(op, id.String(), err)
	}
	gw := &topology.Gateway{ID: id.String(), Kind: topology.VNet, Region: b.Location, SKU: b.Properties.SKU.Name}
	if id.Type() == events.TypeVWANGateway {
		gw.Kind = topology.VWAN
		if s := b.Properties.Scale.Bounds; s.Min > 0 {
			gw.SKU = fmt.Sprintf("%d to %d scale units", s.Min, max(s.Min, s.Max))
		}
		return gw, nil
	}
	if t := b.Properties.Type; t != "" && !strings.EqualFold(t, "ExpressRoute") {
		return nil, &fault.Error{Op: op, Target: id.String(), Kind: fault.Invalid,
			Hint: "name the ExpressRoute gateway of the virtual network, not its VPN gateway",
			Err:  fmt.Errorf("gatewayType: %q is not ExpressRoute", clip(clean(t), 40))}
	}
	return gw, nil
}

// readTraffic reads the byte counters of a circuit's private peering. A counter
// that is missing is an error: it is nothing, never 0.
func (c *Client) readTraffic(ctx context.Context, op string, id events.ResourceID) (*executor.Traffic, error) {
	r, err := c.get(ctx, op, id.String(), c.address(id.String()+"/peerings/AzurePrivatePeering/stats"))
	if err != nil {
		return nil, err
	}
	var b struct {
		PrimaryIn    *int64 `json:"primarybytesIn"`
		PrimaryOut   *int64 `json:"primarybytesOut"`
		SecondaryIn  *int64 `json:"secondarybytesIn"`
		SecondaryOut *int64 `json:"secondarybytesOut"`
	}
	if err := json.Unmarshal(r.body, &b); err != nil {
		return nil, unreadable(op, id.String(), err)
	}
	if b.PrimaryIn == nil || b.PrimaryOut == nil || b.SecondaryIn == nil || b.SecondaryOut == nil {
		return nil, unreadable(op, id.String(), errors.New("a byte counter is missing"))
	}
	return &executor.Traffic{In: [2]int64{*b.PrimaryIn, *b.SecondaryIn}, Out: [2]int64{*b.PrimaryOut, *b.SecondaryOut}}, nil
}
