//go:build !unix || solaris || aix

package boltstore

import "os"

// unlock does nothing here: the lock ends with the process.
func unlock(*os.File) {}
