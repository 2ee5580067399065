// Package hosttest is a stand-in for the Azure Functions host, for tests and for
// the demo. It starts a custom handler as the host does, calls it over the same
// wire protocol, and judges its replies by the same rules.
//
//	app folder ─▶ functions ─┬─ Event Hubs: a queue for each partition, retry, checkpoint
//	                         ├─ Event Grid: handshake, one invocation for each event, in parallel
//	                         ├─ timers: by schedule, never two at once
//	                         └─ HTTP: routes, keys, proxied to the handler
//	process ── exit 0: left dead · 200: restarted freely · else: restarted, the third time the host is down
//
// What the real host leaves hanging for ever is an error here at once: an empty
// reply, or the body null.
package hosttest
