// Package appzip turns the one manifest of all functions, function.json at the
// root, into the app that the Functions host wants: a folder with a function.json
// for every function, host.json, and the program at the root.
//
// The host reads <Function>/function.json one level down and never the file at
// the root, so the manifest and the host's files cannot be confused.
package appzip

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Patterns of the host for names.
var (
	functionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,127}$`) })
	bindingName  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]{0,127}|\$return)$`) })
)

// App is a function app, checked.
type App struct {
	Program   string     // name of the program at the root, from host.json
	Host      []byte     // host.json
	Functions []Function // by name
	Files     []File     // more files at the root, by name
}

// Function is one function of the app.
type Function struct {
	Name     string
	Disabled bool
	Trigger  string // type of its trigger, "timerTrigger"
	JSON     []byte // its function.json
}

// File is one more file at the root.
type File struct {
	Name string // without a path
	Body []byte
}

// Options change what the manifest says.
type Options struct {
	Enable  []string // functions that are disabled in the manifest and wanted
	APIAuth string   // authLevel of HTTP triggers that ask for a key: "function" or "anonymous"; "" leaves it
	Files   []File   // more files at the root, the configuration
}

// binding is what we check of a binding.
type binding struct {
	Type      string `json:"type"`
	Direction string `json:"direction"`
	Name      string `json:"name"`
	AuthLevel string `json:"authLevel"`
}

// Read checks the manifest and host.json and returns the app, or every problem.
func Read(manifest, host []byte, o Options) (App, error) {
	app := App{Host: host, Files: slices.Clone(o.Files)}
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	var h struct {
		CustomHandler struct {
			Description struct {
				Path string `json:"defaultExecutablePath"`
			} `json:"description"`
		} `json:"customHandler"`
	}
	if err := json.Unmarshal(host, &h); err != nil {
		bad("host.json: %w", err)
	}
	app.Program = h.CustomHandler.Description.Path
	if app.Program == "" || path.Base(app.Program) != app.Program || app.Program == "." || strings.ContainsAny(app.Program, `%\`) {
		bad("host.json: customHandler.description.defaultExecutablePath: got %q, want the name of a file at the root", app.Program)
	}
	var all map[string]jsontext.Value
	if err := json.Unmarshal(manifest, &all); err != nil {
		bad("function.json: %w", err)
	} else if len(all) == 0 {
		bad("function.json: got no function, want an object keyed by function name")
	}
	for name, raw := range all {
		f, err := readFunction(name, raw, o)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		app.Functions = append(app.Functions, f)
	}
	for _, want := range o.Enable {
		if _, ok := all[want]; !ok {
			bad("enable: got %q, want a function of function.json", want)
		}
	}
	slices.SortFunc(app.Functions, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(app.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	app.checkFiles(bad)
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return app, errors.Join(problems...)
}

// checkFiles refuses names that hide or overwrite something else.
func (a App) checkFiles(bad func(string, ...any)) {
	seen := map[string]bool{"host.json": true, "function.json": true, strings.ToLower(a.Program): true}
	for _, f := range a.Functions {
		if low := strings.ToLower(f.Name); seen[low] {
			bad("function.json: %s: the name is taken", f.Name)
		} else {
			seen[low] = true
		}
	}
	for _, f := range a.Files {
		low := strings.ToLower(f.Name)
		if path.Base(f.Name) != f.Name || f.Name == "." || f.Name == ".." || strings.Contains(f.Name, `\`) || seen[low] {
			bad("file %q: want a name of its own, without a path", f.Name)
		}
		seen[low] = true
	}
}

// readFunction checks one entry of the manifest and applies the options to it.
func readFunction(name string, raw jsontext.Value, o Options) (Function, error) {
	fail := func(format string, args ...any) (Function, error) {
		return Function{}, fmt.Errorf("function.json: "+name+": "+format, args...)
	}
	if !functionName().MatchString(name) || strings.EqualFold(name, "host") {
		return Function{}, fmt.Errorf("function.json: got the name %q, want a letter, then letters, digits, '_' or '-', and not \"host\"", name)
	}
	var doc struct {
		Disabled bool      `json:"disabled"`
		Bindings []binding `json:"bindings"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fail("%w", err)
	}
	f := Function{Name: name, Disabled: doc.Disabled}
	seen := map[string]bool{}
	for i, b := range doc.Bindings {
		if !bindingName().MatchString(b.Name) || seen[strings.ToLower(b.Name)] {
			return fail("bindings[%d].name: got %q, want a name of its own of letters and digits", i, b.Name)
		}
		seen[strings.ToLower(b.Name)] = true
		if !strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			continue
		}
		if f.Trigger != "" {
			return fail("bindings: got two triggers, want exactly one")
		}
		f.Trigger = b.Type
	}
	if f.Trigger == "" {
		return fail("bindings: got no trigger, want exactly one")
	}
	if slices.Contains(o.Enable, name) {
		f.Disabled = false
	}
	body, err := rewrite(raw, f.Disabled, o.APIAuth)
	if err != nil {
		return fail("%w", err)
	}
	f.JSON = body
	return f, nil
}

// rewrite returns the function's document with the wanted switch and authLevel,
// indented.
func rewrite(raw jsontext.Value, disabled bool, auth string) ([]byte, error) {
	var doc map[string]jsontext.Value
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	if delete(doc, "disabled"); disabled {
		doc["disabled"] = jsontext.Value("true")
	}
	if auth != "" {
		if auth != "function" && auth != "anonymous" {
			return nil, fmt.Errorf("authLevel: got %q, want function or anonymous", auth)
		}
		var list []map[string]jsontext.Value
		if err := json.Unmarshal(doc["bindings"], &list); err != nil {
			return nil, err
		}
		for _, b := range list {
			if string(b["type"]) == `"httpTrigger"` && string(b["authLevel"]) != `"anonymous"` { // whose addresses prove themselves stays as it is
				b["authLevel"] = jsontext.Value(`"` + auth + `"`)
			}
		}
		bindings, err := json.Marshal(list, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		doc["bindings"] = bindings
	}
	out, err := json.Marshal(doc, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	return append(out, '\n'), nil
}
