package appzip

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// root reads a file of the checkout's root.
func root(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ours is the app of this checkout.
func ours(t *testing.T, o Options) App {
	t.Helper()
	app, err := Read(root(t, "function.json"), root(t, "host.json"), o)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// functionSchema compiles the schema of a function.json.
func functionSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, "testdata/function.schema.json")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("function.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("function.schema.json")
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFunctionsFitTheSchema(t *testing.T) {
	schema := functionSchema(t)
	app := ours(t, Options{})
	var names []string
	for _, f := range app.Functions {
		names = append(names, f.Name+" "+f.Trigger)
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(f.JSON))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	want := []string{"Announcement httpTrigger", "Api httpTrigger", "CircuitEvents eventHubTrigger", "Drills timerTrigger", "HealthEvents eventGridTrigger", "Probe timerTrigger", "Tick timerTrigger"}
	if !slices.Equal(names, want) {
		t.Errorf("got functions %q, want %q", names, want)
	}
}

// TestSchemaRefuses shows that the schema is able to refuse.
func TestSchemaRefuses(t *testing.T) {
	schema := functionSchema(t)
	for name, text := range map[string]string{
		"no trigger":       `{"bindings":[{"type":"http","direction":"out","name":"res"}]}`,
		"wrong direction":  `{"bindings":[{"type":"timerTrigger","direction":"out","name":"t","schedule":"0 * * * * *"}]}`,
		"no schedule":      `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t"}]}`,
		"underscore":       `{"bindings":[{"type":"eventGridTrigger","direction":"in","name":"the_event"}]}`,
		"policy is short":  `{"bindings":[{"type":"eventGridTrigger","direction":"in","name":"e"}],"retry":{"strategy":"exponentialBackoff","maxRetryCount":2}}`,
		"unknown setting":  `{"bindings":[{"type":"eventGridTrigger","direction":"in","name":"e"}],"retries":1}`,
		"wrong auth level": `{"bindings":[{"type":"httpTrigger","direction":"in","name":"r","authLevel":"user"}]}`,
	} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if schema.Validate(doc) == nil {
			t.Errorf("%s: the schema accepts %s", name, text)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const host = `{"customHandler":{"description":{"defaultExecutablePath":"erfailover"}}}`
	const timer = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 * * * * *"}]}`
	for _, c := range []struct {
		manifest, host string
		options        Options
		want           string
	}{
		{`{}`, host, Options{}, "got no function"},
		{`[]`, host, Options{}, "function.json"},
		{`{"host":` + timer + `}`, host, Options{}, `not "host"`},
		{`{"1st":` + timer + `}`, host, Options{}, `"1st"`},
		{`{"A":{"bindings":[]}}`, host, Options{}, "no trigger"},
		{`{"A":{"bindings":[{"type":"timerTrigger","name":"a"},{"type":"httpTrigger","name":"b"}]}}`, host, Options{}, "two triggers"},
		{`{"A":{"bindings":[{"type":"timerTrigger","name":"a_b"}]}}`, host, Options{}, `"a_b"`},
		{`{"Erfailover":` + timer + `}`, host, Options{}, "taken"},
		{`{"A":` + timer + `,"a":` + timer + `}`, host, Options{}, "taken"},
		{`{"A":` + timer + `}`, `{}`, Options{}, "defaultExecutablePath"},
		{`{"A":` + timer + `}`, strings.ReplaceAll(host, "erfailover", "../erfailover"), Options{}, "defaultExecutablePath"},
		{`{"A":` + timer + `}`, host, Options{Enable: []string{"Prode"}}, `"Prode"`},
		{`{"A":` + timer + `}`, host, Options{APIAuth: "admin"}, "authLevel"},
		{`{"A":` + timer + `}`, host, Options{Files: []File{{Name: "../x"}}}, `"../x"`},
		{`{"A":` + timer + `}`, host, Options{Files: []File{{Name: "host.json"}}}, "host.json"},
	} {
		if _, err := Read([]byte(c.manifest), []byte(c.host), c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, want %q", c.manifest, err, c.want)
		}
	}
}

func TestZip(t *testing.T) {
	app := ours(t, Options{Enable: []string{"Probe"}, APIAuth: "anonymous", Files: []File{{"erfailover.yaml", []byte("version: 1\n")}}})
	var a, b bytes.Buffer
	for _, w := range []*bytes.Buffer{&a, &b} {
		if err := app.WriteZip(w, strings.NewReader("\x7fELF program")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Fatal("the same input gives other bytes")
	}
	z, err := zip.NewReader(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name] = string(body)
		const unix = 3
		want := os.FileMode(0o644)
		if f.Name == "erfailover" {
			want = 0o755
		}
		if f.Mode() != want || f.CreatorVersion>>8 != unix || f.Modified.UTC().Year() != 1980 {
			t.Errorf("%s: got mode %v, creator %d, time %v; want %v by Unix in 1980", f.Name, f.Mode(), f.CreatorVersion>>8, f.Modified, want)
		}
	}
	if len(got) != 10 || got["erfailover"] != "\x7fELF program" || got["erfailover.yaml"] == "" || got["host.json"] == "" {
		t.Errorf("got %d entries", len(got))
	}
	if _, ok := got["function.json"]; ok {
		t.Error("the manifest is in the zip")
	}
	if closed := ours(t, Options{APIAuth: "function"}); !bytes.Contains(closed.Functions[0].JSON, []byte(`"anonymous"`)) || !bytes.Contains(closed.Functions[1].JSON, []byte(`"function"`)) {
		t.Errorf("a signed address must reach us without a key, and everything else must not: %s %s", closed.Functions[0].JSON, closed.Functions[1].JSON)
	}
	if strings.Contains(got["Probe/function.json"], "disabled") || !strings.Contains(got["Api/function.json"], `"anonymous"`) {
		t.Errorf("the options were not applied: %s %s", got["Probe/function.json"], got["Api/function.json"])
	}
	if plain := ours(t, Options{}); !bytes.Contains(plain.Functions[5].JSON, []byte(`"disabled": true`)) {
		t.Error("Probe is on by default")
	}
}

func TestCheckProgram(t *testing.T) {
	if err := CheckProgram(strings.NewReader("MZ not for Linux")); err == nil || !strings.Contains(err.Error(), "GOOS=linux") {
		t.Errorf("got %v, want the way to build it", err)
	}
}

// TestSampleSettings: every setting that the manifest asks for is in the sample,
// and the sample holds no key of anybody.
func TestSampleSettings(t *testing.T) {
	sample := string(root(t, "local.settings.sample.json"))
	for _, name := range []string{"EVENTHUB_NAME", "EVENTHUB_CONSUMER_GROUP", "EventHubConnection", "AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME", "ERFAILOVER_CONFIG"} {
		if !strings.Contains(sample, `"`+name+`"`) {
			t.Errorf("the sample lacks %s", name)
		}
	}
}
