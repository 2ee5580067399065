package failover

import (
	"testing"
	"time"

	"erfailover/failover/executor"
	"erfailover/failover/record"
)

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
