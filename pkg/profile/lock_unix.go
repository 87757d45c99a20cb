//go:build linux || darwin

package profile

import (
	"errors"
	"os"
	"syscall"
)

// lockFolder keeps two edits by mfad apart. The lock is on the folder, so that
// no lock file is left. Where there are no locks, as on some network file
// systems, the comparison before the rename has to do.
func lockFolder(dir string) (unlock func()) {
	d, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return func() { _ = d.Close() }
		}
	}
}
