package report

import (
	"slices"
	"testing"
)

// An action is held when some entry grants it and does not take it away again, with
// Azure's wildcards, whatever the case.
func TestAllows(t *testing.T) {
	const write = "Microsoft.Network/connections/write"
	for _, tt := range []struct {
		name         string
		held         []Permission
		action       string
		want, either bool
	}{
		{"nothing", nil, write, false, false},
		{"Owner", []Permission{{Actions: []string{"*"}}}, write, true, true},
		{"Reader reads", []Permission{{Actions: []string{"*/read"}}}, "Microsoft.Network/connections/read", true, true},
		{"Reader writes not", []Permission{{Actions: []string{"*/read"}}}, write, false, false},
		{"Network Contributor", []Permission{{Actions: []string{"Microsoft.Network/*"}}}, write, true, true},
		{"another provider", []Permission{{Actions: []string{"Microsoft.Networks/*", "Microsoft.Compute/*"}}}, write, false, false},
		{"other case", []Permission{{Actions: []string{"microsoft.network/CONNECTIONS/Write"}}}, write, true, true},
		{"a beginning is not enough", []Permission{{Actions: []string{"Microsoft.Network/connections"}}}, write, false, false},
		{"in the middle", []Permission{{Actions: []string{"Microsoft.Network/*/write"}}}, write, true, true},
		{"two stars", []Permission{{Actions: []string{"*/connections/*"}}}, write, true, true},
		{"a star is not used twice", []Permission{{Actions: []string{"Microsoft.Network/connections/write*write"}}}, write, false, false},
		{"taken away", []Permission{{Actions: []string{"*"}, NotActions: []string{"Microsoft.Network/*/write"}}}, write, false, false},
		{"taken away in one role, given in another", []Permission{{Actions: []string{"*"}, NotActions: []string{"*/write"}}, {Actions: []string{write}}}, write, true, true},
		{"a slow read by its old name", []Permission{{Actions: []string{"Microsoft.Network/expressRouteCircuits/peerings/arpTables/action"}}}, "Microsoft.Network/expressRouteCircuits/peerings/arpTables/read", false, true},
		{"no other read by action", []Permission{{Actions: []string{"Microsoft.Network/connections/action"}}}, "Microsoft.Network/connections/read", false, false},
	} {
		if got := Allows(tt.held, tt.action); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
		if got := allowsEither(tt.held, tt.action); got != tt.either {
			t.Errorf("%s, old name or new: %t, want %t", tt.name, got, tt.either)
		}
	}
}

// What is missing on one resource is told with it; what could not be read is not known,
// which is neither held nor missing; what no resource needs is left out.
func TestCompareRights(t *testing.T) {
	all := []Permission{{Actions: []string{"*"}}}
	got := CompareRights([]Scope{
		{ID: "/k/1", Type: onConnection, Held: all, Known: true}, {ID: "/k/2", Type: onConnection, Held: []Permission{{Actions: []string{"*/read"}}}, Known: true}, {ID: "/g/1", Type: onGateway},
	})
	answers := map[string]string{}
	for _, h := range got {
		answers[h.Action] = h.Answer()
	}
	for action, want := range map[string]string{"Microsoft.Network/connections/read": "held", "Microsoft.Network/connections/write": "partly held", "Microsoft.Network/virtualNetworkGateways/join/action": "not known", "Microsoft.Network/expressRoutePorts/read": ""} {
		if answers[action] != want {
			t.Errorf("%s: %q, want %q", action, answers[action], want)
		}
	}
	i := slices.IndexFunc(got, func(h RightHeld) bool { return h.Action == "Microsoft.Network/connections/write" })
	if i < 0 || !slices.Equal(got[i].Missing, []string{"/k/2"}) || got[i].Count != 2 {
		t.Errorf("got %+v", got)
	}
}
