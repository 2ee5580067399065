package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"erfailover/failover/record"
)

// maxLetterParts bounds how many documents one message may become: 2 MiB, twice
// the largest event of Event Hubs. What lies beyond is cut off, and the letter says
// how long the whole was.
const maxLetterParts = 2 << 20 / record.MaxDeadLetter

// letterSaver is the part of record.Store that dead letters need.
type letterSaver interface {
	Save(ctx context.Context, doc record.Document) (etag string, err error)
}

// RecordLetters keeps dead letters in the record. A document holds
// record.MaxDeadLetter bytes, so a longer message becomes several, which name the
// message that they are parts of.
type RecordLetters struct {
	store letterSaver
}

// NewRecordLetters returns dead letters over a store.
func NewRecordLetters(store letterSaver) *RecordLetters { return &RecordLetters{store: store} }

// Put stores the bytes with the reason. The same bytes on the same day are stored
// once, however often they are delivered.
func (l *RecordLetters) Put(ctx context.Context, reason string, raw []byte, at time.Time) error {
	sum := sha256.Sum256(raw)
	parts := min(max(1, (len(raw)+record.MaxDeadLetter-1)/record.MaxDeadLetter), maxLetterParts)
	for i := range parts {
		var detail map[string]string
		if parts > 1 {
			detail = map[string]string{
				"message": hex.EncodeToString(sum[:]), "bytes": strconv.Itoa(len(raw)), "part": fmt.Sprintf("%d of %d", i+1, parts),
			}
		}
		chunk := raw[i*record.MaxDeadLetter : min(len(raw), (i+1)*record.MaxDeadLetter)]
		doc, err := record.DeadLetter(at, reason, chunk, detail)
		if err != nil {
			return err
		}
		if _, err := l.store.Save(ctx, doc); err != nil {
			return err
		}
	}
	return nil
}
