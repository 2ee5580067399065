// Package boltstore keeps the record in one file on a local disk, with bbolt.
//
//	documents   key -> sealed(ETag, nonce, body)
//	rows        journal/<stream>/<number> -> sealed(body)
//
// Every write is one bbolt transaction and is on disk (fsync) before it is
// answered; a crash, a full disk or a lost power supply leaves the state before or
// the state after a write, never a part of it. Each value carries a checksum over
// itself and its key, since bbolt checks only its own two head pages.
//
// One process at a time: bbolt locks the whole file, and a second process gets a
// Busy error that names the file. Several instances of the program need a store
// that they share, which is what package blobstore is for. Within one process a
// Store serves any number of goroutines; writes are done one after the other.
//
// The file must be on a local disk: locks and fsync of network shares are not to
// be relied on.
package boltstore
