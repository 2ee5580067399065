package eventhub

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
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"erfailover/failover/record/recordtest"
)

const (
	testNamespace = "erfailover.servicebus.windows.net"
	testHub       = "circuit-events"
)

// standin is a running stand-in for the namespace.
type standin struct {
	endpoint string
	tls      *tls.Config
}

// startStandin starts the AMQP stand-in. It fails, and does not skip, when what it
// needs is not installed.
func startStandin(t *testing.T, partitions int) standin {
	t.Helper()
	rhea, err := filepath.Abs("../../testdeps/node_modules/rhea")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(rhea); err != nil {
		t.Fatalf("the AMQP stand-in needs rhea: run `make deps` (%v)", err)
	}
	dir := t.TempDir()
	key, cert, pool := certificate(t, dir)
	cmd := exec.Command("node", "testdata/standin.js", rhea, key, cert, testHub, fmt.Sprint(partitions))
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
	return standin{"127.0.0.1:" + strings.TrimSpace(port), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
}

// certificate makes a key and a certificate for the namespace.
func certificate(t *testing.T, dir string) (key, cert string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: testNamespace}, DNSNames: []string{testNamespace},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
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

// send puts events, numbered from first, into the hub with the real producer.
func (s standin) send(t *testing.T, first, count int) {
	t.Helper()
	p, err := azeventhubs.NewProducerClient(testNamespace, testHub, someone{}, &azeventhubs.ProducerClientOptions{CustomEndpoint: s.endpoint, TLSConfig: s.tls})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	for n := first; n < first+count; {
		batch, err := p.NewEventDataBatch(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := 0; k < 250 && n < first+count; k++ {
			if err := batch.AddEventData(&azeventhubs.EventData{Body: fmt.Appendf(nil, `{"n":%d}`, n)}, nil); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := p.SendEventDataBatch(t.Context(), batch, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// tally counts what was delivered, by event.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) add(bodies [][]byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range bodies {
		c.seen[string(b)]++
	}
	return len(c.seen)
}

func options(s standin, store *recordtest.Memory, nonce *atomic.Int64) Options {
	return Options{
		Namespace: testNamespace, Hub: testHub, Credential: someone{}, Store: store, Now: time.Now, Endpoint: s.endpoint, TLS: s.tls,
		Nonce: func() string { return fmt.Sprintf("n-%d", nonce.Add(1)) },
		Batch: 100, Wait: 200 * time.Millisecond, Beat: 200 * time.Millisecond, Lost: 5 * time.Second,
	}
}

// TestConsume sends events over four partitions, kills the consumer twice in the
// middle, and accounts for every event: none is lost, and what was checkpointed is
// not delivered again.
func TestConsume(t *testing.T) {
	s := startStandin(t, 4)
	store, nonce := recordtest.NewMemory(), &atomic.Int64{}
	total := 6000
	s.send(t, 0, total)
	got := &tally{seen: map[string]int{}}
	for life, stopAt := range []int{total / 3, 2 * total / 3, total} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		failOnce := int32(1)
		err := Run(ctx, options(s, store, nonce), func(_ context.Context, _ string, bodies [][]byte) (Account, error) {
			if life == 1 && atomic.CompareAndSwapInt32(&failOnce, 1, 0) {
				return Account{}, errors.New("the record could not be saved")
			}
			if got.add(bodies) >= stopAt {
				stop()
			}
			return Account{Events: int64(len(bodies)), Taken: int64(len(bodies))}, nil
		})
		if err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		stop()
	}
	if len(got.seen) != total {
		t.Fatalf("%d events were delivered, %d were sent", len(got.seen), total)
	}
	again := 0
	for _, n := range got.seen {
		again += n - 1
	}
	counted := Account{}
	list, err := Progresses(t.Context(), store)
	for _, p := range list {
		if counted = counted.Add(p.Account); !p.Balanced() {
			t.Errorf("the account does not balance: %+v", p)
		}
	}
	if err != nil || len(list) != 4 || counted.Events > int64(total) || counted.Events < int64(total-4*100) {
		t.Errorf("%d partitions count %d events of %d: %v", len(list), counted.Events, total, err)
	}
	if most := 2 * 4 * 100; again > most {
		t.Errorf("%d events were delivered again; two deaths of four partitions may cost %d", again, most)
	}
	t.Logf("%d events, %d delivered again over two deaths", total, again)
}

// TestTwoShare runs two instances: the partitions are shared out, and everything
// arrives.
func TestTwoShare(t *testing.T) {
	s := startStandin(t, 4)
	store, nonce := recordtest.NewMemory(), &atomic.Int64{}
	got := &tally{seen: map[string]int{}}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	const total = 2000
	var worked [2]atomic.Int64
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() {
			err := Run(ctx, options(s, store, nonce), func(_ context.Context, _ string, bodies [][]byte) (Account, error) {
				worked[i].Add(int64(len(bodies)))
				if got.add(bodies) >= total && worked[0].Load() > 0 && worked[1].Load() > 0 {
					stop()
				}
				return Account{Events: int64(len(bodies)), Taken: int64(len(bodies))}, nil
			})
			if err != nil {
				t.Errorf("instance %d: %v", i, err)
			}
		})
	}
	for n := 0; n < total || (ctx.Err() == nil && (worked[0].Load() == 0 || worked[1].Load() == 0)); n += 200 {
		s.send(t, n, 200)
	}
	all.Wait()
	if len(got.seen) < total || worked[0].Load() == 0 || worked[1].Load() == 0 {
		t.Fatalf("%d of %d events; the instances took %d and %d", len(got.seen), total, worked[0].Load(), worked[1].Load())
	}
}
