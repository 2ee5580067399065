package handlers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

// TestEnvelopes decodes one body of every kind that the host sends. The dataType
// decides how; the same bytes under another dataType are an error, never a guess.
func TestEnvelopes(t *testing.T) {
	const down, up = `{"circuit":"er-ashburn","state":"down"}`, `{"circuit":"er-chicago","state":"up"}`
	for _, c := range []struct {
		file, binding string
		enc           encoding
		want          string // payloads, or "!why", joined by a bar
	}{
		{"hub_many_binary", "events", encodedBytes, down + "|\xff\x00\x01"},
		{"hub_many_string", "events", encodedText, down + "|" + up},
		{"hub_many_none", "events", encodedObject, down + "|" + up},
		{"hub_one_binary", "events", encodedBytes, down},
		{"hub_one_string", "events", encodedText, down},
		{"hub_many_string", "events", encodedBytes, "!not base64|!not base64"},
		{"hub_many_none", "events", encodedBytes, "!got an object|!got an object"},
		{"grid_cloud", "event", encodedObject, "*c3a1"},
		{"grid_native", "event", encodedObject, "*g7"},
		{"grid_many", "events", encodedObject, "*c3a1|*g7"},
		{"timer", "timer", encodedObject, `*"IsPastDue":true`},
		{"timer_unmonitored", "timer", encodedObject, `*"ScheduleStatus":null`},
		{"queue", "item", encodedText, `{"order":7}`},
		{"http", "req", encodedObject, `*"Method":"GET"`},
	} {
		t.Run(fmt.Sprintf("%s/%d", c.file, c.enc), func(t *testing.T) {
			env, err := parseEnvelope(sample(t, c.file), 64)
			if err != nil {
				t.Fatal(err)
			}
			list, err := env.items(c.binding, c.enc, 10)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(c.want, "|")
			if len(list) != len(want) {
				t.Fatalf("got %d elements, want %d", len(list), len(want))
			}
			for i, w := range want {
				switch {
				case strings.HasPrefix(w, "!"):
					if list[i].why == nil || !strings.Contains(list[i].why.Error(), w[1:]) || len(list[i].raw) == 0 {
						t.Errorf("element %d: got %v, want an error with %q and the bytes", i, list[i].why, w[1:])
					}
				case list[i].why != nil:
					t.Errorf("element %d: %v", i, list[i].why)
				case strings.HasPrefix(w, "*"):
					if !strings.Contains(string(list[i].payload), w[1:]) {
						t.Errorf("element %d: got %s, want %s in it", i, list[i].payload, w[1:])
					}
				case string(list[i].payload) != w:
					t.Errorf("element %d: got %q, want %q", i, list[i].payload, w)
				}
			}
		})
	}
}

// TestEveryEnvelopeIsTested keeps the list above whole.
func TestEveryEnvelopeIsTested(t *testing.T) {
	src, err := os.ReadFile("envelope_test.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/envelopes/*.json")
	if err != nil || len(files) != 12 {
		t.Fatalf("got %d samples (%v), want 12", len(files), err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !bytes.Contains(src, []byte(`{"`+name+`"`)) {
			t.Errorf("%s is tested nowhere", f)
		}
	}
}

func TestPlaceAndRetry(t *testing.T) {
	env, err := parseEnvelope(sample(t, "hub_many_binary"), 64)
	if err != nil {
		t.Fatal(err)
	}
	partition, sequence := env.place()
	if partition != "3" || sequence != "1207" || env.retryCount() != 2 {
		t.Errorf("got partition %q, sequence %q, retry %d; want 3, 1207, 2", partition, sequence, env.retryCount())
	}
	// A batch without any metadata is still a batch.
	env, err = parseEnvelope([]byte(`{"Data":{"events":"[]"}}`), 64)
	if err != nil {
		t.Fatal(err)
	}
	if p, s := env.place(); p != "" || s != "" || env.retryCount() != 0 {
		t.Errorf("got %q, %q, %d, want nothing", p, s, env.retryCount())
	}
}

func TestEnvelopeRefuses(t *testing.T) {
	deep := `{"Data":{"events":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`
	for body, want := range map[string]string{
		``:                                  "not valid JSON",
		`null`:                              `got no "Data"`,
		`{}`:                                `got no "Data"`,
		`[]`:                                "wrong kind of value",
		`{"Data":{"other":1}}`:              `got no "events"`,
		`{"Data":{"events":1},"Data":{}}`:   "not valid JSON",
		`{"Data":{"events":"[1,2,3,4,5]"}}`: "want at most 4",
		deep:                                "levels of nesting",
		`{"Data":{"events":"\"\\\"\\\\\\\"[]\\\\\\\"\\\"\""}}`: "layers of strings",
	} {
		env, err := parseEnvelope([]byte(body), 64)
		if err == nil {
			_, err = env.items("events", encodedBytes, 4)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want an error with %q", body, err, want)
		}
	}
}

// TestErrorsShowNoPayload looks for a secret of the body in what we would log.
func TestErrorsShowNoPayload(t *testing.T) {
	for _, body := range []string{
		`{"Data":"s3cret"}`, `{"Data":{"events":"s3cret`, `{"s3cret":1,"s3cret":2}`, `{"Data":{"events":"[s3cret]"}}`,
		`{"Data":{"events":"[\"s3cret!\"]"}}`,
	} {
		env, err := parseEnvelope([]byte(body), 64)
		if err == nil {
			var list []item
			list, err = env.items("events", encodedBytes, 9)
			if err == nil {
				err = list[0].why
			}
		}
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want an error that does not quote the body", body, err)
		}
	}
}

// TestRoundTrip: whatever the bytes of a batch, they come out as they went in.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 8).Draw(t, "batch")
		encoded := make([]string, len(batch))
		for i, b := range batch {
			encoded[i] = base64.StdEncoding.EncodeToString(b)
		}
		inner, _ := json.Marshal(encoded)
		for layers := rapid.IntRange(0, maxLayers).Draw(t, "layers"); layers > 0; layers-- {
			inner, _ = json.Marshal(string(inner))
		}
		env, err := parseEnvelope(append(append([]byte(`{"Data":{"events":`), inner...), "}}"...), 64)
		if err != nil {
			t.Fatal(err)
		}
		list, err := env.items("events", encodedBytes, 8)
		if err != nil || len(list) != len(batch) {
			t.Fatalf("got %d elements (%v), want %d", len(list), err, len(batch))
		}
		for i := range batch {
			if list[i].why != nil || !bytes.Equal(list[i].payload, batch[i]) {
				t.Fatalf("element %d: got %q (%v), want %q", i, list[i].payload, list[i].why, batch[i])
			}
		}
	})
}

// FuzzEnvelope: no body makes the decoder panic, loop, or lose an element, and
// every element has a payload or a reason.
func FuzzEnvelope(f *testing.F) {
	files, _ := filepath.Glob("testdata/envelopes/*.json")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"Data":{"events":"\"[\\\"/wAB\\\"]\""},"Metadata":{"PartitionContext":7,"SequenceNumberArray":"x"}}`))
	f.Add([]byte(`{"Data":{"events":[null,1,true,"AA==",{},[]]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		env, err := parseEnvelope(body, 64)
		if err != nil {
			return
		}
		env.place()
		env.retryCount()
		for name := range env.Data {
			for _, enc := range []encoding{encodedBytes, encodedText, encodedObject} {
				list, err := env.items(name, enc, 100)
				if err != nil {
					continue
				}
				for i, it := range list {
					if it.why == nil && it.raw != nil || it.why != nil && it.payload != nil {
						t.Fatalf("element %d has both a payload and a reason", i)
					}
				}
			}
		}
	})
}

// sample reads one envelope.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/envelopes/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
