//go:build unix && !solaris && !aix

package boltstore

import (
	"os"
	"syscall"
)

// unlock lets bbolt's lock on f go. To close f is not enough while its pages are
// mapped: the mapping keeps the lock.
func unlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
