package topology

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// small returns an estate of two gateways and three circuits; gw2 is not connected
// to dallas.
func small() Estate {
	e := Estate{
		Circuits: []Circuit{
			{Name: "dallas", ID: "/c/dallas", Provider: "Zayo", Location: "Dallas", Site: "dc2"},
			{Name: "ashburn", ID: "/c/ashburn", Provider: "Equinix", Location: "Washington DC", Site: "dc1", Shares: []string{"conduit-7"}},
			{Name: "chicago", ID: "/c/chicago", Provider: "equinix", Location: "Chicago", Site: "dc2", Shares: []string{"Conduit-7", "hall-2"}},
		},
		Gateways:    []Gateway{{ID: "/g/2", Kind: VWAN}, {ID: "/g/1", Kind: VNet}},
		Connections: []Connection{{"/k/2c", "/g/2", "/c/chicago"}, {"/k/1d", "/g/1", "/c/dallas"}, {"/k/1a", "/g/1", "/c/ashburn"}, {"/k/2a", "/g/2", "/c/ashburn"}, {"/k/1x", "/g/1", "/c/elsewhere"}, {"/k/1c", "/g/1", "/c/chicago"}},
		Groups: []Group{
			{Name: "west", Gateways: []string{"/g/2"}, Tiers: [][]string{{"chicago"}, {"ashburn"}}},
			{Name: "east", Gateways: []string{"/g/1", "/g/2"}, Tiers: [][]string{{"ashburn", "chicago"}, {"dallas"}}},
		},
	}
	e.Sort()
	return e
}

func TestLookUps(t *testing.T) {
	e := small()
	east, ok := e.Group("east")
	if !ok {
		t.Fatal("no group east")
	}
	var ids []string
	for _, c := range e.ConnectionsOf(east) {
		ids = append(ids, c.ID)
	}
	if want := []string{"/k/1a", "/k/1c", "/k/1d", "/k/2a", "/k/2c"}; !slices.Equal(ids, want) {
		t.Errorf("connections of east: %v, want %v: by gateway, then by preference, none to a circuit outside", ids, want)
	}
	if _, ok := e.Connection("/g/2", "dallas"); ok {
		t.Error("gw2 has no connection to dallas")
	}
	if got := e.GroupsOf("dallas"); !slices.Equal(got, []string{"east"}) {
		t.Errorf("groups of dallas: %v", got)
	}
	if got := e.GroupsOf("chicago"); !slices.Equal(got, []string{"east", "west"}) {
		t.Errorf("groups of chicago: %v", got)
	}
	for name, rank := range map[string]int{"ashburn": 0, "chicago": 1, "dallas": 2, "elsewhere": -1} {
		if east.Rank(name) != rank {
			t.Errorf("rank of %s: %d, want %d", name, east.Rank(name), rank)
		}
	}
	if got := e.CircuitOf("/c/elsewhere"); got != "" {
		t.Errorf("a circuit that is not configured has the name %q", got)
	}
	if home := (Group{}).Home(); home != nil {
		t.Errorf("a group without tiers has the home %v", home)
	}
}

func TestSharedFate(t *testing.T) {
	e := small()
	get := func(name string) Circuit { c, _ := e.Circuit(name); return c }
	for _, c := range []struct {
		a, b Circuit
		want []Fate
	}{
		{get("ashburn"), get("chicago"), []Fate{{"share", "conduit-7"}, {"provider", "Equinix"}}},
		{get("chicago"), get("dallas"), []Fate{{"site", "dc2"}}},
		{get("ashburn"), get("dallas"), nil},
		{Circuit{}, Circuit{}, nil}, // what is not known is never common
		{Circuit{Port: "/p/1", Location: "Paris"}, Circuit{Port: "/P/1", Location: "paris"}, []Fate{{"port", "/p/1"}, {"location", "Paris"}}},
	} {
		if got := SharedFate(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s and %s share %v, want %v", c.a.Name, c.b.Name, got, c.want)
		}
	}
}

// Fate is mutual, and order does not matter to look-ups.
func TestFateIsMutual(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "A", "b"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Circuit {
			return Circuit{Provider: word.Draw(t, label), Location: word.Draw(t, label), Site: word.Draw(t, label), Port: word.Draw(t, label)}
		}
		a, b := draw("a"), draw("b")
		kinds := func(fs []Fate) (out []string) {
			for _, f := range fs {
				out = append(out, f.Kind)
			}
			return out
		}
		if x, y := kinds(SharedFate(a, b)), kinds(SharedFate(b, a)); !slices.Equal(x, y) {
			t.Fatalf("%v one way, %v the other", x, y)
		}
	})
}
