package sim

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// body is a JSON object in the order and the spelling in which it came, so that
// a property that nobody knows, or a number too long for a float, survives.
type body []member

type member struct {
	Name  string
	Value jsontext.Value
}

// parseBody reads one JSON object. Doubled names are refused.
func parseBody(raw []byte) (body, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if tok.Kind() != '{' {
		return nil, fmt.Errorf("a JSON object is wanted, got %s", tok.Kind())
	}
	out := body{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		val, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		out = append(out, member{key, bytes.Clone(val)})
	}
	return out, nil
}

// object makes a body of names and Go values, in order.
func object(pairs ...any) body {
	var b body
	for i := 0; i+1 < len(pairs); i += 2 {
		b = b.with(pairs[i].(string), pairs[i+1])
	}
	return b
}

// raw returns the object's JSON.
func (b body) raw() jsontext.Value {
	var w bytes.Buffer
	w.WriteByte('{')
	for i, m := range b {
		if i > 0 {
			w.WriteByte(',')
		}
		w.Write(encode(m.Name))
		w.WriteByte(':')
		w.Write(m.Value)
	}
	w.WriteByte('}')
	return w.Bytes()
}

// MarshalJSON lets a body stand inside other values.
func (b body) MarshalJSON() ([]byte, error) { return b.raw(), nil }

// get returns a member's JSON, nil when there is none. Names are compared
// without case, as Azure does.
func (b body) get(name string) jsontext.Value {
	for _, m := range b {
		if strings.EqualFold(m.Name, name) {
			return m.Value
		}
	}
	return nil
}

// sub returns a member that is an object; empty when it is not.
func (b body) sub(name string) body {
	o, err := parseBody(b.get(name))
	if err != nil {
		return nil
	}
	return o
}

// text returns a member that is a string, or "".
func (b body) text(name string) string {
	var s string
	if v := b.get(name); v == nil || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// with returns a copy in which name has that value, in its old place or at the end.
func (b body) with(name string, value any) body {
	out := append(body(nil), b...)
	for i, m := range out {
		if strings.EqualFold(m.Name, name) {
			out[i].Value = encode(value)
			return out
		}
	}
	return append(out, member{name, encode(value)})
}

// without returns a copy that lacks these members.
func (b body) without(names ...string) body {
	var out body
next:
	for _, m := range b {
		for _, n := range names {
			if strings.EqualFold(m.Name, n) {
				continue next
			}
		}
		out = append(out, m)
	}
	return out
}

// only returns a copy that has just these members.
func (b body) only(names ...string) body {
	var out body
	for _, m := range b {
		for _, n := range names {
			if strings.EqualFold(m.Name, n) {
				out = append(out, m)
			}
		}
	}
	return out
}

// encode returns the JSON of a value that the fabric made itself.
func encode(v any) jsontext.Value {
	switch x := v.(type) {
	case jsontext.Value:
		return x
	case body:
		return x.raw()
	}
	out, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err) // only values of this package get here
	}
	return out
}

// same says whether two values mean the same, whatever their order and spacing.
func same(a, b jsontext.Value) bool {
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	if x.Canonicalize() != nil || y.Canonicalize() != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(x, y)
}
