package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"erfailover/failover/fault"
)

// missing is what a problem shows when a required key is not there.
const missing = "(missing)"

// unknownKey is what a problem shows where this version knows no such key.
const unknownKey = "an unknown key"

// maxShown bounds the problems that Error prints.
const maxShown = 200

// Problem is one setting that cannot be used.
type Problem struct {
	Key    string // full dotted name as the operator typed it, "groups.east.health.holdDown"; "(file)" for the file as a whole
	Line   int    // from 1; where the value stands, or where a missing one belongs
	Column int    // from 1
	Got    string // the value found; "(missing)", or "(secret)" when it must not be shown
	Want   string // the rule in plain words, with units
}

// Invalid lists every problem found, in the order of the file, so that one failed
// start is enough to fix them all. It is a fault.Invalid.
type Invalid []Problem

// Error returns one line per problem, at most 200.
func (v Invalid) Error() string {
	var b strings.Builder
	noun := "settings"
	if len(v) == 1 {
		noun = "setting"
	}
	fmt.Fprintf(&b, "config: %d unusable %s", len(v), noun)
	for i, p := range v {
		if i == maxShown {
			fmt.Fprintf(&b, "\n  and %d more", len(v)-maxShown)
			break
		}
		fmt.Fprintf(&b, "\n  %s%s: got %s, want %s", p.Key, at(p.Line), p.Got, p.Want)
	}
	if slices.ContainsFunc(v, func(p Problem) bool { return p.Got == unknownKey && !strings.Contains(p.Want, "did you mean") }) {
		b.WriteString("\n  A key of a newer version? Then deploy that version first; before going back to this one, take its keys out.")
	}
	return b.String()
}

// Unwrap makes errors.Is(err, fault.Invalid) true.
func (v Invalid) Unwrap() error { return fault.Invalid }

// Warning is one setting that works and deserves a second look.
type Warning struct {
	Key    string
	Line   int
	Column int
	Say    string // a sentence without a full stop
}

// String returns "key (line n): text".
func (w Warning) String() string { return w.Key + at(w.Line) + ": " + w.Say }

func at(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" (line %d)", line)
}

// sort puts problems into the order of the file.
func (v Invalid) sort() {
	slices.SortStableFunc(v, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// show returns a value as a problem may print it: one line, at most 80 bytes (both
// ends of it), and nothing that looks like a credential.
func show(s string) string {
	if s == "" {
		return `""`
	}
	low := strings.ToLower(s)
	for _, mark := range []string{"sig=", "code=", "key=", "token=", "secret=", "password", "bearer "} {
		if strings.Contains(low, mark) {
			return hidden
		}
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok && scheme != "" && strings.ContainsAny(rest, "@?") {
		return hidden
	}
	clean := strings.Map(func(r rune) rune {
		if control(r) {
			return '.'
		}
		return r
	}, s)
	if strings.TrimSpace(clean) != clean {
		clean = strconv.Quote(clean)
	}
	if len(clean) <= 80 {
		return clean
	}
	head, tail := 24, len(clean)-53
	for clean[head]&0xc0 == 0x80 {
		head--
	}
	for tail < len(clean) && clean[tail]&0xc0 == 0x80 {
		tail++
	}
	return clean[:head] + "..." + clean[tail:]
}
