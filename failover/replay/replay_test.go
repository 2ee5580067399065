package replay

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"erfailover/failover"
	"erfailover/failover/config"
)

func setup(t testing.TB, name string) Setup {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s := Setup{Name: name, Estate: cfg.Topology(), Rules: map[string]failover.GroupRules{}, Limits: cfg.Limits(), Timing: failover.DefaultTiming()}
	for _, g := range s.Estate.Groups {
		rule := cfg.PolicyRule(g.Name)
		rule.SettleAfter = cfg.Timing.SettleAfter
		s.Rules[g.Name] = failover.GroupRules{Policy: rule, Health: cfg.HealthRule(g.Name), Baseline: cfg.Groups[g.Name].Baseline}
	}
	return s
}

var accept = flag.Bool("accept", false, "write testdata/*.txt anew")

var wholeWeek = flag.Bool("whole-week", false, "replay the whole recorded week, about a minute")

func recorded(t testing.TB) Recording {
	t.Helper()
	var rec Recording
	if err := rec.Read("week.ndjson", bytes.NewReader(readWeek(t))); err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestTwoPolicies replays the recorded week under the policy that ran and under one
// that somebody proposes, and holds the difference, as an engineer reads it, against
// testdata/*.txt. Without -whole-week it is the hours around two of the troubles. To
// accept new output: go test ./failover/replay -run TwoPolicies -accept
func TestTwoPolicies(t *testing.T) {
	for _, c := range []struct {
		file     string
		from, to time.Duration // since Monday; 0 and 0: the whole
	}{
		{"blips.txt", 64 * time.Hour, 65*time.Hour + 30*time.Minute},
		{"week.txt", 0, 0},
	} {
		if c.to == 0 && !*wholeWeek {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			rec := recorded(t)
			if c.to > 0 {
				rec.Between(monday().Add(c.from), monday().Add(c.to))
			}
			old, err := Run(t.Context(), rec, setup(t, "careful"))
			if err != nil {
				t.Fatal(err)
			}
			proposed, err := Run(t.Context(), rec, setup(t, "eager"))
			if err != nil {
				t.Fatal(err)
			}
			got := Compare(old, proposed).Text() + "\n----\n\n" + old.Text()
			name := "testdata/" + c.file
			if *accept {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the difference is not the one in %s; it is\n%s", name, got)
			}
			again := Compare(old, old)
			if len(again.Flips) != 0 || again.Same != len(old.Decisions) {
				t.Errorf("a policy differs from itself: %s", again.Text())
			}
		})
	}
}
