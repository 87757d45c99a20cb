//go:build unix

package keyring

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// private refuses a file that another user could have read or written.
func private(info os.FileInfo, forbidden os.FileMode) error {
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("can be opened by other users (mode %04o)", mode)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Getuid() {
		return errors.New("belongs to another user")
	}
	return nil
}
