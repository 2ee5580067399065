package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestClockFollowsAzure: a host that is 42 minutes behind works on Azure's time once
// an answer came, and says so once; the demo's clock follows nobody.
func TestClockFollowsAzure(t *testing.T) {
	arm := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(42*time.Minute).UTC().Format(http.TimeFormat))
	}))
	defer arm.Close()
	var out bytes.Buffer
	clk := &clock{}
	clk.follow(zerolog.New(&out))
	client := arm.Client()
	client.Transport = clk.listen()(client.Transport)
	for range 3 {
		resp, err := client.Get(arm.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if ahead := time.Until(clk.Now()); (ahead - 42*time.Minute).Abs() > 5*time.Second {
		t.Errorf("the clock is %s ahead of the host", ahead)
	}
	if n := strings.Count(out.String(), "clock.corrected"); n != 1 {
		t.Errorf("told %d times: %s", n, out.String())
	}
	demo := newClock(time.Now(), 60)
	if demo.follow(zerolog.Nop()); demo.listen() != nil {
		t.Error("the demo's clock follows Azure")
	}
}
