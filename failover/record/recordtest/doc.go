// Package recordtest holds what tests of the record need: Conformance, the suite
// that every record.Store passes; Memory, a correct store in memory that fails on
// command; and Lossy, which loses requests and answers of any store.
package recordtest
