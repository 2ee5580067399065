package executor

import (
	"slices"
	"strings"
	"testing"
)

// What on-premises announces is told from what Azure announces to the link, and what
// cannot be told apart is nothing.
func TestOnPremises(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []Route
		want   []string
	}{
		{"on-premises and a virtual network", []Route{{Network: "10.20.0.0/16", ASPath: "65001"}, {Network: "10.200.0.0/16", ASPath: "65515"}}, []string{"10.20.0.0/16"}},
		{"paths of any writing", []Route{{Network: "10.1.0.0/16", ASPath: " 65001 65002"}, {Network: "10.2.0.0/16", ASPath: "65515-65001"}, {Network: "10.3.0.0/16", ASPath: "65001-65001"}}, []string{"10.1.0.0/16", "10.3.0.0/16"}},
		{"no path", []Route{{Network: "172.16.0.0/30"}}, nil},
		{"the same prefix twice, host bits set", []Route{{Network: "10.1.2.3/16", ASPath: "65001"}, {Network: "10.1.0.0/16", ASPath: "65001"}}, []string{"10.1.0.0/16"}},
		{"IPv6", []Route{{Network: "FD00:1::/48", ASPath: "65001"}}, []string{"fd00:1::/48"}},
		{"without a length", []Route{{Network: "10.0.0.0", ASPath: "65001"}}, []string{"10.0.0.0"}},
	} {
		if got := OnPremises(tt.routes); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := OnPremises(slices.Repeat([]Route{{Network: "10.0.0.0/8", ASPath: "65001"}}, MostPrefixes+1)); len(got) != 1 {
		t.Errorf("repeats count as one: %d", len(got))
	}
}

// Azure's half of the same table, and paths behind the edge's own number.
func TestFromAzure(t *testing.T) {
	table := []Route{{Network: "10.20.0.0/16", ASPath: "65001"}, {Network: "10.200.0.0/16", ASPath: "65515"}, {Network: "10.201.0.0/16", ASPath: "12076 65515 65515"}, {Network: "10.30.0.0/16", ASPath: "12076-12076-65001"}, {Network: "172.16.0.0/30", ASPath: "12076"}}
	if got := FromAzure(table); !slices.Equal(got, []string{"10.200.0.0/16", "10.201.0.0/16"}) {
		t.Errorf("Azure announces %v", got)
	}
	if got := OnPremises(table); !slices.Equal(got, []string{"10.20.0.0/16", "10.30.0.0/16"}) {
		t.Errorf("on-premises announces %v", got)
	}
}

// Eight times at the head of the path is the sign of maintenance; seven times, or eight
// times further back, is somebody's own prepending.
func TestDrained(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "65001": false, "12076-65001": false,
		strings.Repeat("12076-", 7) + "65001":  false,
		strings.Repeat("12076-", 8) + "65001":  true,
		strings.Repeat("12076 ", 9) + "65001":  true,
		strings.Repeat("12076,", 8):            true,
		"65001-" + strings.Repeat("12076-", 8): false,
		"12076-" + strings.Repeat("65001-", 9): false,
	} {
		if got := (Route{ASPath: path}).Drained(); got != want {
			t.Errorf("%q: got %t", path, got)
		}
	}
}

func TestPrefixSet(t *testing.T) {
	set := NewPrefixSet([]string{"10.20.0.0/16", "10.0.0.0/8", "192.168.0.0/20", "fd00::/32"})
	for prefix, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.20.1.0/24": "10.0.0.0/8", "0.0.0.0/0": "", "192.168.0.0/16": "", "192.168.15.0/24": "192.168.0.0/20", "192.168.16.0/24": "",
		"fd00:0:1::/48": "fd00::/32", "fd01::/48": "", "no prefix": "",
	} {
		if got := set.Holder(prefix); got != want {
			t.Errorf("%s: got %q, want %q", prefix, got, want)
		}
	}
	if !set.Has("10.0.0.0/8") || set.Has("10.0.0.0/9") {
		t.Error("the very prefix, and no other")
	}
}
