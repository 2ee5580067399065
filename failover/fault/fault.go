// Package fault holds the one error type that crosses package borders.
//
// Callers ask errors.Is(err, fault.Conflict) and never read an error's text.
// An error without a Kind is a bug of ours: it maps to HTTP 500 and pages a person.
package fault

import (
	"errors"
	"strings"
	"time"
)

// Kind tells the caller what to do. It is an error so that callers can write
// errors.Is(err, fault.Conflict).
type Kind string

const (
	Invalid     Kind = "invalid"     // the input is wrong; do not retry
	NotFound    Kind = "not-found"   // the thing named does not exist
	Conflict    Kind = "conflict"    // someone else won; reload and decide again
	Throttled   Kind = "throttled"   // retry later, not sooner than RetryAfter
	Busy        Kind = "busy"        // the resource runs another operation; retry in tens of seconds
	Denied      Kind = "denied"      // credentials or policy refuse; page a person
	Refused     Kind = "refused"     // one of our own guards said no
	Unavailable Kind = "unavailable" // the other side is ill or unreachable; retry with backoff
	Corrupt     Kind = "corrupt"     // stored data cannot be trusted; stop acting on it
	Internal    Kind = "internal"    // a broken invariant of ours
)

// Error returns the kind's name.
func (k Kind) Error() string { return string(k) }

// Error says what was tried, on what, and why it failed. It carries no secret:
// its text reaches the log and the record. An HTTP reply shows Op, Kind and Hint
// only, because a cause may name things the caller may not see.
type Error struct {
	Op         string        // verb first, lower case: "set connection weight"
	Target     string        // Azure resource ID, record key or name; "" if none
	Kind       Kind          // never ""
	Code       string        // the other side's own code, "AnotherOperationInProgress"; "" if none
	Hint       string        // what an operator can do next; "" if nothing
	RetryAfter time.Duration // the wait that the other side asked for; 0 if it did not
	Err        error         // cause; nil if there is none
}

// Error returns "op target: kind (code): cause".
func (e *Error) Error() string {
	head := string(e.Kind)
	if e.Code != "" {
		head += " (" + e.Code + ")"
	}
	parts := make([]string, 0, 3)
	if what := strings.TrimSpace(e.Op + " " + e.Target); what != "" {
		parts = append(parts, what)
	}
	parts = append(parts, head)
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap exposes both the kind and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// KindOf returns the kind of the outermost Error in err's tree, Internal for an
// error that has none, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}

// HintOf returns the first hint in err's tree, or "".
func HintOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
		if err == nil {
			return ""
		}
	}
	return ""
}
