package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"erfailover/failover/fault"
)

// TestInnerAddresses is a corpus of addresses that a webhook must not lead to, in the
// clothes that they come in, and of public ones beside them.
func TestInnerAddresses(t *testing.T) {
	inner := []string{
		"127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "168.63.129.16",
		"100.64.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:168.63.129.16", "::ffff:100.64.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001::1", "2002:7f00:1::", "2001:db8::1", "100::1",
	}
	for _, s := range inner {
		if err := (Guard{}).Check(netip.MustParseAddr(s)); !errors.Is(err, fault.Refused) {
			t.Errorf("%s: got %v, want it refused", s, err)
		}
	}
	for _, s := range []string{"20.50.1.2", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2603:1030::1", "2606:4700::1111", "::ffff:20.50.1.2", "64:ff9b::1432:102"} {
		if err := (Guard{}).Check(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	g := Guard{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.2.0/24")}}
	if g.Check(netip.MustParseAddr("10.1.2.3")) != nil || g.Check(netip.MustParseAddr("10.1.3.3")) == nil {
		t.Error("an allowed network is not what was allowed")
	}
}

const canary = "canary-0123456789"

// server is a TLS server on loopback, and a client that may talk to it.
func server(t *testing.T, h http.HandlerFunc) (string, Guard) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.URL, Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

// TestDialIsGuarded holds that the address is judged when the connection is made:
// names and numbers in any notation lead nowhere inside, and no error tells the
// address.
func TestDialIsGuarded(t *testing.T) {
	asked := false
	url, g := server(t, func(http.ResponseWriter, *http.Request) { asked = true })
	g.Allow, g.resolver = nil, liar(t, "127.0.0.1")
	port := url[strings.LastIndex(url, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "hook.example"} {
		c, err := NewSlack("https://"+host+port+"/"+canary+"?sig="+canary, g.Client())
		if err != nil {
			t.Fatal(err)
		}
		sent, err := c.Send(t.Context(), []Message{Probe(began, "")})
		if err == nil || sent != 0 || asked {
			t.Errorf("%s: sent %d, asked %v, %v", host, sent, asked, err)
			continue
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error tells the address: %v", host, err)
		}
	}
	for _, bad := range []string{"http://hook.example/" + canary, "https://u:" + canary + "@hook.example", "https:///" + canary, "file:///" + canary, "https://hook.example/#" + canary, "https://hook.example/%zz" + canary, ""} {
		if _, err := NewTeams(bad, g.Client()); !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestRebind holds that a name which answers with a public address at first, and with
// an inner one at the next look, gains nothing.
func TestRebind(t *testing.T) {
	asked := false
	url, g := server(t, func(http.ResponseWriter, *http.Request) { asked = true })
	g.Allow, g.resolver = nil, liar(t, "192.0.2.1", "127.0.0.1", "169.254.169.254")
	ch, err := NewSlack("https://hook.example"+url[strings.LastIndex(url, ":"):], g.Client())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := ch.Send(t.Context(), []Message{Probe(began, "")}); !errors.Is(err, fault.Refused) || asked {
			t.Errorf("got %v, asked %v", err, asked)
		}
	}
}

// liar is a resolver on loopback that gives one address after the other to whatever
// it is asked.
func liar(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf, turn := make([]byte, 1500), 0
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				ip := netip.MustParseAddr(addresses[turn%len(addresses)]).As4()
				turn++
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestAnswers holds what each answer of a target means, and that no answer, no
// redirect and no error gives the address away.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		want   fault.Kind
	}{{200, ""}, {202, ""}, {204, ""}, {301, fault.Refused}, {302, fault.Refused}, {307, fault.Refused}, {308, fault.Refused}, {400, fault.Invalid}, {413, fault.Invalid}, {401, fault.Denied},
		{403, fault.Denied}, {404, fault.NotFound}, {410, fault.NotFound}, {408, fault.Unavailable}, {429, fault.Throttled}, {500, fault.Unavailable}, {503, fault.Unavailable}} {
		followed := false
		url, g := server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/inner" {
				followed = true
				return
			}
			w.Header().Set("Location", "/inner")
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, canary+strings.Repeat("x", 1<<20))
		})
		ch, err := NewWebhook(url+"/"+canary, nil, g.Client(), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ch.Send(t.Context(), []Message{Probe(began, "")})
		if fault.KindOf(err) != c.want || followed {
			t.Errorf("status %d: %v, followed %v", c.status, err, followed)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("status %d: the error tells a secret: %v", c.status, err)
		}
		var e *fault.Error
		if c.status == 429 && (!errors.As(err, &e) || pause(1, err) != 77*time.Second) {
			t.Errorf("Retry-After is not kept: %v", err)
		}
	}
}

// TestUnreachable holds the errors of a target that cannot be reached.
func TestUnreachable(t *testing.T) {
	url, g := server(t, func(http.ResponseWriter, *http.Request) {})
	g.TLS = nil // its certificate is nobody's
	for _, address := range []string{url + "/" + canary, "https://127.0.0.1:1/" + canary} {
		ch, err := NewPagerDuty(address, canary, g.Client())
		if err != nil {
			t.Fatal(err)
		}
		_, err = ch.Send(t.Context(), []Message{Probe(began, "")})
		if !errors.Is(err, fault.Unavailable) || strings.Contains(err.Error(), canary) {
			t.Errorf("got %v", err)
		}
	}
}

// TestWebhookIsSigned checks the signature as a receiver would.
func TestWebhookIsSigned(t *testing.T) {
	key := []byte("shared")
	var header, kind string
	var body []byte
	url, g := server(t, func(w http.ResponseWriter, r *http.Request) {
		header, kind = r.Header.Get(SignatureHeader), r.Header.Get("Content-Type")
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	ch, err := NewWebhook(url, key, g.Client(), func() time.Time { return time.Unix(1_700_000_000, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.Send(t.Context(), []Message{Probe(began, "")}); err != nil {
		t.Fatal(err)
	}
	if header == "" || header != Sign(key, time.Unix(1_700_000_000, 0), body) || header == Sign([]byte("other"), time.Unix(1_700_000_000, 0), body) || header == Sign(key, time.Unix(1_700_000_001, 0), body) {
		t.Errorf("signature %q", header)
	}
	if kind != cloudEventType || !strings.Contains(string(body), `"specversion":"1.0"`) {
		t.Errorf("%s %s", kind, body)
	}
	// The vector was computed with another implementation: printf '%s' '1700000000.{}' | openssl dgst -sha256 -hmac shared
	if got := Sign(key, time.Unix(1_700_000_000, 0), []byte("{}")); got != "t=1700000000,v1=8fe400a4d7d97fe5517b7b8d84c07a253654d1bf408323b8b0f24f6cc87644c7" {
		t.Errorf("Sign gives %s", got)
	}
}
