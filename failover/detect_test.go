package failover

import "testing"

// TestInRegion: announcements name regions as people do.
func TestInRegion(t *testing.T) {
	for _, c := range []struct {
		announced string
		want      bool
	}{
		{"East US 2", true},
		{"eastus2", true},
		{"West US; East US 2", true},
		{"West US,East US 2", true},
		{"Global", true},
		{"", true},
		{" ", true},
		{"East US", false},
		{"West US;North Europe", false},
		{";", false},
	} {
		if got := inRegion(c.announced, "EastUS2"); got != c.want {
			t.Errorf("%q: got %v, want %v", c.announced, got, c.want)
		}
	}
}
