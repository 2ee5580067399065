package events

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// sequence reads values that follow one another with white space between them:
// one body, or one object a line. What is not JSON costs its own line only.
func (p *parser) sequence(b []byte, wrap int) {
	for i := skipSpace(b, 0); i < len(b); i = skipSpace(b, i) {
		if p.full() {
			p.fail(b[i:], i, p.tooMany())
			return
		}
		next, err := p.value(b, i, wrap)
		if err == nil {
			i = next
			continue
		}
		end := next
		if p.spent > p.allowed {
			p.fail(b[i:], i, err)
			return
		}
		if end <= i {
			end = len(b)
			if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
				end = i + n + 1
			}
		}
		if n := bytes.Index(b[i:end], []byte("\n{")); n >= 0 { // an open quote or bracket must not swallow the next line
			end = i + n + 1
		}
		p.fail(b[i:end], i, err)
		i = end
	}
}

// array reads the elements of the array that begins at b[i] and returns the
// place after its closing bracket, and whether it came that far. A broken element
// costs itself alone when its end can be told; otherwise everything from it to the
// end is one broken record.
func (p *parser) array(b []byte, i, wrap int) (int, bool) {
	start := i
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, true
	}
	for i < len(b) {
		if p.full() {
			end := extent(b, start)
			if end < 0 {
				p.fail(b[i:], i, p.tooMany())
				return len(b), false
			}
			p.fail(b[i:end-1], i, p.tooMany())
			return end, true
		}
		next, err := p.value(b, i, wrap)
		if err != nil {
			if next <= i {
				p.fail(b[i:], i, err)
				return len(b), false
			}
			p.fail(b[i:next], i, err)
		}
		at := next
		next = skipSpace(b, next)
		if next < len(b) && b[next] == ']' {
			return next + 1, true
		}
		if next >= len(b) {
			break
		}
		if b[next] != ',' {
			p.fail(b[at:], at, notJSON(string(b[next:min(next+8, len(b))]), `"," or "]" after an element`))
			return len(b), false
		}
		i = skipSpace(b, next+1)
		if i < len(b) && b[i] == ']' {
			p.fail(b[next:i], next, notJSON("a comma before ]", "an element"))
			return i + 1, true
		}
	}
	p.fail(b[start:min(start+1, len(b))], start, notJSON("an array that is never closed", `"]"`))
	return len(b), false
}

// value reads one value at b[i] and returns the place after it. With an error the
// place is the end of the broken value, or not past i when that cannot be told.
func (p *parser) value(b []byte, i, wrap int) (int, *ParseError) {
	if wrap > maxWrapping {
		return extent(b, i), notJSON("a record inside more than "+strconv.Itoa(maxWrapping)+" envelopes", "fewer envelopes")
	}
	if b[i] == '[' {
		next, _ := p.array(b, i, wrap+1)
		return next, nil
	}
	if list := firstKeyRecords(b, i); list > 0 {
		return p.envelope(b, i, list, wrap), nil
	}
	if next, ok := p.metricFast(b, i); ok {
		return next, nil
	}
	p.buf = *bytes.NewBuffer(b[i:])
	p.dec.Reset(&p.buf)
	v, err := p.dec.ReadValue()
	if err != nil {
		return p.recover(b, i, wrap, err)
	}
	end := i + int(p.dec.InputOffset())
	switch v.Kind() {
	case '{':
		if list := recordsAt(b[:end], i); list > 0 {
			return p.envelope(b, i, list, wrap), nil
		}
		p.record(v, i)
	case '"':
		inner, err := jsontext.AppendUnquote(nil, v)
		if err != nil || !bytes.ContainsAny(inner, "{[") {
			return end, notJSON(string(v), "a record, an array of records or an envelope")
		}
		p.sequence(inner, wrap+1)
	case 'n':
		// A null holds no record.
	default:
		return end, notJSON(string(v), "a record, an array of records or an envelope")
	}
	return end, nil
}

// recover looks for the end of a broken value at b[i]. When a broken envelope still
// shows its list of records, they are read. The work is charged: text made to be
// broken on every line must not cost its length squared.
func (p *parser) recover(b []byte, i, wrap int, err error) (int, *ParseError) {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		p.spent += int(syntactic.ByteOffset)
	}
	if p.spent > p.allowed {
		return -1, syntaxError(err)
	}
	end := extent(b, i)
	reach := end
	if end < 0 {
		reach = len(b)
	}
	p.spent += reach - i
	if list := recordsAt(b[:reach], i); list > 0 {
		p.spent += reach - i
		return p.envelope(b, i, list, wrap), nil
	}
	return end, syntaxError(err)
}

// envelope reads {"records":[...]} whose array begins at b[list], and returns the
// place after it. Whatever else the envelope holds is checked but not used.
func (p *parser) envelope(b []byte, i, list, wrap int) int {
	after, closed := p.array(b, list, wrap+1)
	if !closed {
		return after // the rest is reported already
	}
	first := firstKeyRecords(b, i) > 0
	if at := skipSpace(b, after); first && at < len(b) && b[at] == '}' {
		return at + 1
	}
	end := extent(b, i)
	if end < 0 {
		end = len(b)
	}
	end = max(end, after)
	rest := bytes.TrimSpace(b[after:end])
	shell := append(append(bytes.Clone(b[i:list]), "[]"...), b[after:end]...)
	if !jsontext.Value(shell).IsValid() {
		p.fail(shell, i, &ParseError{Format: "envelope", Got: clean(string(rest), maxShown), Want: "an object with the key records once"})
	}
	return end
}

// tooMany is the error of the records beyond the limit.
func (p *parser) tooMany() *ParseError {
	return notJSON("a message of more records", "at most "+strconv.Itoa(p.limits.Records)+" records")
}

// firstKeyRecords returns the place of the array in {"records":[ at b[i], or 0.
func firstKeyRecords(b []byte, i int) int {
	if b[i] != '{' {
		return 0
	}
	i = skipSpace(b, i+1)
	if !bytes.HasPrefix(b[i:], []byte(`"records"`)) {
		return 0
	}
	return listAfterColon(b, i+len(`"records"`))
}

// listAfterColon returns the place of the [ in `: [` at b[i], or 0.
func listAfterColon(b []byte, i int) int {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return 0
	}
	i = skipSpace(b, i+1)
	if i >= len(b) || b[i] != '[' {
		return 0
	}
	return i
}

// recordsAt finds the array under the top-level key "records" of the object at
// b[i], or returns 0. It tolerates text that is broken elsewhere.
func recordsAt(b []byte, i int) int {
	if b[i] != '{' || !bytes.Contains(b[i:], []byte(`"records"`)) {
		return 0
	}
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return 0
			}
		case '"':
			end := stringEnd(b, i)
			if end < 0 {
				return 0
			}
			if depth == 1 && string(b[i:end]) == `"records"` {
				if list := listAfterColon(b, end); list > 0 {
					return list
				}
			}
			i = end - 1
		}
	}
	return 0
}

// extent returns the place after the object, array or string at b[i], told from
// brackets and quotes alone, or -1.
func extent(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(b, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
		if depth < 0 {
			return -1
		}
	}
	return -1
}

// stringEnd returns the place after the string that begins at b[i], or -1.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		quote := i + n
		slashes := 0
		for k := quote - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		i = quote + 1
		if slashes%2 == 0 {
			return i
		}
	}
	return -1
}

// skipSpace returns the first place from i that is not JSON white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// notJSON is an error about the text itself.
func notJSON(got, want string) *ParseError {
	return &ParseError{Format: "json", Got: clean(got, maxShown), Want: want}
}

// syntaxError turns an error of the JSON reader into ours.
func syntaxError(err error) *ParseError {
	why := strings.TrimPrefix(err.Error(), "jsontext: ")
	return notJSON(why, "strict JSON: unique keys, valid UTF-8, closed brackets")
}

// sizeText prints a number of bytes.
func sizeText(n int) string { return strconv.Itoa(n) + " bytes" }
