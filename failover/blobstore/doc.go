// Package blobstore keeps the record in one container of Azure Blob Storage, so
// that several instances share it.
//
//	<key>                        a document: one block blob, its body as it is
//	journal/<stream>/<number>    a row: one block blob, written once
//
// A blob's name is the key. Its metadata hold the nonce of the Save that wrote it
// and a SHA-256 over key, nonce and body; a blob that does not match was damaged or
// written by other hands, and is reported as Corrupt.
//
// Every write is one Put Blob with a condition: If-Match for a change, If-None-Match
// with * for a new blob. Such a request may be done and its answer lost; the repeat
// then fails its own condition. So a refused condition is never taken at its word:
// the blob is looked at, and if it carries our nonce (a row: our bytes) the write
// was ours. Nothing rests on a lease, and none is taken.
//
// Requests are repeated by azcore's retry policy and nowhere else.
//
// The identity needs the role Storage Blob Data Contributor on the container, or on
// the account if the container is to be created. The account must have no
// hierarchical namespace: there, names are not listed in byte order. Soft delete,
// versioning and encryption are as the account has them; an immutability policy
// must not cover the container, for documents change.
package blobstore
