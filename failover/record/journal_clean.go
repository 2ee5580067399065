package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Caps on what a journal entry holds, in bytes. They keep every entry below
// MaxRow, whatever it is fed.
const (
	maxText    = 4096
	maxValue   = 512 // a field's value, and every name and ID
	maxName    = 64  // a field's name, and a reason
	maxFields  = 32
	maxReasons = 32
)

// secretWord stands where a secret would have stood.
const secretWord = "(secret)"

// clean returns e with every text fit to be shown: no control characters, capped,
// and without anything that looks like a secret. What had to go leaves a mark.
func clean(e Entry) Entry {
	e.At = e.At.Round(0).UTC()
	for _, s := range []*string{&e.Code, &e.Group, &e.Circuit, &e.Operation, &e.Plan, &e.Actor} {
		*s = Clean(*s, maxValue)
	}
	e.Text = Clean(e.Text, maxText)
	e.Reasons = cleanReasons(e.Reasons)
	e.Fields = cleanFields(e.Fields)
	return e
}

func cleanReasons(reasons []string) []string {
	var kept []string
	for i, reason := range reasons {
		if i == maxReasons-1 && len(reasons) > maxReasons {
			return append(kept, fmt.Sprintf("(%d more)", len(reasons)-i))
		}
		kept = append(kept, Clean(reason, maxName))
	}
	return kept
}

func cleanFields(fields map[string]string) map[string]string {
	if len(fields) == 0 {
		return nil
	}
	kept := make(map[string]string, min(len(fields), maxFields))
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i == maxFields-1 && len(fields) > maxFields {
			kept["(more)"] = fmt.Sprintf("%d fields left out", len(fields)-i)
			break
		}
		value := Clean(fields[name], maxValue)
		if secretName(name) && value != "" {
			value = secretWord
		}
		kept[Clean(name, maxName)] = value
	}
	return kept
}

// Clean returns s fit for a journal, a dead letter or a page: control and
// direction characters become spaces, bytes that are not UTF-8 become U+FFFD, a
// text over limit bytes ends in "...", and a text that looks like a secret (a
// bearer token, a signed URL, a storage key, a JWT) is replaced by "(secret)" as a
// whole. To keep secrets out is the caller's duty; this is the net below it.
// Clean of a cleaned text changes nothing.
func Clean(s string, limit int) string {
	if looksSecret(s) {
		return secretWord
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r // an invalid byte comes as U+FFFD and is written as such
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > limit {
		cut := limit - len("...")
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimSpace(s[:cut]) + "..."
	}
	if looksSecret(s) { // a control character stood in the middle of it
		return secretWord
	}
	return s
}

// looksSecret reports whether s holds something that only a secret looks like.
func looksSecret(s string) bool {
	low := strings.ToLower(s)
	for _, mark := range []string{"sig=", "accountkey=", "sharedaccesskey=", "sharedaccesssignature", "client_secret=", "sharedkey ", "-----begin "} {
		if strings.Contains(low, mark) {
			return true
		}
	}
	if _, rest, found := strings.Cut(low, "bearer "); found && longWord(rest) {
		return true
	}
	// A JWT begins with the base64 of `{"`, and has two dots.
	if _, rest, found := strings.Cut(s, "eyJ"); found && strings.Count(rest, ".") >= 2 {
		return true
	}
	return false
}

// IsSecret reports whether a field of that name holds a secret, or the text looks
// like one.
func IsSecret(name, text string) bool { return text != "" && (secretName(name) || looksSecret(text)) }

// longWord reports whether s begins with a word that is no word of English: 16 or
// more bytes without a space.
func longWord(s string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(s, " "), " ")
	return len(word) >= 16
}

// secretName reports whether a field of that name holds a secret.
func secretName(name string) bool {
	plain := strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(name))
	switch plain {
	case "authorization", "authorizationkey", "servicekey", "sharedkey", "accountkey", "accesskey", "functionkey", "masterkey",
		"apikey", "password", "secret", "clientsecret", "token", "accesstoken", "resumetoken", "connectionstring", "cookie":
		return true
	}
	return false
}
