//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

const ttyPath = "/dev/tty"

// foreground tells whether this process may speak on the terminal: its group is
// in the foreground, and the terminal is in line mode with echo, not under a
// full-screen program.
func foreground(tty *os.File) bool {
	raw, err := tty.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	_ = raw.Control(func(fd uintptr) {
		group, err := unix.IoctlGetInt(int(fd), unix.TIOCGPGRP)
		if err != nil || group != unix.Getpgrp() {
			return
		}
		mode, err := unix.IoctlGetTermios(int(fd), getTermios)
		ok = err == nil && mode.Lflag&unix.ICANON != 0 && mode.Lflag&unix.ECHO != 0
	})
	return ok
}

// flushInput drops what was typed and not read.
func flushInput(tty *os.File) {
	if raw, err := tty.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { flushTerminal(int(fd)) })
	}
}
