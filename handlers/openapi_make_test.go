package handlers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object of the document.
type object = map[string]any

// maker writes the OpenAPI document from the route table and the Go types behind it:
// the comments of the fields become their descriptions, and the constants of a type
// its enum.
type maker struct {
	t       *testing.T
	schemas object
	parsed  map[string]bool
	docs    map[string]string   // "report.Status.Groups" and "report.Status"
	enums   map[string][]string // "policy.Mode"
}

// makeOpenAPI returns the document as it should be.
func makeOpenAPI(t *testing.T, routes []route) []byte {
	m := &maker{t: t, schemas: object{}, parsed: map[string]bool{}, docs: map[string]string{}, enums: map[string][]string{}}
	problemSchema := m.schema(reflect.TypeFor[problem]())
	paths := object{}
	for _, rt := range routes {
		p := base + rt.path
		if paths[p] == nil {
			paths[p] = object{}
		}
		paths[p].(object)[strings.ToLower(rt.method)] = m.operation(rt)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "erfailover", "version": "1",
			"description": "Event-driven failover for Azure ExpressRoute. Orders answer 202 with a Location to poll, 200 when nothing more will happen, or a problem (RFC 9457): 409 when a guard refused, with the reason codes in codes and in the type."},
		"servers": []any{object{"url": "/"}},
		"paths":   paths,
		"components": object{
			"schemas":   m.schemas,
			"responses": object{"Problem": object{"description": "What went wrong and what to do (RFC 9457).", "content": object{"application/problem+json": object{"schema": problemSchema}}}},
			"securitySchemes": object{
				"entra":       object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of the configured Entra tenant. Its roles claim names reader, operator, approver or signaler."},
				"functionKey": object{"type": "apiKey", "in": "header", "name": "x-functions-key", "description": "A key of the function app, checked by the Functions host. Whoever orders names itself in " + userHeader + "."},
			},
		},
	}
	out, err := json.Marshal(doc, json.Deterministic(true), jsontext.Multiline(true), jsontext.WithIndent(" "))
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

// operation makes one method of one path.
func (m *maker) operation(rt route) object {
	op := object{"operationId": rt.id, "summary": rt.about}
	if rt.role != "" {
		op["x-role"] = string(rt.role)
		op["security"] = []any{object{"entra": []any{string(rt.role)}}, object{"functionKey": []any{string(rt.role)}}}
	}
	if rt.signed {
		op["x-proof"] = "the address"
		op["security"] = []any{}
	}
	var params []any
	for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(rt.path, -1) {
		about := map[string]string{"group": "name of a group of the configuration", "id": "ID of an operation", "order": "Idempotency-Key of the order", "drill": "name of a drill of the configuration"}[name[1]]
		params = append(params, object{"name": name[1], "in": "path", "required": true, "description": about, "schema": object{"type": "string"}})
	}
	for _, p := range rt.params {
		kind := "string"
		if p.number {
			kind = "integer"
		}
		params = append(params, object{"name": p.name, "in": p.in, "description": p.about, "schema": object{"type": kind}})
	}
	if params != nil {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = object{"content": object{"application/json": object{"schema": m.schema(reflect.TypeOf(rt.body))}}}
	}
	if rt.form != nil {
		op["requestBody"] = object{"content": object{"application/x-www-form-urlencoded": object{"schema": m.schema(reflect.TypeOf(rt.form))}}}
	}
	replies := object{"default": object{"$ref": "#/components/responses/Problem"}}
	for status, v := range rt.reply {
		media := "application/json"
		switch v.(type) {
		case htmlPage:
			media = "text/html"
		case plainText:
			media = "text/plain"
		case anyJSON:
			media = "application/openapi+json"
		}
		replies[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": object{media: object{"schema": m.schema(reflect.TypeOf(v))}}}
	}
	op["responses"] = replies
	return op
}

// schema makes the JSON Schema of a type.
func (m *maker) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[anyJSON]():
		return object{}
	case reflect.TypeFor[plainText](), reflect.TypeFor[htmlPage]():
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64, reflect.Float32:
		return object{"type": "number"}
	case reflect.String:
		s := object{"type": "string"}
		m.parse(t)
		if e := m.enums[t.String()]; len(e) > 0 {
			s["enum"] = e
		}
		return s
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": m.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": m.schema(t.Elem())}
	case reflect.Struct:
		name := regexp.MustCompile(`[^A-Za-z0-9.]+`).ReplaceAllString(strings.ReplaceAll(t.String(), "erfailover/failover/", ""), "-")
		name = strings.Trim(name, "-")
		if m.schemas[name] == nil {
			m.schemas[name] = object{} // a type may hold itself
			m.schemas[name] = m.structure(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	m.t.Fatalf("no schema for %s", t)
	return nil
}

// structure makes the schema of a struct. What may be left out is not required.
func (m *maker) structure(t reflect.Type) object {
	m.parse(t)
	props, required := object{}, []string{}
	m.fields(t, props, &required)
	_, newer := t.FieldByName("Newer") // members of a newer version are shown as they are kept
	s := object{"type": "object", "properties": props, "additionalProperties": newer}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	if d := m.docs[t.String()]; d != "" {
		s["description"] = d
	}
	return s
}

func (m *maker) fields(t reflect.Type, props object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, opts, _ := strings.Cut(tag, ",")
		if f.Anonymous && tag == "" {
			m.parse(f.Type)
			m.fields(f.Type, props, required)
			continue
		}
		if !f.IsExported() || name == "-" || tag == ",embed" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if props[name] != nil {
			continue
		}
		s := m.schema(f.Type)
		if d := m.docs[t.String()+"."+f.Name]; d != "" {
			s["description"] = d
		}
		if e, ok := s["enum"].([]string); ok && !strings.Contains(opts, "omit") && !slices.Contains(e, "") {
			s["enum"] = append([]string{""}, e...) // before anything is known
		}
		props[name] = s
		if !strings.Contains(opts, "omit") {
			*required = append(*required, name)
		}
	}
}

// parse reads the comments and constants of the package of a type.
func (m *maker) parse(t reflect.Type) {
	dir, ours := strings.CutPrefix(t.PkgPath(), "erfailover/")
	if !ours || m.parsed[dir] {
		return
	}
	m.parsed[dir] = true
	files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		m.t.Fatal(err)
	}
	pkg := filepath.Base(dir)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					m.note(pkg, g, spec)
				}
			}
		}
	}
}

func (m *maker) note(pkg string, g *ast.GenDecl, spec ast.Spec) {
	line := func(groups ...*ast.CommentGroup) string {
		for _, c := range groups {
			if c != nil {
				return strings.Join(strings.Fields(c.Text()), " ")
			}
		}
		return ""
	}
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		m.docs[pkg+"."+spec.Name.Name] = line(spec.Doc, g.Doc)
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			return
		}
		for _, f := range st.Fields.List {
			for _, n := range f.Names {
				m.docs[pkg+"."+spec.Name.Name+"."+n.Name] = line(f.Doc, f.Comment)
			}
		}
	case *ast.ValueSpec:
		id, ok := spec.Type.(*ast.Ident)
		if g.Tok != token.CONST || !ok {
			return
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				m.enums[pkg+"."+id.Name] = append(m.enums[pkg+"."+id.Name], text)
			}
		}
	}
}
