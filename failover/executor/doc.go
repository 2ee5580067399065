// Package executor turns a plan's steps into outcomes through the Network port.
//
// It is blocking, single-threaded code: no goroutine and no clock of its own.
// Adapters parallelise inside a batch, and the simulator schedules the very same
// code as coroutines.
package executor
