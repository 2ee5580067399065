package failover

import (
	"slices"
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/record"
)

// What on-premises announces is told from what Azure announces to the link, and what
// cannot be told apart is nothing.
func TestAnnounced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		routes []executor.Route
		want   []string
	}{
		{"on-premises and a virtual network", []executor.Route{{Network: "10.20.0.0/16", ASPath: "65001"}, {Network: "10.200.0.0/16", ASPath: "65515"}}, []string{"10.20.0.0/16"}},
		{"paths of any writing", []executor.Route{{Network: "10.1.0.0/16", ASPath: " 65001 65002"}, {Network: "10.2.0.0/16", ASPath: "65515-65001"}, {Network: "10.3.0.0/16", ASPath: "65001-65001"}}, []string{"10.1.0.0/16", "10.3.0.0/16"}},
		{"no path", []executor.Route{{Network: "172.16.0.0/30"}}, nil},
		{"the same prefix twice, host bits set", []executor.Route{{Network: "10.1.2.3/16", ASPath: "65001"}, {Network: "10.1.0.0/16", ASPath: "65001"}}, []string{"10.1.0.0/16"}},
		{"IPv6", []executor.Route{{Network: "FD00:1::/48", ASPath: "65001"}}, []string{"fd00:1::/48"}},
		{"without a length", []executor.Route{{Network: "10.0.0.0", ASPath: "65001"}}, []string{"10.0.0.0"}},
	} {
		if got := announced(tt.routes); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := announced(slices.Repeat([]executor.Route{{Network: "10.0.0.0/8", ASPath: "65001"}}, maxPrefixes+1)); len(got) != 1 {
		t.Errorf("repeats count as one: %d", len(got))
	}
}

// A table of a session that is down tells nothing about what the circuit announces.
func TestAnEmptyTableIsNoNews(t *testing.T) {
	before := record.LinkTable{At: time.Unix(100, 0), Prefixes: []string{"10.0.0.0/8"}}
	got := withTable(before, executor.Answer{At: time.Unix(200, 0), Routes: []executor.Route{{Network: "10.200.0.0/16", ASPath: "65515"}}})
	if !got.At.Equal(before.At) || len(got.Prefixes) != 1 {
		t.Errorf("got %+v", got)
	}
}

// A rate is known from two looks that make sense together, and from nothing else.
func TestRates(t *testing.T) {
	at := func(s int64, in, out int64) record.TrafficReading {
		return record.TrafficReading{At: time.Unix(s, 0), Bytes: executor.Traffic{In: [2]int64{in, in}, Out: [2]int64{out, out}}}
	}
	for _, tt := range []struct {
		name          string
		before, after record.TrafficReading
		want          int64 // -1: nothing
	}{
		{"both links, the larger direction", at(0, 0, 0), at(300, 100, 37_500_000), 2_000_000},
		{"stands still", at(0, 5, 5), at(300, 5, 5), -1},
		{"goes back", at(0, 5, 5), at(300, 6, 4), -1},
		{"too far apart", at(0, 0, 0), at(3601, 100, 100), -1},
		{"too close", at(0, 0, 0), at(4, 100, 100), -1},
		{"out of order", at(300, 0, 0), at(0, 100, 100), -1},
		{"a leap", at(0, 0, 0), at(10, 0, 1<<40), -1},
	} {
		got := withRate(record.Measured{Traffic: &tt.before}, tt.after, 1000)
		switch {
		case tt.want < 0 && len(got) != 0:
			t.Errorf("%s: got %+v, want nothing", tt.name, got)
		case tt.want >= 0 && (len(got) != 1 || got[0].Bits != tt.want):
			t.Errorf("%s: got %+v, want %d", tt.name, got, tt.want)
		}
	}
	if got := withRate(record.Measured{}, at(300, 1, 1), 1000); len(got) != 0 {
		t.Errorf("one look tells no rate: %+v", got)
	}
	many := record.Measured{Traffic: &record.TrafficReading{At: time.Unix(0, 0)}, Rates: make([]record.Rate, ratesKept)}
	if got := withRate(many, at(300, 1, 1), 0); len(got) != ratesKept || got[0].At != time.Unix(300, 0) {
		t.Errorf("kept %d, newest %s", len(got), got[0].At)
	}
}
