package report

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"erfailover/failover/executor"
	"erfailover/failover/policy"
	"erfailover/failover/record"
)

// TestPageStandsAlone: nothing is loaded, nothing runs, no token is shown.
func TestPageStandsAlone(t *testing.T) {
	e, _ := evidence(t)
	page, err := e.HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if m := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|<object|\ssrc=|\shref=|url\(|@import|https?://|\son[a-z]+=|SECRET`).FindString(text); m != "" {
		t.Errorf("the page holds %q", m)
	}
	for _, want := range []string{"ashburn is down: probe | &lt;b&gt;", "BEYOND the objective of 2m00s", "denied by policy; what to do: give the role", "no request was seen accepted", `<header class="fair">`, "raise the local preference", e.Head.Hash, e.Entries[5].Hash, "c-1", "a note", "<code>circuit-down</code>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestSettlePage: what moves no traffic is held to no objective.
func TestSettlePage(t *testing.T) {
	e, _ := evidence(t)
	op := failover()
	op.Kind, op.Result = policy.KindSettle, record.AppliedOK
	e.Operation = MakeOperation(op, 2*time.Minute)
	page, err := e.HTML()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Contains(text, "objective of") || strings.Contains(text, "objective 2m") || !strings.Contains(text, "It took 2m15s") {
		t.Errorf("the page of a settle speaks of a recovery:\n%s", text)
	}
}

// TestHostileText puts any text into every place that events and people fill: the
// page keeps its elements, and what turns text around is gone.
func TestHostileText(t *testing.T) {
	tags := regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	plainOne, _ := evidence(t)
	fill := func(e Evidence, s string) Evidence {
		o := MakeOperation(failover(), 2*time.Minute)
		o.Group, o.By, o.Notes, o.Approved = s, s, []string{s}, []string{s}
		o.Why[0].Text, o.To, o.From = s, []string{s}, []string{s}
		o.Steps[1].Error, o.Steps[0].Correlation, o.Steps[0].Circuit, o.Steps[0].Connection = s, s, s, s
		e.Operation = o
		e.Entries = append([]record.Entry(nil), e.Entries...)
		e.Entries[0].Text, e.Entries[0].Actor, e.Entries[0].Hash = s, s, s
		return e
	}
	want, err := fill(plainOne, "x").HTML()
	if err != nil {
		t.Fatal(err)
	}
	elements := len(tags.FindAll(want, -1))
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		page, err := fill(plainOne, s+"x").HTML() // never empty: what is empty is left out
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if n := len(tags.FindAll(page, -1)); n != elements {
			t.Fatalf("%q makes %d elements of %d", s, n, elements)
		}
		if strings.ContainsAny(string(page), "\u202e\u2066\u200b\x1b") {
			t.Fatalf("%q hides or turns text", s)
		}
	}
	for _, s := range []string{`</title><script>alert(1)</script>`, `"><img src=x onerror=y>`, "</style>\u202egnp", "{{.E}}", "-->", "<!--", "\x1b[2J", "\u200b\u2066"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}

// TestDrawing holds the picture to its scale and inside its box.
func TestDrawing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := failover()
		after := func(name string, before time.Time) time.Time {
			return before.Add(time.Duration(rapid.Int64Range(0, 7200_000).Draw(t, name)) * time.Millisecond)
		}
		s := record.Stamps{Signal: at}
		s.Confirm = after("confirm", s.Signal)
		s.Decide = after("decide", s.Confirm)
		s.Apply = after("apply", s.Decide)
		s.Verify = after("verify", s.Apply)
		op.Stamps = s
		op.Steps[0].BegunAt = s.Decide
		op.Steps[0].DoneAt = after("late", s.Apply) // a write may end after the operation was overtaken
		objective := time.Duration(rapid.Int64Range(0, 7200).Draw(t, "objective")) * time.Second
		o := MakeOperation(op, objective)
		d := draw(o)
		if len(d.Bars) != 6 || len(d.Ticks) > 11 || (d.Objective != nil) != (objective > 0) {
			t.Fatalf("%d bars, %d ticks", len(d.Bars), len(d.Ticks))
		}
		for _, b := range d.Bars {
			if b.X < drawLeft || b.X+b.W > drawLeft+drawWidth+2 || b.W < 1 || b.Y+drawRow > d.Height {
				t.Fatalf("the bar %+v leaves the picture", b)
			}
		}
		if d.Objective == nil {
			return
		}
		last := d.Bars[4]
		if end := last.X + last.W; s.Verify.Sub(at) > objective+time.Minute && end < d.Objective.X {
			t.Fatalf("a recovery beyond the objective ends before its line: %v < %v", end, d.Objective.X)
		}
	})
}

// TestOnPremises: what the other side must do, for every way to end.
func TestOnPremises(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*record.Operation)
		want string
	}{
		{"unproven", func(*record.Operation) {}, "Unproven: weights steer only what leaves Azure"},
		{"symmetric", func(o *record.Operation) { o.Symmetry = record.Symmetric }, "There is nothing to do"},
		{"asymmetric", func(o *record.Operation) { o.Symmetry = record.Asymmetric }, "still comes in over ashburn"},
		{"failed", func(o *record.Operation) { o.Result = record.FailedOp }, "Not every write landed"},
		{"superseded", func(o *record.Operation) { o.Result = record.Overtaken }, "the one that came after"},
		{"runs", func(o *record.Operation) { o.Status, o.Result = record.Applying, "" }, "do nothing on the on-premises side yet"},
		{"settle", func(o *record.Operation) { o.Kind = policy.KindSettle }, "moves no traffic"},
	} {
		op := failover()
		c.edit(&op)
		if got := onPremises(MakeOperation(op, 0)); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestWeightsThatAreNotKnown: only a weight that was read back is shown as one.
func TestWeightsThatAreNotKnown(t *testing.T) {
	for _, phase := range []executor.Phase{executor.Waiting, executor.Intent, executor.Sent, executor.Check, executor.Done, executor.Failed} {
		op := failover()
		op.Steps[0].Phase = phase
		got := MakeOperation(op, 0).changes()[0].Changes[0]
		if got.Known != (phase == executor.Done) || got.Ended == "" {
			t.Errorf("%s: %+v", phase, got)
		}
	}
}
