package bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"erfailover/events"
	"erfailover/handlers"
)

// Shape of the envelope: a full batch of what diagnostic settings export.
const (
	batchEvents   = 100 // events in the batch
	eventRecords  = 220 // metric records in each, about 70 KB
	eventCircuits = 22  // circuits that an event speaks about, ten metrics each
)

// batch is an invocation as the host sends it (cardinality many, dataType binary).
func batch() (body []byte, records int) {
	list := make([]string, batchEvents)
	for i := range list {
		list[i] = base64.StdEncoding.EncodeToString(metricEvent(i))
	}
	inner, _ := json.Marshal(list)
	var places strings.Builder
	for i := range batchEvents {
		fmt.Fprintf(&places, `,{"SequenceNumber":%d,"OffsetString":"%d","EnqueuedTimeUtc":"2026-01-31T10:00:00.000"}`, i, 80*i)
	}
	system, _ := json.Marshal("[" + places.String()[1:] + "]")
	body = fmt.Appendf(nil, `{"Data":{"events":%s},"Metadata":{"PartitionContext":{"PartitionId":"3"},"SystemPropertiesArray":%s}}`,
		strconv.Quote(string(inner)), system)
	return body, batchEvents * eventRecords
}

// metricEvent is one event: minute n/10 of 22 circuits of an estate of 220.
func metricEvent(n int) []byte {
	names := []string{"ArpAvailability", "BgpAvailability", "BitsInPerSecond", "BitsOutPerSecond", "IngressBandwidthUtilization",
		"EgressBandwidthUtilization", "QosDropBitsInPerSecond", "QosDropBitsOutPerSecond", "FastPathRoutesCountForCircuit", "LineProtocol"}
	at := time.Date(2026, 1, 31, 10, n/10, 0, 0, time.UTC).Format("2006-01-02T15:04:05.0000000Z")
	var b strings.Builder
	b.WriteString(`{"records":[`)
	for i := range eventRecords {
		if i > 0 {
			b.WriteByte(',')
		}
		metric := names[i%len(names)]
		value := 100.0
		if strings.HasPrefix(metric, "Bits") {
			value = float64((n*eventRecords+i)*7919%100_000_000) + 0.25
		}
		num := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
		fmt.Fprintf(&b, `{"count":2,"total":%s,"minimum":%s,"maximum":%s,"average":%s,"resourceId":"/SUBSCRIPTIONS/0A1B2C3D-0000-4000-8000-00000000E001/RESOURCEGROUPS/RG-NETWORK-HUB/PROVIDERS/MICROSOFT.NETWORK/EXPRESSROUTECIRCUITS/ER-CIRCUIT-%03d","time":"%s","metricName":"%s","timeGrain":"PT1M"}`,
			num(2*value), num(value), num(value), num(value), (n%10)*eventCircuits+i/len(names), at, metric)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// counter is an engine that counts what it is handed.
type counter struct{ signals int }

// Handle counts.
func (c *counter) Handle(_ context.Context, s []events.Signal) (handlers.Receipt, error) {
	c.signals = len(s)
	return handlers.Receipt{}, nil
}

// Tick does nothing.
func (c *counter) Tick(context.Context) error { return nil }

// letters refuses what nobody should send here.
type letters struct{ t testing.TB }

// Put fails the test.
func (l letters) Put(_ context.Context, reason string, _ []byte, _ time.Time) error {
	l.t.Fatalf("a record was not read: %s", reason)
	return nil
}

// ours returns a function that takes the batch through the program's own HTTP face,
// from the request's body to the signals that the engine gets: strict JSON, unknown
// metrics kept, IDs hashed, every record accounted for.
func ours(t testing.TB, body []byte) func() int {
	c := &counter{}
	h, err := handlers.New(handlers.Options{Engine: c, Letters: letters{t}, Parse: handlers.ParseEvents, Auth: handlers.Auth{Mode: handlers.ModeLoopback},
		Log: zerolog.Nop(), Port: 7071, Now: func() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return func() int { return post(t, h, body, func() int { return c.signals }) }
}

// bare returns a function that takes the batch through a plain net/http handler and
// encoding/json: the envelope, the list, each event into a struct. It stops there: no
// resource ID is read, nothing is judged, no ID is hashed.
func bare(t testing.TB, body []byte) func() int {
	n := 0
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			n, err = decodeWithStandard(raw)
		}
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(`{"Outputs":{},"Logs":[]}`))
	})
	return func() int { return post(t, h, body, func() int { return n }) }
}

// post sends the body to a handler and returns what the handler counted.
func post(t testing.TB, h http.Handler, body []byte, count func() int) int {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:7071/CircuitEvents", bytes.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return count()
}

// plainRecords is what a straightforward reader of an event would declare.
type plainRecords struct {
	Records []struct {
		Count      *float64 `json:"count"`
		Total      *float64 `json:"total"`
		Minimum    *float64 `json:"minimum"`
		Maximum    *float64 `json:"maximum"`
		Average    *float64 `json:"average"`
		ResourceID string   `json:"resourceId"`
		Time       string   `json:"time"`
		MetricName string   `json:"metricName"`
		TimeGrain  string   `json:"timeGrain"`
	} `json:"records"`
}

// decodeWithStandard reads an envelope with encoding/json and counts its records.
func decodeWithStandard(raw []byte) (int, error) {
	var env struct {
		Data struct {
			Events string `json:"events"`
		}
	}
	if err := json.Unmarshal(raw, &env); err != nil {
		return 0, err
	}
	var list [][]byte // base64 by the library
	if err := json.Unmarshal([]byte(env.Data.Events), &list); err != nil {
		return 0, err
	}
	n := 0
	for _, event := range list {
		var got plainRecords
		if err := json.Unmarshal(event, &got); err != nil {
			return 0, err
		}
		n += len(got.Records)
	}
	return n, nil
}

// BenchmarkEnvelope is the program's way from body to signals.
func BenchmarkEnvelope(b *testing.B) { benchEnvelope(b, ours) }

// BenchmarkEnvelopeStandard is encoding/json's way from body to structs.
func BenchmarkEnvelopeStandard(b *testing.B) { benchEnvelope(b, bare) }

func benchEnvelope(b *testing.B, make func(testing.TB, []byte) func() int) {
	body, want := batch()
	run := make(b, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if got := run(); got != want {
			b.Fatalf("got %d records, want %d", got, want)
		}
	}
}
