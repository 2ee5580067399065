// Package armnet is the executor's Network on Azure: it reads, writes and asks
// through Azure Resource Manager (ARM).
//
//	Begin:  GET raw body ─▶ compare ─▶ change weight and our tag ─▶ PUT ─▶ token
//	Poll:   token ─▶ one look ─▶ applied | unknown | still running
//	Read:   GET raw body ─▶ narrow decode
//	Ask:    POST ─▶ token, or the answer at once
//
// Bodies are edited as raw JSON, because the SDK's models drop what they do not
// know and a PUT replaces the whole resource. Long-running operations use the
// SDK's own pollers and resume tokens.
//
// Every request passes, in this order: the host check (nothing but the configured
// ARM endpoint ever sees our bearer token), the pacing inside the published
// request limits, the bearer token, and last of all the send deadline.
//
// Nothing here sleeps for longer than a few seconds: a longer wait is an answer
// with RetryAfter. Nothing here logs.
package armnet
