package events

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// bodies returns the test bodies by name.
func bodies(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/bodies/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no bodies: %v", err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = raw
	}
	return out
}

var idForm = regexp.MustCompile(`^s-[0-9a-f]{20}$`)

// failer is what the checks need of a test, a fuzz run or a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkBatch asserts what holds for every batch, whatever the input.
func checkBatch(t failer, b Batch) {
	t.Helper()
	if b.Records != b.Read+len(b.Foreign)+len(b.Broken) {
		t.Fatalf("%d records, but read %d, foreign %d, broken %d", b.Records, b.Read, len(b.Foreign), len(b.Broken))
	}
	if len(b.Signals) < b.Read {
		t.Fatalf("%d signals from %d records that were read", len(b.Signals), b.Read)
	}
	for _, s := range b.Signals {
		checkSignal(t, s)
	}
	for _, f := range b.Foreign {
		if f.Format == "" || f.Why == "" {
			t.Fatalf("foreign without a reason: %+v", f)
		}
	}
	for _, e := range b.Broken {
		if e.Format == "" || e.Want == "" || e.Got == "" || len(e.Raw) > maxKeptRaw || len(e.Raw) > e.Size || (e.Size > 0 && len(e.Raw) == 0) {
			t.Fatalf("incomplete error: %+v", e)
		}
		if text := e.Error(); !shown(text) {
			t.Fatalf("unclean error text %q", text)
		}
	}
}

// checkSignal asserts what holds for every signal.
func checkSignal(t failer, s Signal) {
	t.Helper()
	switch {
	case !idForm.MatchString(s.ID):
		t.Fatalf("ID %q", s.ID)
	case s.Kind != Health && s.Kind != Maintenance && s.Kind != Write:
		t.Fatalf("kind %q", s.Kind)
	case s.Observer == "" || s.Source == "":
		t.Fatalf("nobody spoke: %+v", s)
	case Canonical(s.Resource) != s.Resource || s.Resource == "":
		t.Fatalf("resource %q is not canonical", s.Resource)
	case (s.Kind == Maintenance) != (s.Window != nil):
		t.Fatalf("window of a %s signal: %+v", s.Kind, s.Window)
	case s.Kind != Health && s.State != Unknown:
		t.Fatalf("a %s signal claims %q", s.Kind, s.State)
	case len(s.Detail) > maxDetail || len(s.Source) > maxSource || len(s.Correlation) > maxShortKey || len(s.Actor) > maxShortKey:
		t.Fatalf("too long: %+v", s)
	case !shown(s.Detail + s.Source + s.Correlation + s.Actor):
		t.Fatalf("unclean text: %+v", s)
	case s.Value != nil && (math.IsNaN(*s.Value) || math.IsInf(*s.Value, 0)):
		t.Fatalf("value %g", *s.Value)
	case s.Weight != nil && (*s.Weight < 0 || *s.Weight > maxWeight):
		t.Fatalf("weight %d", *s.Weight)
	case s.At.Location() != time.UTC:
		t.Fatalf("time %v", s.At)
	}
}

// shown tells text that is safe on a terminal and in a log.
func shown(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
}

func FuzzParse(f *testing.F) {
	for _, raw := range bodies(f) {
		f.Add(raw)
	}
	f.Add([]byte("\xef\xbb\xbf [null, \"\", {}]"))
	f.Add(bytes.Repeat([]byte("["), 20000))
	f.Add([]byte(`{"records":[{"records":[{"records":[]}]}]} "[" x`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := Parse(raw, testNow)
		checkBatch(t, got)
		if again := Parse(raw, testNow); !reflect.DeepEqual(got, again) {
			t.Fatal("the same bytes gave two answers")
		}
		if small := ParseLimited(raw, testNow, Limits{Records: 2, Depth: 3}); small.Records > len(raw)+3 {
			t.Fatalf("%d records within a limit of 2", small.Records)
		} else {
			checkBatch(t, small)
		}
	})
}

// FuzzReaders hands every format's reader every object, its own or not.
func FuzzReaders(f *testing.F) {
	for _, raw := range bodies(f) {
		f.Add(raw)
	}
	common := func(p *parser, n node) ([]Signal, error) { return readCommonAlert(p, n.get("data")) }
	readers := []reader{readGeneric, readCloudEvent, readGridEvent, common, readCommonAlert, readActivityLogAlert, readOldMetricAlert,
		readMetricRecord, readActivityLogREST, readActivityLog}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !jsontext.Value(raw).IsValid() {
			return
		}
		n, err := readNode(raw, maxDepth)
		if err != nil {
			return
		}
		for _, one := range append([]node{n}, n.items...) {
			for _, read := range readers {
				p := newParser(testNow, Limits{}.withDefaults())
				signals, err := read(p, one)
				p.settle(raw, 0, "fuzz", signals, err)
				checkBatch(t, p.batch)
			}
		}
	})
}

// FuzzMetricRecord compares the quick reader of metric records with the general
// one, which an extra key forces.
func FuzzMetricRecord(f *testing.F) {
	all := bodies(f)
	f.Add(bytes.TrimSpace(all["metric.single.json"]))
	f.Add([]byte(`{"metricName":"LineProtocol","time":"2026-01-31T10:00:00Z","resourceId":"` + trapCircuit + `","average":-1e3,"minimum":null}`))
	f.Add([]byte(`{"metricName":"0","time":"2026-01-31 10:00:00Z","resourceId":" SUBSCRIPTIONS/0","average":0}`))
	f.Add([]byte(`{"metricName":"","time":"x","resourceId":"","average":"1","total":1e999}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 3 || raw[0] != '{' || !jsontext.Value(raw).IsValid() {
			return
		}
		slow := append([]byte(`{"another key":null,`), raw[1:]...)
		if !jsontext.Value(slow).IsValid() {
			return
		}
		a, b := Parse(raw, testNow), Parse(slow, testNow)
		for _, e := range append(a.Broken, b.Broken...) {
			e.Raw, e.Size = nil, 0
			e.Got = strings.ReplaceAll(e.Got, "another key ", "")
		}
		if len(a.Broken) > 0 && a.Broken[0].Format == "unknown" {
			return // the text lists the keys, of which there are more
		}
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("quick: %s\ngeneral: %s", printBatch(a), printBatch(b))
		}
	})
}

// FuzzMetricScan holds the hand-written scanner of metric records against jsontext
// and encoding of numbers against strconv: what it accepts must be strict JSON that
// ends in the same place and says the same.
func FuzzMetricScan(f *testing.F) {
	f.Add(bytes.TrimSpace(bodies(f)["metric.single.json"]))
	for _, s := range []string{
		`{"count":0,"total":-0,"minimum":1.50,"maximum":123456789012345,"average":0.000001} tail`, `{"count":1e3,"total":1E-400,"average":12345678901234567890}`,
		`{"count":123456789012345678,"total":9007199254740993.3,"average":0.1234567890123456}`, `{"count":01}`, `{"count":1.}`, `{"count":-}`, `{"count":.5}`, `{"count":+1}`, `{"count":1e}`, `{"count":1e999}`, `{"count":nul}`, `{"count":null,}`, `{"count":1,"count":1}`,
		`{ "time" : "2026" , "resourceId":"/a/b\\c" }`, "{\"time\":\"a\nb\"}", "{\"time\":\"a\x7f\xff01234567\"}", `{"time":""}`, `{}`, `{`, `{"count"`, `{"count":`, `{"count":1`, `{"time":"x`, `{"time":"x"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var got metricFields
		end, ok := got.scan(raw, 0)
		if !ok {
			return
		}
		dec := jsontext.NewDecoder(bytes.NewReader(raw))
		v, err := dec.ReadValue()
		if err != nil || int(dec.InputOffset()) != end {
			t.Fatalf("%q: accepted up to %d; jsontext: %v at %d", raw, end, err, dec.InputOffset())
		}
		n, err := readNode(v, maxDepth)
		if err != nil {
			t.Fatal(err)
		}
		for i, quoted := range metricKeys {
			key := strings.Trim(quoted, `"`)
			var want node
			for _, f := range n.fields {
				if f.name == key {
					want = f.value
				}
			}
			if i < metricNumbers {
				number, err := strconv.ParseFloat(want.text, 64)
				if got.told[i] != (want.kind == '0') || got.told[i] && (err != nil || math.Float64bits(number) != math.Float64bits(got.numbers[i])) {
					t.Fatalf("%s: got %v %v, want %q (%v)", key, got.told[i], got.numbers[i], want.text, err)
				}
				continue
			}
			text := [...][]byte{got.resource, got.at, got.name, got.grain}[i-metricNumbers]
			if (text != nil) != want.is() || string(text) != want.text {
				t.Fatalf("%s: got %q, want %q", key, text, want.text)
			}
		}
		for _, f := range n.fields {
			if !slices.Contains(metricKeys[:], `"`+f.name+`"`) {
				t.Fatalf("accepted the key %q", f.name)
			}
		}
	})
}

func FuzzParseResourceID(f *testing.F) {
	for _, s := range []string{trapCircuit, "//SUBSCRIPTIONS/x/", "/providers/Microsoft.Network/a/b/c/d", "%2fsubscriptions%2f..%2f", "/subscriptions/\u212A/", "/subscriptions/a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseResourceID(s)
		if err != nil {
			if !shown(err.Error()) {
				t.Fatalf("unclean error %q", err.Error())
			}
			return
		}
		text := id.String()
		if strings.ToLower(text) != text || strings.Contains(text, "//") || strings.Contains(text, "/../") || strings.ContainsAny(text, "?#%\\") || len(text) > maxResourceID {
			t.Fatalf("%q is not canonical", text)
		}
		if again, err := ParseResourceID(text); err != nil || !reflect.DeepEqual(again, id) {
			t.Fatalf("%q reads as %+v, then %+v (%v)", s, id, again, err)
		}
		if upper, err := ParseResourceID(strings.ToUpper(text)); err != nil || upper.String() != text {
			t.Fatalf("%q in upper case reads as %q (%v)", text, upper.String(), err)
		}
		if len(id.Types) != len(id.Names) {
			t.Fatalf("%d types, %d names", len(id.Types), len(id.Names))
		}
	})
}
