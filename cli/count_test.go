package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/rs/zerolog"

	"erfailover/failover/eventhub"
	"erfailover/handlers"
)

var sweep = flag.Bool("sweep", false, "the full counts of events: 100,000 from the hub, 1,000 to each of two instances")

// hubVariable makes this test binary a consumer of the hub at that address.
const hubVariable = "CLI_TEST_HUB"

// lastRule names the alert that is the last event of each partition.
const lastRule = "last-of-its-partition"

const (
	partitions   = 4
	hubNamespace = "erfailover.servicebus.windows.net"
	hubName      = "circuit-events"
)

// consumer runs the program as `serve` does, with its configuration, and consumes
// until its stdin ends. It prints how many events it has delivered.
func consumer(address string) error {
	cfg, err := readConfig("", io.Discard)
	if err != nil {
		return err
	}
	p, err := wire(cfg, zerolog.Nop())
	if err != nil {
		return err
	}
	face, err := handlers.NewStandalone(p.options())
	if err != nil {
		return err
	}
	text, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	deliver := account(face)
	err = eventhub.Run(ctx, eventhub.Options{
		Namespace: hubNamespace, Hub: hubName, Credential: reader{}, Store: p.store, Now: time.Now, Nonce: randomID,
		Endpoint: address, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Batch: 50, Wait: 500 * time.Millisecond, Beat: 300 * time.Millisecond, Lost: 3 * time.Second,
	}, func(ctx context.Context, partition string, bodies [][]byte) (eventhub.Account, error) {
		a, err := deliver(ctx, partition, bodies)
		if err == nil {
			fmt.Println(len(bodies))
			if bytes.Contains(bodies[len(bodies)-1], []byte(lastRule)) {
				fmt.Println(lastRule, partition)
			}
		}
		return a, err
	})
	return errors.Join(err, p.close())
}

// TestEveryEventIsAccountedFor sends events over four partitions of the AMQP
// stand-in with the real client, kills the consumer's process twice, and reconciles
// with `journal count`: news, duplicates, foreign and malformed events, each counted
// once. The full count is -sweep.
func TestEveryEventIsAccountedFor(t *testing.T) {
	t.Parallel()
	total := 1200
	if *sweep {
		total = 100_000
	}
	dir := t.TempDir()
	address, roots := startHub(t, dir, partitions)
	config := filepath.Join(dir, "config.yaml")
	writeFile(t, dir, "config.yaml", []byte(hubConfig(filepath.Join(dir, "record.db"))))
	want := sendMixed(t, address, roots, total, time.Now())

	env := append(identityFor(t), hubVariable+"="+address, "SSL_CERT_FILE="+filepath.Join(dir, "hub.pem"), "ERFAILOVER_CONFIG="+config, "WEBSITE_SITE_NAME=")
	delivered, ended := 0, map[string]bool{}
	for _, until := range []int{total / 3, 2 * total / 3} { // two deaths
		delivered += consumeUntil(t, env, ended, max(1, until-delivered))
	}
	want.foreign += sendLast(t, address, roots)
	delivered += consumeUntil(t, env, ended, 0) // what the dead had delivered and not checkpointed comes again
	if delivered < total {
		t.Errorf("%d events were delivered, %d were sent", delivered, total)
	}
	var out, errs bytes.Buffer
	if code := Main(Assets{}, []string{"journal", "count", "--config", config}, &out, &errs); code != exitDone {
		t.Fatalf("code %d: %s\n%s", code, errs.String(), out.String())
	}
	t.Logf("%d sent, %d delivered in three lives\n%s", total, delivered, out.String())
	for what, n := range map[string]int{"taken": want.taken, "foreign": want.foreign, "broken": want.broken} {
		fields := strings.Fields(lineOf(t, out.String(), "all"))
		at := map[string]int{"taken": 2, "foreign": 3, "broken": 4}[what]
		if got, _ := strconv.Atoi(fields[at]); got != n {
			t.Errorf("%s events: %d counted, %d sent", what, got, n)
		}
	}
	if !strings.Contains(out.String(), fmt.Sprintf("%d dead letters", want.broken)) || !strings.Contains(out.String(), "every event is accounted for") {
		t.Errorf("%s", out.String())
	}
	if code := Main(Assets{}, []string{"journal", "verify", "--config", config}, &out, &errs); code != exitDone {
		t.Errorf("journal verify: code %d, %s", code, errs.String())
	}
}

func lineOf(t *testing.T, text, first string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == first {
			return line
		}
	}
	t.Fatalf("no line %q in\n%s", first, text)
	return ""
}

// mixture is how many events of each sort were sent.
type mixture struct{ taken, foreign, broken int }

// sendMixed sends news and duplicates about three circuits, what is not ours, and
// what nobody can read.
func sendMixed(t *testing.T, address string, roots *x509.CertPool, total int, now time.Time) mixture {
	t.Helper()
	p, err := azeventhubs.NewProducerClient(hubNamespace, hubName, reader{}, &azeventhubs.ProducerClientOptions{CustomEndpoint: address, TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.WithoutCancel(t.Context()))
	var m mixture
	event := func(n int) []byte {
		switch {
		case n%50 == 49:
			m.broken++
			return fmt.Appendf(nil, `{"erfailover":"v1","resource":%d`, n)
		case n%10 == 9:
			m.foreign++
			return fmt.Appendf(nil, `{"data":{"essentials":{"monitoringService":"CostAlerts","monitorCondition":"Fired"},"alertContext":{}},"schemaId":"azureMonitorCommonAlertSchema"}`)
		}
		m.taken++
		k := n / 20 // some come again and again
		circuit := []string{"ashburn", "chicago", "dallas"}[k%3]
		return fmt.Appendf(nil, `{"erfailover":"v1","resource":%q,"state":"up","source":"monitor-%d","at":%q}`, hubCircuit+"er-"+circuit, k%7, now.Add(-time.Duration(total-k)*time.Millisecond).UTC().Format(time.RFC3339Nano))
	}
	for n := 0; n < total; {
		batch, err := p.NewEventDataBatch(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := 0; k < min(500, total/(5*partitions)) && n < total; k++ {
			if err := batch.AddEventData(&azeventhubs.EventData{Body: event(n)}, nil); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := p.SendEventDataBatch(t.Context(), batch, nil); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// sendLast sends one more event to each partition, by which the last consumer knows
// that it has seen all. It returns how many.
func sendLast(t *testing.T, address string, roots *x509.CertPool) int {
	t.Helper()
	p, err := azeventhubs.NewProducerClient(hubNamespace, hubName, reader{}, &azeventhubs.ProducerClientOptions{CustomEndpoint: address, TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.WithoutCancel(t.Context()))
	for i := range partitions {
		batch, err := p.NewEventDataBatch(t.Context(), &azeventhubs.EventDataBatchOptions{PartitionID: new(strconv.Itoa(i))})
		if err != nil {
			t.Fatal(err)
		}
		last := `{"data":{"essentials":{"monitoringService":"CostAlerts","alertRule":"` + lastRule + `","monitorCondition":"Fired"},"alertContext":{}},"schemaId":"azureMonitorCommonAlertSchema"}`
		if err := errors.Join(batch.AddEventData(&azeventhubs.EventData{Body: []byte(last)}, nil), p.SendEventDataBatch(t.Context(), batch, nil)); err != nil {
			t.Fatal(err)
		}
	}
	return partitions
}

// consumeUntil runs a consumer's process until it has delivered so many events, and
// kills it then; or, when that is 0, until the last event of every partition was
// delivered, in this life or before, and lets it end.
func consumeUntil(t *testing.T, env []string, ended map[string]bool, least int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	done := func() {
		if least == 0 && len(ended) == partitions {
			_ = stdin.Close()
		}
	}
	done()
	got := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			got += n
		} else if strings.HasPrefix(lines.Text(), lastRule) {
			ended[lines.Text()] = true
		}
		if least > 0 && got >= least {
			_ = cmd.Process.Kill() // in the middle of whatever it does
		}
		done()
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil && complaints.Len() > 0 {
		t.Fatalf("the consumer ended: %v\n%.3000s", err, complaints.String())
	}
	return got
}

const hubCircuit = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/expressRouteCircuits/"

func hubConfig(bolt string) string {
	return `version: 1
azure:
  cloud: custom
  custom: {resourceManager: "https://127.0.0.1:9", audience: "https://management.azure.com", authority: "https://login.example"}
  identity: managed
record: {bolt: ` + strconv.Quote(bolt) + `}
circuits:
  ashburn: {id: ` + hubCircuit + `er-ashburn}
  chicago: {id: ` + hubCircuit + `er-chicago}
  dallas: {id: ` + hubCircuit + `er-dallas}
groups:
  east: {mode: observe, preference: [ashburn, chicago, dallas], gateways: [/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/net/providers/Microsoft.Network/virtualNetworkGateways/gw1]}
auth: {mode: loopback}
`
}

// startHub starts the AMQP stand-in.
func startHub(t *testing.T, dir string, partitions int) (address string, roots *x509.CertPool) {
	t.Helper()
	rhea, err := filepath.Abs("../testdeps/node_modules/rhea")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(rhea); err != nil {
		t.Fatalf("the AMQP stand-in needs rhea: run `make deps` (%v)", err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hubNamespace}, DNSNames: []string{hubNamespace},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, dir, "hub.pem", ca)
	writeFile(t, dir, "hub.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	cmd := exec.Command("node", "../failover/eventhub/testdata/standin.js", rhea, filepath.Join(dir, "hub.key"), filepath.Join(dir, "hub.pem"), hubName, fmt.Sprint(partitions))
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatalf("start node: run `make deps` (%v)", err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return "127.0.0.1:" + strings.TrimSpace(port), roots
}
