package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"erfailover/failover/executor"
	"erfailover/failover/health"
	"erfailover/failover/planner"
	"erfailover/failover/policy"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

var at = time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)

// failover is an operation that has ended well, with a token that must not show.
func failover() record.Operation {
	return record.Operation{
		ID: "op-1", Kind: policy.KindFailover, Group: "east", Status: record.Ended, Result: record.Proven, Symmetry: record.Unproven,
		Plan:    planner.Plan{ID: "p-1", Group: "east", Kind: policy.KindFailover, Epoch: 1, From: []string{"ashburn"}, To: []string{"chicago"}},
		Verdict: policy.Verdict{Reasons: []policy.Finding{{Code: policy.CircuitDown, Circuit: "ashburn", Text: "ashburn is down: probe | <b>, metric (2 of 2 needed)"}}},
		Steps: []executor.StepState{
			{Step: planner.Step{Connection: "/x/connections/gw1-chicago", Gateway: "/x/gw1", Circuit: "chicago", From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: 201, Epoch: "1"}},
				Phase: executor.Done, Attempts: 1, Token: "SECRET-TOKEN", DoneAt: at.Add(2 * time.Minute), Correlation: "c-1"},
			{Step: planner.Step{Connection: "/x/connections/gw2-chicago", Gateway: "/x/gw2", Circuit: "chicago", From: planner.Weight{Weight: 100}, To: planner.Weight{Weight: 201, Epoch: "1"}},
				Phase: executor.Failed, Attempts: 3, Error: "denied\nby policy", Hint: "give the role"},
		},
		Checks: []record.RouteCheck{{Gateway: "/x/gw1", Token: "SECRET-TOKEN"}},
		Stamps: record.Stamps{Signal: at, Confirm: at.Add(30 * time.Second), Decide: at.Add(31 * time.Second), Apply: at.Add(2 * time.Minute), Converge: at.Add(130 * time.Second), Verify: at.Add(135 * time.Second), End: at.Add(135 * time.Second)},
		Notes:  []string{"a note"},
	}
}

// TestMarkdown compares a report with its golden file. ERFAILOVER_UPDATE=1 writes it
// anew; read the difference.
func TestMarkdown(t *testing.T) {
	got := MakeOperation(failover(), 2*time.Minute).Markdown() + "\n```\n" + MakeOperation(failover(), 2*time.Minute).Ledger.Text() + "```\n"
	name := filepath.Join("testdata", "failover.md")
	if os.Getenv("ERFAILOVER_UPDATE") != "" {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLedger(t *testing.T) {
	s := failover().Stamps
	for _, c := range []struct {
		name      string
		change    func(*record.Stamps)
		objective time.Duration
		stages    int
		recovery  int64
		met       string
	}{
		{"whole", func(*record.Stamps) {}, 0, 6, 135000, ""},
		{"met at the limit", func(*record.Stamps) {}, 135 * time.Second, 6, 135000, "met"},
		{"missed by a millisecond", func(*record.Stamps) {}, 135*time.Second - time.Millisecond, 6, 135000, "missed"},
		{"never verified", func(s *record.Stamps) { s.Verify = time.Time{} }, time.Hour, 5, 130000, ""},
		{"by order", func(s *record.Stamps) { s.Confirm = time.Time{} }, 0, 5, 135000, ""},
		{"approved", func(s *record.Stamps) { s.Approve = at.Add(time.Minute) }, 0, 7, 135000, ""},
		{"nothing yet", func(s *record.Stamps) { *s = record.Stamps{} }, time.Hour, 0, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s
			c.change(&s)
			l := MakeLedger(s, c.objective)
			met := ""
			if l.Met != nil {
				met = map[bool]string{true: "met", false: "missed"}[*l.Met]
			}
			if len(l.Stages) != c.stages || l.RecoveryMS != c.recovery || met != c.met {
				t.Errorf("%d stages, %d ms, %q; want %d, %d, %q", len(l.Stages), l.RecoveryMS, met, c.stages, c.recovery, c.met)
			}
			var sum int64
			for _, st := range l.Stages {
				sum += st.TookMS
			}
			if sum != l.RecoveryMS {
				t.Errorf("the stages add up to %d ms, the recovery took %d", sum, l.RecoveryMS)
			}
		})
	}
}

// TestNothingSecretIsShown puts a token in every place that has one and looks for it
// in everything that a person or a machine reads.
func TestNothingSecretIsShown(t *testing.T) {
	op := failover()
	g := record.Group{Name: "east", Operation: &op, Reads: []record.SlowRead{{Token: "SECRET-TOKEN"}}, Intents: []record.OpenIntent{{Token: "SECRET-TOKEN"}}}
	est := topology.Estate{Groups: []topology.Group{{Name: "east", Tiers: [][]string{{"ashburn"}, {"chicago"}}}}}
	s := MakeStatus(Input{Now: at, Estate: record.Estate{Facts: est}, Groups: []record.Group{g}, Health: map[string]health.Rule{"east": health.DefaultRule()}})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), s.Groups[0].Operation.Markdown(), s.Groups[0].Operation.Ledger.Text()} {
		if strings.Contains(shown, "SECRET") {
			t.Errorf("a token is shown:\n%s", shown)
		}
	}
	if s.Groups[0].OpenIntents != 1 || s.Groups[0].Operation.ID != "op-1" || len(s.Groups[0].Circuits) != 2 {
		t.Errorf("the status lost something: %s", text)
	}
}

// TestCellKeepsTheTable puts any text into a report and counts its columns.
func TestCellKeepsTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := failover()
		op.Steps[1].Error = rapid.String().Draw(t, "error")
		md := MakeOperation(op, 0).Markdown()
		rows := 0
		for line := range strings.SplitSeq(md, "\n") {
			if strings.HasPrefix(line, "| gw") {
				rows++
				if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 9 {
					t.Fatalf("%d column marks in %q", n, line)
				}
			}
		}
		if rows != 2 {
			t.Fatalf("%d rows of writes in\n%s", rows, md)
		}
	})
}
