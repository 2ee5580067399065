package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// maxLetterPart is how many bytes of an event one document holds. As base64 they
// stay below the store's 1 MiB.
const maxLetterPart = 512 << 10

// maxReasonText bounds the reason that is stored with a dead letter, in bytes.
const maxReasonText = 1024

// letterSaver is the part of record.Store that dead letters need.
type letterSaver interface {
	Save(ctx context.Context, doc record.Document) (etag string, err error)
}

// Letter is one stored dead letter, or one part of a long one.
type Letter struct {
	Reason string    `json:"reason"` // why it could not be read when it first came
	At     time.Time `json:"at"`     // when it first came
	Part   int       `json:"part"`   // from 1
	Parts  int       `json:"parts"`
	Bytes  int       `json:"bytes"` // length of the whole
	Raw    []byte    `json:"raw"`   // the bytes as they came, base64
}

// RecordLetters keeps dead letters in the record. The key is a hash of the bytes:
// an event that is delivered ten times is stored once.
type RecordLetters struct {
	store letterSaver
}

// NewRecordLetters returns dead letters over a store.
func NewRecordLetters(store letterSaver) *RecordLetters { return &RecordLetters{store: store} }

// Put stores the bytes with the reason. It returns nil when the same bytes are
// stored already.
func (l *RecordLetters) Put(ctx context.Context, reason string, raw []byte, at time.Time) error {
	if len(reason) > maxReasonText {
		reason = reason[:maxReasonText]
	}
	reason = strings.ToValidUTF8(reason, "?")
	sum := sha256.Sum256(raw)
	parts := max(1, (len(raw)+maxLetterPart-1)/maxLetterPart)
	for i := range parts {
		chunk := raw[i*maxLetterPart : min(len(raw), (i+1)*maxLetterPart)]
		body, err := json.Marshal(Letter{Reason: reason, At: at.UTC(), Part: i + 1, Parts: parts, Bytes: len(raw), Raw: chunk})
		if err != nil {
			return &fault.Error{Op: "write a dead letter", Kind: fault.Internal, Err: err}
		}
		doc := record.Document{Key: LetterKey(sum, i+1), Nonce: rand.Text(), Body: body}
		if _, err := l.store.Save(ctx, doc); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return nil
}

// LetterKey names the document of one part of a dead letter.
func LetterKey(sum [sha256.Size]byte, part int) string {
	return fmt.Sprintf("deadletter/%s.%03d", hex.EncodeToString(sum[:16]), part)
}
