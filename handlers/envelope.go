package handlers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxLayers is how many string layers may lie around a value. The host uses at
// most two; a batch of text takes one more.
const maxLayers = 3

// encoding says what the elements of a trigger's value are. It follows from the
// dataType in function.json and is never guessed from the content: much text is
// valid base64.
type encoding uint8

const (
	encodedBytes  encoding = iota // dataType binary: base64 strings
	encodedText                   // dataType string: strings that are the payloads
	encodedObject                 // Event Grid, or no dataType: JSON objects
)

// envelope is the body of a non-HTTP invocation: the trigger's value under the
// name of its binding, and what the host knows about it.
type envelope struct {
	Data     map[string]jsontext.Value `json:"Data"`
	Metadata map[string]jsontext.Value `json:"Metadata"`
	quick    decoded
}

// item is one element of a trigger's value: its payload, or why it has none.
type item struct {
	payload []byte
	raw     []byte // what stood there, when it could not be decoded
	why     error
}

// parseEnvelope reads an invocation's body. The nesting outside of strings is
// bounded before anything else looks at it.
func parseEnvelope(body []byte, depth int) (envelope, error) {
	if env, ok := quickEnvelope(body, depth); ok {
		return env, nil
	}
	return strictEnvelope(body, depth)
}

// strictEnvelope is parseEnvelope for any body, by the JSON library alone.
func strictEnvelope(body []byte, depth int) (envelope, error) {
	var env envelope
	if err := checkDepth(body, depth); err != nil {
		return env, fmt.Errorf("envelope: %w", err)
	}
	if err := json.Unmarshal(body, &env); err != nil {
		return env, fmt.Errorf("envelope: %w", plain(err))
	}
	if len(env.Data) == 0 {
		return env, errors.New(`envelope: got no "Data", want an object that holds the trigger's value`)
	}
	return env, nil
}

// items returns the elements of the trigger's value under the binding's name. A
// value that is not an array is one element. The error is about the whole value;
// an element that cannot be decoded carries its own.
func (e envelope) items(binding string, enc encoding, max int) ([]item, error) {
	raw, ok := e.Data[binding]
	if !ok {
		return nil, fmt.Errorf("Data: got no %q, want the name of the binding in function.json", binding)
	}
	tooMany := func(n int) error { return fmt.Errorf("Data.%s: got %d elements, want at most %d", binding, n, max) }
	if e.quick.payloads != nil && e.quick.binding == binding && enc == encodedBytes {
		return e.quick.items(max, tooMany)
	}
	list, many, err := peelArray(raw)
	if err != nil {
		return nil, fmt.Errorf("Data.%s: %w", binding, err)
	}
	if !many {
		list = []jsontext.Value{raw}
	}
	if len(list) > max {
		return nil, tooMany(len(list))
	}
	out := make([]item, len(list))
	for i, v := range list {
		out[i] = enc.decode(v)
	}
	return out, nil
}

// peelArray takes the string layers off raw until an array shows. many is false
// when what shows is no array.
func peelArray(raw jsontext.Value) (list []jsontext.Value, many bool, err error) {
	for range maxLayers + 1 {
		switch raw.Kind() {
		case '[':
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, false, plain(err)
			}
			return list, true, nil
		case '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, false, plain(err)
			}
			inner := jsontext.Value(s)
			if !inner.IsValid() {
				return nil, false, nil // plain text or base64: a single element
			}
			raw = inner
		default:
			return nil, false, nil
		}
	}
	return nil, false, fmt.Errorf("got more than %d layers of strings", maxLayers)
}

// decode returns the payload of one element.
func (enc encoding) decode(v jsontext.Value) item {
	switch enc {
	case encodedBytes:
		s, ok := peelString(v, maxLayers) // base64 holds no quote, so a layer is never payload
		if !ok {
			return item{raw: v, why: fmt.Errorf("element: got %s, want a base64 string (dataType binary)", kindName(v))}
		}
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return item{raw: []byte(s), why: errors.New("element: got a string that is not base64, want dataType binary in function.json")}
		}
		return item{payload: b}
	case encodedText:
		s, ok := peelString(v, maxLayers)
		if !ok {
			return item{raw: v, why: fmt.Errorf("element: got %s, want a string (dataType string)", kindName(v))}
		}
		return item{payload: []byte(s)}
	case encodedObject:
		for range maxLayers {
			if v.Kind() == '{' {
				return item{payload: v}
			}
			s, ok := peelString(v, 1)
			if !ok || !jsontext.Value(s).IsValid() {
				break
			}
			v = jsontext.Value(s)
		}
		if v.Kind() == '{' {
			return item{payload: v}
		}
		return item{raw: v, why: fmt.Errorf("element: got %s, want a JSON object", kindName(v))}
	}
	return item{raw: v, why: fmt.Errorf("element: encoding %d is not known", enc)}
}

// peelString takes at most n string layers off v. The content of the innermost
// string is returned as it is.
func peelString(v jsontext.Value, n int) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	var s string
	for range n {
		if err := json.Unmarshal(v, &s); err != nil {
			return "", false
		}
		v = jsontext.Value(s)
		if v.Kind() != '"' || !v.IsValid() {
			break
		}
	}
	return s, true
}

// retryCount returns how often this invocation was tried before; 0 when it is
// not told.
func (e envelope) retryCount() int {
	var rc struct {
		RetryCount int `json:"RetryCount"`
	}
	if json.Unmarshal(e.Metadata["RetryContext"], &rc) != nil {
		return 0
	}
	return rc.RetryCount
}

// place says where a batch came from, for the log: its partition and the first
// sequence number. Parts that are not told are "".
func (e envelope) place() (partition, sequence string) {
	var pc struct {
		PartitionID string `json:"PartitionId"`
	}
	if json.Unmarshal(e.Metadata["PartitionContext"], &pc) == nil && len(pc.PartitionID) <= 16 {
		partition = pc.PartitionID
	}
	if list, many, err := peelArray(e.Metadata["SequenceNumberArray"]); err == nil && many && len(list) > 0 {
		var n int64
		if json.Unmarshal(list[0], &n) == nil {
			sequence = strconv.FormatInt(n, 10)
		}
	}
	return partition, sequence
}

// checkDepth refuses JSON that is nested deeper than max. It looks at brackets
// outside strings only; whether the text is JSON is somebody else's question.
func checkDepth(b []byte, max int) error {
	depth, quoted, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > max {
				return fmt.Errorf("got more than %d levels of nesting", max)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// kindName names the kind of v in words.
func kindName(v jsontext.Value) string {
	switch v.Kind() {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "nothing readable"
	}
}

// plain cuts an error of the JSON library down to its place and kind: its full
// text quotes the input.
func plain(err error) error {
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		return fmt.Errorf("not valid JSON at byte %d", syn.ByteOffset)
	}
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		if sem.Err != nil && errors.Is(sem.Err, json.ErrUnknownName) {
			return fmt.Errorf("field %s is not known", sem.JSONPointer)
		}
		return fmt.Errorf("wrong kind of value at %q (byte %d)", string(sem.JSONPointer), sem.ByteOffset)
	}
	return errors.New("not readable")
}
