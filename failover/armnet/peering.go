package armnet

import (
	"net/netip"
	"strings"

	"erfailover/failover/executor"
)

// peering is one peering in the body of a circuit.
type peering struct {
	Name       string `json:"name"`
	Properties struct {
		Type      string       `json:"peeringType"`
		State     string       `json:"state"`
		ASN       int64        `json:"peerASN"`
		VLAN      int          `json:"vlanId"`
		Primary   string       `json:"primaryPeerAddressPrefix"`
		Secondary string       `json:"secondaryPeerAddressPrefix"`
		IPv6      *linkPrefix6 `json:"ipv6PeeringConfig"`
		Microsoft struct {
			Prefixes []string `json:"advertisedPublicPrefixes"`
		} `json:"microsoftPeeringConfig"`
	} `json:"properties"`
}

// linkPrefix6 holds the addresses of both links in IPv6.
type linkPrefix6 struct {
	Primary   string `json:"primaryPeerAddressPrefix"`
	Secondary string `json:"secondaryPeerAddressPrefix"`
}

// add tells a circuit's state about one of its peerings.
func (p peering) add(s *executor.CircuitState) {
	is := func(name string) bool {
		return strings.EqualFold(p.Name, name) || strings.EqualFold(p.Properties.Type, name)
	}
	switch {
	case is("AzurePrivatePeering"):
		s.Peering, s.Incomplete = p.Properties.State, p.lacks()
	case is("MicrosoftPeering"):
		m := &executor.MicrosoftPeering{State: clip(clean(p.Properties.State), 40)}
		for _, prefix := range p.Properties.Microsoft.Prefixes[:min(len(p.Properties.Microsoft.Prefixes), 200)] {
			m.Prefixes = append(m.Prefixes, clip(clean(prefix), 60))
		}
		s.Microsoft = m
	case is("AzurePublicPeering"):
		s.Public = true
	}
}

// lacks lists what the peering is missing to carry traffic over both links: a VLAN, an
// AS number, and for each link a /30, or a /126 of IPv6.
func (p peering) lacks() []string {
	var out []string
	if p.Properties.VLAN == 0 {
		out = append(out, "VLAN")
	}
	if p.Properties.ASN == 0 {
		out = append(out, "peer ASN")
	}
	v6 := linkPrefix6{}
	if p.Properties.IPv6 != nil {
		v6 = *p.Properties.IPv6
	}
	for _, l := range []struct{ name, v4, v6 string }{{"primary", p.Properties.Primary, v6.Primary}, {"secondary", p.Properties.Secondary, v6.Secondary}} {
		if !subnet(l.v4, 30) && !subnet(l.v6, 126) {
			out = append(out, l.name+" link's /30 or /126")
		}
	}
	return out
}

// subnet reports whether a text is a prefix of that length.
func subnet(s string, bits int) bool {
	p, err := netip.ParsePrefix(strings.TrimSpace(s))
	return err == nil && p.Bits() == bits
}

// tools are names of what owns resources, as tags spell them.
func tools() []string { return []string{"terraform", "bicep", "pulumi", "ansible", "crossplane"} }

// ownerOf returns the tool that a tag names as the owner of a resource: managed-by,
// provisioner, created-with and the like, in any writing.
func ownerOf(tags map[string]string) string {
	for _, tool := range tools() {
		for name, value := range tags {
			if name = strings.ToLower(name); strings.EqualFold(value, tool) || strings.Contains(name, tool) && !strings.EqualFold(value, "false") {
				return tool
			}
		}
	}
	return ""
}
