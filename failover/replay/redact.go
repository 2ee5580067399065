package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erfailover/failover/fault"
	"erfailover/failover/record"
	"erfailover/failover/topology"
)

// secretWord stands where a secret stood.
const secretWord = "(secret)"

// Frame returns a message as one line of a recording, with its end of line. Values of
// fields that are named like secrets, and texts that look like one, are replaced by
// "(secret)". What is no JSON is not recorded: the line says how long it was.
func Frame(at time.Time, body []byte) []byte {
	l := Line{At: at.UTC()}
	if clean, err := redact(body); err == nil {
		l.Body = clean
	} else {
		l.Lost, l.Bytes = "it is not one JSON text", len(body)
	}
	return line(l)
}

// FrameEstate returns the line that tells what was discovered.
func FrameEstate(at time.Time, e topology.Estate) []byte { return line(Line{At: at.UTC(), Estate: &e}) }

func line(l Line) []byte {
	text, err := json.Marshal(l, json.Deterministic(true))
	if err != nil { // a time outside the years 0 to 9999: the message is kept without it being readable
		text = fmt.Appendf(nil, `{"at":"0001-01-01T00:00:00Z","lost":"the time of arrival cannot be written","bytes":%d}`, len(l.Body))
	}
	return append(text, '\n')
}

// redact copies a JSON text token by token.
func redact(body []byte) (jsontext.Value, error) {
	var out bytes.Buffer
	in, to := jsontext.NewDecoder(bytes.NewReader(body)), jsontext.NewEncoder(&out)
	var names []string // the name that each open object is at
	name := func() string {
		if len(names) == 0 {
			return ""
		}
		return names[len(names)-1]
	}
	for {
		kind, n := in.StackIndex(in.StackDepth())
		isName := kind == '{' && n%2 == 0
		t, err := in.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &fault.Error{Op: "record message", Kind: fault.Invalid, Err: err}
		}
		switch t.Kind() {
		case '{', '[':
			names = append(names, name())
		case '}', ']':
			names = names[:len(names)-1]
		case '"':
			text := t.String()
			if isName {
				names[len(names)-1] = text
				break
			}
			if record.IsSecret(name(), text) {
				t = jsontext.String(secretWord)
			}
		}
		if err := to.WriteToken(t); err != nil {
			return nil, &fault.Error{Op: "record message", Kind: fault.Invalid, Err: err}
		}
	}
	return jsontext.Value(bytes.TrimSpace(out.Bytes())), oneValue(out.Bytes())
}

// oneValue refuses what holds no value or several.
func oneValue(text []byte) error {
	if !jsontext.Value(text).IsValid() {
		return errors.New("not one JSON text")
	}
	return nil
}
