package blobstore

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"go.uber.org/goleak"
)

// The account that every Azurite has, with its public key.
const (
	devAccount = "devstoreaccount1"
	devKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// world is what the tests of this package start: one Azurite that takes the shared
// key, and one over TLS that takes tokens. Each starts when it is first needed.
type world struct {
	plain, secure func() (*azurite, error)
	stop          []func()
}

var started = newWorld()

func newWorld() *world {
	w := &world{}
	start := func(args func() ([]string, *x509.CertPool, error)) func() (*azurite, error) {
		return sync.OnceValues(func() (*azurite, error) {
			extra, roots, err := args()
			if err != nil {
				return nil, err
			}
			a, err := startAzurite(extra...)
			if err != nil {
				return nil, err
			}
			a.roots = roots
			w.stop = append(w.stop, a.end)
			return a, nil
		})
	}
	w.plain = start(func() ([]string, *x509.CertPool, error) { return nil, nil, nil })
	w.secure = start(func() ([]string, *x509.CertPool, error) {
		dir, err := os.MkdirTemp("", "blobstore")
		if err != nil {
			return nil, nil, err
		}
		w.stop = append(w.stop, func() { _ = os.RemoveAll(dir) })
		id := identityStub(audience)
		w.stop = append(w.stop, id.Close)
		cert, key, roots, err := selfSigned(dir)
		err = errors.Join(err, os.Setenv("IDENTITY_ENDPOINT", id.URL+"/msi/token"), os.Setenv("IDENTITY_HEADER", "stub"))
		return []string{"--oauth", "basic", "--cert", cert, "--key", key}, roots, err
	})
	return w
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range started.stop {
		stop()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// azurite is one running emulator of the blob service.
type azurite struct {
	url   string // of the account
	roots *x509.CertPool
	cmd   *exec.Cmd
	stdin io.Closer
}

// startAzurite starts the emulator on a free port and waits until it listens.
func startAzurite(extra ...string) (*azurite, error) {
	deps, err := filepath.Abs("../../testdeps")
	if err != nil {
		return nil, err
	}
	program := filepath.Join(deps, "node_modules", ".bin", "azurite-blob")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("Azurite is not installed: run `make deps` (%w)", err)
	}
	args := []string{"--require", filepath.Join(deps, "tie.js"), program, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence",
		"--blobHost", "127.0.0.1", "--blobPort", "0"}
	a := &azurite{cmd: exec.Command("node", append(args, extra...)...)}
	var complaints bytes.Buffer
	a.cmd.Stderr = &complaints
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start Azurite: run `make deps` (%w)", err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, at, ok := strings.Cut(lines.Text(), "successfully listens on "); ok {
			a.url = at + "/" + devAccount
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return a, nil
		}
	}
	a.end()
	return nil, fmt.Errorf("Azurite ended before it listened: %s", complaints.String())
}

// end stops the process that was started here and waits for it.
func (a *azurite) end() {
	_ = a.stdin.Close()
	timer := time.AfterFunc(5*time.Second, func() { _ = a.cmd.Process.Kill() })
	defer timer.Stop()
	_ = a.cmd.Wait()
}

// selfSigned writes a certificate for loopback and its key.
func selfSigned(dir string) (cert, key string, roots *x509.CertPool, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err1 := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	pkcs8, err2 := x509.MarshalPKCS8PrivateKey(k)
	if err := errors.Join(err1, err2); err != nil {
		return "", "", nil, err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return cert, key, roots, errors.Join(os.WriteFile(cert, certPEM, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}

// newContainer returns a name that no other test has.
func newContainer() string { return "t-" + strings.ToLower(rand.Text()) }

// openPlain opens a store on Azurite with the account's key, through wrap if it is
// not nil.
func openPlain(t *testing.T, name string, create bool, wrap func(http.RoundTripper) http.RoundTripper) *Store {
	t.Helper()
	a, err := started.plain()
	if err != nil {
		t.Fatal(err)
	}
	inner := &http.Transport{}
	t.Cleanup(inner.CloseIdleConnections)
	var transport http.RoundTripper = inner
	if wrap != nil {
		transport = wrap(inner)
	}
	opts := clientOptions(transport, nil)
	key, err := container.NewSharedKeyCredential(devAccount, devKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(a.url+"/"+name, key, opts)
	if err != nil {
		t.Fatal(err)
	}
	return newStore(client, a.url+"/"+name, create, opts)
}

// openSecure opens a store as the program does: over TLS, by managed identity.
func openSecure(t *testing.T, name string) *Store {
	t.Helper()
	a, err := started.secure()
	if err != nil {
		t.Fatal(err)
	}
	cred, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	s, err := New(Config{Account: a.url, Container: name, Credential: cred, Create: true, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// identityStub starts a stand-in for the managed identity endpoint of a function
// app. It gives a token for one audience, and refuses to speak of another.
func identityStub(audience string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != "stub" || strings.TrimRight(r.URL.Query().Get("resource"), "/") != audience {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		now := time.Now().Unix()
		enc := base64.RawURLEncoding.EncodeToString
		token := enc([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc(fmt.Appendf(nil,
			`{"aud":%q,"iss":"https://sts.windows.net/00000000-0000-0000-0000-000000000009/","nbf":%d,"iat":%d,"exp":%d,"oid":"o","tid":"00000000-0000-0000-0000-000000000009"}`,
			audience, now-60, now-60, now+3600)) + "." + enc([]byte("not a signature"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","resource":%q,"token_type":"Bearer"}`, token, now+3600, audience)
	}))
}
