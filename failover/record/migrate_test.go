package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
)

// lesson is a ladder of two steps, of the sorts that real ones will have: a
// renamed field, then a field that becomes another type.
func lesson() ladder {
	return ladder{
		func(fields map[string]jsontext.Value) error {
			fields["epoch"] = fields["generation"]
			delete(fields, "generation")
			return nil
		},
		func(fields map[string]jsontext.Value) error {
			var home string
			if err := json.Unmarshal(fields["home"], &home); err != nil {
				return errors.New("home: want a string") // the library's own wording changes from run to run
			}
			list, err := json.Marshal([]string{home})
			fields["home"] = list
			return err
		},
	}
}

// TestMigrate runs testdata/migrate. `lesson` climbs the ladder above, `document
// kind=...` the real one.
func TestMigrate(t *testing.T) {
	datadriven.RunTest(t, "testdata/migrate/ladder.txt", func(t *testing.T, d *datadriven.TestData) string {
		before := []byte(d.Input)
		given := bytes.Clone(before)
		var after []byte
		var err error
		switch d.Cmd {
		case "lesson":
			after, err = lesson().climb("lesson", given)
		case "document":
			var kind string
			d.ScanArgs(t, "kind", &kind)
			after, err = Migrate(kind, given)
		default:
			d.Fatalf(t, "unknown command %q", d.Cmd)
		}
		if !bytes.Equal(before, given) {
			d.Fatalf(t, "the argument was changed to %s", given)
		}
		switch {
		case err != nil:
			return fmt.Sprintf("%s\nhint: %s", err, fault.HintOf(err))
		case bytes.Equal(before, after):
			return "as it is"
		}
		return string(after)
	})
}

// TestGoldenDocuments climbs from every form that was ever written. The files are
// never changed, only added: testdata/migrate/<kind>.v<schema>.json.
func TestGoldenDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/migrate/*.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		kind, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".json"), ".v")
		seen[kind+version] = true
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		after, err := Migrate(kind, body)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var got struct {
			Schema int `json:"schema"`
		}
		if err := json.Unmarshal(after, &got); err != nil || got.Schema != Schema {
			t.Errorf("%s: schema %d after migration (%v)", file, got.Schema, err)
		}
		if err := readAs(kind, after); err != nil {
			t.Errorf("%s cannot be read today: %v", file, err)
		}
	}
	for kind, l := range ladders() {
		if l.current() != Schema {
			t.Errorf("the ladder of %s ends at %d, documents are written with %d", kind, l.current(), Schema)
		}
		for v := 1; v <= l.current(); v++ {
			if name := fmt.Sprint(kind, v); !seen[name] && !slices.Contains([]string{"operation", "estate", "drill", "drill-run"}, kind) {
				t.Errorf("no golden document %s.v%d.json", kind, v)
			}
		}
	}
}

// readAs reads body into today's type of its kind, refusing unknown fields.
func readAs(kind string, body []byte) error {
	var into any
	switch kind {
	case "circuit":
		into = new(Circuit)
	case "group":
		into = new(Group)
	case "deadletter":
		into = new(Letter)
	case "rights":
		into = new(Rights)
	case "watch":
		into = new(Watch)
	case "measured":
		into = new(Measured)
	default:
		return fmt.Errorf("no type for kind %q", kind)
	}
	return json.Unmarshal(body, into, json.RejectUnknownMembers(true))
}

// FuzzMigrate: no bytes panic it or spoil its argument; what comes out is whole,
// of today's version, and climbs no further.
func FuzzMigrate(f *testing.F) {
	for _, s := range []string{`{"schema":1,"generation":3,"home":"a"}`, `{"schema":3}`, `{"schema":9}`, `{"schema":1e0}`, `[]`, `null`, `{"schema":null}`, `{"schema":1,"schema":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		after, err := lesson().climb("lesson", body)
		if !bytes.Equal(before, body) {
			t.Fatalf("argument %s became %s", before, body)
		}
		if err != nil {
			if !errors.Is(err, fault.Corrupt) || after != nil {
				t.Fatalf("%s, %v", after, err)
			}
			return
		}
		again, err := lesson().climb("lesson", after)
		if err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%s became %s, then %s (%v)", body, after, again, err)
		}
	})
}

// TestDecode: a document is read the same way wherever its version stands, and what
// cannot be read says which document it is.
func TestDecode(t *testing.T) {
	for _, body := range []string{`{"schema":1,"name":"east","epoch":7}`, `{"name":"east","schema":1,"epoch":7}`} {
		var g Group
		if err := Decode(GroupKey("east"), []byte(body), &g); err != nil || g.Epoch != 7 || g.Schema != 1 {
			t.Errorf("%s: %+v, %v", body, g, err)
		}
	}
	for _, body := range []string{``, `null`, `[1]`, `{"schema":1,`, `{"schema":1,"epoch":"seven"}`, `{"schema":99}`, `{"schema":"1"}`, `{"schema":1e0}`, `{"epoch":7}`, `{"schema":1,"epoch":7,"epoch":8}`} {
		var g Group
		if err := Decode(GroupKey("east"), []byte(body), &g); fault.KindOf(err) != fault.Corrupt {
			t.Errorf("%s is read as %+v, %v", body, g, err)
		}
	}
}
