//go:build unix

package e2e

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"erfailover/failover/boltstore"
)

// record ends the program and returns every document and journal row, by key.
func (r *rig) record() map[string]string {
	r.Helper()
	r.end()
	s, err := boltstore.Open(r.file("record.db"))
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	out := map[string]string{}
	for after := ""; ; {
		keys, err := s.List(context.Background(), "", after, 500)
		if err != nil {
			r.Fatal(err)
		}
		for _, k := range keys {
			doc, err := s.Load(context.Background(), k)
			if err != nil {
				r.Fatal(err)
			}
			out[k], after = string(doc.Body), k
		}
		if len(keys) < 500 {
			return out
		}
	}
}

// counters count deliveries; a repeated one is counted.
var counters = regexp.MustCompile(`"repeated":\d+`)

// sameRecord compares two records, their counters left out.
func sameRecord(t *testing.T, before, now map[string]string) {
	t.Helper()
	for k, v := range now {
		switch was, known := before[k]; {
		case !known && strings.HasPrefix(k, "journal/"):
			t.Errorf("a new journal row %s: %s", k, v)
		case !known:
			t.Errorf("a new document %s", k)
		case counters.ReplaceAllString(was, "") != counters.ReplaceAllString(v, ""):
			t.Errorf("%s changed:\n was %s\n now %s", k, was, v)
		}
	}
}
