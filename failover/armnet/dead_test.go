package armnet

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/fault"
)

// deadWithin is the promise: a dead endpoint is reported by then.
const deadWithin = 5 * time.Second

// On the cold path, without a connection that is open, an endpoint that takes
// connections and says nothing, one that refuses them and one that is not reached at all
// are each reported within five seconds. The real transport runs on virtual time, over
// pipes, so no load of the machine changes that. Nothing was sent, and that is known.
func TestADeadEndpointIsReportedInTime(t *testing.T) {
	const id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/connections/k"
	for name, dial := range map[string]func(context.Context, string, string) (net.Conn, error){
		"silent": func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() { // it takes what is sent, and never answers
				for buf := make([]byte, 1024); ; {
					if _, err := theirs.Read(buf); err != nil {
						return
					}
				}
			}()
			return ours, nil
		},
		"refusing": func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed },
		"unreached": func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout) // as net.Dialer would
			defer cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := NewTransport(nil, nil)
				tr.DialContext = dial
				c, err := New(Config{Cloud: Custom, Endpoint: "https://arm.test", Audience: "https://arm.test/", Authority: "https://login.test", Credential: staticToken("x"), Transport: tr})
				if err != nil {
					t.Fatal(err)
				}
				for what, ask := range map[string]func() error{
					"a write": func() error {
						b := c.Begin(t.Context(), []executor.Write{{ID: "w-1", Connection: id, From: 100, To: 201, Epoch: "1", NotAfter: time.Now().Add(time.Minute)}})[0]
						if b.Outcome != executor.NotApplied || b.Sent {
							t.Errorf("a write: %+v", b)
						}
						return b.Err
					},
					"a read": func() error {
						return c.Read(t.Context(), []executor.Ref{{Kind: executor.RefConnection, ID: id}})[0].Err
					},
					"thirty reads": func() error {
						refs := make([]executor.Ref, 30)
						for i := range refs {
							refs[i] = executor.Ref{Kind: executor.RefConnection, ID: id}
						}
						return c.Read(t.Context(), refs)[29].Err
					},
					"a slow read": func() error {
						return c.Ask(t.Context(), []executor.Question{{Kind: executor.AskBGP, Target: "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/net/providers/microsoft.network/expressroutecircuits/a", Link: "primary"}})[0].Err
					},
				} {
					began := time.Now()
					f := asFault(t, ask())
					if took := time.Since(began); took > deadWithin || f.Kind != fault.Unavailable {
						t.Errorf("%s: told after %s: %s", what, took, f)
					}
				}
				tr.CloseIdleConnections()
				time.Sleep(time.Minute) // dials that nobody waits for any more end by themselves
			})
		})
	}
}
