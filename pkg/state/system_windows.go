package state

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// A profile's folder is closed to other users by its ACL, not by a mode.
const modesMatter = false

func userID() string { return "" }

func ownedByUser(os.FileInfo) error { return nil }

// lockOffset is far behind the content: a region that is locked cannot be read
// here, and others must read the holder's pid.
const lockOffset = 1 << 30

func tryLock(f *os.File) (bool, error) {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, os.NewSyscallError("LockFileEx", err)
}

// syncFolder does nothing: Windows cannot flush a folder.
func syncFolder(string) error { return nil }
