package handlers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-json-experiment/json"

	"erfailover/failover/record/recordtest"
)

// said is one call of the manual API: an order with its key, or a look.
type said struct {
	look, pause bool
	key, reason string
}

// heard is its answer.
type heard struct {
	code   int
	reason string // a look: of the pause in force; "" when there is none
}

// desk is what the API should be: the pause in force, and which order each key meant.
type desk struct {
	reason string
	keys   map[string]said
}

// manualModel is the API as one person would see it, alone: an order with a new key
// takes effect at once; with a known key it is answered and does nothing, and with a
// known key and another content it is refused.
func manualModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return desk{keys: map[string]said{}} },
		Step: func(state, input, output any) (bool, any) {
			d, in, out := state.(desk), input.(said), output.(heard)
			if in.look {
				return out.code == http.StatusOK && out.reason == d.reason, d
			}
			if before, known := d.keys[in.key]; known {
				want := http.StatusOK
				if before != in {
					want = http.StatusUnprocessableEntity
				}
				return out.code == want, d
			}
			next := desk{keys: maps.Clone(d.keys)}
			next.keys[in.key] = in
			if in.pause {
				next.reason = in.reason
			}
			return out.code == http.StatusOK, next
		},
		Equal: func(a, b any) bool {
			x, y := a.(desk), b.(desk)
			return x.reason == y.reason && maps.Equal(x.keys, y.keys)
		},
	}
}

// TestManualAPIIsLinear lets people give orders with keys of their own and keys of
// each other, to two instances over one record, and look at the group; every history
// must be one that a single desk, asked one thing at a time, could have given.
func TestManualAPIIsLinear(t *testing.T) {
	const people, calls = 4, 8
	histories := max(4, *hostile/500) // 40 with -hostile 20000
	for seed := range uint64(histories) {
		e := newEstate(t)
		e.limit = Limits{Requests: 64, Burst: 4000, Request: 24 * time.Hour}
		var hs []http.Handler
		for _, name := range []string{"a", "b"} {
			h, eng := e.instance(name)
			e.healthy(eng)
			hs = append(hs, h)
		}
		e.store.OnEffect(func(recordtest.When, int, recordtest.Op, string) {
			for range 20 {
				runtime.Gosched()
			}
		})
		begin := time.Now()
		var mu sync.Mutex
		var history []porcupine.Operation
		var all sync.WaitGroup
		for p := range people {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(p)))
				for n := range calls {
					in := said{look: rng.IntN(3) == 0, pause: rng.IntN(3) > 0}
					in.key, in.reason = fmt.Sprintf("own-%d-%d", p, n), fmt.Sprintf("r%d-%d", p, n)
					if rng.IntN(3) == 0 {
						in.key, in.reason = fmt.Sprintf("shared-%d", rng.IntN(2)), fmt.Sprintf("r-%d", rng.IntN(2))
					}
					if in.look {
						in = said{look: true}
					}
					op := porcupine.Operation{ClientId: p, Input: in, Call: time.Since(begin).Nanoseconds()}
					op.Output = callDesk(hs[(p+n)%2], in)
					op.Return = time.Since(begin).Nanoseconds()
					mu.Lock()
					history = append(history, op)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if got := porcupine.CheckOperations(manualModel(), history); !got {
			slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			for _, op := range history {
				t.Logf("%d %9d-%9d %+v -> %+v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
			t.Fatalf("seed %d: no single desk could have answered so", seed)
		}
	}
	// A desk that forgets a key, or tells an old pause, is noticed.
	wrong := []porcupine.Operation{
		{Input: said{pause: true, key: "k", reason: "a"}, Output: heard{code: 200}, Call: 0, Return: 1},
		{Input: said{pause: true, key: "k", reason: "b"}, Output: heard{code: 200}, Call: 2, Return: 3},
	}
	if porcupine.CheckOperations(manualModel(), wrong) {
		t.Error("a key that means two orders passed")
	}
	wrong[1] = porcupine.Operation{Input: said{look: true}, Output: heard{code: 200}, Call: 2, Return: 3}
	if porcupine.CheckOperations(manualModel(), wrong) {
		t.Error("a pause that is not seen passed")
	}
}

// callDesk makes one call.
func callDesk(h http.Handler, in said) heard {
	if in.look {
		w := ask(h, "GET", "/api/v1/groups/east", "")
		var g struct {
			Paused struct {
				Reason string `json:"reason"`
			} `json:"paused"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &g)
		return heard{w.Code, g.Paused.Reason}
	}
	verb, body := "pause", fmt.Sprintf(`{"reason":%q}`, in.reason)
	if !in.pause {
		verb, body = "resume", fmt.Sprintf(`{"reason":%q}`, in.reason)
	}
	return heard{code: ask(h, "POST", "/api/v1/groups/east/"+verb, body, "Idempotency-Key: "+in.key).Code}
}
