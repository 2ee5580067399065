package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// SignatureHeader carries "t=UNIX,v1=HEX": the time of sending, and the HMAC-SHA256
// of "UNIX.BODY" under the shared key. A receiver refuses an old time and a wrong
// sum, and takes an id only once.
const SignatureHeader = "X-Erfailover-Signature"

const cloudEventType = "application/cloudevents+json; charset=utf-8"

// NewWebhook returns the channel of a webhook that takes CloudEvents 1.0 in the
// structured mode. key signs them; without one they are not signed.
func NewWebhook(address string, key []byte, client *http.Client, now func() time.Time) (Channel, error) {
	return newWeb("webhook", address, client, func(m Message) ([]request, error) {
		body, err := encode(cloudEvent(m))
		if err != nil {
			return nil, err
		}
		r := request{body: body, kind: cloudEventType}
		if len(key) > 0 {
			r.header = map[string]string{SignatureHeader: Sign(key, now(), body)}
		}
		return []request{r}, nil
	})
}

// Sign returns the value of SignatureHeader.
func Sign(key []byte, at time.Time, body []byte) string {
	sum := hmac.New(sha256.New, key)
	fmt.Fprintf(sum, "%d.", at.Unix())
	sum.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(sum.Sum(nil)))
}

// cloudEvent wraps a message. The id is the journal row's, the same each time that
// it is sent.
func cloudEvent(m Message) object {
	source := "/erfailover"
	if m.Group != "" {
		source += "/groups/" + url.PathEscape(m.Group)
	}
	e := object{"specversion": "1.0", "id": m.ID, "source": source, "type": "erfailover." + m.Code, "time": m.At.UTC(), "datacontenttype": "application/json", "data": m}
	if m.Operation != "" {
		e["subject"] = m.Operation
	}
	return e
}
