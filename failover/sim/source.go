package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Source writes the messages that Azure, and an on-premises monitor, would send
// about an estate. What happened is the argument; the answer is a body as it
// arrives, in the published shapes. Where Azure publishes no text for a field,
// the text here is ours and nothing may depend on it.
//
// Equal arguments give equal bytes: IDs are hashes of the content and the Seed.
// The zero Source is ready to use.
type Source struct {
	Seed uint64 // another seed, other IDs
}

// fields is a JSON object; its keys are written in order of name.
type fields = map[string]any

// Times as the services write them.
const (
	streamTime  = "2006-01-02T15:04:05.0000000Z"     // streams and alerts
	contextTime = "2006-01-02T15:04:05.000000+00:00" // alert contexts of the activity log
)

// at formats a time as the streams do.
func at(t time.Time) string { return t.UTC().Format(streamTime) }

// nullTime formats a time as at does, and a zero time as null.
func nullTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return at(t)
}

// wire writes v. Every value is made here of text, numbers and objects, so a
// failure is a broken invariant.
func wire(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("sim: event does not encode: " + err.Error())
	}
	return b
}

// envelope wraps stream records in their envelope.
func envelope(rs []fields) []byte {
	if rs == nil {
		rs = []fields{}
	}
	return wire(fields{"records": rs})
}

// sum hashes the parts that make one thing the same thing.
func (s Source) sum(parts ...string) [32]byte {
	h := sha256.New()
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], s.Seed)
	h.Write(n[:])
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}

// guid returns an ID in the form of a GUID, derived from parts.
func (s Source) guid(parts ...string) string {
	d := s.sum(parts...)
	x := hex.EncodeToString(d[:16])
	return strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// subscriptionOf returns the subscription part of a resource ID, as written.
func subscriptionOf(id string) string {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

// lastOf returns the last segment of a resource ID.
func lastOf(id string) string {
	return id[strings.LastIndexByte(id, '/')+1:]
}

// typeOf returns the provider and type of a resource ID as written:
// "Microsoft.Network/expressRouteCircuits".
func typeOf(id string) string {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	for i, p := range parts {
		if strings.EqualFold(p, "providers") && i+2 < len(parts) {
			return parts[i+1] + "/" + parts[i+2]
		}
	}
	return ""
}
