package notify

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/record"
)

// TestEachStepCoversWhatItTells draws streams and limits, and stops after each number
// of messages: the cursor then covers exactly the entries that those messages and the
// held counts stand for. So a crash or a failure between any two of them loses none.
func TestEachStepCoversWhatItTells(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limits := Limits{Group: rapid.IntRange(1, 3).Draw(r, "group"), Channel: rapid.IntRange(1, 4).Draw(r, "channel"), Urgent: rapid.IntRange(1, 3).Draw(r, "urgent"),
			Refill: time.Minute, Summary: time.Minute, None: rapid.Bool().Draw(r, "none")}
		target := Target{Topics: rapid.SampledFrom([][]Topic{{Operation}, {Refusal}, {Operation, Refusal}}).Draw(r, "topics"), Limits: limits}
		start, now := cursor{Marks: map[string]mark{}}, began
		for range rapid.IntRange(1, 4).Draw(r, "passes") {
			entries := map[string][]record.Entry{}
			for _, stream := range []string{"group.a", "group.b", "group.c"} {
				seq := start.Marks[stream].Seq
				for range rapid.IntRange(0, 6).Draw(r, stream) {
					seq++
					code := rapid.SampledFrom([]string{"operation.decided", "weight.drifted", "signal.noted", "group.paused"}).Draw(r, "code")
					entries[stream] = append(entries[stream], record.Entry{Seq: seq, Stream: stream, Code: code, Group: stream[6:], Text: "failover from a to b", At: now})
				}
			}
			steps, tail := fold(Voice{}, target, start, entries, now)
			heldBefore := heldIn(start)
			for k := 0; k <= len(steps)+1; k++ {
				c := cursor{Marks: maps.Clone(start.Marks)}
				told := 0
				for _, s := range steps[:min(k, len(steps))] {
					c.apply(s.change)
					told += s.message.Count
				}
				if k > len(steps) {
					c.apply(tail)
				}
				covered := 0
				for stream, list := range entries {
					for _, e := range list {
						n, _, ok := meaning(e, memory{})
						if _, wanted := n.wanted(target.Topics); ok && wanted && e.Seq <= c.Marks[stream].Seq {
							covered++
						}
					}
				}
				if told+heldIn(c) != covered+heldBefore {
					r.Fatalf("after %d of %d messages: %d told, %d held; the cursor covers %d, %d were held before", k, len(steps), told, heldIn(c), covered, heldBefore)
				}
				if k > len(steps) {
					start = c
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 150).Draw(r, "wait")) * time.Second)
		}
	})
}

func heldIn(c cursor) int {
	n := 0
	for _, m := range c.Marks {
		n += m.Held.Count
	}
	return n
}

// TestClaim holds that another instance sends nothing while one is sending, and that
// it goes on when the first one died in the middle.
func TestClaim(t *testing.T) {
	w := newWorld(t)
	second := &kept{}
	b := w.notifier("b", all("c", People(), second))
	first := channelFunc(func(ctx context.Context, m []Message) (int, error) {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
		return len(m), nil
	})
	a := w.notifier("a", all("c", People(), first))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.write("group.east", w.begun("east"))
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(second.got) != 0 {
		t.Fatalf("both instances sent %v", second.got)
	}
	dying := &kept{die: 1}
	w.write("group.east", w.begun("east"))
	_ = w.notifier("a", all("c", People(), dying)).Run(t.Context())
	_ = b.Run(t.Context())
	if len(dying.got) != 1 || len(second.got) != 0 {
		t.Fatalf("%d sent before the death, %d while the claim holds", len(dying.got), len(second.got))
	}
	w.now = w.now.Add(claimTime)
	_ = b.Run(t.Context())
	if len(second.got) != 1 || second.got[0].ID != "group.east/2" {
		t.Errorf("after the claim: %v", second.got)
	}
}

// TestSavedWhenOutOfTime holds that the cursor is saved although the pass ran out of
// time while sending.
func TestSavedWhenOutOfTime(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	sent := 0
	n := w.notifier("a", all("c", People(), channelFunc(func(_ context.Context, m []Message) (int, error) {
		sent += len(m)
		stop()
		return len(m), nil
	})))
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
	w.write("group.east", w.begun("east"))
	_ = n.Run(ctx)
	if err := n.Run(t.Context()); err != nil || sent != 1 {
		t.Errorf("%d sent, %v", sent, err)
	}
}

// TestPause holds how long a channel rests.
func TestPause(t *testing.T) {
	var got []string
	for failures := range 12 {
		got = append(got, pause(failures+1, nil).String())
	}
	if want := "[5s 10s 20s 40s 1m20s 2m40s 5m20s 10m0s 10m0s 10m0s 10m0s 10m0s]"; fmt.Sprint(got) != want {
		t.Errorf("got %v", got)
	}
}

// TestLargestMessage holds that the largest message that an entry can make fits into
// the smallest target, however it is written.
func TestLargestMessage(t *testing.T) {
	long := strings.Repeat(`"\\é`, 2000)
	var reasons []string
	fields := map[string]string{"result": long, "symmetry": long, "action": "hold", "from": strings.Repeat(`c",`, 200)}
	for range 40 {
		reasons = append(reasons, long)
	}
	v := Voice{Base: "https://er.example", Lift: func(string) string { return long }}
	for _, code := range []string{"verdict.changed", "operation.decided", "operation.ended", "operation.waiting", "weight.drifted"} {
		chained, _ := record.Chain(record.Head{}, "group.east", []record.Entry{{At: began, Code: code, Group: "east", Circuit: long, Operation: "op-0123456789abcdef", Reasons: reasons, Actor: long, Text: "failover from " + long, Fields: fields}})
		n, m, ok := meaning(chained[0], memory{})
		if !ok {
			t.Fatal(code)
		}
		msg := v.message(chained[0], n, n.topics[0], m)
		for name, body := range map[string]object{"teams": teamsCard(msg), "slack": slackBlocks(msg), "cloudevent": cloudEvent(msg)} {
			text, err := encode(body)
			if err != nil || len(text) > maxPayload {
				t.Errorf("%s to %s: %d bytes, %v", code, name, len(text), err)
			}
		}
	}
	h := held{}
	for i := range 10 * maxResolves {
		h = h.add(Message{Severity: Resolved, Key: fmt.Sprintf("erfailover/a-group-of-some-length/op-%016x", i), Title: long, Text: long}, began)
	}
	f := &folder{now: began}
	if text, err := encode(cloudEvent(f.summary(h.join(h)))); err != nil || len(text) > maxPayload {
		t.Errorf("summary: %d bytes, %v", len(text), err)
	}
}
