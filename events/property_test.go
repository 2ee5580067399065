package events

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// leafRecords returns every sound record of the test bodies, without envelopes.
func leafRecords(t testing.TB) []node {
	t.Helper()
	var out []node
	var walk func(node)
	walk = func(n node) {
		switch {
		case n.kind == '[':
			for _, item := range n.items {
				walk(item)
			}
		case n.get("records").kind == '[':
			walk(n.get("records"))
		case n.kind == '{':
			out = append(out, n)
		}
	}
	all := bodies(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if n, err := readNode(bytes.TrimSpace(all[name]), maxDepth); err == nil && jsontext.Value(all[name]).IsValid() {
			walk(n)
		}
	}
	if len(out) < 40 {
		t.Fatalf("only %d records", len(out))
	}
	return out
}

// write prints a node with its keys in any order and white space anywhere.
func write(t *rapid.T, b *strings.Builder, n node) {
	space := func() { b.WriteString(rapid.SampledFrom([]string{"", "", "", " ", "\n", "\t\r\n  "}).Draw(t, "space")) }
	quote := func(s string) {
		text, err := jsontext.AppendQuote(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	space()
	switch n.kind {
	case '{':
		b.WriteByte('{')
		for i, f := range rapid.Permutation(n.fields).Draw(t, "keys") {
			if i > 0 {
				b.WriteByte(',')
			}
			space()
			quote(f.name)
			space()
			b.WriteByte(':')
			write(t, b, f.value)
		}
		space()
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			write(t, b, item)
		}
		space()
		b.WriteByte(']')
	case '"':
		quote(n.text)
	case '0':
		b.WriteString(n.text)
	case 't':
		b.WriteString("true")
	case 'f':
		b.WriteString("false")
	default:
		b.WriteString("null")
	}
	space()
}

// signalIDs returns the set of IDs.
func signalIDs(b Batch) map[string]bool {
	out := map[string]bool{}
	for _, s := range b.Signals {
		out[s.ID] = true
	}
	return out
}

// The same records, in any order, doubled, with keys in any order and any white
// space, in any envelope, are the same news.
func TestSameNewsSameIDs(t *testing.T) {
	records := leafRecords(t)
	rapid.Check(t, func(t *rapid.T) {
		pick := rapid.SliceOfN(rapid.IntRange(0, len(records)-1), 1, 8).Draw(t, "records")
		doubled := append(slices.Clone(pick), rapid.SliceOf(rapid.SampledFrom(pick)).Draw(t, "again")...)
		doubled = rapid.Permutation(doubled).Draw(t, "order")
		body := func(which []int, open, sep, shut string) string {
			var b strings.Builder
			b.WriteString(open)
			for i, k := range which {
				if i > 0 {
					b.WriteString(sep)
				}
				write(t, &b, records[k])
			}
			return b.String() + shut
		}
		plain := Parse([]byte(body(pick, "[", ",", "]")), testNow)
		text := body(doubled, `{"x":1,"records":[`, ",", `],"PartitionId":3}`)
		switch rapid.SampledFrom([]string{"envelope", "lines", "string", "array of envelopes"}).Draw(t, "form") {
		case "lines":
			text = body(doubled, "", "\n", "")
		case "string":
			inner, _ := jsontext.AppendQuote(nil, text)
			text = string(inner)
		case "array of envelopes":
			text = "[" + text + "]"
		}
		other := Parse([]byte(text), testNow)
		checkBatch(t, plain)
		checkBatch(t, other)
		if len(plain.Broken) > 0 && len(other.Broken) == 0 || plain.Records != len(pick) || other.Records != len(doubled) {
			t.Fatalf("%d and %d records from %d and %d\n%s\n%s", plain.Records, other.Records, len(pick), len(doubled), printBatch(plain), printBatch(other))
		}
		if !maps.Equal(signalIDs(plain), signalIDs(other)) {
			t.Fatalf("other IDs:\n%s\n%s", printBatch(plain), printBatch(other))
		}
	})
}

// A broken record never costs its neighbours, as long as its end can be told.
func TestBrokenRecordsCostThemselvesOnly(t *testing.T) {
	records := leafRecords(t)
	wrecks := []string{`{"time":1,"time":2}`, "{\"a\":\"\xff\"}", `{"a":01}`, `{"a":nul}`, `{a:1}`, `{"a":1,}`, `{"a" 1}`, `{}`, `7`, `"x"`, `true`, `{"a":"\x"}`}
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		good, bad := 0, 0
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			if rapid.Bool().Draw(t, "good") {
				var b strings.Builder
				write(t, &b, rapid.SampledFrom(records).Draw(t, "record"))
				if got := Parse([]byte(b.String()), testNow); len(got.Broken) > 0 {
					continue
				}
				parts = append(parts, b.String())
				good++
				continue
			}
			parts = append(parts, rapid.SampledFrom(wrecks).Draw(t, "wreck"))
			bad++
		}
		got := Parse([]byte(`{"records":[`+strings.Join(parts, ",")+`]}`), testNow)
		checkBatch(t, got)
		if got.Records != good+bad || len(got.Broken) != bad {
			t.Fatalf("%d good and %d broken records read as:\n%s", good, bad, printBatch(got))
		}
	})
}

func TestLimits(t *testing.T) {
	record := `{"erfailover":"v1","resource":"` + trapCircuit + `","state":"up"}`
	big := ParseLimited([]byte(record), testNow, Limits{Bytes: 20})
	if big.Records != 1 || len(big.Broken) != 1 || !bytes.Equal(big.Broken[0].Raw, []byte(record)) {
		t.Errorf("too long: %s", printBatch(big))
	}
	for _, text := range []string{`{"records":[` + strings.Repeat(record+",", 9) + record + `]}`, strings.Repeat(record+"\n", 10)} {
		many := ParseLimited([]byte(text), testNow, Limits{Records: 3})
		if many.Read != 3 || len(many.Broken) != 1 || bytes.Count(many.Broken[0].Raw, []byte("erfailover")) != 7 {
			t.Errorf("too many: %s", printBatch(many))
		}
	}
	deep := strings.Replace(record, `"up"`, `"up","x":`+strings.Repeat("[", 64)+strings.Repeat("]", 64), 1)
	if b := Parse([]byte("["+deep+","+record+"]"), testNow); b.Read != 1 || len(b.Broken) != 1 {
		t.Errorf("too deep: %s", printBatch(b))
	}
	bomb := bytes.Repeat([]byte(`{"a":`), 200_000)
	if b := Parse(bomb, testNow); len(b.Broken) == 0 || len(b.Broken[0].Raw) != maxKeptRaw || b.Broken[0].Size != len(bomb) {
		t.Errorf("a bomb: %d broken", len(b.Broken))
	}
	if b := Parse(bytes.Repeat([]byte("["), 200_000), testNow); len(b.Broken) == 0 {
		t.Error("a bomb of arrays passed")
	}
	early := `{"erfailover":"v1","resource":"` + trapCircuit + `","state":"up","at":"2026-02-02T01:00:00Z"}`
	if b := Parse([]byte(early), testNow); len(b.Broken) != 1 {
		t.Errorf("from the future: %s", printBatch(b))
	}
	if b := ParseLimited([]byte(early), testNow, Limits{Ahead: 2 * time.Hour}); b.Read != 1 {
		t.Errorf("allowed ahead: %s", printBatch(b))
	}
}

// Text made to be broken everywhere costs time in proportion to its length: the
// parser may scan no more than a few times the input before it gives up and
// reports the rest as one record.
func TestBrokenTextCostsLinearWork(t *testing.T) {
	for _, line := range []string{"{\"a\":[\n", "{\"records\":[\n", "{x\n", "\"\n", "[\n", "{\"a\":\"\n", "{\"a\":1,,}\n"} {
		raw := []byte(strings.Repeat(line, 40_000))
		p := newParser(testNow, Limits{}.withDefaults())
		p.allowed = 8 * len(raw)
		p.sequence(raw, 0)
		checkBatch(t, p.batch)
		if len(p.batch.Broken) == 0 {
			t.Errorf("%q passed", line)
		}
		if gaveUp := len(p.batch.Broken) < 40_000; strings.HasPrefix(line, `{"a":[`) && !gaveUp {
			t.Errorf("%q: went on to the last of %d lines", line, len(p.batch.Broken))
		}
		if p.spent > 10*len(raw)+20_000*len(line) {
			t.Errorf("%q: scanned %d bytes of %d", line, p.spent, len(raw))
		}
	}
}

func TestErrorNamesFieldValueAndRule(t *testing.T) {
	b := Parse([]byte(`{"erfailover":"v1","resource":"`+trapCircuit+`","state":"\u202eill\u0007 `+strings.Repeat("x", 500)+`"}`), testNow)
	if len(b.Broken) != 1 {
		t.Fatal(printBatch(b))
	}
	text := b.Broken[0].Error()
	for _, part := range []string{"generic", "state", `"ill x`, `"up", "degraded" or "down"`} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %s", text, part)
		}
	}
	if len(text) > 300 || !shown(text) {
		t.Errorf("unfit to show: %q", text)
	}
}
