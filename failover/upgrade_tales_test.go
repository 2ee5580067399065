package failover

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/events"
	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
)

// tale is a story that a new version may have to end: what is waited for, or what is
// cut off, must not be forgotten because the program was replaced meanwhile.
type tale struct {
	file  string // of the record as an older version wrote it
	scene func(t *testing.T) *scene
	tell  func(t *testing.T, s *scene)
	state func(g record.Group) string // "" where the program is not replaced
	ended func(t *testing.T, s *scene, what string)
}

func tales() []tale {
	return []tale{
		{"record/testdata/upgrade/schema-1-approval.json", approvalScene, tellApproval, stateOfOperation, approvalEnded},
		{"record/testdata/upgrade/schema-1-lever.json", func(t *testing.T) *scene { return newScene(t) }, tellLever, stateOfCuts, leverEnded},
	}
}

func (s *scene) must(t *testing.T, sigs ...events.Signal) {
	for range 4 {
		if s.survives(func(e *Engine) error { _, err := e.Handle(context.Background(), sigs); return err }) {
			return
		}
	}
	t.Fatal("never delivered")
}

func (s *scene) pass(t *testing.T, span time.Duration, healthy ...string) {
	for end := s.clock.now.Add(span); s.clock.now.Before(end); {
		next := s.clock.now.Add(15 * time.Second)
		for _, name := range healthy {
			s.must(t, s.good(name)...)
		}
		s.survives(func(e *Engine) error { return e.Tick(context.Background()) })
		if s.clock.now.Before(next) {
			s.clock.now = next
		}
	}
}

func (s *scene) group(t testing.TB) record.Group {
	t.Helper()
	g := record.Group{}
	doc, err := s.store.Load(context.Background(), record.GroupKey("east"))
	if err == nil {
		err = record.Decode(doc.Key, doc.Body, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// approvalScene has a group that asks two persons before it moves.
func approvalScene(t *testing.T) *scene {
	s := newScene(t)
	r := s.rules["east"]
	r.Policy.Mode, r.Policy.Approval.Approvers = policy.Approve, 2
	s.rules["east"] = r
	return s
}

func tellApproval(t *testing.T, s *scene) {
	s.must(t, slices.Concat(s.good("ashburn"), s.good("chicago"), s.good("dallas"))...)
	s.must(t, s.make(events.ResourceHealth, "ashburn", events.Down, "", 0), s.make(events.Probe, "ashburn", events.Down, "", 0))
	s.pass(t, time.Minute, "chicago", "dallas")
	for _, by := range []string{"bob", "eve"} {
		o := &events.Order{Verb: events.OrderApprove, Group: "east", By: by, Subject: "subject-" + by}
		s.must(t, events.Signal{ID: "s-" + by, Kind: events.Command, Observer: events.Person, Source: by, At: s.clock.now, Order: o})
		s.pass(t, time.Minute, "chicago", "dallas")
	}
}

func stateOfOperation(g record.Group) string {
	if g.Operation == nil || g.Operation.Status != record.AwaitingApproval {
		return ""
	}
	return fmt.Sprintf("waiting, approved by %d", len(g.Operation.Approved))
}

// approvalEnded: the approvals that were given count, none is asked for again, and one
// write a gateway was sent.
func approvalEnded(t *testing.T, s *scene, what string) {
	doc, err := s.store.Load(context.Background(), record.OperationKey(s.group(t).Recent[0].ID))
	ended := struct{ Operation record.Operation }{}
	if err == nil {
		err = json.Unmarshal(doc.Body, &ended, json.MatchCaseInsensitiveNames(true))
	}
	op := ended.Operation
	if err != nil || op.Result != record.Proven || !slices.Equal(op.Approved, []string{"bob", "eve"}) {
		t.Errorf("%s: the operation ended %q, approved by %v (%v)", what, op.Result, op.Approved, err)
	}
	if want := "gw1: ashburn 200 chicago 201 (epoch 1) dallas 50\ngw2: ashburn 200 chicago 201 (epoch 1) dallas 50\n"; s.weights() != want || len(s.azure.puts) != 2 {
		t.Errorf("%s: weights\n%s%v", what, s.weights(), s.azure.puts)
	}
}

// tellLever is a drill of kind disconnect that nobody ends: its deadline must.
func tellLever(t *testing.T, s *scene) {
	all := []string{"ashburn", "chicago", "dallas"}
	s.must(t, slices.Concat(s.good("ashburn"), s.good("chicago"), s.good("dallas"))...)
	o := &events.Order{Verb: events.OrderDrill, Group: "east", By: "calendar", Operation: "d-1", Lever: events.LeverDisconnect, Until: s.clock.now.Add(2 * time.Minute), Key: "k-1"}
	s.must(t, events.Signal{ID: "s-order", Kind: events.Command, Observer: events.Person, Source: "calendar", At: s.clock.now, Order: o})
	s.pass(t, 13*time.Minute, all...)
}

func stateOfCuts(g record.Group) string {
	if len(g.Cuts) == 0 {
		return ""
	}
	phases := map[string]bool{}
	for _, c := range g.Cuts {
		phases[fmt.Sprintf("pull %s, back %s, due %t", c.Pull.Phase, c.Back.Phase, !c.Due.IsZero())] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(phases)), "; ")
}

// leverEnded: what was cut is whole again, by one stop for each start.
func leverEnded(t *testing.T, s *scene, what string) {
	g := s.group(t)
	if cuts := s.azure.cuts(); cuts != "nothing is cut\n" || len(g.Cuts) > 0 || g.Drill != "" || g.Operation != nil {
		t.Errorf("%s: %sremembered cuts %d, drill %q, operation %v", what, cuts, len(g.Cuts), g.Drill, g.Operation)
	}
	for id, n := range s.azure.puts {
		if n != 1 {
			t.Errorf("%s: %d times %s", what, n, id)
		}
	}
	if len(s.azure.puts) != 4 {
		t.Errorf("%s: %v", what, s.azure.puts)
	}
}

// replaced tells a tale and replaces the program where it stands as named.
func (x tale) replaced(t *testing.T, at string, swap func(*scene)) *scene {
	s, died := x.scene(t), false
	s.store.OnEffect(func(w recordtest.When, _ int, op recordtest.Op, key string) {
		if !died && w == recordtest.After && op == recordtest.Save && key == record.GroupKey("east") && x.state(s.group(t)) == at {
			died = true
			swap(s)
			panic(crash{})
		}
	})
	x.tell(t, s)
	if !died {
		t.Errorf("%s: the tale never comes to %q", x.file, at)
	}
	return s
}

// keep writes the record at the first save of every state.
func (x tale) keep(t *testing.T) {
	s, list := x.scene(t), []kept(nil)
	s.store.OnEffect(func(w recordtest.When, _ int, op recordtest.Op, key string) {
		if w != recordtest.After || op != recordtest.Save || key != record.GroupKey("east") {
			return
		}
		at := x.state(s.group(t))
		if at == "" || slices.ContainsFunc(list, func(k kept) bool { return k.Name == at }) {
			return
		}
		list = append(list, snapshot(at, s.store))
	})
	x.tell(t, s)
	raw, err := json.Marshal(list, json.Deterministic(true))
	if err == nil {
		err = os.WriteFile(x.file, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot is what the store holds.
func snapshot(name string, m *recordtest.Memory) kept {
	k := kept{Name: name, Documents: map[string]jsontext.Value{}, Rows: map[string][]jsontext.Value{}}
	for key, body := range m.Dump() {
		if !strings.HasPrefix(key, "journal/") {
			k.Documents[key] = jsontext.Value(body)
		}
	}
	for _, stream := range m.Streams() {
		for _, row := range m.Rows(stream) {
			k.Rows[stream] = append(k.Rows[stream], jsontext.Value(row.Body))
		}
	}
	return k
}

// TestUpgradeWhileSomethingWaits: an approval that waits, and a lever that is pulled
// with its deadline, meet another version at each of their states. An older version's
// record is as it was committed; a newer one's has members that this one does not know.
func TestUpgradeWhileSomethingWaits(t *testing.T) {
	for _, x := range tales() {
		if *keepRecord {
			x.keep(t)
		}
		states := readTales(t, x.file)
		for _, k := range states {
			for what, edit := range map[string]func(string, []byte) []byte{"older": asKept, "newer": withNews} {
				what = fmt.Sprintf("%s, %s version, %s", x.file, what, k.Name)
				s := x.replaced(t, k.Name, func(s *scene) { k.put(t, s, edit) })
				s.store.OnEffect(nil)
				x.ended(t, s, what)
				s.verify(t, what)
			}
		}
	}
}

// TestAPulledLeverKeepsWhatIsNewer: what a newer version wrote of a lever and of its
// steps is there as long as the lever is.
func TestAPulledLeverKeepsWhatIsNewer(t *testing.T) {
	x := tales()[1]
	for _, k := range readTales(t, x.file) {
		seen := 0
		s := x.scene(t)
		k.put(t, s, withNews)
		for range 4 {
			if err := s.engine("a").Tick(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, c := range s.group(t).Cuts {
				seen++
				if !strings.Contains(string(c.Newer), "a_newer_cut") || !strings.Contains(string(c.Pull.Newer), "a_newer_pull") {
					t.Errorf("%s: a cut in phase %s lost what is newer: %s, %s", k.Name, c.Pull.Phase, c.Newer, c.Pull.Newer)
				}
			}
			s.clock.now = s.clock.now.Add(15 * time.Second)
		}
		if seen == 0 && !strings.Contains(k.Name, "back "+string(executor.Done)) {
			t.Errorf("%s: no cut was looked at", k.Name)
		}
	}
}

func readTales(t *testing.T, file string) []kept {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []kept
	if err := json.Unmarshal(raw, &list, json.RejectUnknownMembers(true)); err != nil || len(list) < 2 {
		t.Fatalf("%s: %d states: %v", file, len(list), err)
	}
	return list
}
