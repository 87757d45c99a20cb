package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// SyncFolder does nothing: Windows cannot flush a folder.
func SyncFolder(string) error { return nil }

// lockOffset is far behind the content: a region that is locked cannot be read,
// and others may want to read who holds the lock.
const lockOffset = 1 << 30

// TryLock takes the exclusive lock of an open file, or tells at once that another
// process has it. The lock goes when the file is closed, also by a crash.
func TryLock(f *os.File) (taken bool, err error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, os.NewSyscallError("LockFileEx", err)
}
