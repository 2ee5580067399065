package report

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// journal is the stream of the operation of failover, with strangers around it.
func journal(t interface {
	Helper()
	Fatal(...any)
}) ([]record.Row, record.Head) {
	t.Helper()
	own := record.Entry{Group: "east", Operation: "op-1", Plan: "p-1", Epoch: 1}
	entry := func(e record.Entry, code string, after time.Duration, text string, fields map[string]string) record.Entry {
		e.Code, e.At, e.Text, e.Fields = code, at.Add(after), text, fields
		return e
	}
	step := func(gw, attempts string, fields ...string) map[string]string {
		m := map[string]string{"connection": "/x/connections/" + gw + "-chicago", "from": "100", "to": "201", "attempts": attempts}
		for i := 0; i < len(fields); i += 2 {
			m[fields[i]] = fields[i+1]
		}
		return m
	}
	chained, head := record.Chain(record.Head{}, "group.east", []record.Entry{
		entry(record.Entry{Group: "east"}, "verdict.changed", 30*time.Second, "move: ashburn is down", nil),
		entry(own, "operation.decided", 31*time.Second, "failover from ashburn to chicago", map[string]string{"writes": "2"}),
		entry(own, "step.ended", 2*time.Minute, "gw1-chicago has weight 201", step("gw1", "1", "correlation", "c-1")),
		entry(own, "step.ended", 2*time.Minute, "gw2-chicago was not written", step("gw2", "3")),
		entry(own, "operation.applied", 2*time.Minute, "every write was read back", nil),
		entry(own, "operation.converged", 130*time.Second, "every gateway shows routes", nil),
		entry(own, "operation.ended", 135*time.Second, "failover ended: proven", map[string]string{"result": "proven", "symmetry": "unproven"}),
		entry(record.Entry{Group: "east", Operation: "op-2"}, "operation.decided", time.Hour, "failback", nil),
	})
	rows, err := record.Rows(chained)
	if err != nil {
		t.Fatal(err)
	}
	return rows, head
}

// evidence is the report of that operation, and the truth about it.
func evidence(t interface {
	Helper()
	Fatal(...any)
}) (Evidence, Truth) {
	t.Helper()
	rows, head := journal(t)
	op := MakeOperation(failover(), 2*time.Minute)
	e, err := MakeEvidence(op, rows, head, at.Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return e, Truth{Operation: &op, Head: head, Rows: rows}
}

// TestEvidenceHolds takes a report through its file and holds it against the journal.
func TestEvidenceHolds(t *testing.T) {
	e, truth := evidence(t)
	body, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseEvidence(body)
	if err != nil {
		t.Fatal(err)
	}
	if c := CheckEvidence(back, truth); !c.OK() || c.Entries != 6 {
		t.Errorf("%d entries, differences:\n%s", c.Entries, strings.Join(c.Differences, "\n"))
	}
	more, head := record.Chain(truth.Head, "group.east", []record.Entry{{Code: "intent.closed", At: at, Operation: "op-1"}})
	rows, err := record.Rows(more)
	if err != nil {
		t.Fatal(err)
	}
	truth.Head, truth.Rows = head, append(truth.Rows, rows...)
	if c := CheckEvidence(back, truth); !c.OK() || !strings.Contains(c.Notes[0], "1 newer") {
		t.Errorf("a journal that has grown: %q %q", c.Differences, c.Notes)
	}
	truth.Rows[2].Body = bytes.Replace(truth.Rows[2].Body, []byte("201"), []byte("301"), 1)
	if _, err := MakeEvidence(e.Operation, truth.Rows, truth.Head, at); err == nil {
		t.Error("a report was made of a journal that was edited")
	}
}

// TestCheckFindsEveryEdit changes one thing at a time and wants it named.
func TestCheckFindsEveryEdit(t *testing.T) {
	met := true
	for _, c := range []struct {
		name string
		edit func(e *Evidence, t *Truth)
		want string // in a difference
	}{
		{"another weight", func(e *Evidence, _ *Truth) { e.Operation.Steps[0].To = 301 }, "operation.steps[0].to: the report says 301, the record says 201"},
		{"record and report agree, the journal does not", func(e *Evidence, tr *Truth) {
			e.Operation.Steps[0].Correlation, tr.Operation.Steps[0].Correlation = "c-9", "c-9"
		}, `operation.steps[0].correlation: the report says "c-9", entry 3 says "c-1"`},
		{"a failed write told as done", func(e *Evidence, _ *Truth) { e.Operation.Steps[1].Phase = executor.Done }, "operation.steps[1].phase"},
		{"a write left out", func(e *Evidence, tr *Truth) {
			e.Operation.Steps, tr.Operation.Steps = e.Operation.Steps[:1], tr.Operation.Steps[:1]
		}, "entry 4: it tells of a write that the operation does not have"},
		{"another result", func(e *Evidence, tr *Truth) {
			e.Operation.Result, tr.Operation.Result = record.AppliedOK, record.AppliedOK
		}, "operation.result"},
		{"a faster stage", func(e *Evidence, tr *Truth) {
			for _, l := range []*Ledger{&e.Operation.Ledger, &tr.Operation.Ledger} {
				l.Stages[3].At = at.Add(40 * time.Second)
			}
		}, "operation.ledger apply"},
		{"a missed objective told as met", func(e *Evidence, _ *Truth) { e.Operation.Ledger.Met = &met }, "objective_met: the report says true"},
		{"no verdict on the objective", func(e *Evidence, _ *Truth) { e.Operation.Ledger.Met = nil }, "without an objective"},
		{"another plan", func(e *Evidence, tr *Truth) { e.Operation.Plan, tr.Operation.Plan = "p-2", "p-2" }, "operation.plan"},
		{"an edited entry", func(e *Evidence, _ *Truth) { e.Entries[1].Text = "all well" }, "entry 3: its hash does not match its text"},
		{"an entry left out", func(e *Evidence, _ *Truth) { e.Entries = slices.Delete(e.Entries, 2, 3) }, "entry 4: the report leaves it out"},
		{"an entry twice", func(e *Evidence, _ *Truth) { e.Entries = append(e.Entries, e.Entries[0]) }, "entry 2: it is twice"},
		{"an entry of another operation", func(e *Evidence, tr *Truth) {
			n, err := record.ParseEntry(tr.Rows[7].Body)
			if err != nil {
				panic(err)
			}
			e.Entries = append(e.Entries, n)
		}, `entry 8: it belongs to operation "op-2"`},
		{"an invented entry", func(e *Evidence, _ *Truth) {
			n := e.Entries[1]
			forged, _ := record.Chain(record.Head{Seq: n.Seq - 1, Hash: n.Prev}, e.Stream, []record.Entry{{Code: n.Code, At: n.At, Operation: "op-1", Fields: n.Fields, Text: "forged"}})
			e.Entries[1] = forged[0]
		}, "entry 3: the journal has another one"},
		{"another end of the chain", func(e *Evidence, _ *Truth) { e.Head.Hash = strings.Repeat("0", 64) }, "head: entry 8 has the hash"},
		{"an end that is not there", func(e *Evidence, _ *Truth) { e.Head.Seq = 99 }, "head: the report was made at entry 99"},
		{"another stream", func(e *Evidence, _ *Truth) { e.Stream = "group.west" }, "stream:"},
		{"no such operation", func(_ *Evidence, tr *Truth) { tr.Operation = nil }, `the record has none with ID "op-1"`},
		{"an edited journal", func(_ *Evidence, tr *Truth) {
			tr.Rows[0].Body = bytes.Replace(tr.Rows[0].Body, []byte("down"), []byte("fine"), 1)
		}, "row 1 was edited"},
		{"a cut journal", func(_ *Evidence, tr *Truth) { tr.Rows = tr.Rows[:5] }, "row 6 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, truth := evidence(t)
			own := MakeOperation(failover(), 2*time.Minute) // shares nothing with the report's
			truth.Operation = &own
			c.edit(&e, &truth)
			got := strings.Join(CheckEvidence(e, truth).Differences, "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("got differences:\n%s\nwant %q", got, c.want)
			}
		})
	}
}

// TestAnyEditedByteShows flips one byte of a report's file: it is refused, or found,
// or it stands in what the notes say that no journal can prove.
func TestAnyEditedByteShows(t *testing.T) {
	e, truth := evidence(t)
	body, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(body)-1).Draw(t, "at")
		edited := bytes.Clone(body)
		edited[i] = byte(rapid.IntRange(32, 126).Draw(t, "byte"))
		got, err := ParseEvidence(edited)
		if err != nil || !CheckEvidence(got, truth).OK() {
			return
		}
		got.Made, got.Operation.Ledger.ObjectiveMS = e.Made, e.Operation.Ledger.ObjectiveMS
		again, err := got.JSON()
		if err != nil || !bytes.Equal(again, body) {
			t.Fatalf("byte %d changed from %q to %q and nobody saw: %v\n%s", i, body[i], edited[i], err, edited[max(0, i-60):min(len(edited), i+60)])
		}
	})
}

// TestParseEvidenceRefuses: what no check looks at must not stand in a report.
func TestParseEvidenceRefuses(t *testing.T) {
	e, _ := evidence(t)
	body, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, now, want string }{
		{"an unknown field", `"schema": 1,`, `"schema": 1, "audited_by": "me",`, "audited_by"},
		{"a repeated field", `"schema": 1,`, `"schema": 1, "schema": 1,`, "duplicate"},
		{"another schema", `"schema": 1,`, `"schema": 2,`, "schema: got 2, want 1"},
		{"no operation", `"id": "op-1",`, ``, "operation.id"},
		{"more behind the end", "\n}\n", "\n}{}", "invalid character"},
	} {
		edited := bytes.Replace(body, []byte(c.old), []byte(c.now), 1)
		if _, err := ParseEvidence(edited); bytes.Equal(edited, body) || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzParseEvidence: a file is refused or it can be checked and shown.
func FuzzParseEvidence(f *testing.F) {
	e, truth := evidence(f)
	body, err := e.JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"schema":1,"operation":{"id":"op-1"},"entries":[{"fields":null}]}`))
	f.Add([]byte(`{"schema":1,"schema":1}`))
	f.Add([]byte(`{"schema":2,"operation":{"id":"op-1"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEvidence(body)
		if err != nil {
			return
		}
		CheckEvidence(e, truth)
		if _, err := e.HTML(); err != nil {
			t.Error(err)
		}
		_ = e.Markdown()
	})
}

// TestReportFiles compares the page and the text with their golden files.
// ERFAILOVER_UPDATE=1 writes them anew; look at the page in a browser.
func TestReportFiles(t *testing.T) {
	e, _ := evidence(t)
	page, err := e.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"evidence.html": page, "evidence.md": []byte(e.Markdown())} {
		name := filepath.Join("testdata", name)
		if os.Getenv("ERFAILOVER_UPDATE") != "" {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs (%v); got\n%s", name, err, got)
		}
	}
}

// TestTrend counts by hand: ten recoveries of 10 s to 100 s, one not proven, one
// failed, and summaries of which one is known whole.
func TestTrend(t *testing.T) {
	var whole []Operation
	for i := 1; i <= 10; i++ {
		o := failover()
		o.ID = "op-" + strconv.Itoa(i)
		o.Stamps = record.Stamps{Signal: at, Decide: at.Add(time.Second), Verify: at.Add(time.Duration(i) * 10 * time.Second), End: at.Add(time.Duration(i) * 10 * time.Second)}
		whole = append(whole, MakeOperation(o, 65*time.Second))
	}
	unseen, failed, running := failover(), failover(), failover()
	unseen.ID, unseen.Result, unseen.Stamps.Verify = "op-11", record.AppliedOK, time.Time{}
	failed.ID, failed.Result, failed.Stamps.Verify = "op-12", record.FailedOp, time.Time{}
	running.ID, running.Status = "op-13", record.Applying
	for _, o := range []record.Operation{unseen, failed, running, failed} {
		whole = append(whole, MakeOperation(o, 0))
	}
	recent := map[string][]record.Summary{
		"west": {{ID: "op-30", Kind: policy.KindDrill, Begun: at, Ended: at.Add(time.Minute), Result: record.Proven}},
		"east": {{ID: "op-1", Kind: policy.KindFailover, Begun: at, Ended: at.Add(time.Hour), Result: record.Proven},
			{ID: "op-20", Kind: policy.KindFailback, Begun: at, Ended: at.Add(time.Second), Result: record.Cancelled}},
	}
	got := Trend(whole, recent)
	want := []TrendLine{
		{Group: "east", Kind: policy.KindFailback, Operations: 1},
		{Group: "east", Kind: policy.KindFailover, Operations: 12, Proven: 10, Failed: 1, Measured: 10, P50MS: 50000, P95MS: 100000, MaxMS: 100000, Met: 6, Missed: 4, Timed: 11, RunP50MS: 59000, RunP95MS: 104000},
		{Group: "west", Kind: policy.KindDrill, Operations: 1, Proven: 1, Timed: 1, RunP50MS: 60000, RunP95MS: 60000},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if len(Trend(nil, nil)) != 0 {
		t.Error("a trend of nothing has lines")
	}
}

// TestPercentile compares with counting.
func TestPercentile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 40).Draw(t, "values")
		p := rapid.IntRange(1, 100).Draw(t, "p")
		got := percentile(slices.Clone(values), p)
		below, upTo := 0, 0
		for _, v := range values {
			if v < got {
				below++
			}
			if v <= got {
				upTo++
			}
		}
		if !slices.Contains(values, got) || upTo*100 < p*len(values) || below*100 >= p*len(values) {
			t.Fatalf("percentile %d of %v: got %d", p, values, got)
		}
	})
}
