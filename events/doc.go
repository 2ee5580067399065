// Package events turns what the outside world sent into signals: bytes in,
// normalised facts out.
//
//	activity-log stream ─┐
//	alerts, old and new ─┤
//	Event Grid, Cloud ───┼─▶ Parse ─▶ []Signal + []Foreign + []Broken
//	metric records ──────┤
//	generic form ────────┘
//
// A format is recognised by its content, never by configuration. What is foreign
// (budget alerts, test actions) is counted and left alone; what is broken becomes
// a ParseError that keeps its bytes; the rest of the batch is processed.
//
// Parse reads a body in four steps, one file each: split.go finds the records and
// loses none, recognize.go names the format, the format's reader (alert.go,
// activitylog.go, eventgrid.go, metric.go, generic.go ...) takes the facts out, and
// judge.go says what a measured value claims. target.go sorts resource IDs and id.go
// gives every signal its ID.
//
// The package is pure: it reads no clock and no network, and nothing in a
// payload can make it decide anything. An event is only a hint to look.
package events
