package bench

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erfailover/events"
	"erfailover/failover/armnet"
	"erfailover/failover/executor"
	"erfailover/failover/sim"
)

// BenchmarkColdPath measures what a process pays that has nothing: the token of the
// managed identity, the TLS connection, the GET of a connection, and the PUT until it is
// accepted. The aim is under a second. The identity, Azure and the client are one process
// here, over loopback, so the figure has no distance in it.
func BenchmarkColdPath(b *testing.B) {
	var ahead atomic.Int64 // how far the estate's clock is ahead: a gateway takes the next write when the last has ended
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	est := sim.DemoEstateAt(time.Now(), sim.Timing{})
	arm := sim.NewARM(est.Fabric, sim.Options{Now: clock, NoLimits: true})
	if err := arm.Start(); err != nil {
		b.Fatal(err)
	}
	defer arm.Close()
	id, err := sim.NewIdentity()
	if err != nil {
		b.Fatal(err)
	}
	defer id.Close()
	for _, kv := range id.Env() {
		name, value, _ := strings.Cut(kv, "=")
		b.Setenv(name, value)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(arm.CAPEM())
	connection, gateway := events.Canonical(est.Connections["gw-east-1/er-chicago"]), events.Canonical(est.Gateways["gw-east-1"])
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		ahead.Add(int64(2 * time.Minute))
		from, _ := est.Fabric.Weight(connection, clock())
		b.StartTimer()
		began := time.Now()
		tr := armnet.NewTransport(roots, nil)
		// The identity library keeps tokens per audience for the whole process.
		cfg := armnet.Config{Cloud: armnet.Custom, Endpoint: arm.URL(), Audience: fmt.Sprintf("%s/cold-%d-%d", arm.URL(), os.Getpid(), n), Authority: "https://login.test/", Transport: tr}
		if cfg.Credential, err = armnet.NewCredential("managed", cfg); err != nil {
			b.Fatal(err)
		}
		net, err := armnet.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		got := net.Begin(context.Background(), []executor.Write{{ID: fmt.Sprint("w-", n), Connection: connection, Gateway: gateway, From: from, To: from + 1, Epoch: fmt.Sprint(n + 1), NotAfter: time.Now().Add(time.Minute)}})[0]
		took = append(took, time.Since(began))
		if got.Err != nil || got.Token == "" {
			b.Fatalf("the write was not accepted: %+v", got)
		}
		tr.CloseIdleConnections()
	}
	b.ReportMetric(float64(median(took).Microseconds())/1000, "ms/cold")
}
