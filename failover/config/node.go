package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reader walks the nodes of one file and keeps what it finds.
type reader struct {
	problems Invalid
	places   map[string]place    // where each key of the file stands
	forms    map[string]struct{} // every key that could have been there, as a form; filled for tests
}

// place is a position in the file, from 1.
type place struct{ line, column int }

// node is one value of the file and its key.
type node struct {
	r      *reader
	yaml   *yaml.Node
	key    string // full dotted name: groups.east.gateways[0]
	form   string // with names and numbers left out: groups.*.gateways[]
	secret bool   // the value is never shown
}

// fields says how each key of a mapping is read.
type fields map[string]func(node)

func (r *reader) problem(n *yaml.Node, key, got, want string) {
	r.problems = append(r.problems, Problem{key, n.Line, n.Column, got, want})
}

func (n node) fail(got, want string) {
	if n.secret {
		got = hidden
	}
	n.r.problem(n.yaml, n.name(), got, want)
}

// got describes the value for a problem.
func (n node) got() string {
	switch n.yaml.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.yaml.ShortTag() == "!!null" {
			return "nothing"
		}
		return show(n.yaml.Value)
	case yaml.DocumentNode, yaml.AliasNode:
		return "an alias"
	}
	return "nothing"
}

// quoted is got with the quotes of a quoted text, where they make the difference.
func (n node) quoted() string {
	got := n.got()
	if n.yaml.Kind == yaml.ScalarNode && n.yaml.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && got == n.yaml.Value {
		return strconv.Quote(got)
	}
	return got
}

// sub returns a node below n. name is the key's name, or "[3]".
func (n node) sub(y *yaml.Node, name, form string) node {
	s := node{r: n.r, yaml: y, secret: n.secret}
	switch {
	case strings.HasPrefix(name, "["):
		s.key, s.form = n.key+name, n.form+form
	case n.key == "":
		s.key, s.form = name, form
	default:
		s.key, s.form = n.key+"."+name, n.form+"."+form
	}
	return s
}

// mapping calls each with every key and value, in the order of the file. Keys
// that are not plain text and keys that come twice are problems.
func (n node) mapping(want string, each func(key *yaml.Node, value node)) bool {
	if n.yaml.Kind != yaml.MappingNode {
		n.fail(n.got(), want)
		return false
	}
	first := make(map[string]int, len(n.yaml.Content)/2)
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		k, v := n.yaml.Content[i], n.yaml.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			n.r.problem(k, n.name(), "a key that is not text", "keys that are plain text")
			continue
		}
		s := n.sub(v, keyText(k.Value), k.Value)
		if line, twice := first[k.Value]; twice {
			n.r.problem(k, s.key, "the key a second time", fmt.Sprintf("it once only; it is already in line %d", line))
			continue
		}
		first[k.Value] = k.Line
		n.r.places[s.key] = place{v.Line, v.Column}
		each(k, s)
	}
	return true
}

// name returns n's key, or "(file)" for the root.
func (n node) name() string {
	if n.key == "" {
		return "(file)"
	}
	return n.key
}

// keyText returns a key as it may stand in a dotted name.
func keyText(s string) string {
	for _, r := range s {
		plain := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
		if !plain {
			return strconv.Quote(show(s))
		}
	}
	if s == "" || len(s) > 80 {
		return strconv.Quote(show(s))
	}
	return s
}

// object reads a mapping whose keys are known. A key that is not known is a
// problem, and its value is never shown.
func (n node) object(want string, known fields) {
	for name := range known {
		n.r.forms[n.sub(nil, name, name).form] = struct{}{}
	}
	n.mapping(want, func(k *yaml.Node, v node) {
		read, ok := known[k.Value]
		if !ok {
			n.r.problem(k, v.key, unknownKey, "one of "+suggest(k.Value, slices.Sorted(maps.Keys(known))))
			return
		}
		read(v)
	})
}

// named reads a mapping whose keys are names of ours.
func (n node) named(want string, each func(name string, v node)) {
	n.mapping(want, func(k *yaml.Node, v node) {
		if !goodName(k.Value) {
			n.r.problem(k, v.key, show(k.Value), "a name of 1 to 40 small letters, digits, - and _, beginning with a letter or a digit")
			return
		}
		v.form = n.form + ".*"
		each(k.Value, v)
	})
}

// goodName says whether s can name a circuit, group or drill. It becomes part of a
// record key.
func goodName(s string) bool {
	for i, r := range s {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		case i > 0 && (r == '-' || r == '_'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// items returns the values of a list.
func (n node) items(want string) []node {
	if n.yaml.Kind != yaml.SequenceNode {
		n.fail(n.got(), want)
		return nil
	}
	list := make([]node, len(n.yaml.Content))
	for i, y := range n.yaml.Content {
		list[i] = n.sub(y, fmt.Sprintf("[%d]", i), "[]")
		n.r.places[list[i].key] = place{y.Line, y.Column}
	}
	return list
}

// text reads a text of 1 to 2048 bytes without control characters or spaces at
// its ends. A number or a flag is no text unless it is quoted.
func (n node) text(want string) (string, bool) {
	tag := n.yaml.ShortTag() // a date is text, too
	if n.yaml.Kind != yaml.ScalarNode || tag != "!!str" && tag != "!!timestamp" {
		n.fail(n.got(), want)
		return "", false
	}
	s := n.yaml.Value
	if s == "" || len(s) > 2048 || strings.TrimSpace(s) != s || strings.ContainsFunc(s, control) {
		n.fail(n.got(), want+", of 1 to 2048 bytes, without control characters or outer spaces")
		return "", false
	}
	return s, true
}

// control says whether r has no place in one line of text.
func control(r rune) bool {
	return r < 0x20 || 0x7f <= r && r < 0xa0 || r == 0xfffd || r == 0x2028 || r == 0x2029
}

// texts reads a list of texts.
func (n node) texts(want, each string) []string {
	var list []string
	for _, item := range n.items(want) {
		if s, ok := item.text(each); ok {
			list = append(list, s)
		}
	}
	return list
}

// enum reads one word of a closed list.
func enum[T ~string](n node, to *T, all ...T) {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	if n.yaml.Kind != yaml.ScalarNode || n.yaml.ShortTag() != "!!str" {
		n.fail(n.got(), "one of "+strings.Join(words, ", "))
		return
	}
	if !slices.Contains(words, n.yaml.Value) {
		n.fail(n.got(), "one of "+suggest(n.yaml.Value, words))
		return
	}
	*to = T(n.yaml.Value)
}

const wantDuration = "a duration with its unit, like 30s, 5m or 2h"

// duration reads a whole number with one unit: s, m or h. It says whether it could.
func (n node) duration(to *time.Duration) bool {
	if n.yaml.Kind == yaml.ScalarNode {
		if d, ok := parseDuration(n.yaml.Value); ok && n.yaml.ShortTag() == "!!str" {
			*to = d
			return true
		}
	}
	n.fail(n.quoted(), wantDuration)
	return false
}

func parseDuration(s string) (time.Duration, bool) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour}
	if len(s) < 2 || len(s) > 8 {
		return 0, false
	}
	unit, ok := units[s[len(s)-1]]
	v, whole := parseWhole(s[:len(s)-1])
	if !ok || !whole || v > int(math.MaxInt64/unit) {
		return 0, false
	}
	return time.Duration(v) * unit, true
}

// formatDuration writes d so that parseDuration reads it again.
func formatDuration(d time.Duration) string {
	switch {
	case d != 0 && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d != 0 && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}

// parseWhole reads up to nine decimal digits without a leading zero.
func parseWhole(s string) (int, bool) {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	v := 0
	for _, r := range s {
		if r < '0' || r > '9' {
			return 0, false
		}
		v = v*10 + int(r-'0')
	}
	return v, true
}

// whole reads a whole number, 0 or more. It says whether it could.
func (n node) whole(to *int) bool {
	if n.yaml.Kind == yaml.ScalarNode && n.yaml.ShortTag() == "!!int" {
		if v, ok := parseWhole(n.yaml.Value); ok {
			*to = v
			return true
		}
	}
	n.fail(n.quoted(), "a whole number, 0 or more, in decimal digits")
	return false
}

// number reads a decimal number, 0 or more.
func (n node) number(to *float64) {
	tag := n.yaml.ShortTag()
	if n.yaml.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float") && len(n.yaml.Value) <= 40 {
		plain := strings.Trim(n.yaml.Value, "0123456789.eE+-") == ""
		if v, err := strconv.ParseFloat(n.yaml.Value, 64); err == nil && plain && v >= 0 {
			*to = v
			return
		}
	}
	n.fail(n.quoted(), "a decimal number, 0 or more")
}

// flag reads true or false.
func (n node) flag(to *bool) {
	if n.yaml.Kind == yaml.ScalarNode && n.yaml.ShortTag() == "!!bool" && (n.yaml.Value == "true" || n.yaml.Value == "false") {
		*to = n.yaml.Value == "true"
		return
	}
	n.fail(n.quoted(), "true or false")
}
