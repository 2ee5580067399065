package handlers

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOpenAPILint holds the document to what linters of OpenAPI ask for: whole
// sentences, names that are used once, references that lead somewhere, schemas that
// compile, nothing that is not used.
func TestOpenAPILint(t *testing.T) {
	doc := document(t)
	info := doc["info"].(object)
	if doc["openapi"] != "3.1.0" || info["title"] == "" || info["version"] == "" || info["description"] == nil || doc["servers"] == nil {
		t.Errorf("the head is not whole: %v", info)
	}
	components := doc["components"].(object)
	refs := map[string]bool{}
	walk(doc, "", func(at string, node object) {
		if ref, ok := node["$ref"].(string); ok {
			refs[ref] = true
			if find(doc, ref) == nil {
				t.Errorf("%s: %s leads nowhere", at, ref)
			}
		}
	})
	for kind, list := range components {
		for name := range list.(object) {
			if kind != "securitySchemes" && !refs["#/components/"+kind+"/"+name] {
				t.Errorf("components/%s/%s is not used", kind, name)
			}
		}
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	for name := range components["schemas"].(object) {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	ids := map[string]string{}
	operations(t, func(method, path string, op object) {
		at := method + " " + path
		id, _ := op["operationId"].(string)
		if other, twice := ids[id]; twice || !regexp.MustCompile(`^[a-z][A-Za-z]*$`).MatchString(id) {
			t.Errorf("%s: operationId %q, which is not a name or is that of %s", at, id, other)
		}
		ids[id] = at
		if s, _ := op["summary"].(string); !strings.HasSuffix(s, ".") {
			t.Errorf("%s: the summary %q is no sentence", at, s)
		}
		lintSecurity(t, at, op, components)
		lintParameters(t, at, path, op)
		lintReplies(t, at, method, op)
	})
	if bytes.Contains(openAPI, []byte("TODO")) {
		t.Error("the document has a TODO")
	}
}

// lintSecurity: whoever needs a role says by what scheme it is proven.
func lintSecurity(t *testing.T, at string, op, components object) {
	t.Helper()
	list, _ := op["security"].([]any)
	if (op["x-role"] == nil) != (len(list) == 0) {
		t.Errorf("%s: role %v with security %v", at, op["x-role"], list)
	}
	for _, one := range list {
		for scheme := range one.(object) {
			if components["securitySchemes"].(object)[scheme] == nil {
				t.Errorf("%s: there is no security scheme %s", at, scheme)
			}
		}
	}
}

// lintParameters: every part of the path is declared, and every parameter says what
// it is.
func lintParameters(t *testing.T, at, path string, op object) {
	t.Helper()
	var declared []string
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		p := p.(object)
		if p["description"] == nil || p["schema"].(object)["type"] == nil {
			t.Errorf("%s: parameter %v has no description or type", at, p["name"])
		}
		if key := fmt.Sprint(p["in"], " ", p["name"]); slices.Contains(declared, key) {
			t.Errorf("%s: parameter %s twice", at, key)
		} else {
			declared = append(declared, key)
		}
		if p["in"] == "path" && p["required"] != true {
			t.Errorf("%s: path parameter %v is not required", at, p["name"])
		}
	}
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		if !slices.Contains(declared, "path "+m[1]) {
			t.Errorf("%s: {%s} is not declared", at, m[1])
		}
	}
}

// lintReplies: a success with a schema, a problem for all else, a body where one is
// sent.
func lintReplies(t *testing.T, at, method string, op object) {
	t.Helper()
	replies := op["responses"].(object)
	good := 0
	for status, r := range replies {
		if status == "default" {
			continue
		}
		good++
		if r := r.(object); r["description"] == "" || r["content"] == nil {
			t.Errorf("%s: reply %s has no description or content", at, status)
		}
	}
	if good == 0 || replies["default"] == nil {
		t.Errorf("%s: replies %v, want a success and the problem", at, replies)
	}
	if (method == "POST") != (op["requestBody"] != nil) {
		t.Errorf("%s: the body is there or missing where it should not be", at)
	}
}

// walk calls f for every object below a node.
func walk(node any, at string, f func(at string, node object)) {
	switch v := node.(type) {
	case object:
		f(at, v)
		for k, sub := range v {
			walk(sub, at+"/"+k, f)
		}
	case []any:
		for i, sub := range v {
			walk(sub, fmt.Sprintf("%s/%d", at, i), f)
		}
	}
}

// find follows a local reference; nil when it leads nowhere.
func find(doc object, ref string) any {
	var at any = doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		next, ok := at.(object)
		if !ok {
			return nil
		}
		at = next[part]
	}
	return at
}
