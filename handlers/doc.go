// Package handlers is the side of the program that faces the Azure Functions
// host and the people who use the HTTP API.
//
//	host ── POST /CircuitEvents ─┐                      ┌─▶ Engine.Handle
//	     ── POST /HealthEvents ──┼─▶ envelope ─▶ Parse ─┤
//	     ── POST /Tick, ... ─────┘                      └─▶ DeadLetters
//	     ── any /api/... (proxied) ─▶ who is it? ─▶ order ─▶ Engine.Handle
//
// The host's protocol has sharp edges, and the package is built around them:
//
//   - A success is 200, application/json and a JSON object that is not empty. An
//     empty or null body would make the invocation hang for ever.
//   - Event Hubs moves its checkpoint on whether the invocation failed or not. So
//     a reply other than 2xx means "a save failed, send it again" and nothing
//     else; the retry policy in function.json has no upper count.
//   - An event that cannot be read is stored as a dead letter with the reason; the
//     rest of its batch is processed.
//   - The host follows redirects and turns the POST into a GET. Paths are exact,
//     and nothing here ever redirects.
//   - The path of an internal invocation lies at the root and the public API under
//     /api. Internal paths ask for the loopback Host that only the host uses, and
//     refuse what has passed a front end.
//
// A log line names the invocation. It never holds a payload, a key, or a query
// string: function keys travel in the query.
package handlers
