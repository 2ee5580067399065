package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"erfailover/failover/fault"
)

var (
	errSame    = errors.New("already stored") // ends a transaction that has nothing to write
	errPages   = errors.New("the file's pages are damaged")
	errShort   = errors.New("the file is cut short")
	errForeign = errors.New("the file is not a record of this program")
	errSum     = errors.New("a stored value is damaged")
)

// classify says what kind of failure err is, the other side's code, and what an
// operator can do.
func classify(path string, err error) (kind fault.Kind, code, hint string) {
	errno := errnoOf(err)
	if errno != 0 {
		code = errnoName(errno)
	}
	restore := fmt.Sprintf("stop the program, keep %s for study, and put a backup in its place; epochs are found again from the tags in Azure", path)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.Unavailable, code, "the call was given up before it was done; it may be repeated"
	case errors.Is(err, bolterrors.ErrTimeout):
		return fault.Busy, code, fmt.Sprintf("another process has %s open; only one can: stop it, or give this one another file, or use the blob store", path)
	case errors.Is(err, errPages), errors.Is(err, errShort), errors.Is(err, errSum),
		errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrInvalidMapping),
		strings.Contains(err.Error(), "file size too small"): // bbolt has no name for it
		return fault.Corrupt, code, restore
	case errors.Is(err, errForeign), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fault.Corrupt, code, fmt.Sprintf("%s is another program's file, or a newer version's; it was left as it is: name another file, or upgrade this instance", path)
	case errno == syscall.ENOSPC, errno == syscall.EDQUOT, errno == syscall.EFBIG:
		return fault.Unavailable, code, fmt.Sprintf("the disk or the quota that holds %s is full; free some space, nothing was written", path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, bolterrors.ErrDatabaseReadOnly):
		return fault.Denied, code, fmt.Sprintf("%s and its folder must be writable for the user that runs this program", path)
	case errors.Is(err, fs.ErrNotExist):
		return fault.NotFound, code, fmt.Sprintf("the folder of %s does not exist; create it", path)
	case errors.Is(err, syscall.EISDIR):
		return fault.Invalid, code, fmt.Sprintf("%s is a folder; name a file", path)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return fault.Unavailable, code, "the store was closed"
	default:
		return fault.Unavailable, code, fmt.Sprintf("the disk that holds %s may be failing; see the system log", path)
	}
}

// errnoOf returns the system's error number in err, or 0. bbolt keeps only the
// text of the error with which a file cannot grow, so a full disk is looked for
// in the text too.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO} {
		if strings.Contains(err.Error(), full.Error()) {
			return full
		}
	}
	return 0
}

// errnoName returns the name of the error numbers that an operator looks up.
func errnoName(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOSPC:
		return "ENOSPC"
	case syscall.EDQUOT:
		return "EDQUOT"
	case syscall.EFBIG:
		return "EFBIG"
	case syscall.EROFS:
		return "EROFS"
	case syscall.EACCES:
		return "EACCES"
	case syscall.EIO:
		return "EIO"
	default:
		return fmt.Sprintf("errno %d", int(errno))
	}
}
