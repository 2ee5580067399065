package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metricBatch makes one body of about size bytes, as a diagnostic setting sends
// it: ten metrics of some circuits, one record a minute.
func metricBatch(size int) []byte {
	names := []string{"ArpAvailability", "BgpAvailability", "BitsInPerSecond", "BitsOutPerSecond", "IngressBandwidthUtilization",
		"EgressBandwidthUtilization", "QosDropBitsInPerSecond", "QosDropBitsOutPerSecond", "FastPathRoutesCountForCircuit", "LineProtocol"}
	start := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	var b strings.Builder
	b.WriteString(`{"records":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		value := float64(100)
		if i%10 > 1 {
			value = float64(i%977) * 1234.5
		}
		fmt.Fprintf(&b, `{"count":2,"total":%s,"minimum":%s,"maximum":%s,"average":%s,"resourceId":"/SUBSCRIPTIONS/0A1B2C3D-0000-4000-8000-00000000E001/RESOURCEGROUPS/RG-NETWORK-HUB/PROVIDERS/MICROSOFT.NETWORK/EXPRESSROUTECIRCUITS/ER-CIRCUIT-%03d","time":"%s","metricName":"%s","timeGrain":"PT1M"}`,
			decimal(value*2), decimal(value), decimal(value), decimal(value), i/10%200, start.Add(time.Duration(i/2000)*time.Minute).Format("2006-01-02T15:04:05.0000000Z"), names[i%10])
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// decimal prints a number as the exporters do, without an exponent.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// plainRecords is what a straightforward reader of the same body would declare.
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

func BenchmarkParse9MB(b *testing.B) {
	raw := metricBatch(9 << 20)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if got := Parse(raw, time.Time{}); len(got.Broken) > 0 || got.Read == 0 {
			b.Fatal("the batch was not read")
		}
	}
}

// BenchmarkParse75KB reads one event of the size that a diagnostic setting sends,
// with nothing remembered from the event before.
func BenchmarkParse75KB(b *testing.B) {
	raw := metricBatch(75 << 10)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if got := Parse(raw, time.Time{}); len(got.Broken) > 0 || got.Read == 0 {
			b.Fatal("the event was not read")
		}
	}
}

// BenchmarkStandardDecode9MB only decodes: no signals, no IDs, no checks.
func BenchmarkStandardDecode9MB(b *testing.B) {
	raw := metricBatch(9 << 20)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		var got plainRecords
		if err := json.Unmarshal(raw, &got); err != nil || len(got.Records) == 0 {
			b.Fatal("the batch was not read", err)
		}
	}
}
