// Package replay runs recorded events through the production engine on virtual time,
// to show what would have been decided, and what another configuration would have
// decided instead.
//
//	recording ──▶ events.Parse ──▶ failover.Engine ──▶ journal ──▶ shadow ──▶ Result
//	                 │                   │ ports
//	                 └── facts ──▶ world (a network in memory; nothing leaves it)
//
// The engine, its health, its policy and its planner are the very code that runs in
// production. What stands in for the world is small: circuits whose sessions follow
// what was recorded about them, weights that land 20 s after they are written, and
// a record in memory. The same recording and configuration always give the same
// result.
//
// What a replay does not know: orders that people gave, weights that others wrote,
// reads that failed, and, where a circuit lost packets and kept its sessions, more
// than the recorded alarms say.
package replay
