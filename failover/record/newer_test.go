package record_test

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"erfailover/failover/drill"
	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// documents are the types of all kinds, by a key of the kind.
func documents() map[string]reflect.Type {
	return map[string]reflect.Type{
		record.EstateKey:             reflect.TypeFor[record.Estate](),
		record.CircuitKey("ashburn"): reflect.TypeFor[record.Circuit](),
		record.GroupKey("east"):      reflect.TypeFor[record.Group](),
		record.OperationKey("op-1"):  reflect.TypeFor[record.Operation](),
		drill.Key("monthly"):         reflect.TypeFor[drill.Document](),
	}
}

// again are the types that every version makes anew, from a read or a judgement:
// what an older version does not know of them comes back with the next one.
func again() []string {
	return []string{"topology.", "executor.ConnectionState", "executor.Traffic", "record.TrafficReading", "policy.Verdict", "policy.Finding", "policy.Candidate", "health.Evidence"}
}

// keeps reports whether a struct writes back what it does not know.
func keeps(t reflect.Type) bool {
	f, ok := t.FieldByName("Newer")
	return ok && f.Type == reflect.TypeFor[jsontext.Value]() && f.Tag.Get("json") == ",embed"
}

// structs visits the struct types below t that the record writes as objects with
// members of their own.
func structs(t reflect.Type, visit func(reflect.Type), seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		structs(t.Elem(), visit, seen)
	case reflect.Struct:
		if seen[t] || t == reflect.TypeFor[time.Time]() || slices.ContainsFunc(again(), func(p string) bool { return strings.HasPrefix(t.String(), p) }) {
			return
		}
		seen[t] = true
		visit(t)
		for f := range t.Fields() {
			structs(f.Type, visit, seen)
		}
	}
}

// members lists the JSON members of a struct.
func members(t reflect.Type) string {
	var out []string
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			out = append(out, name)
		} else if !f.Anonymous {
			out = append(out, f.Name)
		}
	}
	return strings.Join(out, " ")
}

// TestEveryLevelKeepsOrIsClosed: an object of the record keeps the members that it
// does not know, or is made anew by every version, or is closed. A closed one must not
// get a member without a new Schema: an older version, working beside during a
// deployment, would lose it, and with a new Schema it refuses the whole document.
func TestEveryLevelKeepsOrIsClosed(t *testing.T) {
	closed := map[string]string{}
	seen := map[reflect.Type]bool{}
	for _, typ := range documents() {
		structs(typ, func(s reflect.Type) {
			embedded := s == reflect.TypeFor[record.Trail]() || s.String() == "executor.StepState" || s.String() == "drill.Run" // part of what holds it
			if !keeps(s) && !embedded {
				closed[s.String()] = members(s)
			}
		}, seen)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(closed)) {
		b.WriteString(name + ": " + closed[name] + "\n")
	}
	const file = "testdata/closed.txt"
	want, err := os.ReadFile(file)
	if err != nil || b.String() != string(want) {
		t.Errorf("objects that do not keep what they do not know have changed. Give a new object a Newer; after a release, a new member of a closed one needs a new Schema. Then put this into %s (%v):\n%s", file, err, b.String())
	}
}

// fill draws a value with everything set, one element a list or map.
func fill(rt *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rt, v.Elem())
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[jsontext.Value]() {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(1, 2).Draw(rt, "length"), 2))
		for i := range v.Len() {
			fill(rt, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(rt, value)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.Array:
		for i := range v.Len() {
			fill(rt, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(rapid.IntRange(1, 1<<30).Draw(rt, "at")), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(rt, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(rapid.StringMatching(`[a-z]{1,6}`).Draw(rt, "word"))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rapid.IntRange(1, 9).Draw(rt, "number")))
	case reflect.Float64:
		v.SetFloat(1)
	}
}

// news puts a member that nobody knows into every object whose type keeps it, and
// returns how many.
func news(rt *rapid.T, v any, t reflect.Type) int {
	switch t.Kind() {
	case reflect.Pointer:
		return news(rt, v, t.Elem())
	case reflect.Slice, reflect.Array:
		n := 0
		list, _ := v.([]any)
		for _, e := range list {
			n += news(rt, e, t.Elem())
		}
		return n
	case reflect.Map:
		n := 0
		object, _ := v.(map[string]any)
		for _, e := range object {
			n += news(rt, e, t.Elem())
		}
		return n
	case reflect.Struct:
	default:
		return 0
	}
	object, ok := v.(map[string]any)
	if !ok {
		return 0
	}
	n := 0
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "":
			n += news(rt, object[name], f.Type)
		case f.Anonymous && f.Type.Kind() == reflect.Struct && !keeps(f.Type):
			n += news(rt, object, f.Type)
		}
	}
	if keeps(t) {
		object["a_newer_"+rapid.StringMatching(`[a-z]{3}`).Draw(rt, "name")] = map[string]any{"deep": []any{rapid.StringMatching(`[a-z]{3}`).Draw(rt, "value"), nil}}
		n++
	}
	return n
}

// TestNothingNewerIsLost: whatever members a newer version of the same schema adds, at
// whatever level that keeps them, an older one reads the document and writes every one
// of them back.
func TestNothingNewerIsLost(t *testing.T) {
	for key, typ := range documents() {
		rapid.Check(t, func(rt *rapid.T) {
			v := reflect.New(typ)
			fill(rt, v.Elem())
			if f := v.Elem().FieldByName("Schema"); f.IsValid() {
				f.SetInt(record.Schema)
			}
			raw, err := json.Marshal(v.Interface())
			if err != nil {
				rt.Fatal(err)
			}
			var object map[string]any
			if err := json.Unmarshal(raw, &object); err != nil {
				rt.Fatal(err)
			}
			added := news(rt, object, typ)
			before, err := json.Marshal(object, json.Deterministic(true))
			if err != nil {
				rt.Fatal(err)
			}
			read := reflect.New(typ)
			if typ == reflect.TypeFor[record.Operation]() { // its document has a schema beside
				err = json.Unmarshal(before, read.Interface())
			} else {
				err = record.Decode(key, before, read.Interface())
			}
			if err != nil {
				rt.Fatal(err)
			}
			written, err := json.Marshal(read.Interface())
			if err != nil {
				rt.Fatal(err)
			}
			var after any
			if err := json.Unmarshal(written, &after); err != nil {
				rt.Fatal(err)
			}
			got, err := json.Marshal(after, json.Deterministic(true))
			if err != nil || string(got) != string(before) {
				rt.Fatalf("%s with %d new members: read\n%s\nwritten\n%s (%v)", typ, added, before, got, err)
			}
		})
	}
}

// TestNewerSchemaOfADrill: a drill that a newer version has written in another form is
// refused, not read as less than it is.
func TestNewerSchemaOfADrill(t *testing.T) {
	var d drill.Document
	err := record.Decode(drill.Key("monthly"), []byte(`{"schema":2,"name":"monthly","phase":"armed"}`), &d)
	if !errors.Is(err, fault.Corrupt) || !strings.Contains(fault.HintOf(err), "newer version") || d.Phase != "" {
		t.Errorf("%v, %+v", err, d)
	}
}
