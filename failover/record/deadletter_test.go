package record

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"erfailover/failover/fault"
)

func TestDeadLetter(t *testing.T) {
	raw := []byte("{\"schemaId\":\xff}")
	doc, err := DeadLetter(start, "not\nJSON", raw, map[string]string{
		"format": "common-alert", "field": "schemaId", "got": "sig=abc", "want": "a string", "partition": "3",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckDocument(doc); err != nil {
		t.Fatal(err)
	}
	if want := "deadletter/2026-01-02/"; !strings.HasPrefix(doc.Key, want) || len(doc.Key) != len(want)+64 {
		t.Errorf("key %q", doc.Key)
	}
	letter, err := ParseDeadLetter(doc.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := Letter{Schema: Schema, At: start, Reason: "not JSON", Format: "common-alert", Field: "schemaId", Got: "(secret)", Want: "a string", Size: len(raw)}
	if letter.Schema != want.Schema || !letter.At.Equal(want.At) || letter.Reason != want.Reason || letter.Format != want.Format ||
		letter.Field != want.Field || letter.Got != want.Got || letter.Want != want.Want || letter.Size != want.Size ||
		letter.Truncated || letter.Detail["partition"] != "3" || len(letter.Detail) != 1 || !bytes.Equal(letter.Raw, raw) {
		t.Errorf("letter %+v", letter)
	}
}

func TestDeadLetterIsTheSameForTheSameDay(t *testing.T) {
	key := func(at time.Time, raw string) string {
		doc, err := DeadLetter(at, "r", []byte(raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		if doc.Nonce == "" || !strings.HasSuffix(doc.Key, doc.Nonce) {
			t.Errorf("nonce %q of %q", doc.Nonce, doc.Key)
		}
		return doc.Key
	}
	one := key(start, "a")
	if late := key(start.Add(20*time.Hour), "a"); late != one {
		t.Errorf("later that day %q, was %q", late, one)
	}
	// 23:00 of the day before in New York is 03:00 UTC of this day or so.
	if there := key(start.In(time.FixedZone("there", -5*3600)), "a"); there != one {
		t.Errorf("in another zone %q, was %q", there, one)
	}
	for name, other := range map[string]string{"next day": key(start.Add(21*time.Hour), "a"), "other bytes": key(start, "b"),
		"long, other tail": key(start, strings.Repeat("x", MaxDeadLetter)+"b")} {
		if other == one || other == key(start, strings.Repeat("x", MaxDeadLetter)+"a") {
			t.Errorf("%s: the same key %q", name, other)
		}
	}
}

func TestDeadLetterIsCapped(t *testing.T) {
	raw := bytes.Repeat([]byte{0xff}, 5<<20)
	detail := map[string]string{}
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "") {
		detail[c] = strings.Repeat(`"`, 5000)
	}
	doc, err := DeadLetter(start, strings.Repeat("r", 9999), raw, detail)
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckDocument(doc); err != nil {
		t.Error(err)
	}
	letter, err := ParseDeadLetter(doc.Body)
	if err != nil || !letter.Truncated || letter.Size != len(raw) || !bytes.Equal(letter.Raw, raw[:MaxDeadLetter]) {
		t.Errorf("truncated %v, size %d, %d bytes kept, %v", letter.Truncated, letter.Size, len(letter.Raw), err)
	}
}

func TestDeadLetterErrors(t *testing.T) {
	if _, err := DeadLetter(time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), "r", nil, nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("year 12000: %v", err)
	}
	for _, body := range []string{``, `{"schema":1,"other":1}`, `{"schema":2}`} {
		if _, err := ParseDeadLetter([]byte(body)); !errors.Is(err, fault.Corrupt) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
