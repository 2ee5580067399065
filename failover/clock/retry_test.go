package clock

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 12, 3, 0, 0, 0, time.UTC)
	tests := []struct {
		head map[string]string
		want time.Duration
	}{
		{nil, 0},
		{map[string]string{"Retry-After": "10"}, 10 * time.Second},
		{map[string]string{"Retry-After": "0"}, 0},
		{map[string]string{"Retry-After": "-1"}, 0},
		{map[string]string{"Retry-After": "99999999"}, time.Hour},
		{map[string]string{"Retry-After": "soon"}, 0},
		{map[string]string{"Retry-After": now.Add(30 * time.Second).Format(http.TimeFormat)}, 30 * time.Second},
		{map[string]string{"Retry-After": now.Add(-time.Hour).Format(http.TimeFormat)}, 0},
		{map[string]string{"retry-after-ms": "250", "Retry-After": "10"}, 250 * time.Millisecond},
		{map[string]string{"x-ms-retry-after-ms": "9999999999999"}, time.Hour},
	}
	for _, tt := range tests {
		head := http.Header{}
		for k, v := range tt.head {
			head.Set(k, v)
		}
		if got := RetryAfter(head, now); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.head, got, tt.want)
		}
	}
}
