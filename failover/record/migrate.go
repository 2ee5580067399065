package record

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
)

// step changes a document from one schema version into the next. It works on the
// top-level fields, so that fields it does not name stay as they are. It does not
// set "schema".
type step func(fields map[string]jsontext.Value) error

// ladder is the way from version 1 of a kind to today's: steps[0] leads from 1 to
// 2, and so on. Today's version is len(steps)+1.
type ladder []step

func (l ladder) current() int { return len(l) + 1 }

// ladders is the table of all kinds; the kind is the first segment of the key. To
// change the form of documents: raise Schema, add the step that leads there to
// every kind (one that does nothing where the form stays), and add a golden file
// of the old form.
func ladders() map[string]ladder {
	return map[string]ladder{
		"estate":     {},
		"circuit":    {},
		"group":      {},
		"measured":   {},
		"operation":  {},
		"deadletter": {},
		"rights":     {},
		"drill":      {},
		"drill-run":  {},
		"watch":      {},
	}
}

// Migrate returns body in today's form of its kind. A document of today's version
// comes back as it is, byte for byte; body itself is never changed. Nothing is
// written: the next Save of the document makes the new form durable.
//
// The error is Corrupt if body is no JSON object with a whole "schema" from 1, and
// also if its version is newer than this program knows: then another instance has
// been upgraded, and what it wrote must not be read as less than it is.
func Migrate(kind string, body []byte) ([]byte, error) {
	l, known := ladders()[kind]
	if !known {
		return nil, &fault.Error{Op: "migrate document", Target: kind, Kind: fault.Internal, Err: errors.New("no such kind of document")}
	}
	return l.climb(kind, body)
}

// Decode reads the document under key into v, a pointer to today's type of its
// kind, climbing the ladder first when an older version wrote it. Its errors are
// Migrate's.
func Decode(key string, body []byte, v any) error {
	var err error
	kind := KindOfKey(key)
	if l, known := ladders()[kind]; !known || leading(body) != l.current() {
		if body, err = Migrate(kind, body); err != nil {
			return err
		}
	}
	if err = json.Unmarshal(body, v); err != nil {
		return &fault.Error{Op: "read record", Target: key, Kind: fault.Corrupt, Hint: "the stored document is not what this version writes; restore it from a backup", Err: err}
	}
	return nil
}

// leading returns the schema version of a document that names it first, as all do
// that this program writes; 0 for any other.
func leading(body []byte) int {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if t, err := d.ReadToken(); err != nil || t.Kind() != jsontext.KindBeginObject {
		return 0
	}
	if t, err := d.ReadToken(); err != nil || t.String() != "schema" {
		return 0
	}
	t, err := d.ReadToken()
	if err != nil || t.Kind() != jsontext.KindNumber {
		return 0
	}
	version, err := strconv.Atoi(t.String())
	if err != nil {
		return 0
	}
	return version
}

// KindOfKey returns the kind of the document that key names: its first segment.
func KindOfKey(key string) string {
	kind, _, _ := strings.Cut(key, "/")
	return kind
}

func (l ladder) climb(kind string, body []byte) ([]byte, error) {
	corrupt := func(hint string, err error) ([]byte, error) {
		return nil, &fault.Error{Op: "migrate document", Target: kind, Kind: fault.Corrupt, Hint: hint, Err: err}
	}
	const damaged = "the document was not written by this program; keep it, and put a backup in its place"
	fields := map[string]jsontext.Value{}
	if err := json.Unmarshal(body, &fields); err != nil {
		return corrupt(damaged, err)
	}
	if fields == nil {
		return corrupt(damaged, errors.New("it is null, not an object"))
	}
	raw, found := fields["schema"]
	if !found {
		return corrupt(damaged, errors.New(`it has no "schema"`))
	}
	version := 0
	if err := json.Unmarshal(raw, &version); err != nil || version < 1 {
		return corrupt(damaged, fmt.Errorf(`"schema" is %s, not a whole number from 1`, Clean(string(raw), 40)))
	}
	if version > l.current() {
		return corrupt("a newer version wrote this; upgrade this instance",
			fmt.Errorf("schema %d, this instance knows up to %d", version, l.current()))
	}
	if version == l.current() {
		return slices.Clone(body), nil
	}
	for ; version < l.current(); version++ {
		if err := l[version-1](fields); err != nil {
			return corrupt(damaged, fmt.Errorf("schema %d to %d: %w", version, version+1, err))
		}
	}
	fields["schema"] = jsontext.Value(fmt.Sprint(version))
	out, err := json.Marshal(fields, json.Deterministic(true))
	if err != nil {
		return corrupt(damaged, err)
	}
	return out, nil
}
