// Package infratest holds the tests of the templates around it. Nothing here ships.
//
// What can be shown without an account: every template can be read; every type,
// version and name in it is one that Azure has; the roles are the ones that we mean,
// in Bicep and in Terraform alike; no secret stands anywhere. What cannot: that a
// deployment succeeds.
package infratest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// tree is the names in an object and below it. A list stands for its elements.
type tree map[string]tree

type resource struct {
	Symbol   string            `json:"symbol"`
	Type     string            `json:"type"` // with its version: "Microsoft.Web/sites@2024-04-01"
	Existing bool              `json:"existing"`
	Names    tree              `json:"names"`
	Literals map[string]string `json:"literals"`
}

type template struct {
	Faults    []string   `json:"faults"`
	Resources []resource `json:"resources"`
	Modules   []struct {
		Symbol string   `json:"symbol"`
		Path   string   `json:"path"`
		Params []string `json:"params"`
	} `json:"modules"`
	Params []struct {
		Name       string `json:"name"`
		Type       string `json:"type"`
		Required   bool   `json:"required"`
		Decorators string `json:"decorators"`
	} `json:"params"`
	Undeclared []string            `json:"undeclared"`
	Unused     []string            `json:"unused"`
	Called     []string            `json:"called"`
	Outputs    []string            `json:"outputs"`
	Lists      map[string][]string `json:"lists"`
	Objects    map[string][]string `json:"objects"`
}

// read parses Bicep files with the grammar of package.json.
func read(paths ...string) (map[string]template, error) {
	cmd := exec.Command("node", append([]string{"bicep.js"}, paths...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, &missing{err, stderr.String()}
	}
	var all map[string]template
	return all, json.Unmarshal(out, &all)
}

type missing struct {
	err  error
	said string
}

func (m *missing) Error() string {
	if len(m.said) > 600 {
		m.said = m.said[:600]
	}
	return "the Bicep grammar cannot be run (" + m.err.Error() + "); run `make deps`, which needs node and npm\n" + m.said
}

// paths are all Bicep files.
func paths(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.bicep", "../modules/*.bicep", "../examples/*.bicep"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no file (%v)", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

var parsed = sync.OnceValues(func() (map[string]template, error) {
	var all []string
	for _, pattern := range []string{"../*.bicep", "../modules/*.bicep", "../examples/*.bicep"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return read(all...)
})

func templates(t *testing.T) map[string]template {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryTemplateParses(t *testing.T) {
	all := templates(t)
	for _, path := range paths(t) {
		got, ok := all[path]
		if !ok {
			t.Errorf("%s: was not read", path)
		}
		for _, fault := range got.Faults {
			t.Errorf("%s:%s", path, fault)
		}
	}
}

// Each template is broken in each of some ways, and each time the grammar has to
// notice; else the test above could not fail.
func TestBrokenCopiesAreNoticed(t *testing.T) {
	dir := t.TempDir()
	var copies []string
	for _, path := range paths(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		broken := map[string]string{
			"brace": string(text[:bytes.LastIndexByte(text, 0x7d)]),
			"quote": strings.Replace(string(text), "'\n", "\n", 1),
			"equal": strings.Replace(string(text), " = {\n", " {\n", 1),
		}
		for how, body := range broken {
			if body == string(text) {
				t.Fatalf("%s: %s broke nothing", path, how)
			}
			name := filepath.Join(dir, filepath.Base(path)+"-"+how+".bicep")
			if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			copies = append(copies, name)
		}
	}
	all, err := read(copies...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range copies {
		if len(all[name].Faults) == 0 {
			t.Errorf("%s: broken, and nothing was said", filepath.Base(name))
		}
	}
}

// A caller passes what the module has and all that it needs; the compiler would say
// so, but there is none here.
func TestModulesGetTheirParameters(t *testing.T) {
	all := templates(t)
	used := map[string]bool{}
	for path, f := range all {
		for _, m := range f.Modules {
			target := filepath.Join(filepath.Dir(path), m.Path)
			mod, ok := all[target]
			if !ok {
				t.Errorf("%s: module %s names %s, which does not exist", path, m.Symbol, m.Path)
				continue
			}
			used[target] = true
			for _, p := range mod.Params {
				if p.Required && !slices.Contains(m.Params, p.Name) {
					t.Errorf("%s: module %s lacks the parameter %s", path, m.Symbol, p.Name)
				}
			}
			for _, name := range m.Params {
				if !slices.ContainsFunc(mod.Params, func(p struct {
					Name       string `json:"name"`
					Type       string `json:"type"`
					Required   bool   `json:"required"`
					Decorators string `json:"decorators"`
				}) bool {
					return p.Name == name
				}) {
					t.Errorf("%s: module %s is given %s, which it does not have", path, m.Symbol, name)
				}
			}
		}
	}
	for path := range all {
		if filepath.Dir(path) == "../modules" && !used[path] {
			t.Errorf("%s: nobody uses it", path)
		}
	}
}

// functions are those of the language that the templates use.
var functions = strings.Fields("array cidrSubnet concat contains deployment empty environment first guid items last length loadTextContent replace resourceGroup resourceId split subscription subscriptionResourceId substring take tenant toLower union uniqueString allowed batchSize description maxLength maxValue minLength minValue")

func TestNamesAreDeclaredAndUsed(t *testing.T) {
	for path, f := range templates(t) {
		for _, name := range f.Undeclared {
			if slices.Contains(functions, name) {
				continue // the grammar takes a call in a list for a name
			}
			t.Errorf("%s: %s is declared nowhere", path, name)
		}
		for _, name := range f.Unused {
			if !strings.HasPrefix(name, "every") && !slices.ContainsFunc(f.Resources, func(r resource) bool { return r.Symbol == name }) && !slices.Contains(leaves, name) {
				t.Errorf("%s: %s is used nowhere", path, name)
			}
		}
		for _, name := range f.Called {
			if !slices.Contains(functions, name) {
				t.Errorf("%s: %s is not a function that we know; add it to the list if Bicep has it", path, name)
			}
		}
	}
}

// leaves are modules that nothing follows, and loop variables that only count.
var leaves = []string{"serviceHealth", "sharedEndpoint", "endpoint", "endpoints", "z", "c"}

// What a file takes out of a module is what the module puts out.
func TestOutputsExist(t *testing.T) {
	all, found := templates(t), 0
	for path, f := range all {
		for _, m := range regexp.MustCompile(`\b(\w+)\.\??outputs\.(\w+)`).FindAllStringSubmatch(text(t, path), -1) {
			for _, mod := range f.Modules {
				if mod.Symbol != m[1] {
					continue
				}
				found++
				if !slices.Contains(all[filepath.Join(filepath.Dir(path), mod.Path)].Outputs, m[2]) {
					t.Errorf("%s: %s has no output %s", path, m[1], m[2])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d uses found", found)
	}
}

// What a person fills in says what it means; the required part is as short as can be.
func TestParametersAreDescribed(t *testing.T) {
	var required []string
	for _, path := range []string{"../main.bicep", "../examples/estate.bicep", "../examples/direct.bicep", "../examples/virtualwan.bicep"} {
		for _, p := range templates(t)[path].Params {
			if !strings.Contains(p.Decorators, "@description(") {
				t.Errorf("%s: parameter %s has no description", path, p.Name)
			}
			if p.Required && path == "../main.bicep" {
				required = append(required, p.Name)
			}
		}
	}
	if want := []string{"circuits"}; !slices.Equal(required, want) {
		t.Errorf("main.bicep requires %q, want %q", required, want)
	}
}
