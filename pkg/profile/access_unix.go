//go:build unix

package profile

import (
	"io/fs"
	"syscall"
)

// owner gives the user that info belongs to.
func owner(info fs.FileInfo) (uid int, known bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}
