package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// kept is a channel that remembers what it was sent, and fails when told to.
type kept struct {
	mu   sync.Mutex
	got  []Message
	fail func(m Message) error
	die  int // ends the sending goroutine after so many messages; 0 never
}

func (k *kept) Send(_ context.Context, messages []Message) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, m := range messages {
		if k.fail != nil {
			if err := k.fail(m); err != nil {
				return i, err
			}
		}
		k.got = append(k.got, m)
		if k.die > 0 && len(k.got) >= k.die {
			k.die = 0
			runtime.Goexit() // the process is gone: it was sent, and nothing more is done
		}
	}
	return len(messages), nil
}

func (k *kept) count() int {
	n := 0
	for _, m := range k.got {
		n += m.Count
	}
	return n
}

// world is a journal and its notifiers on a clock of their own.
type world struct {
	t      testing.TB
	store  *recordtest.Memory
	now    time.Time
	trails map[string]*record.Trail
	ids    atomic.Int64
}

func newWorld(t testing.TB) *world {
	return &world{t: t, store: recordtest.NewMemory(), now: began, trails: map[string]*record.Trail{}}
}

// write appends entries to a stream's journal.
func (w *world) write(stream string, entries ...record.Entry) {
	w.t.Helper()
	tr := w.trails[stream]
	if tr == nil {
		tr = &record.Trail{}
		w.trails[stream] = tr
	}
	n := len(tr.Pending)
	tr.Add(stream, entries...)
	rows, err := record.Rows(tr.Pending[n:])
	if err == nil {
		err = w.store.Append(context.Background(), stream, rows)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) notifier(owner string, targets ...Target) *Notifier {
	return New(Options{Store: w.store, Streams: []string{"estate", "group.east", "group.west"}, Targets: targets, Owner: owner,
		Now: func() time.Time { return w.now }, Nonce: func() string { return fmt.Sprintf("n%d", w.ids.Add(1)) }})
}

// all asks for every topic.
func all(key string, l Limits, c Channel) Target {
	return Target{Key: key, Topics: []Topic{Operation, Refusal, Approval, Drill, Failure}, Limits: l, Channel: c}
}

func (w *world) entry(group, code, text string) record.Entry {
	return record.Entry{At: w.now, Code: code, Group: group, Operation: "op-1", Text: text}
}

func (w *world) drift(group string) record.Entry {
	return w.entry(group, "weight.drifted", "others changed the weight of gw1")
}

func (w *world) begun(group string) record.Entry {
	return w.entry(group, "operation.decided", "failover from ashburn to chicago")
}

// TestUrgentIsNotDelayed fills the allowance with ordinary entries, then with urgent
// ones: an urgent entry is told in the pass that sees it, always.
func TestUrgentIsNotDelayed(t *testing.T) {
	w := newWorld(t)
	c := &kept{}
	n := w.notifier("a", all("person", People(), c))
	if err := n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		for range 10 {
			w.write("group.east", w.drift("east"))
		}
		w.write("group.east", w.begun("east"))
		if err := n.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		urgent := 0
		for _, m := range c.got {
			if m.Code == "operation.decided" || strings.Contains(m.Title, "urgent") {
				urgent += m.Count
			}
		}
		if urgent != i+1 {
			t.Fatalf("pass %d: %d urgent entries told, want %d", i, urgent, i+1)
		}
	}
}

// TestDeadChannel holds that a dead channel costs the other nothing, rests longer
// each time, keeps its place, and says afterwards what it missed, once.
func TestDeadChannel(t *testing.T) {
	w := newWorld(t)
	dead := true
	ill := &kept{fail: func(Message) error {
		if dead {
			return &fault.Error{Op: "notify", Target: "slack", Kind: fault.Unavailable}
		}
		return nil
	}}
	well := &kept{}
	tries := 0
	counting := channelFunc(func(ctx context.Context, m []Message) (int, error) { tries++; return ill.Send(ctx, m) })
	n := w.notifier("a", all("ill", People(), counting), all("well", People(), well))
	_ = n.Run(t.Context())
	for range 240 { // an hour, every 15 s
		if w.now.Minute()%10 == 0 && w.now.Second() == 0 {
			w.write("group.east", w.begun("east"))
		}
		err := n.Run(t.Context())
		if err != nil && !errors.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
		w.now = w.now.Add(15 * time.Second)
	}
	if len(well.got) != 6 || len(ill.got) != 0 {
		t.Errorf("%d messages to the channel that is well, %d to the other", len(well.got), len(ill.got))
	}
	if tries < 8 || tries > 20 {
		t.Errorf("a dead channel was tried %d times in an hour", tries)
	}
	dead = false
	w.now = w.now.Add(11 * time.Minute)
	for range 3 {
		if err := n.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ill.count() != 6 {
		t.Errorf("after its illness it was told of %d entries, want 6", ill.count())
	}
}

type channelFunc func(context.Context, []Message) (int, error)

func (f channelFunc) Send(ctx context.Context, m []Message) (int, error) { return f(ctx, m) }

// TestRefusedMessage holds that a message which its target will never take is put
// aside where a person finds it, and that those behind it arrive.
func TestRefusedMessage(t *testing.T) {
	w := newWorld(t)
	c := &kept{fail: func(m Message) error {
		if m.ID == "group.east/1" {
			return &fault.Error{Op: "notify", Kind: fault.Invalid}
		}
		return nil
	}}
	n := w.notifier("a", all("c", People(), c))
	_ = n.Run(t.Context())
	w.write("group.east", w.begun("east"), w.begun("east"))
	for range 10 {
		_ = n.Run(t.Context())
		w.now = w.now.Add(15 * time.Minute)
	}
	letters, err := w.store.List(t.Context(), "deadletter/", "", 10)
	if err != nil || len(letters) != 1 || len(c.got) != 1 || c.got[0].ID != "group.east/2" {
		t.Errorf("letters %v %v, messages %v", letters, err, c.got)
	}
}

// TestTwoInstances holds that two instances on one record tell everything once.
func TestTwoInstances(t *testing.T) {
	w := newWorld(t)
	c := &kept{}
	two := []*Notifier{w.notifier("a", all("c", Machines(), c)), w.notifier("b", all("c", Machines(), c))}
	_ = two[0].Run(t.Context())
	for range 50 {
		w.write("group.east", w.begun("east"))
		var both sync.WaitGroup
		for _, n := range two {
			both.Go(func() {
				if err := n.Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
	}
	if len(c.got) != 50 {
		t.Errorf("%d messages for 50 entries", len(c.got))
	}
}

// TestNewChannel hears of the last minutes, and not of a year.
func TestNewChannel(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.write("group.east", w.begun("east"))
	}
	w.now = w.now.Add(time.Hour)
	w.write("group.east", w.begun("east"))
	w.now = w.now.Add(time.Minute)
	c := &kept{}
	if err := w.notifier("a", all("c", People(), c)).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 1 || c.got[0].ID != "group.east/6" {
		t.Errorf("got %v", c.got)
	}
}

// TestEditedRow holds that a row which is not what was written is told and does not
// stop the rest.
func TestEditedRow(t *testing.T) {
	w := newWorld(t)
	c := &kept{}
	n := w.notifier("a", all("c", People(), c))
	_ = n.Run(t.Context())
	if err := w.store.Append(t.Context(), "group.east", []record.Row{{Seq: 1, Body: []byte(`{"seq":1}`)}}); err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 1 || c.got[0].Code != codeUnreadable || c.got[0].Severity != Critical {
		t.Errorf("got %v", c.got)
	}
}

// TestNothingIsLost draws journals, passes, failures and crashes: in the end every
// entry that matters is in exactly one delivered message, in a summary's count, or in
// a count that waits; a crash or a failure repeats messages and loses none.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		c := &kept{}
		limits := rapid.SampledFrom([]Limits{People(), Machines(), {Group: 1, Channel: 1, Urgent: 1, Refill: time.Minute, Summary: time.Minute}}).Draw(r, "limits")
		target := all("c", limits, c)
		n := w.notifier("a", target)
		if err := n.Run(t.Context()); err != nil {
			r.Fatal(err)
		}
		written, troubled := map[string]bool{}, false
		for range rapid.IntRange(1, 25).Draw(r, "beats") {
			group := rapid.SampledFrom([]string{"east", "west"}).Draw(r, "group")
			for range rapid.IntRange(0, 6).Draw(r, "entries") {
				e := rapid.SampledFrom([]record.Entry{w.begun(group), w.drift(group), w.entry(group, "signal.noted", "x"), w.entry(group, "operation.ended", "ended")}).Draw(r, "entry")
				w.write("group."+group, e)
				if e.Code != "signal.noted" {
					written[fmt.Sprintf("group.%s/%d", group, len(w.trails["group."+group].Pending))] = true
				}
			}
			c.fail = nil
			switch rapid.SampledFrom([]string{"well", "well", "fail", "crash", "save"}).Draw(r, "pass") {
			case "fail":
				left := rapid.IntRange(0, 3).Draw(r, "sent")
				c.fail = func(Message) error {
					if left--; left < 0 {
						return &fault.Error{Op: "notify", Kind: fault.Unavailable}
					}
					return nil
				}
				troubled = true
			case "crash":
				c.die, troubled = len(c.got)+rapid.IntRange(1, 3).Draw(r, "die"), true
			case "save":
				w.store.Fail(recordtest.Save, DocumentKey("c"), fault.Unavailable)
				troubled = true
			}
			_ = n.Run(t.Context())
			if crashed := c.die == 0; crashed { // the next process
				n = w.notifier(fmt.Sprintf("life-%d", w.ids.Load()), target)
			}
			c.die = 0
			w.now = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(r, "wait")) * time.Second)
		}
		c.fail = nil
		for range 6 {
			_ = n.Run(t.Context())
			w.now = w.now.Add(11 * time.Minute)
		}
		lane, err := n.load(t.Context(), target)
		if err != nil {
			r.Fatal(err)
		}
		waiting := 0
		for _, m := range lane.cursor.Marks {
			waiting += m.Held.Count
		}
		switch told := c.count(); {
		case waiting != 0:
			r.Fatalf("%d entries still wait", waiting)
		case told < len(written), !troubled && told != len(written):
			r.Fatalf("%d entries told, %d written, troubled %v", told, len(written), troubled)
		}
		if limits.None { // there a message is an entry, and each can be looked for
			for _, m := range c.got {
				delete(written, m.ID)
			}
			if len(written) > 0 {
				r.Fatalf("never told: %v", written)
			}
		}
	})
}
