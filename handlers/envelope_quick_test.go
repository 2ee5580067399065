package handlers

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
)

// FuzzQuickEnvelope holds the hand-written reader of batches against the JSON
// library: where it answers at all, it must give the same elements and the same rest.
func FuzzQuickEnvelope(f *testing.F) {
	for _, name := range []string{"hub_many_binary", "hub_many_string", "hub_many_none", "hub_one_binary", "grid_many"} {
		f.Add(sample(f, name))
	}
	for _, s := range []string{
		`{"Data":{"events":"[\"eyJhIjoxfQ==\",\"\",\"AAAA\"]"},"Metadata":{"x":1}}`, `{ "Data" : {"events": ["eyJhIjoxfQ==","AA=="] , "b":[]}}`,
		`{"Data":{"events":"[\"eyJh\"]","events":1}}`, `{"Data":{"events":"[\"eyJh\"]"},"Data":{}}`, `{"Data":{"events":"[\"eyJh\"]"}`, `{"Data":{"events":"[\"eyJh\"]"}} x`,
		`{"Data":{"events":"[\"AB==\"]"}}`, `{"Data":{"events":"[\"A\"]"}}`, `{"Data":{"events":"[\"AAAA\",]"}}`, `{"Data":{"events":"[]"}}`, `{"Data":{"events":"[\"AAAA\"] "}}`,
		"{\"Data\":{\"events\":[\"AA\n\n\n\nAA\"]}}", "{\"Data\":{\"events\":[\"QQ==\\n\\n\\n\\n\"]}}", "{\"Data\":{\"events\":[\"QQ==\n\n\n\n\"]}}", `{"Data":{"":["AAAA"]}}`, `{"Data":{"e":[["AAAA"]]}}`,
		`{"Data":{"events":["AAAA"]},"Metadata":{"a":[[[[[[]]]]]]}}`, `{"Data":{"events":"[\"AAAA`, `{"Data":{"events":["AAAA`, `{"Data":{"events":["AAAA","AAAA","AAAA","AAAA","AAAA"]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, depth := range []int{2, 3, 64} {
			quick, ok := quickEnvelope(body, depth)
			if !ok {
				continue
			}
			strict, err := strictEnvelope(body, depth)
			if err != nil {
				t.Fatalf("depth %d: accepted what is refused: %v", depth, err)
			}
			if !reflect.DeepEqual(quick.Data, strict.Data) || !reflect.DeepEqual(quick.Metadata, strict.Metadata) {
				t.Fatalf("got %v %v, want %v %v", quick.Data, quick.Metadata, strict.Data, strict.Metadata)
			}
			for _, enc := range []encoding{encodedBytes, encodedText, encodedObject} {
				for name := range strict.Data {
					got, gotErr := quick.items(name, enc, 4)
					want, wantErr := strict.items(name, enc, 4)
					if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || len(got) != len(want) {
						t.Fatalf("%s: got %d elements, %v; want %d, %v", name, len(got), gotErr, len(want), wantErr)
					}
					for i := range want {
						if !bytes.Equal(got[i].payload, want[i].payload) || fmt.Sprint(got[i].why) != fmt.Sprint(want[i].why) || !bytes.Equal(got[i].raw, want[i].raw) {
							t.Fatalf("%s, element %d: got %+v, want %+v", name, i, got[i], want[i])
						}
					}
				}
			}
		}
	})
}

// TestQuickEnvelopeIsTaken keeps the host's own form of a batch on the quick way.
func TestQuickEnvelopeIsTaken(t *testing.T) {
	for _, body := range []string{string(sample(t, "hub_many_binary")), `{"Data":{"events":"[\"eyJhIjoxfQ==\",\"\"]"},"Metadata":{}}`, `{"Data":{"events":["AAAA"]}}`} {
		if _, ok := quickEnvelope([]byte(body), 64); !ok {
			t.Errorf("%.60s: the slow way was taken", body)
		}
	}
}
