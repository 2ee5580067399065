package recordtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

func countTogether(t *testing.T, s record.Store) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := increment(t, s, fmt.Sprintf("w%d-%d", w, i)); err != nil {
					t.Errorf("writer %d, increment %d: %v", w, i+1, err)
					return
				}
			}
		})
	}
	wg.Wait()
	doc, err := s.Load(t.Context(), "counter")
	if err != nil || string(doc.Body) != strconv.Itoa(writers*each) {
		t.Errorf("counter is %q, want %d (%v)", doc.Body, writers*each, err)
	}
}

// increment adds one to the document "counter", however often it must try.
func increment(t *testing.T, s record.Store, name string) error {
	for try := 0; ; try++ {
		doc, err := s.Load(t.Context(), "counter")
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		n := 0
		if err == nil {
			if n, err = strconv.Atoi(string(doc.Body)); err != nil {
				return err
			}
		}
		doc = record.Document{Key: "counter", ETag: doc.ETag, Nonce: fmt.Sprintf("%s-%d", name, try), Body: strconv.AppendInt(nil, int64(n+1), 10)}
		if _, err = s.Save(t.Context(), doc); !errors.Is(err, fault.Conflict) {
			return err
		}
	}
}

func appendTogether(t *testing.T, s record.Store) {
	const writers, total = 6, 30
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() { // all append the same rows: each is there once
			for n := uint64(1); n <= total; n += 3 {
				if err := s.Append(t.Context(), "same", []record.Row{row(n), row(n + 1), row(n + 2)}); err != nil {
					t.Errorf("append from row %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	wantRows(t, s, "same", total)

	var won atomic.Int32
	for w := range writers {
		wg.Go(func() { // all want row 1 and 2 to be theirs: one gets both
			mine := []record.Row{{Seq: 1, Body: fmt.Appendf(nil, "%d", w)}, {Seq: 2, Body: fmt.Appendf(nil, "%d", w)}}
			switch err := s.Append(t.Context(), "race", mine); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fault.Conflict):
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	wg.Wait()
	one, err1 := s.Load(t.Context(), record.RowKey("race", 1))
	two, err2 := s.Load(t.Context(), record.RowKey("race", 2))
	if won.Load() != 1 || err1 != nil || err2 != nil || string(one.Body) != string(two.Body) {
		t.Errorf("%d winners, rows %q and %q of different writers (%v, %v)", won.Load(), one.Body, two.Body, err1, err2)
	}
}

// register is the model of one document: what is in it, and under which ETag.
type register struct{ etag, body string }

// asked is one call in a history; told is its answer.
type (
	asked struct {
		save       bool
		etag, body string
	}
	told struct {
		etag, body string // of the stored document; "" for none
		outcome    string // done, conflict, unknown
	}
)

// linearizable runs writers at one document over a line that loses requests and
// answers, and checks that the whole history could have happened in some order,
// one call at a time. A lost call may have happened or not.
func linearizable(t *testing.T, s record.Store) {
	const rounds, writers, each = 4, 5, 10
	for round := range rounds {
		key := fmt.Sprintf("register/%d", round)
		history := runHistory(t, s, key, uint64(round), writers, each)
		switch porcupine.CheckOperationsTimeout(registerModel(), history, 10*time.Second) {
		case porcupine.Illegal:
			t.Fatalf("the history of %s could not have happened one call at a time:\n%s", key, porcupineText(history))
		case porcupine.Unknown:
			t.Fatalf("%d calls could not be checked in 10 s", len(history))
		case porcupine.Ok:
		}
	}
}

// runHistory lets writers load and save key at once and returns what they saw.
func runHistory(t *testing.T, s record.Store, key string, seed uint64, writers, each int) []porcupine.Operation {
	var (
		mu      sync.Mutex
		history []porcupine.Operation
		wg      sync.WaitGroup
		start   = time.Now()
	)
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			line := Lossy(s, func(int, Op, string) Loss {
				return []Loss{Deliver, Deliver, Deliver, Deliver, LoseRequest, LoseReply}[random.IntN(6)]
			})
			known := "" // the ETag that this writer believes in
			for i := range each {
				call := asked{save: random.IntN(3) > 0, etag: known, body: fmt.Sprintf("%d.%d", w, i)}
				begin := time.Since(start)
				answer := ask(t, line, key, call)
				end := time.Since(start)
				if answer.outcome == "unknown" {
					end = time.Hour // it may still happen
				}
				known = answer.etag
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: w, Input: call, Output: answer, Call: int64(begin), Return: int64(end)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}

// ask makes one call. A save that fails on the line is sent once more, the same.
func ask(t *testing.T, s record.Store, key string, call asked) told {
	if !call.save {
		doc, err := s.Load(t.Context(), key)
		switch {
		case err == nil, errors.Is(err, fault.NotFound):
			return told{etag: doc.ETag, body: string(doc.Body), outcome: "done"}
		default:
			return told{outcome: "unknown"}
		}
	}
	for try := 0; ; try++ {
		etag, err := s.Save(t.Context(), record.Document{Key: key, ETag: call.etag, Nonce: "n" + call.body, Body: []byte(call.body)})
		switch {
		case err == nil:
			return told{etag: etag, body: call.body, outcome: "done"}
		case errors.Is(err, fault.Conflict) && try == 0:
			return told{outcome: "conflict"}
		case errors.Is(err, fault.Conflict): // the first try may have been done and then overtaken
			return told{outcome: "unknown"}
		case try == 1:
			return told{outcome: "unknown"}
		}
	}
}

// registerModel says what one document does, one call at a time. The ETag after a
// save of unknown outcome is not known; it is bound by the next answer that shows it.
func registerModel() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{register{}} },
		Step: func(state, input, output any) []any {
			now, call, answer := state.(register), input.(asked), output.(told)
			switch {
			case !call.save && answer.outcome == "unknown":
				return []any{now}
			case !call.save:
				if now.body != answer.body || now.etag != "?" && now.etag != answer.etag {
					return nil
				}
				return []any{register{answer.etag, answer.body}}
			}
			fits := now.etag == call.etag || now.etag == "?" && call.etag != ""
			switch answer.outcome {
			case "done":
				if !fits {
					return nil
				}
				return []any{register{answer.etag, call.body}}
			case "conflict":
				if fits && now.etag != "?" {
					return nil
				}
				return []any{now}
			default: // unknown: it was done, or not
				if !fits {
					return []any{now}
				}
				return []any{now, register{"?", call.body}}
			}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
	return model.ToModel()
}

func porcupineText(history []porcupine.Operation) string {
	text := ""
	for _, op := range history {
		text += fmt.Sprintf("  writer %d, %d to %d us: %+v -> %+v\n", op.ClientId, op.Call/1000, op.Return/1000, op.Input, op.Output)
	}
	return text
}
