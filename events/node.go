package events

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is one JSON value of a record. The zero node is a missing value; a JSON
// null reads as missing too, because the sources use both for "not told".
type node struct {
	kind   jsontext.Kind // 'n' and 0 are nothing; '"', '0', 't', 'f', '{', '['
	text   string        // of a string, or the literal of a number
	fields []field       // of an object, in order
	items  []node        // of an array
}

// field is one member of an object.
type field struct {
	name  string
	value node
}

// readNode builds the tree of a valid JSON value. It refuses nesting beyond depth.
func readNode(v []byte, depth int) (node, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(v))
	return readNext(dec, depth)
}

// readNext reads the next value of dec.
func readNext(dec *jsontext.Decoder, depth int) (node, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return node{}, broken("", err.Error(), "strict JSON")
	}
	n := node{kind: tok.Kind()}
	if (n.kind == '{' || n.kind == '[') && depth <= 0 {
		return node{}, broken("", "deeper nesting", "at most "+strconv.Itoa(maxDepth)+" levels")
	}
	switch n.kind {
	case '"', '0':
		n.text = tok.String()
	case '{':
		for dec.PeekKind() != '}' {
			key, err := dec.ReadToken()
			if err != nil {
				return node{}, broken("", err.Error(), "strict JSON")
			}
			name := key.String()
			kid, err := readNext(dec, depth-1)
			if err != nil {
				return node{}, err
			}
			n.fields = append(n.fields, field{name, kid})
		}
		_, err = dec.ReadToken()
	case '[':
		for dec.PeekKind() != ']' {
			kid, err := readNext(dec, depth-1)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, kid)
		}
		_, err = dec.ReadToken()
	}
	if err != nil {
		return node{}, broken("", err.Error(), "strict JSON")
	}
	return n, nil
}

// is tells whether there is a value.
func (n node) is() bool { return n.kind != 0 && n.kind != 'n' }

// get follows names down. A name is matched exactly; failing that, without
// regard to case, the first in order. (Some sources write Average, some average.)
func (n node) get(path ...string) node {
	for _, name := range path {
		n = n.member(name)
	}
	return n
}

// member returns one field, or the zero node.
func (n node) member(name string) node {
	folded := -1
	for i, f := range n.fields {
		if f.name == name {
			return f.value
		}
		if folded < 0 && strings.EqualFold(f.name, name) {
			folded = i
		}
	}
	if folded >= 0 {
		return n.fields[folded].value
	}
	return node{}
}

// first returns the first of the named fields that has a value.
func (n node) first(names ...string) node {
	for _, name := range names {
		if v := n.member(name); v.is() {
			return v
		}
	}
	return node{}
}

// str returns a scalar as text: a string as it is, a number as written, a bool as
// "true" or "false". An object of the form {"value": x} (REST) gives x.
func (n node) str() string {
	switch n.kind {
	case '"', '0':
		return n.text
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{':
		if v := n.member("value"); v.kind == '"' || v.kind == '0' {
			return v.text
		}
	}
	return ""
}

// num returns a number, or nil when there is none. A string that holds exactly a
// number is one: thresholds come so. Anything else is an error, never 0.
func (n node) num(field string) (*float64, error) {
	if !n.is() || (n.kind == '"' && strings.TrimSpace(n.text) == "") {
		return nil, nil
	}
	if n.kind != '0' && n.kind != '"' {
		return nil, broken(field, kindName(n.kind), "a number")
	}
	f, ok := parseNumber(strings.TrimSpace(n.text))
	if !ok {
		return nil, broken(field, n.text, "a finite number")
	}
	return &f, nil
}

// parseNumber reads a finite JSON number.
func parseNumber(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) { // no hex, no underscores, no "inf"
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// truth reads a bool that may come as true, 1, "1", "true" or "True".
func (n node) truth() bool {
	return n.kind == 't' || n.text == "1" || strings.EqualFold(n.text, "true")
}

// nested returns the object or array that n holds, or that the JSON text inside
// the string n holds. Plain text and broken JSON give the zero node.
func (n node) nested() node {
	if n.kind == '{' || n.kind == '[' {
		return n
	}
	if n.kind != '"' || !strings.ContainsAny(n.text, "{[") {
		return node{}
	}
	v := jsontext.Value(n.text)
	if !v.IsValid() {
		return node{}
	}
	inner, err := readNode(v, maxDepth)
	if err != nil {
		return node{}
	}
	return inner
}

// kindName names a kind for an error text.
func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a bool"
	}
	return "no value"
}
