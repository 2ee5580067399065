package telemetry

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Variables of the OpenTelemetry specification that are read here. The SDK itself
// reads OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and
// OTEL_METRIC_EXPORT_INTERVAL.
const (
	varEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	varHeaders  = "OTEL_EXPORTER_OTLP_HEADERS"
	varProtocol = "OTEL_EXPORTER_OTLP_PROTOCOL"
	varTimeout  = "OTEL_EXPORTER_OTLP_TIMEOUT"
	varDisabled = "OTEL_SDK_DISABLED"
)

const (
	defaultQueue   = 2048 // spans that wait or travel; more are dropped
	defaultTimeout = 10 * time.Second
	mostTimeout    = time.Minute
)

// Settings says where telemetry goes. The zero value is off.
type Settings struct {
	Endpoint string            // base URL of the collector; "" is off
	Headers  map[string]string // sent with every request; may hold a secret
	Timeout  time.Duration     // of one request; default 10 s, at most 1 min
	Queue    int               // spans that wait or travel; default 2048
	Version  string            // of this program
	Instance string            // of this process

	// Gauges reads what the record says, once an export. nil: nothing.
	Gauges Gauges
	// Trouble is told about a batch that could not be sent. It must not block.
	Trouble func(lost int, err error)
}

// On reports whether anything is sent.
func (s Settings) On() bool { return s.Endpoint != "" }

// FromEnv reads the variables of the OpenTelemetry specification. With an error,
// telemetry is off; the error names the variable, never the value of a header.
func FromEnv(getenv func(string) string) (Settings, error) {
	end := strings.TrimSuffix(getenv(varEndpoint), "/")
	if end == "" || strings.EqualFold(getenv(varDisabled), "true") {
		return Settings{}, nil
	}
	s := Settings{Endpoint: end, Timeout: defaultTimeout, Headers: map[string]string{}}
	u, err := url.Parse(end)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Settings{}, fmt.Errorf("%s: got something else, want the collector's base URL, https://HOST:4318, without user, query and fragment", varEndpoint)
	}
	if p := getenv(varProtocol); p != "" && p != "http/protobuf" {
		return Settings{}, fmt.Errorf("%s: got %q, want http/protobuf, the only one spoken here", varProtocol, p)
	}
	if t := getenv(varTimeout); t != "" {
		ms, err := time.ParseDuration(t + "ms")
		if err != nil || ms <= 0 || ms > mostTimeout {
			return Settings{}, fmt.Errorf("%s: got %q, want milliseconds from 1 to 60000", varTimeout, t)
		}
		s.Timeout = ms
	}
	for pair := range strings.SplitSeq(getenv(varHeaders), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || !token(key) || strings.ContainsAny(plain, "\r\n\x00") {
			return Settings{}, errors.New(varHeaders + ": got something else, want KEY=VALUE,KEY=VALUE with percent-encoded values")
		}
		s.Headers[key] = plain
	}
	return s, nil
}

// token reports whether s can be the name of an HTTP header.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
