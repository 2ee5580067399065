package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"erfailover/events"
	"erfailover/failover/policy"
	"erfailover/failover/topology"
)

// compiled returns the schema ready to judge files.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:erfailover:config", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:erfailover:config")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plainValue turns a file into the values that a schema judges. ok is false for a
// file that has no such form: not YAML, two documents, aliases, a key twice.
func plainValue(text []byte) (v any, ok bool) {
	r := &reader{places: map[string]place{}, forms: map[string]struct{}{}}
	root := r.document(text)
	if root == nil {
		return nil, false
	}
	ok = true
	var walk func(n *yaml.Node) any
	walk = func(n *yaml.Node) any {
		switch n.Kind {
		case yaml.MappingNode:
			m := map[string]any{}
			for i := 0; i+1 < len(n.Content); i += 2 {
				if _, twice := m[n.Content[i].Value]; twice || n.Content[i].Kind != yaml.ScalarNode {
					ok = false
				}
				m[n.Content[i].Value] = walk(n.Content[i+1])
			}
			return m
		case yaml.SequenceNode:
			list := []any{}
			for _, c := range n.Content {
				list = append(list, walk(c))
			}
			return list
		default:
			if n.ShortTag() == "!!timestamp" {
				return n.Value
			}
			var v any
			if err := n.Decode(&v); err != nil {
				ok = false
			}
			return v
		}
	}
	return walk(root), ok
}

// key is one key of the schema.
type key struct {
	form     string // groups.*.gateways[]
	node     map[string]any
	required bool
}

// schemaKeys returns every key that the schema knows, in the order of its file
// where JSON keeps it, which is by name here.
func schemaKeys(t testing.TB) []key {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	defs := root["$defs"].(map[string]any)
	var keys []key
	var walk func(form string, n map[string]any)
	walk = func(form string, n map[string]any) {
		if ref, ok := n["$ref"].(string); ok {
			walk(form, defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any))
		}
		required, _ := n["required"].([]any)
		props, _ := n["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(props)) {
			at := strings.TrimPrefix(form+"."+name, ".")
			p := props[name].(map[string]any)
			keys = append(keys, key{at, p, slices.Contains(required, any(name))})
			walk(at, p)
		}
		if names, ok := n["additionalProperties"].(map[string]any); ok {
			walk(form+".*", names)
		}
		if items, ok := n["items"].(map[string]any); ok {
			walk(form+"[]", items)
		}
	}
	walk("", root)
	return keys
}

// full is a configuration that uses every key at least once.
func full(t testing.TB) Config {
	t.Helper()
	c, _, err := Parse(example(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Azure.Cloud = CloudCustom
	c.Azure.Custom = &CustomCloud{ResourceManager: "https://management.test", Audience: "https://management.test/", Authority: "https://login.test/", Metrics: "https://{region}.metrics.test", MetricsAudience: "https://metrics.test"}
	c.Record = Record{Blob: &Blob{"https://acct.blob.core.windows.net", "erfailover"}}
	c.Circuits["dallas"] = Circuit{
		ID: c.Circuits["dallas"].ID, Shares: []string{"x"}, Probes: c.Circuits["dallas"].Probes,
		Monitors: []string{"/subscriptions/s/resourcegroups/g/providers/microsoft.network/networkwatchers/w/connectionmonitors/m#tg"},
	}
	g := c.Groups["east"]
	g.Baseline = map[string]int32{"ashburn": 200, "chicago": 100, "dallas": 90}
	c.Groups["east"] = g
	c.Auth.Grants = []Grant{{Who: []string{"role:team-east"}, May: []string{"order"}, Groups: []string{"east"}}}
	d := c.Drills["monthly-east"]
	d.Windows, d.Blocked = []policy.Window{window(t, "Sat,Sun 00:00-06:00 UTC")}, []policy.Window{window(t, "Sun 03:00-04:00 UTC")}
	d.Calendars, d.Jitter, d.Objective = []Secret{"freeze.ics", "https://calendar.test/x.ics?key=y", "env:FREEZE"}, 30*time.Minute, 5*time.Minute
	low, high := 1.5, 2.5
	d.Block = []DrillSignal{{Circuit: "chicago", Observer: events.Metric, Source: "loss", State: events.Degraded, Above: &low, Below: &high}}
	d.Abort = d.Block
	d.Kind, d.Link = DrillLink, events.Secondary
	c.Drills["monthly-east"] = d
	return c
}

func window(t testing.TB, text string) policy.Window {
	t.Helper()
	w, err := policy.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func open(s Secret) string { return string(s) }

// TestSchemaAndParserKnowTheSameKeys compares the keys that the parser asks for
// with the keys that the schema lists.
func TestSchemaAndParserKnowTheSameKeys(t *testing.T) {
	text := full(t).render(open)
	_, _, r, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	inSchema := map[string]bool{}
	for _, k := range schemaKeys(t) {
		inSchema[k.form] = true
		if _, ok := r.forms[k.form]; !ok {
			t.Errorf("schema has %s, which the parser never reads", k.form)
		}
		if text, _ := k.node["description"].(string); !strings.HasSuffix(text, ".") {
			t.Errorf("schema: %s has no description that ends in a full stop", k.form)
		}
	}
	for _, form := range slices.Sorted(maps.Keys(r.forms)) {
		if !inSchema[form] {
			t.Errorf("parser reads %s, which the schema does not have", form)
		}
	}
	if len(inSchema) < 80 {
		t.Errorf("only %d keys found: the walk is broken", len(inSchema))
	}
}

// TestSchemaDefaultsAreTheParsers compares each default of the schema with the
// value that a file without the key gets.
func TestSchemaDefaultsAreTheParsers(t *testing.T) {
	c := Default()
	c.Circuits = map[string]Circuit{"*": {Probes: []topology.Probe{DefaultProbe()}}}
	c.Groups = map[string]Group{"*": DefaultGroup()}
	c.Drills = map[string]Drill{"*": DefaultDrill()}
	values := map[string]any{}
	var walk func(form string, v any)
	walk = func(form string, v any) {
		switch v := v.(type) {
		case tree:
			for name, sub := range v {
				walk(strings.TrimPrefix(form+"."+name, "."), sub)
			}
			return
		case []any:
			if len(v) > 0 {
				if sub, ok := v[0].(tree); ok {
					walk(form+"[]", sub)
					return
				}
			}
		}
		values[form] = v
	}
	walk("", c.tree(open))
	n := 0
	for _, k := range schemaKeys(t) {
		want, has := k.node["default"]
		if !has {
			continue
		}
		n++
		if got, ok := values[k.form]; !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: schema says default %v, a file without it gets %v", k.form, want, got)
		}
	}
	if n < 40 {
		t.Errorf("only %d defaults found", n)
	}
}

// concrete turns a form into the key of the full configuration.
func concrete(form string) []string {
	names := strings.NewReplacer("circuits.*", "circuits.dallas", "groups.*", "groups.east",
		"drills.*", "drills.monthly-east", "baseline.*", "baseline.ashburn", "[]", ".0").Replace(form)
	return strings.Split(names, ".")
}

// changed returns whole with the value of one key changed.
func changed(fatal func(string, ...any), whole tree, form string, value any) tree {
	path := concrete(form)
	var at any = whole
	for i, name := range path {
		switch v := at.(type) {
		case tree:
			if i == len(path)-1 {
				v[name] = value
			}
			at = v[name]
		case []any:
			at = v[0]
		default:
			fatal("%s: no place for %s", form, name)
		}
	}
	return whole
}

// findings parses the full configuration with one value changed, and returns what
// is said about that key in words that hold one of about.
func findings(t testing.TB, form string, value any, about ...string) string {
	t.Helper()
	text, err := yaml.Marshal(changed(t.Fatalf, full(t).tree(open), form, value))
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := Parse(text)
	key := strings.ReplaceAll(strings.Join(concrete(form), "."), ".0", "[0]")
	var said []string
	if v, ok := err.(Invalid); ok {
		for _, p := range v {
			said = append(said, p.Key+": want "+p.Want)
		}
	}
	for _, w := range warnings {
		said = append(said, w.Key+": "+w.Say)
	}
	var out []string
	for _, line := range said {
		if strings.HasPrefix(line, key+": ") && slices.ContainsFunc(about, func(a string) bool { return strings.Contains(line, a) }) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "; ")
}

// TestBounds holds every bound that the schema (and so the documentation) tells
// against what the parser does one step inside and one step outside of it.
func TestBounds(t *testing.T) {
	n := 0
	for _, k := range schemaKeys(t) {
		if least, ok := k.node["x-least"].(string); ok {
			n++
			boundsOfDuration(t, k, least)
		}
		if lo, ok := number(k.node["minimum"]); ok {
			n++
			hi, _ := number(k.node["maximum"])
			step := 1.0
			if k.node["type"] == "number" {
				step = 0.001
			}
			for v, good := range map[float64]bool{lo: true, hi: true, lo - step: false, hi + step: false} {
				if v < 0 {
					continue
				}
				var value any = v
				if k.node["type"] == "integer" {
					value = int(v)
				}
				if told := findings(t, k.form, value, "whole number from", "number from", "share from", "routing weight", "or more and less"); good && told != "" && strings.Contains(told, "from") || !good && told == "" {
					t.Errorf("%s: %v: parser says %q, schema says %v to %v", k.form, value, told, lo, hi)
				}
			}
		}
	}
	if n < 35 {
		t.Errorf("only %d bounds found", n)
	}
}

func boundsOfDuration(t *testing.T, k key, least string) {
	careful, most := k.node["x-careful"].(string), k.node["x-most"].(string)
	rng := least + " to " + most
	d := func(s string) time.Duration {
		v, ok := parseDuration(s)
		if !ok {
			t.Fatalf("%s: bad bound %q", k.form, s)
		}
		return v
	}
	say := func(v time.Duration) string { return findings(t, k.form, formatDuration(v), rng, "suits a test") }
	if v := d(least); v > 0 && !strings.Contains(say(v-time.Second), rng) {
		t.Errorf("%s: below %s: parser says %q", k.form, least, say(v-time.Second))
	}
	if v := d(least); strings.Contains(say(v), rng) {
		t.Errorf("%s: %s is refused: %s", k.form, least, say(v))
	}
	if v := d(most); strings.Contains(say(v), rng) {
		t.Errorf("%s: %s is refused: %s", k.form, most, say(v))
	}
	if v := d(most); !strings.Contains(say(v+time.Second), rng) {
		t.Errorf("%s: above %s: parser says %q", k.form, most, say(v+time.Second))
	}
	if v := d(careful); v > d(least) && !strings.Contains(say(v-time.Second), "suits a test") {
		t.Errorf("%s: below %s: no warning: %q", k.form, careful, say(v-time.Second))
	}
	if v := d(careful); strings.Contains(say(v), "suits a test") {
		t.Errorf("%s: %s has a warning", k.form, careful)
	}
}

// number reads a bound.
func number(v any) (float64, bool) {
	var f float64
	if v == nil {
		return 0, false
	}
	_, err := fmt.Sscan(fmt.Sprint(v), &f)
	return f, err == nil
}

// TestGoodFilesPassBoth judges good files by both.
func TestGoodFilesPassBoth(t *testing.T) {
	s := compiled(t)
	for name, text := range map[string][]byte{"example": example(t), "full": full(t).render(open), "minimal": []byte(minimal)} {
		v, ok := plainValue(text)
		if !ok {
			t.Fatalf("%s has no plain form", name)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
		if _, _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFullComesBack is the fixed point of the round trip: every key is rendered
// and read.
func TestFullComesBack(t *testing.T) {
	want := full(t)
	got, _, err := Parse(want.render(open))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got.Render(), want.Render())
	}
}
