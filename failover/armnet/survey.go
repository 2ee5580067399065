package armnet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/fault"
	"erfailover/failover/topology"
)

// Versions of the lists that belong to no network resource.
const (
	resourcesVersion     = "2021-04-01"
	subscriptionsVersion = "2022-12-01"
)

// abreast is how many subscriptions are read at once: each has limits of its own.
const abreast = 8

// Subscription is one that the identity may see.
type Subscription struct {
	ID   string // lower case
	Name string
}

// Found is one page of what a survey found.
type Found struct {
	Subscription string
	Circuits     []executor.CircuitState
	Gateways     []topology.Gateway
	Connections  []executor.ConnectionState // Rest is empty: a list does not tell all that a read does
	Done         bool                       // the subscription has been read; the last word about it
	Err          error                      // a fault.Error: what could not be read of it; the rest stands
	Waiting      error                      // a fault.Error: why the survey waits now, with RetryAfter
}

// Subscriptions lists what the identity may see, by ID.
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	var out []Subscription
	l := listing{op: "list subscriptions", path: "/subscriptions", version: subscriptionsVersion}
	err := eachPage(ctx, c, l, func(raw jsontext.Value) (Subscription, bool, error) {
		var b struct {
			ID   string `json:"subscriptionId"`
			Name string `json:"displayName"`
		}
		err := json.Unmarshal(raw, &b)
		return Subscription{ID: strings.ToLower(clip(clean(b.ID), 100)), Name: clip(clean(b.Name), 100)}, b.ID != "", err
	}, func(page []Subscription) { out = append(out, page...) })
	slices.SortFunc(out, func(a, b Subscription) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// Survey reads the circuits, ExpressRoute gateways and ExpressRoute connections of
// subscriptions, several at once, inside the request limits: it waits as long as
// Azure asks, which it tells. tell gets every page as it comes, from one goroutine at
// a time, and nothing is kept here. What cannot be read of one subscription does not
// hide the others.
func (c *Client) Survey(ctx context.Context, subscriptions []string, tell func(Found)) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(abreast)
	for _, sub := range subscriptions {
		g.Go(func() error {
			s := &surveyor{c: c, sub: strings.ToLower(sub), names: map[string]string{}}
			s.tell = func(f Found) {
				f.Subscription = s.sub
				mu.Lock()
				defer mu.Unlock()
				tell(f)
			}
			s.run(ctx)
			s.tell(Found{Done: true})
			return nil
		})
	}
	_ = g.Wait() // no goroutine returns an error: failures are told
}

// surveyor reads one subscription.
type surveyor struct {
	c     *Client
	sub   string
	tell  func(Found)
	names map[string]string // IDs of circuits and gateways, each kept once
}

const opSurvey = "survey"

func (s *surveyor) run(ctx context.Context) {
	for _, step := range []func(context.Context) error{s.circuits, s.wanGateways, s.groups} {
		if err := step(ctx); err != nil {
			s.tell(Found{Err: err})
		}
	}
}

// once returns an ID that is kept in memory once, however many connections name it.
func (s *surveyor) once(id string) string {
	if known, ok := s.names[id]; ok {
		return known
	}
	s.names[id] = id
	return id
}

func (s *surveyor) scope() string { return "/subscriptions/" + s.sub }

// circuits lists the circuits. The peering location of those on ExpressRoute Direct
// is that of their port.
func (s *surveyor) circuits(ctx context.Context) error {
	var direct []executor.CircuitState
	err := eachPage(ctx, s.c, s.network(s.scope(), "expressRouteCircuits"), func(raw jsontext.Value) (executor.CircuitState, bool, error) {
		id, ok := s.entry(raw, events.TypeCircuit)
		if !ok {
			return executor.CircuitState{}, false, nil
		}
		state, err := parseCircuit(id, raw)
		if err != nil {
			return executor.CircuitState{}, false, err
		}
		state.ID = s.once(state.ID)
		return *state, true, nil
	}, func(page []executor.CircuitState) {
		told := slices.DeleteFunc(slices.Clone(page), portless)
		direct = append(direct, slices.DeleteFunc(page, func(c executor.CircuitState) bool { return !portless(c) })...)
		s.tell(Found{Circuits: told})
	})
	if len(direct) == 0 {
		return err
	}
	places := map[string]string{}
	noPorts := eachPage(ctx, s.c, s.network(s.scope(), "expressRoutePorts"), func(raw jsontext.Value) ([2]string, bool, error) {
		id, ok := s.entry(raw, events.TypePort)
		if !ok {
			return [2]string{}, false, nil
		}
		place, err := portLocation(raw)
		return [2]string{id.String(), place}, true, err
	}, func(page [][2]string) {
		for _, p := range page {
			places[p[0]] = p[1]
		}
	})
	for i := range direct {
		direct[i].Location = places[direct[i].Port]
	}
	s.tell(Found{Circuits: direct})
	return errors.Join(err, noPorts)
}

// portless reports whether a circuit's location is to be learned from its port.
func portless(c executor.CircuitState) bool { return c.Port != "" && c.Location == "" }

// wan is one gateway of Virtual WAN in a list.
type wan struct {
	gateway topology.Gateway
	conns   []executor.ConnectionState
	whole   bool // conns is all that it has
}

// wanGateways lists the gateways of Virtual WAN with the connections in their bodies.
// A gateway whose body tells too little of them is asked for its list.
func (s *surveyor) wanGateways(ctx context.Context) error {
	var asked []string
	err := eachPage(ctx, s.c, s.network(s.scope(), "expressRouteGateways"), func(raw jsontext.Value) (wan, bool, error) {
		id, ok := s.entry(raw, events.TypeVWANGateway)
		if !ok {
			return wan{}, false, nil
		}
		gw, err := parseGateway(opSurvey, id, raw)
		if err != nil {
			return wan{}, false, err
		}
		gw.ID = s.once(gw.ID)
		conns, whole := s.inBody(id, raw)
		return wan{*gw, conns, whole}, true, nil
	}, func(page []wan) {
		var f Found
		for _, w := range page {
			f.Gateways, f.Connections = append(f.Gateways, w.gateway), append(f.Connections, w.conns...)
			if !w.whole {
				asked = append(asked, w.gateway.ID)
			}
		}
		s.tell(f)
	})
	for _, id := range asked {
		conns, listErr := s.c.listConnections(ctx, opSurvey, mustCanonical(id))
		err = errors.Join(err, listErr)
		s.tell(Found{Connections: conns})
	}
	return err
}

// inBody reads the connections in the body of a Virtual WAN gateway, and whether that
// was all.
func (s *surveyor) inBody(gw events.ResourceID, raw jsontext.Value) ([]executor.ConnectionState, bool) {
	var b struct {
		Properties struct {
			Connections []jsontext.Value `json:"expressRouteConnections"`
		} `json:"properties"`
	}
	if json.Unmarshal(raw, &b) != nil {
		return nil, false
	}
	var out []executor.ConnectionState
	for _, v := range b.Properties.Connections {
		k, _, err := s.connection(events.TypeVWANConnection, v)
		if err != nil || k.Circuit == "" {
			return nil, false
		}
		k.Gateway = s.once(gw.String())
		out = append(out, k)
	}
	return out, true
}

// holders are the types that Azure lists by resource group only.
const holders = "resourceType eq 'Microsoft.Network/virtualNetworkGateways' or resourceType eq 'Microsoft.Network/connections'"

// groups finds the resource groups that hold virtual network gateways and
// connections, and lists those.
func (s *surveyor) groups(ctx context.Context) error {
	holds := map[string]map[string]bool{events.TypeVNetGateway: {}, events.TypeConnection: {}}
	l := listing{op: opSurvey, target: s.scope(), path: s.scope() + "/resources", version: resourcesVersion, filter: holders, wait: s.waits}
	err := eachPage(ctx, s.c, l, func(raw jsontext.Value) (events.ResourceID, bool, error) {
		var b reference
		if err := json.Unmarshal(raw, &b); err != nil {
			return events.ResourceID{}, false, err
		}
		id, err := events.ParseResourceID(b.ID)
		if err != nil {
			s.strange(b.ID, err)
		}
		return id, holds[id.Type()] != nil, nil
	}, func(page []events.ResourceID) {
		for _, id := range page {
			holds[id.Type()][s.scope()+"/resourceGroups/"+id.Group] = true
		}
	})
	for _, group := range slices.Sorted(maps.Keys(holds[events.TypeVNetGateway])) {
		err = errors.Join(err, s.gateways(ctx, group))
	}
	for _, group := range slices.Sorted(maps.Keys(holds[events.TypeConnection])) {
		err = errors.Join(err, eachPage(ctx, s.c, s.network(group, "connections"), func(raw jsontext.Value) (executor.ConnectionState, bool, error) {
			return s.connection(events.TypeConnection, raw)
		}, func(page []executor.ConnectionState) { s.tell(Found{Connections: page}) }))
	}
	return err
}

// gateways lists the ExpressRoute gateways of one resource group; VPN gateways are
// passed over.
func (s *surveyor) gateways(ctx context.Context, group string) error {
	return eachPage(ctx, s.c, s.network(group, "virtualNetworkGateways"), func(raw jsontext.Value) (topology.Gateway, bool, error) {
		id, ok := s.entry(raw, events.TypeVNetGateway)
		if !ok {
			return topology.Gateway{}, false, nil
		}
		gw, err := parseGateway(opSurvey, id, raw)
		if errors.Is(err, fault.Invalid) {
			return topology.Gateway{}, false, nil // a VPN gateway
		}
		if err != nil {
			return topology.Gateway{}, false, err
		}
		gw.ID = s.once(gw.ID)
		return *gw, true, nil
	}, func(page []topology.Gateway) { s.tell(Found{Gateways: page}) })
}

// connection reads what matters of a connection in a list, and nothing else: no key
// of it is ever decoded.
func (s *surveyor) connection(typ string, raw jsontext.Value) (k executor.ConnectionState, express bool, err error) {
	id, ok := s.entry(raw, typ)
	if !ok {
		return k, false, nil
	}
	var b struct {
		Tags       map[string]string `json:"tags"`
		Properties struct {
			Type         string    `json:"connectionType"`
			Weight       int32     `json:"routingWeight"` // none is Azure's default, 0
			Provisioning string    `json:"provisioningState"`
			Status       string    `json:"connectionStatus"`
			FastPath     bool      `json:"expressRouteGatewayBypass"`
			PrivateLink  bool      `json:"enablePrivateLinkFastPath"`
			Gateway      reference `json:"virtualNetworkGateway1"`
			Peer         reference `json:"peer"`
			Peering      reference `json:"expressRouteCircuitPeering"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return k, false, err
	}
	p := b.Properties
	circuit := events.Canonical(p.Peer.ID)
	if typ == events.TypeVWANConnection {
		circuit = circuitOf(p.Peering.ID)
	}
	k = executor.ConnectionState{ID: id.String(), Gateway: s.once(events.Canonical(p.Gateway.ID)), Circuit: s.once(circuit), Weight: p.Weight,
		Provisioning: s.once(clip(clean(p.Provisioning), 40)), Status: s.once(clip(clean(p.Status), 40)), FastPath: p.FastPath, PrivateLink: p.PrivateLink, Owner: ownerOf(b.Tags)}
	for name, value := range b.Tags {
		if strings.EqualFold(name, EpochTag) {
			k.Epoch = strings.TrimSuffix(clip(clean(value), 40), emptyTags)
		}
	}
	return k, typ == events.TypeVWANConnection || p.Type == "" || strings.EqualFold(p.Type, "ExpressRoute"), nil
}

// entry reads the ID of an entry of a list, which must be of the type asked for. An
// entry that is not is told and passed over, so that it hides nothing else.
func (s *surveyor) entry(raw jsontext.Value, typ string) (events.ResourceID, bool) {
	var b reference
	if err := json.Unmarshal(raw, &b); err != nil {
		s.strange("", err)
		return events.ResourceID{}, false
	}
	id, err := events.ParseResourceID(b.ID)
	if err == nil && id.Type() != typ {
		err = fmt.Errorf("the list holds %q, not %s", clip(id.Type(), 100), typ)
	}
	if err != nil {
		s.strange(b.ID, err)
	}
	return id, err == nil
}

func (s *surveyor) strange(id string, err error) {
	s.tell(Found{Err: unreadable(opSurvey, clip(clean(id), 300), err)})
}

// network names the list of one type of Microsoft.Network.
func (s *surveyor) network(scope, typ string) listing {
	return listing{op: opSurvey, target: scope, path: scope + "/providers/Microsoft.Network/" + typ, version: s.c.cfg.APIVersion, wait: s.waits}
}

func (s *surveyor) waits(err error) { s.tell(Found{Waiting: err}) }
