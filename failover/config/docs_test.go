package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const docsFile = "../../docs/configuration.md"

// TestDocsAreFresh compares docs/configuration.md with what the schema says. To
// write it anew: go test ./failover/config -run TestDocsAreFresh -update
func TestDocsAreFresh(t *testing.T) {
	want := docs(t)
	if *update {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is stale: go test ./failover/config -run TestDocsAreFresh -update")
	}
	for _, k := range schemaKeys(t) {
		if !strings.Contains(want, "`"+k.form+"`") {
			t.Errorf("%s is not documented", k.form)
		}
	}
}

// page writes the documentation. A schema is read as YAML, because that keeps
// the order of its keys.
type page struct {
	strings.Builder
	defs map[string]*yaml.Node
}

func docs(t *testing.T) string {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	root := doc.Content[0]
	p := page{defs: map[string]*yaml.Node{}}
	each(child(root, "$defs"), func(name string, n *yaml.Node) { p.defs[name] = n })
	p.WriteString(`# Configuration

<!-- Written by go test ./failover/config -run TestDocsAreFresh -update from
failover/config/schema.json. Change the schema, not this page. -->

One YAML file. ` + "`erfailover handler` and `erfailover serve` take it from `--config FILE` or `ERFAILOVER_CONFIG`" + `.

- What is not written has the default below.
- A duration is a whole number with its unit: ` + "`30s`, `5m`, `2h`" + `. A bare number is refused. Short ones are
  allowed, so that a test estate runs in seconds, with a warning.
- A secret is written as ` + "`env:NAME`" + `, the environment variable that holds it.
- Resource IDs may be in any case.
- Unknown keys, keys that come twice, contradictions, YAML aliases, tags and a second document are refused. All
  problems are told at once, each with its line, the value found and the rule:

` + "```\n" + `config: 2 unusable settings
  groups.east.health.holdDown (line 40): got 2, want a duration with its unit, like 30s, 5m or 2h
  groups.east.health.observers (line 40): got 9, want a whole number from 1 to 5
` + "```\n" + `
In the tables ` + "`*`" + ` stands for a name of yours (` + name(p.defs) + `) and ` + "`[]`" + ` for each entry of a list. **Bold** keys are required.

## Example

` + "```yaml\n" + string(example(t)) + "```\n")
	required := words(child(root, "required"))
	each(child(root, "properties"), func(key string, n *yaml.Node) {
		fmt.Fprintf(&p, "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", key, text(n, "description"))
		p.row(key, n, strings.Contains(required, key))
		p.below(key, n)
	})
	return p.String()
}

func name(defs map[string]*yaml.Node) string {
	return strings.TrimSuffix(strings.ToLower(text(defs["name"], "description")), ".")
}

// below writes the rows of everything under n.
func (p *page) below(form string, n *yaml.Node) {
	if ref := text(n, "$ref"); ref != "" {
		p.below(form, p.defs[strings.TrimPrefix(ref, "#/$defs/")])
	}
	required := " " + words(child(n, "required")) + ","
	each(child(n, "properties"), func(key string, c *yaml.Node) {
		p.row(form+"."+key, c, strings.Contains(required, " "+key+","))
		p.below(form+"."+key, c)
	})
	if names := child(n, "additionalProperties"); names != nil && names.Kind == yaml.MappingNode {
		p.below(form+".*", names)
	}
	if items := child(n, "items"); items != nil {
		p.below(form+"[]", items)
	}
}

func (p *page) row(form string, n *yaml.Node, required bool) {
	key := "`" + form + "`"
	if required {
		key = "**" + key + "**"
	}
	fallback := ""
	if d := child(n, "default"); d != nil {
		fallback = "`" + strings.Trim(strings.Join(append([]string{d.Value}, strings.Split(words(d), ", ")...), ""), " ") + "`"
	}
	meaning := strings.ReplaceAll(text(n, "description"), "|", "\\|")
	fmt.Fprintf(p, "| %s | %s | %s | %s |\n", key, p.value(n), fallback, meaning)
}

// value says what may be written.
func (p *page) value(n *yaml.Node) string {
	switch ref := strings.TrimPrefix(text(n, "$ref"), "#/$defs/"); {
	case ref == "duration":
		s := text(n, "x-least") + " to " + text(n, "x-most")
		if text(n, "x-careful") != text(n, "x-least") {
			s += "; a warning below " + text(n, "x-careful")
		}
		return s
	case ref != "":
		return p.value(p.defs[ref])
	}
	if c := text(n, "const"); c != "" {
		return "`" + c + "`"
	}
	if e := child(n, "enum"); e != nil {
		return "`" + strings.ReplaceAll(words(e), ", ", "`, `") + "`"
	}
	switch text(n, "type") {
	case "integer":
		return "whole number, " + text(n, "minimum") + " to " + text(n, "maximum")
	case "number":
		return "number, " + text(n, "minimum") + " to " + text(n, "maximum")
	case "boolean":
		return "`true`, `false`"
	case "array":
		return "list of " + strings.Replace(p.value(child(n, "items")), "text", "texts", 1)
	case "object":
		return "mapping"
	case "string":
		return "text"
	}
	if one := child(n, "oneOf"); one != nil {
		var all []string
		for _, c := range one.Content {
			all = append(all, p.value(c))
		}
		if text(n, "type") == "" {
			return strings.Join(all, " or ")
		}
	}
	return ""
}

func child(n *yaml.Node, key string) *yaml.Node {
	var out *yaml.Node
	each(n, func(k string, v *yaml.Node) {
		if k == key {
			out = v
		}
	})
	return out
}

func text(n *yaml.Node, key string) string {
	if c := child(n, key); c != nil {
		return c.Value
	}
	return ""
}

// words joins the values of a list.
func words(n *yaml.Node) string {
	var list []string
	if n != nil {
		for _, c := range n.Content {
			list = append(list, c.Value)
		}
	}
	return strings.Join(list, ", ")
}

func each(n *yaml.Node, do func(key string, v *yaml.Node)) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		do(n.Content[i].Value, n.Content[i+1])
	}
}
