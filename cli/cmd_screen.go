package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// screen writes for a person or for a machine.
type screen struct {
	w      io.Writer
	colour bool
}

// newScreen writes to w, in colour only when w is a terminal that wants it.
func newScreen(w io.Writer) screen {
	return screen{w: w, colour: terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// terminal reports whether a stream is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Colours of the terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

func (s screen) paint(code, text string) string {
	if !s.colour || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// json writes a body of the API, indented.
func (s screen) json(body []byte) error {
	v := jsontext.Value(strings.Clone(string(body)))
	if err := v.Indent(); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	_, err := fmt.Fprintln(s.w, string(v))
	return err
}

func (s screen) line(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

// cell is one cell of a table, with its colour.
type cell struct{ text, code string }

func plainCell(text string) cell { return cell{text: text} }

// table writes rows in columns; the first row is the head.
func (s screen) table(rows [][]cell) {
	var width []int
	for _, row := range rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, c := range row {
			pad := ""
			if i < len(row)-1 {
				pad = strings.Repeat(" ", width[i]-utf8.RuneCountInString(c.text)+2)
			}
			code := c.code
			if n == 0 {
				code = bold
			}
			b.WriteString(s.paint(code, c.text) + pad)
		}
		fmt.Fprintln(s.w, strings.TrimRight(b.String(), " "))
	}
}

// clean takes from a text of the server what could move the cursor, hide text or
// turn it around. Names and reasons come from events that anybody may have sent.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

// cleanLines is clean for a text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// stateColour returns the colour of a circuit's state.
func stateColour(state string) string {
	switch state {
	case "healthy":
		return green
	case "down":
		return red
	case "suspect", "degraded", "recovering", "unknown":
		return yellow
	}
	return ""
}
