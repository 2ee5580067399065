package events

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// metricKeys are the keys of a flat metric record, quoted, in the order in which
// the exporters write them: five numbers, then four texts.
var metricKeys = [...]string{`"count"`, `"total"`, `"minimum"`, `"maximum"`, `"average"`, `"resourceId"`, `"time"`, `"metricName"`, `"timeGrain"`}

// metricNumbers is how many of metricKeys hold a number or null.
const metricNumbers = 5

// metricFields are the values of a flat metric record. A text that is missing is
// nil; a number that is missing or null is not in told.
type metricFields struct {
	resource, at, name, grain []byte
	numbers                   [metricNumbers]float64
	told                      [metricNumbers]bool
}

// scan reads the object at b[i] and returns the place after it. It is right about
// what it accepts: strict JSON with exactly the documented keys, each at most once,
// plain ASCII text without escapes, finite numbers. It answers false for all else,
// sound or not, which the general reader must then decide. FuzzMetricScan holds it
// against jsontext.
func (f *metricFields) scan(b []byte, i int) (end int, ok bool) {
	if i >= len(b) || b[i] != '{' {
		return 0, false
	}
	i = skipSpace(b, i+1)
	for n, seen := 0, 0; ; n++ {
		key := metricKey(b, i, n)
		if key < 0 || seen&(1<<key) != 0 {
			return 0, false
		}
		seen |= 1 << key
		i = skipSpace(b, i+len(metricKeys[key]))
		if i >= len(b) || b[i] != ':' {
			return 0, false
		}
		if i, ok = f.member(b, skipSpace(b, i+1), key); !ok {
			return 0, false
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return 0, false
		}
		if b[i] == '}' {
			return i + 1, true
		}
		if b[i] != ',' {
			return 0, false
		}
		i = skipSpace(b, i+1)
	}
}

// metricKey returns the number of the key that stands at b[i], or -1. The guess
// is tried first.
func metricKey(b []byte, i, guess int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if guess < len(metricKeys) && startsWith(b[i:], metricKeys[guess]) {
		return guess
	}
	for n, key := range metricKeys {
		if startsWith(b[i:], key) {
			return n
		}
	}
	return -1
}

// startsWith is bytes.HasPrefix for a string.
func startsWith(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

// member reads the value at b[i] into the place of a key and returns the place
// after it.
func (f *metricFields) member(b []byte, i, key int) (end int, ok bool) {
	if i >= len(b) {
		return 0, false
	}
	if key < metricNumbers {
		if startsWith(b[i:], "null") {
			return i + len("null"), true
		}
		f.told[key] = true
		f.numbers[key], end, ok = scanNumber(b, i)
		return end, ok
	}
	text, end, ok := plainString(b, i)
	switch key {
	case 5:
		f.resource = text
	case 6:
		f.at = text
	case 7:
		f.name = text
	default:
		f.grain = text
	}
	return end, ok
}

// plainString returns the inside of the string at b[i] and the place after it. It
// refuses a string that is empty or holds an escape, a control character or
// anything outside ASCII.
func plainString(b []byte, i int) (s []byte, end int, ok bool) {
	if b[i] != '"' {
		return nil, 0, false
	}
	n := bytes.IndexByte(b[i+1:], '"')
	if n <= 0 {
		return nil, 0, false
	}
	s = b[i+1 : i+1+n]
	return s, i + n + 2, plainText(s)
}

// plainText tells whether s is ASCII without control characters and backslashes.
// It looks at eight bytes at a time: a byte's high bit is set in bad when the byte
// is below 0x20, above 0x7f or a backslash.
func plainText(s []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; len(s) >= 8; s = s[8:] {
		w := binary.LittleEndian.Uint64(s)
		slash := w ^ '\\'*ones
		if bad := w | (w - 0x20*ones) | (slash - ones); bad&highs != 0 {
			return slowPlainText(s)
		}
	}
	return slowPlainText(s)
}

// slowPlainText is plainText byte by byte.
func slowPlainText(s []byte) bool {
	for _, c := range s {
		if c < 0x20 || c > 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// scanNumber reads the JSON number at b[i] and returns the place after it. Up to 15
// digits without an exponent are computed here: the digits and the power of ten are
// both exact in a float64, so their quotient is the nearest value. Anything longer
// goes to strconv.
func scanNumber(b []byte, i int) (v float64, end int, ok bool) {
	start := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := i
	var digits uint64
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		digits = digits*10 + uint64(b[i]-'0')
	}
	count := i - whole
	if count == 0 || (count > 1 && b[whole] == '0') {
		return 0, 0, false
	}
	part := 0
	if i < len(b) && b[i] == '.' {
		from := i + 1
		for i = from; i < len(b) && b[i]-'0' <= 9; i++ {
			digits = digits*10 + uint64(b[i]-'0')
		}
		if part = i - from; part == 0 {
			return 0, 0, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') || count+part > 15 {
		return scanLongNumber(b, start, i)
	}
	v = float64(digits)
	if part > 0 {
		v /= powersOfTen[part]
	}
	if b[start] == '-' {
		v = -v
	}
	return v, i, true
}

// scanLongNumber finishes a number that begins at b[start] and whose exponent, if
// any, begins at b[i].
func scanLongNumber(b []byte, start, i int) (v float64, end int, ok bool) {
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		if i == from {
			return 0, 0, false
		}
	}
	v, err := strconv.ParseFloat(string(b[start:i]), 64)
	return v, i, err == nil
}

// powersOfTen are the exact ones that scanNumber needs.
var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
