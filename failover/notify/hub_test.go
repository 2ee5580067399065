package notify

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

const (
	hubNamespace = "erfailover.servicebus.windows.net"
	hubName      = "outcomes"
)

// startHub starts the AMQP stand-in of the consumer's tests. It fails, and does not
// skip, when what it needs is not installed.
func startHub(t *testing.T) HubOptions {
	t.Helper()
	rhea, err := filepath.Abs("../../testdeps/node_modules/rhea")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(rhea); err != nil {
		t.Fatalf("the AMQP stand-in needs rhea: run `make deps` (%v)", err)
	}
	key, cert, pool := certificate(t)
	cmd := exec.Command("node", "../eventhub/testdata/standin.js", rhea, key, cert, hubName, "1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v; run `make deps`", err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the stand-in did not start: %v", err)
	}
	return HubOptions{Address: hubNamespace + "/" + hubName, Credential: someone{}, Endpoint: "127.0.0.1:" + strings.TrimSpace(port),
		TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

// certificate makes a key and a certificate for the namespace.
func certificate(t *testing.T) (key, cert string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hubNamespace}, DNSNames: []string{hubNamespace},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, cert = filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600), os.WriteFile(cert, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return key, cert, pool
}

// someone is a credential whose token the stand-in takes.
type someone struct{}

func (someone) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "junk", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// outcome is what an on-premises router's automation reads of an event.
type outcome struct {
	ID   string  `json:"id"`
	Type string  `json:"type"`
	Data Message `json:"data"`
}

// received reads count events back with the real consumer.
func received(t *testing.T, o HubOptions, count int) []outcome {
	t.Helper()
	c, err := azeventhubs.NewConsumerClient(hubNamespace, hubName, azeventhubs.DefaultConsumerGroup, someone{}, &azeventhubs.ConsumerClientOptions{CustomEndpoint: o.Endpoint, TLSConfig: o.TLS})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	p, err := c.NewPartitionClient("0", &azeventhubs.PartitionClientOptions{StartPosition: azeventhubs.StartPosition{Earliest: to.Ptr(true)}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.WithoutCancel(t.Context()))
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	events, err := p.ReceiveEvents(ctx, count, nil)
	if err != nil {
		t.Fatalf("%d of %d events: %v", len(events), count, err)
	}
	var out []outcome
	for _, e := range events {
		var v outcome
		if err := json.Unmarshal(e.Body, &v); err != nil {
			t.Fatalf("%s: %v", e.Body, err)
		}
		out = append(out, v)
	}
	return out
}

// TestOutcomeStream publishes a story of two groups from the journal, with the real
// client, and reads it back: one event for each decision and its outcome, each
// group's in order, with where traffic went.
func TestOutcomeStream(t *testing.T) {
	o := startHub(t)
	hub, err := NewHub(o)
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close(context.WithoutCancel(t.Context()))
	w := newWorld(t)
	n := w.notifier("a", Target{Key: "hub", Topics: []Topic{Operation}, Limits: Machines(), Channel: hub})
	if err := n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		for _, group := range []string{"east", "west"} {
			op := fmt.Sprintf("op-%s-%d", group, i)
			begun := record.Entry{At: w.now, Code: "operation.decided", Group: group, Operation: op, Epoch: int64(i), Text: "failover from ashburn to chicago, denver"}
			ended := record.Entry{At: w.now, Code: "operation.ended", Group: group, Operation: op, Epoch: int64(i), Text: "failover ended: proven", Fields: map[string]string{"result": "proven", "symmetry": "asymmetric"}}
			w.write("group."+group, begun, w.entry(group, "signal.noted", "x"), ended)
		}
	}
	if err := n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for i, e := range received(t, o, 120) {
		m := e.Data
		if m.Kind != "failover" || !slices.Equal(m.From, []string{"ashburn"}) || !slices.Equal(m.To, []string{"chicago", "denver"}) || m.Group == "" || m.Operation == "" {
			t.Fatalf("event %d: %+v", i, m)
		}
		switch e.Type {
		case "erfailover.operation.decided":
		case "erfailover.operation.ended":
			if m.Result != "proven" || m.Symmetry != "asymmetric" || last[m.Group] != m.Operation {
				t.Fatalf("event %d: %+v, begun before it: %s", i, m, last[m.Group])
			}
		default:
			t.Fatalf("event %d is a %s", i, e.Type)
		}
		last[m.Group] = m.Operation
	}
	if last["east"] != "op-east-29" || last["west"] != "op-west-29" {
		t.Errorf("the newest are %v", last)
	}
}

// TestHubAway holds that a hub which cannot be reached is an error in time, without
// an event lost.
func TestHubAway(t *testing.T) {
	hub, err := NewHub(HubOptions{Address: hubNamespace + "/" + hubName, Credential: someone{}, Endpoint: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	if sent, err := hub.Send(ctx, []Message{Probe(began, "")}); sent != 0 || !errors.Is(err, fault.Unavailable) {
		t.Errorf("sent %d, %v", sent, err)
	}
	for _, bad := range []string{"", "ns", "/hub", "ns/", "ns/a/b"} {
		if _, err := NewHub(HubOptions{Address: bad}); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
