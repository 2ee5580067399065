package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/failover"
	"erfailover/failover/executor"
	"erfailover/failover/planner"
	"erfailover/failover/record"
	"erfailover/failover/record/recordtest"
	"erfailover/failover/topology"
	"erfailover/handlers"

	"github.com/go-json-experiment/json"
)

// TestCardFollowsTheState: the card is written anew when the state changes and not
// otherwise, as a document and as a file, and it holds the commands for the new state
// while the program is gone.
func TestCardFollowsTheState(t *testing.T) {
	const net = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/"
	est := topology.Estate{
		Circuits:    []topology.Circuit{{Name: "ashburn", ID: net + "expressroutecircuits/er-ashburn"}, {Name: "chicago", ID: net + "expressroutecircuits/er-chicago"}},
		Gateways:    []topology.Gateway{{ID: net + "virtualnetworkgateways/gw", Kind: topology.VNet}},
		Connections: []topology.Connection{{ID: net + "connections/a", Gateway: net + "virtualnetworkgateways/gw", Circuit: net + "expressroutecircuits/er-ashburn"}, {ID: net + "connections/c", Gateway: net + "virtualnetworkgateways/gw", Circuit: net + "expressroutecircuits/er-chicago"}},
		Groups:      []topology.Group{{Name: "east", Gateways: []string{net + "virtualnetworkgateways/gw"}, Tiers: [][]string{{"ashburn"}, {"chicago"}}}},
	}
	memory := recordtest.NewMemory()
	saves := &groupSaves{Store: memory}
	clk := newClock(demoStart(), 1)
	eng := failover.New(failover.Settings{Store: saves, Clock: clk, Log: zerolog.Nop(), ID: randomID, Owner: "a", Topology: est})
	file := filepath.Join(t.TempDir(), "card.txt")
	k := &cardKeeper{views: handlers.NewViews(eng), store: saves, file: file}
	save := func(key string, v any) {
		t.Helper()
		doc, _ := saves.Load(t.Context(), key) // none yet is fine
		body, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := saves.Save(t.Context(), record.Document{Key: key, Body: body, ETag: doc.ETag, Nonce: randomID()}); err != nil {
			t.Fatal(err)
		}
	}
	group := func(ashburn, chicago int32, active string) record.Group {
		return record.Group{Schema: record.Schema, Name: "east", Active: []string{active}, ReadAt: clk.Now(), Baseline: map[string]planner.Weight{},
			Actual: map[string]executor.ConnectionState{net + "connections/a": {Weight: ashburn}, net + "connections/c": {Weight: chicago}}}
	}
	keep := func() string {
		t.Helper()
		if err := k.keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		doc, err := memory.Load(t.Context(), cardKey)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(doc.Body), `"BREAK GLASS`) {
			t.Fatalf("%v: %s", err, doc.Body)
		}
		return string(text)
	}
	save(record.EstateKey, record.Estate{Schema: record.Schema, Facts: est, At: clk.Now()})
	save(record.GroupKey("east"), group(200, 100, "ashburn"))
	if text := keep(); !strings.Contains(text, "traffic on ashburn") || !strings.Contains(text, "connections/c --routing-weight 201") {
		t.Errorf("at home: %s", text)
	}
	before := memory.Effects()
	keep() // nothing was saved
	g := group(200, 100, "ashburn")
	g.ReadAt = clk.Now().Add(time.Hour)
	save(record.GroupKey("east"), g)
	keep() // saved, and the state is the same
	if n := memory.Effects() - before; n != 1 {
		t.Errorf("%d saves for an unchanged state, want the group's alone", n)
	}
	save(record.GroupKey("east"), group(200, 201, "chicago"))
	if text := keep(); !strings.Contains(text, "traffic on chicago") || !strings.Contains(text, "connections/a --routing-weight 202") {
		t.Errorf("on the standby: %s", text)
	}
	other := &cardKeeper{views: k.views, store: &groupSaves{Store: memory}, file: file}
	other.store.groups.Add(1)
	before = memory.Effects()
	if err := other.keep(t.Context()); err != nil || memory.Effects() != before {
		t.Errorf("another instance saved the same news again (%v)", err)
	}
}
