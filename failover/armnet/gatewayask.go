package armnet

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v11"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
)

// Response types of the slow reads of a gateway: they name the resume tokens.
type (
	peersAnswer      = armnetwork.VirtualNetworkGatewaysClientGetBgpPeerStatusResponse
	advertisedAnswer = armnetwork.VirtualNetworkGatewaysClientGetAdvertisedRoutesResponse
	setsAnswer       = armnetwork.VirtualNetworkGatewaysClientGetRoutesInformationResponse
)

// gatewayPath returns the path to ask a gateway, and what follows it. Of a Virtual WAN
// gateway only the route sets are told.
func gatewayPath(q executor.Question, id events.ResourceID) (path, query string, err error) {
	switch id.Type() {
	case events.TypeVNetGateway:
	case events.TypeVWANGateway:
		if q.Kind != executor.AskSets {
			return "", "", fmt.Errorf("target: Virtual WAN gateways do not tell their routes and sessions; their hub does")
		}
	default:
		return "", "", fmt.Errorf("target: %q is no type of a gateway", id.Type())
	}
	switch q.Kind {
	case executor.AskRoutes:
		return id.String() + "/getLearnedRoutes", "", nil
	case executor.AskPeers:
		return id.String() + "/getBgpPeerStatus", "", nil
	case executor.AskSets:
		return id.String() + "/getRoutesInformation", "", nil // without attemptRefresh: what is computed hourly is enough
	case executor.AskAdvertised:
		peer, err := netip.ParseAddr(q.Peer)
		if err != nil {
			return "", "", fmt.Errorf("peer: %q is no address", clip(clean(q.Peer), 60))
		}
		return id.String() + "/getAdvertisedRoutes", "&peer=" + url.QueryEscape(peer.String()), nil
	case executor.AskBGP, executor.AskARP, executor.AskTable, executor.AskTests:
	}
	return "", "", fmt.Errorf("kind: %q is not asked of a gateway", q.Kind)
}

// decodeGatewayPeers reads the sessions of a gateway.
func decodeGatewayPeers(raw jsontext.Value, a *executor.Answer) error {
	var rows []struct {
		Neighbor string `json:"neighbor"`
		ASN      int64  `json:"asn"`
		State    string `json:"state"`
		Received int64  `json:"routesReceived"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		p := executor.Peer{Neighbor: clip(clean(r.Neighbor), 100), ASN: r.ASN, State: clip(clean(r.State), 40)}
		if strings.EqualFold(r.State, "Connected") && r.Received >= 0 && r.Received <= maxPrefixes {
			p.Established, p.Prefixes = true, int(r.Received)
		}
		a.Peers = append(a.Peers, p)
	}
	return nil
}

// decodeSets reads the route sets of a gateway. A set names circuits by keys of its own,
// which the metadata explain; a key that they do not explain is an answer that cannot be
// read, not a circuit that brings nothing.
func decodeSets(body []byte, a *executor.Answer) error {
	type sets struct {
		Sets []struct {
			Details map[string][]struct {
				Circuit string `json:"circuit"`
			} `json:"details"`
		} `json:"routeSets"`
		Circuits map[string]struct {
			Link string `json:"link"`
		} `json:"circuitsMetadataMap"`
	}
	var b struct {
		sets
		Properties struct {
			Output sets `json:"output"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	in := b.sets
	if in.Sets == nil {
		in = b.Properties.Output
	}
	if in.Sets == nil {
		return fmt.Errorf("routeSets: is missing")
	}
	a.Sets = map[string][]string{}
	for _, s := range in.Sets {
		for prefix, sources := range s.Details {
			prefix = clip(clean(prefix), 60)
			for _, source := range sources {
				id := events.Canonical(in.Circuits[source.Circuit].Link)
				if id == "" {
					return fmt.Errorf("routeSets: circuit %q is not in circuitsMetadataMap", clip(clean(source.Circuit), 60))
				}
				if !slices.Contains(a.Sets[prefix], id) {
					a.Sets[prefix] = append(a.Sets[prefix], id)
				}
			}
			slices.Sort(a.Sets[prefix])
		}
	}
	return nil
}
