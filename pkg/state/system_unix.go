//go:build unix

package state

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

const modesMatter = true

func userID() string { return strconv.Itoa(os.Getuid()) }

func ownedByUser(info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(stat.Uid) != os.Getuid() {
		return fmt.Errorf("belongs to another user (uid %d)", stat.Uid)
	}
	return nil
}
