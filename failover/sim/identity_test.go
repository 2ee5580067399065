package sim

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentity(t *testing.T) {
	i, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	env := map[string]string{}
	for _, e := range i.Env() {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(query, header string) (int, body) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", env["IDENTITY_ENDPOINT"]+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-IDENTITY-HEADER", header)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var raw [4096]byte
		n, _ := res.Body.Read(raw[:])
		b, err := parseBody(raw[:n])
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, b
	}
	const good = "?api-version=2019-08-01&resource=https://management.azure.com&client_id=c-1"
	status, got := ask(good, env["IDENTITY_HEADER"])
	if status != 200 || got.text("token_type") != "Bearer" || got.text("resource") != "https://management.azure.com" || len(got.text("expires_on")) != 10 {
		t.Fatalf("got %d %s", status, got.raw())
	}
	for query, want := range map[string]int{"?api-version=2018-02-01&resource=x": 400, "?api-version=2019-08-01": 400} {
		if status, _ := ask(query, env["IDENTITY_HEADER"]); status != want {
			t.Errorf("%s: got %d, want %d", query, status, want)
		}
	}
	if status, _ := ask(good, "wrong"); status != 401 {
		t.Errorf("wrong header: got %d, want 401", status)
	}
	i.Refuse(true)
	if status, _ := ask(good, env["IDENTITY_HEADER"]); status != 401 {
		t.Errorf("refused: got %d, want 401", status)
	}
	if i.Served() != 1 || strings.Join(i.Clients(), ",") != "c-1" {
		t.Errorf("served %d to %v, want 1 to c-1", i.Served(), i.Clients())
	}

	b := newBench(t, Options{})
	b.token = got.text("access_token")
	b.want("the token at the face", b.get(b.Circuits["er-ashburn"]).status, 200)
	for token, code := range map[string]string{"eyJ.e30.x": "InvalidAuthenticationToken", "junk": "InvalidAuthenticationToken"} {
		b.token = token
		a := b.get(b.Circuits["er-ashburn"])
		b.want("status", a.status, 401)
		b.want("code", a.code(), code)
	}
	if a := b.do("GET", b.Circuits["er-ashburn"], nil, "Authorization", "Basic eA=="); a.code() != "AuthenticationFailed" || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("no token: got %d %s", a.status, a.code())
	}
	for _, r := range b.Fabric.Requests() {
		if strings.Contains(r.Authorization, "eyJ") {
			t.Error("the journal holds a token")
		}
	}
}

func TestStartAndTrust(t *testing.T) {
	b := newBench(t, Options{})
	if err := b.arm.Start(); err == nil {
		t.Error("a second Start is no error")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := b.arm.WriteCA(file); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(raw), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("CA file: %v %q", err, raw)
	}
	stranger := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := stranger.Get(b.arm.URL()); err == nil {
		res.Body.Close()
		t.Error("a client without the CA was served")
	}
}
