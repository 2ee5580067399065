// Package drill rehearses failover on a calendar: announce, check, arm the way back,
// move, hold, return, measure.
//
//	idle ──announce──▶ announced ──checks──▶ armed ──read back──▶ moving ──proven──▶ holding
//	  ▲                    │ refused           │ too late            │ refused, failed  │ hold over, limit,
//	  │                    │ cancelled         │ stopped             │                  │ stop, a bad sign
//	  │                    ▼                   ▼                     ▼                  ▼
//	  └───────────────── ended ◀─────────────────────────────────────────────────── returning
//	                                  overtaken: real trouble, the incident goes on without us
//
// The way back is armed first. The weights at rest and the deadline are stored, and
// nothing is ordered until a later beat, in this process or in another, has read them
// back. Each group's document then takes the deadline with the very save that stores
// the first write's intent, and the engine takes traffic home after it by itself,
// whatever becomes of the calendar. Orders carry keys, so a drill that is taken up by
// another instance in the middle repeats nothing.
//
// A drill has one leg for each group that it moves: one, but for an evacuation. It
// passes or fails by what was read (routes, traffic, probes, the weights at the end),
// never by what was ordered.
//
// The package is pure: it decides from documents, beliefs and the instant.
package drill
