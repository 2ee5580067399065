// Package record holds the durable truth: one document per circuit (its health
// memory), one per group (its state and its running operation), one for the estate,
// and the hash-chained journal of everything decided and done, refusals included.
//
//	document ── saved by compare-and-swap, one at a time, with its new journal entries
//	journal  ── rows numbered without a gap, each holding the hash of the one before
//
// The package is values and the Store port; the stores themselves stand beside it.
package record
