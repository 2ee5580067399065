package clock

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxHint is the longest wait that is taken from a server's word.
const MaxHint = time.Hour

// RetryAfter returns how long a server asks to be left alone, in milliseconds, seconds
// or as a date (RFC 9110 10.2.3; the headers in milliseconds are Azure's). What is
// negative, past or unreadable is no hint, and none is longer than an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"retry-after-ms", "x-ms-retry-after-ms"} {
		if ms, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && ms > 0 {
			return time.Duration(min(ms, MaxHint.Milliseconds())) * time.Millisecond
		}
	}
	text := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(max(0, min(s, int64(MaxHint/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(MaxHint, at.Sub(now)))
	}
	return 0
}
