package config

import (
	"strings"

	"erfailover/failover/fault"
)

// hidden stands for a value that must not be shown.
const hidden = "(secret)"

// envPrefix begins a reference to an environment variable.
const envPrefix = "env:"

// Secret is a value that may not be shown: a reference "env:NAME", or the value
// itself. Every formatter and encoder sees the reference, or "(secret)".
type Secret string

// Env returns the name of the environment variable that holds the value, or "".
func (s Secret) Env() string {
	name, ok := strings.CutPrefix(string(s), envPrefix)
	if !ok {
		return ""
	}
	return name
}

// String returns the reference, or "(secret)" for a literal value.
func (s Secret) String() string {
	if s == "" || s.Env() != "" {
		return string(s)
	}
	return hidden
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the value from every encoder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Resolve returns the value. lookup is asked for the variable of a reference, as
// os.LookupEnv would be; a variable that is unset or empty is fault.Invalid.
func (s Secret) Resolve(lookup func(string) (string, bool)) (string, error) {
	name := s.Env()
	if name == "" {
		return string(s), nil
	}
	value, ok := lookup(name)
	if !ok || value == "" {
		return "", &fault.Error{
			Op: "read environment variable", Target: name, Kind: fault.Invalid,
			Hint: "set " + name + ", or change the setting that refers to it",
		}
	}
	return value, nil
}

// good says whether s is usable: a reference with a variable's name, or any
// other text.
func (s Secret) good() bool {
	name, ok := strings.CutPrefix(string(s), envPrefix)
	if !ok {
		return s != ""
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && len(name) <= 128
}
