package handlers

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// decoded is the trigger's value of a batch of bytes, decoded already.
type decoded struct {
	binding  string
	payloads [][]byte
}

// items returns at most max elements.
func (d decoded) items(max int, tooMany func(n int) error) ([]item, error) {
	if len(d.payloads) > max {
		return nil, tooMany(len(d.payloads))
	}
	out := make([]item, len(d.payloads))
	for i, p := range d.payloads {
		out[i].payload = p
	}
	return out, nil
}

// standIn takes the place of a batch while the rest of its envelope is read.
const standIn = `"batch"`

// quickEnvelope reads the envelope that an Event Hubs batch comes in: megabytes of
// base64 in a list, as a string or not, and little else. The list is decoded where
// it stands, in one pass; base64 leaves no room for anything that JSON would have to
// say about it. What is left is read as strictly as any envelope. It answers false,
// for parseEnvelope to decide, when anything at all is not as expected.
// FuzzQuickEnvelope holds the two against each other.
func quickEnvelope(body []byte, depth int) (envelope, bool) {
	binding, from, ok := batchStart(body)
	if !ok {
		return envelope{}, false
	}
	payloads, to, ok := decodeBatch(body, from)
	if !ok {
		return envelope{}, false
	}
	rest := standIn
	if body[from] == '[' {
		rest = "[" + standIn + "]" // as deep as the list
	}
	shell := slices.Concat(body[:from], []byte(rest), body[to:])
	env, err := strictEnvelope(shell, depth)
	if err != nil || string(env.Data[binding]) != rest {
		return envelope{}, false
	}
	env.Data[binding] = jsontext.Value(body[from:to])
	env.quick = decoded{binding, payloads}
	return env, true
}

// batchStart returns the first name in Data and the place of its value, when the
// body begins with Data.
func batchStart(body []byte) (binding string, at int, ok bool) {
	i := 0
	for _, part := range []string{"{", `"Data"`, ":", "{", `"`} {
		i = afterSpace(body, i)
		if !bytes.HasPrefix(body[i:], []byte(part)) {
			return "", 0, false
		}
		i += len(part)
	}
	n := i
	for n < len(body) && (body[n]|0x20 >= 'a' && body[n]|0x20 <= 'z') {
		n++
	}
	binding = string(body[i:n])
	if n >= len(body) || body[n] != '"' {
		return "", 0, false
	}
	i = afterSpace(body, n+1)
	if i >= len(body) || body[i] != ':' {
		return "", 0, false
	}
	return binding, afterSpace(body, i+1), true
}

// afterSpace returns the first place from i that is not JSON white space.
func afterSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// decodeBatch decodes ["b64","b64"] at body[i], or the same inside a string, and
// returns the place after it. Nothing may stand between the parts.
func decodeBatch(body []byte, i int) (payloads [][]byte, end int, ok bool) {
	quote, last := `"`, "]"
	switch {
	case bytes.HasPrefix(body[i:], []byte(`"[\"`)):
		quote, last = `\"`, `]"`
		i += len(`"[`)
	case bytes.HasPrefix(body[i:], []byte(`["`)):
		i += len(`[`)
	default:
		return nil, 0, false
	}
	strict := base64.StdEncoding.Strict()
	buf := make([]byte, 0, base64.StdEncoding.DecodedLen(len(body)-i))
	for {
		if !bytes.HasPrefix(body[i:], []byte(quote)) {
			return nil, 0, false
		}
		i += len(quote)
		n := bytes.IndexByte(body[i:], quote[0])
		if n < 0 || !bytes.HasPrefix(body[i+n:], []byte(quote)) {
			return nil, 0, false
		}
		text, start := body[i:i+n], len(buf)
		var err error
		if buf, err = strict.AppendDecode(buf, text); err != nil || len(buf)-start != plainLength(text) {
			return nil, 0, false
		}
		payloads = append(payloads, buf[start:len(buf):len(buf)])
		i += n + len(quote)
		if bytes.HasPrefix(body[i:], []byte(last)) {
			return payloads, i + len(last), true
		}
		if i >= len(body) || body[i] != ',' {
			return nil, 0, false
		}
		i++
	}
}

// plainLength is how many bytes base64 text stands for when it has no line breaks,
// which the decoder skips and JSON forbids.
func plainLength(text []byte) int {
	n := len(text) / 4 * 3
	switch {
	case bytes.HasSuffix(text, []byte("==")):
		n -= 2
	case bytes.HasSuffix(text, []byte("=")):
		n--
	}
	return n
}
