package cli

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
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"erfailover/failover/blobstore"
	"erfailover/failover/record"
)

// emulator is Azurite over TLS.
type emulator struct {
	url string
	ca  []byte
}

// startAzurite starts Azurite's blob service on a free port. It takes tokens only,
// keeps everything in memory, and ends with the test.
func startAzurite(t *testing.T, dir string) *emulator {
	t.Helper()
	deps, err := filepath.Abs("../testdeps")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(deps, "node_modules", ".bin", "azurite-blob")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("Azurite is not installed: run `make deps` (%v)", err)
	}
	e := &emulator{ca: selfSigned(t, dir)}
	cmd := exec.Command("node", "--require", filepath.Join(deps, "tie.js"), program, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence",
		"--blobHost", "127.0.0.1", "--blobPort", "0", "--oauth", "basic", "--cert", filepath.Join(dir, "blob.pem"), "--key", filepath.Join(dir, "blob.key"))
	stdin, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatalf("start Azurite: run `make deps` (%v)", err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, at, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
			e.url = at + "/devstoreaccount1"
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return e
		}
	}
	t.Fatal("Azurite ended before it listened")
	return nil
}

// selfSigned writes a certificate for loopback and its key, and returns the
// certificate.
func selfSigned(t *testing.T, dir string) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(k)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, dir, "blob.pem", ca)
	writeFile(t, dir, "blob.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	return ca
}

// reader is the credential of the test itself.
type reader struct{}

func (reader) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: storageToken(), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// open opens the record for the test itself.
func (e *emulator) open(t *testing.T) record.Store {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.ca)
	s, err := blobstore.New(blobstore.Config{Account: e.url, Container: "the-record", Credential: reader{},
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
