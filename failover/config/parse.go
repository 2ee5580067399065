package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxText is the longest file that is read, in bytes; maxDepth the deepest nesting.
const (
	maxText  = 8 << 20
	maxDepth = 16
)

// Parse reads a configuration file. The error is an Invalid with every problem of
// the file; warnings are given with and without one.
func Parse(text []byte) (Config, []Warning, error) {
	c, w, _, err := parse(text)
	return c, w, err
}

// parse also returns the reader, so that a test can see which keys were asked for.
func parse(text []byte) (Config, []Warning, *reader, error) {
	r := &reader{places: map[string]place{}, forms: map[string]struct{}{}}
	root := r.document(text)
	if root == nil {
		return Config{}, nil, r, r.problems
	}
	c := Default()
	c.Version = 0
	c.read(node{r: r, yaml: root})
	problems, warnings := c.Check()
	r.placeAll(problems, warnings)
	if len(r.problems) > 0 {
		r.problems.sort()
		return Config{}, warnings, r, r.problems
	}
	return c, warnings, r, nil
}

// document returns the root of the only document in text, or nil with problems.
func (r *reader) document(text []byte) *yaml.Node {
	whole := func(line int, got, want string) *yaml.Node {
		r.problems = append(r.problems, Problem{"(file)", line, 1, got, want})
		return nil
	}
	if len(text) > maxText {
		return whole(1, fmt.Sprintf("%d bytes", len(text)), fmt.Sprintf("at most %d bytes", maxText))
	}
	if !utf8.Valid(text) {
		return whole(1, "bytes that are not UTF-8", "UTF-8 text")
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null") {
		return whole(1, "nothing", "a configuration with version, circuits and groups")
	}
	if err != nil {
		line, why := syntax(err)
		return whole(line, "text that is not YAML: "+why, "valid YAML")
	}
	if err := dec.Decode(&next); !errors.Is(err, io.EOF) {
		line, _ := syntax(err)
		return whole(max(line, next.Line), "more after the first document", "one document")
	}
	root := doc.Content[0]
	r.plain(root, 0)
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil
	}
	return root
}

var yamlLine = regexp.MustCompile(`line ([0-9]+): `)

// syntax splits a YAML error into the line and the reason.
func syntax(err error) (line int, why string) {
	if err == nil {
		return 1, ""
	}
	why = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(why); m != nil {
		line, _ = strconv.Atoi(m[1])
		why = strings.Replace(why, m[0], "", 1)
	}
	return max(line, 1), show(why)
}

// plain refuses what a configuration does not need: aliases and anchors (a few
// lines of them can stand for gigabytes), merge keys, tags and deep nesting.
func (r *reader) plain(n *yaml.Node, depth int) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.problem(n, "(file)", "an alias", "the value written out; anchors and aliases are not read")
		return
	case n.Anchor != "":
		r.problem(n, "(file)", "an anchor", "the value written out; anchors and aliases are not read")
	case n.Style&yaml.TaggedStyle != 0:
		r.problem(n, "(file)", "a tag", "a value without a tag")
	case n.ShortTag() == "!!merge":
		r.problem(n, "(file)", "a merge key", "the keys written out")
	}
	if depth > maxDepth {
		r.problem(n, "(file)", "deep nesting", fmt.Sprintf("at most %d levels", maxDepth))
		return
	}
	for _, c := range n.Content {
		r.plain(c, depth+1)
	}
}

// placeAll gives the findings of Check their places, and leaves out those that
// only follow from a value that could not be read.
func (r *reader) placeAll(problems Invalid, warnings []Warning) {
	broken := make(map[string]bool, 2*len(r.problems))
	for _, p := range r.problems {
		for key := p.Key; key != ""; key = parent(key) {
			broken[key] = broken[key] || key == p.Key
		}
	}
	for _, p := range problems {
		if hit(broken, p.Key) {
			continue
		}
		if _, there := r.places[p.Key]; !there && p.Got != missing {
			p.Got += " (default)"
		}
		at := r.placeOf(p.Key)
		p.Line, p.Column = at.line, at.column
		r.problems = append(r.problems, p)
	}
	for i := range warnings {
		at := r.placeOf(warnings[i].Key)
		warnings[i].Line, warnings[i].Column = at.line, at.column
	}
}

// hit says whether key, something below it, or something above it is broken.
func hit(broken map[string]bool, key string) bool {
	if broken["(file)"] {
		return true
	}
	if _, below := broken[key]; below {
		return true
	}
	for key = parent(key); key != ""; key = parent(key) {
		if broken[key] {
			return true
		}
	}
	return false
}

// parent cuts the last part off a key.
func parent(key string) string {
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}

// placeOf returns where a key stands, or where it would belong.
func (r *reader) placeOf(key string) place {
	for ; key != ""; key = parent(key) {
		if at, ok := r.places[key]; ok {
			return at
		}
	}
	return place{1, 1}
}
