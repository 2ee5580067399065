package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"erfailover/failover/fault"
)

var start = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// TestJournal runs the stories of testdata/journal. To accept new output, run
// `go test ./failover/record -rewrite`, then read the diff.
func TestJournal(t *testing.T) {
	datadriven.Walk(t, "testdata/journal", func(t *testing.T, file string) {
		j := journal{stream: "east"}
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string { return j.do(t, d) })
	})
}

// journal is a stream under test: what was decided, and the rows as they are kept.
type journal struct {
	stream string
	head   Head
	rows   []Row
}

func (j *journal) do(t *testing.T, d *datadriven.TestData) string {
	at := 0
	if d.HasArg("row") {
		d.ScanArgs(t, "row", &at)
	}
	switch d.Cmd {
	case "add": // one entry a line: code=... text=...
		var entries []Entry
		for line := range strings.SplitSeq(d.Input, "\n") {
			code, text, _ := strings.Cut(line, ": ")
			entries = append(entries, Entry{At: start, Code: code, Group: "east", Text: text})
		}
		chained, head := Chain(j.head, j.stream, entries)
		rows, err := Rows(chained)
		if err != nil {
			return err.Error()
		}
		j.head, j.rows = head, append(j.rows, rows...)
		return fmt.Sprintf("head %d", head.Seq)
	case "show":
		var b strings.Builder
		for _, row := range j.rows {
			fmt.Fprintf(&b, "%s\n", row.Body)
		}
		return b.String()
	case "edit": // replace text in a row
		old, changed, _ := strings.Cut(d.Input, " => ")
		was := j.rows[at-1].Body
		j.rows[at-1].Body = bytes.Replace(was, []byte(old), []byte(changed), 1)
		if bytes.Equal(was, j.rows[at-1].Body) {
			d.Fatalf(t, "row %d has no %q", at, old)
		}
	case "drop":
		j.rows = append(j.rows[:at-1:at-1], j.rows[at:]...)
	case "swap": // the bytes of a row and of the next
		j.rows[at-1].Body, j.rows[at].Body = j.rows[at].Body, j.rows[at-1].Body
	case "reorder": // the rows themselves
		j.rows[at-1], j.rows[at] = j.rows[at], j.rows[at-1]
	case "cut":
		j.rows[at-1].Body = j.rows[at-1].Body[:len(j.rows[at-1].Body)/2]
	case "forge": // rewrite a row with a right hash
		e, err := ParseEntry(j.rows[at-1].Body)
		if err != nil {
			return err.Error()
		}
		e.Text = d.Input
		e.Hash = e.sum()
		if j.rows[at-1], err = e.Row(); err != nil {
			return err.Error()
		}
	case "rename":
		j.stream = d.Input
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	if err := VerifyTo(j.stream, j.head, j.rows); err != nil {
		return fmt.Sprintf("%s\nkind %s", err, fault.KindOf(err))
	}
	return "whole"
}

// anyEntry draws an entry with hostile texts.
func anyEntry(t *rapid.T) Entry {
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6000), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.IntRange(0, 9000), func(n int) string { return strings.Repeat(`"`, n) }))
	return Entry{
		At: start.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "at"))), Code: text.Draw(t, "code"), Group: text.Draw(t, "group"),
		Circuit: text.Draw(t, "circuit"), Operation: text.Draw(t, "operation"), Plan: text.Draw(t, "plan"), Epoch: rapid.Int64().Draw(t, "epoch"),
		Reasons: rapid.SliceOfN(text, 0, 60).Draw(t, "reasons"), Actor: text.Draw(t, "actor"), Text: text.Draw(t, "text"),
		Fields: rapid.MapOfN(text, text, 0, 60).Draw(t, "fields"),
	}
}

// TestChainPromises: whatever it is fed, a chain fits its rows, comes back from
// them and from a document as it was, verifies in any two parts, and gives the
// same bytes again.
func TestChainPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(anyEntry), 1, 5).Draw(t, "entries")
		chained, head := Chain(Head{}, "east", entries)
		rows, err := Rows(chained)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckRows("east", rows); err != nil {
			t.Fatal(err)
		}
		if err := VerifyTo("east", head, rows); err != nil {
			t.Fatal(err)
		}
		split := rapid.IntRange(0, len(rows)).Draw(t, "split")
		middle, err := Verify("east", Head{}, rows[:split])
		if err != nil {
			t.Fatal(err)
		}
		if end, err := Verify("east", middle, rows[split:]); err != nil || end != head {
			t.Fatalf("in two parts: %v %v, want %v", end, err, head)
		}
		document, err := json.Marshal(chained)
		if err != nil {
			t.Fatal(err)
		}
		var pending []Entry
		if err := json.Unmarshal(document, &pending); err != nil {
			t.Fatal(err)
		}
		for name, list := range map[string][]Entry{"from a document": pending, "again": chain(entries)} {
			again, err := Rows(list)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range rows {
				if !bytes.Equal(again[i].Body, rows[i].Body) {
					t.Fatalf("%s: row %d is %s, was %s", name, i+1, again[i].Body, rows[i].Body)
				}
			}
		}
	})
}

func chain(entries []Entry) []Entry {
	chained, _ := Chain(Head{}, "east", entries)
	return chained
}

// TestEveryChangedByteShows changes each bit of a stream in turn.
func TestEveryChangedByteShows(t *testing.T) {
	chained, head := Chain(Head{}, "east", []Entry{
		{At: start, Code: "verdict", Text: "hold", Reasons: []string{"hold-down"}, Fields: map[string]string{"b": "2", "a": "1"}},
		{At: start, Code: "verdict", Text: "move", Epoch: 7},
	})
	rows, err := Rows(chained)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		for at := range rows[i].Body {
			for bit := range 8 {
				rows[i].Body[at] ^= 1 << bit
				var row *BrokenRow
				if err := VerifyTo("east", head, rows); !errors.As(err, &row) || row.Seq != uint64(i+1) {
					t.Fatalf("row %d, byte %d, bit %d: %v", i+1, at, bit, err)
				}
				rows[i].Body[at] ^= 1 << bit
			}
		}
	}
}

func TestRowRefusesWhatWasNotChained(t *testing.T) {
	chained := chain([]Entry{{At: start, Code: "a"}})
	changed := chained[0]
	changed.Text = "something else"
	far := chain([]Entry{{At: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}})[0]
	for name, e := range map[string]Entry{"empty": {}, "changed": changed, "year 12000": far} {
		if _, err := e.Row(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChainLeavesItsArgumentsAlone(t *testing.T) {
	fields, reasons := map[string]string{"a": "1\n2"}, []string{"x\ty"}
	Chain(Head{}, "east", []Entry{{At: start, Fields: fields, Reasons: reasons}})
	if fields["a"] != "1\n2" || reasons[0] != "x\ty" {
		t.Errorf("changed to %q %q", fields, reasons)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain text", "plain text"},
		{"two\nlines\r\n", "two lines"},
		{"\x1b[31mred\x00", "[31mred"},
		{"a\u202eb", "a b"},
		{"bad \xff byte", "bad \ufffd byte"},
		{strings.Repeat("x", 30), strings.Repeat("x", 17) + "..."},
		{strings.Repeat("é", 15), strings.Repeat("é", 8) + "..."},
		{"Bearer eyJ0eXAiOiJKV1QiLCJhbGciOi", "(secret)"},
		{"authorization: bearer 0123456789abcdef", "(secret)"},
		{"the bearer of news", "the bearer of news"},
		{"https://x/y?sv=1&SIG=abc", "(secret)"},
		{"AccountName=a;AccountKey=b", "(secret)"},
		{"Endpoint=sb://x/;SharedAccessKey=b", "(secret)"},
		{"si\x00g=abc", "si g=abc"},
		{"got eyJa.eyJb.c", "(secret)"},
		{"sig\u00adnal", "sig nal"},
	} {
		got := Clean(c.in, 20)
		if got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, limit := rapid.String().Draw(t, "s"), rapid.IntRange(8, 40).Draw(t, "limit")
		once := Clean(s, limit)
		if len(once) > limit || Clean(once, limit) != once {
			t.Fatalf("Clean(%q, %d) = %q, then %q", s, limit, once, Clean(once, limit))
		}
	})
}

func TestSecretsDoNotReachARow(t *testing.T) {
	const secret = "k3y-of-the-circuit"
	for _, name := range []string{"authorizationKey", "authorization_key", "service-key", "Token", "password", "ResumeToken"} {
		e := chain([]Entry{{At: start, Fields: map[string]string{name: secret, "other": "sig=" + secret}, Text: "AccountKey=" + secret}})[0]
		row, err := e.Row()
		if err != nil || bytes.Contains(row.Body, []byte(secret)) {
			t.Errorf("%s: %s %v", name, row.Body, err)
		}
	}
}

func TestTooMuchLeavesAMark(t *testing.T) {
	fields := map[string]string{}
	var reasons []string
	for i := range 40 {
		fields[fmt.Sprintf("f%02d", i)], reasons = "v", append(reasons, fmt.Sprint("r", i))
	}
	e := chain([]Entry{{At: start, Fields: fields, Reasons: reasons}})[0]
	if len(e.Fields) != maxFields || e.Fields["(more)"] != "9 fields left out" {
		t.Errorf("%d fields, %q", len(e.Fields), e.Fields["(more)"])
	}
	if len(e.Reasons) != maxReasons || e.Reasons[maxReasons-1] != "(9 more)" {
		t.Errorf("reasons %q", e.Reasons)
	}
}

// FuzzParseEntry: what is read is written the same, and never reads as another.
func FuzzParseEntry(f *testing.F) {
	for _, e := range chain([]Entry{{At: start, Code: "a", Fields: map[string]string{"k": "v"}}, {At: start, Text: "é\u2028"}}) {
		row, err := e.Row()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(row.Body)
	}
	f.Add([]byte(`{"seq":1,"seq":1,"at":"2026-01-02T03:00:00Z","stream":"","code":""}`))
	f.Add([]byte(`{"seq":1,"at":"2026-01-02T04:00:00+01:00","stream":"","code":""}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseEntry(body)
		if err != nil {
			if !errors.Is(err, fault.Corrupt) {
				t.Fatal(err)
			}
			return
		}
		if again, err := e.encode(); err != nil || !bytes.Equal(again, body) {
			t.Fatalf("%s became %s (%v)", body, again, err)
		}
	})
}
