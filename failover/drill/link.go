package drill

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"erfailover/failover/record"
)

// MinLinkKey is the least length of the key that signs links, in bytes.
const MinLinkKey = 32

// CancelLink is what the link of an announcement lets its holder do: call one start of one
// drill off, until then and never again. It names nobody.
type CancelLink struct {
	Drill string
	Start time.Time // the start meant, to the nanosecond
	Until time.Time // when it begins: nothing is left to call off
}

// Names of a link's parts in its address.
const (
	linkStart = "start"
	linkUntil = "until"
	linkProof = "proof"
)

// CancelLinkOf returns the link of an announcement, if the entry is one.
func CancelLinkOf(e record.Entry) (CancelLink, bool) {
	if e.Code != "drill.announce" || e.Fields["drill"] == "" {
		return CancelLink{}, false
	}
	l := CancelLink{Drill: e.Fields["drill"]}
	var err1, err2 error
	l.Start, err1 = time.Parse(time.RFC3339Nano, e.Fields["start"])
	l.Until, err2 = time.Parse(time.RFC3339Nano, e.Fields["until"])
	return l, err1 == nil && err2 == nil
}

// Query returns the link's part of an address, signed.
func (l CancelLink) Query(key []byte) string {
	q := url.Values{}
	q.Set(linkStart, strconv.FormatInt(l.Start.UnixNano(), 10))
	q.Set(linkUntil, strconv.FormatInt(l.Until.UnixNano(), 10))
	q.Set(linkProof, base64.RawURLEncoding.EncodeToString(l.proof(key)))
	return q.Encode()
}

// ReadCancelLink returns the link of a drill from an address. signed is false when we did
// not sign just this, for just this drill.
func ReadCancelLink(drill string, q url.Values, key []byte) (l CancelLink, signed bool) {
	for _, name := range []string{linkStart, linkUntil, linkProof} {
		if len(q[name]) != 1 {
			return CancelLink{}, false
		}
	}
	start, err1 := strconv.ParseInt(q.Get(linkStart), 10, 64)
	until, err2 := strconv.ParseInt(q.Get(linkUntil), 10, 64)
	got, err3 := base64.RawURLEncoding.Strict().DecodeString(q.Get(linkProof))
	if err1 != nil || err2 != nil || err3 != nil || len(key) < MinLinkKey {
		return CancelLink{}, false
	}
	l = CancelLink{Drill: drill, Start: time.Unix(0, start).UTC(), Until: time.Unix(0, until).UTC()}
	return l, hmac.Equal(got, l.proof(key))
}

// proof is the sum over everything that the link says, and over what it is for.
func (l CancelLink) proof(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "erfailover: cancel a drill\n%q\n%d\n%d", l.Drill, l.Start.UnixNano(), l.Until.UnixNano())
	return h.Sum(nil)
}
