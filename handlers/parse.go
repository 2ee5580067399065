package handlers

import (
	"time"

	"erfailover/events"
)

// ParseEvents is the Parser over package events.
func ParseEvents(raw []byte, received time.Time) Parsed {
	b := events.Parse(raw, received)
	out := Parsed{Signals: b.Signals, Foreign: len(b.Foreign)}
	for _, e := range b.Broken {
		part := e.Raw
		if e.Size > len(part) { // it was clipped: keep the whole body
			part = nil
		}
		out.Broken = append(out.Broken, Broken{Class: e.Format + " " + e.Field, Reason: e.Error(), Raw: part})
	}
	return out
}
