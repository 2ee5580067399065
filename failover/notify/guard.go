package notify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"erfailover/failover/fault"
)

// Guard says which addresses may be talked to. The zero value allows public ones
// only.
type Guard struct {
	Allow []netip.Prefix // inner networks that are allowed all the same
	TLS   *tls.Config    // nil is the system's

	resolver *net.Resolver // for tests; nil is the system's
}

// refused lists address ranges that no webhook of ours is in, beside those that
// netip itself can tell: RFC 6890 and its registries, and the address at which Azure
// answers every virtual machine.
func refused() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"168.63.129.16/32",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Check refuses an address that is not public, unless it is allowed. An IPv4 address
// in the clothes of IPv6 (mapped, or behind NAT64) is judged as what it is.
func (g Guard) Check(ip netip.Addr) error {
	ip = ip.Unmap()
	if nat := netip.MustParsePrefix("64:ff9b::/96"); nat.Contains(ip.WithZone("")) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, p := range g.Allow {
		if p.Contains(ip.WithZone("")) {
			return nil
		}
	}
	bad := !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != ""
	for _, p := range refused() {
		bad = bad || p.Contains(ip)
	}
	if bad {
		return &fault.Error{Op: "open connection", Kind: fault.Refused, Err: fmt.Errorf("address %s is not public", ip),
			Hint: "use a public address, or allow its network: ERFAILOVER_NOTIFY_ALLOW=NETWORK/BITS"}
	}
	return nil
}

// Client returns an HTTP client that talks to public addresses only. The address is
// checked when the connection is made, after the name was looked up for the last
// time, so a name that changes its mind gains nothing. No redirect is followed, and
// no proxy is used: it would dial in our place.
func (g Guard) Client() *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second, Resolver: g.resolver, ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return &fault.Error{Op: "open connection", Kind: fault.Refused, Err: fmt.Errorf("%s address is no IP address", network)}
		}
		return g.Check(to.Addr())
	}}
	return &http.Client{
		Timeout:       4 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: g.TLS.Clone(), ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 3 * time.Second, ResponseHeaderTimeout: 4 * time.Second,
			MaxResponseHeaderBytes: 32 << 10, MaxIdleConns: 16, MaxIdleConnsPerHost: 2, IdleConnTimeout: 90 * time.Second,
		},
	}
}
