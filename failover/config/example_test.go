package config_test

import (
	"fmt"
	_ "time/tzdata"

	"erfailover/failover/config"
)

// What the operator sees: all problems at once, with the key as typed, its line,
// the value found and the rule.
func ExampleParse() {
	_, _, err := config.Parse([]byte(`version: 1
circuits:
  a: {id: /subscriptions/s/resourceGroups/n/providers/Microsoft.Network/expressRouteCircuits/a}
  b: {id: /subscriptions/s/resourceGroups/n/providers/Microsoft.Network/expressRouteCircuits/b}
groups:
  east:
    gateways: [/subscriptions/s/resourceGroups/n/providers/Microsoft.Network/virtualNetworkGateways/g]
    preference: [a, b]
    health: {holdDown: 2, observers: 9}
`))
	fmt.Println(err)
	// Output:
	// config: 2 unusable settings
	//   groups.east.health.holdDown (line 9): got 2, want a duration with its unit, like 30s, 5m or 2h
	//   groups.east.health.observers (line 9): got 9, want a whole number from 1 to 5
}

// A setting that works and deserves a second look is a warning.
func ExampleParse_warnings() {
	_, warnings, err := config.Parse([]byte(`version: 1
circuits:
  a: {id: /subscriptions/s/resourceGroups/n/providers/Microsoft.Network/expressRouteCircuits/a}
groups:
  east:
    gateways: [/subscriptions/s/resourceGroups/n/providers/Microsoft.Network/virtualNetworkGateways/g]
    preference: [a]
    coolDown: 5s
`))
	for _, w := range warnings {
		fmt.Println(w)
	}
	fmt.Println(err)
	// Output:
	// groups.east.preference (line 7): only one circuit: there is nowhere to move to
	// groups.east.coolDown (line 8): 5s suits a test; a real estate wants 1m or more
	// <nil>
}

// A reference stays a reference until somebody is given the environment.
func ExampleSecret_Resolve() {
	environment := map[string]string{"TEAMS_WEBHOOK_URL": "https://hook.test/x"}
	lookup := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }

	for _, s := range []config.Secret{"env:TEAMS_WEBHOOK_URL", "env:SLACK_URL", "https://hook.test/y"} {
		_, err := s.Resolve(lookup)
		fmt.Println(s, err)
	}
	// Output:
	// env:TEAMS_WEBHOOK_URL <nil>
	// env:SLACK_URL read environment variable SLACK_URL: invalid
	// (secret) <nil>
}
