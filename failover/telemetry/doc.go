// Package telemetry sends what the program does to an OpenTelemetry collector, when
// one is named: spans from the event to the weight, and metrics, as OTLP over HTTP.
//
//	trace.Tracer ─▶ OpenTelemetry SDK ─▶ bounded queue ─▶ OTLP, protobuf ─▶ collector
//	                                        │ full             │ refused, unreachable
//	                                        ▼                  ▼
//	                                     dropped, counted   dropped, counted
//
// Nothing here is ever waited for by a failover, and nothing is sent unless
// OTEL_EXPORTER_OTLP_ENDPOINT is set. The SDK is theirs; the few messages of OTLP
// are written here, because the SDK's own exporters link gRPC
// (docs/decisions/0010).
package telemetry
