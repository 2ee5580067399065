package record

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
)

// MaxDeadLetter is how many bytes of a message a dead letter keeps.
const MaxDeadLetter = 64 << 10

// Letter is a message that could not be used, kept for a person to look at.
// Everything but Raw has been cleaned and may be shown; Raw is what came in, may
// hold anything, and is shown to nobody but an operator who asks for it.
type Letter struct {
	Schema    int               `json:"schema"`
	At        time.Time         `json:"at"` // when it was first put aside, UTC
	Reason    string            `json:"reason"`
	Format    string            `json:"format,omitzero"` // what it was taken for
	Field     string            `json:"field,omitzero"`  // which field was wrong
	Got       string            `json:"got,omitzero"`    // what was there
	Want      string            `json:"want,omitzero"`   // the rule
	Detail    map[string]string `json:"detail,omitempty"`
	Size      int               `json:"size"`               // bytes of the whole message
	Raw       []byte            `json:"raw"`                // base64; the first MaxDeadLetter bytes
	Truncated bool              `json:"truncated,omitzero"` // Raw is not the whole message
}

// DeadLetter makes the document that puts a message aside. Of detail, "format",
// "field", "got" and "want" have their own places; the rest is kept beside them.
//
// Its key is the day and the hash of the message, and so is its nonce: the same
// message on the same day is the same document, and saving it again (ETag "")
// succeeds and keeps the first. The error is Invalid if at is outside the years 0
// to 9999.
func DeadLetter(at time.Time, reason string, raw []byte, detail map[string]string) (Document, error) {
	at = at.Round(0).UTC()
	hash := sha256.Sum256(raw)
	name := hex.EncodeToString(hash[:])
	letter := Letter{
		Schema: Schema, At: at, Reason: Clean(reason, maxValue),
		Size: len(raw), Raw: raw[:min(len(raw), MaxDeadLetter)], Truncated: len(raw) > MaxDeadLetter,
	}
	rest := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(detail)) {
		value := Clean(detail[key], maxValue)
		switch key {
		case "format":
			letter.Format = value
		case "field":
			letter.Field = value
		case "got":
			letter.Got = value
		case "want":
			letter.Want = value
		default:
			rest[key] = value
		}
	}
	letter.Detail = cleanFields(rest)
	body, err := json.Marshal(letter, json.Deterministic(true))
	if err != nil {
		return Document{}, &fault.Error{Op: "write dead letter", Target: name, Kind: fault.Invalid, Err: err}
	}
	return Document{Key: "deadletter/" + at.Format(time.DateOnly) + "/" + name, Nonce: name, Body: body}, nil
}

// ParseDeadLetter reads a dead letter's body. The error is Corrupt.
func ParseDeadLetter(body []byte) (Letter, error) {
	body, err := Migrate("deadletter", body)
	if err != nil {
		return Letter{}, err
	}
	var letter Letter
	if err := json.Unmarshal(body, &letter, json.RejectUnknownMembers(true)); err != nil {
		return Letter{}, &fault.Error{Op: "read dead letter", Kind: fault.Corrupt, Err: err}
	}
	return letter, nil
}
